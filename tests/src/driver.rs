//! The two drivers behind one face, so that a scenario or the tour is written once.
//!
//! All methods block: `etcd-std` does so by itself, `etcd-smol` is waited for with `block_on`, its
//! driver running on smol's global executor as in a program that does nothing special. Nothing is
//! hidden: each method is one method of the driver.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::time::Duration;

use etcd_core::AlarmMember;
use etcd_core::Call;
use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::ConfigError;
use etcd_core::DeleteRange;
use etcd_core::DeleteRangeResponse;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::Guard;
use etcd_core::IntoBytes;
use etcd_core::LeaseEvent;
use etcd_core::LeasePhase;
use etcd_core::MemberListResponse;
use etcd_core::ObserveResponse;
use etcd_core::Put;
use etcd_core::PutResponse;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::SnapshotChunk;
use etcd_core::SnapshotSummary;
use etcd_core::Stats;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchOptions;
use etcd_core::recipes::Page;
use etcd_core::recipes::Settled;
use etcd_core::trace::Recording;
use etcd_tls::TlsConfig;
use smol::Timer;
use smol::block_on;
use smol::future;

pub use etcd_std::Elapsed;

/// A client of one of the drivers.
pub trait Driver: Clone + Send + Sync + 'static {
    /// The runtime's name: `std` or `smol`.
    const NAME: &'static str;

    /// One watch of this driver.
    type Watching: Watching;

    /// One snapshot of this driver.
    type Snapshotting: Snapshotting;

    /// One observation of this driver.
    type Observing: Observing;

    /// One lease this driver keeps alive.
    type Keeping: Keeping;

    /// A client with this configuration; it opens no connection yet.
    fn with_config(config: Config) -> Self;

    /// The same, with all that is random in it fixed by `seed`.
    fn with_seed(config: Config, seed: u64) -> Self;

    /// A client whose `https://` endpoints are connected to with this TLS.
    fn with_tls(config: Config, tls: TlsConfig) -> Self;

    /// Makes any call, with options of its own.
    fn call_with<C: Call>(&self, call: C, options: CallOptions) -> Result<C::Response, Error>;

    /// Makes a write until it is known what became of it.
    fn settle_with<W: Guard>(&self, write: W, options: CallOptions) -> Result<Settled, Error>;

    /// Opens a watch; returns once the server has confirmed it.
    fn watch(&self, watch: impl Into<Watch>) -> Result<Self::Watching, Error>;

    /// The same, with options.
    fn watch_with(
        &self,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> Result<Self::Watching, Error>;

    /// Reads a range page by page, at most so many keys each.
    fn pages(&self, range: Range, page_keys: usize) -> impl Iterator<Item = Result<Page, Error>>;

    /// Takes a snapshot.
    fn snapshot_with(&self, options: CallOptions) -> Self::Snapshotting;

    /// Observes an election.
    fn observe(&self, name: &str) -> Self::Observing;

    /// Grants a lease and keeps it alive.
    fn lease(&self, ttl_seconds: i64) -> Result<Self::Keeping, Error>;

    /// Keeps a lease alive.
    fn keep_alive(&self, lease: i64) -> Result<Self::Keeping, Error>;

    /// Ends every alarm there is; tells which those were.
    fn alarm_disarm_all(&self) -> Result<Vec<AlarmMember>, Error>;

    /// Writes down all that the client is told and does; it must be new.
    fn record_with(&self, path: &Path, recording: Recording) -> io::Result<()>;

    /// What the client has done since its start.
    fn stats(&self) -> Stats;

    /// Takes these endpoints from now on.
    fn set_endpoints(&self, endpoints: Vec<Endpoint>) -> Result<(), ConfigError>;

    /// Asks for the cluster's members and takes their endpoints.
    fn sync(&self) -> Result<MemberListResponse, Error>;

    /// Ends everything now.
    fn shutdown(&self);

    /// Makes any call.
    fn call<C: Call>(&self, call: C) -> Result<C::Response, Error> {
        self.call_with(call, CallOptions::default())
    }

    /// Reads a key or a range of keys.
    fn get(&self, range: impl Into<Range>) -> Result<RangeResponse, Error> {
        self.call(range.into())
    }

    /// Writes a key.
    fn put(&self, key: impl IntoBytes, value: impl IntoBytes) -> Result<PutResponse, Error> {
        self.call(Put::new(key, value))
    }

    /// Deletes a key or a range of keys.
    fn delete(&self, range: impl Into<DeleteRange>) -> Result<DeleteRangeResponse, Error> {
        self.call(range.into())
    }
}

/// One watch of one of the drivers. Dropping it cancels the watch.
pub trait Watching: Debug + Send + 'static {
    /// The store's revision when the server confirmed the watch.
    fn created_revision(&self) -> i64;

    /// What happens next, or an error if nothing happens within `limit`; what comes later is not
    /// lost. `None` after the end.
    fn next_within(&mut self, limit: Duration) -> Result<Option<WatchEvent>, Elapsed>;

    /// Asks for a progress notice.
    fn request_progress(&self);

    /// Ends the watch.
    fn cancel(&self);
}

/// What came in the time given.
pub type Within<T> = Result<Option<Result<T, Error>>, Elapsed>;

/// One snapshot of one of the drivers. Dropping it cancels it.
pub trait Snapshotting: Debug + Send + 'static {
    /// The next chunk; `None` after the last.
    fn next_chunk(&mut self) -> Option<Result<SnapshotChunk, Error>>;

    /// What is known of it once it came whole.
    fn summary(&self) -> Option<&SnapshotSummary>;

    /// Writes it to a file.
    fn save_to(self, path: &Path) -> io::Result<SnapshotSummary>;
}

/// One observation of one of the drivers. Dropping it ends it.
pub trait Observing: Debug + Send + 'static {
    /// The next leader, or an error if none comes within `limit`; what comes later is not lost.
    fn next_within(&mut self, limit: Duration) -> Within<ObserveResponse>;

    /// Ends the observation.
    fn cancel(&self);
}

/// One lease that one of the drivers keeps alive. Dropping it releases the lease.
pub trait Keeping: Debug + Send + 'static {
    /// The lease.
    fn id(&self) -> i64;

    /// How many seconds it lasts without a renewal.
    fn ttl(&self) -> i64;

    /// What it is in at this moment.
    fn phase(&self) -> LeasePhase;

    /// For how long it certainly lasts.
    fn remaining(&self) -> Duration;

    /// What happens next, or an error if nothing happens within `limit`; what comes later is not lost.
    /// `None` after the end.
    fn changed_within(&mut self, limit: Duration) -> Result<Option<LeaseEvent>, Elapsed>;

    /// Stops renewing it.
    fn release(&self);

    /// Ends it now.
    fn revoke(self) -> Result<(), Error>;
}

impl Driver for etcd_std::Client {
    const NAME: &'static str = "std";

    type Watching = etcd_std::Watcher;

    type Snapshotting = etcd_std::Snapshot;

    type Observing = etcd_std::Observer;

    type Keeping = etcd_std::Lease;

    fn with_config(config: Config) -> Self {
        Self::with_config(config)
    }

    fn with_seed(config: Config, seed: u64) -> Self {
        Self::with_seed(config, seed)
    }

    fn with_tls(config: Config, tls: TlsConfig) -> Self {
        Self::with_tls(config, tls)
    }

    fn call_with<C: Call>(&self, call: C, options: CallOptions) -> Result<C::Response, Error> {
        self.call_with(call, options)
    }

    fn settle_with<W: Guard>(&self, write: W, options: CallOptions) -> Result<Settled, Error> {
        self.settle_with(write, options)
    }

    fn watch(&self, watch: impl Into<Watch>) -> Result<Self::Watching, Error> {
        self.watch(watch)
    }

    fn watch_with(
        &self,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> Result<Self::Watching, Error> {
        self.watch_with(watch, options)
    }

    fn pages(&self, range: Range, page_keys: usize) -> impl Iterator<Item = Result<Page, Error>> {
        self.pages(range).with_page_keys(page_keys)
    }

    fn snapshot_with(&self, options: CallOptions) -> Self::Snapshotting {
        self.snapshot_with(options)
    }

    fn observe(&self, name: &str) -> Self::Observing {
        self.observe(name.to_owned())
    }

    fn lease(&self, ttl_seconds: i64) -> Result<Self::Keeping, Error> {
        self.lease(ttl_seconds)
    }

    fn keep_alive(&self, lease: i64) -> Result<Self::Keeping, Error> {
        self.keep_alive(lease)
    }

    fn alarm_disarm_all(&self) -> Result<Vec<AlarmMember>, Error> {
        self.alarm_disarm_all()
    }

    fn record_with(&self, path: &Path, recording: Recording) -> io::Result<()> {
        self.record_with(path, recording)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn set_endpoints(&self, endpoints: Vec<Endpoint>) -> Result<(), ConfigError> {
        self.set_endpoints(endpoints)
    }

    fn sync(&self) -> Result<MemberListResponse, Error> {
        self.sync()
    }

    fn shutdown(&self) {
        self.shutdown();
    }
}

impl Watching for etcd_std::Watcher {
    fn created_revision(&self) -> i64 {
        self.created_revision()
    }

    fn next_within(&mut self, limit: Duration) -> Result<Option<WatchEvent>, Elapsed> {
        self.next_event_timeout(limit)
    }

    fn request_progress(&self) {
        self.request_progress();
    }

    fn cancel(&self) {
        self.cancel();
    }
}

impl Driver for etcd_smol::Client {
    const NAME: &'static str = "smol";

    type Watching = etcd_smol::Watcher;

    type Snapshotting = etcd_smol::Snapshot;

    type Observing = etcd_smol::Observer;

    type Keeping = etcd_smol::Lease;

    fn with_config(config: Config) -> Self {
        Self::with_config(config)
    }

    fn with_seed(config: Config, seed: u64) -> Self {
        Self::with_seed(config, seed)
    }

    fn with_tls(config: Config, tls: TlsConfig) -> Self {
        Self::with_tls(config, tls)
    }

    fn call_with<C: Call>(&self, call: C, options: CallOptions) -> Result<C::Response, Error> {
        block_on(self.call_with(call, options))
    }

    fn settle_with<W: Guard>(&self, write: W, options: CallOptions) -> Result<Settled, Error> {
        block_on(self.settle_with(write, options))
    }

    fn watch(&self, watch: impl Into<Watch>) -> Result<Self::Watching, Error> {
        block_on(self.watch(watch))
    }

    fn watch_with(
        &self,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> Result<Self::Watching, Error> {
        block_on(self.watch_with(watch, options))
    }

    fn pages(&self, range: Range, page_keys: usize) -> impl Iterator<Item = Result<Page, Error>> {
        let mut pages = self.pages(range).with_page_keys(page_keys);
        std::iter::from_fn(move || block_on(pages.next()))
    }

    fn snapshot_with(&self, options: CallOptions) -> Self::Snapshotting {
        block_on(self.snapshot_with(options))
    }

    fn observe(&self, name: &str) -> Self::Observing {
        block_on(self.observe(name.to_owned()))
    }

    fn lease(&self, ttl_seconds: i64) -> Result<Self::Keeping, Error> {
        block_on(self.lease(ttl_seconds))
    }

    fn keep_alive(&self, lease: i64) -> Result<Self::Keeping, Error> {
        block_on(self.keep_alive(lease))
    }

    fn alarm_disarm_all(&self) -> Result<Vec<AlarmMember>, Error> {
        block_on(self.alarm_disarm_all())
    }

    fn record_with(&self, path: &Path, recording: Recording) -> io::Result<()> {
        self.record_with(path, recording)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn set_endpoints(&self, endpoints: Vec<Endpoint>) -> Result<(), ConfigError> {
        self.set_endpoints(endpoints)
    }

    fn sync(&self) -> Result<MemberListResponse, Error> {
        block_on(self.sync())
    }

    fn shutdown(&self) {
        self.shutdown();
    }
}

impl Watching for etcd_smol::Watcher {
    fn created_revision(&self) -> i64 {
        self.created_revision()
    }

    fn next_within(&mut self, limit: Duration) -> Result<Option<WatchEvent>, Elapsed> {
        let event = async { Ok(self.next_event().await) };
        let elapsed = async {
            Timer::after(limit).await;
            Err(Elapsed)
        };
        // The event is looked for first, so that one which is there comes even without any time.
        block_on(future::or(event, elapsed))
    }

    fn request_progress(&self) {
        self.request_progress();
    }

    fn cancel(&self) {
        self.cancel();
    }
}

impl Snapshotting for etcd_std::Snapshot {
    fn next_chunk(&mut self) -> Option<Result<SnapshotChunk, Error>> {
        self.next()
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary()
    }

    fn save_to(self, path: &Path) -> io::Result<SnapshotSummary> {
        self.save_to(path)
    }
}

impl Snapshotting for etcd_smol::Snapshot {
    fn next_chunk(&mut self) -> Option<Result<SnapshotChunk, Error>> {
        block_on(self.next())
    }

    fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary()
    }

    fn save_to(self, path: &Path) -> io::Result<SnapshotSummary> {
        block_on(self.save_to(path))
    }
}

impl Observing for etcd_std::Observer {
    fn next_within(&mut self, limit: Duration) -> Within<ObserveResponse> {
        self.next_timeout(limit)
    }

    fn cancel(&self) {
        self.cancel();
    }
}

impl Observing for etcd_smol::Observer {
    fn next_within(&mut self, limit: Duration) -> Within<ObserveResponse> {
        let leader = async { Ok(self.next().await) };
        let elapsed = async {
            Timer::after(limit).await;
            Err(Elapsed)
        };
        block_on(future::or(leader, elapsed))
    }

    fn cancel(&self) {
        self.cancel();
    }
}

impl Keeping for etcd_std::Lease {
    fn id(&self) -> i64 {
        self.id()
    }

    fn ttl(&self) -> i64 {
        self.ttl()
    }

    fn phase(&self) -> LeasePhase {
        self.phase()
    }

    fn remaining(&self) -> Duration {
        self.remaining()
    }

    fn changed_within(&mut self, limit: Duration) -> Result<Option<LeaseEvent>, Elapsed> {
        self.changed_timeout(limit)
    }

    fn release(&self) {
        self.release();
    }

    fn revoke(self) -> Result<(), Error> {
        self.revoke()
    }
}

impl Keeping for etcd_smol::Lease {
    fn id(&self) -> i64 {
        self.id()
    }

    fn ttl(&self) -> i64 {
        self.ttl()
    }

    fn phase(&self) -> LeasePhase {
        self.phase()
    }

    fn remaining(&self) -> Duration {
        self.remaining()
    }

    fn changed_within(&mut self, limit: Duration) -> Result<Option<LeaseEvent>, Elapsed> {
        let event = async { Ok(self.changed().await) };
        let elapsed = async {
            Timer::after(limit).await;
            Err(Elapsed)
        };
        block_on(future::or(event, elapsed))
    }

    fn release(&self) {
        self.release();
    }

    fn revoke(self) -> Result<(), Error> {
        block_on(self.revoke())
    }
}
