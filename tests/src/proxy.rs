//! Something between a client and its server: it lets bytes through, cuts them off, or keeps a request
//! back until all of it is there.
//!
//! Threads and blocking sockets, two for each connection; it knows as much of HTTP as where a request ends.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;

/// A proxy to one server. It is gone when dropped, with all its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    /// What has to be in the head of a request for a tunnel.
    wants: &'static str,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// Both ends of every connection.
    open: Vec<TcpStream>,
    /// How many connections there were.
    accepted: usize,
}

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Passes,
    Buffers,
    /// Who connects says where to (`CONNECT`).
    Tunnels,
    Cut,
    Over,
}

impl Proxy {
    /// A proxy to this port of the loopback that lets everything through.
    ///
    /// # Errors
    ///
    /// If there is no port for it.
    pub fn start(server: u16) -> io::Result<Self> {
        Self::with_mode(server, Mode::Passes)
    }

    /// The same, but it sends a request on only once it has all of it, and one for each connection, as
    /// proxies do that buffer requests.
    ///
    /// # Errors
    ///
    /// As [`Proxy::start`].
    pub fn buffering(server: u16) -> io::Result<Self> {
        Self::with_mode(server, Mode::Buffers)
    }

    /// A proxy that opens tunnels to wherever it is asked for, by requests that have this in their head.
    ///
    /// # Errors
    ///
    /// As [`Proxy::start`].
    pub fn tunnelling(wants: &'static str) -> io::Result<Self> {
        Self::with(0, wants, Mode::Tunnels)
    }

    fn with_mode(server: u16, mode: Mode) -> io::Result<Self> {
        Self::with(server, "", mode)
    }

    fn with(server: u16, wants: &'static str, mode: Mode) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let state = State {
            mode,
            open: Vec::new(),
            accepted: 0,
        };
        let shared = Arc::new(Shared {
            server,
            wants,
            state: Mutex::new(state),
        });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Ok(Self {
            port,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.state().accepted
    }

    /// Ends all connections, and every new one at once.
    pub fn cut(&self) {
        self.shared.turn_to(Mode::Cut);
    }

    /// Ends all connections; new ones are as they were.
    pub fn drop_connections(&self) {
        let mode = self.shared.state().mode;
        self.shared.turn_to(mode);
    }

    /// Lets everything through from now on.
    pub fn mend(&self) {
        self.shared.turn_to(Mode::Passes);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.turn_to(Mode::Over);
        // So that whoever accepts sees it.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn_to(&self, mode: Mode) {
        let mut state = self.state();
        state.mode = mode;
        for end in state.open.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            let mode = {
                let mut state = self.state();
                state.accepted += 1;
                state.mode
            };
            match mode {
                Mode::Over => return,
                Mode::Cut => drop(client),
                Mode::Passes | Mode::Buffers | Mode::Tunnels => {
                    let shared = Arc::clone(self);
                    thread::spawn(move || shared.serve(client, mode));
                }
            }
        }
    }

    /// A connection that ends in whatever way ends both of its halves.
    fn serve(&self, client: TcpStream, mode: Mode) {
        let _ = self.forward(&client, mode);
        let _ = client.shutdown(Shutdown::Both);
    }

    /// The server that a tunnel was asked for to, told to be there; none if it was not asked for well.
    fn asked_for(&self, client: &mut &TcpStream) -> io::Result<Option<TcpStream>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let authority = head
            .strip_prefix("CONNECT ")
            .and_then(|rest| rest.split(' ').next());
        let Some(authority) = authority.filter(|_| head.contains(self.wants)) else {
            client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")?;
            return Ok(None);
        };
        let Ok(server) = TcpStream::connect(authority) else {
            client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")?;
            return Ok(None);
        };
        client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")?;
        Ok(Some(server))
    }

    fn forward(&self, mut client: &TcpStream, mode: Mode) -> io::Result<()> {
        let request = match mode {
            Mode::Buffers => whole_request(&mut client)?,
            _ => Vec::new(),
        };
        let server = match mode {
            Mode::Tunnels => match self.asked_for(&mut client)? {
                Some(server) => server,
                None => return Ok(()),
            },
            _ => TcpStream::connect(("127.0.0.1", self.server))?,
        };
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        {
            let mut state = self.state();
            if state.mode != mode {
                return Ok(());
            }
            state
                .open
                .extend([client.try_clone()?, server.try_clone()?]);
        }
        (&server).write_all(&request)?;
        let (from, to) = (client.try_clone()?, server.try_clone()?);
        let up = thread::spawn(move || pass(&from, &to));
        pass(&server, client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        let _ = up.join();
        Ok(())
    }
}

/// Lets bytes through until one end is closed, and then closes the other.
fn pass(mut from: &TcpStream, mut to: &TcpStream) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(len) = from.read(&mut bytes) {
        if len == 0 || to.write_all(&bytes[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// One request as a server gets it from who had all of it before: with its length, and the last of its
/// connection.
fn whole_request(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        match find(&bytes, b"\r\n\r\n") {
            Some(end) => break end + 4,
            None => read_more(from, &mut bytes)?,
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let header = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    };
    let body = if header("transfer-encoding").is_some() {
        let mut at = head;
        let mut body = Vec::new();
        loop {
            let Some(line) = find(&bytes[at..], b"\r\n") else {
                read_more(from, &mut bytes)?;
                continue;
            };
            let size = String::from_utf8_lossy(&bytes[at..at + line]).into_owned();
            let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
            let begin = at + line + 2;
            while bytes.len() < begin + size + 2 {
                read_more(from, &mut bytes)?;
            }
            if size == 0 {
                break body;
            }
            body.extend_from_slice(&bytes[begin..begin + size]);
            at = begin + size + 2;
        }
    } else {
        let len = header("content-length").map_or(Ok(0), |len| len.parse());
        let len = len.map_err(io::Error::other)?;
        while bytes.len() < head + len {
            read_more(from, &mut bytes)?;
        }
        bytes[head..head + len].to_vec()
    };
    let mut request = String::new();
    for line in text.trim_end().lines() {
        let name = line.split(':').next().unwrap_or(line).to_ascii_lowercase();
        if !["transfer-encoding", "content-length", "connection"].contains(&name.as_str()) {
            request += line;
            request += "\r\n";
        }
    }
    request += &format!(
        "Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Ok([request.into_bytes(), body].concat())
}

fn read_more(from: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut more = [0; 16 << 10];
    match from.read(&mut more)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        len => {
            bytes.extend_from_slice(&more[..len]);
            Ok(())
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_with_its_last_chunk() {
        let sent = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let wanted =
            b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde";
        assert_eq!(whole_request(&mut &sent[..]).unwrap(), wanted);
        assert!(whole_request(&mut &sent[..sent.len() - 6]).is_err());
        let sent = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
        let wanted =
            b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(whole_request(&mut &sent[..]).unwrap(), wanted);
    }
}
