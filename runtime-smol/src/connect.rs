//! Opening a connection: name look-up away from the executor's threads, each address in turn, and TLS
//! where it is to be.

use std::future::Future;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::pin::Pin;
use std::time::Duration;

use async_io::Async;
use etcd_core::ConnId;
use etcd_core::Endpoint;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use socket2::SockRef;
use socket2::TcpKeepalive;

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
    pub(crate) stream: Async<TcpStream>,
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

/// Connects, and shakes hands where there is to be TLS.
async fn open(endpoint: Endpoint, tls: Tls) -> Result<Opened, NetError> {
    if !endpoint.is_tls() {
        return Ok(Opened {
            stream: connect(&endpoint).await?,
            tls: None,
            received: Vec::new(),
        });
    }
    // It may read files.
    let (maker, host) = (tls.clone(), endpoint.host().to_owned());
    let mut session = blocking::unblock(move || maker.session(&host)).await?;
    let stream = connect(&endpoint).await?;
    let mut received = Vec::new();
    let shaken = shake_hands(&stream, &mut session, &mut received, &tls).await;
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
    stream: &Async<TcpStream>,
    session: &mut TlsSession,
    received: &mut Vec<u8>,
    tls: &Tls,
) -> Result<(), NetError> {
    let mut buf = vec![0; READ_BYTES];
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

/// Tries the endpoint's addresses one after the other. The error is the last one's.
async fn connect(endpoint: &Endpoint) -> Result<Async<TcpStream>, NetError> {
    let mut last = NetError::new(NetErrorKind::NameNotFound, "host name has no address");
    for address in look_up(endpoint).await? {
        match open_address(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = NetError::from(&error),
        }
    }
    Err(last)
}

async fn open_address(address: SocketAddr) -> io::Result<Async<TcpStream>> {
    let stream = Async::<TcpStream>::connect(address).await?;
    // A request is written in one piece, and nothing is gained by holding its tail back.
    stream.get_ref().set_nodelay(true)?;
    keep_alive(&SockRef::from(stream.get_ref()));
    Ok(stream)
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

/// The addresses behind an endpoint. An IP address is its own; a name is asked for on a thread that
/// may block.
async fn look_up(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, NetError> {
    let port = endpoint.port();
    if let Ok(address) = endpoint.host().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = endpoint.host().to_owned();
    blocking::unblock(move || (host.as_str(), port).to_socket_addrs())
        .await
        .map(Iterator::collect)
        .map_err(|error| NetError::new(NetErrorKind::NameNotFound, error.to_string()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn t1_the_system_looks_whether_the_peer_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = smol::block_on(open_address(address)).unwrap();
        let socket = SockRef::from(stream.get_ref());
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
