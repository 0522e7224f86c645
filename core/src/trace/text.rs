//! Bytes on a line: as they are where they can be read, escaped where not.
//!
//! Each run of bytes has one text and each text one run of bytes, so that recordings can be
//! compared line by line.

/// Appends the text of `bytes`: printable ASCII, `\\`, `\n`, `\r`, `\t` and `\xNN`. A space at the
/// end is escaped as well, for editors take those away.
pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        let is_last = at + 1 == bytes.len();
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b' ' if is_last => out.extend_from_slice(b"\\x20"),
            b' '..=b'~' => out.push(*byte),
            _ => {
                let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
                out.extend_from_slice(b"\\x");
                out.extend_from_slice(&digits);
            }
        }
    }
}

/// The bytes whose text this is; `None` where it is nobody's.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'\\' => b'\\',
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            _ => return None,
        });
    }
    let mut again = Vec::with_capacity(text.len());
    escape(&bytes, &mut again);
    (again == text).then_some(bytes)
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&all[..], b"", b" ", b"a ", b"a b", b"\\", b"\\x20"] {
            let mut text = Vec::new();
            escape(bytes, &mut text);
            assert!(text.iter().all(|byte| (b' '..=b'~').contains(byte)));
            assert!(!text.ends_with(b" "));
            assert_eq!(unescape(&text).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn other_texts_of_the_same_bytes_are_refused() {
        for text in [
            "\\", "\\q", "\\x", "\\x4", "\\x41", "\\xAB", "\\x0a", "a ", "\t", "\u{e4}", "\\xg0",
        ] {
            assert_eq!(unescape(text.as_bytes()), None, "{text:?}");
        }
    }
}
