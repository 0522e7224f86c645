//! How fast a recorded watch stream is read: `cargo test --release -p etcd-core --test watch_speed --
//! --ignored --nocapture`.

#![allow(clippy::disallowed_types, reason = "it measures; the core does not")]

use std::time::Instant;

use etcd_core::WatchResponse;
use etcd_core::gateway::Frames;
use etcd_core::gateway::WatchFrames;
use etcd_core::gateway::WatchItem;

/// Frames of small events as etcd 3.5 writes them, so many a frame.
fn recording(frames: usize, events: usize) -> Vec<u8> {
    let mut out = String::new();
    let mut revision = 1_000;
    for _ in 0..frames {
        let list: Vec<String> = (0..events)
            .map(|_| {
                revision += 1;
                format!(r#"{{"kv":{{"key":"c2VydmljZXMvMTIzNA==","create_revision":"73","mod_revision":"{revision}","version":"12","value":"eyJob3N0IjoiMTAuMC4wLjEiLCJwb3J0Ijo4MDgwfQ=="}}}}"#)
            })
            .collect();
        out += &format!(
            "{{\"result\":{{\"header\":{{\"cluster_id\":\"14277407548156367643\",\"member_id\":\"10948205466324792358\",\"revision\":\"{revision}\",\"raft_term\":\"2\"}},\"watch_id\":\"7\",\"events\":[{}]}}}}\n",
            list.join(",")
        );
    }
    out.into_bytes()
}

/// Events a second, the best of a few runs.
fn rate(bytes: &[u8], piece: usize, read: impl Fn(&[u8], usize) -> usize) -> f64 {
    let runs = (0..7).map(|_| {
        let start = Instant::now();
        let events = read(bytes, piece);
        events as f64 / start.elapsed().as_secs_f64()
    });
    runs.fold(0.0, f64::max)
}

/// Each frame kept until it ends.
fn frame_by_frame(bytes: &[u8], piece: usize) -> usize {
    let mut frames = Frames::<WatchResponse>::new(200, Default::default());
    let mut count = 0;
    for piece in bytes.chunks(piece) {
        frames.handle_data(piece);
        while let Some(frame) = frames.poll_frame() {
            count += frame.expect("frames").events.len();
        }
    }
    count
}

fn event_by_event(bytes: &[u8], piece: usize) -> usize {
    let mut frames = WatchFrames::new(200, Default::default());
    let mut count = 0;
    for piece in bytes.chunks(piece) {
        frames.handle_data(piece);
        while let Some(item) = frames.poll_item() {
            if let WatchItem::Revision { events, .. } = item.expect("frames") {
                count += events.len();
            }
        }
    }
    count
}

#[test]
#[ignore = "a measurement"]
fn small_events_a_second() {
    for (name, bytes, piece) in [
        (
            "one event a frame, all in a piece",
            recording(50_000, 1),
            usize::MAX,
        ),
        (
            "one event a frame, pieces of 64 KiB",
            recording(50_000, 1),
            64 << 10,
        ),
        (
            "100 events a frame, all in a piece",
            recording(500, 100),
            usize::MAX,
        ),
        (
            "100 events a frame, pieces of 64 KiB",
            recording(500, 100),
            64 << 10,
        ),
        (
            "50,000 events a frame, pieces of 64 KiB",
            recording(1, 50_000),
            64 << 10,
        ),
        (
            "50,000 events a frame, pieces of 16 KiB",
            recording(1, 50_000),
            16 << 10,
        ),
        (
            "50,000 events a frame, pieces of 1 KiB",
            recording(1, 50_000),
            1 << 10,
        ),
    ] {
        let whole = rate(&bytes, piece, frame_by_frame) / 1e6;
        let now = rate(&bytes, piece, event_by_event) / 1e6;
        eprintln!("{name}: {now:.2} million events/s, {whole:.2} with frames kept");
        assert!(now > 0.0);
    }
}
