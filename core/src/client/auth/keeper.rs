//! The tokens of a client: which one goes where, and when another one is needed.
//!
//! ```text
//!              ┌──────────── refused, or due ────────────┐
//!   no token ──┴─ login ──► answered: newest token ──────┘
//!                   │  └──► "not enabled": nothing is sent (A-10), until a call is refused
//!                   └─────► refused: nothing is asked for a while (A-6)
//! ```
//!
//! Members are trusted one by one: the token that a member refuses is kept for the others (A-8), as
//! members count idle time and lose tokens each for itself. It knows no calls and sends nothing;
//! `auth` does what it says.

use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use http::HeaderValue;

use super::credentials::Credentials;
use super::credentials::header_of;
use super::token::Token;
use super::token::Trust;
use crate::api::Authenticate;
use crate::client::endpoint::Endpoint;
use crate::client::endpoint::Proxy;
use crate::error::Code;
use crate::error::Known;
use crate::error::Status;
use crate::id::EndpointIndex;
use crate::rng::Rng;
use crate::time::Instant;

/// The first wait after a failed login, doubled each time (rule A-6).
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait after a login that was refused (rule A-6).
const REFUSED_CAP: Duration = Duration::from_secs(30);
/// The longest wait after one that the server could not serve.
const FAILED_CAP: Duration = Duration::from_secs(5);

/// The tokens of a client.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    credentials: Option<Credentials>,
    /// The last one that was got; the shared default of every member.
    newest: Option<Token>,
    /// Some call was served with `newest`.
    newest_was_taken: bool,
    /// What is known of single members.
    members: BTreeMap<EndpointIndex, Member>,
    /// When a connection to a member was lost, until it takes a token after that: it may have
    /// restarted, and forgotten the tokens it knew.
    lost: BTreeMap<EndpointIndex, Instant>,
    /// The newest generation a member took.
    taken: BTreeMap<EndpointIndex, u64>,
    /// Servers said that authentication is off.
    is_off: bool,
    /// Logins in a row that failed.
    failures: u32,
    /// Logins in a row that gave a token which was refused, and which no member took.
    useless: u32,
    /// No login before that moment.
    wait: Option<Wait>,
    generation: u64,
    /// The endpoints that the credentials must not be shown to (guarantee G42).
    forbidden: BTreeSet<EndpointIndex>,
    /// One of the configured is among them.
    is_forbidden: bool,
    /// How many requests were refused for which no login was made yet.
    #[cfg(feature = "planted")]
    pub(super) refused: u32,
}

/// The token of one member.
#[derive(Debug)]
struct Member {
    token: Token,
    /// When it was last used there.
    used: Instant,
    /// It was refused there; a newer one may do.
    is_refused: bool,
}

/// Why there is no login now.
#[derive(Debug)]
struct Wait {
    until: Instant,
    /// With what the last login was refused; none if it failed otherwise, and is made again.
    refused: Option<Status>,
}

/// Whether a request may go to a member now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may; a login is due as well where the flag is set.
    Go { login: bool },
    /// Once there is a token; a login is needed where the flag is set.
    Wait { login: bool },
    /// The login was refused a short while ago.
    Refused(Status),
    /// The credentials must not go there.
    Forbidden,
}

/// What a login came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// Requests can go on, with a token or without.
    Done,
    /// The credentials are wrong: whoever waits is told so when admitted anew.
    Refused,
    /// It is made again at that moment.
    Again(Instant),
}

impl Keeper {
    pub(super) fn new(credentials: Option<Credentials>, now: Instant) -> Self {
        let mut keeper = Self::default();
        keeper.set_credentials(credentials, now);
        keeper
    }

    /// Forgets every token; the generations go on, so that no connection takes an old for a new one.
    pub(super) fn set_credentials(&mut self, credentials: Option<Credentials>, now: Instant) {
        let generation = self.generation + 1;
        *self = Self {
            newest: credentials
                .as_ref()
                .and_then(Credentials::fixed)
                .map(|value| Token::fixed(value.clone(), generation, now)),
            credentials,
            generation,
            ..Self::default()
        };
    }

    pub(super) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Forgets which endpoints there are, and what they said of a login.
    pub(super) fn clear_endpoints(&mut self) {
        self.forbidden.clear();
        self.is_forbidden = false;
        self.wait = None;
    }

    /// An endpoint that requests may go to; a login goes to those that are configured.
    pub(super) fn add_endpoint(
        &mut self,
        at: EndpointIndex,
        endpoint: &Endpoint,
        proxy: Option<&Proxy>,
        is_configured: bool,
    ) {
        let credentials = self.credentials.as_ref();
        if credentials.is_some_and(|credentials| !credentials.may_go_to(endpoint, proxy)) {
            self.forbidden.insert(at);
            self.is_forbidden |= is_configured;
        }
    }

    /// Whether nothing goes there: as it must not see the credentials, or as the login might go to one that
    /// must not.
    fn is_forbidden(&self, at: EndpointIndex) -> bool {
        self.is_forbidden || self.forbidden.contains(&at)
    }

    /// Whether requests carry a token, or should.
    pub(super) const fn is_on(&self) -> bool {
        self.credentials.is_some() && !self.is_off
    }

    pub(super) const fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// The request for a token; none without a password.
    pub(super) fn login(&self) -> Option<&Authenticate> {
        self.credentials.as_ref().and_then(Credentials::login)
    }

    /// The token for a member, with its generation; none if there is none that it may take.
    fn token(&self, at: EndpointIndex) -> Option<(&Token, Instant)> {
        if self.is_forbidden(at) {
            return None;
        }
        let newest = self.newest.as_ref();
        match self.members.get(&at) {
            Some(member) if !member.is_refused => Some((&member.token, member.used)),
            Some(member) => newest
                .filter(|newest| newest.generation > member.token.generation)
                .map(|newest| (newest, newest.received)),
            None => newest.map(|newest| (newest, newest.received)),
        }
    }

    /// What a request to this member carries.
    pub(super) fn header(&self, at: EndpointIndex) -> Option<&HeaderValue> {
        self.token(at)
            .filter(|_| self.is_on())
            .map(|(token, _)| &token.value)
    }

    /// The generation of that: 0 where nothing is sent.
    pub(super) fn generation(&self, at: EndpointIndex) -> u64 {
        self.token(at)
            .filter(|_| self.is_on())
            .map_or(0, |(token, _)| token.generation)
    }

    /// Whether what was opened with this generation may take further requests for this member.
    pub(super) fn is_current(&self, now: Instant, at: EndpointIndex, generation: u64) -> bool {
        if !self.is_on() {
            return generation == 0;
        }
        self.token(at).is_some_and(|(token, used)| {
            token.generation == generation && token.trust(now, used) != Trust::Dead
        })
    }

    /// Whether a request may go to this member now. If so, it counts as a use of its token.
    pub(super) fn admit(&mut self, now: Instant, at: EndpointIndex) -> Admission {
        if !self.is_on() {
            return Admission::Go { login: false };
        }
        if self.is_forbidden(at) {
            return Admission::Forbidden;
        }
        // An old token of its own that is about to be replaced is replaced by one there is.
        let newest = self.newest_generation();
        let is_outdated = |member: &Member| {
            let is_older = !member.is_refused && member.token.generation < newest;
            is_older && member.token.trust(now, member.used) != Trust::Fresh
        };
        if self.members.get(&at).is_some_and(is_outdated) {
            self.members.remove(&at);
        }
        let may_login = self.wait.as_ref().is_none_or(|wait| wait.until <= now);
        let found = self
            .token(at)
            .map(|(token, used)| (token.trust(now, used), token.clone()));
        match found {
            Some((trust @ (Trust::Fresh | Trust::Due), token)) => {
                let member = Member {
                    token,
                    used: now,
                    is_refused: false,
                };
                self.members.insert(at, member);
                Admission::Go {
                    login: trust == Trust::Due && may_login,
                }
            }
            Some((Trust::Dead, _)) | None => match &self.wait {
                Some(wait) if wait.until > now => match &wait.refused {
                    Some(status) => Admission::Refused(status.clone()),
                    None => Admission::Wait { login: false },
                },
                _ => Admission::Wait { login: true },
            },
        }
    }

    /// A connection to a member broke.
    pub(super) fn handle_lost(&mut self, now: Instant, at: EndpointIndex) {
        if self.credentials.is_some() {
            self.lost.insert(at, now);
        }
    }

    /// Forgets the members that are not kept: nothing goes there any more.
    pub(super) fn keep(&mut self, is_kept: impl Fn(EndpointIndex) -> bool) {
        self.members.retain(|at, _| is_kept(*at));
        self.lost.retain(|at, _| is_kept(*at));
        self.taken.retain(|at, _| is_kept(*at));
        self.forbidden.retain(|at| is_kept(*at));
    }

    /// How many members it knows something of.
    #[cfg(test)]
    pub(super) fn members(&self) -> usize {
        self.members.len().max(self.lost.len())
    }

    /// A member took a request with this generation.
    pub(super) fn handle_taken(&mut self, at: EndpointIndex, generation: u64) {
        if generation > 0 {
            // A connection may go on with an older one.
            let taken = self.taken.entry(at).or_default();
            *taken = (*taken).max(generation);
        }
        if !self.lost.is_empty() && self.generation(at) == generation {
            self.lost.remove(&at);
        }
        if self.newest_generation() == generation {
            if !self.newest_was_taken {
                self.newest_was_taken = true;
                self.failures = 0;
            }
            // Another member refused it, perhaps as it was behind.
            self.useless = 0;
        }
    }

    /// The generation of what was found out last; 0 is that nothing is sent.
    fn newest_generation(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.generation)
    }

    /// A member refused a request that was sent with this generation.
    pub(super) fn handle_refused(
        &mut self,
        now: Instant,
        at: EndpointIndex,
        generation: u64,
    ) -> Refusal {
        if self.generation(at) != generation {
            // It was sent before the present state was known.
            return Refusal::Newer;
        }
        match self.token(at).map(|(token, _)| token.clone()) {
            // Authentication was turned on (rule A-10).
            _ if self.is_off => self.is_off = false,
            Some(token) => {
                let member = Member {
                    token,
                    used: now,
                    is_refused: true,
                };
                self.members.insert(at, member);
            }
            // Another request there was refused before.
            None => return Refusal::Login(None),
        }
        if self.newest_generation() != generation {
            return Refusal::Newer;
        }
        if core::mem::replace(&mut self.newest_was_taken, true) {
            return Refusal::Login(None);
        }
        // Of no use to anybody: once that may happen, then logins wait (guarantee G39).
        self.useless = self.useless.saturating_add(1);
        let until = (self.useless > 1)
            .then(|| now + wait_after(self.useless.saturating_sub(1), REFUSED_CAP));
        self.wait = until.map(|until| Wait {
            until,
            refused: None,
        });
        Refusal::Login(until)
    }

    /// Whether a member may not know the token of this generation, or not any more: it never took it, and
    /// may be behind the one that gave it; it is older than servers keep an idle one, or replaced, or the
    /// member may have restarted since.
    pub(super) fn is_doubtful(
        &self,
        now: Instant,
        at: EndpointIndex,
        generation: u64,
        ttl: Duration,
    ) -> bool {
        self.login().is_some()
            // None there is where another request was refused before.
            && self.token(at).is_none_or(|(token, _)| {
                token.generation > generation
                    || (token.generation == generation
                        && (now - token.received >= ttl
                            || self.taken.get(&at).is_none_or(|taken| *taken < generation)
                            || self
                                .lost
                                .get(&at)
                                .is_some_and(|lost| *lost >= token.received)))
            })
    }

    /// Whether every member that is not far behind knows the newest token by now. Before that a refusal is
    /// no reason for another (guarantee G39), where another member takes it.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        let newest = self.newest.as_ref();
        newest.is_none_or(|token| now - token.received >= FIRST_WAIT)
    }

    /// A server gave a token; which one, where that is known.
    pub(super) fn handle_token(
        &mut self,
        now: Instant,
        by: Option<EndpointIndex>,
        token: &str,
        ttl: Duration,
        rng: &mut Rng,
    ) -> Login {
        let value = match header_of(token) {
            Ok(value) => value,
            Err(reason) => {
                return self.handle_refused_login(now, Status::new(Code::INTERNAL, reason));
            }
        };
        self.generation += 1;
        let due = self.newest.as_ref().is_some_and(|newest| {
            let is_refused =
                |member: &Member| member.is_refused && member.token.generation == newest.generation;
            !self.members.values().any(is_refused)
        });
        if due {
            // Replaced because of its age, which it has everywhere.
            self.members.clear();
        }
        self.newest = Some(Token::given(value, self.generation, now, ttl, rng));
        self.newest_was_taken = false;
        self.wait = None;
        if let Some(by) = by {
            self.taken.insert(by, self.generation);
        }
        Login::Done
    }

    /// A server answered a login with an error.
    pub(super) fn handle_login_error(&mut self, now: Instant, status: Status) -> Login {
        if status.known() == Some(Known::AuthNotEnabled) {
            self.newest = None;
            self.members.clear();
            self.is_off = true;
            self.newest_was_taken = false;
            self.wait = None;
            return Login::Done;
        }
        // What the server says of a request that is wrong whenever it is made.
        let is_lasting = matches!(
            status.code,
            Code::INVALID_ARGUMENT
                | Code::NOT_FOUND
                | Code::PERMISSION_DENIED
                | Code::FAILED_PRECONDITION
                | Code::UNIMPLEMENTED
                | Code::UNAUTHENTICATED
        ) || status.message.contains("authentication failed");
        if is_lasting {
            return self.handle_refused_login(now, status);
        }
        self.handle_failed_login(now)
    }

    /// A login could not be made or served: it is made again after a wait.
    pub(super) fn handle_failed_login(&mut self, now: Instant) -> Login {
        self.failures = self.failures.saturating_add(1);
        let until = now + wait_after(self.failures, FAILED_CAP);
        self.wait = Some(Wait {
            until,
            refused: None,
        });
        Login::Again(until)
    }

    fn handle_refused_login(&mut self, now: Instant, status: Status) -> Login {
        self.failures = self.failures.saturating_add(1);
        self.wait = Some(Wait {
            until: now + wait_after(self.failures, REFUSED_CAP),
            refused: Some(status),
        });
        Login::Refused
    }
}

#[cfg(feature = "planted")]
impl Keeper {
    /// Forgets that there should be no login for a while.
    pub(super) fn plant_no_wait(&mut self) {
        self.wait = None;
    }

    /// What a member refused is sent there again.
    pub(super) fn plant_again(&mut self, at: EndpointIndex) {
        if let Some(member) = self.members.get_mut(&at) {
            member.is_refused = false;
        }
    }

    /// What a member took becomes the newest.
    pub(super) fn plant_back(&mut self, at: EndpointIndex, generation: u64) {
        let member = self.members.get(&at);
        if let Some(member) = member.filter(|member| member.token.generation == generation) {
            self.newest = Some(member.token.clone());
        }
    }

    /// A token that came is for the first of all who were refused, and the next one needs another.
    pub(super) fn plant_next(&mut self) {
        self.refused = self.refused.saturating_sub(1);
        if self.refused > 0 {
            self.newest = None;
            self.members.clear();
        }
    }
}

/// What a refusal of a token means for the next request to that member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is a newer token for it.
    Newer,
    /// A login has to come first, not before this moment if there is one.
    Login(Option<Instant>),
}

fn wait_after(failures: u32, cap: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(cap)
}
