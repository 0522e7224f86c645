//! Single keys as registers: is there an order of what was done with a key that explains what everybody
//! saw? Here the cluster's log is not asked, only its users.
//!
//! The search is that of Wing and Gong with the memory of Lowe: it takes operations that may come next,
//! one after the other, and goes back where no order is left; of a set of operations done and a value
//! only the first way to it is followed. A write whose fate is not known may come at any time after its
//! start, or never.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use etcd_core::{Applied, KeyRange, Response};
use etcd_core::{Put, Txn, TxnOp};

use super::calls::Told;
use super::history::{Asked, Changed, Truth};
use super::verdict::{Evidence, Violation};
use crate::etcd::Request;

/// Something done with a register. Times are places in the order in which things were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "who asks for an order makes them"
)]
pub struct Operation {
    /// When it began.
    pub start: usize,
    /// When its outcome was told; none if it never was, or said nothing.
    pub end: Option<usize>,
    /// What it did.
    pub did: Did,
}

/// What was done with a register. Values are numbers, and none is nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "who asks for an order makes them")]
pub enum Did {
    /// It has this value now.
    Write(Option<u64>),
    /// It was emptied, and was told whether there was something.
    Take(bool),
    /// It was seen to have this value.
    Read(Option<u64>),
}

impl Did {
    /// The value after it, if it can happen where there is `value`.
    fn after(self, value: Option<u64>) -> Option<Option<u64>> {
        match self {
            Self::Write(written) => Some(written),
            Self::Take(was_there) => (was_there == value.is_some()).then_some(None),
            Self::Read(seen) => (seen == value).then_some(value),
        }
    }
}

/// What a search for an order found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth answer")]
pub enum Linearized {
    /// There is one.
    Yes,
    /// There is none: something was seen that cannot be.
    No,
    /// The search took more steps than it may.
    Undecided,
}

/// Searches for an order of operations on a register, empty at first, that everybody can have seen. It
/// takes `steps` at the most.
///
/// ```
/// use etcd_sim::check::{Did, Linearized, Operation, linearize};
///
/// let write = Operation { start: 0, end: Some(3), did: Did::Write(Some(7)) };
/// let new = Operation { start: 1, end: Some(2), did: Did::Read(Some(7)) };
/// let old = Operation { start: 4, end: Some(5), did: Did::Read(None) };
/// assert_eq!(linearize(&[write, new], 1_000), Linearized::Yes);
/// assert_eq!(linearize(&[write, new, old], 1_000), Linearized::No);
/// ```
#[must_use]
pub fn linearize(operations: &[Operation], steps: usize) -> Linearized {
    let mut operations: Vec<_> = operations.to_vec();
    operations.sort_by_key(|operation| operation.start);
    let ended = |operation: &&Operation| operation.end.is_some();
    let mut open = operations.iter().filter(ended).count();
    let mut value = None;
    let mut done = Bits::new(operations.len());
    let mut seen = BTreeSet::new();
    let mut path: Vec<(usize, Option<u64>)> = Vec::new();
    let mut from = 0;
    for _ in 0..steps {
        if open == 0 {
            return Linearized::Yes;
        }
        match next(&operations, &done, value, from) {
            Some((place, after)) => {
                done.set(place, true);
                if !seen.insert((done.clone(), after)) {
                    done.set(place, false);
                    from = place + 1;
                    continue;
                }
                open -= usize::from(operations[place].end.is_some());
                path.push((place, value));
                (value, from) = (after, 0);
            }
            None => {
                let Some((place, before)) = path.pop() else {
                    return Linearized::No;
                };
                done.set(place, false);
                open += usize::from(operations[place].end.is_some());
                (value, from) = (before, place + 1);
            }
        }
    }
    Linearized::Undecided
}

/// The first operation from this place on that may come next, and the value after it: it began before
/// any of the others, which are not done, ended.
fn next(
    operations: &[Operation],
    done: &Bits,
    value: Option<u64>,
    from: usize,
) -> Option<(usize, Option<u64>)> {
    let mut soonest = usize::MAX;
    for (place, operation) in operations.iter().enumerate() {
        if done.has(place) {
            continue;
        }
        if operation.start > soonest {
            return None;
        }
        if place >= from {
            if let Some(after) = operation.did.after(value) {
                return Some((place, after));
            }
        }
        soonest = soonest.min(operation.end.unwrap_or(usize::MAX));
    }
    None
}

/// A set of small numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    fn has(&self, place: usize) -> bool {
        self.0[place / 64] & (1 << (place % 64)) != 0
    }

    fn set(&mut self, place: usize, on: bool) {
        let bit = 1 << (place % 64);
        if on {
            self.0[place / 64] |= bit;
        } else {
            self.0[place / 64] &= !bit;
        }
    }
}

/// Steps of the search for one key.
const STEPS: usize = 200_000;

pub(super) fn check(
    truth: &Truth,
    calls: &[Told<'_>],
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let others = touched_by_others(calls, truth);
    let mut values = Values::default();
    let mut registers: BTreeMap<&[u8], (Vec<Operation>, &Told<'_>)> = BTreeMap::new();
    for told in calls {
        let Some(key) = single_key(told.asked) else {
            continue;
        };
        if others.iter().any(|range| range.contains(key)) {
            continue;
        }
        if let Some(operation) = operation(told, &mut values) {
            let register = registers.entry(key).or_insert((Vec::new(), told));
            register.0.push(operation);
            register.1 = told;
        }
    }
    for (operations, last) in registers.values() {
        evidence.registers += 1;
        evidence.register_operations += u64::try_from(operations.len()).unwrap_or(0);
        match linearize(operations, STEPS) {
            Linearized::Yes => {}
            Linearized::Undecided => evidence.registers_undecided += 1,
            Linearized::No => {
                let text = format!("no order explains {} calls on its key", operations.len());
                return Err(last.broken("linearizable", &text));
            }
        }
    }
    Ok(())
}

/// Values as numbers.
#[derive(Default)]
struct Values<'a>(BTreeMap<&'a [u8], u64>);

impl<'a> Values<'a> {
    fn number(&mut self, value: &'a [u8]) -> u64 {
        let next = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        *self.0.entry(value).or_insert(next)
    }
}

/// The key of a call that can be one on a register.
fn single_key(asked: &Asked) -> Option<&[u8]> {
    match asked {
        Asked::Call(Request::Put(put)) if is_plain(put) => Some(&put.key),
        Asked::Call(Request::DeleteRange(delete)) => one(&delete.range),
        Asked::Call(Request::Range(range)) if !range.serializable && range.revision == 0 => {
            let is_all = !range.count_only
                && !range.keys_only
                && range.min_mod_revision == 0
                && range.max_mod_revision == 0
                && range.min_create_revision == 0
                && range.max_create_revision == 0;
            one(&range.range).filter(|_| is_all)
        }
        _ => None,
    }
}

const fn is_plain(put: &Put) -> bool {
    put.lease == 0 && !put.ignore_value && !put.ignore_lease
}

/// The key of a range that can have only one, where no key has a zero byte in it.
fn one(range: &KeyRange) -> Option<&[u8]> {
    let rest = range.range_end.strip_prefix(&range.key[..]);
    let is_one = range.range_end.is_empty() || rest.is_some_and(|rest| rest.starts_with(b"\0"));
    is_one.then_some(&range.key[..])
}

/// What is changed by calls that are not on registers, or by nobody whose calls are judged.
fn touched_by_others(calls: &[Told<'_>], truth: &Truth) -> Vec<KeyRange> {
    let mut ranges = Vec::new();
    for change in &truth.changes {
        let is_judged = change.ask.is_some_and(|ask| truth.asks.contains_key(&ask));
        if let (Changed::Kv(events), false) = (&change.what, is_judged) {
            ranges.extend(
                events
                    .iter()
                    .map(|event| KeyRange::key(event.kv.key.clone())),
            );
        }
    }
    for told in calls {
        match told.asked {
            Asked::Call(Request::Put(put)) if !is_plain(put) => {
                ranges.push(KeyRange::key(put.key.clone()));
            }
            Asked::Call(Request::DeleteRange(delete)) if one(&delete.range).is_none() => {
                ranges.push(delete.range.clone());
            }
            Asked::Call(Request::Txn(txn)) => written(txn, &mut ranges),
            _ => {}
        }
    }
    ranges
}

fn written(txn: &Txn, ranges: &mut Vec<KeyRange>) {
    for op in txn.success.iter().chain(&txn.failure) {
        match op {
            TxnOp::Put(put) => ranges.push(KeyRange::key(put.key.clone())),
            TxnOp::DeleteRange(delete) => ranges.push(delete.range.clone()),
            TxnOp::Txn(inner) => written(inner, ranges),
            _ => {}
        }
    }
}

/// What a call did, as far as it was told; none if it did nothing, or showed nothing.
fn operation<'a>(told: &Told<'a>, values: &mut Values<'a>) -> Option<Operation> {
    let end = told.ended.as_ref();
    let result = end.map(|ended| ended.result);
    let refused = matches!(result, Some(Err(error)) if error.applied() == Applied::No);
    let Asked::Call(request) = told.asked else {
        return None;
    };
    let did = match (request, result) {
        _ if refused => return None,
        (Request::Put(put), _) => Did::Write(Some(values.number(&put.value))),
        (Request::DeleteRange(_), Some(Ok(Response::DeleteRange(answer)))) => {
            Did::Take(answer.deleted > 0)
        }
        (Request::DeleteRange(_), _) => Did::Write(None),
        (Request::Range(_), Some(Ok(Response::Range(answer)))) => {
            Did::Read(answer.kvs.first().map(|kv| values.number(&kv.value)))
        }
        _ => return None,
    };
    let is_known = matches!(result, Some(Ok(_)));
    Some(Operation {
        start: told.started_at,
        end: end.map(|ended| ended.place).filter(|_| is_known),
        did,
    })
}
