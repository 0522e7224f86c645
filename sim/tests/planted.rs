//! Bugs on purpose are found, and each by the guarantee it breaks: the proof that what the checkers
//! let pass means something (reliability.md 4.5).
//!
//! `cargo test -p etcd-sim --features planted --profile worlds --test planted`. The seeds are the first ones that
//! find them; `SEARCH=10000` before it looks for them
//! anew, among so many, and prints the table.
#![cfg(feature = "planted")]

use etcd_core::Planted;
use etcd_sim::random::{Script, play};

/// Each bug, the first seed that finds it, and the guarantee that is seen to be broken.
const FOUND: &[(Planted, u64, &str)] = &[];

fn verdict(planted: Planted, seed: u64) -> Option<&'static str> {
    let mut script = Script::draw(seed);
    script.planted = Some(planted);
    play(&script).verdict.err().map(|violation| violation.rule)
}

#[test]
fn every_planted_bug_is_found() {
    if let Some(most) = std::env::var("SEARCH")
        .ok()
        .and_then(|most| most.parse().ok())
    {
        return search(most);
    }
    for planted in Planted::ALL {
        let known = FOUND.iter().find(|(of, ..)| of == planted);
        let Some((_, seed, rule)) = known else {
            panic!("{planted} has no seed");
        };
        assert_eq!(verdict(*planted, *seed), Some(*rule), "{planted}");
    }
}

#[test]
fn without_a_bug_the_same_seeds_pass() {
    for (planted, seed, _) in FOUND {
        let verdict = play(&Script::draw(*seed)).verdict;
        assert!(verdict.is_ok(), "{planted} {seed}: {verdict:?}");
    }
}

fn search(most: u64) {
    for planted in Planted::ALL {
        let found = (0..most).find_map(|seed| Some((seed, verdict(*planted, seed)?)));
        match found {
            Some((seed, rule)) => println!("    (Planted::{planted}, {seed}, \"{rule}\"),"),
            None => println!("    // {planted}: not in {most}"),
        }
    }
}
