//! What goes wrong: as which type, and whether it may have happened all the same. And what does not
//! go wrong although something is wrong.

use std::net::TcpListener;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Applied;
use etcd_core::CallOptions;
use etcd_core::Cause;
use etcd_core::Code;
use etcd_core::Config;
use etcd_core::Error;
use etcd_core::Known;
use etcd_core::Misuse;
use etcd_core::Phase;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Txn;
use etcd_core::WatchEnd;

use super::Must;
use super::Stage;
use super::batch;
use super::changes;
use super::end;
use super::wait_until;
use crate::driver::Driver;
use crate::driver::Watching;

/// What a server refuses is told by type, and that it did not happen.
pub fn refusals_are_typed<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let refused = client
        .call(Put::new("k", "v").with_lease(12345))
        .must_fail();
    let Error::Etcd { status, applied } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(status.known(), Some(Known::LeaseNotFound));
    assert_eq!((status.code, *applied), (Code::NOT_FOUND, Applied::No));

    // Just too large for the store, and too large even for its door.
    let large = client.put("k", vec![b'x'; 1_600_000]).must_fail();
    let known = large.status().and_then(|status| status.known());
    assert_eq!(
        (known, large.applied()),
        (Some(Known::RequestTooLarge), Applied::No)
    );
    let larger = client.put("k", vec![b'x'; 3 << 20]).must_fail();
    let code = larger.status().map(|status| status.code);
    assert_eq!(
        (code, larger.applied()),
        (Some(Code::RESOURCE_EXHAUSTED), Applied::No)
    );
    let absent = client
        .call(Put::new("k", "").with_ignore_value())
        .must_fail();
    assert_eq!(
        absent.status().and_then(|status| status.known()),
        Some(Known::KeyNotFound)
    );
    assert_eq!(stage.truth(Range::all()).count, 0);
    client.put("k", "v").must();
}

/// What could only be refused is not sent.
pub fn impossible_requests_are_not_sent<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    assert_eq!(
        client.put("", "v").must_fail(),
        Error::Misuse(Misuse::EmptyKey)
    );
    assert_eq!(client.get("").must_fail(), Error::Misuse(Misuse::EmptyKey));
    let twice = Txn::new().and_then([Put::new("k", "1"), Put::new("k", "2")]);
    assert_eq!(
        client.call(twice).must_fail(),
        Error::Misuse(Misuse::DuplicateKey)
    );
    let both = Put::new("k", "v").with_ignore_value();
    assert_eq!(
        client.call(both).must_fail(),
        Error::Misuse(Misuse::ValueWithIgnoreValue)
    );
    let stats = client.stats();
    assert_eq!((stats.requests, stats.connections_opened), (0, 0));
}

/// A server that accepts and does not answer costs a call no more than its deadline; only a write
/// may have happened.
pub fn a_silent_server_is_a_timeout<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    client.put("k", "1").must();
    let quick = || CallOptions::default().with_timeout(Duration::from_millis(300));
    stage.server.pause().must();

    let since = Instant::now();
    let read = client.call_with(Range::key("k"), quick()).must_fail();
    let write = client.call_with(Put::new("k", "2"), quick()).must_fail();
    let took = since.elapsed();
    assert!(
        took >= Duration::from_millis(600) && took < Duration::from_secs(3),
        "{took:?}"
    );
    let (phase, no, maybe) = (Phase::Answer, Applied::No, Applied::Maybe);
    assert_eq!(read, Error::Timeout { phase, applied: no });
    assert_eq!(
        write,
        Error::Timeout {
            phase,
            applied: maybe
        }
    );

    stage.server.resume().must();
    // Which of both it was is only known now: the server saw the connection go.
    let value = &client.get("k").must().kvs[0].value;
    assert!(value == "1" || value == "2", "{value:?}");
    client.put("k", "3").must();
    assert_eq!(stage.truth("k".into()).kvs[0].value, "3");
}

/// Where nobody listens, a call fails in its time, and certainly did not happen.
pub fn a_server_that_is_gone_is_unavailable<D: Driver>(stage: &mut Stage) {
    stage.server.kill().must();
    let client: D = stage.client();
    let quick = CallOptions::default().with_timeout(Duration::from_millis(500));
    let since = Instant::now();
    let error = client.call_with(Put::new("k", "v"), quick).must_fail();
    assert!(
        since.elapsed() < Duration::from_secs(3),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(error.applied(), Applied::No);
    let told = matches!(
        error,
        Error::Unavailable {
            cause: Cause::ConnectFailed(_),
            ..
        } | Error::Timeout { .. }
    );
    assert!(told, "{error:?}");

    stage.server.restart().must();
    client.put("k", "v").must();
    assert_eq!(stage.truth(Range::all()).count, 1);
}

/// A client outlives its server's restarts, and its reads do not show them.
pub fn reads_outlive_a_restart<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    client.put("k", "v").must();
    for _ in 0..3 {
        stage.server.restart().must();
        assert_eq!(client.get("k").must().kvs[0].value, "v");
    }
    assert!(
        client.stats().connections_opened >= 4,
        "{:?}",
        client.stats()
    );
    client.put("k", "w").must();
}

/// An endpoint where nobody listens is passed over, wherever in the list it is.
pub fn a_dead_endpoint_is_passed_over<D: Driver>(stage: &mut Stage) {
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").must();
        format!("http://{}", listener.local_addr().must())
    };
    let live = stage.server.endpoint();
    for (seed, endpoints) in (0..).zip([
        [&dead, &live, &dead],
        [&live, &dead, &dead],
        [&dead, &dead, &live],
        [&dead, &dead, &live],
        [&dead, &dead, &live],
    ]) {
        let client = D::with_seed(Config::new(endpoints).must(), seed);
        client.put("k", "v").must();
        let client = D::with_seed(Config::new(endpoints).must(), seed);
        let mut watch = client.watch("k").must();
        client.put("k", "w").must();
        assert_eq!(changes(&batch(&mut watch)), [("k", Some("w"))]);
    }
}

/// Two clients see each other's changes, and the end of one is not the end of the other.
pub fn two_clients_do_not_disturb_each_other<D: Driver>(stage: &mut Stage) {
    let (one, two): (D, D) = (stage.client(), stage.client());
    let mut watch_one = one.watch("k").must();
    let mut watch_two = two.watch("k").must();
    one.put("k", "1").must();
    assert_eq!(two.get("k").must().kvs[0].value, "1");
    two.put("k", "2").must();
    for value in ["1", "2"] {
        assert_eq!(changes(&batch(&mut watch_one)), [("k", Some(value))]);
        assert_eq!(changes(&batch(&mut watch_two)), [("k", Some(value))]);
    }

    one.shutdown();
    assert_eq!(end(&mut watch_one), WatchEnd::Shutdown);
    let after = one.get("k").must_fail();
    assert!(
        matches!(
            after,
            Error::Unavailable {
                cause: Cause::Shutdown,
                ..
            }
        ),
        "{after:?}"
    );
    two.put("k", "3").must();
    assert_eq!(changes(&batch(&mut watch_two)), [("k", Some("3"))]);
}

/// The last handle that is dropped closes all connections; a watch is a handle.
pub fn the_last_handle_closes_the_connections<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let other = client.clone();
    let mut watch = client.watch("k").must();
    client.put("k", "1").must();
    assert_eq!(stage.connections(), 2);
    drop(client);
    other.put("k", "2").must();
    drop(other);
    for value in ["1", "2"] {
        assert_eq!(changes(&batch(&mut watch)), [("k", Some(value))]);
    }
    let outside: D = stage.client();
    outside.put("k", "3").must();
    assert_eq!(changes(&batch(&mut watch)), [("k", Some("3"))]);
    drop(outside);
    assert!(watch.next_within(Duration::ZERO).is_err());
    drop(watch);
    wait_until("all connections are closed", || stage.connections() == 0);
}
