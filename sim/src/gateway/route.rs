//! What is at which path (gateway.md 2).

use etcd_core::{Feature, Version};
use serde::de::DeserializeOwned;

use super::dialect::Dialect;
use super::json::{self, BadJson};
use crate::etcd::Request;

/// Reads the body of a request with one answer.
pub(super) type Read = fn(&[u8], Dialect) -> Result<Request, BadJson>;

/// What answers at a path.
#[derive(Clone, Debug)]
pub(super) enum Route {
    Unary(Read),
    Watch,
    KeepAlive,
    Snapshot,
    Observe,
    Page(Page),
    /// Nothing, below the prefix.
    UnknownCall,
    /// Nothing, elsewhere.
    Unknown,
    /// The same with its path tidied.
    Moved(String),
}

/// What stands beside the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Version,
    Health,
    /// With the one check that is asked for, or none.
    Livez(String),
    Readyz(String),
    Metrics,
}

fn read<T: DeserializeOwned + Into<Request>>(
    body: &[u8],
    dialect: Dialect,
) -> Result<Request, BadJson> {
    json::read::<T>(body, dialect).map(Into::into)
}

/// What answers at `path` on this version.
pub(super) fn route(path: &str, version: &Version) -> Route {
    if path.contains("//") || path == "/v3" {
        return Route::Moved(tidy(path));
    }
    let call = path
        .strip_prefix("/v3/")
        .or_else(|| path.strip_prefix("/v3beta/"));
    match call {
        Some(call) => call_route(call, version),
        None => page(path, version).map_or(Route::Unknown, Route::Page),
    }
}

fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // What answers at `/v3` is a folder.
    let end = if path == "/v3" || path.ends_with('/') {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", parts.join("/"))
}

fn page(path: &str, version: &Version) -> Option<Page> {
    let check = |name: &str| {
        let rest = path.strip_prefix(name)?;
        if rest.is_empty() {
            return Some(String::new());
        }
        rest.strip_prefix('/').map(str::to_owned)
    };
    match path {
        "/version" => return Some(Page::Version),
        "/health" => return Some(Page::Health),
        "/metrics" => return Some(Page::Metrics),
        _ => {}
    }
    if let Some(check) = check("/livez").filter(|_| Feature::LIVEZ.is_in(version)) {
        return Some(Page::Livez(check));
    }
    let check = check("/readyz").filter(|_| Feature::READYZ.is_in(version));
    check.map(Page::Readyz)
}

fn call_route(call: &str, version: &Version) -> Route {
    let needs = |feature: &Feature, read: Read| match feature.is_in(version) {
        true => Route::Unary(read),
        false => Route::UnknownCall,
    };
    Route::Unary(match call {
        "watch" => return Route::Watch,
        "lease/keepalive" => return Route::KeepAlive,
        "maintenance/snapshot" => return Route::Snapshot,
        "election/observe" => return Route::Observe,
        "kv/range" => read::<etcd_core::Range>,
        "kv/put" => read::<etcd_core::Put>,
        "kv/deleterange" => read::<etcd_core::DeleteRange>,
        "kv/txn" => read::<etcd_core::Txn>,
        "kv/compaction" => read::<etcd_core::Compact>,
        "lease/grant" => read::<etcd_core::LeaseGrant>,
        "lease/revoke" | "kv/lease/revoke" => read::<etcd_core::LeaseRevoke>,
        "lease/timetolive" | "kv/lease/timetolive" => read::<etcd_core::LeaseTimeToLive>,
        "lease/leases" | "kv/lease/leases" => read::<etcd_core::LeaseLeases>,
        "cluster/member/add" => read::<etcd_core::MemberAdd>,
        "cluster/member/remove" => read::<etcd_core::MemberRemove>,
        "cluster/member/update" => read::<etcd_core::MemberUpdate>,
        "cluster/member/list" => read::<etcd_core::MemberList>,
        "cluster/member/promote" => read::<etcd_core::MemberPromote>,
        "maintenance/alarm" => read::<etcd_core::AlarmRequest>,
        "maintenance/status" => read::<etcd_core::StatusRequest>,
        "maintenance/defragment" => read::<etcd_core::Defragment>,
        "maintenance/hash" => read::<etcd_core::HashRequest>,
        "maintenance/hashkv" => return needs(&Feature::HASH_KV, read::<etcd_core::HashKv>),
        "maintenance/transfer-leadership" => read::<etcd_core::MoveLeader>,
        "maintenance/downgrade" => return needs(&Feature::DOWNGRADE, read::<etcd_core::Downgrade>),
        "auth/enable" => read::<etcd_core::AuthEnable>,
        "auth/disable" => read::<etcd_core::AuthDisable>,
        "auth/status" => return needs(&Feature::AUTH_STATUS, read::<etcd_core::AuthStatus>),
        "auth/authenticate" => read::<etcd_core::Authenticate>,
        "auth/user/add" => read::<etcd_core::UserAdd>,
        "auth/user/get" => read::<etcd_core::UserGet>,
        "auth/user/list" => read::<etcd_core::UserList>,
        "auth/user/delete" => read::<etcd_core::UserDelete>,
        "auth/user/changepw" => read::<etcd_core::UserChangePassword>,
        "auth/user/grant" => read::<etcd_core::UserGrantRole>,
        "auth/user/revoke" => read::<etcd_core::UserRevokeRole>,
        "auth/role/add" => read::<etcd_core::RoleAdd>,
        "auth/role/get" => read::<etcd_core::RoleGet>,
        "auth/role/list" => read::<etcd_core::RoleList>,
        "auth/role/delete" => read::<etcd_core::RoleDelete>,
        "auth/role/grant" => read::<etcd_core::RoleGrantPermission>,
        "auth/role/revoke" => read::<etcd_core::RoleRevokePermission>,
        "lock/lock" => read::<etcd_core::Lock>,
        "lock/unlock" => read::<etcd_core::Unlock>,
        "election/campaign" => read::<etcd_core::Campaign>,
        "election/proclaim" => read::<etcd_core::Proclaim>,
        "election/leader" => read::<etcd_core::Leader>,
        "election/resign" => read::<etcd_core::Resign>,
        _ => return Route::UnknownCall,
    })
}
