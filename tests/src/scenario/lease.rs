//! Leases, and what a server says of itself.

use std::time::Instant;

use etcd_core::Applied;
use etcd_core::HealthRequest;
use etcd_core::Known;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAlive;
use etcd_core::LeaseLeases;
use etcd_core::LeaseRevoke;
use etcd_core::LeaseTimeToLive;
use etcd_core::Put;
use etcd_core::StatusRequest;
use etcd_core::VersionRequest;

use super::Must;
use super::Stage;
use super::batch;
use super::changes;
use crate::driver::Driver;

/// A lease is granted, renewed, looked at, listed and revoked, and its keys go with it.
pub fn a_lease_lives_until_it_is_revoked<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let first = client.call(LeaseGrant::new(60)).must();
    assert!(first.id != 0 && first.ttl == 60, "{first:?}");
    let second = client.call(LeaseGrant::new(90).with_id(7777)).must();
    assert_eq!((second.id, second.ttl), (7777, 90));
    let taken = client.call(LeaseGrant::new(90).with_id(7777)).must_fail();
    assert_eq!(
        taken.status().and_then(|status| status.known()),
        Some(Known::LeaseExist)
    );
    assert_eq!(taken.applied(), Applied::No);

    for key in ["l/1", "l/2"] {
        client.call(Put::new(key, "v").with_lease(7777)).must();
    }
    assert_eq!(client.get("l/1").must().kvs[0].lease, 7777);
    let renewed = client.call(LeaseKeepAlive::new(7777)).must();
    assert_eq!((renewed.id, renewed.ttl), (7777, 90));
    let left = client.call(LeaseTimeToLive::new(7777).with_keys()).must();
    assert_eq!((left.id, left.granted_ttl), (7777, 90));
    assert!((85..=90).contains(&left.ttl), "{left:?}");
    let mut keys = left.keys.clone();
    keys.sort();
    assert_eq!(keys, ["l/1", "l/2"]);
    let mut ids: Vec<_> = client
        .call(LeaseLeases::new())
        .must()
        .leases
        .iter()
        .map(|lease| lease.id)
        .collect();
    ids.sort_unstable();
    let mut both = [first.id, 7777];
    both.sort_unstable();
    assert_eq!(ids, both);

    client.call(LeaseRevoke::new(7777)).must();
    assert_eq!(stage.truth("l/1".into()).count, 0);
    assert_eq!(client.call(LeaseTimeToLive::new(7777)).must().ttl, -1);
    let gone = client.call(LeaseRevoke::new(7777)).must_fail();
    assert_eq!(
        gone.status().and_then(|status| status.known()),
        Some(Known::LeaseNotFound)
    );
    // The server answers this with a time to live of 0; it is the same error here.
    let gone = client.call(LeaseKeepAlive::new(7777)).must_fail();
    assert_eq!(
        gone.status().and_then(|status| status.known()),
        Some(Known::LeaseNotFound)
    );
    assert_eq!(client.call(LeaseKeepAlive::new(first.id)).must().ttl, 60);
}

/// A lease that nobody renews ends, and a watch is told of its keys.
pub fn a_lease_that_is_not_renewed_expires<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut watch = client.watch("k").must();
    let since = Instant::now();
    let granted = client.call(LeaseGrant::new(1)).must();
    client
        .call(Put::new("k", "v").with_lease(granted.id))
        .must();
    assert_eq!(changes(&batch(&mut watch)), [("k", Some("v"))]);
    assert_eq!(changes(&batch(&mut watch)), [("k", None)]);
    let lived = since.elapsed().as_secs_f64();
    assert!(lived >= 1.0, "{lived} s");
    assert_eq!(client.get("k").must().count, 0);
    assert_eq!(client.call(LeaseTimeToLive::new(granted.id)).must().ttl, -1);
}

/// Version, status and health are the server's.
pub fn a_server_tells_how_it_is<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let version = client.call(VersionRequest::new()).must();
    assert_eq!(version.etcdserver, stage.server.version().must());
    assert!(
        version
            .etcdserver
            .starts_with(version.etcdcluster.trim_end_matches(".0"))
    );
    let health = client.call(HealthRequest::new()).must();
    assert!(health.health, "{health:?}");

    let put = client.put("k", "v").must();
    let status = client.call(StatusRequest::new()).must();
    assert_eq!(status.version, version.etcdserver);
    assert_eq!(status.leader, status.header.member_id);
    assert_eq!(status.header.cluster_id, put.header.cluster_id);
    assert!(
        status.db_size > 0 && status.raft_term > 0 && status.raft_index > 0,
        "{status:?}"
    );
    assert!(status.errors.is_empty() && !status.is_learner, "{status:?}");
}
