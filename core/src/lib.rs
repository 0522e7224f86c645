//! A sans-IO etcd v3 client: a pure state machine over etcd's HTTP/JSON gateway.
//!
//! Nothing in this crate opens a socket, reads a clock, starts a thread or rolls dice. Bytes, clock
//! readings and commands go in; bytes, wake-up times and events come out. Three levels are public:
//!
//! * [`gateway`]: a typed request gives an `http::Request`, an answer's bytes give a typed answer. For
//!   users of another HTTP stack.
//! * [`Client`]: the whole client as one machine: connections, deadlines, attempts, watches that go
//!   on across any loss. For authors of event loops; `examples/custom_loop.rs` is one.
//! * The drivers, crates `etcd-std` and `etcd-smol`: for everybody else.
//!
//! [`recipes`] are what is built of several calls. [`api`] is what etcd can be asked and what it answers, [`codec`] the HTTP/1.1 and JSON framing.
//!
//! ```
//! use etcd_core::{Client, Config, Instant, Output, Put};
//!
//! let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
//! client.call(Instant::ZERO, Put::new("foo", "bar"));
//! let Some(Output::Connect { conn, endpoint }) = client.poll_output() else { panic!() };
//! // Now a driver would connect to `endpoint`; nothing happens by itself.
//! client.handle_connected(Instant::ZERO, conn);
//! assert!(client.transmit(conn).starts_with(b"POST /v3/kv/put HTTP/1.1\r\n"));
//! # Ok::<(), etcd_core::ConfigError>(())
//! ```
#![forbid(unsafe_code)]

pub mod api;
mod buf;
mod client;
pub mod codec;
mod conn;
pub mod dial;
pub mod error;
mod id;
#[cfg(feature = "planted")]
mod planted;
pub mod recipes;
mod rng;
mod time;
pub mod trace;
mod wire;

pub use bytes;
pub use http;

pub use api::*;
pub use client::notice;
pub use client::notice::Notice;
pub use client::{
    Balance, CallOptions, Client, Compaction, Config, Credentials, Endpoint, Event, KeepAlive,
    KnownKeys, Lag, LeaseEnd, LeaseEvent, LeasePhase, LeaseState, Limits, NoLeader, Output,
    Overflow, Proxy, ResyncBatch, Resynced, RetryBudget, Stats, StreamEnd, StreamEvent, WatchBatch,
    WatchCarrier, WatchEnd, WatchEvent, WatchOptions,
};
pub use error::{
    Applied, Cause, CloseReason, Code, ConfigError, Diagnosis, Error, Fault, Feature, HttpError,
    JsonError, Known, Limit, Misuse, NetError, NetErrorKind, Phase, ProtocolError, SnapshotFault,
    Status, Version, VersionError,
};
pub use id::{CallId, ConnId, KeepAliveId, StreamId, WatchId};
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use time::Instant;
pub use wire::gateway;
