//! Puts, reads, deletes, transactions, compaction.

use etcd_core::{
    Compact, Compare, DeleteRange, KeyRange, Known, Put, Range, Txn, TxnOp, TxnOpResponse, Version,
};

use super::support::Etcd;
use crate::etcd::{Change, Setup};

#[test]
fn a_put_is_read_everywhere_after_it() {
    let mut etcd = Etcd::three();
    let answer = etcd.call(2, Put::new("k", "v")).unwrap();
    assert_eq!(answer.header.revision, 2);
    assert_eq!(answer.header.member_id, etcd.cluster.member_id(2));
    assert_eq!(answer.header.cluster_id, etcd.cluster.id());
    for member in 0..3 {
        let answer = etcd.get(member, "k");
        let kv = answer.first().unwrap();
        assert_eq!((kv.value_str(), kv.version), (Ok("v"), 1));
        assert_eq!(answer.header.revision, 2);
    }
    assert_eq!(etcd.cluster.log().len(), 1);
    let Change::Kv(events) = &etcd.cluster.log()[0].change else {
        panic!()
    };
    assert_eq!(events[0].kv.key_str(), Ok("k"));
}

#[test]
fn a_put_keeps_what_it_is_told_to_keep() {
    let mut etcd = Etcd::one();
    let put = |key: &'static str| Put::new(key, "");
    assert_eq!(
        etcd.fails(put("k").with_ignore_value()),
        Known::KeyNotFound.message()
    );
    etcd.put("k", "v");
    let kept = etcd.call(0, put("k").with_ignore_value().with_prev_kv());
    assert_eq!(kept.unwrap().prev_kv.unwrap().value_str(), Ok("v"));
    assert_eq!(etcd.get(0, "k").first().unwrap().value_str(), Ok("v"));
    for (request, known) in [
        (Put::new("", "v"), Known::EmptyKey),
        (Put::new("k", "v").with_ignore_value(), Known::ValueProvided),
        (
            put("k").with_lease(7).with_ignore_lease(),
            Known::LeaseProvided,
        ),
        (put("k").with_lease(7), Known::LeaseNotFound),
    ] {
        assert_eq!(etcd.fails(request), known.message());
    }
    assert_eq!(etcd.cluster.revision(), 3);
}

#[test]
fn a_delete_of_nothing_has_no_revision_of_its_own() {
    let mut etcd = Etcd::one();
    etcd.put("a", "1");
    etcd.put("b", "2");
    let none = etcd.call(0, DeleteRange::key("c")).unwrap();
    assert_eq!((none.deleted, none.header.revision), (0, 3));
    let both = etcd.call(0, DeleteRange::all().with_prev_kv()).unwrap();
    assert_eq!((both.deleted, both.header.revision), (2, 4));
    let values: Vec<_> = both
        .prev_kvs
        .iter()
        .map(|kv| kv.value_str().unwrap())
        .collect();
    assert_eq!(values, ["1", "2"]);
    let inverted = etcd.call(0, DeleteRange::range("b", "a")).unwrap();
    assert_eq!(inverted.deleted, 0);
}

#[test]
fn a_transaction_takes_one_branch_at_one_revision() {
    let mut etcd = Etcd::one();
    etcd.put("a", "1");
    let nested = Txn::new()
        .when([Compare::value("a").eq("1")])
        .and_then([Put::new("c", "nested")]);
    let txn = Txn::new()
        .when([Compare::exists("a"), Compare::missing("b")])
        .and_then([
            TxnOp::from(Put::new("b", "2")),
            // Its condition is about what was before the whole transaction.
            TxnOp::from(nested),
            TxnOp::from(DeleteRange::key("a").with_prev_kv()),
            TxnOp::from(Range::all()),
        ]);
    let answer = etcd.call(0, txn.clone()).unwrap();
    assert!(answer.succeeded);
    assert_eq!(answer.header.revision, 3);
    let [
        TxnOpResponse::Put(put),
        TxnOpResponse::Txn(nested),
        TxnOpResponse::DeleteRange(delete),
        TxnOpResponse::Range(range),
    ] = &answer.responses[..]
    else {
        panic!("{answer:?}")
    };
    assert_eq!((put.header.revision, delete.header.revision), (3, 3));
    assert_eq!((nested.succeeded, nested.header.revision), (true, 0));
    assert_eq!(delete.deleted, 1);
    let keys: Vec<_> = range.kvs.iter().map(|kv| kv.key_str().unwrap()).collect();
    assert_eq!((keys, range.header.revision), (vec!["b", "c"], 3));
    assert!(range.kvs.iter().all(|kv| kv.mod_revision == 3));
    let events = etcd.cluster.log().last().unwrap().events();
    let keys: Vec<_> = events
        .iter()
        .map(|event| event.kv.key_str().unwrap())
        .collect();
    assert_eq!(keys, ["b", "c", "a"]);
    assert!(!etcd.call(0, txn).unwrap().succeeded);
}

#[test]
fn conditions_hold_for_all_keys_of_a_range() {
    let mut etcd = Etcd::one();
    etcd.put("a1", "x");
    etcd.put("a2", "y");
    let holds = |etcd: &mut Etcd, compare: Compare| {
        etcd.call(0, Txn::new().when([compare])).unwrap().succeeded
    };
    let all = || KeyRange::prefix("a");
    assert!(holds(&mut etcd, Compare::version(all()).eq(1)));
    assert!(!holds(&mut etcd, Compare::mod_revision(all()).eq(2)));
    assert!(holds(&mut etcd, Compare::mod_revision(all()).gt(1)));
    assert!(holds(&mut etcd, Compare::value("a1").lt("xx")));
    // What is not there has no value, not even an empty one, but the other numbers are 0.
    assert!(!holds(&mut etcd, Compare::value("b").eq("")));
    assert!(!holds(&mut etcd, Compare::value("b").ne("x")));
    assert!(holds(&mut etcd, Compare::lease("b").eq(0)));
    assert!(holds(&mut etcd, Compare::create_revision("b").eq(0)));
}

#[test]
fn a_bad_transaction_is_refused_as_a_whole() {
    let mut etcd = Etcd::one();
    let twice = Txn::new().and_then([Put::new("k", "1"), Put::new("k", "2")]);
    let both = Txn::new().and_then([
        TxnOp::from(Put::new("k", "1")),
        TxnOp::from(DeleteRange::prefix("k")),
    ]);
    let nested = Txn::new().and_then([TxnOp::from(Put::new("k", "1")), TxnOp::from(twice.clone())]);
    for txn in [twice, both, nested] {
        assert_eq!(etcd.fails(txn), Known::DuplicateKey.message());
    }
    let branches = Txn::new()
        .and_then([Put::new("k", "1")])
        .or_else([Put::new("k", "2")]);
    assert!(etcd.call(0, branches).is_ok());
    let deletes = Txn::new().and_then([DeleteRange::key("x"), DeleteRange::key("x")]);
    assert!(etcd.call(0, deletes).is_ok());
    let many = (0..129).map(|key| Put::new(format!("{key}"), ""));
    assert_eq!(
        etcd.fails(Txn::new().and_then(many)),
        Known::TooManyOps.message()
    );
    let late = Txn::new().and_then([
        TxnOp::from(Put::new("a", "1")),
        TxnOp::from(Put::new("b", "1").with_lease(7)),
    ]);
    assert_eq!(etcd.fails(late), Known::LeaseNotFound.message());
    let future = Txn::new().and_then([
        TxnOp::from(Put::new("a", "1")),
        TxnOp::from(Range::key("a").with_revision(3)),
    ]);
    assert_eq!(etcd.fails(future), Known::FutureRev.message());
    assert!(etcd.get(0, "a").kvs.is_empty());
}

#[test]
fn compaction_forgets_the_past() {
    let mut etcd = Etcd::one();
    for value in ["1", "2", "3"] {
        etcd.put("k", value);
    }
    assert_eq!(etcd.call(0, Compact::new(3)).unwrap().header.revision, 4);
    assert_eq!(etcd.fails(Compact::new(3)), Known::Compacted.message());
    assert_eq!(etcd.fails(Compact::new(9)), Known::FutureRev.message());
    let old = Range::key("k").with_revision(2);
    assert_eq!(etcd.fails(old), Known::Compacted.message());
    let kept = etcd.call(0, Range::key("k").with_revision(3)).unwrap();
    assert_eq!(kept.first().unwrap().value_str(), Ok("2"));
    assert_eq!(etcd.cluster.compact_revision(), 3);
    assert_eq!(etcd.cluster.log()[3].change, Change::Compacted(3));
    assert_eq!(etcd.cluster.log()[4].change, Change::Nothing);
}

#[test]
fn the_poisoned_transaction_splits_the_cluster() {
    let poison = || {
        Txn::new().and_then([
            TxnOp::from(Put::new("x", "1")),
            TxnOp::from(Range::key("k").with_revision(2)),
        ])
    };
    for (version, splits) in [
        (Version::new(3, 5, 30), true),
        (Version::new(3, 7, 0), false),
    ] {
        let mut etcd = Etcd::new(Setup::new(version).with_members(3));
        etcd.put("k", "1");
        etcd.put("k", "2");
        etcd.call(0, Compact::new(3)).unwrap();
        let refused = etcd.call(0, poison()).unwrap_err();
        assert_eq!(refused.message, Known::Compacted.message());
        let counts = [0, 1, 2].map(|member| etcd.get(member, "x").count);
        assert_eq!(counts, if splits { [0, 1, 1] } else { [0, 0, 0] });
        assert_eq!(etcd.cluster.revision(), if splits { 4 } else { 3 });
    }
}
