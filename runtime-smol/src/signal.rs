//! How the driver is called: one bell for its task, one flag for each socket.
//!
//! The reactor wakes a socket's own [`Signal`], which notes what happened and rings the driver's
//! [`Bell`]. So a turn of the driver looks only at sockets on which something happened, and reads
//! at once instead of asking the reactor a second time.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Wake;
use std::task::Waker;

/// Calls the driver's task. Ringing it again before the driver came costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// The driver's task, until somebody rang. Never held locked while a waker runs.
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    /// Whoever rings from now on wakes `waker`.
    pub(crate) fn set(&self, waker: &Waker) {
        let old = {
            let mut slot = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            replace_waker(&mut slot, waker)
        };
        drop(old);
    }

    /// Wakes the driver, if it has not been woken since it was last there.
    pub(crate) fn ring(&self) {
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// One socket's waker: remembers that something happened on it and rings the bell.
#[derive(Debug)]
pub(crate) struct Signal {
    /// Something happened that no turn of the driver has looked at.
    fired: AtomicBool,
    /// The driver's.
    bell: Arc<Bell>,
}

impl Signal {
    /// A signal for a new socket. It has not fired.
    pub(crate) fn new(bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self {
            fired: AtomicBool::new(false),
            bell,
        })
    }

    /// Whether it fired since the last time this was asked.
    pub(crate) fn take(&self) -> bool {
        self.fired.swap(false, Ordering::Acquire)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.fired.store(true, Ordering::Release);
        self.bell.ring();
    }
}

/// Puts a clone of `waker` into `slot` unless it holds the same one. What is returned was there
/// before, and is to be dropped when no lock is held: dropping a waker may run any code.
#[must_use]
pub(crate) fn replace_waker(slot: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match slot {
        Some(old) if old.will_wake(waker) => None,
        _ => slot.replace(waker.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_bell_wakes_once_for_each_time_it_was_set() {
        let count = Arc::new(Count::default());
        let bell = Arc::new(Bell::default());
        bell.ring();
        bell.set(&Waker::from(Arc::clone(&count)));
        bell.ring();
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_signal_is_remembered_until_it_is_taken() {
        let signal = Signal::new(Arc::default());
        assert!(!signal.take());
        Waker::from(Arc::clone(&signal)).wake_by_ref();
        assert!(signal.take());
        assert!(!signal.take());
    }
}
