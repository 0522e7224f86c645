//! Signed tokens, as `--auth-token=jwt` makes them: they say whose they are, until when, and at which
//! revision of users and roles they were made. Nobody has to keep them, so they outlive their server.
//!
//! What stands in the place of the signature is a digest that nobody can check; who asks whether a
//! token is good looks it up among those that were made.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The text of a token; `exp` is in seconds, and `drawn` makes it one of its kind.
pub(super) fn text(user: &str, revision: u64, exp: u64, drawn: &str) -> String {
    let part = |value: Value| base64(value.to_string().as_bytes());
    let head = part(json!({"alg": "HS256", "typ": "JWT"}));
    let claims = part(json!({"exp": exp, "revision": revision, "username": user}));
    let signed = format!("{head}.{claims}");
    let digest = Sha256::new().chain_update(drawn).chain_update(&signed);
    format!("{signed}.{}", base64(&digest.finalize()))
}

/// Base64 for URLs, without padding (RFC 4648, 5).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| group.get(at).map_or(0, |byte| usize::from(*byte));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=group.len() {
            text.push(char::from(DIGITS[bits >> (18 - 6 * digit) & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn a_token_has_three_parts_and_says_whose_it_is() {
        let token = text("ann", 7, 600, "x");
        let parts: Vec<_> = token.split('.').collect();
        let claims = base64(br#"{"exp":600,"revision":7,"username":"ann"}"#);
        assert_eq!((parts.len(), parts[1]), (3, &*claims));
        assert_ne!(token, text("ann", 7, 600, "y"));
    }
}
