//! A server with canned answers on a loopback socket: what the tests of a driver need, and no etcd.

#![allow(dead_code, reason = "each test file uses its own part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "a server that cannot run fails the test"
)]

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

/// What a server does with a request; false closes the connection.
pub(crate) type Behaviour = dyn Fn(&Request, &mut TcpStream) -> bool + Send + Sync;

/// A request as far as a canned answer needs it.
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) body: String,
}

/// A server that runs until the test's process ends.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// What happens at the server, as it happens.
    pub(crate) seen: mpsc::Receiver<Seen>,
}

/// What happened at the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A request for this path.
    Request(String),
    /// A connection is closed, by either side.
    Closed,
}

impl Server {
    pub(crate) fn start(
        behaviour: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, seen) = mpsc::channel();
        let behaviour: Arc<Behaviour> = Arc::new(behaviour);
        thread::spawn(move || {
            for stream in listener.incoming() {
                stream.as_ref().unwrap().set_nodelay(true).unwrap();
                let (behaviour, tell) = (Arc::clone(&behaviour), tell.clone());
                thread::spawn(move || {
                    serve(stream.unwrap(), &*behaviour, &tell);
                    // The test may have ended.
                    let _ = tell.send(Seen::Closed);
                });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the server has seen this.
    pub(crate) fn wait_for(&self, what: &Seen) {
        while self.seen.recv().expect("the server runs") != *what {}
    }
}

/// Reads requests from one connection until it ends.
fn serve(mut stream: TcpStream, behaviour: &Behaviour, tell: &mpsc::Sender<Seen>) {
    let mut bytes = Vec::new();
    loop {
        let Some((request, len)) = parse(&bytes) else {
            let mut buf = [0; 4096];
            match stream.read(&mut buf) {
                Ok(0) | Err(_) => return,
                Ok(len) => bytes.extend_from_slice(&buf[..len]),
            }
            continue;
        };
        bytes.drain(..len);
        let _ = tell.send(Seen::Request(request.path.clone()));
        if !behaviour(&request, &mut stream) {
            return;
        }
    }
}

/// The first request in these bytes and its length; of a chunked body, the first chunk.
fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.find("\r\n\r\n")? + 4;
    let path = text.split(' ').nth(1)?.to_owned();
    let lower = text[..head].to_ascii_lowercase();
    let (start, len) = match lower.split("content-length: ").nth(1) {
        Some(rest) => (head, rest.lines().next()?.parse().ok()?),
        None => {
            let size = text[head..].find("\r\n")?;
            let len = usize::from_str_radix(&text[head..head + size], 16).ok()?;
            (head + size + 2, len)
        }
    };
    let body = text.get(start..start + len)?.to_owned();
    Some((Request { path, body }, start + len))
}

/// The text between `"name":"` and the next quote.
pub(crate) fn field<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("\"{name}\":\"");
    body.split(&start).nth(1)?.split('"').next()
}

/// Answers a unary call with this body.
pub(crate) fn answer(stream: &mut TcpStream, body: &str) {
    let len = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    // A client that is gone needs no answer.
    let whole = format!("{head}Content-Length: {len}\r\n\r\n{body}");
    let _ = stream.write_all(whole.as_bytes());
}

/// Answers a read with one pair whose key and value are the key that was asked for. It is never behind what
/// a watch told, which would be a read that goes back in time.
pub(crate) fn echo(request: &Request, stream: &mut TcpStream) -> bool {
    let key = field(&request.body, "key").unwrap_or_default();
    let kv = format!(r#"{{"key":"{key}","value":"{key}","mod_revision":"1"}}"#);
    let body = format!(r#"{{"header":{{"revision":"1000000"}},"kvs":[{kv}],"count":"1"}}"#);
    answer(stream, &body);
    true
}

/// Begins the answer to a watch and confirms it, at revision 1.
pub(crate) fn created(request: &Request, stream: &mut TcpStream) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let whole = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let _ = stream.write_all(whole.as_bytes());
    // Not behind what was delivered before.
    let start = field(&request.body, "start_revision").and_then(|start| start.parse::<i64>().ok());
    let revision = start.map_or(1, |start| (start - 1).max(1));
    frame(request, stream, revision, r#""created":true"#);
}

/// Sends a put of key `k` at this revision.
pub(crate) fn event(request: &Request, stream: &mut TcpStream, revision: i64) {
    let kv = format!(
        r#"{{"key":"aw==","value":"dg==","create_revision":"2","mod_revision":"{revision}","version":"1"}}"#
    );
    frame(
        request,
        stream,
        revision,
        &format!(r#""events":[{{"kv":{kv}}}]"#),
    );
}

/// Sends one message of a watch as one chunk.
fn frame(request: &Request, stream: &mut TcpStream, revision: i64, rest: &str) {
    // The id the client chose, or the server's first.
    let id = field(&request.body, "watch_id").unwrap_or("0");
    let header =
        format!(r#"{{"cluster_id":"1","member_id":"1","revision":"{revision}","raft_term":"1"}}"#);
    let body = format!("{{\"result\":{{\"header\":{header},\"watch_id\":\"{id}\",{rest}}}}}\n");
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    let _ = stream.write_all(chunk.as_bytes());
}
