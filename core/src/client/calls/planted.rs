//! Bugs on purpose in the fate of calls, where they take more than a line.

use super::table::Owner;
use super::table::Pending;
use crate::api::Response;
use crate::buf::Sent;
use crate::client::Client;
use crate::client::retry::Class;
use crate::error::Applied;
use crate::error::Code;
use crate::error::Error;
use crate::error::Misuse;
use crate::error::Status;
use crate::id::CallId;
use crate::planted::Planted;
use crate::time::Instant;

impl Client {
    /// Whether a refused call is made again.
    pub(super) fn plant_refused(
        &mut self,
        now: Instant,
        id: CallId,
        result: &Result<Response, Status>,
    ) -> bool {
        let is_refused = matches!(result, Err(status) if status.code == Code::UNAVAILABLE);
        let repeats = is_refused && self.config.planted == Some(Planted::RepeatRefused);
        let is_known = self.calls.table.contains_key(&id);
        if repeats && is_known {
            self.call_again(now, id);
        }
        repeats && is_known
    }

    /// Whether that was all for a call whose connection was lost.
    pub(super) fn plant_lost_call(&mut self, id: CallId, sent: Sent) -> bool {
        let Some(call) = self.calls.table.get_mut(&id) else {
            return false;
        };
        match self.config.planted {
            Some(Planted::PartIsDoubt) if sent == Sent::Part => call.doubt(),
            Some(Planted::LostIsNo) => call.in_doubt_since = None,
            Some(Planted::RepeatLost) => call.class = Class::Repeatable,
            Some(Planted::OutcomeLost) if call.owner == Owner::User && sent == Sent::All => {
                if let Some(call) = self.calls.table.remove(&id) {
                    if let Some(deadline) = call.deadline {
                        let timer = crate::client::timer::Timer::Call(id);
                        self.timers.disarm(deadline, timer);
                    }
                }
                return true;
            }
            _ => {}
        }
        false
    }

    /// How much of a request counts as sent.
    pub(super) fn plant_sent(&self, sent: Sent) -> Sent {
        match (self.config.planted, sent) {
            (Some(Planted::PartIsDoubt), Sent::Part) => Sent::All,
            (Some(Planted::LostIsNo), Sent::All) => Sent::Part,
            _ => sent,
        }
    }

    pub(super) fn plant_check(&self, checked: Result<(), Misuse>) -> Result<(), Misuse> {
        match self.config.planted {
            Some(Planted::PoisonSent) if checked == Err(Misuse::RangeAtRevisionWithWrite) => Ok(()),
            _ => checked,
        }
    }

    pub(super) fn plant_canceled(&mut self, call: CallId, applied: Applied) {
        if self.config.planted == Some(Planted::SecondOutcome) {
            self.tell_answer(call, Err(Error::Canceled { applied }));
        }
    }

    pub(super) fn plant_deadline(&self, mut pending: Pending) -> Pending {
        if self.config.planted == Some(Planted::DeadlineNeverFires) {
            pending.deadline = None;
        }
        pending
    }
}
