//! Writes that are made until it is known what became of them (rule R-5), in worlds that lose answers: of
//! what was told nothing is wrong, and nothing is done twice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use etcd_core::recipes::Settled;
use etcd_core::{Applied, CallOptions, CompareAndSwap, DeleteIfUnchanged, Error, Version, Watch};
use etcd_core::{EventKind, WatchEvent};
use etcd_sim::etcd::Setup;
use etcd_sim::net::{FaultKind, Faults};
use etcd_sim::world::{Act, Between};
use etcd_sim::{Client, Rng, World};

const KEY: &str = "k";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A revision of the key, and what it was then; none if it was deleted.
type Change = (i64, Option<String>);

/// What a writer was told of a write: whether the key was to be deleted, at which revision it was last changed
/// then, and what came of it.
#[derive(Debug)]
struct Told {
    token: String,
    deletes: bool,
    known: i64,
    outcome: Result<Settled, Error>,
}

/// Reads the key, and changes it, over and over.
async fn change(client: Client, number: u64, mut rng: Rng, told: Rc<RefCell<Vec<Told>>>) {
    for turn in 0..12 {
        let Ok(read) = client.get(KEY).await else {
            continue;
        };
        let known = read.kvs.first().map_or(0, |kv| kv.mod_revision);
        let token = format!("{number}/{turn}");
        let options = CallOptions::default().with_timeout(millis(200 + rng.below(3000)));
        // One that waited for its absence can be done late, after somebody deleted it again.
        let deletes = known > 0 && rng.one_in(8);
        let outcome = match deletes {
            true => {
                let delete = DeleteIfUnchanged::new(KEY, known);
                client.settle_with(delete, options).await
            }
            false => {
                let swap = CompareAndSwap::mod_revision(KEY, known, &*token);
                client.settle_with(swap, options).await
            }
        };
        told.borrow_mut().push(Told {
            token,
            deletes,
            known,
            outcome,
        });
    }
}

/// How often what was told, so that a run that shows nothing is seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    done: usize,
    found: usize,
    refused: usize,
    overtaken: usize,
    unknown: usize,
}

fn play(seed: u64) -> Seen {
    let mut setup = Setup::new(Version::new(3, 5, 30));
    setup.members = 3;
    let world = World::with_cluster(seed, setup);
    world.set_patience(Duration::from_secs(600));
    let mut rng = Rng::new(seed).fork(1);
    // The truth, by a client whose connections are never touched.
    let watching = world.client();
    let changes: Rc<RefCell<Vec<Change>>> = Rc::default();
    world
        .spawn({
            let changes = changes.clone();
            async move {
                let watch = Watch::key(KEY).with_start_revision(1);
                let mut watch = watching.watch(watch).await.expect("calm");
                while let Some(event) = watch.next_event().await {
                    let WatchEvent::Batch(batch) = event else {
                        continue;
                    };
                    for event in batch.events {
                        let value = match event.kind {
                            EventKind::Put => Some(event.kv.value_str().expect("text").to_owned()),
                            _ => None,
                        };
                        let change = (event.kv.mod_revision, value);
                        changes.borrow_mut().push(change);
                    }
                }
            }
        })
        .detach();
    world.run_for(millis(100));

    let told = Rc::new(RefCell::new(Vec::new()));
    let mut writers = Vec::new();
    for number in 0..3 {
        let client = world.client();
        let ours = Between::client(client.number());
        let faults = Faults::none()
            .with(FaultKind::Reset, 500)
            .with(FaultKind::BlackHole, 300)
            .with(FaultKind::Delay, 300);
        world.set_faults(ours, faults);
        let writer = change(client, number, rng.fork(number), told.clone());
        writers.push(world.spawn(writer));
    }
    for _ in 0..6 {
        world.run_for(rng.between(millis(100), Duration::from_secs(2)));
        let member = rng.index(3);
        world.act(Act::Pause(member));
        world.run_for(rng.between(millis(100), Duration::from_secs(3)));
        world.act(Act::Resume(member));
    }
    world.block_on(async {
        for writer in writers {
            writer.await;
        }
    });
    world.calm();
    world.run_for(Duration::from_secs(30));
    judge(seed, &told.borrow(), &changes.borrow())
}

/// Holds what was told to what happened.
fn judge(seed: u64, told: &[Told], changes: &[Change]) -> Seen {
    let mut puts: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (revision, value) in changes {
        if let Some(value) = value {
            puts.entry(value).or_default().push(*revision);
        }
    }
    let mut seen = Seen::default();
    for one in told {
        let at = format!("seed {seed}: {one:?}");
        let found = puts.remove(&*one.token).unwrap_or_default();
        // What follows a revision in the key's life is the one change that was made on top of it.
        let next = changes.iter().find(|(revision, _)| *revision > one.known);
        // A late attempt at one that wants no key may be done after somebody deleted it.
        if !one.deletes && one.known > 0 {
            assert!(found.len() <= 1, "{at} was done at {found:?}");
            let is_next = |done: &i64| next.map(|next| next.0) == Some(*done);
            assert!(
                found.iter().all(is_next),
                "{at} was done at {found:?}, on top of another"
            );
        }
        let is_done = !found.is_empty();
        let was_deleted = next.is_some_and(|next| next.1.is_none());
        match &one.outcome {
            Ok(Settled::Done { revision, .. }) => {
                seen.done += 1;
                match one.deletes {
                    true => assert_eq!(next, Some(&(*revision, None)), "{at}"),
                    false => assert!(found.contains(revision), "{at}"),
                }
            }
            Ok(Settled::Found { current }) => {
                seen.found += 1;
                let current = current.as_ref().map(|kv| kv.mod_revision);
                match one.deletes {
                    // Somebody else may have changed it, and somebody else deleted it.
                    true => assert_eq!(current, None, "{at}"),
                    false => assert!(current.is_some_and(|at| found.contains(&at)), "{at}"),
                }
            }
            Ok(Settled::Refused { .. }) => {
                seen.refused += 1;
                assert!(!is_done, "{at} was done at {found:?}");
                assert!(
                    !one.deletes || !was_deleted || others_delete(told, one),
                    "{at}"
                );
            }
            Ok(Settled::Overtaken { .. }) => seen.overtaken += 1,
            Err(error) if error.applied() == Applied::No => {
                assert!(!is_done, "{at} was done at {found:?}");
            }
            Err(_) => seen.unknown += 1,
        }
    }
    assert!(puts.is_empty(), "seed {seed}: nobody wrote {puts:?}");
    seen
}

/// Whether another writer wanted the same revision deleted.
fn others_delete(told: &[Told], one: &Told) -> bool {
    told.iter()
        .any(|other| other.deletes && other.known == one.known && other.token != one.token)
}

#[test]
fn r5_what_is_told_of_a_settled_write_is_true() {
    let mut sum = Seen::default();
    for seed in 0..100 {
        let seen = play(seed);
        sum.done += seen.done;
        sum.found += seen.found;
        sum.refused += seen.refused;
        sum.overtaken += seen.overtaken;
        sum.unknown += seen.unknown;
    }
    println!("{sum:?}");
    let enough = sum.done > 300 && sum.found > 10 && sum.refused > 50;
    assert!(enough && sum.overtaken > 0, "{sum:?}");
}
