//! Keys, transactions and leases, with every option there is.

use etcd_core::Compact;
use etcd_core::Compare;
use etcd_core::DeleteRange;
use etcd_core::KeyRange;
use etcd_core::Known;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAlive;
use etcd_core::LeaseLeases;
use etcd_core::LeaseRevoke;
use etcd_core::LeaseTimeToLive;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::SortOrder;
use etcd_core::SortTarget;
use etcd_core::Txn;
use etcd_core::TxnOp;
use etcd_core::TxnOpResponse;

use super::Walk;
use crate::driver::Driver;

pub(super) fn keys<D: Driver>(walk: &mut Walk<D>) {
    let first = walk.ok(Put::new("a/1", "3")).header.revision;
    walk.ok(Put::new("a/2", "2"));
    walk.ok(Put::new("a/3", "1"));
    let again = walk.ok(Put::new("a/1", "4").with_prev_kv());
    let before = again.prev_kv.expect("it was there");
    assert_eq!(
        (before.value.as_ref(), before.version),
        (b"3".as_slice(), 1)
    );
    let same = walk.ok(Put::new("a/1", "").with_ignore_value().with_prev_kv());
    assert_eq!(same.header.revision, first + 4);
    walk.ok(Put::new("b", "other"));

    let prefix = || Range::prefix("a/");
    let all = walk.ok(prefix());
    assert_eq!((keys_of(&all), all.count), (vec!["a/1", "a/2", "a/3"], 3));
    assert_eq!(
        (all.kvs[0].value.as_ref(), all.kvs[0].version),
        (b"4".as_slice(), 3)
    );
    for (target, wanted) in [
        (SortTarget::Key, ["a/3", "a/2", "a/1"]),
        (SortTarget::Version, ["a/1", "a/2", "a/3"]),
        (SortTarget::Create, ["a/3", "a/2", "a/1"]),
        (SortTarget::Mod, ["a/1", "a/3", "a/2"]),
        (SortTarget::Value, ["a/1", "a/2", "a/3"]),
    ] {
        let sorted = walk.ok(prefix().with_sort(target, SortOrder::Descend));
        // Two of them have the same version: only the greatest has its place for certain.
        let certain = if target == SortTarget::Version { 1 } else { 3 };
        assert_eq!(keys_of(&sorted)[..certain], wanted[..certain], "{target:?}");
    }
    let limited = walk.ok(prefix().with_limit(2));
    assert_eq!(
        (limited.kvs.len(), limited.more, limited.count),
        (2, true, 3)
    );
    let past = walk.ok(Range::key("a/1").with_revision(first));
    assert_eq!(past.kvs[0].value, "3");
    for (bounded, wanted) in [
        (prefix().with_min_mod_revision(first + 3), vec!["a/1"]),
        (prefix().with_max_mod_revision(first + 1), vec!["a/2"]),
        (prefix().with_min_create_revision(first + 2), vec!["a/3"]),
        (prefix().with_max_create_revision(first), vec!["a/1"]),
    ] {
        assert_eq!(keys_of(&walk.ok(bounded)), wanted);
    }
    assert_eq!(walk.ok(prefix().with_serializable()).count, 3);
    let only = walk.ok(prefix().with_keys_only());
    assert!(only.kvs.iter().all(|kv| kv.value.is_empty()) && only.kvs.len() == 3);
    let count = walk.ok(prefix().with_count_only());
    assert_eq!((count.kvs.len(), count.count), (0, 3));
    assert_eq!(
        keys_of(&walk.ok(Range::from_key("a/3"))),
        ["a/3", "b"],
        "from a key on"
    );
    assert_eq!(keys_of(&walk.ok(Range::range("a/2", "b"))), ["a/2", "a/3"]);

    let now = walk.ok(Range::all()).header.revision;
    walk.ok(Compact::new(now).with_physical());
    walk.refused(Compact::new(now), Known::Compacted);
    walk.refused(Compact::new(now + 100), Known::FutureRev);
    walk.refused(Range::key("b").with_revision(first), Known::Compacted);
    walk.refused(Range::key("b").with_revision(now + 100), Known::FutureRev);

    let gone = walk.ok(DeleteRange::prefix("a/").with_prev_kv());
    assert_eq!((gone.deleted, gone.prev_kvs.len()), (3, 3));
    assert_eq!(walk.ok(DeleteRange::all()).deleted, 1);
    assert_eq!(walk.ok(DeleteRange::key("b")).deleted, 0);
}

pub(super) fn transactions<D: Driver>(walk: &mut Walk<D>) {
    let lease = walk.ok(LeaseGrant::new(60)).id;
    let put = walk.ok(Put::new("t", "1").with_lease(lease));
    let at = put.header.revision;
    let inner = Txn::new()
        .when([Compare::missing("none")])
        .and_then([Put::new("in", "side")]);
    let txn = Txn::new()
        .when([
            Compare::version("t").eq(1),
            Compare::create_revision("t").eq(at),
            Compare::mod_revision("t").lt(at + 1),
            Compare::value("t").ne("2"),
            Compare::lease("t").gt(lease - 1),
            Compare::version(KeyRange::prefix("t")).eq(1),
        ])
        .and_then([
            TxnOp::from(Range::key("t")),
            Put::new("new", "1").into(),
            DeleteRange::key("t").with_prev_kv().into(),
            inner.into(),
        ])
        .or_else([Put::new("wrong", "")]);
    let done = walk.ok(txn);
    assert!(done.succeeded());
    let [
        TxnOpResponse::Range(read),
        TxnOpResponse::Put(_),
        TxnOpResponse::DeleteRange(gone),
        TxnOpResponse::Txn(inner),
    ] = &done.responses[..]
    else {
        panic!("{done:?}");
    };
    assert_eq!(read.kvs[0].lease, lease);
    assert_eq!(gone.prev_kvs[0].value, "1");
    assert!(inner.succeeded());
    let all = walk.ok(Range::all());
    assert_eq!(keys_of(&all), ["in", "new"]);
    assert!(all.kvs.iter().all(|kv| kv.mod_revision == at + 1));

    let other = walk.ok(Txn::new()
        .when([Compare::exists("t")])
        .or_else([DeleteRange::all()]));
    assert!(!other.succeeded() && other.responses.len() == 1);
    walk.ok(LeaseRevoke::new(lease));
}

pub(super) fn leases<D: Driver>(walk: &mut Walk<D>) {
    let granted = walk.ok(LeaseGrant::new(60).with_id(77));
    assert_eq!((granted.id, granted.ttl), (77, 60));
    walk.refused(LeaseGrant::new(60).with_id(77), Known::LeaseExist);
    let chosen = walk.ok(LeaseGrant::new(0)).id;
    for key in ["l/1", "l/2"] {
        walk.ok(Put::new(key, "v").with_lease(77));
    }
    walk.ok(Put::new("l/1", "w").with_ignore_lease());

    let left = walk.ok(LeaseTimeToLive::new(77).with_keys());
    assert!((50..=60).contains(&left.ttl) && left.granted_ttl == 60);
    let mut keys = left.keys;
    keys.sort();
    assert_eq!(keys, ["l/1", "l/2"]);
    assert!(walk.ok(LeaseTimeToLive::new(77)).keys.is_empty());
    assert_eq!(walk.ok(LeaseTimeToLive::new(78)).ttl, -1);
    let listed: Vec<_> = walk.ok(LeaseLeases::new()).leases;
    assert!(listed.iter().any(|lease| lease.id == 77));
    assert_eq!(walk.ok(LeaseKeepAlive::new(77)).ttl, 60);
    walk.refused(LeaseKeepAlive::new(78), Known::LeaseNotFound);

    walk.ok(LeaseRevoke::new(77));
    walk.ok(LeaseRevoke::new(chosen));
    walk.refused(LeaseRevoke::new(77), Known::LeaseNotFound);
    assert_eq!(walk.ok(Range::prefix("l/")).count, 0);
}

fn keys_of(range: &RangeResponse) -> Vec<&str> {
    let keys = range.kvs.iter().map(|kv| kv.key_str());
    keys.collect::<Result<_, _>>().expect("the keys are text")
}
