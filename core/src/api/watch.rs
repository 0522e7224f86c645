//! Watching: the messages of both directions of a watch stream.
//!
//! How a watch goes on after its stream has ended is not known here.

use serde::de;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::json::{message, names, read_unbounded};
use super::key_range::ranged;
use super::{IntoBytes, KeyRange, KeyValue, ResponseHeader};

/// Asks for the changes of keys from a revision on.
///
/// The constructors turn `progress_notify` on, so that a watch of quiet keys gets to know how far
/// the store has come and can go on after a compaction. `Watch::default()` has nothing but zeros.
///
/// ```
/// use etcd_core::Watch;
///
/// let watch = Watch::key("foo").with_start_revision(7);
/// let json = serde_json::to_string(&watch)?;
/// assert_eq!(json, r#"{"key":"Zm9v","start_revision":"7","progress_notify":true}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watch {
    /// Which keys.
    pub range: KeyRange,
    /// The first revision to report, 0 for from now on.
    pub start_revision: i64,
    /// Whether the server reports its revision now and then when there is nothing to tell.
    pub progress_notify: bool,
    /// Which events are left out.
    pub filters: Vec<WatchFilter>,
    /// Whether events tell what was there before.
    pub prev_kv: bool,
    /// The id in its stream, 0 to let the server choose. The client sets it.
    pub watch_id: i64,
    /// Whether the server may cut large answers into several.
    pub fragment: bool,
}

message!(Watch {
    "key" => range.key,
    "range_end" => range.range_end,
    "start_revision" => start_revision,
    "progress_notify" => progress_notify,
    "filters" => filters,
    "prev_kv" => prev_kv,
    "watch_id" => watch_id,
    "fragment" => fragment,
});

ranged!(Watch);

impl Watch {
    /// Watches the keys of `range`, which may also be a single key, from now on.
    ///
    /// ```
    /// use etcd_core::Watch;
    ///
    /// assert!(Watch::new("k").progress_notify);
    /// ```
    #[must_use]
    pub fn new(range: impl Into<KeyRange>) -> Self {
        Self {
            range: range.into(),
            progress_notify: true,
            ..Self::default()
        }
    }

    /// Begins with the changes of this revision, which may lie in the past.
    ///
    /// ```
    /// assert_eq!(etcd_core::Watch::key("k").with_start_revision(7).start_revision, 7);
    /// ```
    #[must_use]
    pub const fn with_start_revision(mut self, revision: i64) -> Self {
        self.start_revision = revision;
        self
    }

    /// Asks for what was there before each change.
    ///
    /// ```
    /// assert!(etcd_core::Watch::key("k").with_prev_kv().prev_kv);
    /// ```
    #[must_use]
    pub const fn with_prev_kv(mut self) -> Self {
        self.prev_kv = true;
        self
    }

    /// Whether the server reports its revision now and then when there is nothing to tell.
    ///
    /// ```
    /// assert!(!etcd_core::Watch::key("k").with_progress_notify(false).progress_notify);
    /// ```
    #[must_use]
    pub const fn with_progress_notify(mut self, on: bool) -> Self {
        self.progress_notify = on;
        self
    }

    /// Leaves out one kind of event.
    ///
    /// ```
    /// use etcd_core::{Watch, WatchFilter};
    ///
    /// let deletes = Watch::prefix("a/").with_filter(WatchFilter::NoPut);
    /// assert_eq!(deletes.filters, [WatchFilter::NoPut]);
    /// ```
    #[must_use]
    pub fn with_filter(mut self, filter: WatchFilter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Whether the server may cut large answers into several.
    ///
    /// ```
    /// assert!(etcd_core::Watch::key("k").with_fragment(true).fragment);
    /// ```
    #[must_use]
    pub const fn with_fragment(mut self, on: bool) -> Self {
        self.fragment = on;
        self
    }
}

/// A kind of event that a watch leaves out.
///
/// ```
/// assert_eq!(serde_json::to_string(&etcd_core::WatchFilter::NoPut)?, r#""NOPUT""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WatchFilter {
    /// Leaves out puts.
    #[default]
    NoPut,
    /// Leaves out deletes, of which the end of a lease is one.
    NoDelete,
}

names!(WatchFilter {
    NoPut => "NOPUT" = 0,
    NoDelete => "NODELETE" = 1,
});

/// One message from the client in a watch stream.
///
/// ```
/// use etcd_core::WatchRequest;
///
/// let json = serde_json::to_string(&WatchRequest::Cancel { watch_id: 7 })?;
/// assert_eq!(json, r#"{"cancel_request":{"watch_id":"7"}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchRequest {
    /// Begin a watch.
    Create(Watch),
    /// End a watch.
    Cancel {
        /// Its id in this stream.
        watch_id: i64,
    },
    /// Report the revision of the store once all watches of this stream have caught up.
    Progress,
}

impl From<Watch> for WatchRequest {
    fn from(watch: Watch) -> Self {
        Self::Create(watch)
    }
}

#[derive(Default, PartialEq)]
struct CancelJson {
    watch_id: i64,
}

message!(CancelJson {
    "watch_id" => watch_id,
});

#[derive(Default, PartialEq)]
struct ProgressJson {}

message!(ProgressJson {});

/// [`WatchRequest`] as it is read: etcd's oneof, before it is known to be one.
#[derive(Default, PartialEq)]
struct WatchRequestJson {
    create: Option<Watch>,
    cancel: Option<CancelJson>,
    progress: Option<ProgressJson>,
}

message!(WatchRequestJson {
    "create_request" => create,
    "cancel_request" => cancel,
    "progress_request" => progress,
});

impl Serialize for WatchRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Create(watch) => map.serialize_entry("create_request", watch)?,
            Self::Cancel { watch_id } => {
                let watch_id = *watch_id;
                map.serialize_entry("cancel_request", &CancelJson { watch_id })?;
            }
            Self::Progress => map.serialize_entry("progress_request", &ProgressJson {})?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for WatchRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = read_unbounded::<WatchRequestJson, _>("WatchRequest", deserializer)?;
        match (json.create, json.cancel, json.progress) {
            (Some(watch), None, None) => Ok(Self::Create(watch)),
            (None, Some(CancelJson { watch_id }), None) => Ok(Self::Cancel { watch_id }),
            (None, None, Some(ProgressJson {})) => Ok(Self::Progress),
            (None, None, None) => Err(de::Error::custom("no known member in `WatchRequest`")),
            _ => Err(de::Error::custom("more than one member in `WatchRequest`")),
        }
    }
}

/// One message from the server in a watch stream.
///
/// ```
/// use etcd_core::{EventKind, WatchResponse};
///
/// let json = r#"{"header":{"revision":"7"},"events":[{"kv":{"key":"Zm9v","mod_revision":"7"}}]}"#;
/// let answer: WatchResponse = serde_json::from_str(json)?;
/// assert_eq!(answer.events[0].kind, EventKind::Put);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchResponse {
    /// Who answered, and the revision of the store: not less than that of any event.
    pub header: ResponseHeader,
    /// The watch it is about, -1 for the whole stream or a create that was refused.
    pub watch_id: i64,
    /// Whether it answers a create.
    pub created: bool,
    /// Whether the watch has ended, or did not begin.
    pub canceled: bool,
    /// If not 0, the watch ended because the revisions before this one are forgotten.
    pub compact_revision: i64,
    /// Why the watch ended or did not begin.
    pub cancel_reason: String,
    /// Whether more parts of this answer follow.
    pub fragment: bool,
    /// What happened, in the order of the revisions.
    pub events: Vec<KvEvent>,
}

message!(WatchResponse {
    "header" => header,
    "watch_id" => watch_id,
    "created" => created,
    "canceled" => canceled,
    "compact_revision" => compact_revision,
    "cancel_reason" => cancel_reason,
    "fragment" => fragment,
    "events" => events,
});

/// One change of one key.
///
/// ```
/// use etcd_core::{EventKind, KvEvent};
///
/// let json = r#"{"type":"DELETE","kv":{"key":"Zm9v","mod_revision":"7"}}"#;
/// let event: KvEvent = serde_json::from_str(json)?;
/// assert_eq!((event.kind, event.kv.mod_revision), (EventKind::Delete, 7));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvEvent {
    /// What was done.
    pub kind: EventKind,
    /// The key after the change. After a delete it has only `key` and `mod_revision`.
    pub kv: KeyValue,
    /// The key before the change, if it was asked for, existed and is not compacted.
    pub prev_kv: Option<KeyValue>,
}

message!(KvEvent {
    "type" => kind,
    "kv" => kv,
    "prev_kv" => prev_kv,
});

impl KvEvent {
    /// What it takes in memory, roughly: its keys and values, and itself.
    pub(crate) fn size(&self) -> usize {
        let held = |kv: &KeyValue| kv.key.len().saturating_add(kv.value.len());
        let bytes = held(&self.kv).saturating_add(self.prev_kv.as_ref().map_or(0, held));
        bytes.saturating_add(size_of::<Self>())
    }
}

/// What was done to a key.
///
/// ```
/// assert_eq!(serde_json::to_string(&etcd_core::EventKind::Delete)?, r#""DELETE""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// It was put.
    #[default]
    Put,
    /// It was deleted, or its lease ended.
    Delete,
}

names!(EventKind {
    Put => "PUT" = 0,
    Delete => "DELETE" = 1,
});
