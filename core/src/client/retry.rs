//! What may be sent again, and after how long.
//!
//! The heart of it: a call that changes something is sent again only while the last byte of every
//! earlier attempt was not taken by a socket, for then the server cannot have had the whole request
//! (guarantees G3 to G5; measured in reliability.md 2.1). A call that only reads, or whose
//! repetition changes nothing, may be sent again after any loss of its connection (rules ).
//! Which of the server's own errors call for another try is for a later table here.

use core::time::Duration;

use crate::api::Rpc;
use crate::buf::Sent;
use crate::error::Applied;
use crate::error::Code;
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
