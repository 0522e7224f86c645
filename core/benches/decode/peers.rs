//! The same work done by others, and the shapes prost needs for it (the fields are those of etcd's
//! own definitions, by their numbers).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use etcd_core::WatchResponse as Watched;
use etcd_core::gateway::Frames;
use prost::Message as _;
use serde_json::Value;

/// How many bytes of a stream are read at once.
pub(crate) const PIECE: usize = 64 * 1024;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Header {
    #[prost(uint64, tag = "1")]
    pub(crate) cluster_id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) member_id: u64,
    #[prost(int64, tag = "3")]
    pub(crate) revision: i64,
    #[prost(uint64, tag = "4")]
    pub(crate) raft_term: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(crate) create_revision: i64,
    #[prost(int64, tag = "3")]
    pub(crate) mod_revision: i64,
    #[prost(int64, tag = "4")]
    pub(crate) version: i64,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) value: Vec<u8>,
    #[prost(int64, tag = "6")]
    pub(crate) lease: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RangeResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) kvs: Vec<KeyValue>,
    #[prost(bool, tag = "3")]
    pub(crate) more: bool,
    #[prost(int64, tag = "4")]
    pub(crate) count: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Event {
    #[prost(int32, tag = "1")]
    pub(crate) kind: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) kv: Option<KeyValue>,
    #[prost(message, optional, tag = "3")]
    pub(crate) prev_kv: Option<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    #[prost(int64, tag = "2")]
    pub(crate) watch_id: i64,
    #[prost(bool, tag = "3")]
    pub(crate) created: bool,
    #[prost(bool, tag = "4")]
    pub(crate) canceled: bool,
    #[prost(int64, tag = "5")]
    pub(crate) compact_revision: i64,
    #[prost(string, tag = "6")]
    pub(crate) cancel_reason: String,
    #[prost(bool, tag = "7")]
    pub(crate) fragment: bool,
    #[prost(message, repeated, tag = "11")]
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(int64, tag = "3")]
    lease: i64,
}

/// What a client keeps of a key, each of its bytes in an allocation of its own.
type Kept = (Vec<u8>, Vec<u8>, i64, i64, i64);

fn kept(kv: &Value) -> Kept {
    let bytes = |name: &str| {
        let text = kv[name].as_str().unwrap_or_default();
        STANDARD.decode(text).expect("base64")
    };
    let number = |name: &str| {
        let text = kv[name].as_str().unwrap_or("0");
        text.parse().expect("a number")
    };
    (
        bytes("key"),
        bytes("value"),
        number("create_revision"),
        number("mod_revision"),
        number("version"),
    )
}

pub(crate) fn range_value(json: &[u8]) -> usize {
    let value = serde_json::from_slice::<Value>(json).expect("JSON");
    let kvs = value["kvs"].as_array().expect("a list");
    kvs.iter().map(kept).collect::<Vec<_>>().len()
}

pub(crate) fn range_proto(proto: &[u8]) -> usize {
    RangeResponse::decode(proto).expect("protobuf").kvs.len()
}

pub(crate) fn watch_value(stream: &[u8]) -> usize {
    let mut count = 0;
    for frame in serde_json::Deserializer::from_slice(stream).into_iter::<Value>() {
        let frame = frame.expect("JSON");
        let events = frame["result"]["events"].as_array().expect("a list");
        let events = events.iter().map(|event| kept(&event["kv"]));
        count += events.collect::<Vec<_>>().len();
    }
    count
}

pub(crate) fn watch_proto(mut proto: &[u8]) -> usize {
    let mut count = 0;
    while !proto.is_empty() {
        let frame = WatchResponse::decode_length_delimited(&mut proto).expect("protobuf");
        count += frame.events.len();
    }
    count
}

/// This crate's own reader of streams, without connections, in pieces as a socket gives them.
pub(crate) fn frames(stream: &[u8]) -> usize {
    let mut frames = Frames::<Watched>::new(200, Default::default());
    let mut count = 0;
    for piece in stream.chunks(PIECE) {
        frames.handle_data(piece);
        while let Some(frame) = frames.poll_frame() {
            count += frame.expect("a frame").events.len();
        }
    }
    count
}

pub(crate) fn put_value(key: &[u8], value: &[u8]) -> Vec<u8> {
    let put = serde_json::json!({"key": STANDARD.encode(key), "value": STANDARD.encode(value)});
    serde_json::to_vec(&put).expect("JSON")
}

pub(crate) fn put_proto(key: &[u8], value: &[u8]) -> Vec<u8> {
    let put = PutRequest {
        key: key.to_vec(),
        value: value.to_vec(),
        lease: 0,
    };
    put.encode_to_vec()
}
