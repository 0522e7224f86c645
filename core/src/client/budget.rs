//! How much a client may add to an outage (guarantee G44).
//!
//! A bucket of attempts. Which attempts are taken from it is said where calls are made again; when it has
//! none left, when the next one is there is said here.

use core::time::Duration;

use crate::time::Instant;

/// How many further attempts of calls a client makes once every endpoint was asked, so that many
/// callers do not ask a cluster in trouble all the more often. [`Config::retry_budget`](crate::Config).
///
/// Beyond it a call waits until an attempt is there again, or until another one's success shows that the
/// trouble is over: then all go on at once. It does not fail for that before its deadline.
///
/// ```
/// use etcd_core::{Config, RetryBudget};
///
/// let mut config = Config::new(["http://127.0.0.1:2379"])?;
/// assert_eq!(config.retry_budget, RetryBudget::default());
/// config.retry_budget.per_second = 50;
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryBudget {
    /// Attempts that time gives back. 10 a second.
    pub per_second: u32,
    /// Attempts that a hundred calls give. 10.
    pub per_hundred_calls: u32,
    /// Attempts that may be saved up; there are so many at first. 20. 0 counts as 1.
    pub burst: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            per_second: 10,
            per_hundred_calls: 10,
            burst: 20,
        }
    }
}

/// One attempt, in what is counted.
const ONE: i128 = 1_000_000_000;

/// What is left of the budget.
#[derive(Debug)]
pub(super) struct Budget {
    rates: RetryBudget,
    /// Below nothing is what was promised ahead of time.
    left: i128,
    /// Up to when time was counted.
    at: Instant,
}

impl Budget {
    pub(super) fn new(rates: RetryBudget, now: Instant) -> Self {
        let mut budget = Self {
            rates,
            left: 0,
            at: now,
        };
        budget.left = budget.most();
        budget
    }

    fn most(&self) -> i128 {
        ONE * i128::from(self.rates.burst.max(1))
    }

    /// A call is made.
    pub(super) fn handle_call(&mut self) {
        let gained = ONE / 100 * i128::from(self.rates.per_hundred_calls);
        self.left = self.most().min(self.left + gained);
    }

    /// Calls are answered again: what was promised is not needed any more.
    pub(super) fn handle_success(&mut self) {
        self.left = self.left.max(0);
    }

    /// Takes an attempt. How long it has to wait; if that is not `within` a time it is not taken, and there is
    /// none.
    pub(super) fn take(&mut self, now: Instant, within: Option<Duration>) -> Option<Duration> {
        let per_second = i128::from(self.rates.per_second);
        let passed = (now - self.at).as_nanos();
        let passed = i128::try_from(passed).unwrap_or(i128::MAX);
        self.left = self
            .most()
            .min(self.left.saturating_add(passed.saturating_mul(per_second)));
        self.at = self.at.max(now);
        let left = self.left - ONE;
        let wait = match -left {
            ..=0 => Duration::ZERO,
            _ if per_second == 0 => return None,
            missing => {
                let nanos = (missing + per_second - 1) / per_second;
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        };
        if within.is_some_and(|within| wait >= within) {
            return None;
        }
        self.left = left;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn g44_an_outage_costs_the_burst_and_then_the_rate() {
        let mut budget = Budget::new(RetryBudget::default(), Instant::ZERO);
        let now = Instant::ZERO;
        let waits: Vec<_> = (0..23).filter_map(|_| budget.take(now, None)).collect();
        assert!(waits[..20].iter().all(|wait| *wait == Duration::ZERO));
        assert_eq!(waits[20..], [millis(100), millis(200), millis(300)]);
        // What was promised is owed: at a second's end seven more are there.
        let now = now + SECOND;
        let at_once = (0..9).filter(|_| budget.take(now, None) == Some(Duration::ZERO));
        assert_eq!(at_once.count(), 7);
    }

    #[test]
    fn g44_who_would_wait_too_long_is_promised_nothing() {
        let mut budget = Budget::new(RetryBudget::default(), Instant::ZERO);
        while budget.take(Instant::ZERO, Some(millis(1))).is_some() {}
        assert_eq!(budget.take(Instant::ZERO, Some(millis(100))), None);
        assert_eq!(
            budget.take(Instant::ZERO, Some(millis(101))),
            Some(millis(100))
        );
        budget.handle_success();
        assert_eq!(budget.take(Instant::ZERO, None), Some(millis(100)));
    }

    #[test]
    fn g44_calls_and_time_give_attempts_up_to_the_burst() {
        let rates = RetryBudget {
            per_second: 0,
            per_hundred_calls: 50,
            burst: 2,
        };
        let mut budget = Budget::new(rates, Instant::ZERO);
        let later = Instant::ZERO + 100 * SECOND;
        let mut take = |calls: usize| {
            (0..calls).for_each(|_| budget.handle_call());
            (0..9)
                .take_while(|_| budget.take(later, None).is_some())
                .count()
        };
        assert_eq!(
            [take(0), take(1), take(1), take(3), take(100)],
            [2, 0, 1, 1, 2]
        );
        let mut huge = Budget::new(
            RetryBudget {
                per_second: u32::MAX,
                per_hundred_calls: u32::MAX,
                burst: u32::MAX,
            },
            Instant::ZERO,
        );
        huge.handle_call();
        assert!(huge.take(Instant::ZERO + Duration::MAX, None).is_some());
    }
}
