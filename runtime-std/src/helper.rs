//! The helper thread: it drives while no thread of the user's does and something must be looked
//! after, that is, while there are watches or deadlines.
//!
//! It is started when it is first needed. It takes the role only after a moment in which no caller
//! had it, so that a caller that makes one call after the other never shares the sockets with it and
//! never has to wake it; and it gives the role up to any caller at once.
//!
//! ```text
//! asleep ──called──► resting ──nobody drove for a moment──► driving
//!   ▲                 │   ▲                                    │
//!   └─nothing to do,  ┘   └──────── a caller took the role ────┘
//!     or one caller drove the whole time
//! ```

use std::sync::Arc;
use std::sync::Condvar;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::shared::Leader;
use crate::shared::Role;
use crate::shared::Shared;
use crate::shared::State;

/// The helper thread as the others see it.
#[derive(Default)]
pub(crate) struct Helper {
    /// The thread, once it was needed.
    thread: Option<JoinHandle<()>>,
    /// Where it sleeps and rests.
    bed: Arc<Condvar>,
    /// Whether it sleeps until it is called.
    asleep: bool,
}

impl State {
    /// Makes sure that the helper will look whether the role is free.
    pub(crate) fn call_helper(&mut self) {
        if self.helper.asleep {
            self.helper.asleep = false;
            self.wake(Arc::clone(&self.helper.bed));
        }
        let running = self.helper.thread.as_ref();
        if running.is_none_or(JoinHandle::is_finished) {
            let me = self.me.clone();
            // Without a thread, watches are looked after only while somebody waits; the next one to
            // stop waiting tries again.
            self.helper.thread = thread::Builder::new()
                .name("etcd-std-helper".to_owned())
                .spawn(move || {
                    if let Some(shared) = me.upgrade() {
                        run(&shared);
                    }
                })
                .ok();
        }
    }

    /// Ends the helper; `closed` is set. The thread is to be joined without the lock.
    pub(crate) fn end_helper(&mut self) -> Option<JoinHandle<()>> {
        self.leader = Leader::Nobody;
        self.wake(Arc::clone(&self.helper.bed));
        self.helper.thread.take()
    }
}

/// The helper's life.
fn run(shared: &Shared) {
    let mut locked = shared.lock();
    let bed = Arc::clone(&locked.helper.bed);
    let mut seen = locked.tenures;
    // One that is closed by now has woken nobody.
    if !locked.closed {
        locked.park(&bed, Some(QUIET));
    }
    while !locked.closed {
        let quiet = locked.tenures == seen;
        seen = locked.tenures;
        match locked.leader {
            // Nobody has driven for a moment, and nobody does: drive until somebody does.
            Leader::Nobody | Leader::Helper if quiet && locked.needs_service() => {
                locked.leader = Leader::Helper;
                (locked, _) = shared.drive(locked, Role::Helper, None);
            }
            // One thread has driven all the time, or there is nothing to do: sleep until called.
            _ if quiet => {
                if locked.leader == Leader::Helper {
                    locked.leader = Leader::Nobody;
                }
                locked.helper.asleep = true;
                locked.park(&bed, None);
                locked.helper.asleep = false;
            }
            // Callers come and go: look again in a moment.
            _ => locked.park(&bed, Some(QUIET)),
        }
    }
}

/// How long nobody must have driven before the helper does. Nobody waits for anything in that time,
/// so it delays nothing; it only has to be longer than the pause between two calls in a row.
const QUIET: Duration = Duration::from_millis(10);
