//! Laws 1 and 8 on what reads a server's bytes: codec, frames, answers.

use etcd_core::Put;
use etcd_core::Range;
use etcd_core::StatusRequest;
use etcd_core::Txn;
use etcd_core::WatchResponse;
use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;
use etcd_core::codec::json::JsonLimits;
use etcd_core::codec::json::Splitter;
use etcd_core::gateway::Frames;
use etcd_core::gateway::decode_answer;
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that are nearly HTTP: words of it in any order.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.0 200 OK\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "\r\n",
        "5\r\nhello\r\n",
        "5;x=y\r\nhello\r\n",
        "fffffffffffffffff\r\n",
        "0\r\n",
        "0\r\n\r\n",
        "X: y\r\n",
        "{\"result\":{}}",
        "\n",
    ]);
    let noise = vec(any::<u8>(), 0..6).prop_map(|bytes| bytes);
    let piece = prop_oneof![9 => words.prop_map(|word| word.as_bytes().to_vec()), 1 => noise];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Bytes that are nearly frames of a watch.
fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        r#"{"result":{"watch_id":"1","created":true}}"#,
        r#"{"result":{"events":[{"kv":{"key":"aw==","mod_revision":"5"}}]}}"#,
        r#"{"error":{"grpc_code":14,"message":"x"}}"#,
        r#"{"error":"x","code":3}"#,
        r#"{"result":"#,
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ",",
        ":",
        "null",
        "9223372036854775808",
        "\n",
    ]);
    let noise = vec(any::<u8>(), 0..4);
    let piece = prop_oneof![12 => words.prop_map(|word| word.as_bytes().to_vec()), 1 => noise];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(bytes.len());
    let mut from = 0;
    let piece = |end| &bytes[core::mem::replace(&mut from, end)..end];
    ends.into_iter().map(piece).collect()
}

fn small() -> HttpLimits {
    let mut limits = HttpLimits::default();
    limits.head_bytes = 60;
    limits.head_line_bytes = 28;
    limits.header_count = 4;
    limits.body_bytes = 30;
    limits.trailer_bytes = 20;
    limits.trailer_count = 2;
    limits.chunk_line_bytes = 12;
    limits.informational = 2;
    limits
}

/// What a reader made of bytes, data joined.
fn read(pieces: &[&[u8]], limits: HttpLimits) -> (Vec<String>, Vec<u8>) {
    let (mut items, mut data) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(limits);
    for _ in 0..3 {
        reader.expect(RequestMethod::Other);
    }
    for piece in pieces {
        let mut input = *piece;
        loop {
            match reader.read(input) {
                Ok((used, Some(item))) => {
                    input = &input[used..];
                    match item {
                        Item::Data(more) => data.extend_from_slice(more),
                        item => items.push(format!("{item:?} after {}", data.len())),
                    }
                }
                Ok((used, None)) => {
                    assert_eq!(used, input.len(), "nothing is left without an error");
                    break;
                }
                Err(error) => {
                    items.push(format!("{error:?}"));
                    return (items, data);
                }
            }
        }
    }
    items.push(format!("{:?}", reader.handle_eof()));
    (items, data)
}

fn split(pieces: &[&[u8]], limits: JsonLimits) -> Vec<String> {
    let mut frames = Vec::new();
    let mut splitter = Splitter::new(limits);
    for piece in pieces {
        let mut input = *piece;
        while !input.is_empty() {
            match splitter.push(input) {
                Ok((used, frame)) => {
                    input = &input[used..];
                    frames.extend(frame.map(|frame| String::from_utf8_lossy(&frame).into_owned()));
                }
                Err(error) => {
                    frames.push(format!("{error:?}"));
                    return frames;
                }
            }
        }
    }
    frames.push(format!("{:?}", splitter.finish()));
    frames
}

fn frames(pieces: &[&[u8]], status: u16) -> Vec<String> {
    let mut frames = Frames::<WatchResponse>::new(status, JsonLimits::default());
    let mut out = Vec::new();
    for piece in pieces {
        frames.handle_data(piece);
        out.extend(core::iter::from_fn(|| frames.poll_frame()).map(|frame| format!("{frame:?}")));
    }
    frames.handle_end();
    out.extend(core::iter::from_fn(|| frames.poll_frame()).map(|frame| format!("{frame:?}")));
    assert!(frames.poll_frame().is_none());
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_does_not_care_where_bytes_are_cut(
        bytes in nearly_http(),
        cuts in vec(any::<usize>(), 0..8),
        is_small in any::<bool>(),
    ) {
        let limits = || if is_small { small() } else { HttpLimits::default() };
        let whole = read(&[&bytes], limits());
        prop_assert_eq!(&whole, &read(&pieces(&bytes, &cuts), limits()));
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &read(&bytewise, limits()));
        // Chunks and bodies stop at the limit of the answer they belong to.
        prop_assert!(!is_small || whole.1.len() <= 3 * 30);
    }

    #[test]
    fn a_splitter_does_not_care_where_bytes_are_cut(
        bytes in nearly_frames(),
        cuts in vec(any::<usize>(), 0..8),
        frame_bytes in 1..200_usize,
        depth in 1..6_usize,
    ) {
        let limits = || {
            let mut limits = JsonLimits::default();
            (limits.frame_bytes, limits.depth) = (frame_bytes, depth);
            limits
        };
        let whole = split(&[&bytes], limits());
        prop_assert_eq!(&whole, &split(&pieces(&bytes, &cuts), limits()));
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &split(&bytewise, limits()));
    }

    #[test]
    fn frames_do_not_care_where_bytes_are_cut(
        bytes in nearly_frames(),
        cuts in vec(any::<usize>(), 0..8),
        status in prop::sample::select(vec![200_u16, 400, 503]),
    ) {
        let whole = frames(&[&bytes], status);
        prop_assert_eq!(&whole, &frames(&pieces(&bytes, &cuts), status));
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &frames(&bytewise, status));
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(
        bytes in prop_oneof![nearly_frames(), vec(any::<u8>(), 0..60)],
        status in 100..600_u16,
    ) {
        let _ = decode_answer::<Range>(status, &bytes);
        let _ = decode_answer::<Put>(status, &bytes);
        let _ = decode_answer::<Txn>(status, &bytes);
        let _ = decode_answer::<StatusRequest>(status, &bytes);
    }
}

#[test]
fn a_deep_answer_overflows_no_stack() {
    for (open, close) in [
        ("{\"responses\":[{\"response_txn\":", "}]}"),
        ("{\"error\":", "}"),
        ("[", "]"),
        ("{\"x\":[", "]}"),
    ] {
        let deep = format!("{}0{}", open.repeat(50_000), close.repeat(50_000));
        // What is in unknown fields is passed over, however deep.
        let _ = decode_answer::<Txn>(200, deep.as_bytes());
        assert!(decode_answer::<Txn>(500, deep.as_bytes()).is_err());
        let mut frames = Frames::<WatchResponse>::new(200, JsonLimits::default());
        frames.handle_data(deep.as_bytes());
        frames.handle_end();
        assert!(frames.poll_frame().is_some_and(|frame| frame.is_err()));
    }
}
