//! What goes wrong in a world: how its network is, and what is done to its members and clients.

use core::time::Duration;

use crate::etcd::Setup;
use crate::net::{Fault, Faults, Shape, Way};
use crate::rng::Rng;
use crate::world::{Act, Between};

/// How the network is from the beginning.
pub(super) fn at_first(rng: &mut Rng) -> Vec<Act> {
    let mut acts = Vec::new();
    if rng.one_in(2) {
        let most = Duration::from_micros(100 << rng.below(10));
        let mut shape = Shape::default().with_latency(most / 4, most);
        if rng.one_in(4) {
            shape = shape.with_bytes_per_second(200_000 << rng.below(8));
        }
        if rng.one_in(4) {
            shape = shape.with_window((16 << 10) << rng.below(5));
        }
        acts.push(Act::Shape(Between::all(), shape));
    }
    let faults = Faults::draw(rng);
    if !faults.is_none() {
        acts.push(Act::Faults(Between::all(), faults));
    }
    acts
}

/// What happens while the users are busy. What is broken is mended after a while, unless the end comes
/// first.
pub(super) fn later(
    setup: &Setup,
    clients: usize,
    busy: Duration,
    rng: &mut Rng,
    add: &mut impl FnMut(Duration, Act),
) {
    const DENSITIES: [u64; 6] = [0, 1, 3, 8, 20, 40];
    let most = DENSITIES[rng.index(DENSITIES.len())];
    let count = rng.below(most + 1);
    // Some worlds have all kinds of trouble, some only one.
    let only = if rng.one_in(3) {
        Some(rng.below(KINDS))
    } else {
        None
    };
    for _ in 0..count {
        let at = rng.between(Duration::ZERO, busy);
        // Longer than a server waits for its quorum, now and then.
        let most = if rng.one_in(5) { 9_000 } else { 3_000 };
        let time = rng.between(Duration::from_millis(1), Duration::from_millis(most));
        let member = rng.index(setup.members);
        let client = rng.index(clients);
        let kind = only.unwrap_or_else(|| rng.below(KINDS));
        for (after, act) in trouble(kind, setup.members, member, client, time, rng) {
            add(at + after, act);
        }
    }
}

const KINDS: u64 = 12;

fn trouble(
    kind: u64,
    members: usize,
    member: usize,
    client: usize,
    time: Duration,
    rng: &mut Rng,
) -> Vec<(Duration, Act)> {
    let now = Duration::ZERO;
    let between = between(member, client, rng);
    match kind {
        0 => vec![(now, Act::Stop(member)), (time, Act::Start(member))],
        1 => vec![(now, Act::PowerOff(member)), (time, Act::Start(member))],
        2 => vec![(now, Act::Pause(member)), (time, Act::Resume(member))],
        3 => {
            let alone = vec![member];
            let others = (0..members).filter(|other| *other != member).collect();
            vec![
                (now, Act::Partition(vec![alone, others])),
                (time, Act::Heal),
            ]
        }
        4 => vec![
            (now, Act::Lag(member, time)),
            (time * 2, Act::Lag(member, Duration::ZERO)),
        ],
        5 => vec![(now, Act::MoveLeader(member))],
        6 => vec![(now, Act::Unplug(between)), (time, Act::Plug(between))],
        7 => vec![(now, Act::Jump(client, time))],
        8 => vec![(now, Act::Freeze(client, time))],
        9 => {
            let faults = Faults::draw(rng);
            vec![(now, Act::Faults(between, faults))]
        }
        _ => {
            let way = if rng.one_in(2) { Way::Up } else { Way::Down };
            let at = if rng.one_in(2) { 0 } else { rng.below(2_000) };
            let fault = match rng.below(6) {
                0 => Fault::Fin { way, at },
                1 => Fault::HalfOpen { at },
                2 => Fault::BlackHole { way, at },
                3 => Fault::Pieces {
                    way,
                    most: 1 + rng.index(40),
                },
                _ => Fault::Reset { way, at },
            };
            let next = rng.one_in(3);
            let act = if next {
                Act::Await(between, fault)
            } else {
                Act::Strike(between, fault)
            };
            vec![(now, act)]
        }
    }
}

fn between(member: usize, client: usize, rng: &mut Rng) -> Between {
    match rng.below(4) {
        0 => Between::all(),
        1 => Between::member(member),
        2 => Between::client(client),
        _ => Between::both(client, member),
    }
}
