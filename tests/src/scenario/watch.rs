//! Watches on a server that stays: what they tell, and how they end.

use std::time::Duration;
use std::time::Instant;

use etcd_core::Compact;
use etcd_core::Config;
use etcd_core::DeleteRange;
use etcd_core::EventKind;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Txn;
use etcd_core::TxnOp;
use etcd_core::Watch;
use etcd_core::WatchCarrier;
use etcd_core::WatchEnd;
use etcd_core::WatchEvent;
use etcd_core::WatchFilter;

use super::Must;
use super::PATIENCE;
use super::Stage;
use super::batch;
use super::changes;
use super::end;
use super::nothing;
use super::wait_until;
use crate::Proxy;
use crate::driver::Driver;
use crate::driver::Watching;

/// Puts and deletes are told as they happen, with what was there before if asked.
pub fn changes_are_told_as_they_happen<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let before = client.put("w/old", "1").must().header.revision;
    let mut watch = client.watch(Watch::prefix("w/").with_prev_kv()).must();
    let mut plain = client.watch(Watch::key("w/new")).must();
    assert_eq!(watch.created_revision(), before);
    nothing(&mut watch);

    client.put("w/new", "1").must();
    client.put("x", "not in the range").must();
    client.put("w/new", "2").must();
    client.delete("w/old").must();

    let made = batch(&mut watch);
    assert_eq!(
        (made.revision, &changes(&made)[..]),
        (before + 1, &[("w/new", Some("1"))][..])
    );
    assert_eq!(
        (made.events[0].kv.version, &made.events[0].prev_kv),
        (1, &None)
    );
    let changed = batch(&mut watch);
    assert_eq!(
        (changed.revision, changed.events[0].kv.version),
        (before + 3, 2)
    );
    assert_eq!(
        changed.events[0].prev_kv.as_ref().expect("asked for").value,
        "1"
    );
    let deleted = batch(&mut watch);
    let event = &deleted.events[0];
    assert_eq!(
        (deleted.revision, event.kind),
        (before + 4, EventKind::Delete)
    );
    assert_eq!(
        (&event.kv.key[..], event.kv.mod_revision),
        (&b"w/old"[..], before + 4)
    );
    assert_eq!(
        event.prev_kv.as_ref().expect("asked for").create_revision,
        before
    );
    nothing(&mut watch);

    for version in [1, 2] {
        let change = batch(&mut plain);
        assert_eq!(
            (change.events[0].kv.version, &change.events[0].prev_kv),
            (version, &None)
        );
    }
    nothing(&mut plain);
}

/// Filters leave out puts, or deletes, or both.
pub fn filters_leave_out_what_they_say<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let (no_put, no_delete) = (WatchFilter::NoPut, WatchFilter::NoDelete);
    let mut deletes = client.watch(Watch::key("f").with_filter(no_put)).must();
    let mut puts = client.watch(Watch::key("f").with_filter(no_delete)).must();
    let both = Watch::key("f").with_filter(no_put).with_filter(no_delete);
    let mut neither = client.watch(both).must();
    for _ in 0..3 {
        client.put("f", "v").must();
        client.delete("f").must();
    }
    for _ in 0..3 {
        assert_eq!(changes(&batch(&mut puts)), [("f", Some("v"))]);
        assert_eq!(changes(&batch(&mut deletes)), [("f", None)]);
    }
    nothing(&mut puts);
    nothing(&mut deletes);
    nothing(&mut neither);
}

/// From a revision of the past on, history comes first and the present after it, without a seam;
/// what one transaction did stays in one piece.
pub fn history_comes_first_and_whole<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut wanted = Vec::new();
    let mut write = |round: i32| {
        let (one, two, three) = (format!("h/{round}"), "h/last", format!("h/{}", round - 1));
        let ops = [
            TxnOp::from(Put::new(one.as_str(), "v")),
            Put::new(two, one.as_str()).into(),
            DeleteRange::key(three.as_str()).into(),
        ];
        let revision = client.call(Txn::new().and_then(ops)).must().header.revision;
        wanted.push((revision, if round == 0 { 2 } else { 3 }));
    };
    for round in 0..50 {
        write(round);
    }
    let from = Watch::prefix("h/").with_start_revision(2);
    let mut watch = client.watch(from).must();
    for round in 50..100 {
        write(round);
    }
    for (revision, count) in wanted {
        let told = batch(&mut watch);
        assert_eq!((told.revision, told.events.len()), (revision, count));
        assert!(
            told.events
                .iter()
                .all(|event| event.kv.mod_revision == revision)
        );
        assert_eq!(told.next_revision(), revision + 1);
    }
    nothing(&mut watch);

    // From a revision of the future on, the past and the present are left out.
    let now = client.get("h/last").must().header.revision;
    let mut later = client
        .watch(Watch::key("h/last").with_start_revision(now + 3))
        .must();
    for value in ["+1", "+2", "+3"] {
        client.put("h/last", value).must();
    }
    assert_eq!(changes(&batch(&mut later)), [("h/last", Some("+3"))]);
}

/// Progress that was asked for says up to where everything was told. Where the server's own answer
/// proves nothing (before 3.4.25 and 3.5.8), it is what was told for certain.
pub fn progress_is_told_when_asked<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut watch = client.watch("p").must();
    let told = client.put("p", "v").must().header.revision;
    let now = client.put("elsewhere", "v").must().header.revision;
    assert_eq!(batch(&mut watch).revision, told);

    watch.request_progress();
    let Ok(Some(WatchEvent::Progress { revision })) = watch.next_within(PATIENCE) else {
        panic!("no progress was told");
    };
    let trusted = stage.is_at_least([3, 5, 8])
        || stage.is_at_least([3, 4, 25]) && !stage.is_at_least([3, 5, 0]);
    if trusted {
        assert_eq!(revision, now);
    } else {
        assert!(
            (told..=now).contains(&revision),
            "{revision} is not in {told}..={now}"
        );
    }
    client.put("p", "w").must();
    assert_eq!(changes(&batch(&mut watch)), [("p", Some("w"))]);
}

/// A watch from a compacted revision on ends with what there still is.
pub fn a_compacted_start_is_the_end<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let first = client.put("c", "1").must().header.revision;
    for value in ["2", "3", "4"] {
        client.put("c", value).must();
    }
    let kept = first + 2;
    client.call(Compact::new(kept).with_physical()).must();

    let mut healthy = client.watch("c").must();
    let mut watch = client
        .watch(Watch::key("c").with_start_revision(first))
        .must();
    let ended = end(&mut watch);
    assert_eq!(
        ended,
        WatchEnd::Compacted {
            compact_revision: kept,
            next: first
        }
    );
    // What is still there can be watched, and others were not disturbed.
    let mut rest = client
        .watch(Watch::key("c").with_start_revision(kept))
        .must();
    assert_eq!(changes(&batch(&mut rest)), [("c", Some("3"))]);
    assert_eq!(changes(&batch(&mut rest)), [("c", Some("4"))]);
    client.put("c", "5").must();
    assert_eq!(changes(&batch(&mut rest)), [("c", Some("5"))]);
    assert_eq!(changes(&batch(&mut healthy)), [("c", Some("5"))]);
}

/// A watch that was canceled ends once, and its neighbours on the connection do not notice.
pub fn cancel_ends_one_watch_once<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut stays = client.watch("k").must();
    let mut goes = client.watch("k").must();
    client.put("k", "1").must();
    assert_eq!(changes(&batch(&mut goes)), [("k", Some("1"))]);
    goes.cancel();
    goes.cancel();
    client.put("k", "2").must();
    assert_eq!(end(&mut goes), WatchEnd::Canceled);
    assert_eq!(changes(&batch(&mut stays)), [("k", Some("1"))]);
    assert_eq!(changes(&batch(&mut stays)), [("k", Some("2"))]);
    assert_eq!(stage.truth(Range::key("k")).kvs[0].value, "2");
}

/// Behind a proxy that sends requests on only once they have ended, each watch has one of its own, after 2 s
/// of silence or from the start; nothing is lost, also where connections are.
pub fn a_proxy_that_buffers_requests_is_no_obstacle<D: Driver>(stage: &mut Stage) {
    let proxy = Proxy::buffering(stage.server.client_port()).must();
    let writer: D = stage.client();
    for carrier in [WatchCarrier::Shared, WatchCarrier::Single] {
        let mut config = Config::new([proxy.endpoint()]).must();
        config.watch_carrier = carrier;
        let client = D::with_config(config);
        let before = writer.put("b/0", "v").must().header.revision;
        let from = Watch::prefix("b/").with_start_revision(before);
        let began = Instant::now();
        let mut watch = client.watch(from).must();
        let waited = began.elapsed() > Duration::from_secs(2);
        assert_eq!(waited, carrier == WatchCarrier::Shared);
        let mut other = client.watch("b/1").must();
        writer.put("b/1", "v").must();
        assert_eq!(changes(&batch(&mut watch)), [("b/0", Some("v"))]);
        assert_eq!(changes(&batch(&mut watch)), [("b/1", Some("v"))]);
        assert_eq!(changes(&batch(&mut other)), [("b/1", Some("v"))]);
        watch.request_progress();
        let told = watch.next_within(PATIENCE);
        let certain = WatchEvent::Progress {
            revision: before + 1,
        };
        assert_eq!(told, Ok(Some(certain)));

        proxy.drop_connections();
        writer.put("b/2", "v").must();
        assert_eq!(changes(&batch(&mut watch)), [("b/2", Some("v"))]);
        assert_eq!(client.get("b/2").must().kvs[0].value, "v");
        other.cancel();
        wait_until("the server has one watch", || stage.watches() == 1);
        drop(watch);
        wait_until("the server has no watch", || stage.watches() == 0);
    }
}

/// Dropping a watch ends it on the server too, at once and not with the connection.
pub fn a_dropped_watch_is_gone_on_the_server<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut kept = client.watch("kept").must();
    let dropped: Vec<_> = (0..10).map(|_| client.watch("dropped").must()).collect();
    let canceled = client.watch("canceled").must();
    assert_eq!(stage.watches(), 12);
    drop(dropped);
    canceled.cancel();
    wait_until("the server has one watch", || stage.watches() == 1);
    client.put("kept", "v").must();
    assert_eq!(changes(&batch(&mut kept)), [("kept", Some("v"))]);
    drop(kept);
    wait_until("the server has no watch", || stage.watches() == 0);
}
