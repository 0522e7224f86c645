//! Recordings: everything a client was told and said, as text, to be replayed elsewhere.
//!
//! [`Recorded`] is a [`Client`](crate::Client) that keeps a log at the border between the core and
//! its driver, above TLS; [`replay`] feeds such a log into a fresh client and names the first
//! difference. Since the core is pure, the same inputs give the same outputs, on any machine
//! (guarantees G57 and G58): a bug that was recorded is a test.
//!
//! A recording is lines of ASCII. The first names the form, the second is the configuration, the seed
//! and the time of the start. Then `>` tells the client something, at a time in nanoseconds, and `<`
//! is what came out of it:
//!
//! ```text
//! etcd-core recording 1
//! start {"now":0,"seed":7,…}
//! > 1200 call Put {} {"key":"aw==","value":"dg=="}
//! < call 1
//! < connect 1 http://127.0.0.1:2379
//! < none until 2000001200
//! > 90500 connected 1
//! < transmit 1
//! > 93000 written 1 152
//! < sent 1 POST /v3/kv/put HTTP/1.1\r\n…
//! > 611000 received 1 HTTP/1.1 200 OK\r\n…
//! < answered 1 Put {"header":{…}}
//! < watch 1 events 8 {"header":{…},"events":[…]}
//! end 4 7
//! ```
//!
//! # Secrets
//!
//! Passwords, tokens, values of headers other than those that frame a message, blobs of snapshots, and
//! values of keys under [`Recording::with_secret_prefix`] never get into a recording (guarantee G40,
//! rule A-12): others of the same length stand for them before a line is written. The replay goes
//! through with these. Two things therefore are not recorded: whether a snapshot's checksum was right,
//! and how long a signed token says that it lives, which is in its text (etcd's own do not say it).
//! Names of users, keys, and what a server says in an error are no secrets here.

mod calls;
mod difference;
mod outputs;
mod recorded;
mod recorder;
mod replay;
mod secrets;
mod settings;
mod text;

pub use difference::{Difference, ReplayError, Replayed};
pub use recorded::{LogStats, Recorded, TooLate};
pub use recorder::Recording;
pub use replay::{Replayer, replay};
