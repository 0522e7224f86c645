//! A sans-IO etcd v3 client: a pure state machine over etcd's HTTP/JSON gateway.
#![forbid(unsafe_code)]

pub mod api;
pub mod codec;
pub mod error;
mod id;
mod rng;
mod time;

pub use api::{
    Call, Compact, CompactResponse, Compare, CompareOperand, CompareResult, CompareWith,
    DeleteRange, DeleteRangeResponse, EventKind, HealthRequest, HealthResponse, IntoBytes,
    KeyRange, KeyValue, KvEvent, LeaseGrant, LeaseGrantResponse, LeaseKeepAlive,
    LeaseKeepAliveResponse, LeaseLeases, LeaseLeasesResponse, LeaseRevoke, LeaseRevokeResponse,
    LeaseStatus, LeaseTimeToLive, LeaseTimeToLiveResponse, Put, PutResponse, Range, RangeResponse,
    Response, ResponseHeader, Rpc, SortOrder, SortTarget, StatusRequest, StatusResponse, Txn,
    TxnOp, TxnOpResponse, TxnResponse, VersionRequest, VersionResponse, Watch, WatchFilter,
    WatchRequest, WatchResponse,
};
pub use error::{
    Applied, Cause, CloseReason, Code, ConfigError, Error, HttpError, JsonError, Known, Limit,
    Misuse, NetError, NetErrorKind, Phase, ProtocolError, Status,
};
pub use id::{CallId, ConnId, WatchId};
pub use time::Instant;
