//! What is wrong when the answer is not etcd's: in plain words, with what to do about it.
//!
//! A wrong port, a wrong prefix, a proxy in between: none of these answers with an error of etcd's, and
//! what they answer with says little. The signs are those of gateway.md 2, 4.2, 4.3, 5.2 and 14.

use core::fmt;

use super::Code;
use super::Known;
use super::Status;

/// What is wrong with the way to etcd, as far as an answer shows it.
///
/// Its text says what to do. It is part of the text of [`Status`], and so of [`Error`](super::Error).
///
/// ```
/// use etcd_core::{Code, Fault, Status};
///
/// let status = Status::new(Code::NOT_FOUND, "404 page not found").with_path("/v3/kv/range");
/// let diagnosis = status.diagnosis().unwrap();
/// assert_eq!(diagnosis.fault, Fault::GatewayOff);
/// assert!(diagnosis.to_string().contains("/v3/kv/range"));
/// assert!(diagnosis.to_string().contains("--enable-grpc-gateway"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis<'a> {
    /// What is wrong.
    pub fault: Fault,
    /// The path that was asked, if it is known.
    pub path: Option<&'a str>,
}

/// Kinds of [`Diagnosis`].
///
/// ```
/// use etcd_core::{Code, Fault, Status};
///
/// let page = Status::new(Code::UNAVAILABLE, "<html><body>502 Bad Gateway").with_http(502);
/// assert_eq!(page.diagnosis().unwrap().fault, Fault::NotEtcd);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A server that may be etcd, but has no gateway at this prefix.
    GatewayOff,
    /// A gateway that does not know this call.
    NoSuchCall,
    /// A server that does not answer for the host it was asked for.
    HostNotAllowed,
    /// A client certificate with a CommonName, which the gateway refuses while auth is on.
    CommonName,
    /// A server that wants to be asked elsewhere. Redirections are not followed.
    Redirected,
    /// A server that speaks TLS on this port, and was asked without.
    Tls,
    /// A web page, as proxies send them.
    NotEtcd,
    /// A gateway that cannot reach the etcd server it belongs to.
    GatewayCutOff,
}

impl Diagnosis<'_> {
    /// Whether the path that was asked is part of it.
    pub(super) const fn is_about_the_path(&self) -> bool {
        matches!(
            self.fault,
            Fault::GatewayOff | Fault::NoSuchCall | Fault::Redirected
        )
    }
}

impl Status {
    /// What is wrong with the way to etcd, if this does not look like etcd's own answer.
    ///
    /// ```
    /// use etcd_core::{Code, Fault, Status};
    ///
    /// let refused = Status::new(Code::INVALID_ARGUMENT, "Misdirected Request").with_http(421);
    /// assert_eq!(refused.diagnosis().unwrap().fault, Fault::HostNotAllowed);
    /// let etcd = Status::new(Code::UNAVAILABLE, "etcdserver: no leader").with_http(503);
    /// assert_eq!(etcd.diagnosis(), None);
    /// ```
    #[must_use]
    pub fn diagnosis(&self) -> Option<Diagnosis<'_>> {
        let text = self.message.as_str();
        let fault = match (self.known(), self.http) {
            (Some(Known::PageNotFound), _) => Fault::GatewayOff,
            (Some(Known::MisdirectedRequest), _) => Fault::HostNotAllowed,
            (Some(Known::CommonName), _) => Fault::CommonName,
            (Some(Known::GatewayConnection), _) => Fault::GatewayCutOff,
            (Some(_), _) => return None,
            // The texts of the two generations of the gateway for a path they do not know.
            (None, _) if text == "Not Found" && self.code == Code::NOT_FOUND => Fault::NoSuchCall,
            (None, Some(300..=399)) => Fault::Redirected,
            (None, Some(421)) => Fault::HostNotAllowed,
            (None, _) if text.contains("HTTP request to an HTTPS server") => Fault::Tls,
            (None, Some(_)) if text.starts_with('<') => Fault::NotEtcd,
            (None, Some(501)) if self.code == Code::UNIMPLEMENTED => Fault::NoSuchCall,
            (None, _) => return None,
        };
        Some(Diagnosis {
            fault,
            path: self.path.as_deref(),
        })
    }
}

impl fmt::Display for Diagnosis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.unwrap_or("this path");
        match self.fault {
            Fault::GatewayOff => write!(
                f,
                "nothing answers at {path}; etcd's gateway is off (start etcd with \
                 --enable-grpc-gateway=true; with a configuration file, etcd before 3.5 needs \
                 `enable-grpc-gateway: true` in it), or the API prefix is another, or this is not \
                 etcd's client port"
            ),
            Fault::NoSuchCall => write!(
                f,
                "the server does not know {path}; it is too old for this call, or the API prefix \
                 is another"
            ),
            Fault::HostNotAllowed => f.write_str(
                "the server does not answer for this host name; add it to etcd's \
                 --host-whitelist, or use a name that is in it",
            ),
            Fault::CommonName => f.write_str(
                "the gateway refuses client certificates with a CommonName while auth is on; use a \
                 certificate without one, and user and password for the token",
            ),
            Fault::Redirected => write!(
                f,
                "the server wants {path} to be asked elsewhere, which is not followed; give the \
                 endpoint that it redirects to, and an API prefix without double slashes"
            ),
            Fault::Tls => f.write_str("the server speaks TLS on this port; use https://"),
            Fault::NotEtcd => f.write_str(
                "this is a web page and not etcd's answer; a proxy, or another server, is at this \
                 address",
            ),
            Fault::GatewayCutOff => f.write_str(
                "the gateway cannot reach its own etcd server; it is shutting down, or, with \
                 --client-cert-auth, the server's certificate lacks the clientAuth usage",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: Code, text: &str, http: u16) -> Option<Fault> {
        let status = Status::new(code, text).with_http(http);
        status.diagnosis().map(|diagnosis| diagnosis.fault)
    }

    #[test]
    fn each_sign_has_its_fault() {
        let bad = Code::INVALID_ARGUMENT;
        for (code, text, http, wanted) in [
            (
                Code::NOT_FOUND,
                "404 page not found",
                404,
                Fault::GatewayOff,
            ),
            (Code::NOT_FOUND, "Not Found", 404, Fault::NoSuchCall),
            (
                Code::UNIMPLEMENTED,
                "Method Not Allowed",
                501,
                Fault::NoSuchCall,
            ),
            (bad, "Misdirected Request", 421, Fault::HostNotAllowed),
            (
                bad,
                "etcd received your request, but the Host header was unrecognized.\n\nTo fix",
                421,
                Fault::HostNotAllowed,
            ),
            (bad, "answer with status 421", 421, Fault::HostNotAllowed),
            (bad, Known::CommonName.message(), 400, Fault::CommonName),
            (bad, "answer with status 301", 301, Fault::Redirected),
            (
                bad,
                "Client sent an HTTP request to an HTTPS server.",
                400,
                Fault::Tls,
            ),
            (bad, "<!DOCTYPE html><title>no", 400, Fault::NotEtcd),
            (Code::UNAVAILABLE, "<html>", 503, Fault::NotEtcd),
            (
                Code::UNAVAILABLE,
                "transport is closing",
                503,
                Fault::GatewayCutOff,
            ),
            (
                Code::UNAVAILABLE,
                "connection error: desc = \"x\"",
                503,
                Fault::GatewayCutOff,
            ),
        ] {
            assert_eq!(fault(code, text, http), Some(wanted), "{text}");
        }
    }

    #[test]
    fn errors_of_etcd_are_not_diagnosed() {
        for (code, text, http) in [
            (
                Code::NOT_FOUND,
                "etcdserver: requested lease not found",
                404,
            ),
            (Code::NOT_FOUND, "something new", 404),
            (Code::INVALID_ARGUMENT, "invalid character 'k'", 400),
            (Code::UNAVAILABLE, "etcdserver: request timed out", 503),
            (Code::UNKNOWN, "anything", 500),
        ] {
            assert_eq!(fault(code, text, http), None, "{text}");
        }
    }

    #[test]
    fn the_text_says_what_was_asked_and_what_to_do() {
        let status = Status::new(Code::NOT_FOUND, "Not Found").with_path("/v3/kv/range");
        assert_eq!(
            status.to_string(),
            "Not Found (NotFound): the server does not know /v3/kv/range; it is too old for this \
             call, or the API prefix is another"
        );
    }
}
