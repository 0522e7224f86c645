//! Watches: the six properties of etcd's own checks (reliability.md 1.3), and what the client adds to
//! them: that its cursor survives anything, and that every end has its reason.
//!
//! For each watch the list of what it has to deliver is made from the cluster's log. What was told moves
//! along that list; nothing may be passed over, repeated, torn or early.

use std::collections::BTreeMap;

use etcd_core::{
    EventKind, Instant, KvEvent, Overflow, Watch, WatchBatch, WatchEnd, WatchEvent, WatchFilter,
    WatchOptions,
};

use super::history::{History, What};
use super::resyncs::Resyncs;
use super::timeline::Timeline;
use super::verdict::{Evidence, Violation};

/// One watch, as far as it was told.
struct Told<'a> {
    request: &'a Watch,
    options: &'a WatchOptions,
    /// What it has to deliver, from the first revision of the store.
    due: Vec<Due<'a>>,
    /// The place in `due` of what comes next.
    place: usize,
    /// The lowest revision that may come.
    next: i64,
    /// Something was delivered.
    begun: bool,
    created: bool,
    progress: i64,
    /// Its range, told in place of what was compacted.
    resyncs: Resyncs<'a>,
    canceled: bool,
    ended: bool,
    /// When its client's clock last jumped.
    jumped: Option<Instant>,
}

/// What one revision has for a watch.
struct Due<'a> {
    revision: i64,
    at: Instant,
    events: Vec<&'a KvEvent>,
}

type Broken = (&'static str, String);

pub(super) fn check(
    history: &History,
    timeline: &Timeline<'_>,
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let mut watches: BTreeMap<(usize, u64), Told<'_>> = BTreeMap::new();
    let mut shut_down = Vec::new();
    for event in &history.events {
        let (at, client) = (event.at, event.client);
        match &event.what {
            What::WatchOpened {
                watch,
                request,
                options,
            } => {
                evidence.watches += 1;
                watches.insert((client, *watch), Told::new(request, options, timeline));
            }
            What::WatchCanceled { watch } => {
                evidence.watches_canceled += 1;
                if let Some(told) = watches.get_mut(&(client, *watch)) {
                    told.canceled = true;
                }
            }
            What::ShutDown => shut_down.push(client),
            What::Jumped { .. } => {
                let its = watches.range_mut((client, 0)..=(client, u64::MAX));
                its.for_each(|(_, told)| told.jumped = Some(at));
            }
            What::WatchTold { watch, event } => {
                let judged = match watches.get_mut(&(client, *watch)) {
                    None => Err(("G19", "it was never opened".to_owned())),
                    Some(told) => {
                        let is_down = shut_down.contains(&client);
                        told.tell(at, event, is_down, timeline, evidence)
                    }
                };
                judged.map_err(|(rule, text)| {
                    Violation::new(rule, at, Some(client), format!("watch {watch}: {text}"))
                })?;
            }
            _ => {}
        }
    }
    if !history.is_complete {
        return Ok(());
    }
    let end = history.events.last().map_or(Instant::ZERO, |last| last.at);
    for ((client, watch), told) in &watches {
        if let Err(text) = told.is_through() {
            let text = format!("watch {watch}: {text}");
            return Err(Violation::new("G60", end, Some(*client), text));
        }
    }
    Ok(())
}

impl<'a> Told<'a> {
    fn new(request: &'a Watch, options: &'a WatchOptions, timeline: &Timeline<'a>) -> Self {
        let wanted = |event: &&KvEvent| {
            let filter = match event.kind {
                EventKind::Delete => WatchFilter::NoDelete,
                _ => WatchFilter::NoPut,
            };
            request.range.contains(&event.kv.key) && !request.filters.contains(&filter)
        };
        let due = timeline.revisions.iter().filter_map(|change| {
            let events: Vec<_> = change.events.iter().filter(wanted).collect();
            (!events.is_empty()).then_some(Due {
                revision: change.revision,
                at: change.at,
                events,
            })
        });
        Self {
            request,
            due: due.collect(),
            place: 0,
            next: request.start_revision,
            begun: false,
            created: false,
            options,
            progress: 0,
            resyncs: Resyncs::new(request, options),
            canceled: false,
            ended: false,
            jumped: None,
        }
    }

    fn tell(
        &mut self,
        at: Instant,
        event: &WatchEvent,
        is_down: bool,
        timeline: &Timeline<'_>,
        evidence: &mut Evidence,
    ) -> Result<(), Broken> {
        if self.ended {
            return broken("G19", "something came after its end");
        }
        if let WatchEvent::End(end) = event {
            self.ended = true;
            return self.end(at, end, is_down, timeline, evidence);
        }
        if self.canceled {
            return broken("G19", "something but its end came after it was canceled");
        }
        if self.created == matches!(event, WatchEvent::Created { .. }) {
            return broken("G12", "it was not created first and once");
        }
        if self.resyncs.is_reading() && is_of_history(event) {
            return broken("W-16", "history came while the range was told");
        }
        match event {
            WatchEvent::ResyncBegin {
                compact_revision,
                lost_from,
                lost_to,
            } => {
                evidence.resyncs += 1;
                let lost = (*lost_from, *lost_to);
                let resyncs = &mut self.resyncs;
                resyncs.begin(at, *compact_revision, lost, self.next, timeline)?;
                self.pass("G14", *lost_from)
            }
            WatchEvent::Resynced(part) => {
                evidence.resynced_keys += u64::try_from(part.found.len()).unwrap_or(u64::MAX);
                self.resyncs.part(part, timeline)
            }
            WatchEvent::ResyncEnd { revision } => {
                evidence.resyncs_ended += 1;
                self.next = self.resyncs.end(*revision, timeline)?;
                self.place = self.due.partition_point(|due| due.revision < self.next);
                Ok(())
            }
            WatchEvent::Lagging { certified, server } => {
                evidence.lags_told += 1;
                self.lags(at, *certified, *server, timeline)
            }
            WatchEvent::Created { revision } => {
                self.created = true;
                if *revision > timeline.revision_at(at) {
                    return broken("G12", format!("revision {revision} was not there yet"));
                }
                if self.next <= 0 {
                    self.next = revision + 1;
                }
                self.resyncs.created(self.next);
                self.place = self.due.partition_point(|due| due.revision < self.next);
                Ok(())
            }
            WatchEvent::Batch(batch) => {
                evidence.batches += 1;
                evidence.events += u64::try_from(batch.events.len()).unwrap_or(u64::MAX);
                match batch.coalesced {
                    false => self.batch(at, batch, timeline),
                    true => {
                        evidence.batches_coalesced += 1;
                        self.coalesced(at, batch)
                    }
                }
            }
            WatchEvent::Progress { revision } => {
                evidence.progresses += 1;
                if *revision < self.progress {
                    let before = self.progress;
                    return broken("G16", format!("progress fell from {before} to {revision}"));
                }
                if *revision > timeline.revision_at(at) {
                    return broken("G16", format!("progress {revision} was not there yet"));
                }
                self.progress = *revision;
                self.pass("G16", revision + 1)
            }
            WatchEvent::Resumed { from, .. } => {
                evidence.resumes += 1;
                if *from < self.next {
                    let next = self.next;
                    return broken("G12", format!("resumed from {from}, before {next}"));
                }
                self.pass("G12", *from)
            }
            // Which member had none at which time is not in the history.
            WatchEvent::NoLeader { .. } => Ok(()),
            other => broken("G13", format!("an event nobody knows: {other:?}")),
        }
    }

    /// It is as far behind as its user wants to know of, and has been for as long: a member that shows
    /// something did not do so before it was there.
    fn lags(
        &mut self,
        at: Instant,
        certified: i64,
        server: i64,
        timeline: &Timeline<'_>,
    ) -> Result<(), Broken> {
        let Some(lag) = self.options.lag else {
            return broken("T-4", "nobody wanted to know");
        };
        if server.saturating_sub(certified) <= lag.revisions {
            return broken("T-4", format!("{certified} is not behind {server}"));
        }
        let waited = at - Instant::ZERO;
        let begun = Instant::ZERO + waited.saturating_sub(lag.time);
        // A clock that jumped counts what its world did not have.
        let is_judged = self.jumped.is_none_or(|jumped| jumped <= begun);
        let latest = if is_judged { begun } else { at };
        if server > timeline.revision_at(latest) {
            let time = lag.time;
            return broken("T-4", format!("{server} was not there {time:?} ago"));
        }
        self.pass("T-4", certified + 1)
    }

    /// From now on nothing below `next` may come, so nothing may be due there.
    fn pass(&mut self, rule: &'static str, next: i64) -> Result<(), Broken> {
        match self.due.get(self.place) {
            Some(due) if due.revision < next => {
                let lost = due.revision;
                broken(
                    rule,
                    format!("{lost} was not delivered, and it is at {next}"),
                )
            }
            _ => {
                self.next = self.next.max(next);
                Ok(())
            }
        }
    }

    fn batch(
        &mut self,
        at: Instant,
        batch: &WatchBatch,
        timeline: &Timeline<'_>,
    ) -> Result<(), Broken> {
        let revision = batch.revision;
        if batch
            .events
            .iter()
            .any(|event| event.kv.mod_revision != revision)
        {
            return broken("G11", format!("batch {revision} has another revision, too"));
        }
        if revision < self.next {
            let rule = if self.begun { "G9" } else { "G12" };
            let next = self.next;
            return broken(rule, format!("{revision} came, and {next} was the next"));
        }
        let Some(due) = self.due.get(self.place) else {
            return broken("G10", format!("{revision} came, and nothing was due"));
        };
        if due.revision != revision {
            let due = due.revision;
            return broken("G10", format!("{revision} came, and {due} was due"));
        }
        if at < due.at {
            return broken("G10", format!("{revision} came before it was written"));
        }
        if batch.header.revision < revision {
            return broken("G9", format!("the header of {revision} is older than it"));
        }
        let same = |(told, due): (&KvEvent, &&KvEvent)| told.kind == due.kind && told.kv == due.kv;
        if batch.events.len() != due.events.len() {
            let (told, due) = (batch.events.len(), due.events.len());
            return broken("G11", format!("{revision}: {told} of {due} events"));
        }
        if !batch.events.iter().zip(&due.events).all(same) {
            return broken(
                "G10",
                format!("{revision} has other events than were written"),
            );
        }
        for event in &batch.events {
            self.prev_kv(at, event, timeline)?;
        }
        self.place += 1;
        self.begun = true;
        self.next = revision + 1;
        Ok(())
    }

    /// The last change of each key, and nothing else, in the order in which they were made.
    fn coalesced(&mut self, at: Instant, batch: &WatchBatch) -> Result<(), Broken> {
        let revision = batch.revision;
        if self.options.overflow != Overflow::CoalesceByKey {
            return broken("G11", format!("{revision} is coalesced, and need not be"));
        }
        let all = &self.due[self.place..];
        let all = &all[..all.partition_point(|due| due.revision <= revision)];
        match all.last() {
            Some(last) if last.revision == revision && last.at <= at => {}
            _ => return broken("G10", format!("{revision} came coalesced, and was not due")),
        }
        let mut newest: BTreeMap<&[u8], &KvEvent> = BTreeMap::new();
        for event in all.iter().flat_map(|due| &due.events) {
            newest.insert(&event.kv.key, event);
        }
        let mut before = 0;
        for told in &batch.events {
            if core::mem::replace(&mut before, told.kv.mod_revision) > told.kv.mod_revision {
                return broken("G9", format!("{revision} is coalesced out of order"));
            }
            match newest.remove(&told.kv.key[..]) {
                Some(due) if told.kind == due.kind && told.kv == due.kv => {}
                _ => {
                    let text = format!("{revision} has another than the last change of a key");
                    return broken("G10", text);
                }
            }
        }
        if !newest.is_empty() {
            let keys = newest.len();
            return broken("G10", format!("{revision} coalesced lost {keys} keys"));
        }
        self.place += all.len();
        self.begun = true;
        self.next = revision + 1;
        Ok(())
    }

    /// What was there before is told if it was asked for, and is never anything else.
    fn prev_kv(&self, at: Instant, event: &KvEvent, timeline: &Timeline<'_>) -> Result<(), Broken> {
        let revision = event.kv.mod_revision;
        let before = timeline.get(&event.kv.key, revision - 1);
        match (&event.prev_kv, before) {
            (Some(_), _) if !self.request.prev_kv => {
                broken("G22", format!("{revision}: what was before, unasked"))
            }
            (Some(told), Some(before)) if told == before => Ok(()),
            (Some(_), _) => broken("G22", format!("{revision}: what was before is invented")),
            (None, Some(_)) if self.request.prev_kv && !timeline.is_compacted(revision, at) => {
                broken("G22", format!("{revision}: what was before is missing"))
            }
            (None, _) => Ok(()),
        }
    }

    fn end(
        &mut self,
        at: Instant,
        end: &WatchEnd,
        is_down: bool,
        timeline: &Timeline<'_>,
        evidence: &mut Evidence,
    ) -> Result<(), Broken> {
        match end {
            WatchEnd::Canceled if self.canceled => Ok(()),
            WatchEnd::Canceled => broken("G13", "canceled, but by nobody"),
            WatchEnd::Shutdown if is_down => Ok(()),
            WatchEnd::Shutdown => broken("G13", "the client was not shut down"),
            WatchEnd::Compacted { .. } if self.resyncs.goes_on() => {
                broken("W-16", "it ended, and was to go on with its range")
            }
            WatchEnd::Compacted {
                compact_revision,
                next,
            } => {
                evidence.compactions_told += 1;
                let oldest = (*compact_revision).max(next + 1);
                let was = |(when, revision): &(Instant, i64)| {
                    *when <= at
                        && match compact_revision {
                            0 => *revision >= oldest,
                            told => revision == told,
                        }
                };
                if next >= compact_revision && *compact_revision != 0 {
                    let text = format!("{next} is not compacted at {compact_revision}");
                    return broken("G14", text);
                }
                if !timeline.compactions.iter().any(was) {
                    return broken("G14", format!("{compact_revision} was never compacted"));
                }
                // What it was told before may lie behind its end, if it canceled meanwhile.
                if self.canceled {
                    return Ok(());
                }
                if *next < self.next {
                    let at = self.next;
                    return broken("G14", format!("it wanted {next}, but was at {at}"));
                }
                self.pass("G14", *next)
            }
            // It ends behind what it held.
            WatchEnd::Lagged { next } if self.options.overflow == Overflow::Cancel => {
                evidence.watches_lagged += 1;
                if *next != self.next && !self.canceled {
                    let at = self.next;
                    return broken("G13", format!("it lagged at {next}, but was at {at}"));
                }
                Ok(())
            }
            WatchEnd::PermissionDenied(_) => Ok(()),
            WatchEnd::Failed(error) => {
                let is_limited =
                    self.options.max_losses.is_some() || self.options.resume_within.is_some();
                let lasts = is_limited
                    || error.status().is_some()
                    || matches!(error, etcd_core::Error::Limit { .. });
                if self.created && !lasts {
                    return broken("G13", format!("it ended, though it could go on: {error}"));
                }
                Ok(())
            }
            other => broken("G13", format!("an end nobody knows: {other:?}")),
        }
    }

    /// When nothing is under way any more: everything was told.
    fn is_through(&self) -> Result<(), String> {
        if self.ended {
            return Ok(());
        }
        if self.canceled {
            return Err("it was canceled, and its end not told".to_owned());
        }
        if self.resyncs.is_reading() {
            return Err("its range was not told to the end".to_owned());
        }
        if !self.created {
            return Err("it was neither created nor ended".to_owned());
        }
        match self.due.get(self.place) {
            Some(due) => Err(format!("{} was never delivered", due.revision)),
            None => Ok(()),
        }
    }
}

/// Whether something promises what the history has.
const fn is_of_history(event: &WatchEvent) -> bool {
    matches!(event, WatchEvent::Batch(_) | WatchEvent::Progress { .. })
}

fn broken<T>(rule: &'static str, text: impl Into<String>) -> Result<T, Broken> {
    Err((rule, text.into()))
}
