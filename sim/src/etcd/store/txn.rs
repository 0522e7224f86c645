//! Writes: what is refused before anything is done, then doing it.
//!
//! The checks are two, as etcd's: by the request alone, when it comes; and by the state, when it is
//! applied, before its first operation.

use core::cmp::Ordering;
use std::collections::BTreeSet;

use etcd_core::bytes::Bytes;
use etcd_core::{
    Compare, CompareOperand, CompareResult, DeleteRange, DeleteRangeResponse, KeyRange, KeyValue,
    Known, Put, PutResponse, Range, RangeResponse, Txn, TxnOp, TxnOpResponse, TxnResponse,
};

use super::{Store, Unreadable, Writer};
use crate::etcd::Request;

/// Why a write is refused.
pub(in super::super) type Refusal = Known;

/// The leases a write may name, and what it does to them.
pub(in super::super) trait Kept {
    /// Whether the lease exists.
    fn has(&self, lease: i64) -> bool;
    /// The key hangs on that lease now, 0 for none, and on no other any more.
    fn attach(&mut self, key: &Bytes, lease: i64, before: i64);
}

impl From<Unreadable> for Refusal {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Compacted => Self::Compacted,
            Unreadable::Future => Self::FutureRev,
        }
    }
}

/// What is wrong with a request by itself (etcd's `checkRangeRequest` and its kind).
pub(in super::super) fn check_request(request: &Request, max_ops: usize) -> Result<(), Refusal> {
    match request {
        Request::Range(range) => check_range(range),
        Request::Put(put) => check_put(put),
        Request::DeleteRange(delete) => check_delete(delete),
        Request::Txn(txn) => {
            check_ops(txn, max_ops)?;
            // The branches are alternatives, so each is looked at for itself.
            Writes::of(&txn.success)?;
            Writes::of(&txn.failure)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_key(key: &Bytes) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(Refusal::EmptyKey);
    }
    Ok(())
}

fn check_range(range: &Range) -> Result<(), Refusal> {
    check_key(&range.range.key)
}

fn check_put(put: &Put) -> Result<(), Refusal> {
    check_key(&put.key)?;
    if put.ignore_value && !put.value.is_empty() {
        return Err(Refusal::ValueProvided);
    }
    if put.ignore_lease && put.lease != 0 {
        return Err(Refusal::LeaseProvided);
    }
    Ok(())
}

fn check_delete(delete: &DeleteRange) -> Result<(), Refusal> {
    check_key(&delete.range.key)
}

/// The longest of a transaction's lists counts, and what is within has the rest of the limit.
fn check_ops(txn: &Txn, max_ops: usize) -> Result<(), Refusal> {
    let longest = txn.compare.len().max(txn.success.len());
    let longest = longest.max(txn.failure.len());
    let Some(rest) = max_ops.checked_sub(longest) else {
        return Err(Refusal::TooManyOps);
    };
    for compare in &txn.compare {
        check_key(&compare.range.key)?;
    }
    for op in txn.success.iter().chain(&txn.failure) {
        match op {
            TxnOp::Range(range) => check_range(range)?,
            TxnOp::Put(put) => check_put(put)?,
            TxnOp::DeleteRange(delete) => check_delete(delete)?,
            TxnOp::Txn(txn) => check_ops(txn, rest)?,
            _ => return Err(Refusal::KeyNotFound),
        }
    }
    Ok(())
}

/// The writes of one path, by etcd's `checkIntervals`: no key is put twice, or put and deleted.
#[derive(Default)]
struct Writes<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Vec<&'a KeyRange>,
}

impl<'a> Writes<'a> {
    fn of(ops: &'a [TxnOp]) -> Result<Self, Refusal> {
        let mut writes = Self::default();
        for op in ops {
            if let TxnOp::DeleteRange(delete) = op {
                writes.deletes.push(&delete.range);
            }
        }
        for op in ops {
            if let TxnOp::Txn(txn) = op {
                let (success, failure) = (Self::of(&txn.success)?, Self::of(&txn.failure)?);
                for &key in success.puts.union(&failure.puts) {
                    writes.put(key)?;
                }
                writes.deletes.extend(success.deletes);
                writes.deletes.extend(failure.deletes);
            }
        }
        for op in ops {
            if let TxnOp::Put(put) = op {
                writes.put(&put.key)?;
            }
        }
        Ok(writes)
    }

    fn put(&mut self, key: &'a [u8]) -> Result<(), Refusal> {
        let deleted = self.deletes.iter().any(|range| covers(range, key));
        if deleted || !self.puts.insert(key) {
            return Err(Refusal::DuplicateKey);
        }
        Ok(())
    }
}

/// Whether a delete touches a key, as `checkIntervals` sees it: an end of one zero byte is a key like
/// any other there, so such a delete is not found.
fn covers(range: &KeyRange, key: &[u8]) -> bool {
    if range.range_end.is_empty() {
        return key == range.key;
    }
    key >= &range.key[..] && key < &range.range_end[..]
}

/// Takes the reads away that a member does not need whom nobody asked for an answer, as etcd does
/// (issue 18667): the outermost ones only.
pub(in super::super) fn strip_ranges(txn: &Txn) -> Option<Txn> {
    let is_range = |op: &TxnOp| matches!(op, TxnOp::Range(_));
    if !txn.success.iter().chain(&txn.failure).any(is_range) {
        return None;
    }
    let mut stripped = txn.clone();
    stripped.success.retain(|op| !is_range(op));
    stripped.failure.retain(|op| !is_range(op));
    Some(stripped)
}

/// What is wrong with a transaction's chosen path by the state it meets: first with its puts, then
/// with its reads. Nothing of it is done then.
pub(in super::super) fn check_txn(
    txn: &Txn,
    path: &Path,
    store: &Store,
    leases: &impl Kept,
) -> Result<(), Refusal> {
    path.each(txn, &mut |op| match op {
        TxnOp::Put(put) => check_put_state(put, store, leases),
        _ => Ok(()),
    })?;
    path.each(txn, &mut |op| match op {
        // A revision below 0 is not the newest one here, unlike in a range by itself.
        TxnOp::Range(range) if range.revision < 0 => {
            if range.revision < store.compacted() {
                return Err(Refusal::Compacted);
            }
            Ok(())
        }
        TxnOp::Range(range) => {
            let revision = store.readable(range.revision, store.revision());
            Ok(revision.map(|_| ())?)
        }
        _ => Ok(()),
    })
}

fn check_put_state(put: &Put, store: &Store, leases: &impl Kept) -> Result<(), Refusal> {
    if (put.ignore_value || put.ignore_lease) && store.get(&put.key).is_none() {
        return Err(Refusal::KeyNotFound);
    }
    if put.lease != 0 && !leases.has(put.lease) {
        return Err(Refusal::LeaseNotFound);
    }
    Ok(())
}

/// Which branches a transaction takes, chosen by the state before its first operation.
#[derive(Debug)]
pub(in super::super) struct Path {
    succeeded: bool,
    /// Those of the transactions among the operations of the branch, in their order.
    nested: Vec<Self>,
}

impl Path {
    pub(in super::super) fn of(txn: &Txn, store: &Store) -> Self {
        let succeeded = txn.compare.iter().all(|compare| holds(compare, store));
        let ops = if succeeded {
            &txn.success
        } else {
            &txn.failure
        };
        let nested = ops.iter().filter_map(|op| match op {
            TxnOp::Txn(txn) => Some(Self::of(txn, store)),
            _ => None,
        });
        Self {
            succeeded,
            nested: nested.collect(),
        }
    }

    /// Shows each operation on the path, as far as nothing is wrong.
    fn each(
        &self,
        txn: &Txn,
        check: &mut dyn FnMut(&TxnOp) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut nested = self.nested.iter();
        for op in self.ops(txn) {
            if let (TxnOp::Txn(txn), Some(path)) = (op, nested.as_slice().first()) {
                nested.next();
                path.each(txn, check)?;
            } else {
                check(op)?;
            }
        }
        Ok(())
    }

    fn ops<'a>(&self, txn: &'a Txn) -> &'a [TxnOp] {
        if self.succeeded {
            &txn.success
        } else {
            &txn.failure
        }
    }
}

/// Whether a condition holds: for each key of its range, or, if there is none, for a key that was
/// never put. A value that is not there equals nothing, not even the empty one.
fn holds(compare: &Compare, store: &Store) -> bool {
    let mut kvs = store.now(&compare.range).peekable();
    if kvs.peek().is_none() {
        let is_value = matches!(compare.operand, CompareOperand::Value(_));
        return !is_value && holds_for(compare, &KeyValue::default());
    }
    kvs.all(|kv| holds_for(compare, kv))
}

fn holds_for(compare: &Compare, kv: &KeyValue) -> bool {
    let order = match &compare.operand {
        CompareOperand::Version(version) => kv.version.cmp(version),
        CompareOperand::CreateRevision(revision) => kv.create_revision.cmp(revision),
        CompareOperand::ModRevision(revision) => kv.mod_revision.cmp(revision),
        CompareOperand::Value(value) => kv.value.cmp(value),
        CompareOperand::Lease(lease) => kv.lease.cmp(lease),
        _ => return false,
    };
    match compare.result {
        CompareResult::Equal => order == Ordering::Equal,
        CompareResult::Greater => order == Ordering::Greater,
        CompareResult::Less => order == Ordering::Less,
        CompareResult::NotEqual => order != Ordering::Equal,
        _ => false,
    }
}

impl Writer<'_> {
    /// Does a put that was checked.
    pub(in super::super) fn apply_put(&mut self, put: &Put, leases: &mut impl Kept) -> PutResponse {
        let before = self.store().get(&put.key);
        let (old_value, old_lease) = match before {
            Some(kv) => (kv.value.clone(), kv.lease),
            None => (Bytes::new(), 0),
        };
        let value = if put.ignore_value {
            old_value
        } else {
            put.value.clone()
        };
        let lease = if put.ignore_lease {
            old_lease
        } else {
            put.lease
        };
        leases.attach(&put.key, lease, old_lease);
        let prev_kv = self.put(&put.key, value, lease);
        let mut response = PutResponse::default();
        response.header.revision = self.next_revision();
        response.prev_kv = if put.prev_kv { prev_kv } else { None };
        response
    }

    /// Does a delete.
    pub(in super::super) fn apply_delete(
        &mut self,
        delete: &DeleteRange,
        leases: &mut impl Kept,
    ) -> DeleteRangeResponse {
        let deleted = self.delete(&delete.range);
        for kv in &deleted {
            leases.attach(&kv.key, 0, kv.lease);
        }
        let mut response = DeleteRangeResponse::default();
        response.header.revision = self.revision();
        response.deleted = i64::try_from(deleted.len()).unwrap_or(i64::MAX);
        if delete.prev_kv {
            response.prev_kvs = deleted;
        }
        response
    }

    /// Does a transaction that was checked. The answer's header has only the revision.
    pub(in super::super) fn apply_txn(
        &mut self,
        txn: &Txn,
        path: &Path,
        leases: &mut impl Kept,
    ) -> TxnResponse {
        let mut response = self.apply_branch(txn, path, leases);
        response.header.revision = self.revision();
        response
    }

    fn apply_branch(&mut self, txn: &Txn, path: &Path, leases: &mut impl Kept) -> TxnResponse {
        let mut response = TxnResponse::default();
        response.succeeded = path.succeeded;
        let mut nested = path.nested.iter();
        for op in path.ops(txn) {
            let answer = match op {
                TxnOp::Range(range) => {
                    let current = self.revision();
                    // It was checked before; what the transaction itself did compacts nothing.
                    let response = self.store().range(range, current);
                    TxnOpResponse::Range(response.unwrap_or_else(|_| RangeResponse::default()))
                }
                TxnOp::Put(put) => TxnOpResponse::Put(self.apply_put(put, leases)),
                TxnOp::DeleteRange(delete) => {
                    TxnOpResponse::DeleteRange(self.apply_delete(delete, leases))
                }
                TxnOp::Txn(txn) => match nested.next() {
                    Some(path) => TxnOpResponse::Txn(self.apply_branch(txn, path, leases)),
                    None => continue,
                },
                _ => continue,
            };
            response.responses.push(answer);
        }
        response
    }
}

/// Whether a transaction has to be agreed on: so is each that has anything but ranges directly in it,
/// even if what is nested only reads.
pub(in super::super) fn writes(txn: &Txn) -> bool {
    let mut ops = txn.success.iter().chain(&txn.failure);
    ops.any(|op| !matches!(op, TxnOp::Range(_)))
}

/// What is wrong with a single put by the state it meets. Unlike in a transaction, its lease is
/// looked at first.
pub(in super::super) fn check_single_put(
    put: &Put,
    store: &Store,
    leases: &impl Kept,
) -> Result<(), Refusal> {
    if put.lease != 0 && !leases.has(put.lease) {
        return Err(Refusal::LeaseNotFound);
    }
    check_put_state(put, store, leases)
}
