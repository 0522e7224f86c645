//! The cluster from outside: asked, and answered in virtual time.

mod keys;
mod leases;
mod quorum;
mod services;
mod support;
mod upkeep;
mod users;
mod watches;
