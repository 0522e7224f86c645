//! Scenarios on real etcd servers over both drivers, and the conformance shim.
