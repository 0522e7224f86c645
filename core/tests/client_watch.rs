//! Watches in virtual time: their lives on a connection, from the command to the one end.

mod support;

use etcd_core::Instant;
use etcd_core::Watch;
use support::World;
use support::check;

/// Rule W-26: progress is asked for if nothing else is said.
#[test]
fn a_watch_is_created_and_delivers_whole_revisions_in_order() {
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
        > events 1 id=1 rev=12 k@11 j@11 -k@12
        watch 1: 11 +k +j
        watch 1: 12 -k
        > unwatch 1
        close 1
        watch 1: end: canceled by the caller
        "#,
    );
}

#[test]
fn watches_share_a_connection() {
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
        > watch i
        send 1: {"create_request":{"key":"i","progress_notify":true,"watch_id":"3"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > created 1 id=3 rev=11
        watch 3: created at 11
        > events 1 id=3 rev=12 i@12
        watch 3: 12 +i
        > events 1 id=1 rev=12 k@12
        watch 1: 12 +k
        "#,
    );
}

#[test]
fn the_carrier_asks_for_a_leader_only_if_configured() {
    check(
        r#"
        > client a leader=false
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        "#,
    );
}

/// Rule W-14.
#[test]
fn a_refused_watch_ends_and_the_others_go_on() {
    check(
        r#"
        > client a
        > watch k
        connect 1 to a
        > watch j
        > watch i
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        send 1: {"create_request":{"key":"i","progress_notify":true,"watch_id":"3"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > refused 1 id=-1 reason=mvcc:_watcher_range_is_empty
        watch 2: end: mvcc: watcher range is empty (InvalidArgument)
        > created 1 id=3 rev=10
        watch 3: created at 10
        > events 1 id=3 rev=12 i@12
        watch 3: 12 +i
        "#,
    );
}

/// Rules W-14 and W-24: whatever its id, a refusal is that of its own watch.
#[test]
fn a_refusal_under_the_id_0_is_for_the_first_create_that_waits() {
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
        > refused 1 id=0 reason=rpc_error:_code_=_PermissionDenied_desc_=_etcdserver:_permission_denied
        watch 1: end: etcdserver: permission denied (PermissionDenied)
        > created 1 id=2 rev=10
        watch 2: created at 10
        "#,
    );
}

#[test]
fn g14_a_compaction_below_where_the_watch_stands_is_doubted_once() {
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
        > created 1 id=1 rev=6
        watch 1: created at 6
        > created 1 id=2 rev=6
        watch 2: created at 6
        > canceled 1 id=1 compact=7
        send 1: {"cancel_request":{"watch_id":"1"}}
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"7","watch_id":"3"}}
        > created 1 id=3 rev=9
        watch 1: resumed from 7 at a
        > events 1 id=3 rev=9 k@8
        watch 1: 8 +k
        > canceled 1 id=3 compact=9
        send 1: {"cancel_request":{"watch_id":"3"}}
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"9","watch_id":"4"}}
        > created 1 id=4 rev=9
        watch 1: resumed from 9 at a
        > canceled 1 id=4 compact=9
        watch 1: end: revision 9 was compacted, the oldest one kept is 9
        send 1: {"cancel_request":{"watch_id":"4"}}
        "#,
    );
}

#[test]
fn a_compacted_watch_ends_with_where_it_stood() {
    check(
        r#"
        > client a
        > watch k from=3
        connect 1 to a
        > watch j
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"3","watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > canceled 1 id=1 compact=7
        watch 1: end: revision 3 was compacted, the oldest one kept is 7
        send 1: {"cancel_request":{"watch_id":"1"}}
        > events 1 id=2 rev=12 j@12
        watch 2: 12 +j
        "#,
    );
}

#[test]
fn two_watches_that_end_in_one_piece_both_end() {
    check(
        r#"
        > client a
        > watch k from=3
        connect 1 to a
        > watch j from=4
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"3","watch_id":"1"}}
        send 1: {"create_request":{"key":"j","progress_notify":true,"start_revision":"4","watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > raw 1 42\r\n{"result":{"watch_id":"1","canceled":true,"compact_revision":"7"}}\r\n42\r\n{"result":{"watch_id":"2","canceled":true,"compact_revision":"7"}}\r\n
        watch 1: end: revision 3 was compacted, the oldest one kept is 7
        watch 2: end: revision 4 was compacted, the oldest one kept is 7
        close 1
        > wait 60s
        "#,
    );
}

/// Rule W-15.
#[test]
fn a_watch_canceled_without_a_reason_goes_on() {
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
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > events 1 id=1 rev=12 k@12
        watch 1: 12 +k
        > canceled 1 id=1
        > watch i
        send 1: {"create_request":{"key":"i","progress_notify":true,"watch_id":"3"}}
        > wait 30ms
        at 16.42852ms
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"13","watch_id":"4"}}
        > created 1 id=3 rev=12
        watch 3: created at 12
        > created 1 id=4 rev=12
        watch 1: resumed from 13 at a
        > events 1 id=4 rev=13 k@13
        watch 1: 13 +k
        > canceled 1 id=4
        > wait 100ms
        at 62.890591ms
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"14","watch_id":"5"}}
        "#,
    );
}

#[test]
fn the_last_watch_canceled_without_a_reason_goes_on() {
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
        > canceled 1 id=1
        close 1
        > wait 30ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=20
        watch 1: resumed from 11 at a
        > events 2 id=1 rev=20 k@11
        watch 1: 11 +k
        "#,
    );
}

/// Rule W-15.
#[test]
fn a_watch_canceled_with_a_reason_ends_with_it() {
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
        > canceled 1 id=1 reason=etcdserver:_permission_denied
        watch 1: end: etcdserver: permission denied (PermissionDenied)
        close 1
        "#,
    );
}

#[test]
fn a_connection_carries_as_many_watches_as_allowed_and_no_more() {
    check(
        r#"
        > client a per_connection=2
        > watch 1
        connect 1 to a
        > watch 2
        > watch 3
        connect 2 to a
        > watch 4
        > watch 5
        connect 3 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"1","progress_notify":true,"watch_id":"1"}}
        send 1: {"create_request":{"key":"2","progress_notify":true,"watch_id":"2"}}
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"3","progress_notify":true,"watch_id":"1"}}
        send 2: {"create_request":{"key":"4","progress_notify":true,"watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > unwatch 1
        send 1: {"cancel_request":{"watch_id":"1"}}
        watch 1: end: canceled by the caller
        > watch 6
        > canceled 1 id=1
        > watch 7
        send 1: {"create_request":{"key":"7","progress_notify":true,"watch_id":"3"}}
        "#,
    );
}

/// Rule W-24.
#[test]
fn ids_are_never_used_again_and_late_frames_are_dropped() {
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
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > unwatch 1
        send 1: {"cancel_request":{"watch_id":"1"}}
        watch 1: end: canceled by the caller
        > events 1 id=1 rev=11 k@11
        > watch k
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"3"}}
        > canceled 1 id=1
        > events 1 id=1 rev=11 k@11
        > created 1 id=3 rev=12
        watch 3: created at 12
        > events 1 id=3 rev=13 k@13
        watch 3: 13 +k
        > events 1 id=1 rev=11 k@11
        "#,
    );
}

#[test]
fn a_watch_canceled_after_an_end_that_was_not_read_delivers_nothing_else() {
    check(
        r#"
        > client a
        > watch k from=3
        connect 1 to a
        > hold 1
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"3","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > events 1 id=1 rev=10 k@8
        > canceled 1 id=1 compact=10
        close 1
        > unwatch 1
        > read 1
        watch 1: end: canceled by the caller
        "#,
    );
}

#[test]
fn a_watch_canceled_before_its_confirmation_is_not_told_of_it() {
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
        > unwatch 1
        send 1: {"cancel_request":{"watch_id":"1"}}
        watch 1: end: canceled by the caller
        > created 1 id=1 rev=10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > canceled 1 id=1
        > events 1 id=2 rev=11 j@11
        watch 2: 11 +j
        "#,
    );
}

#[test]
fn the_last_watch_of_a_connection_closes_it() {
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
        > unwatch 1
        close 1
        watch 1: end: canceled by the caller
        > unwatch 1
        > read 1
        > events 1 id=1 rev=11 k@11
        > wait 100s
        "#,
    );
}

#[test]
fn a_watch_canceled_before_it_was_placed_never_was() {
    check(
        "
        > client a
        > watch k
        connect 1 to a
        > unwatch 1
        close 1
        watch 1: end: canceled by the caller
        > open 1
        > wait 100s
        ",
    );
}

/// Rule W-19.
#[test]
fn a_watch_the_user_may_not_have_ends() {
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
        > answer 1 403 {"error":{"code":7,"message":"etcdserver: permission denied"}}
        close 1
        watch 1: end: etcdserver: permission denied (PermissionDenied)
        watch 2: end: etcdserver: permission denied (PermissionDenied)
        > wait 60s
        "#,
    );
}

#[test]
fn shutdown_ends_watches_in_each_state() {
    check(
        r#"
        > client a
        > watch live
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"live","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > watch creating
        send 1: {"create_request":{"key":"creating","progress_notify":true,"watch_id":"2"}}
        > hold 3
        > watch held
        send 1: {"create_request":{"key":"held","progress_notify":true,"watch_id":"3"}}
        > created 1 id=2 rev=10
        watch 2: created at 10
        > created 1 id=3 rev=10
        watch 3 has something
        > events 1 id=3 rev=11 held@11
        > watch creating
        send 1: {"create_request":{"key":"creating","progress_notify":true,"watch_id":"4"}}
        > shutdown
        watch 1: end: the client was shut down
        watch 2: end: the client was shut down
        watch 4: end: the client was shut down
        close 1
        > read 3
        watch 3: created at 10
        watch 3: 11 +held
        watch 3: end: the client was shut down
        > watch late
        watch 5: end: the client was shut down
        > created 1 id=4 rev=10
        > wait 100s
        "#,
    );
}

#[test]
fn shutdown_ends_a_watch_that_waits() {
    check(
        "
        > client a
        > watch k
        connect 1 to a
        > refuse 1
        close 1
        > shutdown
        watch 1: end: the client was shut down
        > wait 100s
        ",
    );
}

#[test]
fn as_many_watches_as_allowed_and_no_more() {
    check(
        "
        > client a watches=2
        > watch 1
        connect 1 to a
        > watch 2
        > watch 3
        watch 3: end: more than 2 watches open
        > unwatch 1
        watch 1: end: canceled by the caller
        > watch 4
        ",
    );
}

/// Rule W-25: a hundred on each, if nothing else is said.
#[test]
fn five_hundred_watches_of_which_half_are_canceled_use_five_connections() {
    let mut world = World::after("client a");
    for _ in 0..500 {
        world.run("watch k");
    }
    assert_eq!(world.open_sockets(), 5);
    for conn in 1..=5 {
        world.run(&format!("open {conn}"));
        for id in 1..=100 {
            world.run(&format!("created {conn} id={id} rev=10"));
        }
    }
    for watch in (1..=500).step_by(2) {
        world.run(&format!("unwatch {watch}"));
    }
    assert_eq!(world.open_sockets(), 5);
    for conn in 1..=5 {
        for id in 1..=100 {
            if id % 2 == 1 {
                world.run(&format!("canceled {conn} id={id}"));
            }
            let got = world.run(&format!("events {conn} id={id} rev=11 k@11"));
            let watch = (conn - 1) * 100 + id;
            if id % 2 == 0 {
                assert_eq!(got, [format!("watch {watch}: 11 +k")]);
            } else {
                assert!(got.is_empty(), "{got:?}");
            }
        }
    }
    // The places of those that are gone are taken again.
    for _ in 0..250 {
        world.run("watch k");
    }
    assert_eq!(world.open_sockets(), 5);
}

#[test]
fn a_frame_as_long_as_allowed_and_no_longer() {
    let frame = r#"{"result":{"watch_id":"1","created":true,"header":{"revision":"10"}}}"#;
    for (limit, wanted) in [
        (frame.len(), "watch 1: created at 10"),
        (
            frame.len() - 1,
            "watch 1: end: frame of a stream is longer than 68 bytes",
        ),
    ] {
        let mut world = World::after(&format!("client a frame={limit}\nwatch k\nopen 1"));
        let outcome = world.run("created 1 id=1 rev=10").concat();
        assert!(outcome.ends_with(wanted), "{outcome}");
    }
}

/// Rule W-28: what was taken is certain, and what is still held is not.
#[test]
fn w28_a_watch_is_certain_of_what_was_taken() {
    let mut world = World::after("client a");
    let watch = world.client().watch(Instant::ZERO, Watch::key("k"));
    world.drain();
    assert_eq!(world.client().certified(watch), None);
    world.run("open 1");
    world.run("created 1 id=1 rev=10");
    assert_eq!(world.client().certified(watch), Some(10));
    world.run("hold 1");
    world.run("events 1 id=1 rev=12 k@11 k@12");
    world.run("progress 1 id=1 rev=15");
    assert_eq!(world.client().certified(watch), Some(10));
    assert!(world.client().poll_watch(watch).is_some());
    assert_eq!(world.client().certified(watch), Some(11));
    assert!(world.client().poll_watch(watch).is_some());
    assert_eq!(world.client().certified(watch), Some(12));
    assert!(world.client().poll_watch(watch).is_some());
    assert_eq!(world.client().certified(watch), Some(15));
    assert!(world.client().poll_watch(watch).is_none());
    // The loss of a connection takes nothing back, and what follows nobody may foresee.
    world.run("reset 1");
    assert_eq!(world.client().certified(watch), Some(15));
    world.client().shutdown(Instant::ZERO);
    while world.client().poll_watch(watch).is_some() {}
    assert_eq!(world.client().certified(watch), None);
}

/// Rule W-28: what moved a watch in silence stays certain when there is something to tell.
#[test]
fn w28_what_is_certain_never_falls() {
    let mut world = World::after("client a");
    let both = ["k", "j"].map(|key| world.client().watch(Instant::ZERO, Watch::key(key)));
    world.drain();
    world.run("open 1");
    world.run("created 1 id=1 rev=10");
    world.run("created 1 id=2 rev=10");
    world.client().request_progress(Instant::ZERO, both[1]);
    world.drain();
    world.run("progress 1 id=-1 rev=15");
    let certified = world.client().certified(both[0]);
    world.run("hold 1");
    world.run("events 1 id=1 rev=16 k@16");
    assert_eq!(world.client().certified(both[0]), certified);
    assert!(world.client().poll_watch(both[0]).is_some());
    assert_eq!(world.client().certified(both[0]), Some(16));
}
