//! What can go wrong, in words for people who did not read the standard.
//!
//! Nothing here quotes a key, a password or what was sent. Names in a peer's certificate are quoted, a
//! few of them and without characters that a terminal would act on.

use std::fmt;
use std::time::Duration;

use rustls::AlertDescription;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::config::TlsConfigError;

/// Why a TLS connection cannot be, or cannot go on.
///
/// ```
/// use etcd_tls::TlsError;
///
/// let error = TlsError::PlainHttp;
/// assert_eq!(error.to_string(), "the server speaks plain HTTP on this port, and no TLS; use http://");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// The server's certificate is not one to be trusted. Nothing was sent to it.
    Certificate(CertificateFault),
    /// The server does not take the client's certificate, or wants one. It read no request: it has to
    /// know its client first (RFC 8446 section 4.4.2.4, RFC 5246 section 7.4.6).
    Refused(Refusal),
    /// The server answered the handshake in HTTP. Use `http://`, or a port with TLS.
    PlainHttp,
    /// The server answered the handshake with bytes that are not TLS. Something else is at this address.
    NotTls,
    /// The server and this client have no version of TLS, cipher or protocol in common. TLS 1.2 and 1.3 are
    /// spoken here, and HTTP/1.1 inside of it.
    NothingInCommon,
    /// The connection ended within the handshake. So do servers that stop, and some ports without TLS.
    ClosedInHandshake,
    /// The connection ended without the server's word that it ends: what came may not be all, as somebody
    /// in between could have cut it (RFC 8446 section 6.1). An answer that was not whole is none.
    Truncated,
    /// The server broke off with this alert of TLS, by its number (RFC 8446 section 6).
    Alert(u8),
    /// What came is not TLS as it should be: it was changed on its way, or a server is at fault.
    Broken(String),
    /// The configuration has no use for this server.
    Config(TlsConfigError),
}

impl TlsError {
    /// Whether it says for certain that the server read nothing of what was to be sent to it: the
    /// handshake did not come to its end, or the server ended it with a refusal.
    ///
    /// ```
    /// use etcd_tls::{Refusal, TlsError};
    ///
    /// assert!(TlsError::Refused(Refusal::Required).is_before_any_request());
    /// assert!(!TlsError::Truncated.is_before_any_request());
    /// ```
    #[must_use]
    pub const fn is_before_any_request(&self) -> bool {
        match self {
            Self::Certificate(_)
            | Self::Refused(_)
            | Self::PlainHttp
            | Self::NotTls
            | Self::NothingInCommon
            | Self::ClosedInHandshake
            | Self::Config(_) => true,
            Self::Truncated | Self::Alert(_) | Self::Broken(_) => false,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(fault) => write!(f, "the server's certificate {fault}"),
            Self::Refused(refusal) => fmt::Display::fmt(refusal, f),
            Self::PlainHttp => {
                f.write_str("the server speaks plain HTTP on this port, and no TLS; use http://")
            }
            Self::NotTls => f.write_str(
                "the server speaks no TLS on this port; use http://, or the port of etcd's \
                 --listen-client-urls that has https://",
            ),
            Self::NothingInCommon => f.write_str(
                "the server refused the handshake: it has no TLS 1.2 or 1.3, no cipher or no \
                 HTTP/1.1 in common with this client, or it wants a client certificate",
            ),
            Self::ClosedInHandshake => f.write_str(
                "the server closed the connection within the TLS handshake; it is stopping, or \
                 speaks no TLS on this port (then use http://)",
            ),
            Self::Truncated => f.write_str(
                "the TLS connection was cut: it ended without the server's word that it ends",
            ),
            Self::Alert(number) => {
                let name = alert_name(*number);
                write!(f, "the server broke off TLS with alert {number} ({name})")
            }
            Self::Broken(what) => write!(f, "the TLS connection is broken: {what}"),
            Self::Config(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificate(fault) => Some(fault),
            Self::Refused(refusal) => Some(refusal),
            Self::Config(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TlsConfigError> for TlsError {
    fn from(error: TlsConfigError) -> Self {
        Self::Config(error)
    }
}

/// What is wrong with a server's certificate.
///
/// ```
/// use etcd_tls::{CertificateFault, TlsError};
///
/// let error = TlsError::Certificate(CertificateFault::WrongName {
///     expected: "etcd-1".to_owned(),
///     presented: vec!["etcd-2".to_owned(), "127.0.0.1".to_owned()],
/// });
/// assert_eq!(
///     error.to_string(),
///     "the server's certificate is for etcd-2, 127.0.0.1 and not for etcd-1; ask by a name that is in \
///      it, or set the server name",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It, or one it was issued by, was valid until so long ago, by this machine's clock.
    Expired(Option<Duration>),
    /// It, or one it was issued by, will be valid in so long, by this machine's clock.
    NotYetValid(Option<Duration>),
    /// It is for other names. Use one of them in the endpoint, or set the server name
    /// ([`TlsConfigBuilder::with_server_name`](crate::TlsConfigBuilder::with_server_name)).
    WrongName {
        /// What the client asked for.
        expected: String,
        /// The names that are in it, the first eight; only names among the alternative names count.
        presented: Vec<String>,
    },
    /// None of the roots stands behind it. Give the certificate of the authority that issued it.
    UnknownIssuer,
    /// It is the certificate of an authority, and no server may show that as its own.
    IsAuthority,
    /// It may not be used by servers: it lacks the usage serverAuth.
    WrongUse,
    /// It was revoked.
    Revoked,
    /// It was not signed by the one it names, or the server does not have its key.
    BadSignature,
    /// Something else, in the words of the one who checked it.
    Other(String),
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(ago) => {
                f.write_str("expired")?;
                if let Some(ago) = ago {
                    write!(f, " {} ago", Rough(*ago))?;
                }
                f.write_str("; renew it, or set this machine's clock")
            }
            Self::NotYetValid(ahead) => {
                f.write_str("is not valid yet")?;
                if let Some(ahead) = ahead {
                    write!(f, ", but in {}", Rough(*ahead))?;
                }
                f.write_str("; set this machine's clock, or the one that issued it")
            }
            Self::WrongName {
                expected,
                presented,
            } if presented.is_empty() => write!(
                f,
                "is not for {expected}: it has no alternative names, and a common name does not \
                 count; issue one with this name in it"
            ),
            Self::WrongName {
                expected,
                presented,
            } => write!(
                f,
                "is for {} and not for {expected}; ask by a name that is in it, or set the server \
                 name",
                presented.join(", ")
            ),
            Self::UnknownIssuer => f.write_str(
                "comes from an authority that is not trusted here; give that authority's \
                 certificate as a root",
            ),
            Self::IsAuthority => f.write_str(
                "is that of an authority, which no server may show as its own; issue one for the \
                 server",
            ),
            Self::WrongUse => {
                f.write_str("may not be used by servers; issue one with the usage serverAuth")
            }
            Self::Revoked => f.write_str("was revoked"),
            Self::BadSignature => f.write_str(
                "is not signed by the authority it names, as that is trusted here; if the \
                 authority was made anew, give its present certificate as a root, or else somebody \
                 pretends to be the server",
            ),
            Self::Other(what) => write!(f, "is not accepted: {what}"),
        }
    }
}

impl std::error::Error for CertificateFault {}

/// Why a server refused the client over its certificate.
///
/// ```
/// use etcd_tls::Refusal;
///
/// assert_eq!(
///     Refusal::Required.to_string(),
///     "the server wants a client certificate; give one and its key",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It wants one and got none (etcd's `--client-cert-auth`).
    Required,
    /// It expired, by the server's clock.
    Expired,
    /// The server does not trust who issued it (etcd's `--trusted-ca-file`).
    UnknownIssuer,
    /// It was revoked (etcd's `--client-crl-file`).
    Revoked,
    /// The server does not take it, and does not say more: it may lack the usage clientAuth, have expired,
    /// or come from an authority the server does not trust. Servers before TLS 1.3 say no more.
    Unacceptable,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "the server wants a client certificate; give one and its key",
            Self::Expired => "the server refused the client certificate as expired; renew it",
            Self::UnknownIssuer => {
                "the server refused the client certificate: it does not know the authority that \
                 issued it; add that authority to etcd's --trusted-ca-file, or use a certificate \
                 of one that is in it"
            }
            Self::Revoked => "the server refused the client certificate as revoked",
            Self::Unacceptable => {
                "the server refused the client certificate: it has to have the usage clientAuth, \
                 be valid now, and come from an authority in etcd's --trusted-ca-file"
            }
        })
    }
}

impl std::error::Error for Refusal {}

/// What the session knows when something goes wrong.
pub(crate) struct Circumstances {
    /// The handshake is not done.
    pub(crate) handshaking: bool,
    /// Nothing that belongs to a request came from the server.
    pub(crate) unheard: bool,
    /// The client has a certificate.
    pub(crate) has_certificate: bool,
}

impl Circumstances {
    /// What an error of rustls means.
    pub(crate) fn explain(&self, error: &rustls::Error) -> TlsError {
        use rustls::Error;
        match error {
            Error::InvalidCertificate(error) => TlsError::Certificate(fault(error)),
            Error::AlertReceived(alert) => self.alert(*alert),
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol if self.handshaking => {
                TlsError::NothingInCommon
            }
            Error::NoCertificatesPresented => {
                TlsError::Certificate(CertificateFault::Other("the server showed none".to_owned()))
            }
            // The texts of rustls are about kinds of messages and never about what is in them.
            error => TlsError::Broken(error.to_string()),
        }
    }

    /// What an alert means. One that is about a certificate can only be about the client's, and only
    /// before the server has read anything; later it is an alert like others.
    fn alert(&self, alert: AlertDescription) -> TlsError {
        use AlertDescription as A;
        if !self.unheard {
            return TlsError::Alert(alert.into());
        }
        let without = |refusal| match self.has_certificate {
            true => refusal,
            false => Refusal::Required,
        };
        let refusal = match alert {
            A::CertificateRequired | A::NoCertificate => Refusal::Required,
            A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateUnknown
            | A::AccessDenied => without(Refusal::Unacceptable),
            A::UnknownCA => without(Refusal::UnknownIssuer),
            A::CertificateExpired => without(Refusal::Expired),
            A::CertificateRevoked => without(Refusal::Revoked),
            A::HandshakeFailure
            | A::ProtocolVersion
            | A::InsufficientSecurity
            | A::NoApplicationProtocol
                if self.handshaking =>
            {
                return TlsError::NothingInCommon;
            }
            alert => return TlsError::Alert(alert.into()),
        };
        TlsError::Refused(refusal)
    }
}

fn fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::Expired => CertificateFault::Expired(None),
        CertificateError::ExpiredContext { time, not_after } => {
            CertificateFault::Expired(Some(between(not_after, time)))
        }
        CertificateError::NotValidYet => CertificateFault::NotYetValid(None),
        CertificateError::NotValidYetContext { time, not_before } => {
            CertificateFault::NotYetValid(Some(between(time, not_before)))
        }
        CertificateError::NotValidForName => CertificateFault::WrongName {
            expected: "the name asked for".to_owned(),
            presented: Vec::new(),
        },
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => CertificateFault::WrongName {
            expected: expected.to_str().into_owned(),
            presented: presented.iter().take(8).map(|name| plain(name)).collect(),
        },
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        CertificateError::Revoked => CertificateFault::Revoked,
        CertificateError::BadSignature => CertificateFault::BadSignature,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateFault::WrongUse
        }
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
            CertificateFault::IsAuthority
        }
        error => CertificateFault::Other(error.to_string()),
    }
}

fn between(earlier: &UnixTime, later: &UnixTime) -> Duration {
    Duration::from_secs(later.as_secs().saturating_sub(earlier.as_secs()))
}

/// A name of a certificate as people write it: `DnsName("etcd-1")` is etcd-1.
fn plain(name: &str) -> String {
    let inner = match name.split_once('(') {
        Some((_, rest)) => rest.strip_suffix(')').unwrap_or(rest),
        None => name,
    };
    let shown = |&letter: &char| letter.is_ascii_graphic() && letter != '"' && letter != '\\';
    inner.chars().filter(shown).take(255).collect()
}

fn alert_name(number: u8) -> String {
    let name = format!("{:?}", AlertDescription::from(number));
    if name.starts_with("Unknown(") {
        return "unknown".to_owned();
    }
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && spaced.ends_with(|last: char| last.is_ascii_lowercase()) {
            spaced.push(' ');
        }
        spaced.push(letter);
    }
    spaced.to_lowercase()
}

/// A duration in its largest whole unit.
struct Rough(Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let (count, unit) = match secs {
            0..60 => (secs, "second"),
            60..3600 => (secs / 60, "minute"),
            3600..86_400 => (secs / 3600, "hour"),
            _ => (secs / 86_400, "day"),
        };
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_FIRST: Circumstances = Circumstances {
        handshaking: true,
        unheard: true,
        has_certificate: true,
    };

    #[test]
    fn an_alert_about_a_certificate_is_a_refusal_only_before_anything_was_heard() {
        let alert = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
        let refused = TlsError::Refused(Refusal::UnknownIssuer);
        assert_eq!(AT_FIRST.explain(&alert), refused);
        let later = Circumstances {
            handshaking: false,
            ..AT_FIRST
        };
        assert_eq!(later.explain(&alert), refused);
        let heard = Circumstances {
            unheard: false,
            ..later
        };
        let error = heard.explain(&alert);
        assert_eq!(error, TlsError::Alert(48));
        assert!(!error.is_before_any_request());
        assert!(error.to_string().contains("48 (unknown ca)"), "{error}");
    }

    #[test]
    fn whoever_has_no_certificate_is_told_that_one_is_wanted() {
        let without = Circumstances {
            has_certificate: false,
            ..AT_FIRST
        };
        for alert in [42, 43, 44, 45, 46, 48, 49, 116] {
            let error = rustls::Error::AlertReceived(AlertDescription::from(alert));
            assert_eq!(
                without.explain(&error),
                TlsError::Refused(Refusal::Required)
            );
            assert!(matches!(AT_FIRST.explain(&error), TlsError::Refused(_)));
        }
    }

    #[test]
    fn any_alert_has_a_text() {
        for number in 0..=u8::MAX {
            let text = TlsError::Alert(number).to_string();
            assert!(text.ends_with(')') && text.contains(" alert "), "{text}");
        }
    }

    #[test]
    fn names_of_a_certificate_are_shown_without_what_a_terminal_would_act_on() {
        assert_eq!(plain("DnsName(\"etcd-1\")"), "etcd-1");
        assert_eq!(plain("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(plain("DnsName(\"a\u{1b}[2Jb\")"), "a[2Jb");
        assert_eq!(plain(&"a".repeat(10_000)).len(), 255);
    }

    #[test]
    fn durations_are_told_in_their_largest_unit() {
        let text = |secs| Rough(Duration::from_secs(secs)).to_string();
        assert_eq!(text(1), "1 second");
        assert_eq!(text(59), "59 seconds");
        assert_eq!(text(60), "1 minute");
        assert_eq!(text(7200), "2 hours");
        assert_eq!(text(86_400 * 30), "30 days");
    }
}
