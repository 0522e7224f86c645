//! The frames of a snapshot, joined and checked.
//!
//! A server sends the store and behind it the SHA-256 of it (gateway.md 11). Nothing marks where the
//! checksum begins but the end of the stream, and frames may be cut anywhere: so the last blobs that
//! hold 32 bytes together are always kept back, and handed on when further ones show that they are
//! not the checksum. What a snapshot is taken for, and from where, is not known here.

use core::fmt;
use std::collections::VecDeque;

use bytes::Bytes;
use sha2::Digest;
use sha2::Sha256;

use super::frames::FrameError;
use super::frames::Frames;
use crate::api::SnapshotChunk;
use crate::api::SnapshotResponse;
use crate::api::SnapshotSummary;
use crate::codec::json::JsonLimits;
use crate::error::SnapshotFault;

/// How long a SHA-256 is.
const SUM: usize = 32;
/// What the length of every store is a multiple of.
const PAGE: u64 = 512;

/// Reads the body of a snapshot's answer, and checks it.
///
/// ```
/// use etcd_core::gateway::{SnapshotPart, SnapshotReader};
///
/// let mut reader = SnapshotReader::new(200, Default::default());
/// // An empty store, and its checksum.
/// reader.handle_data(br#"{"result":{"blob":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}"#);
/// assert!(reader.poll_part().is_none(), "it may go on");
/// reader.handle_end();
/// let Some(Ok(SnapshotPart::Done(summary))) = reader.poll_part() else { panic!() };
/// assert_eq!((summary.bytes, summary.sha256[0]), (0, 0xe3));
/// assert!(reader.poll_part().is_none());
/// ```
#[derive(Debug)]
pub struct SnapshotReader {
    frames: Frames<SnapshotResponse>,
    /// Of everything but what is held.
    digest: Sha256,
    /// The length of what `digest` has seen.
    bytes: u64,
    /// The last blobs, as few as hold `SUM` bytes together; none is empty.
    held: VecDeque<SnapshotChunk>,
    held_bytes: usize,
    /// As the last frame had it.
    remaining_bytes: u64,
    version: String,
    ready: VecDeque<Result<SnapshotPart, SnapshotError>>,
    ended: bool,
}

/// What comes out of a [`SnapshotReader`].
///
/// ```
/// use etcd_core::SnapshotSummary;
/// use etcd_core::gateway::SnapshotPart;
///
/// let part = SnapshotPart::Done(SnapshotSummary::default());
/// assert_ne!(part, SnapshotPart::Chunk(Default::default()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotPart {
    /// The next bytes of the store.
    Chunk(SnapshotChunk),
    /// All of it came, and is what the server read. Nothing comes after it.
    Done(SnapshotSummary),
}

/// Why a snapshot could not be read. Nothing comes after it.
///
/// ```
/// use etcd_core::SnapshotFault;
/// use etcd_core::gateway::SnapshotError;
///
/// let error = SnapshotError::from(SnapshotFault::Size { bytes: 7 });
/// assert!(error.to_string().contains("no multiple of 512"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The server refused it or broke it off, or its frames cannot be read.
    Frame(FrameError),
    /// The frames can be read; what is in them is not a whole store.
    Fault(SnapshotFault),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => fmt::Display::fmt(error, f),
            Self::Fault(fault) => fmt::Display::fmt(fault, f),
        }
    }
}

impl core::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Frame(error) => Some(error),
            Self::Fault(fault) => Some(fault),
        }
    }
}

impl From<FrameError> for SnapshotError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<SnapshotFault> for SnapshotError {
    fn from(fault: SnapshotFault) -> Self {
        Self::Fault(fault)
    }
}

impl SnapshotReader {
    /// An answer with this HTTP status.
    ///
    /// ```
    /// use etcd_core::gateway::{FrameError, SnapshotError, SnapshotReader};
    /// use etcd_core::Known;
    ///
    /// let mut reader = SnapshotReader::new(403, Default::default());
    /// reader.handle_data(br#"{"error":{"code":7,"message":"etcdserver: permission denied"}}"#);
    /// reader.handle_end();
    /// let Some(Err(SnapshotError::Frame(FrameError::Status(status)))) = reader.poll_part() else {
    ///     panic!()
    /// };
    /// assert_eq!(status.known(), Some(Known::PermissionDenied));
    /// ```
    #[must_use]
    pub fn new(http_status: u16, limits: JsonLimits) -> Self {
        Self {
            frames: Frames::new(http_status, limits),
            digest: Sha256::new(),
            bytes: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            remaining_bytes: 0,
            version: String::new(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Takes further bytes of the body, without the framing of HTTP.
    ///
    /// ```
    /// use etcd_core::gateway::{SnapshotPart, SnapshotReader};
    ///
    /// let mut reader = SnapshotReader::new(200, Default::default());
    /// let frame = format!(r#"{{"result":{{"blob":"{}"}}}}"#, "AAAA".repeat(20));
    /// reader.handle_data(frame.as_bytes());
    /// reader.handle_data(frame.as_bytes());
    /// // The second of them may be the checksum, or end in it.
    /// let Some(Ok(SnapshotPart::Chunk(chunk))) = reader.poll_part() else { panic!() };
    /// assert_eq!(chunk.blob.len(), 60);
    /// assert!(reader.poll_part().is_none());
    /// ```
    pub fn handle_data(&mut self, data: &[u8]) {
        self.frames.handle_data(data);
        self.drain();
    }

    /// The body has ended.
    ///
    /// ```
    /// use etcd_core::SnapshotFault;
    /// use etcd_core::gateway::{SnapshotError, SnapshotReader};
    ///
    /// let mut reader = SnapshotReader::new(200, Default::default());
    /// reader.handle_data(br#"{"result":{"remaining_bytes":"4096","blob":"AAAA"}}"#);
    /// reader.handle_end();
    /// let fault = SnapshotFault::Truncated { bytes: 3, remaining_bytes: 4096 };
    /// assert_eq!(reader.poll_part(), Some(Err(SnapshotError::Fault(fault))));
    /// ```
    pub fn handle_end(&mut self) {
        self.frames.handle_end();
        self.drain();
        if !core::mem::replace(&mut self.ended, true) {
            let end = self.finish().map(SnapshotPart::Done);
            self.ready.push_back(end.map_err(SnapshotError::Fault));
        }
    }

    /// The next part, or the error that ended the snapshot; nothing comes after `Done` or an error.
    ///
    /// ```
    /// use etcd_core::gateway::SnapshotReader;
    ///
    /// assert!(SnapshotReader::new(200, Default::default()).poll_part().is_none());
    /// ```
    #[must_use]
    pub fn poll_part(&mut self) -> Option<Result<SnapshotPart, SnapshotError>> {
        self.ready.pop_front()
    }

    fn drain(&mut self) {
        while let Some(frame) = self.frames.poll_frame() {
            if self.ended {
                return;
            }
            match frame {
                Ok(frame) => self.handle_frame(frame),
                Err(error) => {
                    self.ended = true;
                    self.ready.push_back(Err(error.into()));
                }
            }
        }
    }

    fn handle_frame(&mut self, frame: SnapshotResponse) {
        self.remaining_bytes = frame.remaining_bytes;
        if !frame.version.is_empty() {
            self.version = frame.version;
        }
        if frame.blob.is_empty() {
            return;
        }
        self.held_bytes = self.held_bytes.saturating_add(frame.blob.len());
        self.held.push_back(SnapshotChunk {
            blob: frame.blob,
            remaining_bytes: frame.remaining_bytes,
        });
        while let Some(first) = self.held.front() {
            if self.held_bytes - first.blob.len() < SUM {
                return;
            }
            if let Some(first) = self.held.pop_front() {
                self.held_bytes -= first.blob.len();
                self.hand_on(first);
            }
        }
    }

    fn hand_on(&mut self, chunk: SnapshotChunk) {
        self.digest.update(&chunk.blob);
        self.bytes = self.bytes.saturating_add(chunk.blob.len() as u64);
        self.ready.push_back(Ok(SnapshotPart::Chunk(chunk)));
    }

    /// Takes the checksum off the end of what is held, and compares.
    fn finish(&mut self) -> Result<SnapshotSummary, SnapshotFault> {
        let all = self.bytes.saturating_add(self.held_bytes as u64);
        // A length that is a whole store's has no checksum in it.
        if self.held_bytes < SUM || self.remaining_bytes != 0 || all % PAGE == 0 {
            return Err(SnapshotFault::Truncated {
                bytes: all,
                remaining_bytes: self.remaining_bytes,
            });
        }
        let mut store = self.held_bytes - SUM;
        let mut received = [0; SUM];
        let mut filled = 0;
        while let Some(mut chunk) = self.held.pop_front() {
            let ours: Bytes = chunk.blob.split_to(store.min(chunk.blob.len()));
            let sum = core::mem::replace(&mut chunk.blob, ours);
            store -= chunk.blob.len();
            if !chunk.blob.is_empty() {
                self.hand_on(chunk);
            }
            received[filled..filled + sum.len()].copy_from_slice(&sum);
            filled += sum.len();
        }
        let bytes = self.bytes;
        let computed: [u8; SUM] = core::mem::take(&mut self.digest).finalize().into();
        if bytes % PAGE != 0 {
            return Err(SnapshotFault::Size { bytes });
        }
        if computed != received {
            return Err(SnapshotFault::Checksum {
                bytes,
                computed,
                received,
            });
        }
        Ok(SnapshotSummary {
            bytes,
            sha256: computed,
            version: core::mem::take(&mut self.version),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Limit;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    type Parts = Vec<Result<SnapshotPart, SnapshotError>>;

    /// The frames of a store cut into blobs of these lengths, the checksum being part of the last.
    fn body(store: &[u8], sum: [u8; SUM], cuts: &[usize]) -> String {
        let mut all = store.to_vec();
        all.extend(sum);
        let mut rest = &all[..];
        let mut frames = String::new();
        let mut cuts = cuts.iter();
        while !rest.is_empty() {
            let len = cuts.next().map_or(rest.len(), |cut| rest.len().min(*cut));
            let (blob, left) = rest.split_at(len);
            rest = left;
            let remaining = rest.len().saturating_sub(SUM);
            let blob = STANDARD.encode(blob);
            frames +=
                &format!(r#"{{"result":{{"remaining_bytes":"{remaining}","blob":"{blob}"}}}}"#);
            frames.push('\n');
        }
        frames
    }

    fn store(pages: usize) -> (Vec<u8>, [u8; SUM]) {
        let pattern = (0_u32..).map(|n| n.wrapping_mul(31).to_le_bytes()[1]);
        let store: Vec<u8> = pattern.take(pages * 512).collect();
        let sum = Sha256::digest(&store).into();
        (store, sum)
    }

    fn read(body: &[u8], piece: usize) -> Parts {
        let mut reader = SnapshotReader::new(200, JsonLimits::default());
        let mut parts = Vec::new();
        for piece in body.chunks(piece.max(1)) {
            reader.handle_data(piece);
            parts.extend(std::iter::from_fn(|| reader.poll_part()));
        }
        reader.handle_end();
        reader.handle_end();
        reader.handle_data(b"{}");
        parts.extend(std::iter::from_fn(|| reader.poll_part()));
        parts
    }

    fn delivered(parts: &Parts) -> Vec<u8> {
        let chunks = parts.iter().filter_map(|part| match part {
            Ok(SnapshotPart::Chunk(chunk)) => Some(&chunk.blob[..]),
            _ => None,
        });
        chunks.collect::<Vec<_>>().concat()
    }

    fn fault(parts: &Parts) -> &SnapshotFault {
        match parts.last() {
            Some(Err(SnapshotError::Fault(fault))) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn blobs_are_handed_on_as_they_are_and_the_checksum_is_not() {
        let (store, sum) = store(3);
        let body = body(&store, sum, &[1024, 512, SUM]);
        for piece in [1, 7, 100, usize::MAX] {
            let parts = read(body.as_bytes(), piece);
            let lengths = parts.iter().map(|part| match part {
                Ok(SnapshotPart::Chunk(chunk)) => (chunk.blob.len(), chunk.remaining_bytes),
                Ok(SnapshotPart::Done(done)) => (usize::MAX, done.bytes),
                Err(error) => panic!("{error}"),
            });
            let lengths: Vec<_> = lengths.collect();
            assert_eq!(lengths, [(1024, 512), (512, 0), (usize::MAX, 1536)]);
            assert_eq!(delivered(&parts), store);
        }
    }

    #[test]
    fn the_version_is_kept_wherever_it_came() {
        let (store, sum) = store(1);
        let body = body(&store, sum, &[512]).replacen('{', r#"{"result":{"version":"3.6"}}{"#, 1);
        let parts = read(body.as_bytes(), usize::MAX);
        let Some(Ok(SnapshotPart::Done(done))) = parts.last() else {
            panic!("{parts:?}")
        };
        assert_eq!(
            (done.version.as_str(), done.bytes, done.sha256),
            ("3.6", 512, sum)
        );
    }

    #[test]
    fn a_changed_byte_is_found_wherever_it_is() {
        let (good, sum) = store(2);
        for at in [0, 511, 512, 1023] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let parts = read(body(&bad, sum, &[600, 600]).as_bytes(), 50);
            let computed = Sha256::digest(&bad).into();
            let wanted = SnapshotFault::Checksum {
                bytes: 1024,
                computed,
                received: sum,
            };
            assert_eq!(*fault(&parts), wanted, "{at}");
        }
        for at in [0, 31] {
            let mut bad = sum;
            bad[at] ^= 0x80;
            let parts = read(body(&good, bad, &[600, 600]).as_bytes(), 50);
            assert!(
                matches!(fault(&parts), SnapshotFault::Checksum { received, .. } if *received == bad)
            );
        }
    }

    #[test]
    fn what_is_missing_at_the_end_is_found() {
        let (store, sum) = store(3);
        let frames = body(&store, sum, &[1024, 512, SUM]);
        let frames: Vec<&str> = frames.lines().collect();
        let ended_after = |count: usize| read(frames[..count].concat().as_bytes(), usize::MAX);
        for (count, bytes, remaining_bytes) in [(0, 0, 0), (1, 1024, 512), (2, 1536, 0)] {
            let wanted = SnapshotFault::Truncated {
                bytes,
                remaining_bytes,
            };
            assert_eq!(*fault(&ended_after(count)), wanted, "{count}");
        }
        // The stream ends within a frame.
        let cut = &frames.concat()[..1900];
        let parts = read(cut.as_bytes(), usize::MAX);
        assert!(matches!(
            parts.last(),
            Some(Err(SnapshotError::Frame(FrameError::Json(_))))
        ));
    }

    #[test]
    fn what_comes_after_the_checksum_is_found() {
        let (store, sum) = store(1);
        let body = body(&store, sum, &[512, SUM]);
        let more = format!("{body}{{\"result\":{{\"blob\":\"AAAA\"}}}}");
        assert_eq!(
            *fault(&read(more.as_bytes(), usize::MAX)),
            SnapshotFault::Size { bytes: 512 + 3 }
        );
        let zeros = STANDARD.encode([0; 512]);
        let more = format!("{body}{{\"result\":{{\"blob\":\"{zeros}\"}}}}");
        let parts = read(more.as_bytes(), usize::MAX);
        assert!(matches!(
            fault(&parts),
            SnapshotFault::Checksum { bytes: 1024, .. }
        ));
        // Empty frames are nothing.
        let more = format!("{body}{{\"result\":{{}}}}");
        let parts = read(more.as_bytes(), usize::MAX);
        assert!(matches!(parts.last(), Some(Ok(SnapshotPart::Done(_)))));
    }

    #[test]
    fn an_error_frame_is_the_end() {
        let (store, sum) = store(2);
        let frames = body(&store, sum, &[512, 512, SUM]);
        let (first, rest) = frames.split_once('\n').expect("frames");
        let body = format!(r#"{first}{{"error":{{"code":14,"message":"x"}}}}{rest}"#);
        let parts = read(body.as_bytes(), 10);
        let Some(Err(SnapshotError::Frame(FrameError::Status(status)))) = parts.last() else {
            panic!("{parts:?}")
        };
        assert_eq!((status.message.as_str(), parts.len()), ("x", 1));
    }

    #[test]
    fn a_frame_has_its_limit() {
        let limits = JsonLimits {
            frame_bytes: 100,
            ..JsonLimits::default()
        };
        let mut reader = SnapshotReader::new(200, limits);
        let (store, sum) = store(1);
        reader.handle_data(body(&store, sum, &[]).as_bytes());
        let error = SnapshotError::Frame(FrameError::Limit(Limit::Frame(100)));
        assert_eq!(reader.poll_part(), Some(Err(error)));
        reader.handle_end();
        assert_eq!(reader.poll_part(), None);
    }

    proptest! {
        #[test]
        fn cuts_between_frames_and_pieces_change_nothing(
            pages in 0..4_usize,
            cuts in proptest::collection::vec(1..700_usize, 0..40),
            piece in 1..5000_usize,
            flip in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let (mut store, sum) = store(pages);
            let flipped = flip.filter(|_| pages > 0);
            if let Some(place) = flipped {
                let place = place.index(store.len());
                store[place] ^= 4;
            }
            let body = body(&store, sum, &cuts);
            let whole = read(body.as_bytes(), usize::MAX);
            prop_assert_eq!(&whole, &read(body.as_bytes(), piece));
            prop_assert_eq!(delivered(&whole), store);
            let done = matches!(whole.last(), Some(Ok(SnapshotPart::Done(_))));
            prop_assert_eq!(done, flipped.is_none(), "{:?}", whole.last());
        }
    }
}
