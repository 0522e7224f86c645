//! A connection may die at any byte of a catch-up frame: the watch has moved on by the revisions that
//! were whole, and goes on right after them (guarantees G11 and G15, rules W-4 and W-8).

mod support;

use std::fs;
use std::path::Path;

use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;
use proptest::collection::vec;
use proptest::prelude::*;
use support::STREAM_HEAD;
use support::World;
use support::chunk;

const SERVERS: [&str; 4] = ["3.4.23", "3.5.1", "3.5.16", "3.5.30"];

/// The revisions of the captured catch-up frame, each of one event.
const REVISIONS: std::ops::RangeInclusive<i64> = 73..=78;

/// The confirmation and the catch-up frame that a server sent to a watch from revision 73 on, which it
/// knew by the id 0; here it is 1.
fn catch_up(version: &str) -> (String, String) {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
    let bytes = fs::read(captures.join(version).join("watch_history.http")).expect("the capture");
    let mut reader = Reader::new(HttpLimits::default());
    reader.expect(RequestMethod::Other);
    let (mut rest, mut body) = (&bytes[..], Vec::new());
    while let Ok((used, Some(item))) = reader.read(rest) {
        rest = &rest[used..];
        if let Item::Data(data) = item {
            body.extend_from_slice(data);
        }
    }
    let body = String::from_utf8(body).expect("text");
    let named = body.replace(
        "\"raft_term\":\"2\"},",
        "\"raft_term\":\"2\"},\"watch_id\":\"1\",",
    );
    let mut lines = named.lines();
    let mut line = || lines.next().expect("a frame").to_owned() + "\n";
    (line(), line())
}

/// The revision a watch that was delivered everything whole in `cut` has to go on with.
fn next_after(cut: &str) -> i64 {
    // What shows a revision to be whole: the next one is named, or its frame has ended.
    let is_whole = |revision: &i64| {
        cut.contains(&format!("\"mod_revision\":\"{}\",", revision + 1)) || cut.contains("]}}")
    };
    *REVISIONS.start() + i64::try_from(REVISIONS.filter(is_whole).count()).expect("a count")
}

/// A watch gets this much of the catch-up frame, in these pieces, and then its connection ends.
fn check_cut(version: &str, len: usize, cuts: &[usize], end: &str) {
    let (created, frame) = catch_up(version);
    let stream = chunk(&frame);
    let mut world = World::after("client a b\nwatch hist from=73\nopen 1");
    world.receive(1, (STREAM_HEAD.to_owned() + &chunk(&created)).as_bytes());
    world.drain();
    let mark = world.transcript().len();
    let cut = &stream[..len.min(stream.len())];
    let mut ends: Vec<usize> = cuts.iter().map(|end| end % (cut.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(cut.len());
    let mut from = 0;
    for end in ends {
        world.receive(1, &cut.as_bytes()[from..end]);
        from = end;
    }
    world.run(&format!("{end} 1"));

    let next = next_after(cut);
    let transcript = world.transcript();
    let got: Vec<&str> = transcript[mark..]
        .lines()
        .filter(|line| line.starts_with("watch"))
        .collect();
    let wanted: Vec<String> = (*REVISIONS.start()..next)
        .map(|revision| format!("watch 1: {revision} +hist"))
        .collect();
    assert_eq!(got, wanted, "{version}, cut at {len}");

    // It goes on right after, and gets the rest once.
    let asked = world.run("open 2").concat();
    assert!(
        asked.contains(&format!("\"start_revision\":\"{next}\"")),
        "{asked}"
    );
    world.run("created 2 id=1 rev=78");
    let all: Vec<String> = REVISIONS
        .map(|revision| format!("hist@{revision}"))
        .collect();
    let got = world
        .run(&format!("events 2 id=1 rev=78 {}", all.join(" ")))
        .concat();
    let rest: Vec<String> = (next..=*REVISIONS.end())
        .map(|revision| format!("watch 1: {revision} +hist"))
        .collect();
    assert_eq!(got, rest.concat(), "{version}, cut at {len}");
}

/// Guarantee G15.
#[test]
fn a_connection_cut_at_every_byte_moves_the_watch_on_by_what_was_whole() {
    for version in SERVERS {
        let len = chunk(&catch_up(version).1).len();
        assert!(len > 700, "the frame has six revisions");
        for end in 0..=len {
            check_cut(version, end, &[], "eof");
            if end % 7 == 0 {
                check_cut(version, end, &[], "reset");
                check_cut(version, end, &[end / 2], "eof");
            }
        }
    }
}

#[test]
fn what_shows_a_revision_to_be_whole_is_found_by_the_test_as_well() {
    let (_, frame) = catch_up(SERVERS[0]);
    assert_eq!(next_after(""), 73);
    assert_eq!(next_after(&frame), 79);
    let third = frame
        .find("\"mod_revision\":\"75\",")
        .expect("a third event");
    assert_eq!(next_after(&frame[..third]), 74);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_connection_moves_the_watch_on_whatever_the_pieces(
        version in prop::sample::select(SERVERS.to_vec()),
        len in 0..800_usize,
        cuts in vec(any::<usize>(), 0..20),
        end in prop::sample::select(vec!["eof", "reset"]),
    ) {
        check_cut(version, len, &cuts, end);
    }
}

#[test]
fn a_revision_is_delivered_before_its_frame_ends_and_the_header_moves_nothing() {
    let (created, frame) = catch_up("3.5.30");
    let frame = frame.replace("\"revision\":\"78\"", "\"revision\":\"99\"");
    let half = frame
        .find("\"mod_revision\":\"76\",")
        .expect("a fourth event")
        + 20;
    let stream = format!("{:x}\r\n{}", frame.len(), &frame[..half]);
    let mut world = World::after("client a b\nwatch hist from=73\nopen 1");
    world.receive(1, (STREAM_HEAD.to_owned() + &chunk(&created)).as_bytes());
    world.drain();
    world.receive(1, stream.as_bytes());
    let got = world.run("wait 1ms").concat();
    assert_eq!(got, "watch 1: 73 +histwatch 1: 74 +histwatch 1: 75 +hist");
    // The store is at 99, but this watch has seen no more than 75.
    world.run("eof 1");
    let asked = world.run("open 2").concat();
    assert!(asked.contains("\"start_revision\":\"76\""), "{asked}");
}

#[test]
fn a_watch_that_is_full_inside_a_frame_pauses_there() {
    let (created, frame) = catch_up("3.5.30");
    let mut world = World::after("client a buffer=500\nhold 1\nwatch hist from=73\nopen 1");
    world.receive(1, (STREAM_HEAD.to_owned() + &chunk(&created)).as_bytes());
    world.drain();
    let stream = chunk(&frame);
    let mut fed = 0;
    while !world.socket(1).paused {
        world.receive(1, &stream.as_bytes()[fed..=fed]);
        world.drain();
        fed += 1;
    }
    assert!(fed < stream.len() - 200, "{fed} of {} bytes", stream.len());
    let resumed = world.run("read 1").concat();
    assert!(resumed.ends_with("resume 1"), "{resumed}");
    world.receive(1, &stream.as_bytes()[fed..]);
    let rest = world.run("wait 1ms").concat();
    assert!(rest.contains("watch 1: 78 +hist"), "{rest}");
}

#[test]
fn a_revision_over_its_limit_ends_its_watch_and_no_other() {
    support::check(
        r#"
        > client a b revision=600
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
        > events 1 id=1 rev=12 k@11 k@12 k@12
        watch 1: 11 +k
        watch 1: 12 +k +k
        > events 1 id=1 rev=14 k@13 k@14 k@14 k@14 k@14
        watch 1: 13 +k
        watch 1: end: revision of a watch is larger than 600 bytes
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"j","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        "#,
    );
}
