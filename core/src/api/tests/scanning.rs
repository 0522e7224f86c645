//! The short way in agrees with serde: what it accepts, serde accepts with the same meaning.

use proptest::prelude::*;

use super::administration as more;
use super::strategies as any_;
use crate::api::json::sealed::Scanned;
use crate::*;

/// A change to a text, of the kinds that tell two readers apart.
#[derive(Clone, Debug)]
enum Change {
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, &'static str),
    Cut(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = vec![
        " ",
        "\n",
        "\\",
        "\"",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "-",
        "0",
        "9",
        ".",
        "e",
        "=",
        "A",
        "null",
        "true",
        "\u{0}",
        "\u{7f}",
        "é",
        "\\u0041",
        "{}",
        "\"header\":{},",
        "\"x\":1,",
    ];
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Change::Remove),
        (any::<prop::sample::Index>(), prop::sample::select(pieces))
            .prop_map(|(at, piece)| Change::Insert(at, piece)),
        any::<prop::sample::Index>().prop_map(Change::Cut),
    ]
}

fn changed(mut json: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        match change {
            Change::Remove(at) if !json.is_empty() => {
                json.remove(at.index(json.len()));
            }
            Change::Insert(at, piece) => {
                let at = at.index(json.len() + 1);
                json.splice(at..at, piece.bytes());
            }
            Change::Cut(at) => json.truncate(at.index(json.len() + 1)),
            Change::Remove(_) => {}
        }
    }
    json
}

macro_rules! agrees {
    ($($name:ident: $message:ty, $value:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(256))]
            $(
                #[test]
                fn $name(value in $value, changes in prop::collection::vec(change(), 1..4)) {
                    let json = serde_json::to_vec(&value).unwrap();
                    let json = changed(json, &changes);
                    if let Some(scanned) = <$message>::scan_whole(&json) {
                        let read: $message = serde_json::from_slice(&json).unwrap();
                        prop_assert_eq!(scanned, read, "{}", String::from_utf8_lossy(&json));
                    }
                }
            )*
        }
    };
}

agrees! {
    range_response_agrees: RangeResponse, any_::range_response();
    put_response_agrees: PutResponse, any_::put_response();
    delete_range_response_agrees: DeleteRangeResponse, any_::delete_range_response();
    txn_response_agrees: TxnResponse, any_::txn_response();
    watch_response_agrees: WatchResponse, any_::watch_response();
    status_response_agrees: StatusResponse, any_::status_response();
    member_list_response_agrees: MemberListResponse,
        (any_::header(), any_::list(more::member()))
            .prop_map(|(header, members)| MemberListResponse { header, members });
    role_get_response_agrees: RoleGetResponse,
        (any_::header(), any_::list(more::permission()))
            .prop_map(|(header, perm)| RoleGetResponse { header, perm });
    alarm_response_agrees: AlarmResponse, more::alarm_response();
    lease_response_agrees: LeaseKeepAliveResponse, any_::lease_keep_alive_response();
}

proptest! {
    #[test]
    fn what_servers_send_is_read_the_short_way(value in any_::range_response()) {
        let json = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(RangeResponse::scan_whole(&json), Some(value));
    }

    #[test]
    fn events_are_read_the_short_way(events in prop::collection::vec(any_::event(), 0..4)) {
        let value = WatchResponse { events, created: true, ..WatchResponse::default() };
        let json = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(WatchResponse::scan_whole(&json), Some(value));
    }
}

#[test]
fn keys_and_values_share_one_allocation() {
    let json = br#"{"kvs":[{"key":"Zm9v","value":"YmFy"},{"key":"Zm9vMg==","value":"YmF6"}]}"#;
    let answer = RangeResponse::scan_whole(json).unwrap();
    let parts = answer.kvs.iter().flat_map(|kv| [&kv.key, &kv.value]);
    let places = parts
        .map(|bytes| bytes.as_ptr() as usize)
        .collect::<Vec<_>>();
    assert!(
        places.windows(2).all(|pair| pair[1] - pair[0] <= 4),
        "{places:?}"
    );
}

#[test]
fn integers_at_the_border_are_read_and_beyond_it_refused() {
    for (text, value) in [
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("99999999999999999999999", None),
        ("-0", Some(0)),
        ("-", None),
        ("", None),
        ("+1", None),
        (" 1", None),
    ] {
        let json = format!(r#"{{"count":"{text}"}}"#);
        let scanned = RangeResponse::scan_whole(json.as_bytes()).map(|answer| answer.count);
        assert_eq!(scanned, value, "{text}");
        let read = serde_json::from_str::<RangeResponse>(&json)
            .ok()
            .map(|answer| answer.count);
        assert_eq!(read, value, "{text}");
    }
}

#[test]
fn deep_nesting_is_given_up_on() {
    let deep = |levels: usize| {
        let open = r#"{"responses":[{"response_txn":"#.repeat(levels);
        format!("{open}{{}}{}", "}]}".repeat(levels))
    };
    assert!(TxnResponse::scan_whole(deep(10).as_bytes()).is_some());
    assert!(TxnResponse::scan_whole(deep(100_000).as_bytes()).is_none());
}

#[test]
fn an_integer_has_at_most_20_characters() {
    for (text, value) in [
        ("00000000000000000001", Some(1)),
        ("000000000000000000001", None),
        ("-0000000000000000001", Some(-1)),
        ("-00000000000000000001", None),
        ("-9223372036854775808", Some(i64::MIN)),
    ] {
        let json = format!("{{\"count\":\"{text}\"}}");
        let quick = RangeResponse::scan_whole(json.as_bytes()).map(|answer| answer.count);
        assert_eq!(quick, value, "{text}");
        let slow = serde_json::from_str::<RangeResponse>(&json).ok();
        assert_eq!(slow.map(|answer| answer.count), value, "{text}");
    }
}
