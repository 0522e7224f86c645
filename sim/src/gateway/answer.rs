//! Heads and bodies of answers, byte by byte as captured (gateway.md 4.1).

use core::fmt::Write;

use super::dialect::{Dialect, Style, reason};
use super::head::Head;

/// From this size on an answer is chunked, and a frame's newline is a chunk of its own: it is the
/// server's buffer.
pub(super) const BUFFER: usize = 2048;

/// Every answer's date.
const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

const CORS: &str = "Access-Control-Allow-Headers: accept, content-type, authorization\r\n\
    Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n\
    Access-Control-Allow-Origin: *\r\n";

/// What an answer depends on of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) is_old: bool,
    pub(super) closes: bool,
    pub(super) wants_trailers: bool,
    /// `HEAD`: the head of an answer and no body.
    pub(super) wants_head: bool,
}

impl Asked {
    pub(super) fn of(head: &Head) -> Self {
        Self {
            is_old: head.is_old,
            closes: head.closes,
            wants_trailers: head.wants_trailers,
            wants_head: head.method == "HEAD",
        }
    }
}

/// Who made an answer, which shows in its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The store: a message.
    Message,
    /// The store: an error.
    Refusal,
    /// The gateway: an error as JSON.
    Gateway,
    /// The mux: a text, the kind that Go's `http.Error` writes.
    Text,
    /// A page of JSON.
    Json,
    /// A page whose type is guessed from its text.
    Guessed,
    /// The counters.
    Metrics,
    /// Nothing at all.
    Empty,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: Kind,
    pub(super) body: Vec<u8>,
    /// A further header.
    pub(super) header: Option<(&'static str, String)>,
}

impl Answer {
    pub(super) const fn new(status: u16, kind: Kind, body: Vec<u8>) -> Self {
        Self {
            status,
            kind,
            body,
            header: None,
        }
    }

    /// What Go's `http.Error` says.
    pub(super) fn text(status: u16, text: &str) -> Self {
        Self::new(status, Kind::Text, format!("{text}\n").into_bytes())
    }

    /// Appends the bytes of the answer.
    pub(super) fn write(self, asked: Asked, style: &Style, out: &mut Vec<u8>) {
        let refused = self.kind == Kind::Refusal;
        let v2_message = self.kind == Kind::Message && style.dialect == Dialect::V2;
        let with_trailer = refused && (style.is_3_4 || asked.wants_trailers) && !asked.is_old;
        let length_first = v2_message && style.says_length_first && !asked.wants_trailers;
        let chunked = with_trailer
            || (v2_message && asked.wants_trailers)
            || self.kind == Kind::Metrics
            || (self.body.len() > BUFFER && !length_first);
        let framing = match chunked {
            true if asked.is_old => Framing::Close,
            true => Framing::Chunked,
            false => Framing::Length(self.body.len()),
        };
        let mut head = first_line(self.status, asked);
        head.push_str(CORS);
        if length_first {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        if let Some((name, value)) = self.header.as_ref().filter(|_| self.kind == Kind::Empty) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        match self.kind {
            Kind::Message => head.push_str(
                "Content-Type: application/json\r\nGrpc-Metadata-Content-Type: application/grpc\r\n",
            ),
            Kind::Refusal | Kind::Gateway | Kind::Json => {
                head.push_str("Content-Type: application/json\r\n");
            }
            Kind::Text => head.push_str(
                "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n",
            ),
            Kind::Metrics => {
                head.push_str("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
            }
            Kind::Guessed | Kind::Empty => {}
        }
        if let Some((name, value)) = self.header.filter(|_| self.kind != Kind::Empty) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if with_trailer {
            head.push_str("Trailer: Grpc-Trailer-Content-Type\r\n");
        }
        end_head(
            &mut head,
            asked,
            framing,
            length_first,
            self.kind == Kind::Guessed,
        );
        out.extend_from_slice(head.as_bytes());
        if asked.wants_head {
            return;
        }
        if framing != Framing::Chunked {
            out.extend_from_slice(&self.body);
            return;
        }
        chunk(out, &self.body);
        let trailer = match with_trailer {
            true => "Grpc-Trailer-Content-Type: application/grpc\r\n",
            false => "",
        };
        let _ = write!(Bytes(out), "0\r\n{trailer}\r\n");
    }
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    /// By the end of the connection.
    Close,
}

/// The head of a stream's answer: with a result, with an error of this status, or of nothing.
pub(super) fn stream_head(opening: Opening, asked: Asked, style: &Style, out: &mut Vec<u8>) {
    let status = match opening {
        Opening::Refused(status) => status,
        Opening::Result | Opening::Nothing => 200,
    };
    let mut head = first_line(status, asked);
    head.push_str(CORS);
    if opening != Opening::Nothing || style.dialect == Dialect::V1 {
        head.push_str("Content-Type: application/json\r\n");
    }
    if opening == Opening::Result {
        head.push_str("Grpc-Metadata-Content-Type: application/grpc\r\n");
    }
    let framing = match asked.is_old {
        true => Framing::Close,
        false => Framing::Chunked,
    };
    end_head(&mut head, asked, framing, false, false);
    out.extend_from_slice(head.as_bytes());
}

/// What a stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Result,
    Refused(u16),
    Nothing,
}

/// An answer of the HTTP server itself, after which the connection ends.
pub(super) fn refuse(status: u16, detail: &str, out: &mut Vec<u8>) {
    let colon = if detail.is_empty() { "" } else { ": " };
    let text = format!("{status} {}{colon}{detail}", reason(status));
    let _ = write!(
        Bytes(out),
        "HTTP/1.1 {text}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{text}"
    );
}

/// The answer to an expectation that is not known.
pub(super) fn refuse_expectation(out: &mut Vec<u8>) {
    let _ = write!(
        Bytes(out),
        "HTTP/1.1 417 {}\r\nConnection: close\r\nDate: {DATE}\r\nContent-Length: 0\r\n\r\n",
        reason(417)
    );
}

/// Appends a chunk; nothing for no bytes, which would be the last one.
pub(super) fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let _ = write!(Bytes(out), "{:x}\r\n", bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn first_line(status: u16, asked: Asked) -> String {
    let version = if asked.is_old { "1.0" } else { "1.1" };
    format!("HTTP/{version} {status} {}\r\n", reason(status))
}

fn end_head(head: &mut String, asked: Asked, framing: Framing, has_length: bool, is_guessed: bool) {
    let _ = write!(head, "Date: {DATE}\r\n");
    if let Framing::Length(length) = framing
        && !has_length
    {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    if is_guessed {
        head.push_str("Content-Type: text/plain; charset=utf-8\r\n");
    }
    if asked.is_old && !asked.closes && framing != Framing::Close {
        head.push_str("Connection: keep-alive\r\n");
    } else if asked.closes && !asked.is_old {
        head.push_str("Connection: close\r\n");
    }
    if framing == Framing::Chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    }
    head.push_str("\r\n");
}

/// Bytes to write text to.
struct Bytes<'a>(&'a mut Vec<u8>);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
