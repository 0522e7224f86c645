//! What users command of leases that are kept alive: granted or taken over, used, released, revoked, by
//! their keepers and behind their backs.
//!
//! Only some worlds have them. Numbers begin where those of other commands never come.

use core::time::Duration;

use etcd_core::{KeepAlive, LeaseGrant, LeaseRevoke, Put};

use super::script::Order;
use crate::check::{Asked, Kept};
use crate::rng::Rng;

/// The first number.
const FIRST: usize = 30_000;

/// Draws them for one world, or none.
pub(super) fn draw(
    clients: usize,
    busy: Duration,
    rng: &mut Rng,
    add: &mut impl FnMut(Duration, Order),
) {
    if !rng.one_in(3) {
        return;
    }
    for place in 0..=rng.index(8) {
        let at = rng.between(Duration::ZERO, busy);
        one(rng.index(clients), FIRST + 20 * place, at, rng, add);
    }
}

/// One lease from its beginning to its end, if there is one.
fn one(
    client: usize,
    number: usize,
    at: Duration,
    rng: &mut Rng,
    add: &mut impl FnMut(Duration, Order),
) {
    let name = i64::try_from(number).unwrap_or(0) + 20_000;
    let ttl = 1 + i64::try_from(rng.below(8)).unwrap_or(0);
    let mut at = at;
    // One that the client chooses is not known to anybody else.
    let is_named = !rng.one_in(3);
    let asked = match rng.below(4) {
        0 if is_named => {
            let grant = LeaseGrant::new(ttl).with_id(name);
            add(at, call(client, number + 1, grant));
            at += rng.between(Duration::ZERO, Duration::from_secs(1));
            Kept::TakenOver(KeepAlive::new(name))
        }
        _ if is_named => Kept::Granted(LeaseGrant::new(ttl).with_id(name)),
        _ => Kept::Granted(LeaseGrant::new(ttl)),
    };
    let order = Order::Keep {
        client,
        number,
        asked,
    };
    add(at, order);
    let soon = |rng: &mut Rng| rng.between(Duration::ZERO, Duration::from_secs(6));
    if is_named {
        for place in 0..rng.index(4) {
            let value = format!("{}.", number + 2 + place);
            let put = Put::new(format!("l{}", rng.below(4)), value).with_lease(name);
            add(at + soon(rng), call(client, number + 2 + place, put));
        }
    }
    match rng.below(8) {
        0 | 1 => add(at + soon(rng), Order::ReleaseLease { client, number }),
        2 | 3 => add(at + soon(rng), Order::RevokeLease { client, number }),
        4 if is_named => {
            let revoke = LeaseRevoke::new(name);
            add(at + soon(rng), call(client, number + 10, revoke));
        }
        _ => {}
    }
}

fn call(client: usize, number: usize, asked: impl Into<Asked>) -> Order {
    Order::Call {
        client,
        number,
        asked: asked.into(),
        timeout: None,
    }
}
