//! The frames of a stream, out of body bytes that come in any pieces.
//!
//! Frames are cut by JSON value boundary, never by newline or chunk: v1 servers leave the newline
//! out after an error, and a chunk is whatever the server flushed (gateway.md 6, rule W-13). A
//! stream that was refused has another status than 200, and its body is one error.

use core::fmt;
use core::marker::PhantomData;
use std::collections::VecDeque;

use super::answer::AnswerError;
use super::answer::ERROR_BODY;
use super::answer::frame;
use super::answer::status_of;
use crate::api::Message;
use crate::codec::json::JsonLimits;
use crate::codec::json::SplitError;
use crate::codec::json::Splitter;
use crate::error::CloseReason;
use crate::error::JsonError;
use crate::error::Limit;
use crate::error::ProtocolError;
use crate::error::Status;

/// Reads the body of a stream.
///
/// ```
/// use etcd_core::gateway::Frames;
/// use etcd_core::WatchResponse;
///
/// let mut frames = Frames::<WatchResponse>::new(200, Default::default());
/// frames.handle_data(br#"{"result":{"created":true,"watch_id":"7"}}{"resu"#);
/// assert_eq!(frames.poll_frame().unwrap()?.watch_id, 7);
/// assert!(frames.poll_frame().is_none());
///
/// frames.handle_data(br#"lt":{"watch_id":"7","canceled":true}}"#);
/// frames.handle_end();
/// assert!(frames.poll_frame().unwrap()?.canceled);
/// assert!(frames.poll_frame().is_none());
/// # Ok::<(), etcd_core::gateway::FrameError>(())
/// ```
#[derive(Debug)]
pub struct Frames<T> {
    state: State,
    ready: VecDeque<Result<T, FrameError>>,
    frame: PhantomData<T>,
}

#[derive(Debug)]
enum State {
    /// Status 200: frames.
    Open(Splitter),
    /// Any other status.
    Refused(Refusal),
    /// Ended, well or not.
    Ended,
}

impl<T: Message> Frames<T> {
    /// A stream whose answer has this HTTP status.
    ///
    /// ```
    /// use etcd_core::gateway::{FrameError, Frames};
    /// use etcd_core::{Known, WatchResponse};
    ///
    /// let mut frames = Frames::<WatchResponse>::new(503, Default::default());
    /// frames.handle_data(br#"{"error":{"code":14,"message":"etcdserver: no leader"}}"#);
    /// frames.handle_end();
    /// let Some(Err(FrameError::Status(status))) = frames.poll_frame() else { panic!() };
    /// assert_eq!(status.known(), Some(Known::NoLeader));
    /// ```
    #[must_use]
    pub fn new(http_status: u16, limits: JsonLimits) -> Self {
        let state = if http_status == 200 {
            State::Open(Splitter::new(limits))
        } else {
            State::Refused(Refusal::new(http_status))
        };
        Self {
            state,
            ready: VecDeque::new(),
            frame: PhantomData,
        }
    }

    /// Takes further bytes of the body, without the framing of HTTP.
    ///
    /// ```
    /// use etcd_core::gateway::Frames;
    /// use etcd_core::LeaseKeepAliveResponse;
    ///
    /// let mut frames = Frames::<LeaseKeepAliveResponse>::new(200, Default::default());
    /// for byte in br#"{"result":{"ID":"7","TTL":"10"}}"# {
    ///     frames.handle_data(&[*byte]);
    /// }
    /// assert_eq!(frames.poll_frame().unwrap().unwrap().ttl, 10);
    /// ```
    pub fn handle_data(&mut self, mut data: &[u8]) {
        match &mut self.state {
            State::Open(splitter) => {
                while !data.is_empty() {
                    let item = match splitter.push(data) {
                        Ok((used, Some(json))) => {
                            let item = frame(&json).map_err(FrameError::from);
                            data = &data[used..];
                            item
                        }
                        Ok((used, None)) => {
                            data = &data[used..];
                            continue;
                        }
                        Err(error) => Err(error.into()),
                    };
                    let failed = item.is_err();
                    self.ready.push_back(item);
                    if failed {
                        self.state = State::Ended;
                        return;
                    }
                }
            }
            State::Refused(refusal) => refusal.handle_data(data),
            State::Ended => {}
        }
    }

    /// The body has ended.
    ///
    /// ```
    /// use etcd_core::gateway::{FrameError, Frames};
    /// use etcd_core::{JsonError, WatchResponse};
    ///
    /// let mut frames = Frames::<WatchResponse>::new(200, Default::default());
    /// frames.handle_data(b"{");
    /// frames.handle_end();
    /// assert_eq!(frames.poll_frame(), Some(Err(FrameError::Json(JsonError::Truncated))));
    /// ```
    pub fn handle_end(&mut self) {
        let error = match core::mem::replace(&mut self.state, State::Ended) {
            State::Open(splitter) => splitter.finish().err().map(FrameError::Json),
            State::Refused(refusal) => Some(FrameError::Status(refusal.status())),
            State::Ended => None,
        };
        self.ready.extend(error.map(Err));
    }

    /// The next frame, or the error that ended the stream; nothing comes after an error.
    ///
    /// ```
    /// use etcd_core::gateway::Frames;
    /// use etcd_core::WatchResponse;
    ///
    /// let mut frames = Frames::<WatchResponse>::new(200, Default::default());
    /// assert!(frames.poll_frame().is_none());
    /// ```
    #[must_use]
    pub fn poll_frame(&mut self) -> Option<Result<T, FrameError>> {
        self.ready.pop_front()
    }
}

/// The body of an answer with another status than 200, up to a limit, for its error.
#[derive(Debug)]
pub(super) struct Refusal {
    http: u16,
    body: Vec<u8>,
}

impl Refusal {
    pub(super) const fn new(http: u16) -> Self {
        let body = Vec::new();
        Self { http, body }
    }

    pub(super) fn handle_data(&mut self, data: &[u8]) {
        let room = ERROR_BODY.saturating_sub(self.body.len());
        self.body.extend_from_slice(&data[..data.len().min(room)]);
    }

    pub(super) fn status(&self) -> Status {
        status_of(self.http, &self.body)
    }
}

/// Why a stream ended.
///
/// ```
/// use etcd_core::gateway::FrameError;
/// use etcd_core::JsonError;
///
/// let error = FrameError::Json(JsonError::Truncated);
/// assert_eq!(error.to_string(), "frame cannot be read: body ends inside a value");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The server ended it with an error, or refused it.
    Status(Status),
    /// A frame is not JSON, or not the stream's.
    Json(JsonError),
    /// A frame, or what is kept of it, is longer than allowed.
    Limit(Limit),
    /// The JSON is right, its meaning is not.
    Protocol(ProtocolError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => fmt::Display::fmt(status, f),
            Self::Json(error) => write!(f, "frame cannot be read: {error}"),
            Self::Limit(limit) => fmt::Display::fmt(limit, f),
            Self::Protocol(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Status(status) => Some(status),
            Self::Json(error) => Some(error),
            Self::Limit(limit) => Some(limit),
            Self::Protocol(error) => Some(error),
        }
    }
}

impl From<FrameError> for CloseReason {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Status(status) => Self::Status(status),
            FrameError::Json(error) => Self::Json(error),
            FrameError::Limit(limit) => Self::Limit(limit),
            FrameError::Protocol(error) => Self::Protocol(error),
        }
    }
}

impl From<AnswerError> for FrameError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Status(status) => Self::Status(status),
            AnswerError::Json(error) => Self::Json(error),
        }
    }
}

impl From<SplitError> for FrameError {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::Json(error) => Self::Json(error),
            SplitError::Limit(limit) => Self::Limit(limit),
        }
    }
}
