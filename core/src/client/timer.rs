//! Every moment at which a client has to do something by itself.
//!
//! An ordered set: the soonest is its first. Whoever arms a timer keeps its moment and disarms it by
//! that; a timer that fires is gone from the set, so none can stay due (law 3).

use std::collections::BTreeSet;

use crate::conn::Lane;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::StreamId;
use crate::id::WatchId;
use crate::time::Instant;

/// What a moment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A call's deadline.
    Call(CallId),
    /// A call that was refused is made again.
    Again(CallId),
    /// The server of a call has to have said something.
    Patience(CallId),
    /// A lease that is kept alive is to be renewed, or its state changes.
    Lease,
    /// A connection has to be open.
    Connect(ConnId),
    /// A server has to have confirmed a watch.
    Created(ConnId),
    /// The cluster's members are to be asked for.
    Sync,
    /// Those who wait for a token may ask for one again.
    Login,
    /// A watch connection was silent for long, or did not answer whether it is there.
    Silence(ConnId),
    /// A server that was asked for progress did not tell any.
    Progress(ConnId),
    /// Watches that are not read make way for their neighbours on a connection.
    SlowWatches(ConnId),
    /// Watches that made way go on.
    WatchesBack,
    /// A watch that reads its range asks for its next page.
    Resync(WatchId),
    /// Watches may be behind their members.
    Lag,
    /// A watch has to have been confirmed for the first time.
    WatchOpen(WatchId),
    /// A snapshot has to have come to its next step, or to its end.
    Stream(StreamId),
    /// The wait before the next connection is over.
    Retry(Lane),
}

/// The moments to come.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    set: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(crate) fn arm(&mut self, at: Instant, timer: Timer) {
        self.set.insert((at, timer));
    }

    pub(crate) fn disarm(&mut self, at: Instant, timer: Timer) {
        self.set.remove(&(at, timer));
    }

    /// Takes the soonest timer that is due.
    pub(crate) fn fire(&mut self, now: Instant) -> Option<Timer> {
        if self.soonest()? > now {
            return None;
        }
        self.set.pop_first().map(|(_, timer)| timer)
    }

    pub(crate) fn soonest(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }
}
