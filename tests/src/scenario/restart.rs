//! A watch, a writer, and a server that is killed again and again.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use etcd_core::Applied;
use etcd_core::CallOptions;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Watch;
use etcd_core::WatchEvent;

use super::Must;
use super::PATIENCE;
use super::Stage;
use super::batch;
use super::wait_until;
use crate::driver::Driver;
use crate::driver::Watching;

/// Under a writer of 2,000 puts, with the server killed and restarted five times, a watch tells each
/// revision once and in order.
///
/// Each attempt of a put has a key of its own, so that no change overwrites another: what the store
/// holds at the end is all that ever happened.
pub fn a_watch_survives_five_kills<D: Driver>(stage: &mut Stage) {
    let watcher: D = stage.client();
    let writer: D = stage.client();
    let mut watch = watcher.watch(Watch::prefix("s/")).must();
    let mut bystander = watcher.watch("elsewhere").must();

    let done = &AtomicUsize::new(0);
    let killed = &AtomicUsize::new(0);
    let (acknowledged, told, resumed) = thread::scope(|scope| {
        let writing = scope.spawn(move || write(&writer, done, killed));
        let watching = scope.spawn(move || {
            let mut told = Vec::new();
            let mut resumed = 0;
            loop {
                match watch.next_within(PATIENCE) {
                    Ok(Some(WatchEvent::Batch(batch))) => {
                        for event in &batch.events {
                            assert_eq!(event.kv.mod_revision, batch.revision);
                            told.push((batch.revision, event.kv.key_str().must().to_owned()));
                        }
                        if batch.events.iter().any(|event| event.kv.key == LAST) {
                            return (told, resumed);
                        }
                    }
                    Ok(Some(WatchEvent::Resumed { .. })) => resumed += 1,
                    Ok(Some(WatchEvent::Progress { .. })) => {}
                    other => panic!("after {} changes: {other:?}", told.len()),
                }
            }
        });
        for kill in 1..=KILLS {
            // The writer may be back long before the watches are, and each kill is to break them.
            wait_until("both watches are back", || {
                watcher.stats().resumes >= 2 * (kill as u64 - 1)
            });
            let wanted = PUTS * kill / (KILLS + 1);
            wait_until("the writer has come so far", || {
                done.load(Ordering::Relaxed) >= wanted || writing.is_finished()
            });
            stage.server.kill().must();
            killed.store(kill, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(50));
            stage.server.restart().must();
        }
        let acknowledged = writing.join().expect("the writer writes all");
        let (told, resumed) = watching.join().expect("the watch tells all");
        (acknowledged, told, resumed)
    });

    // What the store holds, in the order in which it came.
    let held = stage.truth(Range::prefix("s/"));
    let mut truth: Vec<_> = held
        .kvs
        .iter()
        .map(|kv| {
            assert_eq!((kv.version, kv.create_revision), (1, kv.mod_revision));
            (kv.mod_revision, kv.key_str().must().to_owned())
        })
        .collect();
    truth.sort();
    assert!(acknowledged.len() == PUTS + 1 && truth.len() >= acknowledged.len());
    assert!(
        acknowledged
            .iter()
            .all(|put| truth.binary_search(put).is_ok())
    );
    if let Some(at) = (0..truth.len().max(told.len())).find(|at| truth.get(*at) != told.get(*at)) {
        panic!(
            "at {at}: the store has {:?}, told was {:?}",
            truth.get(at),
            told.get(at)
        );
    }
    assert!(resumed >= KILLS, "resumed {resumed} times");
    assert!(
        watcher.stats().resumes >= 2 * KILLS as u64,
        "{:?}",
        watcher.stats()
    );

    // So does a second watch that reads it all as history, and the one beside has lost nothing.
    let from_start = Watch::prefix("s/").with_start_revision(1);
    let mut history = watcher.watch(from_start).must();
    for (revision, _) in &truth {
        assert_eq!(batch(&mut history).revision, *revision);
    }
    watcher.put("elsewhere", "v").must();
    assert_eq!(batch(&mut bystander).events.len(), 1);
}

/// Puts all, each until it is acknowledged, then `LAST`; gives revision and key of each. However fast
/// the server is, the last kill comes before the end.
fn write<D: Driver>(client: &D, done: &AtomicUsize, killed: &AtomicUsize) -> Vec<(i64, String)> {
    let mut acknowledged = Vec::new();
    for number in 0..=PUTS {
        let so_far = || PUTS * (killed.load(Ordering::Relaxed) + 1) / (KILLS + 1);
        while number > so_far() + AHEAD {
            thread::sleep(Duration::from_millis(1));
        }
        for attempt in 0.. {
            let key = match number {
                PUTS => LAST.to_owned(),
                _ => format!("s/{number:04}/{attempt}"),
            };
            let options = CallOptions::default().with_timeout(Duration::from_secs(2));
            match client.call_with(Put::new(&key, "v"), options) {
                Ok(put) => {
                    acknowledged.push((put.header.revision, key));
                    break;
                }
                Err(error) => {
                    // The last one has one key only, and comes after the last restart.
                    assert!(number < PUTS || error.applied() == Applied::No, "{error}");
                    assert!(attempt < 1000, "{error}");
                }
            }
        }
        done.store(number, Ordering::Relaxed);
    }
    acknowledged
}

const PUTS: usize = 2000;
const KILLS: usize = 5;
/// How many puts the writer may be past the place of the next kill.
const AHEAD: usize = 150;
const LAST: &str = "s/last";
