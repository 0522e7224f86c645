//! Brackets and strings, and nothing else.
//!
//! What lies between brackets is for the JSON parser that gets the text. Each byte is looked at
//! once. The nesting is a stack of the closing brackets that are due, bounded by the depth limit, so
//! there is no recursion.

use crate::codec::count_work;
use crate::codec::find;
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
        let mut state = self.state;
        let reached = self.scan_from(&mut state, input, stops);
        self.state = state;
        reached
    }

    /// As [`Nesting::scan`]; apart from the rest, so that state and input stay in registers.
    fn scan_from(
        &mut self,
        state: &mut State,
        input: &mut &[u8],
        stops: Stops,
    ) -> Result<Reached, Broken> {
        let mut rest = *input;
        loop {
            if *state == State::String {
                rest = after_plain(rest);
            }
            let Some((&byte, after)) = rest.split_first() else {
                *input = rest;
                return Ok(Reached::More);
            };
            count_work(1);
            match (*state, byte) {
                (State::String, b'"') => *state = State::Plain,
                (State::String, b'\\') => *state = State::Escape,
                (State::Escape, 0x20..) => *state = State::String,
                (State::Plain, b'"') => *state = State::String,
                (State::Plain, b'{' | b'[') => {
                    let around = self.closers.len();
                    if around >= stops.depth {
                        *input = rest;
                        return Err(Broken::Json(JsonError::TooDeep(stops.depth)));
                    }
                    self.closers.push(if byte == b'{' { b'}' } else { b']' });
                    if around > 0 && around <= stops.shallow {
                        *input = after;
                        return Ok(Reached::Opened);
                    }
                }
                (State::Plain, b'}' | b']') if self.closers.last() == Some(&byte) => {
                    self.closers.pop();
                    if self.closers.len() == stops.floor {
                        *input = after;
                        return Ok(Reached::Ended);
                    }
                }
                (State::Plain, b',' | b':') => {}
                (State::Plain, byte) if is_blank(byte) || is_plain(byte) => {}
                _ => {
                    *input = rest;
                    return Err(Broken::Byte(byte));
                }
            }
            rest = after;
        }
    }
}

/// What follows the bytes of a string that mean nothing but themselves.
///
/// Names and numbers are short: their end is found in the first words, before blocks begin to pay.
fn after_plain(text: &[u8]) -> &[u8] {
    const WORDS: usize = 4;
    let mut rest = text;
    for _ in 0..WORDS {
        let Some((word, tail)) = rest.split_first_chunk::<8>() else {
            break;
        };
        let plain = plain_bytes(u64::from_le_bytes(*word));
        count_work(plain);
        if plain < word.len() {
            return rest.get(plain..).unwrap_or_default();
        }
        rest = tail;
    }
    let plain = find(rest, |byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    rest.get(plain.unwrap_or(rest.len())..).unwrap_or_default()
}

/// How many bytes of a word, from the lowest on, are neither quote, backslash nor control byte.
///
/// Subtracting from all bytes at once sets the upper bit of those that are too small. A borrow can
/// only spoil the bytes above the first of them, and only the first is asked for.
fn plain_bytes(word: u64) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let below = |word: u64, least: u64| word.wrapping_sub(least) & !word;
    let stops =
        below(word, each(0x20)) | below(word ^ each(b'"'), EACH) | below(word ^ each(b'\\'), EACH);
    let bits = (stops & each(0x80)).trailing_zeros();
    usize::try_from(bits / 8).unwrap_or(8)
}

/// Whitespace of JSON (RFC 8259 section 2).
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// What numbers, literals and separators are made of.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b',' | b':' | b'-' | b'+' | b'.')
}
