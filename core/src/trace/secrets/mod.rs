//! What a recording must not have in it, and how it is replaced before it is written.
//!
//! | secret | known by | replaced by |
//! | --- | --- | --- |
//! | passwords | members `password` and `hashedPassword` of any JSON | `x` |
//! | tokens | members `token`, headers that carry them | `x`; dots stay |
//! | values marked secret | `value` beside a `key` with one of the prefixes | `A`, base64 of zeros |
//! | blobs of snapshots | members `blob` | `A`, base64 of zeros |
//! | header values | all but those that frame a message, either way | `x` |
//!
//! The replacement has as many bytes as the secret, so lengths and borders of messages stay true, and
//! replacing twice is replacing once, so that a replay can be compared with what was written. What
//! is secret follows from the text alone, the same in a command, on the wire and in an event.
//! `json` and `http` do it in bytes that come in any pieces, in memory that does not grow.

mod http;
mod json;

use bytes::Bytes;

pub(super) use self::http::Conversation;
pub(super) use self::json::JsonMask;

/// Which keys and headers are secret.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    /// Values of keys that begin with one of these.
    prefixes: Vec<Bytes>,
    /// The length of the longest prefix.
    longest: usize,
    /// Headers the user had sent, in small letters.
    headers: Vec<String>,
}

impl Secrets {
    pub(super) fn new(prefixes: Vec<Bytes>, headers: Vec<String>) -> Self {
        Self {
            longest: prefixes.iter().map(Bytes::len).max().unwrap_or(0),
            prefixes,
            headers,
        }
    }

    /// Replaces what is secret in a whole JSON text.
    pub(super) fn mask_json(&self, json: &mut [u8]) {
        JsonMask::default().mask(json, self);
    }

    /// Whether a key has a secret value. Of a longer one its beginning is enough.
    fn has_key(&self, key: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }

    /// Whether keys made of a name, as elections make them, may have secret values.
    fn has_name(&self, name: &[u8]) -> bool {
        self.prefixes
            .iter()
            .any(|prefix| name.starts_with(prefix) || prefix.starts_with(name))
    }

    /// Whether a header of a request or an answer may be read by all.
    fn is_plain_header(&self, name: &[u8]) -> bool {
        const PLAIN: [&str; 15] = [
            "host",
            "content-length",
            "content-type",
            "content-encoding",
            "transfer-encoding",
            "connection",
            "keep-alive",
            "trailer",
            "date",
            "server",
            "grpc-metadata-hasleader",
            "grpc-timeout",
            "grpc-metadata-content-type",
            "access-control-allow-methods",
            "access-control-allow-origin",
        ];
        let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        PLAIN.into_iter().any(is) && !self.headers.iter().any(|header| is(header))
    }
}

/// What stands in place of a text of this many bytes.
pub(super) fn crossed_out(len: usize) -> String {
    "x".repeat(len)
}
