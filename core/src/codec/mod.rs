//! Bytes in, tokens out: HTTP/1.1 framing and the borders between JSON values.
//!
//! The codec knows no etcd, no connections and no time. [`http1`] writes requests and reads answers,
//! [`json`] cuts a body that holds one JSON object after another, and a long list inside of them into its
//! elements. Both are fed pieces of any size,
//! give the same tokens wherever the pieces are cut, look at each byte a bounded number of times,
//! reserve nothing on a claimed length and never panic; what they hold is bounded by their limits.
//! A change must keep all five.
//!
//! ```text
//!  request ──► write_request ──► bytes out        bytes in ──► Reader ──► Head, Data …, End
//!                                                                │ Data
//!                                                                ▼
//!                                                            Splitter ──► one frame a JSON object
//! ```
//!
//! ```
//! use etcd_core::codec::http1::{HttpLimits, Item, Reader, RequestMethod};
//! use etcd_core::codec::json::{JsonLimits, Splitter};
//!
//! let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
//!     4\r\n{}{}\r\n0\r\n\r\n";
//! let mut reader = Reader::new(HttpLimits::default());
//! let mut splitter = Splitter::new(JsonLimits::default());
//! reader.expect(RequestMethod::Other);
//!
//! let (mut input, mut frames) = (&answer[..], 0);
//! loop {
//!     let (used, item) = reader.read(input)?;
//!     input = &input[used..];
//!     match item {
//!         Some(Item::Data(mut data)) => loop {
//!             let (used, frame) = splitter.push(data)?;
//!             data = &data[used..];
//!             let Some(frame) = frame else { break };
//!             assert_eq!(&*frame, b"{}");
//!             frames += 1;
//!         },
//!         Some(Item::End { reusable }) => assert!(reusable),
//!         Some(_) => {}
//!         None => break,
//!     }
//! }
//! splitter.finish()?;
//! assert_eq!(frames, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod http1;
pub mod json;

#[cfg(test)]
mod linear;

/// Where the first byte that `stop` holds for is.
///
/// Blocks are looked at as a whole first, which compiles to vector instructions: most bytes of an
/// answer are inside long strings.
fn find(bytes: &[u8], stop: impl Fn(u8) -> bool) -> Option<usize> {
    const BLOCK: usize = 32;
    let mut rest = bytes;
    while let Some((block, tail)) = rest.split_first_chunk::<BLOCK>() {
        if block.iter().fold(false, |hit, &byte| hit | stop(byte)) {
            break;
        }
        rest = tail;
    }
    let before = bytes.len().saturating_sub(rest.len());
    let found = rest.iter().position(|&byte| stop(byte));
    let at = found.map(|at| before.saturating_add(at));
    count_work(at.unwrap_or(bytes.len()));
    at
}

/// Where `byte` is first.
fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    let at = memchr::memchr(byte, bytes);
    count_work(at.unwrap_or(bytes.len()));
    at
}

/// Splits off the first `len` bytes, or all where there are fewer.
fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (head, tail) = input.split_at_checked(len).unwrap_or((*input, &[]));
    *input = tail;
    head
}

/// A length as a count of bytes; no target has lengths that do not fit.
fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(not(test))]
#[inline(always)]
const fn count_work(_bytes: usize) {}

#[cfg(test)]
fn count_work(bytes: usize) {
    work::WORK.set(work::WORK.get() + bytes);
}

/// How many bytes were looked at by this thread, so that tests can tell linear from quadratic.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local! {
        pub(super) static WORK: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn of(job: impl FnOnce()) -> usize {
        WORK.set(0);
        job();
        WORK.get()
    }
}
