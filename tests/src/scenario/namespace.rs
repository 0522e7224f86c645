//! Keys under a prefix, as a client in a namespace sees them and as everybody else does.

use std::time::Duration;

use etcd_core::Campaign;
use etcd_core::KeyRange;
use etcd_core::Leader;
use etcd_core::LeaseGrant;
use etcd_core::LeaseTimeToLive;
use etcd_core::Lock;
use etcd_core::Namespace;
use etcd_core::Put;
use etcd_core::Resign;
use etcd_core::Unlock;
use etcd_core::Watch;
use etcd_core::WatchEvent;

use super::Must;
use super::PATIENCE;
use super::Stage;
use crate::driver::Driver;
use crate::driver::Observing;
use crate::driver::Watching;

/// A client in a namespace sees its keys without their prefix, and nothing of others; all else sees them whole.
pub fn a_namespace_is_a_store_of_its_own<D: Driver>(stage: &mut Stage) {
    let everybody: D = stage.client();
    let mut config = stage.config();
    config.namespace = Namespace::new(&b"app\xff"[..]);
    let client = D::with_config(config);
    let mut watch = client.watch(Watch::new(KeyRange::all())).must();
    for foreign in [&b"app"[..], b"app\xfe", b"aq", b"b"] {
        everybody.put(foreign, "theirs").must();
    }

    let lease = client.call(LeaseGrant::new(60)).must().id;
    client.call(Put::new("k", "v").with_lease(lease)).must();
    everybody.call(Put::new("b", "x").with_lease(lease)).must();
    let all = client.get(KeyRange::all()).must();
    assert_eq!((all.count, &all.kvs[0].key[..]), (1, &b"k"[..]));
    assert_eq!(everybody.get(&b"app\xffk"[..]).must().count, 1);
    let told = watch.next_within(PATIENCE);
    let Ok(Some(WatchEvent::Batch(batch))) = told else {
        panic!("wanted a change, got {told:?}");
    };
    assert_eq!(&batch.events[0].kv.key[..], b"k");
    assert!(watch.next_within(Duration::from_millis(200)).is_err());
    let attached = client.call(LeaseTimeToLive::new(lease).with_keys()).must();
    assert_eq!(attached.keys, ["k"]);

    let lock = client.call(Lock::new("jobs").with_lease(lease)).must();
    assert!(lock.key.starts_with(b"jobs/"));
    assert_eq!(
        everybody
            .get(KeyRange::prefix(&b"app\xffjobs/"[..]))
            .must()
            .count,
        1
    );
    client.call(Unlock::new(lock.key)).must();
    let elected = client
        .call(Campaign::new("el", "me").with_lease(lease))
        .must();
    assert_eq!(&elected.leader.name[..], b"el");
    let leads = client.call(Leader::new("el")).must();
    assert_eq!(leads.kv.key, elected.leader.key);
    let mut observer = client.observe("el");
    let observed = observer.next_within(PATIENCE);
    let Ok(Some(Ok(observed))) = observed else {
        panic!("wanted a leader, got {observed:?}");
    };
    assert_eq!(observed.kv.key, elected.leader.key);
    drop(observer);
    client.call(Resign::new(elected.leader)).must();

    assert_eq!(client.delete(KeyRange::all()).must().deleted, 1);
    assert_eq!(everybody.get(KeyRange::all()).must().count, 4);
}
