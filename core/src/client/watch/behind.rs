//! Servers that are behind what a watch already saw (guarantee G21).
//!
//! A confirmation tells the store's revision. Below what the watch delivered, the server lags, or its store
//! was restored from an older one: there the watch would wait in silence, and a restored store would fill
//! the same revisions with other changes. So the watch leaves that server for another one, or asks it
//! again after the wait of a lost connection; its neighbours stay. If every answer is like that for
//! [`PATIENCE`], the revisions it delivered are no longer the cluster's, and its end says so.

use core::time::Duration;

use super::Phase;
use crate::client::Client;
use crate::client::notice::Reason;
use crate::client::output::WatchEnd;
use crate::error::CloseReason;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::WatchId;
use crate::time::Instant;
use crate::wire::CancelStep;
use crate::wire::StreamId;

/// For so long servers that are behind may lag, before that is the end of the watch.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// Whether a server that confirmed a watch at `revision` is behind what the watch saw. Then it was left.
    pub(super) fn is_behind(
        &mut self,
        now: Instant,
        id: ConnId,
        watch: WatchId,
        revision: i64,
    ) -> bool {
        let at = self.conns.get(&id).map(|conn| conn.endpoint);
        let (Some(watcher), Some(at)) = (self.watches.table.get_mut(&watch), at) else {
            return false;
        };
        let seen = watcher.seen();
        if revision >= seen {
            watcher.behind_since = None;
            watcher.avoids = None;
            return false;
        }
        let since = *watcher.behind_since.get_or_insert(now);
        if now - since >= PATIENCE {
            let server = revision;
            self.leave_watch_conn(now, watch);
            self.end_watch(watch, WatchEnd::RevisionWentBack { seen, server });
            return true;
        }
        watcher.avoids = Some(at);
        watcher.rests = true;
        self.set_full_elsewhere(watch);
        if let Some(watcher) = self.watches.table.get_mut(&watch) {
            watcher.phase = Phase::Waiting;
            self.watches.waiting.push_back(watch);
        }
        self.watches_are_behind(now, at);
        let why = || Reason::Behind {
            known: seen,
            seen: revision,
        };
        self.note_watch_lost(watch, Some(at), why);
        let step = self.conns.get_mut(&id).map(|conn| {
            let stream = StreamId(watch.get());
            conn.wire.cancel(stream)
        });
        match step {
            Some(CancelStep::CloseConnection) => self.conn_lost(now, id, CloseReason::Canceled),
            _ => self.tell_transmit(id),
        }
        self.time_slow_watches(id);
        true
    }

    /// The endpoint a watch does not go back to while there are others.
    pub(super) fn avoided_by(&self, watch: WatchId) -> Option<EndpointIndex> {
        let watcher = self.watches.table.get(&watch)?;
        watcher.avoids.filter(|_| self.endpoints.configured() > 1)
    }
}
