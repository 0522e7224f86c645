//! Locks and elections: calls that wait for somebody else.

use std::thread;
use std::time::Duration;

use etcd_core::CallOptions;
use etcd_core::Campaign;
use etcd_core::Code;
use etcd_core::Error;
use etcd_core::Known;
use etcd_core::Leader;
use etcd_core::LeaseGrant;
use etcd_core::LeaseRevoke;
use etcd_core::Lock;
use etcd_core::Proclaim;
use etcd_core::Range;
use etcd_core::Resign;
use etcd_core::Unlock;

use super::Walk;
use crate::driver::Driver;
use crate::driver::Observing;
use crate::scenario::Must;
use crate::scenario::PATIENCE;
use crate::scenario::Stage;
use crate::scenario::wait_until;

pub(super) fn locks<D: Driver>(walk: &mut Walk<D>, stage: &Stage, auth: bool) {
    let leases = [0, 1, 2].map(|_| walk.ok(LeaseGrant::new(60)).id);
    let held = walk.ok(Lock::new("jobs").with_lease(leases[0]));
    assert_eq!(held.key, format!("jobs/{:x}", leases[0]));
    let client = walk.client.clone();
    let waiters = |count: i64| {
        wait_until("as many wait as should", || {
            client.get(Range::prefix("jobs/")).must().count == 1 + count
        });
    };

    let second = {
        let (client, lease) = (walk.client.clone(), leases[1]);
        thread::spawn(move || client.call(Lock::new("jobs").with_lease(lease)))
    };
    waiters(1);
    // A third gives up, and its place in the queue is free again.
    let before = stage.connections();
    let soon = CallOptions::default().with_timeout(Duration::from_millis(300));
    let third = Lock::new("jobs").with_lease(leases[2]);
    let gave_up = walk.client.call_with(third, soon).must_fail();
    // The server knows the deadline, too, and may be the first to say so.
    let is_late = gave_up.status().map(|status| status.code) == Some(Code::DEADLINE_EXCEEDED);
    assert!(
        is_late || matches!(gave_up, Error::Timeout { .. }),
        "{gave_up:?}"
    );
    if auth {
        // The server then fails to remove the place, as it does so without the user's name (seen on
        // 3.4.23 and 3.5.1): it is the lease that frees it.
        walk.ok(LeaseRevoke::new(leases[2]));
    }
    waiters(1);
    wait_until("its connection is gone", || stage.connections() <= before);
    assert!(!second.is_finished(), "the lock is held");
    walk.ok(Unlock::new(held.key));
    let taken = second.join().expect("the waiter does not panic").must();
    assert_eq!(taken.key, format!("jobs/{:x}", leases[1]));
    walk.ok(Unlock::new(taken.key));
    assert_eq!(walk.ok(Range::prefix("jobs/")).count, 0);
    for lease in &leases[..if auth { 2 } else { 3 }] {
        walk.ok(LeaseRevoke::new(*lease));
    }
}

pub(super) fn elections<D: Driver>(walk: &mut Walk<D>) {
    walk.refused(Leader::new("el"), Known::ElectionNoLeader);
    let leases = [0, 1].map(|_| walk.ok(LeaseGrant::new(60)).id);
    let mut observer = walk.client.observe("el");
    let mut told = |value: &str| match observer.next_within(PATIENCE) {
        Ok(Some(Ok(leader))) => assert_eq!(leader.kv.value, value.to_owned()),
        other => panic!("wanted a leader, got {other:?}"),
    };
    let first = walk
        .ok(Campaign::new("el", "one").with_lease(leases[0]))
        .leader;
    assert_eq!(
        (first.name.as_ref(), first.lease),
        (b"el".as_slice(), leases[0])
    );
    told("one");
    let second = {
        let (client, lease) = (walk.client.clone(), leases[1]);
        thread::spawn(move || client.call(Campaign::new("el", "two").with_lease(lease)))
    };
    wait_until("a second candidate waits", || {
        walk.client.get(Range::prefix("el/")).must().count == 2
    });
    walk.ok(Proclaim::new(first.clone(), "uno"));
    told("uno");
    let leader = walk.ok(Leader::new("el")).kv;
    assert_eq!(
        (leader.key, leader.value.as_ref()),
        (first.key.clone(), b"uno".as_slice())
    );
    assert!(!second.is_finished(), "there is a leader");
    walk.ok(Resign::new(first.clone()));
    let won = second.join().expect("the candidate does not panic").must();
    told("two");
    assert_eq!(won.leader.lease, leases[1]);
    walk.refused(Proclaim::new(first, "late"), Known::ElectionNotLeader);
    walk.ok(Resign::new(won.leader));
    walk.refused(Leader::new("el"), Known::ElectionNoLeader);
    for lease in leases {
        walk.ok(LeaseRevoke::new(lease));
    }
}
