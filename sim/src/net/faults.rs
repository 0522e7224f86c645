//! The chances by which connections get faults.

use core::time::Duration;

use super::fault::{Fault, FaultKind, Way};
use crate::rng::Rng;

/// By which chance a new connection gets each kind of fault. Several may meet on one connection.
///
/// ```
/// use etcd_sim::net::{FaultKind, Faults};
///
/// let faults = Faults::none()
///     .with(FaultKind::Reset, 200)
///     .with(FaultKind::SlowConnect, 50);
/// assert_eq!(faults.chance(FaultKind::Reset), 200);
/// assert!(!faults.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// In a thousand connections, for each kind.
    chances: [u16; FaultKind::COUNT],
    /// The bytes at which faults happen lie below this, small numbers as likely as large ones: within
    /// 1 and 2 as often as within 1,000 and 2,000.
    pub reach: u64,
    /// Delays, and how much longer a slow connection takes, lie below this.
    pub most_delay: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl Faults {
    /// No faults.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            chances: [0; FaultKind::COUNT],
            reach: 64 << 10,
            most_delay: Duration::from_secs(3),
        }
    }

    /// Faults of every kind that leaves bytes as they are ([`FaultKind::is_honest`]), each on so many
    /// of a thousand connections.
    #[must_use]
    pub fn all(per_mille: u16) -> Self {
        let honest = FaultKind::ALL.iter().filter(|kind| kind.is_honest());
        honest.fold(Self::none(), |faults, kind| faults.with(*kind, per_mille))
    }

    /// Chances that are drawn themselves, so that some worlds are calm, some wild, and some have much
    /// of one kind only. Of kinds that leave bytes as they are.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        const DENSITIES: [u64; 6] = [0, 5, 20, 80, 250, 600];
        let density = DENSITIES[rng.index(DENSITIES.len())];
        let mut faults = Self::none();
        for kind in FaultKind::ALL.iter().filter(|kind| kind.is_honest()) {
            if rng.one_in(2) {
                let chance = rng.below(density + 1);
                faults = faults.with(*kind, u16::try_from(chance).unwrap_or(u16::MAX));
            }
        }
        faults.reach = 256 << rng.below(12);
        faults.most_delay = rng.between(Duration::from_millis(1), Duration::from_secs(5));
        faults
    }

    /// Sets on how many of a thousand connections a kind happens; above 1,000 is 1,000.
    #[must_use]
    pub const fn with(mut self, kind: FaultKind, per_mille: u16) -> Self {
        self.chances[kind.index()] = if per_mille > 1000 { 1000 } else { per_mille };
        self
    }

    /// On how many of a thousand connections a kind happens.
    #[must_use]
    pub const fn chance(&self, kind: FaultKind) -> u16 {
        self.chances[kind.index()]
    }

    /// Whether nothing happens.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.chances.iter().all(|chance| *chance == 0)
    }

    /// What happens to one connection.
    pub(crate) fn plan(&self, rng: &mut Rng) -> Vec<Fault> {
        let mut plan = Vec::new();
        for kind in FaultKind::ALL {
            let chance = self.chance(*kind);
            if chance > 0 && rng.below(1000) < u64::from(chance) {
                plan.push(self.make(*kind, rng));
            }
        }
        plan
    }

    /// A fault of this kind.
    fn make(&self, kind: FaultKind, rng: &mut Rng) -> Fault {
        let way = if rng.one_in(2) { Way::Up } else { Way::Down };
        let at = small(self.reach, rng);
        let time = rng.between(Duration::ZERO, self.most_delay);
        let most = usize::try_from(small(4 << 10, rng)).unwrap_or(1).max(1);
        match kind {
            FaultKind::Refused => Fault::Refused,
            FaultKind::SlowConnect => Fault::SlowConnect(time),
            FaultKind::NeverConnected => Fault::NeverConnected,
            FaultKind::ClosedOnAccept => Fault::ClosedOnAccept,
            FaultKind::Reset => Fault::Reset { way, at },
            FaultKind::Fin => Fault::Fin { way, at },
            FaultKind::HalfOpen => Fault::HalfOpen { at },
            FaultKind::BlackHole => Fault::BlackHole { way, at },
            FaultKind::Delay => Fault::Delay { way, at, by: time },
            FaultKind::Drip => Fault::Drip {
                way,
                at,
                bytes_per_second: 16 << rng.below(14),
            },
            FaultKind::Garbage => Fault::Garbage {
                way,
                at,
                len: most.min(64),
            },
            FaultKind::Flip => Fault::Flip { way, at },
            FaultKind::ShortWrites => Fault::ShortWrites { way, most },
            FaultKind::Pieces => Fault::Pieces { way, most },
            FaultKind::Merged => Fault::Merged {
                way,
                window: time / 16,
            },
            FaultKind::Duplicate => Fault::Duplicate,
        }
    }
}

/// A number below `bound`, of any size with the same chance.
fn small(bound: u64, rng: &mut Rng) -> u64 {
    let sizes = u64::from(bound.max(1).ilog2()) + 1;
    let size = rng.below(sizes);
    let least = 1_u64 << size;
    (least - 1 + rng.below(least)).min(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_holds_what_its_chances_say() {
        let mut rng = Rng::new(1);
        let faults = Faults::none()
            .with(FaultKind::Reset, 1000)
            .with(FaultKind::Drip, 300);
        let mut drips = 0;
        for _ in 0..1000 {
            let plan = faults.plan(&mut rng);
            assert_eq!(
                plan.iter().filter(|f| f.kind() == FaultKind::Reset).count(),
                1
            );
            drips += plan.iter().filter(|f| f.kind() == FaultKind::Drip).count();
        }
        assert!((200..400).contains(&drips), "{drips}");
    }

    #[test]
    fn places_are_small_and_large() {
        let mut rng = Rng::new(1);
        let places: Vec<u64> = (0..1000).map(|_| small(1 << 16, &mut rng)).collect();
        assert!(places.iter().all(|place| *place <= 1 << 16));
        assert!(places.iter().filter(|place| **place < 256).count() > 300);
        assert!(places.iter().filter(|place| **place > 4096).count() > 100);
        assert!(places.contains(&0));
    }

    #[test]
    fn drawn_chances_are_calm_and_wild() {
        let worlds: Vec<Faults> = (0..100)
            .map(|seed| Faults::draw(&mut Rng::new(seed)))
            .collect();
        assert!(worlds.iter().any(Faults::is_none));
        let wild = |faults: &&Faults| faults.chances.iter().any(|chance| *chance > 400);
        assert!(worlds.iter().filter(wild).count() > 5);
    }
}
