//! What users command beside keys and leases: locks, elections and who observes them, snapshots.
//!
//! Only some worlds have them. A lock hangs on a lease that nobody renews, so it ends sooner or later,
//! whatever becomes of its holder. Numbers begin where those of other commands never come.

use core::time::Duration;

use etcd_core::{Campaign, Leader, LeaseGrant, Lock, Observe};

use super::script::Order;
use crate::check::Asked;
use crate::rng::Rng;

/// The first number.
const FIRST: usize = 10_000;

/// Draws them for one world, or none.
pub(super) fn draw(
    clients: usize,
    busy: Duration,
    rng: &mut Rng,
    add: &mut impl FnMut(Duration, Order),
) {
    if !rng.one_in(4) {
        return;
    }
    let most = 3 + rng.below(25);
    for place in 0..rng.index(usize::try_from(most).unwrap_or(3)) {
        let at = rng.between(Duration::ZERO, busy);
        let client = rng.index(clients);
        let number = FIRST + 10 * place;
        match rng.below(8) {
            0..=3 => candidate(client, number, at, rng, add),
            4 => {
                let leader = Leader::new(election(rng));
                add(at, call(client, number, leader, None));
            }
            5 | 6 => {
                let observe = Observe::new(election(rng));
                let order = Order::Observe {
                    client,
                    number,
                    observe,
                };
                stream(client, number, at, order, rng, add);
            }
            _ => {
                let order = Order::Snapshot { client, number };
                stream(client, number, at, order, rng, add);
            }
        }
    }
}

/// Somebody wants a lock or an election, does something with it, and gives it back.
fn candidate(
    client: usize,
    number: usize,
    at: Duration,
    rng: &mut Rng,
    add: &mut impl FnMut(Duration, Order),
) {
    let mut lease = 0;
    if !rng.one_in(10) {
        lease = i64::try_from(number).unwrap_or(0) + 20_000;
        let ttl = 1 + i64::try_from(rng.below(5)).unwrap_or(0);
        let grant = LeaseGrant::new(ttl).with_id(lease);
        add(at, call(client, number, grant, None));
    }
    let at = at + rng.between(Duration::ZERO, Duration::from_millis(400));
    let wants = number + 1;
    let timeout = rng
        .one_in(3)
        .then(|| rng.between(Duration::from_millis(5), Duration::from_secs(5)));
    let is_lock = rng.one_in(2);
    if is_lock {
        let lock = Lock::new(format!("m{}", rng.below(2))).with_lease(lease);
        add(at, call(client, wants, lock, timeout));
    } else {
        let campaign = Campaign::new(election(rng), format!("s{wants}.")).with_lease(lease);
        add(at, call(client, wants, campaign, timeout));
    }
    let mut at = at;
    let number = wants;
    for said in 0..rng.below(if is_lock { 1 } else { 3 }) {
        at += rng.between(Duration::ZERO, Duration::from_secs(1));
        let value = format!("s{wants}.{said}.").into();
        let order = Order::Proclaim {
            client,
            number,
            value,
        };
        add(at, order);
    }
    at += rng.between(Duration::ZERO, Duration::from_secs(2));
    match rng.below(6) {
        0 => {}
        1 => add(at, Order::CancelCall { client, number }),
        _ => add(at, Order::Release { client, number }),
    }
}

/// Something that goes on until it ends or is canceled.
fn stream(
    client: usize,
    number: usize,
    at: Duration,
    order: Order,
    rng: &mut Rng,
    add: &mut impl FnMut(Duration, Order),
) {
    add(at, order);
    if rng.one_in(4) {
        let after = rng.between(Duration::ZERO, Duration::from_secs(2));
        add(at + after, Order::CancelStream { client, number });
    }
}

fn call(client: usize, number: usize, asked: impl Into<Asked>, timeout: Option<Duration>) -> Order {
    Order::Call {
        client,
        number,
        asked: asked.into(),
        timeout,
    }
}

fn election(rng: &mut Rng) -> String {
    format!("e{}", rng.below(2))
}
