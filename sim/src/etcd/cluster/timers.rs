//! What is to happen later, in its order.

use std::collections::BTreeMap;

use etcd_core::Instant;

use super::agree::Proposal;
use super::reads::Read;
use crate::etcd::AskId;

/// Something that happens by itself.
#[derive(Debug)]
pub(super) enum Event {
    /// A proposal that reached the leader was copied to the others, if they can be reached.
    Commit(Box<Proposal>),
    /// A member asks the leader up to where it has to read.
    Read(usize, Box<Read>),
    /// A member that is late gets to its next entry.
    Apply(usize),
    /// A member that heard nothing of its leader gives it up.
    Forget(usize),
    /// Those without a leader elect one.
    Elect,
    /// The leader looks for leases that ended.
    Leases,
    /// A member passes over the history for watches that are behind.
    Sync(usize),
    /// The interval of a watch stream is over.
    Progress(usize, AskId),
    /// A stream that needs a leader looks whether there is one.
    Leaderless(usize, AskId),
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Timers {
    events: BTreeMap<(Instant, u64), Event>,
    /// Orders what is due at the same moment.
    count: u64,
}

impl Timers {
    pub(super) fn add(&mut self, due: Instant, event: Event) {
        self.count += 1;
        self.events.insert((due, self.count), event);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.events.keys().next().map(|&(due, _)| due)
    }

    /// Takes the first event that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Instant, Event)> {
        let first = self.events.first_entry()?;
        let (due, _) = *first.key();
        (due <= now).then(|| (due, first.remove()))
    }
}
