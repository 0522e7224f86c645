//! Events to whole revisions.
//!
//! The events of one watch come in the order of their revisions. A revision is known to be whole when
//! an event of a higher one follows, or when its list ends in a frame that is not a part of a
//! fragmented message; until then it is kept here (rules W-8 and W-9, guarantees G11 and G15).

use std::collections::VecDeque;

use super::frames::FrameError;
use super::watch_frames::WatchItem;
use crate::api::KvEvent;
use crate::api::ResponseHeader;
use crate::api::WatchResponse;
use crate::error::Limit;
use crate::error::ProtocolError;

/// What waits to be polled.
pub(super) type Ready = VecDeque<Result<WatchItem, FrameError>>;

/// The revision that is not known to be whole yet.
#[derive(Debug)]
pub(super) struct Revisions {
    /// The watch its frame named last; meaningful while there are events, or a message goes on.
    watch_id: i64,
    /// All of one revision.
    events: Vec<KvEvent>,
    /// Their size; at most the limit.
    bytes: usize,
    limit: usize,
    /// The frame before was a part of a message that goes on.
    goes_on: bool,
    #[cfg(feature = "planted")]
    planted: Option<crate::planted::Planted>,
}

impl Revisions {
    pub(super) const fn new(
        limit: usize,
        #[cfg(feature = "planted")] planted: Option<crate::planted::Planted>,
    ) -> Self {
        Self {
            watch_id: 0,
            events: Vec::new(),
            bytes: 0,
            limit,
            goes_on: false,
            #[cfg(feature = "planted")]
            planted,
        }
    }

    /// The bytes stop for a moment.
    #[cfg(feature = "planted")]
    pub(super) fn plant_half(&mut self, known: Option<(ResponseHeader, i64)>, ready: &mut Ready) {
        let is_planted = self.planted == Some(crate::planted::Planted::HalfRevision);
        if let Some((header, _)) = known.filter(|_| is_planted && !self.events.is_empty()) {
            self.hand_on(header, ready);
        }
    }

    /// A part of a message ends.
    #[cfg(feature = "planted")]
    fn plant_early(&mut self, header: ResponseHeader, ready: &mut Ready) {
        let is_planted = self.planted == Some(crate::planted::Planted::FragmentEarly);
        if is_planted && self.goes_on && !self.events.is_empty() {
            self.hand_on(header, ready);
        }
    }

    /// The next event of the frame with this header. What it shows to be whole is ready, even where
    /// the event itself is refused.
    pub(super) fn push(
        &mut self,
        (header, watch_id): (ResponseHeader, i64),
        event: KvEvent,
        ready: &mut Ready,
    ) -> Result<(), FrameError> {
        self.check(watch_id)?;
        self.show((header, watch_id), event.kv.mod_revision, ready);
        self.watch_id = watch_id;
        let seen = self.events.last().map(|last| last.kv.mod_revision);
        if let Some(seen) = seen.filter(|seen| *seen > event.kv.mod_revision) {
            let got = event.kv.mod_revision;
            let error = ProtocolError::RevisionWentBack { seen, got };
            return Err(FrameError::Protocol(error));
        }
        self.count(event.size())?;
        self.events.push(event);
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::RevisionSplit) {
            self.hand_on(header, ready);
        }
        Ok(())
    }

    /// As [`Revisions::push`] for each: all events of a frame. Most are of one revision.
    pub(super) fn push_all(
        &mut self,
        (header, watch_id): (ResponseHeader, i64),
        events: Vec<KvEvent>,
        ready: &mut Ready,
    ) -> Result<(), FrameError> {
        let Some(revision) = events.first().map(|event| event.kv.mod_revision) else {
            return Ok(());
        };
        let is_one = |event: &KvEvent| event.kv.mod_revision == revision;
        if self.events.is_empty() && events.iter().all(is_one) {
            self.watch_id = watch_id;
            self.events = events;
            return self.count(self.events.iter().map(KvEvent::size).sum());
        }
        for event in events {
            self.push((header, watch_id), event, ready)?;
        }
        Ok(())
    }

    /// An event of this revision is coming, which may show that the one before is whole.
    pub(super) fn show(
        &mut self,
        (header, watch_id): (ResponseHeader, i64),
        revision: i64,
        ready: &mut Ready,
    ) {
        let open = self.events.last().map(|last| last.kv.mod_revision);
        if open.is_some_and(|open| revision > open) && self.check(watch_id).is_ok() {
            self.hand_on(header, ready);
        }
    }

    /// The end of a frame that had this many events.
    pub(super) fn end(
        &mut self,
        frame: &WatchResponse,
        events: usize,
        ready: &mut Ready,
    ) -> Result<(), FrameError> {
        let is_part = events > 0 && !frame.created && !frame.canceled;
        // A part has at least one event, and nothing comes between parts (gateway.md 7.2).
        if self.goes_on && !is_part {
            return Err(FrameError::Protocol(ProtocolError::BrokenFragments));
        }
        self.check(frame.watch_id)?;
        self.goes_on = frame.fragment && is_part;
        #[cfg(feature = "planted")]
        self.plant_early(frame.header, ready);
        if !self.goes_on && !self.events.is_empty() {
            self.hand_on(frame.header, ready);
        }
        Ok(())
    }

    /// Parts of one message are about one watch.
    const fn check(&self, watch_id: i64) -> Result<(), FrameError> {
        if self.goes_on && watch_id != self.watch_id {
            return Err(FrameError::Protocol(ProtocolError::BrokenFragments));
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), FrameError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limit {
            return Err(FrameError::Limit(Limit::Revision(self.limit)));
        }
        Ok(())
    }

    fn hand_on(&mut self, header: ResponseHeader, ready: &mut Ready) {
        self.bytes = 0;
        ready.push_back(Ok(WatchItem::Revision {
            header,
            watch_id: self.watch_id,
            events: core::mem::take(&mut self.events),
        }));
    }

    /// The size of what is kept.
    pub(super) const fn held_bytes(&self) -> usize {
        self.bytes
    }
}
