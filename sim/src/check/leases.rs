//! Leases: a renewal is confirmed only of a lease that lives, and a confirmed one keeps it alive for
//! its time to live, counted from the moment the renewal was sent.
//!
//! Here renewals are calls, and what their users may conclude from their answers is what is judged
//! (guarantees G25, G27, G28). Leases that the client keeps alive itself are for `kept`.

use core::time::Duration;
use std::collections::BTreeMap;

use etcd_core::{Instant, Response};

use super::calls::Told;
use super::history::Asked;
use super::reads::is_lease_gone;
use super::timeline::{Lease, Timeline};
use super::verdict::{Evidence, Violation};

/// Until when a lease was promised to live, and by which call.
struct Promise<'t, 'h> {
    made: Instant,
    until: Instant,
    by: &'t Told<'h>,
}

pub(super) fn check(
    calls: &[Told<'_>],
    timeline: &Timeline<'_>,
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let mut promises: BTreeMap<i64, Vec<Promise<'_, '_>>> = BTreeMap::new();
    for told in calls {
        let Some(ended) = &told.ended else { continue };
        let mut promise = |id: i64, ttl: i64| {
            let time = Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
            promises.entry(id).or_default().push(Promise {
                made: told.started,
                until: told.started + time,
                by: told,
            });
        };
        match (told.asked, ended.result) {
            (Asked::Renewal(renewal), Ok(Response::LeaseKeepAlive(answer))) => {
                evidence.renewals += 1;
                if answer.id != renewal.id || answer.ttl <= 0 {
                    return Err(told.broken("G27", "a renewal without a time to live"));
                }
                if !lived(timeline, renewal.id, told.started, ended.at) {
                    return Err(told.broken("G28", "renewed, and there was no such lease"));
                }
                promise(answer.id, answer.ttl);
            }
            (Asked::Renewal(renewal), Err(error)) if is_lease_gone(error) => {
                evidence.renewals += 1;
                if was_throughout(timeline, renewal.id, told.started, ended.at) {
                    return Err(told.broken("G28", "told lost, and the lease was there"));
                }
            }
            (Asked::Call(_), Ok(Response::LeaseGrant(answer))) => promise(answer.id, answer.ttl),
            _ => {}
        }
    }
    for (id, lives) in &timeline.leases {
        for life in lives.iter().filter(|life| life.expired) {
            evidence.leases_expired += 1;
            kept(life, promises.get(id).map_or(&[], Vec::as_slice))?;
        }
    }
    Ok(())
}

/// No lease ends by itself before the time that its user counts on (G25).
fn kept(life: &Lease, promises: &[Promise<'_, '_>]) -> Result<(), Violation> {
    let Some(expired) = life.ended else {
        return Ok(());
    };
    let is_of = |promise: &&Promise<'_, '_>| {
        let told = promise.by.ended.as_ref().map(|ended| ended.at);
        promise.made < expired && told >= Some(life.granted)
    };
    match promises
        .iter()
        .filter(is_of)
        .find(|promise| promise.until > expired)
    {
        Some(promise) => {
            let text = format!(
                "its lease ended at {expired:?}, promised until {:?}",
                promise.until
            );
            Err(promise.by.broken("G25", &text))
        }
        None => Ok(()),
    }
}

/// Whether a lease lived at any moment between the two.
fn lived(timeline: &Timeline<'_>, id: i64, from: Instant, to: Instant) -> bool {
    let lives = timeline.leases.get(&id).map_or(&[][..], Vec::as_slice);
    lives.iter().any(|life| life.meets(from, to))
}

/// Whether a lease lived at every moment between the two.
fn was_throughout(timeline: &Timeline<'_>, id: i64, from: Instant, to: Instant) -> bool {
    let lives = timeline.leases.get(&id).map_or(&[][..], Vec::as_slice);
    let spans = |life: &Lease| life.granted < from && life.ended.is_none_or(|ended| ended > to);
    lives.iter().any(spans)
}
