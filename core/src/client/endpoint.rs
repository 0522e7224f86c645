//! Where servers are: one endpoint as a value, and the list with its order of trying.
//!
//! The order is plain for now: stay with one endpoint until connecting to it fails or a connection
//! to it is lost, then take the next. Health states and policies (rules B-1 to B-8) belong here.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::error::ConfigError;
use crate::id::EndpointIndex;

/// One server's address: `http://host:port`, or `host:port`, port 2379 where none is given.
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
}

impl FromStr for Endpoint {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |reason| ConfigError::BadEndpoint {
            endpoint: redacted(text),
            reason,
        };
        let rest = match text.split_once("://") {
            None => text,
            Some(("http", rest)) => rest,
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
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// The text with what stands before an `@` taken out, since it may hold a password.
fn redacted(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    }
}

/// The configured endpoints, in the order of trying, and others that calls were pinned to.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// The configured ones, at least one; their places are 0 and up.
    list: Vec<Endpoint>,
    /// Where the next connection goes; a place in `list`.
    current: usize,
    /// Others, by places that are never used again.
    others: BTreeMap<usize, Endpoint>,
    next: usize,
    /// How many others there may be before those are forgotten that nothing names any more.
    most: usize,
}

/// How many endpoints that are not configured are kept in any case.
const OTHERS: usize = 64;

impl Endpoints {
    /// `first` picks where to begin, so that many clients do not all begin at the same member.
    pub(crate) fn new(list: Vec<Endpoint>, first: u64) -> Self {
        let configured = list.len().max(1);
        let current = usize::try_from(first % configured as u64).unwrap_or(0);
        Self {
            next: configured,
            list,
            current,
            others: BTreeMap::new(),
            most: OTHERS,
        }
    }

    /// Takes the next endpoint if `failed` is the current one, and says whether it was. A failure
    /// told late, of one that was left before, moves nothing.
    pub(crate) fn handle_failure(&mut self, failed: EndpointIndex) -> bool {
        let is_current = failed.0 == self.current;
        if is_current {
            self.current = (self.current + 1) % self.configured();
        }
        is_current
    }

    /// The place of this endpoint, added outside the order of trying where it was not configured.
    pub(crate) fn find_or_add(&mut self, endpoint: &Endpoint) -> EndpointIndex {
        let configured = self.list.iter().position(|known| known == endpoint);
        let others = || self.others.iter().find(|(_, known)| *known == endpoint);
        if let Some(index) = configured.or_else(|| others().map(|(index, _)| *index)) {
            return EndpointIndex(index);
        }
        let index = self.next;
        self.next += 1;
        self.others.insert(index, endpoint.clone());
        EndpointIndex(index)
    }

    /// Whether it is time to look which endpoints nothing names any more.
    pub(crate) fn are_many(&self) -> bool {
        self.others.len() >= self.most
    }

    /// Forgets the endpoints that are not configured and not named. The next look is due when there
    /// are twice as many as are left, so looking costs little for each endpoint.
    pub(crate) fn keep(&mut self, named: &BTreeSet<EndpointIndex>) {
        self.others
            .retain(|index, _| named.contains(&EndpointIndex(*index)));
        self.most = OTHERS.max(self.others.len() * 2);
    }

    /// How many are not configured.
    #[cfg(test)]
    pub(crate) fn others(&self) -> usize {
        self.others.len()
    }

    /// Whether this place is still one of an endpoint.
    pub(crate) fn has(&self, index: EndpointIndex) -> bool {
        index.0 < self.list.len() || self.others.contains_key(&index.0)
    }

    pub(crate) const fn current(&self) -> EndpointIndex {
        EndpointIndex(self.current)
    }

    pub(crate) fn configured(&self) -> usize {
        self.list.len()
    }

    /// The endpoint at this place.
    pub(crate) fn get(&self, index: EndpointIndex) -> &Endpoint {
        let configured = self.list.get(index.0);
        configured
            .or_else(|| self.others.get(&index.0))
            .expect("places come from here, and what is named is not forgotten")
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
            ("https://host", "scheme"),
            ("unix:///tmp/s", "scheme"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
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

    #[test]
    fn places_are_not_used_again() {
        let mut endpoints = Endpoints::new(vec!["a".parse().unwrap()], 0);
        let (b, c) = ("b".parse().unwrap(), "c".parse().unwrap());
        let first = endpoints.find_or_add(&b);
        let kept = endpoints.find_or_add(&c);
        assert_eq!(endpoints.find_or_add(&b), first);
        endpoints.keep(&BTreeSet::from([kept]));
        assert!(endpoints.has(kept) && !endpoints.has(first));
        assert_ne!(endpoints.find_or_add(&b), first);
        assert_eq!(endpoints.get(kept), &c);
    }

    #[test]
    fn a_late_failure_of_another_endpoint_moves_nothing() {
        let list = ["a", "b", "c"].map(|host| host.parse().unwrap());
        let mut endpoints = Endpoints::new(list.into(), 0);
        let first = endpoints.current();
        assert!(endpoints.handle_failure(first));
        let second = endpoints.current();
        assert_ne!(first, second);
        assert!(!endpoints.handle_failure(first));
        assert_eq!(endpoints.current(), second);
    }
}
