//! The watches of one member: streams of watchers, each at its place in the history.
//!
//! A watcher that is up to date gets each revision as it is applied ([`Hub::notify`]). One that
//! begins in the past, or fell behind, is brought up by a pass over the history ([`Hub::sync`]),
//! as etcd does; between passes it gets nothing.

mod frame;
mod watcher;

use std::collections::{BTreeMap, VecDeque};

use etcd_core::bytes::Bytes;
use etcd_core::{Instant, KeyRange, ResponseHeader, Watch, WatchFilter, WatchResponse};

use super::defects::is_before;
use super::store::Store;
use super::{AskId, Reply, Setup};
use crate::Rng;
use watcher::{Place, Watcher};

/// Where answers go.
pub(super) type Out = VecDeque<(AskId, Reply)>;

/// What stands in the headers of a member's answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamp {
    pub(super) cluster_id: u64,
    pub(super) member_id: u64,
    pub(super) raft_term: u64,
}

impl Stamp {
    pub(super) fn header(&self, revision: i64) -> ResponseHeader {
        let mut header = ResponseHeader::default();
        header.cluster_id = self.cluster_id;
        header.member_id = self.member_id;
        header.revision = revision;
        header.raft_term = self.raft_term;
        header
    }
}

/// What deliveries need to know of their member.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) setup: &'a Setup,
    pub(super) stamp: Stamp,
    pub(super) store: &'a Store,
}

/// The streams of one member.
#[derive(Debug, Default)]
pub(super) struct Hub {
    streams: BTreeMap<AskId, Stream>,
    /// Until when nothing is delivered.
    stalled: Option<Instant>,
}

#[derive(Debug, Default)]
struct Stream {
    watchers: BTreeMap<i64, Watcher>,
    /// The counter ids are chosen from.
    next_id: i64,
    /// When it is told progress, while a watcher of it wants that.
    progress: Option<Instant>,
}

/// Why a watch is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Duplicate,
    EmptyRange,
    Compacted,
}

impl Refused {
    /// The text of the `cancel_reason`.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Duplicate => "mvcc: duplicate watch ID provided on the WatchStream",
            Self::EmptyRange => "mvcc: watcher range is empty",
            Self::Compacted => "etcdserver: mvcc: required revision has been compacted",
        }
    }
}

impl Hub {
    pub(super) fn open(&mut self, ask: AskId) {
        self.streams.insert(ask, Stream::default());
    }

    pub(super) fn close(&mut self, ask: AskId) {
        self.streams.remove(&ask);
    }

    pub(super) fn clear(&mut self) {
        self.streams.clear();
        self.stalled = None;
    }

    /// How many watchers there are, for the counters.
    pub(super) fn len(&self) -> usize {
        let watchers = self.streams.values().map(|stream| stream.watchers.len());
        watchers.sum()
    }

    /// Whether some watcher waits for a pass over the history.
    pub(super) fn is_behind(&self) -> bool {
        let mut watchers = self
            .streams
            .values()
            .flat_map(|stream| stream.watchers.values());
        watchers.any(Watcher::is_behind)
    }

    /// Delivers nothing until then; watchers that miss something fall behind.
    pub(super) const fn stall(&mut self, until: Instant) {
        self.stalled = Some(until);
    }

    /// Until when nothing is delivered.
    pub(super) const fn stalled(&self) -> Option<Instant> {
        self.stalled
    }

    /// Creates a watcher. Tells its id.
    pub(super) fn create(
        &mut self,
        view: View<'_>,
        ask: AskId,
        watch: &Watch,
    ) -> Result<i64, Refused> {
        let range = range_of(watch);
        let end = &range.range_end[..];
        if !end.is_empty() && end != [0] && end <= &range.key[..] {
            return Err(Refused::EmptyRange);
        }
        if watch.start_revision < 0 && refuses_negative(view.setup) {
            return Err(Refused::Compacted);
        }
        let stream = self.streams.entry(ask).or_default();
        let id = match watch.watch_id {
            0 => {
                while stream.watchers.contains_key(&stream.next_id) {
                    stream.next_id += 1;
                }
                stream.next_id += 1;
                stream.next_id - 1
            }
            id if stream.watchers.contains_key(&id) => return Err(Refused::Duplicate),
            id => id,
        };
        let now = view.store.revision() + 1;
        let next = match watch.start_revision {
            0 => now,
            start => start,
        };
        let place = if next >= now {
            Place::Synced
        } else {
            Place::Unsynced { began: false }
        };
        let watcher = Watcher {
            range,
            next,
            place,
            no_put: watch.filters.contains(&WatchFilter::NoPut),
            no_delete: watch.filters.contains(&WatchFilter::NoDelete),
            prev_kv: watch.prev_kv,
            fragment: watch.fragment,
            progress_notify: watch.progress_notify,
            idle: true,
            silent: place != Place::Synced,
            muted: false,
        };
        stream.watchers.insert(id, watcher);
        Ok(id)
    }

    /// A create with this id was refused. Older servers then forget a watcher that has the same id, as
    /// 0 has when an id was to be chosen, without ending it: it gets nothing any more.
    pub(super) fn mute(&mut self, ask: AskId, id: i64) {
        let stream = self.streams.get_mut(&ask);
        if let Some(watcher) = stream.and_then(|stream| stream.watchers.get_mut(&id)) {
            watcher.muted = true;
        }
    }

    /// Ends a watcher. Tells whether there was one.
    pub(super) fn cancel(&mut self, ask: AskId, id: i64) -> bool {
        let stream = self.streams.get_mut(&ask);
        stream.is_some_and(|stream| stream.watchers.remove(&id).is_some())
    }

    /// Whether a request for progress is answered now (gateway.md 7.4).
    pub(super) fn tells_progress(&self, view: View<'_>, ask: AskId) -> bool {
        if view.setup.defects.progress_ahead {
            return true;
        }
        let Some(stream) = self.streams.get(&ask) else {
            return false;
        };
        let minds_future = !is_before(&view.setup.version, 38, 22);
        let up_to_date = |watcher: &Watcher| {
            let future = watcher.next > view.store.revision() + 1;
            watcher.place == Place::Synced && !(future && minds_future)
        };
        !stream.watchers.is_empty() && stream.watchers.values().all(up_to_date)
    }

    /// Tells a revision that was just applied to the watchers that are up to date.
    pub(super) fn notify(&mut self, view: View<'_>, revision: i64, out: &mut Out) {
        let events = view.store.events(revision);
        let early = view.setup.defects.future_watch_early;
        for (&ask, stream) in &mut self.streams {
            for (&id, watcher) in &mut stream.watchers {
                if watcher.place != Place::Synced || watcher.next > revision && !early {
                    continue;
                }
                if self.stalled.is_some() {
                    watcher.place = Place::Unsynced { began: true };
                    continue;
                }
                watcher.next = watcher.next.max(revision + 1);
                let events = watcher.wanted(view.store, events);
                watcher.deliver(view, (ask, id), revision, events, out);
            }
        }
    }

    /// One pass over the history for the watchers that are behind.
    pub(super) fn sync(&mut self, view: View<'_>, rng: &mut Rng, out: &mut Out) {
        self.stalled = None;
        let compacted = view.store.compacted();
        for (&ask, stream) in &mut self.streams {
            for (&id, watcher) in &mut stream.watchers {
                let Place::Unsynced { began } = watcher.place else {
                    continue;
                };
                if watcher.next < compacted {
                    if !(began && view.setup.defects.lost_with_compaction) {
                        watcher.place = Place::Compacted;
                        let mut response = WatchResponse::default();
                        response.header = view.stamp.header(0);
                        response.watch_id = id;
                        // Of a compaction at 0 the server itself does not know that it is one.
                        response.canceled = compacted != 0;
                        response.compact_revision = compacted;
                        out.push_back((ask, Reply::Watch(Box::new(response))));
                        continue;
                    }
                    watcher.next = compacted;
                }
                watcher.catch_up(view, (ask, id), rng, out);
            }
        }
    }

    /// The member was brought up by a snapshot: what was between is to be had from the history.
    pub(super) fn restore(&mut self, view: View<'_>, rng: &mut Rng) {
        let watchers = self
            .streams
            .values_mut()
            .flat_map(|stream| stream.watchers.values_mut());
        for watcher in watchers.filter(|watcher| watcher.place == Place::Synced) {
            let mut behind = watcher.next <= view.store.revision();
            if view.setup.defects.watch_back_in_time && behind {
                let back = i64::try_from(1 + rng.below(5)).unwrap_or(1);
                // Never forward: what was compacted meanwhile has to be told.
                let oldest = view.store.compacted().max(1).min(watcher.next);
                watcher.next = (watcher.next - back).max(oldest);
                behind = true;
            }
            if behind {
                watcher.place = Place::Unsynced { began: true };
            }
        }
    }

    /// When a stream is to be told progress, if that is not known yet and a watcher wants it.
    pub(super) fn plan_progress(
        &mut self,
        setup: &Setup,
        now: Instant,
        ask: AskId,
        rng: &mut Rng,
    ) -> Option<Instant> {
        let stream = self.streams.get_mut(&ask)?;
        let mut watchers = stream.watchers.values();
        if stream.progress.is_some() || !watchers.any(|watcher| watcher.progress_notify) {
            return None;
        }
        let interval = setup.watch_progress_interval;
        stream.progress = Some(now + rng.between(interval, interval + interval / 10));
        stream.progress
    }

    /// The interval of a stream is over: tells the revision to those who got nothing in it.
    pub(super) fn tick_progress(&mut self, view: View<'_>, ask: AskId, out: &mut Out) {
        let Some(stream) = self.streams.get_mut(&ask) else {
            return;
        };
        stream.progress = None;
        let defects = &view.setup.defects;
        let revision = view.store.revision();
        for (&id, watcher) in &mut stream.watchers {
            let future = watcher.next > revision + 1 && !defects.future_watch_early;
            let silent = watcher.silent && defects.silent_idle_progress;
            let synced = watcher.place == Place::Synced;
            if watcher.tells_progress() && synced && !future && !silent {
                let mut response = WatchResponse::default();
                response.header = view.stamp.header(revision);
                response.watch_id = id;
                out.push_back((ask, Reply::Watch(Box::new(response))));
            }
            watcher.idle = true;
        }
    }
}

/// The keys of a watch: no key is as one zero byte, which is before all keys.
fn range_of(watch: &Watch) -> KeyRange {
    let mut range = watch.range.clone();
    if range.key.is_empty() {
        range.key = Bytes::from_static(b"\0");
    }
    range
}

/// Newer servers refuse a start below 0; older ones create the watch and cancel it then.
fn refuses_negative(setup: &Setup) -> bool {
    let version = &setup.version;
    let old_36 = (version.major(), version.minor()) == (3, 6) && version.patch() < 6;
    !is_before(version, 38, 24) && !old_36
}
