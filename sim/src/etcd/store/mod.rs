//! Keys with their history: what etcd calls mvcc.
//!
//! Each key has the list of its versions; each revision has the list of its events, from which
//! watches catch up. A write goes through a [`Writer`], which gives all its changes one revision.
//! Leases are not known here: a version only carries the number of one.

mod range;
mod txn;

use core::ops::Bound;
use std::collections::{BTreeMap, VecDeque};

use etcd_core::bytes::Bytes;
use etcd_core::{EventKind, KeyRange, KeyValue, KvEvent};

pub(super) use txn::{
    Kept, Path, Refusal, check_request, check_single_put, check_txn, strip_ranges, writes,
};

/// The keys of one member.
#[derive(Clone, Debug)]
pub(super) struct Store {
    /// The newest revision; 1 before anything was written.
    revision: i64,
    /// The oldest revision that can be read, -1 before anything was compacted.
    compacted: i64,
    keys: BTreeMap<Bytes, History>,
    /// What happened at each revision since `first_logged`.
    log: VecDeque<Vec<KvEvent>>,
    first_logged: i64,
    /// What all versions take, in bytes.
    in_use: u64,
    /// Whether equals are ordered as by the sort of an old Go (`range`).
    old_sort: bool,
}

/// The versions of one key in their order; a delete is one, too.
#[derive(Clone, Debug, Default)]
struct History {
    versions: Vec<KeyValue>,
}

/// Why a range cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Compacted,
    Future,
}

impl History {
    /// The version at a revision, if the key exists there.
    fn at(&self, revision: i64) -> Option<&KeyValue> {
        let newest = self.versions.last()?;
        let version = if newest.mod_revision <= revision {
            newest
        } else {
            let after = self
                .versions
                .partition_point(|version| version.mod_revision <= revision);
            self.versions.get(after.checked_sub(1)?)?
        };
        (!is_tombstone(version)).then_some(version)
    }
}

/// A delete is kept as a version 0.
const fn is_tombstone(version: &KeyValue) -> bool {
    version.version == 0
}

impl Store {
    pub(super) const fn new(old_sort: bool) -> Self {
        Self {
            old_sort,
            revision: 1,
            compacted: -1,
            keys: BTreeMap::new(),
            log: VecDeque::new(),
            first_logged: 2,
            in_use: 0,
        }
    }

    pub(super) const fn revision(&self) -> i64 {
        self.revision
    }

    /// The oldest revision that can be read, -1 for all.
    pub(super) const fn compacted(&self) -> i64 {
        self.compacted
    }

    /// What the keys and values of all versions take, in bytes.
    pub(super) const fn in_use(&self) -> u64 {
        self.in_use
    }

    /// A key as it is now.
    pub(super) fn get(&self, key: &[u8]) -> Option<&KeyValue> {
        self.keys.get(key)?.at(i64::MAX)
    }

    /// The keys of a range as they were at a revision, in their order.
    pub(super) fn iter<'a>(
        &'a self,
        range: &'a KeyRange,
        revision: i64,
    ) -> impl Iterator<Item = &'a KeyValue> {
        let histories = bounds(range).map(|bounds| self.keys.range::<[u8], _>(bounds));
        let histories = histories.into_iter().flatten();
        histories.filter_map(move |(_, history)| history.at(revision))
    }

    /// The events of a revision; none if it is not known any more, or not yet.
    pub(super) fn events(&self, revision: i64) -> &[KvEvent] {
        let index = revision.checked_sub(self.first_logged);
        let index = index.and_then(|index| usize::try_from(index).ok());
        let events = index.and_then(|index| self.log.get(index));
        events.map_or(&[], Vec::as_slice)
    }

    /// Begins a write.
    pub(super) const fn write(&mut self) -> Writer<'_> {
        Writer {
            store: self,
            events: Vec::new(),
        }
    }

    /// Forgets what is before a revision. `keep_deletes`: whether deletes at that very revision can
    /// still be watched.
    pub(super) fn compact(&mut self, revision: i64, keep_deletes: bool) -> Result<(), Unreadable> {
        if revision <= self.compacted {
            return Err(Unreadable::Compacted);
        }
        if revision > self.revision {
            return Err(Unreadable::Future);
        }
        self.compacted = revision;
        let mut in_use = 0;
        self.keys.retain(|_, history| {
            let after = history
                .versions
                .partition_point(|version| version.mod_revision <= revision);
            if let Some(newest) = after.checked_sub(1) {
                let gone = is_tombstone(&history.versions[newest]);
                history.versions.drain(..newest + usize::from(gone));
            }
            in_use += history.versions.iter().map(size).sum::<u64>();
            !history.versions.is_empty()
        });
        self.in_use = in_use;
        while self.first_logged < revision && self.log.pop_front().is_some() {
            self.first_logged += 1;
        }
        if let Some(events) = self.log.front_mut() {
            if self.first_logged == revision && !keep_deletes {
                events.retain(|event| event.kind != EventKind::Delete);
            }
        }
        Ok(())
    }

    /// A number that is the same for the same keys at the same revision, after the same compaction.
    pub(super) fn hash(&self, revision: i64) -> u32 {
        let mut hash = Fnv::new();
        for (key, history) in &self.keys {
            for version in &history.versions {
                if version.mod_revision > revision {
                    break;
                }
                hash.bytes(key);
                hash.bytes(&version.value);
                for number in [
                    version.create_revision,
                    version.mod_revision,
                    version.version,
                    version.lease,
                ] {
                    hash.bytes(&number.to_le_bytes());
                }
            }
        }
        hash.finish()
    }
}

/// From which key to which.
type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// The places of a range in an ordered map, none where it is empty. A map panics on an inverted one.
fn bounds(range: &KeyRange) -> Option<Bounds<'_>> {
    let (key, end) = (&range.key[..], &range.range_end[..]);
    match end {
        [] => Some((Bound::Included(key), Bound::Included(key))),
        [0] => Some((Bound::Included(key), Bound::Unbounded)),
        end if end <= key => None,
        end => Some((Bound::Included(key), Bound::Excluded(end))),
    }
}

/// What a version takes in the database, roughly: itself, and its revision twice.
fn size(version: &KeyValue) -> u64 {
    let bytes = version.key.len() + version.value.len() + 64;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Changes that will have one revision.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    store: &'a mut Store,
    events: Vec<KvEvent>,
}

impl Writer<'_> {
    /// The store with what was changed so far, to be read at [`Writer::revision`].
    pub(super) const fn store(&self) -> &Store {
        self.store
    }

    /// The newest revision, which is the new one once something changed.
    pub(super) fn revision(&self) -> i64 {
        self.store.revision + if self.events.is_empty() { 0 } else { 1 }
    }

    /// The revision that what changes next will have.
    pub(super) const fn next_revision(&self) -> i64 {
        self.store.revision + 1
    }

    /// Puts a key. Tells what was there before.
    pub(super) fn put(&mut self, key: &Bytes, value: Bytes, lease: i64) -> Option<KeyValue> {
        let revision = self.next_revision();
        let mut kv = KeyValue::default();
        kv.key = key.clone();
        kv.value = value;
        kv.create_revision = revision;
        kv.mod_revision = revision;
        kv.version = 1;
        kv.lease = lease;
        let history = self.store.keys.entry(key.clone()).or_default();
        let prev_kv = history.at(i64::MAX).cloned();
        if let Some(prev_kv) = &prev_kv {
            kv.create_revision = prev_kv.create_revision;
            kv.version = prev_kv.version + 1;
        }
        self.store.in_use += size(&kv);
        history.versions.push(kv.clone());
        let mut event = KvEvent::default();
        // A key that comes back has nothing before, even if it went away in this very revision.
        if kv.create_revision != revision {
            event.prev_kv = history.at(revision - 1).cloned();
        }
        event.kv = kv;
        self.events.push(event);
        prev_kv
    }

    /// Deletes the keys of a range. Tells what they were.
    pub(super) fn delete(&mut self, range: &KeyRange) -> Vec<KeyValue> {
        let revision = self.next_revision();
        let mut deleted = Vec::new();
        let Some(bounds) = bounds(range) else {
            return deleted;
        };
        for (key, history) in self.store.keys.range_mut::<[u8], _>(bounds) {
            let Some(prev_kv) = history.at(i64::MAX).cloned() else {
                continue;
            };
            let mut kv = KeyValue::default();
            kv.key = key.clone();
            kv.mod_revision = revision;
            self.store.in_use += size(&kv);
            history.versions.push(kv.clone());
            let mut event = KvEvent::default();
            event.kind = EventKind::Delete;
            event.kv = kv;
            // What the same revision did before does not count.
            event.prev_kv = history.at(revision - 1).cloned();
            self.events.push(event);
            deleted.push(prev_kv);
        }
        deleted
    }

    /// Makes the changes a revision, if there are any.
    pub(super) fn finish(self) {
        if !self.events.is_empty() {
            self.store.revision += 1;
            self.store.log.push_back(self.events);
        }
    }
}

/// A small hash (Fowler, Noll and Vo); nobody compares it with a real server's.
struct Fnv(u32);

impl Fnv {
    const fn new() -> Self {
        Self(0x811c_9dc5)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }

    const fn finish(self) -> u32 {
        self.0
    }
}
