//! What the duplex carriers share: one POST whose body stays open, frames in its answer.
//!
//! With `Connection: close` in the request the server answers at once and reads further requests
//! from the body as they come (gateway.md 8). Each request is a chunk of its own. The answer's head
//! comes together with the first frame; when the answer ends, so does the connection.

use super::WireConfig;
use super::gateway::FrameError;
use super::gateway::Frames;
use crate::api::Message;
use crate::buf::SendBuf;
use crate::codec::http1;
use crate::codec::http1::Item;
use crate::codec::http1::Reader;
use crate::codec::http1::RequestMethod;
use crate::codec::json::JsonLimits;
use crate::error::CloseReason;
use crate::error::ProtocolError;

/// One open POST and its answer, in frames of `T`.
#[derive(Debug)]
pub(super) struct Duplex<T> {
    reader: Reader,
    json: JsonLimits,
    /// The frames, once the answer's head was read.
    frames: Option<Frames<T>>,
    out: SendBuf,
    /// The path that was asked, for the diagnosis of a refusal.
    path: String,
    closed: Option<CloseReason>,
}

impl<T: Message> Duplex<T> {
    pub(super) fn new(head: &http::Request<()>, config: &WireConfig, host: &str) -> Self {
        let mut out = SendBuf::default();
        out.append(|out| http1::write_open_request(head, host, out))
            .expect("host, prefix and headers were checked when the configuration was made");
        let mut http = config.http.clone();
        // Each frame has its limit; a stream as a whole has none.
        http.body_bytes = u64::MAX;
        let mut reader = Reader::new(http);
        reader.expect(RequestMethod::Other);
        Self {
            reader,
            json: config.json.clone(),
            frames: None,
            out,
            path: head.uri().path().to_owned(),
            closed: None,
        }
    }

    /// Sends a request in a chunk of its own.
    pub(super) fn send(&mut self, request: &impl serde::Serialize) {
        let line = super::gateway::to_json(request);
        self.out.append(|out| http1::write_chunk(&line, out));
    }

    /// Takes bytes, and hands each whole frame to `handle`. A frame that `handle` refuses closes the
    /// connection, and the frames after it are not looked at.
    pub(super) fn handle_received(
        &mut self,
        mut input: &[u8],
        mut handle: impl FnMut(&mut Self, T) -> Result<(), CloseReason>,
    ) {
        while self.closed.is_none() {
            match self.reader.read(input) {
                Ok((used, item)) => {
                    input = &input[used..];
                    let Some(item) = item else { break };
                    let ended = matches!(item, Item::End { .. });
                    match item {
                        Item::Head(head) => {
                            self.frames = Some(Frames::new(head.status, self.json.clone()));
                        }
                        Item::Data(data) => self.frames_mut(|frames| frames.handle_data(data)),
                        Item::End { .. } => self.frames_mut(Frames::handle_end),
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
        // Streams are chunked: an end without the last chunk is a cut, and no frame is left in it
        // that would count, except the error of a refusal without a length.
        if let Ok(Some(Item::End { .. })) = self.reader.handle_eof() {
            self.frames_mut(Frames::handle_end);
            self.drain(&mut |_, _| Ok(()));
        }
        self.close(CloseReason::PeerClosed);
    }

    fn frames_mut(&mut self, act: impl FnOnce(&mut Frames<T>)) {
        if let Some(frames) = &mut self.frames {
            act(frames);
        }
    }

    fn drain(&mut self, handle: &mut impl FnMut(&mut Self, T) -> Result<(), CloseReason>) {
        while self.closed.is_none() {
            let Some(frame) = self.frames.as_mut().and_then(Frames::poll_frame) else {
                return;
            };
            let handled = match frame {
                Ok(frame) => handle(self, frame),
                Err(FrameError::Status(status)) => {
                    Err(CloseReason::Status(status.with_path(&self.path)))
                }
                Err(FrameError::Json(error)) => Err(CloseReason::Json(error)),
                Err(FrameError::Limit(limit)) => Err(CloseReason::Limit(limit)),
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
