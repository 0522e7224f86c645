//! Transactions: what they compare, and what they then do.

use etcd_core::Compare;
use etcd_core::DeleteRange;
use etcd_core::LeaseGrant;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Txn;
use etcd_core::TxnOp;
use etcd_core::TxnOpResponse;

use super::Must;
use super::Stage;
use crate::driver::Driver;

/// Each compare, with each of its results, decides as the store is.
pub fn every_compare_decides<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let lease = client.call(LeaseGrant::new(60)).must().id;
    let created = client.put("k", "l").must().header.revision;
    let modified = client
        .call(Put::new("k", "m").with_lease(lease))
        .must()
        .header
        .revision;
    let won = |compare: Compare| client.call(Txn::new().when([compare])).must().succeeded();

    // Each against something below, equal, and above: which of the results hold.
    macro_rules! decides {
        ($compare:expr, $below:expr, $equal:expr, $above:expr) => {
            let text = stringify!($compare);
            let eq = [
                won($compare.eq($below)),
                won($compare.eq($equal)),
                won($compare.eq($above)),
            ];
            assert_eq!(eq, [false, true, false], "{text} eq");
            let ne = [
                won($compare.ne($below)),
                won($compare.ne($equal)),
                won($compare.ne($above)),
            ];
            assert_eq!(ne, [true, false, true], "{text} ne");
            let gt = [
                won($compare.gt($below)),
                won($compare.gt($equal)),
                won($compare.gt($above)),
            ];
            assert_eq!(gt, [true, false, false], "{text} gt");
            let lt = [
                won($compare.lt($below)),
                won($compare.lt($equal)),
                won($compare.lt($above)),
            ];
            assert_eq!(lt, [false, false, true], "{text} lt");
        };
    }
    decides!(Compare::version("k"), 1, 2, 3);
    decides!(
        Compare::create_revision("k"),
        created - 1,
        created,
        created + 1
    );
    decides!(
        Compare::mod_revision("k"),
        modified - 1,
        modified,
        modified + 1
    );
    decides!(Compare::value("k"), "l", "m", "n");
    decides!(Compare::lease("k"), lease - 1, lease, lease + 1);

    assert!(won(Compare::exists("k")) && !won(Compare::missing("k")));
    assert!(won(Compare::missing("none")) && !won(Compare::exists("none")));
    client.put("other", "n").must();
    assert!(won(Compare::value(etcd_core::KeyRange::all()).gt("l")));
    assert!(!won(Compare::value(etcd_core::KeyRange::all()).gt("m")));
}

/// One branch is done, all of it, at one revision; the other is not.
pub fn one_branch_is_done_at_one_revision<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let before = client.put("a", "old").must().header.revision;
    let take = || {
        Txn::new()
            .when([Compare::value("a").eq("old"), Compare::missing("b")])
            .and_then([
                TxnOp::from(Put::new("a", "new").with_prev_kv()),
                Put::new("b", "made").into(),
                Range::prefix("").into(),
            ])
            .or_else([Range::key("a")])
    };
    let won = client.call(take()).must();
    assert!(won.succeeded());
    assert_eq!(won.header.revision, before + 1);
    let [
        TxnOpResponse::Put(a),
        TxnOpResponse::Put(b),
        TxnOpResponse::Range(all),
    ] = &won.responses[..]
    else {
        panic!("{won:?}");
    };
    assert_eq!(a.prev_kv.as_ref().expect("it was there").value, "old");
    assert_eq!(b.prev_kv, None);
    assert_eq!(all.kvs.len(), 2);
    assert!(all.kvs.iter().all(|kv| kv.mod_revision == before + 1));

    let lost = client.call(take()).must();
    assert!(!lost.succeeded());
    assert_eq!(lost.header.revision, before + 1, "nothing was written");
    let [TxnOpResponse::Range(a)] = &lost.responses[..] else {
        panic!("{lost:?}");
    };
    assert_eq!(a.kvs[0].value, "new");
}

/// A transaction inside another decides for itself, at the same revision.
pub fn transactions_nest<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let before = client.put("a", "1").must().header.revision;
    let inner = Txn::new()
        .when([Compare::missing("a")])
        .and_then([Put::new("wrong", "")])
        .or_else([
            TxnOp::from(Put::new("c", "inner")),
            DeleteRange::key("a").into(),
        ]);
    let outer = Txn::new()
        .when([Compare::exists("a")])
        .and_then([TxnOp::from(Put::new("b", "outer")), inner.into()]);
    let done = client.call(outer).must();
    assert!(done.succeeded());
    let [TxnOpResponse::Put(_), TxnOpResponse::Txn(inner)] = &done.responses[..] else {
        panic!("{done:?}");
    };
    assert!(!inner.succeeded());
    let [TxnOpResponse::Put(_), TxnOpResponse::DeleteRange(gone)] = &inner.responses[..] else {
        panic!("{inner:?}");
    };
    assert_eq!(gone.deleted, 1);

    let all = stage.truth(Range::all());
    let kvs: Vec<_> = all
        .kvs
        .iter()
        .map(|kv| (&kv.key[..], &kv.value[..]))
        .collect();
    assert_eq!(kvs, [(&b"b"[..], &b"outer"[..]), (b"c", b"inner")]);
    assert!(all.kvs.iter().all(|kv| kv.mod_revision == before + 1));
}
