//! Under which path each server has its gateway
//! ([`Config::find_api_prefix`](crate::Config::find_api_prefix)).
//!
//! A server is asked for its version, once, before anything else is asked of it below a prefix. Whoever
//! wants to waits in its line until the answer is there, or until another server is next as this one gave
//! none. Calls know nothing of it but that.

use std::collections::BTreeMap;

use super::Client;
use super::calls::Owner;
use super::retry;
use super::timer::Timer;
use crate::api::Response;
use crate::conn::Lane;
use crate::conn::ServerVersion;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Version;
use crate::id::EndpointIndex;
use crate::time::Instant;
use crate::wire::gateway::ApiPrefix;

/// The prefixes of servers.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// None of those that were asked and have not answered.
    found: BTreeMap<EndpointIndex, Option<ApiPrefix>>,
    /// A question was put in line and may find a connection.
    asked: bool,
}

impl Prefixes {
    /// What was known of a server may not be so any more. Not if it is just being asked.
    pub(super) fn forget(&mut self, at: EndpointIndex) {
        if matches!(self.found.get(&at), Some(Some(_))) {
            self.found.remove(&at);
        }
    }

    /// Forgets the servers that are not kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(EndpointIndex) -> bool) {
        self.found.retain(|at, _| is_kept(*at));
    }
}

impl Client {
    /// What stands before the paths of a server, as far as that is known.
    pub(super) fn prefix(&self, at: EndpointIndex) -> &ApiPrefix {
        let found = self.prefixes.found.get(&at).and_then(Option::as_ref);
        found.unwrap_or(&self.config.api_prefix)
    }

    /// Whether a server's prefix is known as well as can be. If not, it is asked for it.
    pub(super) fn is_found(&mut self, now: Instant, at: EndpointIndex) -> bool {
        if !self.config.find_api_prefix {
            return true;
        }
        match self.prefixes.found.get(&at) {
            Some(found) => found.is_some(),
            // It did not answer the last time.
            None if !self.may_open(Lane::Pinned(at)) => false,
            None => {
                self.prefixes.found.insert(at, None);
                self.prefixes.asked = true;
                self.ask_first(now, Owner::Prefix(at), at);
                false
            }
        }
    }

    /// This one if its prefix is known, and else another one that serves, of which it is.
    pub(super) fn found_instead(
        &mut self,
        now: Instant,
        at: EndpointIndex,
        avoided: Option<EndpointIndex>,
    ) -> Option<EndpointIndex> {
        if self.is_found(now, at) {
            return Some(at);
        }
        let is_known = |at: &EndpointIndex| matches!(self.prefixes.found.get(at), Some(Some(_)));
        let mut others = self.endpoints.instead();
        others.find(|other| Some(*other) != avoided && is_known(other))
    }

    /// The endpoint for the next call, of those whose prefix is known.
    pub(super) fn found_for_call(&mut self, now: Instant) -> Option<EndpointIndex> {
        let at = self.endpoints.for_call();
        self.found_instead(now, at, None)
    }

    /// Where somebody who waits in a lane may have to wait for the answer to that question first.
    pub(super) fn lane_of_question(&self, lane: Lane) -> Option<Lane> {
        let is_on = self.config.find_api_prefix && lane.endpoint().is_none();
        is_on.then(|| Lane::Pinned(self.endpoints.for_call()))
    }

    /// Whether a server was asked since the last time.
    pub(super) fn prefix_was_asked(&mut self) -> bool {
        core::mem::take(&mut self.prefixes.asked)
    }

    /// A server is asked again after a wait, if it is still wanted then.
    fn ask_later(&mut self, at: EndpointIndex) {
        self.prefixes.found.remove(&at);
        let lane = Lane::Pinned(at);
        let gate = self.gates.entry(lane).or_default();
        if let Some(until) = gate.handle_failure(self.now, 1, retry::TROUBLE, &mut self.rng) {
            self.timers.arm(until, Timer::Retry(lane));
        }
    }

    /// A server has said its version, or did not.
    pub(super) fn prefix_answered(&mut self, at: EndpointIndex, result: &Result<Response, Error>) {
        let prefix = match result {
            Ok(Response::Version(answer)) => match ServerVersion::told(Some(&answer.etcdserver)) {
                ServerVersion::Known(version) => prefix_of(&version),
                _ => None,
            },
            Err(error) if may_say_later(error) => return self.ask_later(at),
            // It is there, and does not say.
            Ok(_) | Err(_) => None,
        };
        let prefix = prefix.unwrap_or_else(|| self.config.api_prefix.clone());
        for conn in self.conns.values_mut().filter(|conn| conn.endpoint == at) {
            conn.wire.set_prefix(&prefix);
        }
        self.prefixes.found.insert(at, Some(prefix));
    }
}

/// Whether a server that gave no version may give one the next time.
fn may_say_later(error: &Error) -> bool {
    match error {
        Error::Etcd { status, .. } => retry::passing(status).is_some(),
        Error::Unavailable { cause, .. } => !matches!(
            cause,
            Cause::ConnectionLost(CloseReason::Json(_) | CloseReason::Protocol(_))
        ),
        Error::Auth { .. } | Error::Limit { .. } => false,
        _ => true,
    }
}

/// What the gateways of a version have before their paths (semantics.md, appendix on paths).
fn prefix_of(version: &Version) -> Option<ApiPrefix> {
    let text = if *version < Version::new(3, 3, 0) {
        "/v3alpha"
    } else if *version < Version::new(3, 4, 0) {
        "/v3beta"
    } else {
        "/v3"
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_prefix() {
        for (version, prefix) in [
            ("3.0.17", "/v3alpha"),
            ("3.2.32", "/v3alpha"),
            ("3.3.0", "/v3beta"),
            ("3.3.27", "/v3beta"),
            ("3.4.0", "/v3"),
            ("3.5.16", "/v3"),
            ("4.0.0", "/v3"),
        ] {
            let version = version.parse().unwrap();
            assert_eq!(prefix_of(&version).unwrap().to_string(), prefix);
        }
    }
}
