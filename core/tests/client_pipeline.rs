//! Calls that go ahead of the answers to others on their connection: which do, and how they end.

mod support;

use support::check;

#[test]
fn reads_go_ahead_of_answers_up_to_the_depth() {
    check(
        r#"
        > client a connections=1 pipeline=3
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > get 4
        > answer 1 200 {"count":"1"}
        call 1: Range
        send 1: POST /v3/kv/range {"key":"4"}
        > answer 1 200 {"count":"2"}
        call 2: Range
        > answer 1 200 {"count":"3"}
        call 3: Range
        > answer 1 200 {"count":"4"}
        call 4: Range
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {}
        call 5: Put
        "#,
    );
}

/// Design: one write for several small requests.
#[test]
fn what_is_asked_between_two_writes_goes_out_in_one() {
    check(
        r#"
        > client a connections=1 pipeline=8
        > slow
        > get 1
        connect 1 to a
        > get 2
        > get 3
        > open 1
        transmit 1: 393 bytes
        > write 1
        send 1: POST /v3/kv/range {"key":"1"}
        send 1: POST /v3/kv/range {"key":"2"}
        send 1: POST /v3/kv/range {"key":"3"}
        > get 4
        transmit 1: 131 bytes
        > get 5
        > write 1
        send 1: POST /v3/kv/range {"key":"4"}
        send 1: POST /v3/kv/range {"key":"5"}
        > raw 1 HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Le
        call 1: Range
        call 2: Range
        > raw 1 ngth: 2\r\n\r\n{}
        call 3: Range
        "#,
    );
}

#[test]
fn a_write_that_may_not_be_repeated_has_its_connection_for_itself() {
    check(
        r#"
        > client a connections=2 pipeline=4
        > put k 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"1"}
        > get 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"1"}
        > get 2
        send 2: POST /v3/kv/range {"key":"2"}
        > put k 2
        > get 3
        > answer 1 200 {}
        call 1: Put
        send 1: POST /v3/kv/put {"key":"k","value":"2"}
        send 2: POST /v3/kv/range {"key":"3"}
        > get 4
        send 2: POST /v3/kv/range {"key":"4"}
        > answer 2 200 {}
        call 2: Range
        "#,
    );
}

/// Reads never keep a write from its turn, nor does a write that waits keep them from theirs.
#[test]
fn a_connection_is_emptied_for_the_write_that_is_next() {
    check(
        r#"
        > client a connections=2 pipeline=2
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        connect 2 to a
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        > open 2
        send 2: POST /v3/kv/range {"key":"3"}
        > put k v
        > get 4
        > get 5
        > answer 2 200 {}
        call 3: Range
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {}
        call 1: Range
        send 1: POST /v3/kv/range {"key":"4"}
        > answer 1 200 {}
        call 2: Range
        send 1: POST /v3/kv/range {"key":"5"}
        > get 6
        > answer 1 200 {}
        call 5: Range
        send 1: POST /v3/kv/range {"key":"6"}
        "#,
    );
}

/// Those behind a write that waits do not wait with it.
#[test]
fn reads_overtake_a_write_that_waits_for_a_connection() {
    check(
        r#"
        > client a connections=2 pipeline=2
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        connect 2 to a
        send 1: POST /v3/kv/range {"key":"2"}
        > open 2
        > get 3
        send 2: POST /v3/kv/range {"key":"3"}
        > put k v
        > get 4
        > get 5
        > answer 1 200 {}
        call 1: Range
        send 1: POST /v3/kv/range {"key":"4"}
        > answer 2 200 {}
        call 3: Range
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {}
        call 2: Range
        send 1: POST /v3/kv/range {"key":"5"}
        > answer 1 200 {}
        call 5: Range
        > answer 2 200 {}
        call 4: Put
        "#,
    );
}

#[test]
fn a_canceled_call_leaves_the_others_where_they_are() {
    check(
        r#"
        > client a connections=1 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > cancel 2
        call 2: Canceled, not applied: canceled by the caller
        > answer 1 200 {"count":"1"}
        call 1: Range
        > answer 1 200 {"count":"2"}
        > answer 1 200 {"count":"3"}
        call 3: Range
        > get 4
        send 1: POST /v3/kv/range {"key":"4"}
        > cancel 4
        call 4: Canceled, not applied: canceled by the caller
        close 1
        "#,
    );
}

/// What is left is not wanted: nobody waits for it.
#[test]
fn a_connection_with_canceled_calls_only_is_closed() {
    check(
        r#"
        > client a connections=1 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > cancel 2
        call 2: Canceled, not applied: canceled by the caller
        > answer 1 200 {"count":"1"}
        call 1: Range
        close 1
        > get 3
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"3"}
        > get 4
        send 2: POST /v3/kv/range {"key":"4"}
        > cancel 3
        call 3: Canceled, not applied: canceled by the caller
        > cancel 4
        call 4: Canceled, not applied: canceled by the caller
        close 2
        "#,
    );
}

/// Guarantee G3: the request of a canceled call goes out where others are behind it, also one of which
/// nothing was sent before.
#[test]
fn g3_a_canceled_call_that_shares_may_happen() {
    check(
        r#"
        > client a connections=1 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > slow
        > end 7
        transmit 1: 131 bytes
        > get 2
        > cancel 2
        call 2: Canceled, maybe applied: canceled by the caller
        > quick
        > write 1
        send 1: POST /v3/lease/revoke {"ID":"7"}
        send 1: POST /v3/kv/range {"key":"2"}
        > answer 1 200 {}
        call 1: Range
        > answer 1 200 {}
        > answer 1 200 {}
        call 3: Range
        "#,
    );
}

#[test]
fn a_deadline_leaves_the_others_unless_the_server_is_silent() {
    check(
        r#"
        > client a connections=1 pipeline=4 attempt_timeout=2s read_timeout=3s
        > get 1 timeout=6s
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2 timeout=1s
        send 1: POST /v3/kv/range {"key":"2"}
        > wait 1s
        at 1s
        call 2: Timeout, not applied: deadline passed while waiting for the answer
        > get 3 timeout=2500ms
        send 1: POST /v3/kv/range {"key":"3"}
        > wait 2500ms
        at 3.5s
        call 3: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        > wait 30ms
        at 3.51642852s
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"1"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

/// Those that share are made again elsewhere, the one that was next on a connection of its own.
#[test]
fn a_lost_connection_repeats_all_that_were_on_it() {
    check(
        r#"
        > client a connections=2 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        connect 2 to a
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > open 2
        > end 7
        send 2: POST /v3/lease/revoke {"ID":"7"}
        > reset 1
        close 1
        > wait 30ms
        at 16.42852ms
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"1"}
        send 2: POST /v3/kv/range {"key":"2"}
        send 2: POST /v3/kv/range {"key":"3"}
        > answer 3 200 {}
        call 1: Range
        > answer 2 200 {}
        call 4: LeaseRevoke
        > answer 2 200 {}
        call 2: Range
        "#,
    );
}

#[test]
fn an_answer_that_is_too_long_ends_only_its_call() {
    check(
        r#"
        > client a connections=1 pipeline=4 body=10
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > answer 1 200 {}
        call 1: Range
        > answer 1 200 {"count":"12345"}
        close 1
        call 2: Limit, not applied: answer body is longer than 10 bytes
        > wait 30ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"3"}
        > answer 2 200 {}
        call 3: Range
        "#,
    );
}

/// A server whose answer to one call cannot be read must not cost the others all their attempts.
#[test]
fn a_call_that_breaks_connections_breaks_its_own_from_then_on() {
    check(
        r#"
        > client a connections=2 pipeline=4
        > get bad
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"bad"}
        > get 2
        connect 2 to a
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > answer 1 200 nonsense
        close 1
        > open 2
        send 2: POST /v3/kv/range {"key":"bad"}
        > wait 30ms
        at 16.42852ms
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"2"}
        send 3: POST /v3/kv/range {"key":"3"}
        > answer 2 200 nonsense
        close 2
        > answer 3 200 {}
        call 2: Range
        "#,
    );
}

/// RFC 9112 section 9.6: after such an answer no other comes.
#[test]
fn a_server_that_closes_after_an_answer_is_asked_the_rest_again() {
    check(
        r#"
        > client a connections=1 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > raw 1 HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}
        call 1: Range
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        send 2: POST /v3/kv/range {"key":"3"}
        > answer 2 200 {}
        call 2: Range
        > answer 2 200 {}
        call 3: Range
        "#,
    );
}

/// Guarantee G54: no answer is taken for another's.
#[test]
fn g54_an_answer_to_nothing_ends_the_connection() {
    check(
        r#"
        > client a connections=1 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > answer 1 200 {"count":"1"}
        call 1: Range
        > raw 1 HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}
        call 2: Range
        close 1
        > get 3
        connect 2 to a
        "#,
    );
}

/// Before the server can have a byte of it.
#[test]
fn g54_an_answer_before_its_request_is_refused() {
    check(
        r#"
        > client a connections=1 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > slow
        > get 2
        transmit 1: 131 bytes
        > raw 1 HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}
        call 1: Range
        close 1
        "#,
    );
}

/// Rule A-6: on one connection all carry the same token, so that it is known which one was refused.
#[test]
fn a6_calls_with_another_token_do_not_join() {
    check(
        r#"
        > client a connections=2 pipeline=4 token=t1
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"} as t1
        > get 2
        connect 2 to a
        send 1: POST /v3/kv/range {"key":"2"} as t1
        > credentials token=t2
        > get 3
        > open 2
        send 2: POST /v3/kv/range {"key":"3"} as t2
        > get 4
        send 2: POST /v3/kv/range {"key":"4"} as t2
        > answer 1 200 {}
        call 1: Range
        > answer 1 200 {}
        call 2: Range
        > get 5
        send 1: POST /v3/kv/range {"key":"5"} as t2
        "#,
    );
}

/// Who asks for one endpoint is not kept waiting for ever by those who take any.
#[test]
fn the_line_whose_first_call_came_first_is_served_first() {
    check(
        r#"
        > client a connections=1
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        > get 3 at=a
        > get 4
        > answer 1 200 {}
        call 1: Range
        send 1: POST /v3/kv/range {"key":"2"}
        > answer 1 200 {}
        call 2: Range
        send 1: POST /v3/kv/range {"key":"3"}
        > answer 1 200 {}
        call 3: Range
        send 1: POST /v3/kv/range {"key":"4"}
        > answer 1 200 {}
        call 4: Range
        "#,
    );
}

/// Rule L-10: leases have a connection of their own.
#[test]
fn l10_a_renewal_does_not_wait_behind_bulk() {
    check(
        r#"
        > client a connections=1 pipeline=2
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        > put k v
        > renew 7
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        "#,
    );
}

/// What the client wants to know of a server first is asked on a connection that is free.
#[test]
fn a_call_that_not_every_server_has_does_not_share() {
    check(
        r#"
        > client a connections=1 pipeline=4
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > readyz
        > get 2
        > answer 1 200 {}
        call 1: Range
        send 1: GET /version
        "#,
    );
}

#[test]
fn calls_at_an_endpoint_of_their_own_share_too() {
    check(
        r#"
        > client a b connections=1 pipeline=4
        > get 1 at=b
        connect 1 to b
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2 at=b
        send 1: POST /v3/kv/range {"key":"2"}
        > put k v at=b
        > get 3 at=b
        > answer 1 200 {}
        call 1: Range
        > answer 1 200 {}
        call 2: Range
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {}
        call 3: Put
        send 1: POST /v3/kv/range {"key":"3"}
        "#,
    );
}

/// The answer to a canceled call is nobody's, also where it is too long.
#[test]
fn an_answer_that_is_too_long_and_not_wanted_ends_no_call() {
    check(
        r#"
        > client a connections=1 pipeline=4 body=10
        > get big
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"big"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > cancel 1
        call 1: Canceled, not applied: canceled by the caller
        > answer 1 200 {"count":"12345"}
        close 1
        > wait 30ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > answer 2 200 {}
        call 2: Range
        "#,
    );
}

/// Callers that give up soon find out together that a server is silent.
#[test]
fn short_deadlines_do_not_keep_a_dead_connection() {
    check(
        r#"
        > client a b connections=1 pipeline=8 attempt_timeout=2s
        > get 1 timeout=900ms
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > wait 600ms
        > get 2 timeout=900ms at=a
        send 1: POST /v3/kv/range {"key":"2"}
        > wait 600ms
        at 900ms
        call 1: Timeout, not applied: deadline passed while waiting for the answer
        > get 3 timeout=900ms at=a
        send 1: POST /v3/kv/range {"key":"3"}
        > wait 600ms
        at 1.5s
        call 2: Timeout, not applied: deadline passed while waiting for the answer
        > get 4 timeout=900ms at=a
        send 1: POST /v3/kv/range {"key":"4"}
        > wait 600ms
        at 2.1s
        call 3: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        connect 2 to a
        > get 5 timeout=900ms at=a
        > wait 1s
        at 2.7s
        call 4: Unavailable, not applied: no endpoint could serve the call: connection lost: server was silent when it was asked
        at 3.3s
        call 5: Timeout, not applied: deadline passed while waiting for a connection
        "#,
    );
}

/// A peer that answers one call a connection costs the others nothing but time.
#[test]
fn a_server_that_closes_after_each_answer_costs_no_attempts() {
    check(
        r#"
        > client a connections=1 pipeline=4 attempts=1
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > raw 1 HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}
        call 1: Range
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        send 2: POST /v3/kv/range {"key":"3"}
        > raw 2 HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}
        call 2: Range
        close 2
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"3"}
        > raw 3 HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}
        call 3: Range
        close 3
        "#,
    );
}

/// What one server does not answer keeps no write from another.
#[test]
fn each_endpoint_has_a_connection_emptied() {
    check(
        r#"
        > client a b connections=1 pipeline=4 balance=round_robin
        > get 1 at=b timeout=60s
        connect 1 to b
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2 at=b timeout=60s
        send 1: POST /v3/kv/range {"key":"2"}
        > put b 1 at=b
        > get 3 at=a
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"3"}
        > get 4 at=a
        send 2: POST /v3/kv/range {"key":"4"}
        > put a 1
        > answer 2 200 {}
        call 4: Range
        > answer 2 200 {}
        call 5: Range
        send 2: POST /v3/kv/put {"key":"a","value":"1"}
        "#,
    );
}

/// Who gives up does not take from others what they still wait for.
#[test]
fn a_cancel_takes_no_connection_from_others() {
    check(
        r#"
        > client a connections=2 pipeline=4
        > get slow
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"slow"}
        > wait 2500ms
        > get 2
        connect 2 to a
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > get 4
        send 1: POST /v3/kv/range {"key":"4"}
        > cancel 4
        call 4: Canceled, not applied: canceled by the caller
        > answer 1 200 {}
        call 1: Range
        "#,
    );
}

/// Nor does an answer to another cost an attempt.
#[test]
fn an_answer_to_another_costs_no_attempt() {
    check(
        r#"
        > client a connections=1 pipeline=4 body=10 attempts=1
        > get big
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"big"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > answer 1 200 {"count":"12345"}
        close 1
        call 1: Limit, not applied: answer body is longer than 10 bytes
        > wait 30ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        send 2: POST /v3/kv/range {"key":"3"}
        > answer 2 200 {}
        call 2: Range
        > answer 2 200 {}
        call 3: Range
        "#,
    );
}
