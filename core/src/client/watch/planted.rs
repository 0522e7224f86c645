//! Bugs on purpose in what happens to watches, where they take more than a line.

use super::Phase;
use super::lag::Behind;
use crate::api::Range;
use crate::client::Client;
use crate::client::output::WatchEnd;
use crate::error::CloseReason;
use crate::error::ProtocolError;
use crate::id::WatchId;
use crate::planted::Planted;
use crate::time::Instant;
use crate::wire::Ended;

impl Client {
    pub(super) fn plant_cancel(&mut self, now: Instant, watch: WatchId) {
        let next = WatchId::new(watch.get() + 1);
        let is_live =
            |watch: &super::Watcher| !matches!(watch.phase, Phase::Ended | Phase::Waiting);
        let is_live = self.watches.table.get(&next).is_some_and(is_live);
        if self.config.planted == Some(Planted::CancelsNeighbour) && is_live {
            self.leave_watch_conn(now, next);
            self.end_watch(next, WatchEnd::Canceled);
        }
    }

    pub(super) fn plant_progress(&mut self, revision: i64) {
        if self.config.planted == Some(Planted::ProgressOfAnother) {
            for watcher in self.watches.table.values_mut() {
                if watcher.phase != Phase::Ended {
                    watcher.handle_progress(revision);
                }
            }
        }
    }

    /// The revision a compacted watch wanted; none if it goes on.
    pub(super) fn plant_compacted(
        &mut self,
        watch: WatchId,
        next: i64,
        why: &Ended,
    ) -> Option<i64> {
        let Ended::Compacted { compact_revision } = why else {
            return Some(next);
        };
        match self.config.planted {
            Some(Planted::SkipCompacted) => {
                let watcher = self.watches.table.get_mut(&watch)?;
                watcher.plant_next(*compact_revision);
                None
            }
            Some(Planted::CompactedElsewhere) => Some(next - 1),
            _ => Some(next),
        }
    }

    /// The page of a range that is asked for.
    pub(super) fn plant_page(&self, page: Range) -> Range {
        match self.config.planted {
            Some(Planted::ResyncUnpinned) => page.with_revision(0),
            _ => page,
        }
    }

    /// Whether a watch that is behind is told so at once.
    pub(super) fn plant_lag(&mut self, watch: WatchId) -> bool {
        let watcher = self.watches.table.get_mut(&watch);
        let is_planted = self.config.planted == Some(Planted::LagTooEarly);
        let Some(watcher) = watcher.filter(|_| is_planted) else {
            return false;
        };
        if let Some(shown) = watcher.behind.as_mut().map(Behind::plant_told) {
            watcher.tell_lag(shown);
            self.tell_watch(watch);
        }
        true
    }

    /// Whether that was all for a watch whose connection was lost.
    pub(super) fn plant_lost(&mut self, watch: WatchId, reason: &CloseReason) -> bool {
        let ended = CloseReason::Protocol(ProtocolError::StreamEnded);
        let is_clean =
            matches!(reason, CloseReason::PeerClosed | CloseReason::Unanswered) || *reason == ended;
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return false;
        };
        match self.config.planted {
            Some(Planted::CleanEndCompletes) if is_clean => {
                self.end_watch(watch, WatchEnd::Canceled);
                true
            }
            Some(Planted::CreateForgotten) if matches!(watcher.phase, Phase::Creating(_)) => {
                watcher.phase = Phase::Waiting;
                watcher.was_created()
            }
            _ => false,
        }
    }
}
