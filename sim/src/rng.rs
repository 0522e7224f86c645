//! The one source of chance of a world: a small generator fed from its seed.
//!
//! It is SplitMix64 (Steele, Lea and Flood 2014), as in the core. Parts of a world that must not
//! disturb each other's luck take a generator of their own by [`Rng::fork`].

use core::time::Duration;

/// A generator of numbers that look random and depend on nothing but its seed.
///
/// ```
/// use etcd_sim::Rng;
///
/// assert_eq!(Rng::new(7).next_u64(), Rng::new(7).next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A generator; any seed is good.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// A place in a list of `len` elements; 0 if it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// True once in `times` times on average, never if that is 0.
    pub fn one_in(&mut self, times: u64) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// A time from `least` to `most`.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = most.saturating_sub(least).as_nanos();
        let span = u64::try_from(span).unwrap_or(u64::MAX - 1);
        least + Duration::from_nanos(self.below(span + 1))
    }

    /// A generator of its own for a part of the world, different for each `salt`.
    #[must_use]
    pub fn fork(&self, salt: u64) -> Self {
        let mut fork = Self::new(self.state ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93));
        fork.next_u64();
        fork
    }
}
