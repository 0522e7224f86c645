//! Readiness by `poll(2)`, through rustix: one system call for a wait, whatever it waits for.

use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::io::Errno;

use super::Interest;
use super::Set;

/// A place to wait for sockets, for one thread at a time, that other threads can wake.
pub(crate) struct Waker {
    /// A byte written to the second end wakes whoever waits on the first. `None` where the system
    /// had no descriptor left; waits are short then.
    pipe: Option<(UnixStream, UnixStream)>,
}

impl Waker {
    /// A place where nobody waits.
    pub(crate) fn new() -> Self {
        let pipe = || {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            writer.set_nonblocking(true)?;
            std::io::Result::Ok((reader, writer))
        };
        Self { pipe: pipe().ok() }
    }

    /// Ends the wait under way, or else the next one. To be followed by one [`Waker::clear`].
    pub(crate) fn wake(&self) {
        if let Some((_, writer)) = &self.pipe {
            // A full pipe is as good as one byte in it, so there is no failure to speak of.
            let _ = (&*writer).write(&[1]);
        }
    }

    /// Takes back a [`Waker::wake`] that ended a wait.
    pub(crate) fn clear(&self) {
        if let Some((reader, _)) = &self.pipe {
            let _ = (&*reader).read(&mut [0; 16]);
        }
    }

    /// Waits until a socket of the set is ready, `timeout` has passed or somebody wakes this. It may
    /// also return for no reason, as the system pleases.
    pub(crate) fn wait(&self, set: &mut Set, timeout: Option<Duration>) {
        set.ready.clear();
        // Without a pipe nobody can end the wait, so it ends by itself.
        let timeout = match self.pipe {
            Some(_) => timeout,
            None => Some(timeout.map_or(UNWAKEABLE, |timeout| timeout.min(UNWAKEABLE))),
        };
        // A time too far away for the system is no time limit.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());

        // The sockets come first, so that their places are those of the entries.
        let mut fds = Vec::with_capacity(set.entries.len() + 1);
        for entry in &set.entries {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, entry.interest.read);
            flags.set(PollFlags::OUT, entry.interest.write);
            fds.push(PollFd::new(&*entry.stream, flags));
        }
        if let Some((reader, _)) = &self.pipe {
            fds.push(PollFd::new(reader, PollFlags::IN));
        }

        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => {
                let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
                for (entry, fd) in set.entries.iter().zip(&fds) {
                    let found = fd.revents();
                    if found.is_empty() {
                        continue;
                    }
                    // What an error or a hang-up means is for the next read or write to say.
                    let broken = found.intersects(broken);
                    let ready = Interest {
                        read: entry.interest.read && (broken || found.contains(PollFlags::IN)),
                        write: entry.interest.write && (broken || found.contains(PollFlags::OUT)),
                    };
                    set.ready.push((entry.conn, ready));
                }
            }
            // Only for want of memory; the caller will ask again at once, so give the system time.
            Err(_) => thread::sleep(timeout_or(timeout, UNWAKEABLE)),
        }
    }
}

/// The shorter of the two.
fn timeout_or(timeout: Option<Timespec>, limit: Duration) -> Duration {
    timeout
        .and_then(|timeout| Duration::try_from(timeout).ok())
        .map_or(limit, |timeout| timeout.min(limit))
}

/// How long a wait may be that nobody can end: short enough for a caller not to notice.
const UNWAKEABLE: Duration = Duration::from_millis(10);
