//! The errors etcd is known to answer with, found by their message.
//!
//! The table is the union of etcd's `api/v3rpc/rpctypes/error.go` and of what real servers were seen
//! to say (gateway.md 5.2). Each row says whether a write so answered may have happened, and why;
//! "no" is given only to what was measured or is refused before anything is proposed
//! (reliability.md 2.1). The message decides, not the code: some arrive with another code than
//! their own (rule E-1).

use super::Applied;
use super::Code;

macro_rules! known {
    ($($name:ident, $code:ident, $applied:ident, $message:literal, $doc:literal;)*) => {
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

            /// The server's message; of one that goes on differently each time, its beginning.
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

            /// The code it has in etcd's own table. Servers send some with another one: go by the
            /// message, which [`Status::known`](super::Status::known) does.
            ///
            /// ```
            /// use etcd_core::{Code, Known};
            ///
            /// // It arrives as `Code::UNKNOWN`.
            /// assert_eq!(Known::RequestTooManyRequests.code(), Code::RESOURCE_EXHAUSTED);
            /// ```
            #[must_use]
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$name => Code::$code,)*
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
    EmptyKey, INVALID_ARGUMENT, No, "etcdserver: key is not provided",
        "A key is missing or empty.";
    KeyNotFound, INVALID_ARGUMENT, No, "etcdserver: key not found",
        "`ignore_value` or `ignore_lease` on a key that does not exist.";
    ValueProvided, INVALID_ARGUMENT, No, "etcdserver: value is provided",
        "A value together with `ignore_value`.";
    LeaseProvided, INVALID_ARGUMENT, No, "etcdserver: lease is provided",
        "A lease together with `ignore_lease`.";
    TooManyOps, INVALID_ARGUMENT, No, "etcdserver: too many operations in txn request",
        "More operations in one list than `--max-txn-ops` allows.";
    DuplicateKey, INVALID_ARGUMENT, No, "etcdserver: duplicate key given in txn request",
        "One key put twice, or put and deleted, on one path.";
    InvalidClientAPIVersion, INVALID_ARGUMENT, No, "etcdserver: invalid client api version",
        "The version metadata is not text.";
    InvalidSortOption, INVALID_ARGUMENT, No, "etcdserver: invalid sort option",
        "A sort order or target that does not exist.";
    Compacted, OUT_OF_RANGE, No, "etcdserver: mvcc: required revision has been compacted",
        "The revision is below the oldest one kept.";
    FutureRev, OUT_OF_RANGE, No, "etcdserver: mvcc: required revision is a future revision",
        "The revision is above the newest one.";
    NoSpace, RESOURCE_EXHAUSTED, Maybe, "etcdserver: mvcc: database space exceeded",
        "The quota is used up. The check before the proposal and the one when it is applied are two: under load, writes refused so were stored.";
    LeaseNotFound, NOT_FOUND, No, "etcdserver: requested lease not found",
        "The lease does not exist, or has ended.";
    LeaseExist, FAILED_PRECONDITION, No, "etcdserver: lease already exists",
        "A lease with the chosen id exists.";
    LeaseTTLTooLarge, OUT_OF_RANGE, No, "etcdserver: too large lease TTL",
        "A time to live above 9,000,000,000 s.";
    WatchCanceled, CANCELED, No, "etcdserver: watch canceled",
        "The server ended the watch.";
    MemberExist, FAILED_PRECONDITION, No, "etcdserver: member ID already exist",
        "A member with that id exists.";
    PeerURLExist, FAILED_PRECONDITION, No, "etcdserver: Peer URLs already exists",
        "A member with that peer URL exists.";
    MemberNotEnoughStarted, FAILED_PRECONDITION, No, "etcdserver: re-configuration failed due to not enough started members",
        "The change would leave too few started members.";
    MemberBadURLs, INVALID_ARGUMENT, No, "etcdserver: given member URLs are invalid",
        "A peer URL cannot be read.";
    MemberNotFound, NOT_FOUND, No, "etcdserver: member not found",
        "No member has that id.";
    MemberNotLearner, FAILED_PRECONDITION, No, "etcdserver: can only promote a learner member",
        "The member votes already.";
    LearnerNotReady, FAILED_PRECONDITION, No, "etcdserver: can only promote a learner member which is in sync with leader",
        "The learner has not caught up; try again later.";
    TooManyLearners, FAILED_PRECONDITION, No, "etcdserver: too many learner members in cluster",
        "The cluster has its learner already.";
    ClusterIDMismatch, FAILED_PRECONDITION, No, "etcdserver: cluster ID mismatch",
        "The member belongs to another cluster.";
    RequestTooLarge, INVALID_ARGUMENT, No, "etcdserver: request is too large",
        "Over `--max-request-bytes`, 1.5 MiB by default.";
    RequestTooManyRequests, RESOURCE_EXHAUSTED, No, "etcdserver: too many requests",
        "The server falls behind and refuses before it proposes; wait and try again.";
    RootUserNotExist, FAILED_PRECONDITION, No, "etcdserver: root user does not exist",
        "Auth cannot be enabled without a root user.";
    RootRoleNotExist, FAILED_PRECONDITION, No, "etcdserver: root user does not have root role",
        "Auth cannot be enabled without the root role.";
    UserAlreadyExist, FAILED_PRECONDITION, No, "etcdserver: user name already exists",
        "A user with that name exists.";
    UserEmpty, INVALID_ARGUMENT, No, "etcdserver: user name is empty",
        "Auth is on and the call had no token, or a user name is missing.";
    UserNotFound, FAILED_PRECONDITION, No, "etcdserver: user name not found",
        "No user has that name.";
    RoleAlreadyExist, FAILED_PRECONDITION, No, "etcdserver: role name already exists",
        "A role with that name exists.";
    RoleNotFound, FAILED_PRECONDITION, No, "etcdserver: role name not found",
        "No role has that name.";
    RoleEmpty, INVALID_ARGUMENT, No, "etcdserver: role name is empty",
        "A role name is missing.";
    AuthFailed, INVALID_ARGUMENT, No, "etcdserver: authentication failed, invalid user ID or password",
        "Wrong user or password.";
    PermissionNotGiven, INVALID_ARGUMENT, No, "etcdserver: permission not given",
        "A grant without a permission.";
    PermissionDenied, PERMISSION_DENIED, No, "etcdserver: permission denied",
        "The user may not do that.";
    RoleNotGranted, FAILED_PRECONDITION, No, "etcdserver: role is not granted to the user",
        "The user does not have that role.";
    PermissionNotGranted, FAILED_PRECONDITION, No, "etcdserver: permission is not granted to the role",
        "The role does not have that permission.";
    AuthNotEnabled, FAILED_PRECONDITION, No, "etcdserver: authentication is not enabled",
        "Auth is off.";
    InvalidAuthToken, UNAUTHENTICATED, No, "etcdserver: invalid auth token",
        "The token is unknown or too old.";
    InvalidAuthMgmt, INVALID_ARGUMENT, No, "etcdserver: invalid auth management",
        "A change that would break auth, such as deleting root.";
    AuthOldRevision, INVALID_ARGUMENT, No, "etcdserver: revision of auth store is old",
        "Users or roles changed since the token was made.";
    NoLeader, UNAVAILABLE, No, "etcdserver: no leader",
        "The member knows no leader and refuses before it proposes.";
    NotLeader, FAILED_PRECONDITION, No, "etcdserver: not leader",
        "Only the leader can do that.";
    LeaderChanged, UNAVAILABLE, Maybe, "etcdserver: leader changed",
        "The leader changed under way. Its known sources are reads, but not in the table of certain answers, on purpose.";
    NotCapable, FAILED_PRECONDITION, No, "etcdserver: not capable",
        "The member is still starting.";
    Stopped, UNAVAILABLE, Maybe, "etcdserver: server stopped",
        "The member is shutting down.";
    Timeout, UNAVAILABLE, Maybe, "etcdserver: request timed out",
        "No agreement in the server's own time; the proposal may be on its way.";
    TimeoutDueToLeaderFail, UNAVAILABLE, Maybe, "etcdserver: request timed out, possibly due to previous leader failure",
        "As `Timeout`.";
    TimeoutDueToConnectionLost, UNAVAILABLE, Maybe, "etcdserver: request timed out, possibly due to connection lost",
        "As `Timeout`.";
    TimeoutWaitAppliedIndex, UNAVAILABLE, Maybe, "etcdserver: request timed out, waiting for the applied index took too long",
        "As `Timeout`.";
    Unhealthy, UNAVAILABLE, No, "etcdserver: unhealthy cluster",
        "The cluster is not healthy enough for a change of members.";
    Corrupt, DATA_LOSS, No, "etcdserver: corrupt cluster",
        "The CORRUPT alarm is raised.";
    NotSupportedForLearner, FAILED_PRECONDITION, No, "etcdserver: rpc not supported for learner",
        "The member is a learner; ask a voting one.";
    BadLeaderTransferee, FAILED_PRECONDITION, No, "etcdserver: bad leader transferee",
        "The member cannot become leader.";
    ClusterVersionUnavailable, FAILED_PRECONDITION, No, "etcdserver: cluster version not found during downgrade",
        "The cluster's version is not known yet.";
    WrongDowngradeVersionFormat, INVALID_ARGUMENT, No, "etcdserver: wrong downgrade target version format",
        "The target version cannot be read.";
    InvalidDowngradeTargetVersion, INVALID_ARGUMENT, No, "etcdserver: invalid downgrade target version",
        "The target is not one minor version below.";
    DowngradeInProcess, FAILED_PRECONDITION, No, "etcdserver: cluster has a downgrade job in progress",
        "A downgrade is under way.";
    NoInflightDowngrade, FAILED_PRECONDITION, No, "etcdserver: no inflight downgrade job",
        "No downgrade is under way.";
    Canceled, CANCELED, Maybe, "etcdserver: request canceled",
        "The request was canceled under way.";
    DeadlineExceeded, DEADLINE_EXCEEDED, Maybe, "etcdserver: context deadline exceeded",
        "The deadline sent along passed under way.";
    ProposalDropped, UNKNOWN, No, "raft proposal dropped",
        "The proposal was refused locally, before it went anywhere.";
    NotPrimaryLessor, UNKNOWN, No, "not a primary lessor",
        "The leader cannot prove its leadership; ask another endpoint.";
    DuplicateWatchID, UNKNOWN, No, "mvcc: duplicate watch ID provided on the WatchStream",
        "A watch with that id exists on the stream.";
    WatchRangeEmpty, UNKNOWN, No, "mvcc: watcher range is empty",
        "The range's end is not above its key.";
    ElectionNoLeader, UNKNOWN, No, "election: no leader",
        "Nobody has won the election yet, or the last one who did is gone.";
    ElectionNotLeader, UNKNOWN, No, "election: not leader",
        "The given leader key is not the election's leader any more.";
    MissingLeaderKey, UNKNOWN, No, "\"leader\" field must be provided",
        "Proclaim or resign without the leader key that the campaign answered with.";
    SessionExpired, UNKNOWN, Maybe, "mutex: session is expired",
        "The lease of a lock ended while it was waited for.";
    NoPasswordUser, UNKNOWN, No, "auth: authentication failed, password was given for no password user",
        "The user has no password: it can only come with a certificate.";
    MessageTooLarge, RESOURCE_EXHAUSTED, No, "grpc: received message larger than max",
        "A request over the gateway's own limit, `--max-request-bytes` and 512 KiB. Refused before it reached the store.";
    GatewayConnection, UNAVAILABLE, Maybe, "connection error: desc = ",
        "The gateway lost the connection to its own server, or has none: the member is shutting down, or its certificate is not good for clients.";
    CommonName, INVALID_ARGUMENT, No, "CommonName of client sending a request against gateway will be ignored and not used as expected",
        "The client's certificate has a CommonName, which the gateway does not take while auth is on.";
    PageNotFound, NOT_FOUND, No, "404 page not found",
        "Nothing answers at the path: the gateway is off, or the API prefix is another.";
    MisdirectedRequest, INVALID_ARGUMENT, No, "Misdirected Request",
        "The host in the request is not in the server's `--host-whitelist`.";
}

/// What the gateway says when it has no connection to its own server (gateway.md 5.2, 14).
const CONNECTION_LOST: [&str; 5] = [
    "transport is closing",
    "connection closed",
    "error reading from server: EOF",
    "grpc: the client connection is closing",
    "Error while dialing",
];

/// How servers begin the text that tells of a host which is not in the whitelist (seen on 3.4.23 and
/// 3.5.1; gateway.md 5.2 has only the status line's words).
const HOST_UNRECOGNIZED: &str = "etcd received your request, but the Host header was unrecognized.";

impl Known {
    /// The known error with this message. Some places send a message without its `etcdserver: `,
    /// or the one that a package inside of the server has for it.
    pub(crate) fn find(message: &str) -> Option<Self> {
        if let Some(known) = Self::exactly(message) {
            return Some(known);
        }
        match message {
            "mvcc: required revision has been compacted" => Some(Self::Compacted),
            "mvcc: required revision is a future revision" => Some(Self::FutureRev),
            // From here on as gateway.md 5.2 found them.
            "auth: user name is empty" => Some(Self::UserEmpty),
            "auth: permission denied" => Some(Self::PermissionDenied),
            "auth: revision in header is old" => Some(Self::AuthOldRevision),
            "auth: invalid auth token" => Some(Self::InvalidAuthToken),
            "context canceled" => Some(Self::Canceled),
            "context deadline exceeded" => Some(Self::DeadlineExceeded),
            _ if message.contains("received message larger than max") => {
                Some(Self::MessageTooLarge)
            }
            // What comes as the text of status 421; the name is only in the status line.
            _ if message.starts_with(HOST_UNRECOGNIZED) => Some(Self::MisdirectedRequest),
            _ if message.starts_with(Self::GatewayConnection.message())
                || CONNECTION_LOST.contains(&message) =>
            {
                Some(Self::GatewayConnection)
            }
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
