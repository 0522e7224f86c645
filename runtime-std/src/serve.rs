//! Between the core and the sockets: carrying out what the core orders, telling it what became of
//! it.
//!
//! Nothing here waits, and nothing here knows what the bytes mean. A connection that has failed is
//! forgotten here at once; the core's own word on it finds nothing left to close.

use std::io;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use etcd_core::CallId;
use etcd_core::ConnId;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::Output;
use etcd_core::Response;
use etcd_core::dial::Dial;

use crate::poll::Entry;
use crate::poll::Set;
use crate::poll::Waker;
use crate::shared::Key;
use crate::shared::State;
use crate::socket;
use crate::socket::Progress;
use crate::socket::Reading;
use crate::socket::Received;
use crate::socket::Socket;
use crate::tls::Tls;
use crate::tls::TlsError;
use crate::tls::TlsSession;

/// Where to connect to.
enum Way {
    Addresses(Vec<SocketAddr>),
    Path(String),
}

/// Where to connect to, and what goes around the bytes.
type Found = (Way, Option<Box<TlsSession>>);

impl State {
    /// Carries out everything the core has ordered.
    pub(crate) fn drain(&mut self, now: Instant) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Connect { conn, endpoint } => self.open(now, conn, &endpoint),
                Output::Transmit(conn) => self.transmit(now, conn),
                Output::Close(conn) => self.forget(conn),
                Output::Pause(conn) => self.set_reading(conn, Reading::Paused),
                Output::Resume(conn) => self.set_reading(conn, Reading::On),
                Output::Event(Event::Answered { call, result }) => self.answered(call, result),
                Output::Event(Event::Watch(watch)) => self.rouse(Key::Watch(watch)),
                Output::Event(Event::Stream(stream)) => self.rouse(Key::Stream(stream)),
                Output::Event(Event::Lease(lease)) if self.leases.contains(&lease) => {
                    self.rouse(Key::Lease(lease));
                }
                // Nobody wants it; so the core may forget it.
                Output::Event(Event::Lease(lease)) => {
                    while self.core.poll_lease(lease).is_some() {}
                }
                // Core and driver are of one version; there are no other events.
                Output::Event(_) => {}
            }
        }
        self.write_log();
    }

    /// Tells the core what a wait has found, and the time.
    pub(crate) fn found(&mut self, now: Instant, set: &Set) {
        for &(conn, ready) in &set.ready {
            if ready.write {
                self.writable(now, conn);
            }
            if ready.read {
                self.receive(now, conn);
            }
        }
        if self.dial_at.is_some_and(|due| due <= now) {
            self.dial(now);
        }
        if self.core.poll_timeout().is_some_and(|due| due <= now) {
            self.core.handle_timeout(now);
        }
        self.drain(now);
        self.looked = now;
    }

    /// When there is something to do although no socket is ready.
    pub(crate) fn due(&self) -> Option<Instant> {
        match (self.core.poll_timeout(), self.dial_at) {
            (Some(due), Some(dial)) => Some(due.min(dial)),
            (due, dial) => due.or(dial),
        }
    }

    /// Looks at the sockets once, without waiting; nobody drives.
    pub(crate) fn catch_up(&mut self, now: Instant, waker: &Waker) {
        let mut set = self.take_set();
        waker.wait(&mut set, Some(Duration::ZERO));
        self.found(now, &set);
        self.put_set(set);
    }

    /// The sockets to wait for, as they are now.
    pub(crate) fn take_set(&mut self) -> Set {
        if let Some(set) = self.set.take() {
            if set.version == self.version {
                return set;
            }
        }
        let entries = self.sockets.iter().flat_map(|(&conn, socket)| {
            socket.interests().map(move |(stream, interest)| Entry {
                conn,
                stream: Arc::clone(stream),
                interest,
            })
        });
        Set {
            version: self.version,
            entries: entries.collect(),
            ready: Vec::new(),
        }
    }

    /// Keeps a set for the next wait, if it still fits; a set also keeps its sockets open.
    pub(crate) fn put_set(&mut self, set: Set) {
        if set.version == self.version {
            self.set = Some(set);
        }
    }

    /// What is needed to connect has come, or has not.
    fn resolved(
        &mut self,
        now: Instant,
        conn: ConnId,
        endpoint: &Endpoint,
        found: Result<Found, NetError>,
    ) {
        if !matches!(self.sockets.get(&conn), Some(Socket::Resolving)) {
            return;
        }
        match found {
            Ok((way, tls)) => self.connect(now, conn, endpoint, way, tls),
            Err(error) => self.connect_failed(now, conn, error),
        }
        self.drain(now);
    }

    /// Opens a connection: at once where the host is an address, else when its name is looked up.
    fn open(&mut self, now: Instant, conn: ConnId, endpoint: &Endpoint) {
        let way = known_way(endpoint);
        if let Some(way) = way.filter(|_| !endpoint.is_tls()) {
            return self.connect(now, conn, endpoint, way, None);
        }

        // Looking up a name can take seconds and cannot be ended, and certificates may be on a slow
        // disk, so that has a thread of its own, which holds nothing of the client's.
        self.sockets.insert(conn, Socket::Resolving);
        let me = self.me.clone();
        let tls = self.tls.clone();
        let endpoint = endpoint.clone();
        let spawned = thread::Builder::new()
            .name("etcd-std-lookup".to_owned())
            .spawn(move || {
                let found = find_way(&endpoint, &tls);
                if let Some(shared) = me.upgrade() {
                    let mut locked = shared.lock();
                    // Read under the lock, so that the core never sees time go back.
                    let now = shared.clock.now();
                    locked.resolved(now, conn, &endpoint, found);
                    // The call that wanted the connection may be gone, and its thread with it.
                    locked.hand_on();
                }
            });
        if let Err(error) = spawned {
            self.connect_failed(now, conn, NetError::from(&error));
        }
    }

    /// Connects to one of the addresses, or to the socket.
    fn connect(
        &mut self,
        now: Instant,
        conn: ConnId,
        endpoint: &Endpoint,
        way: Way,
        tls: Option<Box<TlsSession>>,
    ) {
        let (attempts, addresses) = match way {
            Way::Addresses(addresses) => (Vec::new(), addresses),
            Way::Path(path) => match socket::begin_at_path(&path) {
                Ok(stream) => (vec![Arc::new(stream)], Vec::new()),
                Err(error) => return self.connect_failed(now, conn, NetError::from(&error)),
            },
        };
        let connecting = Socket::Connecting {
            attempts,
            dial: Dial::new(now, addresses),
            tunnel: endpoint.tunnel().map(Box::new),
            tls,
        };
        self.sockets.insert(conn, connecting);
        self.look(now, conn);
    }

    /// Addresses that have not answered for a while are no longer waited for alone.
    fn dial(&mut self, now: Instant) {
        self.dial_at = None;
        let sockets = self.sockets.iter();
        let connecting: Vec<ConnId> = sockets
            .filter(|(_, socket)| matches!(socket, Socket::Connecting { .. }))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in connecting {
            self.look(now, conn);
        }
    }

    /// Looks what came of connecting.
    fn look(&mut self, now: Instant, conn: ConnId) {
        let Some(Socket::Connecting {
            attempts,
            dial,
            tunnel,
            tls,
        }) = self.sockets.get_mut(&conn)
        else {
            return;
        };
        let progress = socket::look(attempts, dial, now);
        self.version += 1;
        match progress {
            Progress::None => {
                if let Some(due) = dial.poll_timeout() {
                    self.dial_at = Some(self.dial_at.map_or(due, |at| at.min(due)));
                }
            }
            Progress::Connected(stream) => {
                let (tunnel, tls) = (tunnel.take(), tls.take());
                let told = tunnel.is_none() && tls.is_none();
                let open = Socket::Open {
                    stream,
                    tunnel,
                    tls,
                    told,
                    reading: Reading::On,
                    blocked: false,
                };
                self.sockets.insert(conn, open);
                // The set kept for the next wait would keep the other attempts open.
                self.set = None;
                if told {
                    self.core.handle_connected(now, conn);
                } else {
                    // The proxy is asked, and hands are shaken, first.
                    self.transmit(now, conn);
                }
            }
            Progress::Failed(error) => self.connect_failed(now, conn, NetError::from(&error)),
        }
    }

    /// Tells the core that a connection cannot be opened.
    fn connect_failed(&mut self, now: Instant, conn: ConnId, error: NetError) {
        self.forget(conn);
        self.core.handle_connect_failed(now, conn, error);
    }

    /// A socket has an outcome of connecting, or room for more bytes.
    fn writable(&mut self, now: Instant, conn: ConnId) {
        match self.sockets.get(&conn) {
            Some(Socket::Connecting { .. }) => self.look(now, conn),
            Some(Socket::Open { .. }) => self.transmit(now, conn),
            Some(Socket::Resolving) | None => {}
        }
    }

    /// Gives a socket what the core has for it, as much as it takes.
    fn transmit(&mut self, now: Instant, conn: ConnId) {
        let Some(Socket::Open {
            stream,
            tunnel,
            tls,
            blocked,
            ..
        }) = self.sockets.get_mut(&conn)
        else {
            return;
        };
        let full = loop {
            let mut bytes = self.core.transmit(conn);
            if let Some(tunnel) = tunnel {
                bytes = tunnel.transmit();
            } else if let Some(tls) = tls {
                if let Err(error) = tls.seal(bytes) {
                    return self.broken(now, conn, &error);
                }
                bytes = tls.transmit();
            }
            if bytes.is_empty() {
                break false;
            }
            match socket::send(stream, bytes) {
                Ok(Some(len)) => match (&mut *tunnel, &mut *tls) {
                    (Some(tunnel), _) => tunnel.handle_written(len),
                    (None, None) => self.core.handle_written(now, conn, len),
                    // The core counts what the server can have of its own bytes.
                    (None, Some(tls)) => match tls.handle_written(len) {
                        0 => {}
                        len => self.core.handle_written(now, conn, len),
                    },
                },
                Ok(None) => break true,
                Err(error) => {
                    // What the server said before it closed may be the answer.
                    self.receive(now, conn);
                    self.failed(now, conn, &error);
                    return;
                }
            }
        };
        if *blocked != full {
            *blocked = full;
            self.version += 1;
        }
    }

    /// Gives the core what a socket has, one buffer at the most: the core may want no more of it,
    /// and the other sockets have their turn first. The next wait finds what is left at once.
    fn receive(&mut self, now: Instant, conn: ConnId) {
        let Some(Socket::Open {
            stream,
            tunnel,
            tls,
            reading: Reading::On,
            ..
        }) = self.sockets.get_mut(&conn)
        else {
            return;
        };
        if tunnel.is_some() {
            return self.receive_from_proxy(now, conn);
        }
        match (socket::receive(stream, &mut self.buf), tls) {
            (Ok(Received::Bytes(len)), None) => {
                self.core.handle_received(now, conn, &self.buf[..len]);
            }
            (Ok(Received::Bytes(len)), Some(_)) => self.receive_sealed(now, conn, len),
            (Ok(Received::Nothing), _) => {}
            (Ok(Received::Eof), None) => self.ended(now, conn),
            // A connection that was cut must not pass for one that ended.
            (Ok(Received::Eof), Some(tls)) => match tls.handle_eof() {
                Ok(()) => self.ended(now, conn),
                Err(error) => self.broken(now, conn, &error),
            },
            (Err(error), _) => self.failed(now, conn, &error),
        }
    }

    /// Gives what a proxy answered to who asked it for a tunnel.
    fn receive_from_proxy(&mut self, now: Instant, conn: ConnId) {
        let Some(Socket::Open {
            stream,
            tunnel: place @ Some(_),
            tls,
            told,
            ..
        }) = self.sockets.get_mut(&conn)
        else {
            return;
        };
        let Some(tunnel) = place else {
            return;
        };
        let mut rest = Vec::new();
        let opened = match socket::receive(stream, &mut self.buf) {
            Ok(Received::Bytes(len)) => tunnel.handle_received(&self.buf[..len], &mut rest),
            Ok(Received::Nothing) => Ok(false),
            Ok(Received::Eof) => Err(tunnel.handle_eof()),
            Err(error) => Err(NetError::from(&error)),
        };
        match opened {
            Ok(false) => return,
            Ok(true) => *place = None,
            Err(error) => return self.connect_failed(now, conn, error),
        }
        if tls.is_none() {
            *told = true;
            self.core.handle_connected(now, conn);
            if !rest.is_empty() {
                self.core.handle_received(now, conn, &rest);
            }
            return;
        }
        // Nobody speaks before the client does; if somebody did, TLS will say what is wrong with it.
        self.transmit(now, conn);
        for piece in rest.chunks(self.buf.len()) {
            self.buf[..piece.len()].copy_from_slice(piece);
            self.receive_sealed(now, conn, piece.len());
        }
    }

    /// Takes the ciphertext that was read into the buffer.
    fn receive_sealed(&mut self, now: Instant, conn: ConnId, len: usize) {
        let Some(Socket::Open {
            tls: Some(tls),
            told,
            ..
        }) = self.sockets.get_mut(&conn)
        else {
            return;
        };
        let result = tls.handle_received(&self.buf[..len], &mut self.opened);
        let is_news = !*told && tls.is_connected();
        *told |= is_news;
        let (has_more, has_ended) = (!tls.transmit().is_empty(), tls.is_ended());
        if is_news {
            self.core.handle_connected(now, conn);
        }
        if !self.opened.is_empty() {
            self.core.handle_received(now, conn, &self.opened);
            self.opened.clear();
        }
        match result {
            Err(error) => self.broken(now, conn, &error),
            Ok(()) if has_ended => self.ended(now, conn),
            // TLS itself has something to say.
            Ok(()) if has_more => self.transmit(now, conn),
            Ok(()) => {}
        }
    }

    /// Tells the core that the peer has said all it had to say.
    fn ended(&mut self, now: Instant, conn: ConnId) {
        if let Some(Socket::Open { reading, .. }) = self.sockets.get_mut(&conn) {
            *reading = Reading::Ended;
            self.version += 1;
            self.core.handle_eof(now, conn);
        }
    }

    /// Tells the core that TLS cannot go on.
    fn broken(&mut self, now: Instant, conn: ConnId, error: &TlsError) {
        self.forget(conn);
        let error = self.tls.error(error);
        self.core.handle_closed(now, conn, error);
    }

    /// Tells the core that a socket is of no use any more.
    fn failed(&mut self, now: Instant, conn: ConnId, error: &io::Error) {
        let error = match self.sockets.get_mut(&conn) {
            Some(Socket::Open { tls: Some(tls), .. }) => self.tls.socket_error(tls, error),
            Some(_) => NetError::from(error),
            None => return,
        };
        self.forget(conn);
        self.core.handle_closed(now, conn, error);
    }

    /// Closes a socket, unless a thread waits on it right now: that one will, once woken.
    fn forget(&mut self, conn: ConnId) {
        if let Some(mut socket) = self.sockets.remove(&conn) {
            socket.say_farewell();
            self.version += 1;
            // The set kept for the next wait would keep the socket open.
            self.set = None;
        }
    }

    /// Drops or restores the read interest of a socket.
    fn set_reading(&mut self, conn: ConnId, wanted: Reading) {
        if let Some(Socket::Open { reading, .. }) = self.sockets.get_mut(&conn) {
            if *reading != Reading::Ended && *reading != wanted {
                *reading = wanted;
                self.version += 1;
            }
        }
    }

    /// Keeps a result for the thread that waits for it.
    fn answered(&mut self, call: CallId, result: Box<Result<Response, Error>>) {
        // Each call has its place until its answer was taken.
        if let Some(place @ None) = self.answers.get_mut(&call) {
            *place = Some(result);
            self.unanswered -= 1;
            self.rouse(Key::Call(call));
        }
    }
}

/// Looks up the name and makes the session, which both may take their time.
fn find_way(endpoint: &Endpoint, tls: &Tls) -> Result<Found, NetError> {
    let session = match endpoint.is_tls() {
        true => Some(tls.session(endpoint.host())?),
        false => None,
    };
    if let Some(way) = known_way(endpoint) {
        return Ok((way, session));
    }
    match endpoint.next_hop().to_socket_addrs() {
        Ok(addresses) => Ok((Way::Addresses(addresses.collect()), session)),
        Err(error) => {
            let text = error.to_string();
            Err(NetError::new(NetErrorKind::NameNotFound, text))
        }
    }
}

/// The way to an endpoint for which no name has to be looked up.
fn known_way(endpoint: &Endpoint) -> Option<Way> {
    if let Some(path) = endpoint.socket_path() {
        return Some(Way::Path(path.to_owned()));
    }
    let (host, port) = endpoint.next_hop();
    let address = socket::literal(host)?;
    Some(Way::Addresses(vec![SocketAddr::new(address, port)]))
}
