//! Leases that are kept alive as their user sees them: what is asked for, what is told, how it ends.

use core::fmt;

use crate::error::Applied;
use crate::error::Cause;
use crate::error::Code;
use crate::error::Error;
use crate::error::Known;
use crate::error::Status;
use crate::time::Instant;

/// A lease that exists already and is to be kept alive.
///
/// ```
/// use etcd_core::KeepAlive;
///
/// assert_eq!(KeepAlive::new(7).lease, 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAlive {
    /// The lease.
    pub lease: i64,
    /// What is known of its time: how many seconds it was granted, and when the grant or the renewal
    /// was sent whose answer said so.
    pub granted: Option<(i64, Instant)>,
}

impl KeepAlive {
    /// Keeps the lease alive from now on. The first renewal is sent at once and tells how long it
    /// lasts; where none succeeds within `Config::write_timeout`, that is the end.
    ///
    /// ```
    /// assert!(etcd_core::KeepAlive::new(7).granted.is_none());
    /// ```
    #[must_use]
    pub const fn new(lease: i64) -> Self {
        Self {
            lease,
            granted: None,
        }
    }

    /// Says that the lease was granted, or renewed, for `ttl` seconds by a request that was sent at
    /// `sent_at` or later. So it counts as alive from the beginning, and the first renewal is sent when
    /// a third of that time is over. Give the time of sending, not that of the answer: the server
    /// counts from somewhere between.
    ///
    /// ```
    /// use etcd_core::{Instant, KeepAlive};
    ///
    /// let lease = KeepAlive::new(7).with_ttl(10, Instant::ZERO);
    /// assert_eq!(lease.granted, Some((10, Instant::ZERO)));
    /// ```
    #[must_use]
    pub const fn with_ttl(mut self, ttl: i64, sent_at: Instant) -> Self {
        self.granted = Some((ttl, sent_at));
        self
    }
}

/// What is told of a lease that is kept alive, from [`Client::poll_lease`](crate::Client::poll_lease).
/// Of what was not taken in time only the newest is kept (rule L-8).
///
/// ```
/// use etcd_core::{Client, Config, Instant, LeaseEnd, LeaseEvent, LeaseGrant};
///
/// let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
/// let kept = client.lease(Instant::ZERO, LeaseGrant::new(10));
/// client.shutdown(Instant::ZERO);
/// assert_eq!(client.poll_lease(kept), Some(LeaseEvent::End(LeaseEnd::Shutdown)));
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LeaseEvent {
    /// It was granted or renewed. Told for each confirmation, also for one that came after `Expired`:
    /// then the lease was there all the time. What is built on a lease, a lock for one, must not go on
    /// then (guarantee G27).
    Active {
        /// How many seconds it lasts without a renewal, as the server said.
        ttl: i64,
        /// Until when it certainly lasts: when the confirmed request was sent, plus `ttl`, less a
        /// thousandth of it for clocks that run differently (guarantee G25). It never falls.
        valid_until: Instant,
    },
    /// Two thirds of its time are over, and no renewal was confirmed (rule L-6). It is renewed all the
    /// same.
    AtRisk {
        /// Until when it certainly lasts.
        valid_until: Instant,
    },
    /// Its time is over by our clock, and no renewal was confirmed: it may be gone at the server. Told
    /// at that moment, even when no byte moves (guarantee G26). Renewals go on.
    Expired {
        /// Until when it certainly lasted.
        valid_until: Instant,
    },
    /// It is not kept alive any more; nothing comes after it. Told once.
    End(LeaseEnd),
}

/// Why a lease is not kept alive any more.
///
/// ```
/// assert_eq!(etcd_core::LeaseEnd::Lost.to_string(), "the lease is gone");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseEnd {
    /// The user stopped it: the lease is left to its time.
    Released,
    /// The user revoked it: the lease and its keys are gone. Where its grant had to be sent twice, the first
    /// attempt can still come to a server after this and make the lease once more, with no keys and until its
    /// time is over.
    Revoked,
    /// The server has no such lease: it expired, or somebody revoked it. Its keys are gone (guarantee
    /// G27).
    Lost,
    /// It could not be granted, never was confirmed, or its renewals were refused in a way that lasts;
    /// or it could not be revoked. A lease there was is left to its time.
    Failed(Error),
    /// The client was shut down: the lease is left to its time.
    Shutdown,
}

impl fmt::Display for LeaseEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Released => f.write_str("released by the caller"),
            Self::Revoked => f.write_str("revoked by the caller"),
            Self::Lost => f.write_str("the lease is gone"),
            Self::Failed(error) => fmt::Display::fmt(error, f),
            Self::Shutdown => f.write_str("the client was shut down"),
        }
    }
}

impl core::error::Error for LeaseEnd {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

impl From<LeaseEnd> for Error {
    /// The end as the error of a call, for a lease that ended before it began.
    fn from(end: LeaseEnd) -> Self {
        let applied = Applied::No;
        match end {
            LeaseEnd::Released | LeaseEnd::Revoked => Self::Canceled { applied },
            LeaseEnd::Lost => {
                let status = Status::new(Code::NOT_FOUND, Known::LeaseNotFound.message());
                Self::Etcd { status, applied }
            }
            LeaseEnd::Failed(error) => error,
            LeaseEnd::Shutdown => Self::Unavailable {
                cause: Cause::Shutdown,
                applied,
            },
        }
    }
}

/// How a lease that is kept alive stands at a moment, from
/// [`Client::lease_state`](crate::Client::lease_state).
///
/// ```
/// use etcd_core::{Client, Config, Instant, KeepAlive, LeasePhase};
///
/// let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
/// let lease = KeepAlive::new(7).with_ttl(10, Instant::ZERO);
/// let kept = client.keep_alive(Instant::ZERO, lease);
/// let state = client.lease_state(Instant::ZERO, kept).expect("it has not ended");
/// assert_eq!((state.lease, state.ttl, state.phase), (7, 10, LeasePhase::Active));
/// assert_eq!(state.valid_until, Some(Instant::from_nanos(9_990_000_000)));
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseState {
    /// The lease; 0 while the server has not told what it chose.
    pub lease: i64,
    /// How many seconds it lasts without a renewal; 0 while that is not known.
    pub ttl: i64,
    /// What it is in.
    pub phase: LeasePhase,
    /// Until when it certainly lasts, or lasted (guarantee G25). It never falls. None before the first
    /// confirmation, and once it is lost or the revoke was sent.
    pub valid_until: Option<Instant>,
}

/// What a lease that is kept alive is in (rule L-6).
///
/// ```
/// use etcd_core::{Client, Config, Instant, LeaseGrant, LeasePhase};
///
/// let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
/// let kept = client.lease(Instant::ZERO, LeaseGrant::new(10));
/// let state = client.lease_state(Instant::ZERO, kept).expect("it has not ended");
/// assert_eq!(state.phase, LeasePhase::Starting);
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeasePhase {
    /// It is being granted, or renewed for the first time.
    Starting,
    /// It certainly lives, and was renewed in time.
    Active,
    /// It certainly lives, and two thirds of its time are over.
    AtRisk,
    /// It may be gone.
    Expired,
    /// It is being revoked, and may be gone.
    Revoking,
    /// It is not kept alive any more; the end waits to be taken.
    Ended,
}
