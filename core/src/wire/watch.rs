//! The watch carrier: many watches on one duplex POST (gateway.md 7 and 8).
//!
//! Each watch gets an id of ours, counted up from 1 and never used again on the connection (rule
//! W-24). Answers to creates come in the order of the creates, whatever id a refusal carries, so the
//! first create waiting is the one answered. Frames of other kinds may come between.
//!
//! ```text
//!   start ──► Creating ──created──► Live ──canceled frame──► gone, told
//!                │ refused: gone, told │
//!                └──── cancel ─────────┴──► Canceling ──canceled or refused──► gone, not told
//! ```
//!
//! Parts of a fragmented message are joined here as far as need be: a revision is handed on once the
//! event of a later one, or the last part, shows that it is whole (rules W-8, W-9).

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::CancelStep;
use super::Ended;
use super::StreamId;
use super::WireConfig;
use super::WireEvent;
use super::duplex::Duplex;
use crate::api::KvEvent;
use crate::api::Watch;
use crate::api::WatchRequest;
use crate::api::WatchResponse;
use crate::buf::SendBuf;
use crate::buf::Sent;
use crate::error::CloseReason;
use crate::error::Code;
use crate::error::Known;
use crate::error::Limit;
use crate::error::ProtocolError;
use crate::error::Status;

/// The id under which the server answers a request for progress.
const ALL_WATCHES: i64 = -1;

/// Watches on one connection.
#[derive(Debug)]
pub(crate) struct WatchWire {
    duplex: Duplex<WatchResponse>,
    state: Watches,
}

/// What is known of the watches; apart from the bytes, so that frames can change it.
#[derive(Debug)]
struct Watches {
    /// By the id the server knows them by.
    by_id: BTreeMap<i64, Entry>,
    ids: BTreeMap<StreamId, i64>,
    /// Creates the server owes an answer for, in the order they were asked.
    creating: VecDeque<i64>,
    /// How many creates were answered; it only grows.
    answered: u64,
    /// The id the next watch gets; every id below it was in use.
    next_id: i64,
    /// The watch in the middle of a fragmented message.
    fragments: Option<Fragments>,
    /// Bound on the joined parts of one revision.
    frame_bytes: usize,
    events: VecDeque<WireEvent>,
}

#[derive(Debug)]
struct Entry {
    stream: StreamId,
    state: EntryState,
    /// Where its create begins and ends, counted in bytes sent.
    start: u64,
    end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryState {
    Creating,
    Live,
    Canceling,
}

/// The revision that is not known to be whole yet.
#[derive(Debug)]
struct Fragments {
    id: i64,
    /// All of one revision.
    events: Vec<KvEvent>,
    /// Their size.
    bytes: usize,
}

impl WatchWire {
    pub(super) fn new(config: &WireConfig, host: &str) -> Self {
        Self {
            duplex: Duplex::new(&config.gateway.open_watch(), config, host),
            state: Watches {
                by_id: BTreeMap::new(),
                ids: BTreeMap::new(),
                creating: VecDeque::new(),
                answered: 0,
                next_id: 1,
                fragments: None,
                frame_bytes: config.json.frame_bytes,
                events: VecDeque::new(),
            },
        }
    }

    pub(super) fn start(&mut self, stream: StreamId, watch: &Watch) {
        let id = self.state.next_id;
        self.state.next_id += 1;
        let start = self.duplex.out().end();
        let mut watch = watch.clone();
        watch.watch_id = id;
        self.duplex.send(&WatchRequest::Create(watch));
        let end = self.duplex.out().end();
        let entry = Entry {
            stream,
            state: EntryState::Creating,
            start,
            end,
        };
        self.state.by_id.insert(id, entry);
        self.state.ids.insert(stream, id);
        self.state.creating.push_back(id);
    }

    pub(super) fn cancel(&mut self, stream: StreamId) -> CancelStep {
        let Some(id) = self.state.ids.remove(&stream) else {
            return CancelStep::Done;
        };
        if let Some(entry) = self.state.by_id.get_mut(&id) {
            entry.state = EntryState::Canceling;
        }
        if self.state.ids.is_empty() {
            return CancelStep::CloseConnection;
        }
        self.duplex.send(&WatchRequest::Cancel { watch_id: id });
        CancelStep::Done
    }

    pub(super) fn request_progress(&mut self) {
        self.duplex.send(&WatchRequest::Progress);
    }

    pub(super) fn handle_received(&mut self, bytes: &[u8]) {
        let Self { duplex, state } = self;
        duplex.handle_received(bytes, |duplex, frame| {
            let compacted = frame.canceled && frame.compact_revision != 0;
            let id = frame.watch_id;
            state.handle_frame(frame)?;
            if compacted && state.by_id.len() + state.creating.len() > 0 && id > 0 {
                // Servers give no progress to a stream on which a compacted watch lingers, until
                // it is canceled by us as well (gateway.md 7.4).
                duplex.send(&WatchRequest::Cancel { watch_id: id });
            }
            Ok(())
        });
    }

    pub(super) fn handle_eof(&mut self) {
        self.duplex.handle_eof();
    }

    pub(super) fn poll_event(&mut self) -> Option<WireEvent> {
        self.state.events.pop_front()
    }

    /// Watches that take a place, canceled ones that the server still holds included.
    pub(super) fn len(&self) -> usize {
        self.state.by_id.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state.ids.is_empty()
    }

    pub(super) fn is_creating(&self) -> bool {
        !self.state.creating.is_empty()
    }

    pub(super) const fn answered_creates(&self) -> u64 {
        self.state.answered
    }

    pub(super) fn sent(&self, stream: StreamId) -> Sent {
        let entry = self
            .state
            .ids
            .get(&stream)
            .and_then(|id| self.state.by_id.get(id));
        let taken = self.duplex.out().taken();
        entry.map_or(Sent::All, |entry| Sent::of(entry.start, entry.end, taken))
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.state.ids.keys().copied().collect()
    }

    pub(super) const fn close_reason(&self) -> Option<&CloseReason> {
        self.duplex.close_reason()
    }

    pub(super) const fn send_buf(&self) -> &SendBuf {
        self.duplex.out()
    }

    pub(super) const fn send_buf_mut(&mut self) -> &mut SendBuf {
        self.duplex.out_mut()
    }
}

impl Watches {
    fn handle_frame(&mut self, frame: WatchResponse) -> Result<(), CloseReason> {
        let mixed = self.fragments.as_ref().is_some_and(|fragments| {
            fragments.id != frame.watch_id || frame.created || frame.canceled
        });
        if mixed {
            return Err(CloseReason::Protocol(ProtocolError::BrokenFragments));
        }
        if frame.created {
            return self.handle_created(&frame);
        }
        if frame.watch_id == ALL_WATCHES && frame.events.is_empty() && !frame.canceled {
            let live = self.by_id.values();
            let live = live.filter(|entry| entry.state == EntryState::Live);
            self.events.push_back(WireEvent::ProgressOfAll {
                streams: live.map(|entry| entry.stream).collect(),
                revision: frame.header.revision,
            });
            return Ok(());
        }
        let Some(entry) = self.by_id.get(&frame.watch_id) else {
            // An id that was in use: its watch is gone, the frame was under way.
            if (1..self.next_id).contains(&frame.watch_id) {
                return Ok(());
            }
            return Err(CloseReason::Protocol(ProtocolError::UnknownWatch(
                frame.watch_id,
            )));
        };
        if entry.state == EntryState::Creating {
            return Err(CloseReason::Protocol(ProtocolError::UnknownWatch(
                frame.watch_id,
            )));
        }
        if frame.canceled {
            self.end(frame.watch_id, &frame);
            return Ok(());
        }
        if frame.events.is_empty() && self.fragments.is_none() {
            let stream = entry.stream;
            if entry.state == EntryState::Live {
                let revision = frame.header.revision;
                self.events
                    .push_back(WireEvent::Progress { stream, revision });
            }
            return Ok(());
        }
        self.handle_events(frame)
    }

    fn handle_created(&mut self, frame: &WatchResponse) -> Result<(), CloseReason> {
        let unexpected = CloseReason::Protocol(ProtocolError::UnexpectedCreated);
        let id = self.creating.pop_front().ok_or(unexpected)?;
        self.answered += 1;
        if frame.canceled {
            self.end(id, frame);
            return Ok(());
        }
        if frame.watch_id != id {
            let wrong = ProtocolError::WrongWatchId {
                asked: id,
                got: frame.watch_id,
            };
            return Err(CloseReason::Protocol(wrong));
        }
        if let Some(entry) = self.by_id.get_mut(&id) {
            if entry.state == EntryState::Creating {
                entry.state = EntryState::Live;
                let revision = frame.header.revision;
                self.events.push_back(WireEvent::Created {
                    stream: entry.stream,
                    revision,
                });
            }
        }
        Ok(())
    }

    /// Forgets a watch that the server ended, and tells unless we had canceled it.
    fn end(&mut self, id: i64, frame: &WatchResponse) {
        let Some(entry) = self.by_id.remove(&id) else {
            return;
        };
        if entry.state == EntryState::Canceling {
            return;
        }
        self.ids.remove(&entry.stream);
        let status = Status::new(Code::UNKNOWN, &frame.cancel_reason);
        let compact_revision = frame.compact_revision;
        let why = if compact_revision != 0 || status.known() == Some(Known::Compacted) {
            Ended::Compacted { compact_revision }
        } else if status.message.is_empty() {
            Ended::Silently
        } else {
            Ended::Refused(with_code(status))
        };
        self.events.push_back(WireEvent::Ended {
            stream: entry.stream,
            why,
        });
    }

    fn handle_events(&mut self, frame: WatchResponse) -> Result<(), CloseReason> {
        let id = frame.watch_id;
        let whole = match self.fragments.take() {
            None if !frame.fragment => frame.events,
            fragments => {
                let mut open = fragments.unwrap_or(Fragments {
                    id,
                    events: Vec::new(),
                    bytes: 0,
                });
                let mut whole = Vec::new();
                for event in frame.events {
                    let same = |open: &KvEvent| open.kv.mod_revision == event.kv.mod_revision;
                    if !open.events.last().is_none_or(same) {
                        whole.append(&mut open.events);
                        open.bytes = 0;
                    }
                    open.bytes = open.bytes.saturating_add(event.size());
                    open.events.push(event);
                }
                if open.bytes > self.frame_bytes {
                    return Err(CloseReason::Limit(Limit::Frame(self.frame_bytes)));
                }
                if frame.fragment {
                    self.fragments = Some(open);
                } else {
                    whole.append(&mut open.events);
                }
                whole
            }
        };
        let entry = self
            .by_id
            .get(&id)
            .filter(|entry| entry.state == EntryState::Live);
        if let Some(entry) = entry.filter(|_| !whole.is_empty()) {
            let (stream, header) = (entry.stream, frame.header);
            self.events.push_back(WireEvent::Events {
                stream,
                header,
                events: whole,
            });
        }
        Ok(())
    }
}

/// Reasons come as text, mostly without a code; those etcd is known to give have one.
fn with_code(mut status: Status) -> Status {
    if status.code == Code::UNKNOWN {
        status.code = match status.known() {
            Some(Known::PermissionDenied) => Code::PERMISSION_DENIED,
            Some(Known::InvalidAuthToken) => Code::UNAUTHENTICATED,
            Some(Known::UserEmpty | Known::DuplicateWatchID | Known::WatchRangeEmpty) => {
                Code::INVALID_ARGUMENT
            }
            _ => Code::UNKNOWN,
        };
    }
    status
}
