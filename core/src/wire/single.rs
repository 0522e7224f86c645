//! The single carrier: one POST with a complete body, whose answer is a stream of frames.
//!
//! The connection is for that stream alone and ends with it. The answer's head comes together with
//! the first frame (gateway.md 6), so until there is something to tell nothing comes at all.

use std::collections::VecDeque;

use super::CancelStep;
use super::StreamId;
use super::Streamed;
use super::WireConfig;
use super::WireEvent;
use super::gateway::FrameError;
use super::gateway::Frames;
use super::gateway::Gateway;
use super::gateway::SnapshotError;
use super::gateway::SnapshotPart;
use super::gateway::SnapshotReader;
use crate::api::Observe;
use crate::api::ObserveResponse;
use crate::buf::SendBuf;
use crate::buf::Sent;
use crate::codec::http1;
use crate::codec::http1::Item;
use crate::codec::http1::Reader;
use crate::codec::http1::RequestMethod;
use crate::codec::json::JsonLimits;
use crate::error::CloseReason;
use crate::error::HttpError;
use crate::error::ProtocolError;

/// One stream on one connection.
#[derive(Debug)]
pub(crate) struct Single {
    gateway: Gateway,
    host: String,
    json: JsonLimits,
    reader: Reader,
    out: SendBuf,
    /// Set from the start of the stream until it is over.
    stream: Option<StreamId>,
    /// How long the request is; it is the first and only one.
    request_len: u64,
    asked: Asked,
    answer: Answer,
    events: VecDeque<WireEvent>,
    closed: Option<CloseReason>,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Nothing,
    Snapshot,
    Observe,
}

/// The answer, once its head was read.
#[derive(Debug)]
enum Answer {
    None,
    Snapshot(Box<SnapshotReader>),
    Observe(Frames<ObserveResponse>),
}

impl Single {
    pub(super) fn new(config: &WireConfig, host: &str) -> Self {
        let mut http = config.http.clone();
        // Each frame has its limit; a stream as a whole has none.
        http.body_bytes = u64::MAX;
        Self {
            gateway: config.gateway.clone(),
            host: host.to_owned(),
            json: config.json.clone(),
            reader: Reader::new(http),
            out: SendBuf::default(),
            stream: None,
            request_len: 0,
            asked: Asked::Nothing,
            answer: Answer::None,
            events: VecDeque::new(),
            closed: None,
        }
    }

    pub(super) fn start_snapshot(&mut self, stream: StreamId) {
        self.start(stream, Asked::Snapshot, &self.gateway.snapshot());
    }

    pub(super) fn start_observe(&mut self, stream: StreamId, observe: &Observe) {
        self.start(stream, Asked::Observe, &self.gateway.observe(observe));
    }

    fn start(&mut self, stream: StreamId, asked: Asked, request: &http::Request<bytes::Bytes>) {
        let host = &self.host;
        self.out
            .append(|out| http1::write_request(request, host, out))
            .expect("host, prefix and headers were checked when the configuration was made");
        self.reader.expect(RequestMethod::Other);
        self.request_len = self.out.end();
        self.stream = Some(stream);
        self.asked = asked;
    }

    /// The server goes on sending whatever is said: only closing helps.
    pub(super) fn cancel(&mut self, stream: StreamId) -> CancelStep {
        if self.stream.take_if(|ours| *ours == stream).is_some() {
            return CancelStep::CloseConnection;
        }
        CancelStep::Done
    }

    pub(super) fn handle_received(&mut self, mut input: &[u8]) {
        while self.closed.is_none() {
            match self.reader.read(input) {
                Ok((used, item)) => {
                    input = &input[used..];
                    match item {
                        None => break,
                        Some(Item::Head(head)) => self.handle_head(head.status),
                        Some(Item::Data(data)) => self.handle_data(data),
                        Some(Item::End { .. }) => self.handle_end(),
                    }
                }
                Err(error) => self.close(error.into()),
            }
        }
    }

    pub(super) fn handle_eof(&mut self) {
        // A refusal without a length ends so; a stream in chunks was cut.
        if let Ok(Some(Item::End { .. })) = self.reader.handle_eof() {
            self.handle_end();
        }
        self.close(CloseReason::PeerClosed);
    }

    fn handle_head(&mut self, status: u16) {
        if self.out.taken() == 0 {
            // An answer to a request of which the server cannot have seen a byte.
            return self.close(CloseReason::Http(HttpError::UnexpectedBytes));
        }
        let json = self.json.clone();
        self.answer = match self.asked {
            Asked::Nothing => Answer::None,
            Asked::Snapshot => Answer::Snapshot(Box::new(SnapshotReader::new(status, json))),
            Asked::Observe => Answer::Observe(Frames::new(status, json)),
        };
    }

    fn handle_data(&mut self, data: &[u8]) {
        match &mut self.answer {
            Answer::None => {}
            Answer::Snapshot(reader) => reader.handle_data(data),
            Answer::Observe(frames) => frames.handle_data(data),
        }
        self.drain();
    }

    fn handle_end(&mut self) {
        match &mut self.answer {
            Answer::None => {}
            Answer::Snapshot(reader) => reader.handle_end(),
            Answer::Observe(frames) => frames.handle_end(),
        }
        self.drain();
        self.close(CloseReason::Protocol(ProtocolError::StreamEnded));
    }

    /// Tells what was read.
    fn drain(&mut self) {
        while self.closed.is_none() {
            let said = match &mut self.answer {
                Answer::None => return,
                Answer::Snapshot(reader) => match reader.poll_part() {
                    None => return,
                    Some(Ok(SnapshotPart::Chunk(chunk))) => Streamed::Chunk(chunk),
                    Some(Ok(SnapshotPart::Done(summary))) => Streamed::Done(summary),
                    // Another member would refuse it, too, or it is the server's last word.
                    Some(Err(SnapshotError::Frame(FrameError::Status(status)))) => {
                        Streamed::Refused(status)
                    }
                    Some(Err(SnapshotError::Fault(fault))) => Streamed::Broken(fault),
                    Some(Err(SnapshotError::Frame(error))) => {
                        return self.close(error.into());
                    }
                },
                Answer::Observe(frames) => match frames.poll_frame() {
                    None => return,
                    Some(Ok(frame)) => Streamed::Leader(frame),
                    Some(Err(error)) => return self.close(error.into()),
                },
            };
            let goes_on = matches!(said, Streamed::Chunk(_) | Streamed::Leader(_));
            let stream = if goes_on {
                self.stream
            } else {
                self.stream.take()
            };
            let told = stream.map(|stream| WireEvent::Streamed { stream, said });
            self.events.extend(told);
            if !goes_on {
                self.close(CloseReason::NotReusable);
            }
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed.get_or_insert(reason);
    }

    pub(super) fn poll_event(&mut self) -> Option<WireEvent> {
        self.events.pop_front()
    }

    /// Whether its one stream was not started yet.
    pub(super) const fn is_fresh(&self) -> bool {
        matches!(self.asked, Asked::Nothing)
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.stream.is_none()
    }

    pub(super) fn sent(&self, stream: StreamId) -> Sent {
        if self.stream == Some(stream) {
            return Sent::of(0, self.request_len, self.out.taken());
        }
        Sent::All
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.stream.iter().copied().collect()
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
