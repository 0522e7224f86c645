//! What all calls have in common: one request, one answer, one name.
//!
//! A watch is not among them: it is a stream. How a call is sent is for the carrier to know.

use serde::Serialize;

use super::json::message;
use super::{
    AlarmResponse, AuthDisableResponse, AuthEnableResponse, AuthStatusResponse,
    AuthenticateResponse, CampaignResponse, CompactResponse, DefragmentResponse,
    DeleteRangeResponse, DowngradeResponse, HashKvResponse, HashResponse, HealthResponse,
    LeaderResponse, LeaseGrantResponse, LeaseKeepAliveResponse, LeaseLeasesResponse,
    LeaseRevokeResponse, LeaseTimeToLiveResponse, LivezResponse, LockResponse, MemberAddResponse,
    MemberListResponse, MemberPromoteResponse, MemberRemoveResponse, MemberUpdateResponse,
    MetricsResponse, MoveLeaderResponse, Namespace, ProclaimResponse, PutResponse, RangeResponse,
    ReadyzResponse, ResignResponse, RoleAddResponse, RoleDeleteResponse, RoleGetResponse,
    RoleGrantPermissionResponse, RoleListResponse, RoleRevokePermissionResponse, StatusResponse,
    TxnResponse, UnlockResponse, UserAddResponse, UserChangePasswordResponse, UserDeleteResponse,
    UserGetResponse, UserGrantRoleResponse, UserListResponse, UserRevokeRoleResponse,
    VersionResponse,
};
use crate::error::Feature;
use crate::error::Misuse;

/// A request that has one answer.
///
/// ```
/// use etcd_core::{Call, Put, Range, Rpc};
///
/// assert_eq!(Range::RPC, Rpc::Range);
/// assert!(Range::key("k").is_read());
/// assert!(!Put::new("k", "v").is_read());
/// ```
pub trait Call: Serialize {
    /// What it is answered with.
    type Response;

    /// Which call it is.
    const RPC: Rpc;

    /// Whether it leaves everything as it was, so that sending it again can do no harm.
    ///
    /// ```
    /// use etcd_core::{Call, DeleteRange};
    ///
    /// assert!(!DeleteRange::key("k").is_read());
    /// ```
    fn is_read(&self) -> bool;

    /// Whether sending it twice does what sending it once does. True for reads.
    ///
    /// ```
    /// use etcd_core::{Call, LeaseKeepAlive};
    ///
    /// let renewal = LeaseKeepAlive::new(7);
    /// assert!(renewal.is_repeatable() && !renewal.is_read());
    /// ```
    fn is_repeatable(&self) -> bool {
        self.is_read()
    }

    /// Whether a client shall choose an id for what the call makes, so that it can be repeated: a
    /// further attempt then recognizes what an earlier one made (rules L-1 and R-3).
    ///
    /// ```
    /// use etcd_core::{Call, LeaseGrant};
    ///
    /// assert!(LeaseGrant::new(60).wants_id());
    /// assert!(!LeaseGrant::new(60).with_id(7).wants_id());
    /// ```
    fn wants_id(&self) -> bool {
        false
    }

    /// Takes that id, which is positive.
    ///
    /// ```
    /// use etcd_core::{Call, LeaseGrant};
    ///
    /// let mut grant = LeaseGrant::new(60);
    /// grant.set_id(7);
    /// assert_eq!(grant, LeaseGrant::new(60).with_id(7));
    /// ```
    fn set_id(&mut self, id: i64) {
        let _ = id;
    }

    /// Puts its keys under a prefix (rules N-1, N-2 and N-7); a call without keys stays as it is.
    ///
    /// ```
    /// use etcd_core::{Call, Namespace, Put};
    ///
    /// let mut put = Put::new("k", "v");
    /// put.enter(&Namespace::new("app/"));
    /// assert_eq!(put, Put::new("app/k", "v"));
    /// ```
    fn enter(&mut self, namespace: &Namespace) {
        let _ = namespace;
    }

    /// Finds what etcd could only refuse, before anything is sent.
    ///
    /// ```
    /// use etcd_core::{Call, Misuse, Put};
    ///
    /// assert_eq!(Put::new("", "v").check(), Err(Misuse::EmptyKey));
    /// ```
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    fn check(&self) -> Result<(), Misuse> {
        Ok(())
    }

    /// What a server has to have for it, if not every server does. A server known to be too old is
    /// not asked.
    ///
    /// ```
    /// use etcd_core::{Call, HashKv, Range};
    ///
    /// assert_eq!(HashKv::new(0).needs().map(|feature| feature.name), Some("maintenance/hashkv"));
    /// assert!(Range::key("k").needs().is_none());
    /// ```
    fn needs(&self) -> Option<Feature> {
        None
    }

    /// Whether its answer may take as long as it takes, since it waits for somebody else or for
    /// long work. Such a call has a connection of its own, and no deadline but the caller's.
    ///
    /// ```
    /// use etcd_core::{Call, Lock, Unlock};
    ///
    /// assert!(Lock::new("jobs").waits());
    /// assert!(!Unlock::new("jobs/694d7c3f").waits());
    /// ```
    fn waits(&self) -> bool {
        false
    }

    /// Whether `response` can be this call's answer. A server's answer that cannot is an error, and
    /// never comes to [`Call::from_response`].
    ///
    /// ```
    /// use etcd_core::{Call, Put, PutIfAbsent, PutResponse, Response, TxnResponse};
    ///
    /// assert!(Put::accepts(&Response::Put(PutResponse::default())));
    /// // The answer to a transaction, but without the put.
    /// assert!(!PutIfAbsent::accepts(&Response::Txn(TxnResponse::default())));
    /// ```
    fn accepts(response: &Response) -> bool {
        response.rpc() == Self::RPC
    }

    /// The request as etcd's JSON: the text serde_json writes for it. The requests of this crate
    /// write it in less time than serde_json.
    ///
    /// # Panics
    ///
    /// If `Serialize` fails, which it does for no request of this crate.
    ///
    /// ```
    /// use etcd_core::{Call, Put};
    ///
    /// assert_eq!(Put::new("foo", "bar").to_json(), br#"{"key":"Zm9v","value":"YmFy"}"#);
    /// ```
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("requests have string keys and serialize without failure")
    }

    /// This call's answer, if that is what `response` is.
    ///
    /// ```
    /// use etcd_core::{Call, Put, PutResponse, Range, Response};
    ///
    /// let response = Response::Put(PutResponse::default());
    /// assert!(Range::from_response(response.clone()).is_none());
    /// assert_eq!(Put::from_response(response), Some(PutResponse::default()));
    /// ```
    fn from_response(response: Response) -> Option<Self::Response>;
}

/// The header of an answer that has one.
macro_rules! header_of {
    (Version $answer:ident) => {
        absent($answer)
    };
    (Health $answer:ident) => {
        absent($answer)
    };
    (Livez $answer:ident) => {
        absent($answer)
    };
    (Readyz $answer:ident) => {
        absent($answer)
    };
    (Metrics $answer:ident) => {
        absent($answer)
    };
    ($rpc:ident $answer:ident) => {
        Some(&$answer.header)
    };
}

const fn absent<T>(_: &T) -> Option<&ResponseHeader> {
    None
}

macro_rules! calls {
    ($($(#[$doc:meta])* $rpc:ident($response:ident),)*) => {
        /// The name of a call, whatever carries it.
        ///
        /// ```
        /// use etcd_core::{Call, Rpc, Txn};
        ///
        /// assert_eq!(Txn::RPC, Rpc::Txn);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rpc {
            $($(#[$doc])* $rpc,)*
        }

        impl Rpc {
            /// Every call, in the order of the enum: for what must leave none out.
            ///
            /// ```
            /// use etcd_core::Rpc;
            ///
            /// assert!(Rpc::ALL.contains(&Rpc::Txn));
            /// ```
            pub const ALL: &'static [Self] = &[$(Self::$rpc,)*];
        }

        /// The answer to any call.
        ///
        /// ```
        /// use etcd_core::{PutResponse, Response, Rpc};
        ///
        /// let response = Response::from(PutResponse::default());
        /// assert_eq!(response.rpc(), Rpc::Put);
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Response {
            $($(#[$doc])* $rpc($response),)*
        }

        impl Response {
            /// Which call this answers.
            ///
            /// ```
            /// use etcd_core::{Response, Rpc, TxnResponse};
            ///
            /// assert_eq!(Response::Txn(TxnResponse::default()).rpc(), Rpc::Txn);
            /// ```
            #[must_use]
            pub const fn rpc(&self) -> Rpc {
                match self {
                    $(Self::$rpc(_) => Rpc::$rpc,)*
                }
            }

            /// Who answered, and at which revision; pages beside the gateway do not say.
            ///
            /// ```
            /// use etcd_core::{PutResponse, Response, VersionResponse};
            ///
            /// let response = Response::from(PutResponse::default());
            /// assert_eq!(response.header().unwrap().revision, 0);
            /// assert!(Response::from(VersionResponse::default()).header().is_none());
            /// ```
            #[must_use]
            pub const fn header(&self) -> Option<&ResponseHeader> {
                match self {
                    $(Self::$rpc(answer) => header_of!($rpc answer),)*
                }
            }
        }

        $(
            impl From<$response> for Response {
                fn from(response: $response) -> Self {
                    Self::$rpc(response)
                }
            }
        )*
    };
}

calls! {
    /// Read keys.
    Range(RangeResponse),
    /// Write one key.
    Put(PutResponse),
    /// Delete keys.
    DeleteRange(DeleteRangeResponse),
    /// Compare, then do one list of operations or another, at one revision.
    Txn(TxnResponse),
    /// Forget the history before a revision.
    Compact(CompactResponse),
    /// Make a lease.
    LeaseGrant(LeaseGrantResponse),
    /// End a lease and delete its keys.
    LeaseRevoke(LeaseRevokeResponse),
    /// Renew a lease once.
    LeaseKeepAlive(LeaseKeepAliveResponse),
    /// Ask how long a lease has left.
    LeaseTimeToLive(LeaseTimeToLiveResponse),
    /// List the leases.
    LeaseLeases(LeaseLeasesResponse),
    /// Ask one server how it is.
    Status(StatusResponse),
    /// Ask one server for its version.
    Version(VersionResponse),
    /// Ask one server whether it can serve.
    Health(HealthResponse),
    /// Ask one server whether it is alive.
    Livez(LivezResponse),
    /// Ask one server whether it is ready to serve.
    Readyz(ReadyzResponse),
    /// Ask one server for its counters.
    Metrics(MetricsResponse),
    /// List, raise or end alarms.
    Alarm(AlarmResponse),
    /// Give the free space of one server's database back.
    Defragment(DefragmentResponse),
    /// Hash one server's whole database.
    Hash(HashResponse),
    /// Hash the keys one server has at a revision.
    HashKv(HashKvResponse),
    /// Make another member the leader.
    MoveLeader(MoveLeaderResponse),
    /// Prepare the cluster for older servers.
    Downgrade(DowngradeResponse),
    /// Add a member.
    MemberAdd(MemberAddResponse),
    /// Remove a member.
    MemberRemove(MemberRemoveResponse),
    /// Change where a member's peers find it.
    MemberUpdate(MemberUpdateResponse),
    /// Make a learner a voting member.
    MemberPromote(MemberPromoteResponse),
    /// List the members.
    MemberList(MemberListResponse),
    /// Turn authentication on.
    AuthEnable(AuthEnableResponse),
    /// Turn authentication off.
    AuthDisable(AuthDisableResponse),
    /// Ask whether authentication is on.
    AuthStatus(AuthStatusResponse),
    /// Get a token for a name and a password.
    Authenticate(AuthenticateResponse),
    /// Add a user.
    UserAdd(UserAddResponse),
    /// List the roles of a user.
    UserGet(UserGetResponse),
    /// List the users.
    UserList(UserListResponse),
    /// Delete a user.
    UserDelete(UserDeleteResponse),
    /// Give a user another password.
    UserChangePassword(UserChangePasswordResponse),
    /// Give a user a role.
    UserGrantRole(UserGrantRoleResponse),
    /// Take a role from a user.
    UserRevokeRole(UserRevokeRoleResponse),
    /// Add a role.
    RoleAdd(RoleAddResponse),
    /// List the permissions of a role.
    RoleGet(RoleGetResponse),
    /// List the roles.
    RoleList(RoleListResponse),
    /// Delete a role.
    RoleDelete(RoleDeleteResponse),
    /// Give a role a permission.
    RoleGrantPermission(RoleGrantPermissionResponse),
    /// Take a permission from a role.
    RoleRevokePermission(RoleRevokePermissionResponse),
    /// Wait for a lock of the server's own.
    Lock(LockResponse),
    /// Give a lock back.
    Unlock(UnlockResponse),
    /// Wait to be elected.
    Campaign(CampaignResponse),
    /// Say something else as the leader of an election.
    Proclaim(ProclaimResponse),
    /// Ask who leads an election.
    Leader(LeaderResponse),
    /// Give up the lead of an election.
    Resign(ResignResponse),
}

/// Implements [`Call`]: the parts that are the same for all, and the rest as given.
macro_rules! call {
    ($request:ident => $rpc:ident($response:ident) { $($rest:item)* }) => {
        impl $crate::api::Call for $request {
            type Response = $response;

            const RPC: $crate::api::Rpc = $crate::api::Rpc::$rpc;

            $($rest)*

            fn to_json(&self) -> Vec<u8> {
                $crate::api::json::to_vec(self)
            }

            fn from_response(response: $crate::api::Response) -> Option<$response> {
                match response {
                    $crate::api::Response::$rpc(response) => Some(response),
                    _ => None,
                }
            }
        }
    };
}

/// A request that has no fields.
macro_rules! bare_request {
    ($(#[$doc:meta])* $request:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $request {}

        $crate::api::json::message!($request {});

        impl $request {
            #[doc = concat!("The request, which has nothing to choose.\n\n```\nuse etcd_core::",
                stringify!($request), ";\n\nassert_eq!(", stringify!($request), "::new(), ",
                stringify!($request), "::default());\n```")]
            #[must_use]
            pub const fn new() -> Self {
                Self {}
            }
        }
    };
}

/// A request that has one name and nothing else, which etcd refuses if it is empty.
macro_rules! named_request {
    ($(#[$doc:meta])* $request:ident { $(#[$of:meta])* $name:ident = $json:literal } => $rpc:ident($response:ident),
        read: $read:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $request {
            $(#[$of])*
            pub $name: String,
        }

        $crate::api::json::message!($request {
            $json => $name,
        });

        $crate::api::call::call!($request => $rpc($response) {
            fn is_read(&self) -> bool {
                $read
            }

            fn check(&self) -> Result<(), $crate::error::Misuse> {
                $crate::api::call::check_name(&self.$name)
            }
        });

        impl $request {
            #[doc = concat!("The request about this one.\n\n```\nuse etcd_core::",
                stringify!($request), ";\n\nassert_eq!(", stringify!($request),
                "::new(\"a\").", stringify!($name), ", \"a\");\n```")]
            #[must_use]
            pub fn new($name: impl Into<String>) -> Self {
                Self { $name: $name.into() }
            }
        }
    };
}

/// An answer that has nothing but its header.
macro_rules! bare_answer {
    ($($response:ident to $request:ident),* $(,)?) => {$(
        #[doc = concat!("The answer to [`", stringify!($request), "`].\n\n```\nassert_eq!(etcd_core::", stringify!($response),
            "::default().header.revision, 0);\n```")]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $response {
            /// Who answered.
            pub header: $crate::api::ResponseHeader,
        }

        $crate::api::json::message!($response {
            "header" => header,
        });
    )*};
}

pub(super) use {bare_answer, bare_request, call, named_request};

/// etcd knows no user and no role without a name.
pub(super) const fn check_name(name: &str) -> Result<(), Misuse> {
    if name.is_empty() {
        return Err(Misuse::EmptyName);
    }
    Ok(())
}

/// Who answered, and at which revision of the store.
///
/// Answers inside a transaction have only the revision.
///
/// ```
/// let header = etcd_core::ResponseHeader::default();
/// assert_eq!(header.revision, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseHeader {
    /// The cluster that answered.
    pub cluster_id: u64,
    /// The member that answered.
    pub member_id: u64,
    /// The revision of the store when the answer was made. Calls that are not about the store
    /// leave it 0.
    pub revision: i64,
    /// The term of raft when the answer was made.
    pub raft_term: u64,
}

message!(ResponseHeader {
    "cluster_id" => cluster_id,
    "member_id" => member_id,
    "revision" => revision,
    "raft_term" => raft_term,
});
