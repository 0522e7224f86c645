//! The server's side of the bytes: what etcd's HTTP/JSON gateway makes of a connection.
//!
//! [`ServerConn`] is one accepted connection: request heads and bodies come in, typed requests go out
//! to whoever serves them; typed replies come in, and the bytes a real server would send go out, in the
//! [`Dialect`] of its version (gateway.md). It knows no store, no users and no time; dates are always
//! the same, so that a world is the same each time.
//!
//! Left out are WebSockets, TLS, `/debug/vars`, and the loss of creates that come in one body without
//! `Connection: close` (gateway.md 8.3). Texts of errors about bad JSON differ in their details.

mod answer;
mod body;
mod conn;
mod dialect;
mod front;
mod head;
mod json;
mod pages;
mod route;
mod streaming;

pub use conn::{ServerConn, ServerEvent, Slot};
pub use dialect::Dialect;
pub use front::Front;
