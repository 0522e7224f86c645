//! Leases and their ends.

use etcd_core::{
    Known, LeaseGrant, LeaseLeases, LeaseRevoke, LeaseTimeToLive, LeaseTimeToLiveResponse, Put,
    Version,
};

use super::support::{Etcd, millis, secs};
use crate::etcd::{Change, Defects, Setup};

fn left(etcd: &mut Etcd, member: usize, lease: i64) -> LeaseTimeToLiveResponse {
    let asked = LeaseTimeToLive::new(lease).with_keys();
    etcd.call(member, asked).unwrap()
}

#[test]
fn a_lease_is_granted_for_at_least_two_seconds() {
    let mut etcd = Etcd::one();
    let granted = etcd.call(0, LeaseGrant::new(1)).unwrap();
    assert_eq!(granted.ttl, 2);
    assert!(granted.id > 0);
    let chosen = etcd.call(0, LeaseGrant::new(60).with_id(-7)).unwrap();
    assert_eq!((chosen.id, chosen.ttl), (-7, 60));
    assert_eq!(
        etcd.fails(LeaseGrant::new(60).with_id(-7)),
        Known::LeaseExist.message()
    );
    let long = LeaseGrant::new(9_000_000_001);
    assert_eq!(etcd.fails(long), Known::LeaseTTLTooLarge.message());
    let leases = etcd.call(0, LeaseLeases::new()).unwrap().leases;
    let ids: Vec<_> = leases.iter().map(|lease| lease.id).collect();
    assert_eq!(ids, [granted.id, -7]);
}

#[test]
fn the_end_of_a_lease_deletes_its_keys_at_one_revision() {
    let mut etcd = Etcd::three();
    etcd.call(0, LeaseGrant::new(5).with_id(7)).unwrap();
    etcd.call(0, Put::new("b", "1").with_lease(7)).unwrap();
    etcd.call(0, Put::new("a", "1").with_lease(7)).unwrap();
    etcd.pass(millis(2_100));
    let answer = left(&mut etcd, 1, 7);
    assert_eq!((answer.ttl, answer.granted_ttl), (2, 5));
    assert_eq!(answer.keys, ["a", "b"]);
    etcd.pass(millis(2_800));
    assert_eq!(etcd.get(0, "a").count, 1, "never before its time");
    etcd.pass(millis(800));
    assert_eq!(etcd.get(0, "a").count, 0);
    let last = etcd.cluster.log().last().unwrap();
    assert_eq!((last.revision, last.ask), (4, None));
    assert!(matches!(&last.change, Change::LeaseRevoked { id: 7, events } if events.len() == 2));
    assert_eq!(left(&mut etcd, 2, 7).ttl, -1);
    assert_eq!(
        etcd.fails(LeaseRevoke::new(7)),
        Known::LeaseNotFound.message()
    );
}

#[test]
fn a_renewal_gives_the_whole_time_again() {
    let mut etcd = Etcd::three();
    etcd.call(0, LeaseGrant::new(5).with_id(7)).unwrap();
    let stream = etcd.renew(1, 7);
    for _ in 0..10 {
        etcd.pass(secs(4));
        let renewals = etcd.renewals(stream);
        assert_eq!((renewals.len(), renewals[0].ttl), (1, 5));
        let again = etcd_core::LeaseKeepAlive::new(7);
        etcd.send(stream, crate::etcd::StreamRequest::LeaseKeepAlive(again));
    }
    etcd.call(0, LeaseRevoke::new(7)).unwrap();
    let stream = etcd.renew(1, 7);
    let renewals = etcd.renewals(stream);
    assert_eq!((renewals[0].id, renewals[0].ttl), (7, 0));
}

#[test]
fn a_stream_of_renewals_ends_when_all_are_answered() {
    let mut etcd = Etcd::one();
    etcd.call(0, LeaseGrant::new(5).with_id(7)).unwrap();
    let stream = etcd.renew(0, 7);
    etcd.cluster.handle_stream_end(etcd.now, stream);
    etcd.pass(millis(0));
    let replies = etcd.replies(stream);
    assert_eq!(replies.len(), 2);
    assert_eq!(replies[1], crate::etcd::Reply::End);
}

#[test]
fn a_change_of_leaders_gives_leases_more_time() {
    let mut etcd = Etcd::three();
    etcd.call(0, LeaseGrant::new(5).with_id(7)).unwrap();
    etcd.pass(secs(4));
    let next = etcd.follower();
    etcd.cluster.move_leader(etcd.now, next);
    etcd.pass(secs(5));
    assert!(left(&mut etcd, 0, 7).ttl >= 0);
    etcd.pass(secs(2));
    assert_eq!(left(&mut etcd, 0, 7).ttl, -1);
}

#[test]
fn a_lease_that_ends_while_its_leader_is_cut_off_ends_after_all() {
    let mut etcd = Etcd::three();
    etcd.call(0, LeaseGrant::new(5).with_id(7)).unwrap();
    etcd.pass(millis(4_900));
    let leader = etcd.leader();
    etcd.cluster.partition(etcd.now, &[&[leader]]);
    etcd.pass(millis(700));
    etcd.cluster.heal(etcd.now);
    etcd.pass(millis(600));
    assert_eq!(etcd.cluster.leader(), Some(leader), "nobody noticed");
    assert_eq!(left(&mut etcd, 0, 7).ttl, -1);
}

#[test]
fn without_a_leader_renewals_end_in_an_error() {
    let mut etcd = Etcd::three();
    etcd.call(0, LeaseGrant::new(60).with_id(7)).unwrap();
    etcd.cluster.stop(etcd.now, 1);
    etcd.cluster.stop(etcd.now, 2);
    etcd.pass(secs(3));
    let stream = etcd.renew(0, 7);
    let asked = etcd.ask(0, LeaseTimeToLive::new(7));
    etcd.pass(millis(6_900));
    assert!(etcd.replies(stream).is_empty());
    etcd.pass(millis(200));
    let fault = crate::etcd::machine::fault(Known::NoLeader);
    assert_eq!(
        etcd.replies(stream),
        [crate::etcd::Reply::Fault(fault.clone())]
    );
    assert_eq!(etcd.outcome(asked), Some(Err(fault)));
}

#[test]
fn a_defective_server_renews_the_dead() {
    let version = Version::new(3, 5, 16);
    for defective in [false, true] {
        let mut defects = Defects::none();
        defects.dead_lease_renewed = defective;
        let mut etcd = Etcd::new(Setup::new(version.clone()).with_defects(defects));
        etcd.call(0, LeaseGrant::new(5).with_id(7)).unwrap();
        etcd.call(0, LeaseRevoke::new(7)).unwrap();
        let stream = etcd.renew(0, 7);
        let ttl = etcd.renewals(stream)[0].ttl;
        assert_eq!(ttl, if defective { 5 } else { 0 });
    }
}
