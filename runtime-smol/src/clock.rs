//! The one place that reads a clock: monotonic nanoseconds since the client was made.
//!
//! On Linux and Android it goes on while the machine is suspended, so a lease whose time was over in a
//! suspend is known to be over at the first look after it. Elsewhere it is [`std::time::Instant`], which on
//! macOS stands still then, and on Windows goes on. No clock knows that a virtual machine was paused.
//!
//! A timer waits for a length of time in which a suspend does not count: woken by nothing else, the driver
//! comes late by what was left of it.

use std::time::Duration;

use etcd_core::Instant;

/// A clock that starts at [`Instant::ZERO`] and never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What the system's clock said at the start.
    start: Duration,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self { start: read() }
    }

    /// The moment it is.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + read().saturating_sub(self.start)
    }

    /// What the clock of timers says at `moment`, now if that is over; `None` where it cannot say anything
    /// that late.
    pub(crate) fn system(&self, moment: Instant) -> Option<std::time::Instant> {
        std::time::Instant::now().checked_add(moment - self.now())
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
    fn a_moment_and_its_system_time_agree() {
        let clock = Clock::start();
        let moment = clock.now() + Duration::from_secs(60);
        let before = std::time::Instant::now();
        let system = clock.system(moment).unwrap();
        assert!(system <= std::time::Instant::now() + Duration::from_secs(60));
        assert!(system + Duration::from_secs(5) > before + Duration::from_secs(60));
        assert!(clock.system(Instant::ZERO).unwrap() <= std::time::Instant::now());
    }
}
