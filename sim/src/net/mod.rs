//! A network in memory: connections with latency and room, and all that goes wrong on them.
//!
//! A [`Shape`] is how a healthy connection behaves, a [`Fault`] is one thing that happens to one
//! connection, and [`Faults`] are the chances by which each new connection gets faults. Nothing here
//! knows etcd, HTTP or who is at the ends: bytes go in with the time and come out later.

mod fault;
mod faults;
mod link;
mod pipe;
mod shape;
mod tally;

pub use fault::{Fault, FaultKind, Way};
pub use faults::Faults;
pub use shape::Shape;
pub use tally::{Strike, Tally};

pub(crate) use link::{Link, Opening};
pub(crate) use pipe::Arrival;
