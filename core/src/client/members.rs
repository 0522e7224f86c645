//! Which endpoints there are, where that changes while the client is in use: told by the user, or taken from the
//! cluster's list of members (rule B-9).
//!
//! What goes on at an endpoint that is taken away ends there: calls under way have their answers, all else goes
//! on elsewhere. What is known of an endpoint is for `endpoint`.

use std::collections::BTreeSet;

use super::Client;
use super::calls::Owner;
use super::endpoint::Endpoint;
use super::notice::What;
use super::timer::Timer;
use crate::api::Member;
use crate::api::MemberList;
use crate::api::Response;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::CloseReason;
use crate::error::ConfigError;
use crate::error::Error;
use crate::id::CallId;
use crate::id::ConnId;
use crate::time::Instant;
use crate::wire::Purpose;

/// What is under way to learn the members.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    /// Calls of the user whose answers say which endpoints there are.
    asked: BTreeSet<CallId>,
    /// The client's own, if one is under way.
    own: Option<CallId>,
    /// What earlier ones say is out of date: the user, or a later one, has said otherwise.
    not_before: u64,
    /// What was answered, until it is taken over.
    answer: Option<Vec<Member>>,
}

/// How many of the members' URLs are taken over.
const MOST_ENDPOINTS: usize = 128;

impl Client {
    /// Takes these endpoints from now on, in place of those it had. Of those it had before it keeps all it knows;
    /// at those it has no more, calls under way are waited for, and watches, renewals and observations go on
    /// elsewhere without a gap. The next connections are not held up by what failed before.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoEndpoints`] if there are none, and [`ConfigError::BadCredentials`] where the client's
    /// credentials may not go to one of them ([`Credentials::over_plain_http`](crate::Credentials::over_plain_http)):
    /// nothing changes then.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Output, Range};
    ///
    /// let mut client = Client::new(Config::new(["10.0.0.1"])?, 1, Instant::ZERO);
    /// client.set_endpoints(Instant::ZERO, ["10.0.0.2".parse()?, "10.0.0.3".parse()?])?;
    /// client.call(Instant::ZERO, Range::key("k"));
    /// let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
    /// assert_ne!(endpoint.host(), "10.0.0.1");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn set_endpoints(
        &mut self,
        now: Instant,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Result<(), ConfigError> {
        // One that a connection was ordered with may say what that goes through.
        let endpoints = endpoints.into_iter().map(|it| it.through(None));
        let endpoints: Vec<Endpoint> = endpoints.collect();
        if endpoints.is_empty() {
            return Err(ConfigError::NoEndpoints);
        }
        self.auth
            .check_endpoints(&endpoints, self.config.proxy.as_ref())?;
        self.notices.handle_time(now);
        self.syncs.not_before = self.next_call;
        self.syncs.answer = None;
        if endpoints != self.config.endpoints {
            self.change_endpoints(now, endpoints);
        }
        self.settle(now);
        Ok(())
    }

    /// Asks for the cluster's members, and takes their endpoints from then on (rule B-9); what is answered comes as
    /// of any call. [`Config::sync_interval`](crate::Config::sync_interval) does that again and again.
    ///
    /// Taken are the client URLs of members that have started and are no learners. Where all endpoints have TLS, or
    /// none, so do the new ones, whatever their URLs say. URLs that cannot be meant for this client are left out:
    /// those of no address, those on loopback and sockets where no endpoint was one, and those the credentials
    /// may not go to. Where none is left, all stays as it is.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Output};
    ///
    /// let mut client = Client::new(Config::new(["10.0.0.1"])?, 1, Instant::ZERO);
    /// client.sync(Instant::ZERO);
    /// assert!(matches!(client.poll_output(), Some(Output::Connect { .. })));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn sync(&mut self, now: Instant) -> CallId {
        let call = self.call(now, MemberList::new());
        if self.has_call(call) {
            self.syncs.asked.insert(call);
        }
        call
    }

    /// It is time to ask for the members.
    pub(super) fn sync_is_due(&mut self, now: Instant) {
        self.arm_sync(now);
        if self.syncs.own.is_none() {
            let call = self.call_for_itself(now, Owner::Sync, &MemberList::new());
            self.syncs.own = Some(call);
        }
    }

    /// Asks again after the interval, if there is one.
    pub(super) fn arm_sync(&mut self, now: Instant) {
        if let Some(interval) = self.config.sync_interval {
            let least = core::time::Duration::from_secs(1);
            self.timers.arm(now + interval.max(least), Timer::Sync);
        }
    }

    /// A call has ended; it may have been for the members.
    pub(super) fn sync_answered(&mut self, call: CallId, result: &Result<Response, Error>) {
        if self.syncs.own == Some(call) {
            self.syncs.own = None;
        } else if !self.syncs.asked.remove(&call) {
            return;
        }
        if let Ok(Response::MemberList(answer)) = result {
            if call.get() >= self.syncs.not_before {
                self.syncs.not_before = call.get() + 1;
                self.syncs.answer = Some(answer.members.clone());
            }
        }
    }

    /// Takes over what was answered, if something was.
    pub(super) fn finish_sync(&mut self, now: Instant) {
        let Some(members) = self.syncs.answer.take() else {
            return;
        };
        let mut told = told_by(&members, &self.config.endpoints);
        let proxy = self.config.proxy.as_ref();
        told.retain(|endpoint| {
            let one = core::slice::from_ref(endpoint);
            self.auth.check_endpoints(one, proxy).is_ok()
        });
        if told.is_empty() {
            return;
        }
        // The order stays, as it may mean something.
        let known = self.config.endpoints.iter();
        let mut endpoints: Vec<Endpoint> = known
            .filter(|known| told.contains(known))
            .cloned()
            .collect();
        for endpoint in told.into_iter().take(MOST_ENDPOINTS) {
            if !endpoints.contains(&endpoint) {
                endpoints.push(endpoint);
            }
        }
        if endpoints != self.config.endpoints {
            self.change_endpoints(now, endpoints);
        }
    }

    fn change_endpoints(&mut self, now: Instant, endpoints: Vec<Endpoint>) {
        if self.is_shut_down {
            return;
        }
        self.notices.note(|| What::EndpointsSet {
            endpoints: endpoints.clone(),
        });
        let first = self.rng.next_u64();
        self.endpoints.set(endpoints.clone(), first);
        self.config.endpoints = endpoints;
        self.forget_endpoints();
        self.restart_logins(now);
        self.open_gates();
        let lanes: BTreeSet<Lane> = self.calls.lanes().chain(self.streams.lanes()).collect();
        let is_left = |conn: &Conn| {
            // One that is bound to its endpoint is left once nobody is there who is, too.
            let is_named = conn.lane.endpoint().is_some() && lanes.contains(&conn.lane);
            !is_named && !self.endpoints.is_configured(conn.endpoint) && may_leave(conn)
        };
        let left = self.conns.iter().filter(|(_, conn)| is_left(conn));
        let left: Vec<ConnId> = left.map(|(id, _)| *id).collect();
        for id in left {
            self.conn_lost(now, id, CloseReason::Removed);
        }
    }
}

/// Whether nothing is lost where the connection ends now.
fn may_leave(conn: &Conn) -> bool {
    match conn.lane.purpose() {
        Purpose::Watches | Purpose::Renewals => true,
        Purpose::Stream if conn.lane == Lane::Observers => true,
        Purpose::Stream => !conn.is_open(),
        Purpose::Calls => !conn.is_open() || conn.wire.is_idle(),
    }
}

/// The endpoints that these members tell, as far as a client of `configured` can use them.
fn told_by(members: &[Member], configured: &[Endpoint]) -> Vec<Endpoint> {
    let serves = |member: &&Member| !member.name.is_empty() && !member.is_learner;
    let urls = members.iter().filter(serves);
    let urls = urls.flat_map(|member| &member.client_urls);
    let is_tls = configured.first().map(Endpoint::is_tls);
    let is_tls = is_tls.filter(|first| configured.iter().all(|it| it.is_tls() == *first));
    let is_here = configured.iter().any(Endpoint::is_loopback);
    let has_socket = configured.iter().any(|it| it.socket_path().is_some());
    urls.filter_map(|url| url.parse::<Endpoint>().ok())
        .filter(|it| !it.is_unspecified())
        .filter(|it| is_here || !it.is_loopback())
        .filter(|it| has_socket || it.socket_path().is_none())
        .map(|it| match is_tls {
            Some(is_tls) => it.with_tls(is_tls),
            None => it,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, urls: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            client_urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            ..Member::default()
        }
    }

    fn told(members: &[Member], configured: &[&str]) -> Vec<String> {
        let configured: Vec<Endpoint> = configured.iter().map(|it| it.parse().unwrap()).collect();
        let told = told_by(members, &configured);
        told.iter().map(Endpoint::to_string).collect()
    }

    #[test]
    fn b9_what_a_client_cannot_use_is_left_out() {
        let mut learner = member("c", &["http://10.0.0.3:2379"]);
        learner.is_learner = true;
        let members = [
            member("a", &["http://10.0.0.1:2379", "http://127.0.0.1:2379"]),
            member("", &["http://10.0.0.2:2379"]),
            learner,
            member(
                "d",
                &["http://0.0.0.0:2379", "unix://x:1", "ftp://10.0.0.4"],
            ),
            member("e", &["http://[::]:1", "https://10.0.0.5:1"]),
        ];
        let plain = ["http://10.0.0.1:2379", "http://10.0.0.5:1"];
        assert_eq!(told(&members, &["10.0.0.9"]), plain);
        let tls = ["https://10.0.0.1:2379", "https://10.0.0.5:1"];
        assert_eq!(told(&members, &["https://10.0.0.9"]), tls);
        let mixed = ["http://10.0.0.1:2379", "https://10.0.0.5:1"];
        assert_eq!(told(&members, &["10.0.0.9", "https://10.0.0.8"]), mixed);
        let here = told(&members, &["localhost"]);
        assert!(
            here.contains(&"http://127.0.0.1:2379".to_owned()),
            "{here:?}"
        );
        let socket = told(&members, &["unix:///run/s"]);
        assert!(socket.contains(&"unix://x:1".to_owned()), "{socket:?}");
    }
}
