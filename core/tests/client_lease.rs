//! Renewals of leases: many on one connection, answered in their order.

mod support;

use support::check;

/// Rule L-9, as gateway.md 8 amends it: one after the other on a stream.
#[test]
fn renewals_share_one_connection_and_are_answered_in_their_order() {
    check(
        r#"
        > client a
        > renew 7
        connect 1 to a
        > renew 8
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        > frame 1 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        > renew 9
        send 1: {"ID":"9"}
        > frame 1 {"ID":"8","TTL":"11"}
        call 2: LeaseKeepAlive 8 for 11 s
        > frame 1 {"ID":"9","TTL":"12"}
        call 3: LeaseKeepAlive 9 for 12 s
        "#,
    );
}

/// Rule B-11, as gateway.md 8 amends it: all renewals share one.
#[test]
fn renewals_and_calls_have_connections_of_their_own() {
    check(
        r#"
        > client a
        > renew 7
        connect 1 to a
        > get k
        connect 2 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 2: Range
        > frame 1 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        "#,
    );
}

/// Rule L-11.
#[test]
fn a_lease_that_is_gone_is_not_found() {
    check(
        r#"
        > client a
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7"}
        call 1: Etcd, not applied: etcdserver: requested lease not found (NotFound)
        > renew 7
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"-1"}
        call 2: Etcd, not applied: etcdserver: requested lease not found (NotFound)
        "#,
    );
}

#[test]
fn renewals_on_a_lost_connection_are_asked_again_in_their_order() {
    check(
        r#"
        > client a b
        > renew 7
        connect 1 to a
        > renew 8
        > renew 9
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        send 1: {"ID":"9"}
        > frame 1 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"8"}
        send 2: {"ID":"9"}
        > frame 2 {"ID":"8","TTL":"10"}
        call 2: LeaseKeepAlive 8 for 10 s
        > frame 2 {"ID":"9","TTL":"10"}
        call 3: LeaseKeepAlive 9 for 10 s
        "#,
    );
}

#[test]
fn an_answer_for_another_lease_closes_the_connection() {
    check(
        r#"
        > client a b
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"8","TTL":"10"}
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        "#,
    );
}

#[test]
fn an_answer_nobody_asked_for_closes_the_connection() {
    check(
        r#"
        > client a
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        > frame 1 {"ID":"7","TTL":"10"}
        close 1
        > renew 7
        connect 2 to a
        "#,
    );
}

#[test]
fn a_canceled_renewals_answer_is_passed_over() {
    check(
        r#"
        > client a
        > renew 7
        connect 1 to a
        > renew 8
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        > cancel 1
        call 1: Canceled, maybe applied: canceled by the caller
        > frame 1 {"ID":"7","TTL":"10"}
        > frame 1 {"ID":"8","TTL":"10"}
        call 2: LeaseKeepAlive 8 for 10 s
        "#,
    );
}

#[test]
fn a_renewal_without_an_answer_ends_and_the_others_are_asked_again() {
    check(
        r#"
        > client a b
        > renew 7 timeout=1s
        connect 1 to a
        > renew 8
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        > wait 1s
        at 1s
        call 1: Timeout, maybe applied: deadline passed while waiting for the answer
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"8"}
        > frame 2 {"ID":"8","TTL":"10"}
        call 2: LeaseKeepAlive 8 for 10 s
        "#,
    );
}

#[test]
fn a_renewal_that_cannot_be_sent_ends_at_its_deadline() {
    check(
        "
        > client a
        > renew 7 timeout=100ms
        connect 1 to a
        > refuse 1
        close 1
        > wait 1s
        at 16.42852ms
        connect 2 to a
        at 100ms
        call 1: Unavailable, not applied: no endpoint could serve the call: cannot connect: connection refused
        close 2
        ",
    );
}

#[test]
fn a_server_without_a_leader_is_left_for_the_next() {
    check(
        r#"
        > client a b
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > answer 1 503 {"error":{"code":14,"message":"etcdserver: no leader"}}
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        "#,
    );
}

#[test]
fn a_stream_of_renewals_that_ends_well_is_opened_again_when_needed() {
    check(
        r#"
        > client a
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        > last 1
        close 1
        > wait 100s
        > renew 7
        connect 2 to a
        "#,
    );
}

#[test]
fn an_idle_renewal_connection_is_not_used_after_its_limit() {
    check(
        r#"
        > client a idle_limit=10s
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        > wait 9s
        > renew 7
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"10"}
        call 2: LeaseKeepAlive 7 for 10 s
        > wait 11s
        > renew 7
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"10"}
        call 3: LeaseKeepAlive 7 for 10 s
        "#,
    );
}

#[test]
fn a_pinned_renewal_goes_to_its_endpoint_alone() {
    check(
        r#"
        > client a b
        > renew 7 at=b
        connect 1 to b
        > open 1
        send 1: POST /v3/lease/keepalive {"ID":"7"}
        > raw 1 HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n22\r\n{"result":{"ID":"7","TTL":"10"}}\n\n\r\n0\r\n\r\n
        call 1: LeaseKeepAlive 7 for 10 s
        "#,
    );
}

#[test]
fn shutdown_ends_renewals() {
    check(
        r#"
        > client a
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > renew 8
        send 1: {"ID":"8"}
        > cancel 1
        call 1: Canceled, maybe applied: canceled by the caller
        > shutdown
        call 2: Unavailable, maybe applied: no endpoint could serve the call: the client was shut down
        close 1
        > frame 1 {"ID":"7","TTL":"10"}
        "#,
    );
}
