//! The names of the calls, and what type each one has.

use etcd_core::{
    Call, Compact, DeleteRange, HealthRequest, LeaseGrant, LeaseKeepAlive, LeaseLeases,
    LeaseRevoke, LeaseTimeToLive, Put, Range, StatusRequest, Txn, VersionRequest,
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
        "version" => visitor.visit::<VersionRequest>(),
        "health" => visitor.visit::<HealthRequest>(),
        _ => return None,
    })
}

/// Calls of the protocol that the core has no type for yet, and whether each one only reads.
const UNTYPED: [(&str, bool); 34] = [
    ("cluster/member/add", false),
    ("cluster/member/remove", false),
    ("cluster/member/update", false),
    ("cluster/member/list", true),
    ("cluster/member/promote", false),
    ("maintenance/alarm", false),
    ("maintenance/defragment", false),
    ("maintenance/hash", true),
    ("maintenance/hash_kv", true),
    ("maintenance/transfer-leadership", false),
    ("maintenance/downgrade", false),
    ("auth/enable", false),
    ("auth/disable", false),
    ("auth/status", true),
    ("auth/authenticate", true),
    ("auth/user/add", false),
    ("auth/user/get", true),
    ("auth/user/list", true),
    ("auth/user/delete", false),
    ("auth/user/changepw", false),
    ("auth/user/grant", false),
    ("auth/user/revoke", false),
    ("auth/role/add", false),
    ("auth/role/get", true),
    ("auth/role/list", true),
    ("auth/role/delete", false),
    ("auth/role/grant", false),
    ("auth/role/revoke", false),
    ("lock/lock", false),
    ("lock/unlock", false),
    ("election/campaign", false),
    ("election/proclaim", false),
    ("election/leader", true),
    ("election/resign", false),
];

/// Whether a call of the protocol that the core has no type for only reads.
#[must_use]
pub fn untyped(name: &str) -> Option<bool> {
    let call = UNTYPED.iter().find(|(known, _)| *known == name);
    call.map(|(_, reads)| *reads)
}
