//! Keys and values: put, delete, compact. Reading has its own file, `range`.

use core::str::Utf8Error;

use bytes::Bytes;

use super::call::call;
use super::json::message;
use super::key_range::ranged;
use super::{IntoBytes, KeyRange, Namespace, ResponseHeader};
use crate::error::Misuse;

/// A key, its value and its history in numbers.
///
/// ```
/// use etcd_core::KeyValue;
///
/// let json = r#"{"key":"Zm9v","value":"YmFy","mod_revision":"7","version":"1"}"#;
/// let kv: KeyValue = serde_json::from_str(json)?;
/// assert_eq!((kv.key_str(), kv.value_str()), (Ok("foo"), Ok("bar")));
/// assert_eq!(kv.mod_revision, 7);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// The value, empty where only keys were asked for.
    pub value: Bytes,
    /// The revision at which the key came to be, or came back after a delete.
    pub create_revision: i64,
    /// The revision of the last change.
    pub mod_revision: i64,
    /// How often the key was put since `create_revision`. 0 in a delete event.
    pub version: i64,
    /// The lease the key is attached to, 0 for none.
    pub lease: i64,
}

message!(KeyValue {
    "key" => key,
    "create_revision" => create_revision,
    "mod_revision" => mod_revision,
    "version" => version,
    "value" => value,
    "lease" => lease,
});

impl KeyValue {
    /// The key as text.
    ///
    /// ```
    /// assert_eq!(etcd_core::KeyValue::default().key_str(), Ok(""));
    /// ```
    ///
    /// # Errors
    ///
    /// If the key is not UTF-8.
    pub fn key_str(&self) -> Result<&str, Utf8Error> {
        core::str::from_utf8(&self.key)
    }

    /// The value as text.
    ///
    /// ```
    /// assert_eq!(etcd_core::KeyValue::default().value_str(), Ok(""));
    /// ```
    ///
    /// # Errors
    ///
    /// If the value is not UTF-8.
    pub fn value_str(&self) -> Result<&str, Utf8Error> {
        core::str::from_utf8(&self.value)
    }
}

/// Writes one key.
///
/// ```
/// use etcd_core::Put;
///
/// let put = Put::new("foo", "bar").with_lease(7);
/// let json = serde_json::to_string(&put)?;
/// assert_eq!(json, r#"{"key":"Zm9v","value":"YmFy","lease":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Put {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The lease to attach the key to, 0 for none.
    pub lease: i64,
    /// Whether to answer with what was there before.
    pub prev_kv: bool,
    /// Whether to keep the value that is there.
    pub ignore_value: bool,
    /// Whether to keep the lease that is attached.
    pub ignore_lease: bool,
}

message!(Put {
    "key" => key,
    "value" => value,
    "lease" => lease,
    "prev_kv" => prev_kv,
    "ignore_value" => ignore_value,
    "ignore_lease" => ignore_lease,
});

call!(Put => Put(PutResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.key);
    }

    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        if self.key.is_empty() {
            return Err(Misuse::EmptyKey);
        }
        if self.ignore_value && !self.value.is_empty() {
            return Err(Misuse::ValueWithIgnoreValue);
        }
        if self.ignore_lease && self.lease != 0 {
            return Err(Misuse::LeaseWithIgnoreLease);
        }
        Ok(())
    }
});

impl Put {
    /// Puts `value` at `key`.
    ///
    /// ```
    /// let put = etcd_core::Put::new("foo", vec![0; 3]);
    /// assert_eq!(put.value.len(), 3);
    /// ```
    #[must_use]
    pub fn new(key: impl IntoBytes, value: impl IntoBytes) -> Self {
        Self {
            key: key.into_bytes(),
            value: value.into_bytes(),
            ..Self::default()
        }
    }

    /// Attaches the key to a lease, with which it ends.
    ///
    /// ```
    /// assert_eq!(etcd_core::Put::new("k", "v").with_lease(7).lease, 7);
    /// ```
    #[must_use]
    pub const fn with_lease(mut self, lease: i64) -> Self {
        self.lease = lease;
        self
    }

    /// Asks for what was there before.
    ///
    /// ```
    /// assert!(etcd_core::Put::new("k", "v").with_prev_kv().prev_kv);
    /// ```
    #[must_use]
    pub const fn with_prev_kv(mut self) -> Self {
        self.prev_kv = true;
        self
    }

    /// Keeps the value that is there, to change the lease alone. The given value must be empty.
    ///
    /// ```
    /// use etcd_core::{Call, Misuse, Put};
    ///
    /// assert_eq!(Put::new("k", "").with_ignore_value().check(), Ok(()));
    /// let put = Put::new("k", "v").with_ignore_value();
    /// assert_eq!(put.check(), Err(Misuse::ValueWithIgnoreValue));
    /// ```
    #[must_use]
    pub const fn with_ignore_value(mut self) -> Self {
        self.ignore_value = true;
        self
    }

    /// Keeps the lease that is attached. No lease may be given.
    ///
    /// ```
    /// use etcd_core::{Call, Misuse, Put};
    ///
    /// assert_eq!(Put::new("k", "v").with_ignore_lease().check(), Ok(()));
    /// let put = Put::new("k", "v").with_lease(7).with_ignore_lease();
    /// assert_eq!(put.check(), Err(Misuse::LeaseWithIgnoreLease));
    /// ```
    #[must_use]
    pub const fn with_ignore_lease(mut self) -> Self {
        self.ignore_lease = true;
        self
    }
}

/// The answer to [`Put`].
///
/// ```
/// assert!(etcd_core::PutResponse::default().prev_kv.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutResponse {
    /// Who answered, and the revision of this put.
    pub header: ResponseHeader,
    /// What was there before, if it was asked for and there was something.
    pub prev_kv: Option<KeyValue>,
}

message!(PutResponse {
    "header" => header,
    "prev_kv" => prev_kv,
});

/// Deletes keys.
///
/// ```
/// use etcd_core::DeleteRange;
///
/// let delete = DeleteRange::prefix("a/").with_prev_kv();
/// let json = serde_json::to_string(&delete)?;
/// assert_eq!(json, r#"{"key":"YS8=","range_end":"YTA=","prev_kv":true}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteRange {
    /// Which keys.
    pub range: KeyRange,
    /// Whether to answer with what was there before.
    pub prev_kv: bool,
}

message!(DeleteRange {
    "key" => range.key,
    "range_end" => range.range_end,
    "prev_kv" => prev_kv,
});

call!(DeleteRange => DeleteRange(DeleteRangeResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_range(&mut self.range);
    }

    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        self.range.check()
    }
});

ranged!(DeleteRange);

impl DeleteRange {
    /// Deletes the keys of `range`, which may also be a single key.
    ///
    /// ```
    /// use etcd_core::DeleteRange;
    ///
    /// assert_eq!(DeleteRange::new("k"), DeleteRange::key("k"));
    /// ```
    #[must_use]
    pub fn new(range: impl Into<KeyRange>) -> Self {
        Self {
            range: range.into(),
            prev_kv: false,
        }
    }

    /// Asks for what was there before.
    ///
    /// ```
    /// assert!(etcd_core::DeleteRange::key("k").with_prev_kv().prev_kv);
    /// ```
    #[must_use]
    pub const fn with_prev_kv(mut self) -> Self {
        self.prev_kv = true;
        self
    }
}

/// The answer to [`DeleteRange`].
///
/// ```
/// assert_eq!(etcd_core::DeleteRangeResponse::default().deleted, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteRangeResponse {
    /// Who answered, and at which revision.
    pub header: ResponseHeader,
    /// How many keys were deleted.
    pub deleted: i64,
    /// What was there before, if it was asked for.
    pub prev_kvs: Vec<KeyValue>,
}

message!(DeleteRangeResponse {
    "header" => header,
    "deleted" => deleted,
    "prev_kvs" => prev_kvs,
});

/// Forgets the history before a revision.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::Compact::new(7))?;
/// assert_eq!(json, r#"{"revision":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compact {
    /// The oldest revision to keep.
    pub revision: i64,
    /// Whether to answer only when the history is gone from the server's database.
    pub physical: bool,
}

message!(Compact {
    "revision" => revision,
    "physical" => physical,
});

call!(Compact => Compact(CompactResponse) {
    fn is_read(&self) -> bool {
        false
    }
});

impl Compact {
    /// Forgets the history before `revision`.
    ///
    /// ```
    /// assert_eq!(etcd_core::Compact::new(7).revision, 7);
    /// ```
    #[must_use]
    pub const fn new(revision: i64) -> Self {
        Self {
            revision,
            physical: false,
        }
    }

    /// Waits until the history is gone from the server's database.
    ///
    /// ```
    /// assert!(etcd_core::Compact::new(7).with_physical().physical);
    /// ```
    #[must_use]
    pub const fn with_physical(mut self) -> Self {
        self.physical = true;
        self
    }
}

/// The answer to [`Compact`].
///
/// ```
/// assert_eq!(etcd_core::CompactResponse::default().header.revision, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactResponse {
    /// Who answered, and at which revision.
    pub header: ResponseHeader,
}

message!(CompactResponse {
    "header" => header,
});
