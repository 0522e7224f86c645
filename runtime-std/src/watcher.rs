//! A watch as a program uses it: a blocking iterator over what has changed.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Duration;

use etcd_core::Instant;
use etcd_core::WatchBatch;
use etcd_core::WatchEnd;
use etcd_core::WatchEvent;
use etcd_core::WatchId;

use crate::client::Handle;
use crate::watch_handle::WatchHandle;

/// One watch. Dropping it cancels the watch.
///
/// It delivers every revision of its range once, whole and in order, across lost connections and
/// restarts of servers, until it ends with a reason.
///
/// As an iterator it gives the batches: all changes of one revision each. It is over when the watch
/// was canceled or the client shut down; any other end is one last `Err`. Whoever wants to know of
/// progress notices and new connections too takes [`Watcher::next_event`]; so does who opened it with a
/// [`Compaction`](crate::Compaction) other than `Fail`: what is read then is not changes, so to the
/// iterator it is the end, and the watch is canceled.
///
/// A thread that waits here looks after the client's sockets itself if no other one does, so that a
/// change reaches it without a detour.
///
/// ```no_run
/// use etcd_std::{Client, Watch};
///
/// let client = Client::connect(["http://127.0.0.1:2379"])?;
/// let mut watcher = client.watch(Watch::key("k"))?;
/// client.put("k", "v")?;
/// if let Some(batch) = watcher.next() {
///     assert_eq!(batch?.events.len(), 1);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Watcher {
    handle: Arc<Handle>,
    id: WatchId,
    created_revision: i64,
    /// Whether its end was seen; nothing comes after it.
    ended: bool,
}

/// Nothing came in the time that was given.
///
/// ```no_run
/// use std::time::Duration;
/// use etcd_std::{Client, Elapsed};
///
/// let client = Client::connect(["http://127.0.0.1:2379"])?;
/// let mut watcher = client.watch("k")?;
/// assert_eq!(watcher.next_timeout(Duration::ZERO), Err(Elapsed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to say but its name"
)]
pub struct Elapsed;

impl Watcher {
    pub(crate) const fn new(handle: Arc<Handle>, id: WatchId, first: &WatchEvent) -> Self {
        let (created_revision, ended) = match first {
            WatchEvent::Created { revision } => (*revision, false),
            WatchEvent::End(_) => (0, true),
            _ => (0, false),
        };
        Self {
            handle,
            id,
            created_revision,
            ended,
        }
    }

    /// Blocks until something happens: a batch, a progress notice, a new connection, or the end,
    /// after which there is only `None`.
    ///
    /// ```no_run
    /// use etcd_std::{Client, WatchEvent};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// while let Some(event) = watcher.next_event() {
    ///     match event {
    ///         WatchEvent::Batch(batch) => println!("revision {}", batch.revision),
    ///         WatchEvent::Resumed { endpoint, .. } => println!("goes on at {endpoint}"),
    ///         WatchEvent::End(end) => println!("over: {end}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_event(&mut self) -> Option<WatchEvent> {
        self.take(None)
    }

    /// Like [`Watcher::next_event`], but blocks no longer than `timeout`. What comes later is not
    /// lost: the next call has it.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// match watcher.next_event_timeout(Duration::from_secs(1)) {
    ///     Ok(event) => println!("{event:?}"),
    ///     Err(elapsed) => println!("{elapsed}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Elapsed`], if nothing happened.
    pub fn next_event_timeout(&mut self, timeout: Duration) -> Result<Option<WatchEvent>, Elapsed> {
        let until = self.handle.after(timeout);
        match self.take(Some(until)) {
            None if !self.ended => Err(Elapsed),
            event => Ok(event),
        }
    }

    /// Like [`Iterator::next`], but blocks no longer than `timeout`. What comes later is not lost:
    /// the next call has it.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// if let Ok(Some(batch)) = watcher.next_timeout(Duration::from_secs(1)) {
    ///     println!("{} changes", batch?.events.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Elapsed`], if nothing changed.
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<WatchBatch, WatchEnd>>, Elapsed> {
        let until = self.handle.after(timeout);
        match self.next_item(Some(until)) {
            None if !self.ended => Err(Elapsed),
            item => Ok(item),
        }
    }

    /// The highest revision of which it is known that every change up to it was taken from here (rule W-28);
    /// as [`WatchHandle::certified`].
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// println!("up to {:?}", client.watch("k")?.certified());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn certified(&self) -> Option<i64> {
        self.handle.shared().lock().core.certified(self.id)
    }

    /// Asks the server for a progress notice: a [`WatchEvent::Progress`] to come says up to which
    /// revision everything has been delivered.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// watcher.request_progress();
    /// println!("{:?}", watcher.next_event());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_progress(&self) {
        self.handle
            .shared()
            .command(|state, now| state.core.request_progress(now, self.id));
    }

    /// A grip on this watch for another thread, to cancel it while somebody waits here.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// let handle = watcher.handle();
    /// std::thread::spawn(move || handle.cancel());
    /// while watcher.next_event().is_some() {}
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> WatchHandle {
        WatchHandle::new(&self.handle, self.id)
    }

    /// Cancels the watch: it ends with [`WatchEnd::Canceled`].
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// watcher.cancel();
    /// assert!(watcher.all(|batch| batch.is_ok()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) {
        self.handle
            .shared()
            .command(|state, now| state.core.cancel_watch(now, self.id));
    }

    /// The store's revision when the server confirmed the watch. A watch from now on delivers what
    /// is above it, so a read at this revision and the watch together miss nothing.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Range, Watch};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let watcher = client.watch(Watch::prefix("/services/"))?;
    /// let before = Range::prefix("/services/").with_revision(watcher.created_revision());
    /// println!("{} services", client.get(before)?.kvs.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn created_revision(&self) -> i64 {
        self.created_revision
    }

    /// The next event, or `None` if there is none by `until` or none will ever be.
    fn take(&mut self, until: Option<Instant>) -> Option<WatchEvent> {
        if self.ended {
            return None;
        }
        let event = self.handle.shared().next_event(self.id, until)?;
        self.ended = matches!(event, WatchEvent::End(_));
        Some(event)
    }

    /// The next item of the iterator, or `None` as in `take`.
    fn next_item(&mut self, until: Option<Instant>) -> Option<Result<WatchBatch, WatchEnd>> {
        loop {
            match self.take(until)?.into_changes() {
                Some(Err(WatchEnd::Canceled | WatchEnd::Shutdown)) => return None,
                Some(item) => {
                    if item.is_err() && !self.ended {
                        self.cancel();
                    }
                    return Some(item);
                }
                None => {}
            }
        }
    }
}

impl Iterator for Watcher {
    type Item = Result<WatchBatch, WatchEnd>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_item(None)
    }
}

impl FusedIterator for Watcher {}

impl Drop for Watcher {
    fn drop(&mut self) {
        if !self.ended {
            self.handle
                .shared()
                .command(|state, now| state.drop_watch(now, self.id));
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("id", &self.id)
            .field("created_revision", &self.created_revision)
            .field("ended", &self.ended)
            .finish()
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing came in the time given")
    }
}

impl std::error::Error for Elapsed {}
