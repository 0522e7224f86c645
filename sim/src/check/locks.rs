//! The servers' locks and elections: who was told to hold one did so at some moment of the call.
//!
//! A lock is held, and an election led, by the oldest key under its name. At each revision that is one
//! key at the most, so two users who were both told rightly held it one after the other. What changed
//! the keys is not asked for: servers change them in requests of their own.

use bytes::Bytes;
use etcd_core::Status;
use etcd_core::{Applied, Error, KeyRange, KeyValue, Known, LeaderResponse, Proclaim, Response};

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
    for told in calls {
        let (Asked::Call(request), Some(ended)) = (told.asked, &told.ended) else {
            continue;
        };
        match (request, ended.result) {
            (Request::Lock(lock), Ok(Response::Lock(answer))) => {
                evidence.locks += 1;
                own(told, &lock.name, lock.lease, &answer.key)?;
                held(told, &lock.name, &answer.key, None, timeline)?;
            }
            (Request::Campaign(campaign), Ok(Response::Campaign(answer))) => {
                evidence.campaigns += 1;
                let leader = &answer.leader;
                own(told, &campaign.name, campaign.lease, &leader.key)?;
                held(
                    told,
                    &campaign.name,
                    &leader.key,
                    Some(leader.rev),
                    timeline,
                )?;
            }
            (Request::Unlock(unlock), Ok(_)) => {
                evidence.unlocks += 1;
                gone(told, &unlock.key, None, timeline)?;
            }
            (Request::Resign(resign), Ok(_)) => {
                evidence.resigned += 1;
                let leader = &resign.leader;
                gone(told, &leader.key, Some(leader.rev), timeline)?;
            }
            (Request::Proclaim(proclaim), result) => {
                evidence.proclamations += 1;
                said(told, proclaim, result, timeline)?;
            }
            (Request::Leader(leader), Ok(Response::Leader(answer))) => {
                evidence.leaders_asked += 1;
                leads(told, &leader.name, answer, timeline)?;
            }
            (Request::Leader(leader), Err(error)) if is_nobody(error) => {
                evidence.leaders_asked += 1;
                let line = line(&leader.name);
                let is_empty = |at: &i64| timeline.oldest(&line, *at).is_none();
                if !moments(told, &line, timeline).iter().any(is_empty) {
                    return Err(told.broken("G6", "nobody leads, and somebody did all the time"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_nobody(error: &Error) -> bool {
    error.status().and_then(Status::known) == Some(Known::ElectionNoLeader)
}

/// The keys of all who want a lock or an election.
pub(super) fn line(name: &[u8]) -> KeyRange {
    KeyRange::prefix([name, b"/"].concat())
}

/// The revisions that matter to these keys while a call was under way.
fn moments(told: &Told<'_>, range: &KeyRange, timeline: &Timeline<'_>) -> Vec<i64> {
    let end = told.ended.as_ref().map_or(told.started, |ended| ended.at);
    let (from, to) = (
        timeline.revision_at(told.started),
        timeline.revision_at(end),
    );
    timeline.moments(range, from, to)
}

/// The key is one of that name and lease.
fn own(told: &Told<'_>, name: &[u8], lease: i64, key: &[u8]) -> Result<(), Violation> {
    let of = key
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix(b"/"));
    let is_own = |of: &[u8]| lease == 0 || of == format!("{lease:x}").as_bytes();
    match of.is_some_and(is_own) {
        true => Ok(()),
        false => Err(told.broken("G54", "the key is not of what was asked for")),
    }
}

/// The key was the oldest at some moment of the call. Older servers do not look whether it is still
/// there once it is its turn: it may also have ended while the call was under way.
fn held(
    told: &Told<'_>,
    name: &[u8],
    key: &[u8],
    revision: Option<i64>,
    timeline: &Timeline<'_>,
) -> Result<(), Violation> {
    let line = line(name);
    let is_it = |kv: &&KeyValue| {
        kv.key == *key && revision.is_none_or(|revision| kv.create_revision == revision)
    };
    let mut was_there = false;
    for at in moments(told, &line, timeline) {
        if timeline.oldest(&line, at).filter(is_it).is_some() {
            return Ok(());
        }
        let is_there = timeline.get(key, at).filter(is_it).is_some();
        if was_there && !is_there {
            return Ok(());
        }
        was_there = is_there;
    }
    Err(told.broken("G33", "told to hold it, and another one did all the time"))
}

/// The key was not there at some moment of the call.
fn gone(
    told: &Told<'_>,
    key: &Bytes,
    revision: Option<i64>,
    timeline: &Timeline<'_>,
) -> Result<(), Violation> {
    let is_gone = |at: &i64| {
        let kv = timeline.get(key, *at);
        kv.is_none_or(|kv| revision.is_some_and(|revision| kv.create_revision != revision))
    };
    let range = KeyRange::key(key.clone());
    match moments(told, &range, timeline).iter().any(is_gone) {
        true => Ok(()),
        false => Err(told.broken("G2", "given back, and it was there all the time")),
    }
}

/// What a leader said is there if that was confirmed, and is not if that certainly failed. Values are
/// told apart, so each is said once.
fn said(
    told: &Told<'_>,
    proclaim: &Proclaim,
    result: &Result<Response, Error>,
    timeline: &Timeline<'_>,
) -> Result<(), Violation> {
    let leader = &proclaim.leader;
    let mut puts = timeline.puts(&leader.key);
    let put = puts.find(|kv| kv.value == proclaim.value);
    match (result, put) {
        (Ok(_), None) => Err(told.broken("G2", "acknowledged, and it was never said")),
        (Ok(_), Some(kv)) => {
            let end = told.ended.as_ref().map_or(told.started, |ended| ended.at);
            let is_early = kv.mod_revision <= timeline.revision_at(told.started);
            let is_late = kv.mod_revision > timeline.revision_at(end);
            if is_early || is_late || kv.create_revision != leader.rev {
                return Err(told.broken("G2", "acknowledged, and it was said another time"));
            }
            Ok(())
        }
        (Err(error), Some(_)) if error.applied() == Applied::No => {
            Err(told.broken("G3", &format!("it was said, in spite of: {error}")))
        }
        (Err(_), _) => Ok(()),
    }
}

/// Who leads is the oldest at the answer's revision, which is of the call's own time.
fn leads(
    told: &Told<'_>,
    name: &[u8],
    answer: &LeaderResponse,
    timeline: &Timeline<'_>,
) -> Result<(), Violation> {
    let revision = answer.header.revision;
    let end = told.ended.as_ref().map_or(told.started, |ended| ended.at);
    if revision > timeline.revision_at(end) {
        return Err(told.broken("G6", &format!("{revision} was not there yet")));
    }
    if revision < timeline.revision_at(told.started) {
        return Err(told.broken("G8", &format!("{revision} was over before it was asked")));
    }
    match timeline.oldest(&line(name), revision) {
        Some(kv) if *kv == answer.kv => Ok(()),
        _ => Err(told.broken("G6", &format!("another one led at {revision}"))),
    }
}
