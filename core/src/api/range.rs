//! Reading keys: which, at which revision, how many, in which order.

use super::call::call;
use super::json::{message, names};
use super::key_range::ranged;
use super::{IntoBytes, KeyRange, KeyValue, Namespace, ResponseHeader};
use crate::error::Misuse;

/// Reads keys, by default linearizably: the answer has every write that was acknowledged before.
///
/// ```
/// use etcd_core::Range;
///
/// let range = Range::prefix("a/").with_limit(10);
/// let json = serde_json::to_string(&range)?;
/// assert_eq!(json, r#"{"key":"YS8=","range_end":"YTA=","limit":"10"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Range {
    /// Which keys.
    pub range: KeyRange,
    /// How many keys at most, 0 for all.
    pub limit: i64,
    /// The revision to read at, 0 for the latest.
    pub revision: i64,
    /// The direction of the order, if the answer is to be sorted.
    pub sort_order: SortOrder,
    /// What the answer is sorted by.
    pub sort_target: SortTarget,
    /// Whether the asked server may answer from what it has, perhaps behind the others.
    pub serializable: bool,
    /// Whether to leave out the values.
    pub keys_only: bool,
    /// Whether to leave out everything but the number of keys.
    pub count_only: bool,
    /// Leaves out keys last changed before this revision, if not 0.
    pub min_mod_revision: i64,
    /// Leaves out keys last changed after this revision, if not 0.
    pub max_mod_revision: i64,
    /// Leaves out keys created before this revision, if not 0.
    pub min_create_revision: i64,
    /// Leaves out keys created after this revision, if not 0.
    pub max_create_revision: i64,
}

message!(Range {
    "key" => range.key,
    "range_end" => range.range_end,
    "limit" => limit,
    "revision" => revision,
    "sort_order" => sort_order,
    "sort_target" => sort_target,
    "serializable" => serializable,
    "keys_only" => keys_only,
    "count_only" => count_only,
    "min_mod_revision" => min_mod_revision,
    "max_mod_revision" => max_mod_revision,
    "min_create_revision" => min_create_revision,
    "max_create_revision" => max_create_revision,
});

call!(Range => Range(RangeResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_range(&mut self.range);
    }

    fn is_read(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), Misuse> {
        self.range.check()
    }
});

ranged!(Range);

impl Range {
    /// Reads the keys of `range`, which may also be a single key.
    ///
    /// ```
    /// use etcd_core::{KeyRange, Range};
    ///
    /// assert_eq!(Range::new("k"), Range::key("k"));
    /// assert_eq!(Range::new(KeyRange::all()), Range::all());
    /// ```
    #[must_use]
    pub fn new(range: impl Into<KeyRange>) -> Self {
        Self {
            range: range.into(),
            ..Self::default()
        }
    }

    /// Reads the smallest of the keys that start with `prefix`.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::first_by_key("a/").limit, 1);
    /// ```
    #[must_use]
    pub fn first_by_key(prefix: impl IntoBytes) -> Self {
        Self::top(prefix, SortTarget::Key, SortOrder::Ascend)
    }

    /// Reads the largest of the keys that start with `prefix`.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::last_by_key("a/").limit, 1);
    /// ```
    #[must_use]
    pub fn last_by_key(prefix: impl IntoBytes) -> Self {
        Self::top(prefix, SortTarget::Key, SortOrder::Descend)
    }

    /// Reads, of the keys that start with `prefix`, the one that was created first. The server reads all of
    /// them for it.
    ///
    /// ```
    /// use etcd_core::{Range, SortTarget};
    ///
    /// assert_eq!(Range::first_by_create("a/").sort_target, SortTarget::Create);
    /// ```
    #[must_use]
    pub fn first_by_create(prefix: impl IntoBytes) -> Self {
        Self::top(prefix, SortTarget::Create, SortOrder::Ascend)
    }

    /// Reads, of the keys that start with `prefix`, the one that was created last. The server reads all of
    /// them for it.
    ///
    /// ```
    /// use etcd_core::{Range, SortTarget};
    ///
    /// assert_eq!(Range::last_by_create("a/").sort_target, SortTarget::Create);
    /// ```
    #[must_use]
    pub fn last_by_create(prefix: impl IntoBytes) -> Self {
        Self::top(prefix, SortTarget::Create, SortOrder::Descend)
    }

    /// Reads, of the keys that start with `prefix`, the one that has not been changed for the longest time. The server reads all of
    /// them for it.
    ///
    /// ```
    /// use etcd_core::{Range, SortTarget};
    ///
    /// assert_eq!(Range::first_by_mod("a/").sort_target, SortTarget::Mod);
    /// ```
    #[must_use]
    pub fn first_by_mod(prefix: impl IntoBytes) -> Self {
        Self::top(prefix, SortTarget::Mod, SortOrder::Ascend)
    }

    /// Reads, of the keys that start with `prefix`, the one that was changed last. The server reads all of
    /// them for it.
    ///
    /// ```
    /// use etcd_core::{Range, SortTarget};
    ///
    /// assert_eq!(Range::last_by_mod("a/").sort_target, SortTarget::Mod);
    /// ```
    #[must_use]
    pub fn last_by_mod(prefix: impl IntoBytes) -> Self {
        Self::top(prefix, SortTarget::Mod, SortOrder::Descend)
    }

    fn top(prefix: impl IntoBytes, target: SortTarget, order: SortOrder) -> Self {
        Self::prefix(prefix).with_sort(target, order).with_limit(1)
    }

    /// Sorts the answer.
    ///
    /// Ascending keys are the server's own order and are not asked for: any explicit order makes
    /// the server read the whole range before it applies the limit.
    ///
    /// ```
    /// use etcd_core::{Range, SortOrder, SortTarget};
    ///
    /// let latest = Range::all().with_sort(SortTarget::Mod, SortOrder::Descend).with_limit(1);
    /// assert_eq!(latest.sort_target, SortTarget::Mod);
    /// let ascending = Range::all().with_sort(SortTarget::Key, SortOrder::Ascend);
    /// assert_eq!(ascending, Range::all());
    /// ```
    #[must_use]
    pub const fn with_sort(mut self, target: SortTarget, order: SortOrder) -> Self {
        (self.sort_target, self.sort_order) = match (target, order) {
            (SortTarget::Key, SortOrder::Ascend) => (SortTarget::Key, SortOrder::None),
            other => other,
        };
        self
    }

    /// Answers with at most this many keys.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::all().with_limit(7).limit, 7);
    /// ```
    #[must_use]
    pub const fn with_limit(mut self, limit: i64) -> Self {
        self.limit = limit;
        self
    }

    /// Reads at this revision of the store.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::all().with_revision(7).revision, 7);
    /// ```
    #[must_use]
    pub const fn with_revision(mut self, revision: i64) -> Self {
        self.revision = revision;
        self
    }

    /// Leaves out keys last changed before this revision.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::all().with_min_mod_revision(7).min_mod_revision, 7);
    /// ```
    #[must_use]
    pub const fn with_min_mod_revision(mut self, revision: i64) -> Self {
        self.min_mod_revision = revision;
        self
    }

    /// Leaves out keys last changed after this revision.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::all().with_max_mod_revision(7).max_mod_revision, 7);
    /// ```
    #[must_use]
    pub const fn with_max_mod_revision(mut self, revision: i64) -> Self {
        self.max_mod_revision = revision;
        self
    }

    /// Leaves out keys created before this revision.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::all().with_min_create_revision(7).min_create_revision, 7);
    /// ```
    #[must_use]
    pub const fn with_min_create_revision(mut self, revision: i64) -> Self {
        self.min_create_revision = revision;
        self
    }

    /// Leaves out keys created after this revision.
    ///
    /// ```
    /// assert_eq!(etcd_core::Range::all().with_max_create_revision(7).max_create_revision, 7);
    /// ```
    #[must_use]
    pub const fn with_max_create_revision(mut self, revision: i64) -> Self {
        self.max_create_revision = revision;
        self
    }

    /// Lets the asked server answer from what it has. It may be behind the others, and it
    /// answers even when there is no quorum.
    ///
    /// ```
    /// assert!(etcd_core::Range::all().with_serializable().serializable);
    /// ```
    #[must_use]
    pub const fn with_serializable(mut self) -> Self {
        self.serializable = true;
        self
    }

    /// Leaves out the values.
    ///
    /// ```
    /// assert!(etcd_core::Range::all().with_keys_only().keys_only);
    /// ```
    #[must_use]
    pub const fn with_keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    /// Asks only how many keys there are.
    ///
    /// ```
    /// assert!(etcd_core::Range::all().with_count_only().count_only);
    /// ```
    #[must_use]
    pub const fn with_count_only(mut self) -> Self {
        self.count_only = true;
        self
    }
}

/// The direction of an order.
///
/// ```
/// assert_eq!(serde_json::to_string(&etcd_core::SortOrder::Descend)?, r#""DESCEND""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SortOrder {
    /// The server's own: ascending.
    #[default]
    None,
    /// Smallest first.
    Ascend,
    /// Largest first.
    Descend,
}

names!(SortOrder {
    None => "NONE" = 0,
    Ascend => "ASCEND" = 1,
    Descend => "DESCEND" = 2,
});

/// What an answer is sorted by. There are no others: an unknown one would end the server.
///
/// ```
/// assert_eq!(serde_json::to_string(&etcd_core::SortTarget::Mod)?, r#""MOD""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SortTarget {
    /// The key.
    #[default]
    Key,
    /// How often the key was put.
    Version,
    /// The revision at which the key was created.
    Create,
    /// The revision of the last change.
    Mod,
    /// The value.
    Value,
}

names!(SortTarget {
    Key => "KEY" = 0,
    Version => "VERSION" = 1,
    Create => "CREATE" = 2,
    Mod => "MOD" = 3,
    Value => "VALUE" = 4,
});

/// The answer to [`Range`].
///
/// ```
/// let json = r#"{"kvs":[{"key":"Zm9v","value":"YmFy"}],"count":"1"}"#;
/// let answer: etcd_core::RangeResponse = serde_json::from_str(json)?;
/// assert_eq!(answer.first().map(|kv| &kv.value[..]), Some(&b"bar"[..]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RangeResponse {
    /// Who answered, and at which revision.
    pub header: ResponseHeader,
    /// The keys and their values.
    pub kvs: Vec<KeyValue>,
    /// Whether the limit kept keys out.
    pub more: bool,
    /// How many keys the range has, whatever the limit. Filters by revision do not lower it.
    pub count: i64,
}

message!(RangeResponse {
    "header" => header,
    "kvs" => kvs,
    "more" => more,
    "count" => count,
});

impl RangeResponse {
    /// The keys and their values.
    ///
    /// ```
    /// assert!(etcd_core::RangeResponse::default().kvs().is_empty());
    /// ```
    #[must_use]
    pub fn kvs(&self) -> &[KeyValue] {
        &self.kvs
    }

    /// The first key and its value, which is all there can be where one key was asked for.
    ///
    /// ```
    /// assert!(etcd_core::RangeResponse::default().first().is_none());
    /// ```
    #[must_use]
    pub fn first(&self) -> Option<&KeyValue> {
        self.kvs.first()
    }

    /// As [`Self::first`], to keep.
    ///
    /// ```
    /// assert!(etcd_core::RangeResponse::default().into_first().is_none());
    /// ```
    #[must_use]
    pub fn into_first(self) -> Option<KeyValue> {
        self.kvs.into_iter().next()
    }
}
