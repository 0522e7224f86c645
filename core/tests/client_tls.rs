//! What the client makes of connections with TLS, in virtual time: the driver does TLS, and tells.

mod support;

use support::check;

#[test]
fn g4_a_refused_certificate_means_that_nothing_was_done() {
    check(
        r#"
        > client https://a attempts=1
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > disown 1
        close 1
        call 1: Unavailable, not applied: no endpoint could serve the call: cannot connect: certificate refused
        "#,
    );
}

#[test]
fn g4_a_write_goes_on_elsewhere_after_a_refused_certificate() {
    check(
        r#"
        > client https://a b
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > disown 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        "#,
    );
}

#[test]
fn a_watch_ends_with_what_was_said_of_the_certificate() {
    check(
        r#"
        > client https://a read_timeout=10ms
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > disown 1
        close 1
        > wait 20ms
        at 10ms
        watch 1: end: no endpoint could serve the call: cannot connect: certificate refused
        "#,
    );
}

#[test]
fn a_silent_port_may_be_one_without_tls() {
    check(
        r#"
        > client https://a attempts=1 connect_timeout=50ms write_timeout=60ms
        > put k v
        connect 1 to a
        > wait 50ms
        at 50ms
        close 1
        > wait 10ms
        at 60ms
        call 1: Unavailable, not applied: no endpoint could serve the call: cannot connect: no connection within 50 ms; if the server is there, it does not speak TLS on this port (use http://)
        "#,
    );
}

#[test]
fn a_port_that_closes_without_a_word_may_be_one_with_tls() {
    check(
        r#"
        > client a
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > eof 1
        close 1
        call 1: Unavailable, maybe applied: no endpoint could serve the call: connection lost: server closed the connection and said nothing; if this port speaks TLS, use https://
        "#,
    );
}
