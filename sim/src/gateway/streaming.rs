//! A stream's side of a connection: messages out of a body that may stay open, frames into an answer
//! (gateway.md 6 to 9).

use std::collections::VecDeque;

use etcd_core::codec::json::{JsonLimits, Splitter};
use etcd_core::{Code, LeaseKeepAlive};
use serde::Serialize;

use super::answer::{Answer, Asked, BUFFER, Kind, Opening, chunk, stream_head};
use super::body::{Body, Piece};
use super::conn::{ServerEvent, Slot, Slots};
use super::dialect::{Dialect, Style};
use super::json::{self, BadJson};
use crate::etcd::{Fault, Meta, Reply, StreamRequest};

/// Which stream takes many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Many {
    Watch,
    KeepAlive,
}

/// A stream under way.
#[derive(Debug)]
pub(super) struct Streaming {
    /// None before its first message came.
    slot: Option<Slot>,
    asked: Asked,
    meta: Meta,
    reader: Option<Reader>,
    /// Whether the body's last byte came.
    has_whole_body: bool,
    /// What is said before the body has ended, where the server reads that first (gateway.md 8.2).
    held: Option<Vec<u8>>,
    has_head: bool,
    is_over: bool,
}

#[derive(Debug)]
struct Reader {
    many: Many,
    body: Body,
    splitter: Splitter,
    /// Whether what comes is not looked at any more, since a message could not be read.
    is_deaf: bool,
}

impl Streaming {
    /// A stream whose messages are in a body that may stay open.
    pub(super) fn many(
        many: Many,
        body: Body,
        meta: Meta,
        asked: Asked,
        takes_early_answers: bool,
    ) -> Self {
        Self {
            slot: None,
            asked,
            meta,
            reader: Some(Reader {
                many,
                body,
                splitter: Splitter::new(JsonLimits::default()),
                is_deaf: false,
            }),
            has_whole_body: false,
            held: (!takes_early_answers).then(Vec::new),
            has_head: false,
            is_over: false,
        }
    }

    /// A stream whose one message came.
    pub(super) const fn single(slot: Slot, meta: Meta, asked: Asked) -> Self {
        Self {
            slot: Some(slot),
            asked,
            meta,
            reader: None,
            has_whole_body: true,
            held: None,
            has_head: false,
            is_over: false,
        }
    }

    pub(super) const fn slot(&self) -> Option<Slot> {
        self.slot
    }

    /// Whether all was said, and all was read that has to be read first.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over && self.held.is_none()
    }

    /// Whether the connection ends with the stream: it was to, or nobody reads the rest of its body.
    pub(super) const fn closes(&self) -> bool {
        self.asked.closes || !self.has_whole_body
    }

    /// Reads on, and leaves what belongs to the next request.
    pub(super) fn read(
        &mut self,
        input: &mut &[u8],
        style: &Style,
        slots: &mut Slots,
        events: &mut VecDeque<ServerEvent>,
        out: &mut Vec<u8>,
    ) {
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        loop {
            match reader.body.next(input) {
                Piece::Data(data) => {
                    if reader.is_deaf {
                        continue;
                    }
                    let many = reader.many;
                    let wrong = reader.messages(data, style, |message| {
                        self.take(message, slots, events);
                    });
                    if let Err(wrong) = wrong {
                        reader.is_deaf = true;
                        self.give_up(many, wrong, style, events, out);
                    }
                }
                Piece::More => break,
                Piece::End => {
                    self.end(&reader, style, events, out);
                    return;
                }
                Piece::Malformed => {
                    if !reader.is_deaf {
                        let wrong = BadJson("malformed chunked encoding".to_owned());
                        self.give_up(reader.many, wrong, style, events, out);
                    }
                    // The rest of the connection is nothing that could be read.
                    *input = &[];
                    reader.is_deaf = true;
                    break;
                }
            }
        }
        self.reader = Some(reader);
    }

    fn take(
        &mut self,
        message: StreamRequest,
        slots: &mut Slots,
        events: &mut VecDeque<ServerEvent>,
    ) {
        events.push_back(match self.slot {
            Some(slot) => ServerEvent::StreamMessage {
                slot,
                request: message,
            },
            None => {
                let slot = slots.next();
                self.slot = Some(slot);
                ServerEvent::StreamOpened {
                    slot,
                    meta: self.meta.clone(),
                    request: message,
                }
            }
        });
    }

    /// A message cannot be read; it is the last one.
    fn give_up(
        &mut self,
        many: Many,
        BadJson(wrong): BadJson,
        style: &Style,
        events: &mut VecDeque<ServerEvent>,
        out: &mut Vec<u8>,
    ) {
        match (self.slot, style.dialect, many) {
            // The good ones before it are answered.
            (Some(slot), _, Many::KeepAlive) => events.push_back(ServerEvent::StreamEnd { slot }),
            // Nothing is ever said about it (gateway.md 7.3).
            (Some(_), _, Many::Watch) | (None, Dialect::V2, Many::Watch) => {}
            (None, Dialect::V2, Many::KeepAlive) => self.finish_empty(style, out),
            (None, Dialect::V1, _) => {
                let fault = Fault::new(Code::UNKNOWN, wrong);
                let body = json::error(&fault, style);
                let answer = Answer::new(500, Kind::Gateway, body);
                let asked = self.asked;
                answer.write(asked, style, self.sink(out));
                self.is_over = true;
            }
        }
    }

    /// The body has ended.
    fn end(
        &mut self,
        reader: &Reader,
        style: &Style,
        events: &mut VecDeque<ServerEvent>,
        out: &mut Vec<u8>,
    ) {
        self.has_whole_body = true;
        out.extend(self.held.take().unwrap_or_default());
        if reader.is_deaf {
            return;
        }
        if reader.splitter.finish().is_err() {
            let wrong = BadJson("unexpected EOF".to_owned());
            self.give_up(reader.many, wrong, style, events, out);
            return;
        }
        match (self.slot, reader.many) {
            (Some(slot), _) => events.push_back(ServerEvent::StreamEnd { slot }),
            (None, Many::KeepAlive) => self.finish_empty(style, out),
            (None, Many::Watch) => {}
        }
    }

    /// What the stream's server says.
    pub(super) fn reply(&mut self, reply: &Reply, style: &Style, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        match reply {
            Reply::Watch(message) => self.frame(message, style, out),
            Reply::LeaseKeepAlive(message) => self.frame(message, style, out),
            Reply::Snapshot(message) => self.frame(message, style, out),
            Reply::Observe(message) => self.frame(message, style, out),
            Reply::Fault(fault) => self.fail(fault, style, out),
            Reply::End if self.has_head => self.last(out),
            Reply::End => self.finish_empty(style, out),
            Reply::Answer(_) => {
                let fault = Fault::new(Code::INTERNAL, "an answer cannot be a frame");
                self.fail(&fault, style, out);
            }
        }
    }

    fn frame(&mut self, message: &impl Serialize, style: &Style, out: &mut Vec<u8>) {
        self.head(Opening::Result, style, out);
        let mut text = b"{\"result\":".to_vec();
        text.extend(json::text(message));
        text.push(b'}');
        self.say(text, true, out);
    }

    fn fail(&mut self, fault: &Fault, style: &Style, out: &mut Vec<u8>) {
        self.head(Opening::Refused(style.status(fault.code)), style, out);
        self.say(json::stream_error(fault, style), false, out);
        self.last(out);
    }

    /// The asker half-closed the connection, which calls the stream off (gateway.md 4.6).
    pub(super) fn cancel(&mut self, style: &Style, out: &mut Vec<u8>) {
        out.extend(self.held.take().unwrap_or_default());
        if !self.is_over && self.slot.is_some() {
            let fault = Fault::new(Code::CANCELED, "context canceled");
            self.fail(&fault, style, out);
        }
    }

    fn finish_empty(&mut self, style: &Style, out: &mut Vec<u8>) {
        self.head(Opening::Nothing, style, out);
        self.last(out);
    }

    fn head(&mut self, opening: Opening, style: &Style, out: &mut Vec<u8>) {
        if !self.has_head {
            self.has_head = true;
            let asked = self.asked;
            stream_head(opening, asked, style, self.sink(out));
        }
    }

    fn say(&mut self, mut text: Vec<u8>, with_newline: bool, out: &mut Vec<u8>) {
        let is_old = self.asked.is_old;
        let sink = self.sink(out);
        if with_newline && text.len() >= BUFFER && !is_old {
            chunk(sink, &text);
            chunk(sink, b"\n");
            return;
        }
        if with_newline {
            text.push(b'\n');
        }
        match is_old {
            true => sink.extend_from_slice(&text),
            false => chunk(sink, &text),
        }
    }

    fn last(&mut self, out: &mut Vec<u8>) {
        self.is_over = true;
        if !self.asked.is_old {
            self.sink(out).extend_from_slice(b"0\r\n\r\n");
        }
    }

    const fn sink<'a>(&'a mut self, out: &'a mut Vec<u8>) -> &'a mut Vec<u8> {
        match &mut self.held {
            Some(held) => held,
            None => out,
        }
    }
}

impl Reader {
    /// The messages that end in these bytes.
    fn messages(
        &mut self,
        mut data: &[u8],
        style: &Style,
        mut take: impl FnMut(StreamRequest),
    ) -> Result<(), BadJson> {
        while !data.is_empty() {
            let step = self.splitter.push(data);
            let (used, frame) = step.map_err(|error| BadJson(error.to_string()))?;
            if let Some(frame) = frame {
                if let Some(message) = self.message(&frame, style)? {
                    take(message);
                }
            }
            data = &data[used..];
        }
        Ok(())
    }

    fn message(&self, json: &[u8], style: &Style) -> Result<Option<StreamRequest>, BadJson> {
        match self.many {
            Many::Watch => {
                let message = json::read_watch(json, style.dialect)?;
                Ok(message.map(StreamRequest::Watch))
            }
            Many::KeepAlive => {
                let message = json::read::<LeaseKeepAlive>(json, style.dialect)?;
                Ok(Some(StreamRequest::LeaseKeepAlive(message)))
            }
        }
    }
}
