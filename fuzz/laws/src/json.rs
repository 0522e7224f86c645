//! The JSON splitter and base64: any cut gives the same, and serde_json and the base64 crate agree
//! (guarantees G49 to G52, G56).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use etcd_core::Range;
use etcd_core::codec::json::JsonLimits;
use etcd_core::codec::json::Splitter;
use etcd_core::gateway::decode_answer;

use crate::input::Input;
use crate::input::cut;

fn frames(pieces: &[&[u8]], limits: &JsonLimits) -> (Vec<Vec<u8>>, String) {
    let mut splitter = Splitter::new(limits.clone());
    let mut frames = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match splitter.push(rest) {
                Ok((used, frame)) => {
                    rest = &rest[used..];
                    let Some(frame) = frame else {
                        assert!(rest.is_empty(), "no frame, but input is left");
                        break;
                    };
                    assert!(frame.len() <= limits.frame_bytes);
                    assert!(frame.starts_with(b"{") && frame.ends_with(b"}"));
                    frames.push(frame.into_vec());
                }
                Err(error) => {
                    assert_eq!(splitter.push(b"{}"), Err(error.clone()));
                    return (frames, format!("{error:?}"));
                }
            }
        }
    }
    let end = format!("{:?}", splitter.finish());
    (frames, end)
}

/// Any bytes as JSON objects one after the other.
pub(crate) fn split(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, seed) = (input.byte(), input.byte());
    let bytes = input.rest();
    let mut limits = JsonLimits::default();
    if flags & 1 != 0 {
        (limits.depth, limits.frame_bytes) = (3, 24);
    }
    let whole = frames(&[bytes], &limits);
    assert_eq!(whole, frames(&cut(bytes, seed), &limits));
    assert_eq!(whole, frames(&cut(bytes, 1), &limits));

    // What serde_json reads as objects is cut at the same borders.
    limits = JsonLimits::default();
    limits.depth = 200;
    let (whole, _) = frames(&[bytes], &limits);
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>();
    let mut from = 0;
    for frame in &whole {
        let Some(Ok(value)) = stream.next() else {
            return;
        };
        let to = stream.byte_offset();
        assert!(value.is_object());
        assert_eq!(bytes[from..to].trim_ascii_start(), &frame[..]);
        from = to;
    }
    if let Some(Ok(serde_json::Value::Object(_))) = stream.next() {
        panic!("serde_json sees an object more");
    }
}

/// Any text as base64.
pub(crate) fn base64(bytes: &[u8]) {
    // Encoded and decoded, bytes are what they were.
    let answer = |text: &str| {
        let body = serde_json::json!({ "kvs": [{ "key": text }] });
        decode_answer::<Range>(200, body.to_string().as_bytes())
            .map(|answer| answer.kvs[0].key.clone())
    };
    assert_eq!(answer(&STANDARD.encode(bytes)).as_deref(), Ok(bytes));
    if let Ok(text) = core::str::from_utf8(bytes) {
        match (answer(text), STANDARD.decode(text)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
            (ours, theirs) => assert_eq!(ours.is_ok(), theirs.is_ok(), "{text:?}"),
        }
    }
}
