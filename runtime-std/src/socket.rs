//! One socket of the driver: how it is opened, what it is waited for, how it is read and written.
//!
//! ```text
//! Resolving ──addresses──► Connecting ──writable──► Open, with TLS once hands are shaken
//!                            └─ refused: the next address ─┘ none left: the connection has failed
//! ```
//!
//! Everything here returns at once; waiting is the business of `poll`. A socket knows nothing of
//! what its bytes mean.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use socket2::Domain;
use socket2::Protocol;
use socket2::SockRef;
use socket2::TcpKeepalive;
use socket2::Type;

use crate::poll::Interest;
use crate::tls::TlsSession;

/// After how long without a byte the system asks whether the peer is there.
const KEEP_ALIVE_TIME: Duration = Duration::from_secs(15);
/// How long it waits between these questions, where it can be told.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How many it asks before the connection is lost.
const KEEP_ALIVE_PROBES: u32 = 3;

/// A socket, from the core's order to connect until it is closed.
pub(crate) enum Socket {
    /// A thread of its own is asking for the addresses of a host name, or reading files for TLS.
    Resolving,
    /// The system is connecting to one address.
    Connecting {
        /// The socket so far.
        stream: Arc<TcpStream>,
        /// The addresses to try when this one fails.
        rest: vec::IntoIter<SocketAddr>,
        /// What goes around its bytes, if anything does.
        tls: Option<Box<TlsSession>>,
    },
    /// Connected.
    Open {
        /// The connected socket.
        stream: Arc<TcpStream>,
        /// What goes around its bytes, if anything does.
        tls: Option<Box<TlsSession>>,
        /// Whether the core knows that it is open; with TLS, once hands are shaken.
        told: bool,
        /// Whether the core wants its bytes.
        reading: Reading,
        /// Whether the core has bytes that the socket would not take.
        blocked: bool,
    },
}

/// Whether a socket is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As bytes come.
    On,
    /// Not now: the core has all it may hold.
    Paused,
    /// No more: the peer has said all it had to say.
    Ended,
}

/// What one read gave.
pub(crate) enum Received {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The peer will say nothing more.
    Eof,
}

impl Socket {
    /// Begins to connect to the first of the addresses that can be tried at all.
    pub(crate) fn connect(
        mut rest: vec::IntoIter<SocketAddr>,
        tls: Option<Box<TlsSession>>,
    ) -> io::Result<Self> {
        let mut last = None;
        while let Some(address) = rest.next() {
            match begin(address) {
                Ok(stream) => {
                    let stream = Arc::new(stream);
                    return Ok(Self::Connecting { stream, rest, tls });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "host has no address")))
    }

    /// What to wait for, if for anything.
    pub(crate) fn interest(&self) -> Option<(&Arc<TcpStream>, Interest)> {
        let (stream, read, write) = match self {
            Self::Resolving => return None,
            Self::Connecting { stream, .. } => (stream, false, true),
            Self::Open {
                stream,
                reading,
                blocked,
                ..
            } => (stream, *reading == Reading::On, *blocked),
        };
        (read || write).then_some((stream, Interest { read, write }))
    }

    /// Says that it ends, if there is a way to say so, and does not wait for anything.
    pub(crate) fn say_farewell(&mut self) {
        if let Self::Open {
            stream,
            tls: Some(tls),
            ..
        } = self
        {
            let farewell = tls.farewell();
            if !farewell.is_empty() {
                // Nobody is left to hear of an error, and a peer that misses this sees the end too.
                let _ = send(stream, farewell);
            }
        }
    }
}

/// Begins to connect, without waiting for the outcome.
fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A request is written whole, so holding back its last packet could only delay it.
    socket.set_tcp_nodelay(true)?;
    keep_alive(&SockRef::from(&socket));
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Lets the system find out that a peer is gone while nothing is to be sent, or what is sent is not taken, and
/// keeps what lies between from forgetting the connection (rule T-1). The core finds out by itself where
/// somebody waits for an answer.
fn keep_alive(socket: &SockRef<'_>) {
    let probes = TcpKeepalive::new().with_time(KEEP_ALIVE_TIME);
    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows",
    ))]
    let probes = probes
        .with_interval(KEEP_ALIVE_INTERVAL)
        .with_retries(KEEP_ALIVE_PROBES);
    // Where the system cannot do this, nothing is wrong yet.
    let _ = socket.set_tcp_keepalive(&probes);
    let patience = KEEP_ALIVE_TIME + KEEP_ALIVE_INTERVAL * KEEP_ALIVE_PROBES;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_user_timeout(Some(patience));
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = patience;
}

/// Whether a connect that does not wait has begun all the same.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::INPROGRESS) {
        return true;
    }
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// The outcome of connecting: `None` while there is none.
pub(crate) fn outcome(stream: &TcpStream) -> Option<io::Result<()>> {
    match stream.take_error() {
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
        Ok(None) => {}
    }
    // No error and no peer: the wake-up came for no reason.
    match stream.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => None,
        _ => Some(Ok(())),
    }
}

/// Reads once, without waiting.
pub(crate) fn receive(mut stream: &TcpStream, buf: &mut [u8]) -> io::Result<Received> {
    loop {
        match stream.read(buf) {
            Ok(0) => return Ok(Received::Eof),
            Ok(len) => return Ok(Received::Bytes(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Received::Nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes once, without waiting: how many bytes the socket took, at least one, or `None` if it has
/// no room.
pub(crate) fn send(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => return Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The address that a host written as one is; a name has to be looked up.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    host.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn t1_the_system_looks_whether_the_peer_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = begin(address).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEP_ALIVE_TIME);
        assert_eq!(
            socket.tcp_keepalive_interval().unwrap(),
            KEEP_ALIVE_INTERVAL
        );
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEP_ALIVE_PROBES);
        let patience = KEEP_ALIVE_TIME + KEEP_ALIVE_INTERVAL * KEEP_ALIVE_PROBES;
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(patience));
        assert!(socket.tcp_nodelay().unwrap());
    }
}
