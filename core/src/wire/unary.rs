//! The unary carrier: keep-alive requests, one after the other or several ahead of their answers.
//!
//! Answers come in the order of their requests (RFC 9112 section 9.3.2), so each is the first call's that
//! has none yet, and cannot be taken for another's (guarantee G54): a byte that answers nothing, or is left
//! over after the last answer, ends the connection. How many requests may go ahead is up to whoever starts
//! them.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::CancelStep;
use super::StreamId;
use super::WireConfig;
use super::WireEvent;
use super::gateway;
use super::gateway::AnswerError;
use super::gateway::ApiPrefix;
use super::gateway::Encoded;
use super::gateway::Gateway;
use super::gateway::Timeout;
use crate::api::Rpc;
use crate::buf::SendBuf;
use crate::buf::Sent;
use crate::codec::http1;
use crate::codec::http1::Item;
use crate::codec::http1::PostHead;
use crate::codec::http1::Reader;
use crate::codec::http1::RequestMethod;
use crate::error::CloseReason;
use crate::error::HttpError;
use crate::error::ProtocolError;

/// Calls on one connection.
#[derive(Debug)]
pub(crate) struct Unary {
    gateway: Gateway,
    host: String,
    reader: Reader,
    /// How deep an answer may be nested.
    json_depth: usize,
    out: SendBuf,
    /// The heads of the POSTs sent before, which never change.
    heads: BTreeMap<Rpc, PostHead>,
    /// The calls whose answers have not ended, in the order of their requests.
    calls: VecDeque<Current>,
    events: VecDeque<WireEvent>,
    closed: Option<CloseReason>,
}

/// A call under way.
struct Current {
    stream: StreamId,
    rpc: Rpc,
    /// Where its request begins and ends, counted in bytes sent; `start < end`.
    start: u64,
    end: u64,
    /// The answer's status, once its head was read.
    status: Option<u16>,
    /// The answer's body, as far as it came in earlier pieces; of an error no more than is shown.
    body: Vec<u8>,
    /// Nobody wants the answer, which others are behind.
    is_canceled: bool,
}

/// The body may have a token in it, and is not shown (guarantee G40).
impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current")
            .field("stream", &self.stream)
            .field("rpc", &self.rpc)
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Unary {
    pub(super) fn new(config: &WireConfig, host: &str) -> Self {
        Self {
            gateway: config.gateway.clone(),
            host: host.to_owned(),
            reader: Reader::new(config.http.clone()),
            json_depth: config.json.depth,
            out: SendBuf::default(),
            heads: BTreeMap::new(),
            calls: VecDeque::new(),
            events: VecDeque::new(),
            closed: None,
        }
    }

    /// The requests from now on carry this token, or none.
    pub(super) fn set_token(&mut self, token: Option<http::HeaderValue>) {
        self.gateway.set_token(token);
        self.heads.clear();
    }

    /// The paths of requests have this before them from now on.
    pub(super) fn set_prefix(&mut self, prefix: ApiPrefix) {
        self.gateway.set_prefix(prefix);
        self.heads.clear();
    }

    /// The answer is of use `within` a time, which the server is told of.
    pub(super) fn start(&mut self, stream: StreamId, call: &Encoded, within: Option<Duration>) {
        let start = self.out.end();
        let checked = "host, prefix and headers were checked when the configuration was made";
        if call.is_post() {
            let head = self.heads.entry(call.rpc).or_insert_with(|| {
                let request = self.gateway.encoded_request(call).map(drop);
                PostHead::new(&request, &self.host).expect(checked)
            });
            let within = within.filter(|_| !self.gateway.has_timeout());
            self.out.append(|out| match within.map(Timeout) {
                Some(timeout) => head.write_with(Timeout::NAME, timeout, &call.body, out),
                None => head.write(&call.body, out),
            });
        } else {
            let request = self.gateway.encoded_request(call);
            let written = self
                .out
                .append(|out| http1::write_request(&request, &self.host, out));
            written.expect(checked);
        }
        self.reader.expect(RequestMethod::Other);
        let end = self.out.end();
        let rpc = call.rpc;
        self.calls.push_back(Current {
            stream,
            rpc,
            start,
            end,
            status: None,
            body: Vec::new(),
            is_canceled: false,
        });
    }

    /// The answer is passed over where others wait for theirs behind it or before it; the request goes out
    /// all the same. Where nobody else does, it is not waited for: closing is sooner.
    pub(super) fn cancel(&mut self, stream: StreamId) -> CancelStep {
        let is_alone = self.is_alone();
        let is_it = |call: &&mut Current| call.stream == stream && !call.is_canceled;
        let Some(call) = self.calls.iter_mut().find(is_it) else {
            return CancelStep::Done;
        };
        if is_alone {
            self.calls.clear();
            return CancelStep::CloseConnection;
        }
        call.is_canceled = true;
        call.body = Vec::new();
        CancelStep::Done
    }

    /// Forgets that an answer to this call will come.
    #[cfg(feature = "planted")]
    pub(super) fn plant_shift(&mut self, stream: StreamId) {
        self.calls.retain(|call| call.stream != stream);
    }

    /// The calls that were not canceled.
    fn live(&self) -> impl Iterator<Item = &Current> {
        self.calls.iter().filter(|call| !call.is_canceled)
    }

    /// Whether no more than one of them is left.
    fn is_alone(&self) -> bool {
        self.live().nth(1).is_none()
    }

    pub(super) fn handle_received(&mut self, mut input: &[u8]) {
        // Data that came whole in this piece is decoded where it lies; it is copied only if the
        // answer goes on in the next piece.
        let mut data: &[u8] = &[];
        while self.closed.is_none() {
            match self.reader.read(input) {
                Ok((used, item)) => {
                    input = &input[used..];
                    match item {
                        None => break,
                        Some(Item::Head(head)) => self.handle_head(head.status),
                        Some(Item::Data(piece)) if data.is_empty() => data = piece,
                        Some(Item::Data(piece)) => {
                            self.keep(data);
                            data = piece;
                        }
                        Some(Item::End { reusable }) => {
                            self.handle_end(data, reusable);
                            data = &[];
                        }
                    }
                }
                Err(error) => self.close(error.into()),
            }
        }
        self.keep(data);
    }

    pub(super) fn handle_eof(&mut self) {
        match self.reader.handle_eof() {
            Ok(Some(Item::End { .. })) => self.handle_end(&[], false),
            Ok(_) => self.close(CloseReason::PeerClosed),
            // Before the first byte of an answer it is not a broken answer but none.
            Err(_)
                if self
                    .calls
                    .front()
                    .is_none_or(|current| current.status.is_none()) =>
            {
                self.close(CloseReason::PeerClosed);
            }
            Err(error) => self.close(error.into()),
        }
    }

    fn handle_head(&mut self, status: u16) {
        match self.calls.front_mut() {
            // An answer to a request of which the server cannot have seen a byte.
            Some(current) if self.out.taken() <= current.start => {
                self.close(CloseReason::Http(HttpError::UnexpectedBytes));
            }
            Some(current) => current.status = Some(status),
            None => {}
        }
    }

    fn handle_end(&mut self, data: &[u8], reusable: bool) {
        self.keep_if_split(data);
        let Some(current) = self.calls.pop_front() else {
            return;
        };
        // An answer to a request that was not taken whole: what is left of it must not follow.
        let is_left = self.out.taken() < current.end;
        if current.is_canceled {
            if !reusable || is_left {
                self.close(CloseReason::NotReusable);
            }
            return self.events.push_back(WireEvent::PassedOver);
        }
        let body = if current.body.is_empty() {
            data
        } else {
            &current.body
        };
        let status = current.status.unwrap_or_default();
        let body = &body[..body.len().min(gateway::most_of_body(status))];
        let result = match gateway::decode(current.rpc, status, body, self.json_depth) {
            Ok(response) => Ok(response),
            Err(AnswerError::Status(status)) => {
                Err(status.with_path(&self.gateway.path(current.rpc)))
            }
            Err(AnswerError::Json(_)) if body.is_empty() => {
                // The call is left without an answer, as when the connection is lost.
                self.calls.push_front(current);
                return self.close(CloseReason::Protocol(ProtocolError::EmptyAnswer));
            }
            Err(AnswerError::Json(error)) => {
                self.calls.push_front(current);
                return self.close(CloseReason::Json(error));
            }
        };
        if !reusable || is_left {
            self.close(CloseReason::NotReusable);
        }
        self.events.push_back(WireEvent::Answered {
            stream: current.stream,
            result,
        });
    }

    /// Joins the last piece with the earlier ones, if there are any.
    fn keep_if_split(&mut self, data: &[u8]) {
        if self
            .calls
            .front()
            .is_some_and(|current| !current.body.is_empty())
        {
            self.keep(data);
        }
    }

    fn keep(&mut self, data: &[u8]) {
        let current = self.calls.front_mut();
        if let Some(current) = current.filter(|call| !call.is_canceled) {
            let most = gateway::most_of_body(current.status.unwrap_or_default());
            let room = most.saturating_sub(current.body.len());
            current
                .body
                .extend_from_slice(&data[..data.len().min(room)]);
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed.get_or_insert(reason);
    }

    pub(super) fn poll_event(&mut self) -> Option<WireEvent> {
        self.events.pop_front()
    }

    /// Whether nothing is under way, and nothing of it left to be told.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.events.is_empty()
    }

    /// Whether answers have come and were not told yet.
    pub(super) fn has_answers(&self) -> bool {
        !self.events.is_empty()
    }

    /// How many answers are awaited or not told yet, those to canceled calls included.
    pub(super) fn outstanding(&self) -> usize {
        self.calls.len() + self.events.len()
    }

    /// Whether there are such answers, and all of them to canceled calls.
    pub(super) fn is_abandoned(&self) -> bool {
        let is_wanted = |event: &WireEvent| !matches!(event, WireEvent::PassedOver);
        !self.is_idle() && self.live().next().is_none() && !self.events.iter().any(is_wanted)
    }

    /// The call whose answer comes next.
    pub(super) fn first(&self) -> Option<StreamId> {
        let first = self.calls.front().filter(|call| !call.is_canceled);
        first.map(|call| call.stream)
    }

    pub(super) fn sent(&self, stream: StreamId) -> Sent {
        let call = self.live().find(|call| call.stream == stream);
        call.map_or(Sent::All, |call| {
            Sent::of(call.start, call.end, self.out.taken())
        })
    }

    /// How much of its request is sent in any case, also if it is canceled now.
    pub(super) fn sent_if_canceled(&self, stream: StreamId) -> Sent {
        match self.is_alone() {
            true => self.sent(stream),
            false => Sent::All,
        }
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.live().map(|call| call.stream).collect()
    }

    /// The same, each with how much of its request was taken.
    pub(super) fn streams_sent(&self) -> Vec<(StreamId, Sent)> {
        let taken = self.out.taken();
        let sent = |call: &Current| (call.stream, Sent::of(call.start, call.end, taken));
        self.live().map(sent).collect()
    }

    pub(super) const fn close_reason(&self) -> Option<&CloseReason> {
        self.closed.as_ref()
    }

    pub(super) const fn send_buf(&self) -> &SendBuf {
        &self.out
    }

    pub(super) const fn send_buf_mut(&mut self) -> &mut SendBuf {
        &mut self.out
    }
}
