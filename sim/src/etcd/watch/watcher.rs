//! One watcher: what it wants of a revision, and how it is brought up to date.

use etcd_core::{EventKind, KeyRange, KvEvent, WatchResponse};

use super::frame::send;
use super::{Out, View};
use crate::Rng;
use crate::etcd::store::Store;
use crate::etcd::{AskId, Reply};

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "most are the options of the request, which are independent of each other"
)]
pub(super) struct Watcher {
    pub(super) range: KeyRange,
    /// The first revision it has not got yet.
    pub(super) next: i64,
    pub(super) place: Place,
    pub(super) no_put: bool,
    pub(super) no_delete: bool,
    pub(super) prev_kv: bool,
    pub(super) fragment: bool,
    pub(super) progress_notify: bool,
    /// Whether it got nothing since progress was told last.
    pub(super) idle: bool,
    /// Whether it began in the past, and got nothing yet.
    pub(super) silent: bool,
    /// Whether the server does not find its way to it any more ([`super::Hub::mute`]).
    pub(super) muted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Up to date.
    Synced,
    /// Behind: the next pass over the history is for it. `began`: it was up to date before.
    Unsynced { began: bool },
    /// Told that it was compacted away; it only waits to be canceled.
    Compacted,
}

impl Watcher {
    pub(super) const fn is_behind(&self) -> bool {
        matches!(self.place, Place::Unsynced { .. })
    }

    /// Whether it is to be told progress now, as far as it is concerned.
    pub(super) const fn tells_progress(&self) -> bool {
        self.progress_notify && self.idle && !self.muted
    }

    /// What of a revision's events it wants, as it wants them.
    pub(super) fn wanted(&self, store: &Store, events: &[KvEvent]) -> Vec<KvEvent> {
        let wanted = events.iter().filter(|event| {
            let filtered = match event.kind {
                EventKind::Put => self.no_put,
                _ => self.no_delete,
            };
            !filtered && self.range.contains(&event.kv.key)
        });
        let wanted = wanted.map(|event| {
            // Of what is compacted the server does not know what was before.
            if self.prev_kv && event.kv.mod_revision > store.compacted() {
                return event.clone();
            }
            let mut bare = KvEvent::default();
            bare.kind = event.kind;
            bare.kv = event.kv.clone();
            bare
        });
        wanted.collect()
    }

    pub(super) fn deliver(
        &mut self,
        view: View<'_>,
        (ask, id): (AskId, i64),
        revision: i64,
        events: Vec<KvEvent>,
        out: &mut Out,
    ) {
        if events.is_empty() || self.muted {
            return;
        }
        self.idle = false;
        self.silent = false;
        let mut response = WatchResponse::default();
        response.header = view.stamp.header(revision);
        response.watch_id = id;
        response.events = events;
        let limit = self.fragment.then(|| view.setup.fragment_limit());
        send(response, limit, |part| {
            out.push_back((ask, Reply::Watch(Box::new(part))));
        });
    }

    /// Brings it up to date, some revisions at a time.
    pub(super) fn catch_up(
        &mut self,
        view: View<'_>,
        name: (AskId, i64),
        rng: &mut Rng,
        out: &mut Out,
    ) {
        let duplicates = view.setup.defects.duplicate_events;
        let newest = view.store.revision();
        let (mut batch, mut revisions, mut last) = (Vec::new(), 0, Vec::new());
        // A revision below 0 is after all others in the server's database.
        let first = if self.next < 0 {
            newest + 1
        } else {
            self.next.max(view.store.compacted())
        };
        for revision in first..=newest {
            let events = self.wanted(view.store, view.store.events(revision));
            if events.is_empty() {
                continue;
            }
            if revisions == view.setup.watch_batch_revisions.max(1) {
                let events = core::mem::take(&mut batch);
                self.deliver(view, name, newest, events, out);
                revisions = 0;
            }
            if duplicates {
                last.clone_from(&events);
            }
            batch.extend(events);
            revisions += 1;
        }
        self.deliver(view, name, newest, batch, out);
        if duplicates && rng.one_in(4) {
            self.deliver(view, name, newest, last, out);
        }
        self.next = self.next.max(newest + 1);
        self.place = Place::Synced;
    }
}
