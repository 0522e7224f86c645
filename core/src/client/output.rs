//! What comes out of a client: orders to the driver, and events for the user.

use super::endpoint::Endpoint;
use super::watch::ResyncBatch;
use crate::api::KvEvent;
use crate::api::Response;
use crate::api::ResponseHeader;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::Code;
use crate::error::Error;
use crate::error::Known;
use crate::error::Status;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::KeepAliveId;
use crate::id::StreamId;
use crate::id::WatchId;

/// What a driver has to do next, from [`Client::poll_output`](crate::Client::poll_output).
///
/// ```
/// use etcd_core::{Client, Config, Instant, Output, Range};
///
/// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
/// client.call(Instant::ZERO, Range::key("k"));
/// let Some(Output::Connect { conn, endpoint }) = client.poll_output() else { panic!() };
/// assert_eq!(endpoint.authority(), "127.0.0.1:2379");
///
/// client.handle_connected(Instant::ZERO, conn);
/// assert_eq!(client.poll_output(), Some(Output::Transmit(conn)));
/// assert!(client.transmit(conn).starts_with(b"POST /v3/kv/range HTTP/1.1\r\n"));
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver that does not know an order is broken, and must not compile"
)]
pub enum Output {
    /// Open a connection, then say `handle_connected` or `handle_connect_failed`.
    Connect {
        /// The name of the connection from now on.
        conn: ConnId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// The connection has bytes to send: take them from `transmit`, hand them to the socket, say
    /// how many it took with `handle_written`, and go on until `transmit` is empty.
    Transmit(ConnId),
    /// Close the connection, or stop opening it. Nothing more is to be said of it.
    Close(ConnId),
    /// Stop reading from the connection: what it is for has all it may hold.
    Pause(ConnId),
    /// Read from the connection again.
    Resume(ConnId),
    /// Something for the user.
    Event(Event),
}

/// What happened, for the user.
///
/// ```
/// use etcd_core::{Call, Client, Config, Error, Event, Instant, Misuse, Output, Put};
///
/// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
/// let id = client.call(Instant::ZERO, Put::new("", "no key"));
/// let Some(Output::Event(Event::Answered { call, result })) = client.poll_output() else {
///     panic!()
/// };
/// assert_eq!(call, id);
/// assert_eq!(*result, Err(Error::Misuse(Misuse::EmptyKey)));
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A call ended. Each ends exactly once.
    Answered {
        /// Which one.
        call: CallId,
        /// How. [`Call::from_response`](crate::Call::from_response) gives the call's own type.
        result: Box<Result<Response, Error>>,
    },
    /// A watch that had nothing to deliver has something now: take it from
    /// [`Client::poll_watch`](crate::Client::poll_watch) until that gives `None`.
    Watch(WatchId),
    /// A snapshot or an observation that had nothing to deliver has something now: take it from
    /// [`Client::poll_stream`](crate::Client::poll_stream) until that gives `None`.
    Stream(StreamId),
    /// A lease that is kept alive and had nothing to tell has something now: take it from
    /// [`Client::poll_lease`](crate::Client::poll_lease) until that gives `None`.
    Lease(KeepAliveId),
}

/// What a watch delivers, from [`Client::poll_watch`](crate::Client::poll_watch).
///
/// ```
/// use etcd_core::{Client, Config, Instant, Watch, WatchEnd, WatchEvent};
///
/// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
/// let watch = client.watch(Instant::ZERO, Watch::key("k"));
/// client.cancel_watch(Instant::ZERO, watch);
/// assert_eq!(client.poll_watch(watch), Some(WatchEvent::End(WatchEnd::Canceled)));
/// assert_eq!(client.poll_watch(watch), None);
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WatchEvent {
    /// The server watches. Told once, before everything else (rule W-11).
    Created {
        /// The store's revision then; a watch from now on delivers what is above it.
        revision: i64,
    },
    /// Changes.
    Batch(WatchBatch),
    /// Every matching change up to this revision has been delivered (rules W-5, G16).
    Progress {
        /// That revision; it never falls. 0 in answer to a question before anything is certain.
        revision: i64,
    },
    /// The connection was lost, or left to others that the watch held up, and the watch goes on over
    /// another one without a gap.
    Resumed {
        /// The revision it asked to go on from.
        from: i64,
        /// Where it goes on.
        endpoint: Endpoint,
    },
    /// What the watch had to deliver next is gone, and the client reads the range in place of it (rule W-16),
    /// as [`Compaction::Snapshot`](crate::Compaction) and `Difference` ask for. It comes before anything
    /// later. One that comes before a `ResyncEnd` means that compaction overtook the reading, which
    /// begins anew: with `Snapshot` what was told since the one before is to be forgotten, with
    /// `Difference` it stays true as far as it goes.
    ResyncBegin {
        /// The oldest revision the server still has, as it told; 0 if it did not.
        compact_revision: i64,
        /// The changes of this revision and those after it are not told, ...
        lost_from: i64,
        /// ... up to this one, at which the range is read.
        lost_to: i64,
    },
    /// A part of what was found there.
    Resynced(ResyncBatch),
    /// All of the range was told: whoever followed knows its state at this revision. The watch goes on with
    /// the changes behind it.
    ResyncEnd {
        /// The revision the range was read at.
        revision: i64,
    },
    /// A member said that its cluster has no leader, and was left for another one (rule W-18).
    NoLeader {
        /// Which one.
        endpoint: Endpoint,
    },
    /// The watch is behind its member by more, and for longer, than [`Lag`](crate::Lag) allows (rule T-4).
    /// It goes on as before. Told once until it has come that far.
    Lagging {
        /// Every matching change up to this revision has been delivered, for certain.
        certified: i64,
        /// The revision that another answer of the member showed.
        server: i64,
    },
    /// The watch has ended; nothing comes after it. Told once.
    End(WatchEnd),
}

impl WatchEvent {
    /// What it is to who takes changes alone: some of them, the end, or nothing. Where a range is read in
    /// place of what was compacted changes are over, as with [`Compaction::Fail`](crate::Compaction).
    ///
    /// ```
    /// use etcd_core::{WatchBatch, WatchEvent};
    ///
    /// let batch = WatchBatch::default();
    /// assert_eq!(WatchEvent::Batch(batch.clone()).into_changes(), Some(Ok(batch)));
    /// assert_eq!(WatchEvent::Progress { revision: 7 }.into_changes(), None);
    /// ```
    #[must_use]
    pub fn into_changes(self) -> Option<Result<WatchBatch, WatchEnd>> {
        match self {
            Self::Batch(batch) => Some(Ok(batch)),
            Self::End(end) => Some(Err(end)),
            Self::ResyncBegin {
                compact_revision,
                lost_from,
                ..
            } => Some(Err(WatchEnd::Compacted {
                compact_revision,
                next: lost_from,
            })),
            _ => None,
        }
    }
}

/// All changes of one revision that match a watch, in the order of the transaction that made them.
/// A revision is never split over two batches, repeated or reordered (rule W-9), unless a watch was opened
/// to have changes coalesced.
///
/// ```
/// use etcd_core::WatchBatch;
///
/// let mut batch = WatchBatch::default();
/// batch.revision = 7;
/// assert_eq!(batch.next_revision(), 8);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WatchBatch {
    /// The header of the message it came in; its revision may be above the batch's own.
    pub header: ResponseHeader,
    /// The revision of every event in it; of the last ones where it is `coalesced`.
    pub revision: i64,
    /// The changes; at least one.
    pub events: Vec<KvEvent>,
    /// Several revisions came to be one batch, as
    /// [`Overflow::CoalesceByKey`](crate::Overflow::CoalesceByKey) asks for: the last change of each key,
    /// in the order of revisions. `revision` is the newest of them.
    pub coalesced: bool,
}

impl WatchBatch {
    /// The start revision with which a later watch goes on right after this batch.
    ///
    /// ```
    /// use etcd_core::{Watch, WatchBatch};
    ///
    /// let last = WatchBatch::default();
    /// let again = Watch::prefix("/services/").with_start_revision(last.next_revision());
    /// assert_eq!(again.start_revision, 1);
    /// ```
    #[must_use]
    pub const fn next_revision(&self) -> i64 {
        self.revision.saturating_add(1)
    }
}

/// Why a watch ended.
///
/// ```
/// use etcd_core::WatchEnd;
///
/// let end = WatchEnd::Compacted { compact_revision: 9, next: 4 };
/// assert_eq!(end.to_string(), "revision 4 was compacted, the oldest one kept is 9");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEnd {
    /// The user canceled it.
    Canceled,
    /// What it had to deliver next is gone. Read the range again and watch from that read's revision.
    Compacted {
        /// The oldest revision the server still has.
        compact_revision: i64,
        /// The revision the watch had to go on from.
        next: i64,
    },
    /// It held more than `Limits::watch_buffer_bytes`, and this is what [`Overflow::Cancel`](crate::Overflow)
    /// asks for. What it held was delivered before.
    Lagged {
        /// The revision with which a later watch goes on without a gap, if it is not compacted by then.
        next: i64,
    },
    /// For 30 s every server that answered was behind what the watch delivered: the cluster was restored from
    /// older data, or these servers lag for good (guarantee G21). Revisions may mean something else now: read
    /// the range again, and watch from that read's revision.
    RevisionWentBack {
        /// The highest revision the watch told.
        seen: i64,
        /// The revision of the server that confirmed it last.
        server: i64,
    },
    /// The user may not watch that range.
    PermissionDenied(Status),
    /// It could not be created, or a limit was passed.
    Failed(Error),
    /// The client was shut down.
    Shutdown,
}

impl core::fmt::Display for WatchEnd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Canceled => f.write_str("canceled by the caller"),
            Self::Compacted {
                compact_revision,
                next,
            } => write!(
                f,
                "revision {next} was compacted, the oldest one kept is {compact_revision}"
            ),
            Self::Lagged { next } => write!(
                f,
                "the watch was not read in time; {next} is the next revision"
            ),
            Self::RevisionWentBack { seen, server } => write!(
                f,
                "the server is at revision {server}, but {seen} was delivered: was the cluster restored?"
            ),
            Self::PermissionDenied(status) => core::fmt::Display::fmt(status, f),
            Self::Failed(error) => core::fmt::Display::fmt(error, f),
            Self::Shutdown => f.write_str("the client was shut down"),
        }
    }
}

impl From<WatchEnd> for Error {
    /// The end as the error of a call, for a watch that ended before it began.
    fn from(end: WatchEnd) -> Self {
        let applied = Applied::No;
        match end {
            WatchEnd::Canceled => Self::Canceled { applied },
            WatchEnd::Compacted { .. } => {
                let status = Status::new(Code::OUT_OF_RANGE, Known::Compacted.message());
                Self::Etcd { status, applied }
            }
            WatchEnd::Lagged { .. } => Self::Canceled { applied },
            WatchEnd::RevisionWentBack { .. } => {
                let status = Status::new(Code::OUT_OF_RANGE, Known::FutureRev.message());
                Self::Etcd { status, applied }
            }
            WatchEnd::PermissionDenied(status) => Self::Etcd { status, applied },
            WatchEnd::Failed(error) => error,
            WatchEnd::Shutdown => Self::Unavailable {
                cause: Cause::Shutdown,
                applied,
            },
        }
    }
}

impl core::error::Error for WatchEnd {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::PermissionDenied(status) => Some(status),
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// What a client has done since its start, and what it holds now.
///
/// ```
/// use etcd_core::{Client, Config, Instant};
///
/// let client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
/// assert_eq!(client.stats().connections_opened, 0);
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that came to be established.
    pub connections_opened: u64,
    /// Connections that were given up before they were.
    pub connections_failed: u64,
    /// Connections that are open now.
    pub connections_open: u64,
    /// Requests started: attempts of calls, watches created, renewals.
    pub requests: u64,
    /// Attempts of calls after the first.
    pub retries: u64,
    /// Attempts that went ahead of the answer to another on their connection
    /// ([`Config::pipeline_depth`](crate::Config::pipeline_depth)).
    pub pipelined: u64,
    /// Attempts of calls that came to nothing, the client's own calls included (rule R-10).
    pub attempts_failed: u64,
    /// Waits after failures: of a call before its next attempt, and before further connections where every
    /// endpoint failed.
    pub backoffs: u64,
    /// Failures of configured endpoints that made them suspect (rule B-3).
    pub endpoint_failures: u64,
    /// Configured endpoints that are suspect now.
    pub endpoints_unhealthy: u64,
    /// Tokens got for a user's name and password.
    pub refreshes: u64,
    /// Logins that gave none.
    pub refreshes_failed: u64,
    /// Times a watch, a snapshot or an observation lost its connection, or did not get the one it was to have,
    /// and was to go on.
    pub losses: u64,
    /// Watches and observations taken up again on another connection.
    pub resumes: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes the sockets took.
    pub bytes_out: u64,
    /// Events dropped because the watch had delivered their revision before (rule W-7), and leaders
    /// dropped because the observation had delivered them or a later one.
    pub events_dropped: u64,
    /// Times a lease that is kept alive came to its end without a renewal (guarantee G26).
    pub leases_expired: u64,
    /// Times something was due in `handle_timeout`.
    pub wake_ups: u64,
    /// Calls of users that have not ended now.
    pub calls: u64,
    /// Calls that wait to be sent now, the client's own included.
    pub calls_waiting: u64,
    /// Watches that have not ended now.
    pub watches: u64,
    /// Of these, the ones that a server has confirmed on the connection they are on.
    pub watches_live: u64,
    /// Snapshots and observations that have not ended now.
    pub streams: u64,
    /// Leases that are kept alive now.
    pub leases: u64,
    /// Of these, the ones at risk or expired.
    pub leases_in_danger: u64,
    /// Bytes that watches, snapshots and observations hold now, as their users have not read them.
    pub bytes_held: u64,
    /// Notices that were dropped, as they were not taken in time (`Limits::notices`).
    pub notices_dropped: u64,
}
