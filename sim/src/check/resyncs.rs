//! Watches that read their range in place of compacted history (rule W-16): that it was lost, that what
//! was found was there, and that all of it was told that is news to their users.
//!
//! What is news follows from what a user knows: nothing of a snapshot, all of whose keys are told; of
//! differences the keys that were given with the watch, and every change since.

use std::collections::BTreeMap;

use etcd_core::{
    Compaction, EventKind, Instant, KeyRange, KvEvent, ResyncBatch, Resynced, Watch, WatchFilter,
    WatchOptions,
};

use super::timeline::Timeline;

type Broken = (&'static str, String);

/// What becomes of a watch whose next revision was compacted.
pub(super) struct Resyncs<'a> {
    request: &'a Watch,
    compaction: &'a Compaction,
    /// The keys of the range that are known, each with its last known change.
    known: BTreeMap<Vec<u8>, i64>,
    /// The changes below this revision are in it; 0 before the watch has begun.
    next: i64,
    /// Set while its range is told.
    reading: Option<Reading>,
}

/// A range that is being told.
struct Reading {
    lost_to: i64,
    /// The last key told, and how many were.
    last: Vec<u8>,
    told: usize,
}

impl<'a> Resyncs<'a> {
    pub(super) fn new(request: &'a Watch, options: &'a WatchOptions) -> Self {
        let known = match &options.compaction {
            Compaction::Difference(known) => known.iter().collect(),
            _ => Vec::new(),
        };
        let known = known.into_iter().map(|(key, at)| (key.to_vec(), at));
        Self {
            request,
            compaction: &options.compaction,
            known: known.collect(),
            next: request.start_revision,
            reading: None,
        }
    }

    /// Whether its range is being told.
    pub(super) const fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Whether the watch goes on.
    pub(super) fn goes_on(&self) -> bool {
        *self.compaction != Compaction::Fail
    }

    /// A watch from now on begins.
    pub(super) fn created(&mut self, next: i64) {
        if self.next <= 0 {
            self.next = next;
        }
    }

    /// What a watch that goes on from `next` said is lost.
    pub(super) fn begin(
        &mut self,
        at: Instant,
        compact_revision: i64,
        lost: (i64, i64),
        next: i64,
        timeline: &Timeline<'_>,
    ) -> Result<(), Broken> {
        let (lost_from, lost_to) = lost;
        if !self.goes_on() {
            return broken("its range is read, and it was to end".to_owned());
        }
        if lost_from < next {
            let text = format!("{lost_from} is lost, but the watch was at {next}");
            return Err(("G14", text));
        }
        if !timeline.is_compacted(compact_revision.max(lost_from + 1), at) {
            return Err(("G14", format!("{lost_from} was never compacted")));
        }
        if lost_to < compact_revision || lost_to > timeline.revision_at(at) {
            return broken(format!("it was read at {lost_to}"));
        }
        self.learn(lost_from, timeline);
        self.reading = Some(Reading {
            lost_to,
            last: Vec::new(),
            told: 0,
        });
        Ok(())
    }

    /// All changes below that revision are known, filtered or not.
    fn learn(&mut self, next: i64, timeline: &Timeline<'_>) {
        let from = self.next;
        let is_meant = |at: i64| at >= from && at < next;
        let changes = timeline.revisions.iter();
        let changes = changes.filter(|change| is_meant(change.revision));
        for event in changes.flat_map(|change| change.events) {
            let KvEvent { kind, kv, .. } = event;
            match kind {
                _ if !self.request.range.contains(&kv.key) => {}
                EventKind::Delete => drop(self.known.remove(&kv.key[..])),
                _ => drop(self.known.insert(kv.key.to_vec(), kv.mod_revision)),
            }
        }
        self.next = self.next.max(next);
    }

    /// A part of it was told.
    pub(super) fn part(
        &mut self,
        part: &ResyncBatch,
        timeline: &Timeline<'_>,
    ) -> Result<(), Broken> {
        let Some(mut reading) = self.reading.take() else {
            return broken("something was found, but nothing read".to_owned());
        };
        let lost_to = reading.lost_to;
        if part.revision != lost_to || part.found.is_empty() {
            return broken(format!("a part of {} in {lost_to}", part.revision));
        }
        for found in &part.found {
            let key = found.key();
            if key <= &reading.last[..] || !self.request.range.contains(key) {
                return broken("a key out of order or range".to_owned());
            }
            reading.last = key.to_vec();
            reading.told += 1;
            let there = timeline.get(key, lost_to);
            let is_so = match found {
                Resynced::Found(kv) => there == Some(kv),
                _ => there.is_none(),
            };
            if !is_so {
                return broken(format!("{found:?} was not so at {lost_to}"));
            }
            self.is_news(found, timeline)?;
        }
        self.reading = Some(reading);
        Ok(())
    }

    /// What was told was not known before, and is from now on.
    fn is_news(&mut self, found: &Resynced, timeline: &Timeline<'_>) -> Result<(), Broken> {
        let is_snapshot = matches!(self.compaction, Compaction::Snapshot);
        let key = found.key();
        match found {
            Resynced::Found(_) if is_snapshot => {}
            _ if is_snapshot || self.is_filtered(found) => {
                return broken(format!("{found:?} is not to be told"));
            }
            Resynced::Found(kv) => {
                let before = self.known.insert(key.to_vec(), kv.mod_revision);
                if before == Some(kv.mod_revision) {
                    return broken(format!("{found:?} was known"));
                }
            }
            Resynced::Gone { mod_revision, .. } => {
                let before = self.known.remove(key);
                // Where puts are left out, a reading that began anew may have found what was not told.
                let is_hidden = self.is_without(&WatchFilter::NoPut)
                    && timeline
                        .get(key, *mod_revision)
                        .is_some_and(|kv| kv.mod_revision == *mod_revision);
                if before != Some(*mod_revision) && !is_hidden {
                    return broken(format!("{found:?} was known as {before:?}"));
                }
            }
            _ => return broken(format!("{found:?} is nothing anybody knows")),
        }
        Ok(())
    }

    fn is_without(&self, filter: &WatchFilter) -> bool {
        self.request.filters.contains(filter)
    }

    fn is_filtered(&self, found: &Resynced) -> bool {
        self.is_without(match found {
            Resynced::Found(_) => &WatchFilter::NoPut,
            _ => &WatchFilter::NoDelete,
        })
    }

    /// All of it was told. Gives the revision the watch goes on from.
    pub(super) fn end(&mut self, revision: i64, timeline: &Timeline<'_>) -> Result<i64, Broken> {
        let Some(reading) = self.reading.take() else {
            return broken("it ended, but never began".to_owned());
        };
        if revision != reading.lost_to {
            let lost_to = reading.lost_to;
            return broken(format!("{revision} ends what began at {lost_to}"));
        }
        let there = there(&self.request.range, revision, timeline);
        match self.compaction {
            Compaction::Difference(_) => self.differs_not(&there, revision)?,
            _ if reading.told < there.len() => {
                let (told, all) = (reading.told, there.len());
                return broken(format!("{told} of {all} keys of {revision} were told"));
            }
            _ => {}
        }
        self.known = there;
        self.next = revision + 1;
        Ok(self.next)
    }

    /// What is known is what is there, but for what is not to be told.
    fn differs_not(&self, there: &BTreeMap<Vec<u8>, i64>, at: i64) -> Result<(), Broken> {
        let says = |key: &[u8], what: &str| {
            let key = String::from_utf8_lossy(key);
            broken(format!("{key} {what} by {at}, and it was not told"))
        };
        let gone = self.known.keys().find(|key| !there.contains_key(*key));
        let gone = gone.filter(|_| !self.is_without(&WatchFilter::NoDelete));
        if let Some(key) = gone {
            return says(key, "was gone");
        }
        let mut found = there.iter();
        let new = found.find(|(key, at)| self.known.get(*key) != Some(*at));
        let new = new.filter(|_| !self.is_without(&WatchFilter::NoPut));
        if let Some((key, _)) = new {
            return says(key, "had changed");
        }
        Ok(())
    }
}

/// The keys of a range at a revision, each with its last change.
fn there(range: &KeyRange, revision: i64, timeline: &Timeline<'_>) -> BTreeMap<Vec<u8>, i64> {
    let kvs = timeline.range(range, revision).into_iter();
    kvs.map(|kv| (kv.key.to_vec(), kv.mod_revision)).collect()
}

fn broken<T>(text: String) -> Result<T, Broken> {
    Err(("W-16", text))
}
