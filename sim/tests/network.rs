//! What each thing that goes wrong with a connection means to a client.

use std::time::Duration;

use etcd_core::{Applied, Config, Error, Stats, Watch, WatchEvent};
use etcd_sim::check::What;
use etcd_sim::net::{Fault, FaultKind, Shape, Way};
use etcd_sim::world::{Act, Between, Pace};
use etcd_sim::{Client, World};

const ALL: Between = Between::all();

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A world and a client that knows its first member only.
fn one() -> (World, Client) {
    let world = World::new(1);
    let endpoint = world.endpoint(0).expect("a first member").to_string();
    let config = Config::new([endpoint]).expect("an address of the world");
    let client = world.client_with(config);
    // The cluster has its leader, or waiting for one would be measured too.
    world.run_for(Duration::from_secs(5));
    (world, client)
}

fn put(world: &World, client: &Client) -> Result<(), Error> {
    world.block_on(async { client.put("k", "v").await.map(drop) })
}

fn get(world: &World, client: &Client) -> Result<bool, Error> {
    world.block_on(async { Ok(!client.get("k").await?.kvs.is_empty()) })
}

/// How long something takes in the world.
fn timed<T>(world: &World, act: impl FnOnce() -> T) -> (Duration, T) {
    let before = world.now();
    let value = act();
    (world.now() - before, value)
}

/// A put over a connection with this fault: how long it took, how it ended, whether it is in the store.
#[track_caller]
fn put_with(fault: Fault) -> (Duration, Option<Applied>, bool) {
    let (world, client) = one();
    world.strike_next(ALL, fault);
    let (time, result) = timed(&world, || put(&world, &client));
    assert_eq!(world.tally().count(fault.kind()), 1, "{}", world.tally());
    let applied = result.err().map(|error| error.applied());
    let is_stored = get(&world, &client).expect("the fault is on one connection only");
    (time, applied, is_stored)
}

/// A get over a connection with this fault: how long it took, and what the client did for it. It has to
/// succeed.
#[track_caller]
fn get_with(fault: Fault) -> (Duration, Stats) {
    let (world, client) = one();
    world.strike_next(ALL, fault);
    let (time, result) = timed(&world, || get(&world, &client));
    assert_eq!(result, Ok(false));
    assert_eq!(world.tally().count(fault.kind()), 1, "{}", world.tally());
    (time, client.stats())
}

#[test]
fn a_calm_world_answers_within_its_latencies() {
    let (world, client) = one();
    let (time, result) = timed(&world, || put(&world, &client));
    assert_eq!(result, Ok(()));
    assert!(time < millis(20), "{time:?}");
    assert_eq!(get(&world, &client), Ok(true));
    assert_eq!(world.tally().total(), 0);
    assert_eq!(client.stats().connections_opened, 1);
}

#[test]
fn a_refused_connection_is_tried_again() {
    let (_, applied, is_stored) = put_with(Fault::Refused);
    assert_eq!((applied, is_stored), (None, true));
}

#[test]
fn a_slow_connection_costs_its_time() {
    let (time, stats) = get_with(Fault::SlowConnect(millis(700)));
    assert!(time > millis(700) && time < millis(720), "{time:?}");
    assert_eq!(stats.connections_opened, 1);
}

#[test]
fn a_connection_that_is_never_answered_costs_the_connect_timeout() {
    let (time, stats) = get_with(Fault::NeverConnected);
    assert!(time > millis(2000) && time < millis(2200), "{time:?}");
    assert_eq!(stats.connections_opened, 1);
}

#[test]
fn a_connection_closed_once_accepted_is_replaced_for_a_read() {
    let (_, stats) = get_with(Fault::ClosedOnAccept);
    assert_eq!((stats.connections_opened, stats.retries), (2, 1));
}

#[test]
fn a_reset_of_a_request_leaves_a_write_in_doubt_that_did_not_happen() {
    let fault = Fault::Reset {
        way: Way::Up,
        at: 50,
    };
    let (_, applied, is_stored) = put_with(fault);
    assert_eq!((applied, is_stored), (Some(Applied::Maybe), false));
}

#[test]
fn a_reset_of_an_answer_leaves_a_write_in_doubt_that_happened() {
    for at in [0, 1, 50, 200] {
        let fault = Fault::Reset { way: Way::Down, at };
        let (_, applied, is_stored) = put_with(fault);
        assert_eq!((applied, is_stored), (Some(Applied::Maybe), true), "{at}");
    }
}

#[test]
fn an_answer_that_ends_early_is_read_again_elsewhere() {
    for at in [0, 30, 250] {
        let fault = Fault::Fin { way: Way::Down, at };
        let (_, stats) = get_with(fault);
        assert_eq!(stats.connections_opened, 2, "{at}");
    }
}

#[test]
fn a_request_that_ends_early_does_not_happen() {
    let fault = Fault::Fin {
        way: Way::Up,
        at: 60,
    };
    let (_, applied, is_stored) = put_with(fault);
    assert_eq!((applied, is_stored), (Some(Applied::Maybe), false));
}

#[test]
fn a_half_open_connection_costs_the_deadline() {
    let (time, applied, is_stored) = put_with(Fault::HalfOpen { at: 10 });
    assert_eq!(time, millis(8000));
    assert_eq!((applied, is_stored), (Some(Applied::Maybe), false));
}

#[test]
fn a_black_hole_costs_the_deadline_and_is_told_apart_by_nobody() {
    for (way, was_stored) in [(Way::Up, false), (Way::Down, true)] {
        let (time, applied, is_stored) = put_with(Fault::BlackHole { way, at: 0 });
        assert_eq!(time, millis(8000));
        assert_eq!((applied, is_stored), (Some(Applied::Maybe), was_stored));
    }
}

#[test]
fn a_delay_costs_its_time() {
    for way in [Way::Up, Way::Down] {
        let fault = Fault::Delay {
            way,
            at: 40,
            by: millis(900),
        };
        let (time, stats) = get_with(fault);
        assert!(time > millis(900) && time < millis(950), "{time:?}");
        assert_eq!(stats.connections_opened, 1);
    }
}

#[test]
fn a_dripping_answer_comes_slowly() {
    let fault = Fault::Drip {
        way: Way::Down,
        at: 0,
        bytes_per_second: 200,
    };
    let (time, stats) = get_with(fault);
    let expected = Duration::from_millis(stats.bytes_in * 5);
    assert!(time > expected && time < expected + millis(100), "{time:?}");
}

#[test]
fn garbage_in_an_answer_makes_a_read_go_elsewhere() {
    let fault = Fault::Garbage {
        way: Way::Down,
        at: 0,
        len: 20,
    };
    let (_, stats) = get_with(fault);
    assert_eq!(stats.connections_opened, 2);
}

#[test]
fn garbage_in_a_request_is_refused_by_the_member() {
    let fault = Fault::Garbage {
        way: Way::Up,
        at: 2,
        len: 30,
    };
    let (_, applied, is_stored) = put_with(fault);
    assert!(applied.is_some());
    assert!(!is_stored);
}

#[test]
fn a_turned_bit_in_a_head_makes_a_read_go_elsewhere() {
    let fault = Fault::Flip {
        way: Way::Down,
        at: 1,
    };
    let (_, stats) = get_with(fault);
    assert_eq!(stats.connections_opened, 2);
}

#[test]
fn short_writes_and_small_pieces_change_nothing_but_the_time() {
    for way in [Way::Up, Way::Down] {
        for fault in [
            Fault::ShortWrites { way, most: 7 },
            Fault::Pieces { way, most: 3 },
            Fault::Merged {
                way,
                window: millis(40),
            },
        ] {
            let (time, applied, is_stored) = put_with(fault);
            assert_eq!((applied, is_stored), (None, true), "{fault:?}");
            assert!(time < millis(120), "{fault:?}: {time:?}");
        }
    }
}

#[test]
fn small_pieces_are_received_one_by_one() {
    let steps = |fault: Option<Fault>| {
        let (world, client) = one();
        if let Some(fault) = fault {
            world.strike_next(ALL, fault);
        }
        let before = world.steps();
        put(&world, &client).unwrap();
        world.steps() - before
    };
    let pieces = Fault::Pieces {
        way: Way::Down,
        most: 20,
    };
    let (calm, cut) = (steps(None), steps(Some(pieces)));
    assert!(cut > calm + 10, "{calm} and {cut}");
}

#[test]
fn a_repeated_request_is_applied_twice() {
    let (world, client) = one();
    world.strike_next(ALL, Fault::Duplicate);
    put(&world, &client).unwrap();
    world.run_for(millis(100));
    let answer = world.block_on(async { client.get("k").await }).unwrap();
    assert_eq!(answer.kvs[0].version, 2);
    assert_eq!(world.tally().count(FaultKind::Duplicate), 1);
}

#[test]
fn an_open_connection_can_be_struck() {
    let (world, client) = one();
    put(&world, &client).unwrap();
    let reset = Fault::Reset {
        way: Way::Up,
        at: 0,
    };
    world.strike(ALL, reset);
    world.run_for(millis(10));
    assert_eq!(client.stats().connections_open, 0);
    assert_eq!(get(&world, &client), Ok(true));
    assert_eq!(client.stats().connections_opened, 2);
}

#[test]
fn what_was_sent_while_the_cable_was_out_comes_once_it_is_in() {
    let (world, client) = one();
    put(&world, &client).unwrap();
    world.unplug(Between::both(client.number(), 0));
    world.act_after(millis(1500), Act::Plug(Between::both(client.number(), 0)));
    let (time, result) = timed(&world, || get(&world, &client));
    assert_eq!(result, Ok(true));
    assert!(time > millis(1500) && time < millis(1510), "{time:?}");
    assert_eq!(client.stats().connections_opened, 1);
}

#[test]
fn a_connection_begun_without_a_cable_opens_once_it_is_in() {
    let (world, client) = one();
    world.unplug(ALL);
    world.act_after(millis(1000), Act::Plug(ALL));
    let (time, result) = timed(&world, || get(&world, &client));
    assert_eq!(result, Ok(false));
    assert!(time > millis(1000) && time < millis(1010), "{time:?}");
}

#[test]
fn a_stopped_member_refuses_and_one_without_power_says_nothing() {
    let (world, client) = one();
    put(&world, &client).unwrap();
    world.stop(0);
    world.run_for(millis(10));
    assert_eq!(client.stats().connections_open, 0);
    world.act_after(millis(1000), Act::Start(0));
    assert_eq!(get(&world, &client), Ok(true));

    world.act(Act::PowerOff(0));
    world.run_for(millis(10));
    assert_eq!(client.stats().connections_open, 1);
    let result = get(&world, &client);
    assert!(matches!(result, Err(Error::Timeout { .. })), "{result:?}");
}

#[test]
fn a_paused_member_accepts_and_answers_once_it_goes_on() {
    let (world, client) = one();
    world.pause(0);
    world.act_after(millis(1500), Act::Resume(0));
    let (time, result) = timed(&world, || get(&world, &client));
    assert_eq!(result, Ok(false));
    assert!(time > millis(1500) && time < millis(4500), "{time:?}");
    assert_eq!(client.stats().connections_opened, 1);
}

#[test]
fn a_client_whose_clock_jumps_finds_its_deadline_passed() {
    let (world, client) = one();
    world.pause(0);
    world.act_after(
        millis(10),
        Act::Jump(client.number(), Duration::from_secs(60)),
    );
    let (time, result) = timed(&world, || get(&world, &client));
    assert!(matches!(result, Err(Error::Timeout { .. })), "{result:?}");
    assert_eq!(time, millis(10));
}

#[test]
fn what_comes_for_a_frozen_client_waits() {
    let (world, client) = one();
    put(&world, &client).unwrap();
    let shape = Shape::default().with_latency(millis(20), millis(20));
    world.set_shape(ALL, shape);
    let (time, result) = timed(&world, || {
        world.act_after(Duration::ZERO, Act::Freeze(client.number(), millis(700)));
        get(&world, &client)
    });
    assert_eq!(result, Ok(true));
    assert!(time > millis(699) && time < millis(710), "{time:?}");
}

/// Revisions a watch delivered to the world's own user.
fn told(world: &World, ours: u64) -> Vec<i64> {
    world.look(|history| {
        let told = history.events.iter().filter_map(|event| match &event.what {
            What::WatchTold {
                watch,
                event: WatchEvent::Batch(batch),
            } if *watch == ours => Some(batch.revision),
            _ => None,
        });
        told.collect()
    })
}

/// A client whose watches hold 2,000 bytes each, on connections that hold
/// 4,000 more.
fn reader_with_little_room(world: &World) -> usize {
    let mut config = world.config();
    config.limits.watch_buffer_bytes = 2000;
    let reader = world.add_client(config);
    world.set_shape(Between::client(reader), Shape::default().with_window(4000));
    reader
}

/// Puts 20 values of 500 bytes: an event of each is some 900 bytes long.
fn put_twenty(world: &World, writer: &Client) {
    world.block_on(async {
        for _ in 0..20 {
            writer.put("k", "x".repeat(500)).await.expect("a put");
        }
    });
    world.run_for(millis(500));
}

#[test]
fn a_slow_user_holds_up_the_member_and_loses_nothing() {
    let world = World::new(3);
    let writer = world.client();
    let reader = reader_with_little_room(&world);
    let never = world.watch(reader, Watch::key("k"), Pace::Never);
    world.run_for(Duration::from_secs(3));
    put_twenty(&world, &writer);
    let received = world.stats(reader).bytes_in;
    assert!(received < 8000, "{received} bytes were read");
    assert!(told(&world, never).is_empty());

    world.set_pace(reader, never, Pace::Every(millis(200)));
    world.run_for(Duration::from_secs(10));
    let revisions = told(&world, never);
    assert_eq!(revisions.len(), 20);
    assert!(revisions.is_sorted());
}

#[test]
fn a_slow_user_holds_up_no_other_watch_of_its_client() {
    let world = World::new(3);
    let writer = world.client();
    let reader = reader_with_little_room(&world);
    let never = world.watch(reader, Watch::key("k"), Pace::Never);
    let quick = world.watch(reader, Watch::key("k"), Pace::AtOnce);
    world.run_for(Duration::from_secs(3));
    put_twenty(&world, &writer);
    assert_eq!(told(&world, quick).len(), 20);
    assert!(told(&world, never).is_empty());

    // The slow one has a stream of its own now, which nobody reads: what
    // comes in is the quick one's.
    let before = world.stats(reader).bytes_in;
    put_twenty(&world, &writer);
    let received = world.stats(reader).bytes_in - before;
    assert_eq!(told(&world, quick).len(), 40);
    assert!(received < 25_000, "{received} bytes were read");

    world.set_pace(reader, never, Pace::AtOnce);
    world.run_for(Duration::from_secs(10));
    assert_eq!(told(&world, never), told(&world, quick));
}
