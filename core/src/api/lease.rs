//! Leases: keys that end unless somebody renews them. When to renew is not known here.

use bytes::Bytes;

use super::ResponseHeader;
use super::call::call;
use super::json::message;
use crate::error::Misuse;

/// The longest a lease may last, in seconds (gateway.md 5.2, `too large lease TTL`).
const LONGEST_TTL: i64 = 9_000_000_000;

/// Makes a lease.
///
/// Its id is chosen at random by the client when the call is made (rule L-1): then the call can be
/// repeated where its answer was lost, and the second attempt recognizes the lease of the first. With
/// an id of one's own ([`LeaseGrant::with_id`]) or of the server's ([`LeaseGrant::with_server_id`]) it
/// is made once, and a lost answer leaves it in doubt.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::LeaseGrant::new(60))?;
/// assert_eq!(json, r#"{"TTL":"60"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseGrant {
    /// How many seconds it lasts without a renewal, at most 9,000,000,000. The server raises what is
    /// too short.
    pub ttl: i64,
    /// The id it shall have. 0: one at random, by the client where a client makes the call.
    pub id: i64,
    /// Leaves a random id to the server. No part of etcd's message.
    pub server_id: bool,
}

message!(LeaseGrant {
    "TTL" => ttl,
    "ID" => id,
});

call!(LeaseGrant => LeaseGrant(LeaseGrantResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn wants_id(&self) -> bool {
        self.id == 0 && !self.server_id
    }

    fn set_id(&mut self, id: i64) {
        self.id = id;
    }

    fn check(&self) -> Result<(), Misuse> {
        if self.ttl > LONGEST_TTL {
            return Err(Misuse::TtlTooLarge { limit: LONGEST_TTL });
        }
        Ok(())
    }
});

impl LeaseGrant {
    /// Makes a lease that lasts `ttl_seconds` without a renewal.
    ///
    /// ```
    /// assert_eq!(etcd_core::LeaseGrant::new(60).ttl, 60);
    /// ```
    #[must_use]
    pub const fn new(ttl_seconds: i64) -> Self {
        Self {
            ttl: ttl_seconds,
            id: 0,
            server_id: false,
        }
    }

    /// Chooses the id. The call fails if there is such a lease.
    ///
    /// It is not repeated where its answer was lost: that there is such a lease would not show
    /// whether this call made it.
    ///
    /// ```
    /// assert_eq!(etcd_core::LeaseGrant::new(60).with_id(7).id, 7);
    /// ```
    #[must_use]
    pub const fn with_id(mut self, id: i64) -> Self {
        self.id = id;
        self
    }

    /// Lets the server choose the id. Where the answer is lost, nobody knows it, and the lease stays
    /// until its time is over.
    ///
    /// ```
    /// use etcd_core::{Call, LeaseGrant};
    ///
    /// assert!(LeaseGrant::new(60).wants_id());
    /// assert!(!LeaseGrant::new(60).with_server_id().wants_id());
    /// ```
    #[must_use]
    pub const fn with_server_id(mut self) -> Self {
        self.server_id = true;
        self
    }
}

/// The answer to [`LeaseGrant`].
///
/// ```
/// let answer: etcd_core::LeaseGrantResponse = serde_json::from_str(r#"{"ID":"7","TTL":"60"}"#)?;
/// assert_eq!((answer.id, answer.ttl), (7, 60));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseGrantResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The lease.
    pub id: i64,
    /// How many seconds it lasts, perhaps more than asked for.
    pub ttl: i64,
    /// Why there is no lease. No server is known to use it.
    pub error: String,
}

message!(LeaseGrantResponse {
    "header" => header,
    "ID" => id,
    "TTL" => ttl,
    "error" => error,
});

/// Ends a lease and deletes its keys. It is repeated where its answer was lost, and an attempt that then
/// finds no such lease is the success of an earlier one (rule R-3); its answer has an empty header.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::LeaseRevoke::new(-7))?;
/// assert_eq!(json, r#"{"ID":"-7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseRevoke {
    /// The lease.
    pub id: i64,
}

message!(LeaseRevoke {
    "ID" => id,
});

call!(LeaseRevoke => LeaseRevoke(LeaseRevokeResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }
});

impl LeaseRevoke {
    /// Ends the lease `id`.
    ///
    /// ```
    /// assert_eq!(etcd_core::LeaseRevoke::new(7).id, 7);
    /// ```
    #[must_use]
    pub const fn new(id: i64) -> Self {
        Self { id }
    }
}

/// The answer to [`LeaseRevoke`].
///
/// ```
/// assert_eq!(etcd_core::LeaseRevokeResponse::default().header.revision, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseRevokeResponse {
    /// Who answered.
    pub header: ResponseHeader,
}

message!(LeaseRevokeResponse {
    "header" => header,
});

/// Renews a lease once. It changes the lease, and may be sent again all the same.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::LeaseKeepAlive::new(7))?;
/// assert_eq!(json, r#"{"ID":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseKeepAlive {
    /// The lease.
    pub id: i64,
}

message!(LeaseKeepAlive {
    "ID" => id,
});

call!(LeaseKeepAlive => LeaseKeepAlive(LeaseKeepAliveResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }
});

impl LeaseKeepAlive {
    /// Renews the lease `id`.
    ///
    /// ```
    /// assert_eq!(etcd_core::LeaseKeepAlive::new(7).id, 7);
    /// ```
    #[must_use]
    pub const fn new(id: i64) -> Self {
        Self { id }
    }
}

/// The answer to [`LeaseKeepAlive`].
///
/// ```
/// let gone: etcd_core::LeaseKeepAliveResponse = serde_json::from_str(r#"{"ID":"7"}"#)?;
/// assert_eq!(gone.ttl, 0);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseKeepAliveResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The lease.
    pub id: i64,
    /// How many seconds it lasts from now. 0: there is no such lease.
    pub ttl: i64,
}

message!(LeaseKeepAliveResponse {
    "header" => header,
    "ID" => id,
    "TTL" => ttl,
});

/// Asks how long a lease has left.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::LeaseTimeToLive::new(7).with_keys())?;
/// assert_eq!(json, r#"{"ID":"7","keys":true}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseTimeToLive {
    /// The lease.
    pub id: i64,
    /// Whether to answer with the keys attached to it.
    pub keys: bool,
}

message!(LeaseTimeToLive {
    "ID" => id,
    "keys" => keys,
});

call!(LeaseTimeToLive => LeaseTimeToLive(LeaseTimeToLiveResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

impl LeaseTimeToLive {
    /// Asks about the lease `id`.
    ///
    /// ```
    /// assert_eq!(etcd_core::LeaseTimeToLive::new(7).id, 7);
    /// ```
    #[must_use]
    pub const fn new(id: i64) -> Self {
        Self { id, keys: false }
    }

    /// Asks for the keys attached to it, too.
    ///
    /// ```
    /// assert!(etcd_core::LeaseTimeToLive::new(7).with_keys().keys);
    /// ```
    #[must_use]
    pub const fn with_keys(mut self) -> Self {
        self.keys = true;
        self
    }
}

/// The answer to [`LeaseTimeToLive`].
///
/// ```
/// let json = r#"{"ID":"7","TTL":"58","grantedTTL":"60","keys":["Zm9v"]}"#;
/// let answer: etcd_core::LeaseTimeToLiveResponse = serde_json::from_str(json)?;
/// assert_eq!((answer.ttl, answer.granted_ttl), (58, 60));
/// assert_eq!(answer.keys, [&b"foo"[..]]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseTimeToLiveResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The lease.
    pub id: i64,
    /// How many seconds it has left. -1: there is no such lease. 0: it is about to end.
    pub ttl: i64,
    /// How many seconds it lasts without a renewal.
    pub granted_ttl: i64,
    /// The keys attached to it, in no order, if they were asked for.
    pub keys: Vec<Bytes>,
}

message!(LeaseTimeToLiveResponse {
    "header" => header,
    "ID" => id,
    "TTL" => ttl,
    "grantedTTL" => granted_ttl,
    "keys" => keys,
});

/// Lists the leases.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::LeaseLeases::new())?;
/// assert_eq!(json, r#"{}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseLeases {}

message!(LeaseLeases {});

call!(LeaseLeases => LeaseLeases(LeaseLeasesResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

impl LeaseLeases {
    /// Lists the leases.
    ///
    /// ```
    /// use etcd_core::LeaseLeases;
    ///
    /// assert_eq!(LeaseLeases::new(), LeaseLeases::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// The answer to [`LeaseLeases`].
///
/// ```
/// let json = r#"{"leases":[{"ID":"7"}]}"#;
/// let answer: etcd_core::LeaseLeasesResponse = serde_json::from_str(json)?;
/// assert_eq!(answer.leases[0].id, 7);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseLeasesResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The leases.
    pub leases: Vec<LeaseStatus>,
}

message!(LeaseLeasesResponse {
    "header" => header,
    "leases" => leases,
});

/// One lease of a list.
///
/// ```
/// assert_eq!(etcd_core::LeaseStatus::default().id, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseStatus {
    /// The lease.
    pub id: i64,
}

message!(LeaseStatus {
    "ID" => id,
});
