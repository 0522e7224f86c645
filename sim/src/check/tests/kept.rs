use core::time::Duration;

use etcd_core::{Applied, Error, Instant, LeaseEnd, LeaseEvent, LeaseGrant, Phase};

use super::Script;
use crate::check::{Changed, Kept, What};

const SECOND: Duration = Duration::from_secs(1);

/// A lease of five seconds is asked for, granted and confirmed; until when it was said to last.
fn kept() -> (Script, Instant) {
    let mut script = asked();
    script.change(None, Changed::LeaseGranted { id: 7, ttl: 5 });
    let until = confirm(&mut script, 5 * SECOND);
    (script, until)
}

fn asked() -> Script {
    let mut script = Script::new();
    let asked = Kept::Granted(LeaseGrant::new(5));
    script.add(What::LeaseKept { kept: 1, asked });
    script
}

fn tell(script: &mut Script, event: LeaseEvent) {
    script.add(What::LeaseTold {
        kept: 1,
        lease: 7,
        event,
    });
}

/// Says that it lasts for so long from now on.
fn confirm(script: &mut Script, time: Duration) -> Instant {
    let valid_until = script.now + time;
    tell(
        script,
        LeaseEvent::Active {
            ttl: 5,
            valid_until,
        },
    );
    valid_until
}

fn expire(script: &mut Script, at: Instant) {
    script.now = at;
    script.change(None, Changed::LeaseExpired { id: 7 });
}

fn before(at: Instant, time: Duration) -> Instant {
    Instant::ZERO + ((at - Instant::ZERO) - time)
}

/// What is added next happens then.
fn next_is_at(script: &mut Script, at: Instant) {
    script.now = before(at, Duration::from_millis(1));
}

fn end(script: &mut Script, end: LeaseEnd) {
    tell(script, LeaseEvent::End(end));
}

#[test]
fn one_that_expires_and_is_told_so_is_fine() {
    let (mut script, valid_until) = kept();
    next_is_at(&mut script, valid_until);
    tell(&mut script, LeaseEvent::Expired { valid_until });
    let at = script.now;
    expire(&mut script, at);
    end(&mut script, LeaseEnd::Lost);
    script.history.is_complete = true;
    let evidence = script.is_fine();
    assert_eq!((evidence.leases_kept, evidence.leases_confirmed), (1, 1));
    assert_eq!((evidence.leases_doubted, evidence.leases_lost), (1, 1));
}

#[test]
fn one_that_ends_before_its_time_is_refused() {
    let (mut script, until) = kept();
    expire(&mut script, before(until, SECOND));
    script.breaks("G25");
}

#[test]
fn more_time_than_there_is_is_refused() {
    let mut script = asked();
    script.change(None, Changed::LeaseGranted { id: 7, ttl: 5 });
    confirm(&mut script, 6 * SECOND);
    script.breaks("G25");

    let (mut script, _) = kept();
    confirm(&mut script, SECOND);
    script.breaks("G25");

    let mut script = asked();
    script.change(None, Changed::LeaseGranted { id: 7, ttl: 3 });
    confirm(&mut script, 3 * SECOND);
    script.breaks("L-3");
}

#[test]
fn a_time_that_is_over_is_told_at_once() {
    let (mut script, until) = kept();
    script.now = until + SECOND;
    confirm(&mut script, 5 * SECOND);
    script.breaks("G26");

    // Unless nobody was there to tell.
    let (mut script, until) = kept();
    script.add(What::Froze { time: 7 * SECOND });
    script.now = until + SECOND;
    confirm(&mut script, 5 * SECOND);
    script.is_fine();
}

#[test]
fn a_time_that_is_not_over_is_not_told() {
    let (mut script, valid_until) = kept();
    tell(&mut script, LeaseEvent::Expired { valid_until });
    script.breaks("G26");
}

#[test]
fn a_clock_that_jumps_makes_promises_shorter() {
    let (mut script, valid_until) = kept();
    script.add(What::Jumped { by: 3 * SECOND });
    next_is_at(&mut script, before(valid_until, 3 * SECOND));
    tell(&mut script, LeaseEvent::Expired { valid_until });
    script.is_fine();
}

#[test]
fn what_is_not_there_is_not_confirmed_and_what_is_there_not_lost() {
    let mut script = asked();
    confirm(&mut script, 5 * SECOND);
    script.breaks("G27");

    let (mut script, _) = kept();
    end(&mut script, LeaseEnd::Lost);
    script.breaks("G28");

    let (mut script, _) = kept();
    script.add(What::LeaseRevoked { kept: 1 });
    end(&mut script, LeaseEnd::Revoked);
    script.breaks("G27");
}

#[test]
fn a_late_grant_may_make_a_revoked_one_again() {
    let (mut script, _) = kept();
    script.add(What::LeaseRevoked { kept: 1 });
    script.change(None, Changed::LeaseRevoked { id: 7 });
    script.change(None, Changed::LeaseGranted { id: 7, ttl: 5 });
    end(&mut script, LeaseEnd::Revoked);
    script.is_fine();
}

#[test]
fn nothing_is_given_up_for_a_bad_network() {
    let (mut script, _) = kept();
    let error = Error::Timeout {
        phase: Phase::Answer,
        applied: Applied::Maybe,
    };
    end(&mut script, LeaseEnd::Failed(error));
    script.breaks("G27");
}

#[test]
fn nothing_comes_after_the_end_or_a_stop() {
    let (mut script, _) = kept();
    script.add(What::LeaseReleased { kept: 1 });
    confirm(&mut script, 5 * SECOND);
    script.breaks("G19");

    let (mut script, _) = kept();
    script.add(What::LeaseReleased { kept: 1 });
    end(&mut script, LeaseEnd::Released);
    end(&mut script, LeaseEnd::Released);
    script.breaks("G1");

    let (mut script, _) = kept();
    end(&mut script, LeaseEnd::Released);
    script.breaks("G1");
}

#[test]
fn in_the_end_each_is_renewed_or_over() {
    let (mut script, until) = kept();
    script.history.is_complete = true;
    script.is_fine();
    script.now = until + SECOND;
    script.add(What::ShutDown);
    script.breaks("G60");
}
