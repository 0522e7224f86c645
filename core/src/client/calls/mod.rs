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
//! sent again is said in `retry`, and what an attempt finds that an earlier one did in `repeats`.
//!
//! Leases that are kept alive make calls of their own, with which they renew: those go on until they
//! are answered, wherever a server is not silent.

mod again;
mod ahead;
mod answers;
mod losses;
mod noted;
mod placing;
#[cfg(feature = "planted")]
mod planted;
mod repeats;
mod table;

pub(super) use self::table::Calls;
pub(super) use self::table::Owner;
pub(super) use self::table::Pending;

use core::time::Duration;

use self::table::State;
use super::Client;
use super::notice::EndpointReason;
use super::options::CallOptions;
use super::output::Event;
use super::output::Output;
use super::retry::Class;
use super::timer::Timer;
use crate::api::Call;
use crate::api::LeaseKeepAlive;
use crate::api::Range;
use crate::api::Response;
use crate::api::Rpc;
use crate::api::StatusRequest;
use crate::api::VersionRequest;
use crate::buf::Sent;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Limit;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::KeepAliveId;
use crate::id::WatchId;
use crate::time::Instant;
use crate::wire::CancelStep;
use crate::wire::StreamId;
use crate::wire::gateway::Encoded;

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
        match self.new_call(now, call, &options) {
            Ok(pending) => {
                self.add_call(id, pending);
                self.settle(now);
            }
            Err(error) => self.tell_answer(id, Err(error)),
        }
        id
    }

    /// A call as it is to be put in its line, or why it cannot be made.
    pub(super) fn new_call<C: Call>(
        &mut self,
        now: Instant,
        mut call: C,
        options: &CallOptions,
    ) -> Result<Pending, Error> {
        if self.is_shut_down {
            let (cause, applied) = (Cause::Shutdown, Applied::No);
            return Err(Error::Unavailable { cause, applied });
        }
        let checked = call.check();
        #[cfg(feature = "planted")]
        let checked = self.plant_check(checked);
        checked.map_err(Error::Misuse)?;
        let drawn = call.wants_id().then(|| self.ids.id());
        if let Some(drawn) = drawn {
            call.set_id(drawn);
        }
        call.enter(&self.config.namespace);
        let request = Encoded::new(&call);
        let limits = &self.config.limits;
        let limit = if self.calls.table.len() - self.calls.kept >= limits.calls {
            Some(Limit::Calls(limits.calls))
        } else if call.waits() && self.calls.waits() >= limits.waits {
            Some(Limit::Waits(limits.waits))
        } else if request.body.len() > limits.request_bytes {
            Some(Limit::Request(limits.request_bytes))
        } else {
            None
        };
        if let Some(limit) = limit {
            let applied = Applied::No;
            return Err(Error::Limit { limit, applied });
        }
        let class = if call.is_read() {
            Class::Read
        } else if call.is_repeatable() || drawn.is_some() {
            Class::Repeatable
        } else {
            Class::Once
        };
        let lease = lease_of(&request);
        let lane = match &options.endpoint {
            Some(endpoint) if call.waits() => Lane::PinnedWaits(self.place_of(endpoint)),
            Some(endpoint) => Lane::Pinned(self.place_of(endpoint)),
            None if call.waits() => Lane::Waits,
            None if lease.is_some() => Lane::Renewals,
            None => Lane::Calls,
        };
        let timeout = options.timeout.unwrap_or(match class {
            Class::Read => self.config.read_timeout,
            Class::Repeatable | Class::Once => self.config.write_timeout,
        });
        #[cfg(feature = "planted")]
        let timeout = match self.config.planted {
            Some(crate::planted::Planted::DeadlineTooEarly) => timeout / 2,
            _ => timeout,
        };
        self.budget.handle_call();
        let sent_within = (call.waits() && options.timeout.is_none()).then_some(timeout);
        Ok(Pending {
            lease,
            drawn,
            sent_within,
            ..Pending::new(request, class, lane, now + timeout)
        })
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
        self.notices.handle_time(now);
        self.finish_call(call, Err(Error::Canceled { applied }));
        #[cfg(feature = "planted")]
        self.plant_canceled(call, applied);
        if let State::Asking(conn) | State::Sent(conn) = state {
            self.leave_conn(now, call, conn, CloseReason::Canceled);
        }
        self.settle(now);
    }

    /// Asks a server for its version on behalf of a watch connection to it.
    pub(super) fn call_version_of(&mut self, now: Instant, conn: ConnId, at: EndpointIndex) {
        let deadline = now + self.config.read_timeout;
        self.ask(deadline, Owner::VersionOf(conn), at, &VersionRequest::new());
    }

    /// Asks an endpoint that failed whether it serves again, if one is due (rule B-4). It is asked for
    /// a read that all members have to agree on; that the user may not read it is an answer, too.
    pub(super) fn probe(&mut self, now: Instant) {
        let deadline = now + self.config.attempt_timeout;
        while let Some(at) = self.endpoints.poll_probe(now) {
            self.notices
                .look_at(&self.endpoints, at, || EndpointReason::Due);
            let health = Range::key("health").with_limit(1).with_keys_only();
            self.ask(deadline, Owner::Probe(at), at, &health);
        }
    }

    /// Asks a member who leads, where that decides where calls go (rule B-6).
    pub(super) fn ask_for_leader(&mut self, now: Instant) {
        let deadline = now + self.config.attempt_timeout;
        while let Some(at) = self.endpoints.poll_leader_question(now) {
            self.ask(deadline, Owner::Leader, at, &StatusRequest::new());
        }
    }

    /// Makes a call for the client's own ends, at whatever endpoint is current.
    pub(super) fn call_for_itself<C: Call>(
        &mut self,
        now: Instant,
        owner: Owner,
        call: &C,
    ) -> CallId {
        let id = self.next_call_id();
        let deadline = now + self.config.read_timeout;
        let request = Encoded::new(call);
        let pending = Pending {
            owner,
            ..Pending::new(request, Class::Read, Lane::Calls, deadline)
        };
        self.add_call(id, pending);
        id
    }

    /// Whether this call has not ended.
    pub(super) fn has_call(&self, id: CallId) -> bool {
        self.calls.table.contains_key(&id)
    }

    /// Asks one endpoint something that the client itself wants to know.
    fn ask<C: Call>(
        &mut self,
        deadline: Instant,
        owner: Owner,
        at: EndpointIndex,
        question: &C,
    ) -> CallId {
        let id = self.next_call_id();
        let request = Encoded::new(question);
        let pending = Pending {
            owner,
            ..Pending::new(request, Class::Read, Lane::Pinned(at), deadline)
        };
        self.add_call(id, pending);
        id
    }

    /// Asks one endpoint for its version, before whatever waits for that endpoint.
    pub(super) fn ask_first(&mut self, now: Instant, owner: Owner, at: EndpointIndex) {
        // As long as a login, so that questions that find no server do not follow each other faster.
        let deadline = now + self.config.read_timeout.max(Duration::from_secs(1));
        let id = self.ask(deadline, owner, at, &VersionRequest::new());
        if let Some(call) = self.calls.table.get_mut(&id) {
            call.patience = Some(self.config.attempt_timeout);
        }
        if let Some(line) = self.calls.queues.get_mut(&Lane::Pinned(at)) {
            line.rotate_right(1);
        }
    }

    /// Puts the client's own call for a token in line; where others wait for it, before all of them.
    pub(super) fn call_login(
        &mut self,
        deadline: Instant,
        at: EndpointIndex,
        request: Encoded,
        is_awaited: bool,
    ) -> CallId {
        let id = self.next_call_id();
        let pending = Pending {
            owner: Owner::Login(at),
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

    /// Puts a call for a lease that is kept alive in line.
    pub(super) fn call_for_lease(&mut self, kept: KeepAliveId, pending: Pending) -> CallId {
        let id = self.next_call_id();
        let owner = Owner::Lease(kept);
        self.add_call(id, Pending { owner, ..pending });
        id
    }

    /// A renewal, which has no deadline unless it is given one: it is made again and again, wherever the
    /// server is not silent for longer than `patience`.
    pub(super) fn new_renewal(
        lease: i64,
        patience: Duration,
        deadline: Option<Instant>,
    ) -> Pending {
        let request = Encoded::new(&LeaseKeepAlive::new(lease));
        Pending {
            lease: Some(lease),
            patience: Some(patience),
            deadline,
            ..Pending::new(request, Class::Repeatable, Lane::Renewals, Instant::ZERO)
        }
    }

    /// Puts the call for a page of a watch's range in line.
    pub(super) fn call_for_page(&mut self, now: Instant, watch: WatchId, range: &Range) -> CallId {
        let id = self.next_call_id();
        let deadline = now + self.config.read_timeout;
        let mut range = range.clone();
        range.enter(&self.config.namespace);
        let pending = Pending {
            owner: Owner::Resync(watch),
            ..Pending::new(Encoded::new(&range), Class::Read, Lane::Calls, deadline)
        };
        self.add_call(id, pending);
        id
    }

    fn add_call(&mut self, id: CallId, pending: Pending) {
        #[cfg(feature = "planted")]
        let pending = self.plant_deadline(pending);
        if let Some(deadline) = pending.deadline {
            self.timers.arm(deadline, Timer::Call(id));
        }
        let queue = self.calls.queues.entry(pending.lane).or_default();
        queue.push_back(id);
        self.calls.waits += usize::from(pending.lane.is_waits());
        self.calls.kept += usize::from(pending.owner.is_kept());
        self.calls.table.insert(id, pending);
        self.notices.came(id);
    }

    fn next_call_id(&mut self) -> CallId {
        let id = CallId::new(self.next_call);
        self.next_call += 1;
        id
    }

    /// Whether a call that ends now without an answer may have had an effect.
    fn applied(&self, id: CallId, call: &Pending) -> Applied {
        let sent = match call.state {
            State::Waiting | State::Resting(_) | State::Asking(_) => Sent::Nothing,
            State::Sent(conn) => self.conns.get(&conn).map_or(Sent::All, |conn| {
                conn.wire.sent_if_canceled(StreamId(id.get()))
            }),
        };
        #[cfg(feature = "planted")]
        let sent = self.plant_sent(sent);
        match call.class.applied_without_answer(sent) {
            Applied::No if call.is_in_doubt() => Applied::Maybe,
            applied => applied,
        }
    }

    /// Takes an ended call off its connection. One on which the server was silent until a deadline is given
    /// up, whatever else waits there. Where calls share it, that has to have been for longer than it may be
    /// silent about any of them, and no others join it before that.
    fn leave_conn(&mut self, now: Instant, call: CallId, id: ConnId, reason: CloseReason) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        #[cfg(feature = "planted")]
        if self.config.planted == Some(crate::planted::Planted::AnswersShift)
            && conn.wire.outstanding() > 1
        {
            return conn.wire.plant_shift(StreamId(call.get()));
        }
        let step = conn.wire.cancel(StreamId(call.get()));
        #[cfg(feature = "planted")]
        if self.config.planted == Some(crate::planted::Planted::LateAnswer)
            && reason == CloseReason::Canceled
            && conn.lane == Lane::Calls
            && step == CancelStep::CloseConnection
        {
            return self.calls.add_idle(id, Lane::Calls);
        }
        let is_late = reason == CloseReason::Deadline;
        if step == CancelStep::CloseConnection || is_late && conn.lane == Lane::Renewals {
            return self.conn_lost(now, id, reason);
        }
        let (at, owes_since) = (conn.endpoint, conn.owes_since());
        if conn.lane == Lane::Renewals {
            return;
        }
        let silence = now - owes_since;
        let patience = match self.endpoints.configured() {
            1 => self.config.attempt_timeout.max(self.config.read_timeout),
            _ => self.config.attempt_timeout,
        };
        if is_late && silence >= patience {
            return self.conn_lost(now, id, CloseReason::Silent);
        }
        if silence >= self.config.attempt_timeout {
            self.calls.shared.close(id);
        }
        if is_late {
            // Nothing is wrong with it that is known; the next call goes elsewhere all the same.
            self.endpoints.leave(at);
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
        if let State::Resting(until) = call.state {
            self.timers.disarm(until, Timer::Again(id));
            self.calls.held.remove(&id);
        }
        if let Some(until) = call.patient_until {
            self.timers.disarm(until, Timer::Patience(id));
        }
        if call.state == State::Waiting {
            self.calls.leave_line(call.lane, id);
            self.auth.parked.remove(&id);
        }
        self.calls.kept -= usize::from(call.owner.is_kept());
        match call.owner {
            Owner::User => {
                self.sync_answered(id, &result);
                self.tell_answer(id, result);
            }
            Owner::Sync => self.sync_answered(id, &result),
            Owner::VersionOf(conn) => self.version_answered(conn, result),
            Owner::Prefix(at) => self.prefix_answered(at, &result),
            Owner::Login(_) => self.auth.handle_answer(id, result),
            Owner::Leader => {}
            Owner::Probe(at) => {
                self.endpoints.handle_probed(at);
                let why = || EndpointReason::NotAsked;
                self.notices.look_at(&self.endpoints, at, why);
            }
            Owner::Lease(kept) => {
                self.leases.handle_answer(kept, id, call.sent_at, result);
            }
            Owner::Resync(watch) => self.watches.resyncs.handle_answer(watch, id, result),
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
        self.calls.shared.clear();
    }
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
