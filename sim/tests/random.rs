//! Random worlds: nothing is broken in them, the same seed is the same world, and a failing one can
//! be made short. `cargo xtask sim` plays many more.

use core::time::Duration;

use etcd_sim::check::Evidence;
use etcd_sim::random::{Order, Script, play, record, shrink};
use etcd_sim::world::Act;

#[test]
fn no_guarantee_is_broken_in_random_worlds() {
    let mut evidence = Evidence::default();
    let mut faults = 0;
    for seed in 0..150 {
        let played = play(&Script::draw(seed));
        faults += played.faults();
        match played.verdict {
            Ok(judged) => evidence += judged,
            Err(violation) => panic!("{violation}\nagain: cargo xtask sim --seed {seed}"),
        }
    }
    // Worlds in which little happens would pass as well.
    assert!(faults > 1_500, "{faults}");
    assert!(evidence.writes_acknowledged > 5_000, "{evidence}");
    assert!(evidence.writes_in_doubt_applied > 50, "{evidence}");
    assert!(evidence.events > 40_000, "{evidence}");
    assert!(evidence.resumes > 300, "{evidence}");
    assert!(evidence.compactions_told > 50, "{evidence}");
    assert!(evidence.resyncs_ended > 100, "{evidence}");
    assert!(evidence.resynced_keys > 400, "{evidence}");
    assert!(evidence.lags_told > 100, "{evidence}");
    assert!(evidence.logins > 150, "{evidence}");
    assert!(evidence.calls_unauthorized > 50, "{evidence}");
    assert!(evidence.calls_denied > 50, "{evidence}");
    assert!(evidence.locks > 5 && evidence.unlocks > 2, "{evidence}");
    assert!(evidence.campaigns > 5, "{evidence}");
    assert!(evidence.proclamations > 5, "{evidence}");
    assert!(evidence.leaders_told > 5, "{evidence}");
    assert!(evidence.snapshots > 1, "{evidence}");
    assert!(
        evidence.registers_undecided * 20 < evidence.registers,
        "{evidence}"
    );
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..20 {
        let script = Script::draw(seed);
        let (one, other) = (play(&script), play(&script));
        assert_eq!(one.digest, other.digest, "{seed}");
        assert_eq!(one.verdict, other.verdict, "{seed}");
    }
    assert_ne!(play(&Script::draw(1)).digest, play(&Script::draw(2)).digest);
}

#[test]
fn every_line_is_in_the_script_kept_whole() {
    let script = Script::draw(3);
    let all: Vec<_> = (0..script.lines.len()).collect();
    let digest = play(&script).digest;
    assert_eq!(play(&script.clone().only(&all)).digest, digest);
    let none = play(&script.only(&[]));
    assert!(none.is_void());
}

#[test]
fn a_script_that_breaks_nothing_is_not_made_short() {
    assert!(shrink(&Script::draw(3), 10).is_none());
}

/// A member that is stopped and never started again would be started by the end of the busy time: so
/// a script that stops all of them still ends well.
#[test]
fn everything_goes_on_once_nothing_is_wrong() {
    let mut script = Script::draw(4);
    for member in 0..script.setup.members {
        let mut line = script.lines[0].clone();
        line.at = Duration::from_millis(500);
        line.order = Order::Act(Act::Stop(member));
        script.lines.push(line);
    }
    script.lines.sort_by_key(|line| line.at);
    let played = play(&script);
    assert!(played.verdict.is_ok(), "{:?}", played.verdict);
}

/// What a client saw in a random world, it does again where there is no world.
#[test]
fn recordings_of_random_worlds_replay() {
    for seed in 0..30 {
        let script = Script::draw(seed);
        let (played, recordings) = record(&script);
        assert_eq!(played.digest, play(&script).digest, "{seed}");
        assert!(recordings.len() >= script.clients.len(), "{seed}");
        for (client, recording) in recordings.iter().enumerate() {
            match etcd_core::trace::replay(recording) {
                Ok(replayed) => assert!(replayed.is_complete, "{seed}, client {client}"),
                Err(error) => panic!("seed {seed}, client {client}: {error}"),
            }
        }
    }
}
