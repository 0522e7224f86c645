//! What is told of leases: renewed, at risk, expired, ended; and how many are in what. Nothing here changes
//! what becomes of one.

use super::LeasePhase;
use super::Leases;
use super::keeper::Keeper;
use crate::client::Client;
use crate::client::notice::Reason;
use crate::client::notice::What;
use crate::id::KeepAliveId;
use crate::time::Instant;

impl Client {
    /// Tells what has changed of a lease that was in this phase, until then.
    pub(super) fn note_lease(
        &mut self,
        lease: KeepAliveId,
        (phase, until): (LeasePhase, Option<Instant>),
    ) {
        let Some(keeper) = self.leases.table.get(&lease) else {
            return;
        };
        let has_moved = keeper.phase() != phase;
        let has_expired = has_moved && keeper.phase() == LeasePhase::Expired;
        self.stats.leases_expired += u64::from(has_expired);
        if !self.notices.is_on() || (!has_moved && keeper.valid_until() == until) {
            return;
        }
        if let (Some(valid_until), LeasePhase::Active | LeasePhase::AtRisk | LeasePhase::Expired) =
            (keeper.valid_until(), keeper.phase())
        {
            let is_renewed = keeper.phase() == LeasePhase::Active || Some(valid_until) != until;
            if is_renewed {
                self.notices
                    .note(|| What::LeaseRenewed { lease, valid_until });
            }
            match keeper.phase() {
                LeasePhase::AtRisk if has_moved => self
                    .notices
                    .note(|| What::LeaseAtRisk { lease, valid_until }),
                LeasePhase::Expired if has_moved => self
                    .notices
                    .note(|| What::LeaseExpired { lease, valid_until }),
                _ => {}
            }
        }
        if let (true, Some(end)) = (has_moved, keeper.ended()) {
            let why = Reason::of_lease(end);
            self.notices.note(|| What::LeaseEnded { lease, why });
        }
    }
}

impl Leases {
    /// How many are kept alive.
    pub(in crate::client) fn kept(&self) -> usize {
        let kept = |keeper: &&Keeper| keeper.phase() != LeasePhase::Ended;
        self.table.values().filter(kept).count()
    }

    /// How many of them were not renewed in time.
    pub(in crate::client) fn in_danger(&self) -> usize {
        let phases = self.table.values().map(Keeper::phase);
        phases
            .filter(|phase| matches!(phase, LeasePhase::AtRisk | LeasePhase::Expired))
            .count()
    }
}
