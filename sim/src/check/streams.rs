//! Snapshots and observations: each ends once, and says nothing after that.

use std::collections::BTreeMap;

use etcd_core::{StreamEnd, StreamEvent};

use super::history::{History, What};
use super::verdict::Violation;

#[derive(Default)]
struct Stream {
    canceled: bool,
    ended: bool,
}

pub(super) fn check(history: &History) -> Result<(), Violation> {
    let mut streams: BTreeMap<(usize, u64), Stream> = BTreeMap::new();
    for event in &history.events {
        let client = event.client;
        let broken = |rule, text: String| Err(Violation::new(rule, event.at, Some(client), text));
        match &event.what {
            What::StreamOpened { stream } => {
                streams.insert((client, *stream), Stream::default());
            }
            What::StreamCanceled { stream } => {
                streams.entry((client, *stream)).or_default().canceled = true;
            }
            What::StreamTold { stream, event } => {
                let Some(state) = streams.get_mut(&(client, *stream)) else {
                    return broken("G1", format!("stream {stream} was never opened"));
                };
                if state.ended {
                    return broken("G1", format!("stream {stream} went on after its end"));
                }
                match event {
                    StreamEvent::End(StreamEnd::Canceled) if !state.canceled => {
                        return broken("G1", format!("stream {stream} canceled by nobody"));
                    }
                    StreamEvent::End(_) => state.ended = true,
                    _ if state.canceled => {
                        return broken("G19", format!("stream {stream} went on after its cancel"));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(())
}
