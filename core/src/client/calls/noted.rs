//! What is told of calls: attempts, how they end, and waits. Nothing here changes what becomes of one.

use super::table::Calls;
use super::table::Owner;
use super::table::Pending;
use super::table::State;
use crate::client::Client;
use crate::client::endpoint::Endpoints;
use crate::client::notice;
use crate::client::notice::Choice;
use crate::client::notice::Reason;
use crate::client::notice::WaitsFor;
use crate::client::notice::What;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::id::CallId;
use crate::id::ConnId;
use crate::time::Instant;

impl Pending {
    /// The attempt that begins now.
    pub(super) fn told(
        &self,
        call: CallId,
        id: ConnId,
        conn: &Conn,
        endpoints: &Endpoints,
    ) -> What {
        let choice = match self.lane {
            Lane::Pinned(_) | Lane::PinnedWaits(_) => Choice::Named,
            Lane::Renewals => Choice::Renewals,
            _ => self.choice,
        };
        What::AttemptBegun {
            call,
            rpc: self.request.rpc,
            owner: self.owner.told(),
            attempt: self.attempts,
            conn: id,
            endpoint: endpoints.get(conn.endpoint).clone(),
            choice,
            again: self.failed.clone(),
        }
    }
}

impl Pending {
    /// What ended the last attempt, if that is why there is another.
    pub(super) fn why_again(&self) -> Reason {
        match (&self.last_refusal, &self.last_cause) {
            (Some(status), _) => Reason::of_status(status),
            (None, Some(cause)) => Reason::of_cause(cause),
            (None, None) => Reason::Dropped,
        }
    }
}

impl Owner {
    const fn told(self) -> notice::Owner {
        match self {
            Self::User => notice::Owner::User,
            Self::VersionOf(_) | Self::Prefix(_) => notice::Owner::Version,
            Self::Login(_) => notice::Owner::Login,
            Self::Probe(_) | Self::Leader => notice::Owner::Probe,
            Self::Sync => notice::Owner::Members,
            Self::Lease(kept) => notice::Owner::Lease(kept),
            Self::Resync(watch) => notice::Owner::Watch(watch),
        }
    }
}

impl Calls {
    /// A call is about to go somewhere, for this reason.
    pub(in crate::client) fn set_choice(&mut self, id: CallId, choice: Choice) {
        if let Some(call) = self.table.get_mut(&id) {
            call.choice = choice;
        }
    }

    /// The lane in which a call waits to be sent, if it does.
    pub(in crate::client) fn waits_in(&self, id: CallId) -> Option<Lane> {
        let call = self.table.get(&id)?;
        (call.state == State::Waiting).then_some(call.lane)
    }

    /// The first of a line.
    pub(super) fn first_waiting(&self, lane: Lane) -> Option<CallId> {
        self.queues.get(&lane)?.front().copied()
    }

    /// How many there are that users made.
    pub(in crate::client) fn of_users(&self) -> usize {
        self.table.len() - self.kept
    }

    /// How many of all of them are not sent, for whatever reason.
    pub(in crate::client) fn unsent(&self) -> usize {
        let calls = self.table.values();
        let unsent = |call: &&Pending| matches!(call.state, State::Waiting | State::Resting(_));
        calls.filter(unsent).count()
    }
}

impl Client {
    /// An attempt of a call came to nothing. The next one comes then, at the earliest, or not at all.
    pub(super) fn attempt_failed(
        &mut self,
        id: CallId,
        next: Option<Instant>,
        why: impl FnOnce(&Pending) -> Reason,
    ) {
        self.stats.attempts_failed += 1;
        if !self.notices.is_on() {
            return;
        }
        let Some(call) = self.calls.table.get_mut(&id) else {
            return;
        };
        let why = why(call);
        call.failed = Some(why.clone());
        let (attempt, asked) = (call.attempts, call.asked);
        let Some(at) = asked.filter(|at| self.endpoints.has(*at)) else {
            return;
        };
        let endpoint = self.endpoints.get(at).clone();
        self.notices.note(|| What::AttemptFailed {
            call: id,
            attempt,
            endpoint,
            why,
            next,
        });
    }

    /// A call waits after a failure: for that long, or for the budget.
    pub(super) fn note_backoff(&mut self, call: CallId, until: Instant, is_held: bool) {
        self.stats.backoffs += 1;
        let waits_for = match is_held {
            true => WaitsFor::Budget { until },
            false => WaitsFor::Backoff { until },
        };
        self.notices.note(|| What::CallWaits { call, waits_for });
    }

    /// A call was answered, for good.
    pub(super) fn note_answer(&mut self, now: Instant, id: CallId) {
        if !self.notices.is_on() {
            return;
        }
        if let Some(call) = self.calls.table.get(&id) {
            if let Some(at) = call.asked.filter(|at| self.endpoints.has(*at)) {
                let endpoint = self.endpoints.get(at).clone();
                self.notices.note(|| What::AttemptAnswered {
                    call: id,
                    attempt: call.attempts,
                    endpoint,
                    took: now - call.sent_at,
                });
            }
        }
    }
}
