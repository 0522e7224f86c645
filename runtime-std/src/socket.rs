//! One socket of the driver: how it is opened, what it is waited for, how it is read and written.
//!
//! ```text
//! Resolving ──addresses──► Connecting ──writable──► Open, with TLS once hands are shaken
//!                            └─ refused, or silent for a while: the next address; none left: it has failed
//! ```
//!
//! Everything here returns at once; waiting is the business of `poll`. A socket knows nothing of
//! what its bytes mean.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use etcd_core::Instant;
use etcd_core::dial::Dial;
use etcd_core::dial::Tunnel;
use socket2::Protocol;
use socket2::SockAddr;
use socket2::Socket as Stream;
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
    /// The system is connecting to one address, or to several.
    Connecting {
        /// The sockets so far.
        attempts: Vec<Arc<Stream>>,
        /// The addresses to try beside them, or when they fail.
        dial: Dial,
        /// What is said to a proxy before all else, if there is one.
        tunnel: Option<Box<Tunnel>>,
        /// What goes around its bytes, if anything does.
        tls: Option<Box<TlsSession>>,
    },
    /// Connected.
    Open {
        /// The connected socket.
        stream: Arc<Stream>,
        /// What is said to a proxy, until its tunnel is open.
        tunnel: Option<Box<Tunnel>>,
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
    /// What to wait for, if for anything.
    pub(crate) fn interests(&self) -> impl Iterator<Item = (&Arc<Stream>, Interest)> {
        let (attempts, open) = match self {
            Self::Resolving => (&[][..], None),
            Self::Connecting { attempts, .. } => (&attempts[..], None),
            Self::Open {
                stream,
                reading,
                blocked,
                ..
            } => (&[][..], Some((stream, *reading == Reading::On, *blocked))),
        };
        let connecting = attempts.iter().map(|stream| (stream, false, true));
        connecting
            .chain(open)
            .filter(|(_, read, write)| *read || *write)
            .map(|(stream, read, write)| (stream, Interest { read, write }))
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

/// What came of connecting so far.
pub(crate) enum Progress {
    /// Nothing yet.
    None,
    /// It is connected.
    Connected(Arc<Stream>),
    /// Every address has failed; this is how the last one did.
    Failed(io::Error),
}

/// Begins what is due, and looks what came of what was begun before.
pub(crate) fn look(attempts: &mut Vec<Arc<Stream>>, dial: &mut Dial, now: Instant) -> Progress {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "host has no address");
    let mut connected = None;
    attempts.retain(|stream| match outcome(stream) {
        None => true,
        Some(Ok(())) => {
            connected.get_or_insert_with(|| Arc::clone(stream));
            true
        }
        Some(Err(error)) => {
            last = error;
            dial.handle_failure(now);
            false
        }
    });
    if let Some(stream) = connected {
        return Progress::Connected(stream);
    }
    while let Some(address) = dial.poll_attempt(now) {
        match begin(&address.into()) {
            Ok(stream) => attempts.push(Arc::new(stream)),
            Err(error) => {
                last = error;
                dial.handle_failure(now);
            }
        }
    }
    match dial.has_failed() && attempts.is_empty() {
        true => Progress::Failed(last),
        false => Progress::None,
    }
}

/// Begins to connect to a socket of the file system.
#[cfg(unix)]
pub(crate) fn begin_at_path(path: &str) -> io::Result<Stream> {
    begin(&SockAddr::unix(path)?)
}

#[cfg(not(unix))]
pub(crate) fn begin_at_path(_: &str) -> io::Result<Stream> {
    let text = "this system has no sockets of the file system; use http:// or https://";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

/// Begins to connect, without waiting for the outcome.
fn begin(address: &SockAddr) -> io::Result<Stream> {
    let is_tcp = address.is_ipv4() || address.is_ipv6();
    let protocol = is_tcp.then_some(Protocol::TCP);
    let stream = Stream::new(address.domain(), Type::STREAM, protocol)?;
    stream.set_nonblocking(true)?;
    if is_tcp {
        // A request is written whole, so holding back its last packet could only delay it.
        stream.set_tcp_nodelay(true)?;
        keep_alive(&stream);
    }
    match stream.connect(address) {
        Err(error) if !is_under_way(&error, is_tcp) => Err(error),
        _ => Ok(stream),
    }
}

/// Lets the system find out that a peer is gone while nothing is to be sent, or what is sent is not taken, and
/// keeps what lies between from forgetting the connection (rule T-1). The core finds out by itself where
/// somebody waits for an answer.
fn keep_alive(socket: &Stream) {
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
fn is_under_way(error: &io::Error, is_tcp: bool) -> bool {
    // A socket of the file system whose server is busy has not begun, and tells nobody when it could.
    if !is_tcp && error.kind() == io::ErrorKind::WouldBlock {
        return false;
    }
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
fn outcome(stream: &Stream) -> Option<io::Result<()>> {
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
pub(crate) fn receive(mut stream: &Stream, buf: &mut [u8]) -> io::Result<Received> {
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
pub(crate) fn send(mut stream: &Stream, bytes: &[u8]) -> io::Result<Option<usize>> {
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
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests {
    use std::net::SocketAddr;
    use std::net::TcpListener;

    use socket2::Domain;

    use super::*;

    #[test]
    fn t1_the_system_looks_whether_the_peer_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = begin(&address.into()).unwrap();
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

    /// A listener whose line is full: whoever connects waits in vain.
    fn silent() -> (Stream, Vec<Stream>, SocketAddr) {
        let listener = Stream::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = (0..4).map(|_| begin(&address).unwrap()).collect();
        (listener, waiting, address.as_socket().unwrap())
    }

    /// An address at which nobody listens, and nobody else will.
    fn refused() -> (Stream, SocketAddr) {
        let bound = Stream::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        bound.bind(&any.into()).unwrap();
        let address = bound.local_addr().unwrap().as_socket().unwrap();
        (bound, address)
    }

    #[test]
    fn a_silent_address_costs_a_moment() {
        let (_listener, _waiting, silent) = silent();
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_bound, refused) = refused();
        let start = std::time::Instant::now();
        let now = || Instant::ZERO + start.elapsed();
        let addresses = [silent, refused, good.local_addr().unwrap()];
        let mut dial = Dial::new(now(), addresses);
        let mut attempts = Vec::new();
        let stream = loop {
            match look(&mut attempts, &mut dial, now()) {
                Progress::None => std::thread::sleep(Duration::from_millis(1)),
                Progress::Connected(stream) => break stream,
                Progress::Failed(error) => panic!("{error}"),
            }
        };
        let peer = stream.peer_addr().unwrap().as_socket();
        assert_eq!(peer, Some(good.local_addr().unwrap()));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(250), "{took:?}");
        assert!(took < Duration::from_millis(1900), "{took:?}");
    }

    #[test]
    fn where_all_addresses_fail_the_last_ones_error_is_told() {
        let (_bound, refused) = refused();
        let mut dial = Dial::new(Instant::ZERO, [refused, refused]);
        let mut attempts = Vec::new();
        let error = loop {
            match look(&mut attempts, &mut dial, Instant::ZERO) {
                Progress::None => std::thread::sleep(Duration::from_millis(1)),
                Progress::Connected(_) => panic!("nobody listens"),
                Progress::Failed(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let mut none = Dial::new(Instant::ZERO, []);
        let Progress::Failed(error) = look(&mut attempts, &mut none, Instant::ZERO) else {
            panic!("there is nothing to try");
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
