//! Readiness by the `polling` crate, for systems without `poll(2)`.
//!
//! Each wait registers its sockets and takes them out again, so that a socket is never known to a
//! poller when nobody waits for it. That costs two calls for each socket and wait, and keeps the
//! meaning of the unix way: no state but the set. It is version 2 of the crate, because version 3
//! registers sockets only by an `unsafe` function, and this workspace has none.
//!
//! On unix it is built for the tests only.

use std::thread;
use std::time::Duration;

use polling::Event;
use polling::Poller;

use super::Interest;
use super::Set;

/// A place to wait for sockets, for one thread at a time, that other threads can wake.
pub(crate) struct Waker {
    /// `None` where the system gave none; waits only sleep then, and call every socket ready.
    poller: Option<Poller>,
}

impl Waker {
    /// A place where nobody waits.
    pub(crate) fn new() -> Self {
        Self {
            poller: Poller::new().ok(),
        }
    }

    /// Ends the wait under way, or else the next one. To be followed by one [`Waker::clear`].
    pub(crate) fn wake(&self) {
        if let Some(poller) = &self.poller {
            // The next wait is short where this one cannot be ended.
            let _ = poller.notify();
        }
    }

    /// Takes back a [`Waker::wake`] that ended a wait: the wait itself has done so.
    #[expect(clippy::unused_self, reason = "the other systems need it")]
    pub(crate) fn clear(&self) {}

    /// Waits until a socket of the set is ready, `timeout` has passed or somebody wakes this. It may
    /// also return for no reason, as the system pleases.
    pub(crate) fn wait(&self, set: &mut Set, timeout: Option<Duration>) {
        set.ready.clear();
        let Some(poller) = &self.poller else {
            thread::sleep(timeout.map_or(UNWAKEABLE, |timeout| timeout.min(UNWAKEABLE)));
            let all = set.entries.iter();
            set.ready
                .extend(all.map(|entry| (entry.conn, entry.interest)));
            return;
        };

        // A socket that cannot be registered is called ready: using it will say what is wrong.
        for (key, entry) in set.entries.iter().enumerate() {
            let mut event = Event::none(key);
            event.readable = entry.interest.read;
            event.writable = entry.interest.write;
            if poller.add(&*entry.stream, event).is_err() {
                set.ready.push((entry.conn, entry.interest));
            }
        }
        let timeout = match set.ready.is_empty() {
            true => timeout,
            false => Some(Duration::ZERO),
        };

        let mut events = Vec::new();
        if poller.wait(&mut events, timeout).is_err() {
            thread::sleep(timeout.map_or(UNWAKEABLE, |timeout| timeout.min(UNWAKEABLE)));
        }
        for event in events {
            if let Some(entry) = set.entries.get(event.key) {
                let ready = Interest {
                    read: event.readable,
                    write: event.writable,
                };
                set.ready.push((entry.conn, ready));
            }
        }
        for entry in &set.entries {
            // One that was not registered has nothing to take out.
            let _ = poller.delete(&*entry.stream);
        }
    }
}

/// How long a wait may be that nobody can end: short enough for a caller not to notice.
const UNWAKEABLE: Duration = Duration::from_millis(10);
