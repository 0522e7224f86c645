//! A world in which somebody waits for what can never come.

use core::fmt;
use core::time::Duration;

use etcd_core::Instant;

/// Somebody waits, and it will never end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stuck {
    /// Nothing is going to happen any more, in any time.
    Nothing {
        /// Since when.
        at: Instant,
        /// How many tasks wait.
        tasks: usize,
    },
    /// Things go on happening, but none of them woke anybody for that long
    /// ([`World::set_patience`](crate::World::set_patience)).
    Patience {
        /// For how long.
        waited: Duration,
        /// How many tasks wait.
        tasks: usize,
    },
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { at, tasks } => write!(
                f,
                "{tasks} tasks wait, and nothing can ever happen in this world again (since {at:?})"
            ),
            Self::Patience { waited, tasks } => write!(
                f,
                "{tasks} tasks wait, and nothing woke one of them for {waited:?} of virtual time"
            ),
        }
    }
}

impl core::error::Error for Stuck {}
