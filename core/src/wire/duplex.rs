//! What the duplex carriers share: one POST whose body stays open, a stream in its answer.
//!
//! With `Connection: close` in the request the server answers at once and reads further requests
//! from the body as they come (gateway.md 8). Each request is a chunk of its own. The answer's head
//! comes together with the first frame; when the answer ends, so does the connection.

use super::WireConfig;
use super::gateway::FrameError;
use super::gateway::Frames;
use super::gateway::WatchFrames;
use super::gateway::WatchItem;
use super::gateway::WatchLimits;
use crate::api::Message;
use crate::buf::SendBuf;
use crate::codec::http1;
use crate::codec::http1::Item;
use crate::codec::http1::Reader;
use crate::codec::http1::RequestMethod;
use crate::error::CloseReason;
use crate::error::HttpError;
use crate::error::ProtocolError;

const CHECKED: &str = "host, prefix and headers were checked when the configuration was made";

/// What reads the body of the answer.
pub(super) trait Body {
    /// What it makes of it.
    type Item;

    fn new(http_status: u16, limits: &WatchLimits) -> Self;
    fn handle_data(&mut self, data: &[u8]);
    fn handle_end(&mut self);
    fn poll(&mut self) -> Option<Result<Self::Item, FrameError>>;
}

/// Whole frames.
impl<T: Message> Body for Frames<T> {
    type Item = T;

    fn new(http_status: u16, limits: &WatchLimits) -> Self {
        Self::new(http_status, limits.json.clone())
    }

    fn handle_data(&mut self, data: &[u8]) {
        self.handle_data(data);
    }

    fn handle_end(&mut self) {
        self.handle_end();
    }

    fn poll(&mut self) -> Option<Result<T, FrameError>> {
        self.poll_frame()
    }
}

/// Frames whose events are read while they come.
impl Body for WatchFrames {
    type Item = WatchItem;

    fn new(http_status: u16, limits: &WatchLimits) -> Self {
        Self::new(http_status, limits.clone())
    }

    fn handle_data(&mut self, data: &[u8]) {
        self.handle_data(data);
    }

    fn handle_end(&mut self) {
        self.handle_end();
    }

    fn poll(&mut self) -> Option<Result<WatchItem, FrameError>> {
        self.poll_item()
    }
}

/// One open POST and its answer, whose body is read by `B`.
#[derive(Debug)]
pub(super) struct Duplex<B> {
    reader: Reader,
    limits: WatchLimits,
    /// What reads the body, once the answer's head was read.
    body: Option<B>,
    out: SendBuf,
    /// The path that was asked, for the diagnosis of a refusal.
    path: String,
    closed: Option<CloseReason>,
}

impl<B: Body> Duplex<B> {
    pub(super) fn new(head: &http::Request<()>, config: &WireConfig, host: &str) -> Self {
        let mut duplex = Self::unasked(config);
        head.uri().path().clone_into(&mut duplex.path);
        duplex
            .out
            .append(|out| http1::write_open_request(head, host, out))
            .expect(CHECKED);
        duplex
    }

    /// One whose request is still to come.
    pub(super) fn unasked(config: &WireConfig) -> Self {
        let mut http = config.http.clone();
        // Each frame has its limit; a stream as a whole has none.
        http.body_bytes = u64::MAX;
        let mut reader = Reader::new(http);
        reader.expect(RequestMethod::Other);
        Self {
            reader,
            limits: WatchLimits {
                json: config.json.clone(),
                revision_bytes: config.revision_bytes,
                #[cfg(feature = "planted")]
                planted: config.planted,
            },
            body: None,
            out: SendBuf::default(),
            path: String::new(),
            closed: None,
        }
    }

    /// Sends the one request, complete.
    pub(super) fn ask(&mut self, request: &http::Request<bytes::Bytes>, host: &str) {
        request.uri().path().clone_into(&mut self.path);
        self.out
            .append(|out| http1::write_request(request, host, out))
            .expect(CHECKED);
    }

    /// Sends a request in a chunk of its own.
    pub(super) fn send(&mut self, request: &impl serde::Serialize) {
        let line = super::gateway::to_json(request);
        self.out.append(|out| http1::write_chunk(&line, out));
    }

    /// Takes bytes, and hands what they say to `handle`. An item that `handle` refuses closes the
    /// connection, and those after it are not looked at.
    pub(super) fn handle_received(
        &mut self,
        mut input: &[u8],
        mut handle: impl FnMut(&mut Self, B::Item) -> Result<(), CloseReason>,
    ) {
        while self.closed.is_none() {
            match self.reader.read(input) {
                Ok((used, item)) => {
                    input = &input[used..];
                    let Some(item) = item else { break };
                    let ended = matches!(item, Item::End { .. });
                    match item {
                        // An answer to a request of which the server cannot have seen a byte.
                        Item::Head(_) if self.out.taken() == 0 => {
                            self.close(CloseReason::Http(HttpError::UnexpectedBytes));
                        }
                        Item::Head(head) => {
                            self.body = Some(B::new(head.status, &self.limits));
                        }
                        Item::Data(data) => self.body_mut(|body| body.handle_data(data)),
                        Item::End { .. } => self.body_mut(B::handle_end),
                    }
                    self.drain(&mut handle);
                    if ended {
                        self.close(CloseReason::Protocol(ProtocolError::StreamEnded));
                    }
                }
                Err(error) => self.close(error.into()),
            }
        }
    }

    pub(super) fn handle_eof(&mut self) {
        // Streams are chunked: an end without the last chunk is a cut, and nothing is left in it that
        // would count, as what was complete was handed on when it came; except the error of a
        // refusal without a length.
        if let Ok(Some(Item::End { .. })) = self.reader.handle_eof() {
            self.body_mut(B::handle_end);
            self.drain(&mut |_, _| Ok(()));
        }
        self.close(CloseReason::PeerClosed);
    }

    /// What reads the body, once the answer's head was read.
    pub(super) const fn body(&self) -> Option<&B> {
        self.body.as_ref()
    }

    fn body_mut(&mut self, act: impl FnOnce(&mut B)) {
        if let Some(body) = &mut self.body {
            act(body);
        }
    }

    fn drain(&mut self, handle: &mut impl FnMut(&mut Self, B::Item) -> Result<(), CloseReason>) {
        while self.closed.is_none() {
            let Some(item) = self.body.as_mut().and_then(B::poll) else {
                return;
            };
            let handled = match item {
                Ok(item) => handle(self, item),
                Err(FrameError::Status(status)) => {
                    Err(CloseReason::Status(status.with_path(&self.path)))
                }
                Err(error) => Err(error.into()),
            };
            if let Err(reason) = handled {
                self.close(reason);
            }
        }
    }

    pub(super) fn close(&mut self, reason: CloseReason) {
        self.closed.get_or_insert(reason);
    }

    pub(super) const fn close_reason(&self) -> Option<&CloseReason> {
        self.closed.as_ref()
    }

    pub(super) const fn out(&self) -> &SendBuf {
        &self.out
    }

    pub(super) const fn out_mut(&mut self) -> &mut SendBuf {
        &mut self.out
    }
}
