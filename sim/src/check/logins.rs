//! Logins: one at a time (G38), and no storm of them (G39); and what users may do is not denied to them.
//!
//! A client logs in for the first time; when a second has passed since the last time; when a connection
//! of its ended since then, as the login or what the token was for may have been lost with it; and after
//! its clock jumped. Any other login has to have a cause: that a member forgot its tokens, or that users
//! or roles changed, which each member finds out for itself and late. Each cause is good for one login,
//! at each member where it is of all of them, and once only: many calls that fail together are one wave.
//! What happened long before the first login is no cause: no member judges a token before it has done what
//! was agreed on before that token's login. But a member that is behind may refuse a login because
//! authentication is off there, and turn it on later.

use std::collections::BTreeMap;

use core::time::Duration;

use etcd_core::{Error, Instant, Known, Status, WatchEnd, WatchEvent};

use super::calls::Told;
use super::history::{Asked, Changed, Event, History, Truth, What};
use super::verdict::{Evidence, Violation};
use crate::etcd::Request;

/// The shortest time between logins that need no cause.
const PAUSE: Duration = Duration::from_secs(1);

/// How far a member can be behind the others.
const BEHIND: Duration = Duration::from_secs(20);

/// The logins of one client.
struct Logins {
    first: Instant,
    last: Instant,
    /// Connections that had ended by then.
    ended: u64,
    /// Its clock jumped, or stood still, since then.
    jumped: bool,
    /// Logins that needed a cause.
    caused: usize,
}

pub(super) fn check(
    history: &History,
    calls: &[Told<'_>],
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let mut clients: BTreeMap<usize, Logins> = BTreeMap::new();
    for event in &history.events {
        let Event { at, client, what } = event;
        let broken = |rule, text: &str| Err(Violation::new(rule, *at, Some(*client), text));
        match what {
            What::LoginSent { is_alone, ended } => {
                evidence.logins += 1;
                if !is_alone {
                    return broken("G38", "a login while another one was under way");
                }
                let Some(logins) = clients.get_mut(client) else {
                    let first = Logins {
                        first: *at,
                        last: *at,
                        ended: *ended,
                        jumped: false,
                        caused: 0,
                    };
                    clients.insert(*client, first);
                    continue;
                };
                let is_free = *at - logins.last >= PAUSE || *ended > logins.ended || logins.jumped;
                (logins.last, logins.ended, logins.jumped) = (*at, *ended, false);
                if is_free {
                    continue;
                }
                logins.caused += 1;
                let causes = causes(&history.truth, logins.first, *at);
                if logins.caused > causes {
                    let text = format!("{} logins at once for {causes} causes", logins.caused);
                    return broken("G39", &text);
                }
            }
            What::Jumped { .. } | What::Froze { .. } => {
                if let Some(logins) = clients.get_mut(client) {
                    logins.jumped = true;
                }
            }
            What::WatchTold {
                event: WatchEvent::End(WatchEnd::PermissionDenied(status)),
                ..
            } if history.full.contains(client) => {
                return broken("A-5", &format!("a watch was denied: {status}"));
            }
            _ => {}
        }
    }
    for told in calls {
        let Some(Err(error)) = told.ended.as_ref().map(|ended| ended.result) else {
            continue;
        };
        let is_denied = error.status().and_then(Status::known) == Some(Known::PermissionDenied);
        let is_unauthorized = matches!(error, Error::Auth { .. }) || error.needs_new_token();
        evidence.calls_denied += u64::from(is_denied);
        evidence.calls_unauthorized += u64::from(is_unauthorized);
        if is_denied && history.full.contains(&told.client) && is_of_keys(told.asked) {
            return Err(told.broken("A-5", &format!("it was denied: {error}")));
        }
    }
    Ok(())
}

/// How many logins can have had a cause between the two, with what members that were behind did in that
/// time. What the users of the world were made with does not count.
fn causes(truth: &Truth, from: Instant, to: Instant) -> usize {
    let is_enable = |ask| matches!(truth.asks.get(&ask), Some(Request::AuthEnable(_)));
    let made = truth
        .changes
        .iter()
        .find(|change| change.ask.is_some_and(is_enable));
    let made = made.map_or(Instant::ZERO, |change| change.at + Duration::from_nanos(1));
    let earlier = Instant::ZERO + (from - Instant::ZERO).saturating_sub(BEHIND);
    let from = earlier.max(made).min(from);
    let is_login = |ask| matches!(truth.asks.get(&ask), Some(Request::Authenticate(_)));
    let is_cause = |change: &&super::history::Change| {
        matches!(change.what, Changed::Auth) && !change.ask.is_some_and(is_login)
    };
    let before = truth.changes.partition_point(|change| change.at < from);
    let rest = truth.changes.get(before..).unwrap_or_default();
    let meanwhile = rest.iter().take_while(|change| change.at <= to);
    let changes = meanwhile.filter(is_cause).count();
    let is_meanwhile = |at: &&Instant| (from..=to).contains(*at);
    let forgotten = truth.forgotten.iter().filter(is_meanwhile).count();
    changes * truth.members + forgotten
}

/// Whether a call is about keys alone.
const fn is_of_keys(asked: &Asked) -> bool {
    matches!(
        asked,
        Asked::Call(
            Request::Put(_) | Request::DeleteRange(_) | Request::Range(_) | Request::Txn(_)
        )
    )
}
