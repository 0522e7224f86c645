//! Snapshots and observations: from the command to the one end.
//!
//! Each has a connection of its own for as long as it lasts. A snapshot may be begun anew elsewhere
//! until its first bytes were delivered; after that a loss is its end, since no server can go on in
//! the middle of another one's store (semantics.md 2.20). An observation goes on across any loss.
//! `stream` holds one of them as its user sees it, `event` what it delivers.
//!
//! ```text
//!   snapshot ──► Waiting ──a connection is ordered──► On ──whole, broken, refused──► Ended
//!   observe         ▲                                 │                                ▲
//!                   └── lost, and may be asked again ─┴── lost, timed out, canceled ───┘
//! ```

mod event;
mod losses;
mod stream;

use std::collections::BTreeMap;
use std::collections::VecDeque;

pub use self::event::StreamEnd;
pub use self::event::StreamEvent;
pub(super) use self::losses::is_lasting;

use self::stream::Phase;
use self::stream::Stream;
use self::stream::What;
use super::Client;
use super::notice;
use super::options::CallOptions;
use super::output::Event;
use super::output::Output;
use super::timer::Timer;
use crate::api::Observe;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Limit;
use crate::error::SnapshotFault;
use crate::error::Status;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::StreamId;
use crate::time::Instant;
use crate::wire::Ask;
use crate::wire::StreamId as WireStream;
use crate::wire::Streamed;

/// None of them changes anything.
const APPLIED: Applied = Applied::No;

/// Every snapshot and observation of a client.
#[derive(Debug, Default)]
pub(super) struct Streams {
    table: BTreeMap<StreamId, Stream>,
    /// Those that wait for a connection, in their order.
    waiting: VecDeque<StreamId>,
}

impl Streams {
    /// How many have not ended.
    pub(super) fn open(&self) -> usize {
        let open = |stream: &&Stream| stream.phase != Phase::Ended;
        self.table.values().filter(open).count()
    }

    /// What all of them hold undelivered, in bytes.
    pub(super) fn held(&self) -> usize {
        self.table.values().map(Stream::queued_bytes).sum()
    }

    /// The lanes of all of them.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.table.values().map(Stream::lane)
    }
}

impl Client {
    /// Starts a snapshot of a member's whole store: of the member at `CallOptions::endpoint`, or of
    /// any. [`Event::Stream`](crate::Event::Stream) says when [`Client::poll_stream`] has something.
    ///
    /// Its end is `Done` once all of it came and has the checksum the server gave it; what was
    /// delivered may not be used before. It has to begin within `Config::read_timeout`, at another
    /// endpoint where one cannot be reached, and may then be silent for
    /// `Config::snapshot_idle_timeout`; with `CallOptions::timeout` it has a deadline as a whole, too.
    /// Once a part was delivered, a lost connection is its end.
    ///
    /// ```
    /// # use etcd_core::{CallOptions, Client, Config, Instant, Output};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let options = CallOptions::default().with_endpoint("http://etcd-2:2379".parse()?);
    /// let stream = client.snapshot(Instant::ZERO, options);
    /// let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
    /// assert_eq!(endpoint.host(), "etcd-2");
    /// assert!(client.poll_stream(stream).is_none());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "options are given away with the command, as with calls"
    )]
    pub fn snapshot(&mut self, now: Instant, options: CallOptions) -> StreamId {
        self.notices.handle_time(now);
        let at = options.endpoint.as_ref();
        let at = at.map(|endpoint| self.place_of(endpoint));
        let mut stream = Stream::new(What::Snapshot { at, bytes: 0 });
        stream.deadline = options.timeout.map(|timeout| now + timeout);
        let begin_by = now + self.config.read_timeout;
        stream.begin_by = Some(begin_by);
        let id = self.add_stream(stream, None);
        self.arm_stream(id, Some(begin_by));
        self.settle(now);
        id
    }

    /// Starts an observation of an election: who leads, and who leads next.
    ///
    /// It has no deadline, and tells nothing while nobody leads. It goes on across any loss of
    /// connections and servers until it is canceled or refused; a leader told again after that is
    /// dropped, and so is one that a member with old data tells.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Observe, Output};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let stream = client.observe(Instant::ZERO, Observe::new("el"));
    /// let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// client.handle_connected(Instant::ZERO, conn);
    /// assert!(client.transmit(conn).starts_with(b"POST /v3/election/observe HTTP/1.1\r\n"));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn observe(&mut self, now: Instant, observe: Observe) -> StreamId {
        self.notices.handle_time(now);
        let limit = self.config.limits.request_bytes;
        let limit = (observe.name.len() > limit).then_some(Limit::Request(limit));
        let what = What::Observation {
            request: observe,
            last: None,
            resumes: false,
        };
        let id = self.add_stream(Stream::new(what), limit);
        self.settle(now);
        id
    }

    /// Cancels a snapshot or an observation: nothing more comes from it but its end. An id that is
    /// not, or no longer, under way changes nothing.
    ///
    /// ```
    /// # use etcd_core::{CallOptions, Client, Config, Instant, StreamEnd, StreamEvent};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let stream = client.snapshot(Instant::ZERO, CallOptions::default());
    /// client.cancel_stream(Instant::ZERO, stream);
    /// assert_eq!(client.poll_stream(stream), Some(StreamEvent::End(StreamEnd::Canceled)));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn cancel_stream(&mut self, now: Instant, stream: StreamId) {
        self.notices.handle_time(now);
        let Some(entry) = self.streams.table.get_mut(&stream) else {
            return;
        };
        if entry.phase == Phase::Ended {
            return entry.keep_end();
        }
        entry.clear();
        self.break_off(now, stream, CloseReason::Canceled, StreamEnd::Canceled);
        self.settle(now);
    }

    /// What a snapshot or an observation has to deliver next. After the `End` it is forgotten.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Observe};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let stream = client.observe(Instant::ZERO, Observe::new("el"));
    /// assert_eq!(client.poll_stream(stream), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_stream(&mut self, stream: StreamId) -> Option<StreamEvent> {
        let entry = self.streams.table.get_mut(&stream)?;
        let event = entry.poll();
        if matches!(event, Some(StreamEvent::End(_))) {
            self.streams.table.remove(&stream);
        } else if entry.full && entry.queued_bytes() <= self.config.limits.stream_buffer_bytes / 2 {
            self.set_stream_full(stream, false);
        }
        event
    }

    /// Takes a stream into the table, ended where it cannot begin.
    fn add_stream(&mut self, stream: Stream, limit: Option<Limit>) -> StreamId {
        let id = StreamId::new(self.next_stream);
        self.next_stream += 1;
        let most = self.config.limits.streams;
        let full = self.streams.table.len() >= most;
        let limit = limit.or_else(|| full.then_some(Limit::Streams(most)));
        self.streams.table.insert(id, stream);
        if self.is_shut_down {
            self.end_stream(id, StreamEnd::Shutdown);
        } else if let Some(limit) = limit {
            let applied = APPLIED;
            self.end_stream(id, StreamEnd::Failed(Error::Limit { limit, applied }));
        } else {
            self.streams.waiting.push_back(id);
        }
        id
    }

    /// Orders connections for the streams that wait.
    pub(super) fn place_streams(&mut self, now: Instant) {
        let mut place = 0;
        while let Some(id) = self.streams.waiting.get(place).copied() {
            let lane = self.streams.table.get(&id).map(Stream::lane);
            let Some(lane) = lane.filter(|lane| self.may_open(*lane)) else {
                place += 1;
                continue;
            };
            let at = match lane {
                Lane::Snapshots(Some(at)) => at,
                _ => self.pick_for_stream(now, None),
            };
            match self.admit(now, at) {
                Ok(true) => {}
                Ok(false) => {
                    place += 1;
                    continue;
                }
                Err(error) => {
                    self.end_stream(id, StreamEnd::Failed(error));
                    continue;
                }
            }
            if !self.has_room(now) {
                return;
            }
            self.streams.waiting.remove(place);
            let conn = self.open_conn(now, lane, at);
            self.start_stream(id, conn);
        }
    }

    fn start_stream(&mut self, id: StreamId, conn_id: ConnId) {
        let Some(stream) = self.streams.table.get_mut(&id) else {
            return;
        };
        let Some(conn) = self.conns.get_mut(&conn_id) else {
            return;
        };
        match &stream.what {
            What::Snapshot { .. } => conn.wire.start(WireStream(id.get()), &Ask::Snapshot),
            What::Observation { request, .. } => {
                let mut request = request.clone();
                self.config.namespace.enter_key(&mut request.name);
                conn.wire
                    .start(WireStream(id.get()), &Ask::Observe(&request));
            }
        }
        // It may come from a connection that was lost while its user did not read.
        conn.full_streams = usize::from(stream.full);
        stream.phase = Phase::On(conn_id);
        stream.attempts = stream.attempts.saturating_add(1);
        self.stats.requests += 1;
        self.notices.note(|| notice::What::StreamAsked {
            stream: id,
            conn: conn_id,
            endpoint: self.endpoints.get(conn.endpoint).clone(),
            attempt: stream.attempts,
        });
    }

    /// A connection is open; from now on a snapshot on it is bounded by its silences.
    pub(super) fn stream_opened(&mut self, now: Instant, conn: ConnId) {
        self.stream_heard(now, conn);
    }

    /// The server said something on a connection.
    pub(super) fn stream_heard(&mut self, now: Instant, conn: ConnId) {
        let Some(conn) = self.conns.get(&conn) else {
            return;
        };
        if !matches!(conn.lane, Lane::Snapshots(_)) {
            return;
        }
        for stream in conn.wire.streams() {
            self.arm_stream(stream_of(stream), Some(now + self.idle_timeout()));
        }
    }

    /// At least a moment, so that the timer cannot stay due.
    fn idle_timeout(&self) -> core::time::Duration {
        let least = core::time::Duration::from_millis(1);
        self.config.snapshot_idle_timeout.max(least)
    }

    /// Sets when a stream's timer goes off: then, or at its deadline if that comes first.
    fn arm_stream(&mut self, id: StreamId, at: Option<Instant>) {
        let Some(stream) = self.streams.table.get_mut(&id) else {
            return;
        };
        if let Some(armed) = stream.armed.take() {
            self.timers.disarm(armed, Timer::Stream(id));
        }
        if stream.phase == Phase::Ended {
            return;
        }
        stream.was_full = stream.full;
        stream.armed = match (at, stream.deadline) {
            (Some(at), Some(deadline)) => Some(at.min(deadline)),
            (at, deadline) => at.or(deadline),
        };
        if let Some(at) = stream.armed {
            self.timers.arm(at, Timer::Stream(id));
        }
    }

    /// Whether a refused stream is asked for again with another token (rule A-5).
    fn stream_refused(
        &mut self,
        now: Instant,
        id: StreamId,
        at: EndpointIndex,
        token: u64,
        status: &Status,
    ) -> bool {
        let Some(stream) = self.streams.table.get(&id) else {
            return false;
        };
        let mut refreshes = stream.refreshes;
        let again = self.token_refused(now, at, token, status, &mut refreshes);
        if let Some(stream) = self.streams.table.get_mut(&id) {
            stream.refreshes = refreshes;
        }
        again
    }

    /// Puts a stream back in line, for the reason given.
    fn stream_again(&mut self, id: StreamId, cause: Cause) {
        let Some(stream) = self.streams.table.get_mut(&id) else {
            return;
        };
        self.stats.losses += 1;
        let why = || notice::Reason::of_cause(&cause);
        self.notices.note(|| notice::What::StreamLost {
            stream: id,
            why: why(),
        });
        stream.last_cause = Some(cause);
        stream.phase = Phase::Waiting;
        let begin_by = stream.begin_by;
        self.arm_stream(id, begin_by);
        self.streams.waiting.push_back(id);
    }

    /// The server said something of a stream.
    pub(super) fn stream_event(&mut self, now: Instant, stream: WireStream, said: Streamed) {
        let id = stream_of(stream);
        if let Streamed::Refused(status) = said {
            let conn = self.streams.table.get(&id).and_then(Stream::conn);
            let conn = conn.and_then(|conn| self.conns.get(&conn));
            let carried = conn.map(|conn| (conn.endpoint, conn.token));
            let again =
                carried.is_some_and(|(at, token)| self.stream_refused(now, id, at, token, &status));
            return match again {
                true => {
                    self.stream_again(id, Cause::ConnectionLost(CloseReason::Status(status)));
                }
                false => self.end_stream(id, StreamEnd::Failed(self.auth.error(status, APPLIED))),
            };
        }
        let Some(stream) = self.streams.table.get_mut(&id) else {
            return;
        };
        match said {
            Streamed::Chunk(chunk) => stream.handle_chunk(chunk),
            Streamed::Leader(mut leader) => {
                if let Err(foreign) = self.config.namespace.leave_observed(&mut leader) {
                    let (cause, applied) = (Cause::BadAnswer(foreign), APPLIED);
                    let end = StreamEnd::Failed(Error::Unavailable { cause, applied });
                    return self.break_off(now, id, CloseReason::Canceled, end);
                }
                let endpoint = stream.conn().and_then(|conn| self.conns.get(&conn));
                let Some(endpoint) = endpoint.map(|conn| conn.endpoint) else {
                    return;
                };
                #[cfg(feature = "planted")]
                if self.config.planted == Some(crate::planted::Planted::LeaderAgain) {
                    stream.plant_leader();
                }
                let handled = stream.handle_leader(leader, self.endpoints.get(endpoint));
                if handled.resumed {
                    self.notices.note(|| notice::What::StreamResumed {
                        stream: id,
                        endpoint: self.endpoints.get(endpoint).clone(),
                    });
                }
                self.stats.resumes += u64::from(handled.resumed);
                self.stats.events_dropped += u64::from(handled.dropped);
            }
            Streamed::Done(summary) => {
                let lane = stream.lane();
                self.gates.entry(lane).or_default().handle_success();
                return self.end_stream(id, StreamEnd::Done(summary));
            }
            Streamed::Broken(fault) => {
                // All of it came: the server answers, and the row of failures ends as with a good one.
                // A replay, which cannot tell the two apart, needs that as well.
                if matches!(fault, SnapshotFault::Checksum { .. }) {
                    let lane = stream.lane();
                    self.gates.entry(lane).or_default().handle_success();
                }
                return self.end_stream(id, StreamEnd::Failed(Error::Snapshot(fault)));
            }
            Streamed::Refused(_) => {}
        }
        stream.refreshes = super::auth::Refreshes::default();
        if stream.queued_bytes() > self.config.limits.stream_buffer_bytes {
            self.set_stream_full(id, true);
        }
        self.tell_stream(id);
    }

    /// Ends a stream on our side, and its connection with it.
    fn break_off(&mut self, now: Instant, id: StreamId, reason: CloseReason, end: StreamEnd) {
        let conn = self.streams.table.get(&id).and_then(Stream::conn);
        self.end_stream(id, end);
        let Some(conn_id) = conn else { return };
        if let Some(conn) = self.conns.get_mut(&conn_id) {
            if reason == CloseReason::Canceled {
                // So that the end of the connection is nobody's failure.
                let _ = conn.wire.cancel(WireStream(id.get()));
            }
        }
        self.conn_lost(now, conn_id, reason);
    }

    fn end_stream(&mut self, id: StreamId, end: StreamEnd) {
        let Some(stream) = self.streams.table.get_mut(&id) else {
            return;
        };
        if stream.phase == Phase::Ended {
            return;
        }
        if stream.phase == Phase::Waiting {
            self.streams.waiting.retain(|waiting| *waiting != id);
        }
        let why = || notice::Reason::of_stream(&end);
        self.notices.note(|| notice::What::StreamEnded {
            stream: id,
            why: why(),
        });
        stream.end(end);
        stream.full = false;
        self.arm_stream(id, None);
        self.tell_stream(id);
    }

    /// Tells the user once that a stream has something.
    fn tell_stream(&mut self, id: StreamId) {
        let stream = self.streams.table.get_mut(&id);
        if stream.is_some_and(Stream::poll_tell) {
            self.outputs.push_back(Output::Event(Event::Stream(id)));
        }
    }

    /// Takes note whether a stream holds all it may. While it does, its connection is not read.
    fn set_stream_full(&mut self, id: StreamId, full: bool) {
        let Some(stream) = self.streams.table.get_mut(&id) else {
            return;
        };
        if core::mem::replace(&mut stream.full, full) == full {
            return;
        }
        stream.was_full |= full;
        let held = stream.queued_bytes();
        let allowed = self.config.limits.stream_buffer_bytes;
        self.notices.note(|| match full {
            true => notice::What::StreamPaused {
                stream: id,
                held,
                allowed,
            },
            false => notice::What::StreamFlows {
                stream: id,
                held,
                allowed,
            },
        });
        let Some(conn_id) = stream.conn() else { return };
        let Some(conn) = self.conns.get_mut(&conn_id) else {
            return;
        };
        conn.full_streams = usize::from(full);
        if conn.is_open() {
            self.outputs.push_back(if full {
                Output::Pause(conn_id)
            } else {
                Output::Resume(conn_id)
            });
        }
    }

    pub(super) fn shutdown_streams(&mut self) {
        let all: Vec<StreamId> = self.streams.table.keys().copied().collect();
        for stream in all {
            self.end_stream(stream, StreamEnd::Shutdown);
        }
        self.streams.waiting.clear();
    }
}

const fn stream_of(stream: WireStream) -> StreamId {
    StreamId::new(stream.0)
}
