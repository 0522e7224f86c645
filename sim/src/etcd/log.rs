//! The truth: what a cluster agreed on, in its order.

use etcd_core::{Instant, KvEvent, LeaseGrantResponse};

use super::AskId;

/// A write that was applied.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Applied {
    /// When it was agreed on.
    pub at: Instant,
    /// Who asked for it; nobody for the end of a lease, and for what the servers' own locks and
    /// elections do.
    pub ask: Option<AskId>,
    /// The revision after it. It only grows with changes of keys.
    pub revision: i64,
    /// What it did.
    pub change: Change,
}

/// What a write did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// It changed these keys, at one revision.
    Kv(Vec<KvEvent>),
    /// It forgot the history before this revision.
    Compacted(i64),
    /// It made a lease.
    LeaseGranted(LeaseGrantResponse),
    /// It ended a lease, and with it these keys.
    LeaseRevoked {
        /// The lease.
        id: i64,
        /// The deletes, at one revision; none if nothing hung on it.
        events: Vec<KvEvent>,
    },
    /// It changed users, roles or tokens, or turned authentication on or off.
    Auth,
    /// It changed the members.
    Members,
    /// It changed the alarms.
    Alarms,
    /// It began or ended a downgrade.
    Downgrade,
    /// It was refused, or found nothing to change.
    Nothing,
}

impl Applied {
    /// The changes of keys.
    ///
    /// ```
    /// use etcd_core::{Instant, Put, Version};
    /// use etcd_sim::etcd::{AskId, Cluster, Meta, Setup};
    ///
    /// let setup = Setup::new(Version::new(3, 5, 16));
    /// let mut cluster = Cluster::new(setup, 1, Instant::ZERO);
    /// let put = Put::new("k", "v").into();
    /// cluster.handle_request(Instant::ZERO, 0, AskId(1), Meta::default(), put);
    /// while let Some(due) = cluster.poll_timeout().filter(|_| cluster.log().is_empty()) {
    ///     cluster.handle_timeout(due);
    /// }
    /// assert_eq!(cluster.log()[0].events()[0].kv.key_str(), Ok("k"));
    /// ```
    #[must_use]
    pub fn events(&self) -> &[KvEvent] {
        match &self.change {
            Change::Kv(events) | Change::LeaseRevoked { events, .. } => events,
            _ => &[],
        }
    }
}
