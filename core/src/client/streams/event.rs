//! What a snapshot or an observation delivers.

use core::fmt;

use crate::api::ObserveResponse;
use crate::api::SnapshotChunk;
use crate::api::SnapshotSummary;
use crate::client::endpoint::Endpoint;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::Error;

/// What a snapshot or an observation delivers, from
/// [`Client::poll_stream`](crate::Client::poll_stream).
///
/// ```
/// use etcd_core::{Client, Config, Instant, Observe, StreamEnd, StreamEvent};
///
/// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
/// let stream = client.observe(Instant::ZERO, Observe::new("el"));
/// client.cancel_stream(Instant::ZERO, stream);
/// assert_eq!(client.poll_stream(stream), Some(StreamEvent::End(StreamEnd::Canceled)));
/// assert_eq!(client.poll_stream(stream), None);
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The next bytes of a snapshot.
    Chunk(SnapshotChunk),
    /// Who leads an election now. Told once for each leader and each value it proclaims, as far as
    /// they were seen: one that came and went while the connection was lost is not told.
    Leader(ObserveResponse),
    /// The connection was lost, and the observation goes on over another one.
    Resumed {
        /// Where it goes on.
        endpoint: Endpoint,
    },
    /// It has ended; nothing comes after it. Told once.
    End(StreamEnd),
}

/// Why a snapshot or an observation ended.
///
/// ```
/// use etcd_core::{SnapshotSummary, StreamEnd};
///
/// let end = StreamEnd::Done(SnapshotSummary::default());
/// assert_eq!(end.to_string(), "snapshot of 0 bytes is whole");
/// assert!(end.into_error().is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The snapshot came whole, and its checksum is right. What was delivered is the store.
    Done(SnapshotSummary),
    /// The user canceled it.
    Canceled,
    /// It was refused, it broke, or its time was up. What was delivered of a snapshot is of no use.
    Failed(Error),
    /// The client was shut down.
    Shutdown,
}

impl StreamEnd {
    /// The end as the error of a call; nothing for a snapshot that came whole.
    ///
    /// ```
    /// use etcd_core::{Applied, Error, StreamEnd};
    ///
    /// let error = Error::Canceled { applied: Applied::No };
    /// assert_eq!(StreamEnd::Canceled.into_error(), Some(error));
    /// ```
    #[must_use]
    pub fn into_error(self) -> Option<Error> {
        let applied = Applied::No;
        match self {
            Self::Done(_) => None,
            Self::Canceled => Some(Error::Canceled { applied }),
            Self::Failed(error) => Some(error),
            Self::Shutdown => Some(Error::Unavailable {
                cause: Cause::Shutdown,
                applied,
            }),
        }
    }
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(summary) => write!(f, "snapshot of {} bytes is whole", summary.bytes),
            Self::Canceled => f.write_str("canceled by the caller"),
            Self::Failed(error) => fmt::Display::fmt(error, f),
            Self::Shutdown => f.write_str("the client was shut down"),
        }
    }
}
