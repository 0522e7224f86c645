//! The HTTP reader: any cut gives the same, limits hold, and nobody reads an accepted answer
//! otherwise (guarantees G49 to G53).

use etcd_core::codec::http1::Framing;
use etcd_core::codec::http1::Head;
use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;

use crate::input::Input;
use crate::input::cut;

/// What a reader made of bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    heads: Vec<Head>,
    /// Heads, ends and refusals, each with the length of the data before it.
    items: Vec<String>,
    data: Vec<u8>,
    /// The first answer ended, after so many bytes of data.
    first_end: Option<usize>,
}

fn read(pieces: &[&[u8]], limits: &HttpLimits, method: RequestMethod) -> Read {
    let mut read = Read::default();
    let mut reader = Reader::new(limits.clone());
    for _ in 0..3 {
        reader.expect(method);
    }
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let before = read.data.len();
            match reader.read(rest) {
                Ok((used, item)) => {
                    rest = &rest[used..];
                    let Some(item) = item else {
                        assert!(rest.is_empty(), "no item, but input is left");
                        break;
                    };
                    match item {
                        Item::Data(data) => {
                            assert!(!data.is_empty(), "data without a byte");
                            read.data.extend_from_slice(data);
                            continue;
                        }
                        Item::Head(head) => read.heads.push(head),
                        Item::End { .. } => read.first_end = read.first_end.or(Some(before)),
                        _ => {}
                    }
                    read.items.push(format!("{item:?} after {before}"));
                }
                Err(error) => {
                    // The connection is dead: no later byte is interpreted.
                    assert_eq!(reader.read(b"HTTP/1.1 200 OK\r\n\r\n"), Err(error));
                    assert_eq!(reader.handle_eof(), Err(error));
                    read.items.push(format!("{error:?} after {before}"));
                    return read;
                }
            }
        }
    }
    read.items.push(format!("{:?}", reader.handle_eof()));
    read
}

/// Limits that short inputs reach, or the usual ones.
fn limits(small: bool) -> HttpLimits {
    let mut limits = HttpLimits::default();
    if small {
        limits.head_bytes = 90;
        limits.head_line_bytes = 40;
        limits.header_count = 3;
        limits.informational = 1;
        limits.chunk_line_bytes = 12;
        limits.chunk_overhead_bytes = 20;
        limits.trailer_bytes = 24;
        limits.trailer_count = 2;
        limits.body_bytes = 32;
    }
    limits
}

/// Any bytes as answers.
pub(crate) fn head(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, seed) = (input.byte(), input.byte());
    let bytes = input.rest();
    let limits = limits(flags & 1 != 0);
    let method = match flags & 2 {
        0 => RequestMethod::Other,
        _ => RequestMethod::Head,
    };
    let whole = read(&[bytes], &limits, method);
    assert_eq!(whole, read(&cut(bytes, seed), &limits, method));
    assert_eq!(whole, read(&cut(bytes, 1), &limits, method));
    assert!(whole.data.len() as u64 <= limits.body_bytes.saturating_mul(3));

    for head in &whole.heads {
        assert!((200..=599).contains(&head.status), "{head:?}");
        // Written again, it means the same.
        let (status, minor) = (head.status, head.minor_version);
        let mut text = format!("HTTP/1.{minor} {status} x\r\n");
        match head.framing {
            Framing::Length(len) => text += &format!("Content-Length: {len}\r\n"),
            Framing::Chunked => text += "Transfer-Encoding: chunked\r\n",
            _ => {}
        }
        text += match head.keep_alive {
            true => "Connection: keep-alive\r\n",
            false => "Connection: close\r\n",
        };
        text += "\r\n";
        let again = read(&[text.as_bytes()], &HttpLimits::default(), method);
        if matches!(head.framing, Framing::Length(len) if len > HttpLimits::default().body_bytes) {
            assert!(again.heads.is_empty());
        } else {
            assert_eq!(again.heads, [*head], "{text}");
        }
    }
    agrees_with_httparse(bytes, &whole);
}

/// The first head, if it is not informational, is what httparse makes of it.
fn agrees_with_httparse(bytes: &[u8], whole: &Read) {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(len)) = other.parse(bytes) else {
        assert!(
            whole.heads.is_empty() || bytes.starts_with(b"HTTP/1.1 1"),
            "accepted what httparse does not accept"
        );
        return;
    };
    let Some(head) = whole.heads.first() else {
        return;
    };
    if other.code.is_some_and(|code| code >= 200) {
        assert_eq!(other.code, Some(head.status));
        assert_eq!(other.version, Some(head.minor_version));
        assert!(bytes[..len].ends_with(b"\r\n\r\n"));
    }
}

/// Any bytes as a body in chunks.
pub(crate) fn chunked(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, seed) = (input.byte(), input.byte());
    let body = input.rest();
    let limits = limits(flags & 1 != 0);
    let answer = [
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        body,
    ]
    .concat();
    let method = RequestMethod::Other;
    let whole = read(&[&answer], &limits, method);
    assert_eq!(whole, read(&cut(&answer, seed), &limits, method));
    assert_eq!(whole, read(&cut(&answer, 1), &limits, method));
    // What is taken here, a careless reader takes, and with the same data.
    if let Some(len) = whole.first_end {
        assert_eq!(lenient(body).as_deref(), Some(&whole.data[..len]));
    }
}

/// The data of a body in chunks, by a reader that looks at sizes and line ends only.
fn lenient(mut rest: &[u8]) -> Option<Vec<u8>> {
    fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = &rest[..end];
        *rest = &rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    let mut data = Vec::new();
    loop {
        let size = line(&mut rest)?;
        let digits = size.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let digits: Vec<u8> = digits.copied().collect();
        let len = usize::from_str_radix(core::str::from_utf8(&digits).ok()?, 16).ok()?;
        if len == 0 {
            while !line(&mut rest)?.is_empty() {}
            return Some(data);
        }
        data.extend_from_slice(rest.get(..len)?);
        rest = &rest[len..];
        if !line(&mut rest)?.is_empty() {
            return None;
        }
    }
}
