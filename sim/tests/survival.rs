//! How long a client takes to get over a member that is gone, and how seldom one with nothing to do wakes
//! up.

use std::time::Duration;

use etcd_core::{Error, Instant, LeaseGrant, Put, Range, Watch};
use etcd_sim::World;
use etcd_sim::check::{Asked, What};
use etcd_sim::world::{Between, Pace};

const SECOND: Duration = Duration::from_secs(1);

/// A healthy world of three members and a client that has used them all.
fn three(seed: u64) -> (World, usize) {
    let world = World::new(seed);
    world.run_for(5 * SECOND);
    let client = world.add_client(world.config());
    for place in 0..12 {
        world.call(client, Put::new(format!("k{place}"), "v"));
    }
    world.run_for(SECOND);
    (world, client)
}

/// A member that does not lead: without a leader nobody can help.
fn follower(world: &World, seed: u64) -> usize {
    let leader = world.leader().expect("a healthy world has a leader");
    (leader + 1 + usize::from(seed % 2 == 0)) % 3
}

/// Who asked for it, what came of it, and how long after `since`.
type Ended = (u64, Option<Error>, Duration);

fn ended(world: &World, since: Instant) -> Vec<Ended> {
    world.look(|history| {
        let ends = history.events.iter().filter_map(|event| match &event.what {
            What::CallEnded { call, result } if event.at >= since => {
                Some((*call, result.as_ref().clone().err(), event.at - since))
            }
            _ => None,
        });
        ends.collect()
    })
}

fn ask(world: &World, client: usize, asked: impl Into<Asked>) -> u64 {
    world.call(client, asked)
}

/// Reads in flight and calls that are new, while a member goes: how long each takes from then on. All of
/// them have to succeed.
fn over(seed: u64, go: impl FnOnce(&World, usize)) -> Vec<Duration> {
    let (world, client) = three(seed);
    let member = follower(&world, seed);
    let mut asked = Vec::new();
    for _ in 0..6 {
        asked.push(ask(&world, client, Range::key("k1")));
    }
    // They are under way, and the member has not answered.
    world.run_for(Duration::from_micros(50));
    let since = world.now();
    go(&world, member);
    // A write before the news has come would be handed over to nobody, and be in doubt.
    world.run_for(Duration::from_millis(1));
    for place in 0..6 {
        asked.push(ask(&world, client, Put::new(format!("n{place}"), "v")));
        asked.push(ask(&world, client, Range::key("k2")));
    }
    world.run_for(10 * SECOND);
    let ended = ended(&world, since);
    let mut times = Vec::new();
    for call in asked {
        let found = ended.iter().find(|(its, ..)| *its == call);
        let (_, error, time) = found.expect("every call ends");
        assert_eq!(*error, None, "seed {seed}, call {call}");
        times.push(*time);
    }
    times
}

/// The median and the worst.
fn summary(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1])
}

/// Guarantee G43: a refusing endpoint costs nothing, the next attempt starts in the same step.
#[test]
fn g43_calls_go_on_within_fifty_milliseconds_after_a_member_is_killed() {
    let times = (0..100).flat_map(|seed| over(seed, |world, member| world.stop(member)));
    let (median, worst) = summary(times.collect());
    println!("killed: median {median:?}, worst {worst:?}");
    assert!(worst <= Duration::from_millis(50), "{worst:?}");
}

/// Guarantee G43: a silent endpoint costs one attempt.
#[test]
fn g43_calls_go_on_within_one_attempt_where_a_member_is_a_black_hole() {
    let go = |world: &World, member| world.unplug(Between::member(member));
    let times = (0..100).flat_map(|seed| over_reads(seed, go));
    let (median, worst) = summary(times.collect());
    println!("black hole: median {median:?}, worst {worst:?}");
    let most = Duration::from_millis(2050);
    assert!(worst <= most, "{worst:?}");
}

/// As `over`, where connections do not break: a write that was handed over to one is in doubt, so new ones
/// only are reads, and writes of a client with no connection yet.
fn over_reads(seed: u64, go: impl FnOnce(&World, usize)) -> Vec<Duration> {
    let (world, client) = three(seed);
    let member = follower(&world, seed);
    let fresh = world.add_client(world.config());
    let mut asked = Vec::new();
    for _ in 0..6 {
        asked.push((client, ask(&world, client, Range::key("k1"))));
    }
    world.run_for(Duration::from_micros(50));
    let since = world.now();
    go(&world, member);
    for place in 0..6 {
        asked.push((client, ask(&world, client, Range::key("k2"))));
        let put = Put::new(format!("n{place}"), "v");
        asked.push((fresh, ask(&world, fresh, put)));
    }
    world.run_for(20 * SECOND);
    world.look(|history| {
        let mut times = Vec::new();
        for (client, call) in asked {
            let found = history.events.iter().find_map(|event| match &event.what {
                What::CallEnded { call: its, result } if event.client == client && *its == call => {
                    assert!(result.is_ok(), "seed {seed}, call {call}: {result:?}");
                    Some(event.at)
                }
                _ => None,
            });
            let at = found.expect("every call ends");
            times.extend((at >= since).then(|| at - since));
        }
        times
    })
}

/// A client with a hundred watches and ten leases: its leases are renewed three times in their time to live,
/// and its one connection for watches is looked at when nothing came on it for five seconds.
#[test]
fn an_idle_client_wakes_up_for_renewals_and_silences_only() {
    let world = World::new(1);
    world.record_clients();
    world.run_for(5 * SECOND);
    let client = world.add_client(world.config());
    for place in 0..100 {
        world.watch(client, Watch::key(format!("k{place}")), Pace::AtOnce);
    }
    for _ in 0..10 {
        world.lease(client, LeaseGrant::new(60));
    }
    world.run_for(60 * SECOND);
    let begin = world.now();
    world.run_for(600 * SECOND);
    let recordings = world.take_recordings();
    let recording = String::from_utf8(recordings[client].clone()).expect("a recording is text");
    let since = u128::from(begin.as_nanos());
    let count = |what: &str| {
        let lines = recording.lines().filter(|line| {
            let mut words = line.split(' ');
            let is_input = words.next() == Some(">");
            let at = words.next().and_then(|at| at.parse::<u128>().ok());
            is_input && at.is_some_and(|at| at >= since) && words.next() == Some(what)
        });
        lines.count()
    };
    let (timeouts, received) = (count("timeout"), count("received"));
    println!("in 10 min: {timeouts} timers, {received} reads");
    // Ten leases every 20 s, spread by a tenth, and a look at the watch connection every 5 s, which is asked
    // for a sign of life and answers.
    let renewals = 10 * 600 / 18;
    let silences = 2 * 600 / 5;
    assert!(timeouts <= renewals + silences, "{timeouts} timers");
    assert!(received <= renewals + silences, "{received} reads");
    assert!(timeouts > 100, "{timeouts} timers: nothing was kept alive");
}
