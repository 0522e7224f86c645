//! Bytes waiting to be sent: filled at the end, taken from the front, counted.
//!
//! The counters only grow, so "the byte at this place was taken" is a comparison of two numbers,
//! and that is what the outcome of a write rests on (guarantee G3).

use core::fmt;

/// Unsent bytes of one connection.
#[derive(Default)]
pub(crate) struct SendBuf {
    bytes: Vec<u8>,
    /// How many of `bytes`, from the front, were taken; `start <= bytes.len()`.
    start: usize,
    /// How many bytes were taken since the connection began.
    taken: u64,
}

/// The bytes may have a password in them, and are not shown (guarantee G40).
impl fmt::Debug for SendBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuf")
            .field("unsent_len", &self.unsent().len())
            .field("taken", &self.taken)
            .finish()
    }
}

impl SendBuf {
    /// Above this the buffer gives its memory back once it is empty.
    const KEEP: usize = 64 * 1024;

    /// Lets `write` append to the buffer.
    pub(crate) fn append<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        write(&mut self.bytes)
    }

    /// Takes note that the socket took `len` more bytes; more than there are counts as all.
    pub(crate) fn handle_written(&mut self, len: usize) {
        let len = len.min(self.bytes.len() - self.start);
        self.start += len;
        self.taken = self.taken.saturating_add(len as u64);
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > Self::KEEP {
                self.bytes = Vec::new();
            }
        } else if self.start > Self::KEEP && self.start > self.bytes.len() / 2 {
            // There may never be a moment in which nothing is unsent.
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// What the socket did not take yet.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The place after the last byte appended, counted from the connection's beginning.
    pub(crate) fn end(&self) -> u64 {
        self.taken + self.unsent().len() as u64
    }

    /// How many bytes were taken since the connection began.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }
}

/// How much of a request the socket took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Not one byte.
    Nothing,
    /// Some bytes, but not the last: the server cannot have the whole request.
    Part,
    /// The last byte, too.
    All,
}

impl Sent {
    /// How much of the bytes from `start` to `end` was taken.
    pub(crate) const fn of(start: u64, end: u64, taken: u64) -> Self {
        if taken >= end {
            Self::All
        } else if taken > start {
            Self::Part
        } else {
            Self::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_counted_over_refills() {
        let mut buf = SendBuf::default();
        buf.append(|bytes| bytes.extend_from_slice(b"abc"));
        assert_eq!(buf.end(), 3);
        buf.handle_written(2);
        assert_eq!(buf.unsent(), b"c");
        buf.append(|bytes| bytes.extend_from_slice(b"de"));
        assert_eq!((buf.taken(), buf.end()), (2, 5));
        buf.handle_written(100);
        assert_eq!((buf.taken(), buf.end(), buf.unsent()), (5, 5, &b""[..]));
    }

    #[test]
    fn what_was_taken_is_given_back_though_more_is_always_unsent() {
        let mut buf = SendBuf::default();
        for _ in 0..1000 {
            buf.append(|bytes| bytes.resize(bytes.len() + 1000, 7));
            let all_but_one = buf.unsent().len() - 1;
            buf.handle_written(all_but_one);
            assert!(buf.bytes.capacity() < 8 * SendBuf::KEEP);
        }
        assert_eq!((buf.end(), buf.taken()), (1_000_000, 999_999));
    }

    #[test]
    fn only_the_last_byte_makes_it_all() {
        assert_eq!(Sent::of(10, 20, 10), Sent::Nothing);
        assert_eq!(Sent::of(10, 20, 11), Sent::Part);
        assert_eq!(Sent::of(10, 20, 19), Sent::Part);
        assert_eq!(Sent::of(10, 20, 20), Sent::All);
    }
}
