//! Calls: each has one outcome, in time, and that outcome is true.
//!
//! The cluster's log says what really happened. A write is found in it by what it asked for, so
//! requests have to be told apart: writes with unique values, say. Calls that asked for the same are
//! judged together.

use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use etcd_core::{
    Applied, Cause, Code, Error, EventKind, Instant, KeyValue, KvEvent, Phase, Response, Rpc,
    TxnOpResponse, TxnResponse,
};

use super::asked::{Mark, is_of, is_poison, mark, mark_of, nature};
use super::history::{Asked, Change, Changed, Event, History, What};
use super::timeline::Timeline;
use super::verdict::{Evidence, Violation};

/// One call, as far as it was told.
pub(super) struct Told<'a> {
    pub(super) client: usize,
    pub(super) call: u64,
    pub(super) asked: &'a Asked,
    pub(super) started: Instant,
    /// Its place in the history: of two events at the same time, the order there counts.
    pub(super) started_at: usize,
    deadline: Option<Instant>,
    canceled: bool,
    pub(super) ended: Option<Ended<'a>>,
}

pub(super) struct Ended<'a> {
    pub(super) at: Instant,
    /// Its place in the history.
    pub(super) place: usize,
    pub(super) result: &'a Result<Response, Error>,
}

impl Told<'_> {
    pub(super) fn broken(&self, rule: &'static str, text: &str) -> Violation {
        let at = self.ended.as_ref().map_or(self.started, |ended| ended.at);
        let text = format!("call {}: {text}", self.call);
        Violation::new(rule, at, Some(self.client), text)
    }
}

pub(super) fn check(
    history: &History,
    calls: &[Told<'_>],
    timeline: &Timeline<'_>,
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let mut groups: BTreeMap<Mark, Group<'_, '_>> = BTreeMap::new();
    let of_clocks = |(_, event): &(usize, &Event)| {
        matches!(event.what, What::Jumped { .. } | What::Froze { .. })
    };
    let clocks: Vec<_> = history
        .events
        .iter()
        .enumerate()
        .filter(of_clocks)
        .collect();
    for told in calls {
        on_time(&clocks, told)?;
        own_words(told)?;
        evidence.calls += u64::from(told.ended.is_some());
        if let Some(mark) = mark(told.asked) {
            groups.entry(mark).or_default().calls.push(told);
        }
    }
    for (ask, request) in &history.truth.asks {
        if is_poison(request) {
            let text = "a transaction that can split the cluster was sent";
            return Err(Violation::new("G61", Instant::ZERO, None, text));
        }
        let Some(changes) = timeline.by_ask.get(ask) else {
            continue;
        };
        let Some(group) = mark_of(request).and_then(|mark| groups.get_mut(&mark)) else {
            continue;
        };
        let caused = changes.iter().filter(|change| is_of(request, &change.what));
        group.changes.extend(caused.copied());
    }
    for group in groups.values() {
        group.check(timeline, evidence)?;
    }
    Ok(())
}

/// Every call with its outcome; that there is one, and no second.
pub(super) fn collect(history: &History) -> Result<Vec<Told<'_>>, Violation> {
    let mut calls: Vec<Told<'_>> = Vec::new();
    let mut places: BTreeMap<(usize, u64), usize> = BTreeMap::new();
    for (place, event) in history.events.iter().enumerate() {
        let (at, client) = (event.at, event.client);
        match &event.what {
            What::CallStarted {
                call,
                asked,
                deadline,
            } => {
                let before = places.insert((client, *call), calls.len());
                if before.is_some() {
                    let text = format!("call {call}: its id was in use before");
                    return Err(Violation::new("G1", at, Some(client), text));
                }
                calls.push(Told {
                    client,
                    call: *call,
                    asked,
                    started: at,
                    started_at: place,
                    deadline: *deadline,
                    canceled: false,
                    ended: None,
                });
            }
            What::CallCanceled { call } => {
                if let Some(place) = places.get(&(client, *call)) {
                    calls[*place].canceled = true;
                }
            }
            What::CallEnded { call, result } => {
                let told = places.get(&(client, *call)).map(|place| &mut calls[*place]);
                let Some(told) = told else {
                    let text = format!("call {call}: an outcome, and it was never started");
                    return Err(Violation::new("G1", at, Some(client), text));
                };
                if told.ended.is_some() {
                    return Err(told.broken("G1", "it has two outcomes"));
                }
                told.ended = Some(Ended { at, place, result });
            }
            _ => {}
        }
    }
    if history.is_complete {
        if let Some(told) = calls.iter().find(|told| told.ended.is_none()) {
            return Err(told.broken("G1", "it has no outcome"));
        }
    }
    Ok(calls)
}

/// The outcome is there at the deadline, and no deadline passed before it did (G7).
fn on_time(clocks: &[(usize, &Event)], told: &Told<'_>) -> Result<(), Violation> {
    let (Some(ended), Some(deadline)) = (&told.ended, told.deadline) else {
        return Ok(());
    };
    let its =
        |(place, event): &&(usize, &Event)| event.client == told.client && *place <= ended.place;
    // A clock that jumps over the deadline brings it there.
    let mut due = deadline;
    for (place, event) in clocks.iter().filter(its) {
        if let (What::Jumped { by }, true) = (&event.what, *place > told.started_at) {
            due = earlier(due, *by).max(event.at);
        }
    }
    // Who stands still is told on waking.
    let mut latest = due;
    for (_, event) in clocks.iter().filter(its) {
        if let (What::Froze { time }, true) = (&event.what, event.at <= latest) {
            latest = latest.max(event.at + *time);
        }
    }
    let is_timeout = matches!(ended.result, Err(Error::Timeout { .. }));
    if is_timeout && ended.at < due {
        return Err(told.broken("G7", "its deadline passed before its time"));
    }
    if ended.at > latest {
        return Err(told.broken("G7", "its outcome came after its deadline"));
    }
    Ok(())
}

fn earlier(at: Instant, by: Duration) -> Instant {
    Instant::ZERO + (at - Instant::ZERO).saturating_sub(by)
}

/// What an outcome may not be, whatever the cluster did.
fn own_words(told: &Told<'_>) -> Result<(), Violation> {
    let Some(ended) = &told.ended else {
        return Ok(());
    };
    let (rpc, is_read, is_repeatable) = nature(told.asked);
    let error = match ended.result {
        Ok(response) if response.rpc() == rpc => return Ok(()),
        Ok(response) => {
            let got = response.rpc();
            return Err(told.broken("G54", &format!("asked {rpc:?}, answered {got:?}")));
        }
        Err(error) => error,
    };
    if matches!(error, Error::Canceled { .. }) && !told.canceled {
        return Err(told.broken("G1", "canceled, but by nobody"));
    }
    if error.applied() == Applied::No {
        // What a server said is certain only if it is in the table of certain answers (G3).
        return match error.status() {
            Some(status) if !is_read && status.applied() != Applied::No => {
                Err(told.broken("G3", &format!("certain on no grounds: {error}")))
            }
            _ => Ok(()),
        };
    }
    if is_read {
        return Err(told.broken("G2", "a read cannot have had an effect"));
    }
    // Where it is certain, it has to be said (G4). What may be sent again may be in doubt for an
    // earlier attempt.
    if is_repeatable {
        return Ok(());
    }
    let certain = match error {
        Error::Timeout { phase, .. } => matches!(
            phase,
            Phase::Connect | Phase::Token | Phase::Queue | Phase::Send
        ),
        Error::Unavailable { cause, .. } => matches!(cause, Cause::ConnectFailed(_)),
        Error::Etcd { status, .. } | Error::Auth { status, .. } => {
            let splits = rpc == Rpc::Txn && status.code == Code::OUT_OF_RANGE;
            status.applied() == Applied::No && !splits
        }
        _ => false,
    };
    if certain {
        let rule = if error.needs_new_token() { "G41" } else { "G4" };
        return Err(told.broken(rule, &format!("it certainly did not happen: {error}")));
    }
    Ok(())
}

/// Calls that asked for the same, and what became of them.
#[derive(Default)]
struct Group<'t, 'h> {
    calls: Vec<&'t Told<'h>>,
    changes: Vec<&'h Change>,
}

impl Group<'_, '_> {
    /// Whether a lease is there that none of these calls asked for by what came to the cluster of it.
    fn is_of_copy(&self, id: i64, timeline: &Timeline<'_>) -> bool {
        let is_it = |change: &&Change| matches!(change.what, Changed::LeaseGranted { id: its, .. } if its == id);
        timeline.leases.contains_key(&id) && !self.changes.iter().any(is_it)
    }

    fn check(&self, timeline: &Timeline<'_>, evidence: &mut Evidence) -> Result<(), Violation> {
        let mut revisions = BTreeSet::new();
        let mut effects = 0_usize;
        let mut doubts = 0_usize;
        for told in &self.calls {
            let ended = told.ended.as_ref();
            match ended.map(|ended| ended.result) {
                // An earlier attempt of it did it, or somebody else (rule R-3).
                Some(Ok(Response::LeaseRevoke(answer))) if answer.header.revision == 0 => {
                    evidence.writes_acknowledged += 1;
                    doubts += 1;
                }
                // A copy of the request, of which the network is guilty, came first: the client drew the id, and
                // knows its lease by it.
                Some(Ok(Response::LeaseGrant(answer))) if self.is_of_copy(answer.id, timeline) => {
                    evidence.writes_acknowledged += 1;
                    doubts += 1;
                }
                Some(Ok(response)) => {
                    evidence.writes_acknowledged += 1;
                    let (revision, has_effect) = effect(response);
                    // Of leases and compactions an answer does not name the revision.
                    let is_it = |change: &&&Change| {
                        !matches!(change.what, Changed::Kv(_)) || change.revision == revision
                    };
                    let is_in_time = |change: &&&Change| {
                        let ended = ended.is_some_and(|ended| change.at <= ended.at);
                        is_it(change) && change.at >= told.started && ended
                    };
                    // Several may have done the same: of theirs one was done in its time.
                    let found = self.changes.iter().find(is_in_time);
                    let found = found.or_else(|| self.changes.iter().find(is_it));
                    match found {
                        _ if !has_effect => {}
                        None => {
                            let text = format!("acknowledged at {revision}, where it is not");
                            return Err(told.broken("G2", &text));
                        }
                        Some(change) => {
                            effects += 1;
                            let is_of_store = matches!(change.what, Changed::Kv(_));
                            if is_of_store && !revisions.insert(revision) {
                                return Err(told.broken("G2", "two calls have one effect"));
                            }
                            happened(told, change, response, timeline)?;
                        }
                    }
                }
                Some(Err(error)) if error.applied() == Applied::No => {
                    evidence.writes_refused += 1;
                }
                _ => {
                    evidence.writes_in_doubt += 1;
                    doubts += 1;
                }
            }
        }
        let Some(first) = self.calls.first() else {
            return Ok(());
        };
        let applied = self.changes.len();
        evidence.writes_in_doubt_applied +=
            u64::try_from(applied.saturating_sub(effects).min(doubts)).unwrap_or(0);
        if applied > effects + doubts {
            // Which of the two it is shows in what its users were told.
            let rule = if self.calls.len() > effects + doubts {
                "G3"
            } else {
                "G5"
            };
            let told = first.broken(rule, &format!("applied {applied} times, told {effects}"));
            return Err(told);
        }
        if applied < effects {
            let text = format!("acknowledged {effects} times, applied {applied} times");
            return Err(first.broken("G2", &text));
        }
        let earliest = self.calls.iter().map(|told| told.started).min();
        if self.changes.iter().any(|change| Some(change.at) < earliest) {
            return Err(first.broken("G2", "it happened before it was asked for"));
        }
        Ok(())
    }
}

/// An acknowledged write did what it says, between its start and its end.
fn happened(
    told: &Told<'_>,
    change: &Change,
    response: &Response,
    timeline: &Timeline<'_>,
) -> Result<(), Violation> {
    let after = told
        .ended
        .as_ref()
        .is_some_and(|ended| change.at > ended.at);
    if after {
        return Err(told.broken("G2", "acknowledged before it happened"));
    }
    let Changed::Kv(events) = &change.what else {
        return Ok(());
    };
    let before = change.revision - 1;
    let was = |key: &[u8]| timeline.get(key, before);
    let differs = |what: &str| Err(told.broken("G2", &format!("{what} is not what was there")));
    match response {
        Response::Put(answer) => match &answer.prev_kv {
            Some(prev) if was(&prev.key) != Some(prev) => differs("prev_kv"),
            _ => Ok(()),
        },
        Response::DeleteRange(answer) => {
            let deleted = usize::try_from(answer.deleted).unwrap_or(0);
            let is_same = |prev: &KeyValue| was(&prev.key) == Some(prev);
            if deleted != events.len() {
                return differs("the number of deleted keys");
            }
            if !answer.prev_kvs.iter().all(is_same) {
                return differs("prev_kvs");
            }
            Ok(())
        }
        Response::Txn(answer) => {
            let (puts, deletes) = count(answer);
            let put = |event: &&KvEvent| event.kind == EventKind::Put;
            let (put, all) = (events.iter().filter(put).count(), events.len());
            if (puts, deletes) != (put, all - put) {
                return differs("the number of changes");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The revision an answer names, and whether it says that something changed.
fn effect(response: &Response) -> (i64, bool) {
    match response {
        Response::Put(answer) => (answer.header.revision, true),
        Response::DeleteRange(answer) => (answer.header.revision, answer.deleted > 0),
        Response::Txn(answer) => (answer.header.revision, count(answer) != (0, 0)),
        Response::Compact(answer) => (answer.header.revision, true),
        Response::LeaseGrant(answer) => (answer.header.revision, true),
        Response::LeaseRevoke(answer) => (answer.header.revision, true),
        Response::AuthEnable(_)
        | Response::AuthDisable(_)
        | Response::UserAdd(_)
        | Response::UserChangePassword(_)
        | Response::UserGrantRole(_)
        | Response::RoleAdd(_)
        | Response::RoleGrantPermission(_) => (0, true),
        _ => (0, false),
    }
}

/// How many keys a transaction put and deleted.
fn count(answer: &TxnResponse) -> (usize, usize) {
    let mut counts = (0, 0);
    for response in &answer.responses {
        match response {
            TxnOpResponse::Put(_) => counts.0 += 1,
            TxnOpResponse::DeleteRange(answer) => {
                counts.1 += usize::try_from(answer.deleted).unwrap_or(0);
            }
            TxnOpResponse::Txn(inner) => {
                let inner = count(inner);
                counts = (counts.0 + inner.0, counts.1 + inner.1);
            }
            _ => {}
        }
    }
    counts
}
