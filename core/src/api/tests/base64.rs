//! The base64 of keys and values is as strict as the crate everybody else uses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::strategies as any_;
use crate::api::json::sealed::Scanned;
use crate::*;

/// The key in this text by each of the two readers.
fn read(text: &str) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let json = format!(r#"{{"key":"{text}"}}"#);
    let scanned = KeyValue::scan_whole(json.as_bytes()).map(|kv| kv.key.to_vec());
    let parsed = serde_json::from_str::<KeyValue>(&json);
    (scanned, parsed.ok().map(|kv| kv.key.to_vec()))
}

proptest! {
    #[test]
    fn what_is_read_is_what_the_reference_reads(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[A-Za-z0-9+/=_ -]{0,2}"), 0..3),
    ) {
        let mut text = STANDARD.encode(&bytes);
        for (at, piece) in changes {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + 1);
            text.replace_range(at..end, &piece);
        }
        let reference = STANDARD.decode(&text).ok();
        prop_assert_eq!(read(&text), (reference.clone(), reference), "{}", text);
    }

    #[test]
    fn what_is_written_is_what_the_reference_writes(bytes in any_::bytes()) {
        let json = serde_json::to_string(&Put::new(bytes.clone(), "")).unwrap();
        let key = match bytes.is_empty() {
            true => "{}".to_owned(),
            false => format!(r#"{{"key":"{}"}}"#, STANDARD.encode(&bytes)),
        };
        prop_assert_eq!(json, key);
    }
}

#[test]
fn padding_and_unused_bits_are_as_the_rfc_has_them() {
    for (text, good) in [
        ("AA==", true),
        ("AB==", false),
        ("AAA=", true),
        ("AAB=", false),
        ("AA", false),
        ("AAA", false),
        ("A", false),
        ("A===", false),
        ("====", false),
        ("=", false),
        ("AA=A", false),
        ("AA==AA==", false),
        ("AAAA====", false),
        ("AAAA\u{e9}AAA", false),
        ("-_AA", false),
        (" AAA", false),
        ("AAA\u{7f}", false),
    ] {
        // Alone, and after enough letters for the vector instructions.
        for before in [0, 16, 32, 64, 100] {
            let text = format!("{}{text}", "QUJD".repeat(before));
            let (scanned, parsed) = read(&text);
            assert_eq!(
                (scanned.is_some(), parsed.is_some()),
                (good, good),
                "{text}"
            );
            assert_eq!(STANDARD.decode(&text).is_ok(), good, "{text}");
        }
    }
}
