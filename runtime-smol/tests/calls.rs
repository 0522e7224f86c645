//! Unary calls against a server that answers what each test tells it to.

mod fake;

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_smol::CallOptions;
use etcd_smol::Cause;
use etcd_smol::Client;
use etcd_smol::Config;
use etcd_smol::Error;
use etcd_smol::Phase;
use etcd_smol::Range;
use fake::Fake;
use fake::ONE_KEY;
use fake::Reply;
use fake::Seen;
use smol::future;

/// A timeout for calls that are meant to run into it.
const SHORT: Duration = Duration::from_millis(150);

fn within(timeout: Duration) -> CallOptions {
    CallOptions::default().with_timeout(timeout)
}

#[test]
fn a_call_gets_its_answer() {
    let server = Fake::answering(ONE_KEY);
    smol::block_on(async {
        let client = Client::connect([&server.endpoint]).await.unwrap();
        let answer = client.get("foo").await.unwrap();
        assert_eq!(answer.header.revision, 7);
        assert_eq!(answer.kvs[0].value_str(), Ok("bar"));
    });
    assert_eq!(server.seen(), Seen::Opened);
    assert_eq!(server.seen(), Seen::Request("/v3/kv/range".to_owned()));
}

#[test]
fn an_endpoint_may_be_a_name() {
    let server = Fake::answering(ONE_KEY);
    let endpoint = server.endpoint.replace("127.0.0.1", "localhost");
    smol::block_on(async {
        let client = Client::connect([endpoint]).await.unwrap();
        assert_eq!(client.get("foo").await.unwrap().count, 1);
    });
}

#[test]
fn sixty_four_calls_at_once_share_the_connections() {
    let server = Fake::answering(ONE_KEY);
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let client = client.clone();
                smol::spawn(async move {
                    for _ in 0..20 {
                        client.get("foo").await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        let stats = client.stats();
        assert_eq!(stats.requests, 64 * 20);
        assert!(stats.connections_opened <= 8, "{stats:?}");
    });
}

#[test]
fn an_answer_may_be_larger_than_one_read() {
    let value = "QUFB".repeat(500_000);
    let json = format!(r#"{{"kvs":[{{"key":"Zm9v","value":"{value}"}}],"count":"1"}}"#);
    let server = Fake::start(move |_, _| Reply::Json(json.clone()));
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let answer = client.get("foo").await.unwrap();
        assert_eq!(answer.kvs[0].value.len(), 1_500_000);
    });
}

#[test]
fn a_request_may_be_larger_than_what_the_socket_takes() {
    // Beyond what loopback buffers hold, and beyond what is written in one turn.
    let value = vec![b'x'; 9 << 20];
    let server = Fake::start(|_, body| {
        Reply::Json(format!(r#"{{"header":{{"revision":"{}"}}}}"#, body.len()))
    });
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let answer = client.put("k", value).await.unwrap();
        assert!(answer.header.revision > 12 << 20, "{answer:?}");
    });
}

#[test]
fn a_call_to_nobody_ends_at_its_deadline() {
    smol::block_on(async {
        let client = Client::connect([fake::nobody()]).await.unwrap();
        let start = Instant::now();
        let error = client
            .call_with(Range::key("k"), within(SHORT))
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Unavailable {
                    cause: Cause::ConnectFailed(_),
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(start.elapsed() >= SHORT);
        assert!(start.elapsed() < 20 * SHORT);
    });
}

#[test]
fn a_silent_server_means_timeout() {
    let server = Fake::silent();
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let start = Instant::now();
        let error = client
            .call_with(Range::key("k"), within(SHORT))
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Timeout {
                    phase: Phase::Answer,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(start.elapsed() >= SHORT);
        assert!(start.elapsed() < 20 * SHORT);
    });
}

#[test]
fn a_later_call_with_an_earlier_deadline_ends_first() {
    let server = Fake::silent();
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let long = client.call_with(Range::key("k"), within(Duration::from_secs(60)));
        let short = async {
            server.wait_for(&Seen::Request("/v3/kv/range".to_owned()));
            client.call_with(Range::key("k"), within(SHORT)).await
        };
        let error = future::or(long, short).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    });
}

#[test]
fn dropping_a_calls_future_cancels_the_call() {
    let server = Fake::silent();
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let call = smol::spawn({
            let client = client.clone();
            async move { client.get("k").await }
        });
        server.wait_for(&Seen::Request("/v3/kv/range".to_owned()));
        assert!(call.cancel().await.is_none(), "the call cannot have ended");
        // The server still owes the answer, so the connection is of no more use.
        assert_eq!(server.seen(), Seen::Closed);
        assert_eq!(client.stats().connections_open, 0);
    });
}

#[test]
fn a_future_that_was_never_polled_sends_nothing() {
    let server = Fake::answering(ONE_KEY);
    smol::block_on(async {
        let client = Client::with_config(server.config());
        drop(client.get("k"));
        assert_eq!(client.stats().requests, 0);
    });
}

#[test]
fn shutdown_ends_calls_under_way_and_later_ones() {
    let server = Fake::silent();
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let under_way = smol::spawn({
            let client = client.clone();
            async move { client.get("k").await }
        });
        server.wait_for(&Seen::Request("/v3/kv/range".to_owned()));
        client.shutdown();
        assert_eq!(server.seen(), Seen::Closed);
        for error in [
            under_way.await.unwrap_err(),
            client.get("k").await.unwrap_err(),
        ] {
            assert!(
                matches!(
                    error,
                    Error::Unavailable {
                        cause: Cause::Shutdown,
                        ..
                    }
                ),
                "{error:?}"
            );
        }
    });
}

#[test]
fn an_answer_that_came_before_the_server_broke_off_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new([listener.local_addr().unwrap().to_string()]).unwrap();
    let (asked, began) = smol::channel::bounded(1);
    let (go, may_answer) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        asked.send_blocking(()).unwrap();
        may_answer.recv().unwrap();
        let body = r#"{"code":8,"message":"too large"}"#;
        let head = "HTTP/1.1 413 Too Large\r\nContent-Type: application/json";
        write!(
            stream,
            "{head}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        // Closed with most of the request unread, which resets the connection.
    });

    let (client, driver) = Client::unspawned(config, 1);
    let mut driver = pin!(driver);
    // More than the system holds between the two.
    let mut call = pin!(client.put("k", vec![7; 10 << 20]));
    smol::block_on(async {
        let working = future::zip(&mut call, &mut driver);
        let ended = future::or(async { Some(working.await) }, async {
            began.recv().await.unwrap();
            None
        });
        assert!(ended.await.is_none());
    });
    // Nobody drives while the server answers and breaks off, so both are there together.
    go.send(()).unwrap();
    server.join().unwrap();
    let error = smol::block_on(future::or(call, async {
        driver.await;
        unreachable!("the client is alive")
    }))
    .unwrap_err();
    assert!(matches!(error, Error::Etcd { .. }), "{error:?}");
}

#[test]
fn endpoints_may_be_made_by_asking_the_client() {
    smol::block_on(async {
        let client = Client::connect(["http://127.0.0.1:1"]).await.unwrap();
        let other = client.clone();
        let endpoints = ["http://127.0.0.1:2"].into_iter().map(move |endpoint| {
            assert_eq!(other.stats().requests, 0);
            endpoint.parse().unwrap()
        });
        client.set_endpoints(endpoints).unwrap();
    });
}
