//! The gateway level alone: typed requests and answers over an HTTP of one's own, here a blocking
//! `TcpStream`.
//!
//! It puts a key, reads it, and watches it from the revision of the put on until the first change,
//! which is that put. Start it with
//!
//! ```text
//! cargo run -p etcd-core --example other_http -- http://127.0.0.1:2379
//! ```
//!
//! or put the endpoint into `ETCD_ENDPOINTS`. With another HTTP stack, `exchange` is what it
//! replaces; `call` and `watch` stay. This level tries once, and resumes nothing: for that there is
//! `etcd_core::Client`.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it brings the sockets that the core leaves to others"
)]

use std::env;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;

use etcd_core::Call;
use etcd_core::Endpoint;
use etcd_core::KvEvent;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Watch;
use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;
use etcd_core::codec::http1::write_request;
use etcd_core::gateway;
use etcd_core::gateway::Gateway;
use etcd_core::gateway::WatchFrames;
use etcd_core::gateway::WatchItem;
use etcd_core::gateway::WatchLimits;

const KEY: &str = "examples/other_http";
/// How long the server may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("other_http: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let endpoints = env::args()
        .nth(1)
        .or_else(|| env::var("ETCD_ENDPOINTS").ok())
        .unwrap_or_else(|| "http://127.0.0.1:2379".to_owned());
    // This level knows one server at a time.
    let endpoint: Endpoint = endpoints.split(',').next().unwrap_or_default().parse()?;
    let gateway = Gateway::new();

    let put = call(&endpoint, &gateway, &Put::new(KEY, "a value"))?;
    println!("put {KEY} at revision {}", put.header.revision);

    let range = call(&endpoint, &gateway, &Range::key(KEY))?;
    for kv in &range.kvs {
        println!("{KEY} is {:?}", String::from_utf8_lossy(&kv.value));
    }

    let from_the_put = Watch::key(KEY).with_start_revision(put.header.revision);
    let event = first_change(&endpoint, &gateway, &from_the_put)?;
    println!("revision {}: {:?} {KEY}", event.kv.mod_revision, event.kind);
    Ok(())
}

/// Asks once, and gives the typed answer.
fn call<C: Call>(endpoint: &Endpoint, gateway: &Gateway, call: &C) -> Result<C::Response, Failure> {
    let (mut status, mut body) = (0, Vec::new());
    exchange(endpoint, &gateway.request(call), |item| {
        match item {
            Item::Head(head) => status = head.status,
            Item::Data(data) => body.extend_from_slice(data),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    // Status and body together are the answer: an error of etcd's is in there too.
    Ok(gateway::decode_answer::<C>(status, &body)?)
}

/// Watches until the first change. Leaving `exchange` closes the connection, and that is how a
/// watch of this kind is canceled.
fn first_change(endpoint: &Endpoint, gateway: &Gateway, watch: &Watch) -> Result<KvEvent, Failure> {
    let mut frames = None;
    let mut first = None;
    exchange(endpoint, &gateway.watch(watch), |item| {
        // The status says whether the body is a stream of frames or the error of a refusal.
        if let Item::Head(head) = item {
            frames = Some(WatchFrames::new(head.status, WatchLimits::default()));
        }
        let Some(frames) = &mut frames else {
            return Ok(ControlFlow::Continue(()));
        };
        match item {
            Item::Data(data) => frames.handle_data(data),
            Item::End { .. } => frames.handle_end(),
            _ => {}
        }
        // A piece of a body can be a part of a frame, or several.
        while let Some(item) = frames.poll_item() {
            let frame = match item? {
                // All that happened in one revision.
                WatchItem::Revision { events, .. } => {
                    first = events.into_iter().next();
                    return Ok(ControlFlow::Break(()));
                }
                WatchItem::Frame { frame, .. } => frame,
                _ => continue,
            };
            if frame.created {
                println!(
                    "watching, the store is at revision {}",
                    frame.header.revision
                );
            }
            if frame.canceled && frame.compact_revision > 0 {
                let oldest = frame.compact_revision;
                return Err(format!("compacted, the oldest revision kept is {oldest}").into());
            }
            if frame.canceled {
                return Err(format!("server ended the watch: {}", frame.cancel_reason).into());
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    first.ok_or_else(|| "server ended the watch without a reason".into())
}

/// Sends a request on a connection of its own, and gives the items of the answer to `take` until
/// the answer ends or `take` has enough. `Item::End` would say whether the connection can be kept.
fn exchange(
    endpoint: &Endpoint,
    request: &http::Request<Bytes>,
    mut take: impl FnMut(Item<'_>) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let mut stream = TcpStream::connect((endpoint.host(), endpoint.port()))
        .map_err(|error| format!("cannot connect to {endpoint}: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;

    // The request as bytes. The reader has to know that an answer is due.
    let mut out = Vec::new();
    write_request(request, endpoint.authority(), &mut out)?;
    let mut reader = Reader::new(HttpLimits::default());
    reader.expect(RequestMethod::Other);
    stream.write_all(&out)?;

    let mut buf = [0; 16 * 1024];
    // The answer has ended once none is outstanding.
    while reader.outstanding() > 0 {
        let mut input = match stream.read(&mut buf) {
            // The end of the connection can be the end of the body, or come too early.
            Ok(0) => {
                return match reader.handle_eof()? {
                    Some(end) => take(end).map(drop),
                    None => Err("server closed the connection without an answer".into()),
                };
            }
            Ok(len) => &buf[..len],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(format!("server was silent for {} s", PATIENCE.as_secs()).into());
            }
            Err(error) => return Err(error.into()),
        };
        // The reader takes one item at a time out of the bytes, and says how many it used. It is
        // asked until it has none, since the end of an answer needs no bytes of its own.
        while let (used, Some(item)) = reader.read(input)? {
            input = &input[used..];
            if take(item)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
