//! One observation of an election, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use etcd_core::Error;
use etcd_core::IntoBytes;
use etcd_core::Observe;
use etcd_core::ObserveResponse;
use etcd_core::StreamEnd;
use etcd_core::StreamEvent;
use futures_core::FusedStream;
use futures_core::Stream;

use crate::client::Client;
use crate::stream_handle::StreamHandle;
use crate::streams::Source;

/// Elections.
impl Client {
    /// Observes the election of this name: who leads, and who leads next.
    ///
    /// Waits for nothing, and tells nothing while nobody leads.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut observer = client.observe("el").await;
    /// while let Some(leader) = observer.next().await {
    ///     println!("{:?}", leader?.kv.value_str());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn observe(&self, name: impl IntoBytes) -> Observer {
        let observe = Observe::new(name);
        Observer {
            source: Source::begin(&self.handle, |core, now| core.observe(now, observe)),
        }
    }
}

/// The leaders of one election. Dropping it ends the observation.
///
/// It goes on across lost connections and restarts of servers. A leader is told once for each value
/// it proclaims; one that came and went while the connection was lost is not told. As a [`Stream`]
/// it is over when it was canceled or the client shut down; any other end is one last `Err`.
///
/// It is `Unpin`, so `next()` of any `StreamExt` works on it as it is.
///
/// ```no_run
/// # smol::block_on(async {
/// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
/// let mut observer = client.observe("el").await;
/// if let Some(leader) = observer.next().await {
///     println!("{:?} leads", leader?.kv.key);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(()) });
/// ```
#[must_use = "dropping an observer ends its observation"]
pub struct Observer {
    source: Source,
}

impl Observer {
    /// The next leader; the same as the [`Stream`] gives, without its traits.
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// println!("{:?}", client.observe("el").await.next().await);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn next(&mut self) -> Option<Result<ObserveResponse, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next thing that happens: a leader, a move to another connection, and once its end;
    /// `None` after that.
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// use etcd_smol::StreamEvent;
    ///
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut observer = client.observe("el").await;
    /// while let Some(event) = observer.next_event().await {
    ///     match event {
    ///         StreamEvent::Leader(leader) => println!("{:?} leads", leader.kv.key),
    ///         StreamEvent::Resumed { endpoint } => println!("goes on at {endpoint}"),
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn next_event(&mut self) -> Option<StreamEvent> {
        poll_fn(|cx| self.source.poll_event(cx)).await
    }

    /// Ends the observation; [`Observer::next_event`] tells it.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut observer = client.observe("el").await;
    /// observer.cancel();
    /// assert!(observer.next().await.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub fn cancel(&self) {
        self.source.cancel();
    }

    /// A grip on this observation for another task, to end it while somebody waits here.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut observer = client.observe("el").await;
    /// let handle = observer.handle();
    /// std::thread::spawn(move || handle.cancel());
    /// while observer.next().await.is_some() {}
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
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
