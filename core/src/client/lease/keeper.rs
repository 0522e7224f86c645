//! One lease that is kept alive (rules L-2 to L-8): until when it certainly lasts, when it is renewed
//! next, and the newest thing to tell.
//!
//! Time is counted from when a confirmed request was sent: the server got it later, so it cannot have
//! ended the lease before. How a renewal travels, and what is done when a server is silent, is not known
//! here.
//!
//! ```text
//!   Starting ──confirmed──► Active ──2/3 ttl──► AtRisk ──valid_until──► Expired
//!                             ▲                   │                        │
//!                             └──── confirmed ────┴────────────────────────┘
//!   any ──gone: Lost, stopped: Released, refused: Failed, Shutdown──► Ended
//!   any ──revoke──► Revoking ──► Ended
//! ```

use core::time::Duration;

use super::event::LeaseEnd;
use super::event::LeaseEvent;
use super::event::LeasePhase;
use super::event::LeaseState;
use crate::id::CallId;
use crate::rng::Rng;
use crate::time::Instant;

/// The least time between two renewals of one lease (rule L-4).
const LEAST: Duration = Duration::from_millis(500);
/// The longest silence of a server before a renewal is sent elsewhere (rule L-5).
const MOST_PATIENCE: Duration = Duration::from_secs(1);

/// One lease that is kept alive.
#[derive(Debug)]
pub(super) struct Keeper {
    lease: i64,
    /// Seconds; 0 while unknown.
    ttl: i64,
    phase: LeasePhase,
    /// When the newest confirmed request was sent.
    sent_at: Instant,
    valid_until: Option<Instant>,
    /// When the next renewal is due.
    next: Option<Instant>,
    /// Spreads its renewals. Its own, so that they do not depend on what else happens in the same moment.
    rng: Rng,
    /// The request under way, at most one.
    pub(super) call: Option<CallId>,
    /// When it is to be looked at next, as the table of all of them has it.
    pub(super) due: Option<Instant>,
    /// The newest thing to tell.
    news: Option<LeaseEvent>,
    /// Its end, which is told behind that.
    end: Option<LeaseEnd>,
    /// Its user took something of it.
    is_known: bool,
    /// The user was told that there is something.
    told: bool,
    #[cfg(feature = "planted")]
    asked_ttl: i64,
}

impl Keeper {
    /// One of which nothing is known yet; a lease of 0 is one whose id the server chooses.
    pub(super) const fn new(lease: i64, rng: Rng) -> Self {
        Self {
            lease,
            rng,
            ttl: 0,
            phase: LeasePhase::Starting,
            sent_at: Instant::ZERO,
            valid_until: None,
            next: None,
            call: None,
            due: None,
            news: None,
            end: None,
            is_known: false,
            told: false,
            #[cfg(feature = "planted")]
            asked_ttl: 0,
        }
    }

    #[cfg(feature = "planted")]
    pub(super) const fn plant_ttl(&mut self, asked: i64) {
        self.asked_ttl = asked;
    }

    #[cfg(feature = "planted")]
    pub(super) const fn plant_late(&mut self) {
        self.next = self.valid_until;
    }

    #[cfg(feature = "planted")]
    pub(super) const fn asked_ttl(&self) -> i64 {
        self.asked_ttl
    }

    pub(super) const fn lease(&self) -> i64 {
        self.lease
    }

    /// Its time to live in seconds, 0 while unknown.
    pub(super) const fn ttl(&self) -> i64 {
        self.ttl
    }

    pub(super) const fn phase(&self) -> LeasePhase {
        self.phase
    }

    pub(super) const fn valid_until(&self) -> Option<Instant> {
        self.valid_until
    }

    /// Its end, if that was not taken yet.
    pub(super) const fn ended(&self) -> Option<&LeaseEnd> {
        self.end.as_ref()
    }

    /// The id it is going to have is known.
    pub(super) const fn set_lease(&mut self, lease: i64) {
        self.lease = lease;
    }

    /// It was granted; the server says with which id, where that was left to it.
    pub(super) const fn handle_granted(&mut self, lease: i64) {
        if self.lease == 0 {
            self.lease = lease;
        }
    }

    /// Whether it is renewed now and then.
    const fn is_kept(&self) -> bool {
        matches!(
            self.phase,
            LeasePhase::Active | LeasePhase::AtRisk | LeasePhase::Expired
        )
    }

    /// A request that was sent then, or later, was confirmed with a time to live in seconds.
    pub(super) fn handle_confirmed(&mut self, now: Instant, sent_at: Instant, ttl: i64) {
        self.call = None;
        let time = seconds(ttl);
        let until = sent_at + (time - time / 1000);
        // It never falls, also if a lease of another length came to have the same id (G25).
        let until = self.valid_until.map_or(until, |before| before.max(until));
        self.ttl = ttl;
        self.sent_at = self.sent_at.max(sent_at);
        self.valid_until = Some(until);
        self.next = Some(self.sent_at + self.rng.jitter(time / 3).max(LEAST));
        self.phase = LeasePhase::Active;
        self.tell(LeaseEvent::Active {
            ttl,
            valid_until: until,
        });
        self.handle_time(now);
    }

    /// A renewal came to nothing; the next one is not sent before the server could have answered.
    pub(super) fn handle_failed(&mut self, now: Instant) {
        self.next = Some(now + self.patience());
    }

    /// Tells what `now` makes of it. Whether a renewal is due.
    pub(super) fn handle_time(&mut self, now: Instant) -> bool {
        if !self.is_kept() {
            return false;
        }
        let phase = self.phase_at(now);
        if let (true, Some(valid_until)) = (phase != self.phase, self.valid_until) {
            self.phase = phase;
            self.tell(match phase {
                LeasePhase::AtRisk => LeaseEvent::AtRisk { valid_until },
                _ => LeaseEvent::Expired { valid_until },
            });
        }
        self.call.is_none() && self.next.is_some_and(|next| next <= now)
    }

    /// The phase time has brought it to.
    fn phase_at(&self, now: Instant) -> LeasePhase {
        match self.phase {
            LeasePhase::Active | LeasePhase::AtRisk | LeasePhase::Expired
                if self.valid_until.is_some_and(|until| until <= now) =>
            {
                LeasePhase::Expired
            }
            LeasePhase::Active if self.risky_at() <= now => LeasePhase::AtRisk,
            phase => phase,
        }
    }

    /// When two thirds of its time are over.
    fn risky_at(&self) -> Instant {
        self.sent_at + seconds(self.ttl) / 3 * 2
    }

    /// When it has to be looked at next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let change = match self.phase {
            LeasePhase::Active => self.valid_until.map(|until| until.min(self.risky_at())),
            LeasePhase::AtRisk => self.valid_until,
            LeasePhase::Expired => None,
            LeasePhase::Starting | LeasePhase::Revoking | LeasePhase::Ended => return None,
        };
        let next = self.next.filter(|_| self.call.is_none());
        match (change, next) {
            (Some(change), Some(next)) => Some(change.min(next)),
            (change, next) => change.or(next),
        }
    }

    /// A renewal is under way.
    pub(super) const fn handle_sent(&mut self, call: CallId) {
        self.call = Some(call);
        self.next = None;
    }

    /// How long a server may be silent before the renewal is sent elsewhere (rule L-5): a sixth of the
    /// lease's time, but at least as long as renewals are apart.
    pub(super) fn patience(&self) -> Duration {
        match self.ttl {
            ..=0 => MOST_PATIENCE,
            ttl => (seconds(ttl) / 6).clamp(LEAST, MOST_PATIENCE),
        }
    }

    /// It is being revoked: nothing is certain of it any more.
    pub(super) fn handle_revoking(&mut self, call: CallId) {
        self.phase = LeasePhase::Revoking;
        self.call = Some(call);
        self.valid_until = None;
        self.news = None;
    }

    /// Ends it; what was not told before is not told any more. But where it was confirmed, and its user does
    /// not know, that comes before a failure: of a renewal, which says nothing of the grant.
    pub(super) fn end(&mut self, end: LeaseEnd) {
        if matches!(end, LeaseEnd::Lost | LeaseEnd::Revoked) {
            self.valid_until = None;
        }
        self.phase = LeasePhase::Ended;
        self.call = None;
        self.next = None;
        if self.is_known || !matches!(end, LeaseEnd::Failed(_)) {
            self.news = None;
        }
        self.end = Some(end);
    }

    fn tell(&mut self, news: LeaseEvent) {
        self.news = Some(news);
    }

    /// Whether the user has to be told that there is something.
    pub(super) const fn poll_tell(&mut self) -> bool {
        let tell = !self.told && (self.news.is_some() || self.end.is_some());
        self.told |= tell;
        tell
    }

    pub(super) fn poll(&mut self) -> Option<LeaseEvent> {
        let end = || self.end.take().map(LeaseEvent::End);
        let news = self.news.take().or_else(end);
        self.is_known |= news.is_some();
        self.told &= news.is_some();
        news
    }

    /// How it stands at that moment.
    pub(super) fn state(&self, now: Instant) -> LeaseState {
        LeaseState {
            lease: self.lease,
            ttl: self.ttl,
            phase: self.phase_at(now),
            valid_until: self.valid_until,
        }
    }
}

/// A server's seconds; none below nothing.
pub(super) fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Applied, Cause, Error};

    /// Its renewal fails before the user looks: that it was granted must not be taken back (guarantee G3).
    #[test]
    fn g3_that_a_lease_was_granted_is_told_before_it_fails() {
        let failed = LeaseEnd::Failed(Error::Unavailable {
            cause: Cause::Shutdown,
            applied: Applied::No,
        });
        let now = Instant::ZERO + Duration::from_secs(4);
        let mut keeper = Keeper::new(7, Rng::new(1));
        keeper.handle_confirmed(now, Instant::ZERO, 10);
        keeper.end(failed.clone());
        assert!(keeper.poll_tell());
        assert!(matches!(
            keeper.poll(),
            Some(LeaseEvent::Active { ttl: 10, .. })
        ));
        assert_eq!(keeper.poll(), Some(LeaseEvent::End(failed.clone())));
        assert_eq!(keeper.poll(), None);

        // Who knows of it is told the newest only.
        let mut keeper = Keeper::new(7, Rng::new(1));
        keeper.handle_confirmed(now, Instant::ZERO, 10);
        assert!(keeper.poll().is_some());
        keeper.handle_confirmed(now, now, 10);
        keeper.end(failed.clone());
        assert_eq!(keeper.poll(), Some(LeaseEvent::End(failed)));
    }
}
