//! The errors etcd is known to answer with, found by their message.
//!
//! The table is the union of etcd's `api/v3rpc/rpctypes/error.go` and of what real servers were seen
//! to say (gateway.md 5.2). Each row says whether a write so answered may have happened, and why;
//! "no" is given only to what was measured or is refused before anything is proposed
//! (reliability.md 2.1). The message decides, not the code: some arrive with another code than
//! their own (rule E-1).

use super::Applied;

macro_rules! known {
    ($($name:ident, $applied:ident, $message:literal, $doc:literal;)*) => {
        /// An error etcd is known to answer with.
        ///
        /// ```
        /// use etcd_core::{Code, Known, Status};
        ///
        /// let status = Status::new(Code::NOT_FOUND, "etcdserver: requested lease not found");
        /// assert_eq!(status.known(), Some(Known::LeaseNotFound));
        /// assert_eq!(Known::LeaseNotFound.name(), "LeaseNotFound");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Known {
            $(#[doc = $doc] $name,)*
        }

        impl Known {
            /// Every known error, in the order of the table.
            ///
            /// ```
            /// use etcd_core::Known;
            ///
            /// assert!(Known::ALL.contains(&Known::Compacted));
            /// ```
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name etcd's own client gives it, without the `Err`.
            ///
            /// ```
            /// assert_eq!(etcd_core::Known::EmptyKey.name(), "EmptyKey");
            /// ```
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The server's message.
            ///
            /// ```
            /// assert_eq!(etcd_core::Known::NoLeader.message(), "etcdserver: no leader");
            /// ```
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                }
            }

            /// Whether a write answered with it may have happened all the same.
            ///
            /// ```
            /// use etcd_core::{Applied, Known};
            ///
            /// assert_eq!(Known::NoSpace.applied(), Applied::Maybe);
            /// ```
            #[must_use]
            pub const fn applied(self) -> Applied {
                match self {
                    $(Self::$name => Applied::$applied,)*
                }
            }

            fn exactly(message: &str) -> Option<Self> {
                match message {
                    $($message => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

known! {
    EmptyKey, No, "etcdserver: key is not provided",
        "A key is missing or empty.";
    KeyNotFound, No, "etcdserver: key not found",
        "`ignore_value` or `ignore_lease` on a key that does not exist.";
    ValueProvided, No, "etcdserver: value is provided",
        "A value together with `ignore_value`.";
    LeaseProvided, No, "etcdserver: lease is provided",
        "A lease together with `ignore_lease`.";
    TooManyOps, No, "etcdserver: too many operations in txn request",
        "More operations in one list than `--max-txn-ops` allows.";
    DuplicateKey, No, "etcdserver: duplicate key given in txn request",
        "One key put twice, or put and deleted, on one path.";
    InvalidClientAPIVersion, No, "etcdserver: invalid client api version",
        "The version metadata is not text.";
    InvalidSortOption, No, "etcdserver: invalid sort option",
        "A sort order or target that does not exist.";
    Compacted, No, "etcdserver: mvcc: required revision has been compacted",
        "The revision is below the oldest one kept.";
    FutureRev, No, "etcdserver: mvcc: required revision is a future revision",
        "The revision is above the newest one.";
    NoSpace, Maybe, "etcdserver: mvcc: database space exceeded",
        "The quota is used up. The check before the proposal and the one when it is applied are two: under load, writes refused so were stored.";
    LeaseNotFound, No, "etcdserver: requested lease not found",
        "The lease does not exist, or has ended.";
    LeaseExist, No, "etcdserver: lease already exists",
        "A lease with the chosen id exists.";
    LeaseTTLTooLarge, No, "etcdserver: too large lease TTL",
        "A time to live above 9,000,000,000 s.";
    WatchCanceled, No, "etcdserver: watch canceled",
        "The server ended the watch.";
    MemberExist, No, "etcdserver: member ID already exist",
        "A member with that id exists.";
    PeerURLExist, No, "etcdserver: Peer URLs already exists",
        "A member with that peer URL exists.";
    MemberNotEnoughStarted, No, "etcdserver: re-configuration failed due to not enough started members",
        "The change would leave too few started members.";
    MemberBadURLs, No, "etcdserver: given member URLs are invalid",
        "A peer URL cannot be read.";
    MemberNotFound, No, "etcdserver: member not found",
        "No member has that id.";
    MemberNotLearner, No, "etcdserver: can only promote a learner member",
        "The member votes already.";
    LearnerNotReady, No, "etcdserver: can only promote a learner member which is in sync with leader",
        "The learner has not caught up; try again later.";
    TooManyLearners, No, "etcdserver: too many learner members in cluster",
        "The cluster has its learner already.";
    ClusterIDMismatch, No, "etcdserver: cluster ID mismatch",
        "The member belongs to another cluster.";
    RequestTooLarge, No, "etcdserver: request is too large",
        "Over `--max-request-bytes`, 1.5 MiB by default.";
    RequestTooManyRequests, No, "etcdserver: too many requests",
        "The server falls behind and refuses before it proposes; wait and try again.";
    RootUserNotExist, No, "etcdserver: root user does not exist",
        "Auth cannot be enabled without a root user.";
    RootRoleNotExist, No, "etcdserver: root user does not have root role",
        "Auth cannot be enabled without the root role.";
    UserAlreadyExist, No, "etcdserver: user name already exists",
        "A user with that name exists.";
    UserEmpty, No, "etcdserver: user name is empty",
        "Auth is on and the call had no token, or a user name is missing.";
    UserNotFound, No, "etcdserver: user name not found",
        "No user has that name.";
    RoleAlreadyExist, No, "etcdserver: role name already exists",
        "A role with that name exists.";
    RoleNotFound, No, "etcdserver: role name not found",
        "No role has that name.";
    RoleEmpty, No, "etcdserver: role name is empty",
        "A role name is missing.";
    AuthFailed, No, "etcdserver: authentication failed, invalid user ID or password",
        "Wrong user or password.";
    PermissionNotGiven, No, "etcdserver: permission not given",
        "A grant without a permission.";
    PermissionDenied, No, "etcdserver: permission denied",
        "The user may not do that.";
    RoleNotGranted, No, "etcdserver: role is not granted to the user",
        "The user does not have that role.";
    PermissionNotGranted, No, "etcdserver: permission is not granted to the role",
        "The role does not have that permission.";
    AuthNotEnabled, No, "etcdserver: authentication is not enabled",
        "Auth is off.";
    InvalidAuthToken, No, "etcdserver: invalid auth token",
        "The token is unknown or too old.";
    InvalidAuthMgmt, No, "etcdserver: invalid auth management",
        "A change that would break auth, such as deleting root.";
    AuthOldRevision, No, "etcdserver: revision of auth store is old",
        "Users or roles changed since the token was made.";
    NoLeader, No, "etcdserver: no leader",
        "The member knows no leader and refuses before it proposes.";
    NotLeader, No, "etcdserver: not leader",
        "Only the leader can do that.";
    LeaderChanged, Maybe, "etcdserver: leader changed",
        "The leader changed under way. Its known sources are reads, but not in the table of certain answers, on purpose.";
    NotCapable, No, "etcdserver: not capable",
        "The member is still starting.";
    Stopped, Maybe, "etcdserver: server stopped",
        "The member is shutting down.";
    Timeout, Maybe, "etcdserver: request timed out",
        "No agreement in the server's own time; the proposal may be on its way.";
    TimeoutDueToLeaderFail, Maybe, "etcdserver: request timed out, possibly due to previous leader failure",
        "As `Timeout`.";
    TimeoutDueToConnectionLost, Maybe, "etcdserver: request timed out, possibly due to connection lost",
        "As `Timeout`.";
    TimeoutWaitAppliedIndex, Maybe, "etcdserver: request timed out, waiting for the applied index took too long",
        "As `Timeout`.";
    Unhealthy, No, "etcdserver: unhealthy cluster",
        "The cluster is not healthy enough for a change of members.";
    Corrupt, No, "etcdserver: corrupt cluster",
        "The CORRUPT alarm is raised.";
    NotSupportedForLearner, No, "etcdserver: rpc not supported for learner",
        "The member is a learner; ask a voting one.";
    BadLeaderTransferee, No, "etcdserver: bad leader transferee",
        "The member cannot become leader.";
    ClusterVersionUnavailable, No, "etcdserver: cluster version not found during downgrade",
        "The cluster's version is not known yet.";
    WrongDowngradeVersionFormat, No, "etcdserver: wrong downgrade target version format",
        "The target version cannot be read.";
    InvalidDowngradeTargetVersion, No, "etcdserver: invalid downgrade target version",
        "The target is not one minor version below.";
    DowngradeInProcess, No, "etcdserver: cluster has a downgrade job in progress",
        "A downgrade is under way.";
    NoInflightDowngrade, No, "etcdserver: no inflight downgrade job",
        "No downgrade is under way.";
    Canceled, Maybe, "etcdserver: request canceled",
        "The request was canceled under way.";
    DeadlineExceeded, Maybe, "etcdserver: context deadline exceeded",
        "The deadline sent along passed under way.";
    ProposalDropped, No, "raft proposal dropped",
        "The proposal was refused locally, before it went anywhere.";
    NotPrimaryLessor, No, "not a primary lessor",
        "The leader cannot prove its leadership; ask another endpoint.";
    DuplicateWatchID, No, "mvcc: duplicate watch ID provided on the WatchStream",
        "A watch with that id exists on the stream.";
    WatchRangeEmpty, No, "mvcc: watcher range is empty",
        "The range's end is not above its key.";
}

impl Known {
    /// The known error with this message. Some places send a message without its `etcdserver: `.
    pub(crate) fn find(message: &str) -> Option<Self> {
        if let Some(known) = Self::exactly(message) {
            return Some(known);
        }
        match message {
            "mvcc: required revision has been compacted" => Some(Self::Compacted),
            "mvcc: required revision is a future revision" => Some(Self::FutureRev),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_error_is_found_by_its_message() {
        for known in Known::ALL {
            assert_eq!(Known::find(known.message()), Some(*known));
        }
    }

    #[test]
    fn no_timeout_is_certain() {
        for known in Known::ALL {
            let message = known.message();
            if message.contains("timed out") || message.contains("space") {
                assert_eq!(known.applied(), Applied::Maybe, "{message}");
            }
        }
    }
}
