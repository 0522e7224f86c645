//! One accepted connection: requests out of bytes, bytes out of replies.

use core::mem::replace;
use std::collections::VecDeque;

use etcd_core::{Code, Known, Observe, SnapshotRequest, Version};

use super::answer::{self, Answer, Asked, Kind};
use super::body::{Body, Piece};
use super::dialect::{Dialect, Style};
use super::front::Front;
use super::head::{self, BadHead, Head};
use super::json::{self, BadJson};
use super::pages;
use super::route::{Read, Route, route};
use super::streaming::{Many, Streaming};
use crate::etcd::{Fault, Meta, Reply, Request, StreamRequest};

/// A longer body is not taken; etcd refuses what is far shorter.
const LONGEST_BODY: usize = 64 << 20;

/// What a server says that does not go by this name.
const HOST_UNRECOGNIZED: &str = "etcd received your request, but the Host header was unrecognized.";

/// The name of one request or stream on its connection, never used again there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u64);

/// Gives out slots.
#[derive(Debug, Default)]
pub(super) struct Slots(u64);

impl Slots {
    pub(super) const fn next(&mut self) -> Slot {
        self.0 += 1;
        Slot(self.0)
    }
}

/// What came in on a connection.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who serves a connection must know them all"
)]
pub enum ServerEvent {
    /// A request with one answer.
    Request {
        /// Its name.
        slot: Slot,
        /// What came beside it.
        meta: Meta,
        /// What is asked.
        request: Request,
    },
    /// The first message of a stream.
    StreamOpened {
        /// The stream's name.
        slot: Slot,
        /// What came beside it.
        meta: Meta,
        /// What is asked.
        request: StreamRequest,
    },
    /// A further message of a stream.
    StreamMessage {
        /// The stream's name.
        slot: Slot,
        /// What is asked.
        request: StreamRequest,
    },
    /// No further message of a stream comes.
    StreamEnd {
        /// The stream's name.
        slot: Slot,
    },
    /// Nobody waits for an answer any more. One that comes all the same is dropped.
    Gone {
        /// The name of the request or stream.
        slot: Slot,
    },
}

/// The server's side of one connection.
///
/// ```
/// use etcd_core::{PutResponse, Version};
/// use etcd_sim::etcd::Reply;
/// use etcd_sim::gateway::{ServerConn, ServerEvent};
///
/// let mut conn = ServerConn::new(&Version::new(3, 5, 16));
/// conn.handle_received(b"POST /v3/kv/put HTTP/1.1\r\nHost: h\r\nContent-Length: 29\r\n\r\n");
/// conn.handle_received(br#"{"key":"Zm9v","value":"YmFy"}"#);
/// let Some(ServerEvent::Request { slot, .. }) = conn.poll() else { panic!() };
///
/// conn.handle_reply(slot, Reply::Answer(Box::new(PutResponse::default().into())));
/// assert!(conn.transmit().starts_with(b"HTTP/1.1 200 OK\r\n"));
/// let taken = conn.transmit().len();
/// conn.handle_written(taken);
/// assert!(conn.transmit().is_empty() && !conn.wants_close());
/// ```
#[derive(Debug)]
pub struct ServerConn {
    style: Style,
    front: Front,
    input: Vec<u8>,
    /// How much of `input` holds no end of a head.
    scanned: usize,
    output: Vec<u8>,
    /// How much of `output` was taken.
    taken: usize,
    events: VecDeque<ServerEvent>,
    slots: Slots,
    state: State,
    /// Whether a request has come, so that the peer is known to speak HTTP.
    has_begun: bool,
}

#[derive(Debug)]
enum State {
    /// A head is to come.
    Idle,
    /// A body that is read to its end before anything is done.
    Collecting(Box<Collecting>),
    /// A request is under way; what comes meanwhile waits.
    Waiting(Slot, Asked),
    Streaming(Box<Streaming>),
    Closed,
}

#[derive(Debug)]
struct Collecting {
    then: Then,
    meta: Meta,
    asked: Asked,
    body: Body,
    bytes: Vec<u8>,
}

/// What a whole body is for.
#[derive(Clone, Debug)]
enum Then {
    Ask(Read),
    /// A request that is not in the body.
    Page(Request),
    Snapshot,
    Observe,
    /// The answer is known.
    Answer(u16, Kind, Vec<u8>, Option<(&'static str, String)>),
}

impl ServerConn {
    /// A connection just accepted by a server of this version.
    #[must_use]
    pub fn new(version: &Version) -> Self {
        Self {
            style: Style::of(version),
            front: Front::default(),
            input: Vec::new(),
            scanned: 0,
            output: Vec::new(),
            taken: 0,
            events: VecDeque::new(),
            slots: Slots::default(),
            state: State::Idle,
            has_begun: false,
        }
    }

    /// Lets in only whom a server of these settings lets in.
    #[must_use]
    pub fn with_front(mut self, front: Front) -> Self {
        self.front = front;
        self
    }

    /// The generation of the gateway it speaks for.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.style.dialect
    }

    /// Bytes came from the client.
    pub fn handle_received(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if self.input.len() + bytes.len() > LONGEST_BODY {
            self.drop_all();
            return;
        }
        self.input.extend_from_slice(bytes);
        self.advance();
    }

    /// The client sends nothing more. What is under way is called off, as real servers do, though
    /// the client may still read (gateway.md 4.6).
    pub fn handle_eof(&mut self) {
        let canceled = || Fault::new(Code::CANCELED, "context canceled");
        match replace(&mut self.state, State::Closed) {
            State::Idle | State::Closed => {}
            State::Collecting(collecting) => self.end_early(*collecting),
            State::Waiting(slot, asked) => {
                self.events.push_back(ServerEvent::Gone { slot });
                self.refuse(&canceled(), asked);
            }
            State::Streaming(mut stream) => {
                if let Some(slot) = stream.slot() {
                    self.events.push_back(ServerEvent::Gone { slot });
                }
                stream.cancel(&self.style, &mut self.output);
            }
        }
    }

    /// What came in; [`AskId`](crate::etcd::AskId)s are for the host to give.
    #[must_use]
    pub fn poll(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// The cluster says something to a request or on a stream. What is for an ended one is dropped.
    pub fn handle_reply(&mut self, slot: Slot, reply: Reply) {
        match &mut self.state {
            State::Waiting(asked_slot, asked) if *asked_slot == slot => {
                let asked = *asked;
                self.answer(reply, asked);
                self.finish(asked.closes);
            }
            State::Streaming(stream) if stream.slot() == Some(slot) => {
                stream.reply(&reply, &self.style, &mut self.output);
                if stream.is_over() {
                    let closes = stream.closes();
                    self.finish(closes);
                }
            }
            _ => {}
        }
    }

    /// What is to be sent to the client.
    #[must_use]
    pub fn transmit(&self) -> &[u8] {
        self.output.get(self.taken..).unwrap_or_default()
    }

    /// So many bytes of [`transmit`](Self::transmit) were taken.
    pub fn handle_written(&mut self, len: usize) {
        self.taken = self.output.len().min(self.taken + len);
        if self.taken == self.output.len() {
            self.output.clear();
            self.taken = 0;
        }
    }

    /// Whether the connection is to be closed, once [`transmit`](Self::transmit) is empty.
    #[must_use]
    pub const fn wants_close(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn drop_all(&mut self) {
        self.handle_eof();
        self.output.clear();
        self.taken = 0;
    }

    /// Goes on with what came, as far as it goes.
    fn advance(&mut self) {
        let input = core::mem::take(&mut self.input);
        let mut rest = &input[..];
        while self.step(&mut rest) {}
        if matches!(self.state, State::Closed) {
            rest = &[];
        }
        let used = input.len() - rest.len();
        self.input = input;
        self.input.drain(..used);
    }

    /// Takes the next step; false if more has to come first.
    fn step(&mut self, rest: &mut &[u8]) -> bool {
        match replace(&mut self.state, State::Closed) {
            State::Idle => self.read_head(rest),
            State::Collecting(mut collecting) => match collecting.body.next(rest) {
                Piece::Data(data) => {
                    collecting.bytes.extend_from_slice(data);
                    if collecting.bytes.len() <= LONGEST_BODY {
                        self.state = State::Collecting(collecting);
                    }
                    true
                }
                Piece::More => {
                    self.state = State::Collecting(collecting);
                    false
                }
                Piece::End => {
                    self.begin(*collecting);
                    true
                }
                Piece::Malformed => {
                    self.bad_body(
                        &BadJson("malformed chunked encoding".to_owned()),
                        collecting.asked,
                    );
                    false
                }
            },
            State::Waiting(slot, asked) => {
                self.state = State::Waiting(slot, asked);
                false
            }
            State::Streaming(mut stream) => {
                let (slots, events) = (&mut self.slots, &mut self.events);
                stream.read(rest, &self.style, slots, events, &mut self.output);
                if stream.is_over() {
                    self.state = match stream.closes() {
                        true => State::Closed,
                        false => State::Idle,
                    };
                    return true;
                }
                self.state = State::Streaming(stream);
                false
            }
            State::Closed => false,
        }
    }

    fn read_head(&mut self, rest: &mut &[u8]) -> bool {
        // An empty line before a request is nothing.
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            *rest = after;
            self.scanned = 0;
        }
        let Some(end) = head::end(rest, self.scanned) else {
            self.scanned = rest.len();
            if rest.len() > head::LONGEST {
                answer::refuse(431, "", &mut self.output);
            } else if !head::begins_well(rest) {
                self.refuse_bytes();
            } else {
                self.state = State::Idle;
            }
            return false;
        };
        self.scanned = 0;
        let (bytes, after) = rest.split_at(end);
        *rest = after;
        match Head::parse(bytes) {
            Ok(head) => {
                self.has_begun = true;
                self.serve(head);
                return true;
            }
            Err(BadHead::NotHttp | BadHead::Incomplete) => self.refuse_bytes(),
            Err(BadHead::NoHost) => {
                answer::refuse(400, "missing required Host header", &mut self.output);
            }
            Err(BadHead::Expectation) => answer::refuse_expectation(&mut self.output),
            Err(BadHead::Coding) => {
                answer::refuse(501, "Unsupported transfer encoding", &mut self.output);
            }
            Err(BadHead::TooLong) => answer::refuse(431, "", &mut self.output),
        }
        false
    }

    /// Bytes that are no HTTP/1: at the beginning of a connection they are not for this server.
    fn refuse_bytes(&mut self) {
        if self.has_begun {
            answer::refuse(400, "", &mut self.output);
        }
    }

    /// A head came: what follows it, and what for.
    fn serve(&mut self, head: Head) {
        let asked = Asked::of(&head);
        let takes_early_answers = head.takes_early_answers;
        if head.wants_continue {
            self.output
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let route = route(&head.path, &self.style.version);
        let (then, meta) = match (self.known_answer(&head, &route), head.meta) {
            (Some(then), _) => (then, Meta::default()),
            (None, Err(text)) => {
                let fault = Fault::new(
                    Code::INVALID_ARGUMENT,
                    format!("invalid grpc-timeout: {text}"),
                );
                let body = json::error(&fault, &self.style);
                (
                    Then::Answer(400, Kind::Gateway, body, None),
                    Meta::default(),
                )
            }
            (None, Ok(meta)) => {
                let many = match route {
                    Route::Watch => Many::Watch,
                    Route::KeepAlive => Many::KeepAlive,
                    other => {
                        let then = match other {
                            Route::Unary(read) => Then::Ask(read),
                            Route::Page(page) => Then::Page(pages::request(&page, &head.query)),
                            Route::Snapshot => Then::Snapshot,
                            _ => Then::Observe,
                        };
                        self.collect(then, meta, asked, head.body);
                        return;
                    }
                };
                let stream = Streaming::many(many, head.body, meta, asked, takes_early_answers);
                self.state = State::Streaming(Box::new(stream));
                return;
            }
        };
        self.collect(then, meta, asked, head.body);
    }

    fn collect(&mut self, then: Then, meta: Meta, asked: Asked, body: Body) {
        self.state = State::Collecting(Box::new(Collecting {
            then,
            meta,
            asked,
            body,
            bytes: Vec::new(),
        }));
    }

    /// The answer to what nobody is asked about (gateway.md 4.2).
    fn known_answer(&self, head: &Head, route: &Route) -> Option<Then> {
        let answer = |answer: Answer| {
            Some(Then::Answer(
                answer.status,
                answer.kind,
                answer.body,
                answer.header,
            ))
        };
        let by_gateway = |status: u16, code: Code, text: &str| match self.style.dialect {
            Dialect::V1 => answer(Answer::text(if status == 501 { 405 } else { status }, text)),
            Dialect::V2 => {
                let body = json::error(&Fault::new(code, text), &self.style);
                answer(Answer::new(status, Kind::Gateway, body))
            }
        };
        if !self.front.lets_in(&head.host) {
            return answer(Answer::text(421, HOST_UNRECOGNIZED));
        }
        if !self.front.has_gateway && !matches!(route, Route::Page(_)) {
            return answer(Answer::text(404, "404 page not found"));
        }
        match (&*head.method, route) {
            ("OPTIONS", _) => answer(Answer::new(200, Kind::Empty, Vec::new())),
            (_, Route::Moved(path)) => {
                let mut moved = Answer::new(301, Kind::Empty, Vec::new());
                moved.header = Some(("Location", path.clone()));
                answer(moved)
            }
            (_, Route::Unknown) => answer(Answer::text(404, "404 page not found")),
            (_, Route::UnknownCall) => by_gateway(404, Code::NOT_FOUND, "Not Found"),
            (_, Route::Page(super::route::Page::Metrics)) | ("GET", Route::Page(_)) => None,
            (_, Route::Page(_)) => answer(Answer::text(405, "Method Not Allowed")),
            ("POST", _) => None,
            _ => by_gateway(501, Code::UNIMPLEMENTED, "Method Not Allowed"),
        }
    }

    /// Whether a role is to be granted nothing, which from 3.5 on is another error than an empty
    /// permission (gateway.md 3.4); it kills older servers. The types do not tell one from the other.
    fn lacks_permission(&self, request: &Request, bytes: &[u8]) -> bool {
        matches!(request, Request::RoleGrantPermission(_))
            && !self.style.is_3_4
            && json::lacks(bytes, "perm")
    }

    /// The body is whole.
    fn begin(&mut self, collecting: Collecting) {
        let Collecting {
            then,
            meta,
            asked,
            bytes,
            ..
        } = collecting;
        let request = match then {
            Then::Page(request) => request,
            Then::Ask(read) => match read(&bytes, self.style.dialect) {
                Ok(request) if self.lacks_permission(&request, &bytes) => {
                    let known = Known::PermissionNotGiven;
                    self.refuse(&Fault::new(known.code(), known.message()), asked);
                    self.finish(asked.closes);
                    return;
                }
                Ok(request) => request,
                Err(wrong) => return self.bad_json(&wrong, asked),
            },
            Then::Snapshot => {
                let read = json::read::<SnapshotRequest>(&bytes, self.style.dialect);
                return self.open(read.map(StreamRequest::Snapshot), meta, asked);
            }
            Then::Observe => {
                let read = json::read::<Observe>(&bytes, self.style.dialect);
                return self.open(read.map(StreamRequest::Observe), meta, asked);
            }
            Then::Answer(status, kind, body, header) => {
                let mut answer = Answer::new(status, kind, body);
                answer.header = header;
                answer.write(asked, &self.style, &mut self.output);
                self.state = after(asked.closes);
                return;
            }
        };
        let slot = self.slots.next();
        self.events.push_back(ServerEvent::Request {
            slot,
            meta,
            request,
        });
        self.state = State::Waiting(slot, asked);
    }

    fn open(&mut self, request: Result<StreamRequest, BadJson>, meta: Meta, asked: Asked) {
        match request {
            Err(wrong) => self.bad_json(&wrong, asked),
            Ok(request) => {
                let slot = self.slots.next();
                let stream = Streaming::single(slot, meta.clone(), asked);
                self.state = State::Streaming(Box::new(stream));
                self.events.push_back(ServerEvent::StreamOpened {
                    slot,
                    meta,
                    request,
                });
            }
        }
    }

    /// The client stopped in the middle of a body (gateway.md 4.3, at its end).
    fn end_early(&mut self, mut collecting: Collecting) {
        collecting.asked.closes = true;
        let executes = self.style.is_3_4 || self.style.dialect == Dialect::V2;
        let whole = json::is_whole(&collecting.bytes);
        match collecting.then {
            Then::Ask(_) if whole && executes => self.begin(collecting),
            Then::Ask(_) => {
                let wrong = BadJson("unexpected EOF".to_owned());
                self.bad_body(&wrong, collecting.asked);
            }
            _ => {}
        }
    }

    /// A body that cannot be read to its end: nothing can follow it.
    fn bad_body(&mut self, wrong: &BadJson, mut asked: Asked) {
        asked.closes = true;
        self.bad_json(wrong, asked);
    }

    fn bad_json(&mut self, BadJson(wrong): &BadJson, asked: Asked) {
        let fault = Fault::new(Code::INVALID_ARGUMENT, wrong);
        let body = json::error(&fault, &self.style);
        Answer::new(400, Kind::Gateway, body).write(asked, &self.style, &mut self.output);
        self.state = after(asked.closes);
    }

    fn answer(&mut self, reply: Reply, asked: Asked) {
        let fault = match reply {
            Reply::Answer(response) => {
                let answer = pages::answer(&response, &self.style).unwrap_or_else(|| {
                    let body = json::response(&response);
                    let body = match self.style.dialect {
                        Dialect::V1 => body,
                        Dialect::V2 => json::spaced(body),
                    };
                    Answer::new(200, Kind::Message, body)
                });
                answer.write(asked, &self.style, &mut self.output);
                return;
            }
            Reply::Fault(fault) => fault,
            other => Fault::new(Code::INTERNAL, format!("no answer: {other:?}")),
        };
        self.refuse(&fault, asked);
    }

    fn refuse(&mut self, fault: &Fault, asked: Asked) {
        let status = self.style.status(fault.code);
        let body = json::error(fault, &self.style);
        // These two are made where the gateway waits, not by the server behind it.
        let kind = match fault.code {
            Code::DEADLINE_EXCEEDED | Code::CANCELED => Kind::Gateway,
            _ => Kind::Refusal,
        };
        let mut answer = Answer::new(status, kind, body);
        if status == 401 && self.style.dialect == Dialect::V2 {
            answer.header = Some(("Www-Authenticate", fault.message.clone()));
        }
        answer.write(asked, &self.style, &mut self.output);
    }

    /// An exchange is over.
    fn finish(&mut self, closes: bool) {
        self.state = after(closes);
        self.advance();
    }
}

const fn after(closes: bool) -> State {
    match closes {
        true => State::Closed,
        false => State::Idle,
    }
}
