//! One token: how long it can be trusted.
//!
//! A simple token ends when it was not used for the server's time to live, counted by each member for
//! itself; a signed one (JWT) at its own moment. Neither is told by the server, so both are guessed
//! from here: they only say when to get another one before an error does.

use core::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::Value;

use crate::rng::Rng;
use crate::time::Instant;

/// A token the client sends. `Debug` does not show it: the value is marked sensitive.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) value: HeaderValue,
    /// Counted up from 1 with every token of the client; 0 is no token.
    pub(super) generation: u64,
    pub(super) received: Instant,
    life: Life,
}

#[derive(Clone, Copy, Debug)]
enum Life {
    /// Given by the user: nothing is known of it, and no other can be got.
    Fixed,
    /// Ends when idle.
    Idle { due: Duration, dead: Duration },
    /// Ends at a moment.
    Until { due: Instant, dead: Instant },
}

/// What may be done with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Use it.
    Fresh,
    /// Use it, and get another one.
    Due,
    /// Get another one first.
    Dead,
}

impl Token {
    /// The token the user gave.
    pub(super) const fn fixed(value: HeaderValue, generation: u64, now: Instant) -> Self {
        Self {
            value,
            generation,
            received: now,
            life: Life::Fixed,
        }
    }

    /// A token that a server gave. `ttl` is how long the servers keep an idle one; a fifth of it is
    /// the spread that is drawn here, once for the token (rule A-7: of 300 s, 180 s and up to 60 s).
    pub(super) fn given(
        value: HeaderValue,
        generation: u64,
        now: Instant,
        ttl: Duration,
        rng: &mut Rng,
    ) -> Self {
        let text = value.to_str().unwrap_or_default();
        let life = if let Some(left) = signed_life(text) {
            Life::Until {
                due: now + left / 5 * 4,
                dead: now + left,
            }
        } else if text.matches('.').count() == 2 {
            // Signed, and it does not say when it began: servers will tell when it has ended.
            Life::Fixed
        } else {
            Life::Idle {
                due: ttl / 5 * 3 + rng.below(ttl / 5),
                dead: ttl,
            }
        };
        Self {
            value,
            generation,
            received: now,
            life,
        }
    }

    /// What may be done with it at a member that last saw it at `used`.
    pub(super) fn trust(&self, now: Instant, used: Instant) -> Trust {
        let (is_due, is_dead) = match self.life {
            Life::Fixed => (false, false),
            Life::Idle { due, dead } => (now - used >= due, now - used >= dead),
            Life::Until { due, dead } => (now >= due, now >= dead),
        };
        match (is_due, is_dead) {
            (_, true) => Trust::Dead,
            (true, false) => Trust::Due,
            (false, false) => Trust::Fresh,
        }
    }
}

/// How long a signed token lives: from `iat` to `exp` in its middle part. There is no wall clock here,
/// so without `iat` nothing follows from `exp`. Nothing is verified; the server does that.
fn signed_life(token: &str) -> Option<Duration> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD
        .decode_to_vec(claims.trim_end_matches('='))
        .ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
    let life = seconds("exp")? - seconds("iat")?;
    // A century at the most: what is longer does not matter.
    (life > 0.0).then(|| Duration::from_secs_f64(life.min(3.2e9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str, seed: u64) -> Token {
        let value = HeaderValue::from_str(text).unwrap();
        let ttl = Duration::from_secs(300);
        Token::given(value, 1, Instant::ZERO, ttl, &mut Rng::new(seed))
    }

    fn signed(claims: &str) -> String {
        format!("h.{}.s", URL_SAFE_NO_PAD.encode_to_string(claims))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a7_a_simple_token_is_due_when_idle_for_180_to_240_seconds() {
        let mut dues = Vec::new();
        for seed in 0..200 {
            let token = given("abc.7", seed);
            assert_eq!(token.trust(at(179), at(0)), Trust::Fresh);
            assert_eq!(token.trust(at(240), at(0)), Trust::Due);
            assert_eq!(token.trust(at(240), at(100)), Trust::Fresh);
            assert_eq!(token.trust(at(300), at(0)), Trust::Dead);
            let due = (180..=240).find(|due| token.trust(at(*due), at(0)) == Trust::Due);
            dues.push(due.unwrap());
        }
        dues.sort_unstable();
        assert!(dues[0] < 190 && dues[199] > 230, "{dues:?}");
    }

    #[test]
    fn a7_a_signed_token_is_due_after_four_fifths_of_its_life() {
        let token = given(&signed(r#"{"username":"u","iat":1000,"exp":1100}"#), 1);
        assert_eq!(token.trust(at(79), at(0)), Trust::Fresh);
        assert_eq!(token.trust(at(80), at(79)), Trust::Due);
        assert_eq!(token.trust(at(100), at(99)), Trust::Dead);
    }

    #[test]
    fn a7_a_signed_token_that_says_nothing_of_its_life_is_used_until_it_is_refused() {
        for claims in [
            r#"{"exp":1100}"#,
            r#"{"exp":1,"iat":2}"#,
            r#"{"exp":"x","iat":0}"#,
            r#"{"exp":null,"iat":null}"#,
            "[]",
            "{",
            "",
        ] {
            let token = given(&signed(claims), 1);
            assert_eq!(token.trust(at(1_000_000), at(0)), Trust::Fresh, "{claims}");
        }
        let token = given("a.!.c", 1);
        assert_eq!(token.trust(at(1_000_000), at(0)), Trust::Fresh);
    }

    #[test]
    fn a_life_without_end_does_not_overflow() {
        let token = given(&signed(r#"{"iat":-1e300,"exp":1e300}"#), 1);
        assert_eq!(token.trust(at(1_000_000), at(0)), Trust::Fresh);
    }
}
