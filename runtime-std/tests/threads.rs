//! What is left of a client: no thread, no socket. One test, because it counts the threads of the
//! whole process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "it is a test")]

mod common;

use std::fs;
use std::time::Duration;
use std::time::Instant;

use etcd_std::Client;

use common::Seen;
use common::Server;

/// Waits until so many threads of the process have the helper's name: a new thread takes its name a
/// moment after its start, and a joined one can be listed for a moment more.
fn wait_for_helpers(count: usize) {
    let start = Instant::now();
    while threads("etcd-std-helper") != count {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
}

/// How many threads of the process have this name.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|found| found.trim() == name).count()
}

#[test]
fn the_last_handle_takes_sockets_and_helper_with_it() {
    let server = Server::start(|request, stream| {
        match request.path.as_str() {
            "/v3/watch" => common::created(request, stream),
            _ => _ = common::echo(request, stream),
        }
        true
    });
    let client = Client::connect([server.endpoint()]).unwrap();

    // Calls alone need no helper.
    client.get("k").unwrap();
    assert_eq!(threads("etcd-std-helper"), 0);

    // A watch does, as soon as nobody waits for it.
    let watcher = client.watch("k").unwrap();
    wait_for_helpers(1);

    // Any handle keeps the client alive.
    drop(client);
    wait_for_helpers(1);
    drop(watcher);
    for _ in 0..2 {
        server.wait_for(&Seen::Closed);
    }
    wait_for_helpers(0);
}
