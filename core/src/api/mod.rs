//! What etcd can be asked and what it answers.
//!
//! One file per service, each request and each answer a plain struct. They know nothing of how
//! they travel: no HTTP, no connections, no time. Their serde form is etcd's own JSON in both
//! directions (`json`), so the gateway, recordings and a simulated server read the same texts.

pub(crate) mod json;

mod bytes;
mod call;
mod key_range;

mod kv;
mod lease;
mod maintenance;
mod range;
mod txn;
mod txn_compare;
mod watch;

#[cfg(test)]
mod tests;

pub use bytes::IntoBytes;
pub use call::{Call, Response, ResponseHeader, Rpc};
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
pub use maintenance::{
    HealthRequest, HealthResponse, StatusRequest, StatusResponse, VersionRequest, VersionResponse,
};
pub use range::{Range, RangeResponse, SortOrder, SortTarget};
pub use txn::{Txn, TxnOp, TxnOpResponse, TxnResponse};
pub use txn_compare::{Compare, CompareOperand, CompareResult, CompareWith};
pub use watch::{EventKind, KvEvent, Watch, WatchFilter, WatchRequest, WatchResponse};
