//! The upkeep of servers: how one is, its database, who leads, going back to older servers. Alarms
//! have their own file, `alarm`, and so have the plain pages beside the API, `pages`.

use super::ResponseHeader;
use super::call::{bare_answer, bare_request, call};
use super::cluster::check_member;
use super::json::{message, names};
use crate::error::{Feature, Misuse, Version};

/// Asks one server how it is.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::StatusRequest::new())?;
/// assert_eq!(json, r#"{}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusRequest {}

message!(StatusRequest {});

call!(StatusRequest => Status(StatusResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

impl StatusRequest {
    /// Asks how the server is.
    ///
    /// ```
    /// use etcd_core::StatusRequest;
    ///
    /// assert_eq!(StatusRequest::new(), StatusRequest::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// The answer to [`StatusRequest`].
///
/// ```
/// let json = r#"{"version":"3.5.30","dbSize":"20480","raftTerm":"2"}"#;
/// let status: etcd_core::StatusResponse = serde_json::from_str(json)?;
/// assert_eq!((status.db_size, status.leader, status.raft_term), (20480, 0, 2));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The version of the server.
    pub version: String,
    /// How many bytes its database takes on disk.
    pub db_size: i64,
    /// The member that leads, 0 if there is none.
    pub leader: u64,
    /// The last index of raft that is committed.
    pub raft_index: u64,
    /// The term of raft.
    pub raft_term: u64,
    /// The last index of raft that is applied.
    pub raft_applied_index: u64,
    /// What is wrong: alarms, no leader.
    pub errors: Vec<String>,
    /// How many bytes of its database are in use.
    pub db_size_in_use: i64,
    /// Whether it is a learner, which serves only serializable reads.
    pub is_learner: bool,
    /// The version of its storage, from etcd 3.6.
    pub storage_version: String,
    /// How many bytes its database may take, from etcd 3.6.
    pub db_size_quota: i64,
    /// Whether the cluster is on its way to an older version, from etcd 3.6.
    pub downgrade_info: Option<DowngradeInfo>,
}

message!(StatusResponse {
    "header" => header,
    "version" => version,
    "dbSize" => db_size,
    "leader" => leader,
    "raftIndex" => raft_index,
    "raftTerm" => raft_term,
    "raftAppliedIndex" => raft_applied_index,
    "errors" => errors,
    "dbSizeInUse" => db_size_in_use,
    "isLearner" => is_learner,
    "storageVersion" => storage_version,
    "dbSizeQuota" => db_size_quota,
    "downgradeInfo" => downgrade_info,
});

/// Whether a cluster is on its way to an older version.
///
/// ```
/// let json = r#"{"enabled":true,"targetVersion":"3.5.0"}"#;
/// let info: etcd_core::DowngradeInfo = serde_json::from_str(json)?;
/// assert!(info.enabled);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DowngradeInfo {
    /// Whether it is.
    pub enabled: bool,
    /// To which version.
    pub target_version: String,
}

message!(DowngradeInfo {
    "enabled" => enabled,
    "targetVersion" => target_version,
});

bare_request! {
    /// Gives the free space of one server's database back to its disk. The server does nothing else
    /// meanwhile: name it with [`CallOptions::with_endpoint`](crate::CallOptions::with_endpoint), take
    /// one after the other and the leader last.
    ///
    /// It has no deadline unless one is given, since it takes as long as the database is large.
    ///
    /// ```
    /// use etcd_core::{Call, Defragment};
    ///
    /// assert!(Defragment::new().waits());
    /// ```
    Defragment
}

call!(Defragment => Defragment(DefragmentResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        true
    }
});

bare_answer! {
    DefragmentResponse to Defragment,
    MoveLeaderResponse to MoveLeader,
}

bare_request! {
    /// Hashes one server's whole database. It is the same on two servers only if their databases are
    /// the same byte for byte; to compare what they hold, use [`HashKv`].
    ///
    /// ```
    /// let json = serde_json::to_string(&etcd_core::HashRequest::new())?;
    /// assert_eq!(json, "{}");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    HashRequest
}

call!(HashRequest => Hash(HashResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

/// The answer to [`HashRequest`].
///
/// ```
/// let answer: etcd_core::HashResponse = serde_json::from_str(r#"{"hash":4294967295}"#)?;
/// assert_eq!(answer.hash, u32::MAX);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The hash.
    pub hash: u32,
}

message!(HashResponse {
    "header" => header,
    "hash" => hash,
});

/// Hashes the keys and values one server has up to a revision. Servers whose hash and
/// `compact_revision` are the same hold the same. From etcd 3.5.10 (gateway.md 2).
///
/// ```
/// let json = serde_json::to_string(&etcd_core::HashKv::new(7))?;
/// assert_eq!(json, r#"{"revision":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashKv {
    /// Up to which revision, 0 for the latest.
    pub revision: i64,
}

message!(HashKv {
    "revision" => revision,
});

call!(HashKv => HashKv(HashKvResponse) {
    fn is_read(&self) -> bool {
        true
    }

    fn needs(&self) -> Option<Feature> {
        Some(Feature::HASH_KV)
    }
});

impl HashKv {
    /// Hashes what there is up to `revision`, 0 for the latest.
    ///
    /// ```
    /// assert_eq!(etcd_core::HashKv::new(7).revision, 7);
    /// ```
    #[must_use]
    pub const fn new(revision: i64) -> Self {
        Self { revision }
    }
}

/// The answer to [`HashKv`].
///
/// ```
/// let json = r#"{"hash":7,"compact_revision":"3"}"#;
/// let answer: etcd_core::HashKvResponse = serde_json::from_str(json)?;
/// assert_eq!((answer.hash, answer.compact_revision), (7, 3));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashKvResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The hash.
    pub hash: u32,
    /// The revision before which the server had forgotten history. Hashes are comparable only if
    /// it is the same.
    pub compact_revision: i64,
    /// The revision up to which the hash is, from etcd 3.6.
    pub hash_revision: i64,
}

message!(HashKvResponse {
    "header" => header,
    "hash" => hash,
    "compact_revision" => compact_revision,
    "hash_revision" => hash_revision,
});

/// Makes another member the leader. Only the present leader does it: find it with
/// [`StatusResponse::leader`] and name it with
/// [`CallOptions::with_endpoint`](crate::CallOptions::with_endpoint).
///
/// ```
/// let json = serde_json::to_string(&etcd_core::MoveLeader::new(7))?;
/// assert_eq!(json, r#"{"targetID":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveLeader {
    /// The member that shall lead.
    pub target_id: u64,
}

message!(MoveLeader {
    "targetID" => target_id,
});

call!(MoveLeader => MoveLeader(MoveLeaderResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_member(self.target_id)
    }
});

impl MoveLeader {
    /// Has the member `target_id` lead.
    ///
    /// ```
    /// assert_eq!(etcd_core::MoveLeader::new(7).target_id, 7);
    /// ```
    #[must_use]
    pub const fn new(target_id: u64) -> Self {
        Self { target_id }
    }
}

/// Prepares the cluster for servers of the minor version before. From etcd 3.5.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::Downgrade::enable("3.5.0"))?;
/// assert_eq!(json, r#"{"action":"ENABLE","version":"3.5.0"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downgrade {
    /// What to do.
    pub action: DowngradeAction,
    /// The version to go to, such as `3.5.0`. Not used to cancel.
    pub version: String,
}

message!(Downgrade {
    "action" => action,
    "version" => version,
});

call!(Downgrade => Downgrade(DowngradeResponse) {
    /// Validating changes nothing.
    fn is_read(&self) -> bool {
        self.action == DowngradeAction::Validate
    }

    fn check(&self) -> Result<(), Misuse> {
        match self.action {
            DowngradeAction::Cancel => Ok(()),
            _ if self.version.parse::<Version>().is_ok() => Ok(()),
            _ => Err(Misuse::BadVersion),
        }
    }

    fn needs(&self) -> Option<Feature> {
        Some(Feature::DOWNGRADE)
    }
});

impl Downgrade {
    /// Asks whether the cluster could go to `version`.
    ///
    /// ```
    /// use etcd_core::{Call, Downgrade};
    ///
    /// assert!(Downgrade::validate("3.5.0").is_read());
    /// ```
    #[must_use]
    pub fn validate(version: impl Into<String>) -> Self {
        Self {
            action: DowngradeAction::Validate,
            version: version.into(),
        }
    }

    /// Lets servers of `version` join.
    ///
    /// ```
    /// use etcd_core::{Call, Downgrade};
    ///
    /// assert!(!Downgrade::enable("3.5.0").is_read());
    /// ```
    #[must_use]
    pub fn enable(version: impl Into<String>) -> Self {
        Self {
            action: DowngradeAction::Enable,
            version: version.into(),
        }
    }

    /// Takes back what [`Downgrade::enable`] began.
    ///
    /// ```
    /// assert!(etcd_core::Downgrade::cancel().version.is_empty());
    /// ```
    #[must_use]
    pub const fn cancel() -> Self {
        Self {
            action: DowngradeAction::Cancel,
            version: String::new(),
        }
    }
}

/// What to do about going to an older version.
///
/// ```
/// use etcd_core::DowngradeAction;
///
/// assert_eq!(DowngradeAction::default(), DowngradeAction::Validate);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DowngradeAction {
    /// Ask whether it is possible.
    #[default]
    Validate,
    /// Begin.
    Enable,
    /// Take it back.
    Cancel,
}

names!(DowngradeAction {
    Validate => "VALIDATE" = 0,
    Enable => "ENABLE" = 1,
    Cancel => "CANCEL" = 2,
});

/// The answer to [`Downgrade`].
///
/// ```
/// let answer: etcd_core::DowngradeResponse = serde_json::from_str(r#"{"version":"3.5.0"}"#)?;
/// assert_eq!(answer.version, "3.5.0");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DowngradeResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The version of the cluster at present.
    pub version: String,
}

message!(DowngradeResponse {
    "header" => header,
    "version" => version,
});
