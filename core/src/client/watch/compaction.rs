//! What a watch does once what it has to deliver next was compacted (rule W-16): the option, and the keys
//! a watch knows of.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::api::KeyRange;

/// What happens to a watch when what it has to deliver next was compacted (rule W-16).
///
/// ```
/// use etcd_core::{Compaction, WatchOptions};
///
/// let options = WatchOptions::default().with_compaction(Compaction::Snapshot);
/// assert_ne!(options.compaction, Compaction::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compaction {
    /// The watch ends as [`WatchEnd::Compacted`](crate::WatchEnd::Compacted).
    #[default]
    Fail,
    /// The client reads the range, page by page at one revision, and tells every key of it between
    /// [`WatchEvent::ResyncBegin`](crate::WatchEvent::ResyncBegin) and
    /// [`WatchEvent::ResyncEnd`](crate::WatchEvent::ResyncEnd); then the watch goes on behind that
    /// revision.
    ///
    /// Nothing is told of keys that were deleted meanwhile: they are those the user knows and that were
    /// not among the ones told. Whoever keeps a copy replaces it. All keys are told whatever the filters
    /// of the watch are, as those are about changes.
    Snapshot,
    /// As `Snapshot`, but only what differs from what is known is told: these keys to begin with, each
    /// with the revision of its last change, and what the watch has told since. A key that was deleted
    /// meanwhile is told as [`Resynced::Gone`](crate::Resynced::Gone), one that was put as
    /// [`Resynced::Found`](crate::Resynced::Found), one whose last change is known not at all.
    ///
    /// The keys have to be those of the watch's range as they were right before its start revision: read
    /// the range, and watch from behind that read's revision. A watch of all history begins with none.
    /// Otherwise a key the watch was never told of is told as found where it is there, and not at all
    /// where it is gone.
    ///
    /// The client keeps all keys of the range for it, at most `Limits::known_keys_bytes`, and does
    /// the filtering of the watch itself, as it has to see every change.
    Difference(KnownKeys),
}

/// Keys, each with the revision of its last change: what a copy of a range is compared with, for
/// [`Compaction::Difference`].
///
/// ```
/// use etcd_core::KnownKeys;
///
/// let mut known = KnownKeys::new();
/// known.insert("a/1", 7);
/// known.insert("a/1", 9);
/// assert_eq!(known.len(), 1);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KnownKeys {
    // Copies of their own: a key out of an answer would keep the whole answer alive.
    by_key: BTreeMap<Box<[u8]>, i64>,
    bytes: usize,
}

impl KnownKeys {
    /// None at all.
    ///
    /// ```
    /// assert!(etcd_core::KnownKeys::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            by_key: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Takes a key in, with the `mod_revision` it has; one that is known already has it from now on.
    ///
    /// ```
    /// # use etcd_core::KnownKeys;
    /// let mut known = KnownKeys::new();
    /// known.insert("k", 5);
    /// assert_eq!(known, KnownKeys::from_iter([("k", 5)]));
    /// ```
    pub fn insert(&mut self, key: impl AsRef<[u8]>, mod_revision: i64) {
        match self.by_key.entry(key.as_ref().into()) {
            Entry::Occupied(mut known) => *known.get_mut() = mod_revision,
            Entry::Vacant(place) => {
                self.bytes = self.bytes.saturating_add(size(place.key()));
                place.insert(mod_revision);
            }
        }
    }

    /// How many there are.
    ///
    /// ```
    /// # use etcd_core::KnownKeys;
    /// assert_eq!(KnownKeys::from_iter([("a", 5), ("b", 5)]).len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// # use etcd_core::KnownKeys;
    /// assert!(KnownKeys::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// All of them, in the order of the keys.
    ///
    /// ```
    /// # use etcd_core::KnownKeys;
    /// let known = KnownKeys::from_iter([("b", 6), ("a", 5)]);
    /// assert_eq!(known.iter().next(), Some((&b"a"[..], 5)));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.by_key
            .iter()
            .map(|(key, revision)| (&**key, *revision))
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        if let Some((key, _)) = self.by_key.remove_entry(key) {
            self.bytes = self.bytes.saturating_sub(size(&key));
        }
    }

    /// The known keys of a part of a range: from its key on, up to the end of it.
    pub(super) fn part(&self, part: &KeyRange) -> impl Iterator<Item = (&[u8], i64)> {
        use core::ops::Bound;
        let from: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Included(&part.key), Bound::Unbounded);
        let known = self.by_key.range::<[u8], _>(from);
        let known = known.map(|(key, revision)| (&**key, *revision));
        known.take_while(|(key, _)| part.contains(key))
    }

    /// What they take in memory, roughly.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<K: AsRef<[u8]>> Extend<(K, i64)> for KnownKeys {
    fn extend<I: IntoIterator<Item = (K, i64)>>(&mut self, keys: I) {
        for (key, mod_revision) in keys {
            self.insert(key, mod_revision);
        }
    }
}

impl<K: AsRef<[u8]>> FromIterator<(K, i64)> for KnownKeys {
    fn from_iter<I: IntoIterator<Item = (K, i64)>>(keys: I) -> Self {
        let mut known = Self::new();
        known.extend(keys);
        known
    }
}

/// Says how many there are: they may be very many.
impl core::fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "KnownKeys({})", self.len())
    }
}

/// A key, its revision, and its place among the others.
fn size(key: &[u8]) -> usize {
    key.len().saturating_add(size_of::<(Box<[u8]>, i64)>() * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_counted() {
        let mut known = KnownKeys::new();
        known.insert("a", 1);
        let one = known.bytes();
        known.insert("b", 1);
        known.insert("b", 2);
        assert_eq!((known.len(), known.bytes()), (2, 2 * one));
        known.remove(b"b");
        known.remove(b"b");
        assert_eq!(
            (known.iter().next(), known.bytes()),
            (Some((&b"a"[..], 1)), one)
        );
        known.remove(b"a");
        assert_eq!((known, one > 1), (KnownKeys::new(), true));
    }

    #[test]
    fn a_part_ends_where_its_range_does() {
        let known = KnownKeys::from_iter([("a", 1), ("b", 2), ("c", 3), ("cc", 4), ("d", 5)]);
        let of = |part: KeyRange| known.part(&part).map(|(_, at)| at).collect::<Vec<_>>();
        assert_eq!(of(KeyRange::range("b", "d")), [2, 3, 4]);
        assert_eq!(of(KeyRange::key("c")), [3]);
        assert_eq!(of(KeyRange::prefix("c")), [3, 4]);
        assert_eq!(of(KeyRange::from_key("c")), [3, 4, 5]);
        assert_eq!(of(KeyRange::range("x", "a")), [0; 0]);
    }
}
