//! Every path of a server has a typed call, or is a stream.

use etcd_core::Call;
use etcd_core::gateway::Gateway;
use etcd_core::*;

/// The paths of gateway.md section 2, without the older names of lease calls, and the pages beside
/// the API. Those marked `S` are streams.
const PATHS: &str = "
    /v3/kv/range /v3/kv/put /v3/kv/deleterange /v3/kv/txn /v3/kv/compaction
    S/v3/watch
    /v3/lease/grant /v3/lease/revoke /v3/lease/keepalive /v3/lease/timetolive /v3/lease/leases
    /v3/cluster/member/add /v3/cluster/member/remove /v3/cluster/member/update
    /v3/cluster/member/list /v3/cluster/member/promote
    /v3/maintenance/alarm /v3/maintenance/status /v3/maintenance/defragment /v3/maintenance/hash
    S/v3/maintenance/snapshot /v3/maintenance/transfer-leadership /v3/maintenance/downgrade
    /v3/maintenance/hashkv
    /v3/auth/enable /v3/auth/disable /v3/auth/status /v3/auth/authenticate /v3/auth/user/add
    /v3/auth/user/get /v3/auth/user/list /v3/auth/user/delete /v3/auth/user/changepw
    /v3/auth/user/grant /v3/auth/user/revoke /v3/auth/role/add /v3/auth/role/get
    /v3/auth/role/list /v3/auth/role/delete /v3/auth/role/grant /v3/auth/role/revoke
    /v3/lock/lock /v3/lock/unlock
    /v3/election/campaign /v3/election/proclaim /v3/election/leader S/v3/election/observe
    /v3/election/resign
    /version /health /livez /readyz /metrics
";

fn path<C: Call + Default>() -> String {
    let request = Gateway::new().request(&C::default());
    let is_page = !request.uri().path().starts_with("/v3/");
    assert_eq!(request.method(), if is_page { "GET" } else { "POST" });
    request.uri().to_string()
}

#[test]
fn every_path_has_a_typed_call() {
    let mut typed = [
        path::<Range>(),
        path::<Put>(),
        path::<DeleteRange>(),
        path::<Txn>(),
        path::<Compact>(),
        path::<LeaseGrant>(),
        path::<LeaseRevoke>(),
        path::<LeaseKeepAlive>(),
        path::<LeaseTimeToLive>(),
        path::<LeaseLeases>(),
        path::<MemberAdd>(),
        path::<MemberRemove>(),
        path::<MemberUpdate>(),
        path::<MemberList>(),
        path::<MemberPromote>(),
        path::<AlarmRequest>(),
        path::<StatusRequest>(),
        path::<Defragment>(),
        path::<HashRequest>(),
        path::<HashKv>(),
        path::<MoveLeader>(),
        path::<Downgrade>(),
        path::<AuthEnable>(),
        path::<AuthDisable>(),
        path::<AuthStatus>(),
        path::<Authenticate>(),
        path::<UserAdd>(),
        path::<UserGet>(),
        path::<UserList>(),
        path::<UserDelete>(),
        path::<UserChangePassword>(),
        path::<UserGrantRole>(),
        path::<UserRevokeRole>(),
        path::<RoleAdd>(),
        path::<RoleGet>(),
        path::<RoleList>(),
        path::<RoleDelete>(),
        path::<RoleGrantPermission>(),
        path::<RoleRevokePermission>(),
        path::<Lock>(),
        path::<Unlock>(),
        path::<Campaign>(),
        path::<Proclaim>(),
        path::<Leader>(),
        path::<Resign>(),
        path::<VersionRequest>(),
        path::<HealthRequest>(),
        path::<Livez>(),
        path::<Readyz>(),
        path::<MetricsRequest>(),
    ];
    let calls = PATHS
        .split_whitespace()
        .filter(|path| !path.starts_with('S'));
    let mut calls: Vec<_> = calls.collect();
    calls.sort_unstable();
    typed.sort_unstable();
    assert_eq!(typed, calls[..]);
}
