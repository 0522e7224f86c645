//! When leases end. Only the leader counts; a new one begins anew, so that no lease ends early by a
//! change of leaders (semantics.md 2.7).

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use etcd_core::{
    Instant, Known, LeaseKeepAliveResponse, LeaseRevoke, LeaseTimeToLive, LeaseTimeToLiveResponse,
    Response,
};

use super::timers::Event;
use super::{Cluster, Waiter};
use crate::etcd::auth::AuthInfo;
use crate::etcd::machine::{fault, lease_keys};
use crate::etcd::{AskId, Fault, Request};

/// How often the leader looks for leases that ended.
const TICK: Duration = Duration::from_millis(500);

/// When each lease ends.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    ends: BTreeMap<i64, Instant>,
    /// Those that ended and are being revoked.
    ending: BTreeSet<i64>,
    /// When the leader looks next.
    looks: Option<Instant>,
    /// What a leader that was cut off believes, and which one.
    believed: Option<(usize, BTreeMap<i64, Instant>)>,
    /// Leases that were revoked a short while ago, for who is told that they live.
    dead: BTreeMap<i64, (i64, Instant)>,
}

impl Expiry {
    /// A revoke of the leader's own was lost with its leader.
    pub(super) fn forget_revoke(&mut self, request: &Request) {
        if let Request::LeaseRevoke(revoke) = request {
            self.ending.remove(&revoke.id);
        }
    }
}

/// A question that only the leader can answer.
#[derive(Debug)]
pub(super) enum LeaseAsk {
    Renew {
        ask: AskId,
        id: i64,
        who: AuthInfo,
        since: Instant,
    },
    TimeToLive {
        waiter: Waiter,
        request: LeaseTimeToLive,
        who: AuthInfo,
    },
}

/// What became of a question to the leader.
enum Asked {
    Answered,
    Blocked(LeaseAsk),
}

impl Cluster {
    /// A lease was granted.
    pub(super) fn start_lease(&mut self, id: i64, ttl: i64) {
        self.expiry.ends.insert(id, self.now + seconds(ttl));
        self.expiry.dead.remove(&id);
        self.plan_look();
    }

    /// A lease was to be revoked. If that was refused, the leader will try again.
    pub(super) fn stop_lease(&mut self, id: i64) {
        self.expiry.ending.remove(&id);
        if self.truth.leases.get(id).is_some() {
            self.plan_look();
            return;
        }
        self.expiry.ends.remove(&id);
        for member in 0..self.nodes.len() {
            self.retry_lease_asks(member);
        }
    }

    /// A new leader gives all leases their whole time again.
    pub(super) fn extend_leases(&mut self) {
        let extra = self.setup.election_timeout;
        for (id, end) in &mut self.expiry.ends {
            let ttl = self.truth.leases.get(*id).map_or(0, |lease| lease.ttl);
            *end = self.now + seconds(ttl) + extra;
        }
        self.expiry.ending.clear();
        self.expiry.looks = None;
        self.plan_look();
    }

    /// The leader looks: what ended is revoked.
    pub(super) fn end_leases(&mut self) {
        if self.expiry.looks != Some(self.now) {
            return;
        }
        self.expiry.looks = None;
        let Some(leader) = self.leader else {
            return;
        };
        let ended = self.expiry.ends.iter().filter(|&(_, &end)| end <= self.now);
        let ended: Vec<_> = ended.map(|(&id, _)| id).collect();
        for id in ended {
            if self.expiry.ending.insert(id) {
                self.propose(leader, None, None, LeaseRevoke::new(id).into());
            }
        }
        self.plan_look();
    }

    /// Plans the leader's next look at the first tick after the next end.
    pub(super) fn plan_look(&mut self) {
        let ends = self.expiry.ends.iter();
        let ends = ends.filter(|&(id, _)| !self.expiry.ending.contains(id));
        let Some(first) = ends.map(|(_, &end)| end).min() else {
            return;
        };
        // What ended already was looked at by now: it is for the next tick.
        let wait = (first.max(self.now) - self.elected).as_nanos();
        let ticks = wait / TICK.as_nanos() + 1;
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        let due = self.elected + TICK * ticks;
        if self.expiry.looks.is_none_or(|looks| due < looks) {
            self.expiry.looks = Some(due);
            self.timers.add(due, Event::Leases);
        }
    }

    /// A leader lost its quorum: what it believes of its leases may do harm later.
    pub(super) fn remember_leases(&mut self, leader: usize) {
        if self.setup.defects.old_leader_revokes {
            self.expiry.believed = Some((leader, self.expiry.ends.clone()));
        }
    }

    /// A member that led once found its leader.
    pub(super) fn revoke_remembered(&mut self, member: usize) {
        let Some((_, ends)) = self
            .expiry
            .believed
            .take_if(|(leader, _)| *leader == member)
        else {
            return;
        };
        for (id, end) in ends {
            if end <= self.now && self.expiry.ends.contains_key(&id) {
                self.propose(member, None, None, LeaseRevoke::new(id).into());
            }
        }
    }

    /// Asks the leader about a lease, or waits until there is one.
    pub(super) fn ask_leader(&mut self, member: usize, ask: LeaseAsk) {
        let node = &self.nodes[member];
        let leader = node.leader.filter(|&leader| self.reaches(member, leader));
        if leader.is_none() || leader != self.leader {
            self.block_lease_ask(member, ask);
            return;
        }
        let asked = match ask {
            LeaseAsk::Renew {
                ask,
                id,
                who,
                since,
            } => self.renew(member, ask, id, who, since),
            LeaseAsk::TimeToLive {
                waiter,
                request,
                who,
            } => {
                if self.pending.contains_key(&waiter) {
                    let result = self.time_to_live(member, &who, &request);
                    self.finish(member, waiter, result);
                }
                Asked::Answered
            }
        };
        if let Asked::Blocked(ask) = asked {
            self.block_lease_ask(member, ask);
        }
    }

    fn block_lease_ask(&mut self, member: usize, ask: LeaseAsk) {
        if let LeaseAsk::Renew { ask, since, .. } = &ask {
            let due = (*since + self.setup.request_timeout()).max(self.now);
            self.deadlines.insert((due, Waiter::Renewal(*ask)));
        }
        self.nodes[member].lease_asks.push(ask);
    }

    pub(super) fn retry_lease_asks(&mut self, member: usize) {
        for ask in core::mem::take(&mut self.nodes[member].lease_asks) {
            self.ask_leader(member, ask);
        }
    }

    fn renew(
        &mut self,
        member: usize,
        ask: AskId,
        id: i64,
        who: AuthInfo,
        since: Instant,
    ) -> Asked {
        if !self.streams.contains_key(&ask) {
            return Asked::Answered;
        }
        let machine = &self.nodes[member].machine;
        let keys = |id| lease_keys(&machine.leases, id);
        if let Err(fault) = machine.auth.permit_renewal(&who, id, &keys) {
            self.fail_stream(ask, fault);
            return Asked::Answered;
        }
        let mut response = LeaseKeepAliveResponse::default();
        response.header = self.header(member);
        response.id = id;
        let ttl = self.truth.leases.get(id).map(|lease| lease.ttl);
        match (ttl, self.expiry.ends.get_mut(&id)) {
            // It ended, but not for all yet: wait for that.
            (Some(_), Some(end)) if *end <= self.now => {
                return Asked::Blocked(LeaseAsk::Renew {
                    ask,
                    id,
                    who,
                    since,
                });
            }
            (Some(ttl), Some(end)) => {
                *end = self.now + seconds(ttl);
                response.ttl = ttl;
            }
            _ => response.ttl = self.ttl_of_dead(id),
        }
        self.renewed(ask, response);
        Asked::Answered
    }

    /// What a defective server grants a lease that is gone: its whole time, for a short while.
    fn ttl_of_dead(&self, id: i64) -> i64 {
        match self.expiry.dead.get(&id) {
            Some(&(ttl, until)) if self.now <= until => ttl,
            _ => 0,
        }
    }

    /// A lease is about to be revoked.
    pub(super) fn remember_dead(&mut self, id: i64) {
        if self.setup.defects.dead_lease_renewed {
            if let Some(lease) = self.truth.leases.get(id) {
                let until = self.now + self.setup.election_timeout;
                self.expiry.dead.insert(id, (lease.ttl, until));
            }
        }
    }

    fn time_to_live(
        &self,
        member: usize,
        who: &AuthInfo,
        request: &LeaseTimeToLive,
    ) -> Result<Response, Fault> {
        let machine = &self.nodes[member].machine;
        let keys = |id| lease_keys(&machine.leases, id);
        let asked = Request::LeaseTimeToLive(request.clone());
        machine.auth.permit(who, &asked, &keys)?;
        let mut response = LeaseTimeToLiveResponse::default();
        response.id = request.id;
        response.ttl = -1;
        let lease = self.truth.leases.get(request.id);
        if let (Some(lease), Some(&end)) = (lease, self.expiry.ends.get(&request.id)) {
            response.ttl = i64::try_from((end - self.now).as_secs()).unwrap_or(i64::MAX);
            response.granted_ttl = lease.ttl;
            if request.keys {
                response.keys = lease.keys.iter().cloned().collect();
            }
        }
        Ok(response.into())
    }

    /// The leases a member knows, those that end first in front if it is the leader.
    pub(super) fn lease_ids(&self, member: usize) -> Vec<i64> {
        let mut ids: Vec<_> = self.nodes[member].machine.leases.ids().collect();
        if self.leader == Some(member) {
            ids.sort_by_key(|id| self.expiry.ends.get(id).copied());
        }
        ids
    }

    /// Renewals of a stream may have waited too long.
    pub(super) fn time_out_renewals(&mut self, ask: AskId) {
        let timeout = self.setup.request_timeout();
        let Some(member) = self.streams.get(&ask).map(|stream| stream.member) else {
            return;
        };
        let late = |blocked: &LeaseAsk| match blocked {
            LeaseAsk::Renew { ask: of, since, .. } => *of == ask && *since + timeout <= self.now,
            LeaseAsk::TimeToLive { .. } => false,
        };
        if self.nodes[member].lease_asks.iter().any(late) {
            let of =
                |asked: &LeaseAsk| matches!(asked, LeaseAsk::Renew { ask: of, .. } if *of == ask);
            self.nodes[member].lease_asks.retain(|asked| !of(asked));
            self.fail_stream(ask, fault(Known::NoLeader));
        }
    }
}

fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}
