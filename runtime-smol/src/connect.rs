//! Opening a connection: name look-up away from the executor's threads, each address in turn.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::pin::Pin;

use async_io::Async;
use etcd_core::ConnId;
use etcd_core::Endpoint;
use etcd_core::NetError;
use etcd_core::NetErrorKind;

/// A connection being opened. Dropping it stops that; how long it may take is the core's to say.
pub(crate) struct Connecting {
    /// The core's name of the connection.
    pub(crate) conn: ConnId,
    /// Whether the core still wants it.
    pub(crate) wanted: bool,
    /// The work.
    pub(crate) opened: Pin<Box<dyn Future<Output = Result<Async<TcpStream>, NetError>> + Send>>,
}

impl Connecting {
    /// Begins to open `conn`. Nothing happens before `opened` is polled.
    pub(crate) fn new(conn: ConnId, endpoint: Endpoint) -> Self {
        Self {
            conn,
            wanted: true,
            opened: Box::pin(open(endpoint)),
        }
    }
}

/// Tries the endpoint's addresses one after the other. The error is the last one's.
async fn open(endpoint: Endpoint) -> Result<Async<TcpStream>, NetError> {
    let mut last = NetError::new(NetErrorKind::NameNotFound, "host name has no address");
    for address in look_up(&endpoint).await? {
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
    Ok(stream)
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
