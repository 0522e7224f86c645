//! What all handles of a client share: the machine, its sockets and who waits for what, behind one
//! lock.
//!
//! The lock is held for moments only: nobody waits for the system while holding it. [`Locked`] is
//! the lock in somebody's hands, and letting go of it pays its debts: a driver that waits with an
//! outdated idea of what to wait for is woken, and so are the threads whose answers have come. Then
//! notices are handed over, without the lock.
//!
//! Who drives is decided in `roles`; what happens to a socket is in `serve`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::mem;
use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::thread;
use std::time::Duration;

use etcd_core::CallId;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::KeepAliveId;
use etcd_core::Response;
use etcd_core::StreamId;
use etcd_core::WatchId;
use etcd_core::trace::Recorded;

use crate::clock::Clock;
use crate::helper::Helper;
use crate::notices::Listener;
use crate::poll::Set;
use crate::poll::Waker;
use crate::record::Journal;
use crate::socket::Socket;
use crate::tls::Tls;

/// A client's inside. Handles share it; the helper thread and look-ups know it too.
pub(crate) struct Shared {
    /// Reads the time, without the lock.
    pub(crate) clock: Clock,
    /// Where a driving thread of the user's waits.
    caller: Waker,
    /// Where the helper thread waits when it drives. It has a place of its own, so that a caller
    /// can take the role and begin to wait before the helper has noticed.
    helper: Waker,
    /// Who is told what the core does by itself.
    pub(crate) listener: Listener,
    state: Mutex<State>,
}

/// Everything that needs the lock.
pub(crate) struct State {
    /// The machine that decides.
    pub(crate) core: Recorded,
    /// Where its log goes, if it keeps one.
    pub(crate) journal: Journal,
    /// The socket of each connection the core has not closed.
    pub(crate) sockets: BTreeMap<ConnId, Socket>,
    /// When a further address of a host is to be tried.
    pub(crate) dial_at: Option<Instant>,
    /// Counts the changes of what the sockets are to be waited for.
    pub(crate) version: u64,
    /// The last set waited with; only if its version is still `version`.
    pub(crate) set: Option<Set>,
    /// Where reads go: 64 KiB, used for all sockets in turn.
    pub(crate) buf: Box<[u8]>,
    /// What was in them, where they were ciphertext; empty between reads.
    pub(crate) opened: Vec<u8>,
    /// What goes around the bytes of `https://` connections.
    pub(crate) tls: Tls,
    /// The calls somebody waits for, and their results once they are there.
    pub(crate) answers: BTreeMap<CallId, Option<Box<Result<Response, Error>>>>,
    /// How many of them have no result yet.
    pub(crate) unanswered: usize,
    /// Watches whose end their owner has not seen.
    pub(crate) watches: usize,
    /// Snapshots and observations whose end their owner has not seen.
    pub(crate) streams: usize,
    /// Leases kept alive whose end their owner has not seen.
    pub(crate) leases: BTreeSet<KeepAliveId>,
    /// Who drives the sockets.
    pub(crate) leader: Leader,
    /// How often a thread of the user's took the role.
    pub(crate) tenures: u64,
    /// When the sockets were last looked at, or known to be looked at.
    pub(crate) looked: Instant,
    /// The threads that wait for something while another one drives.
    pub(crate) parked: BTreeMap<Key, Arc<Condvar>>,
    /// The thread that drives when none of the user's does.
    pub(crate) helper: Helper,
    /// The last handle is gone.
    pub(crate) closed: bool,
    /// For the threads that look up names.
    pub(crate) me: Weak<Shared>,
    /// The wait of a caller that drives, and of the helper.
    waits: [Option<Wait>; 2],
    /// The thread that drives has what it waits for, found by another thread.
    served: bool,
    /// Threads to wake as soon as the lock is free.
    wakes: Vec<Arc<Condvar>>,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A call's result.
    Call(CallId),
    /// Something from a watch.
    Watch(WatchId),
    /// Something from a snapshot or an observation.
    Stream(StreamId),
    /// Something of a lease that is kept alive.
    Lease(KeepAliveId),
}

/// Who drives the sockets: at most one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// Nobody needs to, or whoever comes first will.
    Nobody,
    /// The thread that waits for this.
    Caller(Key),
    /// The helper thread.
    Helper,
}

impl Leader {
    /// Where the one who drives waits.
    const fn role(self) -> Option<Role> {
        match self {
            Self::Nobody => None,
            Self::Caller(_) => Some(Role::Caller),
            Self::Helper => Some(Role::Helper),
        }
    }
}

/// The two places to wait at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Caller = 0,
    Helper = 1,
}

/// A wait that is under way.
struct Wait {
    /// The version of the sockets it knows.
    version: u64,
    /// When it ends by itself.
    until: Option<Instant>,
    /// Whether it was ended already.
    woken: bool,
}

impl Shared {
    /// A client that has done nothing yet.
    pub(crate) fn new(config: Config, seed: u64) -> Arc<Self> {
        let clock = Clock::new();
        let now = clock.now();
        Arc::new_cyclic(|me| Self {
            clock,
            caller: Waker::new(),
            helper: Waker::new(),
            listener: Listener::default(),
            state: Mutex::new(State {
                core: Recorded::new(config, seed, now),
                journal: Journal::default(),
                sockets: BTreeMap::new(),
                dial_at: None,
                version: 0,
                set: None,
                buf: vec![0; READ_BYTES].into_boxed_slice(),
                opened: Vec::new(),
                tls: Tls::default(),
                answers: BTreeMap::new(),
                unanswered: 0,
                watches: 0,
                streams: 0,
                leases: BTreeSet::new(),
                leader: Leader::Nobody,
                tenures: 0,
                looked: now,
                parked: BTreeMap::new(),
                helper: Helper::default(),
                closed: false,
                me: Weak::clone(me),
                waits: [None, None],
                served: false,
                wakes: Vec::new(),
            }),
        })
    }

    /// Takes the lock. A panic of another thread under it is that thread's affair.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked {
            shared: self,
            state: Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)),
            panicking: thread::panicking(),
        }
    }

    /// The place where a role waits.
    pub(crate) const fn waker(&self, role: Role) -> &Waker {
        match role {
            Role::Caller => &self.caller,
            Role::Helper => &self.helper,
        }
    }

    /// Hands over the notices there are. Without the lock.
    pub(crate) fn hand_over(&self) {
        let take = || {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.core.poll_notice()
        };
        self.listener.hand_over(take);
    }

    /// Ends everything: the last handle is gone, so nobody waits for anything.
    pub(crate) fn close(&self) {
        let mut locked = self.lock();
        locked.closed = true;
        locked.end_log();
        for socket in locked.sockets.values_mut() {
            socket.say_farewell();
        }
        // A set keeps its sockets open, so it goes with them.
        locked.sockets.clear();
        locked.set = None;
        locked.version += 1;
        let thread = locked.end_helper();
        drop(locked);

        // The helper holds no handle, so it cannot be the thread that runs this.
        if let Some(thread) = thread {
            // How it ended is of no use to anybody any more.
            let _ = thread.join();
        }
    }
}

impl State {
    /// Notes that a wait begins, of whoever drives. It has not got what it waits for.
    pub(crate) const fn wait_begins(&mut self, role: Role, until: Option<Instant>) {
        self.served = false;
        self.waits[role as usize] = Some(Wait {
            version: self.version,
            until,
            woken: false,
        });
    }

    /// Notes that the wait is over; true if another thread ended it.
    pub(crate) fn wait_ended(&mut self, role: Role) -> bool {
        self.waits[role as usize]
            .take()
            .is_some_and(|wait| wait.woken)
    }

    /// Wakes the thread that waits for this, if one does.
    pub(crate) fn rouse(&mut self, key: Key) {
        if let Some(thread) = self.parked.get(&key) {
            self.wakes.push(Arc::clone(thread));
        } else if self.leader == Leader::Caller(key) {
            self.served = true;
        }
    }

    /// Wakes a thread as soon as the lock is free.
    pub(crate) fn wake(&mut self, thread: Arc<Condvar>) {
        self.wakes.push(thread);
    }

    /// Whether the sockets must be looked after although no thread waits for anything.
    pub(crate) fn needs_service(&self) -> bool {
        let open = self.unanswered + self.watches + self.streams + self.leases.len();
        !self.closed && (open > 0 || self.core.poll_timeout().is_some())
    }

    /// Ends waits that have come to be wrong.
    fn end_waits(&mut self, shared: &Shared) {
        for role in [Role::Caller, Role::Helper] {
            let Some(wait) = &self.waits[role as usize] else {
                continue;
            };
            if wait.woken {
                continue;
            }
            // It waits for the wrong sockets, it no longer drives, its answer is there, or it would
            // sleep past a deadline.
            let leads = self.leader.role() == Some(role);
            let due = self.due();
            let late = due.is_some_and(|due| wait.until.is_none_or(|until| due < until));
            let served = self.served && role == Role::Caller;
            if wait.version == self.version && leads && !served && !late {
                continue;
            }
            shared.waker(role).wake();
            self.waits[role as usize] = Some(Wait {
                version: self.version,
                until: None,
                woken: true,
            });
        }
        self.served = false;
    }
}

/// The state while its lock is held; letting go wakes whoever has to be woken.
pub(crate) struct Locked<'a> {
    shared: &'a Shared,
    /// Empty only inside `park` and `drop`.
    state: Option<MutexGuard<'a, State>>,
    /// Whether the thread was panicking before it came here.
    panicking: bool,
}

impl Locked<'_> {
    /// Whether there are notices that somebody wants.
    pub(crate) fn has_notices(&self) -> bool {
        self.shared.listener.is_set() && self.core.has_notice()
    }

    /// Sleeps without the lock until another thread rouses this one or `timeout` has passed; it may
    /// also return for no reason.
    pub(crate) fn park(&mut self, thread: &Condvar, timeout: Option<Duration>) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        state.end_waits(self.shared);
        for thread in state.wakes.drain(..) {
            thread.notify_one();
        }
        self.state = Some(match timeout {
            None => thread.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                thread
                    .wait_timeout(state, timeout)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        });
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state.as_deref().expect("it is there until the drop")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state
            .as_deref_mut()
            .expect("it is there until the drop")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        // A thread that panics here must not keep the role. It has it if the one who drives is not
        // waiting: everything else the driver does, it does with the lock.
        if thread::panicking() && !self.panicking {
            let role = state.leader.role();
            if role.is_some_and(|role| state.waits[role as usize].is_none()) {
                state.leader = Leader::Nobody;
            }
            state.hand_on();
        }
        state.end_waits(self.shared);
        let wakes = mem::take(&mut state.wakes);
        let tells = self.shared.listener.is_set() && state.core.has_notice();

        // A thread woken before this would only run into the lock.
        drop(state);
        for thread in wakes {
            thread.notify_one();
        }
        if tells && !thread::panicking() {
            self.shared.hand_over();
        }
    }
}

/// What one read can take: a large answer needs few calls, and a client's only buffer stays small.
const READ_BYTES: usize = 64 * 1024;
