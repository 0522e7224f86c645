//! Properties of the JSON form and of key ranges.

use proptest::prelude::*;

use super::strategies as any_;
use crate::*;

macro_rules! survives_json {
    ($($name:ident: $value:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $name(value in $value) {
                    let json = serde_json::to_vec(&value).unwrap();
                    prop_assert_eq!(serde_json::from_slice(&json).ok(), Some(value));
                }
            )*
        }
    };
}

pub(super) use survives_json;

survives_json! {
    key_range_survives_json: any_::key_range();
    header_survives_json: any_::header();
    key_value_survives_json: any_::key_value();
    range_survives_json: any_::range();
    range_response_survives_json: any_::range_response();
    put_survives_json: any_::put();
    put_response_survives_json: any_::put_response();
    delete_range_survives_json: any_::delete_range();
    delete_range_response_survives_json: any_::delete_range_response();
    compact_survives_json: any_::compact();
    compact_response_survives_json: any_::header().prop_map(|header| CompactResponse { header });
    compare_survives_json: any_::compare();
    txn_op_survives_json: any_::txn_op();
    txn_survives_json: any_::txn();
    txn_response_survives_json: any_::txn_response();
    watch_survives_json: any_::watch();
    watch_request_survives_json: any_::watch_request();
    event_survives_json: any_::event();
    watch_response_survives_json: any_::watch_response();
    lease_grant_survives_json: any_::lease_grant();
    lease_grant_response_survives_json: any_::lease_grant_response();
    lease_revoke_survives_json: any_::lease_revoke();
    lease_revoke_response_survives_json:
        any_::header().prop_map(|header| LeaseRevokeResponse { header });
    lease_keep_alive_survives_json: any_::lease_keep_alive();
    lease_keep_alive_response_survives_json: any_::lease_keep_alive_response();
    lease_time_to_live_survives_json: any_::lease_time_to_live();
    lease_time_to_live_response_survives_json: any_::lease_time_to_live_response();
    lease_leases_survives_json: Just(LeaseLeases::new());
    lease_leases_response_survives_json: any_::lease_leases_response();
    status_request_survives_json: Just(StatusRequest::new());
    status_response_survives_json: any_::status_response();
    version_request_survives_json: Just(VersionRequest::new());
    version_response_survives_json: any_::version_response();
    health_response_survives_json: any_::health_response();
    snapshot_request_survives_json: Just(SnapshotRequest::new());
    snapshot_response_survives_json: any_::snapshot_response();
    observe_survives_json: any_::bytes().prop_map(Observe::new);
    observe_response_survives_json: any_::observe_response();
}

/// Few different bytes, so that prefixes match and tails of 0xff happen.
fn short_key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, b'a', 0xfe, 0xff]), 0..5)
}

proptest! {
    /// But for the empty key, which etcd does not have.
    #[test]
    fn prefix_contains_exactly_what_starts_with_it(
        prefix in short_key(),
        key in short_key().prop_filter("etcd has no empty key", |key| !key.is_empty()),
    ) {
        prop_assert_eq!(KeyRange::prefix(&prefix).contains(&key), key.starts_with(&prefix));
        let longer = [&prefix[..], &key].concat();
        prop_assert!(KeyRange::prefix(&prefix).contains(&longer));
    }

    #[test]
    fn from_key_contains_exactly_what_is_not_before_it(
        first in short_key(),
        key in short_key().prop_filter("etcd has no empty key", |key| !key.is_empty()),
    ) {
        prop_assert_eq!(KeyRange::from_key(&first).contains(&key), key >= first);
    }

    #[test]
    fn integers_are_read_as_numbers_and_as_strings(number: i64, unsigned: u64) {
        for json in [
            format!(r#"{{"revision":{number},"raft_term":{unsigned}}}"#),
            format!(r#"{{"revision":"{number}","raft_term":"{unsigned}"}}"#),
        ] {
            let header: ResponseHeader = serde_json::from_str(&json).unwrap();
            prop_assert_eq!((header.revision, header.raft_term), (number, unsigned));
        }
    }

    #[test]
    fn no_text_of_the_input_is_in_an_error(
        field in prop::sample::select(vec![
            "key", "value", "lease", "prev_kv", "ignore_value", "ignore_lease",
        ]),
        text in "[a-z]{9}=?",
    ) {
        let json = format!(r#"{{"request_put":{{"{field}":"{text}"}}}}"#);
        let error = serde_json::from_str::<TxnOp>(&json).unwrap_err().to_string();
        prop_assert!(!error.contains(&text), "{}", error);
        prop_assert!(error.contains(&format!("`{field}`")), "{}", error);
    }

    #[test]
    fn any_bytes_are_read_or_refused(json in ".{0,60}") {
        let _ = serde_json::from_str::<TxnResponse>(&json);
        let _ = serde_json::from_str::<WatchResponse>(&json);
    }
}
