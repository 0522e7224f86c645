//! The gateway level: etcd's HTTP/JSON gateway without connections.
//!
//! A typed request gives an [`http::Request`]; a status and a body give the typed answer or a typed
//! error; the body of a stream, in whatever pieces it comes, gives its frames ([`Frames`]), and that of a
//! watch its revisions, each once it is whole ([`WatchFrames`]). Both dialects of the
//! servers are read (grpc-gateway v1 up to upstream's etcd 3.5, v2 from 3.6; gateway.md 5). Use it with
//! any HTTP stack; the [`Client`](crate::Client) uses it with its own.
//!
//! It knows no sockets, no endpoints and no retries.
//!
//! ```
//! use etcd_core::gateway::{self, Gateway};
//! use etcd_core::Range;
//!
//! let gateway = Gateway::new();
//! let request = gateway.request(&Range::prefix("/services/").with_limit(10));
//! assert_eq!(request.uri(), "/v3/kv/range");
//!
//! // Send it with any HTTP client. Then:
//! let body = br#"{"header":{"revision":"7"},"kvs":[{"key":"Zm9v","value":"YmFy"}],"count":"1"}"#;
//! let answer = gateway::decode_answer::<Range>(200, body)?;
//! assert_eq!(&answer.kvs[0].value[..], b"bar");
//! # Ok::<(), etcd_core::gateway::AnswerError>(())
//! ```

mod answer;
mod frames;
mod request;
mod revisions;
mod said;
mod snapshot;
mod timeout;
mod watch_frames;

#[cfg(test)]
mod tests;

pub use answer::{AnswerError, decode_answer};
pub use frames::{FrameError, Frames};
pub use request::{ApiPrefix, Gateway};
pub use snapshot::{SnapshotError, SnapshotPart, SnapshotReader};
pub use timeout::Timeout;
pub use watch_frames::{WatchFrames, WatchItem, WatchLimits};

pub(crate) use answer::{decode, most_of_body};
pub(crate) use request::{Encoded, to_json};
