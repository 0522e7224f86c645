//! The machine users and drivers drive: commands and bytes in, bytes and events out.
//!
//! A [`Client`] has these kinds of methods:
//!
//! * commands of the user: `call`, `watch`, `snapshot`, `observe`, `cancel_*`, `request_progress`,
//!   `lease`, `keep_alive`, `release_lease`, `revoke_lease`, `set_credentials`, `shutdown`;
//! * `handle_*`: what happened outside, told by the driver;
//! * `poll_*`: what is to be done, taken by the driver; any number of inputs may go in before;
//! * getters: `transmit`, `lease_state`, `stats`.
//!
//! All state changes through the first two, all effects come out of the third, and time comes in
//! with every input. A driver is a loop:
//!
//! ```text
//!   1. take every poll_output: connect, send, close, pause, hand events to the user
//!   2. wait for the sockets, for a command, or until poll_timeout
//!   3. say what happened: handle_connected, handle_received, handle_written, …, handle_timeout
//! ```
//!
//! The client knows endpoints, connections, deadlines, attempts and positions; it knows no byte
//! format. `calls` holds unary calls and renewals, `watch` the watches, `streams` snapshots and
//! observations, `lease` the leases that are kept alive, `conns` the connections all of them run on,
//! `auth` the tokens they carry.

mod auth;
mod budget;
mod calls;
mod config;
mod conns;
mod counts;
pub(crate) mod endpoint;
mod evidence;
mod lease;
mod members;
pub mod notice;
mod options;
pub(crate) mod output;
mod pool;
mod prefix;
mod retry;
mod streams;
mod timer;
mod watch;

use std::collections::BTreeMap;
use std::collections::VecDeque;

pub use self::auth::Credentials;
pub use self::budget::RetryBudget;
pub use self::config::{Config, Limits};
pub use self::endpoint::Balance;
pub use self::endpoint::Endpoint;
pub use self::endpoint::Proxy;
pub use self::lease::{KeepAlive, LeaseEnd, LeaseEvent, LeasePhase, LeaseState};
pub use self::options::CallOptions;
pub use self::output::{Event, Output, Stats, WatchBatch, WatchEnd, WatchEvent};
pub use self::streams::{StreamEnd, StreamEvent};
pub use self::watch::{
    Compaction, KnownKeys, Lag, NoLeader, Overflow, ResyncBatch, Resynced, WatchCarrier,
    WatchOptions,
};

use self::auth::Auth;
use self::budget::Budget;
use self::calls::Calls;
use self::endpoint::Endpoints;
use self::evidence::Evidence;
use self::lease::Leases;
use self::members::Syncs;
use self::notice::Notices;
use self::notice::Wake;
use self::notice::What;
use self::pool::Gate;
use self::prefix::Prefixes;
use self::streams::Streams;
use self::timer::Timer;
use self::timer::Timers;
use self::watch::Watches;
use crate::codec::json::JsonLimits;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::CloseReason;
use crate::error::NetError;
use crate::id::ConnId;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::WireConfig;
use crate::wire::gateway::Gateway;

/// The whole client as one machine, without any IO.
///
/// ```
/// use etcd_core::{Call, Client, Config, Event, Instant, Output, Range};
///
/// let now = Instant::ZERO;
/// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, now);
///
/// // A command, and the order it leads to.
/// let call = client.call(now, Range::key("foo"));
/// let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
///
/// // The driver connects, and hands over what there is to send.
/// client.handle_connected(now, conn);
/// assert_eq!(client.poll_output(), Some(Output::Transmit(conn)));
/// let len = client.transmit(conn).len();
/// client.handle_written(now, conn, len);
///
/// // Bytes come back, in any pieces.
/// client.handle_received(now, conn, b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"kvs\":[{\"ke");
/// client.handle_received(now, conn, b"y\":\"Zm9v\"}]");
/// assert_eq!(client.poll_output(), None);
/// client.handle_received(now, conn, b"}");
///
/// let Some(Output::Event(Event::Answered { call: answered, result })) = client.poll_output() else {
///     panic!()
/// };
/// assert_eq!(answered, call);
/// let answer = Range::from_response((*result)?).expect("a range's answer");
/// assert_eq!(&answer.kvs[0].key[..], b"foo");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    config: Config,
    wire: WireConfig,
    rng: Rng,
    /// Where ids come from, apart from the above: a lease more leaves the waits as they were.
    ids: Rng,
    endpoints: Endpoints,
    evidence: Evidence,
    budget: Budget,
    /// Every connection, opening ones included.
    conns: BTreeMap<ConnId, Conn>,
    gates: BTreeMap<Lane, Gate>,
    timers: Timers,
    calls: Calls,
    watches: Watches,
    streams: Streams,
    leases: Leases,
    auth: Auth,
    prefixes: Prefixes,
    syncs: Syncs,
    notices: Notices,
    /// The newest moment it was told.
    now: Instant,
    outputs: VecDeque<Output>,
    stats: Stats,
    /// The number the next id gets, for each kind.
    next_conn: u64,
    next_call: u64,
    next_watch: u64,
    next_stream: u64,
    next_lease: u64,
    is_shut_down: bool,
}

impl Client {
    /// A client with nothing to do. It opens connections when there is something to do for them.
    ///
    /// From `seed` come the endpoint it begins with and the spread of its waits; give each client
    /// another one, and a test always the same. `now` is the driver's clock at this moment.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant};
    ///
    /// let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// assert!(client.poll_output().is_none());
    /// assert!(client.poll_timeout().is_none());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let gateway = Gateway::new()
            .with_prefix(config.api_prefix.clone())
            .with_require_leader(config.require_leader);
        let gateway = config
            .headers
            .iter()
            .fold(gateway, |gateway, (name, value)| {
                gateway.with_header(name.clone(), value.clone())
            });
        let mut http = config.limits.http.clone();
        http.body_bytes = config.limits.body_bytes;
        let json = JsonLimits {
            depth: config.limits.json_depth.min(config::MOST_JSON_DEPTH),
            frame_bytes: config.limits.frame_bytes,
        };
        let endpoints = Endpoints::new(config.endpoints.clone(), config.balance, rng.next_u64());
        let auth = Auth::new(
            config.credentials.clone(),
            &endpoints,
            config.proxy.as_ref(),
            now,
        );
        #[cfg(feature = "planted")]
        let auth = auth.with_planted(config.planted);
        let mut client = Self {
            budget: Budget::new(config.retry_budget, now),
            endpoints,
            wire: WireConfig {
                gateway,
                http,
                json,
                revision_bytes: config.limits.revision_bytes,
                #[cfg(feature = "planted")]
                planted: config.planted,
            },
            auth,
            notices: Notices::new(config.notices, config.limits.notices),
            config,
            rng,
            evidence: Evidence::default(),
            ids: Rng::new(!seed.rotate_left(32)),
            conns: BTreeMap::new(),
            gates: BTreeMap::new(),
            timers: Timers::default(),
            calls: Calls::default(),
            watches: Watches::default(),
            streams: Streams::default(),
            leases: Leases::default(),
            prefixes: Prefixes::default(),
            syncs: Syncs::default(),
            now,
            outputs: VecDeque::new(),
            stats: Stats::default(),
            next_conn: 1,
            next_call: 1,
            next_watch: 1,
            next_stream: 1,
            next_lease: 1,
            is_shut_down: false,
        };
        client.arm_sync(now);
        client
    }

    /// Ends everything: calls with `Unavailable`, watches, snapshots, observations and leases that are
    /// kept alive with `Shutdown`, connections are closed.
    /// Later commands end at once in the same way.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Watch, WatchEnd, WatchEvent};
    ///
    /// let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::key("k"));
    /// client.shutdown(Instant::ZERO);
    /// assert_eq!(client.poll_watch(watch), Some(WatchEvent::End(WatchEnd::Shutdown)));
    /// assert_eq!(client.poll_timeout(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn shutdown(&mut self, now: Instant) {
        self.notices.handle_time(now);
        self.is_shut_down = true;
        self.shutdown_leases();
        self.shutdown_calls();
        self.shutdown_watches();
        self.shutdown_streams();
        while let Some((id, conn)) = self.conns.pop_first() {
            self.stats.connections_open -= u64::from(conn.is_open());
            self.outputs.push_back(Output::Close(id));
            self.note_conn_gone(id, &conn, &CloseReason::Shutdown);
        }
        self.gates.clear();
        self.timers.clear();
    }

    /// The connection is open.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// client.handle_connected(Instant::ZERO, conn);
    /// assert_eq!(client.stats().connections_open, 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_connected(&mut self, now: Instant, conn: ConnId) {
        if self.conns.contains_key(&conn) {
            self.wake(now);
            self.conn_opened(now, conn);
            self.settle(now);
        }
    }

    /// The connection could not be opened. The client tries the next endpoint.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, NetError, NetErrorKind, Output, Put};
    /// # let config = Config::new(["127.0.0.1:2379", "127.0.0.1:22379"])?;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// let Some(Output::Connect { conn, endpoint }) = client.poll_output() else { panic!() };
    /// let error = NetError::new(NetErrorKind::Refused, "connection refused");
    /// client.handle_connect_failed(Instant::ZERO, conn, error);
    ///
    /// assert_eq!(client.poll_output(), Some(Output::Close(conn)));
    /// let Some(Output::Connect { endpoint: next, .. }) = client.poll_output() else { panic!() };
    /// assert_ne!(next, endpoint);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_connect_failed(&mut self, now: Instant, conn: ConnId, error: NetError) {
        if self.conns.contains_key(&conn) {
            self.wake(now);
            self.connect_failed(now, conn, error);
            self.settle(now);
        }
    }

    /// Bytes came. They are borrowed; what must be kept is copied.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// # client.handle_connected(Instant::ZERO, conn);
    /// client.handle_received(Instant::ZERO, conn, b"HTTP/1.1 200 OK\r\n");
    /// assert_eq!(client.stats().bytes_in, 17);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        if !self.is_open(conn) {
            return;
        }
        // Before what has come is looked at (rule L-12).
        self.wake(now);
        let Some(open) = self.conns.get_mut(&conn) else {
            return;
        };
        self.stats.bytes_in = self.stats.bytes_in.saturating_add(bytes.len() as u64);
        open.last_alive = now;
        open.was_heard |= !bytes.is_empty();
        let was_probed = core::mem::take(&mut open.is_probed);
        open.wire.handle_received(bytes);
        if was_probed {
            self.probe_answered(now, conn);
        }
        self.drain_wire(now, conn);
        self.settle(now);
    }

    /// The server will send nothing more: a read gave 0 bytes.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// client.handle_connected(Instant::ZERO, conn);
    /// client.handle_eof(Instant::ZERO, conn);
    /// assert_eq!(client.stats().connections_open, 0);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_eof(&mut self, now: Instant, conn: ConnId) {
        if !self.is_open(conn) {
            return;
        }
        self.wake(now);
        if let Some(open) = self.conns.get_mut(&conn) {
            open.wire.handle_eof();
        }
        self.drain_wire(now, conn);
        self.conn_lost(now, conn, CloseReason::PeerClosed);
        self.settle(now);
    }

    /// The socket took `len` bytes of [`Client::transmit`].
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// # client.handle_connected(Instant::ZERO, conn);
    /// let before = client.transmit(conn).len();
    /// client.handle_written(Instant::ZERO, conn, 5);
    /// assert_eq!(client.transmit(conn).len(), before - 5);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_written(&mut self, now: Instant, conn: ConnId, len: usize) {
        let _ = now;
        if let Some(open) = self.conns.get_mut(&conn).filter(|conn| conn.is_open()) {
            let len = len.min(open.transmit().len());
            self.stats.bytes_out = self.stats.bytes_out.saturating_add(len as u64);
            open.handle_written(len);
        }
    }

    /// A read or write failed: the connection is gone.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, NetError, NetErrorKind, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// client.handle_connected(Instant::ZERO, conn);
    /// let error = NetError::new(NetErrorKind::Reset, "connection reset by peer");
    /// client.handle_closed(Instant::ZERO, conn, error);
    /// assert_eq!(client.stats().connections_open, 0);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_closed(&mut self, now: Instant, conn: ConnId, error: NetError) {
        let Some(is_open) = self.conns.get(&conn).map(Conn::is_open) else {
            return;
        };
        if !is_open {
            return self.handle_connect_failed(now, conn, error);
        }
        self.wake(now);
        self.conn_lost(now, conn, CloseReason::Net(error));
        self.settle(now);
    }

    /// Time has passed: does whatever is due at `now`.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use etcd_core::{Client, Config, Event, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// while let Some(due) = client.poll_timeout() {
    ///     client.handle_timeout(due);
    /// }
    /// # let ended = std::iter::from_fn(|| client.poll_output())
    /// #     .filter(|output| matches!(output, Output::Event(Event::Answered { .. })));
    /// assert_eq!(ended.count(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) {
        self.wake(now);
        while let Some(timer) = self.timers.fire(now) {
            self.stats.wake_ups += 1;
            self.notices.note(|| What::Woke(Wake::of(timer)));
            match timer {
                Timer::Call(call) => self.call_timed_out(now, call),
                Timer::Again(call) => self.call_again(now, call),
                Timer::Patience(call) => self.server_is_silent(now, call),
                Timer::Lease => self.leases_are_due(),
                Timer::Connect(conn) => self.connect_timed_out(now, conn),
                Timer::Created(conn) => self.created_timed_out(now, conn),
                Timer::Sync => self.sync_is_due(now),
                Timer::Login => self.login_is_due(),
                Timer::Silence(conn) => self.silence_is_due(now, conn),
                Timer::Progress(conn) => self.progress_is_owed(now, conn),
                Timer::SlowWatches(conn) => self.slow_watches_are_due(conn),
                Timer::WatchesBack => self.watches_are_back(),
                Timer::Lag => self.look_for_lags(now),
                Timer::Resync(watch) => self.resync_is_due(watch),
                Timer::WatchOpen(watch) => self.watch_open_timed_out(now, watch),
                Timer::Stream(stream) => self.stream_timed_out(now, stream),
                #[cfg(feature = "planted")]
                Timer::Retry(_)
                    if self.config.planted == Some(crate::planted::Planted::GateNeverOpens) => {}
                Timer::Retry(lane) => {
                    if let Some(gate) = self.gates.get_mut(&lane) {
                        gate.handle_timeout();
                    }
                }
            }
            self.settle(now);
            #[cfg(feature = "planted")]
            if self.config.planted == Some(crate::planted::Planted::TimerStaysDue) {
                return self.timers.arm(now, Timer::Login);
            }
        }
    }

    /// The next thing to do, if there is any. It only takes from a queue: whether it is called after
    /// each input or after several makes no difference to what comes.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// assert!(matches!(client.poll_output(), Some(Output::Connect { .. })));
    /// assert!(client.poll_output().is_none());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Client::handle_timeout`] at the latest, if nothing happens before.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use etcd_core::{Client, Config, Instant, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// assert_eq!(client.poll_timeout(), Some(Instant::ZERO + Duration::from_secs(2)));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.soonest()
    }

    /// What the connection has to send, lent; empty for an unknown connection.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Put};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// assert!(client.transmit(conn).is_empty(), "it is not open yet");
    /// client.handle_connected(Instant::ZERO, conn);
    /// assert!(client.transmit(conn).ends_with(br#"{"key":"aw==","value":"dg=="}"#));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn transmit(&self, conn: ConnId) -> &[u8] {
        self.conns.get(&conn).map_or(&[], Conn::transmit)
    }

    /// What it was made with.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether it was never asked for anything. Other credentials do not count.
    pub(crate) fn is_new(&self) -> bool {
        let ids = [
            self.next_conn,
            self.next_call,
            self.next_watch,
            self.next_stream,
            self.next_lease,
        ];
        ids == [1; 5] && !self.is_shut_down
    }

    fn is_open(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(Conn::is_open)
    }

    /// Before anything that an input does.
    fn wake(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.wake_leases(now);
    }

    /// Does what the last input made possible: hands out connections, opens new ones.
    fn settle(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.is_shut_down {
            return;
        }
        self.finish_lease_calls(now);
        self.wake_leases(now);
        self.finish_login(now);
        self.finish_sync(now);
        self.probe(now);
        self.ask_for_leader(now);
        self.finish_resyncs(now);
        self.place_resyncs(now);
        self.place_calls(now);
        self.place_renewals(now);
        self.place_watches(now);
        self.place_streams(now);
        if self.login_started() | self.prefix_was_asked() {
            self.place_calls(now);
        }
        // Of those that cannot be sent.
        while self.finish_resyncs(now) {
            self.place_resyncs(now);
            self.place_calls(now);
        }
        self.finish_lease_calls(now);
        self.arm_leases();
        self.note_waits();
    }
}
