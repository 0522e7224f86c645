//! What can be wrong with a snapshot, apart from the server's refusal.

use core::fmt;

use super::CloseReason;

/// Why what came of a snapshot is not one. Throw away what was delivered and take the snapshot again:
/// none can go on where another one stopped.
///
/// ```
/// use etcd_core::SnapshotFault;
///
/// let fault = SnapshotFault::Size { bytes: 700 };
/// assert_eq!(fault.to_string(), "snapshot of 700 bytes, which is no multiple of 512; take it again");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotFault {
    /// The server ended it before all of it had come.
    Truncated {
        /// How many bytes came.
        bytes: u64,
        /// How many were to come, checksum not included, as the server had it.
        remaining_bytes: u64,
    },
    /// Its length is not that of a store.
    Size {
        /// How many bytes came, checksum not included.
        bytes: u64,
    },
    /// It is not what the server read from its disk: something on the way changed it.
    Checksum {
        /// How many bytes came, checksum not included.
        bytes: u64,
        /// The SHA-256 of what came.
        computed: [u8; 32],
        /// The SHA-256 that the server sent.
        received: [u8; 32],
    },
    /// The connection was lost after a part had been delivered.
    Lost {
        /// How many bytes had been delivered.
        bytes: u64,
        /// Why it was lost.
        reason: CloseReason,
    },
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated {
                bytes,
                remaining_bytes,
            } => write!(
                f,
                "server ended the snapshot after {bytes} bytes, {remaining_bytes} and a checksum \
                 before its end"
            ),
            Self::Size { bytes } => {
                write!(f, "snapshot of {bytes} bytes, which is no multiple of 512")
            }
            Self::Checksum {
                bytes,
                computed,
                received,
            } => write!(
                f,
                "snapshot of {bytes} bytes has the SHA-256 {}, the server sent {}",
                Hex(computed),
                Hex(received)
            ),
            Self::Lost { bytes, reason } => {
                write!(f, "snapshot lost after {bytes} bytes: {reason}")
            }
        }?;
        f.write_str("; take it again")
    }
}

impl core::error::Error for SnapshotFault {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Lost { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
