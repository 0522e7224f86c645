//! Calls that go out ahead of the answers to others on their connection
//! ([`Config::pipeline_depth`](crate::Config::pipeline_depth)).
//!
//! A connection that is lost takes all calls on it along, whoever was at fault. So only those share one
//! that may be repeated: a write that may not has its connection for itself, and so has a call that was
//! the next to be answered when a shared one was lost, as that may have been its doing.
//!
//! ```text
//!   Idle ──a call that shares──► shared ──more, up to the depth──► shared
//!    ▲ └───any other call──► not shared        │ the first in line needs one for itself
//!    │                            │            ▼
//!    └──────── all answered ──────┴──────── emptied: takes no more
//! ```
//!
//! What a loss means for each of the calls is not known here.

use std::collections::BTreeMap;

use super::Owner;
use super::table::Calls;
use super::table::Pending;
use crate::client::Client;
use crate::client::retry::Class;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;

/// How far down its line a call may be to overtake those that need a connection for themselves.
const MOST_OVERTAKEN: usize = 64;

/// The connections with calls on them that share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Those that others may join.
    open: Vec<ConnId>,
    /// Those that none may join, for calls that need one for themselves: one to each endpoint.
    emptied: BTreeMap<EndpointIndex, ConnId>,
}

impl Shared {
    /// A call that shares is on it.
    fn open(&mut self, conn: ConnId) {
        if !self.open.contains(&conn) {
            self.open.push(conn);
        }
    }

    /// Others may not join any more.
    pub(super) fn close(&mut self, conn: ConnId) {
        self.open.retain(|open| *open != conn);
    }

    /// No call is on it any more, or it is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.close(conn);
        self.emptied.retain(|_, emptied| *emptied != conn);
    }

    /// Others may join all of them again.
    fn reopen(&mut self) {
        for conn in core::mem::take(&mut self.emptied).into_values() {
            self.open(conn);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Pending {
    /// Whether it may be on a connection together with others. What the client itself wants to know of a
    /// server is not to wait behind others.
    fn shares(&self) -> bool {
        self.class != Class::Once
            && !self.is_apart
            && matches!(self.lane, Lane::Calls | Lane::Pinned(_))
            && self.request.is_post()
            && self.request.needs.is_none()
            && matches!(self.owner, Owner::User | Owner::Sync | Owner::Resync(_))
    }
}

impl Calls {
    fn may_share(&self, id: CallId) -> bool {
        self.table.get(&id).is_some_and(Pending::shares)
    }
}

impl Client {
    fn shares_connections(&self) -> bool {
        self.config.pipeline_depth > 1
    }

    /// A call was sent on a connection: others may join it there, if it shares.
    pub(super) fn share_conn(&mut self, id: CallId, conn: ConnId) {
        if self.shares_connections() && self.calls.may_share(id) {
            self.calls.shared.open(conn);
        }
    }

    /// The connection on which the first call of a lane goes ahead of others' answers: to this endpoint, or
    /// to one that will do as well.
    pub(super) fn take_shared(
        &mut self,
        now: Instant,
        lane: Lane,
        at: EndpointIndex,
    ) -> Option<ConnId> {
        if !self.shares_connections() || !self.calls.may_share(self.calls.first_waiting(lane)?) {
            return None;
        }
        self.least_busy(now, lane, at)
    }

    /// Of the connections that a call of a lane may join the one with the fewest calls on it.
    fn least_busy(&mut self, now: Instant, lane: Lane, at: EndpointIndex) -> Option<ConnId> {
        let depth = self.config.pipeline_depth;
        let found = match self.is_admitted(now, lane, at) {
            true => self.least_busy_at(at, depth),
            false => None,
        };
        if found.is_some() || lane.endpoint().is_some() {
            return found;
        }
        for other in self.others(at) {
            let found = self.least_busy_at(other, depth);
            if found.is_some() && self.is_admitted(now, lane, other) {
                return found;
            }
        }
        None
    }

    /// Where a call may go as well.
    fn others(&self, at: EndpointIndex) -> Vec<EndpointIndex> {
        let others = self.endpoints.instead().filter(|other| *other != at);
        others.collect()
    }

    /// The one to this endpoint with less than so many calls on it.
    fn least_busy_at(&self, at: EndpointIndex, most: usize) -> Option<ConnId> {
        let takes_more = |conn: &Conn| {
            conn.endpoint == at
                && conn.wire.outstanding() < most
                // All on one connection carry the same token, so that it is known which one was refused.
                && self.auth.is_newest(conn)
        };
        let open = self.calls.shared.open.iter();
        let open = open.filter_map(|id| Some((id, self.conns.get(id)?)));
        let open = open.filter(|(_, conn)| takes_more(conn));
        let found = open.min_by_key(|(_, conn)| conn.wire.outstanding());
        found.map(|(id, _)| *id)
    }

    /// Lets nobody join one of them any more, so that it will be free. One to each endpoint at a time.
    fn empty_one(&mut self, lane: Lane, at: EndpointIndex) {
        if self.opening(lane) > 0 {
            return;
        }
        let mut to = vec![at];
        if lane.endpoint().is_none() {
            to.extend(self.others(at));
        }
        // What one endpoint does not answer must not keep others from being emptied.
        to.retain(|at| !self.calls.shared.emptied.contains_key(at));
        let found = to
            .into_iter()
            .find_map(|at| Some((at, self.least_busy_at(at, usize::MAX)?)));
        if let Some((at, conn)) = found {
            self.calls.shared.close(conn);
            self.calls.shared.emptied.insert(at, conn);
        }
    }

    /// Where the first call of a line waits for a connection for itself, one is emptied for it, and those
    /// behind it that share go ahead on the others.
    pub(super) fn place_behind(&mut self, now: Instant, lane: Lane) {
        let Some(first) = self.calls.first_waiting(lane) else {
            return;
        };
        if !self.shares_connections() || self.calls.may_share(first) || lane.is_waits() {
            return;
        }
        let at = lane.endpoint().unwrap_or_else(|| self.endpoints.for_call());
        self.empty_one(lane, at);
        while let Some(next) = self.first_that_shares(lane) {
            let at = lane.endpoint().unwrap_or_else(|| self.endpoints.for_call());
            let Some(conn) = self.least_busy(now, lane, at) else {
                return;
            };
            self.calls.leave_line(lane, next);
            self.start_call_at(now, next, at, conn);
        }
    }

    /// Whether connections that were to be emptied can be joined again, as nobody needs them for himself any
    /// more, and somebody waits.
    pub(super) fn reopen_shared(&mut self) -> bool {
        if self.calls.shared.emptied.is_empty() {
            return false;
        }
        let firsts = self.calls.lines().into_iter();
        let mut firsts = firsts.filter_map(|lane| self.calls.first_waiting(lane));
        if firsts.any(|first| !self.calls.may_share(first)) {
            return false;
        }
        self.calls.shared.reopen();
        !self.calls.lines().is_empty()
    }

    fn first_that_shares(&self, lane: Lane) -> Option<CallId> {
        let line = self.calls.queues.get(&lane)?.iter().take(MOST_OVERTAKEN);
        line.copied().find(|id| self.calls.may_share(*id))
    }
}
