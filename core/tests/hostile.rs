//! Law 8 in bytes of memory: what hostile servers send ends in a clear error, and the client never
//! holds more than the limit that was hit, plus a constant (guarantees G49 and G50).
//!
//! The allocator counts for the whole process, so this binary has one test.

use etcd_core::Client;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::LeaseTimeToLive;
use etcd_core::MemberList;
use etcd_core::Output;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Txn;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const NOW: Instant = Instant::ZERO;
const KIB: usize = 1024;

/// What a client may hold besides what a limit lets it: tables, texts of errors, a head.
const CONSTANT: usize = 64 * KIB;

/// The limit of bodies and frames here: small enough to be passed many times.
const MOST: usize = 512 * KIB;

fn config() -> Config {
    let mut config = Config::new(["a"]).expect("an endpoint");
    config.limits.body_bytes = MOST as u64;
    config.limits.frame_bytes = MOST;
    config.limits.revision_bytes = MOST;
    config
}

/// What is asked of the server that misbehaves.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// A write, which is not asked again: its error says what was wrong.
    Put,
    Get,
    Txn,
    Lease,
    Members,
    Watch,
}

/// A client whose request was taken whole, and the connection it is on.
fn asked(what: Asked) -> (Client, ConnId, Option<WatchId>) {
    let mut client = Client::new(config(), 1, NOW);
    let mut watch = None;
    match what {
        Asked::Put => drop(client.call(NOW, Put::new("k", "v"))),
        Asked::Get => drop(client.call(NOW, Range::key("k"))),
        Asked::Txn => drop(client.call(NOW, Txn::new())),
        Asked::Lease => drop(client.call(NOW, LeaseTimeToLive::new(7).with_keys())),
        Asked::Members => drop(client.call(NOW, MemberList::new())),
        Asked::Watch => watch = Some(client.watch(NOW, Watch::key("k"))),
    }
    let Some(Output::Connect { conn, .. }) = client.poll_output() else {
        panic!("a connection is needed");
    };
    client.handle_connected(NOW, conn);
    let len = client.transmit(conn).len();
    client.handle_written(NOW, conn, len);
    (client, conn, watch)
}

/// What came of it: the error, and by how much memory had grown at the most.
struct Outcome {
    error: String,
    grown: usize,
    fed: usize,
}

/// Sends `begin`, then `piece` again and again up to `times`, then `end`.
fn send(what: Asked, begin: &str, piece: &str, times: usize, end: &str) -> Outcome {
    let (mut client, conn, watch) = asked(what);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let (mut error, mut fed) = (String::new(), 0);
    let pieces = core::iter::once(begin)
        .chain(core::iter::repeat_n(piece, times))
        .chain([end]);
    'sending: for piece in pieces {
        client.handle_received(NOW, conn, piece.as_bytes());
        fed += piece.len();
        let mut closed = false;
        while let Some(output) = client.poll_output() {
            match output {
                Output::Event(Event::Answered { result, .. }) => {
                    error = match *result {
                        Ok(_) => "no error".to_owned(),
                        Err(failure) => failure.to_string(),
                    };
                }
                Output::Close(_) => closed = true,
                _ => {}
            }
        }
        if let Some(WatchEvent::End(end)) = watch.and_then(|watch| client.poll_watch(watch)) {
            error = end.to_string();
        }
        if closed || !error.is_empty() {
            break 'sending;
        }
    }
    Outcome {
        error,
        grown: MEMORY.peak_usage().saturating_sub(before),
        fed,
    }
}

/// A server that misbehaves.
struct Case {
    name: &'static str,
    asked: Asked,
    begin: String,
    piece: &'static str,
    times: usize,
    end: &'static str,
    /// What the error says.
    error: &'static str,
    /// How many bytes have to be enough for it.
    fed: usize,
    /// By how much memory may grow.
    bound: usize,
}

fn cases() -> Vec<Case> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let put = |name, begin: String, piece, error, fed| Case {
        name,
        asked: Asked::Put,
        begin,
        piece,
        times: 1_000_000,
        end: "",
        error,
        fed,
        bound: CONSTANT,
    };
    // A body or frame is kept in a buffer that doubles, and is twice there while it moves.
    let whole = 3 * MOST + CONSTANT;
    vec![
        put(
            "a content length of 2 GiB",
            format!("{ok}Content-Length: 2147483648\r\n\r\n"),
            "x",
            "answer body is longer than 524288 bytes",
            100,
        ),
        put(
            "a content length that fits in no integer",
            format!("{ok}Content-Length: 99999999999999999999\r\n\r\n"),
            "x",
            "content length is not a plain number",
            100,
        ),
        // RUSTSEC-2021-0079 in hyper.
        put(
            "a chunk size that overflows",
            chunked.to_owned(),
            "f",
            "chunk size does not fit in 64 bits",
            100,
        ),
        put(
            "a chunk of 2^64 - 1 bytes",
            format!("{chunked}ffffffffffffffff\r\n"),
            "x",
            "answer body is longer than 524288 bytes",
            100,
        ),
        // CVE-2023-24534 in Go, CVE-2023-38039 in libcurl.
        put(
            "a million headers",
            ok.to_owned(),
            "A: b\r\n",
            "answer has more than 100 header fields",
            700,
        ),
        Case {
            // A head, too.
            bound: 3 * 32 * KIB,
            ..put(
                "large headers",
                ok.to_owned(),
                "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
             bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
             bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
             bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n",
                "answer head is longer than 32768 bytes",
                34_000,
            )
        },
        put(
            "a head line without end, a byte at a time",
            format!("{ok}A: "),
            "b",
            "line of an answer head is longer than 8192 bytes",
            9_000,
        ),
        put(
            "a status line without end",
            "HTTP/1.1 200 ".to_owned(),
            "OK",
            "line of an answer head is longer than 8192 bytes",
            9_000,
        ),
        put(
            "digits without end",
            format!("{ok}Content-Length: "),
            "1",
            "line of an answer head is longer than 8192 bytes",
            9_000,
        ),
        put(
            "informational answers without end",
            String::new(),
            "HTTP/1.1 100 Continue\r\n\r\n",
            "more than 8 informational answers",
            300,
        ),
        // CVE-2023-39326 in Go.
        put(
            "a chunk extension without end",
            format!("{chunked}1;"),
            "x",
            "chunk size line is longer than 256 bytes",
            400,
        ),
        put(
            "padded chunks without end",
            chunked.to_owned(),
            "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n \r\n",
            "chunk framing outweighs its data by more than 16384 bytes",
            30_000,
        ),
        put(
            "trailers without end",
            format!("{chunked}0\r\n"),
            "A: b\r\n",
            "trailer section has more than 32 fields",
            400,
        ),
        put(
            "a trailer line without end",
            format!("{chunked}0\r\nA: "),
            "b",
            "trailer section is longer than 8192 bytes",
            9_000,
        ),
        Case {
            bound: whole,
            ..put(
                "a body without end",
                format!("{ok}\r\n"),
                "  ",
                "answer body is longer than 524288 bytes",
                MOST + 100,
            )
        },
        Case {
            bound: whole,
            ..put(
                "a million tiny chunks",
                chunked.to_owned(),
                "1\r\n \r\n",
                "answer body is longer than 524288 bytes",
                6 * MOST + 100,
            )
        },
        // RUSTSEC-2024-0012 in serde-json-wasm, RUSTSEC-2022-0004 in rustc-serialize.
        Case {
            bound: whole,
            times: 400_000,
            end: "0\r\n\r\n",
            ..put(
                "a JSON depth bomb",
                format!("{chunked}5\r\n{{\"x\":\r\n"),
                "1\r\n[\r\n",
                "nested deeper than 32",
                3_000_000,
            )
        },
        Case {
            times: 400_000,
            end: "\r\n0\r\n\r\n",
            ..put(
                "an error without end",
                "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n\
             61a80\r\n"
                    .to_owned(),
                "x",
                "xxx",
                500_000,
            )
        },
        Case {
            asked: Asked::Watch,
            bound: whole,
            ..put(
                "a frame without end",
                format!("{chunked}e\r\n{{\"result\":{{\"x\"\r\n"),
                "2\r\n: \r\n",
                "frame of a stream is longer than 524288 bytes",
                4 * MOST,
            )
        },
        Case {
            asked: Asked::Watch,
            ..put(
                "a deep frame",
                chunked.to_owned(),
                "5\r\n{\"x\":\r\n",
                "",
                500,
            )
        },
        Case {
            asked: Asked::Watch,
            times: 200_000,
            ..put(
                "a stream of blanks",
                chunked.to_owned(),
                "2\r\n\n \r\n",
                "",
                usize::MAX,
            )
        },
        // Nothing is reserved on a claim.
        Case {
            times: 1,
            ..put(
                "a length at the limit, and no body",
                format!("{ok}Content-Length: 524288\r\n\r\n"),
                "{",
                "",
                usize::MAX,
            )
        },
    ]
}

#[test]
fn hostile_bytes_end_in_a_clear_error_within_bounded_memory() {
    for case in cases() {
        let Case {
            name,
            asked,
            begin,
            piece,
            times,
            end,
            error,
            fed,
            bound,
        } = case;
        let outcome = send(asked, &begin, piece, times, end);
        assert!(outcome.error.contains(error), "{name}: {:?}", outcome.error);
        assert!(outcome.fed <= fed, "{name}: took {} bytes", outcome.fed);
        assert!(
            outcome.grown <= bound,
            "{name}: grew by {} bytes",
            outcome.grown
        );
        eprintln!("{name}: {} bytes, memory {}", outcome.fed, outcome.grown);
    }

    answers_of_nearly_nothing_stay_small();
}

/// What JSON is read into takes more than its text: `{}` is a key-value of 96 bytes. Lists may take 8
/// times their text and 64 KiB, and two thirds of it again while they move; the text itself is in a buffer
/// that doubles.
fn answers_of_nearly_nothing_stay_small() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, asked, begin, piece, end) in [
        ("empty key-values", Asked::Get, "{\"kvs\":[", "{},", "{}]}"),
        (
            // The short way gives up on these.
            "empty key-values with a member nobody knows",
            Asked::Get,
            "{\"x\":1,\"kvs\":[",
            "{},",
            "{}]}",
        ),
        (
            "lists of one",
            Asked::Txn,
            "{\"responses\":[",
            "{\"response_range\":{\"kvs\":[{}]}},",
            "{\"response_range\":{\"kvs\":[{}]}}]}",
        ),
        ("empty keys", Asked::Lease, "{\"keys\":[", "\"\",", "\"\"]}"),
        (
            "empty members",
            Asked::Members,
            "{\"members\":[",
            "{},",
            "{}]}",
        ),
        (
            "empty events",
            Asked::Watch,
            "{\"result\":{\"header\":{\"revision\":\"9\"},\"watch_id\":\"1\",\"events\":[",
            "{},",
            "{}]}}",
        ),
        (
            "empty events of nobody knows which watch",
            Asked::Watch,
            "{\"result\":{\"events\":[",
            "{},",
            "{}]}}",
        ),
        (
            "an error that is a list",
            Asked::Watch,
            "{\"error\":[",
            "0,",
            "0]}",
        ),
    ] {
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        // A hundred at once: what comes in is kept small.
        let (many, times) = (piece.repeat(100), 120_000 / piece.len());
        let (begin, end) = (chunk(begin), chunk(end));
        let begin = format!("{chunked}{begin}");
        let end = format!("{end}0\r\n\r\n");
        let outcome = send(asked, &begin, &chunk(&many), times / 100, &end);
        let text = piece.len() * times;
        let bound = match asked {
            // Event by event: what one revision may take, in a list that doubles.
            Asked::Watch => 3 * MOST + CONSTANT,
            _ => 3 * text + (8 * text + 64 * KIB) * 5 / 3 + CONSTANT,
        };
        eprintln!(
            "{name}: {text} bytes, memory {}, {}",
            outcome.grown, outcome.error
        );
        assert!(
            outcome.grown <= bound,
            "{name}: {} > {bound}",
            outcome.grown
        );
    }
}
