//! Law 8: what a server sends without end is ended by a limit, before it fills the memory.

mod support;

use support::STREAM_HEAD;
use support::World;
use support::answer;
use support::check;
use support::chunk;

/// Feeds a piece again and again; gives how many bytes it took until the connection was closed.
fn bytes_until_closed(world: &mut World, begin: &str, piece: &str) -> Option<usize> {
    world.receive(1, begin.as_bytes());
    world.drain();
    let mut fed = 0;
    while fed < 1_000_000 {
        if world.socket(1).closed {
            return Some(fed);
        }
        world.receive(1, piece.as_bytes());
        world.drain();
        fed += piece.len();
    }
    None
}

#[test]
fn answers_without_end_are_ended_by_a_limit() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let line = "x".repeat(100);
    let data = chunk(&" ".repeat(100));
    for (begin, piece, limit) in [
        ("HTTP/1.1 200 OK\r\nX: ", line.as_str(), 33_000),
        ("HTTP/1.1 200 OK\r\n", "A: b\r\n", 33_000),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", 1_000),
        (chunked, data.as_str(), 3_000),
        (
            chunked,
            "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n{\r\n",
            40_000,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            "x",
            1_000,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "A: b\r\n",
            10_000,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", line.as_str(), 3_000),
        ("", line.as_str(), 33_000),
    ] {
        let mut world = World::after("client a body=2000\nput k v\nopen 1");
        let fed = bytes_until_closed(&mut world, begin, piece);
        assert!(
            fed.is_some_and(|fed| fed <= limit),
            "{begin}{piece}: {fed:?}"
        );
        assert!(world.transcript().contains("call 1: "), "{begin}{piece}");
    }
}

#[test]
fn frames_without_end_are_ended_by_a_limit() {
    let stream = |body: &str| format!("{STREAM_HEAD}{body}");
    let spaces = " ".repeat(100);
    let (data, blank) = (chunk("{\"x\":[1"), chunk(&spaces));
    for (command, begin) in [("watch k", "{\"result\":"), ("renew 7", "{\"result\":")] {
        for piece in [&data, &blank] {
            let start = format!("client a frame=2000\n{command}\nopen 1");
            let mut world = World::after(&start);
            let begin = stream(&chunk(begin));
            let fed = bytes_until_closed(&mut world, &begin, piece);
            assert!(
                fed.is_some_and(|fed| fed <= 5_000),
                "{command} {piece}: {fed:?}"
            );
        }
    }
}

#[test]
fn a_refusal_without_end_is_ended_by_time() {
    let mut world = World::after("client a created_timeout=1s read_timeout=60s\nwatch k\nopen 1");
    let begin = "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let fed = bytes_until_closed(&mut world, begin, &chunk(&"x".repeat(1000)));
    assert_eq!(fed, None);
    assert_eq!(world.run("wait 1s")[..2], ["at 1s", "close 1"]);
}

/// Guarantee G17.
#[test]
fn a_watch_nobody_reads_stops_its_connection_at_the_limit() {
    for buffer in [1_000, 10_000, 100_000] {
        let start =
            format!("client a buffer={buffer}\nhold 1\nwatch k\nopen 1\ncreated 1 id=1 rev=10");
        let mut world = World::after(&start);
        let mut revision = 10;
        while !world.socket(1).paused {
            revision += 1;
            assert!(revision < 10_000, "never paused");
            world.run(&format!("events 1 id=1 rev={revision} k@{revision}"));
        }
        // An event is counted with what it takes in memory, not with its key alone.
        let events = usize::try_from(revision).expect("a count") - 10;
        assert!(
            events * 100 < buffer + 300,
            "{events} events in {buffer} bytes"
        );
    }
}

#[test]
fn an_answer_may_be_nested_as_deep_as_configured_and_no_deeper() {
    check(
        r#"
        > client a depth=4
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"x":[[[1]]]}
        call 1: Range
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"x":[[[[1]]]]}
        close 1
        > cancel 2
        call 2: Canceled, not applied: canceled by the caller
        "#,
    );
}

#[test]
fn an_error_too_long_to_be_shown_is_the_same_however_it_comes() {
    for length in [100, 16 * 1024, 16 * 1024 + 1, 100_000] {
        let body = format!(r#"{{"code":5,"message":"{}"}}"#, "é".repeat(length / 2));
        let answer = answer(404, &body);
        let told = |pieces: usize| {
            let mut world = World::after("client a\nget k\nopen 1");
            for piece in answer.as_bytes().chunks(pieces) {
                world.receive(1, piece);
                world.drain();
            }
            world.transcript()
        };
        let whole = told(usize::MAX);
        assert!(whole.contains("call 1: "), "{whole}");
        assert!(whole.len() < 17 * 1024, "{} bytes are told", whole.len());
        assert_eq!(whole, told(1));
        assert_eq!(whole, told(1000));
    }
}

#[test]
fn a_stream_answered_before_it_was_asked_for_is_closed() {
    let mut world = World::after("client a\nslow\nwatch k\nopen 1");
    world.receive(1, STREAM_HEAD.as_bytes());
    world.drain();
    assert!(world.socket(1).closed);
}
