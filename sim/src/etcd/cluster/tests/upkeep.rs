//! Alarms, members, status, snapshots and the plain pages.

use etcd_core::{
    AlarmRequest, AlarmType, Code, Compact, Defragment, DeleteRange, Downgrade, HashKv,
    HashRequest, HealthRequest, Known, LeaseGrant, Livez, MemberAdd, MemberList, MemberPromote,
    MemberRemove, MetricsRequest, MoveLeader, Put, Range, Readyz, SnapshotRequest, StatusRequest,
    Txn, Version, VersionRequest,
};
use sha2::{Digest, Sha256};

use super::support::{Etcd, millis, secs};
use crate::etcd::{Change, Meta, Reply, Setup, StreamRequest};

#[test]
fn a_full_database_takes_no_more_until_the_alarm_is_ended() {
    let setup = Setup::new(Version::new(3, 5, 16)).with_quota_bytes(40_000);
    let mut etcd = Etcd::new(setup);
    let large = || Put::new("k", vec![b'x'; 8_000]);
    etcd.call(0, large()).unwrap();
    etcd.call(0, large()).unwrap();
    let full = etcd.call(0, large()).unwrap_err();
    assert_eq!(full.message, Known::NoSpace.message());
    assert_eq!(full.code, Code::RESOURCE_EXHAUSTED);
    etcd.pass(millis(10));
    let alarms = etcd.call(0, AlarmRequest::list()).unwrap().alarms;
    assert_eq!(alarms[0].member_id, etcd.cluster.member_id(0));
    let small = || Put::new("s", "");
    assert_eq!(etcd.fails(small()), Known::NoSpace.message());
    assert_eq!(etcd.fails(LeaseGrant::new(9)), Known::NoSpace.message());
    let txn = || Txn::new().or_else([small()]);
    assert_eq!(etcd.fails(txn()), Known::NoSpace.message());
    let health = etcd.call(0, HealthRequest::new()).unwrap();
    assert_eq!(
        (health.health, &health.reason[..]),
        (false, "ALARM NOSPACE")
    );
    let excluded = HealthRequest::new().with_exclude_nospace();
    assert!(etcd.call(0, excluded).unwrap().health);
    let errors = etcd.call(0, StatusRequest::new()).unwrap().errors;
    let id = etcd.cluster.member_id(0);
    assert_eq!(errors, [format!("memberID:{id} alarm:NOSPACE ")]);
    // What makes room is allowed.
    etcd.call(0, DeleteRange::key("k")).unwrap();
    let revision = etcd.cluster.revision();
    etcd.call(0, Compact::new(revision)).unwrap();
    etcd.call(0, Defragment::new()).unwrap();
    let nobody = AlarmRequest::deactivate(0, AlarmType::NoSpace);
    assert!(etcd.call(0, nobody).unwrap().alarms.is_empty());
    assert_eq!(etcd.fails(small()), Known::NoSpace.message());
    etcd.call(0, AlarmRequest::deactivate(id, AlarmType::NoSpace))
        .unwrap();
    etcd.call(0, small()).unwrap();
}

#[test]
fn a_write_that_is_refused_for_space_may_be_done_all_the_same() {
    let setup = Setup::new(Version::new(3, 5, 16)).with_quota_bytes(40_000);
    let mut etcd = Etcd::new(setup);
    let asks = [1, 2, 3].map(|n| etcd.ask(0, Put::new(format!("{n}"), vec![b'x'; 8_000])));
    etcd.pass(secs(1));
    let refused = asks.map(|ask| etcd.outcome(ask).unwrap().is_err());
    assert_eq!(refused, [false, false, true]);
    assert_eq!(etcd.get(0, "3").count, 1);
}

#[test]
fn a_full_old_server_does_not_even_read_in_a_transaction() {
    for (version, refused) in [
        (Version::new(3, 5, 1), true),
        (Version::new(3, 5, 16), false),
    ] {
        // Full from the beginning.
        let mut etcd = Etcd::new(Setup::new(version).with_quota_bytes(20_000));
        let read = Txn::new().and_then([Range::key("k")]);
        assert_eq!(etcd.call(0, read).is_err(), refused);
        assert!(etcd.call(0, Range::key("k")).is_ok());
    }
}

#[test]
fn a_corrupt_cluster_takes_no_writes() {
    let mut etcd = Etcd::one();
    let id = etcd.cluster.member_id(0);
    etcd.call(0, AlarmRequest::activate(id, AlarmType::Corrupt))
        .unwrap();
    let refused = etcd.call(0, Put::new("k", "v")).unwrap_err();
    assert_eq!(refused.message, Known::Corrupt.message());
    assert!(etcd.call(0, Range::key("k")).is_ok());
}

#[test]
fn members_come_and_go() {
    let mut etcd = Etcd::three();
    let url = "http://127.0.0.1:9999";
    let added = etcd.call(0, MemberAdd::new([url]).with_learner()).unwrap();
    assert_eq!((added.header.revision, added.members.len()), (0, 4));
    assert_eq!(added.member.name, "");
    let promote = || MemberPromote::new(added.member.id);
    assert_eq!(etcd.fails(promote()), Known::LearnerNotReady.message());
    let again = MemberAdd::new(["http://127.0.0.1:9998"]).with_learner();
    assert_eq!(etcd.fails(again), Known::TooManyLearners.message());
    let learner = etcd.cluster.join(etcd.now, added.member.id).unwrap();
    assert_eq!(etcd.cluster.join(etcd.now, added.member.id), None);
    etcd.put("k", "v");
    let refused = etcd.call(learner, Range::key("k")).unwrap_err();
    assert_eq!(refused.message, Known::NotSupportedForLearner.message());
    let read = Range::key("k").with_serializable();
    assert_eq!(etcd.call(learner, read).unwrap().count, 1);
    etcd.call(0, promote()).unwrap();
    assert_eq!(etcd.get(learner, "k").count, 1);
    let leader = etcd.leader();
    let other = etcd.follower();
    etcd.call(other, MemberRemove::new(etcd.cluster.member_id(leader)))
        .unwrap();
    assert!(!etcd.cluster.is_serving(leader));
    etcd.pass(secs(3));
    assert!(etcd.cluster.leader().is_some());
    let members = etcd.call(other, MemberList::new()).unwrap().members;
    assert_eq!(members.len(), 3);
    assert!(members.iter().any(|member| member.name == "m3"));
    etcd.cluster.start(etcd.now, leader);
    assert!(!etcd.cluster.is_serving(leader));
    let changes = etcd.cluster.log().iter();
    assert_eq!(
        changes
            .filter(|entry| entry.change == Change::Members)
            .count(),
        3
    );
}

#[test]
fn members_change_only_in_a_healthy_cluster() {
    let mut etcd = Etcd::three();
    let down = etcd.follower();
    etcd.cluster.stop(etcd.now, down);
    let asked = etcd.leader();
    let add = MemberAdd::new(["http://127.0.0.1:9999"]);
    let refused = etcd.call(asked, add).unwrap_err();
    assert_eq!(refused.message, Known::Unhealthy.message());
    let id = etcd.cluster.member_id(down);
    etcd.call(asked, MemberRemove::new(id)).unwrap();
    let gone = etcd.call(asked, MemberRemove::new(id)).unwrap_err();
    assert_eq!(gone.message, Known::MemberNotFound.message());
}

#[test]
fn only_the_leader_hands_the_lead_over() {
    let mut etcd = Etcd::three();
    let (leader, other) = (etcd.leader(), etcd.follower());
    let id = etcd.cluster.member_id(other);
    let refused = etcd.call(other, MoveLeader::new(id)).unwrap_err();
    assert_eq!(refused.message, Known::NotLeader.message());
    let refused = etcd.call(leader, MoveLeader::new(7)).unwrap_err();
    assert_eq!(refused.message, Known::BadLeaderTransferee.message());
    let term = etcd.call(leader, StatusRequest::new()).unwrap().raft_term;
    etcd.call(leader, MoveLeader::new(id)).unwrap();
    assert_eq!(etcd.cluster.leader(), Some(other));
    let status = etcd.call(leader, StatusRequest::new()).unwrap();
    assert_eq!((status.leader, status.raft_term), (id, term + 1));
}

#[test]
fn members_with_the_same_keys_have_the_same_hash() {
    let mut etcd = Etcd::three();
    etcd.put("a", "1");
    etcd.put("a", "2");
    let hash =
        |etcd: &mut Etcd, member, revision| etcd.call(member, HashKv::new(revision)).unwrap().hash;
    let old = hash(&mut etcd, 0, 2);
    assert_eq!(old, hash(&mut etcd, 1, 2));
    assert_ne!(old, hash(&mut etcd, 0, 0));
    assert_eq!(etcd.fails(HashKv::new(9)), Known::FutureRev.message());
    let whole = etcd.call(2, HashRequest::new()).unwrap();
    assert_eq!(whole.header.revision, 3);
}

#[test]
fn a_snapshot_ends_in_its_checksum() {
    let mut etcd = Etcd::one();
    for key in 0..40 {
        etcd.call(0, Put::new(format!("{key}"), vec![b'x'; 1_000]))
            .unwrap();
    }
    let request = StreamRequest::Snapshot(SnapshotRequest::new());
    let stream = etcd.stream(0, Meta::default(), request);
    let mut blobs: Vec<_> = etcd
        .replies(stream)
        .into_iter()
        .map(|reply| match reply {
            Reply::Snapshot(part) => Some((part.blob, part.remaining_bytes)),
            Reply::End => None,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(blobs.pop(), Some(None));
    let (hash, _) = blobs.pop().unwrap().unwrap();
    let blobs: Vec<_> = blobs.into_iter().flatten().collect();
    assert_eq!((blobs[0].0.len(), blobs.last().unwrap().1), (32_768, 0));
    let data: Vec<_> = blobs.iter().flat_map(|(blob, _)| blob.to_vec()).collect();
    assert_eq!(data.len() % 512, 0);
    assert_eq!(hash[..], Sha256::digest(&data)[..]);
}

#[test]
fn the_pages_tell_how_a_member_is() {
    let mut etcd = Etcd::three();
    let version = etcd.call(0, VersionRequest::new()).unwrap();
    assert_eq!(
        (&version.etcdserver[..], &version.etcdcluster[..]),
        ("3.5.16", "3.5.0")
    );
    assert!(etcd.call(0, HealthRequest::new()).unwrap().health);
    let ready = etcd.call(0, Readyz::new()).unwrap();
    assert!(ready.ok && ready.checks.is_empty());
    assert_eq!(
        etcd.call(0, Readyz::new().with_verbose())
            .unwrap()
            .checks
            .len(),
        3
    );
    let one = Readyz::new().with_check("linearizable_read").with_verbose();
    assert_eq!(etcd.call(0, one).unwrap().checks.len(), 1);
    assert_eq!(
        etcd.fails(Livez::new().with_check("nonsense")),
        Known::PageNotFound.message()
    );
    let metrics = etcd.call(0, MetricsRequest::new()).unwrap().text;
    assert!(metrics.contains("\netcd_server_has_leader 1\n"));
    etcd.cluster.partition(etcd.now, &[]);
    etcd.pass(secs(3));
    let health = etcd.call(0, HealthRequest::new()).unwrap();
    assert_eq!(
        (health.health, &health.reason[..]),
        (false, "RAFT NO LEADER")
    );
    let ready = etcd.call(0, Readyz::new()).unwrap();
    assert_eq!((ready.ok, ready.failed().count()), (false, 1));
    assert!(etcd.call(0, Livez::new()).unwrap().ok);
    let status = etcd.call(0, StatusRequest::new()).unwrap();
    assert_eq!(
        (status.leader, &status.errors[..]),
        (0, &[Known::NoLeader.message().to_owned()][..])
    );
}

#[test]
fn a_downgrade_goes_down_one_line() {
    let mut etcd = Etcd::new(Setup::new(Version::new(3, 6, 0)));
    let fails = |etcd: &mut Etcd, request| etcd.call(0, request).unwrap_err().message;
    assert_eq!(
        fails(&mut etcd, Downgrade::validate("3.4.0")),
        Known::InvalidDowngradeTargetVersion.message()
    );
    assert_eq!(
        fails(&mut etcd, Downgrade::validate("x")),
        Known::WrongDowngradeVersionFormat.message()
    );
    assert_eq!(
        fails(&mut etcd, Downgrade::cancel()),
        Known::NoInflightDowngrade.message()
    );
    etcd.call(0, Downgrade::enable("3.5.0")).unwrap();
    let info = etcd
        .call(0, StatusRequest::new())
        .unwrap()
        .downgrade_info
        .unwrap();
    assert_eq!((info.enabled, &info.target_version[..]), (true, "3.5.0"));
    etcd.call(0, Downgrade::cancel()).unwrap();
}
