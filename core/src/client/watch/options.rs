//! What one watch may be told apart from its request.

use core::time::Duration;

use super::compaction::Compaction;

/// Options of one watch, for [`Client::watch_with`](crate::Client::watch_with).
///
/// ```
/// use etcd_core::{Overflow, WatchOptions};
///
/// let options = WatchOptions::default().with_overflow(Overflow::Cancel);
/// assert_eq!(options.overflow, Overflow::Cancel);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchOptions {
    /// What happens when the watch holds more than `Limits::watch_buffer_bytes`.
    pub overflow: Overflow,
    /// What happens when a member says that its cluster has no leader.
    pub no_leader: NoLeader,
    /// What happens when what it has to deliver next was compacted.
    pub compaction: Compaction,
    /// When its user is told that it is behind its member (rule T-4). None, the default: never.
    pub lag: Option<Lag>,
    /// For how long the watch, once it was confirmed, may be without a confirmed connection until it ends,
    /// losses within 10 s of each other counted together (rule W-21). None, the default: it goes on trying.
    pub resume_within: Option<Duration>,
    /// How many lost connections in a row end it, those that lived for 10 s not counted (rule W-21). None,
    /// the default: it goes on trying.
    pub max_losses: Option<u32>,
}

impl WatchOptions {
    /// Sets what happens when the watch holds more than `Limits::watch_buffer_bytes`.
    ///
    /// ```
    /// use etcd_core::{Overflow, WatchOptions};
    ///
    /// let options = WatchOptions::default().with_overflow(Overflow::CoalesceByKey);
    /// assert_ne!(options, WatchOptions::default());
    /// ```
    #[must_use]
    pub const fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets what happens when a member says that its cluster has no leader.
    ///
    /// ```
    /// use etcd_core::{NoLeader, WatchOptions};
    ///
    /// let options = WatchOptions::default().with_no_leader(NoLeader::Fail);
    /// assert_eq!(options.no_leader, NoLeader::Fail);
    /// ```
    #[must_use]
    pub const fn with_no_leader(mut self, no_leader: NoLeader) -> Self {
        self.no_leader = no_leader;
        self
    }

    /// Sets what happens when what the watch has to deliver next was compacted.
    ///
    /// ```
    /// use etcd_core::{Compaction, KnownKeys, RangeResponse, WatchOptions};
    ///
    /// # let read = RangeResponse::default();
    /// // What a read found; the watch begins behind its revision.
    /// let known: KnownKeys = read.kvs.iter().map(|kv| (&kv.key, kv.mod_revision)).collect();
    /// let options = WatchOptions::default().with_compaction(Compaction::Difference(known));
    /// assert_ne!(options, WatchOptions::default());
    /// ```
    #[must_use]
    pub fn with_compaction(mut self, compaction: Compaction) -> Self {
        self.compaction = compaction;
        self
    }

    /// Has [`WatchEvent::Lagging`](crate::WatchEvent::Lagging) tell when the watch is behind its member.
    ///
    /// ```
    /// use core::time::Duration;
    /// use etcd_core::{Lag, WatchOptions};
    ///
    /// let options = WatchOptions::default().with_lag(Lag::new(1000, Duration::from_secs(5)));
    /// assert!(options.lag.is_some());
    /// ```
    #[must_use]
    pub const fn with_lag(mut self, lag: Lag) -> Self {
        self.lag = Some(lag);
        self
    }

    /// What the keys in it take in memory.
    pub(super) const fn known_bytes(&self) -> usize {
        match &self.compaction {
            Compaction::Difference(known) => known.bytes(),
            Compaction::Fail | Compaction::Snapshot => 0,
        }
    }

    /// Bounds how long the watch may be without a confirmed connection.
    ///
    /// ```
    /// use core::time::Duration;
    /// use etcd_core::WatchOptions;
    ///
    /// let options = WatchOptions::default().with_resume_within(Duration::from_secs(60));
    /// assert_eq!(options.resume_within, Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub const fn with_resume_within(mut self, time: Duration) -> Self {
        self.resume_within = Some(time);
        self
    }

    /// Bounds how many connections in a row the watch may lose: the next one ends it.
    ///
    /// ```
    /// let options = etcd_core::WatchOptions::default().with_max_losses(3);
    /// assert_eq!(options.max_losses, Some(3));
    /// ```
    #[must_use]
    pub const fn with_max_losses(mut self, losses: u32) -> Self {
        self.max_losses = Some(losses);
        self
    }
}

/// How far a watch may be behind other answers of its member, and for how long, before its user is told
/// (rule T-4).
///
/// Answers of calls show how far a member's store is. Where that is more than `revisions` beyond what the
/// watch is known to have told everything of, the member is asked for the watch's progress. If for `time`
/// the watch has not come that far, [`WatchEvent::Lagging`](crate::WatchEvent::Lagging) says so: `time` to
/// twice that after the answer. Nothing else follows from it: the watch stays, at its position.
///
/// A member that is asked how far a watch is and does not say counts as behind. Servers before 3.4.31 and
/// 3.5.13 sometimes do not say it of a watch that has all it wants. Before 3.4.25 and 3.5.8 their answer
/// proves nothing, and a watch whose member gives one is not told as lagging.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::Lag;
///
/// let lag = Lag::new(1000, Duration::from_secs(5));
/// assert_eq!(lag.revisions, 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lag {
    /// How many revisions; 0 is any.
    pub revisions: i64,
    /// How long; less than 1 ms is 1 ms.
    pub time: Duration,
}

impl Lag {
    /// So many revisions, for so long.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let lag = etcd_core::Lag::new(0, Duration::from_secs(1));
    /// assert_eq!(lag.time, Duration::from_secs(1));
    /// ```
    #[must_use]
    pub const fn new(revisions: i64, time: Duration) -> Self {
        Self { revisions, time }
    }
}

/// What happens to a watch that is not read, once it holds more than `Limits::watch_buffer_bytes` (rule
/// W-12). None of them loses anything without a word.
///
/// ```
/// assert_eq!(etcd_core::Overflow::default(), etcd_core::Overflow::Pause);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The client stops reading, and the server is held back. The watch goes on where it was, which may be
    /// compacted by then.
    #[default]
    Pause,
    /// The watch ends as [`WatchEnd::Lagged`](crate::WatchEnd::Lagged), behind what it holds.
    Cancel,
    /// Of each key only the last change is kept. What was held becomes one batch with
    /// [`WatchBatch::coalesced`](crate::WatchBatch::coalesced) set, and takes further changes until it is
    /// taken. Changes of one revision no longer come together, or all: whoever follows the newest state
    /// of each key loses nothing, whoever counts changes does. Where so many keys change that the last
    /// change of each is too much, the client stops reading, as with `Pause`.
    CoalesceByKey,
}

/// What happens to a watch when a member says that its cluster has no leader, as it is asked to by
/// `Config::require_leader` (rule W-18).
///
/// ```
/// assert_eq!(etcd_core::NoLeader::default(), etcd_core::NoLeader::Move);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoLeader {
    /// The user is told by [`WatchEvent::NoLeader`](crate::WatchEvent::NoLeader), and the watch goes on at
    /// another member: the one that said it may be alone on its side of a cut network.
    #[default]
    Move,
    /// The watch ends, as it does with etcd's own client.
    Fail,
}
