//! What is known of one endpoint: whether it serves, and when it is looked at again.
//!
//! ```text
//!                failure                    window over
//!   Healthy ───────────────► Suspect(until) ───────────► Probing
//!      ▲                        ▲   │ answer                │
//!      │                        │   ▼                       │
//!      └────────────────────────┼───┴──────── answer ◄──────┤
//!                               └──── failure, twice as long ┘
//! ```
//!
//! What is wrong with a suspect one is told: it failed, is a learner, or of another cluster. It changes nothing
//! about when it is looked at again, as a learner may be promoted, and an address lead elsewhere.
//!
//! A pure function of what happened and when (rule B-2). It knows no connections and no calls: who tells
//! it of a failure says when what failed was begun, so that things lost together count once.

use core::time::Duration;

use crate::client::notice::EndpointState;
use crate::client::notice::Reason;
use crate::error::Known;
use crate::time::Instant;

/// How long a suspect endpoint is left alone at first (rule B-4).
const WINDOW: Duration = Duration::from_secs(10);
/// And at the most.
const LONGEST: Duration = Duration::from_secs(60);

/// What is known of one endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    state: State,
    /// When the last failure that counted was told.
    failed: Option<Instant>,
    /// How many windows in a row, without an answer between them.
    rounds: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Healthy,
    /// It failed: others come first until then.
    Suspect { until: Instant, flaw: Flaw },
    /// It was, and is asked since then whether it serves again.
    Probing { since: Instant },
}

/// What is wrong with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It did not serve.
    Failed,
    /// It is a learner, which answers serializable reads and its status alone, until it is promoted.
    Learner,
    /// It is of another cluster than the first answer.
    Foreign,
}

impl Flaw {
    pub(crate) fn of(why: &Reason) -> Self {
        match why {
            Reason::Refused(refusal) if refusal.known == Some(Known::NotSupportedForLearner) => {
                Self::Learner
            }
            Reason::ClusterChanged { .. } => Self::Foreign,
            _ => Self::Failed,
        }
    }
}

impl Health {
    /// It answered something only a member that serves answers. Whether that is news.
    pub(super) fn handle_answer(&mut self) -> bool {
        let is_news = self.state != State::Healthy;
        self.state = State::Healthy;
        self.rounds = 0;
        is_news
    }

    /// What was begun then failed by its fault. False if that says nothing new: it was begun before the
    /// last failure was known.
    pub(super) fn handle_failure(&mut self, now: Instant, begun: Instant, flaw: Flaw) -> bool {
        if self.failed.is_some_and(|failed| begun < failed) {
            return false;
        }
        self.failed = Some(now);
        let window = WINDOW.saturating_mul(1 << self.rounds.min(8)).min(LONGEST);
        self.rounds = self.rounds.saturating_add(1);
        let until = now + window;
        self.state = State::Suspect { until, flaw };
        true
    }

    /// It is being asked whether it serves again; an answer or a failure says so.
    pub(super) const fn handle_probe(&mut self, now: Instant) {
        if let State::Suspect { .. } = self.state {
            self.state = State::Probing { since: now };
        }
    }

    /// The probe came to nothing: no connection could be had for it, say. Later again.
    pub(super) fn handle_no_probe(&mut self) {
        if let State::Probing { since } = self.state {
            let until = since + WINDOW;
            let flaw = Flaw::Failed;
            self.state = State::Suspect { until, flaw };
        }
    }

    /// What it is in, as it is told.
    pub(super) const fn told(&self) -> EndpointState {
        match self.state {
            State::Healthy => EndpointState::Healthy,
            State::Suspect { until, flaw } => match flaw {
                Flaw::Failed => EndpointState::Suspect { until },
                Flaw::Learner => EndpointState::Learner { until },
                Flaw::Foreign => EndpointState::Foreign { until },
            },
            State::Probing { .. } => EndpointState::Probing,
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.state == State::Healthy
    }

    /// Whether it is time to ask it whether it serves again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Suspect { until, .. } if until <= now)
    }

    /// Of endpoints that are not healthy, the lowest comes first (rule B-5), whatever is wrong with them: a
    /// learner may be a member by then.
    pub(super) const fn until(&self) -> Option<Instant> {
        match self.state {
            State::Healthy => None,
            State::Suspect { until, .. } | State::Probing { since: until } => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Instant {
        Instant::ZERO + SECOND * seconds
    }

    #[test]
    fn b4_windows_double_up_to_a_minute_and_an_answer_ends_them() {
        let mut health = Health::default();
        let mut now = at(1);
        let mut windows = Vec::new();
        for _ in 0..5 {
            assert!(health.handle_failure(now, now, Flaw::Failed));
            let until = health.until().unwrap();
            windows.push((until - now).as_secs());
            assert!(!health.is_due(now) && health.is_due(until));
            health.handle_probe(until);
            assert!(!health.is_due(until), "one probe at a time");
            now = until;
        }
        assert_eq!(windows, [10, 20, 40, 60, 60]);
        assert!(health.handle_answer() && health.is_healthy() && !health.handle_answer());
        assert!(health.handle_failure(now, now, Flaw::Failed));
        assert_eq!((health.until().unwrap() - now).as_secs(), 10);
    }

    #[test]
    fn b4_what_is_lost_together_counts_once() {
        let mut health = Health::default();
        assert!(health.handle_failure(at(5), at(1), Flaw::Failed));
        assert!(!health.handle_failure(at(6), at(2), Flaw::Failed));
        assert_eq!(health.until(), Some(at(15)));
        assert!(health.handle_failure(at(7), at(5), Flaw::Failed));
        assert_eq!(health.until(), Some(at(27)));
    }

    #[test]
    fn b2_what_is_wrong_is_told_and_changes_nothing_else() {
        for flaw in [Flaw::Failed, Flaw::Learner, Flaw::Foreign] {
            let mut health = Health::default();
            assert!(health.handle_failure(at(2), at(2), flaw));
            let until = at(12);
            let told = match flaw {
                Flaw::Failed => EndpointState::Suspect { until },
                Flaw::Learner => EndpointState::Learner { until },
                Flaw::Foreign => EndpointState::Foreign { until },
            };
            assert_eq!(health.told(), told);
            assert!(!health.is_healthy() && !health.is_due(at(11)) && health.is_due(until));
            assert!(health.handle_answer());
            assert_eq!(health.told(), EndpointState::Healthy);
        }
    }
}
