//! HTTP/1.1 as a client speaks it (RFC 9112): writes requests, reads answers.
//!
//! It reads strictly: what two readers could understand differently is refused, and after a refusal
//! the connection is dead. It keeps of a head only what decides where the answer ends and whether
//! the connection lives on; no header is stored.
//!
//! The states of a [`Reader`]:
//!
//! ```text
//!             1xx: skipped, counted
//!               ┌──┐
//!               ▼  │
//!   expect() ─► Head ──Item::Head──► Body ──Item::Data…──┐
//!                ▲                    │                  │
//!                │                    ▼                  │
//!                └──Item::End, reusable ◄────────────────┤
//!                                                        │
//!               Closed ◄──Item::End, not reusable────────┘     any state ──refusal──► Failed
//! ```
//!
//! ```
//! use bytes::Bytes;
//! use etcd_core::codec::http1::{write_request, HttpLimits, Item, Reader, RequestMethod};
//!
//! let request = http::Request::post("/v3/kv/put").body(Bytes::from_static(b"{}"))?;
//! let mut out = Vec::new();
//! write_request(&request, "127.0.0.1:2379", &mut out)?;
//! assert_eq!(
//!     out,
//!     b"POST /v3/kv/put HTTP/1.1\r\nHost: 127.0.0.1:2379\r\nContent-Length: 2\r\n\r\n{}"
//! );
//!
//! let mut reader = Reader::new(HttpLimits::default());
//! reader.expect(RequestMethod::Other);
//! let mut input = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"[..];
//! let mut items = Vec::new();
//! loop {
//!     let (used, item) = reader.read(input)?;
//!     input = &input[used..];
//!     let Some(item) = item else { break };
//!     items.push(item);
//! }
//! assert!(matches!(items[0], Item::Head(head) if head.status == 200));
//! assert_eq!(items[1], Item::Data(b"{}"));
//! assert_eq!(items[2], Item::End { reusable: true });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod head;
mod limits;
mod reader;
mod request;

#[cfg(test)]
mod tests;

pub use head::{Framing, Head};
pub use limits::HttpLimits;
pub use reader::{Item, ReadError, Reader, RequestMethod};
pub use request::{
    AbsoluteForm, PostHead, RequestError, write_chunk, write_last_chunk, write_open_request,
    write_request,
};

/// Whether a byte may stand in a field name (RFC 9110 section 5.6.2, `tchar`).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a byte may never stand in a field value, a reason or a chunk extension.
const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}
