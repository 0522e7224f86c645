//! Calls as data: what a script, a generator or a history holds, given to a core.

use etcd_core::trace::Recorded;
use etcd_core::{Call, CallId, CallOptions, Instant};

use crate::check::Asked;
use crate::etcd::Request;

/// A call that was given to a core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) call: CallId,
    /// Whether it leaves everything as it was.
    pub(super) is_read: bool,
    /// Whether it may wait for ever.
    pub(super) waits: bool,
}

/// Gives a call to a core.
pub(super) fn give(
    client: &mut Recorded,
    now: Instant,
    asked: Asked,
    options: CallOptions,
) -> Given {
    fn given<C: Call>(client: &mut Recorded, now: Instant, call: C, options: CallOptions) -> Given {
        let (is_read, waits) = (call.is_read(), call.waits());
        Given {
            call: client.call_with(now, call, options),
            is_read,
            waits,
        }
    }
    macro_rules! each {
        ($($name:ident)*) => {
            match asked {
                Asked::Renewal(renewal) => given(client, now, renewal, options),
                $(Asked::Call(Request::$name(request)) => given(client, now, request, options),)*
            }
        };
    }
    each! {
        Range Put DeleteRange Txn Compact
        LeaseGrant LeaseRevoke LeaseTimeToLive LeaseLeases
        Status Version Health Livez Readyz Metrics Alarm Defragment Hash HashKv MoveLeader Downgrade
        MemberAdd MemberRemove MemberUpdate MemberPromote MemberList
        AuthEnable AuthDisable AuthStatus Authenticate
        UserAdd UserGet UserList UserDelete UserChangePassword UserGrantRole UserRevokeRole
        RoleAdd RoleGet RoleList RoleDelete RoleGrantPermission RoleRevokePermission
        Lock Unlock Campaign Proclaim Leader Resign
    }
}
