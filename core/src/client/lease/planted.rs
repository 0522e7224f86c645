//! Bugs on purpose in what happens to leases, where they take more than a line.

use super::Answer;
use super::Client;
use super::LeaseEnd;
use super::LeasePhase;
use crate::api::Response;
use crate::id::KeepAliveId;
use crate::planted::Planted;
use crate::time::Instant;

impl Client {
    pub(super) fn plant_lease_answer(
        &self,
        now: Instant,
        sent_at: Instant,
        mut answer: Answer,
    ) -> (Instant, Answer) {
        match (self.config.planted, &mut answer.result) {
            (Some(Planted::LeaseFromReceipt), _) => return (now, answer),
            (Some(Planted::AskedTtl), Ok(Response::LeaseGrant(granted))) => {
                let keeper = self.leases.table.get(&answer.kept);
                granted.ttl = keeper.map_or(granted.ttl, super::Keeper::asked_ttl);
            }
            _ => {}
        }
        (sent_at, answer)
    }

    /// Whether that was all that happens to a lease whose time is over.
    pub(super) fn plant_expiry(&mut self, now: Instant, id: KeepAliveId) -> bool {
        let state = self.lease_state(now, id);
        if state.is_none_or(|state| state.phase != LeasePhase::Expired) {
            return false;
        }
        match self.config.planted {
            Some(Planted::ExpiryUntold) => {
                if self
                    .leases
                    .table
                    .get(&id)
                    .is_some_and(|it| it.call.is_none())
                {
                    self.renew(id, None);
                }
                true
            }
            Some(Planted::ExpiredIsLost) => {
                self.drop_lease_call(now, id);
                self.end_keeper(id, LeaseEnd::Lost);
                true
            }
            _ => false,
        }
    }
}
