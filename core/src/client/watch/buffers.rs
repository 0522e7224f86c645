//! What watches hold undelivered, and which connections are not read because of it.
//!
//! Each watch has its bound, and all together have one. A watch that passes either is full, and while one
//! on it is full a connection is not read (rule W-12, guarantee G17). Where it holds up others it makes way
//! (`aside`). What is in the queue is not known here.

use super::Overflow;
use super::Watcher;
use super::passed;
use crate::api::KvEvent;
use crate::api::ResponseHeader;
use crate::client::Client;
use crate::client::output::Output;
use crate::client::output::WatchEnd;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::Error;
use crate::error::Limit;
use crate::id::WatchId;
use crate::time::Instant;

impl Client {
    /// All events of one revision came for a watch.
    pub(super) fn take_in(
        &mut self,
        now: Instant,
        watch: WatchId,
        header: ResponseHeader,
        mut events: Vec<KvEvent>,
    ) {
        let inside = self.config.namespace.leave_events(&mut events);
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        if let Err(foreign) = inside {
            let (cause, applied) = (Cause::BadAnswer(foreign), Applied::No);
            self.leave_watch_conn(now, watch);
            let error = Error::Unavailable { cause, applied };
            return self.end_watch(watch, WatchEnd::Failed(error));
        }
        let before = watcher.queued_bytes();
        if let Some(event) = events.first() {
            self.evidence.handle_revision(event.kv.mod_revision);
        }
        self.stats.events_dropped += watcher.handle_revision(header, events);
        let limits = &self.config.limits;
        if watcher.queued_bytes() > limits.watch_buffer_bytes {
            watcher.coalesce();
        }
        let held = watcher.queued_bytes();
        self.watches.queued_bytes = self.watches.queued_bytes + held - before;
        let squeezed = self.watches.queued_bytes > limits.all_watch_buffers_bytes;
        self.watches.squeezed |= squeezed;
        let known = limits.known_keys_bytes;
        if watcher.known_bytes() > known {
            self.leave_watch_conn(now, watch);
            return self.end_watch(watch, passed(Limit::KnownKeys(known)));
        }
        let limit = limits.watch_buffer_bytes;
        #[cfg(feature = "planted")]
        let limit = match self.config.planted {
            Some(crate::planted::Planted::UnboundedBuffer) => usize::MAX,
            _ => limit,
        };
        if held > limit && watcher.options.overflow == Overflow::Cancel {
            let next = watcher.position().next();
            self.leave_watch_conn(now, watch);
            return self.end_watch(watch, WatchEnd::Lagged { next });
        }
        if held > limit || (squeezed && held > before) {
            self.note_full(watch, true);
            self.set_full(watch, true);
        }
        self.tell_watch(watch);
    }

    /// Lets go on what was held up because all watches together held too much, once they hold half.
    pub(super) fn release_squeezed(&mut self) {
        let limits = &self.config.limits;
        if !self.watches.squeezed || self.watches.queued_bytes > limits.all_watch_buffers_bytes / 2
        {
            return;
        }
        self.watches.squeezed = false;
        let half = limits.watch_buffer_bytes / 2;
        let may_go_on = |watcher: &Watcher| watcher.full && watcher.queued_bytes() <= half;
        let table = self.watches.table.iter();
        let free = table.filter(|(_, watcher)| may_go_on(watcher));
        for watch in free.map(|(watch, _)| *watch).collect::<Vec<_>>() {
            self.note_full(watch, false);
            self.set_full(watch, false);
        }
    }

    /// Takes note whether a watch holds all it may. While one on it does, a connection is not read.
    pub(super) fn set_full(&mut self, watch: WatchId, full: bool) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        if core::mem::replace(&mut watcher.full, full) == full {
            return;
        }
        let Some(id) = watcher.conn() else {
            return self.comes_back(watch);
        };
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let was_full = conn.full_streams > 0;
        conn.was_full |= full;
        if full {
            conn.full_streams += 1;
        } else {
            conn.full_streams -= 1;
        }
        let is_full = conn.full_streams > 0;
        if was_full && !is_full {
            conn.read_since = self.now;
        }
        #[cfg(feature = "planted")]
        if self.config.planted == Some(crate::planted::Planted::NeverResumed) && !is_full {
            return;
        }
        if conn.is_open() && was_full != is_full {
            let output = if is_full {
                Output::Pause(id)
            } else {
                Output::Resume(id)
            };
            self.outputs.push_back(output);
        }
        self.time_slow_watches(id);
    }

    /// A watch is off its connection without our doing: what it held up there goes on. It still
    /// holds all it may, and will hold up the connection it comes to.
    pub(super) fn set_full_elsewhere(&mut self, watch: WatchId) {
        if self
            .watches
            .table
            .get(&watch)
            .is_some_and(|watcher| watcher.full)
        {
            self.set_full(watch, false);
            if let Some(watcher) = self.watches.table.get_mut(&watch) {
                watcher.full = true;
            }
        }
    }
}
