//! The life of one connection: opening, open, gone.
//!
//! It holds the conversation, and what the pool wants to know: where it leads, what it is for, when
//! it was last of use. It knows no calls, no watches and no retries.
//!
//! ```text
//!   Opening ──connected──► Open ──any end──► removed from the table, its id never used again
//!      └──────── refused, timed out ──────────►
//! ```

use core::time::Duration;

use crate::error::CloseReason;
use crate::error::Feature;
use crate::error::Version;
use crate::id::EndpointIndex;
use crate::time::Instant;
use crate::wire::Purpose;
use crate::wire::Wire;

/// What a connection was opened for. Connections of one lane share their fate: a failure of one
/// holds up the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Unary calls, at whatever endpoint is current.
    Calls,
    /// Unary calls to one endpoint.
    Pinned(EndpointIndex),
    /// Calls that wait for somebody else or for long work, a connection each.
    Waits,
    /// The same to one endpoint.
    PinnedWaits(EndpointIndex),
    Watches,
    Renewals,
    /// One snapshot each: of one endpoint, or of whatever is current.
    Snapshots(Option<EndpointIndex>),
    /// One observation each.
    Observers,
}

impl Lane {
    pub(crate) const fn purpose(self) -> Purpose {
        match self {
            Self::Calls | Self::Pinned(_) | Self::Waits | Self::PinnedWaits(_) => Purpose::Calls,
            Self::Watches => Purpose::Watches,
            Self::Renewals => Purpose::Renewals,
            Self::Snapshots(_) | Self::Observers => Purpose::Stream,
        }
    }

    /// The endpoint it is bound to.
    pub(crate) const fn endpoint(self) -> Option<EndpointIndex> {
        match self {
            Self::Pinned(at) | Self::PinnedWaits(at) => Some(at),
            Self::Snapshots(at) => at,
            Self::Calls | Self::Waits | Self::Watches | Self::Renewals | Self::Observers => None,
        }
    }

    /// Whether its connections are given up after one call.
    pub(crate) const fn is_waits(self) -> bool {
        matches!(self, Self::Waits | Self::PinnedWaits(_))
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) endpoint: EndpointIndex,
    pub(crate) lane: Lane,
    pub(crate) wire: Wire,
    /// Which token its requests carry, of those the client had; 0 is none.
    pub(crate) token: u64,
    state: State,
    /// When it was first asked something that it has not answered; meaningful while it is.
    asked_at: Instant,
    /// When it was opened or a stream of it last ended; meaningful while open.
    pub(crate) last_used: Instant,
    /// When it was ordered or opened, or bytes last came on it: its server was not known to fail then.
    pub(crate) last_alive: Instant,
    /// The driver was told of bytes to send, and has not taken all of them since.
    told: bool,
    /// How many watches, or other streams, on it hold all they may; above 0 it is not read.
    pub(crate) full_streams: usize,
    /// Anything came on it, ever.
    pub(crate) was_heard: bool,
    /// The server was asked whether it is there, and nothing came since.
    pub(crate) is_probed: bool,
    /// Some stream on it was full since its silence was looked at.
    pub(crate) was_full: bool,
    /// No later than this it was read again after that.
    pub(crate) read_since: Instant,
    /// When its silence is looked at.
    pub(crate) silence_deadline: Option<Instant>,
    /// When its server is asked again for progress that it did not tell, and how long after it was last asked.
    pub(crate) owed_progress: Option<(Instant, Duration)>,
    /// Its one watch has it for itself (guarantee G18).
    pub(crate) is_alone: bool,
    /// When full watches on it make way for their neighbours; set while they hold some up.
    pub(crate) slow_deadline: Option<Instant>,
    /// When the server has to have confirmed a watch; set while it owes one.
    pub(crate) created_deadline: Option<Instant>,
    /// How many confirmations had come when that was set.
    pub(crate) answered_creates: u64,
    /// What is known of the version of the server it leads to.
    pub(crate) server: ServerVersion,
}

#[derive(Debug)]
enum State {
    Opening { deadline: Instant },
    Open { since: Instant },
}

/// What is known of the version of a connection's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerVersion {
    Unknown,
    /// It was asked for.
    Asked,
    Known(Version),
    /// The server does not say, or what it says is no version.
    Untold,
}

impl ServerVersion {
    /// What `/version` was answered with.
    pub(crate) fn told(text: Option<&str>) -> Self {
        match text.map(str::parse) {
            Some(Ok(version)) => Self::Known(version),
            _ => Self::Untold,
        }
    }

    /// Whether the server is known to have something.
    pub(crate) fn has(&self, feature: &Feature) -> bool {
        matches!(self, Self::Known(version) if feature.is_in(version))
    }

    /// The version of a server that is known not to have something.
    pub(crate) fn too_old_for(&self, feature: &Feature) -> Option<&Version> {
        match self {
            Self::Known(version) if !feature.is_in(version) => Some(version),
            _ => None,
        }
    }
}

impl Conn {
    pub(crate) fn new(
        endpoint: EndpointIndex,
        lane: Lane,
        wire: Wire,
        now: Instant,
        deadline: Instant,
    ) -> Self {
        Self {
            endpoint,
            lane,
            wire,
            token: 0,
            state: State::Opening { deadline },
            asked_at: now,
            last_used: Instant::ZERO,
            last_alive: now,
            told: false,
            full_streams: 0,
            was_heard: false,
            is_probed: false,
            was_full: false,
            read_since: now,
            silence_deadline: None,
            owed_progress: None,
            is_alone: false,
            slow_deadline: None,
            created_deadline: None,
            answered_creates: 0,
            server: ServerVersion::Unknown,
        }
    }

    /// Takes note that it is open; false if it was open before.
    pub(crate) fn handle_connected(&mut self, now: Instant) -> bool {
        let opening = matches!(self.state, State::Opening { .. });
        if opening {
            self.state = State::Open { since: now };
            self.last_used = now;
            self.last_alive = now;
        }
        opening
    }

    /// A call begins on it.
    pub(crate) fn handle_asked(&mut self, now: Instant) {
        if self.wire.outstanding() == 0 {
            self.asked_at = now;
        }
    }

    /// Since when its server has been silent while a call waits for an answer.
    pub(crate) fn owes_since(&self) -> Instant {
        self.last_alive.max(self.asked_at)
    }

    /// Whether the driver has to be told of bytes to send; true once until they are taken.
    pub(crate) fn poll_transmit(&mut self) -> bool {
        let tell = self.is_open() && !self.told && !self.wire.unsent().is_empty();
        self.told |= tell;
        tell
    }

    pub(crate) fn handle_written(&mut self, len: usize) {
        self.wire.handle_written(len);
        self.told = !self.wire.unsent().is_empty();
    }

    /// What the socket has to take; nothing before the connection is open.
    pub(crate) fn transmit(&self) -> &[u8] {
        if self.is_open() {
            self.wire.unsent()
        } else {
            &[]
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Until when it has to be open.
    pub(crate) const fn connect_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Opening { deadline } => Some(deadline),
            State::Open { .. } => None,
        }
    }

    /// Since when it is open.
    pub(crate) const fn open_since(&self) -> Option<Instant> {
        match self.state {
            State::Opening { .. } => None,
            State::Open { since } => Some(since),
        }
    }

    /// Why it is of no more use, once the conversation says so.
    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.wire.close_reason().cloned()
    }
}
