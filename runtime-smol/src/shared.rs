//! What the handles and the driver share: the core, its sockets, and who waits for what.
//!
//! One lock guards it all. It is held for one visit: put something into the core, carry out its
//! outputs, leave. Nothing is awaited under it, and wakers are called and sockets closed after it is
//! given back ([`After`]), because both may run code that comes here again; so are notices handed over.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Waker;

use etcd_core::CallId;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::KeepAliveId;
use etcd_core::NetError;
use etcd_core::Output;
use etcd_core::Response;
use etcd_core::StreamId;
use etcd_core::WatchId;
use etcd_core::trace::Recorded;

use crate::clock::Clock;
use crate::connect::Opened;
use crate::notices::Listener;
use crate::record::Journal;
use crate::signal::Bell;
use crate::socket::Reading;
use crate::socket::Socket;
use crate::tls::Tls;
use crate::tls::TlsError;

/// Shared by all handles and the driver.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Gives the core its time.
    pub(crate) clock: Clock,
    /// Calls the driver.
    pub(crate) bell: Arc<Bell>,
    /// Who is told what the core does by itself.
    pub(crate) listener: Listener,
    state: Mutex<State>,
}

impl Shared {
    /// A core at its start.
    pub(crate) fn new(config: Config, seed: u64) -> Arc<Self> {
        let state = State {
            core: Recorded::new(config, seed, Instant::ZERO),
            journal: Journal::default(),
            tls: Tls::default(),
            ended: false,
            opening: BTreeMap::new(),
            sockets: BTreeMap::new(),
            calls: BTreeMap::new(),
            watches: BTreeMap::new(),
            streams: BTreeMap::new(),
            leases: BTreeMap::new(),
            opened: Vec::new(),
            armed: None,
            deferred: Vec::new(),
            gathers: false,
            after: After::default(),
        };
        Arc::new(Self {
            clock: Clock::start(),
            bell: Arc::default(),
            listener: Listener::default(),
            state: Mutex::new(state),
        })
    }

    /// One visit: `act`, then everything the core gave out because of it.
    pub(crate) fn visit<R>(&self, act: impl FnOnce(&mut State, Instant) -> R) -> R {
        let mut state = self.lock();
        // Read under the lock, so that the core never sees time go back.
        let now = self.clock.now();
        let result = act(&mut state, now);
        state.drain(now);
        let mut after = mem::take(&mut state.after);
        if after.wakers.len() > 1 {
            // They may all have something to say next.
            state.gathers = true;
            after.ring = true;
        }
        let tells = self.listener.is_set() && state.core.has_notice();
        drop(state);
        after.run(&self.bell);
        if tells {
            self.hand_over();
        }
        result
    }

    /// Hands over the notices there are. Without the lock.
    pub(crate) fn hand_over(&self) {
        self.listener.hand_over(|| self.lock().core.poll_notice());
    }

    /// A look that puts nothing into the core.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything: calls, watches, sockets, driver.
    pub(crate) fn shutdown(&self) {
        self.visit(|state, now| {
            state.ended = true;
            state.core.shutdown(now);
            state.after.ring = true;
        });
    }
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    /// The machine that decides everything.
    pub(crate) core: Recorded,
    /// Where its log goes, if it keeps one.
    pub(crate) journal: Journal,
    /// What goes around the bytes of `https://` connections.
    pub(crate) tls: Tls,
    /// Whether it was shut down; then `opening` and `sockets` are empty after the visit.
    pub(crate) ended: bool,
    /// Connections to be opened; the endpoint until the driver took it to begin.
    pub(crate) opening: BTreeMap<ConnId, Option<Endpoint>>,
    /// Open sockets. None is in `opening`.
    pub(crate) sockets: BTreeMap<ConnId, Socket>,
    /// Calls whose future is alive.
    pub(crate) calls: BTreeMap<CallId, CallSlot>,
    /// Watches whose watcher is alive and has not seen their end, with who waits for one.
    pub(crate) watches: BTreeMap<WatchId, Option<Waker>>,
    /// The same for snapshots and observations.
    pub(crate) streams: BTreeMap<StreamId, Option<Waker>>,
    /// The same for leases that are kept alive.
    pub(crate) leases: BTreeMap<KeepAliveId, Option<Waker>>,
    /// What was in bytes that came as ciphertext; empty between reads.
    opened: Vec<u8>,
    /// When the driver's timer goes off.
    pub(crate) armed: Option<Instant>,
    /// The sockets to be written to in the driver's next turn.
    deferred: Vec<ConnId>,
    /// Several tasks were woken together since its last one: what they write goes out in the next.
    gathers: bool,
    after: After,
}

/// Where a call's answer goes.
#[derive(Debug)]
pub(crate) enum CallSlot {
    /// It has not come; who waits for it.
    Waiting(Option<Waker>),
    /// It has come and was not taken yet.
    Answered(Box<Result<Response, Error>>),
}

impl State {
    /// Carries out what the core wants, until it wants nothing more.
    pub(crate) fn drain(&mut self, now: Instant) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Connect { conn, endpoint } => {
                    self.opening.insert(conn, Some(endpoint));
                    self.after.ring = true;
                }
                Output::Transmit(conn) => self.flush(conn, now),
                Output::Close(conn) => self.close(conn),
                Output::Pause(conn) => self.set_reading(conn, Reading::Paused),
                Output::Resume(conn) => self.set_reading(conn, Reading::On),
                Output::Event(Event::Answered { call, result }) => self.answer(call, result),
                Output::Event(Event::Watch(watch)) => {
                    let waiting = self.watches.get_mut(&watch).and_then(Option::take);
                    self.after.wakers.extend(waiting);
                }
                Output::Event(Event::Stream(stream)) => {
                    let waiting = self.streams.get_mut(&stream).and_then(Option::take);
                    self.after.wakers.extend(waiting);
                }
                Output::Event(Event::Lease(lease)) => match self.leases.get_mut(&lease) {
                    Some(waiting) => self.after.wakers.extend(waiting.take()),
                    // Nobody wants it; so the core may forget it.
                    None => while self.core.poll_lease(lease).is_some() {},
                },
                // Core and driver are of one version; there are no other events.
                Output::Event(_) => {}
            }
        }
        self.write_log();
        // The driver sleeps too long. Where it would wake too early it is left to do so: that costs
        // one turn now and then, setting a timer for each call would cost a system call each.
        let deadline = self.core.poll_timeout();
        if deadline.is_some_and(|deadline| self.armed.is_none_or(|armed| deadline < armed)) {
            self.after.ring = true;
        }
    }

    /// A connection is open. Gives it back where the core has given it up meanwhile.
    pub(crate) fn open(
        &mut self,
        conn: ConnId,
        opened: Opened,
        bell: &Arc<Bell>,
        now: Instant,
    ) -> Option<Opened> {
        if self.opening.remove(&conn).is_none() {
            return Some(opened);
        }
        let has_ended = opened.tls.as_ref().is_some_and(|tls| tls.is_ended());
        let socket = Socket::new(opened.stream, opened.tls, Arc::clone(bell));
        self.sockets.insert(conn, socket);
        self.after.ring = true;
        self.core.handle_connected(now, conn);
        if !opened.received.is_empty() {
            self.core.handle_received(now, conn, &opened.received);
        }
        if has_ended {
            self.ended(conn, now);
        }
        None
    }

    /// Bytes came on the socket of `conn`.
    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        if let Some(socket) = self.sockets.get_mut(&conn) {
            socket.awaits = false;
        }
        let Some(Socket { tls: Some(tls), .. }) = self.sockets.get_mut(&conn) else {
            return self.core.handle_received(now, conn, bytes);
        };
        let result = tls.handle_received(bytes, &mut self.opened);
        let (has_more, has_ended) = (!tls.transmit().is_empty(), tls.is_ended());
        if !self.opened.is_empty() {
            self.core.handle_received(now, conn, &self.opened);
            self.opened.clear();
        }
        match result {
            Err(error) => self.broken(conn, &error, now),
            Ok(()) if has_ended => self.ended(conn, now),
            // TLS itself has something to say.
            Ok(()) if has_more => self.flush(conn, now),
            Ok(()) => {}
        }
    }

    /// A connection could not be opened.
    pub(crate) fn fail_open(&mut self, conn: ConnId, error: NetError, now: Instant) {
        if self.opening.remove(&conn).is_some() {
            self.core.handle_connect_failed(now, conn, error);
        }
    }

    /// The socket of `conn` has given everything.
    pub(crate) fn end_reading(&mut self, conn: ConnId, now: Instant) {
        let Some(socket) = self.sockets.get_mut(&conn) else {
            return;
        };
        // A connection that was cut must not pass for one that ended.
        match socket.tls.as_mut().map_or(Ok(()), |tls| tls.handle_eof()) {
            Ok(()) => self.ended(conn, now),
            Err(error) => self.broken(conn, &error, now),
        }
    }

    /// The peer of `conn` has said all it had to say.
    fn ended(&mut self, conn: ConnId, now: Instant) {
        if let Some(socket) = self.sockets.get_mut(&conn) {
            socket.reading = Reading::Ended;
            self.core.handle_eof(now, conn);
        }
    }

    /// The socket of `conn` takes bytes again.
    pub(crate) fn unblock(&mut self, conn: ConnId, now: Instant) {
        if let Some(socket) = self.sockets.get_mut(&conn) {
            socket.blocked = false;
            self.flush_now(conn, now);
        }
    }

    /// The socket of `conn` is of no use any more: it is closed.
    pub(crate) fn lose(&mut self, conn: ConnId, error: NetError, now: Instant) {
        if let Some(mut socket) = self.sockets.remove(&conn) {
            socket.say_farewell();
            self.after.closed.push(socket);
            self.core.handle_closed(now, conn, error);
        }
    }

    /// TLS cannot go on on the socket of `conn`.
    fn broken(&mut self, conn: ConnId, error: &TlsError, now: Instant) {
        let error = self.tls.error(error);
        self.lose(conn, error, now);
    }

    /// Nobody waits for this call any more.
    pub(crate) fn forget_call(&mut self, call: CallId, now: Instant) {
        match self.calls.remove(&call) {
            Some(CallSlot::Waiting(waker)) => {
                self.after.dropped.extend(waker);
                self.core.cancel_call(now, call);
            }
            Some(CallSlot::Answered(_)) | None => {}
        }
    }

    /// Nobody waits for this watch any more.
    pub(crate) fn forget_watch(&mut self, watch: WatchId, now: Instant) {
        let waker = self.watches.remove(&watch).flatten();
        self.after.dropped.extend(waker);
        self.core.cancel_watch(now, watch);
        // What it still had to deliver, its end included, is of no use to anybody.
        while self.core.poll_watch(watch).is_some() {}
    }

    /// Nobody waits for this snapshot or observation any more.
    pub(crate) fn forget_stream(&mut self, stream: StreamId, now: Instant) {
        let waker = self.streams.remove(&stream).flatten();
        self.after.dropped.extend(waker);
        self.core.cancel_stream(now, stream);
        // What it still had to deliver, its end included, is of no use to anybody.
        while self.core.poll_stream(stream).is_some() {}
    }

    /// Nobody wants this lease any more: it is left to its time.
    pub(crate) fn forget_lease(&mut self, lease: KeepAliveId, now: Instant) {
        let waker = self.leases.remove(&lease).flatten();
        self.after.dropped.extend(waker);
        self.core.release_lease(now, lease);
        // What it still had to tell, its end included, is of no use to anybody. One that is being
        // revoked has no end yet; the core keeps it until it has.
        while self.core.poll_lease(lease).is_some() {}
    }

    /// The core has bytes for a socket. They go out now, or with others in the driver's next turn where
    /// nothing is lost by that.
    fn flush(&mut self, conn: ConnId, now: Instant) {
        let Some(socket) = self.sockets.get_mut(&conn) else {
            return;
        };
        if !self.gathers && !socket.awaits {
            return self.flush_now(conn, now);
        }
        if !socket.deferred {
            socket.deferred = true;
            self.deferred.push(conn);
        }
        self.after.ring = true;
    }

    /// A turn of the driver begins. Whether there is something to write in it.
    pub(crate) fn begin_turn(&mut self) -> bool {
        self.gathers = false;
        !self.deferred.is_empty()
    }

    /// Writes what was put off until this turn.
    pub(crate) fn flush_deferred(&mut self, now: Instant) {
        for conn in mem::take(&mut self.deferred) {
            if let Some(socket) = self.sockets.get_mut(&conn) {
                socket.deferred = false;
                self.flush_now(conn, now);
            }
        }
    }

    fn flush_now(&mut self, conn: ConnId, now: Instant) {
        let Some(socket) = self.sockets.get_mut(&conn) else {
            return;
        };
        let flushed = socket.flush(&mut self.core, &self.tls, conn, now);
        self.after.ring |= socket.changed;
        if let Err(error) = flushed {
            self.lose(conn, error, now);
        }
    }

    fn close(&mut self, conn: ConnId) {
        if let Some(mut socket) = self.sockets.remove(&conn) {
            socket.say_farewell();
            self.after.closed.push(socket);
        }
        if self.opening.remove(&conn).is_some() {
            // The driver holds what is being opened and has to let go of it.
            self.after.ring = true;
        }
    }

    fn set_reading(&mut self, conn: ConnId, reading: Reading) {
        if let Some(socket) = self.sockets.get_mut(&conn) {
            socket.set_reading(reading);
            self.after.ring |= reading == Reading::On;
        }
    }

    fn answer(&mut self, call: CallId, result: Box<Result<Response, Error>>) {
        // The answer of a call whose future was dropped finds no slot.
        let Some(slot) = self.calls.get_mut(&call) else {
            return;
        };
        if let CallSlot::Waiting(waker) = mem::replace(slot, CallSlot::Answered(result)) {
            self.after.wakers.extend(waker);
        }
    }
}

/// What a visit leaves to be done once the lock is given back.
#[derive(Debug, Default)]
struct After {
    /// To be called.
    wakers: Vec<Waker>,
    /// To be dropped without being called.
    dropped: Vec<Waker>,
    /// To be closed.
    closed: Vec<Socket>,
    /// Whether the driver has something to do.
    ring: bool,
}

impl After {
    fn run(self, bell: &Bell) {
        for waker in self.wakers {
            waker.wake();
        }
        if self.ring {
            bell.ring();
        }
    }
}

/// What keeps a client alive: each `Client` and each `Watcher` holds it, the last one ends everything.
#[derive(Debug)]
pub(crate) struct Handle {
    /// The rest of the client.
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.shutdown();
        self.shared.lock().end_log();
    }
}
