//! One snapshot, as a stream.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};

use etcd_core::{Error, SnapshotChunk, SnapshotSummary, StreamEnd, StreamEvent};
use futures_core::{FusedStream, Stream};

use super::source::{Source, StreamHandle};

/// A store as it comes from a member, piece by piece. Dropping it cancels the snapshot.
///
/// Where it cannot be finished, the last item is an error, and what came before is of no use.
#[must_use = "dropping a snapshot cancels it"]
pub struct Snapshot {
    source: Source,
    received_bytes: u64,
    remaining_bytes: Option<u64>,
    summary: Option<SnapshotSummary>,
}

impl Snapshot {
    pub(super) const fn new(source: Source) -> Self {
        Self {
            source,
            received_bytes: 0,
            remaining_bytes: None,
            summary: None,
        }
    }

    /// The next piece; the same as the [`Stream`] gives, without its traits. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Result<SnapshotChunk, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// How many bytes of the store have come.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// How many bytes the server says are still to come; nothing before the first piece.
    #[must_use]
    pub const fn remaining_bytes(&self) -> Option<u64> {
        self.remaining_bytes
    }

    /// What the whole snapshot is, once it came whole and its checksum is right.
    #[must_use]
    pub const fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary.as_ref()
    }

    /// Ends the snapshot with `Error::Canceled`.
    pub fn cancel(&self) {
        self.source.cancel();
    }

    /// A grip on this snapshot for another task, to end it while somebody waits here.
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.source.grip()
    }
}

impl Stream for Snapshot {
    type Item = Result<SnapshotChunk, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let snapshot = self.get_mut();
        loop {
            let Poll::Ready(event) = snapshot.source.poll_event(cx) else {
                return Poll::Pending;
            };
            return Poll::Ready(match event {
                Some(StreamEvent::Chunk(chunk)) => {
                    snapshot.received_bytes += chunk.blob.len() as u64;
                    snapshot.remaining_bytes = Some(chunk.remaining_bytes);
                    Some(Ok(chunk))
                }
                Some(StreamEvent::End(StreamEnd::Done(summary))) => {
                    snapshot.summary = Some(summary);
                    None
                }
                Some(StreamEvent::End(end)) => end.into_error().map(Err),
                // A snapshot has no other events.
                Some(_) => continue,
                None => None,
            });
        }
    }
}

impl FusedStream for Snapshot {
    fn is_terminated(&self) -> bool {
        self.source.ended
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("id", &self.source.id)
            .field("received_bytes", &self.received_bytes)
            .field("remaining_bytes", &self.remaining_bytes)
            .field("ended", &self.source.ended)
            .finish_non_exhaustive()
    }
}
