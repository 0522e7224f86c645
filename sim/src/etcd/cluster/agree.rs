//! From a proposal to what every member does: the log all of them work off.

use std::collections::VecDeque;

use etcd_core::{AlarmRequest, AlarmType, Known, LeaseRevoke, Response};

use super::timers::Event;
use super::{Cluster, Waiter};
use crate::etcd::auth::{AuthInfo, Tokens};
use crate::etcd::log::{Applied, Change};
use crate::etcd::machine::{Entry, fault};
use crate::etcd::{Fault, Request};

/// A write somebody asked for, before it is agreed on.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) request: Request,
    pub(super) who: Option<AuthInfo>,
    /// Which member waits for the outcome, and for whom.
    pub(super) by: Option<(usize, Waiter)>,
    pub(super) drawn: u64,
    pub(super) token: String,
    /// The leader it was handed to, and that one's term.
    pub(super) leader: usize,
    pub(super) term: u64,
}

/// A proposal that its leader could not get agreed on.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) proposal: Proposal,
    pub(super) holder: usize,
}

/// What was agreed on. Entries that every member has, and old ones, are forgotten.
#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<(Entry, Option<(usize, Waiter)>)>,
    /// The index of the first entry kept.
    first: u64,
}

impl Log {
    pub(super) const fn new(begun: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            first: begun + 1,
        }
    }

    /// The index of the last entry.
    pub(super) fn last(&self) -> u64 {
        self.first - 1 + u64::try_from(self.entries.len()).unwrap_or(0)
    }

    fn get(&self, index: u64) -> Option<&(Entry, Option<(usize, Waiter)>)> {
        let place = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get(place)
    }

    /// Forgets what is before `index`.
    fn forget(&mut self, index: u64) {
        while self.first < index && self.entries.pop_front().is_some() {
            self.first += 1;
        }
    }
}

impl Cluster {
    /// A member wants a write to be agreed on.
    pub(super) fn propose(
        &mut self,
        member: usize,
        waiter: Option<Waiter>,
        who: Option<AuthInfo>,
        request: Request,
    ) {
        let token = match &request {
            Request::Authenticate(_) => Tokens::prefix(&mut self.rng),
            _ => String::new(),
        };
        let drawn = match &request {
            Request::LeaseGrant(_) | Request::MemberAdd(_) => self.rng.next_u64() | 3,
            _ => 0,
        };
        let proposal = Proposal {
            request,
            who,
            by: waiter.map(|waiter| (member, waiter)),
            drawn,
            token,
            leader: member,
            term: 0,
        };
        self.hand_over(member, proposal);
    }

    /// Gives a proposal to whom the member takes for the leader.
    pub(super) fn hand_over(&mut self, member: usize, mut proposal: Proposal) {
        let Some(leader) = self.nodes[member].leader else {
            self.nodes[member].proposals.push(proposal);
            return;
        };
        let hands_over = self
            .hands_over
            .as_ref()
            .filter(|over| self.now < over.until);
        if hands_over.is_some() && self.leader == Some(leader) {
            // A leader that is about to hand over takes nothing; who forwarded it is not told.
            if let Some((_, waiter)) = proposal.by.filter(|_| leader == member) {
                self.finish(member, waiter, Err(fault(Known::ProposalDropped)));
            } else if let Some((_, waiter)) = proposal.by {
                self.mark_proposed(waiter);
            }
            return;
        }
        if let Some((_, waiter)) = proposal.by {
            self.mark_proposed(waiter);
        }
        // What is sent where nobody hears it is lost, and its asker learns of it by the time alone.
        if self.reaches(member, leader) {
            proposal.leader = leader;
            proposal.term = self.nodes[leader].term;
            let latency = self.setup.commit_latency;
            self.plan(latency, Event::Commit(Box::new(proposal)));
        }
    }

    /// The leader that got a proposal has had the time to get it agreed on.
    pub(super) fn commit(&mut self, proposal: Proposal) {
        let holder = proposal.leader;
        // Whether a lease has ended, a new leader sees for itself.
        let is_expiry =
            proposal.by.is_none() && matches!(proposal.request, Request::LeaseRevoke(_));
        let is_dropped = is_expiry && !self.setup.defects.old_leader_revokes;
        if self.leader == Some(holder) && self.term == proposal.term {
            self.append(proposal);
        } else if is_dropped {
            self.expiry.forget_revoke(&proposal.request);
        } else if self.leader.is_none() || self.nodes[holder].running {
            self.stuck.push(Stuck { proposal, holder });
        } else if self.rng.one_in(2) {
            // The one that had it is gone; the next one got it before.
            self.append(proposal);
        }
    }

    /// What happens to the proposals of leaders that lost their quorum, now that `leader` leads.
    pub(super) fn settle_stuck(&mut self, leader: usize) {
        for Stuck { proposal, holder } in core::mem::take(&mut self.stuck) {
            let alive = self.nodes[holder].running;
            let chance = self.rng.below(6);
            if holder == leader || chance < 2 || !alive && chance == 2 {
                self.append(proposal);
            } else if alive && chance < 4 && !self.reaches(holder, leader) {
                self.stuck.push(Stuck { proposal, holder });
            }
        }
    }

    /// A member that once led found the leader: it may hand on what it could not get agreed on.
    pub(super) fn hand_on_stuck(&mut self, member: usize) {
        let (own, others) = core::mem::take(&mut self.stuck)
            .into_iter()
            .partition::<Vec<_>, _>(|stuck| stuck.holder == member);
        self.stuck = others;
        for Stuck { proposal, .. } in own {
            if self.rng.one_in(2) {
                self.hand_over(member, proposal);
            }
        }
    }

    /// A write is agreed on.
    fn append(&mut self, proposal: Proposal) {
        let ask = match proposal.by {
            Some((_, Waiter::Ask(ask))) => Some(ask),
            _ => None,
        };
        let entry = Entry {
            request: proposal.request,
            ask,
            who: proposal.who,
            drawn: proposal.drawn,
            token: proposal.token,
            at: self.now,
            index: self.log.last() + 1,
        };
        // Alone, a member that is asked is the truth; of several, those that are not asked agree.
        let asked = self.nodes.len() == 1 && self.is_waited_for(proposal.by);
        if let Request::LeaseRevoke(revoke) = &entry.request {
            self.remember_dead(revoke.id);
        }
        let before = self.truth.store.revision();
        let result = self.truth.apply(&self.setup, &entry, asked);
        let changed = self.truth.store.revision() > before;
        let members = self.heed(&entry, &result);
        if self.setup.keep_log {
            self.record(&entry, &result, changed);
        }
        self.log.entries.push_back((entry, proposal.by));
        let last = self.log.last();
        for member in 0..self.nodes.len() {
            if self
                .leader
                .is_some_and(|leader| self.reaches(member, leader))
            {
                self.nodes[member].received = last;
                self.apply_due(member);
            }
        }
        if members {
            self.heed_members();
        }
        self.shorten_log();
    }

    /// Does at once what the cluster as a whole has to do after a write. Tells whether the members
    /// changed.
    fn heed(&mut self, entry: &Entry, result: &Result<Response, Fault>) -> bool {
        match (&entry.request, result) {
            (Request::LeaseGrant(_), Ok(Response::LeaseGrant(granted))) => {
                self.start_lease(granted.id, granted.ttl);
                false
            }
            (Request::LeaseRevoke(revoke), _) => {
                self.stop_lease(revoke.id);
                false
            }
            (
                Request::MemberAdd(_)
                | Request::MemberRemove(_)
                | Request::MemberUpdate(_)
                | Request::MemberPromote(_),
                Ok(_),
            ) => true,
            _ => false,
        }
    }

    fn record(&mut self, entry: &Entry, result: &Result<Response, Fault>, changed: bool) {
        let revision = self.truth.store.revision();
        let events = || self.truth.store.events(revision).to_vec();
        let change = match (&entry.request, result) {
            (Request::LeaseRevoke(LeaseRevoke { id, .. }), Ok(_)) => Change::LeaseRevoked {
                id: *id,
                events: if changed { events() } else { Vec::new() },
            },
            _ if changed => Change::Kv(events()),
            (Request::Compact(compact), Ok(_)) => Change::Compacted(compact.revision),
            (_, Ok(Response::LeaseGrant(granted))) => Change::LeaseGranted(granted.clone()),
            (
                Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_) | Request::Compact(_),
                _,
            )
            | (_, Err(_)) => Change::Nothing,
            (Request::Alarm(_), _) => Change::Alarms,
            (Request::Downgrade(_), _) => Change::Downgrade,
            (
                Request::MemberAdd(_)
                | Request::MemberRemove(_)
                | Request::MemberUpdate(_)
                | Request::MemberPromote(_),
                _,
            ) => Change::Members,
            _ => Change::Auth,
        };
        self.history.push(Applied {
            at: entry.at,
            ask: entry.ask,
            revision,
            change,
        });
    }

    /// Lets a member do what it has received and what is due.
    pub(super) fn apply_due(&mut self, member: usize) {
        while self.apply_next(member) {}
        self.answer_late_reads(member);
        self.plan_sync(member);
    }

    fn apply_next(&mut self, member: usize) -> bool {
        let node = &self.nodes[member];
        if !node.running || node.applied >= node.received {
            return false;
        }
        let Some((entry, by)) = self.log.get(node.applied + 1) else {
            self.load_snapshot(member);
            return true;
        };
        let due = entry.at + node.lag;
        if due > self.now {
            if node
                .applies
                .is_none_or(|planned| planned <= self.now || due < planned)
            {
                self.nodes[member].applies = Some(due);
                self.timers.add(due, Event::Apply(member));
            }
            return false;
        }
        let waiter = by.and_then(|(at, waiter)| (at == member).then_some(waiter));
        let waiter = waiter.filter(|waiter| self.pending.contains_key(waiter));
        let node = &mut self.nodes[member];
        let before = node.machine.store.revision();
        let result = node.machine.apply(&self.setup, entry, waiter.is_some());
        node.applied += 1;
        let after = node.machine.store.revision();
        if after > before {
            let mut hub = core::mem::take(&mut node.hub);
            let view = node.view(&self.setup, self.id);
            hub.notify(view, after, &mut self.replies);
            self.nodes[member].hub = hub;
            if !self.services.is_empty() {
                self.heed_revision(member, after);
            }
        }
        if let Some(waiter) = waiter {
            self.finish(member, waiter, result);
        }
        true
    }

    /// A member is too far behind for the log: it gets the state of the others as a whole.
    fn load_snapshot(&mut self, member: usize) {
        let node = &mut self.nodes[member];
        let size = node.machine.size();
        let before = node.machine.store.revision();
        let tokens = core::mem::replace(&mut node.machine, self.truth.clone()).tokens;
        if !tokens.are_signed() {
            node.machine.tokens = tokens;
        }
        node.machine.keep_size(size);
        node.received = self.log.last();
        node.applied = node.received;
        let mut hub = core::mem::take(&mut node.hub);
        hub.restore(node.view(&self.setup, self.id), &mut self.rng);
        let store = &node.machine.store;
        let missed = before.max(store.compacted()) + 1..=store.revision();
        self.nodes[member].hub = hub;
        for revision in missed {
            self.heed_revision(member, revision);
        }
    }

    /// Whether a member is so far behind that it is brought up by a snapshot.
    pub(super) fn needs_snapshot(&self, member: usize) -> bool {
        let behind = self.log.last().saturating_sub(self.nodes[member].received);
        behind > u64::try_from(self.setup.snapshot_after).unwrap_or(u64::MAX)
    }

    /// Brings a member up that was away.
    pub(super) fn catch_up(&mut self, member: usize) {
        if self.needs_snapshot(member) {
            self.load_snapshot(member);
        }
        self.nodes[member].received = self.log.last();
        self.apply_due(member);
    }

    fn shorten_log(&mut self) {
        let keep = self.setup.snapshot_after;
        if self.log.entries.len() <= keep.saturating_mul(2).saturating_add(64) {
            return;
        }
        let last = self.log.last();
        let applied = self
            .nodes
            .iter()
            .filter(|node| node.running && node.received == last);
        let applied = applied.map(|node| node.applied).min().unwrap_or(last);
        let keep = u64::try_from(keep).unwrap_or(u64::MAX);
        self.log.forget(applied.min(last.saturating_sub(keep)));
    }

    /// The database of a member is full: all are told.
    pub(super) fn raise_nospace(&mut self, member: usize) {
        let id = self.nodes[member].id;
        let alarm = AlarmRequest::activate(id, AlarmType::NoSpace);
        self.propose(member, None, None, alarm.into());
    }

    fn is_waited_for(&self, by: Option<(usize, Waiter)>) -> bool {
        by.is_some_and(|(_, waiter)| self.pending.contains_key(&waiter))
    }
}
