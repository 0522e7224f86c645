//! A sans-IO etcd v3 client: a pure state machine over etcd's HTTP/JSON gateway.
#![forbid(unsafe_code)]

pub mod error;
mod id;
mod rng;
mod time;

pub use error::{
    Applied, Cause, CloseReason, Code, ConfigError, Error, HttpError, JsonError, Known, Limit,
    Misuse, NetError, NetErrorKind, Phase, ProtocolError, Status,
};
pub use id::{CallId, ConnId, WatchId};
pub use time::Instant;
