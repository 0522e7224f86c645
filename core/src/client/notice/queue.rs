//! Notices until they are taken: a bounded queue, whose oldest gives way.
//!
//! While notices are off a look at one flag is all they cost. What is noted changes nothing else, so nothing
//! here is asked by the rest of the client.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::EndpointReason;
use super::EndpointState;
use super::Notice;
use super::What;
use crate::client::endpoint::Endpoints;
use crate::id::CallId;
use crate::id::EndpointIndex;
use crate::time::Instant;

/// Notices until they are taken.
#[derive(Debug, Default)]
pub(in crate::client) struct Notices {
    is_on: bool,
    /// The newest moment it was told.
    now: Instant,
    /// How many are kept at the most.
    limit: usize,
    queue: VecDeque<Notice>,
    /// How many gave way, or had no room at all.
    dropped: u64,
    /// Calls that were put in a line, or set aside, since the last input was dealt with.
    came: Vec<CallId>,
    /// What endpoints were in when that was last told; healthy at first.
    states: BTreeMap<EndpointIndex, EndpointState>,
}

impl Notices {
    /// Forgets the endpoints that are not kept.
    pub(in crate::client) fn keep(&mut self, is_kept: impl Fn(EndpointIndex) -> bool) {
        self.states.retain(|at, _| is_kept(*at));
    }

    pub(in crate::client) fn new(is_on: bool, limit: usize) -> Self {
        Self {
            is_on,
            limit,
            ..Self::default()
        }
    }

    pub(in crate::client) const fn is_on(&self) -> bool {
        self.is_on
    }

    pub(in crate::client) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What is noted from now on happens then.
    pub(in crate::client) fn handle_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Takes note of something, if anybody wants to know.
    pub(in crate::client) fn note(&mut self, what: impl FnOnce() -> What) {
        if self.is_on {
            self.push(what());
        }
    }

    #[cold]
    fn push(&mut self, what: What) {
        if self.queue.len() >= self.limit {
            self.dropped = self.dropped.saturating_add(1);
            if self.queue.pop_front().is_none() {
                return;
            }
        }
        self.queue.push_back(Notice { at: self.now, what });
    }

    pub(super) fn pop(&mut self) -> Option<Notice> {
        self.queue.pop_front()
    }

    pub(super) fn has_some(&self) -> bool {
        !self.queue.is_empty()
    }

    /// A call was put in a line, or set aside.
    pub(in crate::client) fn came(&mut self, call: CallId) {
        if self.is_on {
            self.came.push(call);
        }
    }

    /// The calls of which that is true since the last time, each once.
    pub(super) fn take_came(&mut self) -> Vec<CallId> {
        let mut came = core::mem::take(&mut self.came);
        came.sort_unstable();
        came.dedup();
        came
    }

    /// Tells what an endpoint is in, if that has changed.
    pub(in crate::client) fn look_at(
        &mut self,
        endpoints: &Endpoints,
        at: EndpointIndex,
        why: impl FnOnce() -> EndpointReason,
    ) {
        if !self.is_on {
            return;
        }
        let Some(to) = endpoints.state(at) else {
            return;
        };
        let from = self.states.insert(at, to).unwrap_or_default();
        if from != to {
            let endpoint = endpoints.get(at).clone();
            let why = why();
            self.push(What::EndpointChanged {
                endpoint,
                from,
                to,
                why,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Wake;
    use super::*;

    fn tell(notices: &mut Notices, at: u64) {
        notices.handle_time(Instant::from_nanos(at));
        notices.note(|| What::Woke(Wake::Lease));
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted() {
        let mut notices = Notices::new(true, 2);
        for at in 1..=5 {
            tell(&mut notices, at);
        }
        assert_eq!(notices.dropped(), 3);
        let times = core::iter::from_fn(|| notices.pop()).map(|notice| notice.at.as_nanos());
        assert_eq!(times.collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn without_room_all_are_counted_and_none_is_kept() {
        let mut notices = Notices::new(true, 0);
        tell(&mut notices, 1);
        assert_eq!((notices.pop(), notices.dropped()), (None, 1));
    }

    #[test]
    fn while_they_are_off_nothing_is_made() {
        let mut notices = Notices::new(false, 2);
        notices.note(|| panic!("nobody wants to know"));
        assert_eq!((notices.pop(), notices.dropped()), (None, 0));
    }
}
