//! `cargo xtask`: an etcd to run against, the tour, the tests, the measurements.

fn main() {}
