//! A small HTTP server on a loopback port that answers what a test tells it to, and tells the test
//! what it sees.

#![allow(dead_code, reason = "each test file uses another part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails where its server does")]

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use etcd_smol::Config;

/// Longer than anything here takes, short enough to see a test hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer to any read.
pub(crate) const ONE_KEY: &str =
    r#"{"header":{"revision":"7"},"kvs":[{"key":"Zm9v","value":"YmFy"}],"count":"1"}"#;

/// What the server saw, connection by connection, told in the order it happened on each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A connection was accepted.
    Opened,
    /// A request came on a connection: its path.
    Request(String),
    /// A connection was closed by the client.
    Closed,
}

/// What the server does about a request.
pub(crate) enum Reply {
    /// Answers with this JSON.
    Json(String),
    /// Never answers.
    Silence,
    /// Sends these frames as a stream, one chunk each, and leaves it open.
    Frames(Box<dyn Iterator<Item = String>>),
}

impl Reply {
    pub(crate) fn json(text: &str) -> Self {
        Self::Json(text.to_owned())
    }
}

/// A running server. Its threads end with their connections.
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    seen: mpsc::Receiver<Seen>,
}

impl Fake {
    /// A server that answers each request, given by path and first piece of body, by `reply`.
    pub(crate) fn start(reply: impl Fn(&str, &[u8]) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (tell, seen) = mpsc::channel();
        let reply = Arc::new(reply);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (tell, reply) = (tell.clone(), Arc::clone(&reply));
                if tell.send(Seen::Opened).is_err() {
                    return;
                }
                thread::spawn(move || {
                    serve(stream.unwrap(), &tell, &*reply);
                    // The test may be over.
                    let _ = tell.send(Seen::Closed);
                });
            }
        });
        Self { endpoint, seen }
    }

    /// A server that answers every request with this JSON.
    pub(crate) fn answering(json: &'static str) -> Self {
        Self::start(|_, _| Reply::json(json))
    }

    /// A server that never answers.
    pub(crate) fn silent() -> Self {
        Self::start(|_, _| Reply::Silence)
    }

    /// The next thing the server sees.
    pub(crate) fn seen(&self) -> Seen {
        self.seen
            .recv_timeout(PATIENCE)
            .expect("the server sees something")
    }

    /// Waits until the server has seen this, whatever else it sees before.
    pub(crate) fn wait_for(&self, wanted: &Seen) {
        while self.seen() != *wanted {}
    }

    pub(crate) fn config(&self) -> Config {
        Config::new([&self.endpoint]).unwrap()
    }
}

/// An endpoint at which nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Answers the requests of one connection until the client closes it.
fn serve(mut stream: TcpStream, tell: &mpsc::Sender<Seen>, reply: &dyn Fn(&str, &[u8]) -> Reply) {
    stream.set_nodelay(true).unwrap();
    let mut buf = Vec::new();
    while let Some((path, body)) = read_request(&mut stream, &mut buf) {
        if tell.send(Seen::Request(path.clone())).is_err() {
            return;
        }
        let written = match reply(&path, &body) {
            Reply::Silence => Ok(()),
            Reply::Json(json) => write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
                json.len()
            ),
            Reply::Frames(frames) => write_frames(&mut stream, frames),
        };
        if written.is_err() {
            return;
        }
    }
}

fn write_frames(
    stream: &mut TcpStream,
    frames: impl Iterator<Item = String>,
) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for frame in frames {
        write!(stream, "{:x}\r\n{frame}\n\r\n", frame.len() + 1)?;
    }
    Ok(())
}

/// Path and body of the next request. A body of unknown length is cut after its first chunk; what
/// follows of it is not told apart from a further request, and never answered.
fn read_request(stream: &mut TcpStream, buf: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let head_end = loop {
        match find(buf, b"\r\n\r\n") {
            Some(at) => break at + 4,
            None => read_more(stream, buf)?,
        }
    };
    let head = String::from_utf8(buf[..head_end].to_vec()).unwrap();
    let path = head.split(' ').nth(1)?.to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    });
    let body_end = match length {
        Some(length) => head_end + length,
        None => loop {
            match find(&buf[head_end..], b"}\r\n").or_else(|| find(&buf[head_end..], b"}\n\r\n")) {
                Some(at) => break head_end + at + 1,
                None => read_more(stream, buf)?,
            }
        },
    };
    while buf.len() < body_end {
        read_more(stream, buf)?;
    }
    let rest = buf.split_off(body_end);
    let mut request = std::mem::replace(buf, rest);
    Some((path, request.split_off(head_end)))
}

fn read_more(stream: &mut TcpStream, buf: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 65536];
    match stream.read(&mut piece) {
        Ok(0) | Err(_) => None,
        Ok(len) => {
            buf.extend_from_slice(&piece[..len]);
            Some(())
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
