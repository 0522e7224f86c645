//! The one clock of a client: monotonic nanoseconds since the client was made.
//!
//! It never goes back. On Linux and Android it goes on while the machine is suspended, so a lease whose
//! time was over in a suspend is known to be over at the first look after it. Elsewhere it is
//! [`std::time::Instant`], which on macOS stands still then, and on Windows goes on. No clock knows that a
//! virtual machine was paused.
//!
//! What waits for a moment does so for a length of time in which a suspend does not count: woken by
//! nothing else, it comes late by what was left of it.

use std::time::Duration;

use etcd_core::Instant;

/// Counts from the moment it was made.
pub(crate) struct Clock {
    start: Duration,
}

impl Clock {
    /// A clock that stands at zero now.
    pub(crate) fn new() -> Self {
        Self { start: read() }
    }

    /// The time since the start, as the core counts it. It ends, after 584 years, by standing still.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + read().saturating_sub(self.start)
    }
}

/// What the system's clock says. Where there is one, it is the one that goes on while the machine is
/// suspended (guarantee G30).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn read() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // It counts from when the system was started, so neither is negative.
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), nanos)
}

/// What the system's clock says, counted from when it was first asked.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn read() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_the_systems_clock_while_nobody_sleeps() {
        let (clock, other) = (Clock::new(), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let (now, elapsed) = (clock.now() - Instant::ZERO, other.elapsed());
        assert!(now >= Duration::from_millis(20), "{now:?}");
        assert!(
            now < elapsed + Duration::from_secs(5),
            "{now:?}, {elapsed:?}"
        );
    }
}
