//! On which connection a call goes, and when another one is opened.
//!
//! What its server has to be is asked here, on that connection. What is answered, and what becomes of a
//! call whose connection is lost, is not known here.

use super::table::State;
use crate::api::VersionRequest;
use crate::client::Client;
use crate::client::timer::Timer;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::conn::ServerVersion;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Feature;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;
use crate::wire::Ask;
use crate::wire::Purpose;
use crate::wire::StreamId;
use crate::wire::gateway::Encoded;

impl Client {
    /// Gives waiting calls to free connections, and opens further ones for the rest.
    pub(in crate::client) fn place_calls(&mut self, now: Instant) {
        self.place_lane(now, Lane::Calls, self.endpoints.current());
        let apart = |lane: &Lane| *lane != Lane::Calls && lane.purpose() == Purpose::Calls;
        let busy = self.calls.queues.iter();
        let busy = busy.filter(|(lane, queue)| apart(lane) && !queue.is_empty());
        let busy = busy.map(|(lane, _)| *lane);
        for lane in busy.collect::<Vec<_>>() {
            match lane {
                Lane::Pinned(at) | Lane::PinnedWaits(at) => self.place_lane(now, lane, at),
                _ => self.place_lane(now, lane, self.endpoints.current()),
            }
        }
        // What was opened for a call that was canceled meanwhile.
        while let Some(conn) = self.calls.idle_waits.pop() {
            self.conn_lost(now, conn, CloseReason::Idle);
        }
    }

    fn place_lane(&mut self, now: Instant, lane: Lane, at: EndpointIndex) {
        self.hold_calls(now, lane, at);
        while self.calls.waiting(lane) > 0 {
            let Some(conn) = self.take_idle(now, lane, at) else {
                break;
            };
            if let Some(call) = self.calls.pop_waiting(lane) {
                self.start_call(now, call, conn);
            }
        }
        let waiting = self.calls.waiting(lane);
        if waiting == 0 || !self.may_open(lane) {
            return;
        }
        let ours = |conn: &&Conn| conn.endpoint == at && shares(conn.lane, lane);
        let total = self.conns.values().filter(ours).count();
        let opening = self
            .conns
            .values()
            .filter(ours)
            .filter(|conn| !conn.is_open())
            .count();
        let most = match lane.is_waits() {
            true => self.config.limits.waits,
            false => self.config.max_connections.max(1),
        };
        let room = most.saturating_sub(total);
        for _ in 0..room.min(waiting.saturating_sub(opening)) {
            if !self.has_room(now) {
                break;
            }
            self.open_conn(now, lane, at);
        }
    }

    /// Takes the free connection to an endpoint that was used last. Ones that were not used for long
    /// are closed instead: they may be dead without our knowing (rule R-9).
    fn take_idle(&mut self, now: Instant, lane: Lane, at: EndpointIndex) -> Option<ConnId> {
        loop {
            let conns = &self.conns;
            let leads_there = |id: &ConnId| conns.get(id).is_some_and(|conn| conn.endpoint == at);
            let idle = self.calls.idle_of(lane);
            let position = idle.iter().rposition(leads_there)?;
            let id = idle.remove(position);
            let fresh = |conn: &Conn| now - conn.last_used <= self.config.idle_limit;
            if self.conns.get(&id).is_some_and(fresh) {
                return Some(id);
            }
            self.conn_lost(now, id, CloseReason::Idle);
        }
    }

    /// Sends a call on a connection, or first asks there what the server is.
    pub(super) fn start_call(&mut self, now: Instant, id: CallId, conn_id: ConnId) {
        self.give_token(conn_id);
        let Some(call) = self.calls.table.get_mut(&id) else {
            return;
        };
        let Some(conn) = self.conns.get_mut(&conn_id) else {
            return;
        };
        let needs = call.request.needs;
        if needs.is_some() && conn.server == ServerVersion::Unknown {
            call.state = State::Asking(conn_id);
            let version = Encoded::new(&VersionRequest::new());
            conn.wire.start(StreamId(id.get()), &Ask::Call(&version));
            self.stats.requests += 1;
            return self.tell_transmit(conn_id);
        }
        let too_old = |feature: &Feature| conn.server.too_old_for(feature).cloned();
        if let Some((feature, server_version)) = needs.and_then(|it| Some((it, too_old(&it)?))) {
            let error = Error::Unsupported {
                feature: feature.name,
                needs: feature.since,
                server_version,
            };
            // The connection is as it was: another call may have it.
            conn.last_used = now;
            call.state = State::Sent(conn_id);
            let lane = conn.lane;
            self.calls.add_idle(conn_id, lane);
            return self.finish_call(id, Err(error));
        }
        call.state = State::Sent(conn_id);
        call.attempts = call.attempts.saturating_add(1);
        call.sent_at = now;
        if let Some(patience) = call.patience {
            let until = now + patience;
            if let Some(before) = call.patient_until.replace(until) {
                self.timers.disarm(before, Timer::Silence(id));
            }
            self.timers.arm(until, Timer::Silence(id));
        }
        self.stats.requests += 1;
        self.stats.retries += u64::from(call.attempts > 1);
        #[cfg(feature = "planted")]
        if self.config.planted == Some(crate::planted::Planted::DeadlineFromSend) {
            if let Some(deadline) = call.deadline.as_mut() {
                self.timers.disarm(*deadline, Timer::Call(id));
                *deadline = now + self.config.write_timeout;
                self.timers.arm(*deadline, Timer::Call(id));
            }
        }
        if call.sent_within.is_some() {
            if let Some(deadline) = call.deadline.take() {
                self.timers.disarm(deadline, Timer::Call(id));
            }
        }
        let ask = match call.lease {
            Some(lease) if conn.lane == Lane::Renewals => Ask::Renewal { lease },
            _ => Ask::Call(&call.request),
        };
        conn.wire.start(StreamId(id.get()), &ask);
        self.tell_transmit(conn_id);
    }

    /// Gives waiting renewals to the one connection for them.
    pub(in crate::client) fn place_renewals(&mut self, now: Instant) {
        while self.calls.waiting(Lane::Renewals) > 0 {
            let renewals = |conn: &Conn| conn.lane == Lane::Renewals;
            let is_left =
                |conn: &Conn| renewals(conn) && conn.wire.is_idle() && !self.auth.is_newest(conn);
            let left = self.conns.iter().find(|(_, conn)| is_left(conn));
            if let Some(id) = left.map(|(id, _)| *id) {
                self.conn_lost(now, id, CloseReason::Idle);
                continue;
            }
            let found = self
                .conns
                .iter()
                .find(|(_, conn)| renewals(conn) && self.auth.is_newest(conn));
            let conn = match found {
                Some((id, conn))
                    if conn.is_open()
                        && conn.wire.is_idle()
                        && now - conn.last_used > self.config.idle_limit =>
                {
                    let id = *id;
                    self.conn_lost(now, id, CloseReason::Idle);
                    continue;
                }
                Some((id, _)) => *id,
                None if self.may_open(Lane::Renewals) => {
                    let at = self.endpoints.current();
                    self.hold_calls(now, Lane::Renewals, at);
                    if self.calls.waiting(Lane::Renewals) == 0 {
                        return;
                    }
                    if !self.has_room(now) {
                        return;
                    }
                    self.open_conn(now, Lane::Renewals, at)
                }
                None => return,
            };
            if let Some(call) = self.calls.pop_waiting(Lane::Renewals) {
                self.start_call(now, call, conn);
            }
        }
    }
}

/// Whether calls of one lane may go on connections of the other.
fn shares(one: Lane, other: Lane) -> bool {
    let is_call = |lane: Lane| lane.purpose() == Purpose::Calls;
    is_call(one) && is_call(other) && one.is_waits() == other.is_waits()
}
