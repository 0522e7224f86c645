//! A watch that is not read harms itself only (guarantee G18).
//!
//! While a watch on it is full a connection is not read, so its neighbours wait. After
//! `Config::slow_watch_after` the full ones make way: they are canceled there, and wait aside until their
//! user has read enough. Then each goes on at its position over a connection of its own, on which it holds
//! up nobody, and stays alone until its end. What the server sends for it in between is passed over by the
//! carrier: the position knows nothing of it, so nothing is lost or repeated.
//!
//! Where there is no room for a further connection, a full watch stays where it is.

use core::time::Duration;

use super::Phase;
use super::watch_of;
use crate::client::Client;
use crate::client::notice::What;
use crate::client::timer::Timer;
use crate::conn::Conn;
use crate::error::CloseReason;
use crate::id::ConnId;
use crate::id::WatchId;
use crate::wire::CancelStep;
use crate::wire::StreamId;

impl Client {
    /// Sees to it that full watches make way in time, if there is anybody they hold up.
    pub(super) fn time_slow_watches(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let holds_up = conn.full_streams > 0 && conn.full_streams < conn.wire.watches();
        match conn.slow_deadline {
            Some(at) if !holds_up => {
                conn.slow_deadline = None;
                self.timers.disarm(at, Timer::SlowWatches(id));
            }
            None if holds_up => {
                // At least a moment, so that the timer cannot stay due.
                let after = self.config.slow_watch_after.max(Duration::from_nanos(1));
                let at = self.now + after;
                conn.slow_deadline = Some(at);
                self.timers.arm(at, Timer::SlowWatches(id));
            }
            _ => {}
        }
    }

    /// The neighbours of full watches have waited long enough.
    pub(in crate::client) fn slow_watches_are_due(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.slow_deadline = None;
        #[cfg(feature = "planted")]
        if self.config.planted == Some(crate::planted::Planted::SlowStalls) {
            return;
        }
        if self.is_crowded() && self.calls.first_idle().is_none() {
            return;
        }
        let is_full = |watch: &WatchId| {
            let watcher = self.watches.table.get(watch);
            watcher.is_some_and(|watcher| watcher.full)
        };
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let watches = conn.wire.watches();
        let streams = conn.wire.streams().into_iter().map(watch_of);
        let full: Vec<_> = streams.filter(is_full).collect();
        // Those they held up may be gone.
        if full.len() < watches {
            for watch in full {
                self.set_aside(watch, id);
            }
        }
    }

    /// Takes a full watch off a connection on which others are.
    fn set_aside(&mut self, watch: WatchId, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if conn.wire.cancel(StreamId(watch.get())) == CancelStep::Done {
            self.tell_transmit(id);
        }
        self.set_full_elsewhere(watch);
        if let Some(watcher) = self.watches.table.get_mut(&watch) {
            watcher.phase = Phase::Aside;
            watcher.alone = true;
        }
        self.notices.note(|| What::WatchSetAside { watch });
    }

    /// The user of a watch has read enough. If it was set aside, it waits for a connection of its own, which
    /// is ordered by a timer that is due at once: a user who reads tells no time.
    pub(super) fn comes_back(&mut self, watch: WatchId) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        if !watcher.waits_for_room() || watcher.full {
            return;
        }
        if self.watches.back.is_empty() {
            let at = self.now + Duration::from_nanos(1);
            self.timers.arm(at, Timer::WatchesBack);
        }
        self.watches.back.push(watch);
    }

    /// Watches whose users have read enough are to be placed.
    pub(in crate::client) fn watches_are_back(&mut self) {
        self.make_room_for_shared();
        for watch in core::mem::take(&mut self.watches.back) {
            self.resync_has_room(watch);
            // It may have been canceled.
            let found = self.watches.table.get_mut(&watch);
            if let Some(watcher) = found.filter(|watcher| watcher.phase == Phase::Aside) {
                watcher.phase = Phase::Waiting;
                self.watches.waiting.push_back(watch);
            }
        }
    }

    /// Watches that do not share connections may have left none to others. Once sharing is to be tried again
    /// one of them makes way for that.
    fn make_room_for_shared(&mut self) {
        if self.watches.waiting.is_empty() || !self.is_crowded() {
            return;
        }
        let now = self.now;
        let makes_way =
            |conn: &Conn| conn.wire.is_one_watch() && !self.watches_go_singly(now, conn.endpoint);
        let found = self.conns.iter().find(|(_, conn)| makes_way(conn));
        if let Some(id) = found.map(|(id, _)| *id) {
            self.conn_lost(now, id, CloseReason::Idle);
        }
    }

    /// Whether a watch is to have a connection of its own, and can.
    pub(super) fn goes_alone(&self, watch: WatchId) -> bool {
        let watcher = self.watches.table.get(&watch);
        let is_alone = watcher.is_some_and(|watcher| watcher.alone);
        is_alone && (!self.is_crowded() || self.calls.first_idle().is_some())
    }
}
