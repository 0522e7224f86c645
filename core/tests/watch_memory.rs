//! What a long frame of a watch takes in memory, by the allocator's count. One test, so that nobody
//! else allocates meanwhile.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_core::Instant;
use etcd_core::Output;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use peak_alloc::PeakAlloc;
use support::STREAM_HEAD;
use support::World;
use support::chunk;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// What the socket gives at once.
const PIECE: usize = 16 << 10;
/// Two events of 10 kB and what they are made of.
const REVISION: usize = 2 * 10_000;

#[test]
fn a_frame_of_10_mb_takes_the_memory_of_one_revision() {
    let value = STANDARD.encode(vec![b'v'; 10_000]);
    let events: Vec<String> = (0..780)
        .map(|place| {
            let revision = 11 + place / 2;
            format!(r#"{{"kv":{{"key":"aw==","mod_revision":"{revision}","value":"{value}"}}}}"#)
        })
        .collect();
    let frame = format!(
        "{{\"result\":{{\"header\":{{\"revision\":\"999\"}},\"watch_id\":\"1\",\"events\":[{}]}}}}",
        events.join(",")
    );
    assert!(frame.len() > 10_000_000, "{}", frame.len());
    let frame = chunk(&frame);
    drop(events);

    // A user who reads at once.
    let (mut world, watch) = live("buffer=50000");
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let mut batches = 0;
    for piece in frame.as_bytes().chunks(PIECE) {
        world.receive(1, piece);
        while world.client().poll_output().is_some() {}
        while let Some(event) = world.client().poll_watch(watch) {
            batches += usize::from(matches!(event, WatchEvent::Batch(_)));
        }
    }
    let grown = ALLOCATED.peak_usage() - before;
    eprintln!("{} bytes passed, {grown} were held at most", frame.len());
    assert_eq!(batches, 390);
    assert!(grown <= 2 * REVISION + 2 * PIECE + 10_000, "{grown} bytes");

    // A user who does not: the connection is paused in the middle of the frame, and goes on later.
    let (mut world, watch) = live("buffer=50000");
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let mut pieces = frame.as_bytes().chunks(PIECE);
    let mut fed = 0;
    let is_pause = |world: &mut World| {
        let outputs = std::iter::from_fn(|| world.client().poll_output());
        outputs.fold(false, |paused, output| {
            paused | matches!(output, Output::Pause(_))
        })
    };
    for piece in pieces.by_ref() {
        world.receive(1, piece);
        fed += piece.len();
        if is_pause(&mut world) {
            break;
        }
    }
    let grown = ALLOCATED.peak_usage() - before;
    eprintln!("paused after {fed} bytes, {grown} were held at most");
    assert!(fed < 200_000, "{fed} bytes before the pause");
    assert!(
        grown <= 50_000 + 2 * REVISION + 2 * PIECE + 10_000,
        "{grown} bytes"
    );

    let mut revisions = Vec::new();
    let mut take = |world: &mut World| {
        while let Some(event) = world.client().poll_watch(watch) {
            if let WatchEvent::Batch(batch) = event {
                assert_eq!(batch.events.len(), 2);
                revisions.push(batch.revision);
            }
        }
    };
    take(&mut world);
    let resumed = std::iter::from_fn(|| world.client().poll_output())
        .any(|output| matches!(output, Output::Resume(_)));
    assert!(resumed, "the user has read");
    for piece in pieces {
        world.receive(1, piece);
        take(&mut world);
        while world.client().poll_output().is_some() {}
    }
    assert_eq!(revisions, (11..401).collect::<Vec<i64>>());
}

/// A world with one confirmed watch.
fn live(settings: &str) -> (World, WatchId) {
    let mut world = World::after(&format!("client a {settings}"));
    let watch = world
        .client()
        .watch(Instant::ZERO, etcd_core::Watch::key("k"));
    world.drain();
    world.run_all("open 1");
    let created = r#"{"result":{"header":{"revision":"10"},"watch_id":"1","created":true}}"#;
    world.receive(1, (STREAM_HEAD.to_owned() + &chunk(created)).as_bytes());
    world.drain();
    (world, watch)
}
