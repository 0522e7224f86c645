//! The watches of a client: where they are placed, and what happens to them.
//!
//! A watch waits until a connection has room for it, is confirmed there, and waits again when the
//! connection is lost, at the position its rules gave it (`position`). Many share a connection; a new
//! one is opened only when all are full. `watcher` holds one watch as its user sees it, `progress` asks
//! servers how far they are, `buffers` bounds what is held, `losses` says what ends a watch,
//! `aside` keeps one that is not read from holding up others, `silence` tells quiet servers from dead ones,
//! `behind` leaves those that know less than the watch, `lag` tells of watches that hear less than they should. `resync` reads the range of one whose next revision
//! was compacted, by `listing`, `compaction` and `resynced`. `carrier` knows where
//! watches cannot share a connection.
//!
//! ```text
//!   watch ──► Waiting ──placed──► Creating ──confirmed──► Live ──┐
//!                ▲                    │                     │    │ canceled, compacted,
//!                ├── connection lost ─┴─────────────────────┤    │ refused, shut down
//!                ├── read ── Aside ◄── held up its neighbours ┤  Ended ──its end polled──► gone
//!                └── all told ── Resyncing ◄── compacted ─────┘
//! ```

mod aside;
mod behind;
mod buffers;
mod carrier;
mod compaction;
mod lag;
mod listing;
mod losses;
mod merged;
mod noted;
mod options;
#[cfg(feature = "planted")]
mod planted;
mod position;
mod progress;
mod resync;
mod resynced;
mod silence;
mod watcher;

use std::collections::BTreeMap;
use std::collections::VecDeque;

pub use self::carrier::WatchCarrier;
pub use self::compaction::{Compaction, KnownKeys};
pub use self::options::Lag;
pub use self::options::NoLeader;
pub use self::options::Overflow;
pub use self::options::WatchOptions;
pub use self::resynced::{ResyncBatch, Resynced};

use self::carrier::Carriers;
use self::lag::Lags;
use self::resync::Resyncs;
use self::watcher::Phase;
use self::watcher::Watcher;
use super::Client;
use super::notice::Reason;
use super::notice::What;
use super::output::Event;
use super::output::Output;
use super::output::WatchEnd;
use super::output::WatchEvent;
use super::timer::Timer;
use crate::api::Watch;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Limit;
use crate::error::Misuse;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::WatchId;
use crate::time::Instant;
use crate::wire::Ask;
use crate::wire::CancelStep;
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
    /// Those that were set aside and are to be placed by a timer.
    back: Vec<WatchId>,
    /// Those that read their range after a compaction.
    pub(super) resyncs: Resyncs,
    /// Where they do not share connections.
    carriers: Carriers,
    /// Those that are to be told when they are behind.
    pub(super) lags: Lags,
}

impl Watches {
    /// Forgets what it knows of endpoints that are not kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(EndpointIndex) -> bool) {
        self.carriers.keep(is_kept);
    }
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
        self.watch_with(now, watch, WatchOptions::default())
    }

    /// As [`Client::watch`], with options.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Overflow, Watch, WatchOptions};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let options = WatchOptions::default().with_overflow(Overflow::CoalesceByKey);
    /// let watch = client.watch_with(Instant::ZERO, Watch::prefix("/gauges/"), options);
    /// assert!(client.poll_watch(watch).is_none());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn watch_with(
        &mut self,
        now: Instant,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> WatchId {
        self.notices.handle_time(now);
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
        } else if options.known_bytes() > self.config.limits.known_keys_bytes {
            let limit = self.config.limits.known_keys_bytes;
            Some(passed(Limit::KnownKeys(limit)))
        } else {
            None
        };
        let deadline = now + self.config.read_timeout;
        if options.lag.is_some() {
            self.watches.lags.add(id);
        }
        let watcher = Watcher::new(watch, options, deadline);
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
        self.notices.handle_time(now);
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

    /// The highest revision of which it is known that every change of the range up to it was taken from
    /// [`Client::poll_watch`], or is not matched (rule W-28). `None` before there is one, and once its end was
    /// taken. It never falls, and may be above the last change: progress moves it, too.
    ///
    /// It is the barrier for a read from a copy that a watch keeps up to date: ask for the revision of the
    /// store ([`Range::with_count_only`](crate::Range::with_count_only)), and wait until this has come to it,
    /// with [`Client::request_progress`] where the range is quiet: more than once, as a member may be behind, and
    /// before 3.4.25 and 3.5.8 a server's answer says no more than what was delivered.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Watch};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::key("k"));
    /// assert_eq!(client.certified(watch), None);
    /// // What came before the start is not awaited.
    /// let watch = client.watch(Instant::ZERO, Watch::key("k").with_start_revision(8));
    /// assert_eq!(client.certified(watch), Some(7));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn certified(&self, watch: WatchId) -> Option<i64> {
        let certified = self.watches.table.get(&watch)?.certified();
        (certified > 0).then_some(certified)
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
                self.note_full(watch, false);
                self.set_full(watch, false);
            }
        }
        self.release_squeezed();
        event
    }

    /// Gives waiting watches to connections with room, and opens further ones for the rest.
    pub(super) fn place_watches(&mut self, now: Instant) {
        let most = self.config.max_watches_per_connection.max(1);
        let mut place = 0;
        while let Some(watch) = self.watches.waiting.get(place).copied() {
            let alone = self.goes_alone(watch);
            let avoids = self.avoided_by(watch);
            let has_room = |conn: &Conn| {
                conn.lane == Lane::Watches
                    && !alone
                    && !conn.is_alone
                    && Some(conn.endpoint) != avoids
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
                    let at = self.pick_for_stream(now, avoids);
                    self.admit(now, at).map(|go| {
                        let go = go && self.has_room(now);
                        go.then(|| self.open_conn(now, Lane::Watches, at))
                    })
                }
                // Others may find room where it does not look.
                None if alone => {
                    place += 1;
                    continue;
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
            if let Some(conn) = self.conns.get_mut(&conn).filter(|_| alone) {
                conn.is_alone = true;
            }
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
        let mut request = watcher.request();
        self.config.namespace.enter_range(&mut request.range);
        conn.wire
            .start(StreamId(watch.get()), &Ask::Watch(&request));
        watcher.phase = Phase::Creating(conn_id);
        watcher.rests = false;
        self.notices.note(|| What::WatchAsked {
            watch,
            conn: conn_id,
            endpoint: self.endpoints.get(conn.endpoint).clone(),
            from: watcher.position().next(),
        });
        self.stats.requests += 1;
        if core::mem::take(&mut watcher.full) {
            self.set_full(watch, true);
        }
        self.time_slow_watches(conn_id);
        if self
            .conns
            .get(&conn_id)
            .is_some_and(|conn| conn.created_deadline.is_none())
        {
            self.arm_created(now, conn_id);
        }
        self.tell_transmit(conn_id);
    }

    /// Whether a connection for watches to an endpoint carries only one.
    pub(super) fn watches_go_singly(&self, now: Instant, at: EndpointIndex) -> bool {
        match self.config.watch_carrier {
            WatchCarrier::Shared => self.watches.carriers.is_single(now, at),
            WatchCarrier::Single => true,
        }
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

    /// The server said something about watches.
    pub(super) fn watch_event(&mut self, now: Instant, conn: ConnId, event: WireEvent) {
        // It may have left the connection by something that came with this.
        if self.has_left(conn, &event) {
            return;
        }
        match event {
            WireEvent::Created { stream, revision } => {
                self.watch_created(now, conn, watch_of(stream), revision);
            }
            WireEvent::Events {
                stream,
                header,
                events,
            } => self.take_in(now, watch_of(stream), header, events),
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
            WireEvent::Answered { .. } | WireEvent::PassedOver | WireEvent::Streamed { .. } => {}
        }
    }

    /// Whether something is about a watch that is not on this connection any more.
    fn has_left(&self, conn: ConnId, event: &WireEvent) -> bool {
        let (WireEvent::Created { stream, .. }
        | WireEvent::Events { stream, .. }
        | WireEvent::Progress { stream, .. }
        | WireEvent::Ended { stream, .. }) = event
        else {
            return false;
        };
        let watcher = self.watches.table.get(&watch_of(*stream));
        watcher.is_none_or(|watcher| watcher.conn() != Some(conn))
    }

    fn watch_created(&mut self, now: Instant, conn: ConnId, watch: WatchId, revision: i64) {
        if self.is_behind(now, conn, watch, revision) {
            return;
        }
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        watcher.phase = Phase::Live(conn);
        watcher.live_since = now;
        watcher.refreshes = super::auth::Refreshes::default();
        if let Some(conn) = self.conns.get(&conn) {
            self.auth.handle_taken(conn);
            if !conn.wire.is_one_watch() {
                self.watches.carriers.handle_other(conn.endpoint);
            }
        }
        if watcher.was_created() {
            if let Some(conn) = self.conns.get(&conn) {
                watcher.handle_resumed(self.endpoints.get(conn.endpoint).clone());
                self.notices.note(|| What::WatchResumed {
                    watch,
                    endpoint: self.endpoints.get(conn.endpoint).clone(),
                    from: watcher.position().next(),
                });
            }
            self.stats.resumes += 1;
        } else {
            watcher.handle_created(revision);
            if let Some(conn) = self.conns.get(&conn) {
                self.notices.note(|| What::WatchCreated {
                    watch,
                    endpoint: self.endpoints.get(conn.endpoint).clone(),
                    revision,
                });
            }
        }
        if let Some(deadline) = watcher.open_deadline.take() {
            self.timers.disarm(deadline, Timer::WatchOpen(watch));
        }
        let wants_progress = watcher.wants_progress;
        self.tell_watch(watch);
        if wants_progress {
            self.ask_for_progress(now, conn);
        }
    }

    /// Takes a watch off its connection, or out of the line.
    fn leave_watch_conn(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get(&watch) else {
            return;
        };
        if watcher.phase == Phase::Resyncing {
            return self.leave_resync(now, watch);
        }
        let Some(conn_id) = watcher.conn() else {
            return self.watches.waiting.retain(|waiting| *waiting != watch);
        };
        self.set_full(watch, false);
        let Some(conn) = self.conns.get_mut(&conn_id) else {
            return;
        };
        match conn.wire.cancel(StreamId(watch.get())) {
            CancelStep::CloseConnection => self.conn_lost(now, conn_id, CloseReason::Canceled),
            CancelStep::Done => {
                self.time_slow_watches(conn_id);
                self.tell_transmit(conn_id);
            }
        }
    }

    fn end_watch(&mut self, watch: WatchId, end: WatchEnd) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        if let Some(deadline) = watcher.open_deadline.take() {
            self.timers.disarm(deadline, Timer::WatchOpen(watch));
        }
        self.watches.lags.remove(watch);
        let why = || Reason::of_watch(&end);
        self.notices.note(|| What::WatchEnded { watch, why: why() });
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

    pub(super) fn shutdown_watches(&mut self) {
        self.watches.waiting.clear();
        self.watches.resyncs.clear();
        self.watches.lags.clear();
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
