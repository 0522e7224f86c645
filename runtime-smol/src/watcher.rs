//! One watch, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use etcd_core::Error;
use etcd_core::Watch;
use etcd_core::WatchBatch;
use etcd_core::WatchEnd;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use etcd_core::WatchOptions;
use futures_core::FusedStream;
use futures_core::Stream;

use crate::shared::Handle;
use crate::signal::replace_waker;
use crate::watch_handle::WatchHandle;

/// One watch: a stream of what changed. Dropping it cancels the watch.
///
/// As a [`Stream`] it gives the changes, one batch for each revision, across any number of lost
/// connections, without loss and without repeat. Where the watch cannot go on, the last item is the
/// [`WatchEnd`] that says why; canceled or shut down on purpose, it just ends. What happens besides
/// changes is told by [`Watcher::next_event`], which may be mixed with the stream. A watch opened with a
/// [`Compaction`](crate::Compaction) other than `Fail` is to be read by it: what is read after a compaction
/// is not changes, so to the stream it is the end, and the watch is canceled.
///
/// It is `Unpin`, so `next()` of any `StreamExt` works on it as it is. A watcher keeps its client's
/// connections alive, also when every [`Client`](crate::Client) is gone. One that is not read holds
/// as many bytes as `Config::limits.watch_buffer_bytes` says; then the server is made to wait.
///
/// ```no_run
/// use etcd_smol::{Client, Watch};
///
/// # smol::block_on(async {
/// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
/// let mut watcher = client.watch(Watch::prefix("/services/")).await?;
/// while let Some(batch) = watcher.next().await {
///     for event in batch?.events {
///         println!("{event:?}");
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(()) });
/// ```
#[must_use = "dropping a watcher cancels its watch"]
pub struct Watcher {
    handle: Arc<Handle>,
    watch: WatchId,
    /// The store's revision when the server confirmed the watch; 0 before that.
    created_revision: i64,
    /// Whether the end was taken; then the state knows the watch no more.
    ended: bool,
}

impl Watcher {
    /// Opens a watch and waits until the server has confirmed it.
    pub(crate) async fn open(
        handle: Arc<Handle>,
        watch: Watch,
        options: WatchOptions,
    ) -> Result<Self, Error> {
        let id = handle.shared.visit(|state, now| {
            let id = state.core.watch_with(now, watch, options);
            state.watches.insert(id, None);
            id
        });
        let mut watcher = Self {
            handle,
            watch: id,
            created_revision: 0,
            ended: false,
        };
        loop {
            match watcher.next_event().await {
                Some(WatchEvent::Created { revision }) => {
                    watcher.created_revision = revision;
                    return Ok(watcher);
                }
                Some(WatchEvent::End(end)) => return Err(Error::from(end)),
                // The core tells nothing of a watch before it says that it was created.
                Some(_) => {}
                None => return Err(Error::from(WatchEnd::Canceled)),
            }
        }
    }

    /// The store's revision when the server confirmed the watch. A watch without a start revision
    /// delivers every change above it.
    #[must_use]
    pub fn created_revision(&self) -> i64 {
        self.created_revision
    }

    /// The next changes: all of one revision. An end other than the user's own is one error, and
    /// `None` comes after it. The same as the [`Stream`] gives, without its traits.
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// use etcd_smol::{Client, Watch};
    ///
    /// # smol::block_on(async {
    /// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut watch = client.watch(Watch::prefix("/services/")).await?;
    /// while let Some(batch) = watch.next().await {
    ///     println!("{:?}", batch?.events);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn next(&mut self) -> Option<Result<WatchBatch, WatchEnd>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next thing that happens to the watch: changes, progress, a move to another connection,
    /// and once its end; `None` after that.
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// use etcd_smol::{Client, Watch, WatchEvent};
    ///
    /// # smol::block_on(async {
    /// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut watcher = client.watch(Watch::prefix("/services/")).await?;
    /// while let Some(event) = watcher.next_event().await {
    ///     match event {
    ///         WatchEvent::Batch(batch) => println!("{} changes", batch.events.len()),
    ///         WatchEvent::Progress { revision } => println!("nothing missed up to {revision}"),
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn next_event(&mut self) -> Option<WatchEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The highest revision of which it is known that every change up to it was taken from here (rule W-28);
    /// as [`WatchHandle::certified`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let watcher = client.watch("k").await?;
    /// println!("up to {:?}", watcher.certified());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    #[must_use]
    pub fn certified(&self) -> Option<i64> {
        self.handle
            .shared
            .visit(|state, _| state.core.certified(self.watch))
    }

    /// Asks the server up to where the watch has delivered everything. The answer is a
    /// [`WatchEvent::Progress`] from [`Watcher::next_event`].
    pub fn request_progress(&self) {
        self.handle
            .shared
            .visit(|state, now| state.core.request_progress(now, self.watch));
    }

    /// A grip on this watch for another task, to cancel it while somebody waits here.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut watcher = client.watch("k").await?;
    /// let handle = watcher.handle();
    /// std::thread::spawn(move || handle.cancel());
    /// while watcher.next_event().await.is_some() {}
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    #[must_use]
    pub fn handle(&self) -> WatchHandle {
        WatchHandle::new(&self.handle, self.watch)
    }

    /// Ends the watch: nothing more comes from it but [`WatchEnd::Canceled`].
    pub fn cancel(&self) {
        self.handle
            .shared
            .visit(|state, now| state.core.cancel_watch(now, self.watch));
    }

    fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<WatchEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let watch = self.watch;
        let (event, old) = self.handle.shared.visit(|state, _| {
            let event = state.core.poll_watch(watch);
            let old = match event {
                Some(WatchEvent::End(_)) => state.watches.remove(&watch).flatten(),
                Some(_) => None,
                None => {
                    let waker = state.watches.entry(watch).or_default();
                    replace_waker(waker, cx.waker())
                }
            };
            (event, old)
        });
        drop(old);
        let Some(event) = event else {
            return Poll::Pending;
        };
        self.ended = matches!(event, WatchEvent::End(_));
        Poll::Ready(Some(event))
    }
}

impl Stream for Watcher {
    type Item = Result<WatchBatch, WatchEnd>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let watcher = self.get_mut();
        loop {
            let Poll::Ready(event) = watcher.poll_event(cx) else {
                return Poll::Pending;
            };
            let Some(event) = event else {
                return Poll::Ready(None);
            };
            return Poll::Ready(match event.into_changes() {
                Some(Err(WatchEnd::Canceled | WatchEnd::Shutdown)) => None,
                Some(item) => {
                    if item.is_err() && !watcher.ended {
                        watcher.cancel();
                    }
                    Some(item)
                }
                None => continue,
            });
        }
    }
}

impl FusedStream for Watcher {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if !self.ended {
            self.handle
                .shared
                .visit(|state, now| state.forget_watch(self.watch, now));
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("watch", &self.watch)
            .field("created_revision", &self.created_revision)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
