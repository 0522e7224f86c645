//! What a watch does about lost connections and leaders (rules W-17, W-18, W-21), in virtual time.

mod support;

use support::World;
use support::check;

#[test]
fn w18_a_member_without_a_leader_is_left_and_the_user_is_told() {
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
        > error 1 {"code":14,"message":"etcdserver: no leader"}
        close 1
        watch 1: no leader at a
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
fn w18_a_watch_can_end_when_there_is_no_leader() {
    let mut world =
        World::after("client a b\nwatch k no_leader=fail\nopen 1\ncreated 1 id=1 rev=10");
    let told = world
        .run(r#"error 1 {"code":14,"message":"etcdserver: no leader"}"#)
        .join("\n");
    assert!(
        told.contains("watch 1: end: etcdserver: no leader"),
        "{told}"
    );
    assert!(world.run("wait 10s").is_empty());
}

#[test]
fn w18_before_its_confirmation_nothing_is_told_but_the_confirmation() {
    let mut world = World::after("client a b\nwatch k\nopen 1");
    let told = world
        .run(r#"error 1 {"code":14,"message":"etcdserver: no leader"}"#)
        .join("\n");
    assert_eq!(told, "close 1\nconnect 2 to b");
}

#[test]
fn w17_after_ten_seconds_of_life_there_is_no_wait() {
    let mut world = World::after("client a\nwatch k\nopen 1\ncreated 1 id=1 rev=10");
    world.run("wait 10001ms");
    assert_eq!(world.run("reset 1"), ["close 1", "connect 2 to a"]);
    world.run("open 2");
    assert_eq!(
        world.run("reset 2"),
        ["close 2"],
        "this one did not live long"
    );
}

#[test]
fn w21_a_watch_gives_up_after_so_many_losses() {
    let mut world = World::after("client a\nwatch k losses=2\nopen 1\ncreated 1 id=1 rev=10");
    world.run_all("reset 1\nwait 1s\nopen 2\ncreated 2 id=1 rev=10\nreset 2\nwait 1s\nopen 3");
    let told = world.run("reset 3").join("\n");
    assert!(
        told.contains("watch 1: end:") && told.contains("connection reset"),
        "{told}"
    );
    assert!(world.run("wait 60s").is_empty());
}

#[test]
fn w21_a_loss_after_a_long_life_is_the_first() {
    let mut world = World::after("client a\nwatch k losses=1\nopen 1\ncreated 1 id=1 rev=10");
    for conn in 1..5 {
        world.run("wait 11s");
        let told = world.run(&format!("reset {conn}")).join("\n");
        assert!(!told.contains("end"), "{told}");
        world.run(&format!("open {}", conn + 1));
        world.run(&format!("created {} id=1 rev=10", conn + 1));
    }
}

#[test]
fn w21_a_watch_gives_up_after_so_long_a_time() {
    let mut world = World::after("client a\nwatch k within=3s\nopen 1\ncreated 1 id=1 rev=10");
    world.run("wait 20s");
    // One that comes back in time goes on.
    world.run_all("reset 1\nwait 1s\nopen 2\ncreated 2 id=1 rev=10");
    assert!(world.run("wait 20s").is_empty());
    world.run("reset 2");
    let told = world.run("wait 2999ms").join("\n");
    assert!(!told.contains("end"), "{told}");
    let told = world.run("wait 1ms").join("\n");
    assert!(told.contains("watch 1: end:"), "{told}");
    assert!(world.run("wait 60s").is_empty());
}
