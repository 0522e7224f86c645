//! Where servers are: one endpoint as a value.
//!
//! How it is written is for `parse`, which of several is taken for `list`, what is known of one for `health`.

mod health;
mod leader;
mod list;
mod parse;
mod proxy;

use core::fmt;
use core::net::IpAddr;

pub(crate) use self::health::Flaw;
pub use self::list::Balance;
pub(crate) use self::list::Endpoints;
pub use self::proxy::Proxy;

use crate::dial::Tunnel;

/// Where one server is: `http://host:port`, `https://host:port`, or `host:port`, which is without TLS; port
/// 2379 where none is given. A path behind that stands before the path of every request, as a proxy may ask for:
/// `https://proxy/etcd`. A socket of the file system is `unix:///run/etcd.sock`, or with TLS
/// `unixs:///run/etcd.sock`; with two slashes or none its path is a relative one (rule B-1).
///
/// The core is the same for all: it is the driver that puts TLS around the connections to an `https://` or
/// `unixs://` endpoint. All kinds may be in one configuration.
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
    place: Place,
    /// Whether its connections are to be made with TLS.
    is_tls: bool,
    /// What they go through; set where one is ordered.
    proxy: Option<Box<Proxy>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Tcp {
        host: String,
        port: u16,
        /// `host:port` as it goes into the Host header; an IPv6 address in brackets.
        authority: String,
        /// What stands before every path; empty, or with a slash before it and none behind.
        prefix: String,
        /// Whether the host is this machine for certain.
        is_loopback: bool,
    },
    /// A socket of the file system.
    Socket { path: String },
}

/// What a socket of the file system is called in the Host header and in certificates.
const SOCKET_HOST: &str = "localhost";

impl Endpoint {
    /// The host name or address, without brackets. It is also the name that the server's certificate has to
    /// have; for a socket of the file system that is `localhost`.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "http://127.0.0.1:2379".parse()?;
    /// assert_eq!(endpoint.host(), "127.0.0.1");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> &str {
        match &self.place {
            Place::Tcp { host, .. } => host,
            Place::Socket { .. } => SOCKET_HOST,
        }
    }

    /// The TCP port; 0 for a socket of the file system, which has none.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "localhost:4001".parse()?;
    /// assert_eq!(endpoint.port(), 4001);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self.place {
            Place::Tcp { port, .. } => port,
            Place::Socket { .. } => 0,
        }
    }

    /// Where its socket is in the file system, if it is there; else host and port say where it is.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "unix:///run/etcd.sock".parse()?;
    /// assert_eq!(endpoint.socket_path(), Some("/run/etcd.sock"));
    /// assert_eq!("localhost".parse::<etcd_core::Endpoint>()?.socket_path(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn socket_path(&self) -> Option<&str> {
        match &self.place {
            Place::Tcp { .. } => None,
            Place::Socket { path } => Some(path),
        }
    }

    /// What stands before the path of every request: nothing, or a path with a slash before it and none
    /// behind.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "https://proxy.example/etcd/".parse()?;
    /// assert_eq!(endpoint.path_prefix(), "/etcd");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn path_prefix(&self) -> &str {
        match &self.place {
            Place::Tcp { prefix, .. } => prefix,
            Place::Socket { .. } => "",
        }
    }

    /// The proxy that the connection it was given for goes through, if there is one
    /// ([`Config::proxy`](crate::Config::proxy)).
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Output, Range};
    ///
    /// let mut config = Config::new(["http://etcd:2379"])?;
    /// config.proxy = Some("http://proxy:3128".parse()?);
    /// let mut client = Client::new(config, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Range::key("k"));
    /// let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
    /// assert_eq!(endpoint.proxy().map(|proxy| proxy.host()), Some("proxy"));
    /// assert_eq!(endpoint.next_hop(), ("proxy", 3128));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_deref()
    }

    /// The host and the port to connect to: the proxy's, or its own. A socket of the file system has none.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "http://etcd:2379".parse()?;
    /// assert_eq!(endpoint.next_hop(), ("etcd", 2379));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn next_hop(&self) -> (&str, u16) {
        match self.proxy() {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (self.host(), self.port()),
        }
    }

    /// What has to be said and heard on a connection before all else, TLS included, where it goes through a
    /// proxy's tunnel.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "http://etcd:2379".parse()?;
    /// assert!(endpoint.tunnel().is_none());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn tunnel(&self) -> Option<Tunnel> {
        let proxy = self.proxy()?;
        let is_tunnel = self.is_tls || !proxy.is_absolute();
        is_tunnel.then(|| Tunnel::new(self.authority(), proxy.authorization()))
    }

    /// Whether requests to it are in absolute form.
    pub(crate) fn is_asked_in_absolute_form(&self) -> bool {
        self.proxy().is_some() && self.tunnel().is_none()
    }

    /// The same through this proxy, where it is reached through one.
    pub(crate) fn through(self, proxy: Option<&Proxy>) -> Self {
        let proxy = proxy.filter(|_| self.socket_path().is_none());
        Self {
            proxy: proxy.cloned().map(Box::new),
            ..self
        }
    }

    /// The same with TLS, or without.
    pub(crate) fn with_tls(self, is_tls: bool) -> Self {
        Self { is_tls, ..self }
    }

    /// Whether its host is the address that stands for any, to which nobody can connect from elsewhere.
    pub(crate) fn is_unspecified(&self) -> bool {
        let address = self.host().parse::<IpAddr>();
        address.is_ok_and(|address| address.is_unspecified())
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
        match &self.place {
            Place::Tcp { authority, .. } => authority,
            Place::Socket { .. } => SOCKET_HOST,
        }
    }

    /// Whether connections to it are made with TLS. A driver that cannot do that must not connect
    /// without.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "https://etcd-1".parse()?;
    /// assert!(endpoint.is_tls());
    /// assert_eq!(endpoint.to_string(), "https://etcd-1:2379");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether connections to it stay on this machine: a socket of the file system, an address of loopback, or
    /// `localhost`. A name of one's own for such an address does not count.
    ///
    /// ```
    /// let endpoint: etcd_core::Endpoint = "http://127.0.0.1".parse()?;
    /// assert!(endpoint.is_loopback());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        match self.place {
            Place::Tcp { is_loopback, .. } => is_loopback,
            Place::Socket { .. } => true,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, self.is_tls) {
            (
                Place::Tcp {
                    authority, prefix, ..
                },
                is_tls,
            ) => {
                let scheme = if is_tls { "https" } else { "http" };
                write!(f, "{scheme}://{authority}{prefix}")
            }
            (Place::Socket { path }, true) => write!(f, "unixs://{path}"),
            (Place::Socket { path }, false) => write!(f, "unix://{path}"),
        }
    }
}
