//! A proxy on loopback that breaks connections on purpose, at exact bytes.
//!
//! Each connection has a plan that was made before it came: what goes wrong with the bytes of either
//! way, and behind which. Two threads carry its bytes, one for each way, and whoever strikes wakes the
//! other. It knows no HTTP and no etcd, and nothing in it waits for time to pass.

use std::collections::VecDeque;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use socket2::SockRef;

/// What goes wrong with the bytes that go one way.
///
/// A number is of bytes that pass before. 0 strikes when the first byte comes, which does not pass, and
/// any other one right behind the last byte it lets pass; so nothing happens where fewer come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Both ends are reset (RST).
    Reset(u64),
    /// Both ends are told that nothing more comes (FIN), and what they still send is thrown away.
    Cut(u64),
    /// No further byte passes this way, and nobody is told.
    Stall(u64),
    /// All bytes pass, each by itself.
    Drip,
}

impl Fault {
    fn place(self) -> Option<u64> {
        match self {
            Self::Reset(place) | Self::Cut(place) | Self::Stall(place) => Some(place),
            Self::None | Self::Drip => None,
        }
    }
}

/// What goes wrong with one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// With what the client sends.
    pub up: Fault,
    /// With what the server sends.
    pub down: Fault,
}

impl Plan {
    /// Something goes wrong with what the client sends.
    #[must_use]
    pub fn up(fault: Fault) -> Self {
        Self {
            up: fault,
            down: Fault::None,
        }
    }

    /// Something goes wrong with what the server sends.
    #[must_use]
    pub fn down(fault: Fault) -> Self {
        Self {
            up: Fault::None,
            down: fault,
        }
    }
}

/// A proxy that runs until it is dropped, which resets what goes through it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The plans of the next connections.
    next: VecDeque<Plan>,
    /// The plan of those behind them.
    further: Plan,
    severed: bool,
    ended: bool,
    struck: u64,
    last_struck: Option<Instant>,
    arrivals: Vec<Instant>,
    links: Vec<Weak<Link>>,
}

impl Proxy {
    /// Starts one in front of this port on loopback. Nothing goes wrong until it is told what.
    pub fn start(upstream: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::default(),
        });
        let listening = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.listen(&listener))
        };
        Ok(Self {
            port,
            shared,
            listening: Some(listening),
        })
    }

    /// The URL clients reach it by.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The plan of the next connection, or of the one behind those that have a plan already.
    pub fn next(&self, plan: Plan) {
        self.shared.state().next.push_back(plan);
    }

    /// The plan of all connections that have no plan of their own.
    pub fn further(&self, plan: Plan) {
        self.shared.state().further = plan;
    }

    /// Resets all connections, and every further one when it comes, until [`Proxy::heal`].
    pub fn sever(&self) {
        self.shared.state().severed = true;
        self.shared.reset_all();
    }

    /// Nothing goes wrong any more with connections that come.
    pub fn heal(&self) {
        let mut state = self.shared.state();
        state.severed = false;
        state.next.clear();
        state.further = Plan::default();
    }

    /// How many connections had something go wrong at a byte of theirs.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.shared.state().struck
    }

    /// When something last went wrong at a byte.
    #[must_use]
    pub fn last_struck(&self) -> Option<Instant> {
        self.shared.state().last_struck
    }

    /// When connections came, those that were reset at once and those to a server that is gone included.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Instant> {
        self.shared.state().arrivals.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.reset_all();
        // It listens in a call that only a connection ends.
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let (Ok(_), Some(listening)) = (woken, self.listening.take()) {
            // What it could have panicked about was told by then.
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.state().ended {
                return;
            }
            // One that was reset before it was taken.
            let Ok(client) = client else { continue };
            let plan = {
                let mut state = self.state();
                state.arrivals.push(Instant::now());
                match state.severed {
                    true => None,
                    false => Some(state.next.pop_front().unwrap_or(state.further)),
                }
            };
            let Some(plan) = plan else {
                reset_when_dropped(&client);
                continue;
            };
            let shared = Arc::clone(self);
            thread::spawn(move || shared.serve(client, plan));
        }
    }

    fn serve(self: Arc<Self>, client: TcpStream, plan: Plan) {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream));
        let prepared = server.and_then(|server| {
            for stream in [&client, &server] {
                // Bytes are to pass as they come, and who waits to write is to see the end of the other way.
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(LOOK_EVERY))?;
            }
            Ok(server)
        });
        let Ok(server) = prepared else {
            return reset_when_dropped(&client);
        };
        let link = Arc::new(Link {
            client,
            server,
            phase: Mutex::new(Phase::Open),
            changed: Condvar::new(),
        });
        {
            let mut state = self.state();
            state.links.retain(|link| link.strong_count() > 0);
            state.links.push(Arc::downgrade(&link));
            // Severed since it came.
            if state.severed || state.ended {
                return link.reset();
            }
        }
        let (shared, upward) = (Arc::clone(&self), Arc::clone(&link));
        thread::spawn(move || upward.carry(&upward.client, &upward.server, plan.up, &shared));
        link.carry(&link.server, &link.client, plan.down, &self);
    }

    fn reset_all(&self) {
        let links: Vec<_> = {
            let state = self.state();
            state.links.iter().filter_map(Weak::upgrade).collect()
        };
        links.iter().for_each(|link| link.reset());
    }
}

/// One connection and the one to the server behind it; both close when the threads of both ways ended.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    phase: Mutex<Phase>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Both ends were told that nothing more comes.
    Cut,
    /// Both ends are reset when the last thread lets go.
    Reset,
}

impl Link {
    /// Carries bytes one way until the end of it.
    fn carry(&self, from: &TcpStream, to: &TcpStream, fault: Fault, shared: &Shared) {
        let place = fault.place();
        let mut passed = 0;
        let mut buf = [0; 16 * 1024];
        loop {
            let most = match place {
                Some(place) => usize::try_from(place - passed).unwrap_or(buf.len()),
                None => buf.len(),
            };
            let most = most.clamp(1, buf.len());
            let len = match read(from, &mut buf[..most]) {
                Ok(0) => break,
                Ok(len) => len,
                Err(_) => return self.reset(),
            };
            match self.phase() {
                Phase::Open => {}
                Phase::Cut => return drain(from),
                Phase::Reset => return,
            }
            if place != Some(0) {
                if self.pass(&buf[..len], to, fault).is_err() {
                    return self.reset();
                }
                passed += len as u64;
            }
            if place != Some(passed) {
                continue;
            }
            self.strike(fault, shared);
            return match fault {
                Fault::Cut(_) => drain(from),
                Fault::Stall(_) => self.wait_for_a_reset(),
                _ => {}
            };
        }
        // What the one end says the other is told, unless it was told before.
        if self.phase() == Phase::Open {
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    fn pass(&self, bytes: &[u8], to: &TcpStream, fault: Fault) -> io::Result<()> {
        if fault != Fault::Drip {
            return self.write(bytes, to);
        }
        bytes.chunks(1).try_for_each(|byte| self.write(byte, to))
    }

    /// Writes all, or until the other way has ended it.
    fn write(&self, mut bytes: &[u8], mut to: &TcpStream) -> io::Result<()> {
        while !bytes.is_empty() {
            match to.write(bytes) {
                Ok(len) => bytes = &bytes[len..],
                Err(error) if is_to_be_tried_again(&error) => {}
                Err(error) => return Err(error),
            }
            match self.phase() {
                Phase::Open => {}
                Phase::Cut => return Ok(()),
                Phase::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
        Ok(())
    }

    /// Lets the fault happen, and counts it before anybody can see it; nothing where the connection was
    /// broken before.
    fn strike(&self, fault: Fault, shared: &Shared) {
        let mut phase = self.lock();
        if *phase != Phase::Open {
            return;
        }
        {
            let mut state = shared.state();
            state.struck += 1;
            state.last_struck = Some(Instant::now());
        }
        match fault {
            Fault::Cut(_) => {
                *phase = Phase::Cut;
                for stream in [&self.client, &self.server] {
                    let _ = stream.shutdown(Shutdown::Write);
                }
            }
            Fault::Reset(_) => self.end(&mut phase),
            Fault::Stall(_) | Fault::Drip | Fault::None => {}
        }
    }

    fn reset(&self) {
        self.end(&mut self.lock());
    }

    /// Has both ends reset as soon as both threads let go, which it makes them do.
    fn end(&self, phase: &mut Phase) {
        *phase = Phase::Reset;
        for stream in [&self.client, &self.server] {
            reset_when_dropped(stream);
            // Says nothing to the peer, but wakes whoever reads.
            let _ = stream.shutdown(Shutdown::Read);
        }
        self.changed.notify_all();
    }

    /// Waits until the other way, or somebody else, resets the connection.
    fn wait_for_a_reset(&self) {
        let mut phase = self.lock();
        while *phase != Phase::Reset {
            phase = self
                .changed
                .wait(phase)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn phase(&self) -> Phase {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(mut from: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buf) {
            Err(error) if is_to_be_tried_again(&error) => {}
            done => return done,
        }
    }
}

/// Reads to the end, so that nobody is reset for having sent what nobody reads.
fn drain(from: &TcpStream) {
    let mut buf = [0; 16 * 1024];
    while read(from, &mut buf).is_ok_and(|len| len > 0) {}
}

fn is_to_be_tried_again(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Has the stream's peer reset when the stream is dropped, instead of told of its end.
fn reset_when_dropped(stream: &TcpStream) {
    // It can fail on a stream only that is broken by then.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

const LOOK_EVERY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each byte by that byte twice, and a proxy in front of it.
    fn doubling() -> (Proxy, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().port()).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).is_ok_and(|len| len == 1) {
                if stream.write_all(&[byte[0]; 2]).is_err() {
                    return;
                }
            }
        });
        (proxy, server)
    }

    /// What comes back through the proxy for `sent`, and how it ends.
    fn exchange(proxy: &Proxy, sent: &[u8]) -> (Vec<u8>, Option<io::ErrorKind>) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap();
        let limit = Some(Duration::from_millis(200));
        stream.set_read_timeout(limit).unwrap();
        let mut told = Vec::new();
        stream.write_all(sent).unwrap();
        // Fails where the connection is broken by then, which reading tells.
        let _ = stream.shutdown(Shutdown::Write);
        let ended = stream.read_to_end(&mut told);
        (told, ended.err().map(|error| error.kind()))
    }

    #[test]
    fn nothing_goes_wrong_unless_it_is_told() {
        for plan in [
            Plan::default(),
            Plan::up(Fault::Drip),
            Plan::down(Fault::Drip),
        ] {
            let (proxy, server) = doubling();
            proxy.next(plan);
            assert_eq!(exchange(&proxy, b"abc"), (b"aabbcc".to_vec(), None));
            server.join().unwrap();
            assert_eq!((proxy.struck(), proxy.arrivals().len()), (0, 1));
        }
    }

    #[test]
    fn a_fault_lets_exactly_so_many_bytes_pass() {
        use io::ErrorKind::{ConnectionReset, WouldBlock};
        for place in 0..=6_usize {
            let n = place as u64;
            for (fault, end) in [
                (Fault::Reset(n), Some(ConnectionReset)),
                (Fault::Cut(n), None),
                (Fault::Stall(n), Some(WouldBlock)),
            ] {
                let (proxy, _) = doubling();
                proxy.next(Plan::down(fault));
                let (told, ended) = exchange(&proxy, b"abc");
                assert_eq!((&told[..], ended), (&b"aabbcc"[..place], end), "{fault:?}");
                assert_eq!(proxy.struck(), 1, "{fault:?}");
            }
        }
    }

    #[test]
    fn a_fault_behind_the_last_byte_does_not_happen() {
        let (proxy, _) = doubling();
        proxy.next(Plan::down(Fault::Reset(7)));
        assert_eq!(exchange(&proxy, b"abc"), (b"aabbcc".to_vec(), None));
        assert_eq!(proxy.struck(), 0);
    }

    #[test]
    fn the_server_gets_exactly_what_passes() {
        for place in 0..=3_usize {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let proxy = Proxy::start(listener.local_addr().unwrap().port()).unwrap();
            proxy.next(Plan::up(Fault::Reset(place as u64)));
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap();
            client.write_all(b"abc").unwrap();
            let (mut server, _) = listener.accept().unwrap();
            let mut told = Vec::new();
            let ended = server.read_to_end(&mut told).unwrap_err();
            assert_eq!(ended.kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(told, b"abc"[..place]);
        }
    }

    #[test]
    fn what_is_severed_is_reset_until_it_heals() {
        let (proxy, _) = doubling();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap();
        stream.write_all(b"a").unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        proxy.sever();
        let kind = stream.read(&mut [0]).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::ConnectionReset);
        let again = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port));
        // It may be reset before it is seen to be open.
        assert!(again.and_then(|mut again| again.read(&mut [0])).is_err());
        proxy.heal();
        assert_eq!(proxy.struck(), 0);

        let (proxy, _) = doubling();
        proxy.sever();
        proxy.heal();
        assert_eq!(exchange(&proxy, b"b"), (b"bb".to_vec(), None));
    }
}
