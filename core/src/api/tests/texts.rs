//! Exact texts, out and in.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::*;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

#[track_caller]
fn error<T: DeserializeOwned + core::fmt::Debug>(json: &str) -> String {
    let error = serde_json::from_str::<T>(json).expect_err(json).to_string();
    let at = error.find(" at line").unwrap_or(error.len());
    error[..at].to_owned()
}

#[test]
fn requests_are_written_as_etcd_reads_them() {
    let all = r#""key":"AA==","range_end":"AA==""#;
    let table = [
        (
            json(&Put::new("foo", "bar")),
            r#"{"key":"Zm9v","value":"YmFy"}"#.to_owned(),
        ),
        (json(&Put::new("foo", "")), r#"{"key":"Zm9v"}"#.to_owned()),
        (
            json(
                &Put::new("foo", "")
                    .with_ignore_value()
                    .with_ignore_lease()
                    .with_prev_kv(),
            ),
            r#"{"key":"Zm9v","prev_kv":true,"ignore_value":true,"ignore_lease":true}"#.to_owned(),
        ),
        (json(&Range::all()), format!("{{{all}}}")),
        (json(&Range::prefix("")), format!("{{{all}}}")),
        (json(&Range::from_key("")), format!("{{{all}}}")),
        (
            json(&Range::prefix([b'a', 0xff])),
            r#"{"key":"Yf8=","range_end":"Yg=="}"#.to_owned(),
        ),
        (
            json(&Range::prefix([0xff, 0xff])),
            r#"{"key":"//8=","range_end":"AA=="}"#.to_owned(),
        ),
        (
            json(&Range::all().with_sort(SortTarget::Key, SortOrder::Ascend)),
            format!("{{{all}}}"),
        ),
        (
            json(&Range::all().with_sort(SortTarget::Key, SortOrder::Descend)),
            format!(r#"{{{all},"sort_order":"DESCEND"}}"#),
        ),
        (
            json(&Range::all().with_sort(SortTarget::Value, SortOrder::Ascend)),
            format!(r#"{{{all},"sort_order":"ASCEND","sort_target":"VALUE"}}"#),
        ),
        (
            json(
                &Range::key("k")
                    .with_limit(1)
                    .with_revision(2)
                    .with_serializable()
                    .with_keys_only()
                    .with_count_only()
                    .with_min_mod_revision(3)
                    .with_max_mod_revision(4)
                    .with_min_create_revision(5)
                    .with_max_create_revision(6),
            ),
            concat!(
                r#"{"key":"aw==","limit":"1","revision":"2","serializable":true,"keys_only":true,"#,
                r#""count_only":true,"min_mod_revision":"3","max_mod_revision":"4","#,
                r#""min_create_revision":"5","max_create_revision":"6"}"#,
            )
            .to_owned(),
        ),
        (
            json(&DeleteRange::range("a", "c").with_prev_kv()),
            r#"{"key":"YQ==","range_end":"Yw==","prev_kv":true}"#.to_owned(),
        ),
        (
            json(&Compact::new(i64::MAX).with_physical()),
            r#"{"revision":"9223372036854775807","physical":true}"#.to_owned(),
        ),
        (
            json(&LeaseGrant::new(60).with_id(-1)),
            r#"{"TTL":"60","ID":"-1"}"#.to_owned(),
        ),
        (json(&LeaseTimeToLive::new(7)), r#"{"ID":"7"}"#.to_owned()),
        (
            json(&HealthRequest::new().with_exclude_nospace()),
            r#"{"exclude_nospace":true}"#.to_owned(),
        ),
        (
            json(&WatchRequest::Progress),
            r#"{"progress_request":{}}"#.to_owned(),
        ),
        (
            json(&WatchRequest::Cancel { watch_id: 0 }),
            r#"{"cancel_request":{}}"#.to_owned(),
        ),
        (
            json(&WatchRequest::from(
                Watch::all()
                    .with_progress_notify(false)
                    .with_filter(WatchFilter::NoPut)
                    .with_filter(WatchFilter::NoDelete)
                    .with_prev_kv()
                    .with_fragment(true),
            )),
            format!(
                r#"{{"create_request":{{{all},"filters":["NOPUT","NODELETE"],"prev_kv":true,"fragment":true}}}}"#
            ),
        ),
        (json(&Txn::new()), "{}".to_owned()),
        (
            json(&Txn::new().and_then([Txn::new().or_else([DeleteRange::key("k")])])),
            concat!(
                r#"{"success":[{"request_txn":{"failure":["#,
                r#"{"request_delete_range":{"key":"aw=="}}]}}]}"#,
            )
            .to_owned(),
        ),
    ];
    for (written, expected) in table {
        assert_eq!(written, expected);
    }
}

#[test]
fn compare_writes_its_operand_even_when_it_is_zero() {
    let table = [
        (
            Compare::version("k").eq(0),
            r#"{"key":"aw==","version":"0"}"#,
        ),
        (
            Compare::create_revision("k").gt(0),
            r#"{"result":"GREATER","target":"CREATE","key":"aw==","create_revision":"0"}"#,
        ),
        (
            Compare::mod_revision("k").lt(0),
            r#"{"result":"LESS","target":"MOD","key":"aw==","mod_revision":"0"}"#,
        ),
        (
            Compare::value("k").ne(""),
            r#"{"result":"NOT_EQUAL","target":"VALUE","key":"aw==","value":""}"#,
        ),
        (
            Compare::lease(KeyRange::prefix("k")).eq(0),
            r#"{"target":"LEASE","key":"aw==","range_end":"bA==","lease":"0"}"#,
        ),
    ];
    for (compare, expected) in table {
        assert_eq!(json(&compare), expected);
    }
}

#[test]
fn answers_of_a_server_are_read() {
    let json = concat!(
        r#"{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437", "#,
        r#""revision":"5", "raft_term":"2"}, "succeeded":true, "responses":[{"response_range":{"#,
        r#""header":{"revision":"5"}, "kvs":[{"key":"Zm9v", "create_revision":"2", "#,
        r#""mod_revision":"5", "version":"4", "value":"YmFy"}], "count":"1"}}, "#,
        r#"{"response_txn":{"header":{}, "responses":[{"response_put":{"header":{}}}]}}]}"#,
    );
    let answer: TxnResponse = serde_json::from_str(json).unwrap();
    assert_eq!(answer.header.cluster_id, 14_841_639_068_965_178_418);
    let [TxnOpResponse::Range(range), TxnOpResponse::Txn(inner)] = &answer.responses[..] else {
        panic!("{answer:?}")
    };
    let kv = range.first().unwrap();
    assert_eq!(
        (kv.key_str(), kv.value_str(), kv.version),
        (Ok("foo"), Ok("bar"), 4)
    );
    assert!(!inner.succeeded());
    assert_eq!(inner.responses.len(), 1);
}

#[test]
fn null_unknown_and_missing_fields_are_nothing() {
    for json in [
        "{}",
        r#"{"header":null,"kvs":null,"more":null,"count":null}"#,
        r#"{"KVS":7,"downgradeInfo":{"a":[null]},"new":"x"}"#,
    ] {
        let answer: RangeResponse = serde_json::from_str(json).unwrap();
        assert_eq!(answer, RangeResponse::default());
    }
    let answer: PutResponse = serde_json::from_str(r#"{"prev_kv":{}}"#).unwrap();
    assert_eq!(answer.prev_kv, Some(KeyValue::default()));
}

#[test]
fn enums_are_read_as_names_and_as_numbers() {
    for json in [r#"{"type":"DELETE"}"#, r#"{"type":1}"#] {
        let event: KvEvent = serde_json::from_str(json).unwrap();
        assert_eq!(event.kind, EventKind::Delete);
    }
    for json in ["{}", r#"{"type":"PUT"}"#, r#"{"type":0}"#] {
        let event: KvEvent = serde_json::from_str(json).unwrap();
        assert_eq!(event.kind, EventKind::Put);
    }
}

#[test]
fn names_with_escapes_are_still_the_same_names() {
    let put: Put = serde_json::from_str(r#"{"\u006bey":"Zm\u0039v"}"#).unwrap();
    assert_eq!(put, Put::new("foo", ""));
}

#[test]
fn what_etcd_would_not_say_is_refused_by_the_name_of_the_field() {
    let integer =
        |found: &str| format!("invalid {found}, expected an integer of 64 bits in `count`");
    for (json, expected) in [
        (r#"{"count":""}"#, integer("value: text")),
        (r#"{"count":"+1"}"#, integer("value: text")),
        (r#"{"count":"1.0"}"#, integer("value: text")),
        (r#"{"count":" 1"}"#, integer("value: text")),
        (
            r#"{"count":1.5}"#,
            integer("type: number that is no integer"),
        ),
        (r#"{"count":true}"#, integer("type: true or false")),
        (
            r#"{"kvs":[{"key":7}]}"#,
            "invalid type: integer, expected padded base64 in `key`".to_owned(),
        ),
        (
            r#"{"kvs":[{"value":-7}]}"#,
            "invalid type: integer, expected padded base64 in `value`".to_owned(),
        ),
        (
            r#"{"more":7.5}"#,
            "invalid type: number that is no integer, expected true or false in `more`".to_owned(),
        ),
        (
            r#"{"kvs":7}"#,
            "invalid type: integer, expected a list in `kvs`".to_owned(),
        ),
        (
            r#"{"kvs":[true]}"#,
            "invalid type: true or false, expected an object in `kvs`".to_owned(),
        ),
        (r#"{"count":[]}"#, integer("type: sequence")),
        (
            r#"{"count":"9223372036854775808"}"#,
            "integer out of range in `count`".to_owned(),
        ),
        (
            r#"{"count":9223372036854775808}"#,
            "integer out of range in `count`".to_owned(),
        ),
        (
            r#"{"header":{"raft_term":-1}}"#,
            "integer out of range in `raft_term`".to_owned(),
        ),
        (
            r#"{"count":"000000000000000000001"}"#,
            "integer out of range in `count`".to_owned(),
        ),
        (
            r#"{"header":{"raft_term":"-1"}}"#,
            "integer out of range in `raft_term`".to_owned(),
        ),
        (
            r#"{"more":"true"}"#,
            "invalid type: text, expected true or false in `more`".to_owned(),
        ),
        (
            r#"{"kvs":"Zm9v"}"#,
            "invalid type: text, expected a list in `kvs`".to_owned(),
        ),
        (
            r#"{"kvs":["Zm9v"]}"#,
            "invalid type: text, expected an object in `kvs`".to_owned(),
        ),
        (
            r#"{"kvs":[null]}"#,
            "invalid type: null, expected an object in `kvs`".to_owned(),
        ),
        (
            r#"{"kvs":[{"key":"Zm9"}]}"#,
            "invalid value: text, expected padded base64 in `key`".to_owned(),
        ),
        (
            r#"{"kvs":[{"key":"-_8="}]}"#,
            "invalid value: text, expected padded base64 in `key`".to_owned(),
        ),
        (
            r#"{"count":"1","count":"1"}"#,
            "duplicate field `count`".to_owned(),
        ),
        (
            r#"{"more":null,"more":null}"#,
            "duplicate field `more`".to_owned(),
        ),
        (
            r#""Zm9v""#,
            "invalid type: text, expected an object in `RangeResponse`".to_owned(),
        ),
    ] {
        assert_eq!(error::<RangeResponse>(json), expected, "{json}");
    }
    for number in ["7", "-7", "7.5"] {
        let error = error::<KvEvent>(&format!(r#"{{"type":{number}}}"#));
        assert!(!error.contains('7'), "{error}");
    }
    assert_eq!(
        error::<KvEvent>(r#"{"type":"MOVE"}"#),
        "invalid value: name, expected a known name or number in `type`"
    );
    assert_eq!(
        error::<Range>(r#"{"sort_target":99}"#),
        "invalid value: number, expected a known name or number in `sort_target`"
    );
}

#[test]
fn a_oneof_has_exactly_one_known_member() {
    for json in ["{}", r#"{"response_lease":{}}"#, r#"{"response_put":null}"#] {
        let json = format!(r#"{{"responses":[{json}]}}"#);
        assert_eq!(
            error::<TxnResponse>(&json),
            "no known member in `responses`"
        );
    }
    assert_eq!(
        error::<TxnOp>(r#"{"request_put":{},"request_range":{}}"#),
        "more than one member in `TxnOp`"
    );
    assert_eq!(
        error::<WatchRequest>("{}"),
        "no known member in `WatchRequest`"
    );
    assert_eq!(
        error::<WatchRequest>(r#"{"cancel_request":{},"progress_request":{}}"#),
        "more than one member in `WatchRequest`"
    );
    let padded = r#"{"new":1,"response_put":{},"response_range":null}"#;
    assert_eq!(
        serde_json::from_str::<TxnOpResponse>(padded).unwrap(),
        TxnOpResponse::Put(PutResponse::default())
    );
}

#[test]
fn compare_reads_a_missing_operand_as_zero_and_refuses_a_foreign_one() {
    let compare: Compare = serde_json::from_str(r#"{"key":"aw==","target":"MOD"}"#).unwrap();
    assert_eq!(compare, Compare::mod_revision("k").eq(0));
    assert_eq!(
        error::<Compare>(r#"{"target":"MOD","version":"1"}"#),
        "more than the operand of its target in `Compare`"
    );
    assert_eq!(
        error::<Compare>(r#"{"version":"1","value":""}"#),
        "more than the operand of its target in `Compare`"
    );
}

#[test]
fn health_is_a_text() {
    let healthy: HealthResponse = serde_json::from_str(r#"{"health":"true"}"#).unwrap();
    assert!(healthy.health);
    assert_eq!(json(&healthy), r#"{"health":"true"}"#);
    assert_eq!(json(&HealthResponse::default()), r#"{"health":"false"}"#);
    assert_eq!(
        error::<HealthResponse>(r#"{"health":"yes"}"#),
        r#"neither "true" nor "false" in `health`"#
    );
}
