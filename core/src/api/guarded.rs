//! Writes with a condition: put if absent, put if present, compare and swap, delete if unchanged.
//!
//! Each is a transaction with one condition, one write, and a read of the key for the case that the
//! condition does not hold, so that the answer says what is there instead. They travel as [`Txn`];
//! their own is only the answer.
//!
//! An error with [`Applied::Maybe`](crate::Applied::Maybe) leaves open whether the write happened, as
//! with every write. Trying again is safe here, for the condition stands between: but then a refusal
//! may be the answer to one's own first try. `recipes::Settle` tells them apart.

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::{
    Call, Compare, CompareOperand, DeleteRange, IntoBytes, KeyValue, Namespace, Put, Range,
    Response, ResponseHeader, Rpc, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use crate::error::Misuse;

/// Implements [`Call`] and what goes with it for a request that has a `to_txn`.
macro_rules! guarded {
    ($request:ident, $write:ident) => {
        impl $request {
            /// The transaction that does it.
            ///
            #[doc = concat!("```\nuse etcd_core::", stringify!($request), ";\n\nlet txn = ",
                                guarded!(@example $request),
                                ".to_txn();\nassert_eq!((txn.compare.len(), txn.success.len(), ",
                                "txn.failure.len()), (1, 1, 1));\n```")]
            #[must_use]
            pub fn to_txn(&self) -> Txn {
                Txn {
                    compare: vec![self.condition()],
                    success: vec![self.write()],
                    failure: vec![Range::key(self.key()).into()],
                }
            }
        }

        impl Serialize for $request {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_txn().serialize(serializer)
            }
        }

        impl Call for $request {
            type Response = GuardedResponse;

            const RPC: Rpc = Rpc::Txn;

            fn enter(&mut self, namespace: &Namespace) {
                self.enter_namespace(namespace);
            }

            fn is_read(&self) -> bool {
                false
            }

            fn check(&self) -> Result<(), Misuse> {
                self.to_txn().check()
            }

            fn accepts(response: &Response) -> bool {
                let Response::Txn(txn) = response else {
                    return false;
                };
                match (txn.succeeded, txn.responses.as_slice()) {
                    (true, [TxnOpResponse::$write(_)]) => true,
                    (false, [TxnOpResponse::Range(range)]) => range.kvs.len() <= 1,
                    _ => false,
                }
            }

            fn from_response(response: Response) -> Option<GuardedResponse> {
                if !Self::accepts(&response) {
                    return None;
                }
                match response {
                    Response::Txn(txn) => GuardedResponse::new(txn),
                    _ => None,
                }
            }
        }

        impl From<$request> for Txn {
            fn from(request: $request) -> Self {
                request.to_txn()
            }
        }

        impl From<$request> for TxnOp {
            fn from(request: $request) -> Self {
                Self::Txn(request.to_txn())
            }
        }
    };
    (@example PutIfAbsent) => {
        "PutIfAbsent::new(\"k\", \"v\")"
    };
    (@example PutIfPresent) => {
        "PutIfPresent::new(\"k\", \"v\")"
    };
    (@example CompareAndSwap) => {
        "CompareAndSwap::value(\"k\", \"old\", \"new\")"
    };
    (@example DeleteIfUnchanged) => {
        "DeleteIfUnchanged::new(\"k\", 7)"
    };
}

/// Writes a key only if it does not exist.
///
/// ```
/// use etcd_core::PutIfAbsent;
///
/// let create = PutIfAbsent::new("k", "v").with_lease(7);
/// let json = serde_json::to_string(&create)?;
/// assert_eq!(
///     json,
///     concat!(
///         r#"{"compare":[{"key":"aw==","version":"0"}],"#,
///         r#""success":[{"request_put":{"key":"aw==","value":"dg==","lease":"7"}}],"#,
///         r#""failure":[{"request_range":{"key":"aw=="}}]}"#,
///     )
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PutIfAbsent {
    put: Put,
}

guarded!(PutIfAbsent, Put);

impl PutIfAbsent {
    /// Puts `value` at `key` if there is no such key.
    ///
    /// ```
    /// use etcd_core::{Call, Misuse, PutIfAbsent};
    ///
    /// assert_eq!(PutIfAbsent::new("", "v").check(), Err(Misuse::EmptyKey));
    /// ```
    pub fn new(key: impl IntoBytes, value: impl IntoBytes) -> Self {
        Self {
            put: Put::new(key, value),
        }
    }

    /// Attaches the key to a lease, with which it ends.
    ///
    /// ```
    /// use etcd_core::PutIfAbsent;
    ///
    /// assert_ne!(PutIfAbsent::new("k", "v").with_lease(7), PutIfAbsent::new("k", "v"));
    /// ```
    pub fn with_lease(mut self, lease: i64) -> Self {
        self.put.lease = lease;
        self
    }

    fn key(&self) -> &Bytes {
        &self.put.key
    }

    fn enter_namespace(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.put.key);
    }

    fn condition(&self) -> Compare {
        Compare::missing(&self.put.key)
    }

    fn write(&self) -> TxnOp {
        self.put.clone().into()
    }
}

/// Gives a request that overwrites a key the options of a put.
macro_rules! overwrites {
    ($request:ident, $make:literal) => {
        impl $request {
            /// Attaches the key to a lease, with which it ends. Without this and without
            /// `with_ignore_lease` it is attached to none.
            ///
            #[doc = concat!("```\nuse etcd_core::", stringify!($request), ";\n\nassert_ne!(",
                        $make, ".with_lease(7), ", $make, ");\n```")]
            pub fn with_lease(mut self, lease: i64) -> Self {
                self.put.lease = lease;
                self
            }

            /// Keeps the lease that is attached. No lease may be given.
            ///
            #[doc = concat!("```\nuse etcd_core::{Call, Misuse, ", stringify!($request),
                        "};\n\nlet both = ", $make, ".with_lease(7).with_ignore_lease();\n",
                        "assert_eq!(both.check(), Err(Misuse::LeaseWithIgnoreLease));\n```")]
            pub fn with_ignore_lease(mut self) -> Self {
                self.put.ignore_lease = true;
                self
            }

            /// Asks for what was there before.
            ///
            #[doc = concat!("```\nuse etcd_core::", stringify!($request), ";\n\nassert_ne!(",
                        $make, ".with_prev_kv(), ", $make, ");\n```")]
            pub fn with_prev_kv(mut self) -> Self {
                self.put.prev_kv = true;
                self
            }

            fn key(&self) -> &Bytes {
                &self.put.key
            }

            fn write(&self) -> TxnOp {
                self.put.clone().into()
            }
        }
    };
}

/// Writes a key only if it exists.
///
/// ```
/// use etcd_core::PutIfPresent;
///
/// let update = PutIfPresent::new("k", "v");
/// let json = serde_json::to_string(&update)?;
/// assert!(json.starts_with(r#"{"compare":[{"result":"GREATER","key":"aw==","version":"0"}]"#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PutIfPresent {
    put: Put,
}

guarded!(PutIfPresent, Put);
overwrites!(PutIfPresent, "PutIfPresent::new(\"k\", \"v\")");

impl PutIfPresent {
    /// Puts `value` at `key` if there is such a key.
    ///
    /// ```
    /// use etcd_core::{Call, PutIfPresent};
    ///
    /// assert_eq!(PutIfPresent::new("k", "v").check(), Ok(()));
    /// ```
    pub fn new(key: impl IntoBytes, value: impl IntoBytes) -> Self {
        Self {
            put: Put::new(key, value),
        }
    }

    fn condition(&self) -> Compare {
        Compare::exists(&self.put.key)
    }

    fn enter_namespace(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.put.key);
    }
}

/// Writes a key only if it is as expected: by its value, or by the revision of its last change.
///
/// The revision is the stricter of the two: a value may have changed and changed back.
///
/// ```
/// use etcd_core::CompareAndSwap;
///
/// let swap = CompareAndSwap::value("k", "old", "new");
/// let json = serde_json::to_string(&swap)?;
/// assert!(json.starts_with(r#"{"compare":[{"target":"VALUE","key":"aw==","value":"b2xk"}]"#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CompareAndSwap {
    put: Put,
    condition: Compare,
}

guarded!(CompareAndSwap, Put);
overwrites!(
    CompareAndSwap,
    "CompareAndSwap::value(\"k\", \"old\", \"new\")"
);

impl CompareAndSwap {
    /// Puts `new` at `key` if its value is `expected`. A key that does not exist has no value, not
    /// even an empty one.
    ///
    /// ```
    /// use etcd_core::{Compare, CompareAndSwap};
    ///
    /// let swap = CompareAndSwap::value("k", "old", "new");
    /// assert_eq!(swap.to_txn().compare, [Compare::value("k").eq("old")]);
    /// ```
    pub fn value(key: impl IntoBytes, expected: impl IntoBytes, new: impl IntoBytes) -> Self {
        let put = Put::new(key, new);
        Self {
            condition: Compare::value(&put.key).eq(expected),
            put,
        }
    }

    /// Puts `new` at `key` if it was last changed at `mod_revision`. 0 is the revision of a key
    /// that does not exist.
    ///
    /// ```
    /// use etcd_core::{Compare, CompareAndSwap};
    ///
    /// let swap = CompareAndSwap::mod_revision("k", 7, "new");
    /// assert_eq!(swap.to_txn().compare, [Compare::mod_revision("k").eq(7)]);
    /// ```
    pub fn mod_revision(key: impl IntoBytes, mod_revision: i64, new: impl IntoBytes) -> Self {
        let put = Put::new(key, new);
        Self {
            condition: Compare::mod_revision(&put.key).eq(mod_revision),
            put,
        }
    }

    fn condition(&self) -> Compare {
        self.condition.clone()
    }

    fn enter_namespace(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.put.key);
        namespace.enter_compare(&mut self.condition);
    }
}

/// Deletes a key only if it was last changed at the given revision.
///
/// ```
/// use etcd_core::DeleteIfUnchanged;
///
/// let delete = DeleteIfUnchanged::new("k", 7);
/// let json = serde_json::to_string(&delete)?;
/// assert!(json.starts_with(r#"{"compare":[{"target":"MOD","key":"aw==","mod_revision":"7"}]"#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct DeleteIfUnchanged {
    delete: DeleteRange,
    mod_revision: i64,
}

guarded!(DeleteIfUnchanged, DeleteRange);

impl DeleteIfUnchanged {
    /// Deletes `key` if it was last changed at `mod_revision`. 0 is the revision of a key that does
    /// not exist: then nothing is deleted, and that is a success.
    ///
    /// ```
    /// use etcd_core::{Compare, DeleteIfUnchanged};
    ///
    /// let txn = DeleteIfUnchanged::new("k", 7).to_txn();
    /// assert_eq!(txn.compare, [Compare::mod_revision("k").eq(7)]);
    /// ```
    pub fn new(key: impl IntoBytes, mod_revision: i64) -> Self {
        Self {
            delete: DeleteRange::key(key),
            mod_revision,
        }
    }

    /// Asks for what was there before.
    ///
    /// ```
    /// use etcd_core::DeleteIfUnchanged;
    ///
    /// let delete = DeleteIfUnchanged::new("k", 7);
    /// assert_ne!(delete.clone().with_prev_kv(), delete);
    /// ```
    pub const fn with_prev_kv(mut self) -> Self {
        self.delete.prev_kv = true;
        self
    }

    fn key(&self) -> &Bytes {
        &self.delete.range.key
    }

    fn condition(&self) -> Compare {
        Compare::mod_revision(self.key()).eq(self.mod_revision)
    }

    fn enter_namespace(&mut self, namespace: &Namespace) {
        namespace.enter_range(&mut self.delete.range);
    }

    fn write(&self) -> TxnOp {
        self.delete.clone().into()
    }
}

/// A write whose condition holds only once, so that it can be sent again: [`PutIfAbsent`],
/// [`CompareAndSwap::mod_revision`] and [`DeleteIfUnchanged`].
///
/// Where the condition is that there is no such key, it holds once more after somebody deletes the key. Then
/// a write that comes late can still be done.
///
/// ```
/// use etcd_core::recipes::Settle;
/// use etcd_core::{CompareAndSwap, DeleteIfUnchanged, Guard, PutIfAbsent};
///
/// fn once<W: Guard>(write: W) -> Settle<W> {
///     Settle::new(write)
/// }
/// assert!(once(PutIfAbsent::new("k", "v")).poll_step().is_some());
/// assert!(once(CompareAndSwap::mod_revision("k", 7, "v")).poll_step().is_some());
/// assert!(once(DeleteIfUnchanged::new("k", 7)).poll_step().is_some());
/// ```
pub trait Guard: Call<Response = GuardedResponse> + Clone + sealed::Guarding {}

impl Guard for PutIfAbsent {}
impl Guard for CompareAndSwap {}
impl Guard for DeleteIfUnchanged {}

pub(crate) mod sealed {
    use super::{Bytes, KeyValue};

    /// What a refusal is compared with.
    ///
    /// ```
    /// // Nobody else is to implement or call it.
    /// ```
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Guarding {
        /// The revision that the condition wants the key to have; none, if it wants something else.
        fn known_revision(&self) -> Option<i64>;

        /// The key.
        fn guarded_key(&self) -> &Bytes;

        /// Whether it deletes the key.
        fn deletes(&self) -> bool;

        /// Whether the key is as this would have left it.
        fn would_leave(&self, current: Option<&KeyValue>) -> bool;
    }
}

/// What a refused put is compared with.
macro_rules! settles_put {
    ($request:ident, $known:expr) => {
        impl sealed::Guarding for $request {
            fn known_revision(&self) -> Option<i64> {
                $known(self)
            }

            fn guarded_key(&self) -> &Bytes {
                &self.put.key
            }

            fn deletes(&self) -> bool {
                false
            }

            fn would_leave(&self, current: Option<&KeyValue>) -> bool {
                current.is_some_and(|kv| {
                    let has_lease = self.put.ignore_lease || kv.lease == self.put.lease;
                    kv.value == self.put.value && has_lease
                })
            }
        }
    };
}

settles_put!(PutIfAbsent, |_| Some(0));
settles_put!(
    CompareAndSwap,
    |swap: &CompareAndSwap| match swap.condition.operand {
        CompareOperand::ModRevision(revision) => Some(revision),
        _ => None,
    }
);

impl sealed::Guarding for DeleteIfUnchanged {
    fn known_revision(&self) -> Option<i64> {
        Some(self.mod_revision)
    }

    fn guarded_key(&self) -> &Bytes {
        self.key()
    }

    fn deletes(&self) -> bool {
        true
    }

    fn would_leave(&self, current: Option<&KeyValue>) -> bool {
        current.is_none()
    }
}

/// The answer to a write with a condition.
///
/// ```
/// use etcd_core::{Call, Guarded, PutIfAbsent, Response, TxnResponse};
///
/// let json = r#"{"responses":[{"response_range":{"kvs":[{"key":"aw==","value":"dg=="}]}}]}"#;
/// let txn: TxnResponse = serde_json::from_str(json)?;
/// let answer = PutIfAbsent::from_response(Response::Txn(txn)).unwrap();
/// assert!(!answer.succeeded());
/// assert_eq!(&answer.current().unwrap().value[..], b"v");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardedResponse {
    /// Who answered, and at which revision: that of the write, if there was one.
    pub header: ResponseHeader,
    /// What happened.
    pub outcome: Guarded,
}

/// What happened to a write with a condition.
///
/// ```
/// use etcd_core::Guarded;
///
/// let refused = Guarded::Refused { current: None };
/// assert_ne!(refused, Guarded::Done { prev_kv: None });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the condition holds or it does not"
)]
pub enum Guarded {
    /// The condition held, and the write is done.
    Done {
        /// What was there before, if it was asked for and there was something.
        prev_kv: Option<KeyValue>,
    },
    /// The condition did not hold, and nothing was changed.
    Refused {
        /// What is there instead, at the revision of the answer; none if there is no such key.
        current: Option<KeyValue>,
    },
}

impl GuardedResponse {
    fn new(txn: TxnResponse) -> Option<Self> {
        let outcome = match txn.responses.into_iter().next()? {
            TxnOpResponse::Put(put) => Guarded::Done {
                prev_kv: put.prev_kv,
            },
            TxnOpResponse::DeleteRange(delete) => Guarded::Done {
                prev_kv: delete.prev_kvs.into_iter().next(),
            },
            TxnOpResponse::Range(range) => Guarded::Refused {
                current: range.into_first(),
            },
            TxnOpResponse::Txn(_) => return None,
        };
        Some(Self {
            header: txn.header,
            outcome,
        })
    }

    /// Whether the condition held, so that the write is done.
    ///
    /// ```
    /// # use etcd_core::{Call, DeleteIfUnchanged, Response, TxnResponse};
    /// let json = r#"{"succeeded":true,"responses":[{"response_delete_range":{}}]}"#;
    /// let txn: TxnResponse = serde_json::from_str(json)?;
    /// let answer = DeleteIfUnchanged::from_response(Response::Txn(txn)).unwrap();
    /// assert!(answer.succeeded());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        matches!(self.outcome, Guarded::Done { .. })
    }

    /// What is there instead, after a refusal.
    ///
    /// ```
    /// # use etcd_core::{Call, PutIfPresent, Response, TxnResponse};
    /// let json = r#"{"responses":[{"response_range":{}}]}"#;
    /// let txn: TxnResponse = serde_json::from_str(json)?;
    /// let answer = PutIfPresent::from_response(Response::Txn(txn)).unwrap();
    /// assert!(answer.current().is_none());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub const fn current(&self) -> Option<&KeyValue> {
        match &self.outcome {
            Guarded::Refused { current } => current.as_ref(),
            Guarded::Done { .. } => None,
        }
    }

    /// What was there before, if the write is done and asked for it.
    ///
    /// ```
    /// # use etcd_core::{Call, PutIfPresent, Response, TxnResponse};
    /// let json = r#"{"succeeded":true,"responses":[{"response_put":{"prev_kv":{"key":"aw=="}}}]}"#;
    /// let txn: TxnResponse = serde_json::from_str(json)?;
    /// let answer = PutIfPresent::from_response(Response::Txn(txn)).unwrap();
    /// assert_eq!(answer.prev_kv().unwrap().key_str(), Ok("k"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub const fn prev_kv(&self) -> Option<&KeyValue> {
        match &self.outcome {
            Guarded::Done { prev_kv } => prev_kv.as_ref(),
            Guarded::Refused { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<C: Call<Response = GuardedResponse>>(json: &str) -> Option<GuardedResponse> {
        let txn: TxnResponse = serde_json::from_str(json).unwrap();
        let response = Response::Txn(txn);
        assert_eq!(
            C::accepts(&response),
            C::from_response(response.clone()).is_some()
        );
        C::from_response(response)
    }

    #[test]
    fn an_answer_without_its_operation_is_no_answer() {
        for json in [
            "{}",
            r#"{"succeeded":true}"#,
            r#"{"succeeded":true,"responses":[{"response_range":{}}]}"#,
            r#"{"succeeded":true,"responses":[{"response_delete_range":{}}]}"#,
            r#"{"succeeded":true,"responses":[{"response_put":{}},{"response_put":{}}]}"#,
            r#"{"responses":[{"response_put":{}}]}"#,
            r#"{"responses":[{"response_txn":{}}]}"#,
            r#"{"responses":[{"response_range":{"kvs":[{"key":"aw=="},{"key":"bA=="}]}}]}"#,
        ] {
            assert_eq!(read::<PutIfAbsent>(json), None, "{json}");
        }
        let delete = r#"{"succeeded":true,"responses":[{"response_delete_range":{}}]}"#;
        assert!(read::<DeleteIfUnchanged>(delete).is_some());
        let other = Response::Put(super::super::PutResponse::default());
        assert!(!CompareAndSwap::accepts(&other));
        assert_eq!(CompareAndSwap::from_response(other), None);
    }

    #[test]
    fn each_is_a_transaction_that_etcd_takes_and_a_write() {
        for (check, is_read, txn) in [
            {
                let call = PutIfAbsent::new("k", "v").with_lease(7);
                (call.check(), call.is_read(), Txn::from(call))
            },
            {
                let call = PutIfPresent::new("k", "")
                    .with_ignore_lease()
                    .with_prev_kv();
                (call.check(), call.is_read(), Txn::from(call))
            },
            {
                let call = CompareAndSwap::mod_revision("k", 0, "v");
                (call.check(), call.is_read(), Txn::from(call))
            },
            {
                let call = DeleteIfUnchanged::new("k", 7).with_prev_kv();
                (call.check(), call.is_read(), Txn::from(call))
            },
        ] {
            assert_eq!((check, is_read), (Ok(()), false));
            assert_eq!((txn.check(), txn.is_read()), (Ok(()), false));
        }
        assert_eq!(DeleteIfUnchanged::new("", 7).check(), Err(Misuse::EmptyKey));
        let json = serde_json::to_string(&CompareAndSwap::value("k", "a", "b")).unwrap();
        let txn: Txn = serde_json::from_str(&json).unwrap();
        assert_eq!(txn, CompareAndSwap::value("k", "a", "b").to_txn());
    }
}
