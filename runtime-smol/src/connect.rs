//! Opening a connection: name look-up away from the executor's threads, each address in turn, and TLS
//! where it is to be.

use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use async_io::Async;
use async_io::Timer;
use etcd_core::ConnId;
use etcd_core::Endpoint;
use etcd_core::Instant;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::dial::Dial;
use etcd_core::dial::Tunnel;
use socket2::Protocol;
use socket2::SockAddr;
use socket2::Socket as Stream;
use socket2::TcpKeepalive;
use socket2::Type;

use crate::tls::Tls;
use crate::tls::TlsSession;

/// How much one read takes while hands are shaken.
const READ_BYTES: usize = 16 << 10;

/// After how long without a byte the system asks whether the peer is there.
const KEEP_ALIVE_TIME: Duration = Duration::from_secs(15);
/// How long it waits between these questions, where it can be told.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How many it asks before the connection is lost.
const KEEP_ALIVE_PROBES: u32 = 3;

/// A connection being opened. Dropping it stops that; how long it may take is the core's to say.
pub(crate) struct Connecting {
    /// The core's name of the connection.
    pub(crate) conn: ConnId,
    /// Whether the core still wants it.
    pub(crate) wanted: bool,
    /// The work.
    pub(crate) opened: Pin<Box<dyn Future<Output = Result<Opened, NetError>> + Send>>,
}

/// A connection that is open.
pub(crate) struct Opened {
    pub(crate) stream: Async<Stream>,
    /// What goes around its bytes, if anything does.
    pub(crate) tls: Option<Box<TlsSession>>,
    /// What came in the last bytes of the handshake, behind it.
    pub(crate) received: Vec<u8>,
}

impl Connecting {
    /// Begins to open `conn`. Nothing happens before `opened` is polled.
    pub(crate) fn new(conn: ConnId, endpoint: Endpoint, tls: Tls) -> Self {
        Self {
            conn,
            wanted: true,
            opened: Box::pin(open(endpoint, tls)),
        }
    }
}

/// Connects, asks a proxy for its tunnel, and shakes hands: each where that is to be.
async fn open(endpoint: Endpoint, tls: Tls) -> Result<Opened, NetError> {
    if !endpoint.is_tls() {
        let mut received = Vec::new();
        let stream = connect(&endpoint, &mut received).await?;
        return Ok(Opened {
            stream,
            tls: None,
            received,
        });
    }
    // It may read files.
    let (maker, host) = (tls.clone(), endpoint.host().to_owned());
    let mut session = blocking::unblock(move || maker.session(&host)).await?;
    let mut sealed = Vec::new();
    let stream = connect(&endpoint, &mut sealed).await?;
    let mut received = Vec::new();
    let shaken = shake_hands(&stream, &mut session, &sealed, &mut received, &tls).await;
    if let Err(error) = shaken {
        // The server may want to know why. It is not waited for.
        let _ = stream.get_ref().write(session.farewell());
        return Err(error);
    }
    Ok(Opened {
        stream,
        tls: Some(session),
        received,
    })
}

/// Moves bytes to and fro until the handshake is done.
async fn shake_hands(
    stream: &Async<Stream>,
    session: &mut TlsSession,
    came_before: &[u8],
    received: &mut Vec<u8>,
    tls: &Tls,
) -> Result<(), NetError> {
    let mut buf = vec![0; READ_BYTES];
    if !came_before.is_empty() {
        let result = session.handle_received(came_before, received);
        result.map_err(|error| tls.error(&error))?;
    }
    loop {
        while !session.transmit().is_empty() {
            let bytes = session.transmit();
            match stream.write_with(|mut stream| stream.write(bytes)).await {
                Ok(len) => session.handle_written(len),
                Err(error) => return Err(tls.socket_error(session, &error)),
            };
        }
        if session.is_connected() {
            return Ok(());
        }
        let result = match stream.read_with(|mut stream| stream.read(&mut buf)).await {
            Ok(0) => session.handle_eof(),
            Ok(len) => session.handle_received(&buf[..len], received),
            Err(error) => return Err(tls.socket_error(session, &error)),
        };
        result.map_err(|error| tls.error(&error))?;
    }
}

/// An attempt to connect to one address.
type Attempt = Pin<Box<dyn Future<Output = io::Result<Async<Stream>>> + Send>>;

/// Connects to the endpoint, through a proxy's tunnel if there is one. What came behind the proxy's answer is
/// `received`.
async fn connect(endpoint: &Endpoint, received: &mut Vec<u8>) -> Result<Async<Stream>, NetError> {
    if let Some(path) = endpoint.socket_path() {
        return Ok(open_path(path).await?);
    }
    let stream = connect_to_one(look_up(endpoint).await?).await?;
    if let Some(mut tunnel) = endpoint.tunnel() {
        open_tunnel(&stream, &mut tunnel, received).await?;
    }
    Ok(stream)
}

/// Asks a proxy for a tunnel, and waits until it is open.
async fn open_tunnel(
    stream: &Async<Stream>,
    tunnel: &mut Tunnel,
    received: &mut Vec<u8>,
) -> Result<(), NetError> {
    while !tunnel.transmit().is_empty() {
        let bytes = tunnel.transmit();
        let len = stream.write_with(|mut stream| stream.write(bytes)).await?;
        tunnel.handle_written(len);
    }
    let mut buf = vec![0; READ_BYTES];
    loop {
        match stream.read_with(|mut stream| stream.read(&mut buf)).await? {
            0 => return Err(tunnel.handle_eof()),
            len if tunnel.handle_received(&buf[..len], received)? => return Ok(()),
            _ => {}
        }
    }
}

/// Tries the addresses as `Dial` says. The error is the last one's.
async fn connect_to_one(addresses: Vec<SocketAddr>) -> Result<Async<Stream>, NetError> {
    let start = std::time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let mut dial = Dial::new(now(), addresses);
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut timer = Timer::never();
    let mut last = NetError::new(NetErrorKind::NameNotFound, "host name has no address");
    poll_fn(|cx| {
        loop {
            while let Some(address) = dial.poll_attempt(now()) {
                attempts.push(Box::pin(open_address(address.into())));
            }
            let mut connected = None;
            attempts.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    connected.get_or_insert(stream);
                    false
                }
                Poll::Ready(Err(error)) => {
                    last = NetError::from(&error);
                    dial.handle_failure(now());
                    false
                }
            });
            if let Some(stream) = connected {
                return Poll::Ready(Ok(stream));
            }
            if dial.has_failed() {
                return Poll::Ready(Err(last.clone()));
            }
            let Some(due) = dial.poll_timeout() else {
                return Poll::Pending;
            };
            timer.set_at(start + (due - Instant::ZERO));
            if Pin::new(&mut timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Connects to a socket of the file system.
#[cfg(unix)]
async fn open_path(path: &str) -> io::Result<Async<Stream>> {
    open_address(SockAddr::unix(path)?).await
}

#[cfg(not(unix))]
async fn open_path(_: &str) -> io::Result<Async<Stream>> {
    let text = "this system has no sockets of the file system; use http:// or https://";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

async fn open_address(address: SockAddr) -> io::Result<Async<Stream>> {
    let is_tcp = address.is_ipv4() || address.is_ipv6();
    let protocol = is_tcp.then_some(Protocol::TCP);
    let stream = Stream::new(address.domain(), Type::STREAM, protocol)?;
    stream.set_nonblocking(true)?;
    if is_tcp {
        // A request is written in one piece, and nothing is gained by holding its tail back.
        stream.set_tcp_nodelay(true)?;
        keep_alive(&stream);
    }
    match stream.connect(&address) {
        Err(error) if !is_under_way(&error, is_tcp) => return Err(error),
        _ => {}
    }
    let stream = Async::new(stream)?;
    loop {
        stream.writable().await?;
        if let Some(error) = stream.get_ref().take_error()? {
            return Err(error);
        }
        // No error and no peer: the wake-up came for no reason.
        match stream.get_ref().peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            _ => return Ok(stream),
        }
    }
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

/// The addresses behind an endpoint. An IP address is its own; a name is asked for on a thread that
/// may block.
async fn look_up(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, NetError> {
    let (host, port) = endpoint.next_hop();
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    blocking::unblock(move || (host.as_str(), port).to_socket_addrs())
        .await
        .map(Iterator::collect)
        .map_err(|error| NetError::new(NetErrorKind::NameNotFound, error.to_string()))
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests {
    use std::net::TcpListener;

    use socket2::Domain;

    use super::*;

    /// A listener whose line is full: whoever connects waits in vain.
    fn silent() -> (Stream, Vec<Stream>, SocketAddr) {
        let listener = Stream::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = (0..4).map(|_| {
            let stream = Stream::new(Domain::IPV4, Type::STREAM, None).unwrap();
            stream.set_nonblocking(true).unwrap();
            // It is under way, which is no success.
            let _ = stream.connect(&address);
            stream
        });
        let waiting = waiting.collect();
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
        let addresses = vec![silent, refused, good.local_addr().unwrap()];
        let stream = smol::block_on(connect_to_one(addresses)).unwrap();
        let peer = stream.get_ref().peer_addr().unwrap().as_socket();
        assert_eq!(peer, Some(good.local_addr().unwrap()));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(250), "{took:?}");
        assert!(took < Duration::from_millis(1900), "{took:?}");
    }

    #[test]
    fn where_all_addresses_fail_the_last_ones_error_is_told() {
        let (_bound, refused) = refused();
        let error = smol::block_on(connect_to_one(vec![refused, refused])).unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Refused);
        let error = smol::block_on(connect_to_one(Vec::new())).unwrap_err();
        assert_eq!(error.kind, NetErrorKind::NameNotFound);
    }

    #[test]
    fn t1_the_system_looks_whether_the_peer_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = smol::block_on(open_address(address.into())).unwrap();
        let socket = stream.get_ref();
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
