//! How an endpoint is written.
//!
//! Strict: what could be meant in two ways is refused with what is wrong. It knows nothing of what an endpoint
//! is used for.

use core::net::IpAddr;
use core::net::Ipv6Addr;
use core::str::FromStr;

use super::Endpoint;
use super::Place;
use crate::error::ConfigError;

/// Where etcd listens for clients.
const DEFAULT_PORT: u16 = 2379;

/// No name of DNS is longer (RFC 1035 section 2.3.4).
const MOST_HOST_BYTES: usize = 255;

/// Far above what anybody has, and far below what a request's target may be.
const MOST_PATH_BYTES: usize = 1024;

impl FromStr for Endpoint {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |reason| ConfigError::BadEndpoint {
            endpoint: redacted(text),
            reason,
        };
        // Sockets may be written without slashes, as Go's client takes them.
        for (scheme, is_tls) in [("unix:", false), ("unixs:", true)] {
            if let Some(path) = text.strip_prefix(scheme) {
                let place = socket(path).map_err(bad)?;
                return Ok(Self {
                    place,
                    is_tls,
                    proxy: None,
                });
            }
        }
        let (rest, is_tls) = match text.split_once("://") {
            None => (text, false),
            Some(("http", rest)) => (rest, false),
            Some(("https", rest)) => (rest, true),
            Some(_) => {
                return Err(ConfigError::UnsupportedScheme {
                    endpoint: redacted(text),
                });
            }
        };
        let place = tcp(rest).map_err(bad)?;
        Ok(Self {
            place,
            is_tls,
            proxy: None,
        })
    }
}

fn socket(path: &str) -> Result<Place, &'static str> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err("no path of a socket is given");
    }
    if path.len() > MOST_PATH_BYTES {
        return Err("the path of a socket is longer than 1024 bytes");
    }
    if path.chars().any(char::is_control) {
        return Err("the path of a socket has control characters");
    }
    Ok(Place::Socket {
        path: path.to_owned(),
    })
}

fn tcp(text: &str) -> Result<Place, &'static str> {
    if text.contains('@') {
        return Err("user and password do not belong into an endpoint");
    }
    if text.contains(['?', '#']) {
        return Err("a query does not belong into an endpoint");
    }
    let (address, prefix) = match text.find('/') {
        Some(slash) => text.split_at(slash),
        None => (text, ""),
    };
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.len() > MOST_PATH_BYTES {
        return Err("the path is longer than 1024 bytes");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if !prefix.bytes().all(is_plain) {
        return Err("the path has other characters than letters, digits and -._~");
    }
    // Servers and proxies do not agree on what these mean.
    if prefix
        .split('/')
        .skip(1)
        .any(|part| matches!(part, "" | "." | ".."))
    {
        return Err("the path has an empty part, or one of dots");
    }
    let (host, port) = host_and_port(address)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_plain) {
        return Err("the host is empty or has characters no host has");
    }
    if host.len() > MOST_HOST_BYTES {
        return Err("the host is longer than 255 bytes");
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().map_err(|_| "the port is above 65535")?
        }
        Some(_) => return Err("the port is not a number"),
    };
    let authority = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    Ok(Place::Tcp {
        host: host.to_owned(),
        port,
        authority,
        prefix: prefix.to_owned(),
        is_loopback: is_loopback(host),
    })
}

/// The two, without brackets and colon.
fn host_and_port(address: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("no ] after the address")?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err("not an IPv6 address between the brackets");
        }
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if port.is_empty() => Ok((host, None)),
            None => Err("no colon before the port"),
        };
    }
    match address.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 address needs brackets"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((address, None)),
    }
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    // Names below it are for loopback, too (RFC 6761 section 6.3), but not all resolvers know that.
    let host = host.strip_suffix('.').unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
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
            ("http://host/a b", "path"),
            ("http://host/%2e", "path"),
            ("http://host//a", "empty part"),
            ("http://host/a//", "empty part"),
            ("http://host/../a", "dots"),
            ("http://host/a/.", "dots"),
            ("http://host/a?b", "query"),
            ("http://host#a", "query"),
            ("https://", "host"),
            ("https:///path", "host"),
            ("HTTPS://host", "scheme"),
            ("unix:", "no path"),
            ("unix://", "no path"),
            ("unixs://", "no path"),
            ("unix:///tmp/\n", "control"),
            ("unixt:///tmp/s", "scheme"),
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
        assert!(tls.is_tls() && !plain.is_tls() && !parse("host").is_tls());
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

    #[test]
    fn lengths_are_bounded() {
        let parse = |text: String| text.parse::<Endpoint>().map(drop);
        assert!(parse(format!("h/{}", "a".repeat(1023))).is_ok());
        assert!(parse(format!("h/{}", "a".repeat(1024))).is_err());
        assert!(parse(format!("unix:/{}", "a".repeat(1024))).is_err());
        assert!(parse("h".repeat(255)).is_ok());
        assert!(parse("h".repeat(256)).is_err());
    }

    #[test]
    fn b1_a_path_stands_before_those_of_requests() {
        for (text, prefix, shown) in [
            ("http://h/", "", "http://h:2379"),
            ("h/etcd", "/etcd", "http://h:2379/etcd"),
            ("https://h:1/a/b-1/", "/a/b-1", "https://h:1/a/b-1"),
            ("http://[::1]/x", "/x", "http://[::1]:2379/x"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.path_prefix(), prefix, "{text}");
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(shown.parse::<Endpoint>().unwrap(), endpoint);
        }
    }

    #[test]
    fn b1_sockets_of_the_file_system_are_written_as_in_go() {
        for (text, path, is_tls) in [
            ("unix:///run/etcd.sock", "/run/etcd.sock", false),
            ("unixs:///run/etcd.sock", "/run/etcd.sock", true),
            ("unix://etcd.sock:1", "etcd.sock:1", false),
            ("unix:etcd sock?", "etcd sock?", false),
            ("unixs:/run/a@b", "/run/a@b", true),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.socket_path(), Some(path), "{text}");
            assert_eq!(endpoint.is_tls(), is_tls);
            assert!(endpoint.is_loopback());
            let names = (endpoint.host(), endpoint.port(), endpoint.authority());
            assert_eq!(names, ("localhost", 0, "localhost"));
            assert_eq!(endpoint.path_prefix(), "");
            assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
        }
    }
}
