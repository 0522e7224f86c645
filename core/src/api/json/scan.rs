//! The short way in: reads what servers send as they send it, and nothing else.
//!
//! Answers are large and come often, and nearly all of them are plain: known fields, each once, no
//! escapes in strings. [`Scan`] reads these in one pass, with every key and value of a message
//! decoded into one allocation that they share. Whatever is not plain (an unknown field, an escape, a
//! wrong type) it gives up on without a word, and the message is read again through serde, which
//! accepts more and says what is wrong. So the rule is: **what this accepts, serde accepts with the
//! same meaning**; a property test holds it. Giving up costs at most one pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytes::BytesMut;

use super::Json;
use super::LONGEST_INTEGER;

/// How deep objects and lists may hold one another here: a nested transaction takes three.
pub(crate) const DEEPEST: usize = 32;

/// A message being read. Every method gives `None` to give up.
pub(crate) struct Scan<'a> {
    /// What is left of the input.
    rest: &'a [u8],
    /// Where keys and values go. Each is split off from the front of what is free.
    arena: BytesMut,
    depth: usize,
}

/// Reads a whole input as one value.
pub(crate) fn scan<T: Json>(json: &[u8]) -> Option<T> {
    let mut scan = Scan {
        rest: json,
        // Nothing is written for messages without bytes; others fill most of it.
        arena: BytesMut::new(),
        depth: 0,
    };
    let value = T::scan(&mut scan)?;
    scan.space();
    scan.rest.is_empty().then_some(value)
}

impl<'a> Scan<'a> {
    /// Passes over white space.
    fn space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes this byte, after white space.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }

    /// Takes this byte if it is next.
    fn took(&mut self, byte: u8) -> bool {
        self.take(byte).is_some()
    }

    /// The text of a string without escapes, between its quotes.
    fn plain(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let end = memchr::memchr(b'"', self.rest)?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }

    /// Reads an object: `member` reads the value of each name.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.descend()?;
        self.take(b'{')?;
        if !self.took(b'}') {
            loop {
                let name = self.plain()?;
                self.take(b':')?;
                member(self, name)?;
                if !self.took(b',') {
                    break;
                }
            }
            self.take(b'}')?;
        }
        self.depth = self.depth.checked_sub(1)?;
        Some(())
    }

    fn descend(&mut self) -> Option<()> {
        let deeper = self.depth.checked_add(1);
        self.depth = deeper.filter(|depth| *depth <= DEEPEST)?;
        Some(())
    }

    /// Reads a list.
    pub(crate) fn list<T: Json>(&mut self) -> Option<Vec<T>> {
        self.descend()?;
        self.take(b'[')?;
        let mut list = Vec::new();
        if !self.took(b']') {
            loop {
                list.push(T::scan(self)?);
                if !self.took(b',') {
                    break;
                }
            }
            self.take(b']')?;
        }
        self.depth = self.depth.checked_sub(1)?;
        Some(list)
    }

    /// Reads an integer, in quotes as servers write it: whether it is negative, and its size.
    pub(crate) fn integer(&mut self) -> Option<(bool, u64)> {
        self.take(b'"')?;
        let (negative, digits) = match self.rest {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let mut rest = digits;
        let mut value = 0_u64;
        while let [digit @ b'0'..=b'9', tail @ ..] = rest {
            value = value
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            rest = tail;
        }
        match rest {
            [b'"', after @ ..] if rest.len() < digits.len() => {
                if self.rest.len().checked_sub(rest.len())? > LONGEST_INTEGER {
                    return None;
                }
                self.rest = after;
            }
            _ => return None,
        }
        Some((negative, value))
    }

    /// Reads true or false.
    pub(crate) fn truth(&mut self) -> Option<bool> {
        self.space();
        let (value, len) = match self.rest {
            [b't', b'r', b'u', b'e', ..] => (true, 4),
            [b'f', b'a', b'l', b's', b'e', ..] => (false, 5),
            _ => return None,
        };
        self.rest = self.rest.get(len..)?;
        Some(value)
    }

    /// Reads text that has neither escapes nor anything that would need one.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let text = self.plain()?;
        if text.iter().any(|byte| *byte == b'\\' || *byte < 0x20) {
            return None;
        }
        core::str::from_utf8(text).ok()
    }

    /// Reads bytes in base64. A backslash, like all that is not base64, makes it give up.
    pub(crate) fn bytes(&mut self) -> Option<Bytes> {
        let text = self.plain()?;
        if text.is_empty() {
            return Some(Bytes::new());
        }
        // Three bytes for four letters, and room for the engine to write whole groups.
        let most = text.len().div_ceil(4).checked_mul(3)?;
        if self.arena.capacity() < most {
            // What is left of the input bounds what can still come.
            let most_of_all = self
                .rest
                .len()
                .checked_add(text.len())?
                .div_ceil(4)
                .checked_mul(3)?;
            self.arena = BytesMut::with_capacity(most_of_all);
        }
        self.arena.resize(most, 0);
        let len = STANDARD.decode_slice(text, &mut self.arena).ok()?;
        let bytes = self.arena.split_to(len).freeze();
        self.arena.clear();
        Some(bytes)
    }
}
