//! Watches: with a thread in `next`, and with nobody there.

#![allow(clippy::unwrap_used, reason = "it is a test")]

mod common;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use etcd_std::Client;
use etcd_std::Elapsed;
use etcd_std::Range;
use etcd_std::WatchEnd;
use etcd_std::WatchEvent;

use common::Seen;
use common::Server;

/// A server that confirms a watch and then sends a put for each revision told to it; zero ends the
/// connection. Everything else it answers.
fn watchable() -> (Server, mpsc::Sender<i64>) {
    let (tell, revisions) = mpsc::channel();
    let revisions = Arc::new(Mutex::new(revisions));
    let server = Server::start(move |request, stream| {
        if request.path != "/v3/watch" {
            return common::echo(request, stream);
        }
        common::created(request, stream);
        let revisions = revisions.lock().unwrap();
        while let Ok(revision @ 1..) = revisions.recv() {
            common::event(request, stream, revision);
        }
        false
    });
    (server, tell)
}

#[test]
fn changes_reach_a_blocked_iterator() {
    let (server, tell) = watchable();
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut watcher = client.watch("k").unwrap();
    assert_eq!(watcher.created_revision(), 1);
    for revision in 2..50 {
        tell.send(revision).unwrap();
        assert_eq!(watcher.next().unwrap().unwrap().revision, revision);
    }
}

#[test]
fn a_blocked_watch_is_canceled_from_another_thread() {
    let (server, _tell) = watchable();
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut watcher = client.watch("k").unwrap();
    let handle = watcher.handle();
    let waiting = thread::spawn(move || watcher.next_event());
    handle.request_progress();
    handle.clone().cancel();
    let end = waiting.join().unwrap();
    assert_eq!(end, Some(WatchEvent::End(WatchEnd::Canceled)));
    // The watch is gone, and then the client: nothing is left to cancel.
    handle.cancel();
    drop(client);
    handle.cancel();
}

#[test]
fn a_wait_that_times_out_loses_nothing() {
    let (server, tell) = watchable();
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut watcher = client.watch("k").unwrap();
    assert_eq!(watcher.next_timeout(Duration::ZERO), Err(Elapsed));
    assert_eq!(
        watcher.next_event_timeout(Duration::from_millis(10)),
        Err(Elapsed)
    );
    tell.send(2).unwrap();
    let batch = watcher.next_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(batch.unwrap().unwrap().revision, 2);
    watcher.cancel();
    assert_eq!(
        watcher.next_event_timeout(Duration::from_secs(60)),
        Ok(Some(WatchEvent::End(WatchEnd::Canceled)))
    );
    assert_eq!(watcher.next_event_timeout(Duration::ZERO), Ok(None));
    assert_eq!(watcher.next_timeout(Duration::ZERO), Ok(None));
}

#[test]
fn a_watch_is_looked_after_while_nobody_waits() {
    let (server, tell) = watchable();
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut watcher = client.watch("k").unwrap();
    server.wait_for(&Seen::Request("/v3/watch".to_owned()));
    tell.send(2).unwrap();
    // The connection ends, and only the helper can notice and open another one.
    tell.send(0).unwrap();
    server.wait_for(&Seen::Request("/v3/watch".to_owned()));
    tell.send(3).unwrap();
    assert_eq!(watcher.next().unwrap().unwrap().revision, 2);
    assert_eq!(watcher.next().unwrap().unwrap().revision, 3);
}

#[test]
fn callers_and_watchers_share_the_sockets() {
    let (server, tell) = watchable();
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut watcher = client.watch("k").unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for call in 0..100 {
                    let key = format!("{thread}/{call}");
                    assert_eq!(
                        client.get(Range::key(key.clone())).unwrap().kvs[0].value,
                        key
                    );
                }
            });
        }
        scope.spawn(move || {
            for revision in 2..300 {
                tell.send(revision).unwrap();
            }
        });
        for revision in 2..300 {
            assert_eq!(watcher.next().unwrap().unwrap().revision, revision);
        }
    });
}

#[test]
fn shutdown_ends_a_blocked_iterator_without_an_item() {
    let (server, _tell) = watchable();
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut watcher = client.watch("k").unwrap();
    let blocked = thread::spawn(move || watcher.next());
    client.shutdown();
    assert_eq!(blocked.join().unwrap(), None);
    assert!(client.watch("k").is_err());
}

#[test]
fn a_watch_can_be_canceled_from_another_thread() {
    let (server, _tell) = watchable();
    let client = Client::connect([server.endpoint()]).unwrap();
    let mut first = client.watch("k").unwrap();
    thread::scope(|scope| {
        let canceled = &first;
        scope.spawn(|| canceled.cancel());
    });
    assert_eq!(first.next(), None);
}
