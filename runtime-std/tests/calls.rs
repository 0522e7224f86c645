//! Calls from one thread and from many, deadlines, and servers that do not answer.

mod common;

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_std::CallOptions;
use etcd_std::Client;
use etcd_std::Error;
use etcd_std::Range;

use common::Seen;
use common::Server;

const LONG: Duration = Duration::from_secs(60);

fn within(timeout: Duration) -> CallOptions {
    CallOptions::default().with_timeout(timeout)
}

#[test]
fn each_of_64_threads_gets_its_own_answers() {
    let server = Server::start(common::echo);
    let client = Client::connect([server.endpoint()]).unwrap();
    thread::scope(|scope| {
        for thread in 0..64 {
            let client = client.clone();
            scope.spawn(move || {
                for call in 0..30 {
                    let key = format!("{thread}/{call}");
                    let answer = client
                        .call_with(Range::key(key.clone()), within(LONG))
                        .unwrap();
                    assert_eq!(answer.kvs[0].value, key);
                }
            });
        }
    });
}

#[test]
fn a_host_name_is_looked_up() {
    let server = Server::start(common::echo);
    let client = Client::connect([format!("http://localhost:{}", server.port)]).unwrap();
    assert_eq!(client.get("k").unwrap().kvs[0].value, "k");
}

#[test]
fn an_unreachable_endpoint_fails_at_the_deadline() {
    // A port that was free a moment ago refuses connections.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let client = Client::connect([format!("http://127.0.0.1:{port}")]).unwrap();
    let start = Instant::now();
    let error = client
        .call_with(Range::key("k"), within(Duration::from_millis(200)))
        .unwrap_err();
    assert!(
        matches!(error, Error::Unavailable { .. } | Error::Timeout { .. }),
        "{error:?}"
    );
    assert!(
        start.elapsed() < Duration::from_millis(1200),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_silent_server_is_a_timeout_for_each_caller_at_its_own_deadline() {
    let server = Server::start(|_, _| true);
    let client = Client::connect([server.endpoint()]).unwrap();
    thread::scope(|scope| {
        // The first one drives, and the deadlines of the others come before its own.
        for timeout in [400, 300, 200, 100].map(Duration::from_millis) {
            let client = &client;
            scope.spawn(move || {
                let start = Instant::now();
                let error = client
                    .call_with(Range::key("k"), within(timeout))
                    .unwrap_err();
                assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
                let took = start.elapsed();
                assert!(
                    took >= timeout && took < timeout + Duration::from_secs(1),
                    "{took:?}"
                );
            });
            server.wait_for(&Seen::Request("/v3/kv/range".to_owned()));
        }
    });
}

#[test]
fn shutdown_ends_calls_under_way_and_later_ones() {
    let server = Server::start(|_, _| true);
    let client = Client::connect([server.endpoint()]).unwrap();
    let (tell, ended) = mpsc::channel();
    for _ in 0..3 {
        let (client, tell) = (client.clone(), tell.clone());
        thread::spawn(move || tell.send(client.call_with(Range::key("k"), within(LONG))));
        server.wait_for(&Seen::Request("/v3/kv/range".to_owned()));
    }
    client.shutdown();
    for _ in 0..3 {
        let error = ended.recv_timeout(LONG).unwrap().unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }
    assert!(matches!(
        client.put("k", "v"),
        Err(Error::Unavailable { .. })
    ));
}

#[test]
fn a_write_does_not_go_out_on_a_connection_that_the_server_has_closed() {
    let server = Server::start(|request, stream| {
        common::echo(request, stream);
        false
    });
    let client = Client::connect([server.endpoint()]).unwrap();
    for _ in 0..20 {
        client.put("k", "v").unwrap();
        server.wait_for(&Seen::Closed);
        // The end is told before the socket is dropped; give it that moment.
        let _ = server.seen.recv_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_caller_that_panics_does_not_spoil_the_client_for_others() {
    let server = Server::start(common::echo);
    let client = Client::connect([server.endpoint()]).unwrap();
    client.get("k").unwrap();
    let panicking = client.clone();
    let joined = thread::spawn(move || panicking.call(Panics)).join();
    assert!(joined.is_err());
    assert_eq!(client.get("k").unwrap().kvs.len(), 1);
}

/// A call that panics while the client looks at it.
struct Panics;

impl etcd_std::Call for Panics {
    type Response = etcd_std::RangeResponse;

    const RPC: etcd_std::Rpc = <Range as etcd_std::Call>::RPC;

    fn is_read(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), etcd_std::Misuse> {
        panic!("this panic is part of a test")
    }

    fn from_response(response: etcd_std::Response) -> Option<Self::Response> {
        Range::from_response(response)
    }
}

impl serde::Serialize for Panics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

#[test]
fn a_large_answer_comes_whole() {
    let server = Server::start(|_, stream| {
        let value = "AAAA".repeat(500_000);
        let body =
            format!(r#"{{"header":{{}},"kvs":[{{"key":"aw==","value":"{value}"}}],"count":"1"}}"#);
        common::answer(stream, &body);
        true
    });
    let client = Client::connect([server.endpoint()]).unwrap();
    assert_eq!(client.get("k").unwrap().kvs[0].value.len(), 1_500_000);
}

#[test]
fn a_large_request_goes_out_whole() {
    let server = Server::start(common::echo);
    let client = Client::connect([server.endpoint()]).unwrap();
    client.put("k", vec![7; 4 << 20]).unwrap();
    let written = client.stats().bytes_out;
    assert!(written > (4 << 20) * 4 / 3, "{written}");
}

/// The helper that was called last may not have begun when its client goes, and is not waited for then.
#[test]
fn a_client_that_goes_at_once_is_gone_at_once() {
    let server = Server::start(|_, _| false);
    let gone = (0..20).map(|_| {
        let client = Client::connect([server.endpoint()]).unwrap();
        client.put("k", "v").unwrap_err();
        let since = Instant::now();
        drop(client);
        since.elapsed()
    });
    // The helper rests for 10 ms at first. The quickest of many is no matter of a busy machine.
    let quickest = gone.min().unwrap();
    assert!(quickest < Duration::from_millis(5), "{quickest:?}");
}

#[test]
fn endpoints_may_be_made_by_asking_the_client() {
    let client = Client::connect(["http://127.0.0.1:1"]).unwrap();
    let other = client.clone();
    let endpoints = ["http://127.0.0.1:2"].into_iter().map(move |endpoint| {
        assert_eq!(other.stats().requests, 0);
        endpoint.parse().unwrap()
    });
    client.set_endpoints(endpoints).unwrap();
}
