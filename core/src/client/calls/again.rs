//! When a call is made again, of which it was decided that it may be: at once, after a wait, or once the
//! client's budget has an attempt for it (rules, guarantee G44).

use core::time::Duration;

use super::table::Owner;
use super::table::Pending;
use super::table::State;
use crate::api::Rpc;
use crate::client::Client;
use crate::client::notice::Reason;
use crate::client::retry;
use crate::client::retry::Class;
use crate::client::timer::Timer;
use crate::id::CallId;
use crate::time::Instant;

impl Client {
    /// Makes a call again that was refused: at once where another endpoint is left to be asked, and else
    /// after a wait. False if its deadline comes before that.
    pub(super) fn make_again(
        &mut self,
        now: Instant,
        id: CallId,
        elsewhere: bool,
        cap: Duration,
    ) -> bool {
        let Some(call) = self.calls.table.get(&id) else {
            return false;
        };
        let endpoints = match elsewhere {
            true => self.endpoints_to_ask(),
            false => 1,
        };
        let wait = match call.attempts % endpoints {
            0 => self
                .rng
                .spread(retry::wait_after_round(call.attempts / endpoints, cap)),
            _ => Duration::ZERO,
        };
        let comes_too_late = |deadline| deadline <= now + wait;
        if call.deadline.is_some_and(comes_too_late) {
            return false;
        }
        self.again_after(now, id, wait, endpoints, Pending::why_again);
        true
    }

    /// Makes a call again whose connection was lost. How long connections wait is up to their gate.
    pub(super) fn again_after_loss(
        &mut self,
        now: Instant,
        id: CallId,
        why: impl FnOnce(&Pending) -> Reason,
    ) {
        let endpoints = match self.calls.table.get(&id) {
            Some(call) if call.lane.endpoint().is_none() => self.endpoints_to_ask(),
            _ => 1,
        };
        self.again_after(now, id, Duration::ZERO, endpoints, why);
    }

    fn endpoints_to_ask(&self) -> u32 {
        u32::try_from(self.endpoints.configured().max(1)).unwrap_or(u32::MAX)
    }

    /// Makes a call again after a wait. Once each of so many endpoints was asked every attempt has its price;
    /// who cannot have one before its deadline waits for the end of the trouble.
    fn again_after(
        &mut self,
        now: Instant,
        id: CallId,
        wait: Duration,
        endpoints: u32,
        why: impl FnOnce(&Pending) -> Reason,
    ) {
        let Some(call) = self.calls.table.get_mut(&id) else {
            return;
        };
        let (mut wait, mut is_held) = (wait, false);
        if call.owner == Owner::User && call.attempts >= endpoints {
            let within = call.deadline.map(|deadline| deadline - now);
            let taken = self.budget.take(now, within);
            is_held = taken != Some(Duration::ZERO);
            wait = wait.max(taken.or(within).unwrap_or(Duration::MAX));
            if is_held {
                self.calls.held.insert(id);
            }
        }
        if wait == Duration::ZERO {
            self.attempt_failed(id, Some(now), why);
            return self.call_again(now, id);
        }
        let until = now + wait;
        call.state = State::Resting(until);
        self.timers.arm(until, Timer::Again(id));
        self.attempt_failed(id, Some(until), why);
        self.note_backoff(id, until, is_held);
    }

    /// A call was answered. Where that shows that the cluster serves again, who waits for the budget goes on.
    pub(super) fn call_succeeded(&mut self, now: Instant, id: CallId) {
        if self.calls.held.is_empty() {
            return;
        }
        let endpoints = self.endpoints_to_ask();
        let call = self.calls.table.get(&id);
        if !call.is_some_and(|call| call.attempts > endpoints || shows_quorum(call)) {
            return;
        }
        self.budget.handle_success();
        // The first is to be the first in its line.
        for held in core::mem::take(&mut self.calls.held).into_iter().rev() {
            let state = self.calls.table.get(&held).map(|call| call.state);
            if let Some(State::Resting(until)) = state {
                self.timers.disarm(until, Timer::Again(held));
                self.call_again(now, held);
            }
        }
    }

    /// Puts a call that was sent back at the front of its line.
    pub(in crate::client) fn call_again(&mut self, now: Instant, id: CallId) {
        self.calls.held.remove(&id);
        self.calls.put_first(id);
        self.notices.came(id);
        if let Some(call) = self.calls.table.get_mut(&id) {
            if let (None, Some(within)) = (call.deadline, call.sent_within) {
                call.deadline = Some(now + within);
                self.timers.arm(now + within, Timer::Call(id));
            }
        }
    }
}

/// Whether only a cluster with a leader answers it.
fn shows_quorum(call: &Pending) -> bool {
    let rpc = call.request.rpc;
    let is_write = call.class != Class::Read && rpc != Rpc::Defragment;
    is_write || call.request.is_linearizable_read()
}
