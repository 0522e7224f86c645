//! The short way out: text appended to bytes, without serde in between.
//!
//! serde_json looks at each letter of a text for what has to be escaped. In base64, integers and the
//! names of members there is nothing, so they are appended as they are.

use super::Json;

/// Writes a message.
pub(crate) fn to_vec(message: &impl Json) -> Vec<u8> {
    // Most requests are smaller, and large values reserve what they take.
    let mut out = Vec::with_capacity(128);
    message.emit(&mut out);
    out
}

/// Appends the name of a member, given in quotes and with its colon, and the comma before it.
///
/// Nothing that a value ends with is an opening brace, so one means that it is the first.
pub(crate) fn emit_name(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
}

/// Appends an integer in quotes.
pub(super) fn emit_integer(negative: bool, mut size: u64, out: &mut Vec<u8>) {
    // As many as 2^64 has, and the sign.
    let mut digits = [b'-'; 21];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (size % 10) as u8;
        size /= 10;
        if size == 0 {
            break;
        }
    }
    start -= usize::from(negative);
    out.push(b'"');
    out.extend_from_slice(&digits[start..]);
    out.push(b'"');
}
