//! The last change of each key, in place of all changes of a watch that is not read (rule W-12).
//!
//! A change takes the place of the one before it, so that taking one in costs the same however many there
//! were. What it may hold is said by whoever holds it.

use core::mem::discriminant;
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::api::KvEvent;
use crate::client::output::WatchBatch;
use crate::client::output::WatchEvent;

/// What several batches come to.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Of the newest batch, without its events.
    newest: WatchBatch,
    by_key: BTreeMap<Bytes, KvEvent>,
    size: usize,
    /// What else is told behind them: of each kind the last.
    news: Vec<WatchEvent>,
}

impl Merged {
    /// Takes a batch in, newer than those before.
    pub(super) fn add(&mut self, mut batch: WatchBatch) {
        for event in core::mem::take(&mut batch.events) {
            self.size = self.size.saturating_add(event.size());
            if let Some(before) = self.by_key.insert(event.kv.key.clone(), event) {
                self.size = self.size.saturating_sub(before.size());
            }
        }
        self.newest = batch;
    }

    /// Takes something in that is told behind the changes, in place of one of its kind.
    pub(super) fn say(&mut self, event: WatchEvent) {
        let kind = discriminant(&event);
        self.news.retain(|held| discriminant(held) != kind);
        self.news.push(event);
    }

    /// What it takes in memory, roughly.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// All changes as one batch, in the order of revisions, and what is told behind them.
    pub(super) fn into_batch(self) -> (WatchBatch, Vec<WatchEvent>) {
        let mut events: Vec<_> = self.by_key.into_values().collect();
        events.sort_by_key(|event| event.kv.mod_revision);
        let batch = WatchBatch {
            events,
            coalesced: true,
            ..self.newest
        };
        (batch, self.news)
    }
}
