//! Unary calls in virtual time: where they go, what is answered, how they end.

mod support;

use support::World;
use support::check;

#[test]
fn a_call_opens_one_connection_and_the_next_uses_it() {
    check(
        r#"
        > client a b
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {}
        call 1: Put
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"kvs":[{"key":"aw=="}],"count":"1"}
        call 2: Range k
        "#,
    );
}

#[test]
fn calls_wait_for_a_free_connection_when_all_are_taken() {
    check(
        r#"
        > client a connections=2
        > get 1
        connect 1 to a
        > get 2
        connect 2 to a
        > get 3
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > answer 2 200 {}
        call 2: Range
        send 2: POST /v3/kv/range {"key":"3"}
        > answer 2 200 {}
        call 3: Range
        > answer 1 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn a_call_is_canceled_before_its_connection_opened() {
    check(
        r#"
        > client a
        > put k v
        connect 1 to a
        > cancel 1
        call 1: Canceled, not applied: canceled by the caller
        > open 1
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 2: Range
        "#,
    );
}

#[test]
fn a_call_is_canceled_while_it_waits() {
    check(
        r#"
        > client a connections=1
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > put k v
        > cancel 2
        call 2: Canceled, not applied: canceled by the caller
        > cancel 2
        > answer 1 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn a_call_is_canceled_while_it_is_sent() {
    check(
        "
        > client a
        > slow
        > put k v
        connect 1 to a
        > open 1
        transmit 1: 144 bytes
        > write 1 5
        > cancel 1
        call 1: Canceled, not applied: canceled by the caller
        close 1
        > write 1
        ",
    );
}

/// Rule B-11: a connection with an unfinished answer is not used again.
#[test]
fn a_call_is_canceled_before_its_answer() {
    check(
        r#"
        > client a
        > put k v
        connect 1 to a
        > get k
        connect 2 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > cancel 1
        call 1: Canceled, maybe applied: canceled by the caller
        close 1
        > cancel 2
        call 2: Canceled, not applied: canceled by the caller
        close 2
        > answer 1 200 {}
        > answer 2 200 {}
        > eof 1
        > reset 2
        > wait 10s
        "#,
    );
}

#[test]
fn a_call_that_was_answered_is_not_canceled() {
    check(
        r#"
        > client a
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {}
        call 1: Put
        > cancel 1
        "#,
    );
}

#[test]
fn a_pinned_call_goes_to_its_endpoint() {
    check(
        r#"
        > client a b
        > get k at=b
        connect 1 to b
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 1: Range
        > get k at=c
        connect 2 to c
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 2: Range
        > get k
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k"}
        > answer 3 200 {}
        call 3: Range
        > get k at=b
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 4: Range
        "#,
    );
}

#[test]
fn a_pinned_call_does_not_move_to_another_endpoint() {
    check(
        "
        > client a b
        > get k at=b timeout=100ms
        connect 1 to b
        > refuse 1
        close 1
        > wait 1s
        at 20.860227ms
        connect 2 to b
        at 100ms
        call 1: Unavailable, not applied: no endpoint could serve the call: cannot connect: connection refused
        > get k
        connect 3 to a
        ",
    );
}

/// Rule R-9.
#[test]
fn an_idle_connection_is_not_used_after_its_limit() {
    check(
        r#"
        > client a idle_limit=30s
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 1: Range
        > wait 30s
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 2: Range
        > wait 31s
        > get k
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 3: Range
        "#,
    );
}

#[test]
fn the_connection_used_last_is_used_first() {
    check(
        r#"
        > client a
        > get 1
        connect 1 to a
        > get 2
        connect 2 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > answer 2 200 {}
        call 2: Range
        > answer 1 200 {}
        call 1: Range
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > answer 1 200 {}
        call 3: Range
        "#,
    );
}

#[test]
fn an_answer_that_closes_is_the_connections_last() {
    check(
        r#"
        > client a
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > raw 1 HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}
        call 1: Put
        close 1
        > get k
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > raw 2 HTTP/1.0 200 OK\r\n\r\n{}
        > eof 2
        call 2: Range
        close 2
        > get k
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k"}
        > raw 3 HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}garbage
        call 3: Range
        close 3
        "#,
    );
}

#[test]
fn errors_of_both_dialects_are_read() {
    check(
        r#"
        > client a attempts=1
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 400 {"error":"etcdserver: key is not provided","message":"etcdserver: key is not provided","code":3}
        call 1: Etcd, not applied: etcdserver: key is not provided (InvalidArgument)
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 404 {"code":5, "message":"etcdserver: requested lease not found"}
        call 2: Etcd, not applied: etcdserver: requested lease not found (NotFound)
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"error":"etcdserver: request timed out","code":14,"message":"x"}
        call 3: Etcd, maybe applied: x (Unavailable)
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 504 {"code":4,"message":"context deadline exceeded"}
        call 4: Etcd, maybe applied: context deadline exceeded (DeadlineExceeded)
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        call 5: Etcd, not applied: etcdserver: no leader (Unavailable)
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 404 404 page not found
        call 6: Etcd, not applied: 404 page not found (NotFound): nothing answers at /v3/kv/put; etcd's gateway is off (start etcd with --enable-grpc-gateway=true; with a configuration file, etcd before 3.5 needs `enable-grpc-gateway: true` in it), or the API prefix is another, or this is not etcd's client port
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 502 <html>bad gateway</html>
        call 7: Etcd, maybe applied: <html>bad gateway</html> (Unavailable): this is a web page and not etcd's answer; a proxy, or another server, is at this address
        > txn k v
        send 1: POST /v3/kv/txn {"success":[{"request_put":{"key":"k","value":"v"}}]}
        > answer 1 400 {"code":11,"message":"etcdserver: mvcc: required revision has been compacted"}
        call 8: Etcd, maybe applied: etcdserver: mvcc: required revision has been compacted (OutOfRange)
        "#,
    );
}

#[test]
fn an_answer_that_is_not_the_calls_is_no_answer() {
    check(
        r#"
        > client a
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {"header":5}
        close 1
        call 1: Unavailable, maybe applied: no endpoint could serve the call: connection lost: server sent bad JSON: invalid type: integer, expected an object in `header`, at offset 10
        > get k
        > wait 30ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200
        close 2
        > wait 100ms
        at 62.890591ms
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k"}
        > answer 3 200 {}
        call 2: Range
        "#,
    );
}

#[test]
fn as_many_calls_as_allowed_and_no_more() {
    check(
        r#"
        > client a calls=2 connections=1
        > get 1
        connect 1 to a
        > get 2
        > put k v
        call 3: Limit, not applied: more than 2 calls under way
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > answer 1 200 {}
        call 1: Range
        send 1: POST /v3/kv/range {"key":"2"}
        > get 4
        > get 5
        call 5: Limit, not applied: more than 2 calls under way
        "#,
    );
}

#[test]
fn a_request_as_long_as_allowed_and_no_longer() {
    check(
        "
        > client a request=29
        > put k v
        connect 1 to a
        > put k vvv
        connect 2 to a
        > put k vvvv
        call 3: Limit, not applied: request is larger than 29 bytes
        ",
    );
}

#[test]
fn an_answer_as_long_as_allowed_and_no_longer() {
    check(
        r#"
        > client a body=10
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"xore":1}
        call 1: Range
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"xore":10}
        close 1
        call 2: Limit, not applied: answer body is longer than 10 bytes
        > put k v
        > wait 30ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {"xore":10}
        close 2
        call 3: Limit, maybe applied: answer body is longer than 10 bytes
        "#,
    );
}

#[test]
fn shutdown_ends_calls_in_each_state() {
    check(
        r#"
        > client a connections=1
        > slow
        > put 1 v
        connect 1 to a
        > open 1
        transmit 1: 144 bytes
        > write 1
        send 1: POST /v3/kv/put {"key":"1","value":"v"}
        > get 2
        > put 3 v
        > shutdown
        call 1: Unavailable, maybe applied: no endpoint could serve the call: the client was shut down
        call 2: Unavailable, not applied: no endpoint could serve the call: the client was shut down
        call 3: Unavailable, not applied: no endpoint could serve the call: the client was shut down
        close 1
        > get 4
        call 4: Unavailable, not applied: no endpoint could serve the call: the client was shut down
        > answer 1 200 {}
        > eof 1
        > wait 100s
        "#,
    );
}

#[test]
fn shutdown_ends_calls_that_wait_for_a_connection() {
    check(
        "
        > client a b
        > put k v
        connect 1 to a
        > renew 7
        connect 2 to a
        > shutdown
        call 1: Unavailable, not applied: no endpoint could serve the call: the client was shut down
        call 2: Unavailable, not applied: no endpoint could serve the call: the client was shut down
        close 1
        close 2
        > open 1
        > refuse 1
        > wait 100s
        ",
    );
}

#[test]
fn an_old_endpoint_is_left_with_the_last_answer() {
    check(
        r#"
        > client a b connections=1
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > watch k
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > reset 2
        close 2
        connect 3 to b
        > answer 1 200 {}
        close 1
        call 1: Range
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > reset 3
        close 3
        > wait 30ms
        at 20.860227ms
        connect 4 to a
        > get 2
        connect 5 to a
        "#,
    );
}

#[test]
fn input_for_a_dead_connection_changes_nothing() {
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
        > open 1
        > answer 1 200 {}
        > raw 1 garbage
        > eof 1
        > reset 1
        > refuse 1
        > write 1
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn many_calls_share_as_many_connections_as_allowed() {
    let mut world = World::after("client a connections=8");
    for _ in 0..64 {
        world.run("get k");
    }
    assert_eq!(world.open_sockets(), 8);
    for conn in 1..=8 {
        world.run(&format!("open {conn}"));
    }
    for _ in 0..8 {
        for conn in 1..=8 {
            world.run(&format!("answer {conn} 200 {{}}"));
        }
    }
    let text = world.transcript();
    for call in 1..=64 {
        let line = format!("call {call}: Range\n");
        assert_eq!(text.matches(&line).count(), 1, "{call}");
    }
    assert_eq!(world.client().stats().connections_opened, 8);
    assert_eq!(world.client().stats().retries, 0);
}

/// Rules N-1 and N-5: keys go out under the prefix, come back without it, and a foreign one is an error.
#[test]
fn n1_n5_keys_are_under_the_prefix() {
    check(
        r#"
        > client a namespace=p/
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"p/k"}
        > answer 1 200 {"kvs":[{"key":"cC9r","value":"dg=="}],"count":"1"}
        call 1: Range k
        > get k
        send 1: POST /v3/kv/range {"key":"p/k"}
        > answer 1 200 {"kvs":[{"key":"cQ==","value":"dg=="}],"count":"1"}
        call 2: Unavailable, not applied: no endpoint could serve the call: server broke the protocol: answer has a key outside of the namespace
        > put k v
        send 1: POST /v3/kv/put {"key":"p/k","value":"v"}
        > answer 1 200 {"prev_kv":{"key":"cA=="}}
        call 3: Unavailable, maybe applied: no endpoint could serve the call: server broke the protocol: answer has a key outside of the namespace
        > watch k
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"p/k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > events 2 id=1 rev=11 p/k@11
        watch 1: 11 +k
        > events 2 id=1 rev=12 k@12
        close 2
        watch 1: end: no endpoint could serve the call: server broke the protocol: answer has a key outside of the namespace
        "#,
    );
}
