//! The two drivers under one face, as far as the shim needs it.
//!
//! Everything is a future. Those of the blocking driver block: each line runs on a thread of its
//! own there, and as a task of one executor on smol.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use etcd_core::{
    Call, CallOptions, Config, Error, Observe, ObserveResponse, SnapshotChunk, SnapshotSummary,
    Stats, Watch, WatchEvent,
};
use smol::channel::Receiver;
use smol::future::or;

/// What another line wants of a stream or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// End.
    Cancel,
    /// End, for it is the end of the input.
    Shutdown,
    /// Ask the server for progress.
    Progress,
}

/// What comes first: an order, or what was waited for.
pub(crate) enum First<T> {
    Order(Order),
    Came(T),
}

/// A driver.
pub(crate) trait Runtime: Clone + Send + Sync + 'static {
    /// Its watch.
    type Watcher: Watching;

    /// Its snapshot.
    type Snapshot: Streaming<Item = SnapshotChunk>;

    /// Its observation.
    type Observer: Streaming<Item = ObserveResponse>;

    /// Whether an order reaches a call before it is answered.
    const INTERRUPTS: bool;

    /// Runs a line beside the others.
    fn spawn(&self, line: impl Future<Output = ()> + Send + 'static);

    /// Makes a call.
    fn call<C>(
        &self,
        call: C,
        options: CallOptions,
        orders: &Receiver<Order>,
    ) -> impl Future<Output = First<Result<C::Response, Error>>> + Send
    where
        C: Call + Send,
        C::Response: Send;

    /// Opens a watch.
    fn watch(
        &self,
        watch: Watch,
        orders: &Receiver<Order>,
    ) -> impl Future<Output = First<Result<Self::Watcher, Error>>> + Send;

    /// Takes a snapshot.
    fn snapshot(&self, options: CallOptions) -> impl Future<Output = Self::Snapshot> + Send;

    /// Observes an election.
    fn observe(&self, observe: Observe) -> impl Future<Output = Self::Observer> + Send;

    /// The counters.
    fn stats(&self) -> Stats;

    /// Ends everything.
    fn shutdown(&self);
}

/// A watch of a driver.
pub(crate) trait Watching: Send {
    fn created_revision(&self) -> i64;

    /// The next event, unless an order comes first.
    fn next(
        &mut self,
        orders: &Receiver<Order>,
    ) -> impl Future<Output = First<Option<WatchEvent>>> + Send;

    fn request_progress(&self);

    fn cancel(&self);
}

/// A snapshot or an observation of a driver.
pub(crate) trait Streaming: Send {
    /// What it delivers.
    type Item: Send;

    /// The next item, unless an order comes first.
    fn next(
        &mut self,
        orders: &Receiver<Order>,
    ) -> impl Future<Output = First<Option<Result<Self::Item, Error>>>> + Send;

    /// What is known of a snapshot that came whole.
    fn summary(&self) -> Option<&SnapshotSummary>;
}

/// The next order; none ever if nobody is left to give one.
async fn order<T>(orders: &Receiver<Order>) -> First<T> {
    match orders.recv().await {
        Ok(order) => First::Order(order),
        Err(_) => std::future::pending().await,
    }
}

/// Waits, unless an order comes first.
pub(crate) async fn pause(time: Duration, orders: &Receiver<Order>) -> First<()> {
    let over = async {
        smol::Timer::after(time).await;
        First::Came(())
    };
    or(order(orders), over).await
}

/// The blocking driver.
#[derive(Clone)]
pub(crate) struct Std(etcd_std::Client);

impl Std {
    /// How long an order to a watch may have to wait: a thread that waits for an event cannot be
    /// told anything.
    const ATTENTION: Duration = Duration::from_millis(50);

    pub(crate) fn new(config: Config, seed: Option<u64>) -> Self {
        Self(match seed {
            Some(seed) => etcd_std::Client::with_seed(config, seed),
            None => etcd_std::Client::with_config(config),
        })
    }
}

impl Runtime for Std {
    type Watcher = etcd_std::Watcher;

    type Snapshot = etcd_std::Snapshot;

    type Observer = etcd_std::Observer;

    const INTERRUPTS: bool = false;

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
        _: &Receiver<Order>,
    ) -> First<Result<C::Response, Error>>
    where
        C: Call + Send,
        C::Response: Send,
    {
        First::Came(self.0.call_with(call, options))
    }

    async fn watch(
        &self,
        watch: Watch,
        _: &Receiver<Order>,
    ) -> First<Result<Self::Watcher, Error>> {
        First::Came(self.0.watch(watch))
    }

    async fn snapshot(&self, options: CallOptions) -> Self::Snapshot {
        self.0.snapshot_with(options)
    }

    async fn observe(&self, observe: Observe) -> Self::Observer {
        self.0.observe(observe.name)
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

    async fn next(&mut self, orders: &Receiver<Order>) -> First<Option<WatchEvent>> {
        loop {
            if let Ok(order) = orders.try_recv() {
                return First::Order(order);
            }
            if let Ok(event) = self.next_event_timeout(Std::ATTENTION) {
                return First::Came(event);
            }
        }
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
    pub(crate) fn new(config: Config, seed: Option<u64>) -> Self {
        // There is one, and it lives as long as the program.
        let executor: &smol::Executor<'_> = Box::leak(Box::default());
        thread::spawn(|| smol::block_on(executor.run(std::future::pending::<()>())));
        let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let (client, driver) = etcd_smol::Client::unspawned(config, seed);
        executor.spawn(driver).detach();
        Self { client, executor }
    }
}

impl Runtime for Smol {
    type Watcher = etcd_smol::Watcher;

    type Snapshot = etcd_smol::Snapshot;

    type Observer = etcd_smol::Observer;

    const INTERRUPTS: bool = true;

    fn spawn(&self, line: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(line).detach();
    }

    async fn call<C>(
        &self,
        call: C,
        options: CallOptions,
        orders: &Receiver<Order>,
    ) -> First<Result<C::Response, Error>>
    where
        C: Call + Send,
        C::Response: Send,
    {
        let came = async { First::Came(self.client.call_with(call, options).await) };
        or(came, order(orders)).await
    }

    async fn watch(
        &self,
        watch: Watch,
        orders: &Receiver<Order>,
    ) -> First<Result<Self::Watcher, Error>> {
        let came = async { First::Came(self.client.watch(watch).await) };
        or(came, order(orders)).await
    }

    async fn snapshot(&self, options: CallOptions) -> Self::Snapshot {
        self.client.snapshot_with(options).await
    }

    async fn observe(&self, observe: Observe) -> Self::Observer {
        self.client.observe(observe.name).await
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

    async fn next(&mut self, orders: &Receiver<Order>) -> First<Option<WatchEvent>> {
        let came = async { First::Came(self.next_event().await) };
        or(came, order(orders)).await
    }

    fn request_progress(&self) {
        self.request_progress();
    }

    fn cancel(&self) {
        self.cancel();
    }
}

impl Streaming for etcd_std::Snapshot {
    type Item = SnapshotChunk;

    async fn next(
        &mut self,
        orders: &Receiver<Order>,
    ) -> First<Option<Result<SnapshotChunk, Error>>> {
        loop {
            if let Ok(order) = orders.try_recv() {
                return First::Order(order);
            }
            if let Ok(item) = self.next_timeout(Std::ATTENTION) {
                return First::Came(item);
            }
        }
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary()
    }
}

impl Streaming for etcd_std::Observer {
    type Item = ObserveResponse;

    async fn next(
        &mut self,
        orders: &Receiver<Order>,
    ) -> First<Option<Result<ObserveResponse, Error>>> {
        loop {
            if let Ok(order) = orders.try_recv() {
                return First::Order(order);
            }
            if let Ok(item) = self.next_timeout(Std::ATTENTION) {
                return First::Came(item);
            }
        }
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        None
    }
}

impl Streaming for etcd_smol::Snapshot {
    type Item = SnapshotChunk;

    async fn next(
        &mut self,
        orders: &Receiver<Order>,
    ) -> First<Option<Result<SnapshotChunk, Error>>> {
        let came = async { First::Came(Self::next(self).await) };
        or(came, order(orders)).await
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary()
    }
}

impl Streaming for etcd_smol::Observer {
    type Item = ObserveResponse;

    async fn next(
        &mut self,
        orders: &Receiver<Order>,
    ) -> First<Option<Result<ObserveResponse, Error>>> {
        let came = async { First::Came(Self::next(self).await) };
        or(came, order(orders)).await
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        None
    }
}
