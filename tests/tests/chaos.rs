//! Faults on real servers, each in short and with both drivers. `cargo xtask chaos` has all of them, at length.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Instant;

use etcd_tests::chaos::ALL;
use etcd_tests::chaos::Runtime;
use etcd_tests::chaos::Setting;
use etcd_tests::find;

/// Runs one with both drivers at the same time, while no other one runs: most of it is waiting.
fn run(name: &str) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let setting = &Setting {
        binary: find::find().expect("an etcd"),
        is_short: true,
        pass: 0,
        passes: 1,
    };
    let scenario = ALL.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.expect("there is one of this name");
    thread::scope(|scope| {
        for runtime in Runtime::ALL {
            scope.spawn(move || {
                let since = Instant::now();
                let figures = scenario.run(runtime, setting);
                assert!(figures.faults > 0, "nothing was broken");
                let (on, took) = (runtime.name(), since.elapsed().as_secs_f64());
                println!("{name} on {on}, {took:.1} s: {figures}");
            });
        }
    });
}

macro_rules! tests {
    ($($test:ident: $name:literal;)+) => {
        $(
            #[test]
            fn $test() {
                run($name);
            }
        )+
    };
}

tests! {
    a_put_broken_off_anywhere_is_told_rightly: "puts";
    a_watch_broken_off_anywhere_loses_nothing: "watches";
    a_guarded_write_in_doubt_never_comes_late: "doubt";
    each_member_may_be_killed: "kills";
    each_member_may_stand_still: "pauses";
    leadership_may_move: "leaders";
    what_is_compacted_meanwhile_is_told: "compaction";
    a_thousand_watches_may_lose_their_member: "storm";
}
