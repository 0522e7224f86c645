//! What happens to connections, and to whatever is on them.
//!
//! Every connection is opened and ends here, so that the tables, the timers, the counters and the
//! orders to the driver agree. What a loss means for calls and for watches is said in their files.

use core::time::Duration;

use super::Client;
use super::endpoint::Endpoint;
use super::endpoint::Flaw;
use super::endpoint::Proxy;
use super::notice::EndpointReason;
use super::notice::Reason;
use super::notice::Use;
use super::notice::What;
use super::output::Output;
use super::pool::Gate;
use super::timer::Timer;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Known;
use crate::error::Limit;
use crate::error::NetError;
use crate::error::NetErrorKind;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;
use crate::wire::Purpose;
use crate::wire::Wire;
use crate::wire::WireEvent;

/// The longest wait between connections for calls and renewals (rule R-6).
const CALLS_CAP: Duration = Duration::from_secs(2);
/// The longest wait between connections for watches (rule W-17).
pub(super) const WATCHES_CAP: Duration = Duration::from_secs(5);
/// A watch connection that lived this long is replaced without a wait (rule W-17).
pub(super) const LONG_LIFE: Duration = Duration::from_secs(10);

impl Client {
    /// Orders a connection.
    pub(super) fn open_conn(&mut self, now: Instant, lane: Lane, at: EndpointIndex) -> ConnId {
        let id = ConnId::new(self.next_conn);
        self.next_conn += 1;
        if lane.purpose() != Purpose::Calls && lane.endpoint().is_none() {
            self.endpoints.handle_stream(at);
        }
        let endpoint = self.endpoints.get(at).clone();
        let endpoint = endpoint.through(self.config.proxy.as_ref());
        let is_absolute = endpoint.is_asked_in_absolute_form();
        let to_proxy = endpoint.proxy().filter(|_| is_absolute);
        self.wire.gateway.set_absolute(
            is_absolute.then(|| endpoint.authority()),
            to_proxy.and_then(Proxy::authorization).cloned(),
        );
        self.wire.gateway.set_token(self.auth.header(at));
        self.wire.gateway.set_base_path(endpoint.path_prefix());
        if self.config.find_api_prefix {
            let prefix = self.prefix(at).clone();
            self.wire.gateway.set_prefix(prefix);
        }
        let host = self.config.host.as_deref();
        let host = host.unwrap_or_else(|| endpoint.authority());
        let wire = match lane {
            Lane::Watches if self.watches_go_singly(now, at) => {
                Wire::open_for_one_watch(&self.wire, host)
            }
            lane => Wire::open(lane.purpose(), &self.wire, host),
        };
        let deadline = now + self.config.connect_timeout;
        self.timers.arm(deadline, Timer::Connect(id));
        let mut conn = Conn::new(at, lane, wire, now, deadline);
        conn.token = self.auth.generation(at);
        self.conns.insert(id, conn);
        self.notices.note(|| What::ConnOrdered {
            conn: id,
            endpoint: endpoint.clone(),
            used_for: Use::of(lane),
        });
        self.outputs
            .push_back(Output::Connect { conn: id, endpoint });
        id
    }

    /// The place of an endpoint a caller named. Places that nothing names any more are forgotten
    /// sometimes, with the waits of their lanes and what their members took.
    pub(super) fn place_of(&mut self, endpoint: &Endpoint) -> EndpointIndex {
        if self.endpoints.are_many() {
            self.forget_endpoints();
        }
        // One that a connection was ordered with may say what that goes through.
        let endpoint = &endpoint.clone().through(None);
        let at = self.endpoints.find_or_add(endpoint);
        if !self.endpoints.is_configured(at) {
            let proxy = self.config.proxy.as_ref();
            self.auth.add_endpoint(at, endpoint, proxy);
        }
        at
    }

    /// Forgets the endpoints that are not configured and that nothing names any more.
    pub(super) fn forget_endpoints(&mut self) {
        let waits = self.gates.iter().filter(|(_, gate)| !gate.is_open());
        let lanes = self.calls.lanes().chain(self.streams.lanes());
        let lanes = lanes.chain(waits.map(|(lane, _)| *lane));
        let named = lanes.filter_map(Lane::endpoint);
        let named = named.chain(self.conns.values().map(|conn| conn.endpoint));
        self.endpoints.keep(&named.collect());
        let endpoints = &self.endpoints;
        let is_kept = |at| endpoints.has(at);
        self.gates
            .retain(|lane, _| lane.endpoint().is_none_or(is_kept));
        self.auth.keep(is_kept);
        self.prefixes.keep(is_kept);
        self.watches.keep(is_kept);
        self.notices.keep(is_kept);
    }

    /// What failed before says nothing of endpoints that are new: whatever waits to connect may do so.
    pub(super) fn open_gates(&mut self) {
        let gates = self.gates.iter_mut();
        for (lane, gate) in gates.filter(|(lane, _)| lane.endpoint().is_none()) {
            if let Some(until) = gate.until() {
                self.timers.disarm(until, Timer::Retry(*lane));
            }
            *gate = Gate::default();
        }
    }

    /// Whether a connection may be opened as far as their number goes. One for calls that nobody uses
    /// gives way, the one first that was not used for longest.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        while self.is_crowded() {
            let Some(idle) = self.calls.first_idle() else {
                return false;
            };
            self.conn_lost(now, idle, CloseReason::Idle);
        }
        true
    }

    /// Whether there are as many connections as there may be.
    pub(super) fn is_crowded(&self) -> bool {
        self.conns.len() >= self.config.limits.connections.max(1)
    }

    /// The error for what waited for that to change until its time was up.
    pub(super) fn no_room(&self, applied: Applied) -> Error {
        Error::Limit {
            limit: Limit::Connections(self.config.limits.connections.max(1)),
            applied,
        }
    }

    pub(super) fn conn_opened(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let (deadline, ordered) = (conn.connect_deadline(), conn.last_alive);
        if !conn.handle_connected(now) {
            return;
        }
        if let Some(deadline) = deadline {
            self.timers.disarm(deadline, Timer::Connect(id));
        }
        self.notices.note(|| What::ConnOpened {
            conn: id,
            endpoint: self.endpoints.get(conn.endpoint).clone(),
            took: now - ordered,
        });
        self.stats.connections_opened += 1;
        self.stats.connections_open += 1;
        if let Some(gate) = self.gates.get_mut(&conn.lane) {
            gate.last_error = None;
        }
        if conn.full_streams > 0 {
            self.outputs.push_back(Output::Pause(id));
        }
        if conn.lane.purpose() == Purpose::Calls {
            self.calls.add_idle(id, conn.lane);
        }
        self.arm_created(now, id);
        self.listen(now, id);
        self.stream_opened(now, id);
        self.tell_transmit(id);
    }

    pub(super) fn connect_failed(&mut self, now: Instant, id: ConnId, error: NetError) {
        let Some(conn) = self.conns.get(&id).filter(|conn| !conn.is_open()) else {
            return;
        };
        let lane = conn.lane;
        self.gates.entry(lane).or_default().last_error = Some(error.clone());
        self.conn_lost(now, id, CloseReason::Net(error));
    }

    pub(super) fn connect_timed_out(&mut self, now: Instant, id: ConnId) {
        let millis = self.config.connect_timeout.as_millis();
        let https = self
            .conns
            .get(&id)
            .is_some_and(|conn| self.endpoints.get(conn.endpoint).is_tls());
        // A port without TLS keeps silent about a handshake (gateway.md section 2).
        let text = if https {
            format!(
                "no connection within {millis} ms; if the server is there, it does not speak TLS on \
                 this port (use http://)"
            )
        } else {
            format!("no connection within {millis} ms")
        };
        self.connect_failed(now, id, NetError::new(NetErrorKind::TimedOut, text));
    }

    /// Does away with a connection. What was on it goes on elsewhere, or ends.
    pub(super) fn conn_lost(&mut self, now: Instant, id: ConnId, reason: CloseReason) {
        let Some(conn) = self.conns.remove(&id) else {
            return;
        };
        if let Some(deadline) = conn.connect_deadline() {
            self.timers.disarm(deadline, Timer::Connect(id));
        }
        if let Some(deadline) = conn.created_deadline {
            self.timers.disarm(deadline, Timer::Created(id));
        }
        if let Some(deadline) = conn.silence_deadline {
            self.timers.disarm(deadline, Timer::Silence(id));
        }
        if let Some((at, _)) = conn.owed_progress {
            self.timers.disarm(at, Timer::Progress(id));
        }
        if let Some(deadline) = conn.slow_deadline {
            self.timers.disarm(deadline, Timer::SlowWatches(id));
        }
        self.stats.connections_open -= u64::from(conn.is_open());
        self.outputs.push_back(Output::Close(id));
        self.calls.remove_conn(id);
        // The conversation's own reason came first.
        let reason = conn.close_reason().unwrap_or(reason);
        let reason = match reason {
            CloseReason::PeerClosed if self.is_unanswered(&conn) => CloseReason::Unanswered,
            reason => reason,
        };
        // The connection was as good as never open.
        if let (CloseReason::Net(error), true) = (&reason, reason.is_before_any_request()) {
            self.gates.entry(conn.lane).or_default().last_error = Some(error.clone());
        }
        self.note_conn_gone(id, &conn, &reason);
        if lived_long(now, &conn) {
            self.gates.entry(conn.lane).or_default().handle_success();
        }
        let is_about_token =
            matches!(&reason, CloseReason::Status(status) if self.auth.can_mend(status));
        // A server that confirms watches and then breaks off would be asked without end.
        let is_about_token = is_about_token && conn.wire.answered_creates() == 0;
        if is_failure(&conn, &reason) && !is_about_token {
            // Who is told that a user may not was heard: nothing speaks for a restart.
            if !is_denied(&reason) {
                self.auth.handle_lost(now, conn.endpoint);
            }
            self.lane_failed(now, &conn, &reason);
        }
        match conn.lane.purpose() {
            Purpose::Calls | Purpose::Renewals => self.calls_lost(now, &conn, &reason),
            Purpose::Watches => self.watches_lost(now, &conn, &reason),
            Purpose::Stream => self.stream_lost(now, &conn, &reason),
        }
    }

    /// Whether a server was asked something without TLS and never said a word.
    fn is_unanswered(&self, conn: &Conn) -> bool {
        let is_plain = !self.endpoints.get(conn.endpoint).is_tls();
        is_plain && conn.is_open() && !conn.was_heard && !conn.wire.is_idle()
    }

    /// An endpoint failed somebody who had begun then. Whether that was not known.
    pub(in crate::client) fn endpoint_failed(
        &mut self,
        now: Instant,
        at: EndpointIndex,
        begun: Instant,
        why: Reason,
    ) -> bool {
        let flaw = Flaw::of(&why);
        let is_news = self.endpoints.handle_failure(now, at, begun, flaw);
        self.stats.endpoint_failures += u64::from(is_news);
        // What comes back may be another version.
        self.prefixes.forget(at);
        let why = || EndpointReason::Failed(why);
        self.notices.look_at(&self.endpoints, at, why);
        is_news
    }

    /// Takes note of what the loss says of the endpoint, and waits where every one of them failed.
    fn lane_failed(&mut self, now: Instant, conn: &Conn, reason: &CloseReason) {
        // A caller's impatience is a reason to ask elsewhere, and none for the others to wait.
        if *reason == CloseReason::Deadline && now - conn.last_alive < self.config.attempt_timeout {
            return self.endpoints.leave(conn.endpoint);
        }
        if matches!(
            reason,
            CloseReason::Silent | CloseReason::Deadline | CloseReason::NotCreated
        ) {
            self.leave_unheard(now, conn);
        }
        // What a user may not have, others may: the endpoint is as well as before.
        let is_news = if is_denied(reason) {
            self.endpoints.leave_for_streams(conn.endpoint);
            true
        } else {
            let why = Reason::of_close(reason, conn.is_open());
            self.endpoint_failed(now, conn.endpoint, conn.last_alive, why)
        };
        // Of connections that were lost together one counts, where there is another endpoint.
        let is_only = conn.lane.endpoint().is_some() || self.endpoints.configured() == 1;
        let counts = (is_news || is_only) && *reason != CloseReason::Deadline;
        if !counts || lived_long(now, conn) {
            return;
        }
        let (endpoints, cap) = match conn.lane {
            Lane::Pinned(_) | Lane::PinnedWaits(_) | Lane::Snapshots(Some(_)) => (1, CALLS_CAP),
            Lane::Watches | Lane::Observers => (self.endpoints.configured(), WATCHES_CAP),
            Lane::Renewals => {
                let cap = self.leases.longest_wait().unwrap_or(CALLS_CAP);
                (self.endpoints.configured(), cap.min(CALLS_CAP))
            }
            Lane::Calls | Lane::Waits | Lane::Snapshots(None) => {
                (self.endpoints.configured(), CALLS_CAP)
            }
        };
        let gate = self.gates.entry(conn.lane).or_default();
        if let Some(until) = gate.handle_failure(now, endpoints, cap, &mut self.rng) {
            self.timers.arm(until, Timer::Retry(conn.lane));
            self.note_held_back(conn.lane, until);
        }
    }

    /// Closes what nobody uses of the connections to a server that fell silent, but for those on which it was
    /// heard since: a host that is gone leaves all of them half open, and each would cost a call its patience
    /// (rule R-9, guarantee G60).
    fn leave_unheard(&mut self, now: Instant, silent: &Conn) {
        let is_unheard = |id: &ConnId| {
            let conn = self.conns.get(id);
            conn.is_some_and(|conn| {
                conn.endpoint == silent.endpoint && conn.last_alive <= silent.last_alive
            })
        };
        let unheard: Vec<_> = self.calls.idle_conns().filter(is_unheard).collect();
        for id in unheard {
            self.conn_lost(now, id, CloseReason::Idle);
        }
    }

    /// A server let go of a watch that was live since then, on a connection that goes on: the watch
    /// waits like after a loss (rules W-15 and W-17), or a server that confirms and cancels would be
    /// asked without end.
    pub(super) fn watch_was_dropped(&mut self, now: Instant, since: Instant) {
        let gate = self.gates.entry(Lane::Watches).or_default();
        if now - since > LONG_LIFE {
            gate.handle_success();
        }
        if let Some(until) = gate.handle_failure(now, 1, WATCHES_CAP, &mut self.rng) {
            self.timers.arm(until, Timer::Retry(Lane::Watches));
            self.note_held_back(Lane::Watches, until);
        }
    }

    /// A server is behind what a watch saw: the next one is asked, after a wait where all were (guarantee
    /// G21). Of watches that find out together one counts.
    pub(super) fn watches_are_behind(&mut self, now: Instant, at: EndpointIndex) {
        if !self.endpoints.handle_behind(now, at) {
            return;
        }
        let endpoints = self.endpoints.configured();
        let gate = self.gates.entry(Lane::Watches).or_default();
        if let Some(until) = gate.handle_failure(now, endpoints, WATCHES_CAP, &mut self.rng) {
            self.timers.arm(until, Timer::Retry(Lane::Watches));
            self.note_held_back(Lane::Watches, until);
        }
    }

    /// Why connecting failed last, for a lane that waits for a connection, or for a server to be asked for its
    /// prefix first.
    pub(super) fn why_not_open(&self, lane: Lane) -> Option<NetError> {
        let why = |lane| self.gates.get(&lane)?.last_error.clone();
        why(lane).or_else(|| why(self.lane_of_question(lane)?))
    }

    /// Whether a lane may open a connection now.
    pub(super) fn may_open(&self, lane: Lane) -> bool {
        self.gates.get(&lane).is_none_or(Gate::is_open)
    }

    /// Hands on what the server said on a connection, and closes it if it is of no more use.
    pub(super) fn drain_wire(&mut self, now: Instant, id: ConnId) {
        self.stream_heard(now, id);
        while let Some(conn) = self.conns.get_mut(&id) {
            let Some(event) = conn.wire.poll_event() else {
                break;
            };
            conn.last_used = now;
            match event {
                WireEvent::Answered { stream, result } => {
                    self.call_answered(now, id, stream, result);
                }
                WireEvent::PassedOver => {
                    self.answer_ended(now, id);
                }
                WireEvent::Streamed { stream, said } => self.stream_event(now, stream, said),
                event => self.watch_event(now, id, event),
            }
            self.settle_between(now, id);
        }
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        match conn.close_reason() {
            Some(reason) => self.conn_lost(now, id, reason),
            None if conn.wire.is_abandoned() => self.conn_lost(now, id, CloseReason::Canceled),
            // Only now: as long as there are events, a watch may have its end among them.
            None if conn.lane == Lane::Watches && conn.wire.is_idle() => {
                self.conn_lost(now, id, CloseReason::Idle);
            }
            // Another one takes the renewals to come, with a newer token.
            None if conn.lane == Lane::Renewals
                && conn.wire.is_idle()
                && !self.auth.is_newest(conn) =>
            {
                self.conn_lost(now, id, CloseReason::Idle);
            }
            None => {
                self.rearm_created(now, id);
                self.tell_transmit(id);
            }
        }
    }

    /// Between two answers that came together the same is done as between two that did not (law 1).
    fn settle_between(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get(&id).filter(|conn| conn.wire.has_answers()) else {
            return;
        };
        match conn.wire.is_abandoned() {
            true => self.conn_lost(now, id, CloseReason::Canceled),
            false => self.settle(now),
        }
    }

    /// Tells the driver once that a connection has bytes to send.
    pub(super) fn tell_transmit(&mut self, id: ConnId) {
        if self.conns.get_mut(&id).is_some_and(Conn::poll_transmit) {
            self.outputs.push_back(Output::Transmit(id));
        }
    }
}

/// Whether the connection of watches or an observation was of use. That it confirmed watches does not show it: a server may
/// confirm and break off, again and again (rule W-17).
fn lived_long(now: Instant, conn: &Conn) -> bool {
    let since = conn.open_since();
    let is_stream = matches!(conn.lane, Lane::Watches | Lane::Observers);
    is_stream && since.is_some_and(|since| now - since > LONG_LIFE)
}

/// Whether a stream ended as its user may not have it.
fn is_denied(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Status(status) if status.known() == Some(Known::PermissionDenied))
}

/// Whether a loss says something bad of the endpoint, and not only that we were done.
fn is_failure(conn: &Conn, reason: &CloseReason) -> bool {
    match reason {
        CloseReason::Idle
        | CloseReason::Removed
        | CloseReason::Canceled
        | CloseReason::NotReusable
        | CloseReason::Shutdown => false,
        // Who waits for somebody else may give up without a fault of the server's.
        CloseReason::Deadline => !conn.lane.is_waits(),
        CloseReason::NotCreated => true,
        // A server may close what nobody uses.
        _ => !conn.is_open() || !conn.wire.is_idle(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::Credentials;
    use crate::api::Range;
    use crate::client::CallOptions;

    fn client(credentials: Credentials) -> Client {
        let mut config = Config::new(["a"]).unwrap();
        config
            .set_credentials(credentials.over_plain_http())
            .unwrap();
        Client::new(config, 1, Instant::ZERO)
    }

    fn at(host: usize) -> CallOptions {
        let endpoint = format!("host-{host}").parse().unwrap();
        CallOptions::default().with_endpoint(endpoint)
    }

    /// Calls at this many hosts, one after the other, none of which can be reached. Gives how many
    /// endpoints were known at the most.
    fn ask(client: &mut Client, hosts: usize) -> usize {
        let (mut now, mut most) = (Instant::ZERO, 0);
        for host in 0..hosts {
            let call = client.call_with(now, Range::key("k"), at(host));
            while let Some(output) = client.poll_output() {
                let Output::Connect { conn, endpoint } = output else {
                    continue;
                };
                match endpoint.host() {
                    "host-9999" | "a" => client.handle_connected(now, conn),
                    _ => {
                        let error = NetError::new(NetErrorKind::Refused, "refused");
                        client.handle_connect_failed(now, conn, error);
                    }
                }
            }
            client.cancel_call(now, call);
            now = now + Duration::from_millis(5);
            client.handle_timeout(now);
            while client.poll_output().is_some() {}
            most = most.max(client.endpoints.others());
        }
        most
    }

    #[test]
    fn endpoints_that_nothing_names_any_more_are_forgotten() {
        let mut client = client(Credentials::token("t").unwrap());
        let kept = client.snapshot(Instant::ZERO, at(9999));
        let most = ask(&mut client, 1000);
        assert!(most <= 2 * 64, "{most}");
        assert!(client.gates.len() <= 2 * 64 && client.calls.lanes().next().is_none());
        let members = client.auth.members();
        assert!((1..=2 * 64).contains(&members), "{members}");
        // What is still named is still there.
        client.cancel_stream(Instant::ZERO, kept);
        assert!(client.conns.is_empty());
    }

    #[test]
    fn an_endpoint_is_kept_while_a_call_to_it_waits_for_a_token() {
        let mut client = client(Credentials::password("u", "p").unwrap());
        let mut options = at(9999);
        options.timeout = Some(Duration::from_secs(3600));
        let call = client.call_with(Instant::ZERO, Range::key("k"), options);
        assert!(client.auth.parked.contains(&call));
        let place = client.endpoints.find_or_add(&"host-9999".parse().unwrap());
        let most = ask(&mut client, 300);
        assert!(most <= 2 * 64, "{most}");
        assert!(client.auth.parked.contains(&call) && client.endpoints.has(place));
    }
}
