//! One thing that goes wrong on one connection, said exactly: nothing is left to chance in it.

use core::fmt;
use core::time::Duration;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ways")]
pub enum Way {
    /// From the client to the member.
    Up,
    /// From the member to the client.
    Down,
}

impl Way {
    /// The other way.
    #[must_use]
    pub const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// What happens to one connection.
///
/// `at` counts the bytes that went that way before it happens: 0 is before the first, and what is
/// never reached never happens. Told to an open connection
/// ([`World::strike`](crate::World::strike)), `at` is counted from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be opened: nobody listens there.
    Refused,
    /// It takes this much longer to open.
    SlowConnect(Duration),
    /// It is neither opened nor refused, ever.
    NeverConnected,
    /// It is opened and closed at once.
    ClosedOnAccept,
    /// Somebody between the two ends resets it: both learn it, and what comes behind is lost.
    Reset {
        /// Whose bytes are counted.
        way: Way,
        /// How many come through.
        at: u64,
    },
    /// The receiver gets an end of the stream, and nothing that comes behind.
    Fin {
        /// Whose bytes are counted.
        way: Way,
        /// How many come through.
        at: u64,
    },
    /// The member's end is gone and nobody tells the client: what it sends is swallowed.
    HalfOpen {
        /// How many bytes of the client come through.
        at: u64,
    },
    /// Everything that goes this way is swallowed from there on, and nobody is told. The sender can
    /// go on until its buffer is full.
    BlackHole {
        /// Which way.
        way: Way,
        /// How many bytes come through.
        at: u64,
    },
    /// Everything behind comes this much later.
    Delay {
        /// Which way.
        way: Way,
        /// How many bytes come before.
        at: u64,
        /// By how much.
        by: Duration,
    },
    /// From there on no more than so many bytes a second come through.
    Drip {
        /// Which way.
        way: Way,
        /// How many bytes come at full speed.
        at: u64,
        /// How many bytes a second then; at least 1.
        bytes_per_second: u64,
    },
    /// Bytes that nobody sent come in between.
    Garbage {
        /// Which way.
        way: Way,
        /// Behind how many bytes.
        at: u64,
        /// How many.
        len: usize,
    },
    /// One bit of one byte is turned over.
    Flip {
        /// Which way.
        way: Way,
        /// Which byte, counted from 0.
        at: u64,
    },
    /// The sender's socket takes at most so many bytes at once.
    ShortWrites {
        /// Which way.
        way: Way,
        /// At least 1.
        most: usize,
    },
    /// What was sent at once is received in pieces of at most so many bytes, one after the other.
    Pieces {
        /// Which way.
        way: Way,
        /// At least 1.
        most: usize,
    },
    /// What arrives within this time is received at once.
    Merged {
        /// Which way.
        way: Way,
        /// How long.
        window: Duration,
    },
    /// Something between the two ends sends a request a second time, over another connection, and
    /// keeps the second answer to itself. Not even a careful client can do anything about it.
    Duplicate,
}

impl Fault {
    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> FaultKind {
        match self {
            Self::Refused => FaultKind::Refused,
            Self::SlowConnect(_) => FaultKind::SlowConnect,
            Self::NeverConnected => FaultKind::NeverConnected,
            Self::ClosedOnAccept => FaultKind::ClosedOnAccept,
            Self::Reset { .. } => FaultKind::Reset,
            Self::Fin { .. } => FaultKind::Fin,
            Self::HalfOpen { .. } => FaultKind::HalfOpen,
            Self::BlackHole { .. } => FaultKind::BlackHole,
            Self::Delay { .. } => FaultKind::Delay,
            Self::Drip { .. } => FaultKind::Drip,
            Self::Garbage { .. } => FaultKind::Garbage,
            Self::Flip { .. } => FaultKind::Flip,
            Self::ShortWrites { .. } => FaultKind::ShortWrites,
            Self::Pieces { .. } => FaultKind::Pieces,
            Self::Merged { .. } => FaultKind::Merged,
            Self::Duplicate => FaultKind::Duplicate,
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The kinds of [`Fault`], to set chances by and to count.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[$doc])* $name,)*
        }

        impl FaultKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its place in a table of all kinds.
            pub(crate) const fn index(self) -> usize {
                self as usize
            }
        }

        impl fmt::Display for FaultKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => stringify!($name),)*
                })
            }
        }
    };
}

kinds! {
    /// [`Fault::Refused`].
    Refused,
    /// [`Fault::SlowConnect`].
    SlowConnect,
    /// [`Fault::NeverConnected`].
    NeverConnected,
    /// [`Fault::ClosedOnAccept`].
    ClosedOnAccept,
    /// [`Fault::Reset`].
    Reset,
    /// [`Fault::Fin`].
    Fin,
    /// [`Fault::HalfOpen`].
    HalfOpen,
    /// [`Fault::BlackHole`].
    BlackHole,
    /// [`Fault::Delay`].
    Delay,
    /// [`Fault::Drip`].
    Drip,
    /// [`Fault::Garbage`].
    Garbage,
    /// [`Fault::Flip`].
    Flip,
    /// [`Fault::ShortWrites`].
    ShortWrites,
    /// [`Fault::Pieces`].
    Pieces,
    /// [`Fault::Merged`].
    Merged,
    /// [`Fault::Duplicate`].
    Duplicate,
}

impl FaultKind {
    /// How many kinds there are.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Whether bytes come through as they were sent, though late or not at all. A client survives
    /// these without a doubt; the others may make an answer say what no member said.
    #[must_use]
    pub const fn is_honest(self) -> bool {
        !matches!(self, Self::Garbage | Self::Flip | Self::Duplicate)
    }
}
