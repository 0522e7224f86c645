//! Calls without an answer: their connection was lost, or their time is up.
//!
//! What they may have done is said by how much of them was sent; whether that allows another attempt, by
//! `retry`.

use super::table::Owner;
use super::table::Pending;
use super::table::State;
use crate::buf::Sent;
use crate::client::Client;
use crate::client::notice::Reason;
use crate::client::streams::is_lasting;
use crate::client::timer::Timer;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Phase;
use crate::id::CallId;
use crate::time::Instant;
use crate::wire::Purpose;
use crate::wire::StreamId;

impl Client {
    /// A connection is gone; `conn` was taken out of the table.
    pub(in crate::client) fn calls_lost(
        &mut self,
        now: Instant,
        conn: &Conn,
        reason: &CloseReason,
    ) {
        self.probe_failed(conn, reason);
        let streams = conn.wire.streams_sent();
        // Renewals are answered in their order, so the first is the one that was refused.
        let refused = match reason {
            CloseReason::Status(status) if conn.lane == Lane::Renewals && is_lasting(status) => {
                streams.first().map(|(stream, _)| *stream)
            }
            _ => None,
        };
        let is_shared = conn.wire.outstanding() > 1 && conn.lane.purpose() == Purpose::Calls;
        let next = conn.wire.first_call();
        // The last started first, so that at the queue's front their order is as it was.
        for (stream, taken) in streams.into_iter().rev() {
            let id = CallId::new(stream.0);
            if let CloseReason::Status(status) = reason {
                let why = |_: &Pending| Reason::of_status(status);
                if self.call_refused(now, id, conn.endpoint, conn.token, status) {
                    self.attempt_failed(id, Some(now), why);
                    self.call_again(now, id);
                    continue;
                }
                if status.needs_new_token() {
                    self.attempt_failed(id, None, why);
                    let error = self.auth.error(status.clone(), Applied::No);
                    self.fail_call(id, error);
                    continue;
                }
                if refused == Some(stream) {
                    self.attempt_failed(id, None, why);
                    let error = self.auth.error(status.clone(), status.applied());
                    self.fail_call(id, error);
                    continue;
                }
            }
            let Some(call) = self.calls.table.get_mut(&id) else {
                continue;
            };
            if let Some(until) = call.patient_until.take() {
                self.timers.disarm(until, Timer::Patience(id));
            }
            // Whose answer was next may be why it was lost.
            let is_others_fault = is_shared && next != Some(stream);
            call.is_apart |= is_shared && !is_others_fault && is_about_answer(reason);
            let is_about_another = is_others_fault
                && matches!(
                    reason,
                    CloseReason::Limit(_) | CloseReason::Json(_) | CloseReason::Protocol(_)
                );
            if is_about_another || matches!(reason, CloseReason::Removed | CloseReason::NotReusable)
            {
                // It was the user who ended this attempt, a server that answers one call a connection, or what
                // was answered to another call, which is not made again or goes alone.
                call.attempts = call.attempts.saturating_sub(1);
            }
            let sent = match call.state {
                State::Asking(_) => {
                    // It costs an attempt, or a server that breaks off would be asked without end.
                    call.attempts += 1;
                    Sent::Nothing
                }
                // What was sent was not read.
                _ if reason.is_before_any_request() => Sent::Nothing,
                _ => taken,
            };
            if call.class.applied_without_answer(sent) == Applied::Maybe {
                call.doubt();
            }
            #[cfg(feature = "planted")]
            if self.plant_lost_call(id, sent) {
                continue;
            }
            #[cfg(feature = "planted")]
            let sent = self.plant_sent(sent);
            #[cfg(feature = "planted")]
            let Some(call) = self.calls.table.get_mut(&id) else {
                continue;
            };
            let applied = if call.is_in_doubt() {
                Applied::Maybe
            } else {
                Applied::No
            };
            let why = |_: &Pending| Reason::of_close(reason, conn.is_open());
            if let (CloseReason::Limit(limit), false) = (reason, is_others_fault) {
                self.attempt_failed(id, None, why);
                let limit = *limit;
                self.finish_call(id, Err(Error::Limit { limit, applied }));
                continue;
            }
            let cause = match reason {
                CloseReason::Net(error) if !conn.is_open() || reason.is_before_any_request() => {
                    Cause::ConnectFailed(error.clone())
                }
                reason => Cause::ConnectionLost(reason.clone()),
            };
            let is_kept = matches!(call.owner, Owner::Lease(_));
            let may_go_on = is_kept || call.attempts < self.config.max_attempts;
            #[cfg(feature = "planted")]
            let may_go_on = may_go_on
                && !(is_kept && self.config.planted == Some(crate::planted::Planted::LeaseGivenUp));
            if call.class.may_repeat(sent) && may_go_on && !call.owner.is_question() {
                call.last_cause = Some(cause);
                call.last_refusal = None;
                self.again_after_loss(now, id, why);
            } else {
                self.attempt_failed(id, None, why);
                self.finish_call(id, Err(Error::Unavailable { cause, applied }));
            }
        }
    }

    /// Ends what waits to see whether an endpoint serves, as it does not, and who leads.
    fn probe_failed(&mut self, conn: &Conn, reason: &CloseReason) {
        let is_question = |id: &&CallId| {
            let call = self.calls.table.get(id);
            call.is_some_and(|call| call.owner.is_question())
        };
        let queue = self.calls.queues.get(&conn.lane);
        let all = queue.into_iter().flatten().filter(is_question).copied();
        for id in all.collect::<Vec<_>>() {
            let (cause, applied) = (Cause::ConnectionLost(reason.clone()), Applied::No);
            self.finish_call(id, Err(Error::Unavailable { cause, applied }));
        }
    }

    /// A call was sent long ago, or its connection does not open. As long as the server answers others
    /// there it is not given up, since answers come in their order (rule L-5, guarantee G43).
    pub(in crate::client) fn server_is_silent(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.table.get_mut(&id) else {
            return;
        };
        call.patient_until = None;
        let (State::Sent(conn_id), Some(patience)) = (call.state, call.patience) else {
            return;
        };
        let conn = self.conns.get(&conn_id);
        let heard = conn
            .filter(|conn| conn.is_open())
            .map(|conn| conn.last_alive);
        let until = heard.map_or(call.sent_at, |heard| heard.max(call.sent_at)) + patience;
        if until > now {
            call.patient_until = Some(until);
            return self.timers.arm(until, Timer::Patience(id));
        }
        // A lease's patience is shorter than what makes an endpoint suspect.
        let reason = match call.owner {
            Owner::Lease(_) => CloseReason::Deadline,
            _ => CloseReason::Silent,
        };
        self.conn_lost(now, conn_id, reason);
    }

    pub(in crate::client) fn call_timed_out(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.table.get(&id) else {
            return;
        };
        let applied = self.applied(id, call);
        let state = call.state;
        // A renewal is put on its connection while that still opens.
        let open = match state {
            State::Waiting | State::Resting(_) => None,
            State::Asking(conn) | State::Sent(conn) => {
                self.conns.get(&conn).filter(|conn| conn.is_open())
            }
        };
        let refusal = call.last_refusal.clone();
        let error = match (open, refusal.clone()) {
            (None, Some(status)) => self.auth.error(status, applied),
            (None, None) => {
                // What waits for a token waits for the login, which is among the calls.
                let parked = self.auth.parked.contains(&id);
                let lane = if parked { Lane::Calls } else { call.lane };
                let refused = self.why_not_open(lane);
                let has_conn = self
                    .conns
                    .values()
                    .any(|conn| conn.lane == call.lane && conn.is_open());
                match call
                    .last_cause
                    .clone()
                    .or_else(|| refused.map(Cause::ConnectFailed))
                {
                    Some(cause) => Error::Unavailable { cause, applied },
                    None if parked => Error::Timeout {
                        phase: Phase::Token,
                        applied,
                    },
                    None if state == State::Waiting && !has_conn && self.is_crowded() => {
                        self.no_room(applied)
                    }
                    None if has_conn => Error::Timeout {
                        phase: Phase::Queue,
                        applied,
                    },
                    None => Error::Timeout {
                        phase: Phase::Connect,
                        applied,
                    },
                }
            }
            (Some(conn), _) => {
                let phase = match conn.wire.sent_if_canceled(StreamId(id.get())) {
                    Sent::All => Phase::Answer,
                    Sent::Nothing | Sent::Part => Phase::Send,
                };
                Error::Timeout { phase, applied }
            }
        };
        if matches!(state, State::Sent(_)) {
            self.attempt_failed(id, None, |_| Reason::of_error(&error));
        }
        // The last that was heard says more than that the next answer is awaited.
        let error = match refusal {
            Some(status) if applied == Applied::No => self.auth.error(status, applied),
            _ => error,
        };
        self.finish_call(id, Err(error));
        if let State::Asking(conn) | State::Sent(conn) = state {
            self.leave_conn(now, id, conn, CloseReason::Deadline);
        }
    }
}

/// Whether a connection was lost over the answer that came, or did not, and not by our will or the server's.
const fn is_about_answer(reason: &CloseReason) -> bool {
    !matches!(
        reason,
        CloseReason::Idle
            | CloseReason::Removed
            | CloseReason::Canceled
            | CloseReason::NotReusable
            | CloseReason::Shutdown
    )
}
