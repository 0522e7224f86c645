//! The names of the calls, and what type each one has.

use etcd_core::{
    AlarmRequest, AuthDisable, AuthEnable, AuthStatus, Authenticate, Call, Campaign, Compact,
    Defragment, DeleteRange, Downgrade, HashKv, HashRequest, HealthRequest, Leader, LeaseGrant,
    LeaseKeepAlive, LeaseLeases, LeaseRevoke, LeaseTimeToLive, Livez, Lock, MemberAdd, MemberList,
    MemberPromote, MemberRemove, MemberUpdate, MetricsRequest, MoveLeader, Proclaim, Put, Range,
    Readyz, Resign, RoleAdd, RoleDelete, RoleGet, RoleGrantPermission, RoleList,
    RoleRevokePermission, StatusRequest, Txn, Unlock, UserAdd, UserChangePassword, UserDelete,
    UserGet, UserGrantRole, UserList, UserRevokeRole, VersionRequest,
};

/// Something to be done with a call once its type is known.
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<C>(self) -> Self::Output
    where
        C: Call + serde::de::DeserializeOwned + Send + 'static,
        C::Response: serde::Serialize + Send;
}

/// Visits the type of the call with this name, if the core has it.
pub fn visit<V: Visitor>(name: &str, visitor: V) -> Option<V::Output> {
    Some(match name {
        "kv/range" => visitor.visit::<Range>(),
        "kv/put" => visitor.visit::<Put>(),
        "kv/deleterange" => visitor.visit::<DeleteRange>(),
        "kv/txn" => visitor.visit::<Txn>(),
        "kv/compaction" => visitor.visit::<Compact>(),
        "lease/grant" => visitor.visit::<LeaseGrant>(),
        "lease/revoke" => visitor.visit::<LeaseRevoke>(),
        "lease/keepalive" => visitor.visit::<LeaseKeepAlive>(),
        "lease/timetolive" => visitor.visit::<LeaseTimeToLive>(),
        "lease/leases" => visitor.visit::<LeaseLeases>(),
        "maintenance/status" => visitor.visit::<StatusRequest>(),
        "cluster/member/add" => visitor.visit::<MemberAdd>(),
        "cluster/member/remove" => visitor.visit::<MemberRemove>(),
        "cluster/member/update" => visitor.visit::<MemberUpdate>(),
        "cluster/member/list" => visitor.visit::<MemberList>(),
        "cluster/member/promote" => visitor.visit::<MemberPromote>(),
        "maintenance/alarm" => visitor.visit::<AlarmRequest>(),
        "maintenance/defragment" => visitor.visit::<Defragment>(),
        "maintenance/hash" => visitor.visit::<HashRequest>(),
        "maintenance/hash_kv" => visitor.visit::<HashKv>(),
        "maintenance/transfer-leadership" => visitor.visit::<MoveLeader>(),
        "maintenance/downgrade" => visitor.visit::<Downgrade>(),
        "auth/enable" => visitor.visit::<AuthEnable>(),
        "auth/disable" => visitor.visit::<AuthDisable>(),
        "auth/status" => visitor.visit::<AuthStatus>(),
        "auth/authenticate" => visitor.visit::<Authenticate>(),
        "auth/user/add" => visitor.visit::<UserAdd>(),
        "auth/user/get" => visitor.visit::<UserGet>(),
        "auth/user/list" => visitor.visit::<UserList>(),
        "auth/user/delete" => visitor.visit::<UserDelete>(),
        "auth/user/changepw" => visitor.visit::<UserChangePassword>(),
        "auth/user/grant" => visitor.visit::<UserGrantRole>(),
        "auth/user/revoke" => visitor.visit::<UserRevokeRole>(),
        "auth/role/add" => visitor.visit::<RoleAdd>(),
        "auth/role/get" => visitor.visit::<RoleGet>(),
        "auth/role/list" => visitor.visit::<RoleList>(),
        "auth/role/delete" => visitor.visit::<RoleDelete>(),
        "auth/role/grant" => visitor.visit::<RoleGrantPermission>(),
        "auth/role/revoke" => visitor.visit::<RoleRevokePermission>(),
        "lock/lock" => visitor.visit::<Lock>(),
        "lock/unlock" => visitor.visit::<Unlock>(),
        "election/campaign" => visitor.visit::<Campaign>(),
        "election/proclaim" => visitor.visit::<Proclaim>(),
        "election/leader" => visitor.visit::<Leader>(),
        "election/resign" => visitor.visit::<Resign>(),
        "livez" => visitor.visit::<Livez>(),
        "readyz" => visitor.visit::<Readyz>(),
        "metrics" => visitor.visit::<MetricsRequest>(),
        "version" => visitor.visit::<VersionRequest>(),
        "health" => visitor.visit::<HealthRequest>(),
        _ => return None,
    })
}

/// Whether the call with this name only reads, whatever its request is.
#[must_use]
pub fn is_read(name: &str) -> bool {
    matches!(
        name,
        "kv/range"
            | "lease/timetolive"
            | "lease/leases"
            | "maintenance/status"
            | "cluster/member/list"
            | "maintenance/hash"
            | "maintenance/hash_kv"
            | "auth/status"
            | "auth/authenticate"
            | "auth/user/get"
            | "auth/user/list"
            | "auth/role/get"
            | "auth/role/list"
            | "election/leader"
            | "livez"
            | "readyz"
            | "metrics"
            | "version"
            | "health"
    )
}
