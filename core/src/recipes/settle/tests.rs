use super::*;
use crate::api::Call;
use crate::api::CompareAndSwap;
use crate::api::DeleteIfUnchanged;
use crate::api::PutIfAbsent;
use crate::api::Response;
use crate::api::TxnResponse;
use crate::error::Cause;

fn lost() -> Error {
    Error::Canceled {
        applied: Applied::Maybe,
    }
}

fn unavailable() -> Error {
    Error::Unavailable {
        cause: Cause::Shutdown,
        applied: Applied::No,
    }
}

fn kv(value: &'static str, created: i64, version: i64, changed: i64) -> KeyValue {
    KeyValue {
        key: "k".into(),
        value: value.into(),
        create_revision: created,
        version,
        mod_revision: changed,
        ..KeyValue::default()
    }
}

fn answer(outcome: Guarded) -> GuardedResponse {
    let txn: TxnResponse =
        serde_json::from_str(r#"{"header":{"revision":"9"},"responses":[{"response_range":{}}]}"#)
            .unwrap();
    let mut answer = PutIfAbsent::from_response(Response::Txn(txn)).unwrap();
    answer.outcome = outcome;
    answer
}

fn refused(current: Option<KeyValue>) -> Result<GuardedResponse, Error> {
    Ok(answer(Guarded::Refused { current }))
}

fn done() -> Result<GuardedResponse, Error> {
    Ok(answer(Guarded::Done { prev_kv: None }))
}

fn is_write<W>(step: Option<SettleStep<W>>) -> bool {
    matches!(step, Some(SettleStep::Write(_)))
}

/// Gives these answers to the writes; what it then wants read, or what became of it.
fn settle<W: Guard>(
    write: &W,
    answers: impl IntoIterator<Item = Result<GuardedResponse, Error>>,
) -> (Settle<W>, Option<Result<Settled, Error>>) {
    let mut settle = Settle::new(write.clone());
    for answer in answers {
        assert_eq!(settle.poll_settled(), None);
        assert!(is_write(settle.poll_step()));
        assert!(settle.poll_step().is_none());
        settle.handle_written(answer);
    }
    let outcome = settle.poll_settled();
    (settle, outcome)
}

fn outcome<W: Guard>(
    write: &W,
    answers: impl IntoIterator<Item = Result<GuardedResponse, Error>>,
) -> Result<Settled, Error> {
    settle(write, answers).1.expect("it is settled")
}

#[test]
fn r5_what_is_answered_is_settled() {
    let write = CompareAndSwap::mod_revision("k", 7, "mine");
    let prev_kv = None;
    let was_done = Settled::Done {
        revision: 9,
        prev_kv,
    };
    assert_eq!(outcome(&write, [done()]), Ok(was_done.clone()));
    assert_eq!(outcome(&write, [Err(lost()), done()]), Ok(was_done.clone()));
    let late = [Err(lost()), Err(unavailable()), Err(lost()), done()];
    assert_eq!(outcome(&write, late), Ok(was_done));
    // The key had this value by somebody else: of one attempt that was answered, it is certain.
    let current = Some(kv("mine", 2, 4, 8));
    let was_refused = Settled::Refused {
        current: current.clone(),
    };
    assert_eq!(outcome(&write, [refused(current)]), Ok(was_refused));
}

#[test]
fn r5_g3_an_error_is_certain_only_where_all_attempts_are() {
    let write = PutIfAbsent::new("k", "mine");
    assert_eq!(outcome(&write, [Err(unavailable())]), Err(unavailable()));
    let late = [
        Err(lost()),
        Err(unavailable()),
        Err(unavailable()),
        Err(unavailable()),
    ];
    assert_eq!(outcome(&write, late), Err(lost()));
}

#[test]
fn r5_a_refusal_for_its_own_first_attempt_is_found() {
    let swap = CompareAndSwap::mod_revision("k", 7, "mine");
    let current = Some(kv("mine", 2, 5, 8));
    let found = Ok(Settled::Found {
        current: current.clone(),
    });
    assert_eq!(outcome(&swap, [Err(lost()), refused(current)]), found);

    let create = PutIfAbsent::new("k", "mine").with_lease(3);
    let mut current = kv("mine", 8, 1, 8);
    current.lease = 3;
    let found = Ok(Settled::Found {
        current: Some(current.clone()),
    });
    let answers = [Err(lost()), refused(Some(current.clone()))];
    assert_eq!(outcome(&create, answers), found);
    // With another lease it is another's.
    current.lease = 4;
    let other = outcome(&create, [Err(lost()), refused(Some(current.clone()))]);
    let current = Some(current);
    assert_eq!(other, Ok(Settled::Overtaken { current }));

    let delete = DeleteIfUnchanged::new("k", 7);
    let found = Ok(Settled::Found { current: None });
    assert_eq!(outcome(&delete, [Err(lost()), refused(None)]), found);
}

/// Another value is there after an attempt in doubt: how often the key was put since the known revision tells
/// whether that attempt can have been done.
#[test]
fn r5_one_read_tells_whether_an_attempt_was_overwritten() {
    let swap = CompareAndSwap::mod_revision("k", 7, "mine");
    let current = kv("theirs", 2, 5, 9);
    let ask = |then: Result<Option<KeyValue>, Error>| {
        let answers = [Err(lost()), refused(Some(current.clone()))];
        let (mut settle, outcome) = settle(&swap, answers);
        assert_eq!(outcome, None);
        // An answer of the other kind changes nothing.
        settle.handle_written(done());
        let Some(SettleStep::Read(range)) = settle.poll_step() else {
            panic!("it reads");
        };
        assert_eq!(range, Range::key("k").with_revision(7));
        settle.handle_read(then.map(|kv| {
            let mut answer = RangeResponse::default();
            answer.kvs.extend(kv);
            answer
        }));
        settle.poll_settled().unwrap().unwrap()
    };
    let all = Some(current.clone());
    let refused = Settled::Refused {
        current: all.clone(),
    };
    let overtaken = Settled::Overtaken { current: all };
    // One change, and that is theirs.
    assert_eq!(ask(Ok(Some(kv("old", 2, 4, 7)))), refused);
    // Two changes.
    assert_eq!(ask(Ok(Some(kv("old", 2, 3, 7)))), overtaken);
    // The condition never held.
    assert_eq!(ask(Ok(Some(kv("old", 2, 3, 6)))), refused);
    assert_eq!(ask(Ok(None)), refused);
    // Compacted, or not to be had.
    assert_eq!(ask(Err(unavailable())), overtaken);
}

#[test]
fn r5_a_key_that_was_deleted_since_tells_nothing() {
    let overtaken = |current| Ok(Settled::Overtaken { current });
    let swap = CompareAndSwap::mod_revision("k", 7, "mine");
    assert_eq!(
        outcome(&swap, [Err(lost()), refused(None)]),
        overtaken(None)
    );
    let new = Some(kv("theirs", 9, 1, 9));
    for write in [swap, CompareAndSwap::mod_revision("k", 0, "mine")] {
        let told = outcome(&write, [Err(lost()), refused(new.clone())]);
        assert_eq!(told, overtaken(new.clone()));
    }
    let delete = DeleteIfUnchanged::new("k", 7);
    let told = outcome(&delete, [Err(lost()), refused(new.clone())]);
    assert_eq!(told, overtaken(new.clone()));
    // But one that is there as before, changed, was not deleted; and what is not there cannot be.
    let is_refused = |delete, current: Option<KeyValue>| {
        let told = outcome(&delete, [Err(lost()), refused(current.clone())]);
        assert_eq!(told, Ok(Settled::Refused { current }));
    };
    is_refused(delete, Some(kv("theirs", 2, 5, 9)));
    is_refused(DeleteIfUnchanged::new("k", 0), new);
}

#[test]
fn r5_what_is_asked_twice_or_wrong_is_told() {
    let mut settle = Settle::new(PutIfAbsent::new("", "v"));
    assert!(settle.poll_step().is_none());
    let misuse = Err(Error::Misuse(Misuse::EmptyKey));
    assert_eq!(settle.poll_settled(), Some(misuse));
    assert_eq!(settle.poll_settled(), None);
    settle.handle_written(done());
    assert_eq!(settle.poll_settled(), None);

    let mut settle = Settle::new(PutIfAbsent::new("k", "v")).with_attempts(0);
    assert!(is_write(settle.poll_step()));
    settle.handle_written(done());
    assert!(settle.poll_step().is_none());
}
