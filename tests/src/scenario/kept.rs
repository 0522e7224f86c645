//! Leases that the client keeps alive.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Known;
use etcd_core::LeaseEnd;
use etcd_core::LeaseEvent;
use etcd_core::LeaseGrant;
use etcd_core::LeasePhase;
use etcd_core::LeaseRevoke;
use etcd_core::LeaseTimeToLive;
use etcd_core::Put;

use super::Must;
use super::PATIENCE;
use super::Stage;
use super::wait_until;
use crate::driver::Driver;
use crate::driver::Keeping;

/// How much later than the moment itself a driver may tell that a lease may be gone, on a machine that does
/// other things as well (guarantee G26 has 20 ms on one that does not).
const LATE: Duration = Duration::from_millis(500);

/// A lease is kept for three times its time, and then for as long again over a server that is killed
/// and comes back; its key stays. Released it goes.
pub fn a_kept_lease_outlives_its_server<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut lease = client.lease(5).must();
    assert_eq!((lease.ttl(), lease.phase()), (5, LeasePhase::Active));
    client
        .call(Put::new("k", "v").with_lease(lease.id()))
        .must();
    let confirmed = watch_for(&mut lease, Duration::from_secs(15));
    assert!((8..=12).contains(&confirmed), "{confirmed} renewals");
    assert_eq!(stage.truth("k".into()).count, 1);

    stage.server.kill().must();
    thread::sleep(Duration::from_millis(50));
    stage.server.restart().must();
    let confirmed = watch_for(&mut lease, Duration::from_secs(10));
    assert!(confirmed >= 3, "{confirmed} renewals");
    assert_eq!(stage.truth("k".into()).count, 1);

    lease.release();
    let end = lease.changed_within(PATIENCE).must();
    assert_eq!(end, Some(LeaseEvent::End(LeaseEnd::Released)));
    assert_eq!(lease.changed_within(PATIENCE).must(), None);
    assert_eq!(
        (lease.remaining(), lease.phase()),
        (Duration::ZERO, LeasePhase::Ended)
    );
    wait_until("the key has gone with its lease", || {
        stage.truth("k".into()).count == 0
    });
}

/// So many renewals are confirmed in that time, in which the lease never expires.
fn watch_for<K: Keeping>(lease: &mut K, time: Duration) -> usize {
    let until = Instant::now() + time;
    let mut confirmed = 0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match lease.changed_within(left) {
            Ok(Some(LeaseEvent::Active { ttl, .. })) => {
                assert_eq!(ttl, lease.ttl());
                confirmed += 1;
            }
            Ok(Some(LeaseEvent::AtRisk { .. })) => {}
            Ok(other) => panic!("{other:?}"),
            Err(_) => return confirmed,
        }
        assert!(lease.remaining() > Duration::ZERO);
    }
}

/// A lease that somebody else revokes is lost, and its user is told with the next renewal.
pub fn a_kept_lease_that_is_revoked_elsewhere_is_lost<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let other: D = stage.client();
    let granted = other.call(LeaseGrant::new(2)).must();
    let mut lease = client.keep_alive(granted.id).must();
    assert_eq!((lease.id(), lease.ttl()), (granted.id, granted.ttl));
    assert!(watch_for(&mut lease, Duration::from_secs(5)) >= 3);
    other.call(LeaseRevoke::new(lease.id())).must();
    let told = loop {
        match lease.changed_within(PATIENCE).must() {
            Some(LeaseEvent::End(end)) => break end,
            Some(LeaseEvent::Active { .. } | LeaseEvent::AtRisk { .. }) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told, LeaseEnd::Lost);
    assert_eq!(lease.remaining(), Duration::ZERO);
    let gone = client.keep_alive(granted.id).must_fail();
    assert_eq!(gone.known(), Some(Known::LeaseNotFound));

    // Revoked by its own user it is gone, and so are its keys; a lease that is let go is not.
    let lease = client.lease(60).must();
    let id = lease.id();
    client.call(Put::new("k", "v").with_lease(id)).must();
    lease.revoke().must();
    assert_eq!(stage.truth("k".into()).count, 0);
    assert_eq!(client.call(LeaseTimeToLive::new(id)).must().ttl, -1);
    let dropped = client.lease(60).must().id();
    assert_eq!(
        client
            .call(LeaseTimeToLive::new(dropped))
            .must()
            .granted_ttl,
        60
    );
}

/// While the server is away the user is told in time that the lease may be gone, and when it is back and has
/// the lease, that it is there again.
pub fn a_kept_lease_expires_in_time_and_may_come_back<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut lease = client.lease(2).must();
    stage.server.kill().must();
    while lease.changed_within(Duration::ZERO).is_ok() {}
    let (since, left) = (Instant::now(), lease.remaining());
    loop {
        match lease.changed_within(PATIENCE).must() {
            Some(LeaseEvent::Expired { .. }) => break,
            Some(LeaseEvent::AtRisk { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    let took = since.elapsed();
    assert!(
        took + Duration::from_millis(1) >= left,
        "{took:?} of {left:?}"
    );
    assert!(took <= left + LATE, "{took:?} instead of {left:?}");
    assert_eq!(
        (lease.remaining(), lease.phase()),
        (Duration::ZERO, LeasePhase::Expired)
    );

    // A server that begins to lead gives all its leases their whole time once more.
    stage.server.restart().must();
    match lease.changed_within(PATIENCE).must() {
        Some(LeaseEvent::Active { .. }) => assert!(lease.remaining() > Duration::ZERO),
        other => panic!("{other:?}"),
    }
    client.shutdown();
    loop {
        match lease.changed_within(PATIENCE).must() {
            Some(LeaseEvent::End(end)) => break assert_eq!(end, LeaseEnd::Shutdown),
            Some(_) => {}
            None => panic!("it had no end"),
        }
    }
    let late = client.lease(2).must_fail();
    assert!(late.to_string().contains("shut down"), "{late}");
}
