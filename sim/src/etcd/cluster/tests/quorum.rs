//! Leaders, partitions, restarts, and what becomes of writes then.

use etcd_core::{Known, Put, Range, Version};

use super::support::{Etcd, millis, secs};
use crate::etcd::{Defects, Meta, Setup};

fn timed_out() -> String {
    Known::Timeout.message().to_owned()
}

#[test]
fn a_follower_takes_over_when_the_leader_dies() {
    let mut etcd = Etcd::three();
    etcd.put("k", "1");
    let (leader, other) = (etcd.leader(), etcd.follower());
    etcd.cluster.stop(etcd.now, leader);
    assert_eq!(etcd.cluster.leader(), None);
    assert!(!etcd.cluster.is_serving(leader));
    etcd.pass(secs(2));
    assert!(etcd.cluster.leader().is_some_and(|next| next != leader));
    assert_eq!(etcd.get(other, "k").count, 1);
    etcd.call(other, Put::new("k", "2")).unwrap();
    etcd.cluster.start(etcd.now, leader);
    assert_eq!(etcd.get(leader, "k").first().unwrap().version, 2);
}

#[test]
fn without_a_quorum_only_serializable_reads_are_answered() {
    let mut etcd = Etcd::three();
    etcd.put("k", "1");
    etcd.cluster.stop(etcd.now, 1);
    etcd.cluster.stop(etcd.now, 2);
    etcd.pass(secs(3));
    let read = etcd.ask(0, Range::key("k"));
    let write = etcd.ask(0, Put::new("k", "2"));
    let meta = Meta {
        require_leader: true,
        ..Meta::default()
    };
    let refused = etcd.ask_with(0, meta, Range::key("k"));
    let refused = etcd.outcome(refused).unwrap().unwrap_err();
    assert_eq!(refused.message, Known::NoLeader.message());
    let stale = etcd.ask(0, Range::key("k").with_serializable());
    assert!(etcd.outcome(stale).unwrap().is_ok());
    etcd.pass(millis(6_999));
    assert!(etcd.outcome(read).is_none());
    etcd.pass(millis(1));
    assert_eq!(
        etcd.outcome(read).unwrap().unwrap_err().message,
        timed_out()
    );
    let late = etcd.outcome(write).unwrap().unwrap_err();
    assert_eq!(late.message, "context deadline exceeded");
    // No leader ever got it.
    etcd.cluster.start(etcd.now, 1);
    etcd.pass(secs(3));
    assert_eq!(etcd.get(0, "k").first().unwrap().value_str(), Ok("1"));
}

#[test]
fn a_write_that_timed_out_may_be_done_later() {
    let (mut done, mut not_done) = (0, 0);
    for seed in 0..40 {
        let setup = Setup::new(Version::new(3, 5, 16)).with_members(3);
        let mut etcd = Etcd::seeded(setup, seed);
        let leader = etcd.leader();
        let rest: Vec<_> = (0..3).filter(|&member| member != leader).collect();
        let write = etcd.ask(leader, Put::new("k", "1"));
        etcd.cluster.partition(etcd.now, &[&[leader], &rest]);
        etcd.pass(secs(8));
        let fault = etcd.outcome(write).unwrap().unwrap_err();
        assert!(fault.message.starts_with(&timed_out()), "{fault}");
        etcd.call(rest[0], Put::new("y", "")).unwrap();
        etcd.cluster.heal(etcd.now);
        etcd.pass(secs(3));
        match etcd.get(leader, "k").count {
            0 => not_done += 1,
            _ => done += 1,
        }
    }
    assert!(done > 3 && not_done > 3, "{done} {not_done}");
}

#[test]
fn a_partition_that_heals_in_time_is_not_noticed() {
    let mut etcd = Etcd::three();
    let leader = etcd.leader();
    let write = etcd.ask(leader, Put::new("k", "1"));
    etcd.cluster.partition(etcd.now, &[&[leader]]);
    etcd.pass(millis(500));
    assert_eq!(etcd.cluster.leader(), None);
    etcd.cluster.heal(etcd.now);
    etcd.pass(millis(10));
    assert_eq!(etcd.cluster.leader(), Some(leader));
    assert!(etcd.outcome(write).unwrap().is_ok());
}

#[test]
fn the_minority_does_not_read_unless_defective() {
    for defective in [false, true] {
        let mut defects = Defects::none();
        defects.stale_reads = defective;
        let setup = Setup::new(Version::new(3, 5, 16)).with_members(3);
        let mut etcd = Etcd::new(setup.with_defects(defects));
        etcd.put("k", "1");
        let leader = etcd.leader();
        let rest: Vec<_> = (0..3).filter(|&member| member != leader).collect();
        etcd.cluster.partition(etcd.now, &[&[leader], &rest]);
        etcd.pass(millis(900));
        let read = etcd.ask(leader, Range::key("k"));
        etcd.pass(millis(50));
        assert_eq!(etcd.outcome(read).is_some(), defective);
    }
}

#[test]
fn a_late_member_answers_linearizable_reads_late() {
    let mut etcd = Etcd::three();
    etcd.cluster.set_lag(etcd.now, 2, secs(1));
    etcd.put("k", "1");
    let stale = etcd.call(2, Range::key("k").with_serializable()).unwrap();
    assert_eq!(stale.count, 0);
    let read = etcd.ask(2, Range::key("k"));
    etcd.pass(millis(500));
    assert!(etcd.outcome(read).is_none());
    etcd.pass(millis(600));
    assert!(etcd.outcome(read).unwrap().is_ok());
}

#[test]
fn who_asked_a_member_that_stopped_hears_nothing() {
    let mut etcd = Etcd::three();
    let member = etcd.follower();
    let write = etcd.ask(member, Put::new("k", "1"));
    etcd.cluster.stop(etcd.now, member);
    etcd.pass(secs(20));
    assert!(etcd.outcome(write).is_none());
    let other = etcd.leader();
    assert_eq!(etcd.get(other, "k").count, 1);
}

#[test]
fn an_old_member_is_brought_up_by_a_snapshot() {
    let setup = Setup::new(Version::new(3, 5, 16)).with_members(3);
    let mut etcd = Etcd::new(setup.with_snapshot_after(10));
    let (leader, other) = (etcd.leader(), etcd.follower());
    etcd.cluster.stop(etcd.now, other);
    for key in 0..300 {
        etcd.call(leader, Put::new(format!("{key}"), "")).unwrap();
    }
    etcd.cluster.start(etcd.now, other);
    assert_eq!(etcd.call(other, Range::all()).unwrap().count, 300);
}

#[test]
fn the_asker_may_have_less_patience() {
    let mut etcd = Etcd::three();
    etcd.cluster.partition(etcd.now, &[]);
    let meta = Meta {
        timeout: Some(millis(500)),
        ..Meta::default()
    };
    let read = etcd.ask_with(0, meta, Range::key("k"));
    etcd.pass(millis(500));
    let fault = etcd.outcome(read).unwrap().unwrap_err();
    assert_eq!(fault.message, "context deadline exceeded");
    assert_eq!(fault.code, etcd_core::Code::DEADLINE_EXCEEDED);
}

#[test]
fn one_seed_is_one_story() {
    let story = |seed| {
        let mut rng = crate::Rng::new(seed);
        let mut etcd = Etcd::three();
        let mut lines = Vec::new();
        for step in 0..300 {
            let member = rng.index(3);
            match rng.below(20) {
                0 => etcd.cluster.stop(etcd.now, member),
                1..=3 => etcd.cluster.start(etcd.now, member),
                4 => etcd.cluster.partition(etcd.now, &[&[member]]),
                5 | 6 => etcd.cluster.heal(etcd.now),
                _ => {
                    etcd.ask(
                        member,
                        Put::new(format!("{}", rng.below(9)), format!("{step}")),
                    );
                }
            }
            etcd.pass(rng.between(millis(0), millis(900)));
        }
        lines.push(format!("{:?}", etcd.cluster.log()));
        lines
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
}
