//! The loop: real sockets, the real clock, one thread.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Instant as Clock, SystemTime, UNIX_EPOCH};

use etcd_core::Instant;
use polling::{Event, Poller};

use super::host::{ConnKey, Host, Input};
use super::journal::{Beginning, Journal};
use super::orders::{self, Order};
use super::{LINGER, Options, end};
use crate::etcd::{Place, Setup};

/// The first keys are the listeners'.
const FIRST_CONN: ConnKey = 1 << 16;

/// How much is read from a connection at once.
const READ: usize = 64 << 10;

pub(super) fn run(options: &Options, ready: impl FnOnce(&[SocketAddr])) -> io::Result<()> {
    let mut server = Server::new(options)?;
    let orders = match options.takes_orders {
        true => Some(orders::listen(&server.poller)),
        false => None,
    };
    let asked_to_end = end::asked(&server.poller)?;
    ready(&server.addresses);
    let mut events = Vec::new();
    loop {
        events.clear();
        let timeout = server.timeout();
        match server.poller.wait(&mut events, timeout) {
            // A process that was suspended and goes on.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            waited => drop(waited?),
        }
        let now = server.now();
        for event in &events {
            server.happen(now, *event)?;
        }
        let goes_on = match &orders {
            Some(orders) => server.obey(now, orders)?,
            None => true,
        };
        server.turn()?;
        if !goes_on || asked_to_end() {
            return server.end();
        }
    }
}

struct Server {
    host: Host,
    journal: Option<Journal>,
    poller: Arc<Poller>,
    /// One for each member that runs.
    listeners: BTreeMap<usize, TcpListener>,
    /// Where each member listens, or did.
    addresses: Vec<SocketAddr>,
    sockets: BTreeMap<ConnKey, Socket>,
    next_conn: ConnKey,
    started: Clock,
    /// The host's time when this process started.
    zero: Instant,
}

struct Socket {
    stream: TcpStream,
    member: usize,
    /// Whether the client may send more.
    is_open: bool,
    /// Until when what still comes is thrown away, once all was sent.
    lingers: Option<Instant>,
}

impl Server {
    fn new(options: &Options) -> io::Result<Self> {
        if options.takes_orders && options.data_dir.is_some() {
            let what = "orders are in no journal, so there cannot be a data folder with them";
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        let listeners = listen(options)?;
        let addresses: io::Result<Vec<_>> = listeners.iter().map(TcpListener::local_addr).collect();
        let addresses = addresses?;
        let setup = placed(&options.setup, &addresses);
        let poller = Arc::new(Poller::new()?);
        for (member, listener) in listeners.iter().enumerate() {
            listener.set_nonblocking(true)?;
            poller.add(listener, Event::readable(member))?;
        }
        let listeners = listeners.into_iter().enumerate().collect();
        let started = Clock::now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = wall.map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        });
        let new = Beginning {
            seed: options.seed.unwrap_or(wall),
            epoch: wall,
        };
        let (journal, held) = match &options.data_dir {
            None => (None, None),
            Some(folder) => {
                let (journal, held) = Journal::open(folder, new)?;
                (Some(journal), held)
            }
        };
        let Beginning { seed, epoch } = held.as_ref().map_or(new, |held| held.beginning);
        let mut server = Self {
            host: Host::new(setup, options.front.clone(), seed, Instant::ZERO),
            journal,
            poller,
            listeners,
            addresses,
            sockets: BTreeMap::new(),
            next_conn: FIRST_CONN,
            started,
            zero: Instant::from_nanos(wall.saturating_sub(epoch)),
        };
        if let Some(held) = held {
            for (now, input) in held.inputs() {
                server.host.handle(now, input);
                // Somebody may have set the clock back.
                server.zero = server.zero.max(now);
                if let Input::Accepted { conn, .. } = input {
                    server.next_conn = conn + 1;
                }
            }
            server.input(server.zero, Input::Restarted);
            server.flush_journal()?;
        }
        Ok(server)
    }

    fn now(&self) -> Instant {
        self.zero + self.started.elapsed()
    }

    /// How long nothing will happen by itself.
    fn timeout(&self) -> Option<Duration> {
        let lingering = self.sockets.values().filter_map(|socket| socket.lingers);
        let due = lingering.chain(self.host.poll_timeout()).min()?;
        Some(due - self.now())
    }

    fn input(&mut self, now: Instant, input: Input<'_>) {
        if let Some(journal) = &mut self.journal {
            journal.note(now, input);
        }
        self.host.handle(now, input);
    }

    fn flush_journal(&mut self) -> io::Result<()> {
        self.journal.as_mut().map_or(Ok(()), Journal::flush)
    }

    fn happen(&mut self, now: Instant, event: Event) -> io::Result<()> {
        if let Some(listener) = self.listeners.get(&event.key) {
            if self.host.is_paused(event.key) {
                return Ok(());
            }
            let accepted = listener.accept();
            self.poller.modify(listener, Event::readable(event.key))?;
            return match accepted {
                Ok((stream, _)) => self.accept(now, event.key, stream),
                // The one who came is gone, or comes later.
                Err(_) => Ok(()),
            };
        }
        let conn = u64::try_from(event.key).unwrap_or(0);
        if event.readable {
            self.read(now, conn);
        }
        if event.writable {
            self.write(conn);
        }
        self.watch(conn)
    }

    fn accept(&mut self, now: Instant, member: usize, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let conn = self.next_conn;
        self.next_conn += 1;
        self.poller.add(&stream, Event::readable(key(conn)))?;
        self.sockets.insert(
            conn,
            Socket {
                stream,
                member,
                is_open: true,
                lingers: None,
            },
        );
        self.input(now, Input::Accepted { conn, member });
        Ok(())
    }

    fn read(&mut self, now: Instant, conn: ConnKey) {
        if self.is_paused(conn) {
            return;
        }
        let Some(socket) = self.sockets.get_mut(&conn).filter(|socket| socket.is_open) else {
            return;
        };
        let lingers = socket.lingers.is_some();
        let mut bytes = vec![0; READ];
        match socket.stream.read(&mut bytes) {
            Ok(0) => {
                socket.is_open = false;
                if lingers {
                    self.close(now, conn);
                } else {
                    self.input(now, Input::Eof { conn });
                }
            }
            Ok(_) if lingers => {}
            Ok(len) => {
                let bytes = &bytes[..len];
                self.input(now, Input::Received { conn, bytes });
            }
            Err(error) if is_later(&error) => {}
            Err(_) => self.close(now, conn),
        }
    }

    /// Sends what there is to send.
    fn write(&mut self, conn: ConnKey) {
        let now = self.now();
        if self.is_paused(conn) {
            return;
        }
        while let Some(socket) = self.sockets.get_mut(&conn) {
            let bytes = self.host.transmit(conn);
            if bytes.is_empty() {
                break;
            }
            match socket.stream.write(bytes) {
                Ok(len) => self.host.handle_written(conn, len),
                Err(error) if is_later(&error) => return,
                Err(_) => return self.close(now, conn),
            }
        }
        let Some(socket) = self.sockets.get_mut(&conn) else {
            return;
        };
        if self.host.is_done(conn) && socket.lingers.is_none() {
            if !socket.is_open || socket.stream.shutdown(Shutdown::Write).is_err() {
                return self.close(now, conn);
            }
            socket.lingers = Some(now + LINGER);
        }
    }

    fn close(&mut self, now: Instant, conn: ConnKey) {
        if let Some(socket) = self.sockets.remove(&conn) {
            // It was added, so it can be taken out; if not, the system forgets it with the socket.
            let _ = self.poller.delete(&socket.stream);
            self.input(now, Input::Closed { conn });
        }
    }

    /// After all that happened: what is due, and what is to be sent.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.now();
        if self.host.poll_timeout().is_some_and(|due| due <= now) {
            self.input(now, Input::Timeout);
        }
        let over = |socket: &Socket| socket.lingers.is_some_and(|until| until <= now);
        let over = self.sockets.iter().filter(|(_, socket)| over(socket));
        let over: Vec<_> = over.map(|(conn, _)| *conn).collect();
        for conn in over {
            self.close(now, conn);
        }
        // Nobody is told what is not in the journal.
        self.flush_journal()?;
        while let Some(conn) = self.host.poll_dirty() {
            self.write(conn);
            self.watch(conn)?;
        }
        self.flush_journal()
    }

    fn is_paused(&self, conn: ConnKey) -> bool {
        let socket = self.sockets.get(&conn);
        socket.is_some_and(|socket| self.host.is_paused(socket.member))
    }

    /// Does what was ordered until now, and says so. False if that was to end.
    fn obey(&mut self, now: Instant, orders: &Receiver<Result<Order, String>>) -> io::Result<bool> {
        while let Ok(order) = orders.try_recv() {
            let done = match order {
                Ok(Order::End) => return Ok(false),
                Ok(order) => self.do_to_member(now, order)?,
                Err(error) => Err(error),
            };
            let mut out = io::stdout().lock();
            match done {
                Ok(done) => writeln!(out, "{done}")?,
                Err(error) => writeln!(out, "error: {error}")?,
            }
            out.flush()?;
        }
        Ok(true)
    }

    /// Tells what was done, or what speaks against it.
    fn do_to_member(&mut self, now: Instant, order: Order) -> io::Result<Result<String, String>> {
        if let Order::Stop(member)
        | Order::Start(member)
        | Order::Pause(member)
        | Order::Resume(member) = order
        {
            if member >= self.addresses.len() {
                return Ok(Err(format!("there is no member {member}")));
            }
        }
        let said = match order {
            Order::Stop(member) => {
                let of = self.sockets.iter().filter(|(_, of)| of.member == member);
                let of: Vec<_> = of.map(|(conn, _)| *conn).collect();
                for conn in of {
                    self.close(now, conn);
                }
                if let Some(listener) = self.listeners.remove(&member) {
                    self.poller.delete(&listener)?;
                }
                self.host.stop(now, member);
                format!("member {member} is stopped")
            }
            Order::Start(member) => {
                if self.listeners.contains_key(&member) {
                    return Ok(Err(format!("member {member} runs already")));
                }
                let address = self.addresses[member];
                if let Err(error) = self.open(member, address) {
                    return Ok(Err(format!("cannot listen on {address}: {error}")));
                }
                if !self.host.start(now, member) {
                    self.listeners.remove(&member);
                    return Ok(Err(format!("member {member} was removed from the cluster")));
                }
                format!("member {member} is at {}", url(address))
            }
            Order::Pause(member) | Order::Resume(member) => {
                let Some(listener) = self.listeners.get(&member) else {
                    return Ok(Err(format!("member {member} does not run")));
                };
                let paused = matches!(order, Order::Pause(_));
                self.host.pause(now, member, paused);
                let wanted = Event {
                    readable: !paused,
                    ..Event::none(member)
                };
                self.poller.modify(listener, wanted)?;
                match paused {
                    true => format!("member {member} stands still"),
                    false => format!("member {member} goes on"),
                }
            }
            Order::Join {
                peer_url,
                listen,
                name,
            } => {
                let member = self.addresses.len();
                let address = match self.open(member, listen) {
                    Ok(address) => address,
                    Err(error) => return Ok(Err(format!("cannot listen on {listen}: {error}"))),
                };
                let place = Place::new(name, peer_url, url(address));
                if self.host.join(now, &place).is_none() {
                    self.listeners.remove(&member);
                    let peer_url = place.peer_url;
                    return Ok(Err(format!("nobody added a member at {peer_url}")));
                }
                self.addresses.push(address);
                format!("member {member} is at {}", place.client_url)
            }
            Order::End => String::new(),
        };
        Ok(Ok(said))
    }

    /// Listens for a member. Tells where.
    fn open(&mut self, member: usize, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        self.poller.add(&listener, Event::readable(member))?;
        self.listeners.insert(member, listener);
        Ok(address)
    }

    /// Tells all who wait that the server goes, as far as they read it at once.
    fn end(mut self) -> io::Result<()> {
        self.listeners.clear();
        self.host.end();
        while let Some(conn) = self.host.poll_dirty() {
            self.write(conn);
        }
        for socket in self.sockets.values() {
            // Who closed it already has heard of it.
            let _ = socket.stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Tells the system what a connection waits for.
    fn watch(&self, conn: ConnKey) -> io::Result<()> {
        let Some(socket) = self.sockets.get(&conn) else {
            return Ok(());
        };
        let moves = !self.host.is_paused(socket.member);
        let event = Event {
            key: key(conn),
            readable: moves && socket.is_open,
            writable: moves && !self.host.transmit(conn).is_empty(),
        };
        self.poller.modify(&socket.stream, event)
    }
}

/// Who is where, as the list of members is to tell it.
fn placed(setup: &Setup, addresses: &[SocketAddr]) -> Setup {
    let nowhere = Setup::new(setup.version.clone());
    let places = addresses.iter().enumerate().map(|(member, address)| {
        let mut place = nowhere.place(member);
        place.client_url = url(*address);
        if let Some(said) = setup.places.get(member) {
            place.name.clone_from(&said.name);
            for (is, said) in [
                (&mut place.peer_url, &said.peer_url),
                (&mut place.client_url, &said.client_url),
            ] {
                if !said.is_empty() {
                    is.clone_from(said);
                }
            }
        }
        place
    });
    setup.clone().with_places(places)
}

/// Where a listener is reached from the same machine.
fn url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    format!("http://{address}")
}

/// A listener for each member.
fn listen(options: &Options) -> io::Result<Vec<TcpListener>> {
    let members = options.setup.members.max(1);
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (0..members)
        .map(|member| {
            let address = options.listen.get(member).copied().unwrap_or(free);
            TcpListener::bind(address).map_err(|error| {
                let text = error.to_string().to_lowercase();
                io::Error::new(error.kind(), format!("cannot listen on {address}: {text}"))
            })
        })
        .collect()
}

fn key(conn: ConnKey) -> usize {
    usize::try_from(conn).unwrap_or(usize::MAX - 1)
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
