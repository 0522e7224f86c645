//! The real server's part: one kept connection for calls, one stream for watches.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use etcd_core::gateway::{AnswerError, Gateway, decode_answer};
use etcd_core::{Authenticate, Call, Watch, WatchRequest, WatchResponse};
use etcd_sim::etcd::Request;
use serde::{Deserialize, Serialize};

use super::model::Watched;
use super::script::User;
use super::{Said, each, said, said_error};

pub(super) struct Real {
    port: u16,
    calls: Bytes,
    watches: Option<Bytes>,
    tokens: BTreeMap<User, String>,
    events: Watched,
}

/// What is read of a connection and not looked at yet.
struct Bytes {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Bytes {
    fn connect(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            socket,
            unread: Vec::new(),
        })
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        let len = self.socket.read(&mut piece)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&piece[..len]);
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<_> = self.unread.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.more()?;
        }
    }

    fn exactly(&mut self, len: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < len {
            self.more()?;
        }
        Ok(self.unread.drain(..len).collect())
    }

    /// A chunk's data, empty for the last one.
    fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.line()?;
        let len = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
        let data = self.exactly(len)?;
        if len == 0 {
            while !self.line()?.is_empty() {}
        } else {
            self.exactly(2)?;
        }
        Ok(data)
    }

    /// The status, and the head's lines.
    fn head(&mut self) -> io::Result<(u16, Vec<String>)> {
        let status = self.line()?;
        let status = status.get(9..12).and_then(|code| code.parse().ok());
        let mut lines = Vec::new();
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                return Ok((status.unwrap_or(0), lines));
            }
            lines.push(line);
        }
    }
}

impl Real {
    pub(super) fn connect(port: u16) -> io::Result<Self> {
        Ok(Self {
            port,
            calls: Bytes::connect(port)?,
            watches: None,
            tokens: BTreeMap::new(),
            events: Watched::default(),
        })
    }

    pub(super) fn call(&mut self, user: Option<User>, request: &Request) -> io::Result<Said> {
        let token = user.and_then(|user| self.tokens.get(&user).cloned());
        if let Request::Authenticate(login) = request {
            return self.authenticate(token.as_deref(), login);
        }
        each!(request, typed => self.typed(token.as_deref(), typed))
    }

    fn authenticate(&mut self, token: Option<&str>, login: &Authenticate) -> io::Result<Said> {
        let (status, body) = self.exchange(token, login)?;
        let answer = decode_answer::<Authenticate>(status, &body);
        if let (Ok(answer), Some(user)) = (&answer, User::named(&login.name)) {
            self.tokens.insert(user, answer.token.clone());
        }
        judge::<Authenticate>(answer)
    }

    fn typed<C>(&mut self, token: Option<&str>, call: &C) -> io::Result<Said>
    where
        C: Call,
        C::Response: Serialize,
    {
        let (status, body) = self.exchange(token, call)?;
        judge::<C>(decode_answer::<C>(status, &body))
    }

    fn exchange<C: Call>(&mut self, token: Option<&str>, call: &C) -> io::Result<(u16, Vec<u8>)> {
        let request = Gateway::new().request(call);
        let (path, body) = (request.uri().path(), request.body());
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: h\r\n");
        if let Some(token) = token {
            head += &format!("Authorization: {token}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let bytes = [head.as_bytes(), body].concat();
        self.calls.socket.write_all(&bytes)?;
        let (status, lines) = self.calls.head()?;
        let len = lines
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let body = match len {
            Some(len) => self.calls.exactly(len.parse().map_err(io::Error::other)?)?,
            None => {
                let mut body = Vec::new();
                loop {
                    let chunk = self.calls.chunk()?;
                    if chunk.is_empty() {
                        break body;
                    }
                    body.extend(chunk);
                }
            }
        };
        Ok((status, body))
    }

    /// Begins a watch on the one stream.
    pub(super) fn watch(&mut self, watch: &Watch) -> io::Result<()> {
        let request = WatchRequest::Create(watch.clone());
        let json = serde_json::to_string(&request).map_err(io::Error::other)?;
        let chunk = format!("{:x}\r\n{json}\r\n", json.len());
        match &mut self.watches {
            Some(stream) => stream.socket.write_all(chunk.as_bytes())?,
            None => {
                let mut stream = Bytes::connect(self.port)?;
                let head = "POST /v3/watch HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                            Transfer-Encoding: chunked\r\n\r\n";
                stream.socket.write_all(head.as_bytes())?;
                stream.socket.write_all(chunk.as_bytes())?;
                let (status, _) = stream.head()?;
                if status != 200 {
                    return Err(io::Error::other(format!(
                        "the watch was answered by {status}"
                    )));
                }
                self.watches = Some(stream);
            }
        }
        Ok(())
    }

    /// All that the watches were told, once nothing more has come for this long.
    pub(super) fn events(&mut self, patience: Duration) -> io::Result<Said> {
        let Some(stream) = &mut self.watches else {
            return Ok(self.events.said());
        };
        stream.socket.set_read_timeout(Some(patience))?;
        loop {
            match stream.more() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while !stream.unread.is_empty() {
            let chunk = stream.chunk()?;
            if chunk == b"\n" {
                continue;
            }
            let frame: Frame = serde_json::from_slice(&chunk).map_err(io::Error::other)?;
            self.events.add(&frame.result);
        }
        Ok(self.events.said())
    }
}

/// A frame of a stream; each is one chunk (gateway.md 6).
#[derive(Deserialize)]
struct Frame {
    result: WatchResponse,
}

fn judge<C>(answer: Result<C::Response, AnswerError>) -> io::Result<Said>
where
    C: Call,
    C::Response: Serialize,
{
    match answer {
        Ok(answer) => Ok(said::<C>(&answer)),
        Err(AnswerError::Status(status)) => Ok(said_error(status.code.get(), &status.message)),
        Err(error) => Err(io::Error::other(format!("{error}"))),
    }
}
