//! Where versions differ about authentication.

use etcd_core::Version;

use crate::etcd::setup::has_old_sort;

/// What this version's server does, each named for what the newer ones do.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a change that some version brought, none follows from another"
)]
pub(super) struct Rules {
    /// Whether `role/grant` refuses an empty key and a range that ends before it begins (from 3.4.25
    /// and 3.5.8, changelog).
    pub(super) grants_need_a_range: bool,
    /// Whether an old revision has a code and text of the api; else it is code 2 with the text of the
    /// package inside (from 3.4.22 and 3.5.6, gateway.md 5.2).
    pub(super) names_old_revision: bool,
    /// Whether a refused watch says why; else it is always "permission denied" (as before).
    pub(super) names_watch_refusal: bool,
    /// Whether tokens are ignored while auth is off (from 3.4.28 and 3.5.10, gateway.md 13).
    pub(super) ignores_tokens_when_off: bool,
    /// Whether a token sent with `authenticate` is ignored (from 3.5, gateway.md 13).
    pub(super) authenticates_without_token: bool,
    /// Whether asking for the keys of a lease needs the right to read them (from 3.4.26 and 3.5.9,
    /// changelog).
    pub(super) guards_lease_keys: bool,
    /// Whether the calls that had been forgotten are checked: leases, compaction, status, alarms, member
    /// list, and what is nested in a transaction (from 3.4.42, 3.5.28 and 3.6.9, gateway.md 13).
    pub(super) guards_all: bool,
    /// Whether every user may list members and alarms all the same (from 3.4.43, 3.5.29 and 3.6.10).
    pub(super) opens_lists: bool,
    /// Whether an unknown token has a code and text of the api with alarms, too; else it is as with the
    /// rest of the maintenance service (seen on 3.4.23 and 3.5.1).
    pub(super) names_alarm_token: bool,
    /// Whether permissions are ordered by an old sort.
    pub(super) old_sort: bool,
    /// Whether anybody may ask if authentication is on (from 3.7, semantics.md 1.14).
    pub(super) opens_status: bool,
}

impl Rules {
    pub(super) fn of(version: &Version) -> Self {
        let line = (version.major(), version.minor());
        let since = |patch_3_4: u32, patch_3_5: u32, patch_3_6: u32| match line {
            line if line < (3, 4) => false,
            (3, 4) => version.patch() >= patch_3_4,
            (3, 5) => version.patch() >= patch_3_5,
            (3, 6) => version.patch() >= patch_3_6,
            _ => true,
        };
        Self {
            grants_need_a_range: since(25, 8, 0),
            names_old_revision: since(22, 6, 0),
            names_watch_refusal: since(22, 6, 0),
            ignores_tokens_when_off: since(28, 10, 0),
            authenticates_without_token: line >= (3, 5),
            guards_lease_keys: since(26, 9, 0),
            guards_all: since(42, 28, 9),
            opens_lists: since(43, 29, 10),
            names_alarm_token: line >= (3, 5),
            old_sort: has_old_sort(version),
            opens_status: line >= (3, 7),
        }
    }
}
