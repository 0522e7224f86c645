//! What notices are made of: for what, why there, what is waited for, what an endpoint is in.

use super::Reason;
use crate::client::retry;
use crate::conn::Lane;
use crate::error::Status;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::KeepAliveId;
use crate::id::StreamId;
use crate::id::WatchId;
use crate::time::Instant;

/// Who wants what a call asks for.
///
/// ```
/// assert_eq!(etcd_core::notice::Owner::Probe.to_string(), "a probe");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// The user.
    User,
    /// The client: what version a server has on which a watch is asked how far it is.
    Version,
    /// The client: a token.
    Login,
    /// The client itself, for the cluster's members (rule B-9).
    Members,
    /// The client: whether an endpoint that failed serves again (rule B-4).
    Probe,
    /// A lease that is kept alive.
    Lease(KeepAliveId),
    /// A watch that reads its range after a compaction.
    Watch(WatchId),
}

/// Why a call goes where it goes (rules B-5 and B-6).
///
/// ```
/// assert_eq!(etcd_core::notice::Choice::Turn.to_string(), "its turn");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Choice {
    /// `Config::balance` chose it.
    #[default]
    Turn,
    /// A connection to it was free, and none to the one whose turn it is.
    Free,
    /// No endpoint serves as far as is known, and this one failed longest ago, or has a connection.
    Suspect,
    /// The call is for this endpoint alone.
    Named,
    /// All renewals travel on one connection, and it leads there.
    Renewals,
}

/// What a call waits for.
///
/// ```
/// use etcd_core::notice::WaitsFor;
///
/// assert_eq!(WaitsFor::Token.to_string(), "a token");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// A connection that is free: those there are carry other calls, or are being opened.
    Connection,
    /// The time at which an endpoint is tried again: every one of them failed.
    Endpoint {
        /// That time.
        until: Instant,
    },
    /// A token.
    Token,
    /// The time of its next attempt: it was refused for a reason that passes.
    Backoff {
        /// That time.
        until: Instant,
    },
    /// Its turn, as the budget of further attempts is used up, or another call's success (guarantee G44).
    Budget {
        /// Its turn, or its deadline.
        until: Instant,
    },
}

/// What is known of an endpoint (rule B-2).
///
/// ```
/// assert_eq!(etcd_core::notice::EndpointState::Healthy.to_string(), "healthy");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointState {
    /// It serves, or nothing is known of it yet.
    #[default]
    Healthy,
    /// It failed, and others come first.
    Suspect {
        /// Then it is asked whether it serves again.
        until: Instant,
    },
    /// It is being asked whether it serves again.
    Probing,
    /// It is a learner, which answers serializable reads and its status alone, and others come first.
    Learner {
        /// Then it is asked whether it was promoted.
        until: Instant,
    },
    /// It is of another cluster than the first answer came from: others come first, and nothing of it is
    /// delivered (guarantee G8).
    Foreign {
        /// Then it is asked whether it still is.
        until: Instant,
    },
}

/// Why what is known of an endpoint has changed.
///
/// ```
/// assert_eq!(etcd_core::notice::EndpointReason::Answered.to_string(), "it answered");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointReason {
    /// It answered what only a member that serves answers.
    Answered,
    /// It failed.
    Failed(Reason),
    /// Its time is over, and others serve: it is asked whether it does, too.
    Due,
    /// It could not be asked.
    NotAsked,
}

impl EndpointReason {
    /// An answer of its.
    pub(in crate::client) fn of<T>(result: &Result<T, Status>) -> Self {
        match result {
            Ok(_) => Self::Answered,
            Err(status) if retry::passing(status).is_some_and(|passing| passing.is_members) => {
                Self::Failed(Reason::of_status(status))
            }
            Err(_) => Self::Answered,
        }
    }
}

/// What a connection is for.
///
/// ```
/// assert_eq!(etcd_core::notice::Use::Renewals.to_string(), "renewals");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Use {
    /// Calls.
    Calls,
    /// One call that waits for somebody else, or for long work.
    Waits,
    /// Watches.
    Watches,
    /// Renewals of leases.
    Renewals,
    /// A snapshot.
    Snapshot,
    /// An observation of an election.
    Observation,
}

impl Use {
    pub(in crate::client) const fn of(lane: Lane) -> Self {
        match lane {
            Lane::Calls | Lane::Pinned(_) => Self::Calls,
            Lane::Waits | Lane::PinnedWaits(_) => Self::Waits,
            Lane::Watches => Self::Watches,
            Lane::Renewals => Self::Renewals,
            Lane::Snapshots(_) => Self::Snapshot,
            Lane::Observers => Self::Observation,
        }
    }
}

/// What was due when a client woke up.
///
/// ```
/// assert_eq!(etcd_core::notice::Wake::Lease.to_string(), "a lease is to be renewed or looked at");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wake {
    /// A call's deadline.
    CallDeadline(CallId),
    /// The next attempt of a call that was refused.
    CallAgain(CallId),
    /// The time a server has to say something of a call, before another one is asked (guarantee G43).
    CallPatience(CallId),
    /// A lease is to be renewed, or its state changes.
    Lease,
    /// The time a connection has to be open.
    ConnDeadline(ConnId),
    /// The time a server has to confirm a watch on this connection.
    WatchConfirmed(ConnId),
    /// The next login.
    Login,
    /// The next question for the cluster's members.
    Sync,
    /// A watch connection was silent for long (guarantee G20).
    WatchSilence(ConnId),
    /// A server that was asked for progress on a watch connection has not told any.
    WatchProgress(ConnId),
    /// Watches on this connection that are not read make way for the others (guarantee G18).
    SlowWatches(ConnId),
    /// Watches that made way, or waited for room, go on.
    WatchesBack,
    /// Watches are looked at whether they lag (rule T-4).
    WatchLag,
    /// The next page of a watch that reads its range.
    WatchPage(WatchId),
    /// The time a watch has to be confirmed, or to be resumed.
    WatchDeadline(WatchId),
    /// The time a snapshot has for its next step, or as a whole.
    StreamDeadline(StreamId),
    /// The wait before the next connection is over.
    Reconnect(Use),
}
