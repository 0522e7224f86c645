//! One open socket: what is wanted of it, and the writing to it.
//!
//! Whoever has bytes for a socket writes them at once, without waiting for the driver's task, under
//! the lock that guards the core whose bytes they are. Only where the socket takes no more does the
//! driver wait for it; and what can wait as well, since the peer has yet to answer what was written before,
//! goes out in the driver's next turn, in one write with all that comes until then. Reading is the driver's
//! alone and needs no lock.

use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use async_io::Async;
use etcd_core::ConnId;
use etcd_core::Instant;
use etcd_core::NetError;
use etcd_core::trace::Recorded;
use socket2::Socket as Stream;

use crate::signal::Bell;
use crate::signal::Signal;
use crate::tls::Tls;
use crate::tls::TlsSession;

/// How many bytes one go of writing hands to a socket before it leaves the rest to the driver's next
/// turn, so that one large request to a fast peer does not hold up everybody else.
const WRITE_TURN_BYTES: usize = 1 << 20;

/// A socket as the state knows it.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The socket itself, lent to the driver while it reads.
    pub(crate) io: Arc<SocketIo>,
    /// What goes around its bytes, if anything does.
    pub(crate) tls: Option<Box<TlsSession>>,
    /// Whether it is to be read from.
    pub(crate) reading: Reading,
    /// Whether it took less than it was given and has to be waited for.
    pub(crate) blocked: bool,
    /// Whether something was written, and nothing read since.
    pub(crate) awaits: bool,
    /// Whether it is to be written to in the driver's next turn.
    pub(crate) deferred: bool,
    /// Whether the driver has to ask the reactor anew, because what is wanted has changed.
    pub(crate) changed: bool,
}

/// Whether a socket is to be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Yes.
    On,
    /// Not now: the core has all it may hold.
    Paused,
    /// No: the peer has sent everything.
    Ended,
}

impl Socket {
    /// A socket just opened, to be read from.
    pub(crate) fn new(
        stream: Async<Stream>,
        tls: Option<Box<TlsSession>>,
        bell: Arc<Bell>,
    ) -> Self {
        let signal = Signal::new(bell);
        let waker = Waker::from(Arc::clone(&signal));
        let io = Arc::new(SocketIo {
            stream,
            signal,
            waker,
        });
        Self {
            io,
            tls,
            reading: Reading::On,
            blocked: false,
            awaits: false,
            deferred: false,
            changed: true,
        }
    }

    /// Moves between reading and not reading, unless there is nothing left to read.
    pub(crate) fn set_reading(&mut self, reading: Reading) {
        if self.reading != Reading::Ended {
            self.reading = reading;
            self.changed |= reading == Reading::On;
        }
    }

    /// Writes what the core has for `conn` until there is no more or the socket takes no more.
    pub(crate) fn flush(
        &mut self,
        core: &mut Recorded,
        tls: &Tls,
        conn: ConnId,
        now: Instant,
    ) -> Result<(), NetError> {
        let mut written = 0;
        while !self.blocked {
            let mut bytes = core.transmit(conn);
            if let Some(session) = &mut self.tls {
                session.seal(bytes).map_err(|error| tls.error(&error))?;
                bytes = session.transmit();
            }
            if bytes.is_empty() {
                break;
            }
            match self.io.stream.get_ref().write(bytes) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(len) => {
                    written += len;
                    self.awaits = true;
                    // A socket that took a part is full: asking again would only be told so.
                    self.blocked = len < bytes.len() || written >= WRITE_TURN_BYTES;
                    match &mut self.tls {
                        None => core.handle_written(now, conn, len),
                        // The core counts what the server can have of its own bytes.
                        Some(session) => match session.handle_written(len) {
                            0 => {}
                            len => core.handle_written(now, conn, len),
                        },
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.changed |= self.blocked;
        Ok(())
    }

    /// Says that it ends, if there is a way to say so, and does not wait for anything.
    pub(crate) fn say_farewell(&mut self) {
        let farewell = self.tls.as_mut().map_or(&[][..], |tls| tls.farewell());
        if !farewell.is_empty() {
            // Nobody is left to hear of an error, and a peer that misses this sees the end too.
            let _ = self.io.stream.get_ref().write(farewell);
        }
    }
}

/// A non-blocking socket and the waker the reactor calls for it.
#[derive(Debug)]
pub(crate) struct SocketIo {
    stream: Async<Stream>,
    /// What `waker` sets.
    signal: Arc<Signal>,
    /// The same for reading and writing.
    waker: Waker,
}

impl SocketIo {
    /// Whether something happened on it since this was last asked.
    pub(crate) fn take_signal(&self) -> bool {
        self.signal.take()
    }

    /// One read. `None` where there is nothing to read.
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            return match self.stream.get_ref().read(buf) {
                Ok(len) => Ok(Some(len)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    /// Asks the reactor to fire the signal once there is something to read.
    pub(crate) fn await_readable(&self) -> io::Result<()> {
        let polled = self
            .stream
            .poll_readable(&mut Context::from_waker(&self.waker));
        self.fire_if_ready(polled)
    }

    /// Asks the reactor to fire the signal once the socket takes bytes again.
    pub(crate) fn await_writable(&self) -> io::Result<()> {
        let polled = self
            .stream
            .poll_writable(&mut Context::from_waker(&self.waker));
        self.fire_if_ready(polled)
    }

    /// Has the driver look at the socket in its next turn.
    pub(crate) fn fire(&self) {
        self.waker.wake_by_ref();
    }

    fn fire_if_ready(&self, polled: Poll<io::Result<()>>) -> io::Result<()> {
        match polled {
            Poll::Ready(Ok(())) => self.fire(),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => {}
        }
        Ok(())
    }
}
