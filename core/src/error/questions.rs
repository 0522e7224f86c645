//! The questions a program asks an error, so that it need not look at texts (rule E-6).
//!
//! Whether a write may have happened is [`Error::applied`]; here is the rest.

use super::Applied;
use super::Cause;
use super::Code;
use super::Error;
use super::Known;
use super::Limit;
use super::Status;

impl Status {
    /// Whether a call that only reads has a chance if it is made again, perhaps at another member.
    ///
    /// ```
    /// use etcd_core::{Code, Known, Status};
    ///
    /// let again = Status::new(Code::UNAVAILABLE, Known::NoLeader.message());
    /// assert!(again.is_retryable_read());
    /// let never = Status::new(Code::INVALID_ARGUMENT, Known::EmptyKey.message());
    /// assert!(!never.is_retryable_read());
    /// ```
    #[must_use]
    pub fn is_retryable_read(&self) -> bool {
        match self.known() {
            Some(
                Known::RequestTooManyRequests
                | Known::NotCapable
                | Known::NotSupportedForLearner
                | Known::NotPrimaryLessor
                | Known::ProposalDropped
                | Known::Canceled
                | Known::DeadlineExceeded
                | Known::WatchCanceled,
            ) => true,
            Some(known) => known.code() == Code::UNAVAILABLE,
            None => matches!(
                self.code,
                Code::UNAVAILABLE
                    | Code::UNKNOWN
                    | Code::INTERNAL
                    | Code::CANCELED
                    | Code::DEADLINE_EXCEEDED
                    | Code::RESOURCE_EXHAUSTED
            ),
        }
    }

    /// Whether the token is missing, wrong or too old: authenticate, then try again. Nothing was
    /// done.
    ///
    /// ```
    /// use etcd_core::{Code, Known, Status};
    ///
    /// for known in [Known::InvalidAuthToken, Known::AuthOldRevision, Known::UserEmpty] {
    ///     assert!(Status::new(Code::UNKNOWN, known.message()).needs_new_token());
    /// }
    /// ```
    #[must_use]
    pub fn needs_new_token(&self) -> bool {
        match self.known() {
            Some(known) => matches!(
                known,
                Known::InvalidAuthToken | Known::AuthOldRevision | Known::UserEmpty
            ),
            None => self.code == Code::UNAUTHENTICATED,
        }
    }

    /// Whether the revision asked for is gone. Servers do not say which one is the oldest they
    /// still have.
    ///
    /// ```
    /// use etcd_core::{Code, Known, Status};
    ///
    /// assert!(Status::new(Code::OUT_OF_RANGE, Known::Compacted.message()).is_compacted());
    /// ```
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        self.known() == Some(Known::Compacted)
    }
}

impl Error {
    /// The error etcd is known to answer with, if it is one.
    ///
    /// ```
    /// use etcd_core::{Applied, Code, Error, Known, Status};
    ///
    /// let status = Status::new(Code::NOT_FOUND, "etcdserver: requested lease not found");
    /// let error = Error::Etcd { status, applied: Applied::No };
    /// assert_eq!(error.known(), Some(Known::LeaseNotFound));
    /// ```
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        self.status().and_then(Status::known)
    }

    /// Whether the call certainly had no effect: the short form of `applied() == Applied::No`.
    ///
    /// ```
    /// use etcd_core::{Error, Misuse};
    ///
    /// assert!(Error::Misuse(Misuse::EmptyKey).is_not_applied());
    /// ```
    #[must_use]
    pub const fn is_not_applied(&self) -> bool {
        matches!(self.applied(), Applied::No)
    }

    /// Whether a call that only reads has a chance if it is made again. For a call that changes
    /// something, look at [`Error::is_not_applied`] first.
    ///
    /// ```
    /// use etcd_core::{Applied, Error, Misuse, Phase};
    ///
    /// let late = Error::Timeout { phase: Phase::Answer, applied: Applied::No };
    /// assert!(late.is_retryable_read());
    /// assert!(!Error::Misuse(Misuse::EmptyKey).is_retryable_read());
    /// ```
    #[must_use]
    pub fn is_retryable_read(&self) -> bool {
        match self {
            Self::Etcd { status, .. } => status.is_retryable_read(),
            // A broken snapshot can be taken anew.
            Self::Timeout { .. } | Self::Snapshot(_) => true,
            Self::Unavailable { cause, .. } => *cause != Cause::Shutdown,
            // Only too many calls at the same time can be another number soon.
            Self::Limit { limit, .. } => matches!(limit, Limit::Calls(_)),
            Self::Auth { .. }
            | Self::Canceled { .. }
            | Self::Unsupported { .. }
            | Self::Compacted { .. }
            | Self::Misuse(_) => false,
        }
    }

    /// Whether the token is missing, wrong or too old: authenticate, then try again. Nothing was
    /// done.
    ///
    /// ```
    /// use etcd_core::{Applied, Code, Error, Known, Status};
    ///
    /// let status = Status::new(Code::UNAUTHENTICATED, Known::InvalidAuthToken.message());
    /// assert!(Error::Etcd { status, applied: Applied::No }.needs_new_token());
    /// ```
    #[must_use]
    pub fn needs_new_token(&self) -> bool {
        self.status().is_some_and(Status::needs_new_token)
    }

    /// Whether the revision asked for is gone: read again from the present.
    ///
    /// ```
    /// use etcd_core::Error;
    ///
    /// assert!(Error::Compacted { revision: 7 }.is_compacted());
    /// ```
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        match self {
            Self::Compacted { .. } => true,
            error => error.status().is_some_and(Status::is_compacted),
        }
    }
}
