//! Errors that requests to one member can provoke.

use std::thread;
use std::time::Duration;

use etcd_core::AlarmRequest;
use etcd_core::AlarmType;
use etcd_core::Applied;
use etcd_core::CallOptions;
use etcd_core::Campaign;
use etcd_core::Compact;
use etcd_core::Config;
use etcd_core::Defragment;
use etcd_core::Downgrade;
use etcd_core::Error;
use etcd_core::KeyRange;
use etcd_core::Known;
use etcd_core::Leader;
use etcd_core::LeaseGrant;
use etcd_core::LeaseRevoke;
use etcd_core::Lock;
use etcd_core::Proclaim;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Resign;
use etcd_core::StatusRequest;
use etcd_core::Txn;
use etcd_core::Unlock;
use etcd_core::Watch;
use etcd_core::WatchResponse;
use etcd_core::gateway::Frames;

use super::Class;
use super::Must;
use super::PATIENCE;
use super::Scene;
use super::Seen;
use crate::Server;
use crate::driver::Driver;
use crate::find;
use crate::http::Post;
use crate::scenario::Stage;
use crate::scenario::numbers;
use crate::scenario::wait_until;

/// Each error that a request to one member can provoke is told by its type.
pub fn errors_of_requests<D: Driver>(stage: &mut Stage) {
    let mut seen = Seen::new(Scene::Requests, numbers(&stage.server));
    let client: D = stage.client();
    let port = stage.server.client_port();
    of_keys(&mut seen, &client, port);
    of_alarms(&mut seen, &client);
    of_a_full_database::<D>(&mut seen);
    of_leases(&mut seen, &client, port);
    of_watches(&mut seen, &client, port);
    of_elections(&mut seen, &client, port);
    of_locks(&mut seen, &client, port);
    of_downgrades(&mut seen, &client, port);
    seen.done();
}

fn of_keys(seen: &mut Seen, client: &impl Driver, port: u16) {
    let range = Post::new("/v3/kv/range", "{}");
    seen.refuses::<Range>(port, &range, Known::EmptyKey);
    seen.fails(
        client,
        Put::new("k", "").with_ignore_value(),
        Known::KeyNotFound,
    );
    seen.fails(
        client,
        Put::new("k", "").with_ignore_lease(),
        Known::KeyNotFound,
    );
    for (field, known) in [
        (
            r#""value":"dg==","ignore_value":true"#,
            Known::ValueProvided,
        ),
        (r#""lease":"7","ignore_lease":true"#, Known::LeaseProvided),
    ] {
        let put = Post::new("/v3/kv/put", &format!(r#"{{"key":"aw==",{field}}}"#));
        seen.refuses::<Put>(port, &put, known);
    }
    let op = r#"{"request_put":{"key":"aw=="}}"#;
    for (count, known) in [(2, Known::DuplicateKey), (129, Known::TooManyOps)] {
        let ops = vec![op; count].join(",");
        let txn = Post::new("/v3/kv/txn", &format!(r#"{{"success":[{ops}]}}"#));
        seen.refuses::<Txn>(port, &txn, known);
    }
    let first = client.put("k", "v").must().header.revision;
    let last = client.put("k", "w").must().header.revision;
    client.call(Compact::new(last)).must();
    for (revision, known) in [(first, Known::Compacted), (last + 9, Known::FutureRev)] {
        let read = || Range::key("k").with_revision(revision);
        seen.fails(client, read(), known);
        seen.fails(client, Compact::new(revision), known);
        seen.fails(client, Txn::new().and_then([read()]), known);
    }
    let large = Put::new("k", vec![b'x'; 1_600_000]);
    seen.fails(client, large, Known::RequestTooLarge);
    client.delete("k").must();
}

/// Alarms that are raised by hand.
fn of_alarms(seen: &mut Seen, client: &impl Driver) {
    let member = client.call(StatusRequest::new()).must().header.member_id;
    for (alarm, known) in [
        (AlarmType::NoSpace, Known::NoSpace),
        (AlarmType::Corrupt, Known::Corrupt),
    ] {
        client.call(AlarmRequest::activate(member, alarm)).must();
        seen.fails(client, Put::new("k", "v"), known);
        seen.fails(client, LeaseGrant::new(60), known);
        let txn = Txn::new().and_then([Put::new("k", "v")]);
        seen.fails(client, txn, known);
        client.call(AlarmRequest::deactivate(member, alarm)).must();
    }
    client.put("k", "v").must();
    client.delete("k").must();
}

/// The alarm that a server raises by itself, and the way out of it.
fn of_a_full_database<D: Driver>(seen: &mut Seen) {
    let quota = ["--quota-backend-bytes=4194304"];
    let small = Server::start_with(&find::find().must(), &quota).must();
    let client = D::with_config(Config::new([small.endpoint()]).must());
    let put = || Put::new("k", vec![b'x'; 1 << 20]);
    let fits = (0..8).take_while(|_| client.call(put()).is_ok()).count();
    assert!((1..8).contains(&fits), "{fits} MiB went in");
    seen.fails(&client, put(), Known::NoSpace);
    let raised = client.call(AlarmRequest::list()).must().alarms;
    assert_eq!(raised.len(), 1);
    assert_eq!(raised[0].alarm.known(), Some(AlarmType::NoSpace));

    // Deleting is allowed; then history has to go, the free space back, and the alarm off.
    let deleted = client.delete("k").must().header.revision;
    client.call(Compact::new(deleted).with_physical()).must();
    client.call(Defragment::new()).must();
    assert_eq!(client.alarm_disarm_all().must(), raised);
    client.call(put()).must();
}

fn of_leases(seen: &mut Seen, client: &impl Driver, port: u16) {
    let lease = client.call(LeaseGrant::new(60)).must().id;
    let again = LeaseGrant::new(60).with_id(lease);
    seen.fails(client, again, Known::LeaseExist);
    client.call(LeaseRevoke::new(lease)).must();
    seen.fails(client, LeaseRevoke::new(lease), Known::LeaseNotFound);
    let put = Put::new("k", "v").with_lease(lease);
    seen.fails(client, put, Known::LeaseNotFound);
    // Inside of the lock service, where it comes with another code.
    let lock = Lock::new("l").with_lease(lease);
    seen.fails(client, lock, Known::LeaseNotFound);
    let grant = Post::new("/v3/lease/grant", r#"{"TTL":"9000000001"}"#);
    seen.refuses::<LeaseGrant>(port, &grant, Known::LeaseTTLTooLarge);
}

fn of_watches(seen: &mut Seen, client: &impl Driver, port: u16) {
    let refused = client.watch(Watch::new(KeyRange::range("b", "a")));
    let refused = refused.must_fail();
    seen.told(Class::Read, &refused, Known::WatchRangeEmpty);

    // The client numbers its watches by itself, so this one does not come from it.
    let create = r#"{"create_request":{"key":"aw==","watch_id":"7"}}"#;
    let post = Post::new("/v3/watch", &format!("{create}\n{create}\n"));
    let answer = post.until("duplicate").send(port, PATIENCE).must();
    let mut frames = Frames::<WatchResponse>::new(answer.status, Default::default());
    frames.handle_data(answer.body.as_bytes());
    let reason = std::iter::from_fn(|| frames.poll_frame())
        .find_map(|frame| frame.ok().filter(|frame| frame.canceled))
        .expect("one of the two watches is refused")
        .cancel_reason;
    let status = etcd_core::Status::new(etcd_core::Code::UNKNOWN, &reason);
    seen.saw(&status, Known::DuplicateWatchID);
}

fn of_elections(seen: &mut Seen, client: &impl Driver, port: u16) {
    seen.fails(client, Leader::new("el"), Known::ElectionNoLeader);
    let lease = client.call(LeaseGrant::new(60)).must().id;
    let won = client.call(Campaign::new("el", "v").with_lease(lease));
    let leader = won.must().leader;
    client.call(Resign::new(leader.clone())).must();
    let late = Proclaim::new(leader, "w");
    seen.fails(client, late, Known::ElectionNotLeader);
    let proclaim = Post::new("/v3/election/proclaim", r#"{"value":"dg=="}"#);
    seen.refuses::<Proclaim>(port, &proclaim, Known::MissingLeaderKey);
    let resign = Post::new("/v3/election/resign", "{}");
    seen.refuses::<Resign>(port, &resign, Known::MissingLeaderKey);
    client.call(LeaseRevoke::new(lease)).must();
}

fn of_locks<D: Driver>(seen: &mut Seen, client: &D, port: u16) {
    let held = client.call(Lock::new("l")).must().key;
    // Who says under way that it will send nothing more has its request canceled.
    let waits = Post::new("/v3/lock/lock", r#"{"name":"bA=="}"#);
    let waits = waits.and_hang_up(Duration::from_millis(200));
    seen.refuses::<Lock>(port, &waits, Known::Canceled);
    // So is that of who says how long it may take, with a word that differs.
    let mut config = Config::new([format!("http://127.0.0.1:{port}")]).must();
    config.add_header("Grpc-Timeout", "200m").must();
    let hasty = D::with_config(config);
    seen.fails(&hasty, Lock::new("l"), Known::DeadlineExceeded);

    if !seen.has_35() {
        // 3.4 answers such a waiter with a key that does not exist (gateway.md 10).
        client.call(Unlock::new(held)).must();
        return;
    }
    let lease = client.call(LeaseGrant::new(60)).must().id;
    let waiter = {
        let client = client.clone();
        thread::spawn(move || client.call(Lock::new("l").with_lease(lease)))
    };
    wait_until("somebody waits for the lock", || {
        client.get(Range::prefix("l/")).must().count == 2
    });
    client.call(LeaseRevoke::new(lease)).must();
    client.call(Unlock::new(held)).must();
    let expired = waiter.join().expect("the waiter does not panic");
    let expired = expired.must_fail();
    seen.told(Class::Write, &expired, Known::SessionExpired);
}

fn of_downgrades(seen: &mut Seen, client: &impl Driver, port: u16) {
    if !seen.has_35() {
        return;
    }
    let [major, minor, _] = seen.version;
    let below = format!("{major}.{}", minor - 1);
    let validate = r#"{"action":"VALIDATE","version":"next"}"#;
    let post = Post::new("/v3/maintenance/downgrade", validate);
    seen.refuses::<Downgrade>(port, &post, Known::WrongDowngradeVersionFormat);
    let far = Downgrade::validate("3.3");
    seen.fails(client, far, Known::InvalidDowngradeTargetVersion);
    seen.fails(client, Downgrade::cancel(), Known::NoInflightDowngrade);
    // 3.5.1 begins at once, but answers only after 7 s, and then that it ran out of time.
    let soon = CallOptions::default().with_timeout(Duration::from_millis(500));
    let begun = client.call_with(Downgrade::enable(below.as_str()), soon);
    if let Err(error) = &begun {
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        assert_eq!(error.applied(), Applied::Maybe);
    }
    wait_until("the downgrade is under way", || {
        let asked = client.call(Downgrade::validate(below.as_str()));
        asked.is_err_and(|error| error.known() == Some(Known::DowngradeInProcess))
    });
    // It is left under way: to end it takes the same 7 s.
    let twice = Downgrade::enable(below);
    seen.fails(client, twice, Known::DowngradeInProcess);
}
