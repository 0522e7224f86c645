use etcd_core::{ObserveResponse, StreamEnd, StreamEvent};

use super::Script;
use crate::check::{Streamed, What};

/// An observation that told something, and ended.
fn ended(canceled: bool) -> Script {
    let mut script = Script::new();
    script.add(What::StreamOpened {
        stream: 1,
        asked: Streamed::Observation("e".into()),
    });
    leads(&mut script);
    if canceled {
        script.add(What::StreamCanceled { stream: 1 });
    }
    let event = StreamEvent::End(StreamEnd::Canceled);
    script.add(What::StreamTold { stream: 1, event });
    script
}

fn leads(script: &mut Script) {
    let event = StreamEvent::Leader(ObserveResponse::default());
    script.add(What::StreamTold { stream: 1, event });
}

#[test]
fn a_stream_that_ends_once_is_fine() {
    ended(true).is_fine();
}

#[test]
fn a_cancel_that_nobody_asked_for_is_refused() {
    ended(false).breaks("G1");
}

#[test]
fn something_after_the_end_is_refused() {
    let mut script = ended(true);
    leads(&mut script);
    script.breaks("G1");
}

#[test]
fn something_after_the_cancel_is_refused() {
    let mut script = ended(true);
    script.history.events.pop();
    leads(&mut script);
    script.breaks("G19");
}
