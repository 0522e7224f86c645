//! Reads the answers of one connection, one after the other.
//!
//! Input is lent, not taken: what a call does not use comes back with the next one. Bytes are kept
//! only of a head or a trailer line that has not come whole; an answer that comes in one piece is
//! read without a copy and without an allocation. An error is remembered: framing once lost is
//! lost for good.

use core::fmt;
use core::mem;
use std::collections::VecDeque;

use super::Head;
use super::HttpLimits;
use super::body::Body;
use super::body::Token;
use super::head::HeadScan;
use super::head::parse_head;
use crate::codec::take;
use crate::error::CloseReason;
use crate::error::HttpError;
use crate::error::Limit;

/// Reads a connection's bytes as the answers to the requests sent on it.
///
/// Say [`expect`](Self::expect) for each request sent, then [`read`](Self::read) what comes.
/// Several answers may be outstanding; they come in the order of their requests.
///
/// ```
/// use etcd_core::codec::http1::{HttpLimits, Item, Reader, RequestMethod};
///
/// let mut reader = Reader::new(HttpLimits::default());
/// reader.expect(RequestMethod::Other);
/// // A head cut in two: the first half is kept, and used up.
/// assert_eq!(reader.read(b"HTTP/1.1 200 OK\r\nContent-")?, (25, None));
/// let (used, item) = reader.read(b"Length: 1\r\n\r\n7")?;
/// assert_eq!(used, 13);
/// assert!(matches!(item, Some(Item::Head(head)) if head.status == 200));
/// assert_eq!(reader.read(b"7")?, (1, Some(Item::Data(b"7"))));
/// assert_eq!(reader.read(b"")?, (0, Some(Item::End { reusable: true })));
/// assert_eq!(reader.read(b"")?, (0, None));
/// # Ok::<(), etcd_core::codec::http1::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    limits: HttpLimits,
    /// The requests whose answers have not ended, oldest first.
    expected: VecDeque<RequestMethod>,
    state: State,
    /// The bytes so far of a head or trailer line that did not come whole; at most `head_bytes` or
    /// `trailer_bytes`.
    kept: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// Between answers, or inside a head.
    Head {
        scan: HeadScan,
        informational: usize,
    },
    /// Inside a body, or at its end.
    Body { body: Body, keep_alive: bool },
    /// No further answer can come.
    Closed,
    /// The bytes were refused.
    Failed(ReadError),
}

impl State {
    fn next_answer() -> Self {
        Self::Head {
            scan: HeadScan::default(),
            informational: 0,
        }
    }
}

impl Reader {
    /// A reader for a new connection.
    ///
    /// ```
    /// use etcd_core::codec::http1::{HttpLimits, Reader};
    ///
    /// assert_eq!(Reader::new(HttpLimits::default()).outstanding(), 0);
    /// ```
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        Self {
            limits,
            expected: VecDeque::new(),
            state: State::next_answer(),
            kept: Vec::new(),
        }
    }

    /// Says that a request was sent, or at least its first bytes: one more answer is due.
    ///
    /// ```
    /// use etcd_core::codec::http1::{HttpLimits, Reader, RequestMethod};
    ///
    /// let mut reader = Reader::new(HttpLimits::default());
    /// reader.expect(RequestMethod::Head);
    /// assert_eq!(reader.outstanding(), 1);
    /// ```
    pub fn expect(&mut self, method: RequestMethod) {
        self.expected.push_back(method);
    }

    /// Reads on, up to the next item: how many bytes of the input were used, and the item.
    ///
    /// Call it again with the rest, also with an empty rest, until it gives no item; then all of
    /// the input was used.
    ///
    /// # Errors
    ///
    /// The first refusal, from then on every time.
    ///
    /// ```
    /// use etcd_core::HttpError;
    /// use etcd_core::codec::http1::{HttpLimits, ReadError, Reader};
    ///
    /// let mut reader = Reader::new(HttpLimits::default());
    /// let error = reader.read(b"HTTP/1.1 200 OK\r\n").unwrap_err();
    /// assert_eq!(error, ReadError::Http(HttpError::UnexpectedBytes));
    /// ```
    pub fn read<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Item<'a>>), ReadError> {
        let mut rest = input;
        match self.read_item(&mut rest) {
            Ok(item) => Ok((input.len().saturating_sub(rest.len()), item)),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Says that the connection's other side has ended it, after all it sent was read.
    ///
    /// That ends a body that lasts until the connection does; between answers it gives nothing,
    /// even if [answers are outstanding](Self::outstanding).
    ///
    /// # Errors
    ///
    /// [`HttpError::Truncated`] inside an answer, and any earlier refusal.
    ///
    /// ```
    /// use etcd_core::codec::http1::{HttpLimits, Item, Reader, RequestMethod};
    ///
    /// let mut reader = Reader::new(HttpLimits::default());
    /// reader.expect(RequestMethod::Other);
    /// reader.read(b"HTTP/1.0 200 OK\r\n\r\n")?;
    /// reader.read(b"{}")?;
    /// assert_eq!(reader.handle_eof()?, Some(Item::End { reusable: false }));
    /// assert_eq!(reader.handle_eof()?, None);
    /// # Ok::<(), etcd_core::codec::http1::ReadError>(())
    /// ```
    pub fn handle_eof(&mut self) -> Result<Option<Item<'static>>, ReadError> {
        let item = match &self.state {
            State::Failed(error) => return Err(*error),
            State::Closed => None,
            State::Head {
                scan,
                informational: 0,
            } if scan.is_empty() => None,
            State::Body { body, .. } if body.may_end() => {
                self.expected.pop_front();
                Some(Item::End { reusable: false })
            }
            State::Head { .. } | State::Body { .. } => {
                return Err(self.fail(HttpError::Truncated.into()));
            }
        };
        self.state = State::Closed;
        Ok(item)
    }

    /// How many answers have not ended.
    ///
    /// ```
    /// use etcd_core::codec::http1::{HttpLimits, Reader, RequestMethod};
    ///
    /// let mut reader = Reader::new(HttpLimits::default());
    /// reader.expect(RequestMethod::Head);
    /// reader.read(b"HTTP/1.1 200 OK\r\n\r\n")?;
    /// assert_eq!(reader.outstanding(), 1);
    /// reader.read(b"")?;
    /// assert_eq!(reader.outstanding(), 0);
    /// # Ok::<(), etcd_core::codec::http1::ReadError>(())
    /// ```
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.expected.len()
    }

    fn read_item<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Item<'a>>, ReadError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                // Only a body can have something to say without input: its end.
                State::Closed | State::Head { .. } if input.is_empty() => return Ok(None),
                State::Closed => return Err(HttpError::UnexpectedBytes.into()),
                State::Head {
                    scan,
                    informational,
                } => {
                    let Some(&method) = self.expected.front() else {
                        return Err(HttpError::UnexpectedBytes.into());
                    };
                    let Some(len) = scan.scan(input, &self.limits)? else {
                        self.kept.extend_from_slice(take(input, usize::MAX));
                        return Ok(None);
                    };
                    let last = take(input, len);
                    let head = if self.kept.is_empty() {
                        parse_head(last, scan.fields(), method)?
                    } else {
                        let mut whole = mem::take(&mut self.kept);
                        whole.extend_from_slice(last);
                        parse_head(&whole, scan.fields(), method)?
                    };
                    if head.status >= 200 {
                        self.state = State::Body {
                            body: Body::new(head.framing, &self.limits)?,
                            keep_alive: head.keep_alive,
                        };
                        return Ok(Some(Item::Head(head)));
                    }
                    *scan = HeadScan::default();
                    *informational = informational.saturating_add(1);
                    if *informational > self.limits.informational {
                        let limit = self.limits.informational;
                        return Err(HttpError::TooManyInformational(limit).into());
                    }
                }
                State::Body { body, keep_alive } => {
                    let reusable = *keep_alive;
                    return match body.read(input, &mut self.kept, &self.limits)? {
                        Token::NeedMore => Ok(None),
                        Token::Data(data) => Ok(Some(Item::Data(data))),
                        Token::End => {
                            self.expected.pop_front();
                            self.state = match reusable {
                                true => State::next_answer(),
                                false => State::Closed,
                            };
                            Ok(Some(Item::End { reusable }))
                        }
                    };
                }
            }
        }
    }

    /// Remembers why nothing more is read, and lets go of what was kept.
    fn fail(&mut self, error: ReadError) -> ReadError {
        self.kept = Vec::new();
        self.state = State::Failed(error);
        error
    }
}

/// What was asked for, as far as it changes how the answer is read.
///
/// ```
/// use etcd_core::codec::http1::RequestMethod;
///
/// assert_ne!(RequestMethod::Head, RequestMethod::Other);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestMethod {
    /// HEAD: the answer has no body, whatever its head says.
    Head,
    /// Any other method.
    Other,
}

/// What a [`Reader`] read.
///
/// ```
/// use etcd_core::codec::http1::Item;
///
/// assert_eq!(Item::Data(b"{}"), Item::Data(b"{}"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// The head of a final answer; informational ones are passed over.
    Head(Head),
    /// Some of the body's data, lent from the input; never empty.
    Data(&'a [u8]),
    /// The answer's end.
    End {
        /// Whether the connection takes another request.
        reusable: bool,
    },
}

/// Why a [`Reader`] reads no further.
///
/// ```
/// use etcd_core::codec::http1::ReadError;
/// use etcd_core::{CloseReason, HttpError, Limit};
///
/// assert_eq!(ReadError::from(Limit::Body(9)).to_string(), "answer body is longer than 9 bytes");
/// let reason = CloseReason::from(ReadError::Http(HttpError::Truncated));
/// assert_eq!(reason, CloseReason::Http(HttpError::Truncated));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The server's bytes are not HTTP/1.1 as this client reads it.
    Http(HttpError),
    /// They are, but the body is longer than allowed.
    Limit(Limit),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => fmt::Display::fmt(error, f),
            Self::Limit(limit) => fmt::Display::fmt(limit, f),
        }
    }
}

impl core::error::Error for ReadError {}

impl From<HttpError> for ReadError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<Limit> for ReadError {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<ReadError> for CloseReason {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Http(error) => Self::Http(error),
            ReadError::Limit(limit) => Self::Limit(limit),
        }
    }
}
