//! The one place that reads a clock: monotonic nanoseconds since the client was made.

use std::time::Duration;

use etcd_core::Instant;

/// A clock that starts at [`Instant::ZERO`] and never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What the system's clock said at the start.
    start: std::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }

    /// The moment it is.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// What the system's clock says at `moment`; `None` where it cannot say anything that late.
    pub(crate) fn system(&self, moment: Instant) -> Option<std::time::Instant> {
        self.start
            .checked_add(Duration::from_nanos(moment.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_its_system_time_agree() {
        let clock = Clock::start();
        let now = clock.now();
        let system = clock.system(now).unwrap();
        assert!(system <= std::time::Instant::now());
        assert_eq!(clock.system(Instant::ZERO), Some(clock.start));
    }
}
