//! Every error a server can be made to give: provoked, and told by its type.
//!
//! [`PROVOKED`] says which scenario provokes which error on which servers, and each scenario checks
//! that it provoked those and no others. What the client would not send goes over
//! [`http`](crate::http). The rest is in [`NOT_PROVOKED`], with the reason.

mod gateway;
mod learner;
mod people;
mod quorum;
mod requests;

use std::collections::BTreeSet;

use etcd_core::Applied;
use etcd_core::Call;
use etcd_core::CallOptions;
use etcd_core::Code;
use etcd_core::Error;
use etcd_core::Known;
use etcd_core::Status;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::decode_answer;

pub use self::gateway::errors_of_the_gateway;
pub use self::learner::errors_of_members_and_learners;
pub use self::people::errors_of_users_and_tokens;
pub use self::quorum::errors_of_a_cluster_that_loses_members;
pub use self::requests::errors_of_requests;

use super::Must;
use super::PATIENCE;
use crate::driver::Driver;
use crate::http::Post;

/// Where an error is provoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it lists this folder's files")]
pub enum Scene {
    /// By requests to one member.
    Requests,
    /// By users, roles and tokens on one member.
    People,
    /// By changes of members.
    Members,
    /// By members that are lost.
    Quorum,
    /// At the gateway, in front of the server.
    Gateway,
}

/// Which errors are provoked, where, and from which version on.
pub const PROVOKED: &[(Known, Scene, [u32; 3])] = &[
    (Known::EmptyKey, Scene::Requests, ALL),
    (Known::KeyNotFound, Scene::Requests, ALL),
    (Known::ValueProvided, Scene::Requests, ALL),
    (Known::LeaseProvided, Scene::Requests, ALL),
    (Known::TooManyOps, Scene::Requests, ALL),
    (Known::DuplicateKey, Scene::Requests, ALL),
    (Known::Compacted, Scene::Requests, ALL),
    (Known::FutureRev, Scene::Requests, ALL),
    (Known::NoSpace, Scene::Requests, ALL),
    (Known::LeaseNotFound, Scene::Requests, ALL),
    (Known::LeaseExist, Scene::Requests, ALL),
    (Known::LeaseTTLTooLarge, Scene::Requests, ALL),
    (Known::RequestTooLarge, Scene::Requests, ALL),
    (Known::Corrupt, Scene::Requests, ALL),
    (Known::DuplicateWatchID, Scene::Requests, ALL),
    (Known::WatchRangeEmpty, Scene::Requests, ALL),
    (Known::ElectionNoLeader, Scene::Requests, ALL),
    (Known::ElectionNotLeader, Scene::Requests, ALL),
    (Known::MissingLeaderKey, Scene::Requests, ALL),
    (Known::SessionExpired, Scene::Requests, FROM_35),
    (Known::Canceled, Scene::Requests, ALL),
    (Known::DeadlineExceeded, Scene::Requests, ALL),
    (Known::WrongDowngradeVersionFormat, Scene::Requests, FROM_35),
    (
        Known::InvalidDowngradeTargetVersion,
        Scene::Requests,
        FROM_35,
    ),
    (Known::DowngradeInProcess, Scene::Requests, FROM_35),
    (Known::NoInflightDowngrade, Scene::Requests, FROM_35),
    (Known::RootUserNotExist, Scene::People, ALL),
    (Known::RootRoleNotExist, Scene::People, ALL),
    (Known::UserAlreadyExist, Scene::People, ALL),
    (Known::UserEmpty, Scene::People, ALL),
    (Known::UserNotFound, Scene::People, ALL),
    (Known::RoleAlreadyExist, Scene::People, ALL),
    (Known::RoleNotFound, Scene::People, ALL),
    (Known::RoleEmpty, Scene::People, ALL),
    (Known::AuthFailed, Scene::People, ALL),
    (Known::PermissionNotGiven, Scene::People, FROM_35),
    (Known::PermissionDenied, Scene::People, ALL),
    (Known::RoleNotGranted, Scene::People, ALL),
    (Known::PermissionNotGranted, Scene::People, ALL),
    (Known::AuthNotEnabled, Scene::People, ALL),
    (Known::InvalidAuthToken, Scene::People, ALL),
    (Known::InvalidAuthMgmt, Scene::People, ALL),
    (Known::AuthOldRevision, Scene::People, ALL),
    (Known::NoPasswordUser, Scene::People, ALL),
    (Known::PeerURLExist, Scene::Members, ALL),
    (Known::MemberNotEnoughStarted, Scene::Members, ALL),
    (Known::MemberBadURLs, Scene::Members, ALL),
    (Known::MemberNotFound, Scene::Members, ALL),
    (Known::MemberNotLearner, Scene::Members, ALL),
    (Known::LearnerNotReady, Scene::Members, ALL),
    (Known::TooManyLearners, Scene::Members, ALL),
    (Known::NotSupportedForLearner, Scene::Members, ALL),
    (Known::BadLeaderTransferee, Scene::Members, ALL),
    (Known::NotLeader, Scene::Members, ALL),
    (Known::ProposalDropped, Scene::Quorum, ALL),
    (Known::NoLeader, Scene::Quorum, ALL),
    (Known::LeaderChanged, Scene::Quorum, ALL),
    (Known::Timeout, Scene::Quorum, ALL),
    (Known::TimeoutDueToLeaderFail, Scene::Quorum, ALL),
    (Known::TimeoutDueToConnectionLost, Scene::Quorum, ALL),
    (Known::Unhealthy, Scene::Quorum, ALL),
    (Known::MessageTooLarge, Scene::Gateway, ALL),
    (Known::GatewayConnection, Scene::Gateway, ALL),
    (Known::PageNotFound, Scene::Gateway, ALL),
    (Known::MisdirectedRequest, Scene::Gateway, ALL),
];

/// Which errors are not provoked, and why.
pub const NOT_PROVOKED: &[(Known, &str)] = &[
    (
        Known::InvalidClientAPIVersion,
        "the header it is about ends the process of 3.4.23 and 3.5.1",
    ),
    (
        Known::InvalidSortOption,
        "from 3.6 on; the requests that lead to it end the process of older servers",
    ),
    (
        Known::WatchCanceled,
        "said to a client that is gone already",
    ),
    (
        Known::MemberExist,
        "the server makes the ids, from the time among other things",
    ),
    (
        Known::ClusterIDMismatch,
        "said by peers to each other, and not on the port for clients",
    ),
    (
        Known::RequestTooManyRequests,
        "needs a server that is 5,000 proposals behind, so an old disk or a debugger",
    ),
    (
        Known::NotCapable,
        "only in the moment between a server's start and its first cluster version",
    ),
    (
        Known::Stopped,
        "only in the moment in which a server ends; the gateway nearly always ends before",
    ),
    (
        Known::TimeoutWaitAppliedIndex,
        "needs a leader that applies nothing for seconds while it still answers",
    ),
    (
        Known::ClusterVersionUnavailable,
        "only in the moment between a server's start and its first cluster version",
    ),
    (
        Known::NotPrimaryLessor,
        "said by later versions, by a leader that is cut off and does not know it yet",
    ),
    (
        Known::CommonName,
        "needs client certificates, which this client does not have yet",
    ),
];

const ALL: [u32; 3] = [3, 4, 0];
const FROM_35: [u32; 3] = [3, 5, 0];

/// What a scenario has provoked so far.
struct Seen {
    scene: Scene,
    version: [u32; 3],
    seen: BTreeSet<Known>,
}

impl Seen {
    fn new(scene: Scene, version: [u32; 3]) -> Self {
        let seen = BTreeSet::new();
        Self {
            scene,
            version,
            seen,
        }
    }

    const fn has_35(&self) -> bool {
        self.version[1] >= 5
    }

    /// A call that the server refuses, over the client.
    #[track_caller]
    fn fails<C: Call>(&mut self, client: &impl Driver, call: C, known: Known) {
        let patient = CallOptions::default().with_timeout(PATIENCE);
        self.fails_with(client, call, patient, known);
    }

    /// The same, with options.
    #[track_caller]
    fn fails_with<C: Call>(
        &mut self,
        client: &impl Driver,
        call: C,
        options: CallOptions,
        known: Known,
    ) {
        let class = Class::of(&call);
        match client.call_with(call, options) {
            Ok(_) => panic!("{:?} was not refused with {known:?}", C::RPC),
            Err(error) => self.told(class, &error, known),
        }
    }

    /// What a call was told, which another thread may have made.
    #[track_caller]
    fn told(&mut self, class: Class, error: &Error, known: Known) {
        let status = match error {
            Error::Etcd { status, .. } | Error::Auth { status, .. } => status,
            other => panic!("wanted {known:?}, got {other:?}"),
        };
        // A read changes nothing; a transaction refused for its revision may have been half done
        // before etcd looked (reliability.md 2.1).
        let applied = match class {
            Class::Read => Applied::No,
            Class::Txn if known.code() == Code::OUT_OF_RANGE => Applied::Maybe,
            Class::Txn | Class::Write => known.applied(),
        };
        assert_eq!(error.applied(), applied, "{known:?}");
        self.saw(status, known);
    }

    /// A request that the client does not send, refused by the server.
    #[track_caller]
    fn refuses<C: Call>(&mut self, port: u16, post: &Post, known: Known) {
        let answer = post.send(port, PATIENCE).must();
        match decode_answer::<C>(answer.status, answer.body.as_bytes()) {
            Err(AnswerError::Status(status)) => {
                assert_eq!(status.applied(), known.applied(), "{known:?}");
                self.saw(&status, known);
            }
            _ => panic!("wanted {known:?}, got {answer:?}"),
        }
    }

    #[track_caller]
    fn saw(&mut self, status: &Status, known: Known) {
        assert_eq!(status.known(), Some(known), "{status:?}");
        self.seen.insert(known);
    }

    /// Whether all of these were seen.
    fn has_all(&self, wanted: &[Known]) -> bool {
        wanted.iter().all(|known| self.seen.contains(known))
    }

    /// All that are to be provoked here were, and no others.
    #[track_caller]
    fn done(self) {
        let rows = PROVOKED.iter();
        let here = rows.filter(|(_, scene, since)| *scene == self.scene && self.version >= *since);
        let wanted: BTreeSet<_> = here.map(|(known, ..)| *known).collect();
        assert_eq!(self.seen, wanted);
    }
}

/// What matters of a call for whether it may have happened.
#[derive(Clone, Copy)]
enum Class {
    Read,
    Write,
    Txn,
}

impl Class {
    fn of<C: Call>(call: &C) -> Self {
        match C::RPC {
            _ if call.is_read() => Self::Read,
            etcd_core::Rpc::Txn => Self::Txn,
            _ => Self::Write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_error_is_in_one_of_the_tables() {
        for known in Known::ALL {
            let provoked = PROVOKED.iter().filter(|row| row.0 == *known).count();
            let not = NOT_PROVOKED.iter().filter(|row| row.0 == *known).count();
            assert_eq!(provoked + not, 1, "{known:?}");
        }
        assert!(NOT_PROVOKED.iter().all(|(_, reason)| !reason.is_empty()));
    }
}
