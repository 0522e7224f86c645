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
//! Where something on the way keeps open requests back, one connection carries one watch in a complete
//! request; that is the same but for what cannot be said any more.
//!
//! Frames are read while they come: what is known to be a whole revision is handed on before its frame
//! ends, and the rest of the frame says what else it was (rules W-8, W-9).

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::CancelStep;
use super::Ended;
use super::StreamId;
use super::WireConfig;
use super::WireEvent;
use super::duplex::Duplex;
use super::gateway::Gateway;
use super::gateway::WatchFrames;
use super::gateway::WatchItem;
use crate::api::KvEvent;
use crate::api::ResponseHeader;
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

/// The stream of a watch that only shows whether the server is there; ids of streams begin at 1.
const NOBODY: StreamId = StreamId(0);

/// Watches on one connection.
#[derive(Debug)]
pub(crate) struct WatchWire {
    duplex: Duplex<WatchFrames>,
    /// Set where the request is complete, and of one watch only.
    single: Option<Box<Single>>,
    state: Watches,
}

/// What the request of a single watch is made of.
#[derive(Debug)]
struct Single {
    gateway: Gateway,
    host: String,
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
    events: VecDeque<WireEvent>,
    #[cfg(feature = "planted")]
    planted: Option<crate::planted::Planted>,
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

impl WatchWire {
    pub(super) fn new(config: &WireConfig, host: &str) -> Self {
        let duplex = Duplex::new(&config.gateway.open_watch(), config, host);
        Self::with(config, duplex, None)
    }

    /// One complete request for one watch, where something on the way keeps back those that are not
    /// (rule W-22). Nothing more can be said on it.
    pub(super) fn single(config: &WireConfig, host: &str) -> Self {
        let single = Single {
            gateway: config.gateway.clone(),
            host: host.to_owned(),
        };
        Self::with(config, Duplex::unasked(config), Some(Box::new(single)))
    }

    fn with(config: &WireConfig, duplex: Duplex<WatchFrames>, single: Option<Box<Single>>) -> Self {
        #[cfg(not(feature = "planted"))]
        let _ = config;
        Self {
            duplex,
            single,
            state: Watches {
                by_id: BTreeMap::new(),
                ids: BTreeMap::new(),
                creating: VecDeque::new(),
                answered: 0,
                next_id: 1,
                events: VecDeque::new(),
                #[cfg(feature = "planted")]
                planted: config.planted,
            },
        }
    }

    pub(super) fn start(&mut self, stream: StreamId, watch: &Watch) {
        #[cfg(feature = "planted")]
        let stream = self.state.plant_create(stream);
        let id = self.create(stream, watch, EntryState::Creating);
        self.state.ids.insert(stream, id);
    }

    /// Creates a watch that nobody has, and cancels it.
    pub(super) fn probe(&mut self, watch: &Watch) {
        if self.single.is_some() {
            return;
        }
        let watch_id = self.create(NOBODY, watch, EntryState::Canceling);
        self.duplex.send(&WatchRequest::Cancel { watch_id });
    }

    fn create(&mut self, stream: StreamId, watch: &Watch, state: EntryState) -> i64 {
        let id = self.state.next_id;
        self.state.next_id += 1;
        let start = self.duplex.out().end();
        let mut watch = watch.clone();
        watch.watch_id = id;
        match &self.single {
            Some(single) => self.duplex.ask(&single.gateway.watch(&watch), &single.host),
            None => self.duplex.send(&WatchRequest::Create(watch)),
        }
        let end = self.duplex.out().end();
        let entry = Entry {
            stream,
            state,
            start,
            end,
        };
        self.state.by_id.insert(id, entry);
        self.state.creating.push_back(id);
        id
    }

    pub(super) fn cancel(&mut self, stream: StreamId) -> CancelStep {
        let Some(id) = self.state.ids.remove(&stream) else {
            return CancelStep::Done;
        };
        if let Some(entry) = self.state.by_id.get_mut(&id) {
            entry.state = EntryState::Canceling;
        }
        if self.state.ids.is_empty() {
            // Another one's end may wait to be taken; it is closed as idle after that.
            return match self.state.events.is_empty() {
                true => CancelStep::CloseConnection,
                false => CancelStep::Done,
            };
        }
        self.duplex.send(&WatchRequest::Cancel { watch_id: id });
        CancelStep::Done
    }

    pub(super) fn request_progress(&mut self) {
        if self.single.is_none() {
            self.duplex.send(&WatchRequest::Progress);
        }
    }

    pub(super) fn handle_received(&mut self, bytes: &[u8]) {
        let Self {
            duplex,
            single,
            state,
        } = self;
        duplex.handle_received(bytes, |duplex, item| {
            let (frame, events) = match item {
                WatchItem::Revision {
                    header,
                    watch_id,
                    events,
                } => return state.handle_revision(header, watch_id, events),
                WatchItem::Frame { frame, events } => (frame, events),
            };
            let compacted = frame.canceled && frame.compact_revision != 0;
            let id = frame.watch_id;
            state.handle_frame(&frame, events)?;
            if compacted
                && single.is_none()
                && state.by_id.len() + state.creating.len() > 0
                && id > 0
            {
                // Servers give no progress to a stream on which a compacted watch lingers, until
                // it is canceled by us as well (gateway.md 7.4).
                duplex.send(&WatchRequest::Cancel { watch_id: id });
            }
            Ok(())
        });
        if let Some(CloseReason::Limit(limit @ Limit::Revision(_))) = duplex.close_reason() {
            let limit = *limit;
            state.end_too_large(duplex.body().and_then(WatchFrames::watch_id), limit);
        }
    }

    pub(super) fn handle_eof(&mut self) {
        self.duplex.handle_eof();
    }

    pub(super) fn poll_event(&mut self) -> Option<WireEvent> {
        self.state.events.pop_front()
    }

    /// How many more watches can start, where `most` share a connection. Canceled ones that the server
    /// still holds take a place.
    pub(super) fn free(&self, most: usize) -> usize {
        match self.single {
            Some(_) => usize::from(self.state.next_id == 1),
            None => most.saturating_sub(self.state.by_id.len()),
        }
    }

    pub(super) const fn is_single(&self) -> bool {
        self.single.is_some()
    }

    /// Whether anything of an answer was read.
    pub(super) const fn is_answered(&self) -> bool {
        self.duplex.body().is_some()
    }

    /// Watches that were not canceled.
    pub(super) fn active(&self) -> usize {
        self.state.ids.len()
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
    #[cfg(feature = "planted")]
    fn plant_create(&mut self, stream: StreamId) -> StreamId {
        let other = self.creating.front().copied();
        match other.filter(|_| self.planted == Some(crate::planted::Planted::WrongCreate)) {
            Some(id) => match self.by_id.get_mut(&id) {
                Some(entry) if entry.state == EntryState::Creating => {
                    self.ids.insert(stream, id);
                    core::mem::replace(&mut entry.stream, stream)
                }
                _ => stream,
            },
            None => stream,
        }
    }

    /// A whole revision came, though its frame may not have ended.
    fn handle_revision(
        &mut self,
        header: ResponseHeader,
        id: i64,
        events: Vec<KvEvent>,
    ) -> Result<(), CloseReason> {
        let Some(entry) = self.known(id)? else {
            return Ok(());
        };
        if entry.state == EntryState::Live {
            let stream = entry.stream;
            self.events.push_back(WireEvent::Events {
                stream,
                header,
                events,
            });
        }
        Ok(())
    }

    /// The watch that a frame which is not a confirmation names. None if it is gone and the frame was
    /// under way.
    fn known(&self, id: i64) -> Result<Option<&Entry>, CloseReason> {
        let unknown = CloseReason::Protocol(ProtocolError::UnknownWatch(id));
        match self.by_id.get(&id) {
            Some(entry) if entry.state == EntryState::Creating => Err(unknown),
            Some(entry) => Ok(Some(entry)),
            // An id that was in use.
            None if (1..self.next_id).contains(&id) => Ok(None),
            None => Err(unknown),
        }
    }

    /// A frame ended. Its `events` were handed on, or are kept for its next part.
    fn handle_frame(&mut self, frame: &WatchResponse, events: usize) -> Result<(), CloseReason> {
        if frame.created {
            return self.handle_created(frame);
        }
        if frame.watch_id == ALL_WATCHES && events == 0 && !frame.canceled {
            let live = self.by_id.values();
            let live = live.filter(|entry| entry.state == EntryState::Live);
            self.events.push_back(WireEvent::ProgressOfAll {
                streams: live.map(|entry| entry.stream).collect(),
                revision: frame.header.revision,
            });
            return Ok(());
        }
        let Some(entry) = self.known(frame.watch_id)? else {
            return Ok(());
        };
        if frame.canceled {
            self.end(frame.watch_id, frame);
        } else if events == 0 && entry.state == EntryState::Live {
            let (stream, revision) = (entry.stream, frame.header.revision);
            self.events
                .push_back(WireEvent::Progress { stream, revision });
        }
        Ok(())
    }

    /// One revision is too large to be read: that ends the watch, and nobody else. Which watch it was
    /// is not known only if the frame names it behind its events; then it may be any.
    fn end_too_large(&mut self, id: Option<i64>, limit: Limit) {
        let meant = |of: i64| id.is_none_or(|id| id == of);
        for (&of, entry) in &self.by_id {
            let is_live = entry.state == EntryState::Live;
            if meant(of) && is_live && self.ids.remove(&entry.stream).is_some() {
                let (stream, why) = (entry.stream, Ended::TooLarge(limit));
                self.events.push_back(WireEvent::Ended { stream, why });
            }
        }
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
