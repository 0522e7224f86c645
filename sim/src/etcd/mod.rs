//! A small, pure etcd in memory: a cluster as one machine in virtual time.
//!
//! It knows what etcd means: revisions, transactions, leases, watches, users, members. It knows no
//! bytes, no HTTP, no JSON and no connections: requests come in and replies go out typed (`port`), and
//! the gateway (`crate::gateway`) makes bytes of them.

pub mod auth;
mod port;

pub use port::{AskId, Fault, Meta, Reply, Request, StreamRequest};
