//! What an object that is not whole yet says in one of its members.
//!
//! [`Member`] reads the text of an object as it grows, each byte once, until a member of a member is
//! there. It tells only what it has seen; whether the object is well is for its parser.

use crate::codec::count_work;

/// Waits for an integer in an object that is a member of the object being read.
#[derive(Debug)]
pub(crate) struct Member {
    /// The member's name, and that of the object it is in.
    outer: &'static str,
    inner: &'static str,
    /// How much of the text was looked at.
    at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    in_outer: bool,
    /// Where the member that is being read began.
    start: usize,
    found: Option<i64>,
}

impl Member {
    pub(crate) const fn new(outer: &'static str, inner: &'static str) -> Self {
        Self {
            outer,
            inner,
            at: 0,
            depth: 0,
            in_string: false,
            escaped: false,
            in_outer: false,
            start: 0,
            found: None,
        }
    }

    /// Looks at what came since the last time; `text` is all of it.
    pub(crate) fn look(&mut self, text: &[u8]) -> Option<i64> {
        while let (None, Some(&byte)) = (self.found, text.get(self.at)) {
            count_work(1);
            let before = text.get(self.start..self.at).unwrap_or_default();
            self.at = self.at.saturating_add(1);
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if self.depth == 1 {
                        let is_last = |rest: &[u8]| rest.is_empty();
                        self.in_outer =
                            byte == b'{' && value(before, self.outer).is_some_and(is_last);
                    }
                    self.depth = self.depth.saturating_add(1);
                    self.begin_member();
                }
                b',' | b'}' | b']' => {
                    if self.depth == 2 && self.in_outer {
                        self.found = value(before, self.inner).and_then(integer);
                    }
                    if byte != b',' {
                        self.depth = self.depth.saturating_sub(1);
                        self.in_outer &= self.depth > 1;
                    }
                    if byte == b',' {
                        self.begin_member();
                    }
                }
                _ => {}
            }
        }
        self.found
    }

    fn begin_member(&mut self) {
        if self.depth <= 2 {
            self.start = self.at;
        }
    }
}

/// The text after the name of a member and its colon, if that is its name.
fn value<'a>(member: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let rest = member.trim_ascii_start().strip_prefix(b"\"")?;
    let rest = rest.strip_prefix(name.as_bytes())?.strip_prefix(b"\"")?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    Some(rest.trim_ascii())
}

/// An integer, in quotes or not.
fn integer(text: &[u8]) -> Option<i64> {
    let quoted = |text: &'_ [u8]| -> Option<usize> {
        let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(inner.len())
    };
    let text = match quoted(text) {
        Some(len) => text.get(1..)?.get(..len)?,
        None => text,
    };
    core::str::from_utf8(text).ok()?.parse().ok()
}
