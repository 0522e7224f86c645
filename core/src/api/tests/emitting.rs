//! The short way out: what it writes is what serde_json writes.

use proptest::prelude::*;

use super::strategies as any_;
use crate::api::json::to_vec;
use crate::*;

macro_rules! writes_the_same {
    ($($name:ident: $value:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(128))]
            $(
                #[test]
                fn $name(value in $value) {
                    let expected = serde_json::to_string(&value).unwrap();
                    prop_assert_eq!(String::from_utf8(to_vec(&value)).unwrap(), expected);
                }
            )*
        }
    };
}

writes_the_same! {
    range_is_written_the_same: any_::range();
    range_response_is_written_the_same: any_::range_response();
    put_is_written_the_same: any_::put();
    delete_range_is_written_the_same: any_::delete_range();
    compact_is_written_the_same: any_::compact();
    compare_is_written_the_same: any_::compare();
    txn_op_is_written_the_same: any_::txn_op();
    txn_is_written_the_same: any_::txn();
    txn_response_is_written_the_same: any_::txn_response();
    watch_is_written_the_same: any_::watch();
    watch_response_is_written_the_same: any_::watch_response();
    lease_grant_is_written_the_same: any_::lease_grant();
    lease_keep_alive_is_written_the_same: any_::lease_keep_alive();
    lease_time_to_live_is_written_the_same: any_::lease_time_to_live();
    status_response_is_written_the_same: any_::status_response();
}

#[test]
fn integers_are_written_to_their_ends() {
    for integer in [0, 1, -1, 9, 10, -10, i64::MAX, i64::MIN] {
        let text = String::from_utf8(to_vec(&integer)).unwrap();
        assert_eq!(text, format!("\"{integer}\""));
    }
    let text = String::from_utf8(to_vec(&u64::MAX)).unwrap();
    assert_eq!(text, format!("\"{}\"", u64::MAX));
}

#[test]
fn a_large_value_is_moved_only_once() {
    let put = Put::new("k", vec![7; 1 << 20]).with_prev_kv();
    let json = to_vec(&put);
    assert!(json.capacity() - json.len() < 256, "grew after the value");
}
