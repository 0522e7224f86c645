//! Compaction of what a watch has missed: it is told, once, and nothing else is lost.

use std::time::Instant;

use etcd_core::Compact;
use etcd_core::Config;

use super::Figures;
use super::Setting;
use super::ground::MEMBERS;
use super::load::Clients;
use super::load::Load;
use super::load::WATCHES;
use super::straight;
use crate::Cluster;
use crate::driver::Driver;
use crate::fault_proxy::Proxy;
use crate::scenario::Must;

/// The watches are cut off from all members, what they miss is compacted, and they are let back.
///
/// Each is told so, reads what there is, and watches from there on. Those that miss nothing are not told of
/// another compaction meanwhile.
pub(super) fn while_away<D: Driver>(setting: &Setting) -> Figures {
    let cluster = Cluster::start_with(&setting.binary, MEMBERS, &[]).must();
    let ports: Vec<_> = (0..MEMBERS)
        .map(|place| cluster.server(place).client_port())
        .collect();
    let proxies: Vec<_> = ports
        .iter()
        .map(|port| Proxy::start(*port).must())
        .collect();
    let direct: D = D::with_config(Config::new(cluster.endpoints()).must());
    let load = Load::start(Clients {
        writer: direct.clone(),
        reader: direct.clone(),
        watchers: vec![D::with_config(
            Config::new(proxies.iter().map(Proxy::endpoint)).must(),
        )],
    });
    let mut figures = Figures::default();
    let rounds = if setting.is_short { 1 } else { 4 };
    for _ in 0..rounds {
        let told = load.calls_go_on(Instant::now());
        load.watches_tell(told);
        direct.call(Compact::new(told)).must();

        proxies.iter().for_each(Proxy::sever);
        let missed = load.calls_go_on(Instant::now()) + MISSED;
        load.writes_reach(missed);
        direct.call(Compact::new(missed)).must();
        proxies.iter().for_each(Proxy::heal);
        let since = Instant::now();
        figures.faults += 1;
        let newest = load.calls_go_on(since);
        load.watches_tell(newest);
        figures.recoveries.push(since.elapsed());
    }
    figures.add(load.finish(|range| vec![straight(ports[0], range)]));
    let compacted = figures.counts.get("compacted").copied();
    assert_eq!(compacted, Some((rounds * WATCHES) as u64));
    figures
}

/// So many revisions are surely behind what the watches still got.
const MISSED: i64 = 100;
