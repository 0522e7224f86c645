//! A world in a seed for etcd clients: virtual time, a faulty network, an etcd in memory.
mod rng;

pub mod etcd;
pub mod gateway;
pub mod serve;

pub use rng::Rng;
