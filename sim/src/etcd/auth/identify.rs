//! Who asks: from the token of a request to a name.

use etcd_core::{Code, Instant, Known};

use super::{AuthInfo, AuthStore, Tokens, known};
use crate::etcd::{Fault, Request};

impl AuthStore {
    /// Who asks `request`, on the member it came to. Nobody, if there is no token, or if this version
    /// does not look at the token for this call (gateway.md 13).
    ///
    /// ```
    /// use core::time::Duration;
    /// use etcd_core::{Instant, Known, Put, StatusRequest, Version};
    /// use etcd_sim::etcd::auth::{AuthInfo, AuthStore, Tokens};
    ///
    /// let store = AuthStore::new(&Version::new(3, 4, 23));
    /// let mut tokens = Tokens::new(Duration::from_secs(300));
    /// let mut who = |request| store.identify(Instant::ZERO, &mut tokens, Some("gone.7"), &request);
    /// // That version looks at tokens though authentication is off, but not for a status.
    /// let refused = who(Put::new("k", "v").into()).unwrap_err();
    /// assert_eq!(refused.message, Known::InvalidAuthToken.message());
    /// assert_eq!(who(StatusRequest::new().into()), Ok(AuthInfo::default()));
    /// ```
    ///
    /// # Errors
    ///
    /// The token is unknown or ran out.
    pub fn identify(
        &self,
        now: Instant,
        tokens: &mut Tokens,
        token: Option<&str>,
        request: &Request,
    ) -> Result<AuthInfo, Fault> {
        if !self.looks_at_token(request) {
            return Ok(AuthInfo::default());
        }
        self.who(now, tokens, token).map_err(|_| match request {
            // The maintenance service passes the error of the package inside on as it is.
            Request::Hash(_) | Request::HashKv(_) | Request::Defragment(_) => inside(),
            Request::Alarm(_) if !self.rules.names_alarm_token => inside(),
            _ => known(Known::InvalidAuthToken),
        })
    }

    /// Who asks on a stream: for a watch when it is created, for a snapshot, a renewal or an
    /// observation when it begins.
    ///
    /// # Errors
    ///
    /// The token is unknown or ran out.
    pub fn identify_stream(
        &self,
        now: Instant,
        tokens: &mut Tokens,
        token: Option<&str>,
    ) -> Result<AuthInfo, Fault> {
        self.who(now, tokens, token)
            .map_err(|_| known(Known::InvalidAuthToken))
    }

    fn who(
        &self,
        now: Instant,
        tokens: &mut Tokens,
        token: Option<&str>,
    ) -> Result<AuthInfo, Unknown> {
        if !self.enabled && self.rules.ignores_tokens_when_off {
            return Ok(AuthInfo::default());
        }
        let Some(token) = token else {
            return Ok(AuthInfo::default());
        };
        let token = token.trim_end();
        let user = tokens.user(now, token).ok_or(Unknown)?.to_owned();
        // A signed one may be older than what its user may do now.
        let revision = tokens.revision(token).unwrap_or(self.revision);
        Ok(AuthInfo { user, revision })
    }

    /// Whether the token of this request is looked at.
    fn looks_at_token(&self, request: &Request) -> bool {
        match request {
            Request::Version(_)
            | Request::Health(_)
            | Request::Livez(_)
            | Request::Readyz(_)
            | Request::Metrics(_)
            | Request::Downgrade(_) => false,
            Request::Authenticate(_) => !self.rules.authenticates_without_token,
            Request::LeaseTimeToLive(ask) => {
                self.rules.guards_all || (ask.keys && self.rules.guards_lease_keys)
            }
            Request::LeaseLeases(_)
            | Request::Status(_)
            | Request::MoveLeader(_)
            | Request::MemberList(_) => self.rules.guards_all,
            // What becomes a log entry, or reads keys.
            _ => true,
        }
    }
}

/// The token is not known, or not any more.
struct Unknown;

/// What an unknown token is to the maintenance service.
fn inside() -> Fault {
    Fault::new(Code::UNKNOWN, "auth: invalid auth token")
}
