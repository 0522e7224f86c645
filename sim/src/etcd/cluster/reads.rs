//! Reads that must see all that was agreed on before they came.
//!
//! Such a read asks the leader up to where the log goes, and is answered by its own member once that
//! one has applied it up to there. Without a leader it waits for one.

use etcd_core::{Code, Known, MemberListResponse, Response, Version};

use super::timers::Event;
use super::{Cluster, Waiter};
use crate::etcd::auth::AuthInfo;
use crate::etcd::machine::{fault, lease_keys};
use crate::etcd::{Fault, Request};

/// A read under way.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) request: Request,
    pub(super) who: AuthInfo,
    pub(super) waiter: Waiter,
    /// Whether a leader was asked that cannot answer.
    pub(super) is_lost: bool,
}

impl Cluster {
    /// Begins a linearizable read.
    pub(super) fn read(&mut self, member: usize, read: Read) {
        if self.nodes.len() == 1 {
            self.confirm_read(member, read);
        } else {
            let latency = self.setup.commit_latency;
            self.plan(latency, Event::Read(member, Box::new(read)));
        }
    }

    /// The leader is asked.
    pub(super) fn confirm_read(&mut self, member: usize, mut read: Read) {
        if !self.nodes[member].running || !self.pending.contains_key(&read.waiter) {
            return;
        }
        let leader = self.nodes[member].leader;
        let reached = leader.filter(|&leader| self.reaches(member, leader));
        match reached {
            Some(leader) if self.leader == Some(leader) => {
                let index = self.log.last();
                self.nodes[member].late_reads.push((index, read));
                self.answer_late_reads(member);
            }
            // It believes to lead, and does not make sure.
            Some(_) if self.setup.defects.stale_reads => self.answer_read(member, read),
            _ => {
                read.is_lost = leader.is_some();
                self.nodes[member].reads.push(read);
            }
        }
    }

    /// Answers the reads that have waited for the member to catch up.
    pub(super) fn answer_late_reads(&mut self, member: usize) {
        let applied = self.nodes[member].applied;
        let late = &mut self.nodes[member].late_reads;
        if late.iter().all(|&(index, _)| index > applied) {
            return;
        }
        let (due, late) = core::mem::take(late)
            .into_iter()
            .partition::<Vec<_>, _>(|&(index, _)| index <= applied);
        self.nodes[member].late_reads = late;
        for (_, read) in due {
            self.answer_read(member, read);
        }
    }

    fn answer_read(&mut self, member: usize, read: Read) {
        if self.pending.contains_key(&read.waiter) {
            let result = self.look(member, &read.who, &read.request);
            self.finish(member, read.waiter, result);
        }
    }

    /// Reads what a member has now.
    pub(super) fn look(
        &mut self,
        member: usize,
        who: &AuthInfo,
        request: &Request,
    ) -> Result<Response, Fault> {
        let machine = &mut self.nodes[member].machine;
        let keys = |id| lease_keys(&machine.leases, id);
        machine.auth.permit(who, request, &keys)?;
        match request {
            Request::Range(range) => {
                let current = machine.store.revision();
                let response = machine.store.range(range, current);
                let response = response.map_err(|why| fault(why.into()))?;
                Ok(response.into())
            }
            Request::Txn(txn) => machine.read_txn(txn).map_err(fault),
            Request::MemberList(_) => {
                let mut response = MemberListResponse::default();
                response.members = machine.members.list();
                Ok(response.into())
            }
            _ => Err(fault(Known::NotCapable)),
        }
    }

    /// The leader changed while reads waited for the old one; newer servers say so.
    pub(super) fn change_of_leader(&mut self) {
        if self.setup.version < Version::new(3, 5, 0) {
            return;
        }
        for member in 0..self.nodes.len() {
            for read in core::mem::take(&mut self.nodes[member].reads) {
                self.finish(member, read.waiter, Err(fault(Known::LeaderChanged)));
            }
        }
    }

    /// A member has another leader than the one its reads were asked of, and says so; seen on 3.4.23
    /// and 3.5.1.
    pub(super) fn end_lost_reads(&mut self, member: usize) {
        let (lost, others) = core::mem::take(&mut self.nodes[member].reads)
            .into_iter()
            .partition::<Vec<_>, _>(|read| read.is_lost);
        self.nodes[member].reads = others;
        for read in lost {
            self.finish(member, read.waiter, Err(fault(Known::LeaderChanged)));
        }
    }

    /// A member found its leader: what waited for one goes on.
    pub(super) fn retry_blocked(&mut self, member: usize) {
        for proposal in core::mem::take(&mut self.nodes[member].proposals) {
            let gone = |(_, waiter)| !self.pending.contains_key(&waiter);
            if !proposal.by.is_some_and(gone) {
                self.hand_over(member, proposal);
            }
        }
        for read in core::mem::take(&mut self.nodes[member].reads) {
            self.read(member, read);
        }
        self.retry_lease_asks(member);
    }
}

/// The text of a context of Go's that ran out; its code is lost on older servers.
pub(super) fn context_deadline(version: &Version) -> Fault {
    let code = if crate::etcd::setup::is_second_gateway(version) {
        Code::DEADLINE_EXCEEDED
    } else {
        Code::UNKNOWN
    };
    Fault::new(code, "context deadline exceeded")
}
