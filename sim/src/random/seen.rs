//! What a history says so far: what whoever plays a script has to know for its next step, and whether all
//! went on in the end.

use std::collections::BTreeMap;

use etcd_core::{
    Error, Instant, KeyValue, Known, LeaderKey, LeaseEvent, Response, Resynced, Status, Unlock,
    Watch, WatchBatch, WatchEvent, WatchFilter,
};

use super::script::Script;
use crate::check::{Event, History, Violation, What};

/// What a call got that can be given back.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Lock(Unlock),
    Lead(LeaderKey),
}

/// What something told got: by whom, with which call.
pub(super) fn got(event: &Event) -> Option<((usize, u64), Held)> {
    let What::CallEnded { call, result } = &event.what else {
        return None;
    };
    let held = match &**result {
        Ok(Response::Lock(answer)) => Held::Lock(Unlock::new(answer.key.clone())),
        Ok(Response::Campaign(answer)) => Held::Lead(answer.leader.clone()),
        _ => return None,
    };
    Some(((event.client, *call), held))
}

/// The revision that something told, or 0.
pub(super) fn told(event: &Event) -> i64 {
    match &event.what {
        What::CallEnded { result, .. } => match &**result {
            Ok(Response::Put(answer)) => answer.header.revision,
            Ok(Response::DeleteRange(answer)) => answer.header.revision,
            Ok(Response::Txn(answer)) => answer.header.revision,
            Ok(Response::Range(answer)) => answer.header.revision,
            _ => 0,
        },
        What::WatchTold { event, .. } => match event {
            WatchEvent::Created { revision } | WatchEvent::Progress { revision } => *revision,
            WatchEvent::Batch(batch) => batch.revision,
            WatchEvent::ResyncEnd { revision } => *revision,
            _ => 0,
        },
        _ => 0,
    }
}

/// How many bytes of keys and values a watch told at once, without the largest revision: that one may
/// have been taken in while the rest was already too much.
pub(super) fn held(events: &[Event], of: usize, watch: u64) -> usize {
    let told = events.iter().filter_map(|event| match &event.what {
        What::WatchTold {
            watch: its,
            event: told,
        } if event.client == of && *its == watch => Some(bytes(told)),
        _ => None,
    });
    let (sum, largest) = told.fold((0, 0), |(sum, largest), size| {
        (sum + size, size.max(largest))
    });
    sum - largest
}

/// How many bytes of keys and values something told.
fn bytes(told: &WatchEvent) -> usize {
    let size = |kv: &KeyValue| kv.key.len() + kv.value.len();
    let found = |found: &Resynced| match found {
        Resynced::Found(kv) => size(kv),
        gone => gone.key().len(),
    };
    match told {
        WatchEvent::Batch(batch) => batch.events.iter().map(|event| size(&event.kv)).sum(),
        WatchEvent::Resynced(part) => part.found.iter().map(found).sum(),
        _ => 0,
    }
}

/// How many batches were told, and parts of ranges.
pub(super) fn batches(history: &History) -> usize {
    let is_batch = |event: &&Event| {
        use WatchEvent::{Batch, ResyncEnd, Resynced};
        matches!(&event.what, What::WatchTold { event, .. }
            if matches!(event, Batch(_) | Resynced(_) | ResyncEnd { .. }))
    };
    history.events.iter().filter(is_batch).count()
}

/// No lease that is kept alive was in doubt after that time (guarantee G23).
pub(super) fn leases_live(history: &History, calm: Instant) -> Result<(), Violation> {
    let late = history.events.iter().filter(|event| event.at > calm);
    for event in late {
        if let What::LeaseTold {
            lease,
            event: LeaseEvent::Expired { .. },
            ..
        } = &event.what
        {
            let text = format!("lease {lease} was not renewed in time in a healthy world");
            return Err(Violation::new("G23", event.at, Some(event.client), text));
        }
    }
    Ok(())
}

/// The key that is put while some watches are not read.
pub(super) const STALL: &str = "k-stall";

/// What was put there was told by all these watches that have to.
pub(super) fn told_all(
    history: &History,
    asked: &[(usize, u64)],
    watches: &[(usize, u64)],
) -> Result<(), Violation> {
    let mut newest = 0;
    let mut open: BTreeMap<(usize, u64), (&Watch, i64)> = BTreeMap::new();
    for event in &history.events {
        let client = event.client;
        match &event.what {
            What::CallEnded { call, result } if asked.contains(&(client, *call)) => {
                if let Ok(Response::Put(answer)) = &**result {
                    newest = newest.max(answer.header.revision);
                }
            }
            What::WatchOpened { watch, request, .. } => {
                open.insert((client, *watch), (request, 0));
            }
            What::WatchCanceled { watch } => {
                open.remove(&(client, *watch));
            }
            What::WatchTold { watch, event } => match event {
                WatchEvent::End(_) => {
                    open.remove(&(client, *watch));
                }
                WatchEvent::Batch(WatchBatch { revision, .. })
                | WatchEvent::ResyncEnd { revision } => {
                    if let Some((_, told)) = open.get_mut(&(client, *watch)) {
                        *told = *revision;
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    let end = history.events.last().map_or(Instant::ZERO, |last| last.at);
    for (client, watch) in watches {
        let Some((request, told)) = open.get(&(*client, *watch)) else {
            continue;
        };
        let has_to = request.range.contains(STALL.as_bytes())
            && request.start_revision <= newest
            && !request.filters.contains(&WatchFilter::NoPut);
        if has_to && *told < newest {
            let text =
                format!("watch {watch} stands at {told} of {newest}: a slow one holds it up");
            return Err(Violation::new("G18", end, Some(*client), text));
        }
    }
    Ok(())
}

/// Whether a server is full, for which nobody can do anything.
fn is_full(error: &Error) -> bool {
    error.status().and_then(Status::known) == Some(Known::NoSpace)
}

/// Whether who asks was not taken for anybody.
fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Auth { .. }) || error.needs_new_token()
}

/// These calls were answered.
pub(super) fn served(
    script: &Script,
    history: &History,
    asked: &[(usize, u64)],
) -> Result<(), Violation> {
    let mut answers = BTreeMap::new();
    for event in &history.events {
        if let What::CallEnded { call, result } = &event.what {
            answers.insert((event.client, *call), (event.at, &**result));
        }
    }
    let end = history.events.last().map_or(Instant::ZERO, |last| last.at);
    for (client, call) in asked {
        let broken = |at, text| Err(Violation::new("G60", at, Some(*client), text));
        match answers.get(&(*client, *call)) {
            Some((_, Ok(_))) => {}
            Some((_, Err(error))) if is_full(error) => {}
            Some((_, Err(error))) if is_refused(error) && script.is_locked_out(*client) => {}
            Some((at, Err(error))) => {
                return broken(
                    *at,
                    format!("call {call} failed in a healthy world: {error}"),
                );
            }
            None => return broken(end, format!("call {call} has no answer in a healthy world")),
        }
    }
    Ok(())
}
