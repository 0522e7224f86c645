//! The watches of a client: where they are placed, and what happens to them.
//!
//! A watch waits until a connection has room for it, is confirmed there, and waits again when the
//! connection is lost, at the position its rules gave it (`position`). Many share a connection; a new
//! one is opened only when all are full. `watcher` holds one watch as its user sees it, `progress` asks
//! servers how far they are.
//!
//! ```text
//!   watch ──► Waiting ──placed──► Creating ──confirmed──► Live ──┐
//!                ▲                    │                     │    │ canceled, compacted,
//!                └── connection lost ─┴─────────────────────┘    │ refused, shut down
//!                                                              Ended ──its end polled──► gone
//! ```

#[cfg(feature = "planted")]
mod planted;
mod position;
mod progress;
mod watcher;

use std::collections::BTreeMap;
use std::collections::VecDeque;

use self::watcher::Phase;
use self::watcher::Watcher;
use super::Client;
use super::output::Event;
use super::output::Output;
use super::output::WatchEnd;
use super::output::WatchEvent;
use super::timer::Timer;
use crate::api::Watch;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Code;
use crate::error::Error;
use crate::error::Known;
use crate::error::Limit;
use crate::error::Misuse;
use crate::error::Phase as WaitedFor;
use crate::error::Status;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::WatchId;
use crate::time::Instant;
use crate::wire::Ask;
use crate::wire::CancelStep;
use crate::wire::Ended;
use crate::wire::StreamId;
use crate::wire::WireEvent;

/// Every watch of a client.
#[derive(Debug, Default)]
pub(super) struct Watches {
    table: BTreeMap<WatchId, Watcher>,
    /// Those that wait for a place, in their order.
    waiting: VecDeque<WatchId>,
    /// What all of them hold undelivered.
    queued_bytes: usize,
    /// That became too much, and has not become half of it since.
    squeezed: bool,
}

impl Client {
    /// Starts a watch. [`Event::Watch`](crate::Event::Watch) says when
    /// [`Client::poll_watch`] has something; the first is `Created`.
    ///
    /// It goes on across any loss of connections and servers, without a gap and without a repeat,
    /// until it ends with a reason. If no server confirms it within `Config::read_timeout`, that is
    /// its end.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Watch};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::prefix("/services/").with_prev_kv());
    /// assert!(matches!(client.poll_output(), Some(Output::Connect { .. })));
    /// assert!(client.poll_watch(watch).is_none());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn watch(&mut self, now: Instant, watch: impl Into<Watch>) -> WatchId {
        let watch = watch.into();
        let id = WatchId::new(self.next_watch);
        self.next_watch += 1;
        let limit = self.config.limits.watches;
        let end = if self.is_shut_down {
            Some(WatchEnd::Shutdown)
        } else if watch.range.key.is_empty() {
            Some(WatchEnd::Failed(Error::Misuse(Misuse::EmptyKey)))
        } else if self.watches.table.len() >= limit {
            Some(passed(Limit::Watches(limit)))
        } else {
            None
        };
        let deadline = now + self.config.read_timeout;
        let watcher = Watcher::new(watch, deadline);
        #[cfg(feature = "planted")]
        let watcher = watcher.with_planted(self.config.planted);
        self.watches.table.insert(id, watcher);
        self.timers.arm(deadline, Timer::WatchOpen(id));
        match end {
            Some(end) => self.end_watch(id, end),
            None => self.watches.waiting.push_back(id),
        }
        self.settle(now);
        id
    }

    /// Cancels a watch: nothing more comes from it but its end, the one it had already if that is all
    /// that was not read. An id that is not, or no longer, watched changes nothing.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Watch, WatchEnd, WatchEvent};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::key("k"));
    /// client.cancel_watch(Instant::ZERO, watch);
    /// assert_eq!(client.poll_watch(watch), Some(WatchEvent::End(WatchEnd::Canceled)));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn cancel_watch(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let held = watcher.queued_bytes();
        let has_ended = watcher.phase == Phase::Ended;
        if has_ended {
            watcher.keep_end();
        } else {
            watcher.clear();
        }
        self.watches.queued_bytes -= held;
        self.release_squeezed();
        if has_ended {
            return;
        }
        #[cfg(feature = "planted")]
        self.plant_cancel(now, watch);
        self.leave_watch_conn(now, watch);
        self.end_watch(watch, WatchEnd::Canceled);
        self.settle(now);
    }

    /// What a watch has to deliver next. After the `End` it is forgotten.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Watch};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::key("k"));
    /// assert_eq!(client.poll_watch(watch), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_watch(&mut self, watch: WatchId) -> Option<WatchEvent> {
        let watcher = self.watches.table.get_mut(&watch)?;
        let before = watcher.queued_bytes();
        let event = watcher.poll();
        let held = watcher.queued_bytes();
        let is_full = watcher.full;
        self.watches.queued_bytes -= before - held;
        if matches!(event, Some(WatchEvent::End(_))) {
            self.watches.table.remove(&watch);
        } else if is_full {
            let half = held <= self.config.limits.watch_buffer_bytes / 2;
            // Where others hold too much, one that is read to its end goes on all the same.
            if half && (held == 0 || !self.watches.squeezed) {
                self.set_full(watch, false);
            }
        }
        self.release_squeezed();
        event
    }

    /// Lets go on what was held up because all watches together held too much, once they hold half.
    fn release_squeezed(&mut self) {
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
            self.set_full(watch, false);
        }
    }

    /// Gives waiting watches to connections with room, and opens further ones for the rest.
    pub(super) fn place_watches(&mut self, now: Instant) {
        let most = self.config.max_watches_per_connection.max(1);
        let mut place = 0;
        while let Some(watch) = self.watches.waiting.get(place).copied() {
            let has_room = |conn: &Conn| {
                conn.lane == Lane::Watches
                    && conn.wire.free(most) > 0
                    && self.auth.is_current(now, conn)
            };
            let found = self
                .conns
                .iter()
                .find(|(_, conn)| has_room(conn))
                .map(|(id, conn)| (*id, conn.endpoint));
            let may_open = self.may_open(Lane::Watches);
            let rests = |watcher: &Watcher| watcher.rests;
            let conn = match found {
                Some(_) if !may_open && self.watches.table.get(&watch).is_some_and(rests) => {
                    place += 1;
                    continue;
                }
                Some((conn, at)) => self.admit(now, at).map(|_| Some(conn)),
                None if may_open => {
                    let at = self.pick_for_stream(now);
                    self.admit(now, at).map(|go| {
                        let go = go && self.has_room(now);
                        go.then(|| self.open_conn(now, Lane::Watches, at))
                    })
                }
                None => return,
            };
            let conn = match conn {
                Ok(Some(conn)) => conn,
                Ok(None) => return,
                Err(error) => {
                    self.watches.waiting.remove(place);
                    self.end_watch(watch, WatchEnd::Failed(error));
                    continue;
                }
            };
            self.watches.waiting.remove(place);
            self.start_watch(now, watch, conn);
        }
    }

    fn start_watch(&mut self, now: Instant, watch: WatchId, conn_id: ConnId) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let Some(conn) = self.conns.get_mut(&conn_id) else {
            return;
        };
        conn.wire
            .start(StreamId(watch.get()), &Ask::Watch(&watcher.request()));
        watcher.phase = Phase::Creating(conn_id);
        watcher.rests = false;
        self.stats.requests += 1;
        if core::mem::take(&mut watcher.full) {
            self.set_full(watch, true);
        }
        if self
            .conns
            .get(&conn_id)
            .is_some_and(|conn| conn.created_deadline.is_none())
        {
            self.arm_created(now, conn_id);
        }
        self.tell_transmit(conn_id);
    }

    /// Gives the server of an open connection time to confirm what it has not confirmed yet.
    pub(super) fn arm_created(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if let Some(deadline) = conn.created_deadline.take() {
            self.timers.disarm(deadline, Timer::Created(id));
        }
        if conn.is_open() && conn.wire.is_creating() {
            // At least a moment, so that the timer cannot stay due.
            let timeout = self
                .config
                .watch_created_timeout
                .max(core::time::Duration::from_millis(1));
            conn.created_deadline = Some(now + timeout);
            self.timers.arm(now + timeout, Timer::Created(id));
        }
    }

    /// Each confirmation gives the server time anew for the next one.
    pub(super) fn rearm_created(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let answered = conn.wire.answered_creates();
        if core::mem::replace(&mut conn.answered_creates, answered) != answered {
            self.arm_created(now, id);
        }
    }

    /// The server owes a confirmation for too long: another connection may do better.
    pub(super) fn created_timed_out(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.created_deadline = None;
        if conn.full_streams > 0 {
            // It may have confirmed; we are the ones who do not read.
            return self.arm_created(now, id);
        }
        self.conn_lost(now, id, CloseReason::NotCreated);
    }

    /// No server confirmed the watch in time.
    pub(super) fn watch_open_timed_out(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get(&watch) else {
            return;
        };
        // What waits for a token waits for the login, which is among the calls.
        let for_token = watcher.conn().is_none() && self.auth.is_awaited();
        let lane = if for_token {
            Lane::Calls
        } else {
            Lane::Watches
        };
        let refused = self
            .gates
            .get(&lane)
            .and_then(|gate| gate.last_error.clone());
        let applied = Applied::No;
        let error = match (
            watcher.conn().and_then(|conn| self.conns.get(&conn)),
            refused,
        ) {
            (Some(conn), _) if conn.is_open() => Error::Timeout {
                phase: WaitedFor::Answer,
                applied,
            },
            (_, Some(error)) => Error::Unavailable {
                cause: Cause::ConnectFailed(error),
                applied,
            },
            (_, None) if for_token => Error::Timeout {
                phase: WaitedFor::Token,
                applied,
            },
            (None, None) if self.is_crowded() => self.no_room(applied),
            (_, None) => Error::Timeout {
                phase: WaitedFor::Connect,
                applied,
            },
        };
        self.leave_watch_conn(now, watch);
        self.end_watch(watch, WatchEnd::Failed(error));
    }

    /// The server said something about watches.
    pub(super) fn watch_event(&mut self, now: Instant, conn: ConnId, event: WireEvent) {
        match event {
            WireEvent::Created { stream, revision } => {
                self.watch_created(now, conn, watch_of(stream), revision);
            }
            WireEvent::Events {
                stream,
                header,
                events,
            } => {
                let watch = watch_of(stream);
                let Some(watcher) = self.watches.table.get_mut(&watch) else {
                    return;
                };
                let before = watcher.queued_bytes();
                if let Some(event) = events.first() {
                    self.evidence.handle_revision(event.kv.mod_revision);
                }
                self.stats.events_dropped += watcher.handle_revision(header, events);
                let held = watcher.queued_bytes();
                let limits = &self.config.limits;
                self.watches.queued_bytes += held - before;
                let squeezed = self.watches.queued_bytes > limits.all_watch_buffers_bytes;
                self.watches.squeezed |= squeezed;
                let limit = limits.watch_buffer_bytes;
                #[cfg(feature = "planted")]
                let limit = match self.config.planted {
                    Some(crate::planted::Planted::UnboundedBuffer) => usize::MAX,
                    _ => limit,
                };
                if held > limit || (squeezed && held > before) {
                    self.set_full(watch, true);
                }
                self.tell_watch(watch);
            }
            WireEvent::Progress { stream, revision } => {
                let watch = watch_of(stream);
                #[cfg(feature = "planted")]
                self.plant_progress(revision);
                if let Some(watcher) = self.watches.table.get_mut(&watch) {
                    watcher.handle_progress(revision);
                    self.tell_watch(watch);
                }
            }
            WireEvent::ProgressOfAll { streams, revision } => {
                self.progress_of_all(conn, streams, revision);
            }
            WireEvent::Ended { stream, why } => self.watch_ended(now, watch_of(stream), why),
            WireEvent::Answered { .. } | WireEvent::Streamed { .. } => {}
        }
    }

    fn watch_created(&mut self, now: Instant, conn: ConnId, watch: WatchId, revision: i64) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        watcher.phase = Phase::Live(conn);
        watcher.live_since = now;
        watcher.refreshes = super::auth::Refreshes::default();
        if let Some(conn) = self.conns.get(&conn) {
            self.auth.handle_taken(conn);
        }
        if watcher.was_created() {
            if let Some(conn) = self.conns.get(&conn) {
                watcher.handle_resumed(self.endpoints.get(conn.endpoint).clone());
            }
            self.stats.resumes += 1;
        } else {
            watcher.handle_created(revision);
            if let Some(deadline) = watcher.open_deadline.take() {
                self.timers.disarm(deadline, Timer::WatchOpen(watch));
            }
        }
        let wants_progress = watcher.wants_progress;
        self.tell_watch(watch);
        if wants_progress {
            self.ask_for_progress(now, conn);
        }
    }

    fn watch_ended(&mut self, now: Instant, watch: WatchId, why: Ended) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        watcher.rests = why == Ended::Silently;
        let (next, live_since) = (watcher.position().next(), watcher.live_since);
        let was_live = matches!(watcher.phase, Phase::Live(_));
        let conn = watcher.conn().and_then(|conn| self.conns.get(&conn));
        let carried = conn.map(|conn| (conn.endpoint, conn.token));
        let about_token = match (&why, carried) {
            (Ended::Refused(status), Some((at, token))) => {
                self.watch_refused(now, watch, at, token, status)
            }
            _ => false,
        };
        self.set_full_elsewhere(watch);
        #[cfg(feature = "planted")]
        let Some(next) = self.plant_compacted(watch, next, &why) else {
            return self.wait_again(watch);
        };
        match why {
            Ended::Compacted { compact_revision } => {
                self.end_watch(
                    watch,
                    WatchEnd::Compacted {
                        compact_revision,
                        next,
                    },
                );
            }
            Ended::Refused(_) if about_token => {
                self.wait_again(watch);
                // A server that confirms and then refuses would be asked without end.
                if was_live {
                    self.watch_was_dropped(now, live_since);
                }
            }
            Ended::Refused(status) => self.end_watch(watch, self.refused(status)),
            Ended::TooLarge(limit) => self.end_watch(watch, passed(limit)),
            // A close of the server's own, whatever its grounds (rule W-15).
            Ended::Silently => {
                self.wait_again(watch);
                self.watch_was_dropped(now, live_since);
            }
        }
    }

    /// A connection is gone; `conn` was taken out of the table.
    pub(super) fn watches_lost(&mut self, now: Instant, conn: &Conn, reason: &CloseReason) {
        for stream in conn.wire.streams() {
            let watch = watch_of(stream);
            #[cfg(feature = "planted")]
            if self.plant_lost(watch, reason) {
                continue;
            }
            let again = matches!(reason, CloseReason::Status(status)
                if self.watch_refused(now, watch, conn.endpoint, conn.token, status));
            match self.lasting(reason) {
                Some(end) if !again => self.end_watch(watch, end),
                _ => self.wait_again(watch),
            }
        }
    }

    /// Whether a refused watch is asked for again with another token (rule A-5).
    fn watch_refused(
        &mut self,
        now: Instant,
        watch: WatchId,
        at: EndpointIndex,
        token: u64,
        status: &Status,
    ) -> bool {
        let found = self.watches.table.get(&watch);
        let Some(mut refreshes) = found.map(|watcher| watcher.refreshes) else {
            return false;
        };
        let again = self.token_refused(now, at, token, status, &mut refreshes);
        if let Some(watcher) = self.watches.table.get_mut(&watch) {
            watcher.refreshes = refreshes;
        }
        again
    }

    /// The end of a watch whose connection ended so, if trying again would not help (rule W-19).
    fn lasting(&self, reason: &CloseReason) -> Option<WatchEnd> {
        match reason {
            CloseReason::Status(status) => match status.code {
                Code::INVALID_ARGUMENT
                | Code::PERMISSION_DENIED
                | Code::NOT_FOUND
                | Code::UNIMPLEMENTED => Some(self.refused(status.clone())),
                _ if status.needs_new_token() => Some(self.refused(status.clone())),
                _ => None,
            },
            // The watch whose revision it was has ended with it; the others go on.
            CloseReason::Limit(Limit::Revision(_)) => None,
            CloseReason::Limit(limit) => Some(passed(*limit)),
            _ => None,
        }
    }

    fn refused(&self, status: Status) -> WatchEnd {
        if status.known() == Some(Known::PermissionDenied) || status.code == Code::PERMISSION_DENIED
        {
            return WatchEnd::PermissionDenied(status);
        }
        WatchEnd::Failed(self.auth.error(status, Applied::No))
    }

    fn wait_again(&mut self, watch: WatchId) {
        if let Some(watcher) = self.watches.table.get_mut(&watch) {
            watcher.phase = Phase::Waiting;
            self.watches.waiting.push_back(watch);
        }
    }

    /// Takes a watch off its connection, or out of the line.
    fn leave_watch_conn(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get(&watch) else {
            return;
        };
        let Some(conn_id) = watcher.conn() else {
            return self.watches.waiting.retain(|waiting| *waiting != watch);
        };
        self.set_full(watch, false);
        let Some(conn) = self.conns.get_mut(&conn_id) else {
            return;
        };
        match conn.wire.cancel(StreamId(watch.get())) {
            CancelStep::CloseConnection => self.conn_lost(now, conn_id, CloseReason::Canceled),
            CancelStep::Done => self.tell_transmit(conn_id),
        }
    }

    fn end_watch(&mut self, watch: WatchId, end: WatchEnd) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        if let Some(deadline) = watcher.open_deadline.take() {
            self.timers.disarm(deadline, Timer::WatchOpen(watch));
        }
        watcher.end(end);
        self.tell_watch(watch);
    }

    /// Tells the user once that a watch has something.
    fn tell_watch(&mut self, watch: WatchId) {
        if self
            .watches
            .table
            .get_mut(&watch)
            .is_some_and(Watcher::poll_tell)
        {
            self.outputs.push_back(Output::Event(Event::Watch(watch)));
        }
    }

    /// Takes note whether a watch holds all it may. While one on it does, a connection is not read.
    fn set_full(&mut self, watch: WatchId, full: bool) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        if core::mem::replace(&mut watcher.full, full) == full {
            return;
        }
        let Some(id) = watcher.conn() else { return };
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let was_full = conn.full_streams > 0;
        if full {
            conn.full_streams += 1;
        } else {
            conn.full_streams -= 1;
        }
        let is_full = conn.full_streams > 0;
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
    }

    /// A watch is off its connection without our doing: what it held up there goes on. It still
    /// holds all it may, and will hold up the connection it comes to.
    fn set_full_elsewhere(&mut self, watch: WatchId) {
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

    pub(super) fn shutdown_watches(&mut self) {
        self.watches.waiting.clear();
        let live =
            |(id, watcher): (&WatchId, &Watcher)| (watcher.phase != Phase::Ended).then_some(*id);
        for watch in self
            .watches
            .table
            .iter()
            .filter_map(live)
            .collect::<Vec<_>>()
        {
            self.end_watch(watch, WatchEnd::Shutdown);
        }
    }
}

const fn watch_of(stream: StreamId) -> WatchId {
    WatchId::new(stream.0)
}

const fn passed(limit: Limit) -> WatchEnd {
    WatchEnd::Failed(Error::Limit {
        limit,
        applied: Applied::No,
    })
}
