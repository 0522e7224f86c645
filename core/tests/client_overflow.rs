//! What happens to a watch that is not read (rule W-12), in virtual time.

mod support;

use support::World;
use support::check;
use support::chunk;

#[test]
fn w12_a_watch_can_end_instead_of_holding_the_server_back() {
    check(
        r#"
        > client a buffer=100
        > hold 1
        > watch k overflow=cancel
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
        // Two revisions in one piece: the second comes too late.
        > events 1 id=1 rev=12 k@11 k@12
        send 1: {"cancel_request":{"watch_id":"1"}}
        > canceled 1 id=1
        > read 1
        watch 1: created at 10
        watch 1: 11 +k
        watch 1: end: the watch was not read in time; 12 is the next revision
        > wait 10s
        "#,
    );
}

#[test]
fn w12_alone_on_its_connection_its_end_closes_that() {
    let mut world = World::after(
        "client a buffer=100\nhold 1\nwatch k overflow=cancel\nopen 1\ncreated 1 id=1 rev=10",
    );
    assert_eq!(world.run("events 1 id=1 rev=12 k@11 k@12"), ["close 1"]);
    let told = world.run("read 1").join("\n");
    assert!(told.ends_with("12 is the next revision"), "{told}");
}

/// What the same piece says of its neighbour is heard, though nobody else is on the connection then.
/// Rule W-13, too: there is no newline between the frames.
#[test]
fn w12_its_neighbours_end_in_the_same_piece_is_not_lost() {
    let mut world = World::after(
        "client a buffer=100\nhold 1\nwatch k overflow=cancel\nwatch j from=5\nopen 1\n\
         created 1 id=1 rev=10\ncreated 1 id=2 rev=10",
    );
    let of = |revision: i64| {
        let kv = format!(r#"{{"kv":{{"key":"aw==","mod_revision":"{revision}"}}}}"#);
        format!(r#"{{"result":{{"watch_id":"1","events":[{kv}]}}}}"#)
    };
    let gone = r#"{"result":{"watch_id":"2","canceled":true,"compact_revision":"9"}}"#;
    let piece = chunk(&of(11)) + &chunk(&of(12)) + &chunk(gone);
    let told = world.run(&format!("raw 1 {piece}")).join("\n");
    assert!(told.contains("watch 2: end: "), "{told}");
    assert!(told.ends_with("close 1"), "{told}");
}

#[test]
fn w12_a_watch_can_keep_the_last_change_of_each_key() {
    check(
        r#"
        > client a buffer=2000
        > hold 1
        > watch k overflow=coalesce
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > events 1 id=1 rev=99 a@11 b@12 c@12 a@13 b@14 a@15 a@16 a@17 a@18 a@19 a@20 a@21 a@22 a@23 a@24 a@25
        > events 1 id=1 rev=99 -a@26 b@27
        > read 1 2
        watch 1: created at 10
        watch 1: coalesced 27 +c -a +b
        // Read in time, everything comes again.
        > events 1 id=1 rev=99 a@28 a@29
        > read 1
        watch 1: 28 +a
        watch 1: 29 +a
        "#,
    );
}

#[test]
fn w12_progress_and_the_end_come_behind_what_was_coalesced() {
    let many: String = (11..31).map(|revision| format!(" a@{revision}")).collect();
    let mut world = World::after(
        "client a buffer=2000\nhold 1\nwatch a overflow=coalesce\nopen 1\ncreated 1 id=1 rev=10",
    );
    world.run(&format!("events 1 id=1 rev=30{many}"));
    world.run("progress 1 id=1 rev=40");
    world.run("events 1 id=1 rev=41 a@41");
    world.run("canceled 1 id=1 compact=50");
    let told = world.run("read 1").join("\n");
    assert_eq!(
        told,
        "watch 1: created at 10\nwatch 1: coalesced 41 +a\nwatch 1: progress 41\n\
         watch 1: end: revision 42 was compacted, the oldest one kept is 50"
    );
}

/// Found by random world 323: it was told first, as if what came before had been delivered.
#[test]
fn w12_that_a_watch_resumed_comes_behind_what_was_coalesced() {
    let many: String = (12..32).map(|revision| format!(" a@{revision}")).collect();
    let mut world = World::after(
        "client a buffer=2000\nhold 1\nwatch a overflow=coalesce\nopen 1\ncreated 1 id=1 rev=10",
    );
    world.run("events 1 id=1 rev=11 b@11");
    world.run("reset 1");
    world.run("wait 1s");
    world.run("open 2");
    world.run("created 2 id=1 rev=31");
    world.run(&format!("events 2 id=1 rev=31{many}"));
    let told = world.run("read 1").join("\n");
    assert_eq!(
        told,
        "watch 1: created at 10\nwatch 1: coalesced 31 +b +a\nwatch 1: resumed from 32 at a"
    );
}

#[test]
fn w12_more_keys_than_the_buffer_holds_stop_the_connection() {
    let mut world = World::after(
        "client a buffer=2000\nhold 1\nwatch a overflow=coalesce\nopen 1\ncreated 1 id=1 rev=10",
    );
    for key in 11..100 {
        world.run(&format!("events 1 id=1 rev={key} k{key}@{key}"));
        if world.socket(1).paused {
            break;
        }
    }
    assert!(
        world.socket(1).paused,
        "what it holds is bounded (guarantee G17)"
    );
    let told = world.run("read 1").join("\n");
    assert!(
        told.contains("coalesced") && told.ends_with("resume 1"),
        "{told}"
    );
}
