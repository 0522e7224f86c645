//! What is done to members from outside: killed, started, made to stand still, cut off.

use etcd_core::Instant;

use super::members::{ClusterHost, Health, Member};
use super::state::State;
use crate::net::Way;

impl State {
    /// Tells a member's cluster something; nothing if there is no such member.
    pub(super) fn at_member(
        &mut self,
        member: usize,
        tell: impl FnOnce(&mut ClusterHost, usize, Instant),
    ) {
        let Some(&Member { cluster, place, .. }) = self.members.get(member) else {
            return;
        };
        tell(&mut self.clusters[cluster], place, self.now);
        self.pump_cluster(cluster);
    }

    fn health(&self, member: usize) -> Option<Health> {
        self.members.get(member).map(|member| member.health)
    }

    /// Ends a member's process, or its whole machine.
    pub(super) fn stop(&mut self, member: usize, health: Health) {
        match self.health(member) {
            Some(Health::Running) => {}
            Some(Health::Paused) => self.resume(member),
            Some(Health::Stopped | Health::Off) | None => return,
        }
        self.members[member].health = health;
        self.at_member(member, |host, place, now| {
            host.forgotten.push(now);
            host.cluster.stop(now, place);
        });
        let now = self.now;
        for wire in 0..self.wires.len() {
            let Some(open) = self.wires[wire].as_mut() else {
                continue;
            };
            if open.member != member || open.server.is_none() {
                continue;
            }
            match health {
                Health::Off => open.link.leave(),
                // A process that dies with unread bytes resets, another one just ends.
                _ if open.link.rng().one_in(2) => open.link.reset(now),
                _ => open.link.close(Way::Down, now),
            }
            self.lose_server(wire);
            self.arm(wire, Way::Down);
        }
    }

    pub(super) fn start(&mut self, member: usize) {
        if let Some(Health::Stopped | Health::Off) = self.health(member) {
            self.members[member].health = Health::Running;
            self.at_member(member, |host, place, now| host.cluster.start(now, place));
        }
    }

    pub(super) fn pause(&mut self, member: usize) {
        if self.health(member) == Some(Health::Running) {
            self.members[member].health = Health::Paused;
            self.regroup(self.members[member].cluster);
        }
    }

    pub(super) fn resume(&mut self, member: usize) {
        if self.health(member) != Some(Health::Paused) {
            return;
        }
        self.members[member].health = Health::Running;
        // What it would have said comes before whatever it says from now on.
        self.release_replies(member);
        self.regroup(self.members[member].cluster);
        for wire in 0..self.wires.len() {
            if self.wires[wire]
                .as_ref()
                .is_some_and(|open| open.member == member)
            {
                self.arm(wire, Way::Up);
            }
        }
    }

    /// Splits clusters: who is in no list is alone.
    pub(super) fn partition(&mut self, groups: &[Vec<usize>]) {
        for cluster in 0..self.clusters.len() {
            let (first, len) = (self.clusters[cluster].first, self.clusters[cluster].len);
            let ours = |member: &usize| (first..first + len).contains(member);
            let groups: Vec<Vec<usize>> = groups
                .iter()
                .map(|group| group.iter().copied().filter(ours).collect())
                .filter(|group: &Vec<usize>| !group.is_empty())
                .collect();
            if !groups.is_empty() {
                self.clusters[cluster].groups = Some(groups);
                self.regroup(cluster);
            }
        }
    }

    pub(super) fn heal(&mut self) {
        for cluster in 0..self.clusters.len() {
            if self.clusters[cluster].groups.take().is_some() {
                self.regroup(cluster);
            }
        }
    }

    /// Tells a cluster who hears whom: as it was split, and nobody hears a member that stands still.
    fn regroup(&mut self, cluster: usize) {
        let (first, len) = (self.clusters[cluster].first, self.clusters[cluster].len);
        let all: Vec<usize> = (first..first + len).collect();
        let is_split = self.clusters[cluster].groups.is_some();
        let is_running = |member: &usize| self.members[*member].health != Health::Paused;
        let groups = self.clusters[cluster]
            .groups
            .clone()
            .unwrap_or_else(|| vec![all.clone()]);
        let mut heard: Vec<Vec<usize>> = groups
            .iter()
            .map(|group| {
                group
                    .iter()
                    .filter(|m| is_running(m))
                    .map(|m| m - first)
                    .collect()
            })
            .filter(|group: &Vec<usize>| !group.is_empty())
            .collect();
        for member in &all {
            if !heard.iter().flatten().any(|place| place + first == *member) {
                heard.push(vec![member - first]);
            }
        }
        let groups: Vec<&[usize]> = heard.iter().map(Vec::as_slice).collect();
        let now = self.now;
        let host = &mut self.clusters[cluster];
        if is_split || groups.len() > 1 {
            host.cluster.partition(now, &groups);
        } else {
            host.cluster.heal(now);
        }
        self.pump_cluster(cluster);
    }
}
