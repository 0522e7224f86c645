//! The one clock of a client: monotonic nanoseconds since the client was made.
//!
//! It is [`std::time::Instant`], so it never goes back. Whether it goes on while the machine is
//! suspended is the system's choice: on Linux and macOS it stands still, so a deadline that was
//! three seconds away before a suspend is three seconds away after it; on Windows it goes on.

use std::time;

use etcd_core::Instant;

/// Counts from the moment it was made.
pub(crate) struct Clock {
    start: time::Instant,
}

impl Clock {
    /// A clock that stands at zero now.
    pub(crate) fn new() -> Self {
        Self {
            start: time::Instant::now(),
        }
    }

    /// The time since the start, as the core counts it. It ends, after 584 years, by standing still.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
