//! A small, pure etcd in memory: a cluster as one machine in virtual time.
//!
//! It knows what etcd means: revisions, transactions, leases, watches, users, members. It knows no
//! bytes, no HTTP, no JSON and no connections: requests come in and replies go out typed (`port`), and
//! the gateway (`crate::gateway`) makes bytes of them.
//!
//! [`Cluster`] is the machine. All its members work off one log of agreed writes (`cluster::agree`),
//! each with a state of its own (`machine`): its keys (`store`), leases, users and members. Whether
//! there is agreement is decided by who can reach whom (`cluster::raft`).

pub mod auth;
mod cluster;
mod defects;
mod lease;
mod log;
mod machine;
mod members;
mod port;
mod setup;
mod sort;
mod store;
mod watch;

pub use cluster::Cluster;
pub use defects::Defects;
pub use log::{Applied, Change};
pub use port::{AskId, Fault, Meta, Reply, Request, StreamRequest};
pub use setup::{Place, Setup};
