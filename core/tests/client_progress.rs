//! Progress of watches, and users who do not read.

mod support;

use support::World;
use support::check;

#[test]
fn progress_of_a_watch_moves_where_it_goes_on() {
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
        > progress 1 id=1 rev=20
        watch 1: progress 20
        > progress 1 id=1 rev=15
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"21","watch_id":"1"}}
        > created 2 id=1 rev=40
        watch 1: resumed from 21 at b
        "#,
    );
}

/// Rule W-27.
#[test]
fn progress_is_asked_for_once_the_servers_version_is_known() {
    check(
        r#"
        > client a b
        > watch k
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > ask 1
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=20
        watch 1: progress 20
        > ask 2
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=21
        watch 2: progress 21
        > eof 1
        close 1
        connect 3 to b
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"22","watch_id":"1"}}
        send 3: {"create_request":{"key":"j","progress_notify":true,"start_revision":"22","watch_id":"2"}}
        "#,
    );
}

#[test]
fn w27_a_server_that_tells_no_progress_is_asked_again_later_each_time() {
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
        // Whoever left does not want to know.
        > ask 1
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > until 8s
        at 1s
        send 1: {"progress_request":{}}
        at 3s
        send 1: {"progress_request":{}}
        at 7s
        send 1: {"progress_request":{}}
        // Some other watch of the connection catches up; then all is told.
        > progress 1 id=-1 rev=20
        watch 1: progress 20
        > until 120s
        > ask 1
        send 1: {"progress_request":{}}
        > watch j
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=2 rev=20
        watch 2: created at 20
        > unwatch 1
        send 1: {"cancel_request":{"watch_id":"1"}}
        watch 1: end: canceled by the caller
        > until 200s
        // One that is lost is not asked; another one is.
        > ask 2
        send 1: {"progress_request":{}}
        > eof 1
        close 1
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"j","progress_notify":true,"start_revision":"21","watch_id":"1"}}
        > created 3 id=1 rev=30
        watch 2: resumed from 21 at a
        close 2
        connect 4 to a
        > open 4
        send 4: GET /version
        > answer 4 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 3: {"progress_request":{}}
        > until 202s
        at 201s
        send 3: {"progress_request":{}}
        > progress 3 id=-1 rev=30
        watch 2: progress 30
        > until 300s
        "#,
    );
}

#[test]
fn progress_of_an_old_server_moves_nothing() {
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
        > events 1 id=1 rev=11 k@11
        watch 1: 11 +k
        > ask 1
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.4.23","etcdcluster":"3.4.0"}
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=20
        watch 1: progress 11
        > eof 1
        close 1
        connect 3 to b
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"12","watch_id":"1"}}
        "#,
    );
}

/// Found by `cutting_received_bytes_changes_nothing`: of a watch from revision 1 nothing is certain then.
#[test]
fn an_old_servers_answer_before_any_change_is_progress_up_to_nothing() {
    check(
        r#"
        > client a b
        > watch k from=1
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"1","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > ask 1
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.4.23","etcdcluster":"3.4.0"}
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=20
        watch 1: progress 0
        "#,
    );
}

#[test]
fn a_server_that_does_not_tell_its_version_is_not_believed() {
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
        > ask 1
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 404 404 page not found
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=20
        watch 1: progress 10
        "#,
    );
}

#[test]
fn progress_asked_for_before_the_confirmation_is_asked_after_it() {
    check(
        r#"
        > client a
        > watch k
        connect 1 to a
        > ask 1
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > progress 1 id=-1 rev=20
        watch 1: progress 20
        > progress 1 id=-1 rev=20
        "#,
    );
}

#[test]
fn progress_before_a_confirmation_is_not_of_the_watch_that_waits() {
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
        > ask 1
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > watch j from=3
        send 1: {"create_request":{"key":"j","progress_notify":true,"start_revision":"3","watch_id":"2"}}
        > progress 1 id=-1 rev=20
        watch 1: progress 20
        > created 1 id=2 rev=20
        watch 2: created at 20
        > events 1 id=2 rev=20 j@5
        watch 2: 5 +j
        "#,
    );
}

#[test]
fn a_watch_that_is_not_read_stops_its_connection() {
    check(
        r#"
        > client a buffer=200
        > hold 1
        > watch k
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > created 1 id=2 rev=10
        watch 2: created at 10
        > events 1 id=1 rev=11 k@11
        pause 1
        > events 1 id=1 rev=12 k@12
        > events 1 id=2 rev=12 j@12
        watch 2: 12 +j
        > read 1 2
        watch 1: created at 10
        watch 1: 11 +k
        > read 1
        watch 1: 12 +k
        resume 1
        > events 1 id=1 rev=13 k@13
        pause 1
        watch 1: 13 +k
        resume 1
        "#,
    );
}

#[test]
fn a_full_watch_stops_the_connection_it_goes_on_with() {
    check(
        r#"
        > client a b buffer=200
        > hold 1
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > events 1 id=1 rev=12 k@11 k@12
        pause 1
        > reset 1
        close 1
        connect 2 to b
        > open 2
        pause 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"13","watch_id":"1"}}
        > created 2 id=1 rev=20
        > read 1
        watch 1: created at 10
        watch 1: 11 +k
        watch 1: 12 +k
        watch 1: resumed from 13 at b
        resume 2
        "#,
    );
}

#[test]
fn a_full_watch_that_is_canceled_lets_the_others_go_on() {
    check(
        r#"
        > client a buffer=200
        > hold 1
        > watch k
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > created 1 id=2 rev=10
        watch 2: created at 10
        > events 1 id=1 rev=12 k@11 k@12
        pause 1
        > unwatch 1
        resume 1
        send 1: {"cancel_request":{"watch_id":"1"}}
        > read 1
        watch 1: end: canceled by the caller
        > events 1 id=2 rev=13 j@13
        pause 1
        watch 2: 13 +j
        resume 1
        "#,
    );
}

#[test]
fn a_full_watch_that_the_server_ends_lets_the_others_go_on() {
    check(
        r#"
        > client a buffer=200
        > hold 1
        > watch k
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > created 1 id=2 rev=10
        watch 2: created at 10
        > events 1 id=1 rev=12 k@11 k@12
        pause 1
        > canceled 1 id=1 compact=50
        resume 1
        send 1: {"cancel_request":{"watch_id":"1"}}
        > read 1
        watch 1: created at 10
        watch 1: 11 +k
        watch 1: 12 +k
        watch 1: end: revision 13 was compacted, the oldest one kept is 50
        "#,
    );
}

#[test]
fn a_connection_that_is_not_read_has_time_to_confirm() {
    check(
        r#"
        > client a buffer=200 created_timeout=1s slow_after=60s
        > hold 1
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > events 1 id=1 rev=12 k@11 k@12
        pause 1
        > watch j
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > wait 3s
        > read 1
        watch 1: created at 10
        watch 1: 11 +k
        watch 1: 12 +k
        resume 1
        > created 1 id=2 rev=12
        watch 2: created at 12
        "#,
    );
}

#[test]
fn progress_is_of_a_watch_that_ends_right_after_it() {
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
        > ask 1
        connect 2 to a
        > open 2
        send 2: GET /version
        > answer 2 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: {"progress_request":{}}
        > raw 1 37\r\n{"result":{"header":{"revision":"20"},"watch_id":"-1"}}\r\n43\r\n{"result":{"watch_id":"1","canceled":true,"compact_revision":"50"}}\r\n
        watch 1: progress 20
        watch 1: end: revision 21 was compacted, the oldest one kept is 50
        close 1
        "#,
    );
}

#[test]
fn what_a_user_who_does_not_read_is_owed_stays_bounded() {
    let mut world = World::after("client a\nhold 1\nwatch k\nopen 1\ncreated 1 id=1 rev=10");
    for conn in 1..50 {
        world.run(&format!("progress {conn} id=1 rev={}", 10 + conn));
        world.run(&format!("eof {conn}"));
        while world.open_sockets() == 0 {
            world.run("wait 10ms");
        }
        let next = conn + 1;
        world.run(&format!("open {next}"));
        world.run(&format!("created {next} id=1 rev=100"));
    }
    let owed = world.run("read 1");
    assert_eq!(
        owed,
        [
            "watch 1: created at 10",
            "watch 1: progress 59",
            "watch 1: resumed from 60 at a"
        ]
    );
}

/// Answers of other calls say how far the store is, and not what the watch was sent; nor does time.
#[test]
fn w6_nothing_else_moves_where_a_watch_goes_on() {
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
        > get k
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {"header":{"revision":"50"}}
        call 1: Range
        > watch j
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=2 rev=60
        watch 2: created at 60
        > events 1 id=2 rev=70 j@65
        watch 2: 65 +j
        > wait 3600s
        > eof 1
        close 1
        connect 3 to b
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        send 3: {"create_request":{"key":"j","progress_notify":true,"start_revision":"66","watch_id":"2"}}
        "#,
    );
}
