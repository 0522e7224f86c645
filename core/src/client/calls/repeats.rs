//! What a further attempt of a call finds that an earlier one did (rule R-3).
//!
//! The answer of the earlier attempt was lost, so nobody knows whether it was carried out. That the
//! further one finds its work done already is the success of the call. Only calls that nobody else can
//! have made count: a lease has an id that this client drew, and one that is gone is gone whoever
//! ended it.

use crate::api::LeaseGrantResponse;
use crate::api::LeaseRevokeResponse;
use crate::api::LeaseTimeToLive;
use crate::api::Response;
use crate::api::Rpc;
use crate::client::Client;
use crate::error::Code;
use crate::error::Known;
use crate::error::Status;
use crate::id::CallId;
use crate::wire::gateway::Encoded;

impl Client {
    /// What an answer comes to, given the attempts before. None: the call goes on.
    pub(super) fn explain(
        &mut self,
        id: CallId,
        result: Result<Response, Status>,
    ) -> Option<Result<Response, Status>> {
        let Some(call) = self
            .calls
            .table
            .get_mut(&id)
            .filter(|call| call.is_in_doubt())
        else {
            return Some(result);
        };
        match (call.request.rpc, result) {
            (Rpc::LeaseRevoke, Err(status)) if status.known() == Some(Known::LeaseNotFound) => {
                Some(Ok(LeaseRevokeResponse::default().into()))
            }
            // It was granted; for how long is known by the lease (guarantee G29).
            (Rpc::LeaseGrant, Err(status)) if status.known() == Some(Known::LeaseExist) => {
                let drawn = call.drawn;
                #[cfg(feature = "planted")]
                let is_refused = self.config.planted == Some(crate::planted::Planted::GrantRefused);
                #[cfg(feature = "planted")]
                let drawn = drawn.filter(|_| !is_refused);
                let Some(lease) = drawn else {
                    return Some(Err(status));
                };
                let accepts = call.request.accepts;
                call.request = Encoded::new(&LeaseTimeToLive::new(lease));
                call.request.accepts = accepts;
                self.calls.put_first(id);
                None
            }
            (Rpc::LeaseTimeToLive, Ok(Response::LeaseTimeToLive(answer))) => {
                let Some(lease) = call.drawn else {
                    return Some(Ok(answer.into()));
                };
                // It lives from when the attempt was sent that made it.
                call.sent_at = call.in_doubt_since.unwrap_or(call.sent_at);
                if answer.ttl < 0 {
                    let message = Known::LeaseNotFound.message();
                    return Some(Err(Status::new(Code::NOT_FOUND, message)));
                }
                let granted = LeaseGrantResponse {
                    header: answer.header,
                    id: lease,
                    ttl: answer.granted_ttl,
                    ..LeaseGrantResponse::default()
                };
                Some(Ok(granted.into()))
            }
            (_, result) => Some(result),
        }
    }
}
