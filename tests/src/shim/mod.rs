//! The conformance shim: what is the same however it is driven.
//!
//! The binary `etcd-shim` is the rest of it. There is no logic of a client in either.

pub mod calls;
pub mod decode;
pub mod lines;
pub mod replay;
pub mod streams;
