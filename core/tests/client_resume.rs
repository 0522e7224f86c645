//! Watches across connections: where they go on, and what makes them leave a server.

mod support;

use support::World;
use support::check;

/// Rule W-4: it goes on right behind it. Rule W-11: that it was created is told once, and that it goes on is an event of its own.
#[test]
fn a_watch_goes_on_after_the_last_revision_it_delivered() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=30 k@20
        watch 1: 20 +k
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"21","watch_id":"1"}}
        > created 2 id=1 rev=40
        watch 1: resumed from 21 at b
        > events 2 id=1 rev=40 k@20 k@21
        watch 1: 21 +k
        "#,
    );
}

#[test]
fn a_watch_from_now_on_goes_on_after_the_revision_of_its_confirmation() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > reset 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=40
        watch 1: resumed from 11 at b
        > reset 2
        close 2
        > wait 100ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 3 id=1 rev=50
        watch 1: resumed from 11 at a
        > events 3 id=1 rev=50 k@10 k@11
        watch 1: 11 +k
        "#,
    );
}

#[test]
fn a_watch_from_now_on_that_was_never_confirmed_begins_anew() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=40
        watch 1: created at 40
        > events 2 id=1 rev=41 k@40 k@41
        watch 1: 41 +k
        "#,
    );
}

#[test]
fn a_watch_with_a_start_in_the_future_waits_for_it() {
    check(
        r#"
        > client a b
        > watch k from=50
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"50","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > progress 1 id=1 rev=11
        > events 1 id=1 rev=12 k@12
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"50","watch_id":"1"}}
        > created 2 id=1 rev=13
        watch 1: resumed from 50 at b
        > events 2 id=1 rev=50 k@49 k@50
        watch 1: 50 +k
        "#,
    );
}

#[test]
fn fragments_are_joined_to_whole_revisions() {
    check(
        r#"
        > client a
        > watch k fragment=true
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"fragment":true,"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=12 more=1 k@11 j@11
        > events 1 id=1 rev=12 more=1 i@11 k@12
        watch 1: 11 +k +j +i
        > events 1 id=1 rev=12 j@12 k@13
        watch 1: 12 +k +j
        watch 1: 13 +k
        "#,
    );
}

/// Rule W-8.
#[test]
fn a_part_of_a_revision_is_dropped_with_its_connection() {
    check(
        r#"
        > client a b
        > watch k fragment=true
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"fragment":true,"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=12 more=1 k@11 j@12
        watch 1: 11 +k
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"fragment":true,"key":"k","progress_notify":true,"start_revision":"12","watch_id":"1"}}
        > created 2 id=1 rev=12
        watch 1: resumed from 12 at b
        > events 2 id=1 rev=12 j@12 i@12
        watch 1: 12 +j +i
        "#,
    );
}

#[test]
fn parts_that_do_not_follow_one_another_close_the_connection() {
    check(
        r#"
        > client a b
        > watch k fragment=true
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"fragment":true,"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > events 1 id=1 rev=12 more=1 k@11
        > events 1 id=2 rev=12 j@11
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"fragment":true,"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        send 2: {"create_request":{"key":"j","progress_notify":true,"start_revision":"11","watch_id":"2"}}
        > created 2 id=1 rev=12
        watch 1: resumed from 11 at b
        > created 2 id=2 rev=12
        watch 2: resumed from 11 at b
        "#,
    );
}

#[test]
fn what_was_delivered_is_dropped_and_counted() {
    check(
        r#"
        > client a
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=12 k@11 k@12
        watch 1: 11 +k
        watch 1: 12 +k
        > events 1 id=1 rev=12 k@11 j@11 k@12
        > events 1 id=1 rev=13 k@12 k@13
        watch 1: 13 +k
        "#,
    );
}

#[test]
fn the_header_of_events_does_not_move_a_watch() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=99 k@11
        watch 1: 11 +k
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"12","watch_id":"1"}}
        "#,
    );
}

#[test]
fn a_server_that_does_not_confirm_is_left_for_the_next() {
    check(
        r#"
        > client a b created_timeout=1s read_timeout=60s
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 2s
        at 1s
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        "#,
    );
}

#[test]
fn a_watch_that_no_server_confirms_in_time_ends() {
    check(
        r#"
        > client a created_timeout=2s read_timeout=3s
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 2500ms
        at 2s
        close 1
        at 2.01642852s
        connect 2 to a
        > open 2
        send 2: POST /v3/watch {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > wait 60s
        at 3s
        close 2
        watch 1: end: deadline passed while waiting for the answer
        "#,
    );
}

#[test]
fn a_watch_that_no_server_takes_ends_with_the_refusal() {
    check(
        "
        > client a read_timeout=100ms
        > watch k
        connect 1 to a
        > refuse 1
        close 1
        > wait 60s
        at 16.42852ms
        connect 2 to a
        at 100ms
        close 2
        watch 1: end: no endpoint could serve the call: cannot connect: connection refused
        ",
    );
}

#[test]
fn a_watch_whose_connection_does_not_open_ends() {
    check(
        "
        > client a read_timeout=100ms
        > watch k
        connect 1 to a
        > wait 60s
        at 100ms
        close 1
        watch 1: end: deadline passed while waiting for a connection
        ",
    );
}

#[test]
fn a_server_without_a_leader_is_tried_again() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > raw 1 HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n3b\r\n{"error":{"code":14,"message":"etcdserver: no leader  ok"}}\r\n0\r\n\r\n
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > answer 2 503 {"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"x"}}
        close 2
        > wait 100ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 3 id=1 rev=10
        watch 1: created at 10
        "#,
    );
}

/// Rule W-19.
#[test]
fn a_server_without_the_gateway_ends_the_watch() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > answer 1 404 404 page not found
        close 1
        watch 1: end: 404 page not found (NotFound): nothing answers at /v3/watch; etcd's gateway is off (start etcd with --enable-grpc-gateway=true; with a configuration file, etcd before 3.5 needs `enable-grpc-gateway: true` in it), or the API prefix is another, or this is not etcd's client port
        > wait 60s
        "#,
    );
}

#[test]
fn a_stream_that_ends_with_an_error_goes_on_elsewhere() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > error 1 {"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"x"}
        close 1
        watch 1: no leader at a
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: resumed from 11 at b
        > error 2 {"code":14,"message":"error reading from server: EOF"}
        close 2
        > wait 100ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        "#,
    );
}

#[test]
fn a_stream_that_ends_well_goes_on_elsewhere() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > last 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: resumed from 11 at b
        "#,
    );
}

#[test]
fn a_confirmation_nobody_waits_for_closes_the_connection() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=1 rev=10
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=11
        watch 1: resumed from 11 at b
        > events 2 id=1 rev=12 k@12
        watch 1: 12 +k
        "#,
    );
}

#[test]
fn a_confirmation_under_another_id_closes_the_connection() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=5 rev=10
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        "#,
    );
}

#[test]
fn events_for_an_id_that_never_was_close_the_connection() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=9 rev=12 k@12
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        "#,
    );
}

#[test]
fn a_server_that_confirms_and_breaks_off_is_asked_more_and_more_slowly() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: resumed from 11 at b
        > eof 2
        close 2
        > wait 30ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 3 id=1 rev=10
        watch 1: resumed from 11 at a
        > eof 3
        close 3
        connect 4 to b
        > open 4
        send 4: POST /v3/watch (open, with a leader)
        send 4: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 4 id=1 rev=10
        watch 1: resumed from 11 at b
        > eof 4
        close 4
        > wait 100ms
        at 71.275952ms
        connect 5 to a
        "#,
    );
}

#[test]
fn a_connection_that_lived_long_is_replaced_at_once() {
    check(
        r#"
        > client a
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > wait 11s
        > eof 1
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: resumed from 11 at a
        > eof 2
        close 2
        > wait 100ms
        at 11.01642852s
        connect 3 to a
        "#,
    );
}

#[test]
fn a_frame_with_neither_result_nor_error_closes_the_connection() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > raw 1 3\r\n{}\n\r\n
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        "#,
    );
}

#[test]
fn events_before_the_confirmation_close_the_connection() {
    check(
        r#"
        > client a b
        > watch k from=5
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"5","watch_id":"1"}}
        > events 1 id=1 rev=9 k@9
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"5","watch_id":"1"}}
        "#,
    );
}

#[test]
fn a_confirmation_of_a_canceled_watch_ends_the_wait_for_it() {
    check(
        r#"
        > client a created_timeout=1s
        > watch k
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > unwatch 2
        send 1: {"cancel_request":{"watch_id":"2"}}
        watch 2: end: canceled by the caller
        > created 1 id=2 rev=10
        > wait 900ms
        > watch i
        send 1: {"create_request":{"key":"i","progress_notify":true,"watch_id":"3"}}
        > wait 900ms
        > created 1 id=3 rev=10
        watch 3: created at 10
        > wait 10s
        "#,
    );
}

#[test]
fn dropped_events_are_counted() {
    let mut world = World::after("client a\nwatch k\nopen 1\ncreated 1 id=1 rev=10");
    world.run("events 1 id=1 rev=12 k@9 k@11 k@12");
    world.run("events 1 id=1 rev=12 k@11 j@11 k@13");
    assert_eq!(world.client().stats().events_dropped, 3);
}

#[test]
fn the_parts_of_one_revision_have_a_limit() {
    let mut world = World::after("client a revision=2000\nwatch k\nopen 1\ncreated 1 id=1 rev=10");
    let mut parts = 0;
    loop {
        let got = world.run("events 1 id=1 rev=11 more=1 k@11 k@11").concat();
        parts += 1;
        assert!(parts < 100, "no limit");
        if !got.is_empty() {
            assert_eq!(
                got,
                "watch 1: end: revision of a watch is larger than 2000 bytesclose 1"
            );
            return;
        }
    }
}
