//! Watches that were cut off while what they had to deliver was compacted, and that go on (rule W-16).

use std::collections::BTreeMap;

use etcd_core::Compact;
use etcd_core::Compaction;
use etcd_core::Config;
use etcd_core::DeleteRange;
use etcd_core::KnownKeys;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Resynced;
use etcd_core::Watch;
use etcd_core::WatchEnd;
use etcd_core::WatchEvent;
use etcd_core::WatchOptions;

use super::Must;
use super::PATIENCE;
use super::Stage;
use super::batch;
use super::changes;
use crate::Proxy;
use crate::driver::Driver;
use crate::driver::Watching;

/// One watch is told what differs, deletes included, the other everything, and both go on; a third one ends.
pub fn a_compaction_while_cut_off_is_made_good<D: Driver>(stage: &mut Stage) {
    let proxy = Proxy::start(stage.server.client_port()).must();
    let writer: D = stage.client();
    let mut config = Config::new([proxy.endpoint()]).must();
    // So that it takes several pages.
    config.limits.watch_buffer_bytes = 64 << 10;
    let client = D::with_config(config);
    for number in 0..300 {
        writer.put(format!("r/{number:03}"), "v").must();
    }
    writer.put("r/large", vec![7; 500 << 10]).must();
    let read = client.get(Range::prefix("r/")).must();
    let from = Watch::prefix("r/").with_start_revision(read.header.revision + 1);
    let known: KnownKeys = read
        .kvs
        .iter()
        .map(|kv| (&kv.key, kv.mod_revision))
        .collect();
    let with = |compaction| WatchOptions::default().with_compaction(compaction);
    let mut differs = client
        .watch_with(from.clone(), with(Compaction::Difference(known)))
        .must();
    let mut whole = client
        .watch_with(from.clone(), with(Compaction::Snapshot))
        .must();
    let mut fails = client.watch(from).must();
    let first = writer.put("r/000", "w").must().header.revision;
    for watch in [&mut differs, &mut whole, &mut fails] {
        assert_eq!(changes(&batch(watch)), [("r/000", Some("w"))]);
    }

    proxy.cut();
    writer.call(DeleteRange::range("r/100", "r/110")).must();
    writer.delete("r/000").must();
    writer.put("r/200", "w").must();
    writer.put("r/new", "v").must();
    writer.put("r/brief", "v").must();
    writer.delete("r/brief").must();
    let last = writer.put("elsewhere", "v").must().header.revision;
    writer.call(Compact::new(last).with_physical()).must();
    proxy.mend();

    let (found, gone) = resynced(&mut differs, first + 1, last);
    assert_eq!(keys(&found), ["r/200", "r/new"]);
    let mut wanted: Vec<_> = (100..110).map(|number| format!("r/{number}")).collect();
    wanted.insert(0, "r/000".to_owned());
    assert_eq!(gone, wanted);
    let (found, gone) = resynced(&mut whole, first + 1, last);
    let truth = stage.truth(Range::prefix("r/"));
    let truth: BTreeMap<_, _> = truth
        .kvs
        .into_iter()
        .map(|kv| (kv.key.to_vec(), kv.value.to_vec()))
        .collect();
    assert_eq!((found.len(), gone.len()), (291, 0));
    assert!(found == truth, "what was found is not what is there");
    match until_news(&mut fails) {
        WatchEvent::End(WatchEnd::Compacted {
            compact_revision,
            next,
        }) => assert_eq!((compact_revision, next), (last, first + 1)),
        other => panic!("wanted the end, got {other:?}"),
    }

    let behind = writer.call(Put::new("r/200", "x")).must().header.revision;
    for watch in [&mut differs, &mut whole] {
        let change = batch(watch);
        assert_eq!(changes(&change), [("r/200", Some("x"))]);
        assert_eq!(change.revision, behind);
    }
}

/// What comes but new connections and progress.
fn until_news(watch: &mut impl Watching) -> WatchEvent {
    loop {
        match watch.next_within(PATIENCE) {
            Ok(Some(WatchEvent::Resumed { .. } | WatchEvent::Progress { .. })) => {}
            Ok(Some(event)) => return event,
            other => panic!("wanted news, got {other:?}"),
        }
    }
}

/// What was found, and the keys that are gone.
fn resynced(
    watch: &mut impl Watching,
    lost: i64,
    compacted: i64,
) -> (BTreeMap<Vec<u8>, Vec<u8>>, Vec<String>) {
    let WatchEvent::ResyncBegin {
        compact_revision,
        lost_from,
        lost_to,
    } = until_news(watch)
    else {
        panic!("it was not compacted")
    };
    assert_eq!((compact_revision, lost_from), (compacted, lost));
    assert!(lost_to >= compacted);
    let (mut found, mut gone) = (BTreeMap::new(), Vec::new());
    loop {
        match watch.next_within(PATIENCE) {
            Ok(Some(WatchEvent::Resynced(part))) => {
                assert_eq!(part.revision, lost_to);
                for one in part.found {
                    match one {
                        Resynced::Found(kv) => {
                            let before = found.insert(kv.key.to_vec(), kv.value.to_vec());
                            assert_eq!(before, None);
                        }
                        other => gone.push(String::from_utf8_lossy(other.key()).into_owned()),
                    }
                }
            }
            Ok(Some(WatchEvent::ResyncEnd { revision })) => {
                assert_eq!(revision, lost_to);
                return (found, gone);
            }
            other => panic!("wanted a part, got {other:?}"),
        }
    }
}

fn keys(found: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    let keys = found.keys();
    keys.map(|key| String::from_utf8_lossy(key).into_owned())
        .collect()
}
