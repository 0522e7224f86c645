//! What a client does by itself, told as data: attempts, waits, changes of endpoints, connections, tokens,
//! what becomes of watches, streams and leases, and why it woke up (rule R-10, guarantee G47).
//!
//! With `Config::notices` each of them is a [`Notice`], taken with
//! [`Client::poll_notice`](crate::Client::poll_notice); without it none is made. Nothing a client does
//! depends on whether they are made or taken. No notice has a key, a value, the name of a user, a token, or
//! a text of a server's that is not one of etcd's own: of such a text only its code is told.
//!
//! `reason` says why something failed or ended, `show` is all of it as text, `queue` keeps notices until
//! they are taken, `ids` says what one is about, `told` is what the client says of itself.

mod ids;
mod kinds;
mod queue;
mod reason;
mod show;
mod told;

pub use self::kinds::{Choice, EndpointReason, EndpointState, Owner, Use, WaitsFor, Wake};
pub(in crate::client) use self::queue::Notices;
pub use self::reason::{Reason, Refusal};

use core::time::Duration;

use super::endpoint::Endpoint;
use crate::api::Rpc;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::KeepAliveId;
use crate::id::StreamId;
use crate::id::WatchId;
use crate::time::Instant;

/// Something a client did by itself, or found out. `to_string()` is one plain line of it.
///
/// ```
/// use etcd_core::notice::What;
/// use etcd_core::{Client, Config, Instant, Put};
///
/// let mut config = Config::new(["http://127.0.0.1:2379"])?;
/// config.notices = true;
/// let mut client = Client::new(config, 1, Instant::ZERO);
/// client.call(Instant::ZERO, Put::new("k", "v"));
///
/// let notice = client.poll_notice().expect("a connection was ordered");
/// assert!(matches!(notice.what, What::ConnOrdered { .. }));
/// assert_eq!(notice.to_string(), "conn 1: opening to http://127.0.0.1:2379 for calls");
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What happened.
///
/// ```
/// use etcd_core::notice::{WaitsFor, What};
/// use etcd_core::{Client, Config, Instant, Put};
///
/// let mut config = Config::new(["http://127.0.0.1:2379"])?;
/// config.notices = true;
/// let mut client = Client::new(config, 1, Instant::ZERO);
/// let asked = client.call(Instant::ZERO, Put::new("k", "v"));
/// let told = std::iter::from_fn(|| client.poll_notice()).map(|notice| notice.what);
/// let waits = What::CallWaits { call: asked, waits_for: WaitsFor::Connection };
/// assert!(told.into_iter().any(|what| what == waits));
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A call is sent (rule R-10).
    AttemptBegun {
        /// Which call.
        call: CallId,
        /// What it asks for.
        rpc: Rpc,
        /// Who wants it: the client makes calls of its own, too.
        owner: Owner,
        /// Which attempt of it this is, counted from 1.
        attempt: u32,
        /// On which connection.
        conn: ConnId,
        /// Where.
        endpoint: Endpoint,
        /// Why there.
        choice: Choice,
        /// Why again: what ended the attempt before. None for the first one.
        again: Option<Reason>,
    },
    /// A call was answered, and the answer is its outcome.
    AttemptAnswered {
        /// Which call.
        call: CallId,
        /// Which attempt of it.
        attempt: u32,
        /// Who answered.
        endpoint: Endpoint,
        /// How long after it was given to its connection.
        took: Duration,
    },
    /// An attempt of a call came to nothing.
    AttemptFailed {
        /// Which call.
        call: CallId,
        /// Which attempt of it.
        attempt: u32,
        /// Where.
        endpoint: Endpoint,
        /// Why.
        why: Reason,
        /// When the next one is made, at the earliest; none if the call has ended with this.
        next: Option<Instant>,
    },
    /// A call cannot be sent, or not sent again, at once.
    CallWaits {
        /// Which call.
        call: CallId,
        /// For what.
        waits_for: WaitsFor,
    },
    /// Every endpoint failed for something, so its next connection is ordered later.
    HeldBack {
        /// What the connection would be for.
        used_for: Use,
        /// Until when.
        until: Instant,
    },
    /// These are the endpoints from now on, as the user or the cluster's list of members says (rule B-9).
    EndpointsSet {
        /// All of them.
        endpoints: Vec<Endpoint>,
    },
    /// What is known of a configured endpoint has changed (rules B-2 to B-4).
    EndpointChanged {
        /// Which one.
        endpoint: Endpoint,
        /// What it was in.
        from: EndpointState,
        /// What it is in.
        to: EndpointState,
        /// Why.
        why: EndpointReason,
    },
    /// A connection was ordered.
    ConnOrdered {
        /// Its name from now on.
        conn: ConnId,
        /// Where to.
        endpoint: Endpoint,
        /// What for.
        used_for: Use,
    },
    /// A connection is open.
    ConnOpened {
        /// Which one.
        conn: ConnId,
        /// Where to.
        endpoint: Endpoint,
        /// How long that took.
        took: Duration,
    },
    /// A connection was given up before it was open.
    ConnFailed {
        /// Which one.
        conn: ConnId,
        /// Where to.
        endpoint: Endpoint,
        /// Why.
        why: Reason,
    },
    /// A connection was closed, or lost.
    ConnClosed {
        /// Which one.
        conn: ConnId,
        /// Where to.
        endpoint: Endpoint,
        /// Why.
        why: Reason,
    },
    /// A token is asked for.
    LoginBegun {
        /// By this call.
        call: CallId,
        /// For requests to this endpoint.
        endpoint: Endpoint,
    },
    /// A token came.
    LoginDone,
    /// None came.
    LoginFailed {
        /// Why.
        why: Reason,
    },
    /// The next login for those who wait is made later: the last one failed, or gave a token that nobody took
    /// (guarantee G39).
    LoginWaits {
        /// Until when.
        until: Instant,
    },
    /// A watch is asked for, for the first time or again.
    WatchAsked {
        /// Which watch.
        watch: WatchId,
        /// On which connection.
        conn: ConnId,
        /// Where.
        endpoint: Endpoint,
        /// From this revision on; 0 is from now on.
        from: i64,
    },
    /// A server confirmed a watch for the first time.
    WatchCreated {
        /// Which watch.
        watch: WatchId,
        /// Which one.
        endpoint: Endpoint,
        /// At which revision of its store.
        revision: i64,
    },
    /// A server confirmed a watch that goes on.
    WatchResumed {
        /// Which watch.
        watch: WatchId,
        /// Which one.
        endpoint: Endpoint,
        /// From this revision on.
        from: i64,
    },
    /// A watch is on no connection any more, and is asked for again.
    WatchLost {
        /// Which watch.
        watch: WatchId,
        /// Where it was.
        endpoint: Endpoint,
        /// It goes on from this revision; 0 is from now on.
        next: i64,
        /// Why.
        why: Reason,
    },
    /// What a watch had to deliver next was compacted, and it reads its range instead (rule W-16).
    WatchReads {
        /// Which watch.
        watch: WatchId,
        /// The revision it wanted.
        next: i64,
        /// The oldest one that is left, as the server told; 0 if it did not.
        compact_revision: i64,
    },
    /// A watch that reads its range waits before its next page, as the last one did not come.
    WatchRests {
        /// Which watch.
        watch: WatchId,
        /// Until when.
        until: Instant,
    },
    /// A watch is behind what other answers of its member show (rule T-4).
    WatchLagging {
        /// Which watch.
        watch: WatchId,
        /// Everything up to this revision was delivered.
        certified: i64,
        /// What the member showed.
        server: i64,
    },
    /// A watch is not read in time: its connection is not read any more, so the server has to wait (rule
    /// W-12).
    WatchPaused {
        /// Which watch.
        watch: WatchId,
        /// The bytes it holds; less than it may where all watches together hold too much.
        held: usize,
        /// The bytes it may hold: `Limits::watch_buffer_bytes`.
        allowed: usize,
    },
    /// A watch was read, so its connection is read again.
    WatchFlows {
        /// Which watch.
        watch: WatchId,
        /// The bytes it holds.
        held: usize,
        /// The bytes it may hold.
        allowed: usize,
    },
    /// A watch that is not read was taken off a connection on which it held up others (guarantee G18). It
    /// goes on over one of its own once it is read.
    WatchSetAside {
        /// Which watch.
        watch: WatchId,
    },
    /// A watch has ended.
    WatchEnded {
        /// Which watch.
        watch: WatchId,
        /// Why.
        why: Reason,
    },
    /// A snapshot or an observation is asked for, for the first time or again.
    StreamAsked {
        /// Which one.
        stream: StreamId,
        /// On which connection.
        conn: ConnId,
        /// Where.
        endpoint: Endpoint,
        /// Which attempt this is, counted from 1.
        attempt: u32,
    },
    /// An observation goes on over another connection.
    StreamResumed {
        /// Which one.
        stream: StreamId,
        /// Where.
        endpoint: Endpoint,
    },
    /// A snapshot or an observation has lost its connection, and is asked for again.
    StreamLost {
        /// Which one.
        stream: StreamId,
        /// Why.
        why: Reason,
    },
    /// A snapshot or an observation is not read in time: its connection is not read any more.
    StreamPaused {
        /// Which one.
        stream: StreamId,
        /// The bytes it holds.
        held: usize,
        /// The bytes it may hold: `Limits::stream_buffer_bytes`.
        allowed: usize,
    },
    /// A snapshot or an observation was read, so its connection is read again.
    StreamFlows {
        /// Which one.
        stream: StreamId,
        /// The bytes it holds.
        held: usize,
        /// The bytes it may hold.
        allowed: usize,
    },
    /// A snapshot or an observation has ended.
    StreamEnded {
        /// Which one.
        stream: StreamId,
        /// Why; none if it is whole.
        why: Option<Reason>,
    },
    /// A lease was granted or renewed.
    LeaseRenewed {
        /// Which one.
        lease: KeepAliveId,
        /// Until when it certainly lasts now.
        valid_until: Instant,
    },
    /// Two thirds of a lease's time are over without a renewal (rule L-6).
    LeaseAtRisk {
        /// Which one.
        lease: KeepAliveId,
        /// Until when it certainly lasts.
        valid_until: Instant,
    },
    /// The time of a lease is over without a renewal: it may be gone (guarantee G26).
    LeaseExpired {
        /// Which one.
        lease: KeepAliveId,
        /// Until when it certainly lasted.
        valid_until: Instant,
    },
    /// A lease is not kept alive any more.
    LeaseEnded {
        /// Which one.
        lease: KeepAliveId,
        /// Why.
        why: Reason,
    },
    /// `handle_timeout` found something to do.
    Woke(Wake),
}

/// How much a notice matters, for a log.
///
/// ```
/// use etcd_core::notice::Level;
///
/// assert!(Level::Warn < Level::Trace);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Somebody should look: an endpoint failed, a lease expired, a watch ended by itself.
    Warn,
    /// What happens now and then: a watch goes on elsewhere, an endpoint serves again.
    Info,
    /// Each attempt, wait and connection.
    Debug,
    /// Each time the client woke up.
    Trace,
}

impl Notice {
    /// How much it matters, for a log.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Put};
    /// use etcd_core::notice::Level;
    ///
    /// # let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// # config.notices = true;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// let ordered = client.poll_notice().expect("a connection was ordered");
    /// assert_eq!(ordered.level(), Level::Debug);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn level(&self) -> Level {
        match &self.what {
            What::EndpointChanged { to, .. } => match to {
                EndpointState::Suspect { .. }
                | EndpointState::Learner { .. }
                | EndpointState::Foreign { .. } => Level::Warn,
                EndpointState::Healthy => Level::Info,
                EndpointState::Probing => Level::Debug,
            },
            What::LoginFailed { .. } | What::LeaseExpired { .. } => Level::Warn,
            What::WatchEnded { why, .. }
            | What::LeaseEnded { why, .. }
            | What::StreamEnded { why: Some(why), .. }
                if !why.is_wanted() =>
            {
                Level::Warn
            }
            What::ConnFailed { why, .. } if !why.is_wanted() => Level::Info,
            What::EndpointsSet { .. }
            | What::HeldBack { .. }
            | What::LoginWaits { .. }
            | What::WatchRests { .. }
            | What::LoginDone
            | What::WatchResumed { .. }
            | What::WatchLost { .. }
            | What::WatchReads { .. }
            | What::WatchLagging { .. }
            | What::WatchSetAside { .. }
            | What::StreamResumed { .. }
            | What::StreamLost { .. }
            | What::LeaseAtRisk { .. } => Level::Info,
            What::AttemptBegun { .. }
            | What::AttemptAnswered { .. }
            | What::AttemptFailed { .. }
            | What::CallWaits { .. }
            | What::ConnOrdered { .. }
            | What::ConnOpened { .. }
            | What::ConnFailed { .. }
            | What::ConnClosed { .. }
            | What::LoginBegun { .. }
            | What::WatchAsked { .. }
            | What::WatchCreated { .. }
            | What::WatchPaused { .. }
            | What::WatchFlows { .. }
            | What::WatchEnded { .. }
            | What::StreamAsked { .. }
            | What::StreamEnded { .. }
            | What::StreamPaused { .. }
            | What::StreamFlows { .. }
            | What::LeaseRenewed { .. }
            | What::LeaseEnded { .. } => Level::Debug,
            What::Woke(_) => Level::Trace,
        }
    }
}
