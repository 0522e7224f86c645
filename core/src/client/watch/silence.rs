//! Watch connections on which nothing comes: quiet servers told from dead ones (guarantee G20, rule T-3).
//!
//! A server with nothing to say and one that is gone, frozen or cut off look the same. So a connection
//! that was silent for `Config::watch_idle_timeout` is asked for something that every server answers at
//! once, whatever it does: a further watch of a range that is watched on it, canceled with the same
//! breath. Any byte within `Config::watch_probe_timeout` will do; else the endpoint is left, and its watches
//! go on elsewhere.
//!
//! Not a request for progress, which newer servers leave unanswered while a watch catches up or begins in
//! the future, and some versions altogether. Nor a call beside it, which says nothing of this connection. A
//! member without a leader answers, but ends the connection by itself, as it is asked to by
//! `Config::require_leader` (gateway.md 7.6).
//!
//! On a connection of one watch with a complete request nothing can be asked; it is replaced after a
//! silence, which says nothing against its server and is no loss of the watch's.
//!
//! One timer for each connection, none for each watch; bytes that come only leave a note for it.

use core::time::Duration;

use super::Phase;
use super::WatchCarrier;
use super::watch_of;
use crate::api::Watch;
use crate::api::WatchFilter;
use crate::client::Client;
use crate::client::timer::Timer;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::CloseReason;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;

/// A timer is not armed for a shorter time, so that it cannot stay due.
const LEAST: Duration = Duration::from_millis(1);

/// After such a silence a connection on which nothing can be asked is replaced (rule T-3).
const SINGLE_IDLE: Duration = Duration::from_secs(300);

impl Client {
    /// A watch connection was opened: its silences count from now on.
    pub(in crate::client) fn listen(&mut self, now: Instant, id: ConnId) {
        let idle = self.config.watch_idle_timeout;
        let is_watched = |conn: &Conn| conn.lane == Lane::Watches;
        if self.conns.get(&id).is_some_and(is_watched) && !idle.is_zero() {
            self.arm_silence(id, now + idle.max(LEAST));
        }
    }

    /// Bytes came on a connection whose server was asked whether it is there.
    pub(in crate::client) fn probe_answered(&mut self, now: Instant, id: ConnId) {
        self.arm_silence(id, now + self.config.watch_idle_timeout.max(LEAST));
    }

    fn arm_silence(&mut self, id: ConnId, at: Instant) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if let Some(armed) = conn.silence_deadline.replace(at) {
            self.timers.disarm(armed, Timer::Silence(id));
        }
        self.timers.arm(at, Timer::Silence(id));
    }

    /// A connection was silent for long, or bytes came since its timer was armed.
    pub(in crate::client) fn silence_is_due(&mut self, now: Instant, id: ConnId) {
        let idle = self.config.watch_idle_timeout.max(LEAST);
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.silence_deadline = None;
        #[cfg(feature = "planted")]
        if self.config.planted == Some(crate::planted::Planted::SilenceTrusted) {
            return;
        }
        // We are the ones who do not read.
        let is_full = conn.full_streams > 0;
        let was_full = core::mem::replace(&mut conn.was_full, is_full);
        if is_full {
            conn.is_probed = false;
            return self.arm_silence(id, now + idle);
        }
        // We are again, since some time, and what it answers counts from then.
        let heard = conn.last_alive.max(conn.read_since);
        conn.is_probed &= !was_full;
        if conn.wire.is_one_watch() {
            let at = conn.endpoint;
            let until = heard + self.idle_of_single(at);
            return match now < until {
                true => self.arm_silence(id, until),
                false => self.conn_lost(now, id, CloseReason::Idle),
            };
        }
        let idle_until = heard + idle;
        if conn.is_probed {
            return self.conn_lost(now, id, CloseReason::Silent);
        }
        if now < idle_until {
            return self.arm_silence(id, idle_until);
        }
        match self.probe_of(id) {
            Some(watch) => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.is_probed = true;
                    conn.wire.probe(&watch);
                }
                self.tell_transmit(id);
                let timeout = self.config.watch_probe_timeout.max(LEAST);
                self.arm_silence(id, now + timeout);
            }
            // Nothing is watched yet: the server owes a confirmation, which has its own time.
            None => self.arm_silence(id, now + idle),
        }
    }

    /// How long a connection of one watch may be silent. Long, where it is certain that nothing else works;
    /// what only seems so has to be found wrong in time.
    fn idle_of_single(&self, at: EndpointIndex) -> Duration {
        let is_chosen = self.config.watch_carrier == WatchCarrier::Single;
        match is_chosen || self.watches.carriers.is_proven(at) {
            true => SINGLE_IDLE,
            false => {
                let probe = self.config.watch_probe_timeout;
                self.config.watch_idle_timeout.saturating_add(probe)
            }
        }
    }

    /// What every server would let this connection watch, and tell nothing of.
    fn probe_of(&self, id: ConnId) -> Option<Watch> {
        let streams = self.conns.get(&id)?.wire.streams();
        let mut watchers = streams
            .into_iter()
            .filter_map(|stream| self.watches.table.get(&watch_of(stream)));
        let live = watchers.find(|watcher| watcher.phase == Phase::Live(id))?;
        let filters = [WatchFilter::NoPut, WatchFilter::NoDelete];
        let mut range = live.request().range;
        self.config.namespace.enter_range(&mut range);
        let watch = Watch::new(range).with_progress_notify(false);
        Some(filters.into_iter().fold(watch, Watch::with_filter))
    }
}
