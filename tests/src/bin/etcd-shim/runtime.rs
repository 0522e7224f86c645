//! The two drivers under one face, as far as the shim needs it.
//!
//! Everything is a future. Those of the blocking driver block: each line runs on a thread of its
//! own there, and as a task of one executor on smol.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use etcd_core::{
    Call, CallOptions, Config, Error, LeaseEvent, Observe, ObserveResponse, SnapshotChunk,
    SnapshotSummary, Stats, Watch, WatchEvent,
};

use etcd_tls::TlsConfig;

use crate::orders::{First, Order, Orders};

/// A driver.
pub(crate) trait Runtime: Clone + Send + Sync + 'static {
    /// Its watch.
    type Watcher: Watching;

    /// Its snapshot.
    type Snapshot: Streaming<Item = SnapshotChunk>;

    /// Its observation.
    type Observer: Streaming<Item = ObserveResponse>;

    /// Its lease that is kept alive.
    type Lease: Keeping;

    /// Runs a line beside the others.
    fn spawn(&self, line: impl Future<Output = ()> + Send + 'static);

    /// Makes a call.
    fn call<C>(
        &self,
        call: C,
        options: CallOptions,
        orders: &Orders,
    ) -> impl Future<Output = First<Result<C::Response, Error>>> + Send
    where
        C: Call + Send,
        C::Response: Send;

    /// Opens a watch.
    fn watch(
        &self,
        watch: Watch,
        orders: &Orders,
    ) -> impl Future<Output = First<Result<Self::Watcher, Error>>> + Send;

    /// Takes a snapshot.
    fn snapshot(&self, options: CallOptions) -> impl Future<Output = Self::Snapshot> + Send;

    /// Observes an election.
    fn observe(&self, observe: Observe) -> impl Future<Output = Self::Observer> + Send;

    /// Keeps a lease alive.
    fn keep_alive(
        &self,
        lease: i64,
        orders: &Orders,
    ) -> impl Future<Output = First<Result<Self::Lease, Error>>> + Send;

    /// The counters.
    fn stats(&self) -> Stats;

    /// Ends everything.
    fn shutdown(&self);
}

/// A watch of a driver.
pub(crate) trait Watching: Send {
    fn created_revision(&self) -> i64;

    /// The next event, unless an order comes first.
    fn next(&mut self, orders: &Orders) -> impl Future<Output = First<Option<WatchEvent>>> + Send;

    fn request_progress(&self);

    fn cancel(&self);
}

/// A lease that a driver keeps alive.
pub(crate) trait Keeping: Send {
    /// The next event, unless an order comes first.
    fn next(&mut self, orders: &Orders) -> impl Future<Output = First<Option<LeaseEvent>>> + Send;

    fn release(&self);
}

/// A snapshot or an observation of a driver.
pub(crate) trait Streaming: Send {
    /// What it delivers.
    type Item: Send;

    /// The next item, unless an order comes first.
    fn next(
        &mut self,
        orders: &Orders,
    ) -> impl Future<Output = First<Option<Result<Self::Item, Error>>>> + Send;

    /// What is known of a snapshot that came whole.
    fn summary(&self) -> Option<&SnapshotSummary>;
}

/// The blocking driver.
#[derive(Clone)]
pub(crate) struct Std(etcd_std::Client);

impl Std {
    /// A client, and its recording if there is to be one.
    pub(crate) fn new(
        config: Config,
        tls: Option<TlsConfig>,
        seed: Option<u64>,
        record: Option<&Path>,
    ) -> io::Result<Self> {
        let client = match seed {
            Some(seed) => etcd_std::Client::with_seed(config, seed),
            None => etcd_std::Client::with_config(config),
        };
        if let Some(tls) = tls {
            client.set_tls(tls);
        }
        if let Some(path) = record {
            client.record_to(path)?;
        }
        Ok(Self(client))
    }
}

impl Runtime for Std {
    type Watcher = etcd_std::Watcher;

    type Snapshot = etcd_std::Snapshot;

    type Observer = etcd_std::Observer;

    type Lease = etcd_std::Lease;

    fn spawn(&self, line: impl Future<Output = ()> + Send + 'static) {
        let line = Arc::new(Mutex::new(Some(line)));
        loop {
            let line = Arc::clone(&line);
            let run = move || {
                let line = line.lock().map_or(None, |mut line| line.take());
                line.map(smol::block_on)
            };
            // There may be as many threads as the system allows. The next lines wait for one.
            match thread::Builder::new().spawn(run) {
                Ok(_) => return,
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    async fn call<C>(
        &self,
        call: C,
        options: CallOptions,
        orders: &Orders,
    ) -> First<Result<C::Response, Error>>
    where
        C: Call + Send,
        C::Response: Send,
    {
        let pending = self.0.start_with(call, options);
        let handle = pending.handle();
        let reach = move |order| {
            if order == Order::Cancel {
                handle.cancel();
            }
            false
        };
        First::Came(orders.block(reach, || pending.wait()))
    }

    async fn watch(&self, watch: Watch, _: &Orders) -> First<Result<Self::Watcher, Error>> {
        First::Came(self.0.watch(watch))
    }

    async fn snapshot(&self, options: CallOptions) -> Self::Snapshot {
        self.0.snapshot_with(options)
    }

    async fn observe(&self, observe: Observe) -> Self::Observer {
        self.0.observe(observe.name)
    }

    async fn keep_alive(&self, lease: i64, _: &Orders) -> First<Result<Self::Lease, Error>> {
        First::Came(self.0.keep_alive(lease))
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }

    fn shutdown(&self) {
        self.0.shutdown();
    }
}

impl Watching for etcd_std::Watcher {
    fn created_revision(&self) -> i64 {
        self.created_revision()
    }

    async fn next(&mut self, orders: &Orders) -> First<Option<WatchEvent>> {
        let handle = self.handle();
        let reach = move |order| {
            match order {
                Order::Cancel => handle.cancel(),
                Order::Progress => handle.request_progress(),
                // The end comes from the client, which is shut down.
                Order::Shutdown => {}
            }
            true
        };
        First::Came(orders.block(reach, || self.next_event()))
    }

    fn request_progress(&self) {
        self.request_progress();
    }

    fn cancel(&self) {
        self.cancel();
    }
}

/// The driver on smol, with one executor on one thread.
#[derive(Clone)]
pub(crate) struct Smol {
    client: etcd_smol::Client,
    executor: &'static smol::Executor<'static>,
}

impl Smol {
    /// A client, and its recording if there is to be one.
    pub(crate) fn new(
        config: Config,
        tls: Option<TlsConfig>,
        seed: Option<u64>,
        record: Option<&Path>,
    ) -> io::Result<Self> {
        // There is one, and it lives as long as the program.
        let executor: &smol::Executor<'_> = Box::leak(Box::default());
        thread::spawn(|| smol::block_on(executor.run(std::future::pending::<()>())));
        let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let (client, driver) = etcd_smol::Client::unspawned(config, seed);
        if let Some(tls) = tls {
            client.set_tls(tls);
        }
        if let Some(path) = record {
            client.record_to(path)?;
        }
        executor.spawn(driver).detach();
        Ok(Self { client, executor })
    }
}

impl Runtime for Smol {
    type Watcher = etcd_smol::Watcher;

    type Snapshot = etcd_smol::Snapshot;

    type Observer = etcd_smol::Observer;

    type Lease = etcd_smol::Lease;

    fn spawn(&self, line: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(line).detach();
    }

    async fn call<C>(
        &self,
        call: C,
        options: CallOptions,
        orders: &Orders,
    ) -> First<Result<C::Response, Error>>
    where
        C: Call + Send,
        C::Response: Send,
    {
        orders.or(self.client.call_with(call, options)).await
    }

    async fn watch(&self, watch: Watch, orders: &Orders) -> First<Result<Self::Watcher, Error>> {
        orders.or(self.client.watch(watch)).await
    }

    async fn snapshot(&self, options: CallOptions) -> Self::Snapshot {
        self.client.snapshot_with(options).await
    }

    async fn observe(&self, observe: Observe) -> Self::Observer {
        self.client.observe(observe.name).await
    }

    async fn keep_alive(&self, lease: i64, orders: &Orders) -> First<Result<Self::Lease, Error>> {
        orders.or(self.client.keep_alive(lease)).await
    }

    fn stats(&self) -> Stats {
        self.client.stats()
    }

    fn shutdown(&self) {
        self.client.shutdown();
    }
}

impl Watching for etcd_smol::Watcher {
    fn created_revision(&self) -> i64 {
        self.created_revision()
    }

    async fn next(&mut self, orders: &Orders) -> First<Option<WatchEvent>> {
        orders.or(self.next_event()).await
    }

    fn request_progress(&self) {
        self.request_progress();
    }

    fn cancel(&self) {
        self.cancel();
    }
}

impl Keeping for etcd_std::Lease {
    async fn next(&mut self, orders: &Orders) -> First<Option<LeaseEvent>> {
        let handle = self.handle();
        let reach = move |order| {
            if order == Order::Cancel {
                handle.release();
            }
            // The end comes from the client, which may be shut down.
            true
        };
        First::Came(orders.block(reach, || self.changed()))
    }

    fn release(&self) {
        self.release();
    }
}

impl Keeping for etcd_smol::Lease {
    async fn next(&mut self, orders: &Orders) -> First<Option<LeaseEvent>> {
        orders.or(self.changed()).await
    }

    fn release(&self) {
        self.release();
    }
}

/// The next item of a blocking snapshot or observation, unless an order ended it.
fn next_of_stream<T>(
    orders: &Orders,
    handle: etcd_std::StreamHandle,
    wait: impl FnOnce() -> T,
) -> First<T> {
    let reach = move |order| {
        if order == Order::Cancel {
            handle.cancel();
        }
        false
    };
    let came = orders.block(reach, wait);
    match orders.take() {
        Some(order) => First::Order(order),
        None => First::Came(came),
    }
}

impl Streaming for etcd_std::Snapshot {
    type Item = SnapshotChunk;

    async fn next(&mut self, orders: &Orders) -> First<Option<Result<SnapshotChunk, Error>>> {
        next_of_stream(orders, self.handle(), || Iterator::next(self))
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary()
    }
}

impl Streaming for etcd_std::Observer {
    type Item = ObserveResponse;

    async fn next(&mut self, orders: &Orders) -> First<Option<Result<ObserveResponse, Error>>> {
        next_of_stream(orders, self.handle(), || Iterator::next(self))
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        None
    }
}

impl Streaming for etcd_smol::Snapshot {
    type Item = SnapshotChunk;

    async fn next(&mut self, orders: &Orders) -> First<Option<Result<SnapshotChunk, Error>>> {
        orders.or(Self::next(self)).await
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary()
    }
}

impl Streaming for etcd_smol::Observer {
    type Item = ObserveResponse;

    async fn next(&mut self, orders: &Orders) -> First<Option<Result<ObserveResponse, Error>>> {
        orders.or(Self::next(self)).await
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        None
    }
}
