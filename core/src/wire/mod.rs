//! An etcd conversation on one connection, seen as logical streams.
//!
//! A stream is one call, one watch or one renewal, named by whoever starts it. The seam is [`Wire`]:
//! can another stream start here, start it, cancel it, bytes in, bytes out, events. Behind it are
//! the carriers; a further one is a file beside them and an arm here, and nothing above moves:
//!
//! ```text
//!   unary   keep-alive POSTs, one after the other        calls, answered in their order
//!   watch   one POST whose body stays open (duplex)      many watches
//!           or is complete                               one watch
//!   renew   the same for lease renewals                  all renewals
//!   single  one POST, its answer a stream of frames      one snapshot or observation
//! ```
//!
//! HTTP statuses, header names, chunk borders and JSON do not leak above it; how much of a request
//! was taken, and why a connection can no longer be used, do. It knows no endpoints and no retries.

pub mod gateway;

mod duplex;
mod renew;
mod single;
mod unary;
mod watch;

use core::time::Duration;

use self::gateway::ApiPrefix;
use self::gateway::Encoded;
use self::gateway::Gateway;
use self::renew::Renew;
use self::single::Single;
use self::unary::Unary;
use self::watch::WatchWire;
use crate::api::KvEvent;
use crate::api::Observe;
use crate::api::ObserveResponse;
use crate::api::Response;
use crate::api::ResponseHeader;
use crate::api::SnapshotChunk;
use crate::api::SnapshotSummary;
use crate::api::Watch;
use crate::buf::SendBuf;
use crate::buf::Sent;
use crate::codec::http1::HttpLimits;
use crate::codec::json::JsonLimits;
use crate::error::CloseReason;
use crate::error::Limit;
use crate::error::SnapshotFault;
use crate::error::Status;

/// The name of a stream on its connection, given by whoever starts it; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId(pub(crate) u64);

/// What every conversation needs to know.
#[derive(Clone, Debug)]
pub(crate) struct WireConfig {
    pub(crate) gateway: Gateway,
    /// Limits of the reader of unary answers; a duplex stream has no limit on its whole body.
    pub(crate) http: HttpLimits,
    pub(crate) json: JsonLimits,
    /// Bytes of one revision of one watch.
    pub(crate) revision_bytes: usize,
    #[cfg(feature = "planted")]
    pub(crate) planted: Option<crate::planted::Planted>,
}

/// What a conversation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Calls,
    Watches,
    Renewals,
    /// One snapshot or one observation.
    Stream,
}

/// What a stream asks for.
#[derive(Debug)]
pub(crate) enum Ask<'a> {
    Call {
        request: &'a Encoded,
        /// How long the answer is of use.
        within: Option<Duration>,
    },
    Watch(&'a Watch),
    Renewal {
        lease: i64,
    },
    Snapshot,
    Observe(&'a Observe),
}

/// What the server said.
#[derive(Debug)]
pub(crate) enum WireEvent {
    /// The stream's answer; the stream is over.
    Answered {
        stream: StreamId,
        result: Result<Response, Status>,
    },
    /// The answer to a canceled call has ended, on a connection that others are on.
    PassedOver,
    /// The server watches.
    Created { stream: StreamId, revision: i64 },
    /// All events of one revision, which is higher than those before.
    Events {
        stream: StreamId,
        header: ResponseHeader,
        events: Vec<KvEvent>,
    },
    /// A sign that the watch has seen everything up to a revision.
    Progress { stream: StreamId, revision: i64 },
    /// The answer to a request for progress; it is about every watch that was live on the
    /// connection when it came.
    ProgressOfAll {
        streams: Vec<StreamId>,
        revision: i64,
    },
    /// The server ended the watch or refused to create it; the stream is over.
    Ended { stream: StreamId, why: Ended },
    /// Something of a snapshot or an observation.
    Streamed { stream: StreamId, said: Streamed },
}

/// What the server said of a snapshot or an observation.
#[derive(Debug)]
pub(crate) enum Streamed {
    /// Bytes of a snapshot.
    Chunk(SnapshotChunk),
    /// The snapshot is whole and right; the stream is over.
    Done(SnapshotSummary),
    /// The snapshot is neither; the stream is over.
    Broken(SnapshotFault),
    /// The server refused or broke off the snapshot; the stream is over.
    Refused(Status),
    /// Who leads.
    Leader(ObserveResponse),
}

/// Why the server ended a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The revision it had to go on from is gone.
    Compacted { compact_revision: i64 },
    /// With a reason, before or after it was created.
    Refused(Status),
    /// Without one.
    Silently,
    /// By us: one revision of it is larger than this.
    TooLarge(Limit),
}

/// What has to be done for a canceled stream to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelStep {
    /// Nothing more.
    Done,
    /// The connection must be closed: the server owes it an answer, or nothing else is on it.
    CloseConnection,
}

/// One conversation.
#[derive(Debug)]
pub(crate) enum Wire {
    Unary(Box<Unary>),
    Watch(Box<WatchWire>),
    Renew(Box<Renew>),
    Single(Box<Single>),
}

/// Runs the same on whatever the carrier is.
macro_rules! each {
    ($wire:expr, $carrier:ident => $body:expr) => {
        match $wire {
            Wire::Unary($carrier) => $body,
            Wire::Watch($carrier) => $body,
            Wire::Renew($carrier) => $body,
            Wire::Single($carrier) => $body,
        }
    };
}

impl Wire {
    /// A conversation on a connection to `host`, which may still be opening.
    pub(crate) fn open(purpose: Purpose, config: &WireConfig, host: &str) -> Self {
        match purpose {
            Purpose::Calls => Self::Unary(Box::new(Unary::new(config, host))),
            Purpose::Watches => Self::Watch(Box::new(WatchWire::new(config, host))),
            Purpose::Renewals => Self::Renew(Box::new(Renew::new(config, host))),
            Purpose::Stream => Self::Single(Box::new(Single::new(config, host))),
        }
    }

    /// A conversation about one watch, in a complete request (rule W-22).
    pub(crate) fn open_for_one_watch(config: &WireConfig, host: &str) -> Self {
        Self::Watch(Box::new(WatchWire::single(config, host)))
    }

    /// Whether it carries one watch in a complete request.
    pub(crate) fn is_one_watch(&self) -> bool {
        matches!(self, Self::Watch(watches) if watches.is_single())
    }

    /// Whether a server of watches has said anything.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self, Self::Watch(watches) if watches.is_answered())
    }

    /// The calls from now on carry this token, or none. A stream has the one it was opened with.
    pub(crate) fn set_token(&mut self, token: Option<http::HeaderValue>) {
        if let Self::Unary(unary) = self {
            unary.set_token(token);
        }
    }

    /// The paths of calls have this before them from now on. A stream has what it was opened with.
    pub(crate) fn set_prefix(&mut self, prefix: &ApiPrefix) {
        if let Self::Unary(unary) = self {
            unary.set_prefix(prefix.clone());
        }
    }

    /// Starts a stream.
    pub(crate) fn start(&mut self, stream: StreamId, ask: &Ask<'_>) {
        match (self, ask) {
            (Self::Unary(unary), Ask::Call { request, within }) => {
                unary.start(stream, request, *within);
            }
            (Self::Watch(watches), Ask::Watch(watch)) => watches.start(stream, watch),
            (Self::Renew(renew), Ask::Renewal { lease }) => renew.start(stream, *lease),
            (Self::Single(single), Ask::Snapshot) => single.start_snapshot(stream),
            (Self::Single(single), Ask::Observe(observe)) => single.start_observe(stream, observe),
            (_, ask) => unreachable!("conversations are opened for what they carry, not {ask:?}"),
        }
    }

    /// Ends a stream of ours; late answers to it are passed over.
    pub(crate) fn cancel(&mut self, stream: StreamId) -> CancelStep {
        each!(self, carrier => carrier.cancel(stream))
    }

    /// Asks the server how far all watches are.
    pub(crate) fn request_progress(&mut self) {
        if let Self::Watch(watches) = self {
            watches.request_progress();
        }
    }

    /// Asks the server for something that it answers at once, and nobody is told of: for this watch, which
    /// is canceled with it.
    pub(crate) fn probe(&mut self, watch: &Watch) {
        if let Self::Watch(watches) = self {
            watches.probe(watch);
        }
    }

    /// Takes bytes from the server.
    pub(crate) fn handle_received(&mut self, bytes: &[u8]) {
        each!(self, carrier => carrier.handle_received(bytes));
    }

    /// The server will send nothing more.
    pub(crate) fn handle_eof(&mut self) {
        each!(self, carrier => carrier.handle_eof());
    }

    /// The socket took `len` bytes of [`Wire::unsent`].
    pub(crate) fn handle_written(&mut self, len: usize) {
        self.send_buf_mut().handle_written(len);
    }

    /// What the server said, in its order.
    pub(crate) fn poll_event(&mut self) -> Option<WireEvent> {
        each!(self, carrier => carrier.poll_event())
    }

    /// What the socket has to take.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.send_buf().unsent()
    }

    /// How many more streams can start here now.
    pub(crate) fn free(&self, most_watches: usize) -> usize {
        match self {
            Self::Unary(unary) => usize::from(unary.is_idle()),
            Self::Watch(watches) => watches.free(most_watches),
            Self::Renew(_) => usize::MAX,
            Self::Single(single) => usize::from(single.is_fresh()),
        }
    }

    /// How many watches are on it that were not canceled.
    pub(crate) fn watches(&self) -> usize {
        match self {
            Self::Watch(watches) => watches.active(),
            Self::Unary(_) | Self::Renew(_) | Self::Single(_) => 0,
        }
    }

    /// Whether no stream is on it.
    pub(crate) fn is_idle(&self) -> bool {
        each!(self, carrier => carrier.is_idle())
    }

    /// Whether the server owes the confirmation of a watch.
    pub(crate) fn is_creating(&self) -> bool {
        matches!(self, Self::Watch(watches) if watches.is_creating())
    }

    /// How many confirmations of watches came, refusals and those of canceled ones included.
    pub(crate) fn answered_creates(&self) -> u64 {
        match self {
            Self::Watch(watches) => watches.answered_creates(),
            Self::Unary(_) | Self::Renew(_) | Self::Single(_) => 0,
        }
    }

    /// How much of a stream's request the socket took.
    pub(crate) fn sent(&self, stream: StreamId) -> Sent {
        each!(self, carrier => carrier.sent(stream))
    }

    /// How much of a stream's request the socket has taken or will take, if the stream is canceled now.
    pub(crate) fn sent_if_canceled(&self, stream: StreamId) -> Sent {
        match self {
            Self::Unary(unary) => unary.sent_if_canceled(stream),
            _ => self.sent(stream),
        }
    }

    /// How many calls wait for their answers here, or for those that have come to be told.
    pub(crate) fn outstanding(&self) -> usize {
        match self {
            Self::Unary(unary) => unary.outstanding(),
            Self::Watch(_) | Self::Renew(_) | Self::Single(_) => 0,
        }
    }

    /// Forgets that an answer to this call will come.
    #[cfg(feature = "planted")]
    pub(crate) fn plant_shift(&mut self, stream: StreamId) {
        if let Self::Unary(unary) = self {
            unary.plant_shift(stream);
        }
    }

    /// Whether answers to calls have come and were not told yet.
    pub(crate) fn has_answers(&self) -> bool {
        matches!(self, Self::Unary(unary) if unary.has_answers())
    }

    /// Whether answers are awaited, and nobody wants them.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(self, Self::Unary(unary) if unary.is_abandoned())
    }

    /// The call whose answer comes next, where answers come in the order of calls that share nothing else.
    pub(crate) fn first_call(&self) -> Option<StreamId> {
        match self {
            Self::Unary(unary) => unary.first(),
            Self::Watch(_) | Self::Renew(_) | Self::Single(_) => None,
        }
    }

    /// The streams on it that were not canceled.
    pub(crate) fn streams(&self) -> Vec<StreamId> {
        each!(self, carrier => carrier.streams())
    }

    /// The same, each with how much of its request the socket took.
    pub(crate) fn streams_sent(&self) -> Vec<(StreamId, Sent)> {
        match self {
            // There may be many.
            Self::Unary(unary) => unary.streams_sent(),
            _ => {
                let streams = self.streams().into_iter();
                streams.map(|stream| (stream, self.sent(stream))).collect()
            }
        }
    }

    /// Why the connection is of no more use, once it is not. Events told before still count.
    pub(crate) fn close_reason(&self) -> Option<&CloseReason> {
        each!(self, carrier => carrier.close_reason())
    }

    fn send_buf(&self) -> &SendBuf {
        each!(self, carrier => carrier.send_buf())
    }

    fn send_buf_mut(&mut self) -> &mut SendBuf {
        each!(self, carrier => carrier.send_buf_mut())
    }
}
