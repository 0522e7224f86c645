//! One member as the cluster holds it.

use core::time::Duration;

use etcd_core::Instant;

use super::agree::Proposal;
use super::expiry::LeaseAsk;
use super::reads::Read;
use crate::etcd::Setup;
use crate::etcd::machine::Machine;
use crate::etcd::watch::{Hub, Stamp, View};

/// A member, running or not.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) running: bool,
    /// When others could reach it again after they could not.
    pub(super) since: Instant,
    /// Those of the same group reach each other.
    pub(super) group: usize,
    /// Whom it takes for the leader.
    pub(super) leader: Option<usize>,
    /// Of which term.
    pub(super) term: u64,
    /// When it gives its leader up, since it hears nothing of it.
    pub(super) forgets: Option<Instant>,
    /// Up to where it has the log.
    pub(super) received: u64,
    /// Up to where it did what the log says.
    pub(super) applied: u64,
    /// How late it does that.
    pub(super) lag: Duration,
    /// When it will go on with it.
    pub(super) applies: Option<Instant>,
    /// When its next pass over the history is.
    pub(super) syncs: Option<Instant>,
    pub(super) machine: Machine,
    pub(super) hub: Hub,
    /// What waits for a leader.
    pub(super) proposals: Vec<Proposal>,
    pub(super) reads: Vec<Read>,
    pub(super) lease_asks: Vec<LeaseAsk>,
    /// Reads that wait until it has applied the log up to there.
    pub(super) late_reads: Vec<(u64, Read)>,
}

impl Node {
    pub(super) fn new(id: u64, machine: Machine, at: u64) -> Self {
        Self {
            id,
            running: true,
            since: Instant::ZERO,
            group: 0,
            leader: None,
            term: 0,
            forgets: None,
            received: at,
            applied: at,
            lag: Duration::ZERO,
            applies: None,
            syncs: None,
            machine,
            hub: Hub::default(),
            proposals: Vec::new(),
            reads: Vec::new(),
            lease_asks: Vec::new(),
            late_reads: Vec::new(),
        }
    }

    /// Forgets what does not outlive a process.
    pub(super) fn kill(&mut self) {
        self.running = false;
        self.leader = None;
        self.forgets = None;
        self.hub.clear();
        self.machine.tokens.clear();
        self.proposals.clear();
        self.reads.clear();
        self.lease_asks.clear();
        self.late_reads.clear();
    }

    pub(super) const fn stamp(&self, cluster_id: u64) -> Stamp {
        Stamp {
            cluster_id,
            member_id: self.id,
            raft_term: self.term,
        }
    }

    /// What deliveries to its watches need, beside the watches.
    pub(super) const fn view<'a>(&'a self, setup: &'a Setup, cluster_id: u64) -> View<'a> {
        View {
            setup,
            stamp: self.stamp(cluster_id),
            store: &self.machine.store,
        }
    }
}
