//! An HTTP proxy between the client and its servers, as a value.
//!
//! How a tunnel through it is asked for is for `dial/tunnel`, how its other requests look for the wire.

use core::fmt;
use core::str::FromStr;

use base64_simd::STANDARD;
use http::HeaderValue;

use super::Endpoint;
use crate::error::ConfigError;

/// An HTTP proxy that connections go through: `http://host:port`.
///
/// Connections go through it as tunnels (`CONNECT`, RFC 9110 section 9.3.6), so it sees which servers are asked
/// and, of those without TLS, everything. A proxy that has no tunnels for `http://` endpoints may take
/// requests for them in absolute form instead ([`Proxy::with_absolute_form`]); those with TLS always have a tunnel. Sockets
/// of the file system are reached without it.
///
/// ```
/// use etcd_core::{Config, Proxy};
///
/// let mut config = Config::new(["https://etcd.example:2379"])?;
/// let proxy: Proxy = "http://proxy.example:3128".parse()?;
/// config.proxy = Some(proxy.with_credentials("me", "swordfish")?);
/// assert!(!format!("{config:?}").contains("swordfish"));
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proxy {
    host: String,
    port: u16,
    authority: String,
    is_absolute: bool,
    authorization: Option<HeaderValue>,
    is_loopback: bool,
}

impl Proxy {
    /// Asks in absolute form for what is behind `http://` endpoints (RFC 9112 section 3.2.2), without a tunnel. Such a
    /// proxy may keep requests back until they are whole; watches then have a connection each.
    ///
    /// ```
    /// let proxy: etcd_core::Proxy = "http://proxy:8080".parse()?;
    /// assert_ne!(proxy.clone().with_absolute_form(), proxy);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn with_absolute_form(mut self) -> Self {
        self.is_absolute = true;
        self
    }

    /// Says to the proxy who the client is (the scheme `Basic`, RFC 7617). They go to it in the clear.
    ///
    /// # Errors
    ///
    /// [`ConfigError::BadCredentials`] where the name has a colon, or either has a control character.
    ///
    /// ```
    /// let proxy: etcd_core::Proxy = "http://proxy:8080".parse()?;
    /// assert!(proxy.clone().with_credentials("me", "a:b").is_ok());
    /// assert!(proxy.with_credentials("m:e", "b").is_err());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn with_credentials(mut self, user: &str, password: &str) -> Result<Self, ConfigError> {
        let bad = |reason| Err(ConfigError::BadCredentials { reason });
        if user.contains(':') {
            return bad("the name for the proxy has a colon");
        }
        if user.chars().chain(password.chars()).any(char::is_control) {
            return bad("the name or the password for the proxy has a control character");
        }
        let basic = format!(
            "Basic {}",
            STANDARD.encode_to_string(format!("{user}:{password}"))
        );
        let mut value = HeaderValue::try_from(basic).map_err(|_| ConfigError::BadCredentials {
            reason: "they are too long for a header",
        })?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(self)
    }

    /// Its host, without brackets.
    ///
    /// ```
    /// let proxy: etcd_core::Proxy = "http://proxy:8080".parse()?;
    /// assert_eq!((proxy.host(), proxy.port()), ("proxy", 8080));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its TCP port.
    ///
    /// ```
    /// let proxy: etcd_core::Proxy = "http://[::1]:8080".parse()?;
    /// assert_eq!((proxy.host(), proxy.port()), ("::1", 8080));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is on this machine.
    pub(crate) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    pub(crate) const fn is_absolute(&self) -> bool {
        self.is_absolute
    }

    pub(crate) const fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// The same with this in place of its credentials.
    pub(crate) fn with_authorization(mut self, value: HeaderValue) -> Self {
        self.authorization = Some(value);
        self
    }
}

impl FromStr for Proxy {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let endpoint: Endpoint = text.parse()?;
        let bad = |reason| {
            Err(ConfigError::BadEndpoint {
                endpoint: endpoint.to_string(),
                reason,
            })
        };
        let has_port = text.trim_end_matches('/');
        let has_port = has_port.ends_with(&format!(":{}", endpoint.port()));
        if endpoint.socket_path().is_some() || endpoint.is_tls() || !has_port {
            return bad("a proxy is http://host:port, with the port");
        }
        if !endpoint.path_prefix().is_empty() {
            return bad("a path does not belong into the address of a proxy");
        }
        Ok(Self {
            host: endpoint.host().to_owned(),
            port: endpoint.port(),
            authority: endpoint.authority().to_owned(),
            is_absolute: false,
            authorization: None,
            is_loopback: endpoint.is_loopback(),
        })
    }
}

/// Its address, without what it is told who the client is.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for (text, reason) in [
            ("proxy", "with the port"),
            ("http://proxy", "with the port"),
            ("https://proxy:1", "with the port"),
            ("unix:///run/proxy", "with the port"),
            ("http://proxy:1/path", "path"),
            ("http://me:secret@proxy:1", "password"),
            ("", "host"),
        ] {
            let error = text.parse::<Proxy>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let proxy: Proxy = "http://proxy:1/".parse().unwrap();
        assert_eq!(proxy.to_string(), "http://proxy:1");
        let proxy = proxy.with_credentials("me", "swordfish").unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic bWU6c3dvcmRmaXNo");
        let shown = format!("{proxy} {proxy:?}");
        assert!(
            !shown.contains("bWU6") && !shown.contains("swordfish"),
            "{shown}"
        );
        assert!(proxy.with_credentials("a\nb", "").is_err());
    }
}
