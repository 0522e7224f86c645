//! Errors of a cluster that loses members: its leader, its quorum, and both.
//!
//! Servers take 7 s to give a request up, so whatever can wait at the same time does. When members
//! elect a leader is partly chance, and with it what they say; so each part is tried again until all of
//! its errors were seen.

use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use etcd_core::Call;
use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::Error;
use etcd_core::Known;
use etcd_core::MemberAdd;
use etcd_core::MoveLeader;
use etcd_core::Put;
use etcd_core::PutResponse;
use etcd_core::Range;
use etcd_core::Status;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::decode_answer;

use super::Class;
use super::Must;
use super::PATIENCE;
use super::Scene;
use super::Seen;
use crate::Cluster;
use crate::driver::Driver;
use crate::http::Answer;
use crate::http::Post;
use crate::scenario::Ensemble;
use crate::scenario::numbers;
use crate::scenario::wait_until;

/// Each error that a cluster gives when members of it are lost is told by its type, and a write that
/// is said not to have been done was not.
pub fn errors_of_a_cluster_that_loses_members<D: Driver>(ensemble: &mut Ensemble) {
    let cluster = &mut ensemble.cluster;
    let mut seen = Seen::new(Scene::Quorum, numbers(cluster.server(0)));
    let parts: [Part; 3] = [
        (while_leadership_moves::<D>, &[Known::ProposalDropped]),
        (
            without_a_quorum_for_a_while::<D>,
            &[Known::TimeoutDueToConnectionLost],
        ),
        (
            one_after_the_other::<D>,
            &[
                Known::LeaderChanged,
                Known::TimeoutDueToLeaderFail,
                Known::Timeout,
                Known::NoLeader,
                Known::Unhealthy,
            ],
        ),
    ];
    for (part, wanted) in parts {
        for _ in 0..ATTEMPTS {
            restart_all(cluster);
            part(&mut seen, cluster);
            if seen.has_all(wanted) {
                break;
            }
        }
    }
    seen.done();
}

/// A leader that is about to hand over takes no proposals. One that hands over to a member which
/// stands still is about to for a whole election timeout.
fn while_leadership_moves<D: Driver>(seen: &mut Seen, cluster: &mut Cluster) {
    let leader = cluster.leader().must();
    let target = (leader + 1) % 3;
    let id = cluster.member_id(target).must();
    let client: D = client_of(cluster, leader);
    // There may be one of an attempt before.
    client.put("k", "0").must();
    cluster.server(target).pause().must();
    let transfer = in_background(&client, MoveLeader::new(id), Duration::from_millis(900));
    // Only by being refused is it seen that the leader has heard of it.
    let mut last = 0;
    let mut dropped = None;
    while dropped.is_none() && !transfer.is_finished() {
        // The client asks again until it has no time for it: that ends before the leader is itself again.
        let options = CallOptions::default().with_timeout(Duration::from_millis(300));
        match client.call_with(Put::new("k", (last + 1).to_string()), options) {
            Ok(_) => last += 1,
            Err(error) => dropped = Some(error),
        }
    }
    cluster.server(target).resume().must();
    let moved = transfer.join().expect("the caller does not panic");
    if let Err(error) = moved {
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    }
    let Some(dropped) = dropped else { return };
    // The leader was itself again, or slow.
    if matches!(dropped, Error::Timeout { .. }) {
        return;
    }
    seen.told(Class::Write, &dropped, Known::ProposalDropped);
    // Dropped is dropped: that put was not done.
    let now: D = client_of(cluster, cluster.leader().must());
    let found = now.get("k").must().kvs;
    let found = found.first().map(|kv| kv.value_str().must().to_owned());
    assert_eq!(found, Some(last.to_string()));
}

/// Two of three are gone, and one of them comes back before the request has run out of time: then a
/// leader is found long after the request began.
fn without_a_quorum_for_a_while<D: Driver>(seen: &mut Seen, cluster: &mut Cluster) {
    let leader = cluster.leader().must();
    let (follower, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let client: D = client_of(cluster, follower);
    client.put("k", "there").must();
    cluster.server_mut(other).kill().must();
    cluster.server_mut(leader).kill().must();
    let put = in_background(&client, Put::new("k", "lost"), PATIENCE);
    // Found within 2 s, the new leader would be to blame.
    thread::sleep(Duration::from_millis(2300));
    cluster.start_again(other).must();
    by_chance(seen, put, Known::TimeoutDueToConnectionLost);
}

/// A cluster that loses its leader, and then another member, so that the next leader is alone.
fn one_after_the_other<D: Driver>(seen: &mut Seen, cluster: &mut Cluster) {
    let leader = cluster.leader().must();
    let followers = [(leader + 1) % 3, (leader + 2) % 3];
    let clients: [D; 2] = followers.map(|follower| client_of(cluster, follower));
    clients[0].put("k", "there").must();
    cluster.server_mut(leader).kill().must();
    // The leader is waited for 1 to 2 s before somebody else is elected; what followers are asked until
    // then goes to the dead one.
    let read = {
        // The client would read again by itself.
        let (post, follower) = (Post::new(RANGE, KEY), cluster.server(followers[0]));
        let port = follower.client_port();
        thread::spawn(move || post.send(port, PATIENCE).must())
    };
    let mut lost = Vec::new();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(300));
        let put = |client| in_background(client, Put::new("k", "lost"), PATIENCE);
        lost.push(clients.each_ref().map(put));
    }
    let read = read.join().expect("the reader does not panic");
    if let Some(status) = refusal(&read).filter(|s| s.known() == Some(Known::LeaderChanged)) {
        seen.saw(&status, Known::LeaderChanged);
    }

    // Who is elected blames the leader before it for what it was asked in the last 2 s; the other one
    // does not.
    let alone = cluster.leader().must();
    let at = followers.iter().position(|follower| *follower == alone);
    let at = at.expect("the leader is dead");
    cluster.server_mut(followers[1 - at]).kill().must();
    let client = &clients[at];
    // It does not know yet that nobody is there.
    let last = in_background(client, Put::new("k", "lost"), PATIENCE);
    alone_and_aware::<D>(seen, cluster, alone);
    for put in lost.into_iter().filter_map(|puts| puts.into_iter().nth(at)) {
        by_chance(seen, put, Known::TimeoutDueToLeaderFail);
    }
    by_chance(seen, last, Known::Timeout);
}

/// One member of three that knows of it can do nothing, and says so.
fn alone_and_aware<D: Driver>(seen: &mut Seen, cluster: &Cluster, alone: usize) {
    let server = cluster.server(alone);
    let strict_read = Post::with_header(RANGE, HAS_LEADER, "true", KEY_HERE);
    wait_until("the last one sees that it is alone", || {
        let answer = strict_read.send(server.client_port(), PATIENCE).must();
        refusal(&answer).is_some_and(|status| status.known() == Some(Known::NoLeader))
    });
    let mut config = Config::new([server.endpoint()]).must();
    config.add_header(HAS_LEADER, "true").must();
    let strict = D::with_config(config);
    seen.fails(&strict, Put::new("k", "refused"), Known::NoLeader);
    let client: D = client_of(cluster, alone);
    let add = MemberAdd::new(["http://127.0.0.1:1"]);
    seen.fails(&client, add, Known::Unhealthy);
    let here = client.get(Range::key("k").with_serializable()).must();
    assert_ne!(here.kvs[0].value, "refused");
}

/// Counts what a put was told, if it was this: it was lost on its way to a leader that was gone, or came
/// when there was none, and then either waited in vain or was done.
fn by_chance(seen: &mut Seen, put: Background<PutResponse>, wanted: Known) {
    let Err(error) = put.join().expect("the caller does not panic") else {
        return;
    };
    match error.known() {
        Some(known) if known == wanted => seen.told(Class::Write, &error, known),
        Some(known) if CHANCE.contains(&known) => {}
        _ => panic!("wanted {wanted:?}, got {error:?}"),
    }
}

/// What a server that refused a read said.
fn refusal(answer: &Answer) -> Option<Status> {
    match decode_answer::<Range>(answer.status, answer.body.as_bytes()) {
        Err(AnswerError::Status(status)) => Some(status),
        _ => None,
    }
}

/// Starts the members that do not run, and waits until all are healthy.
fn restart_all(cluster: &mut Cluster) {
    for place in 0..3 {
        if cluster.server(place).pid().is_none() {
            cluster.start_again(place).must();
        }
    }
    cluster.settle().must();
}

fn client_of<D: Driver>(cluster: &Cluster, place: usize) -> D {
    D::with_config(Config::new([cluster.server(place).endpoint()]).must())
}

/// Something done to a cluster that provokes these.
type Part = (fn(&mut Seen, &mut Cluster), &'static [Known]);

type Background<T> = JoinHandle<Result<T, Error>>;

/// A call of another thread.
fn in_background<D: Driver, C>(client: &D, call: C, limit: Duration) -> Background<C::Response>
where
    C: Call + Send + 'static,
    C::Response: Send + 'static,
{
    let client = client.clone();
    let options = CallOptions::default().with_timeout(limit);
    thread::spawn(move || client.call_with(call, options))
}

/// How often a part is tried.
const ATTEMPTS: u32 = 5;
/// What a write may be told that nobody who leads has heard of.
const CHANCE: &[Known] = &[
    Known::TimeoutDueToLeaderFail,
    Known::TimeoutDueToConnectionLost,
    Known::Timeout,
    Known::DeadlineExceeded,
];
const RANGE: &str = "/v3/kv/range";
const KEY: &str = r#"{"key":"aw=="}"#;
const KEY_HERE: &str = r#"{"key":"aw==","serializable":true}"#;
const HAS_LEADER: &str = "Grpc-Metadata-hasleader";
