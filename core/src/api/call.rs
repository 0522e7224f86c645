//! What all calls have in common: one request, one answer, one name.
//!
//! A watch is not among them: it is a stream. How a call is sent is for the carrier to know.

use serde::Serialize;

use super::json::message;
use super::{
    CompactResponse, DeleteRangeResponse, HealthResponse, LeaseGrantResponse,
    LeaseKeepAliveResponse, LeaseLeasesResponse, LeaseRevokeResponse, LeaseTimeToLiveResponse,
    PutResponse, RangeResponse, StatusResponse, TxnResponse, VersionResponse,
};
use crate::error::Misuse;

/// A request that has one answer.
///
/// ```
/// use etcd_core::{Call, Put, Range, Rpc};
///
/// assert_eq!(Range::RPC, Rpc::Range);
/// assert!(Range::key("k").is_read());
/// assert!(!Put::new("k", "v").is_read());
/// ```
pub trait Call: Serialize {
    /// What it is answered with.
    type Response;

    /// Which call it is.
    const RPC: Rpc;

    /// Whether it leaves everything as it was, so that sending it again can do no harm.
    ///
    /// ```
    /// use etcd_core::{Call, DeleteRange};
    ///
    /// assert!(!DeleteRange::key("k").is_read());
    /// ```
    fn is_read(&self) -> bool;

    /// Whether sending it twice does what sending it once does. True for reads.
    ///
    /// ```
    /// use etcd_core::{Call, LeaseKeepAlive};
    ///
    /// let renewal = LeaseKeepAlive::new(7);
    /// assert!(renewal.is_repeatable() && !renewal.is_read());
    /// ```
    fn is_repeatable(&self) -> bool {
        self.is_read()
    }

    /// Finds what etcd could only refuse, before anything is sent.
    ///
    /// ```
    /// use etcd_core::{Call, Misuse, Put};
    ///
    /// assert_eq!(Put::new("", "v").check(), Err(Misuse::EmptyKey));
    /// ```
    ///
    /// # Errors
    ///
    /// The first thing found wrong.
    fn check(&self) -> Result<(), Misuse> {
        Ok(())
    }

    /// This call's answer, if that is what `response` is.
    ///
    /// ```
    /// use etcd_core::{Call, Put, PutResponse, Range, Response};
    ///
    /// let response = Response::Put(PutResponse::default());
    /// assert!(Range::from_response(response.clone()).is_none());
    /// assert_eq!(Put::from_response(response), Some(PutResponse::default()));
    /// ```
    fn from_response(response: Response) -> Option<Self::Response>;
}

macro_rules! calls {
    ($($(#[$doc:meta])* $rpc:ident($response:ident),)*) => {
        /// The name of a call, whatever carries it.
        ///
        /// ```
        /// use etcd_core::{Call, Rpc, Txn};
        ///
        /// assert_eq!(Txn::RPC, Rpc::Txn);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rpc {
            $($(#[$doc])* $rpc,)*
        }

        /// The answer to any call.
        ///
        /// ```
        /// use etcd_core::{PutResponse, Response, Rpc};
        ///
        /// let response = Response::from(PutResponse::default());
        /// assert_eq!(response.rpc(), Rpc::Put);
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Response {
            $($(#[$doc])* $rpc($response),)*
        }

        impl Response {
            /// Which call this answers.
            ///
            /// ```
            /// use etcd_core::{Response, Rpc, TxnResponse};
            ///
            /// assert_eq!(Response::Txn(TxnResponse::default()).rpc(), Rpc::Txn);
            /// ```
            #[must_use]
            pub const fn rpc(&self) -> Rpc {
                match self {
                    $(Self::$rpc(_) => Rpc::$rpc,)*
                }
            }
        }

        $(
            impl From<$response> for Response {
                fn from(response: $response) -> Self {
                    Self::$rpc(response)
                }
            }
        )*
    };
}

calls! {
    /// Read keys.
    Range(RangeResponse),
    /// Write one key.
    Put(PutResponse),
    /// Delete keys.
    DeleteRange(DeleteRangeResponse),
    /// Compare, then do one list of operations or another, at one revision.
    Txn(TxnResponse),
    /// Forget the history before a revision.
    Compact(CompactResponse),
    /// Make a lease.
    LeaseGrant(LeaseGrantResponse),
    /// End a lease and delete its keys.
    LeaseRevoke(LeaseRevokeResponse),
    /// Renew a lease once.
    LeaseKeepAlive(LeaseKeepAliveResponse),
    /// Ask how long a lease has left.
    LeaseTimeToLive(LeaseTimeToLiveResponse),
    /// List the leases.
    LeaseLeases(LeaseLeasesResponse),
    /// Ask one server how it is.
    Status(StatusResponse),
    /// Ask one server for its version.
    Version(VersionResponse),
    /// Ask one server whether it can serve.
    Health(HealthResponse),
}

/// Implements [`Call`]: the parts that are the same for all, and the rest as given.
macro_rules! call {
    ($request:ident => $rpc:ident($response:ident) { $($rest:item)* }) => {
        impl $crate::api::Call for $request {
            type Response = $response;

            const RPC: $crate::api::Rpc = $crate::api::Rpc::$rpc;

            $($rest)*

            fn from_response(response: $crate::api::Response) -> Option<$response> {
                match response {
                    $crate::api::Response::$rpc(response) => Some(response),
                    _ => None,
                }
            }
        }
    };
}

pub(super) use call;

/// Who answered, and at which revision of the store.
///
/// Answers inside a transaction have only the revision.
///
/// ```
/// let header = etcd_core::ResponseHeader::default();
/// assert_eq!(header.revision, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseHeader {
    /// The cluster that answered.
    pub cluster_id: u64,
    /// The member that answered.
    pub member_id: u64,
    /// The revision of the store when the answer was made. Calls that are not about the store
    /// leave it 0.
    pub revision: i64,
    /// The term of raft when the answer was made.
    pub raft_term: u64,
}

message!(ResponseHeader {
    "cluster_id" => cluster_id,
    "member_id" => member_id,
    "revision" => revision,
    "raft_term" => raft_term,
});
