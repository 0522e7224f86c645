//! Transactions: conditions, and what to do if they hold or not, all at one revision.
//!
//! etcd refuses some combinations of operations. [`Txn`] finds them before anything is sent, by the
//! rules of etcd's own `checkTxnRequest` and `checkIntervals`, and refuses nothing that etcd takes
//! (but very deep nesting, lists that only an unusual `--max-txn-ops` lets through, and what is known
//! to corrupt a cluster).

use std::collections::BTreeSet;

use super::call::call;
use super::json::{message, one_of};
use super::{
    Call, Compare, DeleteRange, DeleteRangeResponse, KeyRange, Namespace, Put, PutResponse, Range,
    RangeResponse, ResponseHeader,
};
use crate::error::Misuse;

/// Does one list of operations if all conditions hold, and another if not.
///
/// ```
/// use etcd_core::{Compare, Put, Range, Txn};
///
/// let create = Txn::new()
///     .when([Compare::missing("k")])
///     .and_then([Put::new("k", "v")])
///     .or_else([Range::key("k")]);
/// let json = serde_json::to_string(&create)?;
/// assert_eq!(
///     json,
///     concat!(
///         r#"{"compare":[{"key":"aw==","version":"0"}],"#,
///         r#""success":[{"request_put":{"key":"aw==","value":"dg=="}}],"#,
///         r#""failure":[{"request_range":{"key":"aw=="}}]}"#,
///     )
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Txn {
    /// The conditions. No conditions hold.
    pub compare: Vec<Compare>,
    /// What to do if they all hold.
    pub success: Vec<TxnOp>,
    /// What to do if one does not.
    pub failure: Vec<TxnOp>,
}

message!(Txn {
    "compare" => compare,
    "success" => success,
    "failure" => failure,
});

call!(Txn => Txn(TxnResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_txn(self);
    }

    /// A transaction is a read if it has no put and no delete on any path.
    fn is_read(&self) -> bool {
        !self.success.iter().chain(&self.failure).any(TxnOp::writes)
    }

    fn check(&self) -> Result<(), Misuse> {
        self.check_ops(0)?;
        self.check_poison()?;
        Writes::of(&self.success)?;
        Writes::of(&self.failure)?;
        Ok(())
    }
});

impl Txn {
    /// A transaction of nothing.
    ///
    /// ```
    /// use etcd_core::Txn;
    ///
    /// assert_eq!(Txn::new(), Txn::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            compare: Vec::new(),
            success: Vec::new(),
            failure: Vec::new(),
        }
    }

    /// Adds conditions.
    ///
    /// ```
    /// use etcd_core::{Compare, Txn};
    ///
    /// let txn = Txn::new().when([Compare::exists("a")]).when([Compare::exists("b")]);
    /// assert_eq!(txn.compare.len(), 2);
    /// ```
    #[must_use]
    pub fn when(mut self, compare: impl IntoIterator<Item = impl Into<Compare>>) -> Self {
        self.compare.extend(compare.into_iter().map(Into::into));
        self
    }

    /// Adds what to do if all conditions hold.
    ///
    /// ```
    /// use etcd_core::{DeleteRange, Put, Txn, TxnOp};
    ///
    /// let one_kind = Txn::new().and_then([Put::new("a", "1"), Put::new("b", "2")]);
    /// let put = TxnOp::from(Put::new("a", "1"));
    /// let mixed = Txn::new().and_then([put, DeleteRange::key("b").into()]);
    /// assert_eq!(one_kind.success[0], mixed.success[0]);
    /// ```
    #[must_use]
    pub fn and_then(mut self, ops: impl IntoIterator<Item = impl Into<TxnOp>>) -> Self {
        self.success.extend(ops.into_iter().map(Into::into));
        self
    }

    /// Adds what to do if a condition does not hold.
    ///
    /// ```
    /// use etcd_core::{Range, Txn};
    ///
    /// assert_eq!(Txn::new().or_else([Range::key("k")]).failure.len(), 1);
    /// ```
    #[must_use]
    pub fn or_else(mut self, ops: impl IntoIterator<Item = impl Into<TxnOp>>) -> Self {
        self.failure.extend(ops.into_iter().map(Into::into));
        self
    }

    /// Refuses what can make the members' data differ (guarantee G61, etcd issue 18667): a member on
    /// which the revision was compacted refuses the branch, while others carry out its writes. Nested
    /// no deeper than `check_ops` allows.
    fn check_poison(&self) -> Result<(), Misuse> {
        for branch in [&self.success, &self.failure] {
            let mut reads_at_revision = false;
            for op in branch {
                match op {
                    TxnOp::Range(range) => reads_at_revision |= range.revision > 0,
                    TxnOp::Txn(txn) => txn.check_poison()?,
                    TxnOp::Put(_) | TxnOp::DeleteRange(_) => {}
                }
            }
            if reads_at_revision && branch.iter().any(TxnOp::writes) {
                return Err(Misuse::RangeAtRevisionWithWrite);
            }
        }
        Ok(())
    }

    /// Looks at each operation alone. `depth` is how many transactions this one is nested in.
    fn check_ops(&self, depth: usize) -> Result<(), Misuse> {
        if depth > MAX_DEPTH {
            return Err(Misuse::TxnTooDeep { limit: MAX_DEPTH });
        }
        let count = self
            .compare
            .len()
            .max(self.success.len())
            .max(self.failure.len());
        if count > MAX_OPS {
            return Err(Misuse::TooManyOps { count });
        }
        for compare in &self.compare {
            compare.check()?;
        }
        for op in self.success.iter().chain(&self.failure) {
            match op {
                TxnOp::Range(range) => range.check()?,
                TxnOp::Put(put) => put.check()?,
                TxnOp::DeleteRange(delete) => delete.check()?,
                TxnOp::Txn(txn) => txn.check_ops(depth + 1)?,
            }
        }
        Ok(())
    }
}

/// What a list of operations may write, on any path through it.
#[derive(Default)]
struct Writes<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Vec<&'a KeyRange>,
}

impl<'a> Writes<'a> {
    /// Collects the writes of a list, in etcd's order: its deletes, its transactions one after the
    /// other, its puts. A put is refused if it meets a put or a delete collected before it. A
    /// delete is never refused, so a put in one transaction and a delete in the next pass.
    fn of(ops: &'a [TxnOp]) -> Result<Self, Misuse> {
        let mut writes = Self::default();
        for op in ops {
            if let TxnOp::DeleteRange(delete) = op {
                writes.deletes.push(&delete.range);
            }
        }
        for op in ops {
            if let TxnOp::Txn(txn) = op {
                writes.add_branches(Self::of(&txn.success)?, Self::of(&txn.failure)?)?;
            }
        }
        for op in ops {
            if let TxnOp::Put(put) = op {
                writes.add_put(&put.key)?;
            }
        }
        Ok(writes)
    }

    /// Adds the two branches of a transaction. Only one of them will be taken, so they are compared
    /// with what was here before and not with each other.
    fn add_branches(&mut self, success: Self, failure: Self) -> Result<(), Misuse> {
        for &key in success.puts.union(&failure.puts) {
            self.add_put(key)?;
        }
        self.deletes.extend(success.deletes);
        self.deletes.extend(failure.deletes);
        Ok(())
    }

    fn add_put(&mut self, key: &'a [u8]) -> Result<(), Misuse> {
        let deleted = self.deletes.iter().any(|range| deletes(range, key));
        if deleted || !self.puts.insert(key) {
            return Err(Misuse::DuplicateKey);
        }
        Ok(())
    }
}

/// Whether etcd's check sees a delete of `range` meet a put of `key`. The check takes the end of
/// one zero byte literally, as before every key, so a delete without end meets nothing.
fn deletes(range: &KeyRange, key: &[u8]) -> bool {
    if range.range_end.is_empty() {
        return key == range.key;
    }
    key >= &range.key[..] && key < &range.range_end[..]
}

/// etcd's default for `--max-txn-ops`.
const MAX_OPS: usize = 128;

/// How deep transactions may be nested: more than anybody needs, and little for a stack.
const MAX_DEPTH: usize = 8;

/// One operation of a transaction.
///
/// ```
/// use etcd_core::{Range, TxnOp};
///
/// assert_eq!(TxnOp::from(Range::key("k")), TxnOp::Range(Range::key("k")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TxnOp {
    /// Reads keys.
    Range(Range),
    /// Writes one key.
    Put(Put),
    /// Deletes keys.
    DeleteRange(DeleteRange),
    /// Decides again.
    Txn(Txn),
}

one_of!(TxnOp {
    Range => "request_range",
    Put => "request_put",
    DeleteRange => "request_delete_range",
    Txn => "request_txn",
});

impl TxnOp {
    /// Whether it writes on any path.
    fn writes(&self) -> bool {
        match self {
            Self::Range(_) => false,
            Self::Put(_) | Self::DeleteRange(_) => true,
            Self::Txn(txn) => !txn.is_read(),
        }
    }
}

impl From<Range> for TxnOp {
    fn from(range: Range) -> Self {
        Self::Range(range)
    }
}

impl From<Put> for TxnOp {
    fn from(put: Put) -> Self {
        Self::Put(put)
    }
}

impl From<DeleteRange> for TxnOp {
    fn from(delete: DeleteRange) -> Self {
        Self::DeleteRange(delete)
    }
}

impl From<Txn> for TxnOp {
    fn from(txn: Txn) -> Self {
        Self::Txn(txn)
    }
}

/// The answer to [`Txn`].
///
/// ```
/// use etcd_core::{PutResponse, TxnOpResponse, TxnResponse};
///
/// let json = r#"{"succeeded":true,"responses":[{"response_put":{}}]}"#;
/// let answer: TxnResponse = serde_json::from_str(json)?;
/// assert!(answer.succeeded());
/// assert_eq!(answer.responses, [TxnOpResponse::Put(PutResponse::default())]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TxnResponse {
    /// Who answered, and at which revision. Empty in a nested transaction.
    pub header: ResponseHeader,
    /// Whether all conditions held.
    pub succeeded: bool,
    /// The answers to the operations that were done, in their order.
    pub responses: Vec<TxnOpResponse>,
}

message!(TxnResponse {
    "header" => header,
    "succeeded" => succeeded,
    "responses" => responses,
});

impl TxnResponse {
    /// Whether all conditions held.
    ///
    /// ```
    /// assert!(!etcd_core::TxnResponse::default().succeeded());
    /// ```
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        self.succeeded
    }
}

/// The answer to one operation of a transaction.
///
/// ```
/// use etcd_core::TxnOpResponse;
///
/// assert!(serde_json::from_str::<TxnOpResponse>("{}").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TxnOpResponse {
    /// To a read.
    Range(RangeResponse),
    /// To a put.
    Put(PutResponse),
    /// To a delete.
    DeleteRange(DeleteRangeResponse),
    /// To a nested transaction.
    Txn(TxnResponse),
}

one_of!(TxnOpResponse {
    Range => "response_range",
    Put => "response_put",
    DeleteRange => "response_delete_range",
    Txn => "response_txn",
});
