//! Unary calls and renewals: from the command to the one outcome.
//!
//! ```text
//!   call ──► Waiting ──a connection is free──► Sent(conn) ──answer──► one Answered event
//!               ▲                                  │ connection lost:
//!               └───── may be sent again ──────────┤
//!               deadline, cancel, shutdown: ───────┴──────────────► one Answered event
//! ```
//!
//! A call that not every server has is Asking before it is Sent, on a connection whose server's version
//! is not known. A call that waits for somebody else has a connection of its own, and no deadline once
//! it is sent unless the caller gave one.
//!
//! A call leaves the table when it ends, so a second outcome finds nothing (law 6). Which call may be
//! sent again is said in `retry`.

use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::Client;
use super::options::CallOptions;
use super::output::Event;
use super::output::Output;
use super::retry::Class;
use super::timer::Timer;
use crate::api::Call;
use crate::api::LeaseKeepAlive;
use crate::api::Response;
use crate::api::Rpc;
use crate::api::VersionRequest;
use crate::buf::Sent;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::conn::ServerVersion;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Code;
use crate::error::Error;
use crate::error::Feature;
use crate::error::Known;
use crate::error::Limit;
use crate::error::Phase;
use crate::error::ProtocolError;
use crate::error::Status;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;
use crate::wire::Ask;
use crate::wire::CancelStep;
use crate::wire::Purpose;
use crate::wire::StreamId;
use crate::wire::gateway::Encoded;

/// Every call under way, and the connections that wait for one.
#[derive(Debug, Default)]
pub(super) struct Calls {
    table: BTreeMap<CallId, Pending>,
    /// The waiting ones, in their order, by the connections they may go on.
    queues: BTreeMap<Lane, VecDeque<CallId>>,
    /// Open connections for calls without a call on them, the last used at the end.
    idle: Vec<ConnId>,
    /// The same for calls that wait for somebody else.
    idle_waits: Vec<ConnId>,
    /// How many of the table are on lanes of waits.
    waits: usize,
}

/// One call.
#[derive(Debug)]
struct Pending {
    request: Encoded,
    /// The lease, if it is a renewal.
    lease: Option<i64>,
    class: Class,
    lane: Lane,
    owner: Owner,
    /// None once a call that waits was sent.
    deadline: Option<Instant>,
    /// What is left of it while it is not sent, for a call whose answer may take as long as it takes.
    sent_within: Option<Duration>,
    state: State,
    /// How often it was started on a connection.
    attempts: u32,
    /// An earlier attempt may have had an effect.
    maybe_applied: bool,
    /// What ended the last attempt.
    last_cause: Option<Cause>,
    /// How many new tokens were asked for because of it.
    refreshes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// The server's version is asked for on the connection the call will be sent on.
    Asking(ConnId),
    Sent(ConnId),
}

/// Who wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    User,
    /// The connection whose server's version is asked for.
    VersionOf(ConnId),
    /// The client itself, for its token.
    Login,
}

impl Pending {
    fn new(request: Encoded, class: Class, lane: Lane, deadline: Instant) -> Self {
        Self {
            request,
            lease: None,
            class,
            lane,
            owner: Owner::User,
            deadline: Some(deadline),
            sent_within: None,
            state: State::Waiting,
            attempts: 0,
            maybe_applied: false,
            last_cause: None,
            refreshes: 0,
        }
    }
}

impl Calls {
    /// How many calls under way may wait for somebody else.
    const fn waits(&self) -> usize {
        self.waits
    }

    pub(super) fn add_idle(&mut self, conn: ConnId, lane: Lane) {
        self.idle_of(lane).push(conn);
    }

    fn idle_of(&mut self, lane: Lane) -> &mut Vec<ConnId> {
        match lane.is_waits() {
            true => &mut self.idle_waits,
            false => &mut self.idle,
        }
    }

    pub(super) fn remove_conn(&mut self, conn: ConnId) {
        self.idle.retain(|idle| *idle != conn);
        self.idle_waits.retain(|idle| *idle != conn);
    }

    fn waiting(&self, lane: Lane) -> usize {
        self.queues.get(&lane).map_or(0, VecDeque::len)
    }

    fn pop_waiting(&mut self, lane: Lane) -> Option<CallId> {
        self.queues.get_mut(&lane)?.pop_front()
    }

    /// Whether a call needs a token: all but the one for a token, and pages beside the gateway.
    fn takes_token(&self, id: CallId) -> bool {
        self.table
            .get(&id)
            .is_some_and(|call| call.request.rpc != Rpc::Authenticate && call.request.is_post())
    }

    /// Whether a call that needs a token waits in a lane.
    pub(super) fn has_token_takers(&self, lane: Lane) -> bool {
        let queue = self.queues.get(&lane);
        queue.is_some_and(|queue| queue.iter().any(|id| self.takes_token(*id)))
    }

    /// Takes those out of their line.
    pub(super) fn take_token_takers(&mut self, lane: Lane) -> Vec<CallId> {
        let queue = self.queues.remove(&lane).unwrap_or_default();
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            queue.into_iter().partition(|id| self.takes_token(*id));
        self.queues.insert(lane, left);
        taken.into()
    }

    /// Puts a call at the front of its line.
    pub(super) fn put_first(&mut self, id: CallId) {
        if let Some(call) = self.table.get_mut(&id) {
            call.state = State::Waiting;
            self.queues.entry(call.lane).or_default().push_front(id);
        }
    }
}

impl Client {
    /// Starts a call with the default options. Its outcome comes as
    /// [`Event::Answered`](crate::Event::Answered), exactly once.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Range};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let call = client.call(Instant::ZERO, Range::prefix("/services/"));
    /// assert_eq!(call.get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn call<C: Call>(&mut self, now: Instant, call: C) -> CallId {
        self.call_with(now, call, CallOptions::default())
    }

    /// Starts a call.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use etcd_core::{CallOptions, Client, Config, Instant, StatusRequest};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let options = CallOptions::default()
    ///     .with_endpoint("http://127.0.0.1:22379".parse()?)
    ///     .with_timeout(Duration::from_millis(300));
    /// client.call_with(Instant::ZERO, StatusRequest::new(), options);
    /// assert_eq!(client.poll_timeout(), Some(Instant::ZERO + Duration::from_millis(300)));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a call is given away with the command"
    )]
    pub fn call_with<C: Call>(&mut self, now: Instant, call: C, options: CallOptions) -> CallId {
        let id = self.next_call_id();
        if self.is_shut_down {
            let (cause, applied) = (Cause::Shutdown, Applied::No);
            self.tell_answer(id, Err(Error::Unavailable { cause, applied }));
            return id;
        }
        if let Err(misuse) = call.check() {
            self.tell_answer(id, Err(Error::Misuse(misuse)));
            return id;
        }
        let request = Encoded::new(&call);
        let limits = &self.config.limits;
        let limit = if self.calls.table.len() >= limits.calls {
            Some(Limit::Calls(limits.calls))
        } else if call.waits() && self.calls.waits() >= limits.waits {
            Some(Limit::Waits(limits.waits))
        } else if request.body.len() > limits.request_bytes {
            Some(Limit::Request(limits.request_bytes))
        } else {
            None
        };
        if let Some(limit) = limit {
            self.tell_answer(
                id,
                Err(Error::Limit {
                    limit,
                    applied: Applied::No,
                }),
            );
            return id;
        }
        let class = if call.is_read() {
            Class::Read
        } else if call.is_repeatable() {
            Class::Repeatable
        } else {
            Class::Once
        };
        let lease = lease_of(&request);
        let lane = match &options.endpoint {
            Some(endpoint) if call.waits() => {
                Lane::PinnedWaits(self.endpoints.find_or_add(endpoint))
            }
            Some(endpoint) => Lane::Pinned(self.endpoints.find_or_add(endpoint)),
            None if call.waits() => Lane::Waits,
            None if lease.is_some() => Lane::Renewals,
            None => Lane::Calls,
        };
        let timeout = options.timeout.unwrap_or(match class {
            Class::Read => self.config.read_timeout,
            Class::Repeatable | Class::Once => self.config.write_timeout,
        });
        let sent_within = (call.waits() && options.timeout.is_none()).then_some(timeout);
        let pending = Pending {
            lease,
            sent_within,
            ..Pending::new(request, class, lane, now + timeout)
        };
        self.add_call(id, pending);
        self.settle(now);
        id
    }

    /// Cancels a call: it ends with `Error::Canceled` unless it ended before. An id that is not, or
    /// no longer, under way changes nothing.
    ///
    /// ```
    /// # use etcd_core::{Applied, Client, Config, Error, Event, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let call = client.call(Instant::ZERO, Put::new("k", "v"));
    /// client.cancel_call(Instant::ZERO, call);
    /// client.cancel_call(Instant::ZERO, call);
    /// let answers: Vec<_> = std::iter::from_fn(|| client.poll_output())
    ///     .filter_map(|output| match output {
    ///         Output::Event(Event::Answered { result, .. }) => Some(*result),
    ///         _ => None,
    ///     })
    ///     .collect();
    /// assert_eq!(answers, [Err(Error::Canceled { applied: Applied::No })]);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn cancel_call(&mut self, now: Instant, call: CallId) {
        let Some(pending) = self.calls.table.get(&call) else {
            return;
        };
        let (applied, state) = (self.applied(call, pending), pending.state);
        self.finish_call(call, Err(Error::Canceled { applied }));
        if let State::Asking(conn) | State::Sent(conn) = state {
            self.leave_conn(now, call, conn, CloseReason::Canceled);
        }
        self.settle(now);
    }

    /// Asks a server for its version on behalf of a watch connection to it.
    pub(super) fn call_version_of(&mut self, now: Instant, conn: ConnId, at: EndpointIndex) {
        let id = self.next_call_id();
        let request = Encoded::new(&VersionRequest::new());
        let deadline = now + self.config.read_timeout;
        let pending = Pending {
            owner: Owner::VersionOf(conn),
            ..Pending::new(request, Class::Read, Lane::Pinned(at), deadline)
        };
        self.add_call(id, pending);
    }

    /// Puts the client's own call for a token in line; where others wait for it, before all of them.
    pub(super) fn call_login(
        &mut self,
        deadline: Instant,
        request: Encoded,
        is_awaited: bool,
    ) -> CallId {
        let id = self.next_call_id();
        let pending = Pending {
            owner: Owner::Login,
            ..Pending::new(request, Class::Read, Lane::Calls, deadline)
        };
        self.add_call(id, pending);
        if let Some(queue) = self
            .calls
            .queues
            .get_mut(&Lane::Calls)
            .filter(|_| is_awaited)
        {
            queue.rotate_right(1);
        }
        id
    }

    fn add_call(&mut self, id: CallId, pending: Pending) {
        if let Some(deadline) = pending.deadline {
            self.timers.arm(deadline, Timer::Call(id));
        }
        let queue = self.calls.queues.entry(pending.lane).or_default();
        queue.push_back(id);
        self.calls.waits += usize::from(pending.lane.is_waits());
        self.calls.table.insert(id, pending);
    }

    fn next_call_id(&mut self) -> CallId {
        let id = CallId::new(self.next_call);
        self.next_call += 1;
        id
    }

    /// Gives waiting calls to free connections, and opens further ones for the rest.
    pub(super) fn place_calls(&mut self, now: Instant) {
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
    fn start_call(&mut self, now: Instant, id: CallId, conn_id: ConnId) {
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
        call.attempts += 1;
        self.stats.requests += 1;
        self.stats.retries += u64::from(call.attempts > 1);
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
    pub(super) fn place_renewals(&mut self, now: Instant) {
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
                    self.open_conn(now, Lane::Renewals, at)
                }
                None => return,
            };
            if let Some(call) = self.calls.pop_waiting(Lane::Renewals) {
                self.start_call(now, call, conn);
            }
        }
    }

    /// The server answered.
    pub(super) fn call_answered(
        &mut self,
        now: Instant,
        conn_id: ConnId,
        stream: StreamId,
        result: Result<Response, Status>,
    ) {
        let id = CallId::new(stream.0);
        let call = self.calls.table.get_mut(&id);
        let asking = call.is_some_and(|call| matches!(call.state, State::Asking(_)));
        let mut of_use = false;
        let mut carried = None;
        if let Some(conn) = self.conns.get_mut(&conn_id) {
            carried = Some((conn.endpoint, conn.token));
            let was_refused = matches!(&result, Err(status) if status.needs_new_token());
            if !was_refused && !asking && self.calls.takes_token(id) {
                self.auth.handle_taken(conn);
            }
            match &result {
                Ok(Response::Version(answer)) => {
                    conn.server = ServerVersion::told(Some(&answer.etcdserver));
                }
                _ if asking => conn.server = ServerVersion::told(None),
                _ => {}
            }
            self.gates.entry(conn.lane).or_default().handle_success();
            of_use = match conn.lane {
                Lane::Calls => conn.endpoint == self.endpoints.current(),
                Lane::Pinned(_)
                | Lane::Watches
                | Lane::Renewals
                | Lane::Snapshots(_)
                | Lane::Observers => true,
                Lane::Waits | Lane::PinnedWaits(_) => false,
            };
            if !of_use {
                // Kept, it would take the place of another when its endpoint's turn comes again.
                self.conn_lost(now, conn_id, CloseReason::Idle);
            } else if conn.lane.purpose() == Purpose::Calls && conn.close_reason().is_none() {
                let lane = conn.lane;
                if !asking {
                    self.calls.add_idle(conn_id, lane);
                }
            } else {
                of_use = false;
            }
        }
        if asking {
            return self.ask_answered(now, id, conn_id, of_use);
        }
        let Some(call) = self.calls.table.get(&id) else {
            return;
        };
        let result = result.and_then(lease_is_there).map_err(|status| {
            let applied = match call.class.applied_with(call.request.rpc, &status) {
                _ if call.maybe_applied => Applied::Maybe,
                _ if status.needs_new_token() => Applied::No,
                applied => applied,
            };
            self.auth.error(status, applied)
        });
        let result = result.and_then(|response| {
            if (call.request.accepts)(&response) {
                return Ok(response);
            }
            Err(Error::Unavailable {
                cause: Cause::BadAnswer(ProtocolError::WrongOperations),
                applied: call.class.applied_without_answer(Sent::All),
            })
        });
        if let (Err(error), Some((at, token))) = (&result, carried) {
            if let Some(status) = error.status() {
                if self.call_refused(now, id, at, token, status) {
                    return self.call_again(now, id);
                }
            }
        }
        self.finish_call(id, result);
    }

    /// Whether a refused call is made again with another token. It certainly was not done (rule R-4,
    /// guarantee G41).
    fn call_refused(
        &mut self,
        now: Instant,
        id: CallId,
        at: EndpointIndex,
        token: u64,
        status: &Status,
    ) -> bool {
        if !status.needs_new_token() || !self.calls.takes_token(id) {
            return false;
        }
        let found = self.calls.table.get(&id);
        let Some((attempts, mut refreshes)) = found.map(|call| (call.attempts, call.refreshes))
        else {
            return false;
        };
        let again = self.token_refused(now, at, token, status, &mut refreshes);
        if let Some(call) = self.calls.table.get_mut(&id) {
            call.refreshes = refreshes;
        }
        again && attempts < self.config.max_attempts
    }

    /// Puts a call that was sent back at the front of its line.
    fn call_again(&mut self, now: Instant, id: CallId) {
        self.calls.put_first(id);
        if let Some(call) = self.calls.table.get_mut(&id) {
            if let (None, Some(within)) = (call.deadline, call.sent_within) {
                call.deadline = Some(now + within);
                self.timers.arm(now + within, Timer::Call(id));
            }
        }
    }

    /// Ends a call that was not under way.
    pub(super) fn fail_call(&mut self, id: CallId, error: Error) {
        let maybe = self
            .calls
            .table
            .get(&id)
            .is_some_and(|call| call.maybe_applied);
        let error = match error {
            Error::Auth { status, .. } | Error::Etcd { status, .. } if maybe => {
                self.auth.error(status, Applied::Maybe)
            }
            error => error,
        };
        self.finish_call(id, Err(error));
    }

    /// What the server is, is known as well as can be: the call goes on, on the same connection if that
    /// is still of use, or as the first of those that wait.
    fn ask_answered(&mut self, now: Instant, id: CallId, conn: ConnId, of_use: bool) {
        if of_use {
            return self.start_call(now, id, conn);
        }
        if let Some(call) = self.calls.table.get_mut(&id) {
            call.state = State::Waiting;
            let queue = self.calls.queues.entry(call.lane).or_default();
            queue.push_front(id);
        }
    }

    /// A connection is gone; `conn` was taken out of the table.
    pub(super) fn calls_lost(&mut self, now: Instant, conn: &Conn, reason: &CloseReason) {
        // The last started first, so that at the queue's front their order is as it was.
        for stream in conn.wire.streams().into_iter().rev() {
            let id = CallId::new(stream.0);
            if let CloseReason::Status(status) = reason {
                if self.call_refused(now, id, conn.endpoint, conn.token, status) {
                    self.call_again(now, id);
                    continue;
                }
                if status.needs_new_token() {
                    let error = self.auth.error(status.clone(), Applied::No);
                    self.fail_call(id, error);
                    continue;
                }
            }
            let Some(call) = self.calls.table.get_mut(&id) else {
                continue;
            };
            let sent = match call.state {
                State::Asking(_) => {
                    // It costs an attempt, or a server that breaks off would be asked without end.
                    call.attempts += 1;
                    Sent::Nothing
                }
                _ => conn.wire.sent(stream),
            };
            call.maybe_applied |= call.class.applied_without_answer(sent) == Applied::Maybe;
            let applied = if call.maybe_applied {
                Applied::Maybe
            } else {
                Applied::No
            };
            if let CloseReason::Limit(limit) = reason {
                let limit = *limit;
                self.finish_call(id, Err(Error::Limit { limit, applied }));
                continue;
            }
            let cause = match reason {
                CloseReason::Net(error) if !conn.is_open() => Cause::ConnectFailed(error.clone()),
                reason => Cause::ConnectionLost(reason.clone()),
            };
            if call.class.may_repeat(sent) && call.attempts < self.config.max_attempts {
                call.state = State::Waiting;
                call.last_cause = Some(cause);
                if let (None, Some(within)) = (call.deadline, call.sent_within) {
                    call.deadline = Some(now + within);
                    self.timers.arm(now + within, Timer::Call(id));
                }
                self.calls
                    .queues
                    .entry(call.lane)
                    .or_default()
                    .push_front(id);
            } else {
                self.finish_call(id, Err(Error::Unavailable { cause, applied }));
            }
        }
    }

    pub(super) fn call_timed_out(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.table.get(&id) else {
            return;
        };
        let applied = self.applied(id, call);
        let state = call.state;
        // A renewal is put on its connection while that still opens.
        let open = match state {
            State::Waiting => None,
            State::Asking(conn) | State::Sent(conn) => {
                self.conns.get(&conn).filter(|conn| conn.is_open())
            }
        };
        let error = match open {
            None => {
                // What waits for a token waits for the login, which is among the calls.
                let parked = self.auth.parked.contains(&id);
                let lane = if parked { Lane::Calls } else { call.lane };
                let gate = self.gates.get(&lane);
                let refused = gate.and_then(|gate| gate.last_error.clone());
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
            Some(conn) => {
                let phase = match conn.wire.sent(StreamId(id.get())) {
                    Sent::All => Phase::Answer,
                    Sent::Nothing | Sent::Part => Phase::Send,
                };
                Error::Timeout { phase, applied }
            }
        };
        self.finish_call(id, Err(error));
        if let State::Asking(conn) | State::Sent(conn) = state {
            self.leave_conn(now, id, conn, CloseReason::Deadline);
        }
    }

    /// Whether a call that ends now without an answer may have had an effect.
    fn applied(&self, id: CallId, call: &Pending) -> Applied {
        let sent = match call.state {
            State::Waiting | State::Asking(_) => Sent::Nothing,
            State::Sent(conn) => self
                .conns
                .get(&conn)
                .map_or(Sent::All, |conn| conn.wire.sent(StreamId(id.get()))),
        };
        match call.class.applied_without_answer(sent) {
            Applied::No if call.maybe_applied => Applied::Maybe,
            applied => applied,
        }
    }

    /// Takes an ended call off its connection. A connection on which the server was silent until a
    /// deadline is given up, whatever else waits there.
    fn leave_conn(&mut self, now: Instant, call: CallId, id: ConnId, reason: CloseReason) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let step = conn.wire.cancel(StreamId(call.get()));
        if step == CancelStep::CloseConnection || reason == CloseReason::Deadline {
            self.conn_lost(now, id, reason);
        }
    }

    /// Ends a call.
    fn finish_call(&mut self, id: CallId, result: Result<Response, Error>) {
        let Some(call) = self.calls.table.remove(&id) else {
            return;
        };
        self.calls.waits -= usize::from(call.lane.is_waits());
        if let Some(deadline) = call.deadline {
            self.timers.disarm(deadline, Timer::Call(id));
        }
        if call.state == State::Waiting {
            if let Some(queue) = self.calls.queues.get_mut(&call.lane) {
                if let Some(position) = queue.iter().position(|waiting| *waiting == id) {
                    queue.remove(position);
                }
            }
            self.auth.parked.remove(&id);
        }
        match call.owner {
            Owner::User => self.tell_answer(id, result),
            Owner::VersionOf(conn) => self.version_answered(conn, result),
            Owner::Login => self.auth.handle_answer(id, result),
        }
    }

    fn tell_answer(&mut self, call: CallId, result: Result<Response, Error>) {
        let result = Box::new(result);
        self.outputs
            .push_back(Output::Event(Event::Answered { call, result }));
    }

    pub(super) fn shutdown_calls(&mut self) {
        while let Some((id, call)) = self.calls.table.first_key_value() {
            let (id, applied) = (*id, self.applied(*id, call));
            let cause = Cause::Shutdown;
            self.finish_call(id, Err(Error::Unavailable { cause, applied }));
        }
        self.calls.queues.clear();
        self.calls.idle.clear();
        self.calls.idle_waits.clear();
    }
}

/// Whether calls of one lane may go on connections of the other.
fn shares(one: Lane, other: Lane) -> bool {
    let is_call = |lane: Lane| lane.purpose() == Purpose::Calls;
    is_call(one) && is_call(other) && one.is_waits() == other.is_waits()
}

/// The lease of a renewal, which may travel with others on one connection.
fn lease_of(request: &Encoded) -> Option<i64> {
    if request.rpc != Rpc::LeaseKeepAlive {
        return None;
    }
    serde_json::from_slice::<LeaseKeepAlive>(&request.body)
        .ok()
        .map(|renewal| renewal.id)
}

/// A renewal of a lease that is gone is answered like any other, without a time to live (rule L-11).
fn lease_is_there(response: Response) -> Result<Response, Status> {
    match response {
        Response::LeaseKeepAlive(answer) if answer.ttl <= 0 => {
            Err(Status::new(Code::NOT_FOUND, Known::LeaseNotFound.message()))
        }
        response => Ok(response),
    }
}
