//! The endpoints of an etcd cluster, found by DNS SRV records as `etcdctl --discovery-srv` finds them.
//!
//! For a domain two names are looked up: `_etcd-client-ssl._tcp.<domain>`, whose servers speak TLS, and
//! `_etcd-client._tcp.<domain>`, whose servers do not, and are left out unless they are allowed. With a
//! service name both have it as a suffix: `_etcd-client-ssl-<name>._tcp.<domain>`.
//!
//! A [`Discovery`] says which names to ask for and makes endpoints of the answers. It does no IO, so any
//! resolver can do the asking:
//!
//! ```
//! use etcd_discovery::{Discovery, LookupError, Srv};
//!
//! let mut discovery = Discovery::new("example.com")?;
//! while let Some(query) = discovery.poll_query() {
//!     let answer = match query.name() {
//!         "_etcd-client-ssl._tcp.example.com" => Ok(vec![
//!             Srv::new(10, 0, 2379, "etcd-2.example.com."),
//!             Srv::new(0, 0, 2379, "etcd-1.example.com."),
//!         ]),
//!         _ => Err(LookupError::NotFound),
//!     };
//!     discovery.handle_answer(query, answer);
//! }
//! let endpoints = discovery.outcome()?;
//! assert_eq!(endpoints[0].to_string(), "https://etcd-1.example.com:2379");
//! assert_eq!(endpoints[1].to_string(), "https://etcd-2.example.com:2379");
//! # Ok::<(), etcd_discovery::DiscoveryError>(())
//! ```
//!
//! With the feature `resolver` it asks by itself: `Discovery::resolve` blocks for 5 s at the most. From an
//! async program it is called on a thread that may wait, with smol by `smol::unblock`.
//!
//! # Whom to trust
//!
//! DNS answers are not signed here, so whoever can forge one names the servers. TLS makes up for that only
//! if certificates are verified for the domain that was asked for, and not for the names in the answer:
//! [`Discovery::server_name`] is for `with_server_name` of `etcd-tls`. So does etcdctl.
//!
//! # What it does not know
//!
//! Who the members of the cluster are, and whether they live; when an answer has become old, so it has no
//! cache; and the search list of the system: a domain is always taken as it stands.
//!
//! # Features
//!
//! | feature | what it does |
//! | --- | --- |
//! | `resolver` | `Discovery::resolve`, `resolve_with` and `with_timeout` |
#![forbid(unsafe_code)]

mod discovery;
mod error;
mod name;
mod order;
#[cfg(feature = "resolver")]
mod resolve;
mod rng;
mod skipped;
mod srv;

pub use discovery::Discovery;
pub use discovery::Query;
pub use error::DiscoveryError;
pub use error::LookupError;
pub use skipped::SkipReason;
pub use skipped::Skipped;
pub use srv::Srv;

pub use etcd_core;
pub use etcd_core::Endpoint;
