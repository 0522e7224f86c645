//! Clients that are commanded by number, and whose users are the world itself.

use std::collections::BTreeMap;

use etcd_core::trace::{Recorded, Recording};
use etcd_core::{
    CallOptions, Config, Credentials, EventKind, KeepAlive, KeepAliveId, KeyRange, KnownKeys,
    LeaseGrant, Observe, Stats, Watch, WatchId, WatchOptions,
};

use super::asked::{Given, give};
use super::clients::{ClientHost, Pace, Reader};
use super::members::ClusterHost;
use super::{World, lock};
use crate::check::{Asked, Changed, History, Kept, Streamed, What};

/// Clients by number, and their history. A client, call, watch or stream that does not exist is left
/// alone; numbers of calls, watches and streams are the core's own ids.
impl World {
    /// Adds a client. Its number is what it is called by from now on.
    pub fn add_client(&self, config: Config) -> usize {
        self.change(|state| {
            let deadlines = (config.read_timeout, config.write_timeout);
            let mut core = Recorded::new(config, state.rng.next_u64(), state.now);
            if state.records {
                core.record(Recording::new())
                    .expect("a client that is new was told nothing");
            }
            state.clients.push(ClientHost::new(core, deadlines));
            state.clients.len() - 1
        })
    }

    /// Starts a call. Its outcome comes into the history.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn call(&self, client: usize, asked: impl Into<Asked>) -> u64 {
        self.call_with(client, asked, CallOptions::default())
    }

    /// Starts a call with options.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn call_with(&self, client: usize, asked: impl Into<Asked>, options: CallOptions) -> u64 {
        let asked = asked.into();
        self.change(|state| {
            let at = state.now;
            let host = &mut state.clients[client];
            let (read, write) = host.deadlines;
            let own = options.timeout;
            let now = host.local(at);
            let given: Given = give(&mut host.core, now, asked.clone(), options);
            let call = given.call.get();
            host.numbered.insert(call, given.call);
            host.numbers.insert(call);
            if given.waits {
                host.waits.insert(call);
            }
            let usual = if given.is_read { read } else { write };
            let limit = own.or_else(|| (!given.waits).then_some(usual));
            let deadline = limit.map(|limit| at + limit);
            let started = What::CallStarted {
                call,
                asked,
                deadline,
            };
            state.add(client, started);
            state.tell_frozen(client);
            state.drain_client(client);
            call
        })
    }

    /// Calls a call off.
    pub fn cancel_call(&self, client: usize, call: u64) {
        self.change(|state| {
            let found = state.clients[client].numbered.get(&call).copied();
            if let Some(id) = found {
                state.add(client, What::CallCanceled { call });
                state.visit(client, |host, now| host.core.cancel_call(now, id));
            }
        });
    }

    /// Whether a call is under way that may wait for ever for somebody else, as for a lock.
    #[must_use]
    pub fn waits(&self, client: usize, call: u64) -> bool {
        let state = lock(&self.state);
        let host = state.clients.get(client);
        host.is_some_and(|host| host.numbered.contains_key(&call) && host.waits.contains(&call))
    }

    /// How many calls of a client are under way.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    #[must_use]
    pub fn calls_under_way(&self, client: usize) -> usize {
        lock(&self.state).clients[client].numbered.len()
    }

    /// Opens a watch. What it delivers is taken at this pace and comes into the history.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn watch(&self, client: usize, watch: impl Into<Watch>, pace: Pace) -> u64 {
        self.watch_with(client, watch, WatchOptions::default(), pace)
    }

    /// Opens a watch with options.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn watch_with(
        &self,
        client: usize,
        watch: impl Into<Watch>,
        options: WatchOptions,
        pace: Pace,
    ) -> u64 {
        let request = watch.into();
        self.change(|state| {
            let now = state.clients[client].local(state.now);
            let host = &mut state.clients[client];
            let id = host.core.watch_with(now, request.clone(), options.clone());
            let reader = Reader::World {
                pace,
                is_arranged: false,
            };
            host.watches.insert(id, reader);
            let watch = id.get();
            let opened = What::WatchOpened {
                watch,
                request,
                options,
            };
            state.add(client, opened);
            state.drain_client(client);
            watch
        })
    }

    /// Lets what a watch delivers be taken at another pace.
    pub fn set_pace(&self, client: usize, watch: u64, pace: Pace) {
        self.change(|state| {
            if let Some(id) = state.find_watch(client, watch) {
                state.set_pace(client, id, pace);
            }
        });
    }

    /// Cancels a watch.
    pub fn cancel_watch(&self, client: usize, watch: u64) {
        self.change(|state| {
            if let Some(id) = state.find_watch(client, watch) {
                state.add(client, What::WatchCanceled { watch });
                state.visit(client, |host, now| host.core.cancel_watch(now, id));
            }
        });
    }

    /// Asks how far a watch is.
    pub fn request_progress(&self, client: usize, watch: u64) {
        self.change(|state| {
            if let Some(id) = state.find_watch(client, watch) {
                state.add(client, What::ProgressAsked { watch });
                state.visit(client, |host, now| host.core.request_progress(now, id));
            }
        });
    }

    /// Takes a snapshot. What it delivers comes into the history.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn snapshot(&self, client: usize, options: CallOptions) -> u64 {
        self.begin_stream(client, Streamed::Snapshot, |core, now| {
            core.snapshot(now, options)
        })
    }

    /// Observes an election. What it delivers comes into the history.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn observe(&self, client: usize, observe: Observe) -> u64 {
        let asked = Streamed::Observation(observe.name.clone());
        self.begin_stream(client, asked, |core, now| core.observe(now, observe))
    }

    fn begin_stream(
        &self,
        client: usize,
        asked: Streamed,
        begin: impl FnOnce(&mut Recorded, etcd_core::Instant) -> etcd_core::StreamId,
    ) -> u64 {
        self.change(|state| {
            let now = state.clients[client].local(state.now);
            let host = &mut state.clients[client];
            let id = begin(&mut host.core, now);
            let reader = Reader::World {
                pace: Pace::AtOnce,
                is_arranged: false,
            };
            host.streams.insert(id, reader);
            let stream = id.get();
            state.add(client, What::StreamOpened { stream, asked });
            state.drain_client(client);
            stream
        })
    }

    /// Cancels a snapshot or an observation.
    pub fn cancel_stream(&self, client: usize, stream: u64) {
        self.change(|state| {
            let found = state.clients[client]
                .streams
                .keys()
                .find(|id| id.get() == stream);
            if let Some(&id) = found {
                state.add(client, What::StreamCanceled { stream });
                state.visit(client, |host, now| host.core.cancel_stream(now, id));
            }
        });
    }

    /// Grants a lease and keeps it alive. What is told of it comes into the history.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn lease(&self, client: usize, grant: LeaseGrant) -> u64 {
        let asked = Kept::Granted(grant.clone());
        self.begin_lease(client, asked, |core, now| core.lease(now, grant))
    }

    /// Keeps a lease alive that exists already. What is told of it comes into the history.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn keep_alive(&self, client: usize, lease: KeepAlive) -> u64 {
        let asked = Kept::TakenOver(lease.clone());
        self.begin_lease(client, asked, |core, now| core.keep_alive(now, lease))
    }

    fn begin_lease(
        &self,
        client: usize,
        asked: Kept,
        begin: impl FnOnce(&mut Recorded, etcd_core::Instant) -> KeepAliveId,
    ) -> u64 {
        self.change(|state| {
            let now = state.clients[client].local(state.now);
            let host = &mut state.clients[client];
            let id = begin(&mut host.core, now);
            host.leases.insert(id);
            let kept = id.get();
            state.add(client, What::LeaseKept { kept, asked });
            state.tell_frozen(client);
            state.drain_client(client);
            kept
        })
    }

    /// Does not keep a lease alive any more.
    pub fn release_lease(&self, client: usize, kept: u64) {
        self.change(|state| {
            if let Some(id) = state.find_lease(client, kept) {
                state.add(client, What::LeaseReleased { kept });
                state.visit(client, |host, now| host.core.release_lease(now, id));
            }
        });
    }

    /// Revokes a lease that is kept alive.
    pub fn revoke_lease(&self, client: usize, kept: u64) {
        self.change(|state| {
            if let Some(id) = state.find_lease(client, kept) {
                state.add(client, What::LeaseRevoked { kept });
                state.visit(client, |host, now| host.core.revoke_lease(now, id));
            }
        });
    }

    /// Brings other credentials, or takes them away.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn set_credentials(&self, client: usize, credentials: Option<Credentials>) {
        self.change(|state| {
            state.visit(client, |host, now| {
                host.core.set_credentials(now, credentials)
            });
        });
    }

    /// Ends a client.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    pub fn shut_down(&self, client: usize) {
        self.change(|state| {
            state.add(client, What::ShutDown);
            state.visit(client, |host, now| host.core.shutdown(now));
        });
    }

    /// What a client has done.
    ///
    /// # Panics
    ///
    /// Where there is no such client.
    #[must_use]
    pub fn stats(&self, client: usize) -> Stats {
        lock(&self.state).clients[client].core.stats()
    }

    /// Keeps also what each request was that came to a cluster ([`crate::check::Truth::asks`]), from
    /// now on.
    pub fn keep_history(&self) {
        self.change(|state| state.keeps_history = true);
    }

    /// Records every client that is added from now on, as [`etcd_core::trace`] does it.
    ///
    /// ```
    /// use etcd_core::{Put, trace};
    /// use etcd_sim::World;
    ///
    /// let world = World::new(7);
    /// world.record_clients();
    /// let client = world.add_client(world.config());
    /// world.call(client, Put::new("k", "v"));
    /// world.run_for(core::time::Duration::from_secs(1));
    /// let recordings = world.take_recordings();
    /// assert!(trace::replay(&recordings[client])?.is_complete);
    /// # Ok::<(), trace::ReplayError>(())
    /// ```
    pub fn record_clients(&self) {
        self.change(|state| state.records = true);
    }

    /// Ends the recordings of all clients and gives them, in the clients' order; empty ones for those
    /// that were added before [`World::record_clients`].
    #[must_use]
    pub fn take_recordings(&self) -> Vec<Vec<u8>> {
        let take = |host: &mut ClientHost| {
            host.core.finish_log();
            host.core.take_log()
        };
        self.change(|state| state.clients.iter_mut().map(take).collect())
    }

    /// Looks at what the users of the clients by number commanded and were told so far. What the
    /// clusters really did is not in it before [`World::take_history`].
    pub fn look<R>(&self, look: impl FnOnce(&History) -> R) -> R {
        look(&lock(&self.state).history)
    }

    /// The keys of a range as the first cluster had them at a revision, or has them now where that is to
    /// come: what a user knows who read the range.
    pub(crate) fn keys_at(&self, range: &KeyRange, revision: i64) -> KnownKeys {
        let state = lock(&self.state);
        let truth = state
            .clusters
            .first()
            .map(ClusterHost::truth)
            .unwrap_or_default();
        let changes = truth.changes.iter();
        let mut keys = BTreeMap::new();
        for change in changes.take_while(|change| change.revision <= revision) {
            let Changed::Kv(events) = &change.what else {
                continue;
            };
            for event in events.iter().filter(|event| range.contains(&event.kv.key)) {
                match event.kind {
                    EventKind::Delete => keys.remove(&event.kv.key),
                    _ => keys.insert(&event.kv.key, event.kv.mod_revision),
                };
            }
        }
        keys.into_iter().collect()
    }

    /// What the users of the clients by number commanded and were told, and what the first cluster
    /// really did. The world begins a new history.
    #[must_use]
    pub fn take_history(&self) -> History {
        self.change(|state| {
            let mut history = core::mem::take(&mut state.history);
            if let Some(host) = state.clusters.first() {
                history.truth = host.truth();
            }
            history
        })
    }
}

impl super::State {
    /// A kept lease's id by its number, while its end was not told.
    fn find_lease(&self, client: usize, kept: u64) -> Option<KeepAliveId> {
        let leases = &self.clients.get(client)?.leases;
        leases.iter().find(|id| id.get() == kept).copied()
    }

    /// A watch's id by its number.
    fn find_watch(&self, client: usize, watch: u64) -> Option<WatchId> {
        let watches = &self.clients.get(client)?.watches;
        watches.keys().find(|id| id.get() == watch).copied()
    }
}
