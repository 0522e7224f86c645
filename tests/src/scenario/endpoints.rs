//! Endpoints that change while a client is in use.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use etcd_core::Config;
use etcd_core::Endpoint;
use etcd_core::Put;
use etcd_core::Watch;
use etcd_core::WatchEvent;

use super::Ensemble;
use super::Must;
use crate::driver::Driver;
use crate::driver::Watching;

/// Four callers put as fast as they can while the endpoints are replaced again and again, each time by others
/// altogether: every put is done, once, and a watch misses none.
pub fn endpoints_replaced_under_load_lose_nothing<D: Driver>(ensemble: &mut Ensemble) {
    const TIMES: usize = 12;
    let endpoints: Vec<Endpoint> = parsed(ensemble);
    let client = D::with_config(Config::new([endpoints[0].to_string()]).must());
    let mut watch = client.watch(Watch::prefix("load/")).must();
    let is_over = AtomicBool::new(false);
    let puts: Vec<i64> = thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|caller| {
                let (client, is_over) = (client.clone(), &is_over);
                scope.spawn(move || {
                    let mut revisions = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let put = Put::new(format!("load/{caller}"), revisions.len().to_string());
                        revisions.push(client.call(put).must().header.revision);
                    }
                    revisions
                })
            })
            .collect();
        for time in 1..=TIMES {
            thread::sleep(Duration::from_millis(100));
            let next = endpoints[time % endpoints.len()].clone();
            client.set_endpoints(vec![next]).must();
        }
        is_over.store(true, Ordering::Relaxed);
        let revisions = callers
            .into_iter()
            .flat_map(|caller| caller.join().unwrap_or_default());
        revisions.collect()
    });
    let mut puts = puts;
    puts.sort_unstable();
    assert!(puts.len() > 100, "{} puts", puts.len());
    let (mut told, mut resumes) = (Vec::new(), 0);
    while told.len() < puts.len() {
        match watch.next_within(Duration::from_secs(20)).must() {
            Some(WatchEvent::Batch(batch)) => told.push(batch.revision),
            Some(WatchEvent::Resumed { .. }) => resumes += 1,
            Some(WatchEvent::End(end)) => panic!("{end}"),
            Some(_) => {}
            None => panic!("the watch has ended"),
        }
    }
    // One put, one revision, each told once and in order.
    assert_eq!(told, puts);
    assert!(resumes > 0, "the watch stayed where it was");
    let stats = client.stats();
    eprintln!(
        "{}: {} puts, {resumes} resumes, {stats:?}",
        D::NAME,
        puts.len()
    );
}

/// A client that knows one member learns of the others, and goes on without that one.
pub fn members_are_learned_from_the_cluster<D: Driver>(ensemble: &mut Ensemble) {
    let endpoints = parsed(ensemble);
    let client = D::with_config(Config::new([endpoints[0].to_string()]).must());
    assert_eq!(client.sync().must().members.len(), endpoints.len());
    let mut by_itself = Config::new([endpoints[0].to_string()]).must();
    by_itself.sync_interval = Some(Duration::from_secs(1));
    let by_itself = D::with_config(by_itself);
    by_itself.put("k", "v").must();
    thread::sleep(Duration::from_millis(1_500));
    ensemble.cluster.server_mut(0).kill().must();
    // Reads, since a write that the dead leader had taken could be in doubt.
    for client in [&client, &by_itself] {
        for _ in 0..10 {
            assert_eq!(client.get("k").must().kvs.len(), 1);
        }
    }
}

fn parsed(ensemble: &Ensemble) -> Vec<Endpoint> {
    let endpoints = ensemble.cluster.endpoints();
    endpoints.iter().map(|text| text.parse().must()).collect()
}
