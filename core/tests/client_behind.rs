//! Servers that are behind what a watch already saw (guarantee G21), in virtual time.

mod support;

use support::World;
use support::check;

#[test]
fn g21_a_server_that_is_behind_is_left_for_another() {
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
        > events 1 id=1 rev=12 k@12
        watch 1: 12 +k
        > reset 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"13","watch_id":"1"}}
        > created 2 id=1 rev=11
        close 2
        > wait 100ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"13","watch_id":"1"}}
        > created 3 id=1 rev=12
        watch 1: resumed from 13 at a
        "#,
    );
}

/// A watch that told revision 12 and lost its connection; the next one is open.
const LOST: &str = "client a\nwatch k\nopen 1\ncreated 1 id=1 rev=10\nevents 1 id=1 rev=12 k@12\n\
     reset 1\nwait 30ms\nopen 2";

/// Waits until this connection is ordered, and opens it.
fn open(world: &mut World, conn: u64) {
    let ordered = format!("connect {conn} to a");
    let mut told = String::new();
    for _ in 0..60 {
        told += &world.run("wait 100ms").join("\n");
        if told.contains(&ordered) {
            world.run(&format!("open {conn}"));
            return;
        }
    }
    panic!("{ordered} was waited for: {told}");
}

#[test]
fn g21_after_thirty_seconds_of_nothing_else_the_user_is_told() {
    let mut world = World::after(LOST);
    let mut conn = 2;
    loop {
        let told = world.run(&format!("created {conn} id=1 rev=11")).join("\n");
        if told.contains("end:") {
            assert!(told.contains("revision 11, but 12 was delivered"), "{told}");
            break;
        }
        assert_eq!(told, format!("close {conn}"));
        conn += 1;
        assert!(conn < 30, "it waits between two attempts");
        open(&mut world, conn);
    }
    // The last attempt comes after a wait of at most 5 s, spread by a tenth.
    let seconds = world.now.as_nanos() / 1_000_000_000;
    assert!((30..=36).contains(&seconds), "{seconds}");
    assert_eq!(world.open_sockets(), 0);
    assert!(world.run("wait 100s").is_empty());
}

#[test]
fn g21_a_server_that_caught_up_is_forgiven() {
    let mut world = World::after(LOST);
    world.run("created 2 id=1 rev=11");
    open(&mut world, 3);
    assert_eq!(
        world.run("created 3 id=1 rev=12"),
        ["watch 1: resumed from 13 at a"]
    );
    // The next time has 30 s of its own.
    world.run_all("wait 40s\nreset 3\nopen 4");
    assert_eq!(world.run("created 4 id=1 rev=11"), ["close 4"]);
}

#[test]
fn g21_neighbours_that_saw_less_stay_where_they_are() {
    let mut world = World::after(LOST);
    world.run("watch j");
    let told = world.run("created 2 id=1 rev=11").join("\n");
    assert!(
        told.contains("cancel_request") && !told.contains("close"),
        "{told}"
    );
    assert_eq!(
        world.run("created 2 id=2 rev=11"),
        ["watch 2: created at 11"]
    );
    // It comes back there after its wait: there is no other server.
    let told = world.run("wait 1s").join("\n");
    assert!(told.contains("\"start_revision\":\"13\""), "{told}");
    // Events for the canceled one are passed over.
    assert!(world.run("events 2 id=1 rev=13 k@13").is_empty());
    world.run("created 2 id=3 rev=12");
    assert_eq!(world.run("events 2 id=3 rev=13 k@13"), ["watch 1: 13 +k"]);
}

#[test]
fn g21_a_watch_that_begins_in_the_future_saw_nothing_yet() {
    let mut world = World::after("client a\nwatch k from=50\nopen 1");
    assert_eq!(
        world.run("created 1 id=1 rev=10"),
        ["watch 1: created at 10"]
    );
    world.run_all("reset 1\nwait 1s\nopen 2");
    assert_eq!(
        world.run("created 2 id=1 rev=10"),
        ["watch 1: resumed from 50 at a"]
    );
}

#[test]
fn g21_what_comes_together_with_such_a_confirmation_is_not_delivered() {
    let mut world = World::after(LOST);
    world.run("watch j");
    let created = |id: u8, revision: u8| {
        let header = format!("\"header\":{{\"revision\":\"{revision}\"}}");
        format!("{{\"result\":{{{header},\"watch_id\":\"{id}\",\"created\":true}}}}\n")
    };
    let event = support::event("k@13");
    let events = format!("{{\"result\":{{\"watch_id\":\"1\",\"events\":[{event}]}}}}\n");
    let bytes = [created(1, 11), events, created(2, 11)].map(|frame| support::chunk(&frame));
    world.receive(
        2,
        (support::STREAM_HEAD.to_owned() + &bytes.concat()).as_bytes(),
    );
    world.drain();
    let told = world.transcript();
    assert!(!told.contains("13 +k"), "{told}");
    assert!(told.contains("watch 2: created at 11"), "{told}");
    // It asks for that again.
    let told = world.run("wait 1s").join("\n");
    assert!(told.contains("\"start_revision\":\"13\""), "{told}");
}
