use core::time::Duration;

use etcd_core::{
    Applied, Cause, Code, DeleteRange, DeleteRangeResponse, Error, LeaseGrant, LeaseGrantResponse,
    NetError, NetErrorKind, Phase, Put, PutResponse, Range, Response, Status, Txn, TxnOp,
    TxnOpResponse, TxnResponse,
};

use super::{Script, asked, cut};
use crate::check::{Asked, Changed, What};

fn put(key: &str, value: &str) -> Asked {
    asked(Put::new(key.to_owned(), value.to_owned()))
}

fn answer(script: &Script) -> Result<Response, Error> {
    let mut answer = PutResponse::default();
    answer.header = script.header();
    Ok(Response::Put(answer))
}

#[test]
fn a_write_that_happened_as_told_is_fine() {
    let mut script = Script::new();
    let put = put("a", "1");
    let call = script.start(&put);
    script.write(Some(&put), &[("a", Some("1"))]);
    script.end(call, answer(&script));
    assert_eq!(script.is_fine().writes_acknowledged, 1);
}

#[test]
fn a_write_in_doubt_may_have_happened_or_not() {
    for applied in [true, false] {
        let mut script = Script::new();
        let put = put("a", "1");
        let call = script.start(&put);
        script.in_doubt(call);
        if applied {
            script.write(Some(&put), &[("a", Some("1"))]);
        }
        let evidence = script.is_fine();
        assert_eq!(evidence.writes_in_doubt, 1);
        assert_eq!(evidence.writes_in_doubt_applied, u64::from(applied));
    }
}

#[test]
fn a_second_outcome_is_refused() {
    let mut script = Script::new();
    let call = script.start(&put("a", "1"));
    script.in_doubt(call);
    script.in_doubt(call);
    script.breaks("G1");
}

#[test]
fn a_call_without_an_outcome_is_refused_once_all_is_over() {
    let mut script = Script::new();
    script.start(&put("a", "1"));
    script.is_fine();
    script.history.is_complete = true;
    script.breaks("G1");
}

#[test]
fn a_cancel_that_nobody_asked_for_is_refused() {
    let mut script = Script::new();
    let call = script.start(&put("a", "1"));
    let canceled = Err(Error::Canceled {
        applied: Applied::No,
    });
    script.end(call, canceled);
    script.breaks("G1");
}

#[test]
fn a_write_acknowledged_at_another_revision_is_refused() {
    let mut script = Script::new();
    let put = put("a", "1");
    let call = script.start(&put);
    script.write(Some(&put), &[("a", Some("1"))]);
    script.put("b", "2");
    script.end(call, answer(&script));
    script.breaks("G2");
}

#[test]
fn a_write_acknowledged_that_never_happened_is_refused() {
    let mut script = Script::new();
    let call = script.start(&put("a", "1"));
    script.end(call, answer(&script));
    script.breaks("G2");
}

#[test]
fn a_write_that_happened_and_was_said_not_to_have_is_refused() {
    let mut script = Script::new();
    let put = put("a", "1");
    let call = script.start(&put);
    script.write(Some(&put), &[("a", Some("1"))]);
    script.end(call, Err(cut(Applied::No)));
    script.breaks("G3");
}

#[test]
fn a_write_that_happens_after_it_was_said_not_to_is_refused() {
    let mut script = Script::new();
    let put = put("a", "1");
    let call = script.start(&put);
    script.end(call, Err(cut(Applied::No)));
    script.write(Some(&put), &[("a", Some("1"))]);
    script.breaks("G3");
}

#[test]
fn certainty_without_grounds_is_refused() {
    let mut script = Script::new();
    let call = script.start(&put("a", "1"));
    let text = "etcdserver: mvcc: database space exceeded";
    script.end(
        call,
        Err(Error::Etcd {
            status: Status::new(Code::RESOURCE_EXHAUSTED, text),
            applied: Applied::No,
        }),
    );
    script.breaks("G3");
}

#[test]
fn a_doubt_about_what_is_certain_is_refused() {
    let applied = Applied::Maybe;
    let refused = NetError::new(NetErrorKind::Refused, "refused");
    let not_found = Status::new(Code::NOT_FOUND, "etcdserver: requested lease not found");
    for error in [
        Error::Timeout {
            phase: Phase::Send,
            applied,
        },
        Error::Unavailable {
            cause: Cause::ConnectFailed(refused),
            applied,
        },
        Error::Etcd {
            status: not_found,
            applied,
        },
    ] {
        let mut script = Script::new();
        let call = script.start(&put("a", "1"));
        script.now = script.now + Duration::from_millis(998);
        script.end(call, Err(error));
        script.breaks("G4");
    }
}

#[test]
fn a_read_that_had_an_effect_is_refused() {
    let mut script = Script::new();
    let call = script.start(&asked(Range::key("a")));
    script.in_doubt(call);
    script.breaks("G2");
}

#[test]
fn a_write_that_happened_twice_is_refused() {
    let mut script = Script::new();
    let put = put("a", "1");
    let call = script.start(&put);
    script.write(Some(&put), &[("a", Some("1"))]);
    script.end(call, answer(&script));
    script.write(Some(&put), &[("a", Some("1"))]);
    script.breaks("G5");
}

#[test]
fn equal_writes_are_judged_together() {
    let mut script = Script::new();
    let put = put("a", "1");
    for _ in 0..2 {
        let call = script.start(&put);
        script.write(Some(&put), &[("a", Some("1"))]);
        script.end(call, answer(&script));
    }
    script.is_fine();
    script.write(Some(&put), &[("a", Some("1"))]);
    script.breaks("G5");
}

#[test]
fn an_answer_to_another_call_is_refused() {
    let mut script = Script::new();
    let call = script.start(&asked(Range::key("a")));
    script.end(call, answer(&script));
    script.breaks("G54");
}

#[test]
fn a_late_outcome_is_refused_unless_its_client_stood_still() {
    for (time, fine) in [(2, true), (1, false)] {
        let mut script = Script::new();
        let call = script.start(&put("a", "1"));
        let time = Duration::from_secs(time);
        script.add(What::Froze { time });
        script.now = script.now + Duration::from_millis(1_999);
        script.in_doubt(call);
        match fine {
            true => drop(script.is_fine()),
            false => script.breaks("G7"),
        }
    }
}

#[test]
fn a_clock_that_jumps_brings_the_deadline() {
    for (by, fine) in [(997, true), (500, false)] {
        let mut script = Script::new();
        let call = script.start(&put("a", "1"));
        let by = Duration::from_millis(by);
        script.add(What::Jumped { by });
        let (phase, applied) = (Phase::Answer, Applied::Maybe);
        script.end(call, Err(Error::Timeout { phase, applied }));
        match fine {
            true => drop(script.is_fine()),
            false => script.breaks("G7"),
        }
    }
}

#[test]
fn a_deadline_that_passes_too_early_is_refused() {
    let mut script = Script::new();
    let call = script.start(&put("a", "1"));
    let (phase, applied) = (Phase::Answer, Applied::Maybe);
    script.end(call, Err(Error::Timeout { phase, applied }));
    script.breaks("G7");
}

#[test]
fn a_transaction_that_can_split_the_cluster_is_refused() {
    let mut script = Script::new();
    let put: TxnOp = Put::new("a", "1").into();
    let read = Range::key("a").with_revision(1).into();
    let poison = asked(Txn::new().and_then([put, read]));
    let call = script.start(&poison);
    script.write(Some(&poison), &[("a", Some("1"))]);
    script.in_doubt(call);
    script.breaks("G61");
}

fn deleted(script: &Script, deleted: i64) -> Result<Response, Error> {
    let mut answer = DeleteRangeResponse::default();
    answer.header = script.header();
    answer.deleted = deleted;
    Ok(Response::DeleteRange(answer))
}

#[test]
fn a_delete_says_how_many() {
    for (said, fine) in [(1, true), (2, false)] {
        let mut script = Script::new();
        script.put("a", "1");
        let delete = asked(DeleteRange::key("a"));
        let call = script.start(&delete);
        script.write(Some(&delete), &[("a", None)]);
        script.end(call, deleted(&script, said));
        match fine {
            true => drop(script.is_fine()),
            false => script.breaks("G2"),
        }
    }
}

#[test]
fn a_delete_of_nothing_changes_nothing() {
    let mut script = Script::new();
    let call = script.start(&asked(DeleteRange::key("a")));
    script.end(call, deleted(&script, 0));
    script.is_fine();
}

#[test]
fn a_transaction_did_what_its_answer_says() {
    for (puts, fine) in [(2, true), (1, false)] {
        let mut script = Script::new();
        let txn = asked(Txn::new().and_then([Put::new("a", "1"), Put::new("b", "2")]));
        let call = script.start(&txn);
        script.write(Some(&txn), &[("a", Some("1")), ("b", Some("2"))]);
        let mut answer = TxnResponse::default();
        answer.header = script.header();
        answer.succeeded = true;
        answer.responses = vec![TxnOpResponse::Put(PutResponse::default()); puts];
        script.end(call, Ok(Response::Txn(answer)));
        match fine {
            true => drop(script.is_fine()),
            false => script.breaks("G2"),
        }
    }
}

#[test]
fn a_grant_that_was_said_not_to_have_happened_is_refused() {
    let mut script = Script::new();
    let grant = asked(LeaseGrant::new(10));
    let call = script.start(&grant);
    script.change(Some(&grant), Changed::LeaseGranted { id: 7, ttl: 10 });
    let mut answer = LeaseGrantResponse::default();
    (answer.id, answer.ttl) = (7, 10);
    script.end(call, Ok(Response::LeaseGrant(answer)));
    script.is_fine();
    script.history.events.pop();
    script.end(call, Err(cut(Applied::No)));
    script.breaks("G3");
}
