//! What a cluster is out of order for, its users notice as little of as can be: the death of a leader, and
//! the restart of all members, one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_core::{
    Applied, Compaction, Instant, LeaseEvent, LeaseGrant, Put, Range, Watch, WatchBatch,
    WatchEvent, WatchOptions,
};
use etcd_sim::check::{What, check};
use etcd_sim::world::Pace;
use etcd_sim::{Client, World};

const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a client adds to the time without a leader: how long after there is one again, and after they were
/// asked for, writes are done; the worst, and how many were asked for before.
fn gap(seed: u64) -> (Duration, usize) {
    let world = World::new(seed);
    world.run_for(5 * SECOND);
    let mut config = world.config();
    // None waits for another that was handed to the old leader and is lost there.
    config.max_connections = 1000;
    config.limits.connections = 1000;
    let client = world.add_client(config);
    for place in 0..6 {
        world.call(client, Put::new(format!("k{place}"), "v"));
    }
    world.run_for(SECOND);
    let leader = world.leader().expect("a healthy world has a leader");
    world.stop(leader);
    let mut asked = BTreeMap::new();
    let mut led = None;
    while led.is_none_or(|led| world.now() < led + SECOND) {
        asked.insert(world.call(client, Put::new("k", "v")), world.now());
        let is_led = |world: &World| world.leader().is_some_and(|now| now != leader);
        if led.is_none() && world.run_for_until(millis(10), is_led) {
            led = Some(world.now());
        }
        world.run_for(millis(10));
    }
    world.run_for(20 * SECOND);
    let led = led.expect("there is a leader again");
    let (mut worst, mut waited) = (Duration::ZERO, 0);
    world.look(|history| {
        for event in &history.events {
            let What::CallEnded { call, result } = &event.what else {
                continue;
            };
            let Some(begun) = asked.remove(call) else {
                continue;
            };
            match &**result {
                Ok(_) => {
                    waited += usize::from(begun < led);
                    let from = begun.max(led);
                    worst = worst.max(if event.at > from {
                        event.at - from
                    } else {
                        Duration::ZERO
                    });
                }
                // A member that had it when the leader died may say that it does not know.
                Err(error) => assert_eq!(error.applied(), Applied::Maybe, "seed {seed}: {error}"),
            }
        }
    });
    assert!(asked.is_empty(), "seed {seed}: writes without an outcome");
    (worst, waited)
}

/// Guarantee G45: a client adds at most 100 ms to the time until any member would take the write.
#[test]
fn g45_a_write_is_done_soon_after_there_is_a_leader() {
    let gaps: Vec<_> = (0..100).map(gap).collect();
    let worst = gaps.iter().map(|(worst, _)| *worst).max();
    let waited: usize = gaps.iter().map(|(_, waited)| waited).sum();
    println!("worst: {worst:?}, {waited} were asked for before");
    assert!(worst <= Some(millis(100)), "{worst:?}");
    assert!(waited > 100, "{waited}");
}

/// All members are restarted one by one, and the cluster is healthy in between.
fn rolling(seed: u64) -> usize {
    let world = World::new(seed);
    world.keep_history();
    world.run_for(5 * SECOND);
    let client = world.add_client(world.config());
    let watch = Watch::prefix("k").with_start_revision(1);
    world.watch(client, watch, Pace::AtOnce);
    world.lease(client, LeaseGrant::new(5));
    world.run_for(SECOND);
    let mut reads = Vec::new();
    for member in 0..3 {
        for step in 0..160_u64 {
            match step {
                20 => world.stop(member),
                60 => world.start(member),
                _ => {}
            }
            reads.push(world.call(client, Range::key(format!("k{}", step % 8))));
            world.call(
                client,
                Put::new(format!("k{}", step % 8), format!("{step}")),
            );
            world.run_for(millis(50));
        }
    }
    world.run_for(20 * SECOND);
    let mut history = world.take_history();
    history.is_complete = true;
    if let Err(violation) = check(&history) {
        panic!("seed {seed}: {violation}");
    }
    let mut told = 0;
    for event in &history.events {
        match &event.what {
            What::CallEnded { call, result } if reads.contains(call) => {
                assert!(result.is_ok(), "seed {seed}, a read: {result:?}");
                reads.retain(|read| read != call);
            }
            What::LeaseTold { event, .. } => {
                let is_held = !matches!(event, LeaseEvent::Expired { .. } | LeaseEvent::End(_));
                assert!(is_held, "seed {seed}: {event:?}");
            }
            What::WatchTold { event, .. } => {
                told += usize::from(matches!(event, WatchEvent::Batch(_)));
                assert!(
                    !matches!(event, WatchEvent::End(_)),
                    "seed {seed}: {event:?}"
                );
            }
            _ => {}
        }
    }
    assert!(reads.is_empty(), "seed {seed}: reads without an answer");
    told
}

/// Guarantee G46: no read fails within its 5 s, no event of a watch is lost, and no lease of 5 s. That no
/// event is lost the checkers see.
#[test]
fn g46_a_rolling_restart_costs_no_read_no_event_and_no_lease() {
    for seed in 0..20 {
        let told = rolling(seed);
        assert!(told > 300, "seed {seed}: {told}");
    }
}

/// Reads some batches of a watch from a revision on.
async fn read(client: &Client, from: i64, most: usize) -> Vec<WatchBatch> {
    let watch = Watch::prefix("k").with_start_revision(from);
    let options = WatchOptions::default().with_compaction(Compaction::Fail);
    let mut watch = client.watch_with(watch, options).await.expect("calm");
    let mut batches = Vec::new();
    while batches.len() < most {
        batches.push(watch.next().await.expect("it goes on").expect("calm"));
    }
    batches
}

/// Rule W-10: what a batch says of its place is where a later watch goes on, right after it. A batch is of
/// one revision, so its first one is its last.
#[test]
fn w10_a_watch_from_the_next_revision_of_a_batch_goes_on_right_after_it() {
    let world = World::new(1);
    let client = world.client();
    world.block_on(async {
        for place in 0..20 {
            client
                .put(format!("k{}", place % 3), "v")
                .await
                .expect("calm");
            client.put("other", "v").await.expect("calm");
        }
        let all = read(&client, 1, 20).await;
        for cut in 1..19 {
            let first = read(&client, 1, cut).await;
            let next = first.last().expect("some").next_revision();
            let rest = read(&client, next, 20 - cut).await;
            let told = first.iter().chain(&rest);
            let told: Vec<_> = told.map(|batch| (batch.revision, &batch.events)).collect();
            let whole: Vec<_> = all
                .iter()
                .map(|batch| (batch.revision, &batch.events))
                .collect();
            assert_eq!(told, whole, "{cut}");
            let header = &first[0].header;
            assert!(header.cluster_id != 0 && header.revision >= first[0].revision);
        }
    });
    assert!(world.now() > Instant::ZERO);
}
