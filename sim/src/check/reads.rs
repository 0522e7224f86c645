//! Reads: nothing is read that was not so, and nothing older than what was known before.
//!
//! An answer says at which revision it was true. What it holds is compared with the store at that
//! revision; a read that is not serializable must not be older than anything anybody was told before it
//! began.

use etcd_core::{Error, KeyValue, Range, RangeResponse, Response, SortOrder, SortTarget};
use etcd_core::{TxnOp, TxnOpResponse};

use super::calls::Told;
use super::history::Asked;
use super::timeline::Timeline;
use super::verdict::{Evidence, Violation};
use crate::etcd::Request;

pub(super) fn check(
    calls: &[Told<'_>],
    timeline: &Timeline<'_>,
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let known = Known::new(calls);
    for told in calls {
        let Some(ended) = &told.ended else { continue };
        let (Asked::Call(request), Ok(response)) = (told.asked, ended.result) else {
            continue;
        };
        match (request, response) {
            (Request::Range(range), Response::Range(answer)) => {
                evidence.reads += 1;
                judge(told, range, answer, answer.header.revision, timeline)?;
                let is_fresh = !range.serializable;
                in_time(told, answer.header.revision, is_fresh, &known, timeline)?;
            }
            (Request::Txn(txn), Response::Txn(answer)) => {
                let revision = answer.header.revision;
                in_time(told, revision, true, &known, timeline)?;
                let ops = if answer.succeeded {
                    &txn.success
                } else {
                    &txn.failure
                };
                if ops.len() != answer.responses.len() {
                    return Err(told.broken("G54", "answers to other operations"));
                }
                // What a transaction reads beside its writes depends on their order.
                if !ops.iter().all(|op| matches!(op, TxnOp::Range(_))) {
                    continue;
                }
                for pair in ops.iter().zip(&answer.responses) {
                    if let (TxnOp::Range(range), TxnOpResponse::Range(answer)) = pair {
                        evidence.reads += 1;
                        judge(told, range, answer, revision, timeline)?;
                    }
                }
            }
            (_, response) => {
                if let Some(revision) = written_at(response) {
                    in_time(told, revision, true, &known, timeline)?;
                }
            }
        }
    }
    Ok(())
}

/// What anybody was told, and when: the highest revision known before each place in the history.
struct Known(Vec<(usize, i64)>);

impl Known {
    fn new(calls: &[Told<'_>]) -> Self {
        let mut told: Vec<_> = calls
            .iter()
            .filter_map(|told| {
                let ended = told.ended.as_ref()?;
                let revision = match ended.result {
                    Ok(Response::Range(answer)) => Some(answer.header.revision),
                    Ok(response) => written_at(response),
                    Err(_) => None,
                };
                Some((ended.place, revision?))
            })
            .collect();
        told.sort_unstable();
        let mut highest = 0;
        for (_, revision) in &mut told {
            highest = highest.max(*revision);
            *revision = highest;
        }
        Self(told)
    }

    fn before(&self, place: usize) -> i64 {
        let after = self.0.partition_point(|(told, _)| *told < place);
        after.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

const fn written_at(response: &Response) -> Option<i64> {
    match response {
        Response::Put(answer) => Some(answer.header.revision),
        Response::DeleteRange(answer) => Some(answer.header.revision),
        Response::Txn(answer) => Some(answer.header.revision),
        _ => None,
    }
}

/// The answer is of a revision that was there, and of no older one than was known.
fn in_time(
    told: &Told<'_>,
    revision: i64,
    is_fresh: bool,
    known: &Known,
    timeline: &Timeline<'_>,
) -> Result<(), Violation> {
    let Some(ended) = &told.ended else {
        return Ok(());
    };
    if revision > timeline.revision_at(ended.at) {
        let text = format!("answered at {revision}, which was not there yet");
        return Err(told.broken("G6", &text));
    }
    let before = known.before(told.started_at);
    if is_fresh && revision < before {
        let text = format!("answered at {revision}, when {before} was known");
        return Err(told.broken("G8", &text));
    }
    Ok(())
}

/// The answer is what was in the range.
fn judge(
    told: &Told<'_>,
    range: &Range,
    answer: &RangeResponse,
    revision: i64,
    timeline: &Timeline<'_>,
) -> Result<(), Violation> {
    let at = if range.revision > 0 {
        range.revision
    } else {
        revision
    };
    let mut stored = timeline.range(&range.range, at);
    if usize::try_from(answer.count) != Ok(stored.len()) {
        let text = format!("{} keys counted, {} at {at}", answer.count, stored.len());
        return Err(told.broken("G6", &text));
    }
    if range.count_only {
        return match answer.kvs.is_empty() {
            true => Ok(()),
            false => Err(told.broken("G6", "keys, and only their number was asked for")),
        };
    }
    let is_within = |value: i64, least: i64, most: i64| {
        (least == 0 || value >= least) && (most == 0 || value <= most)
    };
    stored.retain(|kv| {
        is_within(
            kv.mod_revision,
            range.min_mod_revision,
            range.max_mod_revision,
        ) && is_within(
            kv.create_revision,
            range.min_create_revision,
            range.max_create_revision,
        )
    });
    if !sort(range, &mut stored) {
        return Ok(());
    }
    if let Ok(limit @ 1..) = usize::try_from(range.limit) {
        stored.truncate(limit);
    }
    let is_same = |(told, stored): (&KeyValue, &&KeyValue)| {
        let value: &[u8] = if range.keys_only { &[] } else { &stored.value };
        told.key == stored.key
            && told.value == value
            && told.create_revision == stored.create_revision
            && told.mod_revision == stored.mod_revision
            && told.version == stored.version
            && told.lease == stored.lease
    };
    if answer.kvs.len() != stored.len() || !answer.kvs.iter().zip(&stored).all(is_same) {
        let text = format!("the answer at {revision} is not what was there at {at}");
        return Err(told.broken("G6", &text));
    }
    Ok(())
}

/// Keys come in their own order unless another was asked for. False where that leaves it open which
/// comes first.
fn sort(range: &Range, kvs: &mut [&KeyValue]) -> bool {
    let number = |kv: &KeyValue| match range.sort_target {
        SortTarget::Version => kv.version,
        SortTarget::Create => kv.create_revision,
        _ => kv.mod_revision,
    };
    let order = |one: &KeyValue, other: &KeyValue| match range.sort_target {
        SortTarget::Key => one.key.cmp(&other.key),
        SortTarget::Value => one.value.cmp(&other.value),
        _ => number(one).cmp(&number(other)),
    };
    kvs.sort_by(|one, other| order(one, other));
    let is_open = kvs.windows(2).any(|two| order(two[0], two[1]).is_eq());
    if range.sort_order == SortOrder::Descend {
        kvs.reverse();
    }
    !is_open
}

/// Whether a call failed since its lease is gone.
pub(super) fn is_lease_gone(error: &Error) -> bool {
    error.status().and_then(etcd_core::Status::known) == Some(etcd_core::Known::LeaseNotFound)
}
