//! Which servers of an answer are left out, and why.
//!
//! Here a record becomes an endpoint or a reason. Nothing here is an error by itself: only if nothing is left is
//! there nothing to go on with.

use std::fmt;

use etcd_core::ConfigError;
use etcd_core::Endpoint;

use crate::srv::Srv;

/// A server that DNS named and that is no endpoint.
///
/// ```
/// use etcd_discovery::{Discovery, SkipReason, Srv};
///
/// let mut discovery = Discovery::new("example.com")?;
/// while let Some(query) = discovery.poll_query() {
///     let records = vec![Srv::new(0, 0, 2379, "etcd-1.example.com.")];
///     discovery.handle_answer(query, Ok(records));
/// }
/// let skipped = discovery.skipped();
/// assert_eq!(skipped[0].server, "http://etcd-1.example.com:2379");
/// assert_eq!(skipped[0].reason, SkipReason::Insecure);
/// # Ok::<(), etcd_discovery::DiscoveryError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The server as a URL. What stands for the host may be no host at all.
    pub server: String,
    /// Why it is left out.
    pub reason: SkipReason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name is the server's, so it is quoted.
        write!(f, "{:?}: {}", self.server, self.reason)
    }
}

/// Why a server is left out.
///
/// ```
/// use etcd_discovery::SkipReason;
///
/// assert_eq!(SkipReason::NoPort.to_string(), "its port is 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// It speaks no TLS, and that was not allowed: `Discovery::allow_insecure` does.
    Insecure,
    /// The target is a dot: the domain says that it has no such service (RFC 2782).
    NotAvailable,
    /// The port is 0.
    NoPort,
    /// The target is no name of a host.
    BadHost(ConfigError),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insecure => f.write_str("it speaks no TLS, which was not allowed"),
            Self::NotAvailable => f.write_str("the domain says that it has no such service"),
            Self::NoPort => f.write_str("its port is 0"),
            // Its text names the server once more.
            Self::BadHost(ConfigError::BadEndpoint { reason, .. }) => f.write_str(reason),
            Self::BadHost(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for SkipReason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadHost(error) => Some(error),
            _ => None,
        }
    }
}

/// The endpoint a record stands for, unless it has to be left out.
pub(crate) fn endpoint(
    record: &Srv,
    is_https: bool,
    allows_insecure: bool,
) -> Result<Endpoint, Skipped> {
    let Srv { port, target, .. } = record;
    let host = target.strip_suffix('.').unwrap_or(target);
    let scheme = if is_https { "https" } else { "http" };
    let server = format!("{scheme}://{host}:{port}");
    let parsed = if target == "." {
        Err(SkipReason::NotAvailable)
    } else if !is_https && !allows_insecure {
        Err(SkipReason::Insecure)
    } else if *port == 0 {
        Err(SkipReason::NoPort)
    } else {
        parse_host(host).and_then(|()| server.parse().map_err(SkipReason::BadHost))
    };
    parsed.map_err(|reason| Skipped { server, reason })
}

/// What a colon would make of a name: another port, or brackets, an address. An endpoint's text may have
/// them, a name may not.
fn parse_host(host: &str) -> Result<(), SkipReason> {
    let has_empty_label = host.split('.').any(str::is_empty);
    let reason = if host.contains([':', '[', ']', '/', '@']) {
        "the host has characters no host has"
    } else if has_empty_label {
        "the host has an empty label"
    } else {
        return Ok(());
    };
    Err(SkipReason::BadHost(ConfigError::BadEndpoint {
        endpoint: host.to_owned(),
        reason,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_no_host_is_left_out_with_a_reason() {
        for (target, port, reason) in [
            (".", 2379, "no such service"),
            ("", 2379, "empty label"),
            ("..", 2379, "empty label"),
            ("a..b", 2379, "empty label"),
            ("a.example.com", 0, "port is 0"),
            ("a b", 2379, "characters"),
            ("a\\.b", 2379, "characters"),
            ("a\r\nX: y", 2379, "characters"),
            ("user@host", 2379, "characters"),
            ("host:1", 2379, "characters"),
            ("[::1]", 2379, "characters"),
            ("host/path", 2379, "characters"),
            ("bücher", 2379, "characters"),
        ] {
            let skipped = endpoint(&Srv::new(0, 0, port, target), true, false).unwrap_err();
            assert!(
                skipped.to_string().contains(reason),
                "{target:?}: {skipped}"
            );
        }
    }

    #[test]
    fn one_dot_at_the_end_of_a_target_is_taken_off() {
        let endpoint = endpoint(&Srv::new(0, 0, 1, "a.example.com."), true, false).unwrap();
        assert_eq!(endpoint.to_string(), "https://a.example.com:1");
    }
}
