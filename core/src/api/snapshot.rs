//! Snapshots of a member's store: the request, the frames it is answered with, and what is left of
//! them once they were checked.

use bytes::Bytes;

use super::ResponseHeader;
use super::json::message;

/// Asks a member for its whole store, as it is now.
///
/// ```
/// use etcd_core::SnapshotRequest;
///
/// assert_eq!(serde_json::to_string(&SnapshotRequest::new())?, "{}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotRequest {}

message!(SnapshotRequest {});

impl SnapshotRequest {
    /// Asks for everything; there is nothing to choose.
    ///
    /// ```
    /// use etcd_core::SnapshotRequest;
    ///
    /// assert_eq!(SnapshotRequest::new(), SnapshotRequest::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// One frame of a snapshot as the server sends it (gateway.md 11).
///
/// ```
/// use etcd_core::SnapshotResponse;
///
/// let json = r#"{"remaining_bytes":"4096","blob":"Zm9v","version":"3.6"}"#;
/// let frame: SnapshotResponse = serde_json::from_str(json)?;
/// assert_eq!((frame.remaining_bytes, &frame.blob[..]), (4096, &b"foo"[..]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotResponse {
    /// Who answered; servers leave it out.
    pub header: ResponseHeader,
    /// How many bytes of the store come after this frame. 0 in its last frame, and in that of the
    /// checksum.
    pub remaining_bytes: u64,
    /// The next bytes of the store. The last 32 bytes of all are not the store's, but the SHA-256 of
    /// what came before.
    pub blob: Bytes,
    /// The storage version, such as `3.6`, in the first frame from etcd 3.6 on; empty elsewhere.
    pub version: String,
}

message!(SnapshotResponse {
    "header" => header,
    "remaining_bytes" => remaining_bytes,
    "blob" => blob,
    "version" => version,
});

/// Bytes of a store, in its order.
///
/// ```
/// use etcd_core::SnapshotChunk;
///
/// assert_eq!(SnapshotChunk::default().remaining_bytes, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotChunk {
    /// The bytes; at least one. They cannot be trusted before the whole snapshot was checked.
    pub blob: Bytes,
    /// How many bytes of the store come after these, as the server has it.
    pub remaining_bytes: u64,
}

/// What is known of a snapshot that came whole and has the checksum the server gave it.
///
/// ```
/// use etcd_core::SnapshotSummary;
///
/// assert_eq!(SnapshotSummary::default().bytes, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotSummary {
    /// How many bytes the store has, checksum not included; a multiple of 512.
    pub bytes: u64,
    /// Their SHA-256. etcd's tools keep it behind the store as the file's last 32 bytes, and want to
    /// find it there when they restore.
    pub sha256: [u8; 32],
    /// The storage version, such as `3.6`; empty before etcd 3.6.
    pub version: String,
}
