//! Strict data (guarantee G56): what is not exactly the message is refused, and the refusal names the
//! field and where it stands, never what stands there.

use etcd_core::JsonError;
use etcd_core::MemberList;
use etcd_core::Range;
use etcd_core::StatusRequest;
use etcd_core::WatchResponse;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::FrameError;
use etcd_core::gateway::Frames;
use etcd_core::gateway::WatchFrames;
use etcd_core::gateway::WatchLimits;
use etcd_core::gateway::decode_answer;

/// Bodies of a range, each with the field that is wrong, and where: the offset of the mark `^`, which
/// is taken out.
const WRONG: &[(&str, &str)] = &[
    // Integers that do not fit, or are none.
    ("count", r#"{"count":"9223372036854775808"^}"#),
    ("count", r#"{"count":9223372036854775808^}"#),
    ("count", r#"{"count":"-9223372036854775809"^}"#),
    ("count", r#"{"count":1.5^}"#),
    ("count", r#"{"count":1e3^}"#),
    ("count", r#"{"count":"1.0"^}"#),
    ("count", r#"{"count":"1e3"^}"#),
    ("count", r#"{"count":"+1"^}"#),
    ("count", r#"{"count":" 1"^}"#),
    ("count", r#"{"count":"0x1"^}"#),
    ("count", r#"{"count":"1_0"^}"#),
    ("count", r#"{"count":""^}"#),
    ("count", r#"{"count":"-"^}"#),
    ("count", r#"{"count":true^}"#),
    ("cluster_id", r#"{"header":{"cluster_id":"-1"^}}"#),
    (
        "cluster_id",
        r#"{"header":{"cluster_id":"18446744073709551616"^}}"#,
    ),
    // Bytes.
    ("key", r#"{"kvs":[{"key":"Zg"^}]}"#),
    ("key", r#"{"kvs":[{"key":"Zg="^}]}"#),
    ("key", r#"{"kvs":[{"key":"Zh=="^}]}"#),
    ("key", r#"{"kvs":[{"key":"Z_=="^}]}"#),
    ("key", r#"{"kvs":[{"key":"Zg==\n"^}]}"#),
    ("key", r#"{"kvs":[{"key":" Zg=="^}]}"#),
    ("value", r#"{"kvs":[{"key":"Zg==","value":7^}]}"#),
    ("value", r#"{"kvs":[{"key":"Zg==","value":false^}]}"#),
    // Wrong types.
    ("more", r#"{"more":"true"^}"#),
    ("more", r#"{"more":1^}"#),
    // Fields that come twice, with the same value or another, side by side or not.
    ("count", r#"{"count":"1","count"^:"1"}"#),
    ("count", r#"{"count":"1","more":true,"count"^:"2"}"#),
    ("kvs", r#"{"kvs":[],"kvs"^:[]}"#),
    (
        "key",
        r#"{"kvs":[{"key":"Zg==","value":"Zg==","key"^:"Zg=="}]}"#,
    ),
    ("revision", r#"{"header":{"revision":"1","revision"^:"1"}}"#),
];

/// Cuts the mark out; gives what is left, and where the mark was.
fn marked(body: &str) -> (String, usize) {
    let at = body.find('^').expect("each body has a mark");
    (body.replacen('^', "", 1), at)
}

#[track_caller]
fn refusal(body: &[u8]) -> JsonError {
    match decode_answer::<Range>(200, body) {
        Err(AnswerError::Json(error)) => error,
        other => panic!("{}: {other:?}", body.escape_ascii()),
    }
}

/// `error` names the field and a place near `at`; nothing of the values.
#[track_caller]
fn names(error: &JsonError, field: &str, at: usize) {
    let JsonError::WrongShape {
        field: named,
        offset,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(named.as_deref(), Some(field), "{error}");
    let offset = usize::try_from(*offset).expect("an offset in a short text");
    // The reader knows of a value once it has read its last byte, or the one behind it.
    assert!(offset.abs_diff(at) <= 1, "{offset} is not {at}: {error}");
}

#[test]
fn an_answer_that_is_not_exact_is_refused_by_field_and_place() {
    for (field, body) in WRONG {
        let (body, at) = marked(body);
        let error = refusal(body.as_bytes());
        names(&error, field, at);
        for value in ["9223372036854775", "1.5", "1e3", "0x1", "Zg", "Zh"] {
            assert!(
                !error.to_string().contains(value),
                "{body} is quoted: {error}"
            );
        }
    }
}

/// The same within a frame of a watch, whole and byte by byte.
#[test]
fn a_watch_frame_that_is_not_exact_is_refused() {
    for (field, frame) in [
        (
            "revision",
            r#"{"result":{"header":{"revision":"9223372036854775808"}}}"#,
        ),
        (
            "revision",
            r#"{"result":{"header":{"revision":"1","revision":"1"}}}"#,
        ),
        ("watch_id", r#"{"result":{"watch_id":1.5}}"#),
        ("key", r#"{"result":{"events":[{"kv":{"key":"Zg"}}]}}"#),
        (
            "mod_revision",
            r#"{"result":{"events":[{"kv":{"key":"Zg==","mod_revision":true}}]}}"#,
        ),
        (
            "type",
            r#"{"result":{"events":[{"type":"FOO","kv":{"key":"Zg=="}}]}}"#,
        ),
        ("events", r#"{"result":{"events":[],"events":[]}}"#),
        ("created", r#"{"result":{"created":"true"}}"#),
    ] {
        for size in [frame.len(), 1] {
            let mut frames = WatchFrames::new(200, WatchLimits::default());
            let mut error = None;
            for piece in frame.as_bytes().chunks(size) {
                frames.handle_data(piece);
                while let (None, Some(item)) = (&error, frames.poll_item()) {
                    error = item.err();
                }
            }
            let Some(FrameError::Json(JsonError::WrongShape { field: named, .. })) = error else {
                panic!("{frame}: {error:?}");
            };
            assert_eq!(named.as_deref(), Some(field), "{frame} in pieces of {size}");
        }
    }
}

/// After the answer comes nothing but white space.
#[test]
fn what_follows_an_answer_is_refused() {
    for more in [
        "x", "{}", "null", "0", "\"", "]", "}", ",", "\u{0}", "\u{feff}",
    ] {
        let body = format!(r#"{{"count":"1"}} {more}"#);
        assert!(
            matches!(
                refusal(body.as_bytes()),
                JsonError::UnexpectedByte { offset: 14, .. }
                    | JsonError::WrongShape {
                        offset: 13..=15,
                        ..
                    }
            ),
            "{body}: {:?}",
            refusal(body.as_bytes())
        );
    }
    let body = "{\"count\":\"1\"} \r\n\t";
    assert_eq!(
        decode_answer::<Range>(200, body.as_bytes()).map(|answer| answer.count),
        Ok(1)
    );
    // A mark of the byte order is no white space.
    assert!(decode_answer::<Range>(200, "\u{feff}{}".as_bytes()).is_err());
}

/// JSON is UTF-8 (RFC 8259 section 8.1): text that is not is refused wherever it stands, in fields
/// nobody reads too.
#[test]
fn what_is_not_utf8_is_refused() {
    for bytes in [
        &b"\xff"[..],
        b"\xc3",
        b"\xc3(",
        b"\xe2\x82",
        b"\xf0\x9f\x92",
        b"\xed\xa0\x80",
        b"\xc0\x80",
    ] {
        let body =
            |before: &str, after: &str| [before.as_bytes(), bytes, after.as_bytes()].concat();
        let status = body(r#"{"version":"3.5.1"#, r#""}"#);
        let error = decode_answer::<StatusRequest>(200, &status);
        assert!(
            matches!(error, Err(AnswerError::Json(_))),
            "{}",
            status.escape_ascii()
        );
        let members = body(r#"{"members":[{"name":""#, r#""}]}"#);
        let error = decode_answer::<MemberList>(200, &members);
        assert!(
            matches!(error, Err(AnswerError::Json(_))),
            "{}",
            members.escape_ascii()
        );
        for unknown in [
            body(r#"{"new":""#, r#"","count":"1"}"#),
            body(r#"{""#, r#"":1,"count":"1"}"#),
        ] {
            let error = decode_answer::<Range>(200, &unknown);
            assert!(
                matches!(error, Err(AnswerError::Json(_))),
                "{}",
                unknown.escape_ascii()
            );
        }
        let mut frames = Frames::<WatchResponse>::new(200, Default::default());
        frames.handle_data(&body(r#"{"result":{"cancel_reason":""#, r#""}}"#));
        assert!(
            matches!(frames.poll_frame(), Some(Err(FrameError::Json(_)))),
            "{}",
            bytes.escape_ascii()
        );
    }
    // Half of a pair of surrogates stands for no character.
    let error = decode_answer::<StatusRequest>(200, br#"{"version":"\ud800"}"#);
    assert!(matches!(error, Err(AnswerError::Json(_))), "{error:?}");
    let whole = decode_answer::<StatusRequest>(200, br#"{"version":"\ud83d\ude00"}"#);
    assert_eq!(
        whole.map(|status| status.version),
        Ok("\u{1f600}".to_owned())
    );
}
