//! Why a command came to nothing, and the exit code that tells it: 2 for words we did not
//! understand, 1 for everything else.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line does not say what to do.
    Usage(String),
    /// It was clear what to do, and it could not be done.
    Io(io::Error),
}

impl Failure {
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::Usage(what.into())
    }

    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Io(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}\n       (`cargo xtask help` tells more)"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
