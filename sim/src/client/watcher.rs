//! One watch, as a stream.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::{Arc, Weak};

use etcd_core::{Error, Watch, WatchBatch, WatchEnd, WatchEvent, WatchId, WatchOptions};
use futures_core::{FusedStream, Stream};

use super::Handle;
use crate::world::Reader;

/// One watch: a stream of what changed. Dropping it cancels the watch.
///
/// As a [`Stream`] it gives the changes, one batch for each revision, across any number of lost
/// connections, without loss and without repeat. Where the watch cannot go on, the last item is the
/// [`WatchEnd`] that says why; canceled or shut down on purpose, it just ends.
///
/// ```
/// use etcd_sim::World;
/// use etcd_core::Watch;
///
/// let world = World::new(1);
/// let client = world.client();
/// world.block_on(async {
///     let mut watcher = client.watch(Watch::prefix("/services/")).await?;
///     let put = client.put("/services/web", "10.0.0.7").await?;
///     let batch = watcher.next().await.expect("it goes on")?;
///     assert_eq!(batch.revision, put.header.revision);
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a watcher cancels its watch"]
pub struct Watcher {
    handle: Arc<Handle>,
    watch: WatchId,
    /// The store's revision when the server confirmed the watch; 0 before that.
    created_revision: i64,
    /// Whether the end was taken; then the client knows the watch no more.
    ended: bool,
}

impl Watcher {
    /// Opens a watch and waits until the server has confirmed it.
    pub(super) async fn open(
        handle: Arc<Handle>,
        watch: Watch,
        options: WatchOptions,
    ) -> Result<Self, Error> {
        let id = handle.link.visit(|core, slots, now| {
            let id = core.watch_with(now, watch, options);
            slots.watches.insert(id, Reader::Task(None));
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
    /// `None` comes after it. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<WatchBatch, WatchEnd>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next thing that happens to the watch: changes, progress, a move to another connection,
    /// and once its end; `None` after that. Dropping the future loses nothing.
    pub async fn next_event(&mut self) -> Option<WatchEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Asks the server up to where the watch has delivered everything. The answer is a
    /// [`WatchEvent::Progress`] from [`Watcher::next_event`].
    pub fn request_progress(&self) {
        let watch = self.watch;
        self.handle
            .link
            .visit(|core, _, now| core.request_progress(now, watch));
    }

    /// The highest revision of which it is known that every change up to it was taken from here (rule W-28).
    #[must_use]
    pub fn certified(&self) -> Option<i64> {
        let watch = self.watch;
        self.handle.link.visit(|core, _, _| core.certified(watch))
    }

    /// A grip on this watch for another task, to cancel it while somebody waits here.
    #[must_use]
    pub fn handle(&self) -> WatchHandle {
        WatchHandle {
            client: Arc::downgrade(&self.handle),
            id: self.watch,
        }
    }

    /// Ends the watch: nothing more comes from it but [`WatchEnd::Canceled`].
    pub fn cancel(&self) {
        let watch = self.watch;
        self.handle
            .link
            .visit(|core, _, now| core.cancel_watch(now, watch));
    }

    fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<WatchEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let watch = self.watch;
        let (event, old) = self.handle.link.visit(|core, slots, _| {
            let event = core.poll_watch(watch);
            let old = match event {
                Some(WatchEvent::End(_)) => slots.watches.remove(&watch),
                Some(_) => None,
                None => slots
                    .watches
                    .insert(watch, Reader::Task(Some(cx.waker().clone()))),
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
            self.handle.link.forget_watch(self.watch);
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

/// Cancels a watch, or asks for its progress, from another task than the one that waits for it.
///
/// It keeps neither the watch nor the client alive; once the watch has ended it does nothing.
#[derive(Clone)]
pub struct WatchHandle {
    client: Weak<Handle>,
    id: WatchId,
}

impl WatchHandle {
    /// Ends the watch: nothing more comes from it but [`WatchEnd::Canceled`].
    pub fn cancel(&self) {
        if let Some(client) = self.client.upgrade() {
            let id = self.id;
            client.link.visit(|core, _, now| core.cancel_watch(now, id));
        }
    }

    /// The highest revision of which it is known that every change up to it was taken from the watch.
    #[must_use]
    pub fn certified(&self) -> Option<i64> {
        let (client, id) = (self.client.upgrade()?, self.id);
        client.link.visit(|core, _, _| core.certified(id))
    }

    /// Asks the server how far the watch is; the answer is a [`WatchEvent::Progress`].
    pub fn request_progress(&self) {
        if let Some(client) = self.client.upgrade() {
            let id = self.id;
            client
                .link
                .visit(|core, _, now| core.request_progress(now, id));
        }
    }
}

impl fmt::Debug for WatchHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WatchHandle").field(&self.id).finish()
    }
}
