//! The tokens one member knows, simple or signed.
//!
//! Each member makes them when it applies a login, so all members have the same ones, but each counts
//! their idle time by its own uses, and forgets all of them when it stops (gateway.md 13). Signed ones
//! are known by themselves: they live their time on every member, whatever happens.

use core::time::Duration;
use std::collections::BTreeMap;

use etcd_core::Instant;

use super::signed;
use crate::Rng;

/// The tokens of a member.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::Instant;
/// use etcd_sim::etcd::auth::Tokens;
///
/// let mut tokens = Tokens::new(Duration::from_secs(300));
/// tokens.assign(Instant::ZERO, "OobIPvTaOfTzRZNW.52".to_owned(), "alice");
/// let later = Instant::ZERO + Duration::from_secs(299);
/// assert_eq!(tokens.user(later, "OobIPvTaOfTzRZNW.52"), Some("alice"));
/// // A use makes it live on, from then.
/// let later = later + Duration::from_secs(299);
/// assert!(tokens.user(later, "OobIPvTaOfTzRZNW.52").is_some());
/// assert!(tokens.user(later + Duration::from_secs(300), "OobIPvTaOfTzRZNW.52").is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Tokens {
    ttl: Duration,
    signs: bool,
    known: BTreeMap<String, Token>,
}

#[derive(Clone, Debug)]
struct Token {
    user: String,
    ends: Instant,
    /// At which revision of users and roles it was made, if it is signed.
    revision: Option<u64>,
}

impl Tokens {
    /// No token yet; each lives for `ttl` after its last use (`--auth-token-ttl`, 300 s by default).
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            signs: false,
            known: BTreeMap::new(),
        }
    }

    /// The same for signed tokens (`--auth-token=jwt`), which live for `ttl` after they were made.
    #[must_use]
    pub const fn signed(ttl: Duration) -> Self {
        let mut tokens = Self::new(ttl);
        tokens.signs = true;
        tokens
    }

    /// Whether they are signed.
    #[must_use]
    pub const fn are_signed(&self) -> bool {
        self.signs
    }

    /// The text before the point of a new token: 16 letters.
    #[must_use]
    pub fn prefix(rng: &mut Rng) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        (0..16)
            .map(|_| char::from(LETTERS[rng.index(LETTERS.len())]))
            .collect()
    }

    /// The index of the log entry that made this token, if it looks like one. A member that has not
    /// applied that entry yet waits until it has before it judges the token.
    #[must_use]
    pub fn index(token: &str) -> Option<u64> {
        let (_, index) = token.split_once('.')?;
        index.parse().ok()
    }

    /// A login was applied.
    pub fn assign(&mut self, now: Instant, token: String, user: &str) {
        // Nobody asks for those that ended, so this is the place to forget them.
        self.known.retain(|_, token| now < token.ends);
        let user = user.to_owned();
        let ends = now + self.ttl;
        let revision = None;
        self.known.insert(
            token,
            Token {
                user,
                ends,
                revision,
            },
        );
    }

    /// A login was applied, at this revision of users and roles, and is answered by a signed token;
    /// `drawn` makes it one of its kind.
    pub fn sign(&mut self, now: Instant, drawn: &str, user: &str, revision: u64) -> String {
        let ends = now + self.ttl;
        let text = signed::text(user, revision, ends.as_nanos() / 1_000_000_000, drawn);
        self.assign(now, text.clone(), user);
        if let Some(token) = self.known.get_mut(&text) {
            token.revision = Some(revision);
        }
        text
    }

    /// The revision that a signed token says.
    #[must_use]
    pub fn revision(&self, token: &str) -> Option<u64> {
        self.known.get(token)?.revision
    }

    /// Whose token this is, if it lives; a simple one does so for another TTL then.
    pub fn user(&mut self, now: Instant, token: &str) -> Option<&str> {
        let ttl = self.ttl;
        let token = self.known.get_mut(token)?;
        if now >= token.ends {
            return None;
        }
        if token.revision.is_none() {
            token.ends = now + ttl;
        }
        Some(&token.user)
    }

    /// Forgets the tokens of a user who is no more, or has another password.
    pub fn forget_user(&mut self, user: &str) {
        let kept = |token: &Token| token.revision.is_some() || token.user != user;
        self.known.retain(|_, token| kept(token));
    }

    /// Forgets all that are not signed, as turning auth off and a restart do.
    pub fn clear(&mut self) {
        self.known.retain(|_, token| token.revision.is_some());
    }
}
