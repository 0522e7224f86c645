//! Tables of answers, each read whole, byte by byte, cut in two at every place, and with bytes
//! behind it; then properties of any bytes however cut.
//!
//! What was read is compared as text, one word an item: `200:len3` a head, `close` behind it if the
//! connection ends with it; `"abc"` data; `end` and `end-closed`; `!BadHead` a refusal.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::codec::work;
use crate::error::HttpError;
use crate::error::Limit;

/// What was read so far, as text.
#[derive(Default)]
struct Transcript {
    seen: Vec<String>,
    /// Data not yet in `seen`, because more may follow.
    data: Vec<u8>,
}

impl Transcript {
    fn note(&mut self, item: Item<'_>) {
        if let Item::Data(more) = item {
            assert!(!more.is_empty());
            self.data.extend_from_slice(more);
            return;
        }
        self.end_data();
        self.seen.push(match item {
            Item::Head(head) => {
                let framing = match head.framing {
                    Framing::Length(length) => format!("len{length}"),
                    Framing::Chunked => "chunked".to_owned(),
                    Framing::UntilClose => "eof".to_owned(),
                    Framing::None => "none".to_owned(),
                };
                let close = if head.keep_alive { "" } else { ":close" };
                format!("{}:{framing}{close}", head.status)
            }
            Item::End { reusable: true } => "end".to_owned(),
            Item::End { reusable: false } => "end-closed".to_owned(),
            Item::Data(_) => unreachable!(),
        });
    }

    fn note_error(&mut self, error: ReadError) {
        self.end_data();
        self.seen.push(match error {
            ReadError::Http(error) => format!("!{error:?}"),
            ReadError::Limit(limit) => format!("!{limit:?}"),
        });
    }

    fn end_data(&mut self) {
        if !self.data.is_empty() {
            self.seen.push(format!("\"{}\"", self.data.escape_ascii()));
            self.data.clear();
        }
    }
}

/// Reads pieces, then the connection's end if `eof`.
fn read(
    pieces: &[&[u8]],
    limits: &HttpLimits,
    methods: &[RequestMethod],
    eof: bool,
) -> Vec<String> {
    let mut transcript = Transcript::default();
    let mut reader = Reader::new(limits.clone());
    for method in methods {
        reader.expect(*method);
    }
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match reader.read(rest) {
                Ok((used, Some(item))) => {
                    rest = &rest[used..];
                    transcript.note(item);
                }
                Ok((used, None)) => {
                    assert_eq!(used, rest.len(), "no item, but input is left");
                    break;
                }
                Err(error) => {
                    assert_eq!(reader.read(rest), Err(error), "an error is remembered");
                    assert_eq!(reader.read(b""), Err(error), "an error is remembered");
                    assert_eq!(reader.handle_eof(), Err(error), "an error is remembered");
                    transcript.note_error(error);
                    return transcript.seen;
                }
            }
        }
    }
    if eof {
        match reader.handle_eof() {
            Ok(Some(item)) => transcript.note(item),
            Ok(None) => {}
            Err(error) => transcript.note_error(error),
        }
    }
    transcript.end_data();
    transcript.seen
}

fn bytewise(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).collect()
}

/// Reads the bytes in all ways there are, which all must give the same.
fn read_all_ways(bytes: &[u8], limits: &HttpLimits, methods: &[RequestMethod]) -> Vec<String> {
    let whole = read(&[bytes], limits, methods, true);
    assert_eq!(read(&bytewise(bytes), limits, methods, true), whole);
    for cut in 0..=bytes.len() {
        let (left, right) = bytes.split_at(cut);
        let cut_in_two = read(&[left, right], limits, methods, true);
        assert_eq!(
            cut_in_two,
            whole,
            "cut at {cut} of {:?}",
            bytes.escape_ascii().to_string()
        );
    }

    // Bytes behind the last answer are refused; behind a refusal they change nothing.
    let mut longer = read(&[bytes], limits, methods, false);
    let ends = longer.iter().filter(|seen| seen.starts_with("end")).count();
    if ends == methods.len() && longer.last().is_some_and(|last| last.starts_with("end")) {
        longer.push("!UnexpectedBytes".to_owned());
    }
    if longer.last().is_some_and(|last| last.starts_with('!')) {
        let bytes = [bytes, b"\r\nHTTP/1.1 200 OK\r\n\r\n"].concat();
        assert_eq!(read(&[&bytes], limits, methods, true), longer);
        assert_eq!(read(&bytewise(&bytes), limits, methods, true), longer);
    }
    whole
}

const ONE: &[RequestMethod] = &[RequestMethod::Other];

#[track_caller]
fn expect_with(bytes: &[u8], limits: &HttpLimits, methods: &[RequestMethod], expected: &str) {
    let seen = read_all_ways(bytes, limits, methods).join(" ");
    assert_eq!(
        seen,
        expected,
        "reading {:?}",
        bytes.escape_ascii().to_string()
    );
}

#[track_caller]
fn expect(bytes: &str, expected: &str) {
    expect_with(bytes.as_bytes(), &HttpLimits::default(), ONE, expected);
}

/// Puts field lines into a head with nothing else.
#[track_caller]
fn expect_fields(fields: &str, expected: &str) {
    expect(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), expected);
}

/// Puts a body into an answer in chunks.
#[track_caller]
fn expect_chunks(body: &str, expected: &str) {
    expect(
        &format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"),
        &format!("200:chunked {expected}"),
    );
}

#[test]
fn answers_are_read() {
    for (bytes, expected) in [
        ("", ""),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "200:len3 \"abc\" end",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "200:len0 end",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length:3\r\n\r\nabc",
            "200:len3 \"abc\" end",
        ),
        (
            "HTTP/1.1 200 OK\r\nCONTENT-length: \t 3 \t\r\n\r\nabc",
            "200:len3 \"abc\" end",
        ),
        (
            "HTTP/1.1 200 \r\nContent-Length: 0003\r\n\r\nabc",
            "200:len3 \"abc\" end",
        ),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200:len0 end"),
        (
            "HTTP/1.1 499 status code 499\r\nContent-Length: 0\r\n\r\n",
            "499:len0 end",
        ),
        (
            "HTTP/1.1 200 caf\u{e9}\r\nX: \u{e9}\r\nContent-Length: 0\r\n\r\n",
            "200:len0 end",
        ),
        (
            "HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n",
            "599:len0 end",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nabc",
            "200:eof:close \"abc\" end-closed",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", "200:eof:close end-closed"),
        (
            "HTTP/1.0 200 OK\r\n\r\nabc",
            "200:eof:close \"abc\" end-closed",
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
            "200:len1:close \"a\" end-closed",
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na",
            "200:len1 \"a\" end",
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 1\r\n\r\na",
            "200:len1:close \"a\" end-closed",
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: x ,\tCLOSE\r\nContent-Length: 1\r\n\r\na",
            "200:len1:close \"a\" end-closed",
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 1\r\n\r\na",
            "200:len1 \"a\" end",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", "204:none end"),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "204:none end",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            "304:none end",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            "200:len1 \"a\" end",
        ),
    ] {
        expect(bytes, expected);
    }
}

#[test]
fn bodies_in_chunks_are_read() {
    for (body, expected) in [
        ("0\r\n\r\n", "end"),
        ("3\r\nabc\r\n0\r\n\r\n", "\"abc\" end"),
        (
            "3\r\nabc\r\n00000000000000a\r\n0123456789\r\n000\r\n\r\n",
            "\"abc0123456789\" end",
        ),
        ("A\r\n0123456789\r\n0\r\n\r\n", "\"0123456789\" end"),
        ("3;x\r\nabc\r\n0;y=\"z;\t\"; w\r\n\r\n", "\"abc\" end"),
        ("2\r\n\r\n\r\n0\r\n\r\n", r#""\r\n" end"#),
        (
            "0\r\nGrpc-Trailer-Content-Type: application/grpc\r\n\r\n",
            "end",
        ),
        (
            "1\r\na\r\n0\r\nA:b\r\nC:\r\n!#$%&'*+-.^_`|~09azAZ: \t\u{e9}\r\n\r\n",
            "\"a\" end",
        ),
    ] {
        expect_chunks(body, expected);
    }
    expect(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        "200:chunked:close end-closed",
    );
}

#[test]
fn answers_to_head_have_no_body() {
    let limits = HttpLimits::default();
    for (bytes, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
            "200:none end",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
            "200:none end",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "200:none end",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", "200:none end"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n",
            "!BadContentLength",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "200:none end !UnexpectedBytes",
        ),
    ] {
        expect_with(bytes.as_bytes(), &limits, &[RequestMethod::Head], expected);
    }
}

#[test]
fn outstanding_answers_come_in_order() {
    use RequestMethod::{Head, Other};
    let limits = HttpLimits::default();
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na\
        HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\
        HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        1\r\nb\r\n0\r\n\r\n";
    let expected = "200:len1 \"a\" end 200:none end 200:chunked \"b\" end";
    expect_with(bytes, &limits, &[Other, Head, Other], expected);
    expect_with(bytes, &limits, &[Other, Head, Other, Other], expected);
    let expected = "200:len1 \"a\" end 200:none end !UnexpectedBytes";
    expect_with(bytes, &limits, &[Other, Head], expected);

    // After an answer that ends the connection nothing is read, whatever is outstanding.
    let bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na\
        HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb";
    let expected = "200:len1:close \"a\" end-closed !UnexpectedBytes";
    expect_with(bytes, &limits, &[Other, Other], expected);
}

#[test]
fn bytes_before_a_request_are_refused() {
    expect_with(b"H", &HttpLimits::default(), &[], "!UnexpectedBytes");
}

#[test]
fn an_answer_cut_short_is_truncated() {
    for (bytes, expected) in [
        ("H", "!Truncated"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r", "!Truncated"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "200:len3 \"ab\" !Truncated",
        ),
        ("HTTP/1.1 100 Continue\r\n\r\n", "!Truncated"),
    ] {
        expect(bytes, expected);
    }
    let whole = "2\r\nab\r\n0\r\nA: b\r\n\r\n";
    for cut in 0..whole.len() {
        let data = match cut {
            0..=3 => "",
            4 => "\"a\" ",
            _ => "\"ab\" ",
        };
        expect_chunks(&whole[..cut], &format!("{data}!Truncated"));
    }
}

#[test]
fn other_protocols_are_told_by_their_first_bytes() {
    for (bytes, refusal) in [
        // The SETTINGS that a gRPC server begins with, as it was seen (gateway.md 2).
        ("\0\0\x06\x04\0\0\0\0\0\0\x05\0\0@\0", "!Http2"),
        ("\0\0\0\x04", "!Http2"),
        ("\0\0\x06\x05", "!BadHead"),
        ("\0\x01\x06\x04", "!BadHead"),
        ("\0\0\x06", "!Truncated"),
        // A length that looks like a line end, found by the fuzzer.
        ("\0\0\n\x04", "!Http2"),
        ("\0\0\n", "!Truncated"),
        ("\x15\x03\x03\x00\x02", "!Tls"),
        ("\x16\x03\x01", "!Tls"),
        ("\x15\x02", "!BadHead"),
        ("\x15HTTP/1.1 200 OK\r\n\r\n", "!BadHead"),
        ("HT\0\0", "!BadHead"),
    ] {
        expect(bytes, refusal);
    }
}

#[test]
fn heads_that_cannot_be_read_are_refused() {
    for bytes in [
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "\nHTTP/1.1 200 OK\r\n\r\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\r\n",
        "HTTP/1.1 200 OK\r\n\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.1 200 O\u{7f}K\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 \r\n\r\n",
    ] {
        expect(bytes, "!BadHead");
    }
    for fields in [
        "A: b\nC: d\r\n",
        "A: b\rC: d\r\n",
        "A: b\r\r\n",
        "\rA: b\r\n",
        "A: b\r\n folded\r\n",
        "A: b\r\n\tfolded\r\n",
        " A: b\r\n",
        "\tA: b\r\n",
        "A : b\r\n",
        "A\t: b\r\n",
        "Content-Length : 3\r\n",
        ": b\r\n",
        "A\r\n",
        "A b: c\r\n",
        "A(: b\r\n",
        "A\0: b\r\n",
        "\u{e9}: b\r\n",
        "A: b\0c\r\n",
        "A: \u{1}\r\n",
        "A: \u{1b}[2J\r\n",
        "A: \u{7f}\r\n",
    ] {
        expect_fields(fields, "!BadHead");
    }
}

#[test]
fn versions_and_statuses_are_checked() {
    for version in [
        "HTTP/2.0", "HTTP/1.2", "HTTP/1.9", "HTTP/0.9", "HTTP/3 ", "HTTP/11", "HTTP/1,1",
    ] {
        expect(&format!("{version} 200 OK\r\n\r\n"), "!BadVersion");
    }
    for version in ["HTTP/1.10", "HTTP/1.1x", "HTTP/1.1\t", "HTTP/1.1\0"] {
        expect(&format!("{version} 200 OK\r\n\r\n"), "!BadVersion");
    }
    for status in ["000", "099", "101", "600", "999"] {
        expect(&format!("HTTP/1.1 {status} x\r\n\r\n"), "!BadStatus");
    }
    expect(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "!BadStatus",
    );
}

#[test]
fn lengths_are_plain_and_one() {
    // RUSTSEC-2021-0078: hyper took a plus sign.
    for length in [
        "+5",
        "-5",
        "+0",
        "-0",
        "",
        " ",
        "5 5",
        "5,5",
        "5, 5",
        "5,",
        ",5",
        "0x5",
        "5_0",
        "5.0",
        "5e1",
        "a",
        "5;",
        "\u{b2}",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        expect_fields(
            &format!("Content-Length: {length}\r\n"),
            "!BadContentLength",
        );
    }
    let fields = "Content-Length: 0\r\ncontent-length: 0\r\n";
    expect_fields(fields, "200:len0 end");
    let fields = "Content-Length: 5\r\nContent-Length: 6\r\n";
    expect_fields(fields, "!ConflictingContentLength");
    let fields = "Content-Length: 5\r\nContent-Length: +5\r\n";
    expect_fields(fields, "!BadContentLength");
}

#[test]
fn transfer_encoding_is_exactly_chunked() {
    for encoding in [
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "",
        "identity",
        "chunked;q=1",
        "xchunked",
        "\"chunked\"",
        "chunked\u{b}",
    ] {
        let expected = match encoding {
            "chunked\u{b}" => "!BadHead",
            _ => "!BadTransferEncoding",
        };
        expect_fields(&format!("Transfer-Encoding: {encoding}\r\n"), expected);
    }
    let fields = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    expect_fields(fields, "!BadTransferEncoding");
    for fields in [
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    ] {
        expect_fields(fields, "!LengthAndTransferEncoding");
    }
    expect(
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "!BadTransferEncoding",
    );
}

#[test]
fn content_encodings_are_refused() {
    for encoding in ["gzip", "br", "identity, gzip", "gzip, identity", "", "x"] {
        let fields = format!("Content-Length: 0\r\nContent-Encoding: {encoding}\r\n");
        expect_fields(&fields, "!UnexpectedContentEncoding");
    }
    expect_fields(
        "Content-Length: 0\r\nContent-Encoding: Identity\r\n",
        "200:len0 end",
    );
}

#[test]
fn a_body_where_none_may_be_is_refused() {
    for head in [
        "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        expect(head, "!UnexpectedBytes");
    }
    expect(
        "HTTP/1.1 204 No Content\r\n\r\na",
        "204:none end !UnexpectedBytes",
    );
    expect(
        "HTTP/1.1 304 x\r\nContent-Length: 1\r\n\r\na",
        "304:none end !UnexpectedBytes",
    );
}

#[test]
fn chunk_sizes_are_plain() {
    // RUSTSEC-2021-0079 (overflow), CVE-2023-38697 (`+`, `0x`), CVE-2025-22871 (bare LF).
    for size in [
        "+5\r\n",
        "-5\r\n",
        "0x5\r\n",
        "5_0\r\n",
        " 5\r\n",
        "5 \r\n",
        "5 ;x\r\n",
        "\t5\r\n",
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "5,\r\n",
        "\n",
        "\0",
        "5\0\r\n",
        "5;\0\r\n",
        "5;\u{7f}\r\n",
        "\u{661}\r\n",
        "5\u{661}\r\n",
    ] {
        expect_chunks(size, "!BadChunkSize");
    }
    for size in [
        "5\n",
        "5\r5",
        "5\r\r",
        "5;x\n",
        "5;x\ry",
        "5;\"\n\"\r\n",
        "0\n\n",
    ] {
        expect_chunks(size, "!BadChunkEnd");
    }
    for size in [
        "10000000000000000\r\n",
        "fffffffffffffffff",
        "00000000000000005\r\n",
    ] {
        expect_chunks(size, "!ChunkSizeOverflow");
    }
    expect_chunks("ffffffffffffffff\r\n", "!Body(67108864)");
    expect_chunks("1\r\na\r\nffffffffffffffff\r\n", "\"a\" !Body(67108864)");
    let limits = HttpLimits {
        body_bytes: u64::MAX,
        ..HttpLimits::default()
    };
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = format!("{head}ffffffffffffffff\r\nabc");
    expect_with(
        bytes.as_bytes(),
        &limits,
        ONE,
        "200:chunked \"abc\" !Truncated",
    );
    let bytes = format!("{head}1\r\na\r\nffffffffffffffff\r\nabc");
    let expected = "200:chunked \"a\" !Body(18446744073709551615)";
    expect_with(bytes.as_bytes(), &limits, ONE, expected);
}

#[test]
fn chunk_data_ends_with_cr_lf() {
    for (body, data) in [
        ("1\r\nab", "a"),
        ("1\r\na\n", "a"),
        ("1\r\na\r\r", "a"),
        ("1\r\na0\r\n\r\n", "a"),
        ("1\r\n\r\n0\r\n", r"\r"),
    ] {
        expect_chunks(body, &format!("\"{data}\" !BadChunkEnd"));
    }
    expect_chunks("0\r\n\r\n\r\n", "end !UnexpectedBytes");
    expect_chunks("0\r\n\r\n0\r\n\r\n", "end !UnexpectedBytes");
}

#[test]
fn trailers_are_checked() {
    // Malformed ends were h11's 0.16.0.
    for trailer in [
        "\n",
        "\r\r",
        "\rx",
        "A: b\n\r\n",
        "A: b\rc\r\n\r\n",
        "A\r\n",
        ": b\r\n",
        " A: b\r\n",
        "A : b\r\n",
        "A: b\r\n c\r\n",
        "A: \0\r\n",
        "A: \u{7f}\r\n",
        "\u{e9}: b\r\n",
        "Content-Length: 5\r\n",
        "CONTENT-LENGTH: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "A: b\r\ntransfer-encoding:\r\n",
        "A: b\r\n\n",
    ] {
        expect_chunks(&format!("0\r\n{trailer}"), "!BadTrailer");
    }
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let length = |n: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n{:a<n$}", "");
    type Set = fn(&mut HttpLimits, usize);
    let cases: [(Set, usize, String, HttpError); 8] = [
        (
            |limits, limit| limits.head_bytes = limit,
            length(0).len(),
            length(0),
            HttpError::HeadTooLong(length(0).len() - 1),
        ),
        (
            |limits, limit| limits.head_line_bytes = limit,
            "Long: abcdefghijklmnopqr\r\n".len(),
            "HTTP/1.1 204 OK\r\nLong: abcdefghijklmnopqr\r\n\r\n".to_owned(),
            HttpError::HeadLineTooLong(25),
        ),
        (
            |limits, limit| limits.header_count = limit,
            3,
            "HTTP/1.1 204 OK\r\nA:\r\nB:\r\nC:\r\n\r\n".to_owned(),
            HttpError::TooManyHeaders(2),
        ),
        (
            |limits, limit| limits.informational = limit,
            2,
            format!(
                "{}HTTP/1.1 204 OK\r\n\r\n",
                "HTTP/1.1 100 Go\r\n\r\n".repeat(2)
            ),
            HttpError::TooManyInformational(1),
        ),
        (
            |limits, limit| limits.chunk_line_bytes = limit,
            7,
            format!("{chunked}0;abc\r\n\r\n"),
            HttpError::ChunkLineTooLong(6),
        ),
        (
            |limits, limit| limits.trailer_bytes = limit,
            10,
            format!("{chunked}0\r\nA:b\r\nC:d\r\n\r\n"),
            HttpError::TrailerTooLong(9),
        ),
        (
            |limits, limit| limits.trailer_count = limit,
            2,
            format!("{chunked}0\r\nA:b\r\nC:d\r\n\r\n"),
            HttpError::TooManyTrailers(1),
        ),
        (
            // Two chunks of 25 bytes of framing, 16 + 2 × 1 of which are free; the last has 5.
            |limits, limit| limits.chunk_overhead_bytes = limit,
            2 * (25 - 18),
            format!(
                "{chunked}{}0\r\n\r\n",
                "1;abcdefghijklmnopqrs\r\na\r\n".repeat(2)
            ),
            HttpError::TooMuchChunkOverhead(13),
        ),
    ];
    for (set, limit, bytes, error) in cases {
        let mut limits = HttpLimits::default();
        set(&mut limits, limit);
        let seen = read_all_ways(bytes.as_bytes(), &limits, ONE);
        assert_eq!(seen.last().unwrap(), "end", "{error:?} at the limit");
        set(&mut limits, limit - 1);
        let seen = read_all_ways(bytes.as_bytes(), &limits, ONE);
        assert_eq!(*seen.last().unwrap(), format!("!{error:?}"));
    }

    let limits = HttpLimits {
        body_bytes: 3,
        ..HttpLimits::default()
    };
    let eof = "HTTP/1.1 200 OK\r\n\r\n";
    for (bytes, expected) in [
        (length(3), "200:len3 \"aaa\" end"),
        (length(4), "!Body(3)"),
        (
            format!("{chunked}3\r\naaa\r\n0\r\n\r\n"),
            "200:chunked \"aaa\" end",
        ),
        (
            format!("{chunked}4\r\naaaa\r\n0\r\n\r\n"),
            "200:chunked !Body(3)",
        ),
        (
            format!("{chunked}2\r\naa\r\n2\r\n"),
            "200:chunked \"aa\" !Body(3)",
        ),
        (format!("{eof}aaa"), "200:eof:close \"aaa\" end-closed"),
        (format!("{eof}aaaa"), "200:eof:close \"aaa\" !Body(3)"),
    ] {
        expect_with(bytes.as_bytes(), &limits, ONE, expected);
    }
}

#[test]
fn a_head_may_have_more_fields_than_the_stack_takes() {
    let fields = "A: b\r\n".repeat(100);
    expect_fields(
        &format!("Content-Length: 0\r\n{}", "A: b\r\n".repeat(99)),
        "200:len0 end",
    );
    expect_fields(
        &format!("Content-Length: 0\r\n{fields}"),
        "!TooManyHeaders(100)",
    );
}

#[test]
fn padding_by_chunk_extensions_is_refused() {
    // CVE-2023-39326. The default allows 16 KiB: 70 chunks of 253 + 2 bytes, less 18 each, pass it.
    let chunk = format!("1;{:x<249}\r\na\r\n", "");
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = format!("{head}{}", chunk.repeat(70));
    let seen = read(&[bytes.as_bytes()], &HttpLimits::default(), ONE, true);
    assert_eq!(seen.last().unwrap(), "!TooMuchChunkOverhead(16384)");
    // Small chunks without padding are what a stream is made of.
    let bytes = format!("{head}{}0\r\n\r\n", "1\r\n\n\r\n".repeat(10_000));
    let seen = read(&[bytes.as_bytes()], &HttpLimits::default(), ONE, true);
    assert_eq!(seen.last().unwrap(), "end");
}

#[test]
fn data_is_lent_from_the_input() {
    let input = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    let mut reader = Reader::new(HttpLimits::default());
    reader.expect(RequestMethod::Other);
    let (used, _) = reader.read(input).unwrap();
    let (_, item) = reader.read(&input[used..]).unwrap();
    let Some(Item::Data(data)) = item else {
        panic!()
    };
    assert!(core::ptr::eq(data, &input[used..]));
}

#[test]
fn any_cutting_takes_linear_work() {
    let limits = HttpLimits {
        head_bytes: usize::MAX,
        head_line_bytes: usize::MAX,
        header_count: usize::MAX,
        informational: usize::MAX,
        chunk_line_bytes: usize::MAX,
        chunk_overhead_bytes: usize::MAX,
        trailer_bytes: usize::MAX,
        trailer_count: usize::MAX,
        body_bytes: u64::MAX,
    };
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = "x".repeat(20_000);
    // The first was RUSTSEC-2023-0065 in tungstenite.
    for bytes in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: {long}\r\n\r\n"),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n",
            "A: b\r\n".repeat(5_000)
        ),
        format!(
            "{}HTTP/1.1 204 x\r\n\r\n",
            "HTTP/1.1 100 x\r\n\r\n".repeat(1_000)
        ),
        format!("{chunked}1;{long}\r\na\r\n0\r\n\r\n"),
        format!("{chunked}{}0\r\n\r\n", "1\r\na\r\n".repeat(5_000)),
        format!("{chunked}0\r\nA: {long}\r\n\r\n"),
        format!("{chunked}0\r\n{}\r\n", "A: b\r\n".repeat(5_000)),
    ] {
        for size in [1, 2, 7, 1000, usize::MAX] {
            let pieces: Vec<_> = bytes.as_bytes().chunks(size).collect();
            let work = work::of(|| {
                let seen = read(&pieces, &limits, ONE, true);
                assert_eq!(seen.last().unwrap(), "end");
            });
            assert!(
                work <= 3 * bytes.len(),
                "{work} for {} by {size}",
                bytes.len()
            );
        }
    }
}

fn request(method: &str, uri: &str) -> http::request::Builder {
    http::Request::builder().method(method).uri(uri)
}

#[test]
fn requests_are_written() {
    let mut out = b"before ".to_vec();
    let post = request("POST", "http://elsewhere/v3/kv/range?a=b")
        .header("Authorization", "t\to ken")
        .header("Connection", "close")
        .body(Bytes::new())
        .unwrap();
    write_request(&post, "h:1", &mut out).unwrap();
    let expected = b"before POST /v3/kv/range?a=b HTTP/1.1\r\nHost: h:1\r\n\
        authorization: t\to ken\r\nconnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(out, expected);

    out.clear();
    let get = request("GET", "/health")
        .body(Bytes::from_static(b"x"))
        .unwrap();
    write_request(&get, "h", &mut out).unwrap();
    assert_eq!(
        out,
        b"GET /health HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
    );

    out.clear();
    let head = request("HEAD", "/").body(Bytes::new()).unwrap();
    write_request(&head, "h", &mut out).unwrap();
    assert_eq!(out, b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
}

#[test]
fn requests_that_could_be_misread_are_refused() {
    let post = || request("POST", "/v3/kv/put");
    let with = |name: &str, value: &[u8]| post().header(name, value);
    let header = |name: &str| http::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
    let host = "h";
    let cases = [
        (request("PUT", "/"), host, RequestError::UnsupportedMethod),
        (
            request("CONNECT", "h:1"),
            host,
            RequestError::UnsupportedMethod,
        ),
        (
            request("POST /x HTTP/1.1", "/"),
            host,
            RequestError::UnsupportedMethod,
        ),
        (request("POST", "*"), host, RequestError::BadTarget),
        (request("POST", "h:1"), host, RequestError::BadTarget),
        (request("POST", "/\u{e9}"), host, RequestError::BadTarget),
        (request("POST", "/?\u{e9}"), host, RequestError::BadTarget),
        (request("POST", "/a b"), host, RequestError::BadTarget),
        (request("POST", "/a\r\nX: y"), host, RequestError::BadTarget),
        (request("POST", "/\0"), host, RequestError::BadTarget),
        (post(), "", RequestError::BadHost),
        (post(), "h ", RequestError::BadHost),
        (post(), "h\r\nX: y", RequestError::BadHost),
        (post(), "h\n", RequestError::BadHost),
        (post(), "h\t", RequestError::BadHost),
        (post(), "h\0", RequestError::BadHost),
        (post(), "h\u{7f}", RequestError::BadHost),
        (post(), "h\u{e9}", RequestError::BadHost),
        (post(), "user@h", RequestError::BadHost),
        (post(), "h/x", RequestError::BadHost),
        (
            with("a", b"\xe9"),
            host,
            RequestError::BadHeaderValue(header("a")),
        ),
        (
            with("a", b"\x85"),
            host,
            RequestError::BadHeaderValue(header("a")),
        ),
        (
            with("a", b"b\r\nc: d"),
            host,
            RequestError::BadHeaderValue(header("a")),
        ),
        (
            with("a", b"b\nc"),
            host,
            RequestError::BadHeaderValue(header("a")),
        ),
        (
            with("a", b"b\0"),
            host,
            RequestError::BadHeaderValue(header("a")),
        ),
        (
            with("a", b"\x7f"),
            host,
            RequestError::BadHeaderValue(header("a")),
        ),
        (
            with("Host", b"x"),
            host,
            RequestError::ReservedHeader(header("host")),
        ),
        (
            with("Content-Length", b"0"),
            host,
            RequestError::ReservedHeader(header("content-length")),
        ),
        (
            with("Transfer-Encoding", b"chunked"),
            host,
            RequestError::ReservedHeader(header("transfer-encoding")),
        ),
    ];
    for (builder, host, error) in cases {
        // Much is refused by the `http` crate already; then there is nothing to write.
        let Ok(request) = builder.body(()) else {
            continue;
        };
        let mut out = b"before".to_vec();
        let (parts, ()) = request.clone().into_parts();
        let whole = http::Request::from_parts(parts, Bytes::new());
        assert_eq!(write_request(&whole, host, &mut out), Err(error.clone()));
        assert_eq!(write_open_request(&request, host, &mut out), Err(error));
        assert_eq!(out, b"before");
    }
    let get = request("GET", "/").body(()).unwrap();
    let refused = write_open_request(&get, host, &mut Vec::new());
    assert_eq!(refused, Err(RequestError::UnsupportedMethod));
}

/// What a server would read: the request line, the fields, the body. It shares nothing with the
/// code under test.
fn parse_request(bytes: &[u8]) -> (String, Vec<(String, String)>, Vec<u8>) {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = core::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap().to_owned();
    let fields: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let field = |name: &str| fields.iter().find(|field| field.0 == name);
    let mut rest = &bytes[end + 4..];
    let mut body = Vec::new();
    if field("transfer-encoding").is_some() {
        loop {
            let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
            let size = core::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            rest = &rest[end + 2..];
            body.extend_from_slice(&rest[..size]);
            assert_eq!(&rest[size..size + 2], b"\r\n");
            rest = &rest[size + 2..];
            if size == 0 {
                break;
            }
        }
    } else if let Some((_, length)) = field("content-length") {
        body.extend_from_slice(rest);
        assert_eq!(length.parse::<usize>().unwrap(), body.len());
        rest = b"";
    }
    assert!(rest.is_empty());
    (first, fields, body)
}

/// An answer, as the parts it is put together from.
fn any_answer() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let chunk = (prop::collection::vec(any::<u8>(), 1..40), "(;[ -~]{0,20})?");
    let chunks = prop::collection::vec(chunk, 0..6);
    let trailers = prop::collection::vec("[A-Z][a-z]{0,8}:[ -~]{0,20}\r\n", 0..3);
    let fields = prop::collection::vec("X-[a-z]{1,8}: ?[ -~]{0,20}\r\n", 0..4);
    let informational = 0..3_usize;
    (any::<bool>(), chunks, trailers, fields, informational).prop_map(
        |(chunked, chunks, trailers, fields, informational)| {
            let data = chunks
                .iter()
                .flat_map(|(data, _)| data.clone())
                .collect::<Vec<_>>();
            let mut bytes = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(informational);
            bytes.extend(b"HTTP/1.1 200 OK\r\n");
            bytes.extend(fields.concat().as_bytes());
            if chunked {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for (data, extension) in &chunks {
                    bytes.extend(format!("{:X}{extension}\r\n", data.len()).as_bytes());
                    bytes.extend(data);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(format!("0\r\n{}\r\n", trailers.concat()).as_bytes());
            } else {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", data.len()).as_bytes());
                bytes.extend(&data);
            }
            (bytes, data)
        },
    )
}

/// Bytes that get far into a reader before they are wrong, if they are.
fn nearly_answers() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 100 x\r\n\r\n",
        "HTTP/1.1 204 x\r\n",
        "Content-Length: 3\r\n",
        "Content-Length: +3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "A: b\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "3\r\nabc\r\n",
        "3",
        ";x",
        "0\r\n\r\n",
        "0\r\n",
        " ",
        "abc",
    ]);
    let part = prop_oneof![
        9 => word.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let start = prop::sample::select(vec!["HTTP/1.1 200 OK\r\n", ""]);
    (start, prop::collection::vec(part, 0..12))
        .prop_map(|(start, parts)| [start.as_bytes(), &parts.concat()].concat())
}

fn cut<'a>(bytes: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = places
        .iter()
        .map(|place| place.index(bytes.len() + 1))
        .collect();
    places.sort_unstable();
    let mut begin = 0;
    let mut pieces = Vec::new();
    for end in places {
        pieces.push(&bytes[begin..end]);
        begin = end;
    }
    pieces.push(&bytes[begin..]);
    pieces
}

/// Limits that random bytes can reach.
fn small_limits() -> HttpLimits {
    HttpLimits {
        head_bytes: 60,
        head_line_bytes: 40,
        header_count: 2,
        informational: 1,
        chunk_line_bytes: 6,
        chunk_overhead_bytes: 4,
        trailer_bytes: 12,
        trailer_count: 2,
        body_bytes: 7,
    }
}

proptest! {
    #[test]
    fn answers_cut_anywhere_give_their_bodies(
        answers in prop::collection::vec(any_answer(), 1..4),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let methods = vec![RequestMethod::Other; answers.len()];
        let bytes = answers.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>();
        let limits = HttpLimits::default();
        let seen = read(&cut(&bytes, &places), &limits, &methods, true);
        let expected: Vec<_> = answers.iter().map(|(_, data)| data).collect();
        let data: Vec<_> = seen
            .iter()
            .filter_map(|seen| seen.strip_prefix('"')?.strip_suffix('"'))
            .collect();
        let expected_data: Vec<_> = expected
            .iter()
            .filter(|data| !data.is_empty())
            .map(|data| data.escape_ascii().to_string())
            .collect();
        prop_assert_eq!(data, expected_data);
        prop_assert_eq!(seen.iter().filter(|seen| *seen == "end").count(), answers.len());
        prop_assert_eq!(&read(&[&bytes], &limits, &methods, true), &seen);
        prop_assert_eq!(&read(&bytewise(&bytes), &limits, &methods, true), &seen);
    }

    #[test]
    fn any_bytes_cut_anywhere_give_the_same(
        bytes in prop_oneof![
            4 => nearly_answers(),
            1 => prop::collection::vec(any::<u8>(), 0..100),
        ],
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        small in any::<bool>(),
        first in prop::sample::select(vec![RequestMethod::Head, RequestMethod::Other]),
        eof in any::<bool>(),
    ) {
        let limits = if small { small_limits() } else { HttpLimits::default() };
        let methods = [first, RequestMethod::Other];
        let whole = read(&[&bytes], &limits, &methods, eof);
        prop_assert_eq!(&read(&cut(&bytes, &places), &limits, &methods, eof), &whole);
        prop_assert_eq!(&read(&bytewise(&bytes), &limits, &methods, eof), &whole);
    }

    #[test]
    fn requests_read_back_as_they_were(
        path in "/[!-~&&[^#\"<>`{}\\\\^|]]{0,20}",
        value in "[!-~]([ -~\t]{0,10}[!-~])?",
        body in prop::collection::vec(any::<u8>(), 0..50),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5),
    ) {
        let builder = || request("POST", &path).header("X-Value", &value);
        // `http` may understand a path its own way.
        prop_assume!(builder().body(()).is_ok());
        let parts = builder().body(()).unwrap();
        let target = parts.uri().path_and_query().unwrap().to_string();
        let line = format!("POST {target} HTTP/1.1");

        let mut out = Vec::new();
        let whole = builder().body(Bytes::from(body.clone())).unwrap();
        write_request(&whole, "h:1", &mut out).unwrap();
        let (first, fields, read_body) = parse_request(&out);
        prop_assert_eq!(&first, &line);
        prop_assert_eq!(&fields[0], &("host".to_owned(), "h:1".to_owned()));
        prop_assert_eq!(&fields[1], &("x-value".to_owned(), value.clone()));
        prop_assert_eq!(fields.len(), 3);
        prop_assert_eq!(read_body, body);

        out.clear();
        write_open_request(&parts, "h:1", &mut out).unwrap();
        for chunk in &chunks {
            write_chunk(chunk, &mut out);
        }
        write_last_chunk(&mut out);
        let (first, fields, read_body) = parse_request(&out);
        prop_assert_eq!(&first, &line);
        prop_assert_eq!(fields.len(), 3);
        prop_assert_eq!(read_body, chunks.concat());
    }
}

#[test]
fn errors_say_whose_fault_it_was() {
    use crate::error::CloseReason;
    let error = ReadError::from(HttpError::BadHead);
    assert_eq!(error.to_string(), "answer head cannot be read");
    assert_eq!(
        CloseReason::from(error),
        CloseReason::Http(HttpError::BadHead)
    );
    let error = ReadError::from(Limit::Body(7));
    assert_eq!(CloseReason::from(error), CloseReason::Limit(Limit::Body(7)));
    for (error, text) in [
        (
            RequestError::UnsupportedMethod,
            "method cannot be used here",
        ),
        (
            RequestError::BadTarget,
            "path is not printable ascii that begins with a slash",
        ),
        (
            RequestError::BadHost,
            "host has bytes that cannot stand in it",
        ),
        (
            RequestError::BadHeaderValue(http::header::TE),
            "value of header te has forbidden bytes",
        ),
        (
            RequestError::ReservedHeader(http::header::HOST),
            "header host is set by the client itself",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
