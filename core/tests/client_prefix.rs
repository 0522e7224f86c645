//! The prefix of the paths, found from each server's version.

mod support;

use support::check;

#[test]
fn a_server_is_asked_once_before_all_else() {
    check(
        r#"
        > client a find=true
        > put k v
        connect 1 to a
        > get k
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.3.27","etcdcluster":"3.3.0"}
        send 1: POST /v3beta/kv/put {"key":"k","value":"v"}
        connect 2 to a
        > answer 1 200 {}
        call 1: Put
        send 1: POST /v3beta/kv/range {"key":"k"}
        > open 2
        > answer 1 200 {}
        call 3: Range
        > get k
        send 1: POST /v3beta/kv/range {"key":"k"}
        "#,
    );
}

#[test]
fn watches_renewals_and_snapshots_wait_for_it() {
    check(
        r#"
        > client a find=true
        > watch k
        connect 1 to a
        > renew 7
        > snapshot
        > observe e
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.2.0"}
        connect 2 to a
        connect 3 to a
        connect 4 to a
        connect 5 to a
        > open 2
        send 2: POST /v3alpha/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > open 3
        send 3: POST /v3alpha/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > open 4
        send 4: POST /v3alpha/maintenance/snapshot {}
        > open 5
        send 5: POST /v3alpha/election/observe {"name":"ZQ=="}
        "#,
    );
}

#[test]
fn each_server_has_its_own() {
    check(
        r#"
        > client a b find=true balance=round_robin
        > get 1
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.3.27"}
        send 1: POST /v3beta/kv/range {"key":"1"}
        > answer 1 200 {}
        call 1: Range
        > get 2
        send 1: POST /v3beta/kv/range {"key":"2"}
        connect 2 to b
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.4.23"}
        > answer 1 200 {}
        call 3: Range
        > get 3
        send 2: POST /v3/kv/range {"key":"3"}
        > get 4
        send 1: POST /v3beta/kv/range {"key":"4"}
        "#,
    );
}

/// As behind a proxy that lets through nothing but the gateway.
#[test]
fn a_server_that_does_not_say_has_the_configured_one() {
    check(
        r#"
        > client a find=true
        > get k
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 404 not here
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn a_server_that_cannot_be_asked_is_passed_by() {
    check(
        r#"
        > client a b find=true
        > get k
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.1"}
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn a_server_that_keeps_silent_is_passed_by() {
    check(
        r#"
        > client a b find=true attempt_timeout=1s
        > get k
        connect 1 to a
        > wait 1ms
        > open 1
        send 1: GET /version
        > wait 1s
        at 1.001s
        close 1
        connect 2 to b
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.1"}
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn the_only_server_is_asked_again() {
    check(
        r#"
        > client a find=true attempt_timeout=1s
        > get k
        connect 1 to a
        > wait 1ms
        > open 1
        send 1: GET /version
        > wait 1s
        at 1.001s
        close 1
        > wait 30ms
        at 1.01742852s
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.1"}
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn a_login_waits_for_it_too() {
    check(
        r#"
        > client a find=true user=root password=p
        > get k
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.3.27"}
        send 1: POST /v3beta/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"t1"}
        send 1: POST /v3beta/kv/range {"key":"k"} as t1
        "#,
    );
}

#[test]
fn calls_at_an_endpoint_of_their_own_wait_for_it() {
    check(
        r#"
        > client a find=true
        > get 1 at=b
        connect 1 to b
        > lock l at=b
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.3.27"}
        send 1: POST /v3beta/kv/range {"key":"1"}
        connect 2 to b
        > open 2
        send 2: POST /v3beta/lock/lock {"lease":"7","name":"bA=="}
        "#,
    );
}

/// While one server does not say, the others serve.
#[test]
fn nobody_waits_for_one_server_while_others_are_known() {
    check(
        r#"
        > client a b find=true balance=round_robin attempt_timeout=1s
        > get 1
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.5.1"}
        send 1: POST /v3/kv/range {"key":"1"}
        > answer 1 200 {}
        call 1: Range
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        connect 2 to b
        > answer 1 200 {}
        call 3: Range
        > open 2
        send 2: GET /version
        > get 3
        send 1: POST /v3/kv/range {"key":"3"}
        > answer 1 200 {}
        call 5: Range
        > wait 1s
        at 1s
        close 2
        > get 4
        send 1: POST /v3/kv/range {"key":"4"}
        > answer 1 200 {}
        call 6: Range
        "#,
    );
}

/// What passes is no reason to believe anything.
#[test]
fn a_server_that_is_not_ready_is_asked_again() {
    check(
        r#"
        > client a find=true attempts=1
        > get k
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 503 not now
        > wait 100ms
        at 16.42852ms
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.3.1"}
        send 1: POST /v3beta/kv/range {"key":"k"}
        > answer 1 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn a_refusal_to_say_is_taken_as_one() {
    check(
        r#"
        > client a find=true user=root password=p
        > get k
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 401 {"error":"no","code":16,"message":"no"}
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"t1"}
        send 1: POST /v3/kv/range {"key":"k"} as t1
        "#,
    );
}

/// It may come back as another version.
#[test]
fn a_server_that_failed_is_asked_anew() {
    check(
        r#"
        > client a find=true
        > get 1
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.3.27"}
        send 1: POST /v3beta/kv/range {"key":"1"}
        > reset 1
        close 1
        > wait 1s
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.4.1"}
        send 2: POST /v3/kv/range {"key":"1"}
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn why_nothing_can_be_asked_is_told() {
    check(
        r#"
        > client a find=true read_timeout=1s
        > get k
        connect 1 to a
        > watch k
        > refuse 1
        close 1
        > wait 5s
        at 16.42852ms
        connect 2 to a
        at 1s
        call 1: Unavailable, not applied: no endpoint could serve the call: cannot connect: connection refused
        watch 1: end: no endpoint could serve the call: cannot connect: connection refused
        at 2.01642852s
        close 2
        "#,
    );
}

/// No setting makes it ask without end.
#[test]
fn without_patience_there_are_waits_all_the_same() {
    check(
        r#"
        > client a find=true attempt_timeout=0s
        > get k
        connect 1 to a
        > open 1
        send 1: GET /version
        > wait 10ms
        at 0ns
        close 1
        "#,
    );
}

/// What is made again comes before it in the line, and must not keep it from being asked.
#[test]
fn the_question_is_asked_whoever_is_before_it() {
    check(
        r#"
        > client a find=true connections=2
        > get 1 at=b
        connect 1 to b
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.5.1"}
        send 1: POST /v3/kv/range {"key":"1"}
        > get 2 at=b
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"2"}
        > reset 1
        close 1
        > wait 30ms
        at 16.42852ms
        connect 3 to b
        > reset 2
        close 2
        > wait 30ms
        > open 3
        send 3: GET /version
        > answer 3 200 {"etcdserver":"3.5.1"}
        send 3: POST /v3/kv/range {"key":"2"}
        > answer 3 200 {}
        call 3: Range
        send 3: POST /v3/kv/range {"key":"1"}
        "#,
    );
}
