//! The cluster from outside: asked, and answered in virtual time.

mod keys;
mod leases;
mod quorum;
mod support;
mod watches;
