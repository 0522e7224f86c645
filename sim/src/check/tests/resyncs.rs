//! Watches that go on where history was compacted, and watches that lag.

use core::time::Duration;

use etcd_core::{
    Compaction, KnownKeys, KvEvent, Lag, ResyncBatch, Resynced, Watch, WatchEnd, WatchEvent,
    WatchFilter, WatchOptions,
};

use super::Script;
use crate::check::{Changed, What};

/// What a user knows who watches from revision 4 on.
const KNOWN: [(&str, i64); 3] = [("a", 2), ("b", 2), ("c", 3)];

/// A watch that goes on after compactions, with `a` and `b` written at 2, and `c` at 3.
fn begun(compaction: Compaction, filters: &[WatchFilter]) -> Script {
    let mut script = Script::new();
    script.write(None, &[("a", Some("1")), ("b", Some("2"))]);
    script.put("c", "3");
    let mut watch = Watch::all().with_start_revision(4);
    watch.filters = filters.to_vec();
    let options = WatchOptions::default().with_compaction(compaction);
    script.watch_with(watch, options);
    script.created();
    script
}

/// A watch that was told of `d` at 4, and not of 5 to 7, at which `a` was put, `b` deleted, and `e` put.
fn lost(compaction: Compaction, filters: &[WatchFilter]) -> Script {
    let mut script = begun(compaction, filters);
    let four = script.put("d", "4");
    if !filters.contains(&WatchFilter::NoPut) {
        script.batch(&four);
    }
    script.told(WatchEvent::Progress { revision: 4 });
    script.put("a", "5");
    script.delete("b");
    script.put("e", "7");
    begin(&mut script, 5, 7);
    script
}

fn difference() -> Compaction {
    Compaction::Difference(KnownKeys::from_iter(KNOWN))
}

/// Everything up to `lost_to` is compacted, and read there.
fn begin(script: &mut Script, lost_from: i64, lost_to: i64) {
    script.change(None, Changed::Compacted(lost_to));
    script.told(WatchEvent::ResyncBegin {
        compact_revision: lost_to,
        lost_from,
        lost_to,
    });
}

fn tell(script: &mut Script, revision: i64, found: Vec<Resynced>) {
    let mut part = ResyncBatch::default();
    part.revision = revision;
    part.found = found;
    script.told(WatchEvent::Resynced(part));
}

fn found(script: &Script, key: &'static str) -> Resynced {
    Resynced::Found(script.keys[key.as_bytes()].clone())
}

fn gone(key: &'static str, mod_revision: i64) -> Resynced {
    let key = key.into();
    Resynced::Gone { key, mod_revision }
}

fn end(script: &mut Script, revision: i64) {
    script.told(WatchEvent::ResyncEnd { revision });
}

/// It goes on behind what was read.
fn goes_on(script: &mut Script) -> Vec<KvEvent> {
    let next = script.put("a", "next");
    script.batch(&next);
    script.history.is_complete = true;
    next
}

#[test]
fn w16_a_range_that_is_told_is_fine() {
    let mut script = lost(Compaction::Snapshot, &[]);
    let all = ["a", "c", "d", "e"].map(|key| found(&script, key));
    tell(&mut script, 7, all[..1].to_vec());
    tell(&mut script, 7, all[1..].to_vec());
    end(&mut script, 7);
    goes_on(&mut script);
    let evidence = script.is_fine();
    assert_eq!((evidence.resyncs, evidence.resyncs_ended), (1, 1));
    assert_eq!(evidence.resynced_keys, 4);
}

#[test]
fn w16_a_key_of_a_snapshot_that_is_left_out_is_refused() {
    for left_out in 0..4 {
        let mut script = lost(Compaction::Snapshot, &[]);
        let mut all = ["a", "c", "d", "e"].map(|key| found(&script, key)).to_vec();
        all.remove(left_out);
        tell(&mut script, 7, all);
        end(&mut script, 7);
        script.breaks("W-16");
    }
}

/// What differs from what was known, and followed by the watch.
fn differences(script: &Script) -> Vec<Resynced> {
    vec![found(script, "a"), gone("b", 2), found(script, "e")]
}

#[test]
fn w16_differences_that_are_told_are_fine() {
    let mut script = lost(difference(), &[]);
    let all = differences(&script);
    tell(&mut script, 7, all);
    end(&mut script, 7);
    goes_on(&mut script);
    // What was told is known now.
    script.delete("e");
    script.put("f", "10");
    begin(&mut script, 9, 10);
    let f = found(&script, "f");
    tell(&mut script, 10, vec![gone("e", 7), f]);
    end(&mut script, 10);
    script.is_fine();
}

#[test]
fn w16_a_difference_that_is_left_out_is_refused() {
    for left_out in 0..3 {
        let mut script = lost(difference(), &[]);
        let mut all = differences(&script);
        all.remove(left_out);
        tell(&mut script, 7, all);
        end(&mut script, 7);
        script.breaks("W-16");
    }
}

#[test]
fn w16_what_was_known_is_not_told_again() {
    let mut script = lost(difference(), &[]);
    let known = found(&script, "c");
    tell(&mut script, 7, vec![known]);
    script.breaks("W-16");
}

#[test]
fn w16_a_key_is_gone_as_it_was_known() {
    for wrong in [gone("b", 1), gone("bb", 2)] {
        let mut script = lost(difference(), &[]);
        tell(&mut script, 7, vec![wrong]);
        script.breaks("W-16");
    }
}

/// What was found stays known where the reading begins anew, as its revision was compacted, too.
#[test]
fn w16_a_reading_that_begins_anew_tells_what_is_new_since() {
    let mut script = lost(difference(), &[]);
    let all = differences(&script);
    tell(&mut script, 7, all[..2].to_vec());
    script.delete("c");
    begin(&mut script, 5, 8);
    let e = found(&script, "e");
    tell(&mut script, 8, vec![gone("c", 3), e]);
    end(&mut script, 8);
    goes_on(&mut script);
    script.is_fine();

    let mut script = lost(difference(), &[]);
    let all = differences(&script);
    tell(&mut script, 7, all.clone());
    begin(&mut script, 5, 7);
    tell(&mut script, 7, all);
    script.breaks("W-16");
}

#[test]
fn w16_differences_have_the_filters_of_the_watch() {
    let filters = [WatchFilter::NoPut, WatchFilter::NoDelete];
    for (place, filter) in filters.into_iter().enumerate() {
        let mut script = lost(difference(), core::slice::from_ref(&filter));
        let (deletes, puts): (Vec<_>, Vec<_>) = differences(&script)
            .into_iter()
            .partition(|one| matches!(one, Resynced::Gone { .. }));
        let (told, hidden) = match place {
            0 => (deletes, puts),
            _ => (puts, deletes),
        };
        let mut other = lost(difference(), core::slice::from_ref(&filter));
        tell(&mut script, 7, told);
        end(&mut script, 7);
        script.is_fine();
        tell(&mut other, 7, hidden);
        other.breaks("W-16");
    }
}

#[test]
fn what_was_never_lost_is_refused() {
    let mut script = begun(Compaction::Snapshot, &[]);
    script.put("a", "4");
    script.told(WatchEvent::ResyncBegin {
        compact_revision: 4,
        lost_from: 4,
        lost_to: 4,
    });
    script.breaks("G14");
    let mut script = begun(Compaction::Snapshot, &[]);
    let four = script.put("a", "4");
    script.batch(&four);
    begin(&mut script, 4, 4);
    script.breaks("G14");
}

#[test]
fn a_range_nobody_wants_is_refused() {
    let mut script = begun(Compaction::Fail, &[]);
    script.put("a", "4");
    begin(&mut script, 4, 4);
    script.breaks("W-16");
}

#[test]
fn w16_the_end_of_a_watch_that_was_to_go_on_is_refused() {
    let mut script = begun(Compaction::Snapshot, &[]);
    script.put("a", "4");
    script.put("a", "5");
    script.change(None, Changed::Compacted(5));
    script.told(WatchEvent::End(WatchEnd::Compacted {
        compact_revision: 5,
        next: 4,
    }));
    script.breaks("W-16");
}

#[test]
fn what_was_not_there_is_refused() {
    for wrong in 0..5 {
        let mut script = lost(Compaction::Snapshot, &[]);
        let old = script.keys["c".as_bytes()].clone();
        let mut other = old.clone();
        other.value = "other".into();
        let (revision, what) = match wrong {
            0 => (7, vec![Resynced::Found(other)]),
            1 => (7, vec![gone("a", 2)]),
            2 => (7, vec![gone("b", 2)]),
            3 => (6, vec![Resynced::Found(old)]),
            _ => (7, vec![Resynced::Found(old.clone()), Resynced::Found(old)]),
        };
        tell(&mut script, revision, what);
        script.breaks("W-16");
    }
}

#[test]
fn history_in_the_midst_of_a_range_is_refused() {
    let mut script = lost(Compaction::Snapshot, &[]);
    let eight = script.put("a", "8");
    script.batch(&eight);
    script.breaks("W-16");
}

/// A watch goes on behind the revision its range was read at, not from it.
#[test]
fn w16_the_revision_of_the_range_is_not_told_again() {
    let mut script = begun(difference(), &[]);
    script.put("a", "4");
    let five = script.put("b", "5");
    begin(&mut script, 4, 5);
    let both = ["a", "b"].map(|key| found(&script, key));
    tell(&mut script, 5, both.to_vec());
    end(&mut script, 5);
    script.is_fine();
    script.batch(&five);
    script.breaks("G12");
}

#[test]
fn a_range_without_an_end_is_refused() {
    let mut script = lost(Compaction::Snapshot, &[]);
    script.history.is_complete = true;
    script.breaks("G60");
}

/// A watch that wants to know when it is 2 revisions behind for 10 ms, and a store that is 3 ahead.
fn behind() -> Script {
    let mut script = Script::new();
    let lag = Lag::new(2, Duration::from_millis(10));
    let watch = Watch::key("x").with_start_revision(2);
    script.watch_with(watch, WatchOptions::default().with_lag(lag));
    script.created();
    for _ in 0..3 {
        script.put("k", "v");
    }
    script
}

const LAGS: WatchEvent = WatchEvent::Lagging {
    certified: 1,
    server: 4,
};

#[test]
fn t4_a_lag_is_told_once_it_lasted() {
    let mut script = behind();
    script.now = script.now + Duration::from_millis(10);
    script.told(LAGS);
    assert_eq!(script.is_fine().lags_told, 1);
    let mut script = behind();
    script.told(LAGS);
    script.breaks("T-4");
}

#[test]
fn t4_a_clock_that_jumped_counts() {
    let mut script = behind();
    let by = Duration::from_millis(10);
    script.add(What::Jumped { by });
    script.told(LAGS);
    script.is_fine();
}

#[test]
fn t4_a_lag_that_is_none_is_refused() {
    let mut script = behind();
    script.now = script.now + Duration::from_millis(10);
    script.told(WatchEvent::Lagging {
        certified: 2,
        server: 4,
    });
    script.breaks("T-4");
    let mut script = begun(Compaction::Fail, &[]);
    script.told(LAGS);
    script.breaks("T-4");
}

/// What is certified was told.
#[test]
fn t4_a_lag_behind_what_was_not_told_is_refused() {
    let mut script = behind();
    let event = script.put("x", "v");
    for _ in 0..3 {
        script.put("k", "v");
    }
    script.now = script.now + Duration::from_millis(10);
    let lags = WatchEvent::Lagging {
        certified: 5,
        server: 8,
    };
    script.told(lags.clone());
    script.breaks("T-4");
    script.history.events.pop();
    script.batch(&event);
    script.told(lags);
    script.is_fine();
}
