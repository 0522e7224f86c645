//! A grip on a snapshot or an observation from elsewhere, while somebody waits for it.

use std::fmt;
use std::sync::Arc;
use std::sync::Weak;

use etcd_core::StreamId;

use crate::client::Handle;

/// Cancels a snapshot or an observation, from another thread than the one that waits for it.
///
/// It keeps neither the stream nor the client alive; once the stream has ended it does nothing.
///
/// ```no_run
/// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
/// let snapshot = client.snapshot();
/// let handle = snapshot.handle();
/// std::thread::spawn(move || handle.cancel());
/// snapshot.save_to("etcd.db")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StreamHandle {
    client: Weak<Handle>,
    id: StreamId,
}

impl StreamHandle {
    pub(crate) fn new(client: &Arc<Handle>, id: StreamId) -> Self {
        Self {
            client: Arc::downgrade(client),
            id,
        }
    }

    /// Ends the stream: a snapshot with [`Error::Canceled`](crate::Error::Canceled), an observation
    /// with [`StreamEnd::Canceled`](crate::StreamEnd::Canceled).
    ///
    /// ```
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut observer = client.observe("el");
    /// observer.handle().cancel();
    /// assert!(observer.next().is_none());
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn cancel(&self) {
        if let Some(client) = self.client.upgrade() {
            client
                .shared()
                .command(|state, now| state.core.cancel_stream(now, self.id));
        }
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamHandle").field(&self.id).finish()
    }
}
