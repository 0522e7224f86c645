//! The body of a watch stream, event by event, out of pieces of any size.
//!
//! Nearly all frames lie whole in one piece and are plain; these are read in one pass. Any other frame
//! is read as its bytes come: each event is decoded by itself when it ends and its text is forgotten,
//! so a frame may be as long as it likes, and a revision goes out once it is known to be whole. Both
//! ways give the same; the second decides wherever they could differ, and says what is wrong.
//!
//! ```text
//!   a piece ──► lies whole in it, plain ────► all its events ─┐
//!      │                                                      ▼
//!      └──────► anything else ──► Cutter ──► event by event ─► Revisions ──► Revision …, Frame
//!                                    └──────────────────────► the other members
//! ```
//!
//! Events are for a watch, so those that come before the header or the id are kept until the frame's
//! end, within the limit of a frame. Servers write them last. An id of 0 is not written at all and so
//! not known before the end: let watches have ids of their own from 1 on.

use super::answer::AnswerError;
use super::answer::plain_frame;
use super::answer::strict_frame;
use super::frames::FrameError;
use super::frames::Refusal;
use super::revisions::Ready;
use super::revisions::Revisions;
use crate::api::KvEvent;
use crate::api::ResponseHeader;
use crate::api::WatchResponse;
use crate::codec::json::Cut;
use crate::codec::json::Cutter;
use crate::codec::json::JsonLimits;
use crate::codec::json::List;
use crate::codec::json::Member;
use crate::error::JsonError;
use crate::error::Limit;

/// Limits of one [`WatchFrames`].
///
/// ```
/// use etcd_core::gateway::WatchLimits;
///
/// let mut limits = WatchLimits::default();
/// assert_eq!(limits.revision_bytes, 64 << 20);
/// limits.json.frame_bytes = 64 << 10;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WatchLimits {
    /// How deep frames nest, and how many bytes of a frame are kept besides its events; events that
    /// come before the header and the id of their frame count as well.
    pub json: JsonLimits,
    /// Bytes of one revision: of each event's text, and of all its events in memory. 64 MiB.
    pub revision_bytes: usize,
    /// A bug on purpose, for tests of tests.
    #[cfg(feature = "planted")]
    pub planted: Option<crate::planted::Planted>,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self {
            json: JsonLimits::default(),
            revision_bytes: 64 << 20,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}

/// What [`WatchFrames`] makes of a stream.
///
/// ```
/// use etcd_core::gateway::{WatchFrames, WatchItem};
///
/// let mut frames = WatchFrames::new(200, Default::default());
/// frames.handle_data(br#"{"result":{"header":{"revision":"9"},"watch_id":"7"}}"#);
/// let Some(Ok(WatchItem::Frame { frame, events: 0 })) = frames.poll_item() else { panic!() };
/// assert_eq!((frame.watch_id, frame.header.revision), (7, 9));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchItem {
    /// All events of one revision, higher than the one before in its frame. Its frame may not have
    /// ended, or may be cut off later.
    Revision {
        /// The header of the frame that showed it to be whole. Its revision is the store's: it says
        /// nothing of what has come before the frame has ended.
        header: ResponseHeader,
        /// The watch it is for.
        watch_id: i64,
        /// What happened; at least one event.
        events: Vec<KvEvent>,
    },
    /// A frame ended.
    Frame {
        /// All of it but its events.
        frame: WatchResponse,
        /// How many events it had. They came before as revisions; the last of them comes with the next
        /// frame where this one is a fragment.
        events: usize,
    },
}

/// Reads the body of a watch stream, and joins the parts of fragmented messages.
///
/// A frame is not kept until it is whole: a revision comes out once the next event shows it to be
/// whole, or the end of its list. So the memory it takes is one revision in the making, and a stream
/// that breaks off inside a long frame has given all revisions that were whole before.
///
/// ```
/// use etcd_core::gateway::{WatchFrames, WatchItem};
///
/// let mut frames = WatchFrames::new(200, Default::default());
/// frames.handle_data(br#"{"result":{"header":{"revision":"9"},"watch_id":"7","events":["#);
/// frames.handle_data(br#"{"kv":{"key":"Zm9v","mod_revision":"5"}},"#);
/// assert!(frames.poll_item().is_none());
///
/// // Another event of that revision might have followed. This is one of a later revision.
/// frames.handle_data(br#"{"kv":{"key":"Zm9v","mod_revision":"6","#);
/// let Some(Ok(WatchItem::Revision { watch_id: 7, events, .. })) = frames.poll_item() else { panic!() };
/// assert_eq!(events[0].kv.mod_revision, 5);
/// ```
#[derive(Debug)]
pub struct WatchFrames {
    state: State,
    ready: Ready,
}

#[derive(Debug)]
enum State {
    /// Status 200: frames.
    Open(Box<Reader>),
    /// Any other status.
    Refused(Refusal),
    /// Ended, well or not; the watch whose revision was being read.
    Ended(Option<i64>),
}

impl WatchFrames {
    /// A stream whose answer has this HTTP status.
    ///
    /// ```
    /// use etcd_core::gateway::{FrameError, WatchFrames};
    ///
    /// let mut frames = WatchFrames::new(503, Default::default());
    /// frames.handle_data(br#"{"error":{"code":14,"message":"etcdserver: no leader"}}"#);
    /// frames.handle_end();
    /// assert!(matches!(frames.poll_item(), Some(Err(FrameError::Status(_)))));
    /// ```
    #[must_use]
    pub fn new(http_status: u16, limits: WatchLimits) -> Self {
        let state = if http_status == 200 {
            State::Open(Box::new(Reader::new(limits)))
        } else {
            State::Refused(Refusal::new(http_status))
        };
        Self {
            state,
            ready: Ready::new(),
        }
    }

    /// Takes further bytes of the body, without the framing of HTTP.
    ///
    /// ```
    /// use etcd_core::gateway::{WatchFrames, WatchItem};
    ///
    /// let mut frames = WatchFrames::new(200, Default::default());
    /// for byte in br#"{"result":{"watch_id":"7","created":true}}"# {
    ///     frames.handle_data(&[*byte]);
    /// }
    /// let Some(Ok(WatchItem::Frame { frame, .. })) = frames.poll_item() else { panic!() };
    /// assert!(frame.created);
    /// ```
    pub fn handle_data(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Open(reader) => {
                if let Err(error) = reader.read(data, &mut self.ready) {
                    let watch_id = reader.watch_id();
                    self.ready.push_back(Err(error));
                    self.state = State::Ended(watch_id);
                }
            }
            State::Refused(refusal) => refusal.handle_data(data),
            State::Ended(_) => {}
        }
    }

    /// The body has ended.
    ///
    /// ```
    /// use etcd_core::gateway::{FrameError, WatchFrames};
    /// use etcd_core::JsonError;
    ///
    /// let mut frames = WatchFrames::new(200, Default::default());
    /// frames.handle_data(b"{");
    /// frames.handle_end();
    /// assert_eq!(frames.poll_item(), Some(Err(FrameError::Json(JsonError::Truncated))));
    /// ```
    pub fn handle_end(&mut self) {
        let error = match &self.state {
            State::Open(reader) => reader.cutter.finish().err().map(FrameError::Json),
            State::Refused(refusal) => Some(FrameError::Status(refusal.status())),
            State::Ended(_) => return,
        };
        self.ready.extend(error.map(Err));
        self.state = State::Ended(None);
    }

    /// What came next, or the error that ended the stream; nothing comes after an error.
    ///
    /// ```
    /// use etcd_core::gateway::WatchFrames;
    ///
    /// assert!(WatchFrames::new(200, Default::default()).poll_item().is_none());
    /// ```
    #[must_use]
    pub fn poll_item(&mut self) -> Option<Result<WatchItem, FrameError>> {
        self.ready.pop_front()
    }

    /// The watch whose revision is being read, or was when the stream ended with an error; none
    /// between frames and where it is not known.
    ///
    /// ```
    /// use etcd_core::gateway::WatchFrames;
    ///
    /// let mut frames = WatchFrames::new(200, Default::default());
    /// frames.handle_data(br#"{"result":{"header":{"revision":"9"},"watch_id":"7","events":["#);
    /// assert_eq!(frames.watch_id(), Some(7));
    /// ```
    #[must_use]
    pub fn watch_id(&self) -> Option<i64> {
        match &self.state {
            State::Open(reader) => reader.watch_id(),
            State::Refused(_) => None,
            State::Ended(watch_id) => *watch_id,
        }
    }

    /// How many bytes it holds, roughly: of the frame, and of the revision in the making. What waits to
    /// be polled is not counted.
    ///
    /// ```
    /// use etcd_core::gateway::WatchFrames;
    ///
    /// let mut frames = WatchFrames::new(200, Default::default());
    /// assert_eq!(frames.held_bytes(), 0);
    /// frames.handle_data(br#"{"result":{"#);
    /// assert!(frames.held_bytes() > 0);
    /// ```
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Open(reader) => reader.held_bytes(),
            State::Refused(_) | State::Ended(_) => 0,
        }
    }
}

/// Reads frames.
#[derive(Debug)]
struct Reader {
    cutter: Cutter,
    revisions: Revisions,
    frame: Frame,
    frame_bytes: usize,
    /// Plain frames are not too deep.
    may_scan_lines: bool,
}

/// How deep a plain frame is: itself, its result, the events, one of them, its key and value.
const PLAIN_DEPTH: usize = 5;

/// What is known of the frame that is being read event by event.
#[derive(Debug)]
struct Frame {
    /// The header and the watch, if they came before the events.
    known: Option<(ResponseHeader, i64)>,
    events: usize,
    /// Events that came before it was known what they are for, and their size.
    kept: Vec<KvEvent>,
    kept_bytes: usize,
    /// Reads the revision of an event that is not whole yet.
    revision: Member,
}

impl Frame {
    const fn new() -> Self {
        Self {
            known: None,
            events: 0,
            kept: Vec::new(),
            kept_bytes: 0,
            revision: no_revision(),
        }
    }
}

/// Where an event has its revision.
const fn no_revision() -> Member {
    Member::new("kv", "mod_revision")
}

impl Reader {
    fn new(limits: WatchLimits) -> Self {
        let list = List {
            path: &["result", "events"],
            element_bytes: limits.revision_bytes,
            too_long: Limit::Revision,
        };
        Self {
            frame_bytes: limits.json.frame_bytes,
            may_scan_lines: limits.json.depth >= PLAIN_DEPTH,
            cutter: Cutter::new(limits.json, list),
            revisions: Revisions::new(
                limits.revision_bytes,
                #[cfg(feature = "planted")]
                limits.planted,
            ),
            frame: Frame::new(),
        }
    }

    fn watch_id(&self) -> Option<i64> {
        self.frame.known.map(|(_, watch_id)| watch_id)
    }

    fn held_bytes(&self) -> usize {
        let text = self.cutter.held_bytes();
        let events = self.revisions.held_bytes();
        text.saturating_add(events)
            .saturating_add(self.frame.kept_bytes)
    }

    fn read(&mut self, mut data: &[u8], ready: &mut Ready) -> Result<(), FrameError> {
        // Servers write a frame to a line. Where they do not, that is not tried again in this piece,
        // so that no byte is looked at more often than a few times.
        let mut has_lines = self.may_scan_lines;
        while !data.is_empty() {
            let mut read = None;
            if self.cutter.is_between() {
                if has_lines {
                    let line = self.cutter.line(data);
                    read = line.and_then(|(len, line)| Some((len, self.plain(line)?)));
                    has_lines = read.is_some();
                }
                if read.is_none() {
                    let object = self.cutter.whole(data);
                    read = object.and_then(|(len, object)| Some((len, self.plain(object)?)));
                }
            }
            let used = match read {
                Some((len, frame)) => {
                    self.cutter.skip(len);
                    self.whole(frame, ready)?;
                    len
                }
                None => self.step(data, ready)?,
            };
            data = data.get(used..).unwrap_or_default();
        }
        #[cfg(feature = "planted")]
        self.revisions.plant_half(self.frame.known, ready);
        Ok(())
    }

    /// A frame that lies whole in the piece, if it is plain and no limit can matter.
    fn plain(&self, text: &[u8]) -> Option<WatchResponse> {
        let frame: WatchResponse = plain_frame(text)?;
        let bytes: usize = frame.events.iter().map(KvEvent::size).sum();
        (bytes <= self.frame_bytes).then_some(frame)
    }

    fn whole(&mut self, mut frame: WatchResponse, ready: &mut Ready) -> Result<(), FrameError> {
        let events = core::mem::take(&mut frame.events);
        let count = events.len();
        let of = (frame.header, frame.watch_id);
        if count > 0 {
            self.frame.known = Some(of);
        }
        self.revisions.push_all(of, events, ready)?;
        self.end(frame, count, ready)
    }

    /// Reads on, up to the next thing that comes.
    fn step(&mut self, data: &[u8], ready: &mut Ready) -> Result<usize, FrameError> {
        let (used, cut) = match self.cutter.push(data) {
            Ok(pushed) => pushed,
            Err(error) => {
                self.foresee(None, ready);
                return Err(error.into());
            }
        };
        let Some(cut) = cut else {
            self.foresee(None, ready);
            return Ok(used);
        };
        match cut {
            Cut::List => self.begin_events()?,
            Cut::Element(text) => self.event(&text, ready)?,
            Cut::End(text) => {
                let frame = self.rest(&text)?;
                self.end_by_events(frame, ready)?;
            }
        }
        Ok(used)
    }

    /// The list of events begins: what came before it says what they are for.
    fn begin_events(&mut self) -> Result<(), FrameError> {
        let frame = self.rest(&self.cutter.so_far())?;
        let is_known = frame.header != ResponseHeader::default() && frame.watch_id != 0;
        self.frame.known = is_known.then_some((frame.header, frame.watch_id));
        Ok(())
    }

    /// Reads a frame without its events.
    fn rest(&self, text: &[u8]) -> Result<WatchResponse, FrameError> {
        let frame = match plain_frame(text) {
            Some(frame) => Ok(frame),
            None => strict_frame(text),
        };
        frame.map_err(|error| match error {
            AnswerError::Status(status) => FrameError::Status(status),
            AnswerError::Json(error) => {
                FrameError::Json(placed(error, |index| self.cutter.place_in_object(index)))
            }
        })
    }

    fn event(&mut self, text: &[u8], ready: &mut Ready) -> Result<(), FrameError> {
        let event = match crate::api::json::from_slice::<KvEvent>(text) {
            Ok(event) => event,
            Err(error) => {
                self.foresee(Some(text), ready);
                let place = |index| self.cutter.place_in_element(index);
                return Err(FrameError::Json(placed(error, place)));
            }
        };
        self.frame.revision = no_revision();
        self.frame.events = self.frame.events.saturating_add(1);
        if let Some(of) = self.frame.known {
            return self.revisions.push(of, event, ready);
        }
        self.frame.kept_bytes = self.frame.kept_bytes.saturating_add(event.size());
        if self.frame.kept_bytes > self.frame_bytes {
            return Err(FrameError::Limit(Limit::Frame(self.frame_bytes)));
        }
        self.frame.kept.push(event);
        Ok(())
    }

    /// An event that is not whole, or not well, may say its revision already: with that the one before
    /// is known to be whole. It says so at the same byte however the bytes are cut.
    fn foresee(&mut self, text: Option<&[u8]>, ready: &mut Ready) {
        if let Some(of) = self.frame.known {
            let text = text.unwrap_or_else(|| self.cutter.partial());
            if let Some(revision) = self.frame.revision.look(text) {
                self.revisions.show(of, revision, ready);
            }
        }
    }

    fn end_by_events(
        &mut self,
        mut frame: WatchResponse,
        ready: &mut Ready,
    ) -> Result<(), FrameError> {
        let of = (frame.header, frame.watch_id);
        let read = core::mem::replace(&mut self.frame, Frame::new());
        self.frame.known = read.known.or(Some(of));
        // A list whose name was written with escapes was not seen to be one.
        let late = core::mem::take(&mut frame.events);
        let count = read.events.saturating_add(late.len());
        self.revisions.push_all(of, read.kept, ready)?;
        self.revisions.push_all(of, late, ready)?;
        self.end(frame, count, ready)
    }

    fn end(
        &mut self,
        frame: WatchResponse,
        events: usize,
        ready: &mut Ready,
    ) -> Result<(), FrameError> {
        self.revisions.end(&frame, events, ready)?;
        ready.push_back(Ok(WatchItem::Frame { frame, events }));
        self.frame.known = None;
        Ok(())
    }
}

/// What is wrong with a text, with the place in the body in place of that in the text.
fn placed(error: JsonError, place: impl Fn(usize) -> u64) -> JsonError {
    match error {
        JsonError::WrongShape {
            field,
            offset,
            what,
        } => JsonError::WrongShape {
            field,
            offset: place(usize::try_from(offset).unwrap_or(usize::MAX)),
            what,
        },
        other => other,
    }
}
