//! A world: clients, clusters and the network between them, in virtual time and out of one seed.
//!
//! [`World`] is the handle to all of it. Time stands still until somebody lets it go by: with
//! [`World::block_on`], which runs a program, or [`World::step`], [`World::run_for`] and
//! [`World::run_until`]. Everything random in a world comes from its seed, so the same seed and the
//! same commands make the same things happen, byte for byte, on every machine;
//! [`World::digest`] is a number to compare that by.
//!
//! There are two ways to use a client. [`World::client`] gives a [`Client`] with the
//! methods of etcd-smol's, for programs. [`World::add_client`] makes one that is commanded by number
//! (`call`, `watch`, …) and whose users are the world itself: what comes of it goes into the world's
//! [`History`](crate::check::History).

mod act;
mod acts;
mod asked;
mod between;
mod clients;
mod clock;
mod commands;
mod digest;
mod members;
mod queue;
mod rules;
mod state;
mod stuck;
mod tasks;
mod truth;
mod wire;

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use etcd_core::trace::Recorded;
use etcd_core::{Config, Endpoint, Instant, Version};

pub use self::act::Act;
pub use self::between::Between;
pub use self::clients::Pace;
pub use self::clock::{Clock, Sleep};
pub use self::stuck::Stuck;
pub use self::tasks::Task;

pub(crate) use self::clients::{CallSlot, Reader};

use self::clients::ClientHost;
use self::members::{ClusterHost, Health, Member};
use self::queue::Due;
use self::state::State;
use self::tasks::Tasks;
use crate::client::Client;
use crate::etcd::Setup;
use crate::net::{Fault, Faults, Shape, Tally};

/// A world in a seed: clients, clusters, and a network that can fail. See the [module](self).
///
/// It is a handle; clones are the same world. A task that holds one keeps the world alive.
///
/// ```
/// use etcd_sim::World;
///
/// let world = World::new(7);
/// let client = world.client();
/// let answer = world.block_on(async {
///     client.put("greeting", "hello").await?;
///     client.get("greeting").await
/// })?;
/// assert_eq!(answer.kvs[0].value_str(), Ok("hello"));
/// # Ok::<(), etcd_core::Error>(())
/// ```
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    tasks: Rc<Tasks>,
    patience: Rc<Cell<Duration>>,
}

/// Looks at a state. A panic of somebody who looked before is no reason not to.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with a state, and calls those whom that wakes when nobody looks at it any more.
fn visit<R>(state: &Mutex<State>, act: impl FnOnce(&mut State) -> R) -> R {
    let (result, wakers) = {
        let mut state = lock(state);
        let result = act(&mut state);
        (result, core::mem::take(&mut state.wakers))
    };
    for waker in wakers {
        waker.wake();
    }
    result
}

/// A client of a world, as its handles share it.
#[derive(Clone)]
pub(crate) struct ClientLink {
    state: Arc<Mutex<State>>,
    client: usize,
}

impl ClientLink {
    /// Gives the client something, and does what comes of it.
    pub(crate) fn visit<R>(
        &self,
        act: impl FnOnce(&mut Recorded, &mut Slots<'_>, Instant) -> R,
    ) -> R {
        visit(&self.state, |state| {
            state.visit(self.client, |host, now| {
                let ClientHost {
                    core,
                    calls,
                    watches,
                    streams,
                    ..
                } = host;
                let mut slots = Slots {
                    calls,
                    watches,
                    streams,
                };
                act(core, &mut slots, now)
            })
        })
    }

    pub(crate) fn forget_call(&self, call: etcd_core::CallId) {
        drop(visit(&self.state, |state| {
            state.forget_call(self.client, call)
        }));
    }

    pub(crate) fn forget_watch(&self, watch: etcd_core::WatchId) {
        drop(visit(&self.state, |state| {
            state.forget_watch(self.client, watch)
        }));
    }

    pub(crate) fn forget_stream(&self, stream: etcd_core::StreamId) {
        drop(visit(&self.state, |state| {
            state.forget_stream(self.client, stream)
        }));
    }

    pub(crate) const fn number(&self) -> usize {
        self.client
    }
}

/// Who waits for what at a client.
pub(crate) struct Slots<'a> {
    pub(crate) calls: &'a mut std::collections::BTreeMap<etcd_core::CallId, CallSlot>,
    pub(crate) watches: &'a mut std::collections::BTreeMap<etcd_core::WatchId, Reader>,
    pub(crate) streams: &'a mut std::collections::BTreeMap<etcd_core::StreamId, Reader>,
}

/// Making a world.
impl World {
    /// A world with one cluster of three members of etcd 3.5.16, its network healthy.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_cluster(seed, Setup::new(Version::new(3, 5, 16)).with_members(3))
    }

    /// A world with one cluster of this kind.
    #[must_use]
    pub fn with_cluster(seed: u64, setup: Setup) -> Self {
        let world = Self::empty(seed);
        world.add_cluster(setup);
        world
    }

    /// A world with nothing in it yet.
    #[must_use]
    pub fn empty(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(seed))),
            tasks: Rc::default(),
            patience: Rc::new(Cell::new(Duration::from_secs(3600))),
        }
    }

    /// Adds a cluster. Its members are counted on from those of the clusters before, and each has an
    /// address of its own: see [`World::endpoint`]. Returns the number of the first of them.
    pub fn add_cluster(&self, setup: Setup) -> usize {
        self.change(|state| {
            let cluster = state.clusters.len();
            let first = state.members.len();
            for place in 0..setup.members {
                let address = format!("10.0.{cluster}.{}:2379", place + 1);
                state.addresses.insert(address, first + place);
                state.members.push(Member {
                    cluster,
                    place,
                    health: Health::Running,
                });
            }
            let seed = state.rng.next_u64();
            let host = ClusterHost::new(setup, seed, state.now, first);
            state.clusters.push(host);
            state.pump_cluster(cluster);
            first
        })
    }

    /// Where a member listens; `None` if there is none of that number.
    #[must_use]
    pub fn endpoint(&self, member: usize) -> Option<Endpoint> {
        let state = lock(&self.state);
        let found = state.addresses.iter().find(|(_, other)| **other == member);
        found.and_then(|(address, _)| format!("http://{address}").parse().ok())
    }

    /// Where all members listen, in their order.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        let state = lock(&self.state);
        let mut found: Vec<_> = state.addresses.iter().map(|(a, m)| (*m, a)).collect();
        found.sort_unstable();
        found
            .iter()
            .map(|(_, address)| format!("http://{address}"))
            .collect()
    }

    /// A configuration with all members and the defaults.
    ///
    /// # Panics
    ///
    /// Where the world has no members.
    #[must_use]
    pub fn config(&self) -> Config {
        Config::new(self.endpoints()).expect("a world to be connected to has members")
    }

    /// A client of all members, for a program.
    ///
    /// # Panics
    ///
    /// Where the world has no members.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_with(self.config())
    }

    /// A client with this configuration, for a program. Its endpoints are addresses of the world
    /// ([`World::endpoint`]); others cannot be found.
    #[must_use]
    pub fn client_with(&self, config: Config) -> Client {
        Client::new(ClientLink {
            state: Arc::clone(&self.state),
            client: self.add_client(config),
        })
    }
}

/// Time.
impl World {
    /// The time in the world, from its beginning.
    #[must_use]
    pub fn now(&self) -> Instant {
        lock(&self.state).now
    }

    /// A handle to the world's time, for programs.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::new(Arc::clone(&self.state))
    }

    /// Waits for so long, in virtual time.
    pub fn sleep(&self, time: Duration) -> Sleep {
        self.clock().sleep(time)
    }

    /// Does the next thing that is going to happen, and lets the tasks do what they can then. Says
    /// whether there was any.
    pub fn step(&self) -> bool {
        self.run_tasks();
        let stepped = self.change(State::step);
        self.run_tasks();
        stepped
    }

    /// Lets so much time go by, with all that happens in it.
    pub fn run_for(&self, time: Duration) {
        self.run_until(self.now() + time);
    }

    /// Lets time go by up to this moment, with all that happens up to then.
    pub fn run_until(&self, at: Instant) {
        self.run_tasks();
        if self.tasks.len() == 0 {
            return self.change(|state| state.run_until(at));
        }
        while lock(&self.state)
            .queue
            .next()
            .is_some_and(|next| next <= at)
        {
            self.step();
        }
        self.change(|state| state.run_until(at));
    }

    /// Lets time go by until `is_done` says so, at most so much of it. Says whether it was. Asked
    /// after each thing that happens.
    pub fn run_for_until(&self, most: Duration, mut is_done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now() + most;
        self.run_tasks();
        while !is_done(self) {
            if lock(&self.state).queue.next().is_none_or(|next| next > end) {
                self.change(|state| state.run_until(end));
                return is_done(self);
            }
            self.step();
        }
        true
    }

    /// When the next thing is going to happen; `None` if nothing is.
    #[must_use]
    pub fn next_step(&self) -> Option<Instant> {
        lock(&self.state).queue.next()
    }

    /// Runs a future to its end, and the tasks and the world beside it.
    ///
    /// # Panics
    ///
    /// Where it can never end, see [`Stuck`]; where it is called inside of itself.
    #[track_caller]
    pub fn block_on<T: 'static, F: Future<Output = T>>(&self, future: F) -> T {
        match self.try_block_on(future) {
            Ok(value) => value,
            Err(stuck) => panic!("{stuck}"),
        }
    }

    /// As [`World::block_on`], where the future may never end.
    ///
    /// # Errors
    ///
    /// [`Stuck`] says why it does not end. The future is dropped.
    ///
    /// # Panics
    ///
    /// Where it is called inside of itself.
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        assert!(
            !self.tasks.is_running.replace(true),
            "a task of a world cannot block on another future of it; await it instead"
        );
        let result = self.drive(future);
        self.tasks.is_running.set(false);
        result
    }

    fn drive<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        let mut future = core::pin::pin!(future);
        let main = Arc::new(tasks::Flag::default());
        let waker = core::task::Waker::from(Arc::clone(&main));
        let mut cx = core::task::Context::from_waker(&waker);
        let mut woken = self.now();
        loop {
            let mut is_idle = true;
            if main.take() {
                is_idle = false;
                if let core::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                    return Ok(value);
                }
            }
            while self.tasks.poll_one() {
                is_idle = false;
            }
            if !is_idle {
                woken = self.now();
                continue;
            }
            let tasks = self.tasks.len() + 1;
            if !self.change(State::step) {
                return Err(Stuck::Nothing {
                    at: self.now(),
                    tasks,
                });
            }
            let waited = self.now() - woken;
            if waited > self.patience.get() && lock(&self.state).sleeps.is_empty() {
                return Err(Stuck::Patience { waited, tasks });
            }
        }
    }

    /// Begins a task: a future that goes on whenever the world runs.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        Task::new(Rc::clone(&self.tasks), future)
    }

    /// Sets after how much virtual time in which nobody is woken [`World::block_on`] gives up; an hour
    /// if nothing is said. A future that only waits for the clock is woken by it, however late.
    pub fn set_patience(&self, time: Duration) {
        self.patience.set(time);
    }

    /// Polls every task that was woken, where nobody does that already.
    fn run_tasks(&self) {
        if self.tasks.is_running.replace(true) {
            return;
        }
        while self.tasks.poll_one() {}
        self.tasks.is_running.set(false);
    }
}

/// What goes wrong.
impl World {
    /// Does something to the world now. The methods below are short for this.
    pub fn act(&self, act: Act) {
        self.change(|state| state.act(act));
    }

    /// Plans something to be done after this time.
    pub fn act_after(&self, time: Duration, act: Act) {
        self.change(|state| {
            let number = state.next_number;
            state.next_number += 1;
            state.acts.insert(number, act);
            state.queue.push(state.now + time, Due::Act(number));
        });
    }

    /// Kills a member's process ([`Act::Stop`]).
    pub fn stop(&self, member: usize) {
        self.act(Act::Stop(member));
    }

    /// Starts a member again ([`Act::Start`]).
    pub fn start(&self, member: usize) {
        self.act(Act::Start(member));
    }

    /// Lets a member stand still ([`Act::Pause`]).
    pub fn pause(&self, member: usize) {
        self.act(Act::Pause(member));
    }

    /// Lets a member go on ([`Act::Resume`]).
    pub fn resume(&self, member: usize) {
        self.act(Act::Resume(member));
    }

    /// Splits a cluster ([`Act::Partition`]).
    pub fn partition<const N: usize>(&self, groups: [&[usize]; N]) {
        let groups = groups.iter().map(|group| group.to_vec()).collect();
        self.act(Act::Partition(groups));
    }

    /// All members hear one another again ([`Act::Heal`]).
    pub fn heal(&self) {
        self.act(Act::Heal);
    }

    /// Lets nothing through ([`Act::Unplug`]).
    pub fn unplug(&self, between: Between) {
        self.act(Act::Unplug(between));
    }

    /// Lets everything through again ([`Act::Plug`]).
    pub fn plug(&self, between: Between) {
        self.act(Act::Plug(between));
    }

    /// Does something to open connections ([`Act::Strike`]).
    pub fn strike(&self, between: Between, fault: Fault) {
        self.act(Act::Strike(between, fault));
    }

    /// Does something to the next connection ([`Act::Await`]).
    pub fn strike_next(&self, between: Between, fault: Fault) {
        self.act(Act::Await(between, fault));
    }

    /// Sets how connections are ([`Act::Shape`]).
    pub fn set_shape(&self, between: Between, shape: Shape) {
        self.act(Act::Shape(between, shape));
    }

    /// Sets what goes wrong on new connections ([`Act::Faults`]).
    pub fn set_faults(&self, between: Between, faults: Faults) {
        self.act(Act::Faults(between, faults));
    }

    /// Ends everything that was done wrong ([`Act::Calm`]).
    pub fn calm(&self) {
        self.act(Act::Calm);
    }

    /// Which member leads the first cluster, if one does.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        lock(&self.state).clusters.first()?.cluster.leader()
    }
}

/// What happened.
impl World {
    /// A number for everything that happened: every byte, every time, in order. The same seed and the
    /// same commands give the same number, on every machine.
    #[must_use]
    pub fn digest(&self) -> u64 {
        lock(&self.state).digest.value()
    }

    /// How many things have happened.
    #[must_use]
    pub fn steps(&self) -> u64 {
        lock(&self.state).steps
    }

    /// Which faults took effect on connections.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.state).tally.clone()
    }

    /// Keeps a log of what happens from now on ([`World::log`]), and of every fault
    /// ([`Tally::strikes`]).
    pub fn keep_log(&self) {
        self.change(|state| {
            state.log.get_or_insert_default();
            state.tally.keep_log();
        });
    }

    /// What happened since a log is kept, for people; the last 100,000 lines.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        let state = lock(&self.state);
        state.log.iter().flatten().cloned().collect()
    }

    /// Does something with the state and wakes who is woken by it.
    fn change<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        visit(&self.state, act)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now())
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}
