//! What a client holds as a whole: connections, and what its watches have not delivered.

mod support;

use etcd_core::KeyValue;
use support::World;

/// Events for one watch until its connection is not read any more; how many it took.
fn events_until_paused(world: &mut World, conn: u64, from: usize) -> usize {
    for count in 1..1000 {
        let revision = from + count;
        world.run(&format!("events {conn} id=1 rev={revision} k@{revision}"));
        if world.socket(conn).paused {
            return count;
        }
    }
    panic!("never paused");
}

/// Two watches that nobody reads, each on a connection of its own.
fn two_watches(settings: &str) -> World {
    World::after(&format!(
        "client a per_connection=1 {settings}\nhold 1\nhold 2\n\
         watch k\nopen 1\ncreated 1 id=1 rev=10\n\
         watch k\nopen 2\ncreated 2 id=1 rev=10"
    ))
}

#[test]
fn all_watches_together_hold_no_more_than_their_limit() {
    // How many events one watch may hold shows how many bytes each takes.
    let mut world = two_watches("buffer=10000");
    let alone = events_until_paused(&mut world, 1, 10);
    assert!(!world.socket(2).paused, "it holds nothing");

    let mut world = two_watches("buffer=100000 all_buffers=10000");
    let first = events_until_paused(&mut world, 1, 10);
    assert_eq!(first, alone, "the limit is passed by the same event");
    assert!(!world.socket(2).paused, "nothing came for it");
    let second = events_until_paused(&mut world, 2, 10);
    assert_eq!(second, 1, "one event passes the limit");
}

#[test]
fn up_to_the_limit_of_all_watches_every_connection_is_read() {
    let mut world = two_watches("buffer=10000");
    let alone = events_until_paused(&mut world, 1, 10);
    let mut world = two_watches("buffer=100000 all_buffers=10000");
    // One less than passes the limit, on two watches.
    for count in 1..alone {
        let conn = 1 + count % 2;
        let revision = 10 + count;
        world.run(&format!("events {conn} id=1 rev={revision} k@{revision}"));
        assert!(
            !world.socket(1).paused && !world.socket(2).paused,
            "{count}"
        );
    }
    world.run("events 1 id=1 rev=1000 k@1000");
    assert!(world.socket(1).paused && !world.socket(2).paused);
}

#[test]
fn a_watch_that_is_read_goes_on_while_another_holds_too_much() {
    let mut world = two_watches("buffer=100000 all_buffers=10000");
    events_until_paused(&mut world, 1, 10);
    for round in 0..3 {
        let from = 10 + round;
        assert_eq!(events_until_paused(&mut world, 2, from), 1);
        world.run("read 2");
        world.run("hold 2");
        assert!(!world.socket(2).paused, "it holds nothing");
        assert!(world.socket(1).paused, "it holds all it did");
    }
    // Half of what all may hold is left: all go on.
    assert_eq!(events_until_paused(&mut world, 2, 20), 1);
    while world.socket(1).paused {
        assert!(world.socket(2).paused, "both wait for the same");
        world.run("read 1 1");
    }
    assert!(!world.socket(2).paused);
}

#[test]
fn a_canceled_watch_frees_what_it_held() {
    let mut world = two_watches("buffer=100000 all_buffers=10000");
    events_until_paused(&mut world, 1, 10);
    assert_eq!(events_until_paused(&mut world, 2, 10), 1);
    world.run("unwatch 1");
    assert!(!world.socket(2).paused);
}

#[test]
fn an_answer_of_nearly_nothing_is_refused_by_its_weight() {
    let body = |count: usize| format!("{{\"kvs\":[{}]}}", vec!["{}"; count].join(","));
    // Each takes so much, and its text in the list allows 24; what is around the list allows 72.
    let fits = (64 * 1024 + 72) / (size_of::<KeyValue>() - 24);
    let mut world = World::after("client a\nget k\nopen 1");
    let told = world
        .run(&format!("answer 1 200 {}", body(fits)))
        .join("\n");
    assert!(told.contains("call 1: Range"), "{told}");

    let mut world = World::after("client a\nget k\nopen 1");
    world.run(&format!("answer 1 200 {}", body(fits + 1)));
    let told = world.run("wait 5s").join("\n");
    let limit = 8 * body(fits + 1).len() + 64 * 1024;
    let error = format!("elements of its lists take more than {limit} bytes of memory");
    assert!(told.contains("call 1: Unavailable"), "{told}");
    assert!(told.contains(&error), "{told}");
}

#[test]
fn calls_above_the_number_of_connections_wait_and_end_by_its_name() {
    let mut world = World::after(
        "client a all_connections=2 connections=8\n\
         lock l\nopen 1\n\
         watch k\nopen 2\ncreated 2 id=1 rev=10",
    );
    let before = world.run("get k");
    assert!(before.is_empty(), "no third connection: {before:?}");
    let after = world.run("wait 5s").join("\n");
    let limit = "more than 2 connections needed at once";
    assert!(
        after.contains("call 2: Limit") && after.contains(limit),
        "{after}"
    );

    // With one more there is room.
    let mut world = World::after(
        "client a all_connections=3 connections=8\n\
         lock l\nopen 1\n\
         watch k\nopen 2\ncreated 2 id=1 rev=10",
    );
    assert_eq!(world.run("get k"), ["connect 3 to a"]);
}

#[test]
fn a_call_above_the_number_of_connections_is_sent_once_one_is_free() {
    let mut world = World::after("client a all_connections=1\nlock l\nopen 1\nget k");
    let told = world.run("answer 1 200 {\"key\":\"bC83\"}").join("\n");
    assert!(told.contains("call 1: Lock"), "{told}");
    assert!(told.contains("connect 2 to a"), "{told}");
}

#[test]
fn watches_and_streams_above_the_number_of_connections_wait_for_room() {
    for (command, ended) in [("watch k", "watch 1: "), ("snapshot", "stream 1: ")] {
        let start = format!("client a all_connections=1\nlock l\nopen 1\n{command}");
        let mut world = World::after(&start);
        let after = world.run("wait 5s").join("\n");
        let limit = "more than 1 connections needed at once";
        assert!(after.contains(ended) && after.contains(limit), "{after}");

        let mut world = World::after(&start);
        let told = world.run("answer 1 200 {\"key\":\"bC83\"}").join("\n");
        assert!(told.contains("connect 2 to a"), "{told}");
    }
    // One that was confirmed before has no deadline: it waits for as long as it takes.
    let world = World::after(
        "client a all_connections=1\nwatch k\nopen 1\ncreated 1 id=1 rev=10\nlock l\nreset 1",
    );
    let told = world.transcript();
    assert!(told.contains("connect 2 to a"), "{told}");
}

#[test]
fn a_connection_nobody_uses_gives_way() {
    let mut world = World::after(
        "client a all_connections=1\n\
         get k\nopen 1\nanswer 1 200 {}",
    );
    let told = world.run("watch k").join("\n");
    assert!(
        told.contains("close 1") && told.contains("connect 2 to a"),
        "{told}"
    );
    // Of several the one that was not used for longest.
    let mut world = World::after(
        "client a all_connections=2\n\
         get k at=b\nopen 1\nanswer 1 200 {}\n\
         get k at=c\nopen 2\nanswer 2 200 {}",
    );
    let told = world.run("get k at=d").join("\n");
    assert!(
        told.contains("close 1") && told.contains("connect 3 to d"),
        "{told}"
    );
}
