//! A blocking etcd v3 client: no async runtime, the calling thread drives the sockets.
//!
//! ```no_run
//! use etcd_std::{Client, Compare, Put, Range, Txn, Watch};
//!
//! let client = Client::connect(["http://127.0.0.1:2379"])?;
//! client.put("foo", "bar")?;
//! let answer = client.get(Range::prefix("/services/").with_limit(10))?;
//!
//! let txn = Txn::new().when([Compare::version("k").eq(0)]).and_then([Put::new("k", "v")]);
//! let won = client.txn(txn)?.succeeded();
//!
//! for batch in client.watch(Watch::prefix("/services/"))? {
//!     println!("{:?}", batch?.events);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything that etcd is about is decided in [`etcd_core`], whose types are re-exported here; this
//! crate only carries bytes between it and the sockets.
//!
//! # Threads
//!
//! * A call does not leave the thread that makes it: that thread writes the request, waits for the
//!   sockets and reads the answer. Of several threads that call at once, one reads for all.
//! * A thread blocked in a [`Watcher`], a [`Snapshot`], an [`Observer`], a [`Lease`] or a [`Pending`] call
//!   does the same.
//! * While no thread is in here and there is any of these, one helper thread (`etcd-std-helper`) looks
//!   after them. It is started when it is first needed.
//! * Host names are looked up on threads of their own (`etcd-std-lookup`), which end with the answer.
//! * When the last [`Client`] and the last of these are dropped, sockets and helper are gone.
//!
//! # Calling off
//!
//! [`Client::start`] begins a call and gives back a [`Pending`] one, to be waited for later; its
//! [`CallHandle`] cancels it from any other thread. [`WatchHandle`] and [`StreamHandle`] do the same for
//! watches, snapshots and observations. A write canceled so may have happened: [`Error::applied`] says
//! it. Dropping a [`Pending`] call, a [`Watcher`], a [`Snapshot`] or an [`Observer`] cancels it, too, and
//! dropping a [`Lease`] releases it.
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
//! # Time
//!
//! Deadlines are in [`Config`] and, for one call, in [`CallOptions`]. The clock they are measured by goes on
//! while the machine is suspended on Linux and Windows, and stands still on macOS.

mod calls;
mod client;
mod clock;
mod helper;
mod helpers;
mod lease;
mod notices;
mod observer;
mod pages;
mod pending;
mod poll;
mod record;
mod roles;
mod serve;
mod shared;
mod snapshot;
mod socket;
mod stream_handle;
mod streams;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod watch_handle;
mod watcher;

pub use client::Client;
pub use lease::Lease;
pub use lease::LeaseHandle;
#[cfg(feature = "log")]
pub use notices::to_log;
#[cfg(feature = "tracing")]
pub use notices::to_tracing;
pub use observer::Observer;
pub use pages::Items;
pub use pages::Pages;
pub use pending::CallHandle;
pub use pending::Pending;
pub use snapshot::Snapshot;
pub use stream_handle::StreamHandle;
pub use watch_handle::WatchHandle;
pub use watcher::Elapsed;
pub use watcher::Watcher;

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
