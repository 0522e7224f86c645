//! A watch that is not read harms itself only (guarantee G18), in virtual time.

mod support;

use support::World;
use support::check;

/// Two watches on one connection; nobody reads the first, which an event fills.
const TWO: &str = "client a buffer=100\nhold 1\nwatch k\nwatch j\nopen 1\n\
     created 1 id=1 rev=10\ncreated 1 id=2 rev=10\nread 1 1";

#[test]
fn g18_a_watch_that_is_not_read_makes_way_and_goes_on_alone() {
    check(
        r#"
        > client a buffer=100
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
        > wait 49ms
        > wait 1ms
        at 50ms
        send 1: {"cancel_request":{"watch_id":"1"}}
        resume 1
        // What comes for it is passed over: it asks for that again.
        > events 1 id=1 rev=12 k@12
        > events 1 id=2 rev=13 j@13
        pause 1
        watch 2: 13 +j
        resume 1
        > canceled 1 id=1
        > wait 10s
        > read 1 1
        watch 1: created at 10
        > wait 1s
        > read 1 2
        watch 1: 11 +k
        > wait 1s
        at 11.05s
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"12","watch_id":"1"}}
        > created 2 id=1 rev=13
        watch 1 has something
        > events 2 id=1 rev=13 k@12
        // Alone it holds up nobody: it stays.
        pause 2
        > wait 10s
        > read 1
        watch 1: resumed from 12 at a
        watch 1: 12 +k
        resume 2
        // Nobody joins it.
        > watch i
        send 1: {"create_request":{"key":"i","progress_notify":true,"watch_id":"3"}}
        "#,
    );
}

#[test]
fn g18_a_watch_that_is_read_in_time_stays() {
    let mut world = World::after(TWO);
    world.run("events 1 id=1 rev=11 k@11");
    assert!(world.socket(1).paused);
    world.run("wait 49ms");
    assert!(world.run("read 1").contains(&"resume 1"));
    assert!(world.run("wait 10s").is_empty());
    assert_eq!(world.open_sockets(), 1);
}

#[test]
fn g18_watches_that_are_all_full_hold_up_nobody() {
    let mut world = World::after(TWO);
    world.run("hold 2");
    world.run("events 1 id=1 rev=11 k@11");
    // The rest of what was read before the pause.
    world.run("events 1 id=2 rev=12 j@12");
    assert!(world.run("wait 10s").is_empty());
    // Once one of them is read it waits for the other, which makes way.
    let told = world.run("read 2").join("\n");
    assert!(
        told.contains("watch 2: 12 +j") && world.socket(1).paused,
        "{told}"
    );
    let told = world.run("wait 50ms").join("\n");
    assert!(
        told.contains("cancel_request") && told.contains("resume 1"),
        "{told}"
    );
}

#[test]
fn g18_the_end_of_those_that_waited_ends_the_hurry() {
    let mut world = World::after(TWO);
    world.run("events 1 id=1 rev=11 k@11");
    world.run("unwatch 2");
    assert!(world.run("wait 10s").is_empty(), "it is alone with itself");
    assert!(world.run("read 1").contains(&"resume 1"));
}

#[test]
fn g18_without_room_for_a_connection_it_stays_where_it_is() {
    let mut world = World::after(&TWO.replace("buffer=100", "buffer=100 all_connections=1"));
    world.run("events 1 id=1 rev=11 k@11");
    assert!(world.run("wait 10s").is_empty());
    assert!(world.socket(1).paused);
    assert!(world.run("read 1").contains(&"resume 1"));
}

#[test]
fn g18_where_the_room_is_gone_it_comes_back_to_the_others() {
    let mut world = World::after(&TWO.replace("buffer=100", "buffer=100 all_connections=2"));
    world.run("events 1 id=1 rev=11 k@11");
    world.run("wait 50ms");
    world.run("lock l");
    world.run("read 1");
    let told = world.run("wait 1ms").join("\n");
    assert!(
        told.contains("send 1:") && told.contains("\"start_revision\":\"12\""),
        "{told}"
    );
}

#[test]
fn g18_a_watch_set_aside_can_be_canceled_and_others_come_and_go() {
    let mut world = World::after(TWO);
    world.run("events 1 id=1 rev=11 k@11");
    world.run("wait 50ms");
    assert_eq!(world.run("unwatch 1"), Vec::<&str>::new());
    let told = world.run("read 1").join("\n");
    assert_eq!(told, "watch 1: end: canceled by the caller");
    assert!(world.run("wait 10s").is_empty());
    assert!(world.run("unwatch 2").contains(&"close 1"));
}

#[test]
fn g18_what_was_set_aside_comes_back_after_the_loss_of_its_own_connection() {
    let mut world = World::after(TWO);
    world.run("events 1 id=1 rev=11 k@11");
    world.run("wait 50ms");
    world.run("read 1");
    world.run("wait 1ms");
    world.run_all("open 2\ncreated 2 id=1 rev=11\nreset 2");
    let told = world.run("wait 1s").join("\n");
    assert!(told.contains("connect 3 to a"), "{told}");
    let told = world.run("open 3").join("\n");
    assert!(told.contains("\"start_revision\":\"12\""), "{told}");
}
