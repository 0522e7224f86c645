//! How much of an answer a reader takes.

/// Limits of one [`Reader`](super::Reader): how much of everything a server may send.
///
/// Whatever the server sends, a reader holds no more than a head or a trailer line.
///
/// ```
/// use etcd_core::codec::http1::HttpLimits;
///
/// let mut limits = HttpLimits::default();
/// limits.body_bytes = u64::MAX; // a stream
/// assert_eq!(limits.head_bytes, 32 * 1024);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Bytes of one head, status line and empty line included. 32 KiB; real ones are under 1 KiB.
    pub head_bytes: usize,
    /// Bytes of one line of a head, its end included. 8 KiB.
    pub head_line_bytes: usize,
    /// Fields of one head. 100.
    pub header_count: usize,
    /// Informational (1xx) answers before the final one. 8.
    pub informational: usize,
    /// Bytes of a chunk's size line, extensions and line end included. 256; a size has 16 digits at
    /// most and nobody needs extensions.
    pub chunk_line_bytes: usize,
    /// By how many bytes chunk framing may outweigh the data it carries. 16 KiB.
    ///
    /// The framing of each chunk counts less 16 bytes and less twice its data, and unused allowance
    /// is not saved up: the rule Go has since CVE-2023-39326.
    pub chunk_overhead_bytes: usize,
    /// Bytes of a trailer section's field lines. 8 KiB.
    pub trailer_bytes: usize,
    /// Fields of a trailer section. 32; etcd 3.4 sends three.
    pub trailer_count: usize,
    /// Bytes of a body. 64 MiB; a stream wants `u64::MAX`.
    pub body_bytes: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            head_line_bytes: 8 * 1024,
            header_count: 100,
            informational: 8,
            chunk_line_bytes: 256,
            chunk_overhead_bytes: 16 * 1024,
            trailer_bytes: 8 * 1024,
            trailer_count: 32,
            body_bytes: 64 * 1024 * 1024,
        }
    }
}
