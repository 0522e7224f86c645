//! Brackets and strings, and nothing else.
//!
//! What lies between brackets is for the JSON parser that gets the text. Each byte is looked at
//! once. The nesting is a stack of the closing brackets that are due, bounded by the depth limit, so
//! there is no recursion.

use crate::codec::count_work;
use crate::codec::find;
use crate::codec::take;
use crate::error::JsonError;

/// How deep the bytes so far are nested, and whether they end inside a string.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    state: State,
    /// The closing brackets that are due, innermost last; at most the limit.
    closers: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Outside of strings.
    #[default]
    Plain,
    /// Inside a string.
    String,
    /// After a backslash in a string.
    Escape,
}

/// Where a look at bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// At their end.
    More,
    /// Behind an opening bracket that stands inside of another, not deeper than asked for.
    Opened,
    /// Behind the closing bracket that leaves as many open as asked for.
    Ended,
}

/// What to stop at, apart from the end of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stops {
    /// Opening brackets inside of at most this many others.
    pub(super) shallow: usize,
    /// The closing bracket that leaves this many open.
    pub(super) floor: usize,
    /// The most that may be open at once.
    pub(super) depth: usize,
}

/// Why the bytes cannot be JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The first byte that was not taken cannot stand where it stands.
    Byte(u8),
    /// For this reason.
    Json(JsonError),
}

impl Nesting {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Plain,
            closers: Vec::new(),
        }
    }

    /// How many brackets are open.
    pub(super) fn depth(&self) -> usize {
        self.closers.len()
    }

    /// The brackets that close what is open, in their order.
    pub(super) fn closers(&self) -> impl Iterator<Item = u8> {
        self.closers.iter().rev().copied()
    }

    /// Forgets what is open.
    pub(super) fn clear(&mut self) {
        self.state = State::Plain;
        self.closers.clear();
    }

    /// Takes bytes up to a stop. What cannot be taken is left, and is why it is broken.
    pub(super) fn scan(&mut self, input: &mut &[u8], stops: Stops) -> Result<Reached, Broken> {
        loop {
            if self.state == State::String {
                let plain = find(input, |byte| matches!(byte, b'"' | b'\\' | 0..0x20));
                take(input, plain.unwrap_or(input.len()));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(Reached::More);
            };
            count_work(1);
            match (&self.state, byte) {
                (State::String, b'"') => self.state = State::Plain,
                (State::String, b'\\') => self.state = State::Escape,
                (State::Escape, 0x20..) => self.state = State::String,
                (State::Plain, b'"') => self.state = State::String,
                (State::Plain, b'{' | b'[') => {
                    let around = self.closers.len();
                    if around >= stops.depth {
                        return Err(Broken::Json(JsonError::TooDeep(stops.depth)));
                    }
                    self.closers.push(if byte == b'{' { b'}' } else { b']' });
                    if around > 0 && around <= stops.shallow {
                        *input = rest;
                        return Ok(Reached::Opened);
                    }
                }
                (State::Plain, b'}' | b']') if self.closers.last() == Some(&byte) => {
                    self.closers.pop();
                    if self.closers.len() == stops.floor {
                        *input = rest;
                        return Ok(Reached::Ended);
                    }
                }
                (State::Plain, byte) if is_blank(byte) || is_plain(byte) => {}
                _ => return Err(Broken::Byte(byte)),
            }
            *input = rest;
        }
    }
}

/// Whitespace of JSON (RFC 8259 section 2).
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// What numbers, literals and separators are made of.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b',' | b':' | b'-' | b'+' | b'.')
}
