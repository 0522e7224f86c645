//! What is wrong with settings, in words that show no secret.
//!
//! Names are shown, and values of settings that are not secret. Nothing is shown of the text around
//! them: a line of a file may hold a password.

use std::fmt;

use etcd_core::ConfigError;
#[cfg(feature = "tls")]
use etcd_tls::TlsConfigError;

/// Why settings cannot be used.
///
/// Neither its text nor its `Debug` has a password, a token, a header's value, or a line of what was read.
///
/// ```
/// use etcd_config::Settings;
///
/// let error = Settings::from_json(r#"{"limits": {"cals": 7}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "no setting \"limits.cals\", did you mean \"limits.calls\"?");
///
/// let error = Settings::from_json(r#"{"balance": "round-robbin"}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "balance is \"round-robbin\", but has to be one of \"round_robin\", \"sticky\", \
///      \"priority\" and \"leader_first\"; did you mean \"round_robin\"?"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// The text is no JSON or no TOML.
    Syntax {
        /// `JSON` or `TOML`.
        format: &'static str,
        /// In which line, from 1 on; 0 where it is not known.
        line: usize,
        /// At which byte of it, from 1 on; 0 where it is not known.
        column: usize,
        /// What the parser says, without what it read.
        reason: String,
    },
    /// There is no such setting, or no such variable.
    Unknown {
        /// The setting with the tables it is in, or the variable.
        name: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A setting is there twice.
    Twice {
        /// Which one.
        name: String,
    },
    /// A value is not of the form the setting needs.
    BadValue {
        /// The setting or the variable.
        name: String,
        /// The value, or only what kind it is of where it may be a secret.
        found: String,
        /// What it has to be.
        expected: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A setting makes sense together with another one only.
    Missing {
        /// What is missing.
        name: &'static str,
        /// What needs it.
        beside: &'static str,
    },
    /// Two settings exclude each other.
    Conflict {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// The setting is known, but cannot be had here.
    Unsupported {
        /// The setting or the variable.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The core refuses it.
    Config(ConfigError),
    /// What is wrong with certificates or keys.
    #[cfg(feature = "tls")]
    Tls(TlsConfigError),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax {
                format,
                line: 0,
                reason,
                ..
            } => write!(f, "not {format}: {reason}"),
            Self::Syntax {
                format,
                line,
                column,
                reason,
            } => write!(f, "not {format} at line {line}, column {column}: {reason}"),
            Self::Unknown { name, nearest } => {
                write!(f, "no setting {}", shown(name))?;
                match nearest {
                    Some(nearest) => write!(f, ", did you mean {nearest:?}?"),
                    None => Ok(()),
                }
            }
            Self::Twice { name } => write!(f, "{} is there twice", shown(name)),
            Self::BadValue {
                name,
                found,
                expected,
                nearest,
            } => {
                write!(f, "{name} is {found}, but has to be {expected}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => Ok(()),
                }
            }
            Self::Missing { name, beside } => write!(f, "{beside} needs {name} beside it"),
            Self::Conflict { one, other } => {
                write!(f, "{one} and {other} cannot both be set")
            }
            Self::Unsupported { name, reason } => write!(f, "{name} cannot be used: {reason}"),
            Self::Config(error) => error.fmt(f),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            #[cfg(feature = "tls")]
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for SettingsError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

#[cfg(feature = "tls")]
impl From<TlsConfigError> for SettingsError {
    fn from(error: TlsConfigError) -> Self {
        Self::Tls(error)
    }
}

/// A name in quotes, on one line and not without end.
pub(crate) fn shown(name: &str) -> String {
    const MOST: usize = 80;
    match name.char_indices().nth(MOST) {
        None => format!("{name:?}"),
        Some((end, _)) => format!("{:?}…", &name[..end]),
    }
}
