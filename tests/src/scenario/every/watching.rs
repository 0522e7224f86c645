//! Watches with every option there is, and a range page by page.

use etcd_core::DeleteRange;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Txn;
use etcd_core::TxnOp;
use etcd_core::Watch;
use etcd_core::WatchEnd;
use etcd_core::WatchEvent;
use etcd_core::WatchFilter;

use super::Walk;
use crate::driver::Driver;
use crate::driver::Watching;
use crate::scenario::Must;
use crate::scenario::PATIENCE;
use crate::scenario::batch;
use crate::scenario::changes;
use crate::scenario::end;

pub(super) fn watches<D: Driver>(walk: &mut Walk<D>) {
    let first = walk.ok(Put::new("w/1", "a")).header.revision;
    walk.ok(Put::new("w/1", "b"));
    let range = || Watch::prefix("w/");
    let with_all = range()
        .with_start_revision(first)
        .with_prev_kv()
        .with_progress_notify(true)
        .with_fragment(true);
    let mut all = walk.client.watch(with_all).must();
    assert_eq!(all.created_revision(), first + 1);
    let puts = range().with_filter(WatchFilter::NoDelete);
    let mut puts = walk.client.watch(puts).must();
    let deletes = range().with_filter(WatchFilter::NoPut);
    let mut deletes = walk.client.watch(deletes).must();
    walk.ok(Txn::new().and_then([
        TxnOp::from(Put::new("w/2", "c")),
        DeleteRange::key("w/1").into(),
    ]));

    assert_eq!(changes(&batch(&mut all)), [("w/1", Some("a"))]);
    let again = batch(&mut all);
    assert_eq!(changes(&again), [("w/1", Some("b"))]);
    let before = again.events[0].prev_kv.as_ref().expect("asked for");
    assert_eq!(before.value, "a");
    let both = batch(&mut all);
    assert_eq!(both.revision, first + 2);
    assert_eq!(changes(&both), [("w/2", Some("c")), ("w/1", None)]);
    assert_eq!(changes(&batch(&mut puts)), [("w/2", Some("c"))]);
    assert_eq!(changes(&batch(&mut deletes)), [("w/1", None)]);

    all.request_progress();
    match all.next_within(PATIENCE) {
        Ok(Some(WatchEvent::Progress { revision })) => assert_eq!(revision, first + 2),
        other => panic!("wanted progress, got {other:?}"),
    }
    for mut watch in [all, puts, deletes] {
        watch.cancel();
        assert_eq!(end(&mut watch), WatchEnd::Canceled);
    }
}

pub(super) fn pages<D: Driver>(walk: &mut Walk<D>) {
    for key in ["w/1", "w/2", "w/3"] {
        walk.ok(Put::new(key, "v"));
    }
    let mut keys = Vec::new();
    for page in walk.client.pages(Range::prefix("w/"), 2) {
        let page = page.must();
        assert_eq!(page.count, 3);
        keys.extend(page.kvs.into_iter().map(|kv| kv.key));
    }
    assert_eq!(keys, ["w/1", "w/2", "w/3"]);
    assert_eq!(walk.ok(DeleteRange::all()).deleted, 3);
}
