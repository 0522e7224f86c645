//! Who the client is, for the servers: logins, and the tokens that requests carry.
//!
//! `keeper` decides which token goes where and when another one is needed; `token` knows how long one
//! lasts. Here the decisions meet calls, watches and connections:
//!
//! * Before a request goes to a member it is admitted. Calls that have to wait for a token are set
//!   aside with their own deadlines; watches stay in their line (rule A-4).
//! * One login is under way at a time (guarantee G38). It is a call like any other, to the current
//!   endpoint; when it has ended, whoever waited is admitted anew, or fails with what it was refused.
//! * A refused request is admitted anew after at most two refreshes (rule A-6).
//!
//! A token that is due is replaced when the next request comes, while that one goes out with the old:
//! no timer wakes an idle client for it (rule A-7). A connection of watches or renewals carries the
//! token it was opened with; once there is a newer one it takes nothing new, and what is on it stays
//! (rule A-11).

mod credentials;
mod keeper;
#[cfg(feature = "planted")]
mod planted;
mod token;

use std::collections::BTreeSet;

use http::HeaderValue;

pub use self::credentials::Credentials;

use self::keeper::Admission;
use self::keeper::Keeper;
use self::keeper::Login;
use self::keeper::Refusal;
use super::Client;
use super::endpoint::Endpoint;
use super::endpoint::Endpoints;
use super::endpoint::Proxy;
use super::notice::Reason;
use super::notice::What;
use super::timer::Timer;
use crate::api::Response;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::Known;
use crate::error::Misuse;
use crate::error::Status;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;
use crate::wire::gateway::Encoded;

/// How often one call or watch may ask for another token in a row (rule A-6).
const MOST_REFRESHES: u32 = 2;

/// How many tokens in a row were refused to one call or watch. Members that refuse the same one count
/// once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refreshes {
    count: u32,
    newest: u64,
}

impl Refreshes {
    /// A token was refused. Whether there may be another one.
    const fn handle_refused(&mut self, generation: u64) -> bool {
        if self.count == 0 || generation > self.newest {
            self.count = self.count.saturating_add(1);
            self.newest = generation;
        }
        self.count <= MOST_REFRESHES
    }
}

/// Logins, and those who wait for them.
#[derive(Debug, Default)]
pub(super) struct Auth {
    keeper: Keeper,
    /// The login under way.
    login: Option<CallId>,
    /// What it came to, until that is dealt with.
    answer: Option<Result<Response, Error>>,
    /// Who answered it.
    asked: Option<EndpointIndex>,
    /// A login was put in line and may find a connection.
    started: bool,
    /// When the next login is made for those who wait.
    again: Option<Instant>,
    /// Calls that wait for a token; they are in no other line.
    pub(super) parked: BTreeSet<CallId>,
    #[cfg(feature = "planted")]
    planted: Option<crate::planted::Planted>,
}

impl Auth {
    pub(super) fn new(
        credentials: Option<Credentials>,
        endpoints: &Endpoints,
        proxy: Option<&Proxy>,
        now: Instant,
    ) -> Self {
        let mut auth = Self {
            keeper: Keeper::new(credentials, now),
            ..Self::default()
        };
        auth.add_endpoints(endpoints, proxy);
        auth
    }

    /// Whether the credentials may go to all of these.
    pub(super) fn check_endpoints(
        &self,
        endpoints: &[Endpoint],
        proxy: Option<&Proxy>,
    ) -> Result<(), ConfigError> {
        match self.keeper.credentials() {
            Some(credentials) => credentials.check(endpoints, proxy),
            None => Ok(()),
        }
    }

    fn add_endpoints(&mut self, endpoints: &Endpoints, proxy: Option<&Proxy>) {
        for (at, endpoint, is_configured) in endpoints.iter() {
            self.keeper.add_endpoint(at, endpoint, proxy, is_configured);
        }
    }

    /// An endpoint that is not configured is named by a call.
    pub(super) fn add_endpoint(
        &mut self,
        at: EndpointIndex,
        endpoint: &Endpoint,
        proxy: Option<&Proxy>,
    ) {
        self.keeper.add_endpoint(at, endpoint, proxy, false);
    }

    /// What a request to this member carries.
    pub(super) fn header(&self, at: EndpointIndex) -> Option<HeaderValue> {
        self.keeper.header(at).cloned()
    }

    /// The generation of that; 0 where nothing is sent.
    pub(super) fn generation(&self, at: EndpointIndex) -> u64 {
        self.keeper.generation(at)
    }

    /// Whether a connection of watches may take another one.
    pub(super) fn is_current(&self, now: Instant, conn: &Conn) -> bool {
        self.keeper.is_current(now, conn.endpoint, conn.token)
    }

    /// Whether a connection carries what its member was last told to take.
    pub(super) fn is_newest(&self, conn: &Conn) -> bool {
        self.generation(conn.endpoint) == conn.token
    }

    /// Forgets the members that are not kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(EndpointIndex) -> bool) {
        self.keeper.keep(is_kept);
    }

    /// How many members it knows something of.
    #[cfg(test)]
    pub(super) fn members(&self) -> usize {
        self.keeper.members()
    }

    /// A connection to a member broke.
    pub(super) fn handle_lost(&mut self, now: Instant, at: EndpointIndex) {
        self.keeper.handle_lost(now, at);
    }

    /// A member took what came on a connection.
    pub(super) fn handle_taken(&mut self, conn: &Conn) {
        self.keeper.handle_taken(conn.endpoint, conn.token);
        #[cfg(feature = "planted")]
        self.plant_taken(conn);
    }

    /// Whether a login is under way or will be.
    pub(super) const fn is_awaited(&self) -> bool {
        self.login.is_some() || self.again.is_some()
    }

    /// Whether a request may go to a member now, without a login.
    pub(super) fn goes(&mut self, now: Instant, at: EndpointIndex) -> bool {
        matches!(self.keeper.admit(now, at), Admission::Go { .. })
    }

    /// A member answered a login.
    pub(super) const fn handle_asked(&mut self, at: EndpointIndex) {
        self.asked = Some(at);
    }

    /// The answer to a login.
    pub(super) fn handle_answer(&mut self, login: CallId, result: Result<Response, Error>) {
        if self.login == Some(login) {
            self.login = None;
            self.answer = Some(result);
        }
    }

    /// Whether such a stream's end was about its token, and there can be another one.
    pub(super) fn can_mend(&self, status: &Status) -> bool {
        self.keeper.login().is_some() && status.needs_new_token()
    }

    /// The error of a refused request, which certainly had no effect (guarantee G41).
    pub(super) fn error(&self, status: Status, applied: Applied) -> Error {
        if self.keeper.has_credentials() && status.needs_new_token() {
            return Error::Auth { status, applied };
        }
        Error::Etcd { status, applied }
    }
}

impl Client {
    /// Brings other credentials, or takes them away: a new password, or a token that was got
    /// elsewhere (rule A-1). Requests from now on use them; a login under way is given up. What is on
    /// a connection already stays, and open watches go on (rule A-11).
    ///
    /// Where they may not go to one of the endpoints ([`Credentials::over_plain_http`]), calls and watches end
    /// with [`Misuse::CredentialsInClear`](crate::Misuse::CredentialsInClear).
    ///
    /// ```
    /// use etcd_core::{Client, Config, Credentials, Instant};
    ///
    /// let mut config = Config::new(["127.0.0.1:2379"])?;
    /// config.set_credentials(Credentials::token("a-token")?)?;
    /// let mut client = Client::new(config, 1, Instant::ZERO);
    /// client.set_credentials(Instant::ZERO, Some(Credentials::token("another-token")?));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn set_credentials(&mut self, now: Instant, credentials: Option<Credentials>) {
        if self.is_shut_down {
            return;
        }
        self.auth.keeper.set_credentials(credentials, now);
        self.restart_logins(now);
        self.settle(now);
    }

    /// Credentials or endpoints have changed: a login under way is given up, and whoever waited is admitted anew.
    pub(super) fn restart_logins(&mut self, now: Instant) {
        self.auth.keeper.clear_endpoints();
        self.auth
            .add_endpoints(&self.endpoints, self.config.proxy.as_ref());
        self.auth.answer = None;
        // Last, as it may begin another one.
        if let Some(login) = self.auth.login.take() {
            self.cancel_call(now, login);
        }
        self.release_calls();
    }

    /// Whether a request may go to a member now. A login it needs is put in line.
    pub(super) fn admit(&mut self, now: Instant, at: EndpointIndex) -> Result<bool, Error> {
        if !self.is_found(now, at) {
            return Ok(false);
        }
        let (admitted, login) = match self.auth.keeper.admit(now, at) {
            Admission::Go { login } => (true, login),
            Admission::Wait { login } => (false, login),
            Admission::Refused(status) => {
                let applied = Applied::No;
                return Err(Error::Auth { status, applied });
            }
            Admission::Forbidden => return Err(Error::Misuse(Misuse::CredentialsInClear)),
        };
        if login {
            self.start_login(now, at, !admitted);
        }
        Ok(admitted)
    }

    /// The endpoint for the next connection of a stream: of those that serve, one that knows the token.
    /// Not the one to avoid, if there is another.
    pub(super) fn pick_for_stream(
        &mut self,
        now: Instant,
        avoided: Option<EndpointIndex>,
    ) -> EndpointIndex {
        let at = self.endpoints.for_stream(avoided);
        let at = self.found_instead(now, at, avoided).unwrap_or(at);
        self.admitted(now, at).unwrap_or(at)
    }

    /// This endpoint, or another that serves, to which a request may go now. Where another will do, nobody
    /// waits for the login that this one needs.
    pub(super) fn admitted(&mut self, now: Instant, at: EndpointIndex) -> Option<EndpointIndex> {
        let auth = &mut self.auth;
        if !auth.keeper.is_on() {
            return Some(at);
        }
        let admission = auth.keeper.admit(now, at);
        let is_settled = auth.keeper.is_settled(now);
        let (to, login, is_awaited) = match admission {
            Admission::Go { login } => (Some(at), login, false),
            Admission::Wait { login } => {
                let mut others = self.endpoints.instead().filter(|other| *other != at);
                let other = others.find(|other| auth.goes(now, *other));
                (
                    other,
                    login && (is_settled || other.is_none()),
                    other.is_none(),
                )
            }
            Admission::Refused(_) | Admission::Forbidden => (None, false, false),
        };
        if login {
            self.start_login(now, at, is_awaited);
        }
        to
    }

    /// The member that needs the token is asked for it, as it knows what it gave; others may be behind.
    /// One at a time (guarantee G38).
    fn start_login(&mut self, now: Instant, at: EndpointIndex, is_awaited: bool) {
        let is_under_way = self.auth.login.is_some();
        #[cfg(feature = "planted")]
        let is_under_way = is_under_way && self.plant_one_login();
        if is_under_way {
            return;
        }
        let Some(request) = self.auth.keeper.login().map(Encoded::new) else {
            return;
        };
        // At least a second, so that logins that find no server do not follow each other faster
        // (guarantee G39).
        let timeout = self
            .config
            .read_timeout
            .max(core::time::Duration::from_secs(1));
        let login = self.call_login(now + timeout, at, request, is_awaited);
        self.auth.login = Some(login);
        self.notices.note(|| What::LoginBegun {
            call: login,
            endpoint: self.endpoints.get(at).clone(),
        });
        self.auth.started = true;
    }

    /// Whether a login was put in line since the last time.
    pub(super) fn login_started(&mut self) -> bool {
        core::mem::take(&mut self.auth.started)
    }

    /// Keeps back the calls of a lane as long as there is no token for them, and ends them if there
    /// will be none.
    pub(super) fn hold_calls(&mut self, now: Instant, lane: Lane, at: EndpointIndex) {
        if !self.auth.keeper.is_on() || !self.calls.has_token_takers(lane) {
            return;
        }
        match self.admit(now, at) {
            Ok(true) => {}
            Ok(false) => {
                let calls = self.calls.take_token_takers(lane);
                calls.iter().for_each(|call| self.notices.came(*call));
                self.auth.parked.extend(calls);
            }
            Err(error) => {
                for call in self.calls.take_token_takers(lane) {
                    self.fail_call(call, error.clone());
                }
            }
        }
    }

    /// Puts every call that waits for a token back in its line, where it is admitted anew.
    fn release_calls(&mut self) {
        while let Some(call) = self.auth.parked.pop_last() {
            self.calls.put_first(call);
            self.notices.came(call);
        }
    }

    /// Makes the calls of a connection carry what its member takes now.
    pub(super) fn give_token(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            if conn.lane.purpose() == crate::wire::Purpose::Calls && !self.auth.is_newest(conn) {
                conn.token = self.auth.generation(conn.endpoint);
                conn.wire.set_token(self.auth.header(conn.endpoint));
            }
        }
    }

    /// Deals with the answer to a login, if there is one.
    pub(super) fn finish_login(&mut self, now: Instant) {
        let Some(answer) = self.auth.answer.take() else {
            return;
        };
        let by = self.auth.asked.take();
        let failed = answer.as_ref().err().map(Reason::of_error);
        self.stats.refreshes_failed += u64::from(failed.is_some());
        let keeper = &mut self.auth.keeper;
        #[cfg(feature = "planted")]
        let plants = self.config.planted;
        let login = match answer {
            Ok(Response::Authenticate(answer)) => {
                self.stats.refreshes += 1;
                let ttl = self.config.token_ttl;
                keeper.handle_token(now, by, &answer.token, ttl, &mut self.rng)
            }
            Err(Error::Etcd { status, .. } | Error::Auth { status, .. }) => {
                keeper.handle_login_error(now, status)
            }
            // No server could be asked, which took its time: those who still wait ask again.
            Err(Error::Timeout { .. } | Error::Unavailable { .. }) => Login::Done,
            Ok(_) | Err(_) => keeper.handle_failed_login(now),
        };
        #[cfg(feature = "planted")]
        let login = keeper.plant_login(plants, login);
        self.notices.note(|| match failed {
            None => What::LoginDone,
            Some(why) => What::LoginFailed { why },
        });
        match login {
            Login::Again(until) => self.login_again(until),
            Login::Done | Login::Refused => self.release_calls(),
        }
    }

    /// Wakes those who wait for a token at that moment, and not before.
    fn login_again(&mut self, until: Instant) {
        if let Some(earlier) = self.auth.again.replace(until) {
            self.timers.disarm(earlier, Timer::Login);
        }
        self.timers.arm(until, Timer::Login);
        self.stats.backoffs += 1;
        self.notices.note(|| What::LoginWaits { until });
    }

    pub(super) fn login_is_due(&mut self) {
        self.auth.again = None;
        self.release_calls();
    }

    /// A member refused a request that carried this generation. Whether it can be made again, by one
    /// that had `refreshes` new tokens in a row for it (rules A-4 to A-6).
    pub(super) fn token_refused(
        &mut self,
        now: Instant,
        at: EndpointIndex,
        generation: u64,
        status: &Status,
        refreshes: &mut Refreshes,
    ) -> bool {
        if !self.auth.can_mend(status) && !self.is_outdated(now, at, generation, status) {
            return false;
        }
        #[cfg(feature = "planted")]
        let generation = self.plant_generation(at, generation);
        let refusal = self.auth.keeper.handle_refused(now, at, generation);
        #[cfg(feature = "planted")]
        let Some(refusal) = self.plant_refusal(at, refusal) else {
            return false;
        };
        match refusal {
            Refusal::Newer => true,
            Refusal::Login(until) => {
                if let Some(until) = until {
                    self.login_again(until);
                }
                refreshes.handle_refused(generation)
            }
        }
    }

    /// Whether a watch may have been denied only because the member does not know its token: some
    /// servers say so (etcd issue 11954; 3.5.1, gateway.md 7.5), also of one lost in a restart.
    fn is_outdated(
        &self,
        now: Instant,
        at: EndpointIndex,
        generation: u64,
        status: &Status,
    ) -> bool {
        status.known() == Some(Known::PermissionDenied)
            && self
                .auth
                .keeper
                .is_doubtful(now, at, generation, self.config.token_ttl)
    }
}
