//! Keys under a prefix, so that several applications share a cluster (rules N-1 to N-7).
//!
//! Everything that names a key is put under the prefix before it is sent, and taken out of it when it
//! comes back. What a request asks and what an answer says are not known here, only where keys are in
//! them. Permissions of roles are no keys of anybody, and stay as they are, as in Go.

use bytes::Bytes;
use bytes::BytesMut;

use super::{
    CampaignResponse, Compare, DeleteRangeResponse, IntoBytes, KeyRange, KeyValue, KvEvent,
    LeaderKey, LeaderResponse, LeaseTimeToLiveResponse, LockResponse, ObserveResponse, PutResponse,
    RangeResponse, Response, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use crate::error::ProtocolError;

/// The prefix under which all keys of a client are. Empty by default: the whole store.
///
/// ```
/// use etcd_core::{KeyRange, Namespace};
///
/// let mut range = KeyRange::from_key("k");
/// Namespace::new("app/").enter_range(&mut range);
/// // The end of the namespace, not of the store.
/// assert_eq!(range, KeyRange::range("app/k", "app0"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    prefix: Bytes,
}

impl Namespace {
    /// All keys that begin with `prefix`, which is not part of the keys in here.
    ///
    /// ```
    /// use etcd_core::Namespace;
    ///
    /// assert_eq!(&Namespace::new("app/").prefix()[..], b"app/");
    /// ```
    #[must_use]
    pub fn new(prefix: impl IntoBytes) -> Self {
        Self {
            prefix: prefix.into_bytes(),
        }
    }

    /// A namespace within this one (rule N-6).
    ///
    /// ```
    /// use etcd_core::Namespace;
    ///
    /// let inner = Namespace::new("app/").nested("jobs/");
    /// assert_eq!(inner, Namespace::new("app/jobs/"));
    /// ```
    #[must_use]
    pub fn nested(&self, prefix: impl IntoBytes) -> Self {
        let inner = prefix.into_bytes();
        Self {
            prefix: self.joined(&inner),
        }
    }

    /// What all keys begin with.
    ///
    /// ```
    /// assert!(etcd_core::Namespace::default().prefix().is_empty());
    /// ```
    #[must_use]
    pub const fn prefix(&self) -> &Bytes {
        &self.prefix
    }

    /// Puts a key under the prefix.
    ///
    /// ```
    /// use etcd_core::Namespace;
    ///
    /// let mut key = "k".into();
    /// Namespace::new("app/").enter_key(&mut key);
    /// assert_eq!(&key[..], b"app/k");
    /// ```
    pub fn enter_key(&self, key: &mut Bytes) {
        if !self.prefix.is_empty() {
            *key = self.joined(key);
        }
    }

    /// Puts a range under the prefix. One without an end gets that of the namespace, so that no range has a
    /// foreign key in it (rule N-1).
    ///
    /// ```
    /// use etcd_core::{KeyRange, Namespace};
    ///
    /// let mut range = KeyRange::all();
    /// Namespace::new(&b"a\xff"[..]).enter_range(&mut range);
    /// assert!(range.contains(b"a\xff\0") && !range.contains(b"b"));
    /// ```
    pub fn enter_range(&self, range: &mut KeyRange) {
        if self.prefix.is_empty() {
            return;
        }
        range.key = self.joined(&range.key);
        range.range_end = match &range.range_end[..] {
            [] => Bytes::new(),
            [0] => KeyRange::prefix(self.prefix.clone()).range_end,
            end => self.joined(end),
        };
    }

    /// Takes a key out of the prefix.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::ForeignKey`] if it does not begin with it (rule N-5).
    ///
    /// ```
    /// use etcd_core::{Namespace, ProtocolError};
    ///
    /// let mut key = "app/k".into();
    /// Namespace::new("app/").leave_key(&mut key)?;
    /// assert_eq!(&key[..], b"k");
    /// let foreign = Namespace::new("app/").leave_key(&mut key);
    /// assert_eq!(foreign, Err(ProtocolError::ForeignKey));
    /// # Ok::<(), ProtocolError>(())
    /// ```
    pub fn leave_key(&self, key: &mut Bytes) -> Result<(), ProtocolError> {
        if !key.starts_with(&self.prefix) {
            return Err(ProtocolError::ForeignKey);
        }
        *key = key.slice(self.prefix.len()..);
        Ok(())
    }

    /// Takes the keys of an answer out of the prefix. Of the keys of a lease, those that are not in the
    /// namespace are left out (rule N-3).
    ///
    /// # Errors
    ///
    /// [`ProtocolError::ForeignKey`] if one that was asked for does not begin with it (rule N-5).
    ///
    /// ```
    /// use etcd_core::{Namespace, RangeResponse, Response};
    ///
    /// let json = r#"{"kvs":[{"key":"YXBwL2s="}]}"#;
    /// let mut answer = Response::Range(serde_json::from_str(json)?);
    /// Namespace::new("app/").leave_response(&mut answer)?;
    /// let Response::Range(answer) = answer else { panic!() };
    /// assert_eq!(&answer.kvs[0].key[..], b"k");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn leave_response(&self, response: &mut Response) -> Result<(), ProtocolError> {
        if self.prefix.is_empty() {
            return Ok(());
        }
        match response {
            Response::Range(answer) => self.leave_range(answer),
            Response::Put(answer) => self.leave_put(answer),
            Response::DeleteRange(answer) => self.leave_delete(answer),
            Response::Txn(answer) => self.leave_txn(answer),
            Response::LeaseTimeToLive(LeaseTimeToLiveResponse { keys, .. }) => {
                keys.retain_mut(|key| self.leave_key(key).is_ok());
                Ok(())
            }
            Response::Lock(LockResponse { key, .. }) => self.leave_key(key),
            Response::Campaign(CampaignResponse { leader, .. }) => self.leave_leader(leader),
            Response::Leader(LeaderResponse { kv, .. }) => self.leave_kv(kv),
            _ => Ok(()),
        }
    }

    pub(crate) fn leave_observed(&self, told: &mut ObserveResponse) -> Result<(), ProtocolError> {
        self.leave_kv(&mut told.kv)
    }

    pub(crate) fn leave_events(&self, events: &mut [KvEvent]) -> Result<(), ProtocolError> {
        if self.prefix.is_empty() {
            return Ok(());
        }
        events.iter_mut().try_for_each(|event| {
            self.leave_kv(&mut event.kv)?;
            event
                .prev_kv
                .iter_mut()
                .try_for_each(|kv| self.leave_kv(kv))
        })
    }

    pub(super) fn enter_compare(&self, compare: &mut Compare) {
        self.enter_range(&mut compare.range);
    }

    /// All its conditions and operations, nested ones, too (rule N-2).
    pub(super) fn enter_txn(&self, txn: &mut Txn) {
        for compare in &mut txn.compare {
            self.enter_compare(compare);
        }
        for op in txn.success.iter_mut().chain(&mut txn.failure) {
            match op {
                TxnOp::Range(range) => self.enter_range(&mut range.range),
                TxnOp::Put(put) => self.enter_key(&mut put.key),
                TxnOp::DeleteRange(delete) => self.enter_range(&mut delete.range),
                TxnOp::Txn(txn) => self.enter_txn(txn),
            }
        }
    }

    pub(super) fn enter_leader(&self, leader: &mut LeaderKey) {
        self.enter_key(&mut leader.name);
        self.enter_key(&mut leader.key);
    }

    fn leave_leader(&self, leader: &mut LeaderKey) -> Result<(), ProtocolError> {
        self.leave_key(&mut leader.name)?;
        self.leave_key(&mut leader.key)
    }

    fn leave_kv(&self, kv: &mut KeyValue) -> Result<(), ProtocolError> {
        self.leave_key(&mut kv.key)
    }

    fn leave_range(&self, answer: &mut RangeResponse) -> Result<(), ProtocolError> {
        answer.kvs.iter_mut().try_for_each(|kv| self.leave_kv(kv))
    }

    fn leave_put(&self, answer: &mut PutResponse) -> Result<(), ProtocolError> {
        let mut kvs = answer.prev_kv.iter_mut();
        kvs.try_for_each(|kv| self.leave_kv(kv))
    }

    fn leave_delete(&self, answer: &mut DeleteRangeResponse) -> Result<(), ProtocolError> {
        let mut kvs = answer.prev_kvs.iter_mut();
        kvs.try_for_each(|kv| self.leave_kv(kv))
    }

    fn leave_txn(&self, answer: &mut TxnResponse) -> Result<(), ProtocolError> {
        answer.responses.iter_mut().try_for_each(|op| match op {
            TxnOpResponse::Range(answer) => self.leave_range(answer),
            TxnOpResponse::Put(answer) => self.leave_put(answer),
            TxnOpResponse::DeleteRange(answer) => self.leave_delete(answer),
            TxnOpResponse::Txn(answer) => self.leave_txn(answer),
        })
    }

    fn joined(&self, key: &[u8]) -> Bytes {
        let mut joined = BytesMut::with_capacity(self.prefix.len() + key.len());
        joined.extend_from_slice(&self.prefix);
        joined.extend_from_slice(key);
        joined.freeze()
    }
}
