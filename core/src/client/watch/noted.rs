//! What is told of watches that are not read in time, and how many there are. Nothing here changes what
//! becomes of one.

use super::Phase;
use super::Watcher;
use super::Watches;
use crate::client::Client;
use crate::client::notice::What;
use crate::id::WatchId;

impl Client {
    /// Tells that a watch comes to hold all it may, or not any more, if that is new.
    pub(super) fn note_full(&mut self, watch: WatchId, full: bool) {
        let found = self.watches.table.get(&watch);
        let Some(watcher) = found.filter(|watcher| watcher.full != full) else {
            return;
        };
        let held = watcher.queued_bytes();
        let allowed = self.config.limits.watch_buffer_bytes;
        self.notices.note(|| match full {
            true => What::WatchPaused {
                watch,
                held,
                allowed,
            },
            false => What::WatchFlows {
                watch,
                held,
                allowed,
            },
        });
    }
}

impl Watches {
    /// The revision a watch goes on from.
    pub(in crate::client) fn next_of(&self, watch: WatchId) -> i64 {
        let watcher = self.table.get(&watch);
        watcher.map_or(0, |watcher| watcher.position().next())
    }

    /// What all of them hold undelivered, in bytes.
    pub(in crate::client) const fn held(&self) -> usize {
        self.queued_bytes
    }

    /// How many have not ended.
    pub(in crate::client) fn open(&self) -> usize {
        let open = |watcher: &&Watcher| watcher.phase != Phase::Ended;
        self.table.values().filter(open).count()
    }

    /// How many are confirmed on a connection.
    pub(in crate::client) fn live(&self) -> usize {
        let live = |watcher: &&Watcher| matches!(watcher.phase, Phase::Live(_));
        self.table.values().filter(live).count()
    }
}
