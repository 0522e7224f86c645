//! Where servers are: one endpoint as a value.
//!
//! Which of several is taken is for `list`, what is known of one for `health`.

mod health;
mod leader;
mod list;

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

pub(crate) use self::health::Flaw;
pub use self::list::Balance;
pub(crate) use self::list::Endpoints;

use crate::error::ConfigError;

/// One server's address: `http://host:port`, `https://host:port`, or `host:port`, which is without TLS;
/// port 2379 where none is given.
///
/// The core is the same for both: it is the driver that puts TLS around the connections to an `https://`
/// endpoint. Both may be in one configuration.
///
/// ```
/// use etcd_core::Endpoint;
///
/// let endpoint: Endpoint = "http://[::1]:2380".parse()?;
/// assert_eq!((endpoint.host(), endpoint.port()), ("::1", 2380));
/// assert_eq!(endpoint.to_string(), "http://[::1]:2380");
/// assert_eq!("localhost".parse::<Endpoint>()?.to_string(), "http://localhost:2379");
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// `host:port` as it goes into the Host header; an IPv6 address in brackets.
    authority: String,
    /// Whether its connections are to be made with TLS.
    is_https: bool,
    /// Whether its host is this machine for certain.
    is_loopback: bool,
}

impl Endpoint {
    /// The host name or address, without brackets.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "http://127.0.0.1:2379".parse()?;
    /// assert_eq!(endpoint.host(), "127.0.0.1");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "localhost:4001".parse()?;
    /// assert_eq!(endpoint.port(), 4001);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as it goes into the Host header.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "http://etcd-1".parse()?;
    /// assert_eq!(endpoint.authority(), "etcd-1:2379");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether connections to it are made with TLS. A driver that cannot do that must not connect
    /// without.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "https://etcd-1".parse()?;
    /// assert!(endpoint.is_https());
    /// assert_eq!(endpoint.to_string(), "https://etcd-1:2379");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether connections to it stay on this machine: an address of loopback, or `localhost` (RFC 6761
    /// section 6.3). A name of one's own for such an address does not count.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "http://127.0.0.1".parse()?;
    /// assert!(endpoint.is_loopback());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

impl FromStr for Endpoint {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |reason| ConfigError::BadEndpoint {
            endpoint: redacted(text),
            reason,
        };
        let (rest, is_https) = match text.split_once("://") {
            None => (text, false),
            Some(("http", rest)) => (rest, false),
            Some(("https", rest)) => (rest, true),
            Some(_) => {
                return Err(ConfigError::UnsupportedScheme {
                    endpoint: redacted(text),
                });
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(bad("user and password do not belong into an endpoint"));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(bad("a path does not belong into an endpoint"));
        }
        let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| bad("no ] after the address"))?;
            if host.parse::<core::net::Ipv6Addr>().is_err() {
                return Err(bad("not an IPv6 address between the brackets"));
            }
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err(bad("no colon before the port")),
            }
        } else {
            match rest.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(bad("an IPv6 address needs brackets"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(bad("the host is empty or has characters no host has"));
        }
        let port = match port {
            None => 2379,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| bad("the port is above 65535"))?
            }
            Some(_) => return Err(bad("the port is not a number")),
        };
        let authority = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            authority,
            is_https,
            is_loopback: is_loopback(host),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let top = host.rsplit('.').next().unwrap_or(host);
    top.eq_ignore_ascii_case("localhost")
}

/// The text with what stands before an `@` taken out, since it may hold a password.
fn redacted(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_cannot_be_are_refused_with_a_reason() {
        for (text, reason) in [
            ("", "host"),
            ("http://", "host"),
            ("http://a b:1", "host"),
            ("http://a\r\nX: y", "host"),
            ("http://host:", "number"),
            ("http://host:+1", "number"),
            ("http://host:65536", "65535"),
            ("http://::1:2379", "brackets"),
            ("http://[::1", "]"),
            ("http://[host]:1", "IPv6"),
            ("http://host/path", "path"),
            ("https://", "host"),
            ("https://host/path", "path"),
            ("HTTPS://host", "scheme"),
            ("unixs:///tmp/s", "scheme"),
            ("unix:///tmp/s", "scheme"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_endpoint_with_tls_is_another_than_the_one_without() {
        let parse = |text: &str| text.parse::<Endpoint>().unwrap();
        let (plain, tls) = (parse("http://host"), parse("https://host/"));
        assert_ne!(plain, tls);
        assert!(tls.is_https() && !plain.is_https() && !parse("host").is_https());
        assert_eq!((tls.host(), tls.port()), ("host", 2379));
        assert_eq!(tls.authority(), "host:2379");
        assert_eq!(parse(&tls.to_string()), tls);
        assert_eq!(parse("https://[::1]:1").to_string(), "https://[::1]:1");
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated() {
        let error = "http://root:secret@host:1".parse::<Endpoint>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
        let error = "https://root:secret@host:1"
            .parse::<Endpoint>()
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
