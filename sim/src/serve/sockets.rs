//! The loop: real sockets, the real clock, one thread.

use core::convert::Infallible;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Instant as Clock, SystemTime, UNIX_EPOCH};

use etcd_core::Instant;
use polling::{Event, Poller};

use super::host::{ConnKey, Host, Input};
use super::journal::{Beginning, Journal};
use super::{LINGER, Options};

/// The first keys are the listeners'.
const FIRST_CONN: ConnKey = 1 << 16;

/// How much is read from a connection at once.
const READ: usize = 64 << 10;

pub(super) fn run(options: &Options, ready: impl FnOnce(&[SocketAddr])) -> io::Result<Infallible> {
    let mut server = Server::new(options)?;
    let addresses: io::Result<Vec<_>> = server
        .listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect();
    ready(&addresses?);
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
        server.turn()?;
    }
}

struct Server {
    host: Host,
    journal: Option<Journal>,
    poller: Poller,
    listeners: Vec<TcpListener>,
    sockets: BTreeMap<ConnKey, Socket>,
    next_conn: ConnKey,
    started: Clock,
    /// The host's time when this process started.
    zero: Instant,
}

struct Socket {
    stream: TcpStream,
    /// Whether the client may send more.
    is_open: bool,
    /// Until when what still comes is thrown away, once all was sent.
    lingers: Option<Instant>,
}

impl Server {
    fn new(options: &Options) -> io::Result<Self> {
        let listeners = listen(options)?;
        let poller = Poller::new()?;
        for (member, listener) in listeners.iter().enumerate() {
            listener.set_nonblocking(true)?;
            poller.add(listener, Event::readable(member))?;
        }
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
            host: Host::new(options.setup.clone(), seed, Instant::ZERO),
            journal,
            poller,
            listeners,
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
        if let Some(listener) = self.listeners.get(event.key) {
            let accepted = listener.accept();
            self.poller
                .modify(&self.listeners[event.key], Event::readable(event.key))?;
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
                is_open: true,
                lingers: None,
            },
        );
        self.input(now, Input::Accepted { conn, member });
        Ok(())
    }

    fn read(&mut self, now: Instant, conn: ConnKey) {
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

    /// Tells the system what a connection waits for.
    fn watch(&self, conn: ConnKey) -> io::Result<()> {
        let Some(socket) = self.sockets.get(&conn) else {
            return Ok(());
        };
        let event = Event {
            key: key(conn),
            readable: socket.is_open,
            writable: !self.host.transmit(conn).is_empty(),
        };
        self.poller.modify(&socket.stream, event)
    }
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
