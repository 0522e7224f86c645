//! Whom a server lets in before it looks at what is asked.

/// Settings of what is in front of the calls. The default lets everybody in.
///
/// ```
/// use etcd_core::Version;
/// use etcd_sim::gateway::{Front, ServerConn};
///
/// let front = Front::default().with_hosts(["good.example"]);
/// let mut conn = ServerConn::new(&Version::new(3, 5, 16)).with_front(front);
/// conn.handle_received(b"GET /version HTTP/1.1\r\nHost: bad.example:2379\r\n\r\n");
/// assert!(conn.transmit().starts_with(b"HTTP/1.1 421 "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Front {
    /// Whether there is a gateway at all (`--enable-grpc-gateway`); without one every call is at no
    /// known path (gateway.md 2).
    pub has_gateway: bool,
    /// By which names the server may be called in `Host` (`--host-whitelist`); by any, if there are
    /// none here (gateway.md 4.2).
    pub hosts: Vec<String>,
}

impl Default for Front {
    fn default() -> Self {
        Self {
            has_gateway: true,
            hosts: Vec::new(),
        }
    }
}

impl Front {
    /// Sets [`Front::has_gateway`] to false.
    #[must_use]
    pub const fn without_gateway(mut self) -> Self {
        self.has_gateway = false;
        self
    }

    /// Sets [`Front::hosts`]; a `*` among them is any.
    #[must_use]
    pub fn with_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a request for this `Host` is looked at.
    pub(super) fn lets_in(&self, host: &str) -> bool {
        // Without its port, which an IPv6 address has behind its bracket.
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        self.hosts.is_empty() || self.hosts.iter().any(|host| host == "*" || host == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_its_port() {
        let front = Front::default().with_hosts(["127.0.0.1", "::1", "name"]);
        for (host, lets_in) in [
            ("127.0.0.1:2379", true),
            ("127.0.0.1", true),
            ("[::1]:2379", true),
            ("name:80", true),
            ("names:80", false),
            ("localhost:2379", false),
            ("", false),
        ] {
            assert_eq!(front.lets_in(host), lets_in, "{host}");
            assert!(Front::default().lets_in(host), "{host}");
            assert!(Front::default().with_hosts(["*"]).lets_in(host), "{host}");
        }
    }
}
