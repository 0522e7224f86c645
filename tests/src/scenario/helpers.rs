//! What stands on top of the calls: writes with a condition, and large ranges page by page.

use etcd_core::Applied;
use etcd_core::CompareAndSwap;
use etcd_core::DeleteIfUnchanged;
use etcd_core::Error;
use etcd_core::KeyRange;
use etcd_core::LeaseGrant;
use etcd_core::Put;
use etcd_core::PutIfAbsent;
use etcd_core::PutIfPresent;
use etcd_core::Range;
use etcd_core::Txn;

use super::Must;
use super::Stage;
use crate::driver::Driver;

/// A write with a condition is done if the condition holds, and else tells what is there.
pub fn guarded_writes_tell_what_is_there<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let refused = client.call(PutIfPresent::new("k", "0")).must();
    assert_eq!((refused.succeeded(), refused.current()), (false, None));

    let lease = client.call(LeaseGrant::new(60)).must().id;
    let created = client
        .call(PutIfAbsent::new("k", "1").with_lease(lease))
        .must();
    assert!(created.succeeded());
    let refused = client.call(PutIfAbsent::new("k", "2")).must();
    let current = refused.current().expect("what was there first");
    assert_eq!((current.text().must(), current.lease), ("1", lease));
    assert_eq!(current.mod_revision, created.header.revision);

    let kept = CompareAndSwap::value("k", "1", "3")
        .with_ignore_lease()
        .with_prev_kv();
    let swapped = client.call(kept.clone()).must();
    assert_eq!(
        swapped.prev_kv().expect("the one before").text().must(),
        "1"
    );
    let refused = client.call(kept).must();
    let current = refused.current().expect("another value");
    assert_eq!((current.text().must(), current.lease), ("3", lease));

    let at = swapped.header.revision;
    let stale = CompareAndSwap::mod_revision("k", created.header.revision, "4");
    assert_eq!(
        client
            .call(stale)
            .must()
            .current()
            .map(|kv| kv.mod_revision),
        Some(at)
    );
    assert!(
        client
            .call(CompareAndSwap::mod_revision("k", at, "4"))
            .must()
            .succeeded()
    );
    assert!(
        client
            .call(CompareAndSwap::mod_revision("new", 0, "5"))
            .must()
            .succeeded()
    );
    assert_eq!(client.get("k").must().kvs[0].lease, 0);

    assert!(
        !client
            .call(DeleteIfUnchanged::new("k", at))
            .must()
            .succeeded()
    );
    let now = client.get("k").must().kvs[0].mod_revision;
    let deleted = client
        .call(DeleteIfUnchanged::new("k", now).with_prev_kv())
        .must();
    assert_eq!(deleted.prev_kv().expect("the last one").text().must(), "4");
    let missing = client.call(CompareAndSwap::value("k", "", "6")).must();
    assert_eq!((missing.succeeded(), missing.current()), (false, None));
}

/// Pages are one range at one revision, whatever is written meanwhile; a compaction ends them.
pub fn pages_are_one_revision<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    for from in (0..1000).step_by(100) {
        let puts = (from..from + 100).map(|key| Put::new(format!("p/{key:04}"), vec![b'v'; 100]));
        client.call(Txn::new().and_then(puts)).must();
    }
    client.put("q", "behind").must();
    let before = stage.truth(Range::prefix("p/"));

    let mut kvs = Vec::new();
    for page in client.pages(Range::prefix("p/"), 300) {
        let page = page.must();
        assert_eq!((page.count, page.revision), (1000, before.header.revision));
        kvs.extend(page.kvs);
        assert_eq!(page.more, kvs.len() < 1000);
        // In front, in the middle and behind, of what was read and of what was not.
        client.put("p/0000", "changed").must();
        client.put(format!("p/{:04}a", kvs.len()), "new").must();
        client.delete("p/0999").must();
    }
    assert_eq!(kvs, before.kvs);

    let filtered = Range::from_key("p/0990").with_limit(5).with_keys_only();
    let pages: Vec<_> = client.pages(filtered, 3).map(|page| page.must()).collect();
    let lens: Vec<_> = pages.iter().map(|page| page.kvs.len()).collect();
    assert_eq!((lens, pages[1].more), (vec![3, 2], true));
    assert!(
        pages
            .iter()
            .flat_map(|page| &page.kvs)
            .all(|kv| kv.value.is_empty())
    );

    let mut pages = client.pages(Range::new(KeyRange::all()), 300);
    let pinned = pages.next().expect("a page").must().revision;
    let newest = client.put("p/0001", "changed").must().header.revision;
    client.call(etcd_core::Compact::new(newest)).must();
    let error = pages.next().expect("an error").must_fail();
    assert_eq!(error, Error::Compacted { revision: pinned });
    assert_eq!(error.applied(), Applied::No);
    assert!(pages.next().is_none());
}
