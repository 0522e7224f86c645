//! What can go wrong, in the words a user needs.
//!
//! Two levels. [`Error`] is the outcome of a call or a watch: few variants, each of which answers
//! the one question that matters after a failed write, [`Error::applied`]. Below it are the reasons
//! why a connection ended ([`CloseReason`]): small, comparable, naming the rule that was broken and
//! who broke it. This module names no other module, so every layer may use it.

mod close;
mod diagnosis;
mod json;
mod known;
mod questions;
mod snapshot;
mod status;
mod version;

use core::fmt;

pub use close::{
    CloseReason, ConfigError, HttpError, Limit, NetError, NetErrorKind, ProtocolError,
};
pub use diagnosis::{Diagnosis, Fault};
pub use json::JsonError;
pub use known::Known;
pub use snapshot::SnapshotFault;
pub use status::{Code, Status};
pub use version::{Feature, Version, VersionError};

/// Whether a failed call may have had an effect on the store.
///
/// ```
/// use etcd_core::{Applied, Error};
///
/// let error = Error::Canceled { applied: Applied::Maybe };
/// assert_eq!(error.applied(), Applied::Maybe);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third answer would break every caller's logic"
)]
pub enum Applied {
    /// The call certainly had no effect.
    No,
    /// The call may have had an effect, and there is no way to know from here.
    ///
    /// It may even be still to come. A write that timed out can be on its way inside the cluster and be
    /// applied later, **even after a newer write that succeeded** (gateway.md section 16): a follower passed it
    /// on to a leader that stood still, say, and once that goes on, the old value replaces the new one. So
    /// reading the key does not settle it, and another put does not, either.
    ///
    /// A write whose condition holds only once does: [`CompareAndSwap::mod_revision`](crate::CompareAndSwap),
    /// [`DeleteIfUnchanged`](crate::DeleteIfUnchanged), a [`Txn`](crate::Txn) that compares a revision, or
    /// [`PutIfAbsent`](crate::PutIfAbsent), if nobody deletes the key (a key that does not exist has revision 0).
    /// Whatever came in between has changed the revision, so one that comes late does nothing; and it may be
    /// sent again until it is answered (rule R-5). [`Settle`](crate::recipes::Settle) does that, and tells
    /// apart a refusal by somebody else's write and one by an earlier try of one's own:
    ///
    /// ```
    /// use etcd_core::gateway::decode_answer;
    /// use etcd_core::recipes::{Settle, Settled};
    /// use etcd_core::{Applied, CompareAndSwap, Error};
    ///
    /// // The key was read, and had last been changed at revision 7.
    /// let mut settle = Settle::new(CompareAndSwap::mod_revision("k", 7, "mine"));
    ///
    /// // The first try is given up,
    /// settle.poll_step();
    /// settle.handle_written(Err(Error::Canceled { applied: Applied::Maybe }));
    /// // and the second one is refused:
    /// settle.poll_step();
    /// let body = br#"{"header":{"revision":"8"},"responses":[{"response_range":{"kvs":
    ///     [{"key":"aw==","value":"bWluZQ==","mod_revision":"8"}],"count":"1"}}]}"#;
    /// settle.handle_written(Ok(decode_answer::<CompareAndSwap>(200, body)?));
    /// // the first one was done after all.
    /// assert!(matches!(settle.poll_settled(), Some(Ok(Settled::Found { .. }))));
    /// # Ok::<(), etcd_core::gateway::AnswerError>(())
    /// ```
    Maybe,
}

/// Why a call failed.
///
/// ```
/// use etcd_core::{Applied, Error, Misuse};
///
/// let error = Error::Misuse(Misuse::EmptyKey);
/// assert_eq!(error.applied(), Applied::No);
/// assert!(error.to_string().starts_with("key is empty"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with an error.
    Etcd {
        /// What the server said.
        status: Status,
        /// Whether the call may have had an effect all the same.
        applied: Applied,
    },
    /// The server refused the credentials, or again and again the tokens it gave for them. Check
    /// name and password, or bring a new token. After a refused login, calls fail with it for a
    /// while without asking again (rule A-6).
    Auth {
        /// What the server said.
        status: Status,
        /// Whether the call may have had an effect all the same. The refusal itself is certain
        /// (guarantee G41): `Maybe` comes only from an earlier attempt whose answer was lost.
        applied: Applied,
    },
    /// The call's deadline passed. Give the call more time with its options, or find out why the
    /// server is slow.
    Timeout {
        /// What the call was waiting for.
        phase: Phase,
        /// Whether the call may have had an effect all the same.
        applied: Applied,
    },
    /// No endpoint could serve the call before its deadline or before the retry rules ended.
    Unavailable {
        /// The last thing that went wrong.
        cause: Cause,
        /// Whether the call may have had an effect all the same.
        applied: Applied,
    },
    /// The caller canceled it.
    Canceled {
        /// Whether the call may have had an effect all the same.
        applied: Applied,
    },
    /// A configured limit was passed.
    Limit {
        /// Which one, and its value. Each is a field of `Config`.
        limit: Limit,
        /// Whether the call may have had an effect all the same.
        applied: Applied,
    },
    /// The server is too old for the call, which was not sent. Ask a newer one with the call's
    /// options, or upgrade the server.
    Unsupported {
        /// What the server does not have, by its path.
        feature: &'static str,
        /// The first version of each line of releases that has it, in their order.
        needs: &'static [Version],
        /// What the server is.
        server_version: Version,
    },
    /// What was read page by page was pinned to a revision that etcd has compacted since. The pages
    /// read so far are good, the rest of that revision is gone: start reading again.
    Compacted {
        /// The revision the pages were pinned to.
        revision: i64,
    },
    /// The request itself is impossible; nothing was sent.
    Misuse(Misuse),
    /// A snapshot came, but is broken or not whole.
    Snapshot(SnapshotFault),
}

impl Error {
    /// Whether the failed call may have had an effect. Always [`Applied::No`] for calls that only
    /// read.
    ///
    /// ```
    /// use etcd_core::{Applied, Error, Phase};
    ///
    /// let error = Error::Timeout { phase: Phase::Answer, applied: Applied::Maybe };
    /// assert_eq!(error.applied(), Applied::Maybe);
    /// ```
    #[must_use]
    pub const fn applied(&self) -> Applied {
        match self {
            Self::Etcd { applied, .. }
            | Self::Auth { applied, .. }
            | Self::Timeout { applied, .. }
            | Self::Unavailable { applied, .. }
            | Self::Canceled { applied }
            | Self::Limit { applied, .. } => *applied,
            Self::Unsupported { .. }
            | Self::Compacted { .. }
            | Self::Misuse(_)
            | Self::Snapshot(_) => Applied::No,
        }
    }

    /// The server's own error, where it was the server that answered.
    ///
    /// ```
    /// use etcd_core::{Error, Misuse};
    ///
    /// assert!(Error::Misuse(Misuse::EmptyKey).status().is_none());
    /// ```
    #[must_use]
    pub const fn status(&self) -> Option<&Status> {
        match self {
            Self::Etcd { status, .. } | Self::Auth { status, .. } => Some(status),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Etcd { status, .. } => fmt::Display::fmt(status, f),
            Self::Auth { status, .. } => write!(f, "credentials were refused: {status}"),
            Self::Timeout { phase, .. } => write!(f, "deadline passed while {phase}"),
            Self::Unavailable { cause, .. } => {
                write!(f, "no endpoint could serve the call: {cause}")
            }
            Self::Canceled { .. } => f.write_str("canceled by the caller"),
            Self::Limit { limit, .. } => fmt::Display::fmt(limit, f),
            Self::Unsupported {
                feature,
                needs,
                server_version,
            } => {
                write!(f, "server {server_version} has no {feature}; it needs ")?;
                for (place, needed) in needs.iter().enumerate() {
                    let or = if place == 0 { "" } else { " or " };
                    write!(f, "{or}{needed}")?;
                }
                f.write_str(" or later")
            }
            Self::Compacted { revision } => write!(
                f,
                "revision {revision} was compacted while it was read page by page; start reading \
                 again"
            ),
            Self::Misuse(misuse) => fmt::Display::fmt(misuse, f),
            Self::Snapshot(fault) => fmt::Display::fmt(fault, f),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Etcd { status, .. } | Self::Auth { status, .. } => Some(status),
            Self::Unavailable { cause, .. } => Some(cause),
            Self::Limit { limit, .. } => Some(limit),
            Self::Misuse(misuse) => Some(misuse),
            Self::Snapshot(fault) => Some(fault),
            Self::Timeout { .. }
            | Self::Canceled { .. }
            | Self::Unsupported { .. }
            | Self::Compacted { .. } => None,
        }
    }
}

/// What a call was waiting for when its time ran out.
///
/// ```
/// assert_eq!(etcd_core::Phase::Connect.to_string(), "waiting for a connection");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// A connection to be opened.
    Connect,
    /// A token to send along.
    Token,
    /// A connection to become free.
    Queue,
    /// Its bytes to be taken by the socket.
    Send,
    /// The server's answer.
    Answer,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "waiting for a connection",
            Self::Token => "waiting for a token",
            Self::Queue => "waiting for a free connection",
            Self::Send => "sending the request",
            Self::Answer => "waiting for the answer",
        })
    }
}

/// Why no endpoint could serve a call.
///
/// ```
/// use etcd_core::{Cause, CloseReason};
///
/// let cause = Cause::ConnectionLost(CloseReason::PeerClosed);
/// assert_eq!(cause.to_string(), "connection lost: server closed the connection");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Connecting failed, last with this.
    ConnectFailed(NetError),
    /// The connection ended before the answer was complete.
    ConnectionLost(CloseReason),
    /// The answer was whole, but not one that this call can have; it was not asked again.
    BadAnswer(ProtocolError),
    /// The answer was older than what this client knew before it asked, at every endpoint that answered
    /// (guarantee G8): a member serves from what it had before it was cut off, or the store was set back.
    StaleRead {
        /// The newest revision this client was told.
        known: i64,
        /// The revision of the answer.
        seen: i64,
    },
    /// The answer came from another cluster than the first one (guarantee G8). Nothing of it is delivered.
    /// Make a new client if that is meant; else correct the endpoints.
    ClusterChanged {
        /// The id of the first cluster.
        expected: u64,
        /// The id of this one.
        seen: u64,
    },
    /// The client was shut down.
    Shutdown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailed(error) => write!(f, "cannot connect: {error}"),
            Self::ConnectionLost(reason) => write!(f, "connection lost: {reason}"),
            Self::BadAnswer(error) => write!(f, "server broke the protocol: {error}"),
            Self::StaleRead { known, seen } => write!(
                f,
                "the answer is of revision {seen}, and revision {known} was known before; the member lags, or the store was set back"
            ),
            Self::ClusterChanged { expected, seen } => write!(
                f,
                "the answer came from cluster {seen:x}, and the first one from cluster {expected:x}; make a new client, or correct the endpoints"
            ),
            Self::Shutdown => f.write_str("the client was shut down"),
        }
    }
}

impl core::error::Error for Cause {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::ConnectFailed(error) => Some(error),
            Self::ConnectionLost(reason) => Some(reason),
            Self::BadAnswer(error) => Some(error),
            Self::StaleRead { .. } | Self::ClusterChanged { .. } | Self::Shutdown => None,
        }
    }
}

/// A request that etcd could only refuse, found before anything was sent. It never depends on
/// bytes from the network.
///
/// ```
/// use etcd_core::Misuse;
///
/// assert!(Misuse::EmptyName.to_string().ends_with("give one"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// etcd has no empty key. Ask for all keys with `KeyRange::all()` or `KeyRange::prefix("")`.
    EmptyKey,
    /// `with_ignore_value` keeps the stored value, so none may be given.
    ValueWithIgnoreValue,
    /// `with_ignore_lease` keeps the attached lease, so none may be given.
    LeaseWithIgnoreLease,
    /// etcd refuses more than 128 compares or operations in one list (`--max-txn-ops`). Split the
    /// transaction, or read and delete by range.
    TooManyOps {
        /// How many the list has.
        count: usize,
    },
    /// etcd refuses to put the same key twice, or to put and delete it, on one path of a transaction.
    /// Keep the last.
    DuplicateKey,
    /// Transactions are nested deeper than this client sends. Split the transaction.
    TxnTooDeep {
        /// The deepest nesting allowed.
        limit: usize,
    },
    /// A branch of a transaction reads at a revision and also writes. If that revision was compacted on
    /// one member, the members' data differ from then on (etcd issue 18667). Read at the revision in
    /// a call of its own.
    RangeAtRevisionWithWrite,
    /// etcd grants no lease for longer than 9,000,000,000 seconds. Ask for less.
    TtlTooLarge {
        /// The longest, in seconds.
        limit: i64,
    },
    /// A user or a role has to have a name.
    EmptyName,
    /// A user without a password has to be asked for with `UserAdd::no_password`.
    EmptyPassword,
    /// `no_password` is about a user without a password, so none may be given.
    PasswordWithNoPassword,
    /// A member has to have at least one URL for its peers, such as `http://10.0.0.7:2380`.
    NoPeerUrls,
    /// A peer's URL is not of the form `http://host:port` or `https://host:port`, without a path.
    BadPeerUrl {
        /// Which of the URLs, counted from 0.
        place: usize,
    },
    /// No member has the id 0. Take the id from `MemberList`.
    NoMemberId,
    /// The version to go to is not one. Write it as `3.5.0`.
    BadVersion,
    /// To unlock, the key of the lock's answer is needed, not its name.
    EmptyLockKey,
    /// To go on leading or to resign, the `LeaderKey` of the campaign's answer is needed.
    NoLeaderKey,
    /// The name of a check is a word of letters, digits, `_` and `-`.
    BadCheckName,
    /// A header name or value has bytes that could break the framing of a request.
    BadHeader,
    /// The request's id is not one this client knows.
    UnknownId,
    /// Pages come in the order of their keys, and have keys: no other order can be asked for, nor
    /// the number of keys alone.
    NotPaged,
    /// The client's credentials would go over plain HTTP to another machine, where everybody on the way can
    /// read them. Use `https://` endpoints, or allow it with
    /// [`Credentials::over_plain_http`](crate::Credentials::over_plain_http).
    CredentialsInClear,
    /// Only a write whose condition holds once can be settled: one on the key's last revision, or on there
    /// being no such key.
    GuardHoldsTwice,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyKey => {
                f.write_str("key is empty; give one, or ask for all keys with KeyRange::all()")
            }
            Self::ValueWithIgnoreValue => {
                f.write_str("value given together with ignore_value; leave one of them out")
            }
            Self::LeaseWithIgnoreLease => {
                f.write_str("lease given together with ignore_lease; leave one of them out")
            }
            Self::TooManyOps { count } => write!(
                f,
                "{count} operations in one list of a transaction, etcd allows 128; split it"
            ),
            Self::DuplicateKey => f.write_str(
                "a key is put twice, or put and deleted, on one path of a transaction; keep one",
            ),
            Self::TxnTooDeep { limit } => write!(
                f,
                "transaction nested deeper than {limit}; split it into several"
            ),
            Self::RangeAtRevisionWithWrite => f.write_str(
                "a branch of a transaction reads at a revision and writes, which can corrupt the \
                 cluster (etcd issue 18667); read in a call of its own",
            ),
            Self::TtlTooLarge { limit } => {
                write!(f, "time to live is above {limit} s; ask for less")
            }
            Self::EmptyName => f.write_str("name of a user or role is empty; give one"),
            Self::EmptyPassword => {
                f.write_str("password is empty; give one, or add the user with no_password")
            }
            Self::PasswordWithNoPassword => {
                f.write_str("password given together with no_password; leave one of them out")
            }
            Self::NoPeerUrls => {
                f.write_str("no peer URLs given; give one, such as http://10.0.0.7:2380")
            }
            Self::BadPeerUrl { place } => write!(
                f,
                "peer URL {place} is not http://host:port or https://host:port without a path"
            ),
            Self::NoMemberId => f.write_str("member id is 0; take the id from the member list"),
            Self::BadVersion => f.write_str("target version is not one; write it as 3.5.0"),
            Self::EmptyLockKey => {
                f.write_str("key of the lock is empty; take the key from the lock's answer")
            }
            Self::NoLeaderKey => {
                f.write_str("leader key is empty; take the leader from the campaign's answer")
            }
            Self::BadCheckName => {
                f.write_str("name of a check has characters other than letters, digits, _ and -")
            }
            Self::BadHeader => {
                f.write_str("header has bytes that are not allowed in a header; take them out")
            }
            Self::UnknownId => {
                f.write_str("no such id in this client; take ids from the client that gave them")
            }
            Self::NotPaged => f.write_str(
                "pages come in the order of their keys: no other order and no count_only",
            ),
            Self::CredentialsInClear => f.write_str(
                "credentials would go over plain HTTP to another machine; use https://, or allow it with \
                 Credentials::over_plain_http",
            ),
            Self::GuardHoldsTwice => f.write_str(
                "a value may change and change back; give the key's last revision as the condition",
            ),
        }
    }
}

impl core::error::Error for Misuse {}
