//! Calls that wait for somebody else: locks, elections, and long work.

mod support;

use support::World;
use support::check;

#[test]
fn calls_that_wait_take_no_connection_from_others() {
    check(
        r#"
        > client a connections=1
        > lock l
        connect 1 to a
        > open 1
        send 1: POST /v3/lock/lock {"lease":"7","name":"bA=="}
        > campaign e me
        connect 2 to a
        > open 2
        send 2: POST /v3/election/campaign {"lease":"7","name":"ZQ==","value":"me"}
        > get k
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k"}
        > answer 3 200 {}
        call 3: Range
        > get k
        send 3: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {"leader":{"key":"ZS83"}}
        close 2
        call 2: Campaign
        > answer 1 200 {"key":"bC83"}
        close 1
        call 1: Lock
        "#,
    );
}

#[test]
fn what_waits_has_no_deadline_once_it_is_sent() {
    check(
        r#"
        > client a
        > lock l
        connect 1 to a
        > open 1
        send 1: POST /v3/lock/lock {"lease":"7","name":"bA=="}
        > defragment at=a
        connect 2 to a
        > open 2
        send 2: POST /v3/maintenance/defragment {}
        > wait 7200s
        > answer 2 200 {}
        close 2
        call 2: Defragment
        > answer 1 200 {"key":"bC83"}
        close 1
        call 1: Lock
        "#,
    );
}

#[test]
fn what_waits_has_to_be_sent_within_the_time_of_a_write() {
    check(
        r#"
        > client a connect_timeout=10s
        > lock l
        connect 1 to a
        > until 8s
        at 8s
        call 1: Timeout, not applied: deadline passed while waiting for a connection
        > open 1
        close 1
        "#,
    );
}

#[test]
fn a_deadline_of_the_callers_holds() {
    check(
        r#"
        > client a b
        > lock l timeout=10s
        connect 1 to a
        > open 1
        send 1: POST /v3/lock/lock {"lease":"7","name":"bA=="}
        > wait 10s
        at 10s
        call 1: Timeout, maybe applied: deadline passed while waiting for the answer
        close 1
        // Nothing is held against the server.
        > get k
        connect 2 to a
        "#,
    );
}

#[test]
fn cancelling_closes_the_connection() {
    check(
        r#"
        > client a
        > lock l
        connect 1 to a
        > lock m
        connect 2 to a
        > cancel 1
        call 1: Canceled, not applied: canceled by the caller
        > open 1
        send 1: POST /v3/lock/lock {"lease":"7","name":"bQ=="}
        > open 2
        close 2
        > cancel 2
        call 2: Canceled, maybe applied: canceled by the caller
        close 1
        "#,
    );
}

#[test]
fn at_most_so_many_wait_at_once() {
    check(
        r#"
        > client a waits=1
        > lock l
        connect 1 to a
        > campaign e me
        call 2: Limit, not applied: more than 1 calls that wait for somebody else or for long work
        > get k
        connect 2 to a
        > cancel 1
        call 1: Canceled, not applied: canceled by the caller
        > campaign e me
        > open 1
        send 1: POST /v3/election/campaign {"lease":"7","name":"ZQ==","value":"me"}
        "#,
    );
}

#[test]
fn what_waits_is_not_sent_again_once_a_server_may_have_it() {
    check(
        r#"
        > client a b
        > defragment
        connect 1 to a
        > open 1
        send 1: POST /v3/maintenance/defragment {}
        > eof 1
        close 1
        call 1: Unavailable, maybe applied: no endpoint could serve the call: connection lost: server closed the connection and said nothing; if this port speaks TLS, use https://
        > slow
        > lock l
        connect 2 to b
        > open 2
        transmit 2: 124 bytes
        > write 2 20
        > eof 2
        close 2
        > until 25ms
        at 20.860227ms
        connect 3 to a
        "#,
    );
}

#[test]
fn no_secret_is_in_the_debug_text_of_a_client() {
    let mut world = World::after(
        "client a
        slow
        login root swordfish
        open 1",
    );
    let text = format!("{:?}", world.client());
    assert!(!text.contains("swordfish"), "{text}");
}
