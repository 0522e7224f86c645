use etcd_core::{KeyValue, Put, PutResponse, Range, RangeResponse, Response};

use super::{Script, asked};
use crate::Rng;
use crate::check::{Did, Linearized, Operation, linearize};

const fn done(start: usize, end: usize, did: Did) -> Operation {
    Operation {
        start,
        end: Some(end),
        did,
    }
}

const fn open(start: usize, did: Did) -> Operation {
    Operation {
        start,
        end: None,
        did,
    }
}

#[test]
fn one_after_the_other_is_fine() {
    let order = [
        done(0, 1, Did::Read(None)),
        done(2, 3, Did::Write(Some(1))),
        done(4, 5, Did::Read(Some(1))),
        done(6, 7, Did::Take(true)),
        done(8, 9, Did::Take(false)),
        done(10, 11, Did::Read(None)),
    ];
    assert_eq!(linearize(&order, 1_000), Linearized::Yes);
}

#[test]
fn a_lost_write_is_refused() {
    let lost = [
        done(0, 1, Did::Write(Some(1))),
        done(2, 3, Did::Write(Some(2))),
        done(4, 5, Did::Read(Some(1))),
    ];
    assert_eq!(linearize(&lost, 1_000), Linearized::No);
}

#[test]
fn what_was_read_once_is_not_unread() {
    let back = [
        done(0, 9, Did::Write(Some(1))),
        done(1, 2, Did::Read(Some(1))),
        done(3, 4, Did::Read(None)),
    ];
    assert_eq!(linearize(&back, 1_000), Linearized::No);
}

#[test]
fn a_write_in_doubt_comes_late_or_never_but_not_early() {
    let write = open(2, Did::Write(Some(1)));
    let never = [write, done(3, 4, Did::Read(None))];
    assert_eq!(linearize(&never, 1_000), Linearized::Yes);
    let late = [
        write,
        done(3, 4, Did::Read(None)),
        done(5, 6, Did::Read(Some(1))),
    ];
    assert_eq!(linearize(&late, 1_000), Linearized::Yes);
    let early = [write, done(0, 1, Did::Read(Some(1)))];
    assert_eq!(linearize(&early, 1_000), Linearized::No);
    let twice = [
        write,
        done(3, 4, Did::Read(Some(1))),
        done(5, 6, Did::Write(Some(2))),
        done(7, 8, Did::Read(Some(1))),
    ];
    assert_eq!(linearize(&twice, 1_000), Linearized::No);
}

#[test]
fn a_search_that_takes_too_long_says_so() {
    let write = |value| done(0, 100, Did::Write(Some(value)));
    let mut many: Vec<_> = (0..20).map(write).collect();
    many.push(done(101, 102, Did::Read(None)));
    assert_eq!(linearize(&many, 1_000), Linearized::Undecided);
}

/// Any run of a real register has an order, however its calls overlap; with one answer changed to a
/// value that was never written, none.
#[test]
fn what_a_register_does_is_found_to_be_so() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut value = None;
        let mut operations = Vec::new();
        for place in 0..40_usize {
            let at = 100 * (place + 1);
            let did = match rng.below(3) {
                0 => Did::Write(Some(rng.below(5))),
                1 => Did::Take(value.is_some()),
                _ => Did::Read(value),
            };
            value = match did {
                Did::Write(written) => written,
                Did::Take(_) => None,
                Did::Read(value) => value,
            };
            let (before, after) = (rng.index(300), rng.index(300));
            let is_known = !matches!(did, Did::Write(_)) || !rng.one_in(4);
            operations.push(Operation {
                start: at.saturating_sub(before),
                end: is_known.then_some(at + after),
                did,
            });
        }
        assert_eq!(linearize(&operations, 1_000_000), Linearized::Yes, "{seed}");
        let read = operations
            .iter_mut()
            .find(|operation| matches!(operation.did, Did::Read(_)));
        read.unwrap().did = Did::Read(Some(99));
        assert_eq!(linearize(&operations, 1_000_000), Linearized::No, "{seed}");
    }
}

/// A cluster that lies in its log as well as in its answers is found out all the same.
#[test]
fn a_history_without_an_order_is_refused() {
    let mut script = Script::new();
    for value in ["1", "2"] {
        let put = asked(Put::new("r", value.to_owned()));
        let call = script.start(&put);
        script.write(Some(&put), &[("r", Some(value))]);
        let mut answer = PutResponse::default();
        answer.header = script.header();
        script.end(call, Ok(Response::Put(answer)));
    }
    let call = script.start(&asked(Range::key("r")));
    let mut kv = KeyValue::default();
    (kv.key, kv.value) = ("r".into(), "1".into());
    let mut answer = RangeResponse::default();
    (answer.count, answer.kvs) = (1, vec![kv]);
    script.end(call, Ok(Response::Range(answer)));
    let mut evidence = crate::check::Evidence::default();
    let told = crate::check::calls::collect(&script.history).unwrap();
    let refused = crate::check::registers::check(&script.history.truth, &told, &mut evidence);
    assert_eq!(refused.unwrap_err().rule, "linearizable");
}
