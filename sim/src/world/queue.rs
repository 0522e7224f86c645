//! What is going to happen, in order of its time, and of what was planned first at one time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use etcd_core::Instant;

use crate::net::Way;

/// What is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A connection opens, or is refused.
    Open(usize),
    /// Something arrives over a connection.
    Arrive(usize, Way),
    /// A sender that had to wait looks again.
    Write(usize, Way),
    /// A client wants to know the time.
    Client(usize),
    /// A cluster wants to know the time.
    Cluster(usize),
    /// A client that stood still goes on.
    Thaw(usize),
    /// A slow user takes the next thing from a watch.
    Take(usize, u64),
    /// Somebody has slept long enough.
    Wake(u64),
    /// Something that was planned is done.
    Act(u64),
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    /// How many were ever put in: what was put in first comes first.
    count: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, due: Due) {
        self.count += 1;
        self.heap.push(Reverse((at, self.count, due)));
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, Due)> {
        self.heap.pop().map(|Reverse((at, _, due))| (at, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_one_time_the_first_put_in_comes_first() {
        let mut queue = Queue::default();
        let at = Instant::from_nanos;
        queue.push(at(2), Due::Client(9));
        queue.push(at(1), Due::Wake(7));
        queue.push(at(1), Due::Client(3));
        assert_eq!(queue.next(), Some(at(1)));
        let order: Vec<Due> = core::iter::from_fn(|| queue.pop())
            .map(|(_, due)| due)
            .collect();
        assert_eq!(order, [Due::Wake(7), Due::Client(3), Due::Client(9)]);
    }
}
