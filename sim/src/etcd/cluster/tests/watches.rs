//! Watches: history, filters, fragments, progress, compaction, and the defects of older servers.

use core::time::Duration;

use etcd_core::{
    Compact, DeleteRange, KeyRange, Known, Put, Txn, Version, Watch, WatchFilter, WatchRequest,
};

use super::support::{Etcd, millis, secs};
use crate::etcd::{AskId, Defects, Meta, Reply, Setup, StreamRequest};

fn create(etcd: &mut Etcd, ask: AskId, watch: Watch) {
    etcd.send(ask, StreamRequest::Watch(WatchRequest::Create(watch)));
}

fn cancel(etcd: &mut Etcd, ask: AskId, watch_id: i64) {
    etcd.send(ask, StreamRequest::Watch(WatchRequest::Cancel { watch_id }));
}

fn progress(etcd: &mut Etcd, ask: AskId) -> Vec<String> {
    etcd.send(ask, StreamRequest::Watch(WatchRequest::Progress));
    etcd.told(ask)
}

fn old(defects: impl FnOnce(&mut Defects)) -> Etcd {
    let mut chosen = Defects::none();
    defects(&mut chosen);
    let setup = Setup::new(Version::new(3, 5, 1)).with_members(3);
    Etcd::new(setup.with_defects(chosen))
}

#[test]
fn a_watch_tells_what_happens_from_now_on() {
    let mut etcd = Etcd::three();
    etcd.put("a", "1");
    let watch = etcd.watch(1, Watch::prefix("a").with_prev_kv());
    etcd.put("a", "2");
    etcd.put("b", "1");
    etcd.call(0, DeleteRange::key("a")).unwrap();
    assert_eq!(
        etcd.told(watch),
        ["0@2 created", "0@3 +a3(1)", "0@5 -a5(2)"]
    );
}

#[test]
fn all_of_a_revision_is_one_answer() {
    let mut etcd = Etcd::one();
    let watch = etcd.watch(0, Watch::all());
    let both = Txn::new().and_then([Put::new("b", "1"), Put::new("a", "1")]);
    etcd.call(0, both).unwrap();
    assert_eq!(etcd.told(watch), ["0@1 created", "0@2 +b2 +a2"]);
}

#[test]
fn a_start_in_the_past_is_caught_up_in_batches() {
    let setup = Setup::new(Version::new(3, 5, 16)).with_watch_batch_revisions(2);
    let mut etcd = Etcd::new(setup);
    for _ in 0..3 {
        etcd.put("a", "1");
    }
    let watch = etcd.watch(0, Watch::key("a").with_start_revision(2));
    assert_eq!(etcd.told(watch), ["0@4 created"]);
    etcd.pass(millis(100));
    assert_eq!(etcd.told(watch), ["0@4 +a2 +a3", "0@4 +a4"]);
    etcd.put("a", "1");
    assert_eq!(etcd.told(watch), ["0@5 +a5"]);
}

#[test]
fn a_start_in_the_future_waits_for_it() {
    let mut etcd = Etcd::one();
    let watch = etcd.watch(0, Watch::key("a").with_start_revision(4));
    for _ in 0..3 {
        etcd.put("a", "1");
    }
    assert_eq!(etcd.told(watch), ["0@1 created", "0@4 +a4"]);
}

#[test]
fn filters_leave_kinds_out() {
    let mut etcd = Etcd::one();
    let watch = etcd.watch(0, Watch::key("a").with_filter(WatchFilter::NoPut));
    create(
        &mut etcd,
        watch,
        Watch::key("a").with_filter(WatchFilter::NoDelete),
    );
    etcd.put("a", "1");
    etcd.call(0, DeleteRange::key("a")).unwrap();
    assert_eq!(
        etcd.told(watch),
        ["0@1 created", "1@1 created", "1@2 +a2", "0@3 -a3"]
    );
}

#[test]
fn ids_are_counted_or_chosen() {
    let mut etcd = Etcd::one();
    let mut chosen = Watch::key("a");
    chosen.watch_id = 1;
    let watch = etcd.watch(0, chosen.clone());
    create(&mut etcd, watch, Watch::key("a"));
    create(&mut etcd, watch, Watch::key("a"));
    create(&mut etcd, watch, chosen);
    create(&mut etcd, watch, Watch::range("b", "a"));
    create(&mut etcd, watch, Watch::range("b", "b"));
    create(&mut etcd, watch, Watch::new(KeyRange::default()));
    assert_eq!(
        etcd.told(watch),
        [
            "1@1 created",
            "0@1 created",
            "2@1 created",
            "-1@1 created canceled",
            "-1@1 created canceled",
            "-1@1 created canceled",
            "3@1 created",
        ]
    );
    cancel(&mut etcd, watch, 1);
    cancel(&mut etcd, watch, 1);
    assert_eq!(etcd.told(watch), ["1@1 canceled"]);
    etcd.put("a", "1");
    assert_eq!(etcd.told(watch), ["0@2 +a2", "2@2 +a2"]);
}

#[test]
fn a_large_answer_comes_in_fragments_to_who_takes_them() {
    let setup = Setup::new(Version::new(3, 5, 16)).with_fragment_bytes(100);
    let mut etcd = Etcd::new(setup);
    let watch = etcd.watch(0, Watch::all().with_fragment(true));
    create(&mut etcd, watch, Watch::all());
    etcd.told(watch);
    let puts = ["a", "b"].map(|key| Put::new(key, "x".repeat(60)));
    etcd.call(0, Txn::new().and_then(puts)).unwrap();
    assert_eq!(
        etcd.told(watch),
        ["0@2 fragment +a2", "0@2 +b2", "1@2 +a2 +b2"]
    );
}

#[test]
fn a_compacted_start_is_created_then_canceled() {
    let mut etcd = Etcd::one();
    for _ in 0..3 {
        etcd.put("a", "1");
    }
    etcd.call(0, Compact::new(3)).unwrap();
    let watch = etcd.watch(0, Watch::key("a").with_start_revision(2));
    create(
        &mut etcd,
        watch,
        Watch::key("a").with_start_revision(3).with_prev_kv(),
    );
    etcd.pass(millis(100));
    assert_eq!(
        etcd.told(watch),
        [
            "0@4 created",
            "1@4 created",
            "0@0 canceled compacted 3",
            // What was before the compacted revision is not known.
            "1@4 +a3 +a4(1)",
        ]
    );
    assert!(progress(&mut etcd, watch).is_empty());
    cancel(&mut etcd, watch, 0);
    assert_eq!(etcd.told(watch), ["0@4 canceled"]);
    assert_eq!(progress(&mut etcd, watch), ["-1@4"]);
}

#[test]
fn a_delete_at_the_compacted_revision_is_missing_on_older_servers() {
    for (version, told) in [
        (Version::new(3, 5, 1), vec![]),
        (Version::new(3, 5, 30), vec!["0@3 -a3"]),
    ] {
        let mut etcd = Etcd::new(Setup::new(version));
        etcd.put("a", "1");
        etcd.call(0, DeleteRange::key("a")).unwrap();
        etcd.call(0, Compact::new(3)).unwrap();
        let watch = etcd.watch(0, Watch::key("a").with_start_revision(3));
        etcd.told(watch);
        etcd.pass(millis(100));
        assert_eq!(etcd.told(watch), told);
    }
}

#[test]
fn progress_is_a_proof_on_newer_servers_only() {
    for (version, told) in [
        (Version::new(3, 4, 23), vec!["-1@2"]),
        (Version::new(3, 5, 16), vec![]),
    ] {
        let mut etcd = Etcd::new(Setup::new(version));
        etcd.put("a", "1");
        let watch = etcd.watch(0, Watch::key("a").with_start_revision(2));
        etcd.told(watch);
        assert_eq!(progress(&mut etcd, watch), told);
        etcd.pass(millis(100));
        etcd.told(watch);
        assert_eq!(progress(&mut etcd, watch), ["-1@2"]);
    }
}

#[test]
fn a_future_watch_blocks_progress_on_the_newest_servers() {
    for (version, told) in [
        (Version::new(3, 5, 16), vec!["-1@1"]),
        (Version::new(3, 5, 30), vec![]),
    ] {
        let mut etcd = Etcd::new(Setup::new(version));
        let watch = etcd.watch(0, Watch::key("a").with_start_revision(9));
        etcd.told(watch);
        assert_eq!(progress(&mut etcd, watch), told);
    }
}

#[test]
fn progress_is_told_to_idle_watches_that_want_it() {
    let setup = Setup::new(Version::new(3, 5, 16)).with_watch_progress_interval(secs(10));
    let mut etcd = Etcd::new(setup);
    let watch = etcd.watch(0, Watch::key("a"));
    create(
        &mut etcd,
        watch,
        Watch::key("b").with_progress_notify(false),
    );
    etcd.told(watch);
    etcd.put("b", "1");
    etcd.told(watch);
    etcd.pass(secs(11));
    assert_eq!(etcd.told(watch), ["0@2"]);
    etcd.put("a", "1");
    assert_eq!(etcd.told(watch), ["0@3 +a3"]);
    etcd.pass(secs(11));
    assert!(etcd.told(watch).is_empty());
    etcd.pass(secs(11));
    assert_eq!(etcd.told(watch), ["0@3"]);
}

#[test]
fn a_negative_start_is_refused_in_two_ways() {
    let mut etcd = Etcd::new(Setup::new(Version::new(3, 5, 30)));
    let watch = etcd.watch(0, Watch::key("a").with_start_revision(-5));
    let replies = etcd.replies(watch);
    let [Reply::Watch(refused)] = &replies[..] else {
        panic!()
    };
    assert_eq!(refused.cancel_reason, Known::Compacted.message());
    assert_eq!((refused.created, refused.canceled), (true, true));
    let mut etcd = Etcd::one();
    let watch = etcd.watch(0, Watch::key("a").with_start_revision(-5));
    etcd.pass(millis(100));
    assert_eq!(
        etcd.told(watch),
        ["0@1 created", "0@0 canceled compacted -1"]
    );
    // One less than the first is after the last.
    etcd.put("a", "1");
    let watch = etcd.watch(0, Watch::key("a").with_start_revision(-1));
    etcd.pass(millis(100));
    etcd.put("a", "1");
    assert_eq!(etcd.told(watch), ["0@2 created", "0@3 +a3"]);
}

#[test]
fn a_stream_that_needs_a_leader_ends_without_one() {
    let mut etcd = Etcd::three();
    let meta = Meta {
        require_leader: true,
        ..Meta::default()
    };
    let create = || StreamRequest::Watch(WatchRequest::Create(Watch::key("a")));
    let needs = etcd.stream(0, meta.clone(), create());
    let other = etcd.stream(0, Meta::default(), create());
    etcd.told(needs);
    etcd.told(other);
    etcd.cluster.partition(etcd.now, &[&[0], &[1, 2]]);
    etcd.pass(secs(3));
    assert!(etcd.replies(needs).is_empty());
    etcd.pass(secs(3));
    let fault = Reply::Fault(crate::etcd::machine::fault(Known::NoLeader));
    assert_eq!(etcd.replies(needs), std::slice::from_ref(&fault));
    let late = etcd.stream(0, meta, create());
    assert_eq!(etcd.replies(late), [fault]);
    etcd.call(1, Put::new("a", "1")).unwrap();
    assert!(etcd.told(other).is_empty());
    etcd.cluster.heal(etcd.now);
    etcd.pass(secs(1));
    assert_eq!(etcd.told(other), ["0@2 +a2"]);
}

#[test]
fn a_late_member_tells_its_watches_late() {
    let mut etcd = Etcd::three();
    let watch = etcd.watch(2, Watch::key("a"));
    etcd.told(watch);
    etcd.cluster.set_lag(etcd.now, 2, secs(1));
    etcd.put("a", "1");
    etcd.pass(millis(900));
    assert!(etcd.told(watch).is_empty());
    etcd.pass(millis(200));
    assert_eq!(etcd.told(watch), ["0@2 +a2"]);
}

#[test]
fn nothing_comes_after_the_asker_is_gone() {
    let mut etcd = Etcd::one();
    let watch = etcd.watch(0, Watch::key("a"));
    etcd.told(watch);
    etcd.cluster.handle_gone(etcd.now, watch);
    etcd.put("a", "1");
    assert!(etcd.told(watch).is_empty());
}

#[test]
fn a_slow_stream_that_is_compacted_away_is_told_so_unless_defective() {
    let told = |mut etcd: Etcd| {
        let watch = etcd.watch(0, Watch::key("a"));
        etcd.told(watch);
        etcd.cluster.stall_watches(etcd.now, 0, secs(1));
        for _ in 0..3 {
            etcd.put("a", "1");
        }
        etcd.call(0, Compact::new(4)).unwrap();
        etcd.pass(secs(2));
        etcd.told(watch)
    };
    assert_eq!(told(old(|_| {})), ["0@0 canceled compacted 4"]);
    let lost = told(old(|defects| defects.lost_with_compaction = true));
    assert_eq!(lost, ["0@4 +a4"]);
}

/// A watch of `a` at a member that is cut off at revision 2 and brought up by a snapshot at 6.
fn told_after_a_snapshot(defective: bool, compacted: Option<i64>) -> Vec<String> {
    let mut defects = Defects::none();
    defects.watch_back_in_time = defective;
    let setup = Setup::new(Version::new(3, 5, 1)).with_members(3);
    let setup = setup.with_snapshot_after(2).with_defects(defects);
    let mut etcd = Etcd::new(setup);
    let other = etcd.follower();
    let watch = etcd.watch(other, Watch::key("a"));
    let leader = etcd.leader();
    etcd.call(leader, Put::new("a", "1")).unwrap();
    etcd.told(watch);
    let rest: Vec<_> = (0..3).filter(|&member| member != other).collect();
    etcd.cluster.partition(etcd.now, &[&rest]);
    for _ in 0..4 {
        etcd.call(leader, Put::new("a", "1")).unwrap();
    }
    if let Some(revision) = compacted {
        etcd.call(leader, Compact::new(revision)).unwrap();
    }
    etcd.cluster.heal(etcd.now);
    etcd.pass(millis(200));
    etcd.told(watch)
}

#[test]
fn a_snapshot_may_take_watches_back_in_time() {
    let told = told_after_a_snapshot;
    assert_eq!(told(false, None), ["0@6 +a3 +a4 +a5 +a6"]);
    assert_eq!(told(true, None), ["0@6 +a2 +a3 +a4 +a5 +a6"]);
}

#[test]
fn a_snapshot_tells_watches_what_was_compacted() {
    // Random world 58853: the defective member took the watch forward, past what it had missed.
    for defective in [false, true] {
        let told = told_after_a_snapshot(defective, Some(5));
        assert_eq!(told, ["0@0 canceled compacted 5"], "{defective}");
    }
}

#[test]
fn defective_servers_tell_some_revisions_twice_and_some_too_early() {
    let mut etcd = old(|defects| defects.duplicate_events = true);
    etcd.put("a", "1");
    let twice = (0..40).any(|_| {
        let watch = etcd.watch(0, Watch::key("a").with_start_revision(2));
        etcd.pass(millis(100));
        etcd.told(watch) == ["0@2 created", "0@2 +a2", "0@2 +a2"]
    });
    assert!(twice);
    let mut etcd = old(|defects| defects.future_watch_early = true);
    let watch = etcd.watch(0, Watch::key("a").with_start_revision(9));
    etcd.told(watch);
    etcd.put("a", "1");
    assert_eq!(etcd.told(watch), ["0@2 +a2"]);
}

#[test]
fn a_watch_that_began_in_the_past_may_hear_no_progress() {
    let told = |silent| {
        let mut etcd = old(|defects| defects.silent_idle_progress = silent);
        etcd.put("b", "1");
        let watch = etcd.watch(0, Watch::key("a").with_start_revision(1));
        etcd.told(watch);
        etcd.pass(Duration::from_secs(660));
        etcd.told(watch)
    };
    assert_eq!(told(false), ["0@2"]);
    assert!(told(true).is_empty());
}
