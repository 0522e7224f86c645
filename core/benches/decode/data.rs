//! The data: made from a seed, written as servers write it, byte for byte.
//!
//! Members come in the order of the captures in `testdata`, without blanks (3.4.23 and 3.5.1).

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;

use crate::peers;

const HEADER: &str = r#""header":{"cluster_id":"12809549668415411967","member_id":"9017774542045586518","revision":"1048576","raft_term":"2"}"#;

/// A key and a value.
pub(crate) struct Kv {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) revision: i64,
}

/// So many keys with values of this many random bytes.
pub(crate) fn kvs(count: usize, len: usize) -> Vec<Kv> {
    // xorshift64: the values only have to be no pattern.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let kv = |index: usize| Kv {
        key: format!("services/{index:08}").into_bytes(),
        value: (0..len).map(|_| byte()).collect(),
        revision: 1_000_000 + index as i64,
    };
    (0..count).map(kv).collect()
}

fn kv_json(kv: &Kv, out: &mut String) {
    let (key, value) = (STANDARD.encode(&kv.key), STANDARD.encode(&kv.value));
    let revision = kv.revision;
    let _ = write!(
        out,
        r#"{{"key":"{key}","create_revision":"{revision}","mod_revision":"{revision}","version":"1","value":"{value}"}}"#
    );
}

pub(crate) fn range_json(kvs: &[Kv]) -> Vec<u8> {
    let mut json = format!("{{{HEADER},\"kvs\":[");
    for (index, kv) in kvs.iter().enumerate() {
        json.push_str(if index == 0 { "" } else { "," });
        kv_json(kv, &mut json);
    }
    let _ = write!(json, r#"],"count":"{}"}}"#, kvs.len());
    json.into_bytes()
}

pub(crate) fn put_json() -> Vec<u8> {
    format!("{{{HEADER}}}").into_bytes()
}

/// One frame for each key.
pub(crate) fn watch_json(kvs: &[Kv]) -> Vec<Vec<u8>> {
    let frame = |kv: &Kv| {
        let mut json = format!(r#"{{"result":{{{HEADER},"watch_id":"1","events":[{{"kv":"#);
        kv_json(kv, &mut json);
        json.push_str("}]}}\n");
        json.into_bytes()
    };
    kvs.iter().map(frame).collect()
}

fn head(framing: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\n\
         Access-Control-Allow-Headers: accept, content-type, authorization\r\n\
         Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n\
         Access-Control-Allow-Origin: *\r\n\
         Content-Type: application/json\r\n\
         Grpc-Metadata-Content-Type: application/grpc\r\n\
         Date: Sat, 21 Nov 2026 08:41:07 GMT\r\n\
         {framing}\r\n\r\n"
    )
    .into_bytes()
}

/// The answer to a call with this body.
pub(crate) fn answer(body: &[u8]) -> Vec<u8> {
    let mut answer = head(&format!("Content-Length: {}", body.len()));
    answer.extend_from_slice(body);
    answer
}

/// The answer of a watch stream up to the confirmation.
pub(crate) fn watch_head() -> Vec<u8> {
    let created = format!("{{\"result\":{{{HEADER},\"watch_id\":\"1\",\"created\":true}}}}\n");
    let mut answer = head("Connection: close\r\nTransfer-Encoding: chunked");
    answer.extend_from_slice(&chunked(&[created.into_bytes()]));
    answer
}

/// Each frame in a chunk of its own.
pub(crate) fn chunked(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for frame in frames {
        body.extend_from_slice(format!("{:x}\r\n", frame.len()).as_bytes());
        body.extend_from_slice(frame);
        body.extend_from_slice(b"\r\n");
    }
    body
}

fn header_proto() -> Option<peers::Header> {
    Some(peers::Header {
        cluster_id: 12_809_549_668_415_411_967,
        member_id: 9_017_774_542_045_586_518,
        revision: 1_048_576,
        raft_term: 2,
    })
}

fn kv_proto(kv: &Kv) -> peers::KeyValue {
    peers::KeyValue {
        key: kv.key.clone(),
        create_revision: kv.revision,
        mod_revision: kv.revision,
        version: 1,
        value: kv.value.clone(),
        lease: 0,
    }
}

pub(crate) fn range_proto(kvs: &[Kv]) -> Vec<u8> {
    let answer = peers::RangeResponse {
        header: header_proto(),
        kvs: kvs.iter().map(kv_proto).collect(),
        more: false,
        count: kvs.len() as i64,
    };
    answer.encode_to_vec()
}

/// Messages with their lengths before them.
pub(crate) fn watch_proto(kvs: &[Kv]) -> Vec<u8> {
    let message = |kv: &Kv| peers::WatchResponse {
        header: header_proto(),
        watch_id: 1,
        events: vec![peers::Event {
            kind: 0,
            kv: Some(kv_proto(kv)),
            prev_kv: None,
        }],
        ..peers::WatchResponse::default()
    };
    let messages = kvs
        .iter()
        .map(|kv| message(kv).encode_length_delimited_to_vec());
    messages.collect::<Vec<_>>().concat()
}
