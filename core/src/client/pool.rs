//! When the next connection of a lane may be opened.
//!
//! Each lane has its own count of failures in a row and its own wait, so that a storm in one does
//! not hold up another (rule L-10).

use core::time::Duration;

use super::retry;
use crate::error::NetError;
use crate::rng::Rng;
use crate::time::Instant;

/// When a lane may open its next connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// Connections in a row that failed or were lost before they were of use.
    failures: u32,
    /// Closed until then, while set.
    closed_until: Option<Instant>,
    /// Why connecting failed last; none once it worked.
    pub(crate) last_error: Option<NetError>,
}

impl Gate {
    /// A connection was of use.
    pub(crate) fn handle_success(&mut self) {
        self.failures = 0;
        self.last_error = None;
    }

    /// A connection failed. Returns until when to wait: not at all while there are `endpoints` not
    /// tried since, longer each time after that (rules ).
    pub(crate) fn handle_failure(
        &mut self,
        now: Instant,
        endpoints: usize,
        cap: Duration,
        rng: &mut Rng,
    ) -> Option<Instant> {
        if !self.is_open() {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let endpoints = u32::try_from(endpoints.max(1)).unwrap_or(u32::MAX);
        if self.failures % endpoints != 0 {
            return None;
        }
        let until = now + rng.spread(retry::wait_after_round(self.failures / endpoints, cap));
        self.closed_until = Some(until);
        Some(until)
    }

    /// The wait is over.
    pub(crate) fn handle_timeout(&mut self) {
        self.closed_until = None;
    }

    /// Until when it is closed, if it is.
    pub(crate) const fn until(&self) -> Option<Instant> {
        self.closed_until
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.closed_until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_before_every_endpoint_was_tried() {
        let mut rng = Rng::new(1);
        let mut gate = Gate::default();
        let cap = Duration::from_secs(2);
        let now = Instant::ZERO;
        assert_eq!(gate.handle_failure(now, 3, cap, &mut rng), None);
        assert_eq!(gate.handle_failure(now, 3, cap, &mut rng), None);
        let first = gate.handle_failure(now, 3, cap, &mut rng).unwrap();
        assert!(!gate.is_open());
        gate.handle_timeout();
        let mut waits = vec![first - now];
        while waits.len() < 12 {
            if let Some(until) = gate.handle_failure(now, 3, cap, &mut rng) {
                waits.push(until - now);
                gate.handle_timeout();
            }
        }
        for (round, wait) in (0..).zip(&waits) {
            let most = Duration::from_millis(25) * (1 << round);
            assert!(*wait <= most.min(cap), "{waits:?}");
        }
        assert!(waits[7..].iter().any(|wait| *wait > cap / 2), "{waits:?}");
        gate.handle_success();
        assert_eq!(gate.handle_failure(now, 3, cap, &mut rng), None);
    }
}
