//! The head of a request: its first line and what its headers say.

use core::time::Duration;

use super::body::Body;
use crate::etcd::Meta;

/// A server reads no longer head (gateway.md 4.3).
pub(super) const LONGEST: usize = (1 << 20) + 4096;

/// More than anybody sends.
const MOST_HEADERS: usize = 256;

/// What is wanted, and how it is sent.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) query: String,
    /// `Host`, empty if an old client said none.
    pub(super) host: String,
    /// Whether the client speaks HTTP/1.0, which knows no chunks.
    pub(super) is_old: bool,
    /// Whether the connection ends with the answer.
    pub(super) closes: bool,
    /// `Connection: close` or its like, which lets a server answer before it has read all.
    pub(super) takes_early_answers: bool,
    pub(super) wants_continue: bool,
    pub(super) wants_trailers: bool,
    pub(super) body: Body,
    /// Or the text of the `Grpc-Timeout` that cannot be read.
    pub(super) meta: Result<Meta, String>,
}

/// Why there is no head to go on with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadHead {
    /// More of it must come.
    Incomplete,
    /// The bytes are no request of HTTP/1.
    NotHttp,
    /// No `Host`.
    NoHost,
    /// An expectation that is not `100-continue`.
    Expectation,
    /// A transfer coding that is not `chunked`.
    Coding,
    TooLong,
}

/// Where the head in `input` ends, looking from `from` on, where the last look had ended.
pub(super) fn end(input: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let tail = input.get(from..)?;
    let place = tail.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some(from + place + 4)
}

/// Whether the first line, if it is there, is one of HTTP/1.
pub(super) fn begins_well(input: &[u8]) -> bool {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return true;
    };
    let line = input[..end].trim_ascii_end();
    let version = line.rsplit(|byte| *byte == b' ').next();
    version.is_some_and(|version| version.starts_with(b"HTTP/1."))
}

impl Head {
    /// Reads a whole head.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BadHead> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(BadHead::Incomplete),
            Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooLong),
            Err(_) => return Err(BadHead::NotHttp),
        }
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_old = request.version == Some(0);
        let fields = Fields(request.headers);
        if !is_old && fields.first("host").is_none() {
            return Err(BadHead::NoHost);
        }
        let expect = fields.first("expect");
        if expect.is_some_and(|expect| !expect.eq_ignore_ascii_case("100-continue")) {
            return Err(BadHead::Expectation);
        }
        let body = match fields.first("transfer-encoding") {
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => Body::chunked(),
            Some(_) => return Err(BadHead::Coding),
            None => {
                let length = fields.first("content-length").map(str::parse::<u64>);
                Body::of(length.unwrap_or(Ok(0)).map_err(|_| BadHead::NotHttp)?)
            }
        };
        let says_close = fields.has("connection", "close");
        Ok(Self {
            method: request.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            host: fields.first("host").unwrap_or_default().to_owned(),
            is_old,
            closes: says_close || (is_old && !fields.has("connection", "keep-alive")),
            takes_early_answers: says_close || is_old || expect.is_some(),
            wants_continue: expect.is_some(),
            wants_trailers: fields.has("te", "trailers"),
            body,
            meta: fields.meta(),
        })
    }
}

struct Fields<'a, 'b>(&'a [httparse::Header<'b>]);

impl<'b> Fields<'_, 'b> {
    fn first(&self, name: &str) -> Option<&'b str> {
        let named = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
        let field = self.0.iter().find(named)?;
        // What is not text is nothing etcd knows.
        Some(core::str::from_utf8(field.value).unwrap_or_default().trim())
    }

    fn has(&self, name: &str, word: &str) -> bool {
        let text = self.first(name).unwrap_or_default();
        text.split(',')
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    }

    /// What goes on to etcd (gateway.md 4.4).
    fn meta(&self) -> Result<Meta, String> {
        let token = self.first("grpc-metadata-token");
        let token = token.or_else(|| self.first("authorization"));
        let timeout = match self.first("grpc-timeout") {
            None => None,
            Some(text) => match timeout(text) {
                None => return Err(text.to_owned()),
                some => some,
            },
        };
        Ok(Meta {
            token: token.map(str::to_owned),
            require_leader: self.first("grpc-metadata-hasleader") == Some("true"),
            timeout,
        })
    }
}

/// A duration as gRPC writes it: a number and one letter.
fn timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(number.checked_mul(3600)?),
        'M' => Duration::from_secs(number.checked_mul(60)?),
        'S' => Duration::from_secs(number),
        'm' => Duration::from_millis(number),
        'u' => Duration::from_micros(number),
        'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_number_and_a_unit() {
        assert_eq!(timeout("500m"), Some(Duration::from_millis(500)));
        assert_eq!(timeout("1S"), Some(Duration::from_secs(1)));
        for bad in ["", "S", "1", "1x", "-1S", "99999999999999999999S"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_the_last_look_ended() {
        let bytes = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nbody";
        for from in 0..=26 {
            assert_eq!(end(&bytes[..27], from), Some(27), "{from}");
        }
        assert_eq!(end(&bytes[..26], 0), None);
    }

    #[test]
    fn what_does_not_speak_http_1_is_known_by_its_first_line() {
        assert!(begins_well(b"POST /v3/kv/put HTT"));
        assert!(begins_well(b"POST /v3/kv/put HTTP/1.1\r\n"));
        assert!(!begins_well(b"PRI * HTTP/2.0\r\n"));
        assert!(!begins_well(b"\0garbage\n"));
    }
}
