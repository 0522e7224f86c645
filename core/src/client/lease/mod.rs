//! Leases that are kept alive: granted or taken over, renewed, let go or revoked.
//!
//! `keeper` is one of them: until when it certainly lasts and when it is renewed next. Grants, renewals
//! and revokes are calls of the client's own (`calls`); renewals share one connection (rule L-10), on which
//! they are not given up before the server is silent (rule L-5).
//!
//! Each lease has one moment at which it is to be looked at, in one ordered table; one timer stands for the
//! soonest of them, so a thousand leases cost an input no more than one. Before an input that comes late is
//! looked at, the leases are told the time, so that no renewal is sent for a lease whose user was not told
//! that it expired meanwhile (rule L-12, guarantee G30).

mod event;
mod keeper;
mod noted;
#[cfg(feature = "planted")]
mod planted;

use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

pub use self::event::KeepAlive;
pub use self::event::LeaseEnd;
pub use self::event::LeaseEvent;
pub use self::event::LeasePhase;
pub use self::event::LeaseState;

use self::keeper::Keeper;
use self::keeper::seconds;
use super::Client;
use super::options::CallOptions;
use super::output::Event;
use super::output::Output;
use super::streams::is_lasting;
use super::timer::Timer;
use crate::api::LeaseGrant;
use crate::api::LeaseRevoke;
use crate::api::Response;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::Error;
use crate::error::Known;
use crate::error::Limit;
use crate::id::CallId;
use crate::id::KeepAliveId;
#[cfg(feature = "planted")]
use crate::planted::Planted;
use crate::rng::Rng;
use crate::time::Instant;

/// Every lease that is kept alive.
#[derive(Debug, Default)]
pub(super) struct Leases {
    table: BTreeMap<KeepAliveId, Keeper>,
    /// When each is to be looked at.
    due: BTreeSet<(Instant, KeepAliveId)>,
    /// For when the timer is set.
    armed: Option<Instant>,
    /// What their calls came to, until that is dealt with.
    answers: VecDeque<Answer>,
    /// The times to live of those that are renewed, in seconds, and how many have each.
    ttls: BTreeMap<i64, usize>,
}

/// What the call of a lease came to.
#[derive(Debug)]
struct Answer {
    kept: KeepAliveId,
    call: CallId,
    /// No earlier than this the request was sent that was answered.
    sent_at: Instant,
    result: Result<Response, Error>,
}

impl Leases {
    /// A call of a lease has ended.
    pub(super) fn handle_answer(
        &mut self,
        kept: KeepAliveId,
        call: CallId,
        sent_at: Instant,
        result: Result<Response, Error>,
    ) {
        self.answers.push_back(Answer {
            kept,
            call,
            sent_at,
            result,
        });
    }

    /// The longest wait between connections for renewals: with its spread a tenth of the shortest time to
    /// live (guarantee G23).
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        let (ttl, _) = self.ttls.first_key_value()?;
        Some(seconds(*ttl) / 11)
    }

    /// Puts a lease where its moment belongs.
    fn place(&mut self, id: KeepAliveId) {
        let Some(keeper) = self.table.get_mut(&id) else {
            return;
        };
        let due = keeper.next_due();
        if keeper.due == due {
            return;
        }
        if let Some(before) = core::mem::replace(&mut keeper.due, due) {
            self.due.remove(&(before, id));
        }
        if let Some(due) = due {
            self.due.insert((due, id));
        }
    }

    fn count_ttl(&mut self, before: i64, after: i64) {
        if before == after {
            return;
        }
        if let Some(count) = self.ttls.get_mut(&before) {
            *count -= 1;
            if *count == 0 {
                self.ttls.remove(&before);
            }
        }
        if after > 0 {
            *self.ttls.entry(after).or_default() += 1;
        }
    }
}

impl Client {
    /// Grants a lease and keeps it alive from the moment the grant was sent, without a gap (rules L-3
    /// and L-7), until it is released, revoked or lost. [`Event::Lease`](crate::Event::Lease) says when
    /// [`Client::poll_lease`] has something: `Active` once it is granted, or its end.
    ///
    /// The client chooses the lease's id where the grant names none, so [`Client::lease_state`] has it from
    /// the beginning, and a grant whose answer was lost is repeated (guarantee G29).
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, LeaseGrant};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let kept = client.lease(Instant::ZERO, LeaseGrant::new(10));
    /// assert!(client.lease_state(Instant::ZERO, kept).is_some_and(|state| state.lease > 0));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn lease(&mut self, now: Instant, grant: LeaseGrant) -> KeepAliveId {
        self.notices.handle_time(now);
        let asked = grant.id;
        #[cfg(feature = "planted")]
        let ttl = grant.ttl;
        let id = self.add_keeper(asked);
        if self.end_keeper_at_start(id) {
            return id;
        }
        match self.new_call(now, grant, &CallOptions::default()) {
            Ok(pending) => {
                let lease = pending.drawn().unwrap_or(asked);
                let call = self.call_for_lease(id, pending);
                self.with_keeper(id, |keeper| {
                    keeper.set_lease(lease);
                    keeper.handle_sent(call);
                    #[cfg(feature = "planted")]
                    keeper.plant_ttl(ttl);
                });
            }
            Err(error) => self.end_keeper(id, LeaseEnd::Failed(error)),
        }
        self.settle(now);
        id
    }

    /// Keeps a lease alive that exists already, until it is released, revoked or lost. As with
    /// [`Client::lease`], [`Client::poll_lease`] has `Active` for each renewal that was confirmed.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, KeepAlive, Output};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.keep_alive(Instant::ZERO, KeepAlive::new(7));
    /// let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// client.handle_connected(Instant::ZERO, conn);
    /// assert!(client.transmit(conn).starts_with(b"POST /v3/lease/keepalive HTTP/1.1\r\n"));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is given away with the command, as with calls"
    )]
    pub fn keep_alive(&mut self, now: Instant, lease: KeepAlive) -> KeepAliveId {
        self.notices.handle_time(now);
        let id = self.add_keeper(lease.lease);
        if self.end_keeper_at_start(id) {
            return id;
        }
        match lease.granted {
            Some((ttl, sent_at)) => self.confirm_lease(now, id, sent_at.min(now), ttl),
            None => self.renew(id, Some(now + self.config.write_timeout)),
        }
        self.settle(now);
        id
    }

    /// Stops keeping a lease alive, and leaves it to its time: its end is
    /// [`LeaseEnd::Released`]. What was not taken before is not told any more. One that has ended, or is
    /// being revoked, is left as it is.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, KeepAlive, LeaseEnd, LeaseEvent};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, KeepAlive::new(7));
    /// client.release_lease(Instant::ZERO, kept);
    /// assert_eq!(client.poll_lease(kept), Some(LeaseEvent::End(LeaseEnd::Released)));
    /// assert_eq!(client.poll_lease(kept), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn release_lease(&mut self, now: Instant, lease: KeepAliveId) {
        self.notices.handle_time(now);
        let Some(keeper) = self.leases.table.get(&lease) else {
            return;
        };
        if matches!(keeper.phase(), LeasePhase::Revoking | LeasePhase::Ended) {
            return;
        }
        self.drop_lease_call(now, lease);
        self.end_keeper(lease, LeaseEnd::Released);
        self.settle(now);
    }

    /// Stops keeping a lease alive, and revokes it with all its keys. Its end is `Revoked`, `Lost` where
    /// the server had no such lease any more, or `Failed` with what the revoke came to.
    ///
    /// A grant that is under way is canceled first; where the server carries it out behind the revoke, the
    /// lease is left to its time.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, KeepAlive, LeasePhase};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let lease = KeepAlive::new(7).with_ttl(10, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, lease);
    /// client.revoke_lease(Instant::ZERO, kept);
    /// let state = client.lease_state(Instant::ZERO, kept).expect("it has not ended");
    /// assert_eq!((state.phase, state.valid_until), (LeasePhase::Revoking, None));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn revoke_lease(&mut self, now: Instant, lease: KeepAliveId) {
        self.notices.handle_time(now);
        let Some(keeper) = self.leases.table.get(&lease) else {
            return;
        };
        if matches!(keeper.phase(), LeasePhase::Revoking | LeasePhase::Ended) {
            return;
        }
        let name = keeper.lease();
        self.drop_lease_call(now, lease);
        if name == 0 {
            // Nobody knows what there would be to revoke.
            self.end_keeper(lease, LeaseEnd::Released);
            return self.settle(now);
        }
        #[cfg(feature = "planted")]
        if self.config.planted == Some(Planted::RevokeUnsent) {
            return self.end_keeper(lease, LeaseEnd::Revoked);
        }
        match self.new_call(now, LeaseRevoke::new(name), &CallOptions::default()) {
            Ok(pending) => {
                let call = self.call_for_lease(lease, pending);
                self.with_keeper(lease, |keeper| keeper.handle_revoking(call));
            }
            Err(error) => self.end_keeper(lease, LeaseEnd::Failed(error)),
        }
        self.settle(now);
    }

    /// The newest thing to tell of a lease. After the `End` it is forgotten. Where it failed before anything was
    /// taken of it, that it was confirmed comes first.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, KeepAlive, LeaseEvent};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let lease = KeepAlive::new(7).with_ttl(10, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, lease);
    /// let Some(LeaseEvent::Active { ttl, .. }) = client.poll_lease(kept) else { panic!() };
    /// assert_eq!(ttl, 10);
    /// assert_eq!(client.poll_lease(kept), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_lease(&mut self, lease: KeepAliveId) -> Option<LeaseEvent> {
        let event = self.leases.table.get_mut(&lease)?.poll();
        if matches!(event, Some(LeaseEvent::End(_))) {
            self.leases.table.remove(&lease);
        }
        event
    }

    /// How a lease stands at `now`, which need not have been told yet; none once its end was taken. It is
    /// a look that changes nothing.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use etcd_core::{Client, Config, Instant, KeepAlive, LeasePhase};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let lease = KeepAlive::new(7).with_ttl(10, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, lease);
    /// let later = Instant::ZERO + Duration::from_secs(10);
    /// let state = client.lease_state(later, kept).expect("it has not ended");
    /// assert_eq!(state.phase, LeasePhase::Expired);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn lease_state(&self, now: Instant, lease: KeepAliveId) -> Option<LeaseState> {
        Some(self.leases.table.get(&lease)?.state(now))
    }

    fn add_keeper(&mut self, lease: i64) -> KeepAliveId {
        let keeper = Keeper::new(lease, Rng::new(self.ids.next_u64()));
        let id = KeepAliveId::new(self.next_lease);
        self.next_lease += 1;
        self.leases.table.insert(id, keeper);
        id
    }

    /// Ends a new lease that cannot begin.
    fn end_keeper_at_start(&mut self, id: KeepAliveId) -> bool {
        let most = self.config.limits.leases;
        if self.is_shut_down {
            self.end_keeper(id, LeaseEnd::Shutdown);
        } else if self.leases.table.len() > most {
            let (limit, applied) = (Limit::Leases(most), Applied::No);
            self.end_keeper(id, LeaseEnd::Failed(Error::Limit { limit, applied }));
        } else {
            return false;
        }
        true
    }

    /// Changes a lease, and tells its user what came of that.
    fn with_keeper<R>(&mut self, id: KeepAliveId, act: impl FnOnce(&mut Keeper) -> R) -> Option<R> {
        let keeper = self.leases.table.get_mut(&id)?;
        let is_counted = |keeper: &Keeper| match keeper.phase() {
            LeasePhase::Active | LeasePhase::AtRisk | LeasePhase::Expired => keeper.ttl(),
            LeasePhase::Starting | LeasePhase::Revoking | LeasePhase::Ended => 0,
        };
        let before = is_counted(keeper);
        let was = (keeper.phase(), keeper.valid_until());
        let result = act(keeper);
        let after = is_counted(keeper);
        if keeper.poll_tell() {
            self.outputs.push_back(Output::Event(Event::Lease(id)));
        }
        self.note_lease(id, was);
        self.leases.count_ttl(before, after);
        self.leases.place(id);
        Some(result)
    }

    fn end_keeper(&mut self, id: KeepAliveId, end: LeaseEnd) {
        self.with_keeper(id, |keeper| keeper.end(end));
    }

    /// A request of a lease was confirmed that was sent then, or later.
    fn confirm_lease(&mut self, now: Instant, id: KeepAliveId, sent_at: Instant, ttl: i64) {
        self.with_keeper(id, |keeper| keeper.handle_confirmed(now, sent_at, ttl));
        #[cfg(feature = "planted")]
        if self.config.planted == Some(Planted::RenewedLate) {
            self.with_keeper(id, Keeper::plant_late);
        }
    }

    /// Puts a renewal in line.
    fn renew(&mut self, id: KeepAliveId, deadline: Option<Instant>) {
        let Some(keeper) = self.leases.table.get(&id) else {
            return;
        };
        let pending = Self::new_renewal(keeper.lease(), keeper.patience(), deadline);
        let call = self.call_for_lease(id, pending);
        self.with_keeper(id, |keeper| keeper.handle_sent(call));
    }

    /// Takes back the request of a lease that is under way.
    fn drop_lease_call(&mut self, now: Instant, id: KeepAliveId) {
        let Some(keeper) = self.leases.table.get_mut(&id) else {
            return;
        };
        if let Some(call) = keeper.call.take() {
            self.cancel_call(now, call);
        }
    }

    /// Tells the leases the time, and renews those that are due.
    pub(super) fn wake_leases(&mut self, now: Instant) {
        self.notices.handle_time(now);
        while let Some((due, id)) = self.leases.due.first().copied() {
            if due > now {
                break;
            }
            self.leases.due.pop_first();
            if let Some(keeper) = self.leases.table.get_mut(&id) {
                keeper.due = None;
            }
            #[cfg(feature = "planted")]
            if self.plant_expiry(now, id) {
                continue;
            }
            if self.with_keeper(id, |keeper| keeper.handle_time(now)) == Some(true) {
                self.renew(id, None);
            }
        }
    }

    /// Deals with what the calls of leases came to.
    pub(super) fn finish_lease_calls(&mut self, now: Instant) {
        while let Some(answer) = self.leases.answers.pop_front() {
            let Some(keeper) = self.leases.table.get_mut(&answer.kept) else {
                continue;
            };
            // One that was taken back.
            if keeper.call != Some(answer.call) {
                continue;
            }
            self.lease_answered(now, answer);
        }
    }

    fn lease_answered(&mut self, now: Instant, answer: Answer) {
        let (id, sent_at) = (answer.kept, answer.sent_at);
        #[cfg(feature = "planted")]
        let (sent_at, answer) = self.plant_lease_answer(now, sent_at, answer);
        match answer.result {
            Ok(Response::LeaseGrant(granted)) => {
                self.with_keeper(id, |keeper| keeper.handle_granted(granted.id));
                self.confirm_lease(now, id, sent_at, granted.ttl);
            }
            Ok(Response::LeaseKeepAlive(renewed)) => {
                self.confirm_lease(now, id, sent_at, renewed.ttl);
            }
            Ok(_) => self.end_keeper(id, LeaseEnd::Revoked),
            Err(error) => self.lease_failed(now, id, error),
        }
    }

    fn lease_failed(&mut self, now: Instant, id: KeepAliveId, error: Error) {
        let Some(keeper) = self.leases.table.get_mut(&id) else {
            return;
        };
        let is_kept = !matches!(keeper.phase(), LeasePhase::Starting | LeasePhase::Revoking);
        let lasts = matches!(error, Error::Auth { .. } | Error::Misuse(_))
            || error.status().is_some_and(is_lasting);
        #[cfg(feature = "planted")]
        let lasts = match self.config.planted {
            Some(Planted::LeaseGivenUp) => true,
            Some(Planted::LostGoesOn) => false,
            _ => lasts,
        };
        let is_gone = error.known() == Some(Known::LeaseNotFound);
        #[cfg(feature = "planted")]
        let is_gone = is_gone && self.config.planted != Some(Planted::LostGoesOn);
        if is_gone {
            // Of one that was never confirmed nobody knows that it was there.
            let is_lost = is_kept || keeper.ttl() > 0 || keeper.phase() == LeasePhase::Starting;
            let end = if is_lost {
                LeaseEnd::Lost
            } else {
                LeaseEnd::Revoked
            };
            self.end_keeper(id, end);
        } else if is_kept && !lasts {
            self.with_keeper(id, |keeper| {
                keeper.call = None;
                keeper.handle_failed(now);
            });
        } else {
            self.end_keeper(id, LeaseEnd::Failed(error));
        }
    }

    /// Sets the timer for the lease that is due first.
    pub(super) fn arm_leases(&mut self) {
        let first = self.leases.due.first().map(|(at, _)| *at);
        if self.leases.armed == first {
            return;
        }
        if let Some(before) = core::mem::replace(&mut self.leases.armed, first) {
            self.timers.disarm(before, Timer::Lease);
        }
        if let Some(at) = first {
            self.timers.arm(at, Timer::Lease);
        }
    }

    /// The timer went off; it is set anew once that is dealt with.
    pub(super) fn leases_are_due(&mut self) {
        self.leases.armed = None;
    }

    pub(super) fn shutdown_leases(&mut self) {
        let all: Vec<KeepAliveId> = self.leases.table.keys().copied().collect();
        for id in all {
            let keeper = self.leases.table.get(&id);
            match keeper.map(Keeper::phase) {
                None | Some(LeasePhase::Ended) => {}
                // What became of it cannot be told any more.
                Some(LeasePhase::Revoking) => {
                    let (cause, applied) = (Cause::Shutdown, Applied::Maybe);
                    let error = Error::Unavailable { cause, applied };
                    self.end_keeper(id, LeaseEnd::Failed(error));
                }
                Some(_) => self.end_keeper(id, LeaseEnd::Shutdown),
            }
        }
        self.leases.answers.clear();
        self.leases.due.clear();
        self.leases.armed = None;
    }
}
