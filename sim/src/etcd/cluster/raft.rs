//! Who leads: what of raft can be seen from outside.
//!
//! No messages are sent. Who reaches whom is known at once; what a member thinks of it, it finds out
//! with time: it believes in its leader until it has heard nothing for an election timeout, and those
//! without a leader elect one after another. A leader can only be one who has all that was agreed on.

use core::time::Duration;

use etcd_core::{Instant, MoveLeaderResponse};

use super::Cluster;
use super::node::Node;
use super::timers::Event;
use crate::etcd::Place;

impl Cluster {
    /// Kills a member: who asked it gets no reply any more. It keeps what was agreed on, and loses
    /// the simple tokens (gateway.md 13).
    pub fn stop(&mut self, now: Instant, member: usize) {
        self.run(now);
        if self.is_serving(member) {
            self.take_down(member);
            self.reconsider();
        }
    }

    /// Starts a member that was stopped. One that was removed from the cluster does not start.
    pub fn start(&mut self, now: Instant, member: usize) {
        self.run(now);
        let Some(node) = self.nodes.get_mut(member) else {
            return;
        };
        if !node.running && self.truth.members.get(node.id).is_some() {
            node.running = true;
            node.since = self.now;
            self.reconsider();
        }
    }

    /// Cuts the members off from each other, but for those in one group. Who is in no group is alone.
    pub fn partition(&mut self, now: Instant, groups: &[&[usize]]) {
        self.run(now);
        for (member, node) in self.nodes.iter_mut().enumerate() {
            let group = groups.iter().position(|group| group.contains(&member));
            let group = group.unwrap_or(groups.len() + member);
            if node.group != group {
                node.group = group;
                node.since = self.now;
            }
        }
        self.reconsider();
    }

    /// Lets all members reach each other again.
    pub fn heal(&mut self, now: Instant) {
        self.run(now);
        for node in &mut self.nodes {
            if node.group != 0 {
                node.group = 0;
                node.since = self.now;
            }
        }
        self.reconsider();
    }

    /// Makes a member do what was agreed on this much later: its serializable reads and its watches
    /// see the past.
    pub fn set_lag(&mut self, now: Instant, member: usize, lag: Duration) {
        self.run(now);
        if let Some(node) = self.nodes.get_mut(member) {
            node.lag = lag;
            self.apply_due(member);
        }
    }

    /// Starts a member that was added and never ran. Tells its number; none if there is no such member,
    /// or if it ran before. It is called and reached as [`Setup::places`](super::super::Setup::places)
    /// says.
    pub fn join(&mut self, now: Instant, id: u64) -> Option<usize> {
        let place = self.setup.place(self.nodes.len());
        self.join_at(now, id, &place)
    }

    /// The same for a member that says itself what it is called and where clients find it; its peers
    /// find it where they were told when it was added.
    pub fn join_at(&mut self, now: Instant, id: u64, place: &Place) -> Option<usize> {
        self.run(now);
        let known = self.nodes.iter().any(|node| node.id == id);
        if known || self.truth.members.get(id).is_none() {
            return None;
        }
        let member = self.nodes.len();
        let url = core::slice::from_ref(&place.client_url);
        self.truth.members.publish(id, &place.name, url);
        for node in &mut self.nodes {
            node.machine.members.publish(id, &place.name, url);
        }
        let node = Node::new(id, self.truth.clone(), self.log.last());
        self.nodes.push(node);
        self.nodes[member].machine.tokens.clear();
        self.reconsider();
        Some(member)
    }

    /// Delivers nothing to a member's watches for a while, as if their streams were slow. What they
    /// miss they get from the history later, as far as that is not compacted by then.
    pub fn stall_watches(&mut self, now: Instant, member: usize, lasting: Duration) {
        self.run(now);
        if let Some(node) = self.nodes.get_mut(member) {
            node.hub.stall(now + lasting);
            node.syncs = None;
            self.plan_sync(member);
        }
    }

    /// Makes a member the leader, if it can be.
    pub fn move_leader(&mut self, now: Instant, member: usize) {
        self.run(now);
        if self.leader != Some(member) && self.can_lead(member) {
            self.enthrone(member);
        }
    }

    /// Makes a member forget all its simple tokens.
    pub fn expire_tokens(&mut self, now: Instant, member: usize) {
        self.run(now);
        if let Some(node) = self.nodes.get_mut(member) {
            node.machine.tokens.clear();
        }
    }

    /// Whether what one running member sends gets to another.
    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        from.running && to.running && from.group == to.group
    }

    /// Whether a member has a quorum behind it and all that was agreed on.
    pub(super) fn can_lead(&self, member: usize) -> bool {
        let Some(node) = self.nodes.get(member) else {
            return false;
        };
        let members = &self.truth.members;
        if !node.running || node.received < self.log.last() || !members.is_voter(node.id) {
            return false;
        }
        let reached =
            |&other: &usize| members.is_voter(self.nodes[other].id) && self.reaches(member, other);
        (0..self.nodes.len()).filter(reached).count() >= members.quorum()
    }

    /// Something changed about who reaches whom.
    pub(super) fn reconsider(&mut self) {
        if let Some(leader) = self.leader.filter(|&leader| !self.can_lead(leader)) {
            self.leader = None;
            self.remember_leases(leader);
        }
        if self.leader.is_none() {
            let believes = |&member: &usize| {
                let node = &self.nodes[member];
                node.leader == Some(member) && node.term == self.term && self.can_lead(member)
            };
            // Its quorum is back before it noticed.
            self.leader = (0..self.nodes.len()).find(believes);
            if let Some(leader) = self.leader {
                self.settle_stuck(leader);
                // It may have been its turn to look for ended leases meanwhile.
                self.plan_look();
            }
        }
        self.spread();
        self.hand_over_late();
        let some_can_lead = (0..self.nodes.len()).any(|member| self.can_lead(member));
        if self.leader.is_none() && self.elects.is_none() && some_can_lead {
            let timeout = self.setup.election_timeout;
            let due = self.now + self.rng.between(timeout, 2 * timeout);
            self.elects = Some(due);
            self.timers.add(due, Event::Elect);
        }
    }

    /// Who is to lead and could not hear of it may do so now, if its leader still tries.
    fn hand_over_late(&mut self) {
        let Some(over) = self.hands_over.take() else {
            return;
        };
        if self.leader != Some(over.by) || self.now >= over.until {
            return;
        }
        if self.reaches(over.by, over.to) && self.can_lead(over.to) {
            self.enthrone(over.to);
            self.finish(
                over.by,
                over.waiter,
                Ok(MoveLeaderResponse::default().into()),
            );
        } else {
            self.hands_over = Some(over);
        }
    }

    /// Those who reach the leader follow it, the others will notice.
    fn spread(&mut self) {
        for member in 0..self.nodes.len() {
            if !self.nodes[member].running {
                continue;
            }
            match self.leader {
                Some(leader) if self.reaches(member, leader) => self.follow(member, leader),
                _ => self.lose_sight(member),
            }
        }
    }

    fn follow(&mut self, member: usize, leader: usize) {
        let term = self.term;
        let node = &mut self.nodes[member];
        node.forgets = None;
        let news = node.leader != Some(leader) || node.term != term;
        node.leader = Some(leader);
        node.term = term;
        self.catch_up(member);
        if news {
            self.end_lost_reads(member);
            self.hand_on_stuck(member);
            self.revoke_remembered(member);
        }
        self.retry_blocked(member);
    }

    fn lose_sight(&mut self, member: usize) {
        let timeout = self.setup.election_timeout;
        let node = &self.nodes[member];
        if node.leader.is_none() || node.forgets.is_some() {
            return;
        }
        let after = if node.leader == Some(member) {
            timeout
        } else {
            self.rng.between(timeout, 2 * timeout)
        };
        self.nodes[member].forgets = Some(self.now + after);
        self.plan(after, Event::Forget(member));
    }

    pub(super) fn forget_leader(&mut self, member: usize) {
        let node = &mut self.nodes[member];
        if node.forgets == Some(self.now) {
            node.forgets = None;
            node.leader = None;
            self.lost_leader(member);
        }
    }

    pub(super) fn elect_if_due(&mut self) {
        if self.elects == Some(self.now) {
            self.elects = None;
            self.elect();
        }
    }

    /// Elects a leader if there can be one.
    pub(super) fn elect(&mut self) {
        if self.leader.is_some() {
            return;
        }
        let candidates = (0..self.nodes.len()).filter(|&member| self.can_lead(member));
        let candidates: Vec<_> = candidates.collect();
        if !candidates.is_empty() {
            let winner = candidates[self.rng.index(candidates.len())];
            self.enthrone(winner);
        }
    }

    pub(super) fn enthrone(&mut self, leader: usize) {
        let before = self.leader.replace(leader);
        self.term += 1;
        self.elected = self.now;
        self.elects = None;
        if before.is_some() {
            self.change_of_leader();
        }
        // Each leader begins with an empty entry of its own, before anything else is done.
        self.nodes[leader].leader = Some(leader);
        self.nodes[leader].term = self.term;
        self.end_lost_reads(leader);
        self.settle_stuck(leader);
        self.extend_leases();
        self.spread();
    }

    /// Ends what a member does, for good or until it is started.
    pub(super) fn take_down(&mut self, member: usize) {
        self.nodes[member].kill();
        self.drop_member(member);
        if self.leader == Some(member) {
            self.leader = None;
        }
    }

    /// The members changed: one that was removed stops, and what is a quorum may be another number.
    pub(super) fn heed_members(&mut self) {
        for member in 0..self.nodes.len() {
            let id = self.nodes[member].id;
            if self.nodes[member].running && self.truth.members.get(id).is_none() {
                self.take_down(member);
            }
        }
        self.reconsider();
    }
}
