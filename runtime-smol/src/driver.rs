//! The driver: the future that moves bytes between the core and the sockets.
//!
//! Each poll is one turn of bounded work: look at the sockets on which something happened (one read
//! each), open connections, tell the core the time, wait. What is left over rings the driver's own
//! bell, so other tasks of the executor come in between. It decides nothing about etcd.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use async_io::Timer;
use etcd_core::ConnId;
use etcd_core::NetError;

use crate::connect::Connecting;
use crate::shared::Shared;
use crate::socket::Reading;
use crate::socket::SocketIo;

/// How much one read takes.
const READ_BYTES: usize = 64 << 10;

/// The part of a client that reads its sockets and keeps its time, as a future to be spawned.
///
/// It comes from [`Client::unspawned`](crate::Client::unspawned); the other ways to make a client
/// spawn it themselves. Nothing of the client moves on while it is not polled. It completes once the
/// last [`Client`](crate::Client) and [`Watcher`](crate::Watcher) of it are gone, or after
/// [`Client::shutdown`](crate::Client::shutdown). Dropping it earlier shuts the client down: calls
/// end with `Unavailable`, watches with [`WatchEnd::Shutdown`](crate::WatchEnd::Shutdown).
#[must_use = "the client does nothing unless its driver is polled"]
pub struct Driver {
    shared: Arc<Shared>,
    /// Connections being opened. Each is in the state's `opening` as long as it is wanted.
    connecting: Vec<Connecting>,
    /// The sockets of this turn, empty between turns: a socket is closed when the state drops it.
    turn: Vec<Work>,
    /// Goes off at the state's `armed`.
    timer: Timer,
    /// What is read, before the core sees it.
    buf: Box<[u8]>,
    /// Whether it has completed.
    ended: bool,
}

/// A socket to be looked at in this turn.
struct Work {
    conn: ConnId,
    io: Arc<SocketIo>,
    /// Something happened on it; otherwise what is wanted of it has changed.
    fired: bool,
    /// It is to be read from.
    read: bool,
    /// It has bytes to take.
    write: bool,
}

impl Driver {
    /// The driver of this client.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            connecting: Vec::new(),
            turn: Vec::new(),
            timer: Timer::never(),
            buf: vec![0; READ_BYTES].into_boxed_slice(),
            ended: false,
        }
    }

    /// Takes from the state what this turn has to do, after writing what was left to it.
    fn collect(&mut self) {
        let mut state = self.shared.lock();
        if state.begin_turn() {
            drop(state);
            self.shared.visit(|state, now| state.flush_deferred(now));
            state = self.shared.lock();
        }
        let tls = state.tls.clone();
        for connecting in &mut self.connecting {
            connecting.wanted = state.opening.contains_key(&connecting.conn);
        }
        for (&conn, endpoint) in &mut state.opening {
            let begun = endpoint
                .take()
                .map(|endpoint| Connecting::new(conn, endpoint, tls.clone()));
            self.connecting.extend(begun);
        }
        for (&conn, socket) in &mut state.sockets {
            let fired = socket.io.take_signal();
            if fired || socket.changed {
                socket.changed = false;
                self.turn.push(Work {
                    conn,
                    io: Arc::clone(&socket.io),
                    fired,
                    read: socket.reading == Reading::On,
                    write: socket.blocked,
                });
            }
        }
        drop(state);
        self.connecting.retain(|connecting| connecting.wanted);
    }

    /// Goes on opening connections, and tells the core of those that are open or cannot be.
    fn poll_connecting(&mut self, cx: &mut Context<'_>) {
        let shared = &self.shared;
        self.connecting.retain_mut(|connecting| {
            let Poll::Ready(opened) = connecting.opened.as_mut().poll(cx) else {
                return true;
            };
            let conn = connecting.conn;
            match opened {
                Ok(opened) => {
                    let unwanted =
                        shared.visit(|state, now| state.open(conn, opened, &shared.bell, now));
                    drop(unwanted);
                }
                Err(error) => shared.visit(|state, now| state.fail_open(conn, error, now)),
            }
            false
        });
    }

    /// Reads and writes where something happened.
    fn poll_sockets(&mut self) {
        for work in self.turn.drain(..) {
            if let Err(error) = work.run(&self.shared, &mut self.buf) {
                self.shared
                    .visit(|state, now| state.lose(work.conn, NetError::from(&error), now));
            }
        }
    }

    /// Tells the core the time if it asked for that, and sleeps until it wants to know again.
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (ended, rearm) = self.shared.visit(|state, now| {
            // The clock is compared before the timer is asked, which may be late to say so.
            if state
                .core
                .poll_timeout()
                .is_some_and(|deadline| deadline <= now)
            {
                state.core.handle_timeout(now);
                state.drain(now);
            }
            let deadline = state.core.poll_timeout();
            let soon_enough = state.armed.is_some_and(|armed| {
                armed > now && deadline.is_none_or(|deadline| armed <= deadline)
            });
            let rearm = !soon_enough && state.armed != deadline;
            if rearm {
                state.armed = deadline;
            }
            (state.ended, rearm.then_some(deadline))
        });
        if ended {
            self.connecting.clear();
            return Poll::Ready(());
        }
        if let Some(deadline) = rearm {
            let clock = self.shared.clock;
            match deadline.and_then(|deadline| clock.system(deadline)) {
                Some(system) => self.timer.set_at(system),
                None => self.timer = Timer::never(),
            }
        }
        // Time went on since the core was asked.
        if Pin::new(&mut self.timer).poll(cx).is_ready() {
            self.shared.lock().armed = None;
            self.shared.bell.ring();
        }
        Poll::Pending
    }
}

impl Work {
    /// One read and one go of writing where there may be something to do, else asks the reactor.
    fn run(&self, shared: &Shared, buf: &mut [u8]) -> io::Result<()> {
        // Reading comes first: what the peer said before it broke off may be the answer, and
        // writing would only find that it did.
        if self.read {
            self.receive(shared, buf)?;
        }
        if self.write {
            if self.fired {
                shared.visit(|state, now| state.unblock(self.conn, now));
            } else {
                self.io.await_writable()?;
            }
        }
        Ok(())
    }

    /// One read where there may be something, then asks the reactor for more.
    fn receive(&self, shared: &Shared, buf: &mut [u8]) -> io::Result<()> {
        let Self { conn, .. } = *self;
        if self.fired {
            match self.io.read(buf)? {
                Some(0) => {
                    shared.visit(|state, now| state.end_reading(conn, now));
                    return Ok(());
                }
                Some(len) => {
                    let bytes = &buf[..len];
                    shared.visit(|state, now| state.receive(conn, bytes, now));
                    // A full buffer means that there is more; less means that there is none.
                    if len == buf.len() {
                        self.io.fire();
                        return Ok(());
                    }
                }
                None => {}
            }
        }
        self.io.await_readable()
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        if driver.ended {
            return Poll::Ready(());
        }
        // From here on, whatever happens wakes the task again.
        driver.shared.bell.set(cx.waker());
        driver.collect();
        driver.poll_connecting(cx);
        driver.poll_sockets();
        let polled = driver.poll_clock(cx);
        driver.ended = polled.is_ready();
        polled
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.shutdown();
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
