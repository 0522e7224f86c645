//! An async etcd v3 client for smol and async-io.
