//! What is asked about a server, and what keeps it well.

use etcd_core::AlarmRequest;
use etcd_core::AlarmType;
use etcd_core::Applied;
use etcd_core::CallOptions;
use etcd_core::Defragment;
use etcd_core::DeleteRange;
use etcd_core::Downgrade;
use etcd_core::HashKv;
use etcd_core::HashRequest;
use etcd_core::HealthRequest;
use etcd_core::Known;
use etcd_core::Livez;
use etcd_core::MemberAdd;
use etcd_core::MemberList;
use etcd_core::MemberPromote;
use etcd_core::MemberRemove;
use etcd_core::MemberUpdate;
use etcd_core::MetricsRequest;
use etcd_core::MoveLeader;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Readyz;
use etcd_core::StatusRequest;
use etcd_core::VersionRequest;
use sha2::Digest;
use sha2::Sha256;

use super::Walk;
use crate::driver::Driver;
use crate::driver::Snapshotting;
use crate::scenario::Must;
use crate::scenario::let_members_settle;

pub(super) fn pages<D: Driver>(walk: &mut Walk<D>) {
    let version = walk.ok(VersionRequest::new());
    assert_eq!(version.etcdserver.parse(), Ok(walk.version.clone()));
    assert!(walk.ok(HealthRequest::new()).health);
    if let Some(livez) = walk.if_there(Livez::new()) {
        assert!(livez.ok);
    }
    if let Some(readyz) = walk.if_there(Readyz::new().with_verbose()) {
        assert!(readyz.ok && !readyz.checks.is_empty());
    }
    let metrics = walk.ok(MetricsRequest::new()).text;
    assert!(metrics.contains("\netcd_server_has_leader 1\n"));
}

pub(super) fn alarms<D: Driver>(walk: &mut Walk<D>) {
    let member = walk.ok(StatusRequest::new()).header.member_id;
    for alarm in [AlarmType::NoSpace, AlarmType::Corrupt] {
        let refusal = match alarm {
            AlarmType::NoSpace => Known::NoSpace,
            _ => Known::Corrupt,
        };
        walk.ok(AlarmRequest::activate(member, alarm));
        let listed = walk.ok(AlarmRequest::list()).alarms;
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].member_id, listed[0].alarm.known()),
            (member, Some(alarm))
        );
        assert!(!walk.ok(HealthRequest::new()).health);
        assert!(!walk.ok(StatusRequest::new()).errors.is_empty());
        let refused = walk.client.put("k", "v").must_fail();
        assert_eq!(
            (refused.known(), refused.applied()),
            (Some(refusal), refusal.applied())
        );
        // The member has to be named: without, nothing happens and nothing is said.
        walk.ok(AlarmRequest::deactivate(0, alarm));
        walk.client.put("k", "v").must_fail();
        walk.ok(AlarmRequest::deactivate(member, alarm));
        assert!(walk.ok(AlarmRequest::list()).alarms.is_empty());
        walk.ok(Put::new("k", "v"));

        walk.ok(AlarmRequest::activate(member, alarm));
        assert_eq!(walk.client.alarm_disarm_all().must(), listed);
        assert!(walk.ok(HealthRequest::new()).health);
    }
    assert_eq!(Known::NoSpace.applied(), Applied::Maybe);
    assert_eq!(walk.client.alarm_disarm_all().must(), []);
    assert_eq!(walk.ok(DeleteRange::all()).deleted, 1);
}

pub(super) fn databases<D: Driver>(walk: &mut Walk<D>) {
    let revision = walk.ok(Put::new("d", "v")).header.revision;
    let hash = walk.ok(HashRequest::new());
    assert_eq!(hash.header.revision, revision);
    assert_ne!(hash.hash, 0);
    walk.ok(Put::new("d", "w"));
    assert_ne!(walk.ok(HashRequest::new()).hash, hash.hash);
    if let Some(of_keys) = walk.if_there(HashKv::new(0)) {
        assert_ne!(of_keys.hash, 0);
        assert!(of_keys.compact_revision > 0 && of_keys.compact_revision <= revision);
    }

    walk.ok(Defragment::new());
    let status = walk.ok(StatusRequest::new());
    assert_eq!(status.version.parse(), Ok(walk.version.clone()));
    assert_eq!(status.leader, status.header.member_id);
    assert!(
        (1..=status.db_size).contains(&status.db_size_in_use),
        "{status:?}"
    );

    let mut snapshot = walk.client.snapshot_with(CallOptions::default());
    let mut sum = Sha256::new();
    while let Some(chunk) = snapshot.next_chunk() {
        sum.update(&chunk.must().blob);
    }
    let summary = snapshot.summary().expect("it came whole");
    assert_eq!(summary.sha256, <[u8; 32]>::from(sum.finalize()));
    assert_eq!(walk.ok(DeleteRange::all()).deleted, 1);

    // One version below is where a cluster can go.
    let version = &walk.version;
    let below = format!("{}.{}", version.major(), version.minor() - 1);
    if let Some(told) = walk.if_there(Downgrade::validate(below)) {
        let cluster = walk.ok(VersionRequest::new()).etcdcluster;
        assert_eq!(told.version, cluster);
        let downgrade = Downgrade::validate("3.3");
        walk.refused(downgrade, Known::InvalidDowngradeTargetVersion);
        walk.refused(Downgrade::cancel(), Known::NoInflightDowngrade);
    }
}

pub(super) fn members<D: Driver>(walk: &mut Walk<D>, auth: bool) {
    // A member's id is made of its URLs and the second: the one that was removed does not come back.
    let url = |port: u8| format!("http://127.0.0.1:{}", port + if auth { 2 } else { 0 });
    let own = walk.ok(MemberList::new()).members;
    assert_eq!(own.len(), 1);
    let own = &own[0];
    assert!(!own.name.is_empty() && !own.is_learner);
    walk.refused(MoveLeader::new(12345), Known::BadLeaderTransferee);
    // To itself is nothing to do.
    walk.ok(MoveLeader::new(own.id));

    let added = walk.ok(MemberAdd::new([url(1)]).with_learner());
    let learner = &added.member;
    assert!(learner.is_learner && learner.name.is_empty());
    assert_eq!(
        (added.members.len(), &learner.peer_urls[..]),
        (2, &[url(1)][..])
    );
    let taken = MemberAdd::new(own.peer_urls.clone()).with_learner();
    let_members_settle(&walk.client);
    walk.refused(taken, Known::PeerURLExist);
    let_members_settle(&walk.client);
    walk.refused(MemberPromote::new(learner.id), Known::LearnerNotReady);
    let_members_settle(&walk.client);
    walk.refused(MemberPromote::new(own.id), Known::MemberNotLearner);
    let_members_settle(&walk.client);
    walk.refused(MemberPromote::new(12345), Known::MemberNotFound);
    let_members_settle(&walk.client);
    let updated = walk.ok(MemberUpdate::new(learner.id, [url(2)]));
    assert_eq!(updated.members.len(), 2);
    let listed = walk.ok(MemberList::new().with_serializable()).members;
    let moved = listed.iter().find(|member| member.id == learner.id);
    assert_eq!(moved.expect("it was added").peer_urls, [url(2)]);
    let_members_settle(&walk.client);
    let left = walk.ok(MemberRemove::new(learner.id)).members;
    assert_eq!((left.len(), left[0].id), (1, own.id));
    let_members_settle(&walk.client);
    walk.refused(MemberRemove::new(learner.id), Known::MemberNotFound);
    assert_eq!(walk.ok(Range::all()).count, 0);
}
