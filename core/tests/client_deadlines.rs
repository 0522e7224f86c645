//! What becomes of calls when connecting, sending or answering goes wrong.

mod support;

use support::World;
use support::check;

#[test]
fn a_refused_connection_leads_to_the_next_endpoint_at_once() {
    check(
        r#"
        > client a b c
        > put k v
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > refuse 2
        close 2
        connect 3 to c
        > open 3
        send 3: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 3 200 {}
        call 1: Put
        "#,
    );
}

#[test]
fn the_wait_comes_after_every_endpoint_refused_and_grows() {
    check(
        "
        > client a b
        > put k v
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > refuse 2
        close 2
        > wait 100ms
        at 20.860227ms
        connect 3 to a
        > refuse 3
        close 3
        connect 4 to b
        > refuse 4
        close 4
        > wait 100ms
        at 141.275952ms
        connect 5 to a
        > refuse 5
        close 5
        connect 6 to b
        > refuse 6
        close 6
        > wait 200ms
        at 250.939237ms
        connect 7 to a
        > refuse 7
        close 7
        connect 8 to b
        > refuse 8
        close 8
        > wait 1s
        at 493.15665ms
        connect 9 to a
        ",
    );
}

#[test]
fn connections_that_are_refused_together_count_as_one_round() {
    check(
        "
        > client a
        > get 1
        connect 1 to a
        > get 2
        connect 2 to a
        > get 3
        connect 3 to a
        > refuse 1
        close 1
        > refuse 2
        close 2
        > refuse 3
        close 3
        > wait 100ms
        at 16.42852ms
        connect 4 to a
        connect 5 to a
        connect 6 to a
        > refuse 4
        close 4
        > refuse 5
        close 5
        > refuse 6
        close 6
        > wait 100ms
        at 132.890591ms
        connect 7 to a
        connect 8 to a
        connect 9 to a
        ",
    );
}

/// Rule T-2: connecting has a time of its own.
#[test]
fn a_connection_that_does_not_open_in_time_is_given_up() {
    check(
        r#"
        > client a b connect_timeout=300ms
        > get k
        connect 1 to a
        > wait 400ms
        at 300ms
        close 1
        connect 2 to b
        > open 1
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn the_deadline_passes_while_connecting() {
    check(
        "
        > client a
        > put k v timeout=300ms
        connect 1 to a
        > wait 1s
        at 300ms
        call 1: Timeout, not applied: deadline passed while waiting for a connection
        ",
    );
}

#[test]
fn the_deadline_names_why_connecting_failed() {
    check(
        "
        > client a
        > put k v timeout=300ms
        connect 1 to a
        > refuse 1
        close 1
        > wait 310ms
        at 16.42852ms
        connect 2 to a
        at 300ms
        call 1: Unavailable, not applied: no endpoint could serve the call: cannot connect: connection refused
        ",
    );
}

#[test]
fn the_deadline_passes_while_every_connection_is_taken() {
    check(
        r#"
        > client a connections=1
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > put k v timeout=300ms
        > wait 1s
        at 300ms
        call 2: Timeout, not applied: deadline passed while waiting for a free connection
        "#,
    );
}

#[test]
fn a_queued_call_is_not_told_of_a_refusal_that_is_over() {
    check(
        r#"
        > client a connections=1
        > get 1
        connect 1 to a
        > refuse 1
        close 1
        > wait 30ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"1"}
        > put k v timeout=300ms
        > wait 1s
        at 330ms
        call 2: Timeout, not applied: deadline passed while waiting for a free connection
        "#,
    );
}

#[test]
fn the_deadline_passes_while_sending() {
    check(
        "
        > client a
        > slow
        > put k v timeout=300ms
        connect 1 to a
        > open 1
        transmit 1: 143 bytes
        > write 1 5
        > wait 1s
        at 300ms
        call 1: Timeout, not applied: deadline passed while sending the request
        close 1
        ",
    );
}

#[test]
fn the_deadline_passes_before_the_answer() {
    check(
        r#"
        > client a
        > put k v timeout=300ms
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > get k
        connect 2 to a
        > wait 1s
        at 300ms
        call 1: Timeout, maybe applied: deadline passed while waiting for the answer
        close 1
        "#,
    );
}

/// A refusal that passes is what the call ends with, also where it is just being asked again.
#[test]
fn the_deadline_passes_after_refusals() {
    check(
        r#"
        > client a
        > get k timeout=300ms
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 1s
        at 16.42852ms
        send 1: POST /v3/kv/range {"key":"k"}
        at 300ms
        call 1: Etcd, not applied: etcdserver: no leader (Unavailable)
        close 1
        "#,
    );
}

#[test]
fn impatient_calls_make_no_other_call_wait() {
    check(
        r#"
        > client a
        > get 1 timeout=1ms
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > wait 1ms
        at 1ms
        call 1: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        > get 2 timeout=1ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > wait 1ms
        at 2ms
        call 2: Timeout, not applied: deadline passed while waiting for the answer
        close 2
        > get 3
        connect 3 to a
        "#,
    );
}

#[test]
fn a_deadline_closes_only_its_own_connection() {
    check(
        r#"
        > client a
        > get 1 timeout=300ms
        connect 1 to a
        > get 2
        connect 2 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > wait 400ms
        at 300ms
        call 1: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        > answer 2 200 {}
        call 2: Range
        > answer 1 200 {}
        "#,
    );
}

/// Rule T-2: so has a request.
#[test]
fn reads_and_writes_have_their_own_deadlines() {
    check(
        "
        > client a read_timeout=2s write_timeout=3s connect_timeout=10s
        > get k
        connect 1 to a
        > put k v
        connect 2 to a
        > txn k v
        connect 3 to a
        > grant
        connect 4 to a
        > renew 7
        connect 5 to a
        > wait 10s
        at 2s
        call 1: Timeout, not applied: deadline passed while waiting for a connection
        at 3s
        call 2: Timeout, not applied: deadline passed while waiting for a connection
        call 3: Timeout, not applied: deadline passed while waiting for a connection
        call 4: Timeout, not applied: deadline passed while waiting for a connection
        call 5: Timeout, not applied: deadline passed while waiting for a connection
        close 5
        at 10s
        close 1
        close 2
        close 3
        close 4
        ",
    );
}

#[test]
fn a_read_that_was_cut_off_is_asked_again_elsewhere() {
    check(
        r#"
        > client a b
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn a_write_that_was_cut_off_after_its_last_byte_is_not() {
    check(
        r#"
        > client a b
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > reset 1
        close 1
        call 1: Unavailable, maybe applied: no endpoint could serve the call: connection lost: connection reset
        > wait 10s
        "#,
    );
}

#[test]
fn a_transaction_that_was_cut_off_is_a_write() {
    check(
        r#"
        > client a b
        > txn k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/txn {"success":[{"request_put":{"key":"k","value":"v"}}]}
        > raw 1 HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{
        > eof 1
        close 1
        call 1: Unavailable, maybe applied: no endpoint could serve the call: connection lost: server broke HTTP: connection ended inside an answer
        "#,
    );
}

#[test]
fn a_renewal_and_a_read_are_repeated_up_to_the_last_attempt() {
    check(
        r#"
        > client a attempts=2
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > eof 1
        close 1
        > wait 100ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > eof 2
        close 2
        call 1: Unavailable, not applied: no endpoint could serve the call: connection lost: server closed the connection and said nothing; if this port speaks TLS, use https://
        > wait 10s
        "#,
    );
}

#[test]
fn an_answer_before_the_request_was_sent_ends_the_connection() {
    check(
        r#"
        > client a
        > slow
        > put k v
        connect 1 to a
        > open 1
        transmit 1: 144 bytes
        > answer 1 200 {}
        close 1
        > wait 100ms
        at 16.42852ms
        connect 2 to a
        > open 2
        transmit 2: 144 bytes
        > quick
        > write 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {}
        call 1: Put
        "#,
    );
}

#[test]
fn an_answer_before_the_end_of_the_request_is_its_answer_and_the_connections_last() {
    check(
        r#"
        > client a
        > slow
        > put k v
        connect 1 to a
        > open 1
        transmit 1: 144 bytes
        > write 1 50
        > answer 1 400 {"error":"etcdserver: key is not provided","code":3}
        call 1: Etcd, not applied: etcdserver: key is not provided (InvalidArgument)
        close 1
        > get k
        connect 2 to a
        "#,
    );
}

#[test]
fn a_put_is_sent_again_until_its_last_byte_was_taken() {
    let mut world = World::after("client a b\nslow\nput k v\nopen 1");
    let length = {
        let conn = world.socket(1).id;
        world.client().transmit(conn).len()
    };
    for taken in 0..=length {
        let mut world = World::after("client a b\nslow\nput k v\nopen 1");
        world.run(&format!("write 1 {taken}"));
        let outcome = world.run("reset 1");
        if taken < length {
            assert_eq!(outcome, ["close 1", "connect 2 to b"], "{taken} bytes");
            world.run_all("quick\nopen 2\nwrite 2");
            assert_eq!(world.run("answer 2 200 {}"), ["call 1: Put"]);
        } else {
            let lost = "call 1: Unavailable, maybe applied: no endpoint could serve the call: \
                        connection lost: connection reset";
            assert_eq!(outcome, ["close 1", lost]);
        }
    }
}

#[test]
fn an_answer_cut_anywhere_leaves_a_put_uncertain_and_repeats_a_get() {
    let answer = support::answer(200, r#"{"header":{"revision":"7"}}"#);
    for end in ["eof 1", "reset 1"] {
        for cut in 0..answer.len() {
            let mut world = World::after("client a b\nput k v\nopen 1");
            world.receive(1, &answer.as_bytes()[..cut]);
            let outcome = world.run(end);
            assert_eq!(outcome.len(), 2, "{cut}: {outcome:?}");
            assert!(
                outcome[1].starts_with("call 1: Unavailable, maybe applied"),
                "{cut}: {outcome:?}"
            );

            let mut world = World::after("client a b\nget k\nopen 1");
            world.receive(1, &answer.as_bytes()[..cut]);
            assert_eq!(world.run(end), ["close 1", "connect 2 to b"], "{cut}");
            world.run("open 2");
            world.receive(2, answer.as_bytes());
            world.drain();
            assert!(world.transcript().ends_with("call 1: Range\n"));
        }
    }
}

#[test]
fn an_answer_without_a_length_cut_by_a_reset_is_no_answer() {
    check(
        r#"
        > client a b
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > raw 1 HTTP/1.1 200 OK\r\n\r\n{}
        > reset 1
        close 1
        call 1: Unavailable, maybe applied: no endpoint could serve the call: connection lost: connection reset
        "#,
    );
}

#[test]
fn g44_waits_between_rounds_of_refusals_grow_up_to_a_cap_and_are_spread() {
    let mut world = World::after("client a b connect_timeout=60s\nput k v timeout=3600s");
    let mut waits = Vec::new();
    for round in 0..20 {
        world.run(&format!("refuse {}", 2 * round + 1));
        world.run(&format!("refuse {}", 2 * round + 2));
        let due = world.client().poll_timeout().expect("a wait");
        waits.push((due - world.now).as_millis());
        let wait = due - world.now;
        world.run(&format!("wait {}ms", wait.as_millis() + 1));
    }
    // Full jitter (guarantee G44): from nothing to 25 ms, to twice that, and so on up to 2 s (rule R-6).
    for (round, wait) in (0..).zip(&waits) {
        let most = (25_u128 << round).min(2000);
        assert!(*wait <= most, "{waits:?}");
    }
    let sum: u128 = waits[7..].iter().sum();
    assert!((9_000..=17_000).contains(&sum), "{waits:?}");
    assert!(waits[7..].iter().any(|wait| *wait < 500), "{waits:?}");
    assert!(waits[7..].iter().any(|wait| *wait > 1500), "{waits:?}");
}

/// A host that is gone leaves all connections to it half open: who finds out spares the others (guarantee G60).
#[test]
fn g60_with_a_silent_connection_unused_ones_go_that_were_not_heard_since() {
    check(
        r#"
        > client a
        > get 1
        connect 1 to a
        > get 2
        connect 2 to a
        > get 3
        connect 3 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > open 3
        send 3: POST /v3/kv/range {"key":"3"}
        > answer 1 200 {}
        call 1: Range
        > answer 2 200 {}
        call 2: Range
        > wait 1s
        > answer 3 200 {}
        call 3: Range
        > get 4
        send 3: POST /v3/kv/range {"key":"4"}
        > get 5
        send 2: POST /v3/kv/range {"key":"5"}
        > wait 100ms
        > answer 2 200 {}
        call 5: Range
        > wait 6s
        at 6s
        call 4: Timeout, not applied: deadline passed while waiting for the answer
        close 3
        // Nothing came on it since the silent one was heard last.
        close 1
        > get 6
        send 2: POST /v3/kv/range {"key":"6"}
        "#,
    );
}

/// What a connection was sent of its last request's time.
fn timeout_sent(world: &mut World, conn: u64) -> Option<String> {
    let sent = String::from_utf8(world.socket(conn).sent.clone()).expect("text");
    let (_, last) = sent.rsplit_once("HTTP/1.1\r\n").expect("a request");
    let (_, after) = last.split_once("Grpc-Timeout: ")?;
    Some(after.split("\r\n").next()?.to_owned())
}

#[test]
fn r8_each_attempt_tells_the_server_what_is_left_of_the_deadline() {
    let mut world = World::after("client a b\nget k\nopen 1");
    assert_eq!(timeout_sent(&mut world, 1).as_deref(), Some("5000m"));
    world.run("wait 2ms");
    world.run("reset 1");
    world.run("open 2");
    assert_eq!(timeout_sent(&mut world, 2).as_deref(), Some("4998m"));
    let mut world = World::after("client a\nput k v timeout=300ms\nopen 1");
    assert_eq!(timeout_sent(&mut world, 1).as_deref(), Some("300m"));
}

#[test]
fn r8_who_waits_without_a_deadline_tells_none() {
    let mut world = World::after("client a\nlock l\nopen 1");
    assert_eq!(timeout_sent(&mut world, 1), None);
    let mut world = World::after("client a\nlock l timeout=2s\nopen 1");
    assert_eq!(timeout_sent(&mut world, 1).as_deref(), Some("2000m"));
}

#[test]
fn g44_beyond_the_budget_calls_wait_until_one_succeeds() {
    check(
        r#"
        > client a burst=1 per_second=1
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 30ms
        at 16.42852ms
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 200ms
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 2: Range
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        "#,
    );
}

#[test]
fn g44_beyond_the_budget_time_gives_attempts() {
    check(
        r#"
        > client a burst=1 per_second=1 write_timeout=3500ms
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 30ms
        at 16.42852ms
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 1s
        at 1s
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 1s
        at 2s
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 1s
        at 3s
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        > wait 1s
        at 3.5s
        call 1: Etcd, not applied: etcdserver: no leader (Unavailable)
        "#,
    );
}

/// The first round over all endpoints is free: who loses a member goes on elsewhere at once (guarantee G43).
#[test]
fn g44_another_endpoint_costs_nothing() {
    check(
        r#"
        > client a b c burst=1 per_second=0
        > get 1
        connect 1 to a
        > get 2
        connect 2 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > reset 1
        close 1
        connect 3 to b
        > reset 2
        close 2
        connect 4 to b
        > open 3
        send 3: POST /v3/kv/range {"key":"2"}
        > open 4
        send 4: POST /v3/kv/range {"key":"1"}
        "#,
    );
}

/// A read is asked again, and so is what shows whether it was done before; all else is done once.
#[test]
fn r1_there_are_three_classes_of_calls() {
    let mut world = World::after("client a\nget k\nend 7\nput k v\nopen 1\nopen 2\nopen 3");
    assert_eq!(world.run("eof 1"), ["close 1"]);
    assert_eq!(world.run("eof 2"), ["close 2"]);
    let told = world.run("eof 3").join("\n");
    assert!(
        told.contains("call 3: Unavailable, maybe applied"),
        "{told}"
    );
    world.run("wait 1s");
    let again = [world.run("open 4").join(""), world.run("open 5").join("")];
    assert_eq!(
        again,
        [
            r#"send 4: POST /v3/lease/revoke {"ID":"7"}"#,
            r#"send 5: POST /v3/kv/range {"key":"k"}"#
        ]
    );
    let gone = r#"404 {"code":5,"message":"etcdserver: requested lease not found"}"#;
    let told = world.run(&format!("answer 4 {gone}"));
    assert_eq!(told, ["call 2: LeaseRevoke"]);
    assert_eq!(world.run("answer 5 200 {}"), ["call 1: Range"]);
    assert_eq!(world.open_sockets(), 2);
}
