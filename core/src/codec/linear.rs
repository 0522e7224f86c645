//! Steps, not seconds: n bytes, 2n and 4n, one at a time, and how often a byte was looked at
//! (guarantee G51). What was looked at is counted where it is done, see `count_work`.

use super::http1::HttpLimits;
use super::http1::Reader;
use super::http1::RequestMethod;
use super::json::JsonLimits;
use super::json::Splitter;
use super::work;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn read_one_by_one(bytes: &str) {
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
    let mut reader = Reader::new(limits);
    reader.expect(RequestMethod::Other);
    for byte in bytes.as_bytes().chunks(1) {
        let mut rest = byte;
        loop {
            let (used, item) = reader.read(rest).expect("an answer");
            rest = &rest[used..];
            if item.is_none() {
                break;
            }
        }
    }
    assert_eq!(reader.outstanding(), 0, "the answer ended");
}

fn split_one_by_one(bytes: &str) {
    let limits = JsonLimits {
        depth: usize::MAX,
        ..JsonLimits::default()
    };
    let mut splitter = Splitter::new(limits);
    for byte in bytes.as_bytes().chunks(1) {
        splitter.push(byte).expect("JSON");
    }
    splitter.finish().expect("whole objects");
}

#[test]
fn twice_the_bytes_take_twice_the_steps() {
    type Make = fn(usize) -> String;
    type Feed = fn(&str);
    let cases: [(&str, Feed, Make); 12] = [
        ("status line", read_one_by_one, |n| {
            format!("HTTP/1.1 204 {}\r\n\r\n", "x".repeat(n))
        }),
        ("header", read_one_by_one, |n| {
            format!("HTTP/1.1 204 x\r\nA: {}\r\n\r\n", "x".repeat(n))
        }),
        ("headers", read_one_by_one, |n| {
            format!("HTTP/1.1 204 x\r\n{}\r\n", "A: b\r\n".repeat(n / 6))
        }),
        ("informational", read_one_by_one, |n| {
            let informational = "HTTP/1.1 100 x\r\n\r\n".repeat(n / 18);
            format!("{informational}HTTP/1.1 204 x\r\n\r\n")
        }),
        ("body", read_one_by_one, |n| {
            format!(
                "HTTP/1.1 200 x\r\nContent-Length: {n}\r\n\r\n{}",
                "x".repeat(n)
            )
        }),
        ("one chunk", read_one_by_one, |n| {
            format!("{CHUNKED}{n:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(n))
        }),
        ("chunks", read_one_by_one, |n| {
            format!("{CHUNKED}{}0\r\n\r\n", "1\r\nx\r\n".repeat(n / 6))
        }),
        ("chunk extension", read_one_by_one, |n| {
            format!("{CHUNKED}1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(n))
        }),
        ("trailers", read_one_by_one, |n| {
            format!("{CHUNKED}0\r\n{}\r\n", "A: b\r\n".repeat(n / 6))
        }),
        ("JSON string", split_one_by_one, |n| {
            format!("{{\"x\":\"{}\"}}", "x".repeat(n))
        }),
        ("JSON nesting", split_one_by_one, |n| {
            format!("{{\"x\":{}{}}}", "[".repeat(n / 2), "]".repeat(n / 2))
        }),
        ("JSON objects", split_one_by_one, |n| {
            "{\"x\":1}\n".repeat(n / 8)
        }),
    ];
    for (name, feed, make) in cases {
        let steps = [4_000, 8_000, 16_000].map(|n| work::of(|| feed(&make(n))));
        for pair in steps.windows(2) {
            // 2.1, in integers.
            assert!(pair[1] * 10 <= pair[0] * 21, "{name}: {steps:?}");
        }
        // Counting must have seen the bytes, or this test could not fail; a body's data is lent
        // without being looked at.
        assert!(
            steps[2] >= 4_000 || name.contains("body") || name == "one chunk",
            "{name}: {steps:?}"
        );
    }
}
