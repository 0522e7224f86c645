//! The server's own elections. Who was elected is known by a [`LeaderKey`]; leading lasts as long as
//! that key, which ends with its lease.

use bytes::Bytes;

use super::call::{bare_answer, call};
use super::json::message;
use super::{IntoBytes, KeyValue, Namespace, ResponseHeader};
use crate::error::Misuse;

/// Who leads an election: needed to go on leading or to give it up.
///
/// ```
/// let json = r#"{"name":"YQ==","key":"YS83","rev":"5","lease":"7"}"#;
/// let leader: etcd_core::LeaderKey = serde_json::from_str(json)?;
/// assert_eq!((&leader.key[..], leader.rev, leader.lease), (&b"a/7"[..], 5, 7));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaderKey {
    /// The election.
    pub name: Bytes,
    /// The key that stands for leading it.
    pub key: Bytes,
    /// The revision at which that key came to be: a fencing token.
    pub rev: i64,
    /// The lease the key ends with.
    pub lease: i64,
}

message!(LeaderKey {
    "name" => name,
    "key" => key,
    "rev" => rev,
    "lease" => lease,
});

/// Waits until it is elected. Renew the lease, or the lead ends with it.
///
/// It has no deadline unless one is given. Canceled, or timed out, while it waits, it is no longer
/// a candidate: its connection is closed, and the server removes its key (gateway.md 10).
///
/// ```
/// let json = serde_json::to_string(&etcd_core::Campaign::new("a", "me").with_lease(7))?;
/// assert_eq!(json, r#"{"name":"YQ==","lease":"7","value":"bWU="}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Campaign {
    /// The election.
    pub name: Bytes,
    /// The lease the lead ends with. 0: the server makes one of 60 s that nobody renews.
    pub lease: i64,
    /// What to say as its leader.
    pub value: Bytes,
}

message!(Campaign {
    "name" => name,
    "lease" => lease,
    "value" => value,
});

call!(Campaign => Campaign(CampaignResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.name);
    }

    fn is_read(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        true
    }
});

impl Campaign {
    /// Stands in the election `name`, to say `value` as its leader, on a lease of the server's own,
    /// which ends after 60 s.
    ///
    /// ```
    /// assert_eq!(etcd_core::Campaign::new("a", "me").lease, 0);
    /// ```
    #[must_use]
    pub fn new(name: impl IntoBytes, value: impl IntoBytes) -> Self {
        Self {
            name: name.into_bytes(),
            lease: 0,
            value: value.into_bytes(),
        }
    }

    /// Ends the lead with this lease.
    ///
    /// ```
    /// assert_eq!(etcd_core::Campaign::new("a", "me").with_lease(7).lease, 7);
    /// ```
    #[must_use]
    pub const fn with_lease(mut self, lease: i64) -> Self {
        self.lease = lease;
        self
    }
}

/// The answer to [`Campaign`]: it was elected.
///
/// ```
/// let json = r#"{"leader":{"key":"YS83"}}"#;
/// let answer: etcd_core::CampaignResponse = serde_json::from_str(json)?;
/// assert_eq!(&answer.leader.key[..], b"a/7");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CampaignResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The lead, for [`Proclaim`] and [`Resign`].
    pub leader: LeaderKey,
}

message!(CampaignResponse {
    "header" => header,
    "leader" => leader,
});

/// Says something else as the leader. It fails if the lead was lost.
///
/// ```
/// use etcd_core::{CampaignResponse, Proclaim};
///
/// let elected: CampaignResponse = serde_json::from_str(r#"{"leader":{"key":"YS83"}}"#)?;
/// let json = serde_json::to_string(&Proclaim::new(elected.leader, "new"))?;
/// assert_eq!(json, r#"{"leader":{"key":"YS83"},"value":"bmV3"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proclaim {
    /// The lead, from [`CampaignResponse`].
    pub leader: LeaderKey,
    /// What to say from now on.
    pub value: Bytes,
}

message!(Proclaim {
    "leader" => leader,
    "value" => value,
});

call!(Proclaim => Proclaim(ProclaimResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_leader(&mut self.leader);
    }

    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_leader(&self.leader)
    }
});

impl Proclaim {
    /// Says `value` as the leader.
    ///
    /// ```
    /// use etcd_core::{LeaderKey, Proclaim};
    ///
    /// assert_eq!(&Proclaim::new(LeaderKey::default(), "new").value[..], b"new");
    /// ```
    #[must_use]
    pub fn new(leader: LeaderKey, value: impl IntoBytes) -> Self {
        Self {
            leader,
            value: value.into_bytes(),
        }
    }
}

/// Asks who leads. An election without a leader is an error of the server's.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::Leader::new("a"))?;
/// assert_eq!(json, r#"{"name":"YQ=="}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leader {
    /// The election.
    pub name: Bytes,
}

message!(Leader {
    "name" => name,
});

call!(Leader => Leader(LeaderResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.name);
    }

    fn is_read(&self) -> bool {
        true
    }
});

impl Leader {
    /// Asks who leads the election `name`.
    ///
    /// ```
    /// assert_eq!(&etcd_core::Leader::new("a").name[..], b"a");
    /// ```
    #[must_use]
    pub fn new(name: impl IntoBytes) -> Self {
        Self {
            name: name.into_bytes(),
        }
    }
}

/// The answer to [`Leader`].
///
/// ```
/// let json = r#"{"kv":{"key":"YS83","value":"bWU="}}"#;
/// let answer: etcd_core::LeaderResponse = serde_json::from_str(json)?;
/// assert_eq!(&answer.kv.value[..], b"me");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaderResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The leader's key, and what the leader says.
    pub kv: KeyValue,
}

message!(LeaderResponse {
    "header" => header,
    "kv" => kv,
});

/// Gives up the lead. It is no error if it was lost before.
///
/// ```
/// use etcd_core::{CampaignResponse, Resign};
///
/// let elected: CampaignResponse = serde_json::from_str(r#"{"leader":{"key":"YS83"}}"#)?;
/// let json = serde_json::to_string(&Resign::new(elected.leader))?;
/// assert_eq!(json, r#"{"leader":{"key":"YS83"}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resign {
    /// The lead, from [`CampaignResponse`].
    pub leader: LeaderKey,
}

message!(Resign {
    "leader" => leader,
});

call!(Resign => Resign(ResignResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_leader(&mut self.leader);
    }

    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_leader(&self.leader)
    }
});

bare_answer! {
    ProclaimResponse to Proclaim,
    ResignResponse to Resign,
}

impl Resign {
    /// Gives up this lead.
    ///
    /// ```
    /// use etcd_core::{LeaderKey, Resign};
    ///
    /// assert_eq!(Resign::new(LeaderKey::default()).leader.rev, 0);
    /// ```
    #[must_use]
    pub const fn new(leader: LeaderKey) -> Self {
        Self { leader }
    }
}

fn check_leader(leader: &LeaderKey) -> Result<(), Misuse> {
    if leader.key.is_empty() {
        return Err(Misuse::NoLeaderKey);
    }
    Ok(())
}
