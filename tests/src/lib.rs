//! Scenarios on real etcd servers over both drivers, and the conformance shim.
//!
//! The library half is what scenarios and `cargo xtask` stand on: an etcd binary to run
//! ([`find`]), a server of one's own that can be killed, paused and restarted ([`Server`]) or a
//! cluster of them ([`Cluster`]), and a few lines of HTTP that share no code with the client under test ([`http`]),
//! a [`Proxy`] that can cut a client off,
//! and a real one, [`Nginx`]. On top of it are
//! both drivers behind one face ([`driver`]) and what they have to do on a real etcd ([`scenario`]).
//! [`fault_proxy`] breaks connections at exact bytes, and [`chaos`] does that, and worse, to clusters under load.
//! [`shim`] is what the binary `etcd-shim` says, and its reading of bytes from a file.

pub mod agreement;
pub mod chaos;
mod cluster;
pub mod driver;
pub mod fault_proxy;
pub mod find;
pub mod http;
mod nginx;
mod ports;
mod proxy;
pub mod scenario;
mod server;
pub mod shim;
mod simulated;
mod sockets;

pub use cluster::Cluster;
pub use nginx::Nginx;
pub use proxy::Proxy;
pub use server::Server;
