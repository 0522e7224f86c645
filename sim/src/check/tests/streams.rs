use bytes::Bytes;
use etcd_core::{
    KeyValue, ObserveResponse, SnapshotChunk, SnapshotSummary, StreamEnd, StreamEvent,
};

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
    let kv = script.put("e/a", "1").remove(0).kv;
    tells(script, &kv);
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

fn snapshot(chunks: &[(&'static [u8], u64)], said: u64) -> Script {
    let mut script = Script::new();
    let (stream, asked) = (1, Streamed::Snapshot);
    script.add(What::StreamOpened { stream, asked });
    for (blob, left) in chunks {
        let mut chunk = SnapshotChunk::default();
        (chunk.blob, chunk.remaining_bytes) = (Bytes::from_static(blob), *left);
        let event = StreamEvent::Chunk(chunk);
        script.add(What::StreamTold { stream, event });
    }
    let mut summary = SnapshotSummary::default();
    summary.bytes = said;
    let event = StreamEvent::End(StreamEnd::Done(summary));
    script.add(What::StreamTold { stream, event });
    script
}

#[test]
fn a_snapshot_has_the_size_it_said() {
    assert_eq!(
        snapshot(&[(b"abcd", 2), (b"ef", 0)], 6).is_fine().snapshots,
        1
    );
    snapshot(&[(b"abcd", 2)], 4).breaks("G54");
    snapshot(&[(b"abcd", 2), (b"e", 0)], 5).breaks("G54");
    snapshot(&[(b"abcd", 2), (b"ef", 0)], 7).breaks("G54");
}

#[test]
fn a_snapshot_ends() {
    let mut script = snapshot(&[(b"abcd", 2)], 4);
    script.history.events.pop();
    script.is_fine();
    script.history.is_complete = true;
    script.breaks("G60");
}

/// An election that `a` wins and leaves to `b`, who came before `a` said its last word.
fn election() -> (Script, [KeyValue; 3]) {
    let mut script = Script::new();
    let mut put = |key, value| script.put(key, value)[0].kv.clone();
    let first = put("e/a", "1");
    let next = put("e/b", "2");
    let again = put("e/a", "3");
    script.delete("e/a");
    let (stream, asked) = (1, Streamed::Observation("e".into()));
    script.add(What::StreamOpened { stream, asked });
    (script, [first, again, next])
}

fn tells(script: &mut Script, kv: &KeyValue) {
    let mut leader = ObserveResponse::default();
    leader.kv = kv.clone();
    let (stream, event) = (1, StreamEvent::Leader(leader));
    script.add(What::StreamTold { stream, event });
}

#[test]
fn leaders_are_told_in_their_order() {
    let (mut script, leaders) = election();
    for leader in &leaders {
        tells(&mut script, leader);
    }
    script.history.is_complete = true;
    assert_eq!(script.is_fine().leaders_told, 3);
    tells(&mut script, &leaders[2]);
    script.breaks("G9");

    let (mut script, leaders) = election();
    tells(&mut script, &leaders[1]);
    tells(&mut script, &leaders[0]);
    script.breaks("G9");
}

#[test]
fn a_leader_who_never_was_is_refused() {
    let (mut script, leaders) = election();
    let mut other = leaders[0].clone();
    other.value = "4".into();
    tells(&mut script, &other);
    script.breaks("G6");
}

#[test]
fn who_leads_in_the_end_is_told() {
    let (mut script, leaders) = election();
    tells(&mut script, &leaders[1]);
    script.is_fine();
    script.history.is_complete = true;
    script.breaks("G60");
}
