//! Tables of bodies, each read whole, byte by byte and cut in two at every place; then properties
//! of any bytes however cut.

use proptest::prelude::*;

use super::*;
use crate::codec::work;
use crate::error::CloseReason;
use crate::error::JsonError;
use crate::error::Limit;

/// The frames, and how it ended.
type Split = (Vec<Vec<u8>>, Result<(), SplitError>);

fn split(pieces: &[&[u8]], limits: &JsonLimits) -> Split {
    let mut splitter = Splitter::new(limits.clone());
    let mut frames = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match splitter.push(rest) {
                Ok((used, Some(frame))) => {
                    frames.push(frame.into_vec());
                    rest = &rest[used..];
                }
                Ok((used, None)) => {
                    assert_eq!(used, rest.len(), "no frame, but input is left");
                    break;
                }
                Err(error) => {
                    assert_eq!(splitter.push(b"{}"), Err(error.clone()), "it is remembered");
                    match &error {
                        SplitError::Json(json) => assert_eq!(splitter.finish(), Err(json.clone())),
                        SplitError::Limit(_) => {
                            assert_eq!(splitter.finish(), Err(JsonError::Truncated));
                        }
                    }
                    return (frames, Err(error));
                }
            }
        }
    }
    (frames, splitter.finish().map_err(SplitError::from))
}

fn split_all_ways(bytes: &[u8], limits: &JsonLimits) -> Split {
    let whole = split(&[bytes], limits);
    assert_eq!(split(&bytewise(bytes), limits), whole);
    for at in 0..=bytes.len() {
        let (left, right) = bytes.split_at(at);
        let cut_in_two = split(&[left, right], limits);
        assert_eq!(
            cut_in_two,
            whole,
            "cut at {at} of {:?}",
            bytes.escape_ascii().to_string()
        );
    }
    whole
}

fn bytewise(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).collect()
}

#[test]
fn values_are_cut_at_their_own_borders() {
    let long = format!("{{\"a\":\"{:x<100}\"}}", "");
    for (bytes, expected) in [
        ("", vec![]),
        (" \t\r\n", vec![]),
        ("{}", vec!["{}"]),
        ("{}{}", vec!["{}", "{}"]),
        ("\n{ }\n\n{\n}\r\n ", vec!["{ }", "{\n}"]),
        (
            r#"{"a":"}{]["}{"b":[{},[]]}"#,
            vec![r#"{"a":"}{]["}"#, r#"{"b":[{},[]]}"#],
        ),
        (r#"{"a":"\"}"}{}"#, vec![r#"{"a":"\"}"}"#, "{}"]),
        (r#"{"a":"\\"}{}"#, vec![r#"{"a":"\\"}"#, "{}"]),
        (r#"{"a":"\\\"}"}"#, vec![r#"{"a":"\\\"}"}"#]),
        (
            r#"{"\u007d":-1.5e+3,"t":[true,null]}"#,
            vec![r#"{"\u007d":-1.5e+3,"t":[true,null]}"#],
        ),
        ("{\"a\":\"é\u{7f}\"}", vec!["{\"a\":\"é\u{7f}\"}"]),
        (&long, vec![&long]),
    ] {
        let (frames, end) = split_all_ways(bytes.as_bytes(), &JsonLimits::default());
        let expected: Vec<_> = expected.iter().map(|frame| frame.as_bytes()).collect();
        assert_eq!(frames, expected, "{bytes}");
        assert_eq!(end, Ok(()), "{bytes}");
    }
}

#[test]
fn bytes_that_cannot_stand_there_are_refused_with_their_place() {
    for (bytes, offset) in [
        (&b"[]"[..], 0),
        (b"1", 0),
        (b"\"a\"", 0),
        (b"null", 0),
        (b"}", 0),
        (b"]", 0),
        (b",", 0),
        (b"\xef\xbb\xbf{}", 0),
        (b"\0", 0),
        (b" \n x", 3),
        (b"{}\n,{}", 3),
        (b"{}}", 2),
        (b"{]", 1),
        (b"{[}", 2),
        (b"{\"a\":[1,2}", 9),
        (b"{\"a\":{]", 6),
        (b"{\0", 1),
        (b"{\x7f", 1),
        (b"{\x0b", 1),
        (b"{\x80", 1),
        (b"{'a'", 1),
        (b"{\\", 1),
        (b"{/", 1),
        (b"{\"\n", 2),
        (b"{\"\0", 2),
        (b"{\"\x1f", 2),
        (b"{\"\\\n", 3),
        (
            b"{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\t\"}",
            50,
        ),
    ] {
        let (_, end) = split_all_ways(bytes, &JsonLimits::default());
        let byte = bytes[offset];
        let offset = offset as u64;
        let error = JsonError::UnexpectedByte { offset, byte }.into();
        assert_eq!(end, Err(error), "{:?}", bytes.escape_ascii().to_string());
    }
}

#[test]
fn a_body_that_ends_inside_a_value_is_truncated() {
    let bytes = br#"{"a":["\""]}"#;
    for len in 1..bytes.len() {
        let (frames, end) = split_all_ways(&bytes[..len], &JsonLimits::default());
        assert_eq!((frames.len(), end), (0, Err(JsonError::Truncated.into())));
    }
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let limits = JsonLimits {
        depth: 3,
        frame_bytes: 1000,
    };
    let (frames, end) = split_all_ways(b"{[{}]}{[[][]]}", &limits);
    assert_eq!((frames.len(), end), (2, Ok(())));
    for bytes in [&b"{[{["[..], b"{[{{", b"{}{[[[[[[["] {
        let (_, end) = split_all_ways(bytes, &limits);
        assert_eq!(end, Err(JsonError::TooDeep(3).into()));
    }

    let limits = JsonLimits {
        depth: 3,
        frame_bytes: 8,
    };
    let (frames, end) = split_all_ways(b"   {\"a\":12}         {\"a\":12}", &limits);
    assert_eq!((frames.len(), end), (2, Ok(())));
    for bytes in [
        &b"{\"a\":123}"[..],
        b"  {\"a\":12 }",
        b"{}{\"aaaaaaaaaaaaaaaaaa",
        b"{        ",
    ] {
        let (_, end) = split_all_ways(bytes, &limits);
        assert_eq!(end, Err(Limit::Frame(8).into()));
    }
}

#[test]
fn deep_nesting_does_not_recurse() {
    // RUSTSEC-2024-0012, RUSTSEC-2022-0004: stack overflows in other JSON readers.
    let limits = JsonLimits {
        depth: usize::MAX,
        ..JsonLimits::default()
    };
    let depth = 1_000_000;
    let bytes = ["{".repeat(depth), "}".repeat(depth)].concat();
    let (frames, end) = split(&[bytes.as_bytes()], &limits);
    assert_eq!((frames.len(), end), (1, Ok(())));
}

#[test]
fn a_frame_that_came_whole_is_lent_and_another_is_handed_over() {
    let mut splitter = Splitter::new(JsonLimits::default());
    let input = b" {\"a\":1}\n{";
    let (used, frame) = splitter.push(input).unwrap();
    assert_eq!(used, 8);
    assert!(core::ptr::eq(&*frame.unwrap(), &input[1..8]));
    assert_eq!(splitter.push(&input[8..]).unwrap(), (2, None));
    let (used, frame) = splitter.push(b"}").unwrap();
    assert_eq!((used, frame.as_deref()), (1, Some(&b"{}"[..])));
}

#[test]
fn any_cutting_takes_linear_work() {
    let long = "x".repeat(20_000);
    for bytes in [
        format!("{{\"a\":\"{long}\"}}"),
        format!("{{\"a\":[{}1]}}", "\"b\",".repeat(5_000)),
        format!("{{\"a\":\"{}\"}}", "\\\\".repeat(10_000)),
        " ".repeat(20_000),
        "{}\n".repeat(7_000),
    ] {
        for size in [1, 2, 7, 1000, usize::MAX] {
            let pieces: Vec<_> = bytes.as_bytes().chunks(size).collect();
            let work = work::of(|| {
                assert_eq!(split(&pieces, &JsonLimits::default()).1, Ok(()));
            });
            assert!(
                work <= 3 * bytes.len(),
                "{work} for {} by {size}",
                bytes.len()
            );
        }
    }
}

#[test]
fn errors_say_whose_fault_it_was() {
    let error = SplitError::from(Limit::Frame(7));
    assert_eq!(
        error.to_string(),
        "frame of a stream is longer than 7 bytes"
    );
    assert_eq!(
        CloseReason::from(error),
        CloseReason::Limit(Limit::Frame(7))
    );
    let error = SplitError::from(JsonError::Truncated);
    assert_eq!(error.to_string(), "body ends inside a value");
    assert_eq!(
        CloseReason::from(error),
        CloseReason::Json(JsonError::Truncated)
    );
}

fn any_object() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof!["[ -~é\n\"\\\\{}]{0,12}", "[A-Za-z0-9+/]{40,90}"];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        text.prop_map(serde_json::Value::from),
    ];
    let value = leaf.prop_recursive(4, 20, 4, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-z\"]{0,4}", value, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    });
    prop::collection::btree_map("[a-z]{0,4}", value, 0..4).prop_map(|map| map.into_iter().collect())
}

/// Bytes that get far into a splitter before they are wrong, if they are.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "{", "}", "[", "]", "\"", "\\", "a", " ", "\n", ":", ",", "{}", "\"a\"", "\0",
    ];
    let part = prop_oneof![
        9 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..50),
    ];
    let start = prop::sample::select(vec!["{", "{}{", "{\"", ""]);
    (start, prop::collection::vec(part, 0..20))
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

proptest! {
    #[test]
    fn objects_cut_anywhere_come_back(
        objects in prop::collection::vec((any_object(), "[ \n\r\t]{0,3}", any::<bool>()), 0..5),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut bytes = Vec::new();
        let mut texts = Vec::new();
        for (object, blank, pretty) in &objects {
            let text = match pretty {
                true => serde_json::to_vec_pretty(object).unwrap(),
                false => serde_json::to_vec(object).unwrap(),
            };
            bytes.extend(blank.as_bytes());
            bytes.extend(&text);
            texts.push(text);
        }
        let limits = JsonLimits::default();
        let expected = (texts, Ok(()));
        prop_assert_eq!(&split(&[&bytes], &limits), &expected);
        prop_assert_eq!(&split(&bytewise(&bytes), &limits), &expected);
        prop_assert_eq!(&split(&cut(&bytes, &places), &limits), &expected);
    }

    #[test]
    fn any_bytes_cut_anywhere_give_the_same(
        bytes in prop_oneof![
            4 => nearly_json(),
            1 => prop::collection::vec(any::<u8>(), 0..100),
        ],
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        small in any::<bool>(),
    ) {
        let limits = match small {
            true => JsonLimits { depth: 3, frame_bytes: 8 },
            false => JsonLimits::default(),
        };
        let whole = split(&[&bytes], &limits);
        prop_assert_eq!(&split(&cut(&bytes, &places), &limits), &whole);
        prop_assert_eq!(&split(&bytewise(&bytes), &limits), &whole);
    }

    #[test]
    fn what_serde_json_takes_is_not_refused(bytes in nearly_json()) {
        let stream = serde_json::Deserializer::from_slice(&bytes);
        let objects: Result<Vec<serde_json::Map<String, serde_json::Value>>, _> =
            stream.into_iter().collect();
        if let Ok(objects) = objects {
            let (frames, end) = split(&[&bytes], &JsonLimits::default());
            prop_assert_eq!((frames.len(), end), (objects.len(), Ok(())));
        }
    }
}

#[test]
fn every_byte_stops_or_passes_alike_at_every_place_of_a_string() {
    for byte in 0..=u8::MAX {
        for place in [
            0, 1, 6, 7, 8, 9, 15, 16, 30, 31, 32, 33, 62, 63, 64, 65, 100,
        ] {
            // What comes before may not hide it, and what is like it may not be taken for it.
            for around in [b'a', b'#', b'!', b']', b'[', 0x20, 0x7f, 0x80, 0xa2, 0xff] {
                let mut json = b"{\"".to_vec();
                json.extend(vec![around; place]);
                json.push(byte);
                json.extend(vec![around; 9]);
                json.extend_from_slice(b"\":1}");
                let mut splitter = Splitter::new(JsonLimits::default());
                let result = splitter.push(&json);
                let refused = match byte {
                    // The string ends, and what follows is a value or not.
                    b'"' => matches!(around, b'#' | b'!' | b']' | 0x7f..),
                    _ => byte < 0x20,
                };
                if around != b'[' || byte != b'"' {
                    assert_eq!(
                        result.is_err(),
                        refused,
                        "{byte:#x} at {place} in {around:#x}"
                    );
                }
                if byte < 0x20 {
                    let offset = 2 + place as u64;
                    let expected = SplitError::Json(JsonError::UnexpectedByte { offset, byte });
                    assert_eq!(result, Err(expected));
                }
            }
        }
    }
}
