//! A request from its coming to its answer.

use core::time::Duration;

use etcd_core::{Code, Instant, Known, Response, Txn, TxnOp, Version};

use super::expiry::LeaseAsk;
use super::reads::{Read, context_deadline};
use super::{Cluster, Waiter};
use crate::etcd::auth::AuthInfo;
use crate::etcd::machine::fault;
use crate::etcd::store::{check_request, writes};
use crate::etcd::{Fault, Meta, Request};

/// A request under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) member: usize,
    since: Instant,
    deadline: Instant,
    stage: Stage,
    token: Option<String>,
    /// What to begin again if users or roles change under way.
    again: Option<Request>,
}

/// How far a request got, which decides how its time running out is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A write that no leader has got.
    Waiting,
    /// A write that a leader may have got.
    Proposed,
    /// A read.
    Reading,
    /// A question about a lease.
    Asking,
    /// The asker's own time is shorter than the server's.
    OwnDeadline,
}

impl Cluster {
    /// A request came to a member that serves.
    pub(super) fn begin(&mut self, member: usize, waiter: Waiter, meta: Meta, request: Request) {
        if meta.require_leader && self.nodes[member].leader.is_none() {
            self.finish(member, waiter, Err(fault(Known::NoLeader)));
            return;
        }
        if let Waiter::Ask(ask) = waiter {
            if self.serve(member, ask, &meta, &request) {
                return;
            }
        }
        if let Err(fault) = self.check(member, &request) {
            self.finish(member, waiter, Err(fault));
            return;
        }
        // The password is looked at before the token that came along.
        if let Request::Authenticate(login) = &request {
            if let Err(fault) = self.nodes[member].machine.auth.check_password(login) {
                self.finish(member, waiter, Err(fault));
                return;
            }
        }
        let who = self.identify(member, meta.token.as_deref(), &request);
        match who {
            Ok(who) => self.dispatch(member, waiter, who, &meta, request),
            Err(fault) => self.finish(member, waiter, Err(fault)),
        }
    }

    pub(super) fn identify(
        &mut self,
        member: usize,
        token: Option<&str>,
        request: &Request,
    ) -> Result<AuthInfo, Fault> {
        let machine = &mut self.nodes[member].machine;
        let tokens = &mut machine.tokens;
        machine.auth.identify(self.now, tokens, token, request)
    }

    /// What is wrong with a request by itself, or with asking this member.
    fn check(&self, member: usize, request: &Request) -> Result<(), Fault> {
        let node = &self.nodes[member];
        let learner = node.machine.members.get(node.id);
        if learner.is_some_and(|member| member.is_learner) && !serves_as_learner(request) {
            let mut refused = fault(Known::NotSupportedForLearner);
            if self.setup.version < Version::new(3, 6, 0) {
                refused.code = Code::UNAVAILABLE;
            }
            return Err(refused);
        }
        let size = encoded_size(request);
        let limit = self.setup.message_limit();
        if size > limit {
            let text = format!("grpc: received message larger than max ({size} vs. {limit})");
            return Err(Fault::new(Code::RESOURCE_EXHAUSTED, text));
        }
        check_request(request, self.setup.max_txn_ops).map_err(fault)?;
        if size + PROPOSAL_OVERHEAD > self.setup.max_request_bytes && is_write(request) {
            return Err(fault(Known::RequestTooLarge));
        }
        Ok(())
    }

    fn dispatch(
        &mut self,
        member: usize,
        waiter: Waiter,
        who: AuthInfo,
        meta: &Meta,
        request: Request,
    ) {
        match request {
            Request::Range(ref range) if range.serializable => {
                let result = self.look(member, &who, &request);
                self.finish(member, waiter, result);
            }
            Request::Txn(ref txn) if !writes(txn) => {
                if !self.nodes[member].machine.fits(&self.setup, &request) {
                    self.raise_nospace(member);
                    self.finish(member, waiter, Err(fault(Known::NoSpace)));
                } else if is_serializable(txn) {
                    let result = self.look(member, &who, &request);
                    self.finish(member, waiter, result);
                } else {
                    self.begin_read(member, waiter, who, meta, request);
                }
            }
            Request::Range(_) => self.begin_read(member, waiter, who, meta, request),
            Request::MemberList(ref list) => {
                if list.linearizable && self.setup.version >= Version::new(3, 5, 0) {
                    self.begin_read(member, waiter, who, meta, request);
                } else {
                    let result = self.look(member, &who, &request);
                    self.finish(member, waiter, result);
                }
            }
            Request::LeaseTimeToLive(request) => {
                self.wait(member, waiter, meta, Stage::Asking, None);
                let ask = LeaseAsk::TimeToLive {
                    waiter,
                    request,
                    who,
                };
                self.ask_leader(member, ask);
            }
            request if is_write(&request) => {
                self.begin_write(member, waiter, who, meta, request);
            }
            request => self.keep_up(member, waiter, &who, meta, request),
        }
    }

    fn begin_read(
        &mut self,
        member: usize,
        waiter: Waiter,
        who: AuthInfo,
        meta: &Meta,
        request: Request,
    ) {
        let is_txn = matches!(request, Request::Txn(_));
        self.wait(member, waiter, meta, Stage::Reading, None);
        if is_txn {
            self.prolong(waiter);
        }
        let read = Read {
            request,
            who,
            waiter,
            is_lost: false,
        };
        self.read(member, read);
    }

    pub(super) fn begin_write(
        &mut self,
        member: usize,
        waiter: Waiter,
        who: AuthInfo,
        meta: &Meta,
        request: Request,
    ) {
        if !self.nodes[member].machine.fits(&self.setup, &request) {
            self.raise_nospace(member);
            self.finish(member, waiter, Err(fault(Known::NoSpace)));
            return;
        }
        if self.log.last() > self.nodes[member].applied + MAX_GAP {
            let text = Known::RequestTooManyRequests.message();
            self.finish(member, waiter, Err(Fault::new(Code::UNKNOWN, text)));
            return;
        }
        if let Err(fault) = self.check_member_change(member, &request) {
            self.finish(member, waiter, Err(fault));
            return;
        }
        // Only who came with a token can find it outdated.
        let again = (who.revision != 0).then(|| request.clone());
        let is_txn = matches!(request, Request::Txn(_));
        self.wait(member, waiter, meta, Stage::Waiting, again);
        if is_txn {
            self.prolong(waiter);
        }
        self.propose(member, Some(waiter), Some(who), request);
    }

    /// From now on somebody waits, as long as the server or the asker itself has patience.
    fn wait(
        &mut self,
        member: usize,
        waiter: Waiter,
        meta: &Meta,
        stage: Stage,
        again: Option<Request>,
    ) {
        let timeout = self.setup.request_timeout();
        let (deadline, stage) = match meta.timeout {
            Some(own) if own < timeout => (self.now + own, Stage::OwnDeadline),
            _ => (self.now + timeout, stage),
        };
        self.deadlines.insert((deadline, waiter));
        let pending = Pending {
            member,
            since: self.now,
            deadline,
            stage,
            token: meta.token.clone(),
            again,
        };
        self.pending.insert(waiter, pending);
    }

    /// A request whose outcome will not come.
    pub(super) fn wait_in_vain(&mut self, member: usize, waiter: Waiter, meta: &Meta) {
        self.wait(member, waiter, meta, Stage::Proposed, None);
    }

    /// Transactions are waited for longer (gateway.md 16).
    fn prolong(&mut self, waiter: Waiter) {
        let Some(pending) = self.pending.get_mut(&waiter) else {
            return;
        };
        if pending.stage != Stage::OwnDeadline {
            self.deadlines.remove(&(pending.deadline, waiter));
            pending.deadline = pending.deadline + Duration::from_secs(6);
            self.deadlines.insert((pending.deadline, waiter));
        }
    }

    pub(super) fn mark_proposed(&mut self, waiter: Waiter) {
        if let Some(pending) = self.pending.get_mut(&waiter) {
            if pending.stage == Stage::Waiting {
                pending.stage = Stage::Proposed;
            }
        }
    }

    /// A request of this member has its outcome.
    pub(super) fn finish(
        &mut self,
        member: usize,
        waiter: Waiter,
        result: Result<Response, Fault>,
    ) {
        let pending = self.drop_pending(waiter);
        let mut result = result;
        match &mut result {
            Ok(response) => self.fill(member, response),
            Err(fault) if *fault == self.nodes[member].machine.auth.old_revision() => {
                // The server itself begins again, as often as it takes.
                if let Some((pending, request)) =
                    pending.and_then(|mut old| old.again.take().map(|request| (old, request)))
                {
                    self.begin_again(member, waiter, pending, request);
                    return;
                }
            }
            Err(_) => {}
        }
        match waiter {
            Waiter::Ask(ask) => self.answer(ask, result),
            Waiter::Service(id) => self.advance(id, result),
            Waiter::Renewal(_) | Waiter::Patience(_) => {}
        }
    }

    fn begin_again(
        &mut self,
        member: usize,
        waiter: Waiter,
        mut pending: Pending,
        request: Request,
    ) {
        let revision = self.nodes[member].machine.auth.revision();
        match self.identify(member, pending.token.as_deref(), &request) {
            // A signed token does not become younger.
            Ok(who) if who.revision < revision => {
                let old = self.nodes[member].machine.auth.old_revision();
                self.finish(member, waiter, Err(old));
            }
            Ok(who) => {
                pending.again = Some(request.clone());
                pending.stage = Stage::Waiting;
                self.deadlines.insert((pending.deadline, waiter));
                self.pending.insert(waiter, pending);
                self.propose(member, Some(waiter), Some(who), request);
            }
            Err(fault) => self.finish(member, waiter, Err(fault)),
        }
    }

    /// Nobody waits any more.
    pub(super) fn drop_pending(&mut self, waiter: Waiter) -> Option<Pending> {
        let pending = self.pending.remove(&waiter)?;
        self.deadlines.remove(&(pending.deadline, waiter));
        Some(pending)
    }

    /// A member is gone, and with it who asked it.
    pub(super) fn drop_member(&mut self, member: usize) {
        let of = self.pending.iter();
        let of = of.filter(|(_, pending)| pending.member == member);
        let of: Vec<_> = of.map(|(&waiter, _)| waiter).collect();
        for waiter in of {
            self.drop_pending(waiter);
        }
        self.streams.retain(|_, stream| stream.member != member);
        self.drop_services(member);
    }

    /// The first deadline has passed.
    pub(super) fn time_out(&mut self) {
        let Some((_, waiter)) = self.deadlines.pop_first() else {
            return;
        };
        match waiter {
            Waiter::Renewal(ask) => return self.time_out_renewals(ask),
            Waiter::Patience(service) => return self.lose_patience(service),
            Waiter::Ask(_) | Waiter::Service(_) => {}
        }
        let Some(pending) = self.pending.remove(&waiter) else {
            return;
        };
        let member = pending.member;
        let fault = match pending.stage {
            Stage::Waiting => context_deadline(&self.setup.version),
            Stage::Proposed => fault(self.why_late(&pending)),
            Stage::Reading => fault(Known::Timeout),
            Stage::Asking => fault(Known::NoLeader),
            Stage::OwnDeadline => Fault::new(Code::DEADLINE_EXCEEDED, "context deadline exceeded"),
        };
        self.finish(member, waiter, Err(fault));
    }

    /// What etcd takes for the reason that a proposal was not agreed on in time.
    fn why_late(&self, pending: &Pending) -> Known {
        let node = &self.nodes[pending.member];
        let lost = 2 * self.setup.election_timeout;
        if pending.since < self.elected && self.elected - pending.since < lost {
            return Known::TimeoutDueToLeaderFail;
        }
        let Some(leader) = node.leader else {
            return Known::Timeout;
        };
        // Whom it needed has to have been there all the time.
        let was_there = |other: usize| {
            let since = self.nodes[other].since.max(node.since);
            self.reaches(pending.member, other) && since <= pending.since
        };
        let voters = &self.truth.members;
        let is_voter = |&other: &usize| voters.is_voter(self.nodes[other].id);
        let is_well = match leader == pending.member {
            true => {
                let there = (0..self.nodes.len()).filter(is_voter);
                there.filter(|&other| was_there(other)).count() >= voters.quorum()
            }
            false => was_there(leader),
        };
        if is_well {
            Known::Timeout
        } else {
            Known::TimeoutDueToConnectionLost
        }
    }
}

/// By how many entries a member may be late before it takes no more writes.
const MAX_GAP: u64 = 5_000;

/// What a proposal adds to its request, in bytes, by what was measured (gateway.md 15).
const PROPOSAL_OVERHEAD: usize = 14;

/// Whether a request is agreed on by all.
fn is_write(request: &Request) -> bool {
    matches!(
        request,
        Request::Put(_)
            | Request::DeleteRange(_)
            | Request::Txn(_)
            | Request::Compact(_)
            | Request::LeaseGrant(_)
            | Request::LeaseRevoke(_)
            | Request::Alarm(_)
            | Request::Downgrade(_)
            | Request::MemberAdd(_)
            | Request::MemberRemove(_)
            | Request::MemberUpdate(_)
            | Request::MemberPromote(_)
            | Request::AuthEnable(_)
            | Request::AuthDisable(_)
            | Request::AuthStatus(_)
            | Request::Authenticate(_)
            | Request::UserAdd(_)
            | Request::UserGet(_)
            | Request::UserList(_)
            | Request::UserDelete(_)
            | Request::UserChangePassword(_)
            | Request::UserGrantRole(_)
            | Request::UserRevokeRole(_)
            | Request::RoleAdd(_)
            | Request::RoleGet(_)
            | Request::RoleList(_)
            | Request::RoleDelete(_)
            | Request::RoleGrantPermission(_)
            | Request::RoleRevokePermission(_)
    )
}

/// Whether a member that does not vote answers this.
fn serves_as_learner(request: &Request) -> bool {
    match request {
        Request::Range(range) => range.serializable,
        Request::Status(_)
        | Request::Version(_)
        | Request::Health(_)
        | Request::Livez(_)
        | Request::Readyz(_)
        | Request::Metrics(_) => true,
        _ => false,
    }
}

/// Whether each read of a transaction may be answered by what the member has.
fn is_serializable(txn: &Txn) -> bool {
    txn.success.iter().chain(&txn.failure).all(|op| match op {
        TxnOp::Range(range) => range.serializable,
        _ => false,
    })
}

/// How large a request is as protobuf, roughly: its keys and values, and a little for each.
fn encoded_size(request: &Request) -> usize {
    match request {
        Request::Put(put) => put_size(put.key.len(), put.value.len()),
        Request::Txn(txn) => txn_size(txn),
        _ => 0,
    }
}

const fn put_size(key: usize, value: usize) -> usize {
    key + value + 9
}

fn txn_size(txn: &Txn) -> usize {
    let sizes = txn.success.iter().chain(&txn.failure).map(|op| match op {
        TxnOp::Put(put) => put_size(put.key.len(), put.value.len()),
        TxnOp::Txn(txn) => txn_size(txn),
        _ => 16,
    });
    sizes.sum::<usize>() + 16 * txn.compare.len()
}
