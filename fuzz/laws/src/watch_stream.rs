//! Any bytes as the body of a watch stream: cut anywhere they deliver the same, and what is
//! delivered of one watch only goes forward (guarantees G9 to G11, G16, G52).

use etcd_core::Client;
use etcd_core::Config;
use etcd_core::Instant;
use etcd_core::Output;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use etcd_core::WatchResponse;
use etcd_core::gateway::Frames;

use crate::input::Input;
use crate::input::cut;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Any body.
pub(crate) fn watch_stream(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (status, seed) = (input.byte(), input.byte());
    let body = input.rest();
    let status = if status < 200 { 200 } else { 503 };
    let whole = frames(&[body], status);
    assert_eq!(whole, frames(&cut(body, seed), status));
    assert_eq!(whole, frames(&cut(body, 1), status));

    let whole = delivered(&[body]);
    for events in &whole {
        goes_forward(events);
    }
    assert_eq!(whole, delivered(&cut(body, seed)));
}

fn frames(pieces: &[&[u8]], status: u16) -> Vec<String> {
    let mut frames = Frames::<WatchResponse>::new(status, Default::default());
    let mut seen = Vec::new();
    for piece in pieces {
        frames.handle_data(piece);
        while let Some(frame) = frames.poll_frame() {
            seen.push(format!("{frame:?}"));
        }
    }
    frames.handle_end();
    while let Some(frame) = frames.poll_frame() {
        seen.push(format!("{frame:?}"));
    }
    seen
}

/// What two watches of a client get of this body, whose pieces come as chunks.
fn delivered(pieces: &[&[u8]]) -> Vec<Vec<WatchEvent>> {
    let now = Instant::ZERO;
    let config = Config::new(["a"]).expect("an endpoint");
    let mut client = Client::new(config, 1, now);
    let watches: [WatchId; 2] = [
        client.watch(now, Watch::key("k")),
        client.watch(
            now,
            Watch::prefix("p")
                .with_start_revision(3)
                .with_fragment(true),
        ),
    ];
    let Some(Output::Connect { conn, .. }) = client.poll_output() else {
        panic!("a watch needs a connection");
    };
    client.handle_connected(now, conn);
    let len = client.transmit(conn).len();
    client.handle_written(now, conn, len);
    client.handle_received(now, conn, HEAD);
    let mut events = vec![Vec::new(); watches.len()];
    for piece in pieces {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        // An empty chunk would be the end.
        if !piece.is_empty() {
            client.handle_received(now, conn, &chunk);
        }
        for (watch, events) in watches.iter().zip(&mut events) {
            events.extend(core::iter::from_fn(|| client.poll_watch(*watch)));
        }
    }
    events
}

/// Revisions once each, whole, in order; progress never beyond what was delivered, never back.
pub(crate) fn goes_forward(events: &[WatchEvent]) {
    let (mut last, mut told) = (0, 0);
    for (place, event) in events.iter().enumerate() {
        match event {
            WatchEvent::Batch(batch) => {
                assert!(batch.revision > last, "{events:?}");
                last = batch.revision;
                assert!(!batch.events.is_empty(), "{events:?}");
                for event in &batch.events {
                    assert_eq!(event.kv.mod_revision, batch.revision, "{events:?}");
                }
            }
            WatchEvent::Progress { revision } => {
                assert!(*revision >= told, "{events:?}");
                told = *revision;
            }
            WatchEvent::End(_) => assert_eq!(place + 1, events.len(), "{events:?}"),
            _ => {}
        }
    }
}
