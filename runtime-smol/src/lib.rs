//! An async etcd v3 client for smol and async-io.
//!
//! [`Client`] is the way in: one `async` method for each thing etcd can be asked, and watches as
//! [`Stream`](futures_core::Stream)s. All decisions are made by [`etcd_core`], a pure state machine;
//! this crate moves bytes between it and sockets of [`async_io`], and tells it the time.
//!
//! ```no_run
//! use etcd_smol::{Client, Range, Watch};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     smol::block_on(async {
//!         let client = Client::connect(["http://127.0.0.1:2379"]).await?;
//!
//!         client.put("/services/web", "10.0.0.7:80").await?;
//!         let answer = client.get(Range::prefix("/services/").with_limit(10)).await?;
//!         println!("{} services at revision {}", answer.count, answer.header.revision);
//!
//!         let mut watcher = client.watch(Watch::prefix("/services/")).await?;
//!         while let Some(batch) = watcher.next().await {
//!             println!("{:?}", batch?.events);
//!         }
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # Who runs it
//!
//! A client has one [`Driver`]: a future that reads the sockets and keeps the time. It is one task,
//! however many calls and watches there are.
//!
//! | made by | the driver runs |
//! | --- | --- |
//! | [`Client::connect`], [`Client::with_config`], [`Client::with_seed`] | on smol's global executor |
//! | [`Client::with_executor`] | on a [`smol::Executor`] of yours |
//! | [`Client::unspawned`] | wherever you poll it: a `LocalExecutor`, another runtime, joined with your own future |
//!
//! # Recording
//!
//! [`Client::record_to`] writes everything that a new client is told and does to a file that replays
//! elsewhere; `docs/replay.md` is a worked example.
//!
//! # Notices
//!
//! [`Client::with_notices`] makes a client that tells what it does by itself and why, as data with a line of text:
//! which attempt of a call went where, what it waits for, which endpoint failed. The features `log` and
//! `tracing` bring functions that hand them on to the crates of these names.
//!
//! # Dropping
//!
//! Dropping a call's future cancels the call; a write canceled so may have happened. That is why there
//! is no `start` as in `etcd-std`: a call in a [`smol::Task`] is the same. Dropping a
//! [`Watcher`] cancels its watch, and the same holds for a [`Snapshot`] and an [`Observer`]; dropping a
//! [`Lease`] releases it. Dropping the last [`Client`] and the last of these closes the sockets and ends
//! the driver.

mod answer;
mod calls;
mod client;
mod clock;
mod connect;
mod driver;
mod helpers;
mod lease;
mod notices;
mod observer;
mod pages;
mod record;
mod shared;
mod signal;
mod snapshot;
mod socket;
mod stream_handle;
mod streams;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod watch_handle;
mod watcher;

pub use client::Client;
pub use driver::Driver;
pub use lease::Lease;
pub use lease::LeaseHandle;
#[cfg(feature = "log")]
pub use notices::to_log;
#[cfg(feature = "tracing")]
pub use notices::to_tracing;
pub use observer::Observer;
pub use pages::Items;
pub use pages::Pages;
pub use snapshot::Snapshot;
pub use stream_handle::StreamHandle;
pub use watch_handle::WatchHandle;
pub use watcher::Watcher;

#[doc(no_inline)]
pub use etcd_core;
pub use etcd_core::api::*;
#[doc(no_inline)]
pub use etcd_core::{
    Applied, Balance, CallOptions, Cause, CloseReason, Code, Compaction, Config, ConfigError,
    Credentials, Diagnosis, Endpoint, Error, Fault, Feature, HttpError, JsonError, Known,
    KnownKeys, Lag, LeaseEnd, LeaseEvent, LeasePhase, Limit, Limits, Misuse, NetError,
    NetErrorKind, NoLeader, Notice, Overflow, Phase, ProtocolError, ResyncBatch, Resynced,
    SnapshotFault, Stats, Status, StreamEnd, StreamEvent, Version, VersionError, WatchBatch,
    WatchCarrier, WatchEnd, WatchEvent, WatchOptions, notice, recipes::Page, recipes::Settled,
};
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use etcd_tls;
