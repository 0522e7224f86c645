//! Who drives: the thread that wants an answer does so itself.
//!
//! A thread that waits for something (a call's answer, a watch's next event) takes the role if it is
//! free: it waits for the sockets without the lock, feeds the core, carries out its orders, and goes
//! on until its own answer is there. If another thread has the role, it parks until its answer is
//! there or the role is free. A leaving driver rouses one parked thread, or, where there is none and
//! something must be looked after, the helper.
//!
//! ```text
//!  caller alone     lock · command · write ─ poll ─ lock · read · answer
//!  several callers  one polls and reads for all; each writes its own request and parks
//!  nobody           the helper polls, but only after a moment of quiet
//! ```
//!
//! No role is ever promised: a roused thread finds it free or taken, and parks again if it is taken.
//! The rule a change must keep: **whoever stops waiting calls `hand_on`**.

use std::sync::Arc;
use std::sync::Condvar;
use std::time::Duration;

use etcd_core::Call;
use etcd_core::CallId;
use etcd_core::CallOptions;
use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::Response;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use etcd_core::WatchOptions;
use etcd_core::trace::Recorded;

use crate::shared::Key;
use crate::shared::Leader;
use crate::shared::Locked;
use crate::shared::Role;
use crate::shared::Shared;
use crate::shared::State;

impl Shared {
    /// Makes a call and waits for its result.
    pub(crate) fn call<C: Call>(&self, call: C, options: CallOptions) -> Result<Response, Error> {
        self.call_by(|core, now| core.call_with(now, call, options))
    }

    /// The same, of whatever begins a call.
    pub(crate) fn call_by(
        &self,
        begin: impl FnOnce(&mut Recorded, Instant) -> CallId,
    ) -> Result<Response, Error> {
        let (mut locked, now) = self.begin();
        let id = locked.begin_call(now, begin);

        let result = self.wait(locked, now, Key::Call(id), None, |state, _| {
            state.take_answer(id)
        });
        let Some(result) = result else {
            unreachable!("a wait without a time limit ends with an answer");
        };
        *result
    }

    /// Starts a call. Whoever waits for it looks after it, and until then the helper.
    pub(crate) fn start_call<C: Call>(&self, call: C, options: CallOptions) -> CallId {
        let (mut locked, now) = self.begin();
        let id = locked.begin_call(now, |core, now| core.call_with(now, call, options));
        locked.hand_on();
        id
    }

    /// Starts several calls. What they send on one connection goes out in one write.
    pub(crate) fn start_calls<C: Call>(&self, calls: Vec<C>, options: &CallOptions) -> Vec<CallId> {
        let (mut locked, now) = self.begin();
        let calls = calls.into_iter();
        let begin =
            |call| locked.add_call(now, |core, now| core.call_with(now, call, options.clone()));
        let ids = calls.map(begin).collect();
        locked.drain(now);
        locked.hand_on();
        ids
    }

    /// Waits for the result of a started call, which nobody has taken, until `until` at the latest.
    pub(crate) fn wait_for_call(
        &self,
        call: CallId,
        until: Option<Instant>,
    ) -> Option<Result<Response, Error>> {
        let locked = self.lock();
        let now = self.clock.now();
        let result = self.wait(locked, now, Key::Call(call), until, |state, _| {
            state.take_answer(call)
        });
        result.map(|result| *result)
    }

    /// Opens a watch and waits for its first event.
    pub(crate) fn watch(&self, watch: Watch, options: WatchOptions) -> (WatchId, WatchEvent) {
        let (mut locked, now) = self.begin();
        let id = locked.core.watch_with(now, watch, options);
        locked.watches += 1;
        locked.drain(now);

        let first = self.wait(locked, now, Key::Watch(id), None, |state, now| {
            state.next_of(now, id)
        });
        let Some(first) = first else {
            unreachable!("a wait without a time limit ends with an event");
        };
        (id, first)
    }

    /// Waits for the next event of a watch, until `until` at the latest.
    pub(crate) fn next_event(&self, watch: WatchId, until: Option<Instant>) -> Option<WatchEvent> {
        let locked = self.lock();
        let now = self.clock.now();
        self.wait(locked, now, Key::Watch(watch), until, |state, now| {
            state.next_of(now, watch)
        })
    }

    /// Tells the core something that nobody waits for.
    pub(crate) fn command<R>(&self, command: impl FnOnce(&mut State, Instant) -> R) -> R {
        let (mut locked, now) = self.begin();
        let result = command(&mut locked, now);
        locked.drain(now);
        locked.hand_on();
        result
    }

    /// Takes the lock to give the core something to do.
    pub(crate) fn begin(&self) -> (Locked<'_>, Instant) {
        let mut locked = self.lock();
        let now = self.clock.now();
        let unseen = locked.leader == Leader::Nobody && !locked.sockets.is_empty();
        if unseen && now - locked.looked > FRESH {
            locked.catch_up(now, self.waker(Role::Caller));
        }
        (locked, now)
    }

    /// Waits until `ready` gives something, driving the sockets if nobody else does. `None` only
    /// when `until` has passed, after a look at the sockets.
    pub(crate) fn wait<'a, T>(
        &'a self,
        mut locked: Locked<'a>,
        mut now: Instant,
        key: Key,
        until: Option<Instant>,
        mut ready: impl FnMut(&mut State, Instant) -> Option<T>,
    ) -> Option<T> {
        let mut looked = false;
        let mut told = false;
        loop {
            // What was waited for is there, or the time for it is up.
            let found = ready(&mut locked, now);
            if found.is_some() || looked && until.is_some_and(|until| until <= now) {
                locked.leave(key);
                return found;
            }
            looked = true;

            // The role is free, or the helper's, who makes room for any caller: take it.
            match locked.leader {
                Leader::Nobody | Leader::Helper => {
                    locked.leader = Leader::Caller(key);
                    locked.tenures += 1;
                }
                Leader::Caller(_) => {}
            }
            if locked.leader == Leader::Caller(key) {
                (locked, now) = self.drive(locked, Role::Caller, until);
            } else if !told && locked.has_notices() {
                // A thread that sleeps hands over nothing; then it looks once more.
                told = true;
                drop(locked);
                locked = self.lock();
                now = self.clock.now();
            } else {
                told = false;
                let thread = Arc::new(Condvar::new());
                locked.parked.insert(key, Arc::clone(&thread));
                locked.park(&thread, until.map(|until| until - now));
                locked.parked.remove(&key);
                now = self.clock.now();
            }
        }
    }

    /// One round of driving: waits for the sockets or the next deadline, then serves them. The
    /// caller has the role. Returns the time after it.
    pub(crate) fn drive<'a>(
        &'a self,
        mut locked: Locked<'a>,
        role: Role,
        until: Option<Instant>,
    ) -> (Locked<'a>, Instant) {
        // Wait for the core's next deadline, or the caller's if that comes first.
        let due = locked.due();
        let until = match (due, until) {
            (Some(due), Some(until)) => Some(due.min(until)),
            (due, until) => due.or(until),
        };
        let mut set = locked.take_set();
        locked.wait_begins(role, until);

        // From here the lock is free, and other threads may write, close, and end this wait.
        drop(locked);
        // Notices may have been handed over with it, to somebody who took his time.
        let now = self.clock.now();
        self.waker(role)
            .wait(&mut set, until.map(|until| until - now));

        let mut locked = self.lock();
        let mut now = self.clock.now();
        if locked.wait_ended(role) {
            self.waker(role).clear();
        }
        // A helper that lost the role meanwhile leaves what it found to the one who has it.
        if role == Role::Caller || locked.leader == Leader::Helper {
            locked.found(now, &set);
        }
        locked.put_set(set);
        if locked.has_notices() {
            // The one who drives may stop now, and sleep.
            drop(locked);
            locked = self.lock();
            now = self.clock.now();
        }
        (locked, now)
    }
}

impl State {
    /// Gives a call to the core, and keeps a place for its answer.
    fn begin_call(
        &mut self,
        now: Instant,
        begin: impl FnOnce(&mut Recorded, Instant) -> CallId,
    ) -> CallId {
        let id = self.add_call(now, begin);
        // The request goes out here, from this thread.
        self.drain(now);
        id
    }

    /// The same, and nothing goes out yet.
    fn add_call(
        &mut self,
        now: Instant,
        begin: impl FnOnce(&mut Recorded, Instant) -> CallId,
    ) -> CallId {
        let id = begin(&mut self.core, now);
        self.answers.insert(id, None);
        self.unanswered += 1;
        id
    }

    /// The answer of a call, if it is there; it has no place any more then.
    fn take_answer(&mut self, call: CallId) -> Option<Box<Result<Response, Error>>> {
        self.answers.get(&call)?.as_ref()?;
        self.answers.remove(&call)?
    }

    /// Ends a call whose owner does not want its answer.
    pub(crate) fn drop_call(&mut self, now: Instant, call: CallId) {
        self.core.cancel_call(now, call);
        // What it ended with goes with it.
        self.drain(now);
        self.answers.remove(&call);
    }

    /// Ends a watch whose owner wants nothing more of it.
    pub(crate) fn drop_watch(&mut self, now: Instant, watch: WatchId) {
        self.core.cancel_watch(now, watch);
        // What it still had to deliver goes with it.
        while let Some(event) = self.next_of(now, watch) {
            drop(event);
        }
    }

    /// The next event of a watch, if there is one.
    fn next_of(&mut self, now: Instant, watch: WatchId) -> Option<WatchEvent> {
        let event = self.core.poll_watch(watch)?;
        if matches!(event, WatchEvent::End(_)) {
            self.watches -= 1;
        }
        // There may be room again for what the server holds back.
        self.drain(now);
        Some(event)
    }

    /// The thread that waited for this stops waiting.
    fn leave(&mut self, key: Key) {
        if self.leader == Leader::Caller(key) {
            self.leader = Leader::Nobody;
        }
        self.hand_on();
    }

    /// Finds somebody for the role if nobody has it and somebody should.
    pub(crate) fn hand_on(&mut self) {
        if self.leader != Leader::Nobody {
            return;
        }
        if let Some(thread) = self.parked.values().next() {
            let thread = Arc::clone(thread);
            self.wake(thread);
        } else if self.needs_service() {
            self.call_helper();
        }
    }
}

/// How long a look at the sockets counts as fresh. A server that closes a connection does so for
/// having been idle, or restarted: both take longer.
const FRESH: Duration = Duration::from_millis(1);
