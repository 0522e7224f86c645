//! Observations, in virtual time.

mod support;

use support::World;
use support::check;

#[test]
fn leaders_are_told_as_they_come() {
    check(
        "
        > client a
        > observe el
        connect 1 to a
        > open 1
        send 1: POST /v3/election/observe {\"name\":\"ZWw=\"}
        > wait 1000s
        > leader 1 x@5/5
        stream 1: leader x@5/5
        > leader 1 x@5/7
        stream 1: leader x@5/7
        > leader 1 y@6/6
        stream 1: leader y@6/6
        > drop 1
        stream 1: end: canceled by the caller
        close 1
        > wait 100s
        ",
    );
}

#[test]
fn a_leader_is_told_once_whatever_is_lost() {
    check(
        "
        > client a b
        > observe el
        connect 1 to a
        > open 1
        send 1: POST /v3/election/observe {\"name\":\"ZWw=\"}
        > leader 1 x@5/7
        stream 1: leader x@5/7
        > reset 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/election/observe {\"name\":\"ZWw=\"}
        > leader 2 x@5/7
        stream 1: resumed at b
        > leader 2 y@6/6
        stream 1: leader y@6/6
        // A server that ends an observation is left like one that is lost.
        > last 2
        close 2
        > until 1s
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/election/observe {\"name\":\"ZWw=\"}
        // A member that has not heard of the change.
        > leader 3 x@5/9
        stream 1: resumed at a
        > leader 3 y@6/6
        > leader 3 y@6/10
        stream 1: leader y@6/10
        > shutdown
        stream 1: end: the client was shut down
        close 3
        ",
    );
}

#[test]
fn what_was_dropped_and_resumed_is_counted() {
    let mut world = World::after(
        "
        > client a
        > observe el
        > open 1
        > leader 1 x@5/7
        > wait 11s
        > reset 1
        > open 2
        > leader 2 x@5/7
        ",
    );
    let stats = world.client().stats();
    assert_eq!((stats.resumes, stats.events_dropped), (1, 1));
}

#[test]
fn a_refusal_is_the_end_and_a_missing_leader_is_not() {
    check(
        r#"
        > client a b
        > observe el
        connect 1 to a
        > open 1
        send 1: POST /v3/election/observe {"name":"ZWw="}
        > answer 1 503 {"error":{"code":14,"message":"etcdserver: no leader"}}
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/election/observe {"name":"ZWw="}
        > leader 2 x@5/5
        stream 1: leader x@5/5
        > error 2 {"code":14,"message":"etcdserver: no leader"}
        close 2
        > until 1s
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/election/observe {"name":"ZWw="}
        > answer 3 403 {"error":{"code":7,"message":"etcdserver: permission denied"}}
        close 3
        stream 1: end: etcdserver: permission denied (PermissionDenied)
        > observe el
        connect 4 to b
        > open 4
        send 4: POST /v3/election/observe {"name":"ZWw="}
        > answer 4 500 {"error":{"grpc_code":2,"message":"etcdserver: user name is empty"}}
        close 4
        stream 2: end: etcdserver: user name is empty (Unknown)
        "#,
    );
}

#[test]
fn a_server_that_breaks_off_again_and_again_is_asked_less_and_less() {
    let mut world = World::after("> client a connect_timeout=60s\n> observe el");
    for conn in 1..=30 {
        world.run(&format!("open {conn}"));
        world.run(&format!("leader {conn} x@5/5"));
        world.run(&format!("eof {conn}"));
        world.run("wait 6s");
    }
    let text = world.transcript();
    assert_eq!(text.matches("stream 1: leader").count(), 1);
    assert_eq!(text.matches("connect ").count(), 31);
    // What each round waited, of its 6 s: up to 25 ms, and twice that, and so on up to 5 s (rule W-17).
    let times = text
        .split("\nat ")
        .skip(1)
        .map(|at| at.split_once('s').expect("a time").0);
    let waits = times.map(|at| match at.strip_suffix('m') {
        Some(millis) => millis.parse::<f64>().expect("a number") / 1000.0,
        None => at.parse::<f64>().expect("a number") % 6.0,
    });
    let waits: Vec<f64> = waits.collect();
    assert_eq!(waits.len(), 30);
    for (round, wait) in (0..).zip(&waits) {
        assert!(
            *wait <= (0.025 * f64::powi(2.0, round)).min(5.0),
            "{waits:?}"
        );
    }
    let late = waits[10..].iter().sum::<f64>() / 20.0;
    assert!((1.8..3.2).contains(&late), "{waits:?}");
}

#[test]
fn an_observation_that_is_not_read_is_bounded() {
    let mut world = World::after(
        "
        > client a stream_buffer=2000 connect_timeout=60s
        > observe el
        > open 1
        > keep 1
        ",
    );
    let mut sent = 0;
    while !world.socket(1).paused {
        sent += 1;
        assert!(sent < 50, "it goes on for ever");
        world.run(&format!("leader 1 x@5/{}", 5 + sent));
    }
    world.run("reset 1");
    // It is still as full on the next connection.
    assert!(
        world
            .run("wait 1s")
            .last()
            .is_some_and(|line| line.starts_with("connect 2"))
    );
    assert!(world.run("open 2").contains(&"pause 2"));
    let read = world.run("take 1");
    assert_eq!(
        read.iter().filter(|line| line.contains("leader")).count(),
        sent
    );
    assert!(read.contains(&"resume 2"));
    // Nothing is told twice, and of many losses one is told.
    world.run("keep 1");
    for conn in 2..20 {
        world.run(&format!("leader {conn} x@5/5"));
        world.run(&format!("eof {conn}"));
        world.run("wait 6s");
        world.run(&format!("open {}", conn + 1));
    }
    assert_eq!(world.run("take 1"), ["stream 1: resumed at a"]);
}

#[test]
fn a_canceled_observation_is_not_taken_up_again() {
    check(
        "
        > client a
        > observe el
        connect 1 to a
        > refuse 1
        close 1
        > drop 1
        stream 1: end: canceled by the caller
        > wait 10s
        ",
    );
}

/// A denial is an answer, and nothing that hints at a restart of the member: the token is as good as
/// before, and calls go on with it.
#[test]
fn a_denied_observation_costs_no_login() {
    check(
        r#"
        > client a user=u password=p
        > observe el
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"u","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/election/observe {"name":"ZWw="} as T1
        > answer 2 500 {"error":{"code":2,"message":"etcdserver: permission denied"}}
        close 2
        stream 1: end: etcdserver: permission denied (Unknown)
        > observe el
        > until 1s
        at 7.890591ms
        connect 3 to a
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        "#,
    );
}
