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
                    let text = changed(json, &changes);
                    if let Some(scanned) = <$message>::scan_whole(&text) {
                        let read: $message = json::read_slice(&text).unwrap();
                        prop_assert_eq!(scanned, read, "{}", String::from_utf8_lossy(&text));
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

/// An object of these members, with any white space, in any order and number.
fn object(members: Vec<(&'static str, Vec<&'static str>)>) -> impl Strategy<Value = String> {
    let member = prop::sample::select(members).prop_flat_map(|(name, values)| {
        let space = || prop::sample::select(vec!["", "", "", "", " ", "\n\t", "\r "]);
        let value = prop::sample::select(values);
        (space(), space(), value, space()).prop_map(move |(before, between, value, after)| {
            format!("{before}\"{name}\"{between}:{between}{value}{after}")
        })
    });
    prop::collection::vec(member, 0..7).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn key_value_text() -> impl Strategy<Value = String> {
    let bytes = vec![
        r#""Zm9v""#,
        r#""Zm9vMg==""#,
        r#""Zm9vMg""#,
        r#""""#,
        r#""Zm9\u0076""#,
        "null",
        r#""Zm9v\n""#,
        r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
        "7",
    ];
    let number = vec![
        r#""7""#,
        r#""-7""#,
        r#""12345678""#,
        r#""123456789""#,
        r#""9223372036854775807""#,
        r#""9223372036854775808""#,
        r#""00000000000000000000000000001""#,
        r#""1234567:""#,
        r#""1234567/""#,
        r#""1 ""#,
        r#""""#,
        "7",
        "-7",
        "7.0",
        "1e3",
        "null",
        "true",
        "{}",
    ];
    object(vec![
        ("key", bytes.clone()),
        ("create_revision", number.clone()),
        ("mod_revision", number.clone()),
        ("version", number.clone()),
        ("value", bytes),
        ("lease", number.clone()),
        ("key\\u0020", number.clone()),
        ("unknown", number),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn members_in_any_order_and_number_agree(json in key_value_text()) {
        if let Some(scanned) = KeyValue::scan_whole(json.as_bytes()) {
            let read = serde_json::from_str::<KeyValue>(&json);
            prop_assert_eq!(Some(scanned), read.ok(), "{}", json);
        }
    }

    #[test]
    fn integers_of_any_length_agree(text in "-?[0-9]{0,22}[-0-9:/ ]?", far in any::<bool>()) {
        // Near the end of the input integers are read in another way.
        let space = if far { "          " } else { "" };
        let json = format!(r#"{{"version":"{text}"}}{space}"#);
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let plain = plain && text.len() <= json::LONGEST_INTEGER;
        let value = text.parse::<i64>().ok().filter(|_| plain);
        let scanned = KeyValue::scan_whole(json.as_bytes()).map(|kv| kv.version);
        prop_assert_eq!(scanned, value, "{}", json);
        let read = serde_json::from_str::<KeyValue>(&json).map(|kv| kv.version);
        prop_assert_eq!(read.ok(), value, "{}", json);
    }

    #[test]
    fn any_order_is_read_the_short_way(order in Just([0, 1, 2, 3, 4]).prop_shuffle(), space in " ?") {
        let members = [
            r#""key":"Zm9v""#,
            r#""create_revision":"7""#,
            r#""mod_revision":"123456789""#,
            r#""version":"2""#,
            r#""value":"YmFy""#,
        ];
        let text = order.map(|index| members[index]).join(&format!(",{space}"));
        let json = format!("{{{text}}}");
        let read = serde_json::from_str::<KeyValue>(&json).unwrap();
        prop_assert_eq!(KeyValue::scan_whole(json.as_bytes()), Some(read), "{}", json);
        // Each of them twice is once too often.
        for member in members {
            let json = format!("{{{text},{member}}}");
            prop_assert_eq!(KeyValue::scan_whole(json.as_bytes()), None, "{}", json);
        }
    }
}

#[test]
fn a_short_first_item_reserves_no_more_than_the_input_takes() {
    let rest = r#",{"key":"Zm9v"}"#.repeat(1000);
    let json = format!(r#"{{"kvs":[{{}}{rest}]}}"#);
    let answer = RangeResponse::scan_whole(json.as_bytes()).unwrap();
    assert_eq!(answer.kvs.len(), 1001);

    let long = "A".repeat(100_000);
    let json = format!(r#"{{"kvs":[{{}},{{"value":"{long}"}}]}}"#);
    let answer = RangeResponse::scan_whole(json.as_bytes()).unwrap();
    assert!(answer.kvs.capacity() * size_of::<KeyValue>() <= json.len() + size_of::<KeyValue>());
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
