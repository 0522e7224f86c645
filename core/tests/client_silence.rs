//! Watch connections on which nothing comes (guarantee G20, rule T-3), in virtual time.

mod support;

use support::World;
use support::check;

const START: &str = "client a b watch_idle=5s\nwatch k\nopen 1\ncreated 1 id=1 rev=10";

#[test]
fn g20_a_silent_server_is_asked_and_left_if_it_does_not_answer() {
    check(
        r#"
        > client a b watch_idle=5s
        > watch k from=5
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"5","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=10 k@7
        watch 1: 7 +k
        > wait 4999ms
        > wait 1ms
        at 5s
        send 1: {"create_request":{"filters":["NOPUT","NODELETE"],"key":"k","watch_id":"2"}}
        send 1: {"cancel_request":{"watch_id":"2"}}
        > wait 1999ms
        > wait 1ms
        at 7s
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"8","watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: resumed from 8 at b
        "#,
    );
}

#[test]
fn g20_a_quiet_server_that_answers_is_kept_and_nobody_is_told() {
    check(
        r#"
        > client a b watch_idle=5s
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > wait 5s
        at 5s
        send 1: {"create_request":{"filters":["NOPUT","NODELETE"],"key":"k","watch_id":"2"}}
        send 1: {"cancel_request":{"watch_id":"2"}}
        > wait 1s
        > created 1 id=2 rev=11
        > canceled 1 id=2
        > wait 4999ms
        > wait 1ms
        at 11s
        send 1: {"create_request":{"filters":["NOPUT","NODELETE"],"key":"k","watch_id":"3"}}
        send 1: {"cancel_request":{"watch_id":"3"}}
        // A refusal is an answer, too, and ends nobody's watch.
        > refused 1 id=-1 reason=etcdserver:_permission_denied
        > events 1 id=1 rev=12 k@12
        watch 1: 12 +k
        // The next watch has an id of its own.
        > watch j
        send 1: {"create_request":{"key":"j","progress_notify":true,"watch_id":"4"}}
        > created 1 id=4 rev=12
        watch 2: created at 12
        > unwatch 1
        send 1: {"cancel_request":{"watch_id":"1"}}
        watch 1: end: canceled by the caller
        > unwatch 2
        close 1
        watch 2: end: canceled by the caller
        > wait 100s
        "#,
    );
}

#[test]
fn g20_any_byte_is_a_sign_of_life() {
    let mut world = World::after(START);
    world.run("wait 4s");
    // Not even a whole frame.
    world.run("raw 1 3");
    assert!(world.run("wait 4999ms").is_empty());
    assert_eq!(world.run("wait 1ms").len(), 3, "asked");
    world.run("wait 1999ms");
    world.run("raw 1 0");
    assert!(world.run("wait 4s").is_empty());
    assert_eq!(world.open_sockets(), 1);
}

#[test]
fn g20_a_hundred_idle_watches_cost_what_one_costs() {
    let mut world = World::after(START);
    for watch in 2..=100 {
        world.run(&format!("watch k{watch}"));
        world.run(&format!("created 1 id={watch} rev=10"));
    }
    let told = world.run("wait 5s").join("\n");
    assert_eq!(told.matches("create_request").count(), 1, "{told}");
}

#[test]
fn g20_a_connection_that_is_not_read_is_not_silent() {
    let mut world = World::after(&START.replace("watch_idle", "buffer=100 watch_idle"));
    world.run("hold 1");
    world.run("events 1 id=1 rev=11 k@11");
    assert!(world.socket(1).paused);
    assert!(world.run("wait 60s").is_empty(), "its user does not read");
    assert!(world.run("read 1").contains(&"resume 1"));
    assert!(world.run("wait 3s").is_empty(), "it has its time again");
    let told = world.run("wait 2s").join("\n");
    assert!(told.contains("create_request"), "{told}");
    // While it is asked its user stops reading again.
    world.run_all("hold 1\nwait 1s\nevents 1 id=1 rev=12 k@12");
    assert!(world.run("wait 60s").is_empty());
}

/// Seed 770639: that it was not read for a moment made its silence count from the next look on, and a dead
/// server was left after 12 s.
#[test]
fn g20_a_moment_without_reading_does_not_put_off_what_is_silent() {
    check(
        r#"
        > client a b watch_idle=5s buffer=100
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > until 1s
        > hold 1
        > events 1 id=1 rev=11 k@11
        pause 1
        watch 1 has something
        > read 1
        watch 1: 11 +k
        resume 1
        > until 7s
        at 6s
        send 1: {"create_request":{"filters":["NOPUT","NODELETE"],"key":"k","watch_id":"2"}}
        send 1: {"cancel_request":{"watch_id":"2"}}
        > until 9s
        at 8s
        close 1
        connect 2 to b
        "#,
    );
}

#[test]
fn g20_what_is_not_confirmed_has_a_time_of_its_own() {
    let mut world = World::after("client a watch_idle=1s created_timeout=4s\nwatch k\nopen 1");
    assert!(world.run("wait 3s").is_empty());
    assert!(world.run("wait 1s").contains(&"close 1"));
}

#[test]
fn g20_zero_asks_never() {
    let mut world = World::after(&START.replace("5s", "0s"));
    assert!(world.run("wait 1000s").is_empty());
    assert_eq!(world.client().poll_timeout(), None);
}
