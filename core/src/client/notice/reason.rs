//! Why something failed or ended, without a server's own words.
//!
//! An [`Error`](crate::Error) quotes what a server said, which a user may read. A notice goes to logs, so of
//! a text that is not one of etcd's own it has the code alone.

use core::fmt;

use crate::client::lease::LeaseEnd;
use crate::client::output::WatchEnd;
use crate::client::streams::StreamEnd;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Code;
use crate::error::Error;
use crate::error::Known;
use crate::error::Limit;
use crate::error::NetError;
use crate::error::Phase;
use crate::error::ProtocolError;
use crate::error::SnapshotFault;
use crate::error::Status;

/// Why something failed or ended.
///
/// ```
/// use etcd_core::notice::Reason;
/// use etcd_core::{CloseReason, Phase};
///
/// assert_eq!(Reason::Lost(CloseReason::PeerClosed).to_string(), "server closed the connection");
/// assert_eq!(Reason::Deadline(Phase::Answer).to_string(), "deadline passed while waiting for the answer");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A connection could not be opened.
    ConnectFailed(NetError),
    /// The connection ended. Never with a `CloseReason::Status`, which is `Refused`.
    Lost(CloseReason),
    /// The server answered with an error.
    Refused(Refusal),
    /// The answer is not one that the call can have.
    BadAnswer(ProtocolError),
    /// The answer is older than what was known before (guarantee G8), or a server behind what a watch
    /// delivered (G21).
    Behind {
        /// The newest revision that was known.
        known: i64,
        /// That of the answer.
        seen: i64,
    },
    /// The answer is of another cluster than the first one (guarantee G8).
    ClusterChanged {
        /// The id of the first cluster.
        expected: u64,
        /// The id of this one.
        seen: u64,
    },
    /// The server let go of a watch without a reason (rule W-15).
    Dropped,
    /// What a watch had to deliver next was compacted.
    Compacted {
        /// The revision it wanted.
        next: i64,
        /// The oldest one that is left, as the server told; 0 if it did not.
        compact_revision: i64,
    },
    /// A watch was not read in time, and its options say that this is its end.
    NotRead {
        /// The next revision it would have delivered.
        next: i64,
    },
    /// A snapshot came, but is broken or not whole.
    SnapshotBroken,
    /// The server has no such lease.
    LeaseGone,
    /// A deadline passed.
    Deadline(Phase),
    /// A limit was passed.
    Limit(Limit),
    /// The request is impossible, or the server too old for it: nothing was sent.
    NotSent,
    /// The user canceled, released or revoked it.
    Canceled,
    /// The client was shut down.
    Shutdown,
}

/// What a server answered with, as far as etcd has a name for it.
///
/// ```
/// use etcd_core::notice::Refusal;
/// use etcd_core::{Code, Known, Status};
///
/// let refusal = Refusal::from(&Status::new(Code::UNAVAILABLE, "etcdserver: no leader"));
/// assert_eq!(refusal.known, Some(Known::NoLeader));
/// assert_eq!(refusal.to_string(), "etcdserver: no leader (Unavailable)");
///
/// let strange = Status::new(Code::UNAVAILABLE, "what a proxy says").with_http(502);
/// assert_eq!(Refusal::from(&strange).to_string(), "Unavailable, HTTP 502");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// Which of etcd's own errors it is, if it is one.
    pub known: Option<Known>,
    /// The HTTP status it came with; none inside of a stream.
    pub http: Option<u16>,
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Self {
        Self {
            code: status.code,
            known: status.known(),
            http: status.http,
        }
    }
}

impl Reason {
    /// Whether the user asked for it.
    pub(super) const fn is_wanted(&self) -> bool {
        matches!(self, Self::Canceled | Self::Shutdown)
    }

    /// Why a connection ended, or was not opened.
    pub(in crate::client) fn of_close(reason: &CloseReason, was_open: bool) -> Self {
        match reason {
            CloseReason::Net(error) if !was_open => Self::ConnectFailed(error.clone()),
            CloseReason::Status(status) => Self::Refused(status.into()),
            CloseReason::Limit(limit) => Self::Limit(*limit),
            CloseReason::Canceled => Self::Canceled,
            CloseReason::Shutdown => Self::Shutdown,
            reason => Self::Lost(reason.clone()),
        }
    }

    pub(in crate::client) fn of_status(status: &Status) -> Self {
        Self::Refused(status.into())
    }

    pub(in crate::client) fn of_cause(cause: &Cause) -> Self {
        match cause {
            Cause::ConnectFailed(error) => Self::ConnectFailed(error.clone()),
            Cause::ConnectionLost(reason) => Self::of_close(reason, true),
            Cause::BadAnswer(error) => Self::BadAnswer(*error),
            Cause::StaleRead { known, seen } => Self::Behind {
                known: *known,
                seen: *seen,
            },
            Cause::ClusterChanged { expected, seen } => Self::ClusterChanged {
                expected: *expected,
                seen: *seen,
            },
            Cause::Shutdown => Self::Shutdown,
        }
    }

    pub(in crate::client) fn of_error(error: &Error) -> Self {
        match error {
            Error::Etcd { status, .. } | Error::Auth { status, .. } => Self::of_status(status),
            Error::Timeout { phase, .. } => Self::Deadline(*phase),
            Error::Unavailable { cause, .. } => Self::of_cause(cause),
            Error::Canceled { .. } => Self::Canceled,
            Error::Limit { limit, .. } => Self::Limit(*limit),
            Error::Compacted { revision } => Self::Compacted {
                next: *revision,
                compact_revision: 0,
            },
            Error::Unsupported { .. } | Error::Misuse(_) => Self::NotSent,
            Error::Snapshot(SnapshotFault::Lost { reason, .. }) => Self::of_close(reason, true),
            Error::Snapshot(_) => Self::SnapshotBroken,
        }
    }

    pub(in crate::client) fn of_watch(end: &WatchEnd) -> Self {
        match end {
            WatchEnd::Canceled => Self::Canceled,
            WatchEnd::Compacted {
                compact_revision,
                next,
            } => Self::Compacted {
                next: *next,
                compact_revision: *compact_revision,
            },
            WatchEnd::Lagged { next } => Self::NotRead { next: *next },
            WatchEnd::RevisionWentBack { seen, server } => Self::Behind {
                known: *seen,
                seen: *server,
            },
            WatchEnd::PermissionDenied(status) => Self::of_status(status),
            WatchEnd::Failed(error) => Self::of_error(error),
            WatchEnd::Shutdown => Self::Shutdown,
        }
    }

    /// None for a snapshot that is whole.
    pub(in crate::client) fn of_stream(end: &StreamEnd) -> Option<Self> {
        match end {
            StreamEnd::Done(_) => None,
            StreamEnd::Canceled => Some(Self::Canceled),
            StreamEnd::Failed(error) => Some(Self::of_error(error)),
            StreamEnd::Shutdown => Some(Self::Shutdown),
        }
    }

    pub(in crate::client) fn of_lease(end: &LeaseEnd) -> Self {
        match end {
            LeaseEnd::Released | LeaseEnd::Revoked => Self::Canceled,
            LeaseEnd::Lost => Self::LeaseGone,
            LeaseEnd::Failed(error) => Self::of_error(error),
            LeaseEnd::Shutdown => Self::Shutdown,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.known, self.http) {
            (Some(known), _) => write!(f, "{} ({})", known.message(), self.code),
            (None, Some(http)) => write!(f, "{}, HTTP {http}", self.code),
            (None, None) => fmt::Display::fmt(&self.code, f),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailed(error) => write!(f, "cannot connect: {error}"),
            Self::Lost(reason) => fmt::Display::fmt(reason, f),
            Self::Refused(refusal) => fmt::Display::fmt(refusal, f),
            Self::BadAnswer(error) => write!(f, "server broke the protocol: {error}"),
            Self::Behind { known, seen } => {
                write!(f, "server is at revision {seen}, {known} was known before")
            }
            Self::ClusterChanged { expected, seen } => write!(
                f,
                "server is of cluster {seen:x}, the first one was of {expected:x}"
            ),
            Self::Dropped => f.write_str("server let go of it without a reason"),
            Self::Compacted {
                next,
                compact_revision: 0,
            } => write!(f, "revision {next} was compacted"),
            Self::Compacted {
                next,
                compact_revision,
            } => write!(
                f,
                "revision {next} was compacted, the oldest one kept is {compact_revision}"
            ),
            Self::NotRead { next } => {
                write!(f, "it was not read in time; {next} is the next revision")
            }
            Self::SnapshotBroken => f.write_str("the snapshot is broken or not whole"),
            Self::LeaseGone => f.write_str("the lease is gone"),
            Self::Deadline(phase) => write!(f, "deadline passed while {phase}"),
            Self::Limit(limit) => fmt::Display::fmt(limit, f),
            Self::NotSent => f.write_str("it cannot be sent"),
            Self::Canceled => f.write_str("stopped by the caller"),
            Self::Shutdown => f.write_str("the client was shut down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_servers_own_is_not_told() {
        let secret = "value hunter2 of key /k";
        let status = Status::new(Code::INTERNAL, secret).with_http(500);
        let lost = CloseReason::Status(status.clone());
        let applied = crate::error::Applied::No;
        let errors = [
            Error::Etcd {
                status: status.clone(),
                applied,
            },
            Error::Auth {
                status: status.clone(),
                applied,
            },
            Error::Unavailable {
                cause: Cause::ConnectionLost(lost.clone()),
                applied,
            },
            Error::Snapshot(SnapshotFault::Lost {
                bytes: 7,
                reason: lost.clone(),
            }),
        ];
        let mut reasons: Vec<_> = errors.iter().map(Reason::of_error).collect();
        reasons.push(Reason::of_close(&lost, true));
        reasons.push(Reason::of_watch(&WatchEnd::PermissionDenied(status)));
        for reason in reasons {
            let told = format!("{reason} {reason:?}");
            assert!(!told.contains("hunter2"), "{told}");
            assert_eq!(reason.to_string(), "Internal, HTTP 500");
        }
    }

    #[test]
    fn of_a_known_error_only_its_own_text_is_told() {
        let text = format!("{} and hunter2", Known::GatewayConnection.message());
        let status = Status::new(Code::UNAVAILABLE, &text);
        let told = Reason::of_status(&status).to_string();
        assert!(told.starts_with(Known::GatewayConnection.message()));
        assert!(!told.contains("hunter2"), "{told}");
    }
}
