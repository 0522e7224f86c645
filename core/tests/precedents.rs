//! What broke other HTTP and JSON readers, as one case each: the entries of reliability.md 5.1 that
//! concern a reader of HTTP/1.1 or JSON.

use bytes::Bytes;
use etcd_core::HttpError;
use etcd_core::JsonError;
use etcd_core::Txn;
use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::ReadError;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;
use etcd_core::codec::http1::write_request;
use etcd_core::codec::json::JsonLimits;
use etcd_core::codec::json::SplitError;
use etcd_core::codec::json::Splitter;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::decode_answer;

/// The refusal of these bytes, whole and a byte at a time.
#[track_caller]
fn refusal(bytes: &[u8]) -> HttpError {
    let refusal = |size: usize| {
        let mut reader = Reader::new(HttpLimits::default());
        reader.expect(RequestMethod::Other);
        for piece in bytes.chunks(size) {
            let mut rest = piece;
            loop {
                match reader.read(rest) {
                    Ok((used, Some(_))) => rest = &rest[used..],
                    Ok((_, None)) => break,
                    Err(ReadError::Http(error)) => return error,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        panic!("accepted: {}", bytes.escape_ascii());
    };
    let whole = refusal(bytes.len());
    assert_eq!(whole, refusal(1));
    whole
}

fn head(fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{{}}").into_bytes()
}

fn chunks(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes()
}

#[test]
fn what_broke_other_readers_is_refused() {
    use HttpError::*;
    for (precedent, bytes, error) in [
        (
            "RUSTSEC-2021-0078, hyper",
            head("Content-Length: +2"),
            BadContentLength,
        ),
        (
            "RUSTSEC-2021-0078, hyper",
            head("Content-Length: -2"),
            BadContentLength,
        ),
        (
            "RUSTSEC-2021-0079, hyper",
            chunks("f0000000000000003\r\nabc\r\n"),
            ChunkSizeOverflow,
        ),
        (
            "RUSTSEC-2021-0079, hyper",
            chunks("10000000000000000\r\nabc\r\n"),
            ChunkSizeOverflow,
        ),
        (
            "tiny_http 2020",
            head("Transfer-Encoding: xchunked"),
            BadTransferEncoding,
        ),
        (
            "tiny_http 2020",
            head("Transfer-Encoding: gzip, chunked"),
            BadTransferEncoding,
        ),
        (
            "tiny_http 2020",
            head("Transfer-Encoding: \u{b}chunked"),
            BadHead,
        ),
        (
            "tiny_http 2020",
            head("Transfer-Encoding: chunked\r\nContent-Length: 2"),
            LengthAndTransferEncoding,
        ),
        (
            "CVE-2025-22871, Go",
            chunks("2\n{}\r\n0\r\n\r\n"),
            BadChunkEnd,
        ),
        (
            "CVE-2025-22871, Go",
            chunks("2;a\nb\r\n{}\r\n0\r\n\r\n"),
            BadChunkEnd,
        ),
        ("h11 0.16.0", chunks("2\r\n{}xx0\r\n\r\n"), BadChunkEnd),
        ("h11 0.16.0", chunks("2\r\n{}\r\r0\r\n\r\n"), BadChunkEnd),
        (
            "CVE-2023-38697, protocol-http1",
            chunks("0x2\r\n{}\r\n"),
            BadChunkSize,
        ),
        (
            "CVE-2023-38697, protocol-http1",
            chunks("+2\r\n{}\r\n"),
            BadChunkSize,
        ),
        (
            "CVE-2023-38697, protocol-http1",
            chunks("2;\n\r\n{}\r\n"),
            BadChunkEnd,
        ),
        (
            "CVE-2023-24534, Go, and CVE-2023-38039, libcurl",
            head(&"A: b\r\n".repeat(200)),
            TooManyHeaders(100),
        ),
        (
            "RUSTSEC-2019-0033, http",
            head(&"A: b\r\n".repeat(40_000)),
            TooManyHeaders(100),
        ),
        (
            "CVE-2023-39326, Go",
            chunks(&"1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n{\r\n".repeat(1000)),
            TooMuchChunkOverhead(16 * 1024),
        ),
        (
            "CVE-2023-23916, curl",
            head("Content-Encoding: gzip, gzip\r\nContent-Length: 2"),
            UnexpectedContentEncoding,
        ),
    ] {
        assert_eq!(refusal(&bytes), error, "{precedent}");
    }
}

/// RUSTSEC-2023-0065 in tungstenite: the head was read again at every piece. The steps are counted in
/// `codec/linear.rs`; here the head comes a byte at a time and is read once.
#[test]
fn a_head_that_drips_is_read_once() {
    let mut reader = Reader::new(HttpLimits::default());
    reader.expect(RequestMethod::Other);
    let head = head(&format!(
        "Content-Length: 2\r\n{}A: b",
        "A: b\r\n".repeat(90)
    ));
    let mut heads = 0;
    for byte in head.chunks(1) {
        let (used, item) = reader.read(byte).expect("a head");
        heads += usize::from(matches!(item, Some(Item::Head(_))));
        assert_eq!(used, 1);
    }
    assert_eq!(heads, 1);
}

/// CVE-2018-12116 in Node and CVE-2022-31150 in undici: a path or host with CR LF, or with characters
/// that become them when cut to a byte, was a second request.
#[test]
fn a_path_or_host_cannot_begin_a_second_request() {
    for host in ["h\r\nX: y", "h\u{10d}\u{10a}X", "h\n", "h x", ""] {
        let request = http::Request::get("/")
            .body(Bytes::new())
            .expect("a request");
        assert!(
            write_request(&request, host, &mut Vec::new()).is_err(),
            "{host:?}"
        );
    }
    for path in ["/a\r\nX: y", "/\u{10d}\u{10a}x", "/a b"] {
        let request = http::Request::get(path).body(Bytes::new());
        let written = request.map(|request| write_request(&request, "h", &mut Vec::new()).is_ok());
        assert!(!written.unwrap_or(false), "{path:?}");
    }
}

/// RUSTSEC-2024-0012 in serde-json-wasm and RUSTSEC-2022-0004 in rustc-serialize: nesting used up
/// the stack.
#[test]
fn nesting_ends_at_its_limit() {
    let deep = format!("{{\"x\":{}", "[".repeat(1_000_000));
    let mut splitter = Splitter::new(JsonLimits::default());
    let too_deep = JsonError::TooDeep(32);
    assert_eq!(
        splitter.push(deep.as_bytes()).err(),
        Some(SplitError::Json(too_deep.clone()))
    );
    let answer = decode_answer::<Txn>(200, deep.as_bytes());
    assert_eq!(answer, Err(AnswerError::Json(too_deep)));
}
