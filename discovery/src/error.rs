//! Why a lookup gave no records, and why a discovery gave no endpoint.
//!
//! Blame is in the type: [`LookupError`] is the name server's or the network's, [`DiscoveryError`] says what
//! that means for the whole, or that the caller asked for what cannot be.

use std::fmt;

use etcd_core::NetError;

use crate::skipped::Skipped;

/// Why one name has no records.
///
/// ```
/// use etcd_discovery::LookupError;
///
/// assert_eq!(LookupError::Refused { code: 2 }.to_string(), "name server refused with code 2");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupError {
    /// There is no such name, or it has no SRV records.
    NotFound,
    /// The name server answered that it cannot or will not.
    Refused {
        /// The code of the answer (RFC 1035 section 4.1.1): 2 is a failure of the server, 5 a refusal.
        code: u8,
    },
    /// The answer cannot be read.
    Malformed,
    /// The answer is longer than one of a cluster's servers can be, 16 KiB.
    TooLong,
    /// No answer came in time.
    TimedOut,
    /// The name server cannot be reached.
    Net(NetError),
    /// The answer was not told yet.
    Unanswered,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such records"),
            Self::Refused { code } => write!(f, "name server refused with code {code}"),
            Self::Malformed => f.write_str("answer of the name server is malformed"),
            Self::TooLong => f.write_str("answer of the name server is longer than 16 KiB"),
            Self::TimedOut => f.write_str("no answer of a name server in time"),
            Self::Net(error) => write!(f, "name server cannot be reached: {error}"),
            Self::Unanswered => f.write_str("not answered yet"),
        }
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Net(error) => Some(error),
            _ => None,
        }
    }
}

/// Why there is no endpoint.
///
/// Whoever has a list of endpoints keeps it then: an outcome without an error is never empty.
///
/// ```
/// use etcd_discovery::{Discovery, DiscoveryError};
///
/// let error = Discovery::new("10.0.0.1").unwrap_err();
/// assert_eq!(error.to_string(), "\"10.0.0.1\" is not a usable domain: it is an address");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The domain cannot be asked for.
    BadDomain {
        /// The domain as given.
        domain: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The service name cannot be part of what is asked for.
    BadServiceName {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The system says no name server that could be asked. Name one, with `Discovery::resolve_with`.
    NoNameserver {
        /// What is in the way.
        reason: String,
    },
    /// Neither name has records. If the domain is right, its zone has no such entries, or no name server
    /// answers.
    LookupsFailed {
        /// Why there are none of servers that speak TLS.
        tls: LookupError,
        /// Why there are none of servers that do not.
        plain: LookupError,
    },
    /// There are records, but none of a server that can be used. Where servers without TLS are meant,
    /// `Discovery::allow_insecure` takes them.
    NoneUsable {
        /// What was left out.
        skipped: Vec<Skipped>,
        /// Why one of the two lookups failed, if it did.
        failed: Option<LookupError>,
    },
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadDomain { domain, reason } => {
                write!(f, "{domain:?} is not a usable domain: {reason}")
            }
            Self::BadServiceName { name, reason } => {
                write!(f, "{name:?} is not a usable service name: {reason}")
            }
            Self::NoNameserver { reason } => write!(f, "no name server to ask: {reason}"),
            Self::LookupsFailed { tls, plain } if tls == plain => {
                write!(f, "both lookups gave nothing: {tls}")
            }
            Self::LookupsFailed { tls, plain } => {
                write!(f, "lookup with TLS: {tls}; without: {plain}")
            }
            Self::NoneUsable { skipped, failed } => {
                f.write_str("no server in the answer can be used")?;
                for (at, skipped) in skipped.iter().take(SHOWN).enumerate() {
                    let mark = if at == 0 { ": " } else { "; " };
                    write!(f, "{mark}{skipped}")?;
                }
                if let Some(more) = skipped.len().checked_sub(SHOWN + 1) {
                    write!(f, "; and {} more", more + 1)?;
                }
                match failed {
                    Some(error) => write!(f, "; the other lookup: {error}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for DiscoveryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::LookupsFailed { tls, .. } => Some(tls),
            Self::NoneUsable { failed, .. } => failed.as_ref().map(|error| error as _),
            _ => None,
        }
    }
}

/// How many servers that were left out an error's text has.
const SHOWN: usize = 5;
