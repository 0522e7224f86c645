//! A world in a seed for etcd clients: virtual time, a faulty network, an etcd in memory.
mod client;
mod rng;

pub mod check;
pub mod etcd;
pub mod gateway;
pub mod net;
pub mod random;
pub mod serve;
pub mod world;

pub use client::{Client, Items, Observer, Pages, Snapshot, StreamHandle, WatchHandle, Watcher};
pub use rng::Rng;
pub use world::{Clock, Sleep, Task, World};
