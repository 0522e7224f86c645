//! What one watch may be told apart from its request.

/// Options of one watch, for [`Client::watch_with`](crate::Client::watch_with).
///
/// ```
/// use etcd_core::{Overflow, WatchOptions};
///
/// let options = WatchOptions::default().with_overflow(Overflow::Cancel);
/// assert_eq!(options.overflow, Overflow::Cancel);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchOptions {
    /// What happens when the watch holds more than `Limits::watch_buffer_bytes`.
    pub overflow: Overflow,
}

impl WatchOptions {
    /// Sets what happens when the watch holds more than `Limits::watch_buffer_bytes`.
    ///
    /// ```
    /// use etcd_core::{Overflow, WatchOptions};
    ///
    /// let options = WatchOptions::default().with_overflow(Overflow::CoalesceByKey);
    /// assert_ne!(options, WatchOptions::default());
    /// ```
    #[must_use]
    pub const fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }
}

/// What happens to a watch that is not read, once it holds more than `Limits::watch_buffer_bytes` (rule
/// W-12). None of them loses anything without a word.
///
/// ```
/// assert_eq!(etcd_core::Overflow::default(), etcd_core::Overflow::Pause);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The client stops reading, and the server is held back. The watch goes on where it was, which may be
    /// compacted by then.
    #[default]
    Pause,
    /// The watch ends as [`WatchEnd::Lagged`](crate::WatchEnd::Lagged), behind what it holds.
    Cancel,
    /// Of each key only the last change is kept. What was held becomes one batch with
    /// [`WatchBatch::coalesced`](crate::WatchBatch::coalesced) set, and takes further changes until it is
    /// taken. Changes of one revision no longer come together, or all: whoever follows the newest state
    /// of each key loses nothing, whoever counts changes does. Where so many keys change that the last
    /// change of each is too much, the client stops reading, as with `Pause`.
    CoalesceByKey,
}
