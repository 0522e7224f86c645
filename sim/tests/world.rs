//! Worlds as a whole: that a calm one works, that a seed fixes everything, and that all goes on once
//! nothing goes wrong any more.

use std::cell::RefCell;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use etcd_core::{
    Applied, CallOptions, Compare, Config, DeleteRange, Error, LeaseGrant, Put, Range, Response,
    Txn, Watch, WatchEvent,
};
use etcd_sim::check::{Asked, What, check};
use etcd_sim::net::{FaultKind, Faults};
use etcd_sim::world::{Act, Between, Pace, Stuck};
use etcd_sim::{Rng, World};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_calm_world_reads_writes_watches_and_leases() {
    let world = World::new(1);
    let client = world.client();
    world
        .block_on(async {
            let mut watcher = client.watch(Watch::prefix("/")).await.unwrap();
            client.put("/a", "1").await?;
            let lease = client.lease_grant(5).await?;
            client
                .call(Put::new("/b", "2").with_lease(lease.id))
                .await?;
            let txn = Txn::new()
                .when([Compare::value("/a").eq("1")])
                .and_then([Put::new("/a", "3")]);
            assert!(client.txn(txn).await?.succeeded());
            assert_eq!(client.get(Range::prefix("/")).await?.count, 2);
            assert!(client.lease_keep_alive_once(lease.id).await?.ttl == 5);
            assert_eq!(client.delete("/a").await?.deleted, 1);
            // The last one is the end of the lease.
            let mut seen = Vec::new();
            while seen.len() < 5 {
                let batch = watcher.next().await.unwrap().unwrap();
                seen.extend(
                    batch
                        .events
                        .iter()
                        .map(|event| event.kv.key_str().unwrap().to_owned()),
                );
            }
            assert_eq!(seen, ["/a", "/b", "/a", "/a", "/b"]);
            let expired = world.now() - etcd_core::Instant::ZERO;
            assert!(
                expired > millis(5000) && expired < millis(12_000),
                "{expired:?}"
            );
            assert!(client.lease_time_to_live(lease.id).await?.ttl < 0);
            Ok::<(), Error>(())
        })
        .unwrap();
    assert_eq!(world.tally().total(), 0);
}

#[test]
fn locks_and_elections_work() {
    let world = World::new(2);
    let client = world.client();
    world.block_on(async {
        let lease = client.lease_grant(60).await.unwrap().id;
        let mut observer = client.observe("el").await;
        let elected = client.campaign("el", lease, "me").await.unwrap();
        let leader = observer.next().await.unwrap().unwrap();
        assert_eq!(&leader.kv.value[..], b"me");
        client.resign(elected.leader).await.unwrap();
        let lock = client.lock("l", lease).await.unwrap();
        client.unlock(lock.key).await.unwrap();
    });
}

#[test]
fn a_snapshot_comes_whole() {
    let world = World::new(2);
    let client = world.client();
    world.block_on(async {
        client.put("k", "v").await.unwrap();
        let mut snapshot = client.snapshot().await;
        while let Some(chunk) = snapshot.next().await {
            assert!(!chunk.unwrap().blob.is_empty());
        }
        assert_eq!(snapshot.summary().unwrap().bytes, snapshot.received_bytes());
    });
}

#[test]
fn a_cluster_goes_on_without_one_member_and_waits_without_two() {
    let world = World::new(3);
    let client = world.client();
    let put = || world.block_on(async { client.put("k", "v").await.map(drop) });
    put().unwrap();
    world.stop(world.leader().unwrap());
    world.run_for(Duration::from_secs(3));
    put().unwrap();
    let leader = world.leader().unwrap();
    world.stop(leader);
    assert_eq!(put().unwrap_err().applied(), Applied::Maybe);
    world.start(leader);
    world.run_for(Duration::from_secs(5));
    put().unwrap();
}

#[test]
fn a_member_cut_off_from_the_others_answers_from_its_past_only() {
    let world = World::new(4);
    let others = world.client();
    let endpoint = world.endpoint(0).unwrap().to_string();
    let alone = world.client_with(Config::new([endpoint]).unwrap());
    world.block_on(async {
        others.put("k", "old").await.unwrap();
        world.sleep(millis(100)).await;
        world.partition([&[0], &[1, 2]]);
        world.sleep(Duration::from_secs(3)).await;
        let member = CallOptions::default().with_endpoint(world.endpoint(1).unwrap());
        others
            .call_with(Put::new("k", "new"), member)
            .await
            .unwrap();
        alone.get("k").await.unwrap_err();
        let read = || alone.get(Range::key("k").with_serializable());
        assert_eq!(read().await.unwrap().kvs[0].value_str(), Ok("old"));
        world.heal();
        world.sleep(Duration::from_secs(3)).await;
        assert_eq!(read().await.unwrap().kvs[0].value_str(), Ok("new"));
    });
}

#[test]
fn worlds_of_one_process_do_not_know_each_other() {
    let (one, two) = (World::new(5), World::new(5));
    let (client, other) = (one.client(), two.client());
    one.block_on(async { client.put("k", "v").await }).unwrap();
    let found = two.block_on(async { other.get("k").await }).unwrap();
    assert!(found.kvs.is_empty());
}

#[test]
fn a_world_may_have_several_clusters() {
    let world = World::new(6);
    let setup = etcd_sim::etcd::Setup::new(etcd_core::Version::new(3, 4, 23));
    let first = world.add_cluster(setup);
    assert_eq!(first, 3);
    let endpoint = world.endpoint(first).unwrap().to_string();
    let other = world.client_with(Config::new([endpoint]).unwrap());
    let version = world.block_on(async { other.version().await }).unwrap();
    assert_eq!(version.etcdserver, "3.4.23");
}

#[test]
fn an_address_nobody_has_is_not_found() {
    let world = World::new(7);
    let config = Config::new(["http://example.invalid:1"]).unwrap();
    let client = world.client_with(config);
    let error = world.block_on(async { client.get("k").await }).unwrap_err();
    assert!(error.to_string().contains("no such address"), "{error}");
}

// Programs.

#[test]
fn tasks_go_on_beside_each_other_in_virtual_time() {
    let world = World::new(1);
    let order = Rc::new(RefCell::new(Vec::new()));
    let sleepers: Vec<_> = [30, 10, 20]
        .into_iter()
        .map(|time| {
            let (clock, order) = (world.clock(), Rc::clone(&order));
            world.spawn(async move {
                clock.sleep(Duration::from_secs(time)).await;
                order.borrow_mut().push(time);
                time
            })
        })
        .collect();
    let sum = world.block_on(async move {
        let mut sum = 0;
        for sleeper in sleepers {
            sum += sleeper.await;
        }
        sum
    });
    assert_eq!((sum, &order.borrow()[..]), (60, &[10, 20, 30][..]));
    assert!(world.now() - etcd_core::Instant::ZERO < Duration::from_secs(31));
}

#[test]
fn a_dropped_task_ends_and_a_detached_one_goes_on() {
    let world = World::new(1);
    let count = Rc::new(RefCell::new(0));
    let counting = || {
        let (clock, count) = (world.clock(), Rc::clone(&count));
        world.spawn(async move {
            clock.sleep(Duration::from_secs(1)).await;
            *count.borrow_mut() += 1;
        })
    };
    drop(counting());
    counting().detach();
    world.run_for(Duration::from_secs(2));
    assert_eq!(*count.borrow(), 1);
}

#[test]
fn a_timeout_ends_what_takes_too_long() {
    let world = World::new(1);
    let client = world.client();
    let clock = world.clock();
    world.block_on(async {
        let mut watcher = client.watch("k").await.unwrap();
        assert!(clock.timeout(millis(500), watcher.next()).await.is_none());
        client.put("k", "v").await.unwrap();
        assert!(clock.timeout(millis(500), watcher.next()).await.is_some());
    });
}

#[test]
fn who_waits_for_what_can_never_come_is_told() {
    let world = World::empty(1);
    let stuck = world.try_block_on(core::future::pending::<()>());
    assert!(matches!(stuck, Err(Stuck::Nothing { .. })));

    let world = World::new(1);
    let client = world.client();
    world.set_patience(Duration::from_secs(600));
    let stuck = world.try_block_on(async {
        let mut watcher = client.watch("k").await.unwrap();
        watcher.next().await
    });
    match stuck {
        Err(Stuck::Nothing { .. }) => {}
        Err(Stuck::Patience { waited, .. }) => assert!(waited > Duration::from_secs(600)),
        other => panic!("{other:?}"),
    }
}

#[test]
#[should_panic(expected = "await it instead")]
fn a_task_that_blocks_is_told_to_await() {
    let world = World::new(1);
    let inner = world.clone();
    world.block_on(async move {
        inner.block_on(async {});
    });
}

#[test]
fn a_dropped_client_leaves_nothing_behind() {
    let world = World::new(1);
    let client = world.client();
    let number = client.number();
    world.block_on(async move {
        let watcher = client.watch("k").await.unwrap();
        drop(client);
        drop(watcher);
    });
    assert_eq!(world.stats(number).connections_open, 0);
}

/// Programs put clients into structures that have to be `Send`.
#[test]
fn clients_can_be_sent() {
    fn is_send<T: Send>() {}
    is_send::<etcd_sim::Client>();
    is_send::<etcd_sim::Watcher>();
    is_send::<etcd_sim::Observer>();
    is_send::<etcd_sim::Snapshot>();
    is_send::<etcd_sim::Pages>();
    is_send::<etcd_sim::Clock>();
}

/// `use etcd_sim::Client` in place of etcd-smol's does not compile where a method is missing.
#[test]
fn a_client_has_the_methods_of_etcd_smol() {
    let read = |files: &[&str]| {
        let mut names = std::collections::BTreeSet::new();
        for file in files {
            let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            for line in text.lines() {
                let line = line.trim();
                let line = line.strip_prefix("pub ").unwrap_or(line);
                let line = line.strip_prefix("async ").unwrap_or(line);
                if let Some(rest) = line.strip_prefix("fn ") {
                    let end = rest.find(['(', '<']).unwrap();
                    names.insert(rest[..end].to_owned());
                }
            }
        }
        names
    };
    let smol = read(&[
        "runtime-smol/src/client.rs",
        "runtime-smol/src/calls.rs",
        "runtime-smol/src/helpers.rs",
        "runtime-smol/src/calls/auth.rs",
        "runtime-smol/src/calls/cluster.rs",
        "runtime-smol/src/calls/lock.rs",
        "runtime-smol/src/calls/maintenance.rs",
        "runtime-smol/src/watcher.rs",
        "runtime-smol/src/observer.rs",
        "runtime-smol/src/pages.rs",
    ]);
    let ours = read(&[
        "sim/src/client/mod.rs",
        "sim/src/client/calls.rs",
        "sim/src/client/watcher.rs",
        "sim/src/client/observer.rs",
        "sim/src/client/pages.rs",
    ]);
    let missing: Vec<_> = smol.difference(&ours).map(String::as_str).collect();
    let made_otherwise = [
        "connect",
        "random_seed",
        "set_tls",
        "unspawned",
        "with_config",
        "with_executor",
        "with_seed",
        "with_tls",
    ];
    assert_eq!(missing, made_otherwise);
}

// Seeds.

/// What a faulty world leaves behind: the number of all that happened, and how much that was.
#[derive(Debug, PartialEq)]
struct Outcome {
    digest: u64,
    steps: u64,
    faults: u64,
    calls: usize,
    failed: usize,
}

/// A world with three clients, drawn faults and ten seconds of everything, then ten of calm.
fn wild(seed: u64) -> Outcome {
    let world = World::new(seed);
    world.keep_history();
    let mut rng = Rng::new(seed).fork(1);
    world.set_faults(Between::all(), Faults::draw(&mut rng));
    let clients: Vec<usize> = (0..3).map(|_| world.add_client(world.config())).collect();
    let watches: Vec<u64> = clients
        .iter()
        .map(|client| world.watch(*client, Watch::prefix("k"), Pace::AtOnce))
        .collect();
    for _ in 0..200 {
        world.run_for(rng.between(millis(1), millis(100)));
        let client = clients[rng.index(clients.len())];
        let key = format!("k{}", rng.below(5));
        let asked: Asked = match rng.below(6) {
            0 => Range::key(key).into(),
            1 => DeleteRange::key(key).into(),
            2 => LeaseGrant::new(10).into(),
            _ => Put::new(key, "v".repeat(rng.index(300))).into(),
        };
        world.call(client, asked);
        let member = rng.index(3);
        match rng.below(60) {
            0 => world.stop(member),
            1 => world.start(member),
            2 => world.pause(member),
            3 => world.resume(member),
            4 => world.partition([&[member]]),
            5 => world.heal(),
            6 => world.unplug(Between::both(client, member)),
            7 => world.act(Act::Lag(member, millis(rng.below(500)))),
            8 => world.act(Act::MoveLeader(member)),
            9 => world.act(Act::Jump(client, millis(rng.below(5000)))),
            10 => world.act(Act::Freeze(client, millis(rng.below(3000)))),
            11 => world.act(Act::PowerOff(member)),
            _ => {}
        }
    }
    world.calm();
    goes_on(seed, &world, &clients, &watches);
    let (mut calls, mut failed) = (0, 0);
    let mut history = world.take_history();
    for event in &history.events {
        if let What::CallEnded { result, .. } = &event.what {
            calls += 1;
            failed += usize::from(result.is_err());
        }
    }
    history.is_complete = true;
    if let Err(violation) = check(&history) {
        panic!("seed {seed}: {violation}");
    }
    Outcome {
        digest: world.digest(),
        steps: world.steps(),
        faults: world.tally().total(),
        calls,
        failed,
    }
}

/// Once nothing goes wrong any more every call under way ends and every watch delivers within 10 s
/// (guarantee G60).
fn goes_on(seed: u64, world: &World, clients: &[usize], watches: &[u64]) {
    let is_idle = |world: &World| {
        clients
            .iter()
            .all(|client| world.calls_under_way(*client) == 0)
    };
    assert!(
        world.run_for_until(Duration::from_secs(10), is_idle),
        "seed {seed}: calls hang"
    );
    let put = world.call(clients[0], Put::new("k-last", "v"));
    let mut revision = None;
    let told = |world: &World| {
        revision = revision.or_else(|| put_revision(world, clients[0], put, seed));
        revision.is_some_and(|revision| {
            clients
                .iter()
                .zip(watches)
                .all(|(client, watch)| has_delivered(world, *client, *watch, revision))
        })
    };
    let is_told = world.run_for_until(Duration::from_secs(10), told);
    assert!(is_told, "seed {seed}: a watch hangs");
}

fn put_revision(world: &World, ours: usize, put: u64, seed: u64) -> Option<i64> {
    world.look(|history| {
        history
            .events
            .iter()
            .rev()
            .find_map(|event| match &event.what {
                What::CallEnded { call, result } if *call == put && event.client == ours => {
                    let response = result.as_ref().as_ref();
                    let response = response.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                    let Response::Put(answer) = response else {
                        panic!("seed {seed}: {response:?}")
                    };
                    Some(answer.header.revision)
                }
                _ => None,
            })
    })
}

/// Whether a watch delivered this revision, or ended before: one that could not even be opened while
/// things went wrong has told so.
fn has_delivered(world: &World, client: usize, ours: u64, revision: i64) -> bool {
    world.look(|history| {
        history.events.iter().rev().any(|event| match &event.what {
            What::WatchTold { watch, event: told } if event.client == client && *watch == ours => {
                match told {
                    WatchEvent::Batch(batch) => batch.revision == revision,
                    WatchEvent::End(_) => true,
                    _ => false,
                }
            }
            _ => false,
        })
    })
}

#[test]
fn the_same_seed_makes_the_same_world() {
    let mut faults = 0;
    let mut failed = 0;
    for seed in 0..20 {
        let outcome = wild(seed);
        assert_eq!(outcome, wild(seed), "seed {seed}");
        assert!(outcome.calls > 190, "{outcome:?}");
        faults += outcome.faults;
        failed += outcome.failed;
    }
    assert!(
        faults > 20 && failed > 20,
        "{faults} faults, {failed} failures"
    );
    assert_ne!(wild(1).digest, wild(2).digest);
}

/// Run by the next test, in another process.
#[test]
fn print_a_digest() {
    println!("digest {:x}", wild(7).digest);
}

/// Guarantee G57.
#[test]
fn another_process_makes_the_same_world() {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this)
        .args(["print_a_digest", "--exact", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let ours = format!("digest {:x}", wild(7).digest);
    assert!(text.contains(&ours), "{ours} is not in\n{text}");
}

#[test]
fn after_the_faults_everything_goes_on() {
    for seed in 100..200 {
        wild(seed);
    }
}

#[test]
fn faults_that_change_bytes_end_nothing_but_connections() {
    for seed in 0..30 {
        let world = World::new(seed);
        let faults = Faults::none()
            .with(FaultKind::Garbage, 300)
            .with(FaultKind::Flip, 300);
        world.set_faults(Between::all(), faults);
        let client = world.client();
        world.block_on(async {
            for _ in 0..50 {
                // Whatever it says, it says something.
                let _ = client.put("k", "v").await;
                let _ = client.get("k").await;
            }
        });
    }
}
