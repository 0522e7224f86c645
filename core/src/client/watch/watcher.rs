//! One watch as its user sees it: a queue of events in front of a position.
//!
//! The queue is bounded by the client, not here: it counts what it holds, and the client stops
//! reading the connection while that is too much. What is queued stays in order, and after the end
//! nothing is queued any more.

use core::mem::discriminant;
use std::collections::VecDeque;

use super::compaction::Compaction;
use super::compaction::KnownKeys;
use super::lag::Behind;
use super::listing::Page;
use super::listing::differences;
use super::merged::Merged;
use super::options::Overflow;
use super::options::WatchOptions;
use super::position::Position;
use super::resync::Resync;
use super::resynced::ResyncBatch;
use super::resynced::Resynced;
use crate::api::EventKind;
use crate::api::KeyRange;
use crate::api::KvEvent;
use crate::api::ResponseHeader;
use crate::api::Watch;
use crate::api::WatchFilter;
use crate::client::auth::Refreshes;
use crate::client::endpoint::Endpoint;
use crate::client::output::WatchBatch;
use crate::client::output::WatchEnd;
use crate::client::output::WatchEvent;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;

/// One watch.
#[derive(Debug)]
pub(super) struct Watcher {
    /// As asked; its start revision is replaced by the position's at each start.
    request: Watch,
    position: Position,
    pub(super) options: WatchOptions,
    pub(super) phase: Phase,
    /// Until when it has to be confirmed for the first time; none after that.
    pub(super) open_deadline: Option<Instant>,
    /// The user asked for progress and was not answered yet.
    pub(super) wants_progress: bool,
    /// It holds all it may, and its connection is not read because of it.
    pub(super) full: bool,
    /// The server canceled it without a reason: it waits as after a lost connection, even where
    /// another connection has room.
    pub(super) rests: bool,
    /// Where it stood when a server said that this was compacted, and it was not.
    pub(super) doubted: Option<i64>,
    /// It held up others once, and has a connection of its own where there is room for one.
    pub(super) alone: bool,
    /// Connections lost in a row, and when the first of them was (rule W-21).
    pub(super) losses: u32,
    pub(super) lost_since: Option<Instant>,
    /// Since when every server that confirmed it is behind what it saw.
    pub(super) behind_since: Option<Instant>,
    /// The last of them.
    pub(super) avoids: Option<EndpointIndex>,
    /// Set while it is itself behind what its member showed (rule T-4).
    pub(super) behind: Option<Behind>,
    /// How many new tokens were asked for because of it since it was last confirmed.
    pub(super) refreshes: Refreshes,
    /// When it was last confirmed.
    pub(super) live_since: Instant,
    was_created: bool,
    /// The highest revision its user was, or will be, told of.
    seen: i64,
    /// Everything up to here was handed to its user, whatever the queue still holds.
    handed: i64,
    /// The highest progress told; it never falls (guarantee G16).
    told_progress: i64,
    /// Set while it reads its range.
    pub(super) resync: Option<Box<Resync>>,
    /// How often it began to read it within 10 s of the time before, and when it last did.
    pub(super) resyncs: (u32, Instant),
    /// The keys of its range, where only what differs is to be told after a compaction.
    known: Option<KnownKeys>,
    queue: VecDeque<WatchEvent>,
    /// The batches that came to too much, and those since; they come behind the queue.
    merged: Option<Merged>,
    /// The size of the batches in both.
    queued_bytes: usize,
    /// The user was told that there is something, and has not found the queue empty since.
    told: bool,
    #[cfg(feature = "planted")]
    planted: Option<crate::planted::Planted>,
}

/// Where a watch is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for a place on a connection.
    Waiting,
    /// Was asked for on a connection; not confirmed there yet.
    Creating(ConnId),
    /// Confirmed.
    Live(ConnId),
    /// Was taken off a connection on which it held up others; waits for its user.
    Aside,
    /// Reads its range, as what it wanted next was compacted.
    Resyncing,
    /// Ended; stays until its user has seen the end.
    Ended,
}

impl Watcher {
    pub(super) fn new(request: Watch, mut options: WatchOptions, open_deadline: Instant) -> Self {
        let known = match &mut options.compaction {
            Compaction::Difference(known) => Some(core::mem::take(known)),
            Compaction::Fail | Compaction::Snapshot => None,
        };
        let position = Position::new(request.start_revision);
        Self {
            handed: position.certified(),
            position,
            request,
            options,
            phase: Phase::Waiting,
            open_deadline: Some(open_deadline),
            wants_progress: false,
            full: false,
            rests: false,
            doubted: None,
            alone: false,
            losses: 0,
            lost_since: None,
            behind_since: None,
            avoids: None,
            behind: None,
            refreshes: Refreshes::default(),
            live_since: Instant::ZERO,
            was_created: false,
            seen: 0,
            told_progress: 0,
            resync: None,
            resyncs: (0, Instant::ZERO),
            known,
            queue: VecDeque::new(),
            merged: None,
            queued_bytes: 0,
            told: false,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }

    /// What to ask a server for now.
    pub(super) fn request(&self) -> Watch {
        let mut request = self
            .request
            .clone()
            .with_start_revision(self.position.next());
        if self.known.is_some() {
            // What is known has to follow every change.
            request.filters.clear();
        }
        #[cfg(feature = "planted")]
        let request = self.planted_request(request);
        request
    }

    #[cfg(feature = "planted")]
    pub(super) const fn with_planted(mut self, bug: Option<crate::planted::Planted>) -> Self {
        self.planted = bug;
        self
    }

    #[cfg(feature = "planted")]
    fn planted_request(&self, mut request: Watch) -> Watch {
        use crate::planted::Planted;
        match self.planted.filter(|_| self.was_created) {
            Some(Planted::ResumeTooFar) => request.start_revision += 1,
            Some(Planted::ResumeFromNow) => request.start_revision = 0,
            Some(Planted::FiltersLost) => request.filters.clear(),
            Some(Planted::PrevKvLost) => request.prev_kv = false,
            _ => {}
        }
        request
    }

    /// The server confirmed it for the first time.
    pub(super) fn handle_created(&mut self, revision: i64) {
        self.was_created = true;
        self.seen = revision;
        self.position.handle_created(revision);
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::ResumeAtCreated) {
            self.position.plant(self.position.next().min(revision));
        }
        self.queue.push_back(WatchEvent::Created { revision });
    }

    /// All events of one revision came. Returns how many were dropped, as delivered before.
    pub(super) fn handle_revision(&mut self, header: ResponseHeader, events: Vec<KvEvent>) -> u64 {
        let Some(revision) = events.first().map(|event| event.kv.mod_revision) else {
            return 0;
        };
        let is_new = self.position.handle_revision(revision);
        #[cfg(feature = "planted")]
        let is_new = self.plant_revision(is_new, revision, header.revision);
        if !is_new {
            return u64::try_from(events.len()).unwrap_or(u64::MAX);
        }
        self.seen = self.seen.max(revision);
        let events = self.learn(events);
        if events.is_empty() {
            self.certify();
            return 0;
        }
        let batch = WatchBatch {
            header,
            revision,
            events,
            coalesced: false,
        };
        if let Some(merged) = &mut self.merged {
            let before = merged.size();
            merged.add(batch);
            self.queued_bytes = self.queued_bytes - before + merged.size();
            return 0;
        }
        self.queued_bytes = self.queued_bytes.saturating_add(size(&batch));
        self.queue.push_back(WatchEvent::Batch(batch));
        0
    }

    /// It holds too much: keeps the last change of each key, if that is what its user chose.
    pub(super) fn coalesce(&mut self) {
        if self.options.overflow != Overflow::CoalesceByKey || self.merged.is_some() {
            return;
        }
        let mut merged = Merged::default();
        // What comes before a range that was read stays before it.
        let is_read = |event: &WatchEvent| {
            matches!(
                event,
                WatchEvent::Resynced(_) | WatchEvent::ResyncEnd { .. }
            )
        };
        let stays = self.queue.iter().rposition(is_read).map_or(0, |at| at + 1);
        let moves = self.queue.split_off(stays);
        self.queued_bytes = self.queue.iter().map(held).sum();
        for event in moves {
            match event {
                WatchEvent::Batch(batch) => merged.add(batch),
                event @ WatchEvent::Created { .. } => self.queue.push_back(event),
                event => merged.say(event),
            }
        }
        self.queued_bytes += merged.size();
        self.merged = Some(merged);
    }

    /// What comes behind the merged changes is to be queued: they become a batch.
    fn close_merged(&mut self) {
        let Some(merged) = self.merged.take() else {
            return;
        };
        let (batch, news) = merged.into_batch();
        let merged_to = batch.revision;
        self.queue.push_back(WatchEvent::Batch(batch));
        // What they tell is true of where the watch has come by now.
        self.queue.extend(news.into_iter().map(|event| match event {
            WatchEvent::Progress { .. } => {
                self.told_progress = self.told_progress.max(merged_to);
                WatchEvent::Progress {
                    revision: self.told_progress,
                }
            }
            WatchEvent::Resumed { endpoint, .. } => WatchEvent::Resumed {
                from: self.position.next(),
                endpoint,
            },
            event => event,
        }));
    }

    /// Tells something of which the last says it all: behind what is held, or what is merged.
    fn tell_last(&mut self, event: WatchEvent) {
        if let Some(merged) = &mut self.merged {
            return merged.say(event);
        }
        let kind = discriminant(&event);
        self.forget(|held| discriminant(held) == kind);
        self.queue.push_back(event);
    }

    #[cfg(feature = "planted")]
    fn plant_revision(&mut self, is_new: bool, revision: i64, header: i64) -> bool {
        use crate::planted::Planted;
        match self.planted {
            Some(Planted::ResumeAtLast) if is_new => self.position.plant(revision),
            Some(Planted::HeaderMovesNext) if is_new => self.position.plant(header + 1),
            _ => {}
        }
        is_new || self.planted == Some(Planted::OldAgain)
    }

    /// Keeps what is known up with changes. Gives those that are to be told.
    fn learn(&mut self, mut events: Vec<KvEvent>) -> Vec<KvEvent> {
        let Some(known) = &mut self.known else {
            return events;
        };
        for event in &events {
            match event.kind {
                EventKind::Put => known.insert(&event.kv.key, event.kv.mod_revision),
                EventKind::Delete => known.remove(&event.kv.key),
            }
        }
        let filters = &self.request.filters;
        events.retain(|event| {
            !filters.contains(match event.kind {
                EventKind::Put => &WatchFilter::NoPut,
                EventKind::Delete => &WatchFilter::NoDelete,
            })
        });
        events
    }

    /// Its range is going to be told, as it is at `revision`.
    pub(super) fn tell_resync(&mut self, compact_revision: i64, revision: i64) {
        self.close_merged();
        // One behind which nothing was told has nothing to say any more.
        if matches!(self.queue.back(), Some(WatchEvent::ResyncBegin { .. })) {
            self.queue.pop_back();
        }
        self.queue.push_back(WatchEvent::ResyncBegin {
            compact_revision,
            lost_from: self.position.next(),
            lost_to: revision,
        });
    }

    /// A page of its range came, read at `revision`.
    pub(super) fn handle_page(&mut self, revision: i64, page: Page) {
        let mut found = match &mut self.known {
            Some(known) => differences(known, page),
            None => page.kvs.into_iter().map(Resynced::Found).collect(),
        };
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::ResyncSkipsDelete) {
            found.retain(|one| matches!(one, Resynced::Found(_)));
        }
        if self.known.is_some() {
            let filters = &self.request.filters;
            found.retain(|one| {
                !filters.contains(match one {
                    Resynced::Found(_) => &WatchFilter::NoPut,
                    Resynced::Gone { .. } => &WatchFilter::NoDelete,
                })
            });
        }
        if !found.is_empty() {
            let batch = ResyncBatch { revision, found };
            self.queued_bytes = self.queued_bytes.saturating_add(batch.size());
            self.queue.push_back(WatchEvent::Resynced(batch));
        }
    }

    /// All of its range was told, as it is at `revision`.
    pub(super) fn end_resync(&mut self, revision: i64) {
        self.resync = None;
        self.seen = self.seen.max(revision);
        self.position.handle_resync(revision);
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::ResyncAtRead) {
            self.position.plant(revision);
        }
        self.queue.push_back(WatchEvent::ResyncEnd { revision });
    }

    /// The server has sent everything up to `revision`.
    pub(super) fn handle_progress(&mut self, revision: i64) {
        if let Some(revision) = self.position.handle_progress(revision) {
            self.seen = self.seen.max(revision);
            self.tell_progress(revision);
        }
    }

    /// As [`Watcher::handle_progress`], told to the user only if it asked.
    pub(super) fn handle_progress_of_all(&mut self, revision: i64, trusted: bool) {
        if trusted {
            self.position.handle_progress(revision);
            self.certify();
        } else {
            // It is there, and cannot say more.
            self.behind = None;
        }
        if core::mem::take(&mut self.wants_progress) {
            // What was delivered is true in any case (rule W-5): an old server's answer only shows
            // that it is alive.
            self.tell_progress(self.position.certified().min(revision));
        }
    }

    fn tell_progress(&mut self, revision: i64) {
        self.told_progress = self.told_progress.max(revision);
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::ProgressOvertakes) {
            return self.queue.push_front(WatchEvent::Progress { revision });
        }
        self.tell_last(WatchEvent::Progress {
            revision: self.told_progress,
        });
    }

    /// A member it was on has no leader.
    pub(super) fn handle_no_leader(&mut self, endpoint: Endpoint) {
        self.tell_last(WatchEvent::NoLeader { endpoint });
    }

    /// It is behind what its member showed.
    pub(super) fn tell_lag(&mut self, server: i64) {
        self.tell_last(WatchEvent::Lagging {
            certified: self.position.certified(),
            server,
        });
    }

    /// It goes on over another connection.
    pub(super) fn handle_resumed(&mut self, endpoint: Endpoint) {
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::CreatedAgain) {
            self.handle_created(self.position.certified());
        }
        self.tell_last(WatchEvent::Resumed {
            from: self.position.next(),
            endpoint,
        });
    }

    /// Takes back an event of the same kind that waits after the last batch: of several the last
    /// says it all, and a user who does not read is not owed more and more.
    fn forget(&mut self, is_same: impl Fn(&WatchEvent) -> bool) {
        let since_batch = self.queue.iter().rev().take_while(|event| {
            matches!(
                event,
                WatchEvent::Progress { .. }
                    | WatchEvent::Resumed { .. }
                    | WatchEvent::NoLeader { .. }
                    | WatchEvent::Lagging { .. }
            )
        });
        if let Some(back) = since_batch.into_iter().position(is_same) {
            self.queue.remove(self.queue.len() - 1 - back);
        }
    }

    /// Ends it; what is queued comes first.
    pub(super) fn end(&mut self, end: WatchEnd) {
        self.close_merged();
        self.phase = Phase::Ended;
        self.resync = None;
        self.known = None;
        self.queue.push_back(WatchEvent::End(end));
    }

    /// Forgets what is queued.
    pub(super) fn clear(&mut self) {
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::planted::Planted::LateEvents) {
            return;
        }
        self.queue.clear();
        self.merged = None;
        self.queued_bytes = 0;
    }

    /// Forgets what is queued (guarantee G19), but an end that is all there is. One behind other things
    /// tells how far the watch came, which its user did not, and becomes that of the cancel.
    pub(super) fn keep_end(&mut self) {
        if self.queue.len() > 1 {
            self.queue.clear();
            self.queued_bytes = 0;
            self.queue.push_back(WatchEvent::End(WatchEnd::Canceled));
        }
    }

    pub(super) fn poll(&mut self) -> Option<WatchEvent> {
        if self.queue.is_empty() {
            self.close_merged();
        }
        let event = self.queue.pop_front();
        match &event {
            Some(event) => {
                self.queued_bytes -= held(event);
                self.hand_over(event);
                self.certify();
            }
            None => self.told = false,
        }
        event
    }

    fn hand_over(&mut self, event: &WatchEvent) {
        let up_to = match event {
            WatchEvent::Batch(batch) => batch.revision,
            WatchEvent::Progress { revision } | WatchEvent::ResyncEnd { revision } => *revision,
            // From here on, where it was to begin now.
            WatchEvent::Created { revision } if self.request.start_revision == 0 => *revision,
            _ => 0,
        };
        self.handed = self.handed.max(up_to);
    }

    /// The highest revision of which it is known that all up to it was handed to its user (rule W-28).
    pub(super) const fn certified(&self) -> i64 {
        self.handed
    }

    /// Where nothing is held, all that came was handed over, though nothing may have been told.
    fn certify(&mut self) {
        if self.queue.is_empty() && self.merged.is_none() {
            self.handed = self.handed.max(self.position.certified());
        }
    }

    /// Whether the user has to be told that there is something.
    pub(super) fn poll_tell(&mut self) -> bool {
        let tell = !self.told && (!self.queue.is_empty() || self.merged.is_some());
        self.told |= tell;
        tell
    }

    pub(super) const fn range(&self) -> &KeyRange {
        &self.request.range
    }

    /// Whether the values of what is found are told, where its range is read.
    pub(super) fn wants_found(&self) -> bool {
        self.known.is_none() || !self.request.filters.contains(&WatchFilter::NoPut)
    }

    /// What the keys that are known of its range take in memory.
    pub(super) fn known_bytes(&self) -> usize {
        self.known.as_ref().map_or(0, KnownKeys::bytes)
    }

    /// The highest revision its user was, or will be, told of.
    pub(super) const fn seen(&self) -> i64 {
        self.seen
    }

    pub(super) const fn was_created(&self) -> bool {
        self.was_created
    }

    pub(super) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) const fn position(&self) -> &Position {
        &self.position
    }

    #[cfg(feature = "planted")]
    pub(super) const fn plant_next(&mut self, next: i64) {
        self.position.plant(next);
    }

    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self.phase {
            Phase::Creating(conn) | Phase::Live(conn) => Some(conn),
            Phase::Waiting | Phase::Aside | Phase::Resyncing | Phase::Ended => None,
        }
    }
}

/// What an event in the queue counts for.
fn held(event: &WatchEvent) -> usize {
    match event {
        WatchEvent::Batch(batch) => size(batch),
        WatchEvent::Resynced(batch) => batch.size(),
        _ => 0,
    }
}

/// What a batch takes in memory, roughly.
fn size(batch: &WatchBatch) -> usize {
    batch.events.iter().map(KvEvent::size).sum()
}
