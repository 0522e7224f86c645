use core::time::Duration;

use etcd_core::{
    Applied, Code, Error, Known, LeaseKeepAlive, LeaseKeepAliveResponse, Response, Status,
};

use super::Script;
use crate::check::{Asked, Changed};

fn granted() -> Script {
    let mut script = Script::new();
    script.change(None, Changed::LeaseGranted { id: 7, ttl: 5 });
    script
}

fn renew(script: &mut Script) -> u64 {
    script.start(&Asked::Renewal(LeaseKeepAlive::new(7)))
}

fn renewed() -> Result<Response, Error> {
    let mut answer = LeaseKeepAliveResponse::default();
    (answer.id, answer.ttl) = (7, 5);
    Ok(Response::LeaseKeepAlive(answer))
}

fn gone() -> Result<Response, Error> {
    Err(Error::Etcd {
        status: Status::new(Code::NOT_FOUND, Known::LeaseNotFound.message()),
        applied: Applied::No,
    })
}

fn expires(script: &mut Script, after: u64) {
    script.now = script.now + Duration::from_secs(after);
    script.change(None, Changed::LeaseExpired { id: 7 });
}

#[test]
fn a_lease_that_lives_as_long_as_promised_is_fine() {
    let mut script = granted();
    let call = renew(&mut script);
    script.end(call, renewed());
    expires(&mut script, 5);
    let call = renew(&mut script);
    script.end(call, gone());
    let evidence = script.is_fine();
    assert_eq!((evidence.renewals, evidence.leases_expired), (2, 1));
}

#[test]
fn a_lease_that_ends_before_its_time_is_refused() {
    let mut script = granted();
    let call = renew(&mut script);
    script.end(call, renewed());
    expires(&mut script, 4);
    script.breaks("G25");
}

#[test]
fn a_renewal_of_a_lease_that_is_gone_is_refused() {
    let mut script = granted();
    expires(&mut script, 5);
    let call = renew(&mut script);
    script.end(call, renewed());
    script.breaks("G28");
}

#[test]
fn a_lease_that_is_there_and_told_lost_is_refused() {
    let mut script = granted();
    let call = renew(&mut script);
    script.end(call, gone());
    script.breaks("G28");
}

#[test]
fn a_renewal_of_no_time_is_refused() {
    let mut script = granted();
    let call = renew(&mut script);
    let Ok(Response::LeaseKeepAlive(mut answer)) = renewed() else {
        unreachable!()
    };
    answer.ttl = 0;
    script.end(call, Ok(Response::LeaseKeepAlive(answer)));
    script.breaks("G27");
}
