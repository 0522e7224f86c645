//! Every call by its name: from a recording back into a client, and answers as text.
//!
//! A call is written as the text of its request and what the core asks of it besides. So calls of a
//! user's own are replayed, too; those of `guarded` are told by which answers they accept.

use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;

use super::recorded::Recorded;
use crate::api;
use crate::api::Call;
use crate::api::DeleteIfUnchanged;
use crate::api::Namespace;
use crate::api::PutIfAbsent;
use crate::api::Response;
use crate::api::Rpc;
use crate::api::Txn;
use crate::api::TxnResponse;
use crate::client::CallOptions;
use crate::error::Feature;
use crate::error::Misuse;
use crate::id::CallId;
use crate::time::Instant;

/// What the core asks a call, apart from its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) is_read: bool,
    pub(super) is_repeatable: bool,
    pub(super) waits: bool,
    pub(super) wants_id: bool,
}

impl Manner {
    pub(super) fn of<C: Call>(call: &C) -> Self {
        Self {
            is_read: call.is_read(),
            is_repeatable: call.is_repeatable(),
            waits: call.waits(),
            wants_id: call.wants_id(),
        }
    }
}

/// The name of a call in a recording.
pub(super) fn name<C: Call>() -> String {
    let name = format!("{:?}", C::RPC);
    if C::RPC != Rpc::Txn || C::accepts(&Response::Txn(TxnResponse::default())) {
        return name;
    }
    // It refuses an answer without operations: one of `guarded`.
    let put = TxnResponse {
        succeeded: true,
        responses: vec![api::TxnOpResponse::Put(api::PutResponse::default())],
        ..TxnResponse::default()
    };
    match C::accepts(&Response::Txn(put)) {
        true => format!("{name}/{PUT}"),
        false => format!("{name}/{DELETE}"),
    }
}

const PUT: &str = "put";
const DELETE: &str = "delete";

/// A call out of a recording.
pub(super) struct Again<'a> {
    pub(super) name: &'a str,
    pub(super) json: Vec<u8>,
    pub(super) manner: Manner,
    pub(super) options: CallOptions,
}

macro_rules! calls {
    ($($rpc:ident: $request:ident,)*) => {
        impl Again<'_> {
            /// Gives the call to a client; `None` where it cannot be read.
            pub(super) fn call(self, now: Instant, client: &mut Recorded) -> Option<CallId> {
                match self.name.split_once('/') {
                    Some(("Txn", PUT)) => return self.read::<GuardedPut>(now, client),
                    Some(("Txn", DELETE)) => return self.read::<GuardedDelete>(now, client),
                    _ => {}
                }
                $(if self.name == stringify!($rpc) {
                    return self.read::<api::$request>(now, client);
                })*
                None
            }
        }

        /// An answer in etcd's JSON.
        pub(super) fn answer(response: &Response) -> Vec<u8> {
            let json = match response {
                $(Response::$rpc(answer) => serde_json::to_vec(answer),)*
            };
            json.unwrap_or_default()
        }
    };
}

calls! {
    Range: Range,
    Put: Put,
    DeleteRange: DeleteRange,
    Txn: Txn,
    Compact: Compact,
    LeaseGrant: LeaseGrant,
    LeaseRevoke: LeaseRevoke,
    LeaseKeepAlive: LeaseKeepAlive,
    LeaseTimeToLive: LeaseTimeToLive,
    LeaseLeases: LeaseLeases,
    Status: StatusRequest,
    Version: VersionRequest,
    Health: HealthRequest,
    Livez: Livez,
    Readyz: Readyz,
    Metrics: MetricsRequest,
    Alarm: AlarmRequest,
    Defragment: Defragment,
    Hash: HashRequest,
    HashKv: HashKv,
    MoveLeader: MoveLeader,
    Downgrade: Downgrade,
    MemberAdd: MemberAdd,
    MemberRemove: MemberRemove,
    MemberUpdate: MemberUpdate,
    MemberPromote: MemberPromote,
    MemberList: MemberList,
    AuthEnable: AuthEnable,
    AuthDisable: AuthDisable,
    AuthStatus: AuthStatus,
    Authenticate: Authenticate,
    UserAdd: UserAdd,
    UserGet: UserGet,
    UserList: UserList,
    UserDelete: UserDelete,
    UserChangePassword: UserChangePassword,
    UserGrantRole: UserGrantRole,
    UserRevokeRole: UserRevokeRole,
    RoleAdd: RoleAdd,
    RoleGet: RoleGet,
    RoleList: RoleList,
    RoleDelete: RoleDelete,
    RoleGrantPermission: RoleGrantPermission,
    RoleRevokePermission: RoleRevokePermission,
    Lock: Lock,
    Unlock: Unlock,
    Campaign: Campaign,
    Proclaim: Proclaim,
    Leader: Leader,
    Resign: Resign,
}

impl Again<'_> {
    fn read<C>(self, now: Instant, client: &mut Recorded) -> Option<CallId>
    where
        C: Call + for<'de> Deserialize<'de>,
    {
        let call = As {
            call: serde_json::from_slice::<C>(&self.json).ok()?,
            json: self.json,
            manner: self.manner,
        };
        Some(client.call_with(now, call, self.options))
    }
}

/// A call as it was recorded, to the letter.
struct As<C> {
    call: C,
    json: Vec<u8>,
    manner: Manner,
}

impl<C: Call> Serialize for As<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.call.serialize(serializer)
    }
}

impl<C: Call> Call for As<C> {
    type Response = C::Response;

    const RPC: Rpc = C::RPC;

    fn is_read(&self) -> bool {
        self.manner.is_read
    }

    fn is_repeatable(&self) -> bool {
        self.manner.is_repeatable
    }

    fn wants_id(&self) -> bool {
        self.manner.wants_id
    }

    fn set_id(&mut self, id: i64) {
        self.call.set_id(id);
        self.json = self.call.to_json();
    }

    fn enter(&mut self, namespace: &Namespace) {
        if !namespace.prefix().is_empty() {
            self.call.enter(namespace);
            self.json = self.call.to_json();
        }
    }

    fn check(&self) -> Result<(), Misuse> {
        self.call.check()
    }

    fn needs(&self) -> Option<Feature> {
        self.call.needs()
    }

    fn waits(&self) -> bool {
        self.manner.waits
    }

    fn accepts(response: &Response) -> bool {
        C::accepts(response)
    }

    fn to_json(&self) -> Vec<u8> {
        self.json.clone()
    }

    fn from_response(response: Response) -> Option<C::Response> {
        C::from_response(response)
    }
}

/// A transaction that wants the answer of one of `guarded`.
macro_rules! wanting {
    ($name:ident like $guarded:ident) => {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct $name(Txn);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl Call for $name {
            type Response = <$guarded as Call>::Response;

            const RPC: Rpc = Rpc::Txn;

            fn enter(&mut self, namespace: &Namespace) {
                self.0.enter(namespace);
            }

            fn is_read(&self) -> bool {
                false
            }

            fn check(&self) -> Result<(), Misuse> {
                self.0.check()
            }

            fn accepts(response: &Response) -> bool {
                $guarded::accepts(response)
            }

            fn from_response(response: Response) -> Option<Self::Response> {
                $guarded::from_response(response)
            }
        }
    };
}

wanting!(GuardedPut like PutIfAbsent);
wanting!(GuardedDelete like DeleteIfUnchanged);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::CompareAndSwap;
    use crate::api::PutIfPresent;

    #[test]
    fn calls_are_named_by_what_they_accept() {
        assert_eq!(name::<api::Put>(), "Put");
        assert_eq!(name::<Txn>(), "Txn");
        assert_eq!(name::<PutIfAbsent>(), "Txn/put");
        assert_eq!(name::<PutIfPresent>(), "Txn/put");
        assert_eq!(name::<CompareAndSwap>(), "Txn/put");
        assert_eq!(name::<DeleteIfUnchanged>(), "Txn/delete");
        assert_eq!(name::<GuardedPut>(), "Txn/put");
        assert_eq!(name::<GuardedDelete>(), "Txn/delete");
    }
}
