//! The short way in: reads what servers send as they send it, and nothing else.
//!
//! Answers are large and come often, and nearly all of them are plain: known fields, each once, no
//! escapes in strings. [`Scan`] reads these in one pass, with every key and value of a message
//! decoded into one allocation that they share. Whatever is not plain (an unknown field, an escape, a
//! wrong type) it gives up on without a word, and the message is read again through serde, which
//! accepts more and says what is wrong. So the rule is: **what this accepts, serde accepts with the
//! same meaning**; a property test holds it. Giving up costs at most one pass.
//!
//! What makes it fast: members are expected in the order in which they are declared, integers are read
//! eight digits at once, base64 and the search for quotes use the machine's vector instructions.

use base64_simd::AsOut;
use base64_simd::STANDARD;
use bytes::Bytes;
use bytes::BytesMut;

use super::Budget;
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
    /// What lists may take.
    budget: Budget,
    /// What lists may reserve before their elements come; never more than the input takes.
    ahead: usize,
}

/// Reads a whole input as one value.
pub(crate) fn scan<T: Json>(json: &[u8]) -> Option<T> {
    let mut scan = Scan {
        rest: json,
        // Nothing is written for messages without bytes; others fill most of it.
        arena: BytesMut::new(),
        depth: 0,
        budget: Budget::of_text(json.len()),
        ahead: json.len(),
    };
    let value = T::scan(&mut scan)?;
    scan.space();
    scan.rest.is_empty().then_some(value)
}

impl<'a> Scan<'a> {
    /// Passes over white space, of which there is mostly none.
    #[inline(always)]
    fn space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes this byte, after white space.
    #[inline(always)]
    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }

    /// Takes these bytes if they are next.
    #[inline(always)]
    fn took(&mut self, bytes: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(bytes);
        rest.map(|rest| self.rest = rest).is_some()
    }

    /// The text of a string without escapes, between its quotes.
    #[inline]
    fn plain(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let end = memchr::memchr(b'"', self.rest)?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }

    /// Begins an object: whether it has members.
    #[inline]
    pub(crate) fn open(&mut self) -> Option<bool> {
        self.descend()?;
        self.take(b'{')?;
        self.space();
        if self.took(b"}") {
            return self.closed();
        }
        Some(true)
    }

    /// After a member: whether another one follows, or the object has ended.
    #[inline]
    pub(crate) fn more(&mut self) -> Option<bool> {
        self.space();
        if self.took(b",") {
            self.space();
            return Some(true);
        }
        self.take(b'}')?;
        self.closed()
    }

    #[inline(always)]
    fn closed(&mut self) -> Option<bool> {
        self.depth = self.depth.checked_sub(1)?;
        Some(false)
    }

    /// Takes the name of the member that is expected next, given in quotes and with its colon.
    #[inline(always)]
    pub(crate) fn named(&mut self, name: &str) -> bool {
        self.took(name.as_bytes())
    }

    /// Takes the name of a member, whatever it is.
    pub(crate) fn name(&mut self) -> Option<&'a [u8]> {
        let name = self.plain()?;
        self.take(b':')?;
        Some(name)
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
        self.space();
        if self.took(b"]") {
            self.depth = self.depth.checked_sub(1)?;
            return Some(Vec::new());
        }
        let before = self.rest.len();
        let first = T::scan(self)?;
        // Others are mostly as long as the first. What all lists reserve takes no more memory than the
        // input, so a first item that is shorter than the others costs nobody anything.
        let left = self.rest.len();
        let likely = left / before.saturating_sub(left).max(1);
        let most = self.ahead.min(left) / size_of::<T>().max(1);
        let reserved = likely.min(most);
        let ahead = reserved.saturating_mul(size_of::<T>());
        self.ahead = self.ahead.saturating_sub(ahead);
        let mut list = Vec::with_capacity(reserved.saturating_add(1));
        self.budget.make_room(&mut list).then_some(())?;
        list.push(first);
        loop {
            self.space();
            if !self.took(b",") {
                break;
            }
            let item = T::scan(self)?;
            self.budget.make_room(&mut list).then_some(())?;
            list.push(item);
        }
        self.take(b']')?;
        // A list that ends long before the input would keep what others need.
        if list.capacity() / 2 > list.len() {
            list.shrink_to_fit();
        }
        self.ahead = self.ahead.saturating_add(ahead);
        self.depth = self.depth.checked_sub(1)?;
        Some(list)
    }

    /// Reads an integer, in quotes as servers write it: whether it is negative, and its size.
    #[inline]
    pub(crate) fn integer(&mut self) -> Option<(bool, u64)> {
        self.take(b'"')?;
        let start = self.rest.len();
        let negative = self.took(b"-");
        let digits = self.rest.len();
        let mut value = 0_u64;
        // Eight bytes at once, of which mostly not all are digits.
        while let Some(bytes) = self.rest.first_chunk::<8>() {
            let (count, number) = leading_digits(*bytes);
            value = value.checked_mul(TENS[count])?.checked_add(number)?;
            self.rest = self.rest.get(count..)?;
            if count < 8 {
                break;
            }
        }
        // Near the end of the input one by one.
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            value = value
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            self.rest = rest;
        }
        let any = self.rest.len() < digits;
        let short = start.checked_sub(self.rest.len())? <= LONGEST_INTEGER;
        (any && short && self.took(b"\"")).then_some((negative, value))
    }

    /// Reads true or false.
    pub(crate) fn truth(&mut self) -> Option<bool> {
        self.space();
        if self.took(b"true") {
            return Some(true);
        }
        self.took(b"false").then_some(false)
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
        // The decoder needs a place that is there already; only what it may use is zeroed.
        self.arena.resize(most, 0);
        let len = STANDARD.decode(text, self.arena.as_out()).ok()?.len();
        let bytes = self.arena.split_to(len).freeze();
        self.arena.clear();
        Some(bytes)
    }
}

/// Powers of ten.
const TENS: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// How many of the bytes, from the first on, are digits, and their number.
///
/// The eight bytes are worked on as one integer. The digits are moved to its upper end, which
/// puts zeros before them; then neighbours are joined: to four pairs, to two numbers of four
/// digits, to one.
#[inline]
const fn leading_digits(bytes: [u8; 8]) -> (usize, u64) {
    // Each byte its digit: 0 to 9, or more where it is none.
    let each = u64::from_le_bytes(bytes) ^ 0x3030_3030_3030_3030;
    // Adding 0x76 sets the upper bit of what is more than 9. A carry can only spoil later bytes.
    let others = (each.wrapping_add(0x7676_7676_7676_7676) | each) & 0x8080_8080_8080_8080;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    let each = each << (64 - 8 * count);
    let pairs = each.wrapping_mul(10).wrapping_add(each >> 8);
    let upper = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let lower = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    (count, upper.wrapping_add(lower) >> 32)
}
