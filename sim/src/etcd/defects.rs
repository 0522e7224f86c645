//! What is wrong with real servers, as switches.
//!
//! The list is that of reliability.md 2.5, as far as a client can see it. The numbers are etcd's
//! issues.

use etcd_core::Version;

/// The defects of a cluster.
///
/// ```
/// use etcd_core::Version;
/// use etcd_sim::etcd::Defects;
///
/// assert!(Defects::of(&Version::new(3, 4, 23)).duplicate_events);
/// assert!(!Defects::of(&Version::new(3, 5, 30)).duplicate_events);
/// assert_eq!(Defects::of(&Version::new(3, 7, 0)), Defects::none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Defects {
    /// 15275: some revisions are told twice after a watch caught up.
    pub duplicate_events: bool,
    /// 15220: progress that was asked for is told at once, whatever the watches still have to tell.
    pub progress_ahead: bool,
    /// 15271: watches of a member that is brought up by a snapshot go back in time.
    pub watch_back_in_time: bool,
    /// 17567: a watch that had to catch up and had no event since is not told any progress.
    pub silent_idle_progress: bool,
    /// 17529: a watch whose next revision is compacted while it is behind goes on after it, and
    /// nothing is told.
    pub lost_with_compaction: bool,
    /// 17465: a leader that was cut off ends leases that were renewed meanwhile.
    pub old_leader_revokes: bool,
    /// 19179: a delete made exactly at the compacted revision is not told.
    pub compacted_delete_missing: bool,
    /// 20221: a watch that begins in the future gets what is before.
    pub future_watch_early: bool,
    /// 20813: the renewal of a lease that was just revoked succeeds.
    pub dead_lease_renewed: bool,
    /// 20418: a leader that was cut off answers linearizable reads by what it has.
    pub stale_reads: bool,
    /// 18667: a transaction that writes, and reads at a compacted revision, is refused by the member
    /// that was asked and carried out by the others.
    pub split_cluster: bool,
    /// No issue known: while an alarm is raised, nobody's permissions are looked at for what is agreed
    /// on; seen on 3.4.23 and 3.5.1.
    pub alarm_skips_auth: bool,
}

impl Defects {
    /// Nothing is wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            duplicate_events: false,
            progress_ahead: false,
            watch_back_in_time: false,
            silent_idle_progress: false,
            lost_with_compaction: false,
            old_leader_revokes: false,
            compacted_delete_missing: false,
            future_watch_early: false,
            dead_lease_renewed: false,
            stale_reads: false,
            split_cluster: false,
            alarm_skips_auth: false,
        }
    }

    /// All that servers of this version have.
    #[must_use]
    pub fn of(version: &Version) -> Self {
        let before = |patch_34, patch_35| is_before(version, patch_34, patch_35);
        Self {
            duplicate_events: before(24, 8),
            progress_ahead: before(25, 8),
            watch_back_in_time: before(25, 8),
            silent_idle_progress: before(31, 13),
            lost_with_compaction: before(31, 13),
            old_leader_revokes: before(31, 13),
            compacted_delete_missing: before(36, 18),
            future_watch_early: before(38, 22),
            dead_lease_renewed: before(38, 23),
            stale_reads: before(42, 28),
            split_cluster: *version < Version::new(3, 7, 0),
            alarm_skips_auth: *version < Version::new(3, 6, 0),
        }
    }

    /// Those that servers of this version have and that show each time, in an order of requests and
    /// not by bad luck.
    ///
    /// ```
    /// use etcd_core::Version;
    /// use etcd_sim::etcd::Defects;
    ///
    /// let steady = Defects::steady(&Version::new(3, 4, 23));
    /// assert!(steady.split_cluster && !steady.duplicate_events);
    /// ```
    #[must_use]
    pub fn steady(version: &Version) -> Self {
        let all = Self::of(version);
        Self {
            progress_ahead: all.progress_ahead,
            compacted_delete_missing: all.compacted_delete_missing,
            split_cluster: all.split_cluster,
            alarm_skips_auth: all.alarm_skips_auth,
            ..Self::none()
        }
    }
}

/// Whether a version is before the patches of its line that mended something.
pub(super) fn is_before(version: &Version, patch_34: u32, patch_35: u32) -> bool {
    *version < Version::new(3, 4, patch_34)
        || *version >= Version::new(3, 5, 0) && *version < Version::new(3, 5, patch_35)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_mended_by_a_patch_of_its_own() {
        let of = |minor, patch| Defects::of(&Version::new(3, minor, patch));
        assert!(of(4, 23).progress_ahead && of(5, 7).progress_ahead);
        assert!(!of(4, 25).progress_ahead && !of(5, 8).progress_ahead);
        assert!(of(6, 0).split_cluster && !of(6, 0).stale_reads);
    }
}
