//! Watches with a request each, where something on the way keeps open requests back (rule W-22).

mod support;

use support::World;
use support::check;

#[test]
fn w22_a_shared_request_that_gets_no_byte_is_followed_by_one_for_each_watch() {
    check(
        r#"
        > client a
        > watch k
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > wait 3s
        at 2s
        close 1
        at 2.01642852s
        connect 2 to a
        connect 3 to a
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > open 3
        send 3: POST /v3/watch {"create_request":{"key":"j","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > created 3 id=1 rev=10
        watch 2: created at 10
        > events 2 id=1 rev=11 k@11
        watch 1: 11 +k
        > watch i
        connect 4 to a
        > open 4
        send 4: POST /v3/watch {"create_request":{"key":"i","progress_notify":true,"watch_id":"1"}}
        > created 4 id=1 rev=11
        watch 3: created at 11
        "#,
    );
}

#[test]
fn w22_a_server_that_said_anything_lets_requests_through() {
    check(
        r#"
        > client a
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > raw 1 HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n
        > wait 3s
        at 2s
        close 1
        at 2.01642852s
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        "#,
    );
}

#[test]
fn w22_it_is_an_endpoint_that_keeps_requests_back() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 2s
        at 2s
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > reset 2
        close 2
        > wait 100ms
        at 2.020860227s
        connect 3 to a
        > open 3
        send 3: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        "#,
    );
}

#[test]
fn w22_a_shared_request_is_tried_again_where_the_other_does_no_better() {
    check(
        r#"
        > client a read_timeout=60s
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 3s
        at 2s
        close 1
        at 2.01642852s
        connect 2 to a
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 3s
        at 5s
        close 2
        at 5.032890591s
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 3 id=1 rev=10
        watch 1: created at 10
        "#,
    );
}

#[test]
fn w22_a_shared_request_is_tried_again_later() {
    check(
        r#"
        > client a read_timeout=600s
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 3s
        at 2s
        close 1
        at 2.01642852s
        connect 2 to a
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > wait 40s
        > watch j
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"j","progress_notify":true,"watch_id":"1"}}
        > wait 3s
        at 45s
        close 3
        at 45.032890591s
        connect 4 to a
        > open 4
        send 4: POST /v3/watch {"create_request":{"key":"j","progress_notify":true,"watch_id":"1"}}
        > created 4 id=1 rev=10
        watch 2: created at 10
        > wait 40s
        > reset 4
        close 4
        connect 5 to a
        > wait 100ms
        > open 5
        send 5: POST /v3/watch {"create_request":{"key":"j","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 5 id=1 rev=10
        watch 2: resumed from 11 at a
        > wait 60s
        > reset 5
        close 5
        connect 6 to a
        > wait 100ms
        > open 6
        send 6: POST /v3/watch (open, with a leader)
        send 6: {"create_request":{"key":"j","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 6 id=1 rev=10
        watch 2: resumed from 11 at a
        > watch i
        send 6: {"create_request":{"key":"i","progress_notify":true,"watch_id":"2"}}
        > created 6 id=2 rev=10
        watch 3: created at 10
        "#,
    );
}

#[test]
fn w20_a_cancel_of_a_single_watch_is_the_end_of_its_connection() {
    check(
        r#"
        > client a carrier=single
        > watch k
        connect 1 to a
        > watch j
        connect 2 to a
        > open 1
        send 1: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"j","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > unwatch 1
        close 1
        watch 1: end: canceled by the caller
        > unwatch 2
        close 2
        watch 2: end: canceled by the caller
        "#,
    );
}

#[test]
fn w5_progress_of_a_single_watch_is_what_is_certain() {
    check(
        r#"
        > client a carrier=single
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > ask 1
        > created 1 id=1 rev=10
        watch 1: created at 10
        watch 1: progress 10
        > events 1 id=1 rev=30 k@20
        watch 1: 20 +k
        > ask 1
        watch 1: progress 20
        > progress 1 id=1 rev=31
        watch 1: progress 31
        > ask 1
        watch 1: progress 31
        "#,
    );
}

#[test]
fn g16_progress_of_a_single_watch_of_the_future_is_not_there_yet() {
    check(
        r#"
        > client a carrier=single
        > watch k from=50
        connect 1 to a
        > open 1
        send 1: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"start_revision":"50","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > ask 1
        watch 1: progress 10
        "#,
    );
}

#[test]
fn g12_a_single_watch_goes_on_where_it_was() {
    check(
        r#"
        > client a b carrier=single
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=12 k@11
        watch 1: 11 +k
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"start_revision":"12","watch_id":"1"}}
        > created 2 id=1 rev=20
        watch 1: resumed from 12 at b
        > canceled 2 id=1
        close 2
        > wait 1s
        at 20.860227ms
        connect 3 to b
        > open 3
        send 3: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"start_revision":"12","watch_id":"1"}}
        > created 3 id=1 rev=20
        watch 1: resumed from 12 at b
        > canceled 3 id=1 compact=30
        watch 1: end: revision 12 was compacted, the oldest one kept is 30
        close 3
        "#,
    );
}

#[test]
fn t3_a_single_watch_on_which_nothing_comes_is_asked_for_again() {
    check(
        r#"
        > client a carrier=single watch_idle=5s
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > wait 200s
        > progress 1 id=1 rev=12
        watch 1: progress 12
        > wait 301s
        at 500s
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"start_revision":"13","watch_id":"1"}}
        > created 2 id=1 rev=12
        watch 1: resumed from 13 at a
        "#,
    );
}

#[test]
fn g20_a_server_that_was_only_frozen_is_noticed_in_time_the_next_time() {
    check(
        r#"
        > client a b watch_idle=5s
        > watch k losses=0
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 2s
        at 2s
        close 1
        connect 2 to b
        > refuse 2
        close 2
        > wait 100ms
        at 2.020860227s
        connect 3 to a
        > open 3
        send 3: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 3 id=1 rev=10
        watch 1: created at 10
        > wait 7s
        at 9.1s
        close 3
        connect 4 to a
        > open 4
        send 4: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 4 id=1 rev=10
        watch 1: resumed from 11 at a
        "#,
    );
}

#[test]
fn watches_wait_where_there_are_not_enough_connections() {
    check(
        r#"
        > client a carrier=single all_connections=2 read_timeout=60s
        > watch k
        connect 1 to a
        > watch j
        connect 2 to a
        > watch i
        > open 1
        send 1: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"j","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > unwatch 1
        close 1
        watch 1: end: canceled by the caller
        connect 3 to a
        > open 3
        send 3: POST /v3/watch {"create_request":{"key":"i","progress_notify":true,"watch_id":"1"}}
        > created 3 id=1 rev=10
        watch 3: created at 10
        "#,
    );
}

#[test]
fn watches_that_wait_share_a_connection_once_that_is_tried_again() {
    let mut world = World::after(
        "client a all_connections=2 read_timeout=600s
        watch k
        watch j
        watch i
        open 1
        wait 2050ms
        open 2
        open 3
        created 2 id=1 rev=10
        created 3 id=1 rev=10
        wait 31s",
    );
    let told = world.run("open 4").join("\n");
    assert!(told.contains("(open"), "{}", world.transcript());
    let sent = told.matches("create_request").count();
    assert_eq!(sent, 2, "{told}");
    let told = world.transcript();
    assert!(told.contains("at 32s\nclose 2\nconnect 4 to a"), "{told}");
}
