//! What one member is asked about itself, and what keeps a cluster going.

use etcd_core::{
    AlarmType, Code, Defragment, DefragmentResponse, DowngradeInfo, Feature, HashKv,
    HashKvResponse, HashResponse, HealthCheck, HealthRequest, HealthResponse, Known,
    LeaseLeasesResponse, LeaseStatus, LivezResponse, MetricsResponse, MoveLeader,
    MoveLeaderResponse, ReadyzResponse, Response, StatusResponse, Version, VersionResponse,
};

use super::{Cluster, HandOver, Waiter};
use crate::etcd::auth::AuthInfo;
use crate::etcd::machine::{fault, lease_keys};
use crate::etcd::members::check_urls;
use crate::etcd::{Fault, Meta, Request};

impl Cluster {
    /// Answers what a member can answer by itself.
    pub(super) fn keep_up(
        &mut self,
        member: usize,
        waiter: Waiter,
        who: &AuthInfo,
        meta: &Meta,
        request: Request,
    ) {
        if let Request::MoveLeader(request) = request {
            let moved = self
                .permit(member, who, &request.clone().into())
                .and_then(|()| self.hand_lead_over(member, waiter, &request));
            match moved {
                Ok(true) => self.finish(member, waiter, Ok(MoveLeaderResponse::default().into())),
                // The other one does not hear of it.
                Ok(false) => self.wait_in_vain(member, waiter, meta),
                Err(fault) => self.finish(member, waiter, Err(fault)),
            }
            return;
        }
        let result = self.tell(member, who, &request);
        self.finish(member, waiter, result);
    }

    fn permit(&self, member: usize, who: &AuthInfo, request: &Request) -> Result<(), Fault> {
        let machine = &self.nodes[member].machine;
        let keys = |id| lease_keys(&machine.leases, id);
        machine.auth.permit(who, request, &keys)
    }

    fn tell(
        &mut self,
        member: usize,
        who: &AuthInfo,
        request: &Request,
    ) -> Result<Response, Fault> {
        match request {
            Request::LeaseLeases(_) => {
                self.permit(member, who, request)?;
                let mut response = LeaseLeasesResponse::default();
                let leases = self.lease_ids(member).into_iter().map(|id| {
                    let mut lease = LeaseStatus::default();
                    lease.id = id;
                    lease
                });
                response.leases = leases.collect();
                Ok(response.into())
            }
            Request::Status(_) => {
                self.permit(member, who, request)?;
                Ok(self.status(member).into())
            }
            Request::Hash(_) => {
                let machine = &self.nodes[member].machine;
                machine.auth.permit_maintenance(who)?;
                let mut response = HashResponse::default();
                response.hash = machine.store.hash(i64::MAX);
                Ok(response.into())
            }
            Request::HashKv(request) => self.hash_kv(member, who, request),
            Request::Defragment(Defragment { .. }) => {
                let machine = &mut self.nodes[member].machine;
                machine.auth.permit_maintenance(who)?;
                machine.defragment();
                Ok(DefragmentResponse::default().into())
            }
            Request::Version(_) => {
                let version = &self.setup.version;
                let mut response = VersionResponse::default();
                response.etcdserver = version.to_string();
                response.etcdcluster = cluster_version(version);
                Ok(response.into())
            }
            Request::Health(request) => Ok(self.health(member, request).into()),
            Request::Livez(request) => {
                self.has(&Feature::LIVEZ)?;
                let all = [("serializable_read", None)];
                let checks = choose(&all, &request.check, &request.exclude)?;
                let mut response = LivezResponse::default();
                (response.ok, response.checks) = told(checks, request.verbose);
                Ok(response.into())
            }
            Request::Readyz(request) => {
                self.has(&Feature::READYZ)?;
                let checks = self.ready_checks(member);
                let checks = choose(&checks, &request.check, &request.exclude)?;
                let mut response = ReadyzResponse::default();
                (response.ok, response.checks) = told(checks, request.verbose);
                Ok(response.into())
            }
            Request::Metrics(_) => Ok(self.metrics(member).into()),
            _ => Err(Fault::new(Code::UNIMPLEMENTED, "unknown service")),
        }
    }

    /// Older servers do not know some paths.
    fn has(&self, feature: &Feature) -> Result<(), Fault> {
        if feature.is_in(&self.setup.version) {
            return Ok(());
        }
        let not_found = Known::PageNotFound;
        Err(fault(not_found))
    }

    fn is_from_36(&self) -> bool {
        self.setup.version >= Version::new(3, 6, 0)
    }

    fn status(&self, member: usize) -> StatusResponse {
        let node = &self.nodes[member];
        let machine = &node.machine;
        let mut response = StatusResponse::default();
        response.version = self.setup.version.to_string();
        response.db_size = to_i64(machine.size());
        response.db_size_in_use = to_i64(machine.size_in_use());
        response.raft_index = node.received;
        response.raft_applied_index = node.applied;
        response.raft_term = node.term;
        let itself = machine.members.get(node.id);
        response.is_learner = itself.is_some_and(|member| member.is_learner);
        match node.leader {
            Some(leader) => response.leader = self.nodes[leader].id,
            None => response.errors.push(Known::NoLeader.message().to_owned()),
        }
        for (id, alarm) in machine.alarms() {
            let alarm = alarm_name(alarm);
            response
                .errors
                .push(format!("memberID:{id} alarm:{alarm} "));
        }
        if self.is_from_36() {
            response.storage_version = cluster_version(&self.setup.version);
            response.db_size_quota = to_i64(self.setup.quota_bytes);
            let mut info = DowngradeInfo::default();
            if let Some(target) = &machine.downgrade {
                info.enabled = true;
                info.target_version.clone_from(target);
            }
            response.downgrade_info = Some(info);
        }
        response
    }

    fn hash_kv(&self, member: usize, who: &AuthInfo, request: &HashKv) -> Result<Response, Fault> {
        let machine = &self.nodes[member].machine;
        machine.auth.permit_maintenance(who)?;
        let store = &machine.store;
        let revision = store.readable(request.revision, store.revision());
        let revision = revision.map_err(|why| fault(why.into()))?;
        let mut response = HashKvResponse::default();
        response.hash = store.hash(revision);
        response.compact_revision = store.compacted();
        if self.is_from_36() {
            response.hash_revision = revision;
        }
        Ok(response.into())
    }

    fn health(&self, member: usize, request: &HealthRequest) -> HealthResponse {
        let node = &self.nodes[member];
        let mut response = HealthResponse::default();
        let mut alarms = node.machine.alarms().map(|(_, alarm)| alarm);
        let alarm = alarms.find(|&alarm| alarm != AlarmType::NoSpace || !request.exclude_nospace);
        let reads = request.serializable && self.setup.version >= Version::new(3, 5, 16);
        let reason = match alarm {
            Some(alarm) => Some(format!("ALARM {}", alarm_name(alarm))),
            None if node.leader.is_none() && !reads => Some("RAFT NO LEADER".to_owned()),
            None => None,
        };
        response.health = reason.is_none();
        if self.setup.version >= Version::new(3, 5, 0) {
            response.reason = reason.unwrap_or_default();
        }
        response
    }

    /// The checks of readiness, each with what is wrong.
    fn ready_checks(&self, member: usize) -> Vec<(&'static str, Option<String>)> {
        let node = &self.nodes[member];
        let corrupt = node.machine.has_alarm(AlarmType::Corrupt);
        let corrupt = corrupt.then(|| "alarm activated: CORRUPT".to_owned());
        let leader = node.leader.filter(|&leader| self.reaches(member, leader));
        let alone = leader.is_none() || leader != self.leader;
        let alone = alone.then(|| Known::Timeout.message().to_owned());
        let mut checks = vec![
            ("data_corruption", corrupt),
            ("serializable_read", None),
            ("linearizable_read", alone),
        ];
        if self.is_from_36() {
            let itself = node.machine.members.get(node.id);
            let learner = itself.is_some_and(|member| member.is_learner);
            checks.push((
                "non_learner",
                learner.then(|| "not supported for learner".to_owned()),
            ));
        }
        checks
    }

    fn metrics(&self, member: usize) -> MetricsResponse {
        let node = &self.nodes[member];
        let machine = &node.machine;
        let mut lines = String::new();
        let mut line = |name: &str, kind: &str, value: u64| {
            lines.push_str(&format!("# TYPE {name} {kind}\n{name} {value}\n"));
        };
        line(
            "etcd_server_has_leader",
            "gauge",
            node.leader.is_some().into(),
        );
        line(
            "etcd_server_is_leader",
            "gauge",
            (node.leader == Some(member)).into(),
        );
        let revision = u64::try_from(machine.store.revision()).unwrap_or(0);
        line("etcd_debugging_mvcc_current_revision", "gauge", revision);
        let compacted = u64::try_from(machine.store.compacted()).unwrap_or(0);
        line("etcd_debugging_mvcc_compact_revision", "gauge", compacted);
        let watchers = u64::try_from(node.hub.len()).unwrap_or(u64::MAX);
        line("etcd_debugging_mvcc_watcher_total", "gauge", watchers);
        let leases = u64::try_from(machine.leases.len()).unwrap_or(u64::MAX);
        line("etcd_debugging_lease_total", "gauge", leases);
        line("etcd_mvcc_db_total_size_in_bytes", "gauge", machine.size());
        line("etcd_server_proposals_applied_total", "gauge", node.applied);
        let mut response = MetricsResponse::default();
        response.text = lines;
        response
    }

    /// Lets another member lead. Tells whether that one heard of it.
    fn hand_lead_over(
        &mut self,
        member: usize,
        waiter: Waiter,
        request: &MoveLeader,
    ) -> Result<bool, Fault> {
        if self.nodes[member].leader != Some(member) {
            return Err(fault(Known::NotLeader));
        }
        if !self.truth.members.is_voter(request.target_id) {
            return Err(fault(Known::BadLeaderTransferee));
        }
        let target = self
            .nodes
            .iter()
            .position(|node| node.id == request.target_id);
        let reached = target.filter(|&target| self.reaches(member, target));
        let Some(reached) = reached.filter(|&target| self.can_lead(target)) else {
            // It tries for an election timeout, and proposes nothing meanwhile.
            self.hands_over = target.map(|to| HandOver {
                to,
                until: self.now + self.setup.election_timeout,
                by: member,
                waiter,
            });
            return Ok(false);
        };
        if reached != member {
            self.enthrone(reached);
        }
        Ok(true)
    }

    /// What is found wrong with a change of members before it is proposed.
    pub(super) fn check_member_change(
        &self,
        member: usize,
        request: &Request,
    ) -> Result<(), Fault> {
        let members = &self.truth.members;
        match request {
            Request::MemberAdd(add) => {
                check_urls(&add.peer_urls).map_err(fault)?;
                if !add.is_learner && !members.may_add_voter() {
                    return Err(fault(Known::MemberNotEnoughStarted));
                }
                let all = self.reached_voters(member) == members.voters().count();
                if !all {
                    return Err(fault(Known::Unhealthy));
                }
            }
            Request::MemberRemove(remove) => {
                let is_learner = members.get(remove.id).is_some_and(|gone| gone.is_learner);
                if !is_learner && !members.may_remove_voter(remove.id) {
                    return Err(fault(Known::MemberNotEnoughStarted));
                }
                let reached = self.reached_voters(member);
                let gone = self.nodes.iter().position(|node| node.id == remove.id);
                let is_up = gone.is_some_and(|gone| self.reaches(member, gone));
                let voters = members.voters().count();
                let breaks = voters > 1 && reached.saturating_sub(1) < 1 + (voters - 1) / 2;
                if is_up && members.is_voter(remove.id) && breaks && reached < voters {
                    return Err(fault(Known::Unhealthy));
                }
            }
            Request::MemberPromote(promote) => {
                let learner = members
                    .get(promote.id)
                    .is_some_and(|member| member.is_learner);
                let node = self.nodes.iter().position(|node| node.id == promote.id);
                let ready = node.is_some_and(|node| self.reaches(member, node));
                if learner && !ready {
                    return Err(fault(Known::LearnerNotReady));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn reached_voters(&self, member: usize) -> usize {
        let voters = &self.truth.members;
        let reached =
            |&other: &usize| self.reaches(member, other) && voters.is_voter(self.nodes[other].id);
        (0..self.nodes.len()).filter(reached).count()
    }
}

/// The version a cluster says it has: that of its line.
fn cluster_version(version: &Version) -> String {
    format!("{}.{}.0", version.major(), version.minor())
}

const fn alarm_name(alarm: AlarmType) -> &'static str {
    match alarm {
        AlarmType::NoSpace => "NOSPACE",
        AlarmType::Corrupt => "CORRUPT",
        _ => "NONE",
    }
}

/// The checks that were asked for.
fn choose(
    all: &[(&'static str, Option<String>)],
    only: &str,
    exclude: &[String],
) -> Result<Vec<HealthCheck>, Fault> {
    let wanted = |name: &str| {
        if only.is_empty() {
            !exclude.iter().any(|excluded| excluded == name)
        } else {
            name == only
        }
    };
    let chosen = all.iter().filter(|(name, _)| wanted(name));
    let chosen = chosen.map(|(name, wrong)| {
        let mut check = HealthCheck::default();
        check.name = (*name).to_owned();
        check.ok = wrong.is_none();
        check.reason = wrong.clone().unwrap_or_default();
        check
    });
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() && !only.is_empty() {
        return Err(fault(Known::PageNotFound));
    }
    Ok(chosen)
}

/// Whether all is well, and what is told of it: the checks only if something is wrong, or if they were
/// asked for.
fn told(checks: Vec<HealthCheck>, verbose: bool) -> (bool, Vec<HealthCheck>) {
    let ok = checks.iter().all(|check| check.ok);
    let checks = if ok && !verbose { Vec::new() } else { checks };
    (ok, checks)
}

fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
