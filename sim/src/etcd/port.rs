//! What goes in and out of a cluster: typed requests, and replies to them.

use core::fmt;
use core::time::Duration;

use etcd_core as etcd;
use etcd_core::Code;

/// The name of one request under way, or of one stream. The asker counts them up and never uses one
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What comes with a request beside the message itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The token of the `Authorization` header.
    pub token: Option<String>,
    /// Whether a member without a leader is to refuse (`Grpc-Metadata-Hasleader: true`).
    pub require_leader: bool,
    /// The limit of the `Grpc-Timeout` header.
    pub timeout: Option<Duration>,
}

macro_rules! requests {
    ($($name:ident($request:ty),)*) => {
        /// A request with one answer.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(clippy::exhaustive_enums, reason = "who serves requests must know them all")]
        #[expect(missing_docs, reason = "each is named as the request it holds")]
        pub enum Request {
            $($name($request),)*
        }

        $(
            impl From<$request> for Request {
                fn from(request: $request) -> Self {
                    Self::$name(request)
                }
            }
        )*
    };
}

requests! {
    Range(etcd::Range),
    Put(etcd::Put),
    DeleteRange(etcd::DeleteRange),
    Txn(etcd::Txn),
    Compact(etcd::Compact),
    LeaseGrant(etcd::LeaseGrant),
    LeaseRevoke(etcd::LeaseRevoke),
    LeaseTimeToLive(etcd::LeaseTimeToLive),
    LeaseLeases(etcd::LeaseLeases),
    Status(etcd::StatusRequest),
    Version(etcd::VersionRequest),
    Health(etcd::HealthRequest),
    Livez(etcd::Livez),
    Readyz(etcd::Readyz),
    Metrics(etcd::MetricsRequest),
    Alarm(etcd::AlarmRequest),
    Defragment(etcd::Defragment),
    Hash(etcd::HashRequest),
    HashKv(etcd::HashKv),
    MoveLeader(etcd::MoveLeader),
    Downgrade(etcd::Downgrade),
    MemberAdd(etcd::MemberAdd),
    MemberRemove(etcd::MemberRemove),
    MemberUpdate(etcd::MemberUpdate),
    MemberPromote(etcd::MemberPromote),
    MemberList(etcd::MemberList),
    AuthEnable(etcd::AuthEnable),
    AuthDisable(etcd::AuthDisable),
    AuthStatus(etcd::AuthStatus),
    Authenticate(etcd::Authenticate),
    UserAdd(etcd::UserAdd),
    UserGet(etcd::UserGet),
    UserList(etcd::UserList),
    UserDelete(etcd::UserDelete),
    UserChangePassword(etcd::UserChangePassword),
    UserGrantRole(etcd::UserGrantRole),
    UserRevokeRole(etcd::UserRevokeRole),
    RoleAdd(etcd::RoleAdd),
    RoleGet(etcd::RoleGet),
    RoleList(etcd::RoleList),
    RoleDelete(etcd::RoleDelete),
    RoleGrantPermission(etcd::RoleGrantPermission),
    RoleRevokePermission(etcd::RoleRevokePermission),
    Lock(etcd::Lock),
    Unlock(etcd::Unlock),
    Campaign(etcd::Campaign),
    Proclaim(etcd::Proclaim),
    Leader(etcd::Leader),
    Resign(etcd::Resign),
}

/// The first message of a stream, or a further one.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who serves streams must know them all"
)]
pub enum StreamRequest {
    /// `/v3/watch`: create, cancel or progress.
    Watch(etcd::WatchRequest),
    /// `/v3/lease/keepalive`.
    LeaseKeepAlive(etcd::LeaseKeepAlive),
    /// `/v3/maintenance/snapshot`.
    Snapshot(etcd::SnapshotRequest),
    /// `/v3/election/observe`.
    Observe(etcd::Observe),
}

/// What a cluster says to a request or on a stream.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who makes bytes of replies must know them all"
)]
pub enum Reply {
    /// The one answer to a [`Request`].
    Answer(Box<etcd::Response>),
    /// A message of a watch stream.
    Watch(Box<etcd::WatchResponse>),
    /// A message of a renewal stream.
    LeaseKeepAlive(etcd::LeaseKeepAliveResponse),
    /// A message of a snapshot.
    Snapshot(etcd::SnapshotResponse),
    /// A message of an observation.
    Observe(etcd::ObserveResponse),
    /// The request failed, or the stream ended so; nothing follows.
    Fault(Fault),
    /// The stream ended well; nothing follows.
    End,
}

/// A failure as gRPC tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The gRPC status code.
    pub code: Code,
    /// etcd's text.
    pub message: String,
}

impl Fault {
    /// A failure.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}
