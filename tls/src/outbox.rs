//! What goes to the socket, and which plaintext that is.
//!
//! A record of TLS can be opened only once its last byte is there: before that the peer cannot even
//! check that the rest is genuine (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3). So plaintext counts
//! as written when the last byte of its record was taken, not a byte sooner and not a byte later:
//!
//! ```text
//!   plaintext    |------- 16384 -------|------- 16384 -------|-- 100 --|
//!   records      [hdr|......|tag][hdr|......|tag][hdr|..|tag]
//!   taken        ===================>              the socket took this much
//!   written      16384                             the peer can open this much, and no more
//! ```
//!
//! It knows nothing of how records are made.

use std::collections::VecDeque;
use std::mem;

/// Records that the socket has not taken yet.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Ciphertext; what was taken of it is before `start`.
    bytes: Vec<u8>,
    start: usize,
    /// How many bytes were ever taken.
    taken: u64,
    /// Plaintext in it, in order: where its record ends, counted in bytes ever sent, and how much it is.
    sealed: VecDeque<(u64, usize)>,
    /// How much plaintext is in it.
    plaintext: usize,
}

impl Outbox {
    /// How much room an empty one keeps.
    const KEEP: usize = 20 << 10;

    /// Lets `write` append records that carry no plaintext.
    pub(crate) fn append<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        write(&mut self.bytes)
    }

    /// Takes note that the last record appended ends `len` bytes of plaintext.
    pub(crate) fn seal(&mut self, len: usize) {
        let end = self.taken + self.unsent().len() as u64;
        self.sealed.push_back((end, len));
        self.plaintext += len;
    }

    /// What the socket has not taken.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// How much plaintext has not been taken whole.
    pub(crate) const fn plaintext(&self) -> usize {
        self.plaintext
    }

    /// The socket took `len` bytes; more than there are counts as all. Gives how many bytes of plaintext
    /// the peer can now open that it could not open before.
    pub(crate) fn handle_written(&mut self, len: usize) -> usize {
        let len = len.min(self.unsent().len());
        self.start += len;
        self.taken += len as u64;
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > Self::KEEP {
                self.bytes = Vec::new();
            }
        }
        let mut opened = 0;
        while let Some(&(end, len)) = self.sealed.front() {
            if end > self.taken {
                break;
            }
            opened += len;
            self.sealed.pop_front();
        }
        self.plaintext -= opened;
        opened
    }

    /// Throws away what was not taken.
    pub(crate) fn clear(&mut self) {
        drop(mem::take(self));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_written_with_the_last_byte_of_its_record_and_not_before() {
        let mut outbox = Outbox::default();
        outbox.append(|out| out.extend_from_slice(b"hello"));
        outbox.append(|out| out.extend_from_slice(b"first record"));
        outbox.seal(7);
        outbox.append(|out| out.extend_from_slice(b"second"));
        outbox.seal(1);
        let opened: Vec<usize> = (0..23).map(|_| outbox.handle_written(1)).collect();
        let mut expected = [0; 23];
        expected[5 + 12 - 1] = 7;
        expected[5 + 12 + 6 - 1] = 1;
        assert_eq!(opened, expected);
        assert_eq!((outbox.plaintext(), outbox.unsent()), (0, &b""[..]));
    }

    #[test]
    fn more_taken_than_there_is_counts_as_all() {
        let mut outbox = Outbox::default();
        outbox.append(|out| out.extend_from_slice(b"record"));
        outbox.seal(3);
        assert_eq!(outbox.handle_written(usize::MAX), 3);
        assert_eq!(outbox.handle_written(usize::MAX), 0);
        outbox.append(|out| out.extend_from_slice(b"record"));
        outbox.seal(3);
        assert_eq!(outbox.handle_written(5), 0);
        assert_eq!(outbox.handle_written(1), 3);
    }

    #[test]
    fn room_is_given_back() {
        let mut outbox = Outbox::default();
        outbox.append(|out| out.resize(1 << 20, 0));
        outbox.handle_written(1 << 20);
        assert!(outbox.bytes.capacity() <= Outbox::KEEP);
    }
}
