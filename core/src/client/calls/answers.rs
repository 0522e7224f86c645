//! What an answer means for its call: the outcome, or another attempt with a new token.
//!
//! Why no answer came is in `losses`, what an answer to a further attempt means in `repeats`.

use super::table::Owner;
use super::table::Pending;
use super::table::State;
use crate::api::Response;
use crate::buf::Sent;
use crate::client::Client;
use crate::client::endpoint::Flaw;
use crate::client::notice::EndpointReason;
use crate::client::notice::Reason;
use crate::client::retry;
use crate::client::retry::Class;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::conn::ServerVersion;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Code;
use crate::error::Error;
use crate::error::Known;
use crate::error::ProtocolError;
use crate::error::Status;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;
use crate::wire::Purpose;
use crate::wire::StreamId;

impl Client {
    /// The server answered.
    pub(in crate::client) fn call_answered(
        &mut self,
        now: Instant,
        conn_id: ConnId,
        stream: StreamId,
        result: Result<Response, Status>,
    ) {
        let id = CallId::new(stream.0);
        let call = self.calls.table.get_mut(&id);
        let is_login = call
            .as_ref()
            .is_some_and(|call| matches!(call.owner, Owner::Login(_)));
        let is_asked_first = call
            .as_ref()
            .is_some_and(|call| matches!(call.owner, Owner::Prefix(_)));
        let asking = call.is_some_and(|call| matches!(call.state, State::Asking(_)));
        let mut carried = None;
        if let Some(conn) = self.conns.get_mut(&conn_id) {
            if let (Some(call), Some(since)) = (self.calls.table.get_mut(&id), conn.open_since()) {
                // Nothing was sent before it was open.
                call.sent_at = call.sent_at.max(since);
            }
            carried = Some((conn.endpoint, conn.token));
            if is_login {
                self.auth.handle_asked(conn.endpoint);
            }
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
            let at = conn.endpoint;
            match EndpointReason::of(&result) {
                EndpointReason::Failed(why) => {
                    let begun = conn.last_used;
                    let flaw = Flaw::of(&why);
                    let is_news = self.endpoints.handle_failure(now, at, begun, flaw);
                    self.stats.endpoint_failures += u64::from(is_news);
                    let why = || EndpointReason::Failed(why);
                    self.notices.look_at(&self.endpoints, at, why);
                }
                why => {
                    let is_learners =
                        matches!(&result, Ok(Response::Status(status)) if status.is_learner);
                    if !asking && !is_asked_first && !is_learners {
                        self.endpoints.handle_answer(at);
                    }
                    self.notices.look_at(&self.endpoints, at, || why);
                }
            }
            // The wait before it is asked again grows.
            if !(is_asked_first && result.is_err()) {
                self.gates.entry(conn.lane).or_default().handle_success();
            }
        }
        if asking {
            let is_free = self.is_free_after_answer(now, conn_id);
            return self.ask_answered(now, id, conn_id, is_free);
        }
        self.answer_ended(now, conn_id);
        #[cfg(feature = "planted")]
        if self.plant_refused(now, id, &result) {
            return;
        }
        #[cfg(feature = "planted")]
        let lease_is_there = match self.config.planted {
            Some(crate::planted::Planted::GoneIsRenewed) => Ok,
            _ => lease_is_there,
        };
        let Some(result) = self.explain(id, result) else {
            return;
        };
        let Some(call) = self.calls.table.get(&id) else {
            return;
        };
        let result = result.and_then(lease_is_there).map_err(|status| {
            let applied = match call.class.applied_with(call.request.rpc, &status) {
                _ if call.is_in_doubt() => Applied::Maybe,
                _ if status.needs_new_token() => Applied::No,
                applied => applied,
            };
            #[cfg(feature = "planted")]
            let applied = match (self.config.planted, status.known()) {
                (Some(crate::planted::Planted::SpaceIsCertain), Some(Known::NoSpace)) => {
                    Applied::No
                }
                _ => applied,
            };
            self.auth.error(status, applied)
        });
        let result = result.and_then(|mut response| {
            let accepted = match (call.request.accepts)(&response) {
                // What the client asks for itself is not in the namespace.
                true if matches!(call.owner, Owner::User | Owner::Resync(_)) => {
                    self.config.namespace.leave_response(&mut response)
                }
                true => Ok(()),
                false => Err(ProtocolError::WrongOperations),
            };
            accepted.map_err(|wrong| Error::Unavailable {
                cause: Cause::BadAnswer(wrong),
                applied: call.class.applied_without_answer(Sent::All),
            })?;
            Ok(response)
        });
        let result = match (result, carried) {
            (Ok(response), Some((at, _))) => match self.doubt(now, id, at, &response) {
                None => {
                    if let Some(header) = response.header() {
                        self.revision_shown(now, at, header.revision);
                    }
                    Ok(response)
                }
                Some(cause) if self.call_doubted(now, id, conn_id, &cause) => return,
                Some(cause) => {
                    let call = self.calls.table.get(&id);
                    let applied = call.map(|call| call.class.applied_without_answer(Sent::All));
                    let applied = applied.unwrap_or(Applied::Maybe);
                    Err(Error::Unavailable { cause, applied })
                }
            },
            (result, _) => result,
        };
        if result.is_ok() {
            self.call_succeeded(now, id);
        }
        if let (Err(error), Some((at, token))) = (&result, carried) {
            if let Some(status) = error.status() {
                if self.call_refused(now, id, at, token, status) {
                    self.attempt_failed(id, Some(now), |_| Reason::of_status(status));
                    return self.call_again(now, id);
                }
                if self.call_refused_for_now(now, id, status) {
                    return;
                }
            }
        }
        match &result {
            Ok(_) => self.note_answer(now, id),
            Err(error) => self.attempt_failed(id, None, |_| Reason::of_error(error)),
        }
        self.finish_call(id, result);
    }

    /// An answer has ended on a connection: others may have it, or wait there for theirs.
    pub(in crate::client) fn answer_ended(&mut self, now: Instant, id: ConnId) {
        if self.is_free_after_answer(now, id) {
            if let Some(conn) = self.conns.get(&id) {
                self.calls.add_idle(id, conn.lane);
            }
        }
    }

    /// Whether a connection on which an answer has ended can have another call now; one that is of no use
    /// is closed.
    fn is_free_after_answer(&mut self, now: Instant, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(&id) else {
            return false;
        };
        let is_wanted = match conn.lane {
            Lane::Calls => self.endpoints.is_wanted(conn.endpoint),
            Lane::Pinned(_)
            | Lane::Watches
            | Lane::Renewals
            | Lane::Snapshots(_)
            | Lane::Observers => true,
            Lane::Waits | Lane::PinnedWaits(_) => false,
        };
        if !is_wanted {
            // Kept, it would take the place of another when its endpoint's turn comes again.
            self.calls.shared.close(id);
            if conn.wire.is_idle() {
                self.conn_lost(now, id, CloseReason::Idle);
            }
            return false;
        }
        conn.lane.purpose() == Purpose::Calls
            && conn.wire.is_idle()
            && conn.close_reason().is_none()
    }

    /// Why an answer must not be delivered, by what its header says (rule B-7, guarantee G8). The endpoint
    /// has failed then.
    fn doubt(
        &mut self,
        now: Instant,
        id: CallId,
        at: EndpointIndex,
        response: &Response,
    ) -> Option<Cause> {
        let header = response.header()?;
        let call = self.calls.table.get(&id)?;
        let known = call.known;
        let cause = match self.evidence.handle_header(header) {
            Err(cause) => Some(cause),
            Ok(()) if header.revision < known && call.request.is_linearizable_read() => {
                let back = self.evidence.runs_back(now, known, header.revision);
                if back.is_none() && self.evidence.revision() == header.revision {
                    self.endpoints.handle_set_back();
                }
                back
            }
            Ok(()) => None,
        };
        if cause.is_none() {
            match response {
                Response::Status(status) => self.endpoints.handle_status(at, status),
                _ => self.endpoints.handle_header(at, header),
            }
        }
        if let Some(cause) = &cause {
            self.endpoint_failed(now, at, now, Reason::of_cause(cause));
        }
        cause
    }

    /// Whether a call whose answer must not be delivered is made again, elsewhere.
    fn call_doubted(&mut self, now: Instant, id: CallId, conn: ConnId, cause: &Cause) -> bool {
        let is_left = |conn: &Conn| {
            let is_wanted = conn.lane != Lane::Calls || self.endpoints.is_wanted(conn.endpoint);
            !is_wanted && conn.wire.is_idle()
        };
        if self.conns.get(&conn).is_some_and(is_left) {
            self.conn_lost(now, conn, CloseReason::Idle);
        }
        let Some(call) = self.calls.table.get_mut(&id) else {
            return false;
        };
        if call.class != Class::Read || !call.may_try_again(self.config.max_attempts) {
            return false;
        }
        call.last_refusal = None;
        call.last_cause = Some(cause.clone());
        let elsewhere = call.lane.endpoint().is_none();
        self.make_again(now, id, elsewhere, retry::TROUBLE)
    }

    /// Whether a refused call is made again with another token. It certainly was not done (rule R-4,
    /// guarantee G41).
    pub(super) fn call_refused(
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
        // That a member does not know a token is an answer, too.
        if found.is_some_and(|call| matches!(call.owner, Owner::Probe(_))) {
            return false;
        }
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

    /// Whether a call that was refused for a reason that passes is made again: at once at another
    /// endpoint, and after a wait where every one has refused it (rules ). Not if its
    /// deadline comes before that: then the refusal is its outcome.
    fn call_refused_for_now(&mut self, now: Instant, id: CallId, status: &Status) -> bool {
        let Some(passing) = retry::passing(status) else {
            return false;
        };
        let Some(call) = self.calls.table.get_mut(&id) else {
            return false;
        };
        let rpc = call.request.rpc;
        if !call.class.may_follow(rpc, status) || !call.may_try_again(self.config.max_attempts) {
            return false;
        }
        if call.class.applied_with(rpc, status) == Applied::Maybe {
            call.doubt();
        }
        call.last_cause = None;
        call.last_refusal = Some(status.clone());
        let elsewhere = passing.is_members && call.lane.endpoint().is_none();
        self.make_again(now, id, elsewhere, passing.cap)
    }

    /// Ends a call that was not under way.
    pub(in crate::client) fn fail_call(&mut self, id: CallId, error: Error) {
        let maybe = self.calls.table.get(&id).is_some_and(Pending::is_in_doubt);
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
    fn ask_answered(&mut self, now: Instant, id: CallId, conn: ConnId, is_free: bool) {
        if is_free {
            return self.start_call(now, id, conn);
        }
        if let Some(call) = self.calls.table.get_mut(&id) {
            call.state = State::Waiting;
            let queue = self.calls.queues.entry(call.lane).or_default();
            queue.push_front(id);
        }
    }
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
