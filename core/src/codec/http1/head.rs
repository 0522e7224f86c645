//! Reads an answer's head: finds its end, then what it says about the body.
//!
//! [`HeadScan`] sees each byte once, as it comes, and holds to the limits; [`parse_head`] sees the
//! whole head once. What the scan refuses, it refuses at a byte that does not depend on how the
//! bytes were cut, and httparse's two kindnesses, bare LF as line end and empty lines in front, do
//! not survive it.

use core::mem::MaybeUninit;

use super::HttpLimits;
use super::RequestMethod;
use crate::codec::count_work;
use crate::codec::find_byte;
use crate::codec::take;
use crate::error::HttpError;

/// What an answer's head says about the answer.
///
/// ```
/// use etcd_core::codec::http1::{Framing, HttpLimits, Item, Reader, RequestMethod};
///
/// let mut reader = Reader::new(HttpLimits::default());
/// reader.expect(RequestMethod::Other);
/// let bytes = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 9\r\n\r\n";
/// let (used, Some(Item::Head(head))) = reader.read(bytes)? else { panic!() };
/// assert_eq!(used, bytes.len());
/// assert_eq!((head.status, head.minor_version), (503, 1));
/// assert_eq!(head.framing, Framing::Length(9));
/// assert!(!head.keep_alive);
/// # Ok::<(), etcd_core::codec::http1::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The status code, 100 to 599.
    pub status: u16,
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub minor_version: u8,
    /// How the body's end is told.
    pub framing: Framing,
    /// Whether the connection takes another request after this answer.
    pub keep_alive: bool,
}

/// How the end of an answer's body is told (RFC 9112 section 6.3).
///
/// ```
/// use etcd_core::codec::http1::Framing;
///
/// assert_ne!(Framing::Length(0), Framing::None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// It has this many bytes.
    Length(u64),
    /// It comes in chunks, up to an empty one.
    Chunked,
    /// It lasts until the connection ends.
    UntilClose,
    /// There is none: the answer to a HEAD, or a status that has no body.
    None,
}

/// What every head starts with; the version's last digit is checked with the rest of the line.
const START: &[u8] = b"HTTP/1.";

/// How the bytes begin that other protocols answer with. `None` is any byte.
const OTHERS: [(&[Option<u8>], HttpError); 3] = [
    // A frame of HTTP/2 shorter than 64 KiB whose type is SETTINGS (RFC 9113 sections 4.1 and 6.5):
    // what a server sends first.
    (&[Some(0), Some(0), None, Some(4)], HttpError::Http2),
    // An alert and a handshake record of TLS (RFC 8446 section 5.1).
    (&[Some(0x15), Some(3)], HttpError::Tls),
    (&[Some(0x16), Some(3)], HttpError::Tls),
];

/// How far the search for the end of a head has come.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// Bytes seen; at most `head_bytes`.
    seen: usize,
    /// Lines ended, the status line included; at most `header_count + 1`.
    lines: usize,
    /// Bytes of the line under way; at most `head_line_bytes`.
    line: usize,
    /// Whether the last byte was a CR.
    after_cr: bool,
    /// The protocol it may be instead of HTTP: a place in [`OTHERS`].
    other: Option<usize>,
}

impl HeadScan {
    /// Looks at the next bytes of a head; how many of them are its rest, if it ends there.
    pub(super) fn scan(
        &mut self,
        input: &[u8],
        limits: &HttpLimits,
    ) -> Result<Option<usize>, HttpError> {
        let mut rest = input;
        let mut window = take(&mut rest, limits.head_bytes.saturating_sub(self.seen));
        let before = self.seen;

        // Something that is not HTTP at all is refused at once: it might never have a line end.
        let of_first_line = limits.head_line_bytes.saturating_sub(self.seen);
        let start = window.iter().take(of_first_line);
        for (&byte, at) in start.zip(self.seen..START.len()) {
            self.check_start(at, byte)?;
        }
        // While it may be another protocol, a byte like a line end is none.
        if self.other.is_some() {
            self.seen = self.seen.saturating_add(window.len());
            window = &[];
        }

        while let Some(at) = find_byte(window, b'\n') {
            let line = take(&mut window, at.saturating_add(1));
            self.seen = self.seen.saturating_add(line.len());
            self.add_to_line(line.len(), limits)?;
            // The last two bytes, of which the first may have come earlier.
            let has_cr = match line {
                [.., last, _] => *last == b'\r',
                _ => self.after_cr,
            };
            if !has_cr {
                return Err(HttpError::BadHead);
            }
            let is_empty = self.line == b"\r\n".len();
            self.line = 0;
            self.after_cr = false;
            if is_empty {
                return Ok(Some(self.seen.saturating_sub(before)));
            }
            if self.lines > limits.header_count {
                return Err(HttpError::TooManyHeaders(limits.header_count));
            }
            self.lines = self.lines.saturating_add(1);
        }

        self.seen = self.seen.saturating_add(window.len());
        self.add_to_line(window.len(), limits)?;
        if let Some(&last) = window.last() {
            self.after_cr = last == b'\r';
        }
        if rest.is_empty() {
            Ok(None)
        } else {
            Err(HttpError::HeadTooLong(limits.head_bytes))
        }
    }

    /// Looks at one of the first bytes, at the place `at`.
    fn check_start(&mut self, at: usize, byte: u8) -> Result<(), HttpError> {
        if at == 0 {
            let begins =
                |(bytes, _): &(&[Option<u8>], HttpError)| bytes.first() == Some(&Some(byte));
            self.other = OTHERS.iter().position(begins);
        }
        let Some((bytes, protocol)) = self.other.and_then(|other| OTHERS.get(other)) else {
            return match START.get(at) == Some(&byte) {
                true => Ok(()),
                false if at >= b"HTTP/".len() => Err(HttpError::BadVersion),
                false => Err(HttpError::BadHead),
            };
        };
        match bytes.get(at) {
            Some(wanted) if wanted.is_none_or(|wanted| wanted == byte) => {}
            _ => return Err(HttpError::BadHead),
        }
        if at.saturating_add(1) == bytes.len() {
            return Err(*protocol);
        }
        Ok(())
    }

    fn add_to_line(&mut self, len: usize, limits: &HttpLimits) -> Result<(), HttpError> {
        self.line = self.line.saturating_add(len);
        if self.line > limits.head_line_bytes {
            return Err(HttpError::HeadLineTooLong(limits.head_line_bytes));
        }
        Ok(())
    }

    /// Whether no byte of the head has come.
    pub(super) const fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// How many fields the scanned lines can be.
    pub(super) const fn fields(&self) -> usize {
        self.lines.saturating_sub(1)
    }
}

/// Reads a whole head, which answers a request of this method and has this many fields.
pub(super) fn parse_head(
    bytes: &[u8],
    fields: usize,
    method: RequestMethod,
) -> Result<Head, HttpError> {
    /// More fields than a real answer has; beyond, the heap takes them.
    const ON_STACK: usize = 64;

    count_work(bytes.len());
    let mut on_stack = [const { MaybeUninit::uninit() }; ON_STACK];
    let mut on_heap = Vec::new();
    let slots = match on_stack.get_mut(..fields) {
        Some(slots) => slots,
        None => {
            on_heap.resize_with(fields, MaybeUninit::uninit);
            on_heap.as_mut_slice()
        }
    };
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        slots,
    );
    match parsed {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => {}
        Err(httparse::Error::Version) => return Err(HttpError::BadVersion),
        Ok(_) | Err(_) => return Err(HttpError::BadHead),
    }
    let (Some(status), Some(minor_version)) = (response.code, response.version) else {
        return Err(HttpError::BadHead);
    };
    if !(100..=599).contains(&status) || status == 101 {
        return Err(HttpError::BadStatus);
    }

    let fields = Fields::read(response.headers)?;
    if fields.chunked && minor_version == 0 {
        return Err(HttpError::BadTransferEncoding);
    }
    let announced = match (fields.length, fields.chunked) {
        (Some(_), true) => return Err(HttpError::LengthAndTransferEncoding),
        (Some(length), false) => Framing::Length(length),
        (None, true) => Framing::Chunked,
        (None, false) => Framing::UntilClose,
    };
    let framing = match (status, announced) {
        // These have no body, and the server may not announce one (RFC 9112 section 6.3).
        (100..=199 | 204, Framing::Chunked | Framing::Length(1..)) => {
            return Err(HttpError::UnexpectedBytes);
        }
        (100..=199 | 204 | 304, _) => Framing::None,
        _ if method == RequestMethod::Head => Framing::None,
        (_, announced) => announced,
    };
    let asks_to_keep = minor_version == 1 || fields.connection_keep_alive;
    Ok(Head {
        status,
        minor_version,
        framing,
        keep_alive: asks_to_keep && !fields.connection_close && framing != Framing::UntilClose,
    })
}

/// What the fields that matter say.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    connection_close: bool,
    connection_keep_alive: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Self, HttpError> {
        let mut fields = Self::default();
        for header in headers {
            let (name, value) = (header.name, header.value);
            if name.eq_ignore_ascii_case("content-length") {
                let length = parse_length(value).ok_or(HttpError::BadContentLength)?;
                if fields.length.is_some_and(|other| other != length) {
                    return Err(HttpError::ConflictingContentLength);
                }
                fields.length = Some(length);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                if fields.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HttpError::BadTransferEncoding);
                }
                fields.chunked = true;
            } else if name.eq_ignore_ascii_case("content-encoding") {
                if !value.eq_ignore_ascii_case(b"identity") {
                    return Err(HttpError::UnexpectedContentEncoding);
                }
            } else if name.eq_ignore_ascii_case("connection") {
                for token in value.split(|&byte| byte == b',') {
                    let token = token.trim_ascii();
                    fields.connection_close |= token.eq_ignore_ascii_case(b"close");
                    fields.connection_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        Ok(fields)
    }
}

/// `1*DIGIT` and nothing else: the standard library's `parse` would take a sign (RUSTSEC-2021-0078).
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        length.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
