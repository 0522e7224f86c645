//! What a watch tells of a range it read because history was compacted: apart in type from changes, as
//! none of it came from the history.

use bytes::Bytes;

use crate::api::KeyValue;

/// A part of what a watch found when it read its range anew (rule W-16), between
/// [`WatchEvent::ResyncBegin`](crate::WatchEvent::ResyncBegin) and
/// [`WatchEvent::ResyncEnd`](crate::WatchEvent::ResyncEnd).
///
/// ```
/// use etcd_core::{ResyncBatch, Resynced};
///
/// fn keys(part: &ResyncBatch) -> impl Iterator<Item = &[u8]> {
///     part.found.iter().map(Resynced::key)
/// }
/// assert_eq!(keys(&ResyncBatch::default()).count(), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResyncBatch {
    /// The revision all of it was read at, `lost_to` of the `ResyncBegin` before.
    pub revision: i64,
    /// What was found, in the order of the keys; at least one. Parts come in that order, too.
    pub found: Vec<Resynced>,
}

/// What was found about one key. What it was before is not known, so there is no `prev_kv`, and no word of
/// how often it changed meanwhile.
///
/// ```
/// use etcd_core::{KeyValue, Resynced};
///
/// let mut kv = KeyValue::default();
/// kv.key = "k".into();
/// assert_eq!(Resynced::Found(kv).key(), b"k");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resynced {
    /// The key is there, with this value and these revisions; its last change may be older than what was
    /// lost.
    Found(KeyValue),
    /// The key was known, and is there no more: it was deleted after its last known change.
    Gone {
        /// The key.
        key: Bytes,
        /// The revision of its last known change. When it was deleted is not known.
        mod_revision: i64,
    },
}

impl Resynced {
    /// The key it is about.
    ///
    /// ```
    /// use etcd_core::{KeyValue, Resynced};
    ///
    /// assert_eq!(Resynced::Found(KeyValue::default()).key(), b"");
    /// ```
    #[must_use]
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Found(kv) => &kv.key,
            Self::Gone { key, .. } => key,
        }
    }

    /// What it takes in memory, roughly.
    fn size(&self) -> usize {
        let bytes = match self {
            Self::Found(kv) => kv.key.len().saturating_add(kv.value.len()),
            Self::Gone { key, .. } => key.len(),
        };
        bytes.saturating_add(size_of::<Self>())
    }
}

impl ResyncBatch {
    /// What it takes in memory, roughly.
    pub(super) fn size(&self) -> usize {
        self.found.iter().map(Resynced::size).sum()
    }
}
