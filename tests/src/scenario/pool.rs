//! Many callers on few connections, and servers whose paths are found out.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use etcd_core::Config;
use etcd_core::LeaseEvent;
use etcd_core::LeasePhase;
use etcd_core::Put;

use super::Must;
use super::Stage;
use crate::driver::Driver;
use crate::driver::Keeping;

const CALLERS: usize = 32;
/// How long they go on before the server restarts, and after that.
const LASTS: Duration = Duration::from_millis(700);

/// Thirty-two callers read far ahead of answers on two connections, and each gets what it asked for. Puts come
/// through between them, at once and once each, and a lease is renewed all the while; the server restarts
/// in the middle, which costs no read.
pub fn many_callers_share_two_connections<D: Driver>(stage: &mut Stage) {
    let mut config = stage.config();
    config.max_connections = 2;
    config.pipeline_depth = 8;
    let client = D::with_config(config);
    for caller in 0..CALLERS {
        client.put(key(caller), format!("value of {caller}")).must();
    }
    let mut lease = client.lease(3).must();
    let is_over = AtomicBool::new(false);
    let puts = thread::scope(|scope| {
        let readers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (client, is_over) = (client.clone(), &is_over);
                scope.spawn(move || read(&client, caller, is_over))
            })
            .collect();
        let writer = scope.spawn(|| {
            let mut puts = 0;
            while !is_over.load(Ordering::Relaxed) {
                // One that was cut off by the restart may have happened, which its user is told.
                let put = client.call(Put::new("counted", puts.to_string()));
                puts += usize::from(put.is_ok());
            }
            puts
        });
        thread::sleep(LASTS);
        stage.server.kill().must();
        stage.server.restart().must();
        thread::sleep(LASTS);
        is_over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("a reader reads what is there");
        }
        writer.join().expect("the writer writes")
    });
    assert!(puts >= 10, "{puts} puts beside the reads");
    let stats = client.stats();
    assert!(stats.pipelined > 200, "{stats:?}");
    // Two for calls and one for the lease, before and after; what did not open is not counted.
    assert!(stats.connections_opened <= 12, "{stats:?}");
    assert_eq!(lease.phase(), LeasePhase::Active);
    while let Ok(Some(told)) = lease.changed_within(Duration::ZERO) {
        assert!(!matches!(told, LeaseEvent::End(_)), "{told:?}");
    }
    eprintln!("{}: {puts} puts, {stats:?}", D::NAME);
}

fn read<D: Driver>(client: &D, caller: usize, is_over: &AtomicBool) {
    let mut turn = 0;
    while !is_over.load(Ordering::Relaxed) {
        turn += 1;
        // Every caller reads all keys, in an order of its own.
        let wanted = (caller * 7 + turn) % CALLERS;
        let answer = client.get(key(wanted)).must();
        assert_eq!(answer.kvs.len(), 1);
        let value = answer.kvs[0].value_str();
        assert_eq!(value, Ok(&*format!("value of {wanted}")));
    }
}

fn key(caller: usize) -> String {
    format!("pool/{caller}")
}

/// A client that asks each server for its version first has the same answers as one that was told.
pub fn the_prefix_is_found_from_the_version<D: Driver>(stage: &mut Stage) {
    let mut config: Config = stage.config();
    config.api_prefix = "/nowhere".parse().must();
    let lost = D::with_config(config.clone());
    assert!(lost.get("k").is_err(), "nothing is there");
    config.find_api_prefix = true;
    let client = D::with_config(config);
    client.put("k", "v").must();
    assert_eq!(client.get("k").must().kvs.len(), 1);
    let watch = client.watch("k").must();
    drop(watch);
    // The version once, a put, a read and a watch.
    assert_eq!(client.stats().requests, 4);
}
