//! Calls that are started and waited for later, and what calls off whoever waits.

#![allow(clippy::unwrap_used, reason = "it is a test")]

mod common;

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use etcd_std::Applied;
use etcd_std::CallHandle;
use etcd_std::CallOptions;
use etcd_std::Client;
use etcd_std::Config;
use etcd_std::Error;
use etcd_std::Lock;
use etcd_std::Pending;
use etcd_std::Put;
use etcd_std::Range;
use etcd_std::StreamHandle;

use common::Seen;
use common::Server;

const LONG: Duration = Duration::from_secs(60);

/// A server that answers a lock each time it is told to, and everything else at once.
fn locks() -> (Server, mpsc::Sender<()>) {
    let (tell, unlocked) = mpsc::channel();
    let unlocked = Arc::new(Mutex::new(unlocked));
    let server = Server::start(move |request, stream| {
        if request.path != "/v3/lock/lock" {
            return common::echo(request, stream);
        }
        if unlocked.lock().unwrap().recv().is_err() {
            return false;
        }
        common::answer(stream, r#"{"header":{},"key":"am9icy8x"}"#);
        true
    });
    (server, tell)
}

fn lock_asked() -> Seen {
    Seen::Request("/v3/lock/lock".to_owned())
}

#[test]
fn a_blocked_call_is_canceled_from_another_thread() {
    let server = Server::start(|_, _| true);
    let client = Client::connect([server.endpoint()]).unwrap();

    let pending = client.start(Put::new("k", "v"));
    let handle = pending.handle();
    let waiting = thread::spawn(move || pending.wait());
    server.wait_for(&Seen::Request("/v3/kv/put".to_owned()));
    handle.cancel();
    let applied = Applied::Maybe;
    assert_eq!(waiting.join().unwrap(), Err(Error::Canceled { applied }));

    let pending = client.start(Range::key("k"));
    let handle = pending.handle();
    let waiting = thread::spawn(move || pending.wait());
    server.wait_for(&Seen::Request("/v3/kv/range".to_owned()));
    handle.clone().cancel();
    let applied = Applied::No;
    assert_eq!(waiting.join().unwrap(), Err(Error::Canceled { applied }));

    // The call is gone, and then the client: nothing is left to cancel.
    handle.cancel();
    drop(client);
    handle.cancel();
}

#[test]
fn a_write_that_was_not_sent_certainly_did_not_happen() {
    // A port that was free a moment ago refuses connections.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::connect([endpoint]).unwrap();
    let pending = client.start(Put::new("k", "v"));
    pending.handle().cancel();
    let applied = Applied::No;
    assert_eq!(pending.wait(), Err(Error::Canceled { applied }));
}

#[test]
fn a_dropped_call_is_canceled_at_the_server() {
    let (server, _tell) = locks();
    let client = Client::connect([server.endpoint()]).unwrap();
    let pending = client.start(Lock::new("jobs"));
    server.wait_for(&lock_asked());
    assert_eq!(client.stats().connections_open, 1);
    drop(pending);
    assert_eq!(client.stats().connections_open, 0);
    assert_eq!(client.get("k").unwrap().kvs.len(), 1);
}

#[test]
fn a_call_goes_on_while_nobody_waits_for_it() {
    let (server, tell) = locks();
    let client = Client::connect([server.endpoint()]).unwrap();
    // It has no deadline, so nothing else would keep anybody looking at its socket.
    let pending = client.start(Lock::new("jobs"));
    server.wait_for(&lock_asked());
    tell.send(()).unwrap();
    while client.stats().connections_open > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    // It has ended, so there is nothing left to cancel.
    pending.handle().cancel();
    assert_eq!(pending.wait().unwrap().key, "jobs/1");
}

#[test]
fn a_wait_that_times_out_gives_the_call_back() {
    let (server, tell) = locks();
    let client = Client::connect([server.endpoint()]).unwrap();
    let pending = client.start(Lock::new("jobs"));
    let pending = pending.wait_timeout(Duration::ZERO).unwrap_err();
    let pending = pending.wait_timeout(Duration::from_millis(20)).unwrap_err();
    tell.send(()).unwrap();
    let lock = pending.wait_timeout(LONG).unwrap();
    assert_eq!(lock.unwrap().key, "jobs/1");
    drop(server);
}

#[test]
fn one_thread_has_many_calls_under_way() {
    let server = Server::start(common::echo);
    let client = Client::connect([server.endpoint()]).unwrap();
    let start = |n: u32| (n, client.start(Range::key(n.to_string())));
    let mut pending: Vec<_> = (0..40).map(start).collect();
    // The middle one is not wanted any more, and the last are waited for first.
    drop(pending.remove(20));
    for (n, pending) in pending.into_iter().rev() {
        assert_eq!(pending.wait().unwrap().kvs[0].value, n.to_string());
    }
}

#[test]
fn of_several_that_wait_the_canceled_ones_end_whoever_drives() {
    for canceled in 0..3 {
        let (server, tell) = locks();
        let client = Client::connect([server.endpoint()]).unwrap();
        let (handles, mut waiting): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| {
                let pending = client.start(Lock::new("jobs"));
                server.wait_for(&lock_asked());
                (pending.handle(), thread::spawn(move || pending.wait()))
            })
            .unzip();
        handles[canceled].cancel();
        let end = waiting.remove(canceled).join().unwrap();
        assert!(matches!(end, Err(Error::Canceled { .. })), "{end:?}");
        // The canceled one's connection is still in line at the server, with an answer for nobody.
        for _ in 0..3 {
            tell.send(()).unwrap();
        }
        for thread in waiting {
            assert_eq!(thread.join().unwrap().unwrap().key, "jobs/1");
        }
    }
}

#[test]
fn shutdown_ends_started_calls() {
    let server = Server::start(|_, _| true);
    let client = Client::connect([server.endpoint()]).unwrap();
    let pending = client.start(Range::key("k"));
    client.shutdown();
    let end = pending.wait();
    assert!(matches!(end, Err(Error::Unavailable { .. })), "{end:?}");
}

#[test]
fn a_started_call_keeps_its_client() {
    let server = Server::start(common::echo);
    let client = Client::connect([server.endpoint()]).unwrap();
    let pending = client.start(Range::key("k"));
    drop(client);
    assert_eq!(pending.wait().unwrap().kvs[0].value, "k");
    server.wait_for(&Seen::Closed);
}

#[test]
fn a_blocked_snapshot_and_a_blocked_observer_are_canceled_from_another_thread() {
    let server = Server::start(|_, _| true);
    let client = Client::connect([server.endpoint()]).unwrap();

    let file = std::env::temp_dir().join(format!("etcd-std-pending-{}", server.port));
    let snapshot = client.snapshot();
    let handle = snapshot.handle();
    let path = file.clone();
    let saving = thread::spawn(move || snapshot.save_to(path));
    server.wait_for(&Seen::Request("/v3/maintenance/snapshot".to_owned()));
    handle.cancel();
    let error = saving.join().unwrap().unwrap_err();
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    assert!(matches!(inner, Some(Error::Canceled { .. })), "{error:?}");
    assert!(!file.exists() && !file.with_extension("part").exists());

    let mut observer = client.observe("el");
    let handle = observer.handle();
    let waiting = thread::spawn(move || observer.next());
    server.wait_for(&Seen::Request("/v3/election/observe".to_owned()));
    handle.clone().cancel();
    assert_eq!(waiting.join().unwrap(), None);
    drop(client);
    handle.cancel();
}

#[test]
fn calls_and_their_handles_go_to_other_threads() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync + Clone>() {}
    sent::<Pending<Lock>>();
    shared::<CallHandle>();
    shared::<StreamHandle>();
}

/// Design: one write for several small requests.
#[test]
fn calls_that_are_started_together_go_out_in_one_write() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = Config::new([listener.local_addr().unwrap().to_string()]).unwrap();
    config.max_connections = 1;
    config.pipeline_depth = 16;
    let client = Client::with_config(config);
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut buf = vec![0; 64 << 10];
        while seen.iter().sum::<usize>() < 17 {
            let len = stream.read(&mut buf).unwrap();
            let text = String::from_utf8_lossy(&buf[..len]);
            let requests = text.matches("POST /v3/kv/range").count();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"count\":\"1\"}";
            stream
                .write_all(answer.repeat(requests).as_bytes())
                .unwrap();
            seen.push(requests);
        }
        seen
    });
    assert_eq!(client.get("k").unwrap().count, 1);
    let reads = (0..16).map(|number| Range::key(number.to_string()));
    for read in client.start_all(reads, &CallOptions::default()) {
        assert_eq!(read.wait().unwrap().count, 1);
    }
    assert_eq!(served.join().unwrap(), [1, 16]);
    assert_eq!(client.stats().pipelined, 15);
}
