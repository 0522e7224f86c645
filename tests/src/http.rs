//! One HTTP request over one `TcpStream`, bounded in time.
//!
//! It shares nothing with the client under test, so that a test can ask the server what is true.
//! It speaks HTTP/1.0: the server then closes after its answer and never sends chunks, and the
//! body is whatever follows the head. It knows no etcd, no TLS and no redirects.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

/// A server's answer: the status of its first line and everything behind its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The body, as text: etcd answers in JSON or in plain words.
    pub body: String,
}

/// Sends a GET for `path` to `port` on loopback and waits at most `limit` for the whole answer.
pub fn get(port: u16, path: &str, limit: Duration) -> io::Result<Answer> {
    exchange(port, format!("GET {path} HTTP/1.0\r\n{HOST}\r\n"), limit)
}

/// Sends a POST of `json` for `path` to `port` on loopback and waits at most `limit` for the
/// whole answer.
pub fn post(port: u16, path: &str, json: &str, limit: Duration) -> io::Result<Answer> {
    post_with(port, path, "", json, limit)
}

/// The same with further headers, each with its line's end.
pub fn post_with(
    port: u16,
    path: &str,
    headers: &str,
    json: &str,
    limit: Duration,
) -> io::Result<Answer> {
    let len = json.len();
    let head = format!(
        "POST {path} HTTP/1.0\r\n{HOST}{headers}Content-Type: application/json\r\nContent-Length: {len}\r\n"
    );
    exchange(port, format!("{head}\r\n{json}"), limit)
}

fn exchange(port: u16, request: String, limit: Duration) -> io::Result<Answer> {
    let until = Instant::now() + limit;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&server, left(until)?)?;
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(request.as_bytes())?;

    let mut answer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        // The limit is for the whole answer, so each read gets only what is left of it.
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(&mut piece) {
            Ok(0) => return parse(answer),
            Ok(len) => answer.extend_from_slice(&piece[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => left(until).map(drop)?,
            Err(error) => return Err(error),
        }
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no whole answer in time",
        )),
        left => Ok(left),
    }
}

fn parse(answer: Vec<u8>) -> io::Result<Answer> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let text = String::from_utf8(answer).map_err(|_| invalid("answer is not UTF-8"))?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| invalid("answer ends within its head"))?;
    let status = head
        .strip_prefix("HTTP/1.")
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| invalid("answer does not begin with a status line"))?;
    Ok(Answer {
        status,
        body: body.to_owned(),
    })
}

const HOST: &str = "Host: 127.0.0.1\r\n";
