//! Bugs on purpose are found, and each by the guarantee it breaks: the proof that what the checkers
//! let pass means something (reliability.md 4.5).
//!
//! `cargo test -p etcd-sim --features planted --profile worlds --test planted`. The seeds are the first ones that
//! find them; `SEARCH=10000` before it looks for them
//! anew, among so many, and prints the table; `BUG=` and names with commas between pick some.
#![cfg(feature = "planted")]

use etcd_core::Planted;
use etcd_sim::random::{Script, play, record};

/// Each bug, the first seed that finds it, and the guarantee that is seen to be broken.
const FOUND: &[(Planted, u64, &str)] = &[
    (Planted::ResumeAtCreated, 1, "G12"),
    (Planted::ResumeAtLast, 0, "G9"),
    (Planted::ResumeTooFar, 1, "G10"),
    (Planted::HalfRevision, 10, "G11"),
    (Planted::CleanEndCompletes, 1, "G13"),
    (Planted::BelieveOldProgress, 4, "G10"),
    (Planted::SkipCompacted, 3, "G12"),
    (Planted::UnboundedBuffer, 987, "G17"),
    (Planted::RepeatRefused, 16, "G5"),
    (Planted::SpaceIsCertain, 22, "G3"),
    (Planted::PartIsDoubt, 67, "G4"),
    (Planted::SecondOutcome, 0, "G1"),
    (Planted::DeadlineFromSend, 0, "G7"),
    (Planted::TimerStaysDue, 0, "G59"),
    (Planted::LeaseFromReceipt, 294, "G27"),
    (Planted::AskedTtl, 42, "L-3"),
    (Planted::PoisonSent, 0, "G61"),
    (Planted::FragmentEarly, 13, "G11"),
    (Planted::RevisionSplit, 0, "G11"),
    (Planted::ProgressOfAnother, 2, "G12"),
    (Planted::WrongCreate, 0, "G10"),
    (Planted::LateEvents, 3, "G19"),
    (Planted::DeadlineNeverFires, 0, "G7"),
    (Planted::DeadlineTooEarly, 0, "G7"),
    (Planted::CreatedAgain, 1, "G12"),
    (Planted::FiltersLost, 1, "G10"),
    (Planted::PrevKvLost, 1, "G22"),
    (Planted::ResumeFromNow, 1, "G10"),
    (Planted::RepeatLost, 1, "G4"),
    (Planted::LostIsNo, 0, "G3"),
    (Planted::CreateForgotten, 1, "G60"),
    (Planted::NeverResumed, 6, "G60"),
    (Planted::LateAnswer, 7, "G3"),
    (Planted::RenewalsSwapped, 5, "L-3"),
    (Planted::GoneIsRenewed, 0, "G27"),
    (Planted::HeaderMovesNext, 0, "G10"),
    (Planted::ProgressOvertakes, 2, "G16"),
    (Planted::OldAgain, 0, "G9"),
    (Planted::CompactedElsewhere, 3, "G14"),
    (Planted::CancelsNeighbour, 0, "G13"),
    (Planted::GateNeverOpens, 1, "G60"),
    (Planted::OutcomeLost, 0, "G60"),
    (Planted::LoginPerCall, 27, "G39"),
    (Planted::LoginTwice, 19, "G38"),
    (Planted::ExpiredStays, 19, "G60"),
    (Planted::WrongPasswordAgain, 17, "G39"),
    (Planted::ExpiryUntold, 5, "G26"),
    (Planted::ExpiredIsLost, 5, "G28"),
    (Planted::LostGoesOn, 5, "G60"),
    (Planted::LeaseGivenUp, 5, "G27"),
    (Planted::RenewedLate, 5, "G23"),
    (Planted::RevokeUnsent, 6, "G27"),
    (Planted::GrantRefused, 311, "G29"),
    (Planted::SilenceTrusted, 1, "G18"),
    (Planted::SlowStalls, 2, "G18"),
    (Planted::LeaderAgain, 246, "G9"),
    (Planted::ResyncSkipsDelete, 3, "W-16"),
    (Planted::ResyncAtRead, 3, "G12"),
    (Planted::ResyncUnpinned, 3, "W-16"),
    (Planted::LagTooEarly, 0, "T-4"),
    (Planted::TokenGoesBack, 28, "G39"),
    (Planted::RefusedTokenAgain, 15, "G60"),
    (Planted::OldRefusalCounts, 3740, "G39"),
    (Planted::AnswersShift, 136, "G2"),
];

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

/// The bug is in the recording, and is there again when it is replayed.
#[test]
fn what_a_found_bug_did_replays() {
    for (planted, seed, rule) in FOUND.iter().step_by(4) {
        let mut script = Script::draw(*seed);
        script.planted = Some(*planted);
        let (played, recordings) = record(&script);
        let broken = played.verdict.err().map(|violation| violation.rule);
        assert_eq!(broken, Some(*rule), "{planted}");
        for recording in recordings {
            let replayed = etcd_core::trace::replay(&recording);
            assert!(replayed.is_ok(), "{planted}: {}", replayed.unwrap_err());
        }
    }
}

fn search(most: u64) {
    let only = std::env::var("BUG").ok();
    let is_meant = |planted: &&Planted| {
        let name = planted.to_string();
        only.as_ref()
            .is_none_or(|bugs| bugs.split(',').any(|bug| bug == name))
    };
    for planted in Planted::ALL.iter().filter(is_meant) {
        let found = (0..most).find_map(|seed| Some((seed, verdict(*planted, seed)?)));
        match found {
            Some((seed, rule)) => println!("    (Planted::{planted}, {seed}, \"{rule}\"),"),
            None => println!("    // {planted}: not in {most}"),
        }
    }
}
