//! Waiting costs nothing. One test, because it measures the processor time of the whole process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "it is a test")]

mod common;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use etcd_std::CallOptions;
use etcd_std::Client;
use etcd_std::Elapsed;
use etcd_std::Range;

use common::Server;

/// The processor time of the process so far, in ticks of 10 ms.
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// What a busy loop of 300 ms could not stay below.
const FEW: u64 = 8;

const WAIT: Duration = Duration::from_millis(300);

#[test]
fn nobody_spins_while_nothing_happens() {
    let server = Server::start(|request, stream| {
        if request.path == "/v3/watch" {
            common::created(request, stream);
        }
        true
    });
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut watcher = client.watch("k").unwrap();

    // A watcher waits.
    let before = ticks();
    assert_eq!(watcher.next_timeout(WAIT), Err(Elapsed));
    assert!(ticks() - before < FEW, "a waiting watcher spins");

    // A caller waits.
    let before = ticks();
    let options = CallOptions::default().with_timeout(WAIT);
    client.call_with(Range::key("k"), options).unwrap_err();
    assert!(ticks() - before < FEW, "a waiting caller spins");

    // Only the helper waits.
    let before = ticks();
    let (_tell, never) = mpsc::channel::<()>();
    never.recv_timeout(WAIT).unwrap_err();
    assert!(ticks() - before < FEW, "the helper spins");

    // The server is gone, and a watch tries to come back.
    drop(client);
    let before = ticks();
    assert_eq!(watcher.next_timeout(WAIT), Err(Elapsed));
    assert!(ticks() - before < FEW, "a watcher spins");
}
