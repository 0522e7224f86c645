//! How much work and memory a watch's stream takes.

use super::WatchFrames;
use super::WatchItem;
use super::WatchLimits;
use crate::codec::work;

/// Reads bytes in pieces of this length; how many bytes were looked at, and how many held at most.
fn read(bytes: &[u8], len: usize) -> (usize, usize) {
    let mut most = 0;
    let work = work::of(|| {
        let mut frames = WatchFrames::new(200, WatchLimits::default());
        for piece in bytes.chunks(len) {
            frames.handle_data(piece);
            while let Some(item) = frames.poll_item() {
                drop(item);
            }
            most = most.max(frames.held_bytes());
        }
    });
    (work, most)
}

fn event(revision: usize, value: &str) -> String {
    format!("{{\"kv\":{{\"key\":\"aw==\",\"mod_revision\":\"{revision}\",\"value\":\"{value}\"}}}}")
}

const BEGIN: &str = r#"{"result":{"header":{"revision":"9"},"watch_id":"7","events":["#;

/// Streams that are meant to be expensive, of a size that grows with `n`.
fn streams(n: usize) -> Vec<(&'static str, String)> {
    let events = |value: &str| -> String {
        let events: Vec<String> = (0..n).map(|revision| event(revision, value)).collect();
        events.join(",")
    };
    let small = format!("{BEGIN}{}]}}}}", event(5, ""));
    vec![
        (
            "one frame of many events",
            format!("{BEGIN}{}]}}}}\n", events("dg==")),
        ),
        (
            "one long event",
            format!("{BEGIN}{}]}}}}\n", event(5, &"dmRk".repeat(n))),
        ),
        (
            "a long event behind another",
            format!(
                "{BEGIN}{},{}]}}}}\n",
                event(5, ""),
                event(6, &"dmRk".repeat(n))
            ),
        ),
        ("frames without lines", small.repeat(n)),
        ("frames in lines", format!("{small}\n").repeat(n)),
        (
            "an unfinished frame of many events",
            format!("{BEGIN}{}", events("")),
        ),
        (
            "events before their watch",
            format!(
                "{{\"result\":{{\"events\":[{}],\"watch_id\":\"7\"}}}}",
                events("")
            ),
        ),
        (
            "blanks between events",
            format!("{BEGIN}{}{}", event(5, ""), " ".repeat(n * 9)),
        ),
        (
            "blanks before brackets",
            format!(
                "{{\"result\":{{\"x\":[1],{}",
                format!("\"x\":{}[1],", " ".repeat(50)).repeat(n)
            ),
        ),
        (
            "brackets without names",
            format!("{{\"result\":{{{}", "[]".repeat(n)),
        ),
        (
            "members of no frame",
            format!("{{\"result\":{{{}", "\"events\":{},".repeat(n)),
        ),
        (
            "an event without a revision",
            format!(
                "{BEGIN}{},{{\"kv\":{{{}",
                event(5, ""),
                "\"x\":[{},1],".repeat(n)
            ),
        ),
        (
            "an event of blanks",
            format!("{BEGIN}{},{{{}", event(5, ""), "\"kv\":   {  },".repeat(n)),
        ),
        ("garbage", "}".repeat(n)),
    ]
}

#[test]
fn any_cutting_takes_linear_work() {
    for len in [1, 100, 1_000, usize::MAX] {
        let works = [300, 600, 1_200].map(|n| {
            let read =
                |(name, bytes): (_, String)| (name, bytes.len(), read(bytes.as_bytes(), len).0);
            streams(n).into_iter().map(read).collect::<Vec<_>>()
        });
        let [once, twice, fourfold] = works;
        for ((once, twice), fourfold) in once.iter().zip(&twice).zip(&fourfold) {
            for (less, more) in [(once, twice), (twice, fourfold)] {
                // The constant is for what a stream begins with; bytes decide.
                let grown = less.2 * 21 / 10 + 500;
                assert!(more.2 <= grown, "{less:?} {more:?} in pieces of {len}");
                // Lines, brackets, and event by event, each once.
                assert!(more.2 <= more.1 * 5, "{more:?} in pieces of {len}");
            }
        }
    }
}

#[test]
fn a_long_frame_takes_the_memory_of_one_revision() {
    let value = "dmRk".repeat(2_500);
    let events: Vec<String> = (0..1_000).map(|place| event(place / 2, &value)).collect();
    let frame = format!("{BEGIN}{}]}}}}\n", events.join(","));
    assert!(frame.len() > 10_000_000, "{}", frame.len());
    let revision = 2 * value.len();
    let (_, most) = read(frame.as_bytes(), 16_384);
    assert!(
        most <= 2 * revision,
        "{most} bytes were held, a revision has {revision}"
    );

    let mut frames = WatchFrames::new(200, WatchLimits::default());
    let mut revisions = 0;
    for piece in frame.as_bytes().chunks(16_384) {
        frames.handle_data(piece);
        while let Some(item) = frames.poll_item() {
            let item = item.expect("a good frame");
            revisions += usize::from(matches!(item, WatchItem::Revision { .. }));
        }
    }
    assert_eq!(revisions, 500);
}
