//! A simulated cluster on real loopback sockets and the real clock, for whoever wants an etcd that
//! starts in a millisecond.
//!
//! `host` is pure glue between connections and a [`Cluster`](crate::etcd::Cluster); everything that
//! goes into it is written to a `journal` first, so a process that was killed finds its data again by
//! doing all over what its predecessors did. `sockets` is the one loop that touches the system. This
//! is the only part of the crate with a clock, sockets and files.

mod end;
mod host;
mod journal;
mod orders;
mod sockets;

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::etcd::Setup;
use crate::gateway::Front;

/// What is served, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The cluster. Members it does not name a place for are found where they listen.
    pub setup: Setup,
    /// Whom the gateway of each member lets in.
    pub front: Front,
    /// Where each member listens; those that are not named get a free port on 127.0.0.1.
    pub listen: Vec<SocketAddr>,
    /// The folder of the journal. Without one nothing outlives the process.
    pub data_dir: Option<PathBuf>,
    /// What ids and tokens follow from, if there is no journal that says it already. None takes it
    /// from the clock.
    pub seed: Option<u64>,
    /// Whether standard input has orders about single members, a line each, which are answered by a
    /// line each (`etcd-sim --help` lists them). Its end is the end of the process. They are in no
    /// journal, so there cannot be one.
    pub takes_orders: bool,
}

impl Options {
    /// Serves this cluster on free ports, without a journal.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            front: Front::default(),
            listen: Vec::new(),
            data_dir: None,
            seed: None,
            takes_orders: false,
        }
    }
}

/// How long a connection that was closed by us is still read from, so that the last bytes arrive.
const LINGER: Duration = Duration::from_millis(500);

/// Serves until SIGTERM, or the end of the orders, asks for the end; `ready` is told where the members
/// listen, once they do. What is asked at the end is told that the server goes, as etcd does.
///
/// # Errors
///
/// A port or the journal cannot be had, orders and a journal are both wanted, or the system fails.
pub fn serve(options: &Options, ready: impl FnOnce(&[SocketAddr])) -> io::Result<()> {
    sockets::run(options, ready)
}
