//! Watches that are behind what other answers of their member show (rule T-4).

mod support;

use support::check;

#[test]
fn t4_a_watch_that_stays_behind_is_told_as_lagging() {
    check(
        r#"
        > client a
        > watch k lag=10/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > put k v
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {"header":{"revision":"40"}}
        call 1: Put
        > wait 1s
        at 1s
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > wait 10s
        at 2s
        watch 1: lags at 10 of 40
        > get k
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {"header":{"revision":"50"}}
        call 3: Range
        > wait 10s
        > events 1 id=1 rev=60 k@40
        watch 1: 40 +k
        > get k
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {"header":{"revision":"55"}}
        call 4: Range
        > wait 10s
        at 22s
        send 1: {"progress_request":{}}
        at 23s
        watch 1: lags at 40 of 55
        "#,
    );
}

#[test]
fn t4_progress_shows_that_nothing_was_missed() {
    check(
        r#"
        > client a
        > watch k lag=10/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > put j v
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"j","value":"v"}
        > answer 2 200 {"header":{"revision":"40"}}
        call 1: Put
        > wait 1s
        at 1s
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=40
        > wait 10s
        "#,
    );
}

#[test]
fn t4_what_the_watch_may_be_behind_is_no_lag() {
    check(
        r#"
        > client a
        > watch k lag=10/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > put j v
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"j","value":"v"}
        > answer 2 200 {"header":{"revision":"20"}}
        call 1: Put
        > wait 10s
        "#,
    );
}

#[test]
fn t4_an_answer_of_another_member_says_nothing() {
    check(
        r#"
        > client a b
        > watch k lag=10/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > put j v at=b
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/put {"key":"j","value":"v"}
        > answer 2 200 {"header":{"revision":"40"}}
        call 1: Put
        > wait 10s
        "#,
    );
}

#[test]
fn t4_the_answer_of_an_old_server_proves_nothing_either_way() {
    check(
        r#"
        > client a
        > watch k lag=10/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > put j v
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"j","value":"v"}
        > answer 2 200 {"header":{"revision":"40"}}
        call 1: Put
        > wait 1s
        at 1s
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.1","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=40
        > wait 10s
        > reset 1
        close 1
        connect 3 to a
        > wait 1s
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        "#,
    );
}

#[test]
fn t4_a_watch_that_is_not_read_is_not_lagging() {
    check(
        r#"
        > client a buffer=100
        > hold 1
        > watch k lag=0/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > events 1 id=1 rev=30 k@20
        pause 1
        > put k v
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {"header":{"revision":"40"}}
        call 1: Put
        > wait 10s
        > unwatch 1
        resume 1
        close 1
        > put k v
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {"header":{"revision":"41"}}
        call 2: Put
        > wait 10s
        "#,
    );
}

#[test]
fn t4_a_shutdown_leaves_no_look_behind() {
    check(
        r#"
        > client a
        > watch k lag=10/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > put k v
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {"header":{"revision":"40"}}
        call 1: Put
        > shutdown
        watch 1: end: the client was shut down
        close 1
        close 2
        > wait 10s
        "#,
    );
}
