//! An event loop of one's own over the core: nothing but the standard library and a poller.
//!
//! It watches a prefix, puts three keys under it once the server watches, prints each change and
//! ends when it has seen all three; the keys stay. Start it with
//!
//! ```text
//! cargo run -p etcd-core --example custom_loop -- http://127.0.0.1:2379
//! ```
//!
//! or put endpoints, with commas between them, into `ETCD_ENDPOINTS`. For `https://` endpoints
//! `ETCD_CACERT` names the file of the authority to trust, else whoever the system trusts is, and
//! `ETCD_CERT` and `ETCD_KEY` those of a client certificate.
//!
//! `run` is the loop, `Driver` does what the core orders, `Demo` is the application. The driver
//! makes no decision: which endpoint is tried when, what is sent again and when to give up is all
//! said by the core. Everything happens on one thread and nothing on it blocks but the wait; only to
//! connect, which the standard library cannot do without blocking, there is a short thread.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it is a driver, and does the IO that the core leaves to it"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use polling::Poller;

use etcd_core::CallId;
use etcd_core::Client;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Endpoint;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::Output;
use etcd_core::Put;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use etcd_tls::TlsConfig;
use etcd_tls::TlsConfigError;
use etcd_tls::TlsError;
use etcd_tls::TlsSession;

const PREFIX: &str = "examples/custom_loop/";

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("custom_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let endpoints = env::args()
        .nth(1)
        .or_else(|| env::var("ETCD_ENDPOINTS").ok())
        .unwrap_or_else(|| "http://127.0.0.1:2379".to_owned());
    let mut driver = Driver::new(Config::new(endpoints.split(','))?)?;
    let mut demo = Demo::start(&mut driver);
    loop {
        // Take every output before waiting: what is left in the queue would be done late. Doing one
        // may bring further ones, and so may a command of the application; they come in turn.
        while let Some(output) = driver.client.poll_output() {
            match output {
                Output::Connect { conn, endpoint } => driver.connect(conn, endpoint),
                Output::Transmit(conn) => driver.write(conn),
                Output::Close(conn) => driver.close(conn),
                Output::Pause(conn) => driver.set_paused(conn, true),
                Output::Resume(conn) => driver.set_paused(conn, false),
                Output::Event(event) => demo.handle_event(&mut driver, event)?,
            }
        }
        // Only now, with nothing left to hand out, is it the time to end.
        if demo.is_done() {
            break;
        }
        // Wait for a socket, for a connection, or until the core wants to be called.
        let ready = driver.wait()?;
        // Say which connections were opened, or could not be.
        driver.take_connected();
        // Say what the sockets gave, and give them what they would not take before.
        for event in ready {
            driver.handle_ready(event);
        }
        // Say that time has passed. It does no harm when nothing is due yet.
        driver.client.handle_timeout(driver.now());
    }
    // Nothing is under way any more; what the core still orders is to close the connections.
    driver.client.shutdown(driver.now());
    while let Some(output) = driver.client.poll_output() {
        if let Output::Close(conn) = output {
            driver.close(conn);
        }
    }
    Ok(())
}

/// The sockets, the clock and the poller around one [`Client`].
struct Driver {
    client: Client,
    /// How long a connecting thread may try one address, so that it does not stay on for minutes.
    connect_timeout: Duration,
    /// The core's [`Instant::ZERO`].
    start: std::time::Instant,
    poller: Arc<Poller>,
    /// Whom to trust, once something wants TLS.
    tls: Option<TlsConfig>,
    /// The open connections, under the keys that the poller has them under.
    sockets: BTreeMap<usize, Socket>,
    /// The connections being opened by a thread.
    connecting: BTreeSet<ConnId>,
    /// The ends of these threads' channel.
    connected_sender: mpsc::Sender<Connected>,
    connected: mpsc::Receiver<Connected>,
}

/// What a connecting thread has come to.
struct Connected {
    conn: ConnId,
    result: Result<(TcpStream, Option<TlsSession>), NetError>,
}

/// An open connection.
struct Socket {
    conn: ConnId,
    stream: TcpStream,
    /// What goes around its bytes, if anything does. The core sees none of it.
    tls: Option<TlsSession>,
    /// The core knows that it is open: at once, or once hands were shaken.
    told: bool,
    /// The core does not want to be given more for now.
    paused: bool,
    /// The system would not take all there is to send.
    blocked: bool,
    /// What the poller waits for on it: to read, to write.
    armed: (bool, bool),
}

impl Driver {
    fn new(config: Config) -> io::Result<Self> {
        let (connected_sender, connected) = mpsc::channel();
        Ok(Self {
            connect_timeout: config.connect_timeout,
            // Clients with different seeds do not all begin with the same server.
            client: Client::new(config, std::process::id().into(), Instant::ZERO),
            start: std::time::Instant::now(),
            poller: Arc::new(Poller::new()?),
            tls: None,
            sockets: BTreeMap::new(),
            connecting: BTreeSet::new(),
            connected_sender,
            connected,
        })
    }

    /// The clock as the core reads it. It has to be asked anew for each input: work takes time.
    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// Begins to open a connection. A loop that has a resolver and `connect` without blocking needs
    /// no thread for it, and changes nothing else.
    fn connect(&mut self, conn: ConnId, endpoint: Endpoint) {
        let sender = self.connected_sender.clone();
        let poller = Arc::clone(&self.poller);
        let timeout = self.connect_timeout;
        let tls = match self.tls_for(&endpoint) {
            Ok(tls) => tls,
            Err(error) => {
                let now = self.now();
                let error = net_error(&error.into());
                return self.client.handle_connect_failed(now, conn, error);
            }
        };
        let spawned = thread::Builder::new().spawn(move || {
            let result = open(&endpoint, timeout, tls);
            // When nobody takes the result, or can be woken for it, the program has ended.
            let _ = sender.send(Connected { conn, result });
            let _ = poller.notify();
        });
        match spawned {
            Ok(_) => {
                self.connecting.insert(conn);
            }
            Err(error) => {
                let now = self.now();
                self.client
                    .handle_connect_failed(now, conn, NetError::from(&error));
            }
        }
    }

    /// What connections to this endpoint are made with, if it wants TLS.
    fn tls_for(&mut self, endpoint: &Endpoint) -> Result<Option<TlsConfig>, TlsConfigError> {
        if endpoint.is_tls() && self.tls.is_none() {
            self.tls = Some(tls_from_env()?);
        }
        Ok(self.tls.clone().filter(|_| endpoint.is_tls()))
    }

    /// Tells the core what the connecting threads have come to.
    fn take_connected(&mut self) {
        while let Ok(Connected { conn, result }) = self.connected.try_recv() {
            // The core may have closed it meanwhile, then nothing more is to be said of it.
            if !self.connecting.remove(&conn) {
                continue;
            }
            let now = self.now();
            let added = result.and_then(|(stream, tls)| {
                let has_tls = tls.is_some();
                self.add(conn, stream, tls)?;
                Ok(has_tls)
            });
            match added {
                Ok(false) => self.client.handle_connected(now, conn),
                // Hands are shaken first, with the core's time to connect running on.
                Ok(true) => self.write(conn),
                Err(error) => self.client.handle_connect_failed(now, conn, error),
            }
        }
    }

    fn add(&mut self, conn: ConnId, stream: TcpStream, tls: Option<TlsSession>) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let key = key(conn);
        self.poller.add(&stream, polling::Event::none(key))?;
        let socket = Socket {
            conn,
            stream,
            told: tls.is_none(),
            tls,
            paused: false,
            blocked: false,
            armed: (false, false),
        };
        self.sockets.insert(key, socket);
        Ok(())
    }

    /// Hands the socket what the core has to send, until one of them has no more.
    fn write(&mut self, conn: ConnId) {
        while let Some(socket) = self.sockets.get_mut(&key(conn)) {
            let mut bytes = self.client.transmit(conn);
            if let Some(tls) = &mut socket.tls {
                // All there is, every time: it knows what of it was sealed before.
                if let Err(error) = tls.seal(bytes) {
                    return self.fail(conn, net_error(&error));
                }
                bytes = tls.transmit();
            }
            socket.blocked = !bytes.is_empty();
            if !socket.blocked {
                return;
            }
            let result = socket.stream.write(bytes);
            match result {
                // What the socket did not take stays in `transmit`, in front.
                Ok(len) if len > 0 => {
                    // With TLS, the core counts what the server can have of its bytes.
                    let tls = socket.tls.as_mut();
                    let len = tls.map_or(len, |tls| tls.handle_written(len));
                    let now = self.now();
                    self.client.handle_written(now, conn, len);
                }
                Ok(_) => return self.fail(conn, io::Error::from(ErrorKind::WriteZero).into()),
                // `blocked` stays set, so that the poller says when it takes more.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(conn, error),
            }
        }
    }

    /// Reads once. If there is more, the poller says so again: thus no connection keeps the others
    /// waiting, and an order to pause comes before the next read.
    fn read(&mut self, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(&key(conn)).filter(|s| !s.paused) else {
            return;
        };
        let mut buf = [0; 16 * 1024];
        let result = socket.stream.read(&mut buf);
        let has_tls = socket.tls.is_some();
        let now = self.now();
        match (result, has_tls) {
            (Ok(0), false) => self.client.handle_eof(now, conn),
            (Ok(len), false) => self.client.handle_received(now, conn, &buf[..len]),
            (Ok(len), true) => self.read_sealed(conn, &buf[..len]),
            (Err(error), _) if error.kind() == ErrorKind::WouldBlock => {}
            (Err(error), _) if error.kind() == ErrorKind::Interrupted => {}
            (Err(error), _) => self.lost(conn, error),
        }
    }

    /// What was read is ciphertext; nothing of it is the end.
    fn read_sealed(&mut self, conn: ConnId, bytes: &[u8]) {
        let now = self.now();
        let Some(Socket {
            tls: Some(tls),
            told,
            ..
        }) = self.sockets.get_mut(&key(conn))
        else {
            return;
        };
        let mut plaintext = Vec::new();
        let result = match bytes {
            // Only the server's own word makes it an end, and not a cut.
            [] => tls.handle_eof(),
            bytes => tls.handle_received(bytes, &mut plaintext),
        };
        let has_ended = tls.is_ended();
        if tls.is_connected() && !*told {
            *told = true;
            self.client.handle_connected(now, conn);
        }
        // What came whole counts, whatever came behind it.
        self.client.handle_received(now, conn, &plaintext);
        match result {
            Err(error) => self.fail(conn, net_error(&error)),
            Ok(()) if has_ended => self.client.handle_eof(now, conn),
            // The handshake goes on, or TLS has something of its own to say.
            Ok(()) => self.write(conn),
        }
    }

    /// The socket failed. While hands are shaken, that may be for a server that speaks no TLS.
    fn lost(&mut self, conn: ConnId, error: io::Error) {
        let is_reset = matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        );
        let tls = self
            .sockets
            .get_mut(&key(conn))
            .and_then(|s| s.tls.as_mut());
        match tls.map_or(Ok(()), |tls| tls.handle_reset()) {
            Err(why) if is_reset => self.fail(conn, net_error(&why)),
            _ => self.fail(conn, error.into()),
        }
    }

    /// Tells the core that a connection is lost. Its order to close follows, and only with that the
    /// socket goes: there is one place where sockets end.
    fn fail(&mut self, conn: ConnId, error: NetError) {
        let now = self.now();
        self.client.handle_closed(now, conn, error);
    }

    /// Closes a connection, or forgets that it is being opened: its thread's result finds nothing.
    fn close(&mut self, conn: ConnId) {
        self.connecting.remove(&conn);
        if let Some(mut socket) = self.sockets.remove(&key(conn)) {
            if let Some(tls) = &mut socket.tls {
                // Whether the server hears of it changes nothing here.
                let _ = socket.stream.write(tls.farewell());
            }
            // The system forgets a closed socket anyway; an error here changes nothing.
            let _ = self.poller.delete(&socket.stream);
        }
    }

    fn set_paused(&mut self, conn: ConnId, paused: bool) {
        if let Some(socket) = self.sockets.get_mut(&key(conn)) {
            socket.paused = paused;
        }
    }

    /// Waits until something has happened or is due.
    fn wait(&mut self) -> io::Result<Vec<polling::Event>> {
        // Say what to wait for. Reading and writing do not wait for each other; a paused socket is
        // not read, so that TCP holds back the server.
        for (&key, socket) in &mut self.sockets {
            let (readable, writable) = (!socket.paused, socket.blocked);
            if socket.armed != (readable, writable) {
                let interest = polling::Event {
                    key,
                    readable,
                    writable,
                };
                self.poller.modify(&socket.stream, interest)?;
                socket.armed = (readable, writable);
            }
        }
        // Without a time from the core, there is nothing that only time could bring.
        let timeout = self.client.poll_timeout().map(|due| due - self.now());
        let mut ready = Vec::new();
        match self.poller.wait(&mut ready, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(ready),
        }
    }

    /// Does what a socket is ready for. One that was closed a moment ago is not found any more, and
    /// no other can be under its key: ids of connections are never used again.
    fn handle_ready(&mut self, event: polling::Event) {
        let Some(socket) = self.sockets.get_mut(&event.key) else {
            return;
        };
        // The poller says each thing once, then it has to be asked again.
        socket.armed = (false, false);
        let conn = socket.conn;
        if event.readable {
            self.read(conn);
        }
        if event.writable {
            self.write(conn);
        }
    }
}

/// Connects to the first of the host's addresses that answers. With TLS, hands are shaken later.
fn open(
    endpoint: &Endpoint,
    timeout: Duration,
    tls: Option<TlsConfig>,
) -> Result<(TcpStream, Option<TlsSession>), NetError> {
    // It reads its files here, where nobody waits for them.
    let session = tls.map(|tls| tls.session(endpoint.host())).transpose();
    let session = session.map_err(|error| net_error(&error))?;
    let not_found = |text: String| NetError::new(NetErrorKind::NameNotFound, text);
    let addresses = (endpoint.host(), endpoint.port())
        .to_socket_addrs()
        .map_err(|error| not_found(error.to_string()))?;
    let mut last = not_found(format!("{} has no address", endpoint.host()));
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok((stream, session)),
            Err(error) => last = NetError::from(&error),
        }
    }
    Err(last)
}

/// Whom to trust and who one is, from the environment.
fn tls_from_env() -> Result<TlsConfig, TlsConfigError> {
    let mut tls = match env::var_os("ETCD_CACERT") {
        Some(file) => TlsConfig::builder().with_root_file(file),
        None => TlsConfig::builder().with_system_roots(),
    };
    if let (Some(cert), Some(key)) = (env::var_os("ETCD_CERT"), env::var_os("ETCD_KEY")) {
        tls = tls.with_client_files(cert, key);
    }
    tls.build()
}

/// What the core is told of TLS. The kinds matter: of a refused certificate it knows that nothing was
/// read of what was sent before the refusal came.
fn net_error(error: &TlsError) -> NetError {
    let kind = match error {
        TlsError::Certificate(_) => NetErrorKind::Certificate,
        TlsError::Refused(_) => NetErrorKind::CertificateRefused,
        error if error.is_before_any_request() => NetErrorKind::Tls,
        _ => NetErrorKind::TlsBroken,
    };
    NetError::new(kind, error.to_string())
}

/// The poller's key of a connection.
const fn key(conn: ConnId) -> usize {
    // Even where this cuts something off, it takes 4 billion connections to get there.
    conn.get() as usize
}

/// The application: what it has asked for and not seen yet.
struct Demo {
    watch: WatchId,
    unanswered: BTreeSet<CallId>,
    unseen: BTreeSet<String>,
}

impl Demo {
    fn start(driver: &mut Driver) -> Self {
        let now = driver.now();
        Self {
            watch: driver.client.watch(now, Watch::prefix(PREFIX)),
            unanswered: BTreeSet::new(),
            unseen: ["one", "two", "three"]
                .map(|name| format!("{PREFIX}{name}"))
                .into(),
        }
    }

    fn is_done(&self) -> bool {
        self.unseen.is_empty() && self.unanswered.is_empty()
    }

    fn handle_event(&mut self, driver: &mut Driver, event: Event) -> Result<(), Failure> {
        match event {
            Event::Answered { call, result } => {
                (*result).map_err(|error| format!("cannot put: {error}"))?;
                self.unanswered.remove(&call);
            }
            // It is not told again before all was taken.
            Event::Watch(watch) if watch == self.watch => {
                while let Some(event) = driver.client.poll_watch(watch) {
                    self.handle_watch_event(driver, event)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_watch_event(
        &mut self,
        driver: &mut Driver,
        event: WatchEvent,
    ) -> Result<(), Failure> {
        match event {
            WatchEvent::Created { revision } => {
                println!("watching {PREFIX} after revision {revision}");
                for key in &self.unseen {
                    let now = driver.now();
                    let call = driver.client.call(now, Put::new(key, "a value"));
                    self.unanswered.insert(call);
                }
            }
            WatchEvent::Batch(batch) => {
                for event in batch.events {
                    let key = String::from_utf8_lossy(&event.kv.key);
                    println!("revision {}: {:?} {key}", batch.revision, event.kind);
                    self.unseen.remove(&*key);
                }
            }
            WatchEvent::Resumed { from, endpoint } => {
                println!("going on from revision {from} at {endpoint}");
            }
            WatchEvent::End(end) => return Err(format!("cannot watch: {end}").into()),
            _ => {}
        }
        Ok(())
    }
}
