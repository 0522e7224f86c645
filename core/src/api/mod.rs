//! What etcd can be asked and what it answers.
//!
//! One file per service, each request and each answer a plain struct. They know nothing of how
//! they travel: no HTTP, no connections, no time. Their serde form is etcd's own JSON in both
//! directions (`json`), so the gateway, recordings and a simulated server read the same texts.

pub(crate) mod json;

mod bytes;
mod call;
mod guarded;
mod key_range;

mod alarm;
mod auth;
mod checks;
mod cluster;
mod election;
mod kv;
mod lease;
mod lock;
mod maintenance;
mod namespace;
mod observe;
mod pages;
mod range;
mod roles;
mod snapshot;
mod txn;
mod txn_compare;
mod users;
mod value;
mod watch;

#[cfg(test)]
mod tests;

pub use alarm::{AlarmAction, AlarmMember, AlarmRequest, AlarmResponse, AlarmType, RaisedAlarm};
pub use auth::{
    AuthDisable, AuthDisableResponse, AuthEnable, AuthEnableResponse, AuthStatus,
    AuthStatusResponse, Authenticate, AuthenticateResponse,
};
pub use bytes::IntoBytes;
pub use call::{Call, Response, ResponseHeader, Rpc};
pub use checks::{HealthCheck, Livez, LivezResponse, Readyz, ReadyzResponse};
pub use cluster::{
    Member, MemberAdd, MemberAddResponse, MemberList, MemberListResponse, MemberPromote,
    MemberPromoteResponse, MemberRemove, MemberRemoveResponse, MemberUpdate, MemberUpdateResponse,
};
pub use election::{
    Campaign, CampaignResponse, Leader, LeaderKey, LeaderResponse, Proclaim, ProclaimResponse,
    Resign, ResignResponse,
};
pub use guarded::{
    CompareAndSwap, DeleteIfUnchanged, Guard, Guarded, GuardedResponse, PutIfAbsent, PutIfPresent,
};
pub use json::Message;
pub use key_range::KeyRange;
pub use kv::{
    Compact, CompactResponse, DeleteRange, DeleteRangeResponse, KeyValue, Put, PutResponse,
};
pub use lease::{
    LeaseGrant, LeaseGrantResponse, LeaseKeepAlive, LeaseKeepAliveResponse, LeaseLeases,
    LeaseLeasesResponse, LeaseRevoke, LeaseRevokeResponse, LeaseStatus, LeaseTimeToLive,
    LeaseTimeToLiveResponse,
};
pub use lock::{Lock, LockResponse, Unlock, UnlockResponse};
pub use maintenance::{
    Defragment, DefragmentResponse, Downgrade, DowngradeAction, DowngradeInfo, DowngradeResponse,
    HashKv, HashKvResponse, HashRequest, HashResponse, MoveLeader, MoveLeaderResponse,
    StatusRequest, StatusResponse,
};
pub use namespace::Namespace;
pub use observe::{Observe, ObserveResponse};
pub use pages::{
    HealthRequest, HealthResponse, MetricsRequest, MetricsResponse, VersionRequest, VersionResponse,
};
pub use range::{Range, RangeResponse, SortOrder, SortTarget};
pub use roles::{
    Permission, PermissionType, RoleAdd, RoleAddResponse, RoleDelete, RoleDeleteResponse, RoleGet,
    RoleGetResponse, RoleGrantPermission, RoleGrantPermissionResponse, RoleList, RoleListResponse,
    RoleRevokePermission, RoleRevokePermissionResponse,
};
pub use snapshot::{SnapshotChunk, SnapshotRequest, SnapshotResponse, SnapshotSummary};
pub use txn::{Txn, TxnOp, TxnOpResponse, TxnResponse};
pub use txn_compare::{Compare, CompareOperand, CompareResult, CompareWith};
pub use users::{
    UserAdd, UserAddOptions, UserAddResponse, UserChangePassword, UserChangePasswordResponse,
    UserDelete, UserDeleteResponse, UserGet, UserGetResponse, UserGrantRole, UserGrantRoleResponse,
    UserList, UserListResponse, UserRevokeRole, UserRevokeRoleResponse,
};
pub use value::{DecodeError, Json, Raw, Text, ValueCodec, ValueError};
pub use watch::{EventKind, KvEvent, Watch, WatchFilter, WatchRequest, WatchResponse};
