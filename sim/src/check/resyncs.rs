//! Watches that read their range in place of compacted history (rule W-16): that it was lost, and that what
//! was found was there.
//!
//! Whether everything that is there was told is not known here: what a watch was to tell depends on the
//! keys its user knew.

use etcd_core::{Instant, KeyRange, ResyncBatch, Resynced};

use super::timeline::Timeline;

type Broken = (&'static str, String);

/// A range that is being told.
pub(super) struct Reading {
    lost_to: i64,
    /// The last key told.
    last: Vec<u8>,
}

impl Reading {
    /// What a watch that goes on from `next` said is lost.
    pub(super) fn begin(
        at: Instant,
        compact_revision: i64,
        lost: (i64, i64),
        next: i64,
        timeline: &Timeline<'_>,
    ) -> Result<Self, Broken> {
        let (lost_from, lost_to) = lost;
        if lost_from < next {
            let text = format!("{lost_from} is lost, but the watch was at {next}");
            return Err(("G14", text));
        }
        if !timeline.is_compacted(compact_revision.max(lost_from + 1), at) {
            return Err(("G14", format!("{lost_from} was never compacted")));
        }
        if lost_to < compact_revision || lost_to > timeline.revision_at(at) {
            return Err(("W-16", format!("it was read at {lost_to}")));
        }
        let last = Vec::new();
        Ok(Self { lost_to, last })
    }

    /// A part of it was told.
    pub(super) fn part(
        &mut self,
        part: &ResyncBatch,
        range: &KeyRange,
        timeline: &Timeline<'_>,
    ) -> Result<(), Broken> {
        let broken = |text: String| Err(("W-16", text));
        if part.revision != self.lost_to || part.found.is_empty() {
            return broken(format!("a part of {} in {}", part.revision, self.lost_to));
        }
        for found in &part.found {
            let key = found.key();
            if key <= &self.last[..] || !range.contains(key) {
                return broken("a key out of order or range".to_owned());
            }
            self.last = key.to_vec();
            let there = timeline.get(key, self.lost_to);
            let is_so = match found {
                Resynced::Found(kv) => there == Some(kv),
                _ => there.is_none(),
            };
            if !is_so {
                return broken(format!("{found:?} was not so at {}", self.lost_to));
            }
        }
        Ok(())
    }

    /// All of it was told. Gives the revision the watch goes on from.
    pub(super) fn end(self, revision: i64) -> Result<i64, Broken> {
        match revision == self.lost_to {
            true => Ok(revision + 1),
            false => Err((
                "W-16",
                format!("{revision} ends what began at {}", self.lost_to),
            )),
        }
    }
}
