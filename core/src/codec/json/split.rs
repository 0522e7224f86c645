//! Cuts a sequence of JSON objects into the objects.
//!
//! It follows brackets and strings and nothing else (`nesting`): what lies between them is for the JSON
//! parser that gets the frames. Each byte is looked at once.

use core::fmt;
use core::mem;
use core::ops::Deref;
use std::borrow::Cow;

use super::nesting::Broken;
use super::nesting::Nesting;
use super::nesting::Reached;
use super::nesting::Stops;
use super::nesting::is_blank;
use crate::codec::count;
use crate::codec::find;
use crate::codec::take;
use crate::error::CloseReason;
use crate::error::JsonError;
use crate::error::Limit;

/// Limits of one [`Splitter`].
///
/// ```
/// use etcd_core::codec::json::JsonLimits;
///
/// let mut limits = JsonLimits::default();
/// assert_eq!((limits.depth, limits.frame_bytes), (32, 64 * 1024 * 1024));
/// limits.frame_bytes = 1024;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JsonLimits {
    /// How deep objects and arrays nest, the outermost one included. 32; real answers stay under
    /// 10.
    pub depth: usize,
    /// Bytes of one frame. 64 MiB.
    pub frame_bytes: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            depth: 32,
            frame_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Cuts bytes that come in any pieces into JSON objects.
///
/// ```
/// use etcd_core::codec::json::{JsonLimits, Splitter};
///
/// let mut splitter = Splitter::new(JsonLimits::default());
/// let mut input = &b"{\"n\":1}{\"n\":2}\n"[..];
/// let mut frames = Vec::new();
/// loop {
///     let (used, frame) = splitter.push(input)?;
///     input = &input[used..];
///     let Some(frame) = frame else { break };
///     frames.push(frame);
/// }
/// assert_eq!(&*frames[0], b"{\"n\":1}");
/// assert_eq!(&*frames[1], b"{\"n\":2}");
/// # Ok::<(), etcd_core::codec::json::SplitError>(())
/// ```
#[derive(Debug)]
pub struct Splitter {
    limits: JsonLimits,
    state: State,
    nesting: Nesting,
    /// The bytes so far of a value that began in an earlier piece; at most `frame_bytes`.
    kept: Vec<u8>,
    /// Bytes used by earlier calls.
    offset: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Between top-level values.
    Between,
    /// Inside one.
    Value,
    /// The bytes were refused.
    Failed(SplitError),
}

impl Splitter {
    /// A splitter at the start of a body.
    ///
    /// ```
    /// use etcd_core::codec::json::{JsonLimits, Splitter};
    ///
    /// assert!(Splitter::new(JsonLimits::default()).finish().is_ok());
    /// ```
    #[must_use]
    pub const fn new(limits: JsonLimits) -> Self {
        Self {
            limits,
            state: State::Between,
            nesting: Nesting::new(),
            kept: Vec::new(),
            offset: 0,
        }
    }

    /// Reads on, up to the end of the next object: how many bytes of the input were used, and the
    /// object.
    ///
    /// Call it again with the rest until it gives no frame; then all of the input was used.
    ///
    /// # Errors
    ///
    /// The first refusal, from then on every time.
    ///
    /// ```
    /// use etcd_core::JsonError;
    /// use etcd_core::codec::json::{JsonLimits, SplitError, Splitter};
    ///
    /// let mut splitter = Splitter::new(JsonLimits::default());
    /// let error = splitter.push(b"  [1]").unwrap_err();
    /// assert_eq!(error, SplitError::Json(JsonError::UnexpectedByte { offset: 2, byte: b'[' }));
    /// ```
    pub fn push<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Frame<'a>>), SplitError> {
        let mut rest = input;
        match self.next_frame(&mut rest) {
            Ok(frame) => {
                let used = input.len().saturating_sub(rest.len());
                self.offset = self.offset.saturating_add(count(used));
                Ok((used, frame))
            }
            Err(stop) => {
                let error = match stop {
                    Stop::Remembered(error) => error,
                    Stop::Split(error) => error,
                    Stop::Byte { byte, left } => {
                        let before = count(input.len().saturating_sub(left));
                        let offset = self.offset.saturating_add(before);
                        JsonError::UnexpectedByte { offset, byte }.into()
                    }
                };
                self.kept = Vec::new();
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// Says that the body has ended.
    ///
    /// # Errors
    ///
    /// [`JsonError::Truncated`] inside a value, and any earlier refusal.
    ///
    /// ```
    /// use etcd_core::JsonError;
    /// use etcd_core::codec::json::{JsonLimits, Splitter};
    ///
    /// let mut splitter = Splitter::new(JsonLimits::default());
    /// splitter.push(b"{\"result\":{")?;
    /// assert_eq!(splitter.finish(), Err(JsonError::Truncated));
    /// # Ok::<(), etcd_core::codec::json::SplitError>(())
    /// ```
    pub fn finish(&self) -> Result<(), JsonError> {
        match &self.state {
            State::Between => Ok(()),
            State::Failed(SplitError::Json(error)) => Err(error.clone()),
            State::Value | State::Failed(_) => Err(JsonError::Truncated),
        }
    }

    fn next_frame<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Stop> {
        if let State::Failed(error) = &self.state {
            return Err(Stop::Remembered(error.clone()));
        }
        if self.state == State::Between {
            let blank = find(input, |byte| !is_blank(byte)).unwrap_or(input.len());
            take(input, blank);
            match input.first() {
                None => return Ok(None),
                Some(b'{') => self.state = State::Value,
                Some(&byte) => {
                    let left = input.len();
                    return Err(Stop::Byte { byte, left });
                }
            }
        }

        // No more is looked at than the limit allows, so that it strikes at the same byte however
        // the bytes were cut.
        let begin = *input;
        let allowed = self.limits.frame_bytes.saturating_sub(self.kept.len());
        let mut window = take(&mut &*begin, allowed);
        let beyond = begin.len().saturating_sub(window.len());
        let stops = Stops {
            shallow: 0,
            floor: 0,
            depth: self.limits.depth,
        };
        let reached = self.nesting.scan(&mut window, stops);
        let reached = reached.map_err(|broken| match broken {
            Broken::Byte(byte) => Stop::Byte {
                byte,
                left: window.len().saturating_add(beyond),
            },
            Broken::Json(error) => Stop::Split(error.into()),
        })?;
        let left = window.len().saturating_add(beyond);
        let part = take(input, begin.len().saturating_sub(left));
        if reached != Reached::Ended {
            if beyond > 0 {
                return Err(Stop::Split(Limit::Frame(self.limits.frame_bytes).into()));
            }
            self.kept.extend_from_slice(part);
            return Ok(None);
        }
        self.state = State::Between;
        Ok(Some(Frame(if self.kept.is_empty() {
            Cow::Borrowed(part)
        } else {
            let mut whole = mem::take(&mut self.kept);
            whole.extend_from_slice(part);
            Cow::Owned(whole)
        })))
    }
}

/// Why a call to [`Splitter::push`] ends without a frame.
enum Stop {
    /// It had ended so before.
    Remembered(SplitError),
    /// For this reason.
    Split(SplitError),
    /// This byte cannot stand where it stands, with so many bytes left from it on.
    Byte { byte: u8, left: usize },
}

/// One JSON object, as its bytes: lent from the input if it came in one piece.
///
/// ```
/// use etcd_core::codec::json::{JsonLimits, Splitter};
///
/// let mut splitter = Splitter::new(JsonLimits::default());
/// let (_, frame) = splitter.push(b"{}")?;
/// assert_eq!(frame.unwrap().into_vec(), b"{}");
/// # Ok::<(), etcd_core::codec::json::SplitError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a>(pub(super) Cow<'a, [u8]>);

impl Frame<'_> {
    /// The bytes, copied only if they are lent from the input.
    ///
    /// ```
    /// use etcd_core::codec::json::{JsonLimits, Splitter};
    ///
    /// let mut splitter = Splitter::new(JsonLimits::default());
    /// splitter.push(b"{\"a\"")?;
    /// let (_, frame) = splitter.push(b":1}")?;
    /// assert_eq!(frame.unwrap().into_vec(), b"{\"a\":1}");
    /// # Ok::<(), etcd_core::codec::json::SplitError>(())
    /// ```
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into_owned()
    }
}

impl Deref for Frame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Why a [`Splitter`] reads no further.
///
/// ```
/// use etcd_core::codec::json::SplitError;
/// use etcd_core::{CloseReason, JsonError};
///
/// let error = SplitError::from(JsonError::TooDeep(32));
/// assert_eq!(error.to_string(), "nested deeper than 32");
/// assert_eq!(CloseReason::from(error), CloseReason::Json(JsonError::TooDeep(32)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitError {
    /// The bytes are not a sequence of JSON objects.
    Json(JsonError),
    /// They may be, but one is longer than allowed.
    Limit(Limit),
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => fmt::Display::fmt(error, f),
            Self::Limit(limit) => fmt::Display::fmt(limit, f),
        }
    }
}

impl core::error::Error for SplitError {}

impl From<JsonError> for SplitError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<Limit> for SplitError {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<SplitError> for CloseReason {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::Json(error) => Self::Json(error),
            SplitError::Limit(limit) => Self::Limit(limit),
        }
    }
}
