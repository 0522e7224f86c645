//! TLS as bytes in, bytes out, for the connections of an etcd client.
//!
//! A [`TlsConfig`] says whom to trust and who one is; a [`TlsSession`] made of it is the client's side
//! of one connection. It turns plaintext into ciphertext and back, and does no IO: both drivers use it,
//! and so can an event loop of one's own. The protocol is done by [`rustls`]; this crate knows no etcd.
//!
//! ```
//! use etcd_tls::TlsConfig;
//!
//! # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
//! # let (ca_pem, client_pem, key_pem) =
//! #     (made.cert.pem(), made.cert.pem(), made.signing_key.serialize_pem());
//! let tls = TlsConfig::builder()
//!     .with_root_pem(ca_pem)
//!     .with_client_pem(client_pem, key_pem)
//!     .build()?;
//! let session = tls.session("10.0.0.1")?;
//! assert!(!session.is_connected());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | what it does |
//! | --- | --- |
//! | `ring` (default) | cryptography by ring |
//! | `aws-lc-rs` | cryptography by aws-lc-rs, also where `ring` is on |
//! | `system-roots` (default) | `TlsConfig::system` and `TlsConfigBuilder::with_system_roots` |
//! | `dangerous` | `TlsConfigBuilder::danger_accept_any_certificate` |

#[cfg(feature = "dangerous")]
mod anybody;
mod config;
mod error;
mod outbox;
mod provider;
mod session;

pub use config::TlsConfig;
pub use config::TlsConfigBuilder;
pub use config::TlsConfigError;
pub use error::CertificateFault;
pub use error::Refusal;
pub use error::TlsError;
pub use session::TlsSession;
pub use session::TlsVersion;
