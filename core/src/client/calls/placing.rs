//! On which connection a call goes, and when another one is opened.
//!
//! What its server has to be is asked here, on that connection. What is answered, and what becomes of a
//! call whose connection is lost, is not known here.

use super::table::State;
use crate::api::VersionRequest;
use crate::client::Client;
use crate::client::retry::Class;
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
    ///
    /// The line whose first call came first has its turn first, so that none waits for ever while others
    /// are served.
    pub(in crate::client) fn place_calls(&mut self, now: Instant) {
        self.place_lines(now);
        if self.reopen_shared() {
            self.place_lines(now);
        }
        // What was opened for a call that was canceled meanwhile.
        while let Some(conn) = self.calls.idle_waits.pop() {
            self.conn_lost(now, conn, CloseReason::Idle);
        }
    }

    fn place_lines(&mut self, now: Instant) {
        match self.calls.only_line() {
            Some(only) => self.place_line(now, only),
            None => {
                for lane in self.calls.lines() {
                    self.place_line(now, lane);
                }
            }
        }
    }

    fn place_line(&mut self, now: Instant, lane: Lane) {
        match lane {
            Lane::Pinned(at) | Lane::PinnedWaits(at) => self.place_lane(now, lane, at),
            _ => self.place_anywhere(now, lane),
        }
        self.place_behind(now, lane);
    }

    /// Places the calls of a lane whose endpoints are all the same to it. Each goes to the one whose turn
    /// it is; while a connection to that opens, it goes to another to which one is free, so that no call
    /// waits only because of the order.
    fn place_anywhere(&mut self, now: Instant, lane: Lane) {
        while self.calls.waiting(lane) > 0 {
            let Some(next) = self.found_for_call(now) else {
                return;
            };
            let at = match self.calls.first_login(lane) {
                Some(at) if self.endpoints.is_healthy(at) => at,
                None if self.calls.has_token_takers(lane) => match self.admitted(now, next) {
                    Some(at) => at,
                    None => {
                        // What is left needs no token: the login, for one.
                        self.hold_calls(now, lane, next);
                        if self.calls.waiting(lane) == 0 {
                            return;
                        }
                        next
                    }
                },
                _ => next,
            };
            if !self.is_found(now, at) {
                return;
            }
            if !self.place_one(now, lane, at) {
                break;
            }
        }
        // All are busy: further connections, one after the other, as far as there is room.
        let mut waiting = self.calls.waiting(lane);
        if waiting == 0 {
            return;
        }
        waiting = waiting.saturating_sub(self.opening(lane));
        while waiting > 0 {
            let at = self.endpoints.for_call();
            let others = self.endpoints.instead().filter(|it| *it != at);
            let order: Vec<_> = core::iter::once(at).chain(others).collect();
            let opened = order.into_iter().find(|at| {
                self.is_admitted(now, lane, *at) && self.open_for_calls(now, lane, *at, usize::MAX)
            });
            let Some(at) = opened else {
                return;
            };
            self.endpoints.handle_call(at);
            waiting -= 1;
        }
    }

    /// How many connections are being opened for a lane. Those for a named endpoint do not count: that one
    /// may not serve.
    pub(super) fn opening(&self, lane: Lane) -> usize {
        let opening = |conn: &&Conn| conn.lane == lane && !conn.is_open();
        self.conns.values().filter(opening).count()
    }

    /// Gives the first waiting call to a free connection to an endpoint, or to another while one to that
    /// opens, or to one where others wait for answers, if it shares that with them. False if there is none.
    fn place_one(&mut self, now: Instant, lane: Lane, at: EndpointIndex) -> bool {
        let mut found = self.take_idle(now, lane, at);
        if found.is_none() {
            let is_login = self.calls.first_login(lane).is_some();
            let others = self.endpoints.instead().filter(|it| *it != at && !is_login);
            for other in others.collect::<Vec<_>>() {
                if found.is_none() && self.is_admitted(now, lane, other) {
                    found = self.take_idle(now, lane, other);
                }
            }
            // For whoever comes next, or for this call if nothing opens for it yet.
            if found.is_some() || self.opening(lane) < self.calls.waiting(lane) {
                self.open_for_calls(now, lane, at, 1);
            }
        }
        let Some(conn) = found.or_else(|| self.take_shared(now, lane, at)) else {
            return false;
        };
        if let Some(call) = self.calls.pop_waiting(lane) {
            self.start_call_at(now, call, at, conn);
        }
        true
    }

    /// Sends a call on a connection, which may lead elsewhere than the one whose turn it was.
    pub(super) fn start_call_at(
        &mut self,
        now: Instant,
        call: CallId,
        at: EndpointIndex,
        conn: ConnId,
    ) {
        let to = self.conns.get(&conn).map(|conn| conn.endpoint);
        if let Some(to) = to.filter(|_| self.calls.is_free(call)) {
            self.note_choice(Some(call), at, to);
            self.endpoints.handle_call(to);
        }
        self.start_call(now, call, conn);
    }

    /// Whether the first call of a lane may go there as far as its token goes. No login is made for that.
    pub(super) fn is_admitted(&mut self, now: Instant, lane: Lane, at: EndpointIndex) -> bool {
        if !self.is_found(now, at) {
            return false;
        }
        !self.calls.has_token_takers(lane) || self.auth.goes(now, at)
    }

    /// Opens a connection for calls if there are less than `most` being opened, and room. Whether it did.
    fn open_for_calls(&mut self, now: Instant, lane: Lane, at: EndpointIndex, most: usize) -> bool {
        if !self.may_open(lane) {
            return false;
        }
        let ours = |conn: &&Conn| conn.endpoint == at && shares(conn.lane, lane);
        let (mut total, mut opening) = (0, 0);
        for conn in self.conns.values().filter(ours) {
            total += 1;
            opening += usize::from(!conn.is_open());
        }
        let room = match lane.is_waits() {
            true => self.config.limits.waits,
            false => self.config.max_connections.max(1),
        };
        let opens = total < room && opening < most && self.has_room(now);
        if opens {
            self.open_conn(now, lane, at);
        }
        opens
    }

    /// Places the calls of a lane that is bound to an endpoint.
    fn place_lane(&mut self, now: Instant, lane: Lane, at: EndpointIndex) {
        if !self.is_found(now, at) {
            return self.place_question(now, lane, at);
        }
        self.hold_calls(now, lane, at);
        while self.calls.waiting(lane) > 0 {
            let found = self.take_idle(now, lane, at);
            let Some(conn) = found.or_else(|| self.take_shared(now, lane, at)) else {
                break;
            };
            if let Some(call) = self.calls.pop_waiting(lane) {
                self.start_call(now, call, conn);
            }
        }
        let waiting = self.calls.waiting(lane);
        while self.open_for_calls(now, lane, at, waiting) {}
    }

    /// Places what is asked of a server before all else. What is made again may have come before it.
    fn place_question(&mut self, now: Instant, lane: Lane, at: EndpointIndex) {
        let Some(question) = self.calls.question_in(lane) else {
            return;
        };
        match self.take_idle(now, lane, at) {
            Some(conn) => {
                self.calls.leave_line(lane, question);
                self.start_call(now, question, conn);
            }
            None => {
                self.open_for_calls(now, lane, at, 1);
            }
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
            conn.wire.start(
                StreamId(id.get()),
                &Ask::Call {
                    request: &version,
                    within: None,
                },
            );
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
        call.known = self.evidence.revision();
        call.sent_at = now;
        call.asked = Some(conn.endpoint);
        let is_free = call.lane == Lane::Calls && call.class != Class::Once;
        if call.patience.is_none() && is_free && self.endpoints.configured() > 1 {
            call.patience = Some(self.config.attempt_timeout);
        }
        if let Some(patience) = call.patience {
            let until = now + patience;
            if let Some(before) = call.patient_until.replace(until) {
                self.timers.disarm(before, Timer::Patience(id));
            }
            self.timers.arm(until, Timer::Patience(id));
        }
        self.stats.requests += 1;
        self.stats.retries += u64::from(call.attempts > 1);
        let told = || call.told(id, conn_id, conn, &self.endpoints);
        self.notices.note(told);
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
            _ => Ask::Call {
                request: &call.request,
                // For the server, too, so that it does not work for nobody (rule R-8, guarantee G7).
                within: call.deadline.map(|deadline| deadline - now),
            },
        };
        self.stats.pipelined += u64::from(conn.wire.outstanding() > 0);
        conn.handle_asked(now);
        conn.wire.start(StreamId(id.get()), &ask);
        self.share_conn(id, conn_id);
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
                    let at = self.pick_for_stream(now, None);
                    if !self.is_found(now, at) {
                        return;
                    }
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
