//! A world in a seed for etcd clients: virtual time, a faulty network, an etcd in memory.
mod rng;

pub mod check;
pub mod etcd;
pub mod gateway;
pub mod net;

pub use rng::Rng;
