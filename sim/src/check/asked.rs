//! What calls ask for: of which kind they are, and what tells one write from another.

use etcd_core::{Call, LeaseGrant, Misuse, Rpc};

use super::history::{Asked, Changed};
use crate::etcd::Request;

/// What tells writes apart: the kind of request, and its text.
pub(super) type Mark = (Rpc, Vec<u8>);

pub(super) fn mark(asked: &Asked) -> Option<Mark> {
    match asked {
        Asked::Call(request) => mark_of(request),
        Asked::Renewal(_) => None,
    }
}

pub(super) fn mark_of(request: &Request) -> Option<Mark> {
    Some(match request {
        Request::Put(put) => (Rpc::Put, put.to_json()),
        Request::DeleteRange(delete) => (Rpc::DeleteRange, delete.to_json()),
        Request::Txn(txn) if !txn.is_read() => (Rpc::Txn, txn.to_json()),
        Request::Compact(compact) => (Rpc::Compact, compact.to_json()),
        // An id that the client drew is not what its user asked for; those of users are small.
        Request::LeaseGrant(grant) if grant.id > i64::from(u32::MAX) => {
            (Rpc::LeaseGrant, LeaseGrant::new(grant.ttl).to_json())
        }
        Request::LeaseGrant(grant) => (Rpc::LeaseGrant, grant.to_json()),
        Request::LeaseRevoke(revoke) => (Rpc::LeaseRevoke, revoke.to_json()),
        Request::AuthEnable(change) => (Rpc::AuthEnable, change.to_json()),
        Request::AuthDisable(change) => (Rpc::AuthDisable, change.to_json()),
        Request::UserAdd(change) => (Rpc::UserAdd, change.to_json()),
        Request::UserChangePassword(change) => (Rpc::UserChangePassword, change.to_json()),
        Request::UserGrantRole(change) => (Rpc::UserGrantRole, change.to_json()),
        Request::RoleAdd(change) => (Rpc::RoleAdd, change.to_json()),
        Request::RoleGrantPermission(change) => (Rpc::RoleGrantPermission, change.to_json()),
        _ => return None,
    })
}

/// Whether a change is the one that a request is about, and not one that comes along with it.
pub(super) fn is_of(request: &Request, what: &Changed) -> bool {
    match request {
        Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_) => {
            matches!(what, Changed::Kv(_))
        }
        Request::Compact(_) => matches!(what, Changed::Compacted(_)),
        Request::LeaseGrant(_) => matches!(what, Changed::LeaseGranted { .. }),
        Request::LeaseRevoke(_) => matches!(what, Changed::LeaseRevoked { .. }),
        Request::AuthEnable(_)
        | Request::AuthDisable(_)
        | Request::UserAdd(_)
        | Request::UserChangePassword(_)
        | Request::UserGrantRole(_)
        | Request::RoleAdd(_)
        | Request::RoleGrantPermission(_) => matches!(what, Changed::Auth),
        _ => false,
    }
}

/// Whether it is a transaction that can split the cluster (etcd issue 18667).
pub(super) fn is_poison(request: &Request) -> bool {
    matches!(request, Request::Txn(txn) if txn.check() == Err(Misuse::RangeAtRevisionWithWrite))
}

/// The kind of a call, whether it reads only, and whether it may be sent again.
pub(super) fn nature(asked: &Asked) -> (Rpc, bool, bool) {
    macro_rules! each {
        ($request:expr, $($kind:ident),* $(,)?) => {
            match $request {
                $(Request::$kind(call) => {
                    let repeatable = call.is_repeatable() || call.wants_id();
                    (Rpc::$kind, call.is_read(), repeatable)
                })*
            }
        };
    }
    match asked {
        Asked::Renewal(_) => (Rpc::LeaseKeepAlive, false, true),
        Asked::Call(request) => each!(
            request,
            Range,
            Put,
            DeleteRange,
            Txn,
            Compact,
            LeaseGrant,
            LeaseRevoke,
            LeaseTimeToLive,
            LeaseLeases,
            Status,
            Version,
            Health,
            Livez,
            Readyz,
            Metrics,
            Alarm,
            Defragment,
            Hash,
            HashKv,
            MoveLeader,
            Downgrade,
            MemberAdd,
            MemberRemove,
            MemberUpdate,
            MemberPromote,
            MemberList,
            AuthEnable,
            AuthDisable,
            AuthStatus,
            Authenticate,
            UserAdd,
            UserGet,
            UserList,
            UserDelete,
            UserChangePassword,
            UserGrantRole,
            UserRevokeRole,
            RoleAdd,
            RoleGet,
            RoleList,
            RoleDelete,
            RoleGrantPermission,
            RoleRevokePermission,
            Lock,
            Unlock,
            Campaign,
            Proclaim,
            Leader,
            Resign,
        ),
    }
}
