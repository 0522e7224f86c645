//! What did go wrong: counted always, written down where asked for.

use core::fmt;

use etcd_core::Instant;

use super::fault::{Fault, FaultKind};

/// How often each kind of fault took effect.
///
/// ```
/// use etcd_sim::net::{FaultKind, Tally};
///
/// assert_eq!(Tally::default().count(FaultKind::Reset), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; FaultKind::COUNT],
    log: Option<Vec<Strike>>,
}

/// A fault that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Strike {
    /// When.
    pub at: Instant,
    /// Which connection of the world, counted from 0 in the order in which they were begun.
    pub link: usize,
    /// What.
    pub fault: Fault,
}

impl Tally {
    /// How often this kind took effect.
    #[must_use]
    pub const fn count(&self, kind: FaultKind) -> u64 {
        self.counts[kind.index()]
    }

    /// How many faults took effect.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each of them, in order; nothing unless the world keeps a log.
    #[must_use]
    pub fn strikes(&self) -> &[Strike] {
        self.log.as_deref().unwrap_or_default()
    }

    /// Writes down each fault from now on.
    pub(crate) fn keep_log(&mut self) {
        self.log.get_or_insert_default();
    }

    pub(crate) fn add(&mut self, at: Instant, link: usize, fault: Fault) {
        self.counts[fault.kind().index()] += 1;
        if let Some(log) = &mut self.log {
            log.push(Strike { at, link, fault });
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults", self.total())?;
        let counted = FaultKind::ALL.iter().filter(|kind| self.count(**kind) > 0);
        for (place, kind) in counted.enumerate() {
            let mark = if place == 0 { ':' } else { ',' };
            write!(f, "{mark} {kind} {}", self.count(*kind))?;
        }
        Ok(())
    }
}
