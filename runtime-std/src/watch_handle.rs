//! A grip on a watch from elsewhere, while somebody waits for its events.

use std::fmt;
use std::sync::Arc;
use std::sync::Weak;

use etcd_core::WatchId;

use crate::client::Handle;

/// Cancels a watch, or asks how far it is, from another thread than the one that waits for it.
///
/// It keeps neither the watch nor the client alive; once the watch has ended it does nothing.
///
/// ```no_run
/// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
/// let mut watcher = client.watch("k")?;
/// let handle = watcher.handle();
/// std::thread::spawn(move || handle.cancel());
/// while watcher.next_event().is_some() {}
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WatchHandle {
    client: Weak<Handle>,
    id: WatchId,
}

impl WatchHandle {
    pub(crate) fn new(client: &Arc<Handle>, id: WatchId) -> Self {
        Self {
            client: Arc::downgrade(client),
            id,
        }
    }

    /// Ends the watch: nothing more comes from it but [`WatchEnd::Canceled`](crate::WatchEnd).
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.watch("k")?.handle().cancel();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) {
        if let Some(client) = self.client.upgrade() {
            client
                .shared()
                .command(|state, now| state.core.cancel_watch(now, self.id));
        }
    }

    /// The highest revision of which it is known that every change up to it was taken from the watch (rule W-28):
    /// the barrier for reading from a copy that the watch keeps up to date. `None` before there is one, and
    /// once its end was taken.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// let now = client.get(etcd_std::Range::key("k").with_count_only())?.header.revision;
    /// while watcher.certified() < Some(now) {
    ///     // A member that is behind, or an old one, has to be asked more than once.
    ///     watcher.request_progress();
    ///     if let Ok(None) = watcher.next_event_timeout(Duration::from_millis(100)) {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn certified(&self) -> Option<i64> {
        let client = self.client.upgrade()?;
        client.shared().lock().core.certified(self.id)
    }

    /// Asks the server how far the watch is; the answer is a
    /// [`WatchEvent::Progress`](crate::WatchEvent).
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut watcher = client.watch("k")?;
    /// watcher.handle().request_progress();
    /// println!("{:?}", watcher.next_event());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_progress(&self) {
        if let Some(client) = self.client.upgrade() {
            client
                .shared()
                .command(|state, now| state.core.request_progress(now, self.id));
        }
    }
}

impl fmt::Debug for WatchHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WatchHandle").field(&self.id).finish()
    }
}
