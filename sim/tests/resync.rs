//! A copy of a range, kept by a watch that goes on after compactions, is the range (rule W-16): whatever
//! was written and compacted while the watch was cut off, slow, or just reading its range.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use etcd_core::{
    Compact, Compaction, Config, DeleteRange, EventKind, KeyValue, KnownKeys, Namespace, Overflow,
    Put, Range, ResyncBatch, Resynced, Txn, TxnOp, Version, Watch, WatchBatch, WatchEvent,
    WatchOptions,
};
use etcd_sim::check::check;
use etcd_sim::etcd::Setup;
use etcd_sim::net::{FaultKind, Faults};
use etcd_sim::world::Between;
use etcd_sim::{Client, Rng, World};

const PREFIX: &str = "k/";
const LAST: &str = "k/!last";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What somebody keeps who follows a watch.
#[derive(Debug, Default)]
struct Copy {
    keys: BTreeMap<Vec<u8>, KeyValue>,
    /// The changes up to here are in it.
    revision: i64,
    /// What is told of a range that is read, until all of it was.
    reading: Option<Reading>,
    is_difference: bool,
    seen: Seen,
}

#[derive(Debug)]
struct Reading {
    lost_to: i64,
    keys: BTreeMap<Vec<u8>, KeyValue>,
}

/// How often what happened, so that a run that shows nothing is seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    resyncs: usize,
    begun_anew: usize,
    parts: usize,
    gone: usize,
    batches: usize,
}

impl Copy {
    fn tell(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Batch(batch) => self.change(batch),
            WatchEvent::ResyncBegin {
                compact_revision,
                lost_from,
                lost_to,
            } => {
                assert!(lost_from > self.revision, "{lost_from}: that was not lost");
                assert!(lost_to >= lost_from && lost_to >= compact_revision);
                let before = self.reading.take();
                self.seen.begun_anew += usize::from(before.is_some());
                assert!(before.is_none_or(|before| before.lost_to < lost_to));
                let keys = match self.is_difference {
                    true => self.keys.clone(),
                    false => BTreeMap::new(),
                };
                self.reading = Some(Reading { lost_to, keys });
            }
            WatchEvent::Resynced(part) => self.found(part),
            WatchEvent::ResyncEnd { revision } => {
                let reading = self.reading.take().expect("it began");
                assert_eq!(reading.lost_to, revision);
                self.keys = reading.keys;
                self.revision = revision;
                self.seen.resyncs += 1;
            }
            WatchEvent::Progress { revision } => {
                assert!(self.reading.is_none());
                self.revision = self.revision.max(revision);
            }
            WatchEvent::End(end) => panic!("the watch ended: {end}"),
            _ => {}
        }
    }

    fn change(&mut self, batch: WatchBatch) {
        assert!(
            self.reading.is_none(),
            "a change came while the range was told"
        );
        assert!(
            batch.revision > self.revision,
            "{} came late",
            batch.revision
        );
        self.revision = batch.revision;
        self.seen.batches += 1;
        for event in batch.events {
            let key = event.kv.key.to_vec();
            match event.kind {
                EventKind::Put => drop(self.keys.insert(key, event.kv)),
                _ => drop(self.keys.remove(&key)),
            }
        }
    }

    fn found(&mut self, part: ResyncBatch) {
        let reading = self.reading.as_mut().expect("it began");
        assert_eq!(reading.lost_to, part.revision);
        self.seen.parts += 1;
        // What is told of differences stays true, also where the reading begins anew.
        let known = match self.is_difference {
            true => &mut self.keys,
            false => &mut reading.keys,
        };
        for found in part.found {
            match found {
                Resynced::Found(kv) => {
                    assert!(kv.mod_revision <= part.revision);
                    let new = kv.mod_revision;
                    let old = known.insert(kv.key.to_vec(), kv);
                    let is_news = old.is_none_or(|old| old.mod_revision != new);
                    assert!(is_news, "a key was told twice");
                }
                Resynced::Gone { key, mod_revision } => {
                    let old = known.remove(&key[..]).expect("it was known");
                    assert_eq!(old.mod_revision, mod_revision);
                    self.seen.gone += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        if self.is_difference {
            reading.keys = self.keys.clone();
        }
    }
}

/// Something is written.
async fn write(client: &Client, rng: &mut Rng) {
    let key = format!("{PREFIX}{:02}", rng.below(30));
    let value = "x".repeat(usize::try_from(rng.below(300)).expect("small"));
    match rng.below(10) {
        0..=5 => drop(client.put(key, value).await),
        6 | 7 => drop(client.delete(key).await),
        8 => {
            let other = format!("{PREFIX}{:02}", rng.below(30));
            let ops = [
                TxnOp::from(Put::new("elsewhere", "x")),
                DeleteRange::range(other.as_str(), format!("{other}5")).into(),
                Put::new(format!("{PREFIX}05new"), value).into(),
            ];
            drop(client.call(Txn::new().and_then(ops)).await);
        }
        _ => drop(client.put("elsewhere", value).await),
    }
}

/// The history up to the newest revision, or one not far before it, is gone.
async fn compact(client: &Client, rng: &mut Rng) {
    if let Ok(now) = client.get("elsewhere").await {
        let at = now.header.revision - i64::try_from(rng.below(4)).expect("small");
        drop(client.call(Compact::new(at.max(1))).await);
    }
}

/// The copy comes to be what the store holds.
fn settle(seed: u64, world: &World, client: &Client, copy: &Rc<RefCell<Copy>>) {
    let held = world.block_on({
        let client = client.clone();
        async move {
            let last = client.put(LAST, "v").await.expect("a calm world");
            let held = client.get(Range::prefix(PREFIX)).await.expect("calm");
            assert!(held.header.revision >= last.header.revision);
            held
        }
    });
    let newest = held.kvs.iter().map(|kv| kv.mod_revision).max();
    let newest = newest.expect("there is a last one");
    let is_there = |_: &World| {
        let copy = copy.borrow();
        copy.revision >= newest && copy.reading.is_none()
    };
    let in_time = world.run_for_until(Duration::from_secs(60), is_there);
    assert!(in_time, "seed {seed}: the watch hangs");
    let held: BTreeMap<_, _> = held
        .kvs
        .into_iter()
        .map(|kv| (kv.key.to_vec(), kv))
        .collect();
    let kept = copy.borrow();
    let differs = |key: &&Vec<u8>| kept.keys.get(*key) != held.get(*key);
    let keys = held.keys().chain(kept.keys.keys());
    let wrong: Vec<_> = keys
        .filter(differs)
        .map(|key| String::from_utf8_lossy(key))
        .collect();
    assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
}

/// Some changes, and a compaction now and then.
fn some(world: &World, client: &Client, rng: &mut Rng, most: u64) {
    let times = rng.below(most + 1);
    let luck = rng.next_u64();
    let (client, mut rng) = (client.clone(), rng.fork(luck));
    world.block_on(async move {
        for _ in 0..times {
            write(&client, &mut rng).await;
            if rng.one_in(6) {
                compact(&client, &mut rng).await;
            }
        }
    });
}

fn play(seed: u64) -> Seen {
    // One whose servers tell each delete: older ones leave out that at the compacted revision (19179).
    let mut setup = Setup::new(Version::new(3, 5, 30));
    setup.members = 3;
    let world = World::with_cluster(seed, setup);
    world.keep_history();
    world.set_patience(Duration::from_secs(600));
    let mut rng = Rng::new(seed).fork(1);
    // Some in a namespace, of which the world's own judges know nothing.
    let mut config: Config = world.config();
    let is_inside = seed % 3 == 0;
    if is_inside {
        config.namespace = Namespace::new("inside/");
    }
    let writer = world.client_with(config.clone());
    config.limits.watch_buffer_bytes = [600, 2000, 1 << 20][rng.index(3)];
    let reader = world.client_with(config);
    let is_difference = rng.one_in(2);
    some(&world, &writer, &mut rng, 40);

    let begun = world.block_on({
        let reader = reader.clone();
        async move { reader.get(Range::prefix(PREFIX)).await.expect("calm") }
    });
    let known: KnownKeys = begun
        .kvs
        .iter()
        .map(|kv| (&kv.key, kv.mod_revision))
        .collect();
    let overflow = match rng.below(4) {
        0 => Overflow::CoalesceByKey,
        _ => Overflow::Pause,
    };
    let options = WatchOptions::default()
        .with_overflow(overflow)
        .with_compaction(match is_difference {
            true => Compaction::Difference(known),
            false => Compaction::Snapshot,
        });
    let copy = Rc::new(RefCell::new(Copy {
        revision: begun.header.revision,
        keys: begun
            .kvs
            .into_iter()
            .map(|kv| (kv.key.to_vec(), kv))
            .collect(),
        is_difference,
        ..Copy::default()
    }));
    // Most read at once, some take their time.
    let pause = [0, 0, 5, 40][rng.index(4)];
    world
        .spawn({
            let (reader, copy, clock) = (reader.clone(), copy.clone(), world.clock());
            let from = begun.header.revision + 1;
            async move {
                let watch = Watch::prefix(PREFIX).with_start_revision(from);
                let mut watch = reader.watch_with(watch, options).await.expect("calm");
                while let Some(event) = watch.next_event().await {
                    copy.borrow_mut().tell(event);
                    clock.sleep(millis(pause)).await;
                }
            }
        })
        .detach();
    world.run_for(millis(100));

    let ours = Between::client(reader.number());
    for _ in 0..5 {
        if !rng.one_in(3) {
            world.unplug(ours);
            some(&world, &writer, &mut rng, 20);
            // The client has left the connection by then, or has not.
            world.run_for(rng.between(millis(1), Duration::from_secs(9)));
            some(&world, &writer, &mut rng, 20);
            world.block_on({
                let (writer, mut rng) = (writer.clone(), rng.fork(rng.clone().next_u64()));
                async move { compact(&writer, &mut rng).await }
            });
            world.plug(ours);
        }
        if rng.one_in(2) {
            world.set_faults(ours, Faults::none().with(FaultKind::Reset, 400));
        }
        // While the range is read, or after it.
        for _ in 0..rng.below(30) {
            some(&world, &writer, &mut rng, 3);
            world.run_for(millis(rng.below(40)));
        }
        world.calm();
        world.plug(ours);
        settle(seed, &world, &writer, &copy);
    }
    // The world's own judges cannot tell what changes come to, merged.
    if overflow == Overflow::Pause && !is_inside {
        let mut history = world.take_history();
        history.is_complete = true;
        if let Err(violation) = check(&history) {
            panic!("seed {seed}: {violation}");
        }
    }
    copy.borrow().seen
}

#[test]
fn w16_a_copy_kept_by_a_watch_is_the_range() {
    let mut sum = Seen::default();
    for seed in 0..100 {
        let seen = play(seed);
        sum.resyncs += seen.resyncs;
        sum.begun_anew += seen.begun_anew;
        sum.parts += seen.parts;
        sum.gone += seen.gone;
        sum.batches += seen.batches;
    }
    println!("{sum:?}");
    let enough = sum.resyncs > 50 && sum.begun_anew > 5 && sum.gone > 50;
    assert!(
        enough && sum.parts > sum.resyncs && sum.batches > 500,
        "{sum:?}"
    );
}
