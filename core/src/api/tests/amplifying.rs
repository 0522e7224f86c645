//! What a peer sends as lists weighs no more than its text allows, whichever way it is read.

use crate::api::json;
use crate::api::json::sealed::Scanned;
use crate::error::JsonError;
use crate::*;

/// Whether the short way read it, and what serde made of it.
type Both = (bool, Result<(), JsonError>);

/// A message that is a list of one element again and again.
struct Shape {
    begin: &'static str,
    element: &'static str,
    /// What an element takes in lists.
    size: usize,
    /// Reads it the short way, and through serde.
    read: fn(&[u8]) -> Both,
}

fn both<T: Message + PartialEq + core::fmt::Debug>(text: &[u8]) -> Both {
    let scanned = T::scan_whole(text);
    let read = json::read_slice::<T>(text);
    if let (Some(scanned), Ok(read)) = (&scanned, &read) {
        assert_eq!(scanned, read);
    }
    (scanned.is_some(), read.map(drop))
}

impl Shape {
    const fn new<T: Message + PartialEq + core::fmt::Debug>(
        begin: &'static str,
        element: &'static str,
        size: usize,
    ) -> Self {
        let read = both::<T>;
        Self {
            begin,
            element,
            size,
            read,
        }
    }

    fn text(&self, count: usize) -> String {
        let list = vec![self.element; count].join(",");
        format!("{}{list}]}}", self.begin)
    }

    /// What so many elements may take.
    fn most(&self, count: usize) -> usize {
        8 * self.text(count).len() + 64 * 1024
    }
}

const KV: usize = size_of::<KeyValue>();
const TEXT: usize = size_of::<String>();

fn hostile() -> Vec<Shape> {
    let op = size_of::<TxnOpResponse>();
    vec![
        Shape::new::<RangeResponse>(r#"{"kvs":["#, "{}", KV),
        Shape::new::<DeleteRangeResponse>(r#"{"prev_kvs":["#, "{}", KV),
        Shape::new::<WatchResponse>(r#"{"events":["#, "{}", size_of::<KvEvent>()),
        Shape::new::<TxnResponse>(
            r#"{"responses":["#,
            r#"{"response_range":{"kvs":[{},{},{},{}]}}"#,
            op + 4 * KV,
        ),
        Shape::new::<LeaseTimeToLiveResponse>(r#"{"keys":["#, r#""""#, size_of::<bytes::Bytes>()),
        Shape::new::<MemberListResponse>(r#"{"members":["#, "{}", size_of::<Member>()),
        Shape::new::<RoleGetResponse>(r#"{"perm":["#, "{}", size_of::<Permission>()),
        Shape::new::<AlarmResponse>(r#"{"alarms":["#, "{}", size_of::<AlarmMember>()),
    ]
}

#[test]
fn lists_are_read_up_to_their_limit_and_not_one_element_past_it() {
    for shape in hostile() {
        // What one more element takes beyond what its text allows.
        let each = shape.size - 8 * (shape.element.len() + 1);
        let room = shape.most(1) - shape.size;
        let count = 1 + room / each;

        let at_limit = (shape.read)(shape.text(count).as_bytes());
        assert_eq!(at_limit, (true, Ok(())), "{}", shape.text(1));

        let text = shape.text(count + 1);
        let limit = 8 * text.len() + 64 * 1024;
        let past = (shape.read)(text.as_bytes());
        let error = JsonError::TooManyElements(limit);
        assert_eq!(past, (false, Err(error)), "{}", shape.text(1));
    }
}

#[test]
fn the_leanest_lists_that_servers_send_are_read_however_long() {
    let event = r#"{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"5"}}"#;
    let put = r#"{"response_put":{"header":{"revision":"5"}}}"#;
    let range = r#"{"response_range":{"header":{"revision":"5"}}}"#;
    let delete = r#"{"response_delete_range":{"header":{"revision":"5"}}}"#;
    let txn = r#"{"response_txn":{"header":{"revision":"5"}}}"#;
    let kv = r#"{"key":"YQ==","create_revision":"5","mod_revision":"5","version":"1"}"#;
    let op = size_of::<TxnOpResponse>();
    for shape in [
        Shape::new::<RangeResponse>(r#"{"kvs":["#, kv, KV),
        Shape::new::<WatchResponse>(r#"{"events":["#, event, size_of::<KvEvent>()),
        Shape::new::<TxnResponse>(r#"{"responses":["#, put, op),
        Shape::new::<TxnResponse>(r#"{"responses":["#, range, op),
        Shape::new::<TxnResponse>(r#"{"responses":["#, delete, op),
        Shape::new::<TxnResponse>(r#"{"responses":["#, txn, op),
        Shape::new::<LeaseLeasesResponse>(r#"{"leases":["#, r#"{"ID":"7"}"#, 8),
        Shape::new::<LeaseTimeToLiveResponse>(r#"{"keys":["#, r#""YQ==""#, 32),
        Shape::new::<UserListResponse>(r#"{"users":["#, r#""a""#, TEXT),
        Shape::new::<RoleGetResponse>(r#"{"perm":["#, r#"{"key":"YQ=="}"#, size_of::<Permission>()),
        Shape::new::<MemberListResponse>(
            r#"{"members":["#,
            r#"{"ID":"7","peerURLs":["http://a"]}"#,
            size_of::<Member>() + TEXT,
        ),
    ] {
        let each = shape.size as f64 / (shape.element.len() + 1) as f64;
        assert!(each <= 8.0, "{}: {each}", shape.element);
        let read = (shape.read)(shape.text(20_000).as_bytes());
        assert_eq!(read, (true, Ok(())), "{}", shape.element);
    }
}

#[test]
fn lists_inside_lists_reserve_no_more_than_one_input() {
    // The first element of each is short, so each would reserve for all that is left.
    let inner = r#"{"response_range":{"kvs":[{}],"count":"1"}}"#;
    let filler = r#"{"key":"YQ==","create_revision":"5","mod_revision":"5","version":"1"}"#;
    let text = format!(
        r#"{{"responses":[{inner},{inner},{{"response_range":{{"kvs":[{}]}}}}]}}"#,
        vec![filler; 1000].join(",")
    );
    let answer = TxnResponse::scan_whole(text.as_bytes()).unwrap();
    for op in &answer.responses[..2] {
        let TxnOpResponse::Range(range) = op else {
            panic!("{op:?}")
        };
        assert!(range.kvs.capacity() <= 2, "{}", range.kvs.capacity());
    }
}

#[test]
fn a_page_of_checks_is_bounded_as_well() {
    let page = |count: usize| "[+]\n".repeat(count);
    let each = size_of::<HealthCheck>();
    let fits = (64 * 1024) / (each - 8 * 4);
    assert!(matches!(
        LivezResponse::from_text(true, &page(fits)),
        Ok(Some(answer)) if answer.checks.len() == fits
    ));
    let error = LivezResponse::from_text(true, &page(fits + 1)).unwrap_err();
    assert!(matches!(error, JsonError::TooManyElements(_)), "{error}");
}
