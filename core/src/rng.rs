//! The one source of chance: a small generator fed from the seed given to the client.
//!
//! It is SplitMix64 (Steele, Lea and Flood 2014): one addition and a mix for each number, any seed
//! is good. It spreads retries; it is not for secrets.

use core::time::Duration;

/// A seeded generator. The same seed gives the same numbers on every platform.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An id from 1 to the largest, each as likely.
    pub(crate) fn id(&mut self) -> i64 {
        loop {
            // 63 bits, so that it is positive.
            if let Ok(id @ 1..) = i64::try_from(self.next_u64() >> 1) {
                return id;
            }
        }
    }

    /// A time from nothing to just under `span`, each as likely.
    pub(crate) fn below(&mut self, span: Duration) -> Duration {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.next_u64() % nanos.max(1))
    }

    /// A time from next to nothing to `span`, each as likely; nothing only of nothing (guarantee G44).
    pub(crate) fn spread(&mut self, span: Duration) -> Duration {
        match span {
            Duration::ZERO => span,
            span => self.below(span) + Duration::from_nanos(1),
        }
    }

    /// `wait` changed by up to a tenth in either direction (guarantee G23).
    pub(crate) fn jitter(&mut self, wait: Duration) -> Duration {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let span = nanos / 5;
        if span == 0 {
            return wait;
        }
        Duration::from_nanos(nanos - span / 2 + self.next_u64() % (span + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_tenth() {
        let mut rng = Rng::new(7);
        let wait = Duration::from_millis(100);
        for _ in 0..1000 {
            let spread = rng.jitter(wait);
            assert!(spread >= Duration::from_millis(90), "{spread:?}");
            assert!(spread <= Duration::from_millis(110), "{spread:?}");
        }
        assert_eq!(rng.jitter(Duration::ZERO), Duration::ZERO);
        let _ = rng.jitter(Duration::MAX);
    }

    #[test]
    fn a_time_below_nothing_is_nothing() {
        let mut rng = Rng::new(7);
        assert_eq!(rng.below(Duration::ZERO), Duration::ZERO);
        assert!((0..100).all(|_| rng.below(Duration::from_nanos(3)).as_nanos() < 3));
        let _ = rng.below(Duration::MAX);
    }

    #[test]
    fn ids_are_positive_and_use_all_bits() {
        let mut rng = Rng::new(7);
        let (mut all, mut any) = (i64::MAX, 0);
        for _ in 0..1000 {
            let id = rng.id();
            assert!(id > 0);
            (all, any) = (all & id, any | id);
        }
        assert_eq!((all, any), (0, i64::MAX));
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let mut a = Rng::new(1);
        let mut b = Rng::new(1);
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
    }
}
