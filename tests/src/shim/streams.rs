//! The lines of snapshots and observations.

use etcd_core::{ObserveResponse, SnapshotChunk, SnapshotResponse, SnapshotSummary};
use serde::Serialize;
use serde_json::Value;

use super::lines::Said;

/// Bytes of a snapshot.
#[must_use]
pub fn chunk(chunk: SnapshotChunk) -> Said {
    let mut frame = SnapshotResponse::default();
    frame.blob = chunk.blob;
    frame.remaining_bytes = chunk.remaining_bytes;
    Said::Snapshot(value(&frame))
}

/// What comes after a snapshot's last bytes: its checksum, as the server sends it, so that all blobs
/// together are the file that etcd's tools restore from.
#[must_use]
pub fn checksum(summary: &SnapshotSummary) -> Said {
    let mut frame = SnapshotResponse::default();
    frame.blob = summary.sha256.to_vec().into();
    Said::Snapshot(value(&frame))
}

/// The leader of an election.
#[must_use]
pub fn leader(leader: &ObserveResponse) -> Said {
    Said::Leader(value(leader))
}

fn value(frame: &impl Serialize) -> Value {
    serde_json::to_value(frame).expect("messages have string keys and no serializer of ours fails")
}
