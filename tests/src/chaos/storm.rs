//! A thousand watches on a member that dies: they move to another one, and connect no oftener than they need.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Balance;
use etcd_core::Config;
use etcd_core::Put;
use etcd_core::Txn;
use etcd_core::Watch;
use etcd_core::WatchEvent;

use super::Figures;
use super::PATIENCE;
use super::Setting;
use super::ground::MEMBERS;
use super::straight;
use crate::Cluster;
use crate::driver::Driver;
use crate::driver::Watching;
use crate::fault_proxy::Proxy;
use crate::scenario::Must;

/// All watches of one client are at the first member when that is killed. Each goes on at another one and tells
/// its next change once. Then no member can be reached for a while. A proxy in front of each counts who comes.
pub(super) fn a_thousand_watches<D: Driver>(setting: &Setting) -> Figures {
    let mut cluster = Cluster::start_with(&setting.binary, MEMBERS, &[]).must();
    let proxies: Vec<_> = (0..MEMBERS)
        .map(|place| Proxy::start(cluster.server(place).client_port()).must())
        .collect();
    let mut config = Config::new(proxies.iter().map(Proxy::endpoint)).must();
    config.balance = Balance::Priority;
    let needed = WATCHES.div_ceil(config.max_watches_per_connection);
    let client = D::with_config(config);
    let mut watches: Vec<_> = (0..WATCHES)
        .map(|number| client.watch(Watch::key(key(number))).must())
        .collect();
    assert_eq!(proxies[0].arrivals().len(), needed);

    let mut figures = Figures::default();
    let since = Instant::now();
    cluster.server_mut(0).kill().must();
    for watch in &mut watches {
        until_resumed(watch);
    }
    figures.faults += 1;
    figures.recoveries.push(since.elapsed());

    cluster.leader().must();
    let port = cluster.server(1).client_port();
    for first in (0..WATCHES).step_by(100) {
        let puts = (first..first + 100).map(|number| Put::new(key(number), "v"));
        straight(port, &Txn::new().and_then(puts));
    }
    for (number, watch) in watches.iter_mut().enumerate() {
        let batch = loop {
            match next(watch) {
                WatchEvent::Batch(batch) => break batch,
                WatchEvent::Resumed { .. } | WatchEvent::NoLeader { .. } => {}
                WatchEvent::Progress { .. } => {}
                other => panic!("wanted a change, got {other:?}"),
            }
        };
        let keys: Vec<_> = batch.events.iter().map(|event| &event.kv.key).collect();
        assert_eq!(keys, [key(number).as_bytes()]);
        assert!(watch.next_within(Duration::ZERO).is_err(), "told once");
        figures.events += 1;
    }

    let died = connects(&proxies, since);
    figures.count("connects after a death", died.0);
    figures.peak("within a tenth of a second", died.1);
    assert!(
        died.1 <= 2 * needed as u64 && died.0 <= 5 * needed as u64,
        "{died:?}"
    );

    if setting.is_short {
        return figures;
    }
    // Nobody can be reached for a while, and then everybody can.
    let since = Instant::now();
    proxies.iter().for_each(Proxy::sever);
    thread::sleep(OUTAGE);
    proxies.iter().for_each(Proxy::heal);
    let healed = Instant::now();
    for watch in &mut watches {
        until_resumed(watch);
    }
    figures.faults += 1;
    figures.recoveries.push(healed.elapsed());
    let out = connects(&proxies, since);
    figures.count("connects in an outage", out.0);
    figures.peak("within a tenth of a second of it", out.1);
    // In each wave every connection is tried at every member. The waits between waves double from 25 ms on, and are
    // spread over their whole length, so half of that on average: five waves in the first tenth of a second.
    let wave = (MEMBERS * needed) as u64;
    assert!(out.1 <= 6 * wave && out.0 <= 15 * wave, "{out:?}");
    figures
}

fn until_resumed(watch: &mut impl Watching) {
    loop {
        match next(watch) {
            WatchEvent::Resumed { .. } => return,
            WatchEvent::NoLeader { .. } => {}
            other => panic!("wanted to hear that it goes on, got {other:?}"),
        }
    }
}

/// How many connections came since then, and the most of them within a tenth of a second.
fn connects(proxies: &[Proxy], since: Instant) -> (u64, u64) {
    let mut came: Vec<_> = proxies.iter().flat_map(Proxy::arrivals).collect();
    came.retain(|arrival| *arrival > since);
    came.sort();
    let at_once = (0..came.len()).map(|first| {
        let until = came[first] + TENTH;
        came[first..].partition_point(|arrival| *arrival < until)
    });
    let most = at_once.max().unwrap_or(0);
    (came.len() as u64, most as u64)
}

fn next(watch: &mut impl Watching) -> WatchEvent {
    match watch.next_within(PATIENCE) {
        Ok(Some(event)) => event,
        other => panic!("wanted something to be told, got {other:?}"),
    }
}

fn key(number: usize) -> String {
    format!("storm/{number:04}")
}

const WATCHES: usize = 1000;
const OUTAGE: Duration = Duration::from_secs(3);
const TENTH: Duration = Duration::from_millis(100);
