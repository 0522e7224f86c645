//! What may be sent again, and after how long.
//!
//! The heart of it: a call that changes something is sent again only while the last byte of every
//! earlier attempt was not taken by a socket, for then the server cannot have had the whole request
//! (guarantees G3 to G5; measured in reliability.md 2.1). A call that only reads, or whose
//! repetition changes nothing, may be sent again after any loss of its connection (rules ).
//! The same two questions are asked of a refusal: [`passing`] says whether another try has a chance,
//! and the table of certain answers whether a call that changes something may have it.

use core::time::Duration;

use crate::api::Rpc;
use crate::buf::Sent;
use crate::error::Applied;
use crate::error::Code;
use crate::error::Known;
use crate::error::Status;

/// How a call may be treated after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It changes nothing.
    Read,
    /// It changes something; doing it twice is the same as once.
    Repeatable,
    /// It changes something, and twice is not once.
    Once,
}

impl Class {
    /// Whether an attempt of which the socket took `sent` may be followed by another.
    pub(crate) const fn may_repeat(self, sent: Sent) -> bool {
        match self {
            Self::Read | Self::Repeatable => true,
            Self::Once => matches!(sent, Sent::Nothing | Sent::Part),
        }
    }

    /// Whether a call that was refused with `status`, for a reason that passes, may be made again.
    pub(crate) fn may_follow(self, rpc: Rpc, status: &Status) -> bool {
        match self {
            Self::Read | Self::Repeatable => true,
            Self::Once => self.applied_with(rpc, status) == Applied::No,
        }
    }

    /// Whether a call whose last attempt got no answer may have had an effect.
    pub(crate) const fn applied_without_answer(self, sent: Sent) -> Applied {
        match (self, sent) {
            (Self::Read, _) | (_, Sent::Nothing | Sent::Part) => Applied::No,
            _ => Applied::Maybe,
        }
    }

    /// Whether a call the server refused with `status` may have had an effect.
    pub(crate) fn applied_with(self, rpc: Rpc, status: &Status) -> Applied {
        match self {
            Self::Read => Applied::No,
            // The member asked refuses a transaction that reads at a compacted revision, while the
            // others carry out its writes (etcd issue 18667; reliability.md 2.1).
            _ if rpc == Rpc::Txn && status.code == Code::OUT_OF_RANGE => Applied::Maybe,
            _ => status.applied(),
        }
    }
}

/// The longest wait before another attempt at a server in trouble: it is left alone for longer each time
/// (rule R-6).
pub(crate) const TROUBLE: Duration = Duration::from_secs(2);

/// How a refusal is taken whose reason passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passing {
    /// Another member may do better: it counts as a failure of this one (rule B-3). Otherwise another
    /// would say the same.
    pub(crate) is_members: bool,
    /// The longest wait before the next attempt.
    pub(crate) cap: Duration,
}

/// How a refusal is taken, if its reason passes, so that another try has a chance (rules, and
/// what of B-3 is an answer). Whatever etcd says about the request itself stays true.
pub(crate) fn passing(status: &Status) -> Option<Passing> {
    /// While a leader is chosen servers refuse at once, and soon they will not (guarantee G45).
    const ELECTION: Duration = Duration::from_millis(100);
    let (is_members, cap) = match status.known() {
        Some(Known::ProposalDropped | Known::LeaderChanged) => (false, ELECTION),
        Some(Known::RequestTooManyRequests | Known::Canceled) => (false, TROUBLE),
        Some(Known::NoLeader | Known::NotPrimaryLessor) => (true, ELECTION),
        Some(
            Known::NotCapable
            | Known::NotSupportedForLearner
            | Known::Stopped
            | Known::Timeout
            | Known::TimeoutDueToLeaderFail
            | Known::TimeoutDueToConnectionLost
            | Known::TimeoutWaitAppliedIndex
            | Known::GatewayConnection
            | Known::DeadlineExceeded,
        ) => (true, TROUBLE),
        None if matches!(status.code, Code::UNAVAILABLE | Code::DEADLINE_EXCEEDED) => {
            (true, TROUBLE)
        }
        _ => return None,
    };
    Some(Passing { is_members, cap })
}

/// The wait after every endpoint failed `round` times in a row: 25 ms, doubled each time, up to
/// `cap` (rule R-6).
pub(crate) fn wait_after_round(round: u32, cap: Duration) -> Duration {
    let doublings = round.saturating_sub(1).min(16);
    Duration::from_millis(25)
        .saturating_mul(1 << doublings)
        .min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_repeated_only_while_its_last_byte_was_not_taken() {
        for sent in [Sent::Nothing, Sent::Part] {
            assert!(Class::Once.may_repeat(sent));
            assert_eq!(Class::Once.applied_without_answer(sent), Applied::No);
        }
        assert!(!Class::Once.may_repeat(Sent::All));
        assert_eq!(
            Class::Once.applied_without_answer(Sent::All),
            Applied::Maybe
        );
        assert!(Class::Read.may_repeat(Sent::All));
        assert_eq!(Class::Read.applied_without_answer(Sent::All), Applied::No);
        assert!(Class::Repeatable.may_repeat(Sent::All));
        assert_eq!(
            Class::Repeatable.applied_without_answer(Sent::All),
            Applied::Maybe
        );
    }

    #[test]
    fn r4_a_write_follows_a_refusal_only_if_that_is_certain() {
        let mut again = Vec::new();
        for known in Known::ALL {
            let status = Status::new(known.code(), known.message());
            if passing(&status).is_some() && Class::Once.may_follow(Rpc::Put, &status) {
                assert_eq!(known.applied(), Applied::No, "{known:?}");
                again.push(*known);
            }
        }
        assert_eq!(
            again,
            [
                Known::RequestTooManyRequests,
                Known::NoLeader,
                Known::NotCapable,
                Known::NotSupportedForLearner,
                Known::ProposalDropped,
                Known::NotPrimaryLessor,
            ]
        );
    }

    #[test]
    fn r2_a_read_follows_whatever_passes() {
        for known in [Known::Timeout, Known::Stopped, Known::LeaderChanged] {
            let status = Status::new(known.code(), known.message());
            assert!(passing(&status).is_some() && Class::Read.may_follow(Rpc::Range, &status));
            assert!(!Class::Once.may_follow(Rpc::Put, &status));
        }
        for known in [Known::Compacted, Known::EmptyKey, Known::NoSpace] {
            let status = Status::new(known.code(), known.message());
            assert_eq!(passing(&status), None, "{known:?}");
        }
    }

    #[test]
    fn out_of_range_is_not_certain_for_a_transaction() {
        let status = Status::new(
            Code::OUT_OF_RANGE,
            "etcdserver: mvcc: required revision has been compacted",
        );
        assert_eq!(Class::Once.applied_with(Rpc::Txn, &status), Applied::Maybe);
        assert_eq!(Class::Once.applied_with(Rpc::Compact, &status), Applied::No);
        assert_eq!(Class::Read.applied_with(Rpc::Txn, &status), Applied::No);
    }
}
