//! `etcd-shim decode`: the bytes of one connection, read as the answers to calls.
//!
//! The bytes go through [`Reader`], and then through [`gateway::decode_answer`] or
//! [`gateway::Frames`], as in the client. What `shim.md` leaves open:
//!
//! * Frames of several watches on one connection become the same lines, and nothing says which
//!   watch each belongs to: a suite that wants to know asks for one watch in one file. Parts of a
//!   fragmented message are joined for each watch, so that no revision is split over two lines.
//! * A renewal line has the lease (`{"ID":…,"TTL":…}`), as a file may have those of several. A
//!   lease that is gone is an `end` with the reason `expired`, after which others may follow.
//! * `--call any` prints the server's JSON as it is: for a file with answers to several calls.
//! * A blob of a snapshot is printed once a later one shows that it does not hold the checksum. The
//!   checksum is the last one, printed if it is right; else there is an error in its place, of the
//!   kind `unavailable`.
//! * Without `--count` a file has as many answers as it has; with it, the connection is closed
//!   with the first byte after the last one.
//! * The end of the file is the end of the connection only where an answer is under way. A watch,
//!   a stream of renewals or of leaders may end there between two frames: no error, and the
//!   connection was closed by the server. Within a frame, or within any other answer, it is an
//!   error of the kind `unavailable`, as the client would have it. An empty file is a stream
//!   without a frame, or a call without an answer.
//! * `--limit-body` bounds the body of an answer, and of a stream each frame.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use etcd_core::codec::http1::{HttpLimits, Item, Reader, RequestMethod};
use etcd_core::codec::json::JsonLimits;
use etcd_core::gateway::{
    self, AnswerError, FrameError, Frames, SnapshotError, SnapshotPart, SnapshotReader,
};
use etcd_core::{
    Applied, Call, Cause, CloseReason, Code, Error, JsonError, Known, KvEvent,
    LeaseKeepAliveResponse, ObserveResponse, ProtocolError, Status, WatchEnd, WatchResponse,
};
use serde::Serialize;
use serde_json::Value;

use super::calls;
use super::lines::{Done, Int, Said, line};
use super::streams;

/// How a file is read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Decode {
    /// The call it answers.
    pub call: Asked,
    /// Into which pieces it is cut.
    pub split: Split,
    /// The longest body, or frame of a stream, that is taken.
    pub limit_body: Option<u64>,
    /// How many answers it has.
    pub count: Option<usize>,
}

/// What a file answers.
///
/// ```
/// use etcd_tests::shim::decode::Asked;
///
/// assert!("kv/put".parse::<Asked>().is_ok());
/// assert!("kv/take".parse::<Asked>().is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Asked(Kind);

#[derive(Clone, Copy)]
enum Kind {
    /// A call with one answer: how to read it, and whether the call only reads.
    Unary {
        read: fn(u16, &[u8]) -> Result<String, AnswerError>,
        reads: bool,
    },
    Watch,
    KeepAlive,
    Snapshot,
    Observe,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unary { .. } => "Unary",
            Self::Watch => "Watch",
            Self::KeepAlive => "KeepAlive",
            Self::Snapshot => "Snapshot",
            Self::Observe => "Observe",
        })
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        struct ReadAs;
        impl calls::Visitor for ReadAs {
            type Output = fn(u16, &[u8]) -> Result<String, AnswerError>;

            fn visit<C>(self) -> Self::Output
            where
                C: Call,
                C::Response: Serialize,
            {
                |status, body| gateway::decode_answer::<C>(status, body).map(|ok| done(&ok))
            }
        }
        let kind = match name {
            "watch" => Kind::Watch,
            "lease/keepalive" => Kind::KeepAlive,
            "maintenance/snapshot" => Kind::Snapshot,
            "election/observe" => Kind::Observe,
            "any" => Kind::Unary {
                read: read_any,
                reads: false,
            },
            name => match calls::visit(name, ReadAs) {
                Some(read) => Kind::Unary {
                    read,
                    reads: calls::is_read(name),
                },
                None => return Err(format!("no call is named {name:?}")),
            },
        };
        Ok(Self(kind))
    }
}

/// Any error is the same for all calls; an answer is the JSON it is.
fn read_any(status: u16, body: &[u8]) -> Result<String, AnswerError> {
    if status != 200 {
        return gateway::decode_answer::<etcd_core::Put>(status, body).map(|ok| done(&ok));
    }
    let value = serde_json::from_slice::<Value>(body);
    let wrong = |error: serde_json::Error| JsonError::WrongShape {
        field: None,
        offset: 0,
        what: error.to_string(),
    };
    value
        .map(|value| done(&value))
        .map_err(|error| AnswerError::Json(wrong(error)))
}

fn done<T: Serialize>(ok: &T) -> String {
    line(&ID, &Done { ok })
}

/// Into which pieces a file is cut.
///
/// ```
/// use etcd_tests::shim::decode::Split;
///
/// assert_eq!("7".parse(), Ok(Split::Every(7)));
/// assert_eq!("random:42".parse(), Ok(Split::Random(42)));
/// assert!("0".parse::<Split>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// Not at all.
    Whole,
    /// Into pieces of so many bytes.
    Every(usize),
    /// Into pieces of any length that follows from this seed.
    Random(u64),
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("--split takes a number of bytes or random:SEED, not {text:?}");
        match text.strip_prefix("random:") {
            Some(seed) => seed.parse().map(Self::Random).map_err(|_| wrong()),
            None => match text.parse() {
                Ok(0) | Err(_) => Err(wrong()),
                Ok(bytes) => Ok(Self::Every(bytes)),
            },
        }
    }
}

/// The lengths of the pieces, one after the other.
#[derive(Debug)]
struct Cutter(Split);

impl Cutter {
    /// How many of the `left` bytes come next; at least 1 and at most `left`.
    fn cut(&mut self, left: usize) -> usize {
        match &mut self.0 {
            Split::Whole => left,
            Split::Every(bytes) => left.min(*bytes),
            Split::Random(state) => {
                // SplitMix64; short pieces and long ones are about as frequent on any scale.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = *state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^= mixed >> 31;
                let scale = 1_u64 << (mixed % 14);
                let bytes = 1 + (mixed >> 8) % scale;
                left.min(usize::try_from(bytes).unwrap_or(left))
            }
        }
    }
}

/// The id of every line about a file.
const ID: u8 = 0;

impl Decode {
    /// Reads a file as the answers to this call, whole and without limits of the caller's.
    #[must_use]
    pub const fn new(call: Asked) -> Self {
        Self {
            call,
            split: Split::Whole,
            limit_body: None,
            count: None,
        }
    }

    /// Cuts it so.
    #[must_use]
    pub const fn with_split(mut self, split: Split) -> Self {
        self.split = split;
        self
    }

    /// Tells each line that comes of these bytes to `print`.
    pub fn run(&self, mut bytes: &[u8], print: &mut dyn FnMut(String)) {
        let mut decoder = Decoder::new(self, print);
        let mut cutter = Cutter(self.split);
        while !bytes.is_empty() && decoder.closed.is_none() {
            let (piece, rest) = bytes.split_at(cutter.cut(bytes.len()));
            decoder.feed(piece);
            bytes = rest;
        }
        decoder.finish();
    }
}

/// Reads one file.
struct Decoder<'a> {
    decode: &'a Decode,
    print: &'a mut dyn FnMut(String),
    reader: Reader,
    /// The answer under way, from its head on.
    answer: Option<Answer>,
    /// How many answers have ended.
    answered: usize,
    /// Whether the last of them left the connection fit for another request.
    reusable: bool,
    /// Why nothing more is read.
    closed: Option<CloseReason>,
}

/// An answer under way.
enum Answer {
    Unary { status: u16, body: Vec<u8> },
    Stream { status: u16, stream: Stream },
}

enum Stream {
    Watch(Frames<WatchResponse>, Parts),
    KeepAlive(Frames<LeaseKeepAliveResponse>),
    Snapshot(Box<SnapshotReader>),
    Observe(Frames<ObserveResponse>),
}

/// The events of a fragmented message whose revision may go on, for each watch.
type Parts = BTreeMap<i64, Vec<KvEvent>>;

impl<'a> Decoder<'a> {
    fn new(decode: &'a Decode, print: &'a mut dyn FnMut(String)) -> Self {
        let mut limits = HttpLimits::default();
        limits.body_bytes = match (decode.call.0, decode.limit_body) {
            (Kind::Unary { .. }, Some(bytes)) => bytes,
            (Kind::Unary { .. }, None) => limits.body_bytes,
            _ => u64::MAX,
        };
        let mut reader = Reader::new(limits);
        for _ in 0..decode.count.unwrap_or(1) {
            reader.expect(RequestMethod::Other);
        }
        Self {
            decode,
            print,
            reader,
            answer: None,
            answered: 0,
            reusable: true,
            closed: None,
        }
    }

    fn say(&mut self, said: impl Into<Said>) {
        (self.print)(line(&ID, &said.into()));
    }

    /// Takes the next bytes of the file.
    fn feed(&mut self, mut input: &[u8]) {
        while self.closed.is_none() {
            if self.reader.outstanding() == 0 && self.decode.count.is_none() && !input.is_empty() {
                self.reader.expect(RequestMethod::Other);
            }
            let item = match self.reader.read(input) {
                Ok((used, item)) => {
                    input = &input[used..];
                    item
                }
                Err(error) => {
                    // Bytes after the last answer are nobody's: they fail no call.
                    let failed = self.answer.is_some() || self.answered < self.due();
                    return self.close(error.into(), failed);
                }
            };
            match item {
                Some(Item::Head(head)) => self.answer = Some(self.begin(head.status)),
                Some(Item::Data(data)) => self.handle_data(data),
                Some(Item::End { reusable }) => self.handle_end(reusable),
                _ => return,
            }
        }
    }

    /// The file is read.
    fn finish(mut self) {
        if self.closed.is_none() {
            match self.reader.handle_eof() {
                Ok(Some(Item::End { .. })) => {
                    self.handle_end(false);
                    self.closed.get_or_insert(CloseReason::PeerClosed);
                }
                Ok(_) => {
                    if self.answered < self.due() {
                        self.close(CloseReason::PeerClosed, self.is_unary());
                    }
                }
                Err(error) => {
                    let between = self.answer.as_mut().is_some_and(Answer::may_stop);
                    if between {
                        self.close(CloseReason::PeerClosed, false);
                    } else {
                        self.close(error.into(), true);
                    }
                }
            }
        }
        let said = match (&self.closed, self.reusable) {
            (Some(reason), _) => Said::closed(reason),
            (None, false) => Said::closed(&CloseReason::NotReusable),
            (None, true) => Said::reusable(),
        };
        self.say(said);
    }

    /// How many answers the file must have.
    fn due(&self) -> usize {
        self.decode.count.unwrap_or(1)
    }

    const fn is_unary(&self) -> bool {
        matches!(self.decode.call.0, Kind::Unary { .. })
    }

    /// Reads no further; `failed` if there is a call that fails with it.
    fn close(&mut self, reason: CloseReason, failed: bool) {
        if failed {
            let applied = self.applied();
            let error = match reason.clone() {
                CloseReason::Limit(limit) => Error::Limit { limit, applied },
                reason => Error::Unavailable {
                    cause: Cause::ConnectionLost(reason),
                    applied,
                },
            };
            self.say(&error);
        }
        self.answer = None;
        self.closed = Some(reason);
    }

    /// What a call that has no answer may have done, had it been sent.
    const fn applied(&self) -> Applied {
        match self.decode.call.0 {
            Kind::Unary { reads: false, .. } => Applied::Maybe,
            _ => Applied::No,
        }
    }

    fn begin(&self, status: u16) -> Answer {
        let mut limits = JsonLimits::default();
        if let Some(bytes) = self.decode.limit_body {
            limits.frame_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        let stream = match self.decode.call.0 {
            Kind::Unary { .. } => {
                let body = Vec::new();
                return Answer::Unary { status, body };
            }
            Kind::Watch => Stream::Watch(Frames::new(status, limits), Parts::new()),
            Kind::KeepAlive => Stream::KeepAlive(Frames::new(status, limits)),
            Kind::Snapshot => Stream::Snapshot(Box::new(SnapshotReader::new(status, limits))),
            Kind::Observe => Stream::Observe(Frames::new(status, limits)),
        };
        Answer::Stream { status, stream }
    }

    fn handle_data(&mut self, data: &[u8]) {
        match &mut self.answer {
            Some(Answer::Unary { body, .. }) => body.extend_from_slice(data),
            Some(Answer::Stream { stream, .. }) => {
                stream.handle_data(data);
                self.poll_stream();
            }
            None => {}
        }
    }

    fn handle_end(&mut self, reusable: bool) {
        self.reusable = reusable;
        match self.answer.take() {
            Some(Answer::Unary { status, body }) => self.handle_answer(status, &body),
            Some(Answer::Stream { status, mut stream }) => {
                stream.handle_end();
                self.answer = Some(Answer::Stream { status, stream });
                self.poll_stream();
                self.answer = None;
            }
            None => {}
        }
        self.answered += 1;
    }

    fn handle_answer(&mut self, status: u16, body: &[u8]) {
        let Kind::Unary { read, reads } = self.decode.call.0 else {
            return;
        };
        match read(status, body) {
            Ok(line) => (self.print)(line),
            Err(AnswerError::Status(status)) => {
                let applied = match reads {
                    true => Applied::No,
                    false => status.applied(),
                };
                self.say(&Error::Etcd { status, applied });
            }
            Err(AnswerError::Json(error)) => {
                let reason = match body.is_empty() {
                    true => CloseReason::Protocol(ProtocolError::EmptyAnswer),
                    false => CloseReason::Json(error),
                };
                self.close(reason, true);
            }
            Err(other) => self.say(Said::misuse(format!("no line for {other:?}"))),
        }
    }

    /// Prints what the stream under way has.
    fn poll_stream(&mut self) {
        while let Some(Answer::Stream { stream, .. }) = &mut self.answer {
            let mut lines = Vec::new();
            let polled = stream.poll(&mut lines);
            for said in lines {
                self.say(said);
            }
            match polled {
                None => return,
                Some(Ok(())) => {}
                Some(Err(FrameError::Status(status))) => {
                    let applied = Applied::No;
                    self.say(&Error::Etcd { status, applied });
                }
                Some(Err(FrameError::Json(error))) => self.close(CloseReason::Json(error), true),
                Some(Err(FrameError::Limit(limit))) => self.close(CloseReason::Limit(limit), true),
                Some(Err(other)) => self.say(Said::misuse(format!("no line for {other:?}"))),
            }
        }
    }
}

impl Answer {
    /// Whether the connection may end here without an error.
    fn may_stop(&mut self) -> bool {
        let Self::Stream {
            status: 200,
            stream,
        } = self
        else {
            return false;
        };
        stream.handle_end();
        match stream {
            Stream::Watch(frames, _) => frames.poll_frame().is_none(),
            Stream::KeepAlive(frames) => frames.poll_frame().is_none(),
            Stream::Observe(frames) => frames.poll_frame().is_none(),
            Stream::Snapshot(_) => false,
        }
    }
}

impl Stream {
    fn handle_data(&mut self, data: &[u8]) {
        match self {
            Self::Watch(frames, _) => frames.handle_data(data),
            Self::KeepAlive(frames) => frames.handle_data(data),
            Self::Snapshot(reader) => reader.handle_data(data),
            Self::Observe(frames) => frames.handle_data(data),
        }
    }

    fn handle_end(&mut self) {
        match self {
            Self::Watch(frames, _) => frames.handle_end(),
            Self::KeepAlive(frames) => frames.handle_end(),
            Self::Snapshot(reader) => reader.handle_end(),
            Self::Observe(frames) => frames.handle_end(),
        }
    }

    /// The lines of the next frame, or the error in its place.
    fn poll(&mut self, lines: &mut Vec<Said>) -> Option<Result<(), FrameError>> {
        let said = match self {
            Self::Watch(frames, parts) => {
                return Some(
                    frames
                        .poll_frame()?
                        .map(|frame| watch_lines(frame, parts, lines)),
                );
            }
            Self::KeepAlive(frames) => frames.poll_frame()?.map(|renewal| match renewal.ttl {
                0 => Said::ended("expired"),
                ttl => Said::KeptAlive {
                    id: Some(Int(renewal.id)),
                    ttl: Int(ttl),
                },
            }),
            Self::Snapshot(reader) => return Some(snapshot_lines(reader.poll_part()?, lines)),
            Self::Observe(frames) => frames.poll_frame()?.map(|leader| streams::leader(&leader)),
        };
        Some(said.map(|said| lines.push(said)))
    }
}

/// The lines of one part of a snapshot.
fn snapshot_lines(
    part: Result<SnapshotPart, SnapshotError>,
    lines: &mut Vec<Said>,
) -> Result<(), FrameError> {
    match part {
        Ok(SnapshotPart::Chunk(chunk)) => lines.push(streams::chunk(chunk)),
        Ok(SnapshotPart::Done(summary)) => {
            lines.push(streams::checksum(&summary));
            lines.push(Said::ended("done"));
        }
        Ok(other) => lines.push(Said::misuse(format!("no line for {other:?}"))),
        Err(SnapshotError::Frame(error)) => return Err(error),
        Err(SnapshotError::Fault(fault)) => lines.push(Said::from(&Error::Snapshot(fault))),
        Err(other) => lines.push(Said::misuse(format!("no line for {other:?}"))),
    }
    Ok(())
}

/// The lines of one message to a watch.
fn watch_lines(frame: WatchResponse, parts: &mut Parts, lines: &mut Vec<Said>) {
    let revision = Int(frame.header.revision);
    if frame.canceled {
        lines.push(watch_end(&frame).into());
        return;
    }
    if frame.created {
        lines.push(Said::Created { revision });
        return;
    }
    let mut open = parts.remove(&frame.watch_id).unwrap_or_default();
    if frame.events.is_empty() && open.is_empty() {
        lines.push(Said::Progress { revision });
        return;
    }
    for event in frame.events {
        let other = |last: &KvEvent| last.kv.mod_revision != event.kv.mod_revision;
        if open.last().is_some_and(other) {
            lines.extend(whole_revision(std::mem::take(&mut open)));
        }
        open.push(event);
    }
    if frame.fragment {
        parts.insert(frame.watch_id, open);
    } else {
        lines.extend(whole_revision(open));
    }
}

fn whole_revision(events: Vec<KvEvent>) -> Option<Said> {
    Some(Said::events(events.first()?.kv.mod_revision, events))
}

/// Why a watch has ended, or did not begin.
fn watch_end(frame: &WatchResponse) -> WatchEnd {
    let status = Status::new(Code::UNKNOWN, &frame.cancel_reason);
    let known = status.known();
    if frame.compact_revision != 0 || known == Some(Known::Compacted) {
        return WatchEnd::Compacted {
            compact_revision: frame.compact_revision,
            next: 0,
        };
    }
    if known == Some(Known::PermissionDenied) || status.code == Code::PERMISSION_DENIED {
        return WatchEnd::PermissionDenied(status);
    }
    if status.message.is_empty() {
        return WatchEnd::Canceled;
    }
    WatchEnd::Failed(Error::Etcd {
        status,
        applied: Applied::No,
    })
}
