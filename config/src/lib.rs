//! The configuration of an etcd client from JSON, TOML or environment variables.
//!
//! [`Settings`] are what was set, by name and from wherever it came. They become an
//! [`etcd_core::Config`] and, where it is needed, an `etcd_tls::TlsConfig`, which is what the clients of
//! `etcd-std` and `etcd-smol` are made with.
//!
//! ```
//! use etcd_config::Settings;
//!
//! # #[cfg(feature = "toml")] {
//! let file = Settings::from_toml(r#"
//!     endpoints = ["http://127.0.0.1:2379", "http://127.0.0.1:22379"]
//!     balance = "leader_first"
//!     read_timeout = "1.5s"
//!
//!     [limits]
//!     watches = 200
//!
//!     [credentials]
//!     user = "root"
//! "#)?;
//! // In a program: std::env::vars_os().
//! let environment = Settings::from_vars([("ETCDCTL_PASSWORD", "swordfish")])?;
//!
//! let settings = environment.or(file);
//! let config = settings.config()?;
//! assert_eq!(config.limits.watches, 200);
//! # }
//! # Ok::<(), etcd_config::SettingsError>(())
//! ```
//!
//! It is pure: it reads no environment, and no files but those that TLS settings name.
//!
//! # Settings
//!
//! Each field of [`etcd_core::Config`] is a setting of the same name, and what is in its fields is so in a
//! table: `limits.calls`, `limits.http.head_bytes`, `retry_budget.burst`. A table may also be written as
//! one name with dots. [`Settings::names`] lists them all. Besides:
//!
//! | setting | what it is |
//! | --- | --- |
//! | `endpoints` | a list, or one text with commas. One without a scheme is with TLS where `tls.assumed` says so |
//! | `headers` | a table of texts, sent with every request; from a variable, lines of the form `X-Name: value` |
//! | `credentials.user`, `credentials.password` | who the client is |
//! | `credentials.token` | in place of both, a token that was got elsewhere |
//! | `credentials.over_plain_http` | lets them go over plain HTTP to other machines |
//! | `tls.cacert` | the file of the authorities to trust; without it, those of the operating system |
//! | `tls.cert`, `tls.key` | the files of a certificate of one's own and its key |
//! | `tls.server_name` | the name that servers' certificates have to be for |
//! | `tls.insecure_skip_verify` | **dangerous**: takes any certificate. With the feature `dangerous` only |
//! | `tls.assumed` | whether endpoints without a scheme are with TLS. As with etcdctl it is so where one of the others of this table is set |
//!
//! Durations are texts such as `"250ms"`, `"5s"` or `"1m30s"`, in the form of Go and etcdctl, or numbers of
//! seconds. Choices have the names of the code in snake case: `balance = "round_robin"`. A namespace is a
//! text. `null` is the same as nothing.
//!
//! # Environment
//!
//! From the strongest to the weakest; an empty variable is none:
//!
//! | variable | sets |
//! | --- | --- |
//! | `ETCD_CLIENT_<SETTING>` | the setting, with underscores for dots: `ETCD_CLIENT_LIMITS_CALLS` |
//! | `ETCD_ENDPOINTS` | `endpoints` |
//! | `ETCDCTL_ENDPOINTS` | `endpoints` |
//! | `ETCDCTL_USER` | `credentials.user`; with the password behind a colon unless the next is there |
//! | `ETCDCTL_PASSWORD` | `credentials.password` |
//! | `ETCDCTL_AUTH_JWT_TOKEN` | `credentials.token` |
//! | `ETCDCTL_CACERT`, `ETCDCTL_CERT`, `ETCDCTL_KEY` | `tls.cacert`, `tls.cert`, `tls.key` |
//! | `ETCDCTL_INSECURE_SKIP_TLS_VERIFY` | `tls.insecure_skip_verify` |
//! | `ETCDCTL_INSECURE_TRANSPORT` | `tls.assumed`, if it is false |
//! | `ETCDCTL_DIAL_TIMEOUT` | `connect_timeout` |
//! | `ETCDCTL_COMMAND_TIMEOUT` | `read_timeout` and `write_timeout` |
//! | `ETCDCTL_KEEPALIVE_TIME`, `ETCDCTL_KEEPALIVE_TIMEOUT` | `watch_idle_timeout`, `watch_probe_timeout` |
//! | `ETCDCTL_MAX_REQUEST_BYTES`, `ETCDCTL_MAX_RECV_BYTES` | `limits.request_bytes`, `limits.body_bytes`; 0 is the default |
//!
//! `ETCDCTL_API=3` and what is about etcdctl's output or its commands (`ETCDCTL_DEBUG`, `ETCDCTL_HEX`,
//! `ETCDCTL_WRITE_OUT`, `ETCDCTL_WATCH_KEY`, `ETCDCTL_WATCH_RANGE_END`) has no effect. Another version of the
//! API is refused, and so is `ETCDCTL_DISCOVERY_SRV`, since endpoints are not looked up in DNS.
//!
//! Any other `ETCD_CLIENT_*` or `ETCDCTL_*` is refused with the nearest name, but for those that the server has
//! (`ETCD_CLIENT_CERT_AUTH` and its like) and those by which Kubernetes tells of a service
//! (`ETCD_CLIENT_SERVICE_HOST`, `ETCD_CLIENT_PORT`). All other variables are not looked at.
//!
//! # Secrets
//!
//! Passwords, tokens and headers' values are in no `Debug` and in no error of this crate, nor is the text around
//! a mistake. What is shown of a bad value is that of a setting which is no secret.
//!
//! # Features
//!
//! | feature | what it does |
//! | --- | --- |
//! | `toml` (default) | `Settings::from_toml` |
//! | `ring` (default) | `Settings::tls`, with cryptography by ring |
//! | `aws-lc-rs` | the same by aws-lc-rs, also where `ring` is on |
//! | `dangerous` | `tls.insecure_skip_verify` |
//!
//! Without `ring` and `aws-lc-rs` settings of TLS are refused.

#![forbid(unsafe_code)]

mod assemble;
mod duration;
mod error;
mod format;
mod names;
mod nearest;
mod read;
mod settings;
#[cfg(feature = "tls")]
mod tls;
mod tree;
mod value;
mod vars;

pub use error::SettingsError;
pub use settings::Settings;
