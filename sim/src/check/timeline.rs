//! The cluster's log as a store that can be asked about any revision, past compactions too.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use etcd_core::{EventKind, Instant, KeyRange, KeyValue, KvEvent};

use super::history::{Change, Changed, Truth};
use super::verdict::Violation;
use crate::etcd::AskId;

/// What a cluster really did, by revision, by key, by ask and by lease.
pub(super) struct Timeline<'a> {
    /// What changed keys, in order.
    pub(super) revisions: Vec<Revision<'a>>,
    keys: BTreeMap<&'a [u8], Vec<Version<'a>>>,
    /// When the history before which revision went.
    pub(super) compactions: Vec<(Instant, i64)>,
    pub(super) by_ask: BTreeMap<AskId, Vec<&'a Change>>,
    pub(super) leases: BTreeMap<i64, Vec<Lease>>,
}

/// All changes of one revision.
pub(super) struct Revision<'a> {
    pub(super) revision: i64,
    pub(super) at: Instant,
    pub(super) events: &'a [KvEvent],
}

struct Version<'a> {
    revision: i64,
    kv: Option<&'a KeyValue>,
}

/// One life of a lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// How many seconds it lasts.
    pub(super) ttl: i64,
    pub(super) granted: Instant,
    pub(super) ended: Option<Instant>,
    /// It ended by itself.
    pub(super) expired: bool,
}

impl Lease {
    /// Whether it lived at some moment between the two.
    pub(super) fn meets(&self, from: Instant, to: Instant) -> bool {
        self.granted <= to && self.ended.is_none_or(|ended| ended >= from)
    }
}

impl<'a> Timeline<'a> {
    /// Reads the log, which has to make sense by itself.
    pub(super) fn new(truth: &'a Truth) -> Result<Self, Violation> {
        let mut timeline = Self {
            revisions: Vec::new(),
            keys: BTreeMap::new(),
            compactions: Vec::new(),
            by_ask: BTreeMap::new(),
            leases: BTreeMap::new(),
        };
        let mut now = Instant::ZERO;
        let mut last = 0;
        for change in &truth.changes {
            let wrong = |text: String| Err(Violation::new("truth", change.at, None, text));
            if change.at < now || change.revision < last {
                return wrong(format!("revision {} goes back in time", change.revision));
            }
            now = change.at;
            if let Some(ask) = change.ask {
                timeline.by_ask.entry(ask).or_default().push(change);
            }
            match &change.what {
                Changed::Kv(events) => {
                    let before = timeline.revisions.last().map_or(1, |last| last.revision);
                    if change.revision <= before || events.is_empty() {
                        return wrong(format!("revision {before} was not followed by a new one"));
                    }
                    timeline.add(change, events)?;
                }
                Changed::Compacted(revision) => timeline.compactions.push((now, *revision)),
                Changed::LeaseGranted { id, ttl } => {
                    timeline.leases.entry(*id).or_default().push(Lease {
                        ttl: *ttl,
                        granted: now,
                        ended: None,
                        expired: false,
                    });
                }
                Changed::LeaseRevoked { id } => timeline.end_lease(*id, now, false),
                Changed::LeaseExpired { id } => timeline.end_lease(*id, now, true),
                Changed::Auth | Changed::Other => {}
            }
            last = change.revision;
        }
        Ok(timeline)
    }

    fn add(&mut self, change: &'a Change, events: &'a [KvEvent]) -> Result<(), Violation> {
        let mut touched = BTreeSet::new();
        for event in events {
            let wrong = |text: &str| {
                let text = format!("revision {}: {text}", change.revision);
                Err(Violation::new("truth", change.at, None, text))
            };
            if event.kv.mod_revision != change.revision {
                return wrong("an event of another revision");
            }
            if !touched.insert(&event.kv.key) {
                return wrong("a key changed twice");
            }
            let versions = self.keys.entry(&event.kv.key).or_default();
            let before = versions.last().and_then(|version| version.kv);
            let kv = match event.kind {
                EventKind::Delete => None,
                _ => Some(&event.kv),
            };
            let expected = match before {
                Some(before) => (before.create_revision, before.version + 1),
                None => (change.revision, 1),
            };
            match kv {
                Some(kv) if (kv.create_revision, kv.version) != expected => {
                    return wrong("create revision or version of a key is wrong");
                }
                None if before.is_none() => return wrong("a key was deleted that was not there"),
                _ => {}
            }
            versions.push(Version {
                revision: change.revision,
                kv,
            });
        }
        self.revisions.push(Revision {
            revision: change.revision,
            at: change.at,
            events,
        });
        Ok(())
    }

    fn end_lease(&mut self, id: i64, at: Instant, expired: bool) {
        if let Some(lease) = self.leases.get_mut(&id).and_then(|lives| lives.last_mut()) {
            lease.ended.get_or_insert(at);
            lease.expired |= expired;
        }
    }

    /// What was at a key at this revision.
    pub(super) fn get(&self, key: &[u8], revision: i64) -> Option<&'a KeyValue> {
        let versions = self.keys.get(key)?;
        let after = versions.partition_point(|version| version.revision <= revision);
        versions.get(after.checked_sub(1)?)?.kv
    }

    /// What was in a range at this revision, by key.
    pub(super) fn range(&self, range: &KeyRange, revision: i64) -> Vec<&'a KeyValue> {
        let from = &range.key[..];
        self.keys
            .range(from..)
            .take_while(|(key, _)| range.contains(key))
            .filter_map(|(key, _)| self.get(key, revision))
            .collect()
    }

    /// `from`, and the revisions after it up to `to` at which something in a range changed, ascending:
    /// what was in the range at any moment between the two, was so at one of them.
    pub(super) fn moments(&self, range: &KeyRange, from: i64, to: i64) -> Vec<i64> {
        let keys = self.keys.range(&range.key[..]..);
        let keys = keys.take_while(|(key, _)| range.contains(key));
        let changed =
            keys.flat_map(|(_, versions)| versions.iter().map(|version| version.revision));
        let mut moments: Vec<_> = changed.filter(|at| *at > from && *at <= to).collect();
        moments.push(from);
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// The key in a range that was made first, of those that were there at this revision: it holds the
    /// lock, or leads.
    pub(super) fn oldest(&self, range: &KeyRange, revision: i64) -> Option<&'a KeyValue> {
        let kvs = self.range(range, revision).into_iter();
        kvs.min_by_key(|kv| kv.create_revision)
    }

    /// Everything that was ever put at a key.
    pub(super) fn puts(&self, key: &[u8]) -> impl Iterator<Item = &'a KeyValue> {
        let versions = self.keys.get(key).map_or(&[][..], Vec::as_slice);
        versions.iter().filter_map(|version| version.kv)
    }

    /// The store's revision at this time. A store begins at 1.
    pub(super) fn revision_at(&self, at: Instant) -> i64 {
        let after = self.revisions.partition_point(|change| change.at <= at);
        match after.checked_sub(1) {
            Some(last) => self.revisions[last].revision,
            None => 1,
        }
    }

    /// Whether history was compacted at or above this revision by then.
    pub(super) fn is_compacted(&self, revision: i64, by: Instant) -> bool {
        let compacted = |(at, oldest): &(Instant, i64)| *at <= by && *oldest >= revision;
        self.compactions.iter().any(compacted)
    }
}
