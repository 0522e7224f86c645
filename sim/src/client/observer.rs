//! One observation of an election, as a stream.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};

use etcd_core::{Error, ObserveResponse, StreamEnd, StreamEvent};
use futures_core::{FusedStream, Stream};

use super::source::{Source, StreamHandle};

/// The leaders of one election. Dropping it ends the observation.
///
/// It goes on across lost connections and restarts of servers. A leader is told once for each value
/// it proclaims; one that came and went while the connection was lost is not told. As a [`Stream`]
/// it is over when it was canceled or the client shut down; any other end is one last `Err`.
#[must_use = "dropping an observer ends its observation"]
pub struct Observer {
    source: Source,
}

impl Observer {
    pub(super) const fn new(source: Source) -> Self {
        Self { source }
    }

    /// The next leader; the same as the [`Stream`] gives, without its traits. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Result<ObserveResponse, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next thing that happens: a leader, a move to another connection, and once its end;
    /// `None` after that. Dropping the future loses nothing.
    pub async fn next_event(&mut self) -> Option<StreamEvent> {
        poll_fn(|cx| self.source.poll_event(cx)).await
    }

    /// Ends the observation; [`Observer::next_event`] tells it.
    pub fn cancel(&self) {
        self.source.cancel();
    }

    /// A grip on this observation for another task, to end it while somebody waits here.
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.source.grip()
    }
}

impl Stream for Observer {
    type Item = Result<ObserveResponse, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let observer = self.get_mut();
        loop {
            let Poll::Ready(event) = observer.source.poll_event(cx) else {
                return Poll::Pending;
            };
            return Poll::Ready(match event {
                Some(StreamEvent::Leader(leader)) => Some(Ok(leader)),
                Some(StreamEvent::End(StreamEnd::Canceled | StreamEnd::Shutdown)) | None => None,
                Some(StreamEvent::End(end)) => end.into_error().map(Err),
                Some(_) => continue,
            });
        }
    }
}

impl FusedStream for Observer {
    fn is_terminated(&self) -> bool {
        self.source.ended
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("id", &self.source.id)
            .field("ended", &self.source.ended)
            .finish_non_exhaustive()
    }
}
