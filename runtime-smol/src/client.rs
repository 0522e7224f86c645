//! The client users hold: one `async` method for each thing etcd can be asked.

use std::fmt;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;

use etcd_core::Call;
use etcd_core::CallOptions;
use etcd_core::Compact;
use etcd_core::CompactResponse;
use etcd_core::Config;
use etcd_core::ConfigError;
use etcd_core::DeleteRange;
use etcd_core::DeleteRangeResponse;
use etcd_core::Error;
use etcd_core::HealthRequest;
use etcd_core::HealthResponse;
use etcd_core::IntoBytes;
use etcd_core::LeaseGrant;
use etcd_core::LeaseGrantResponse;
use etcd_core::LeaseKeepAlive;
use etcd_core::LeaseKeepAliveResponse;
use etcd_core::LeaseLeases;
use etcd_core::LeaseLeasesResponse;
use etcd_core::LeaseRevoke;
use etcd_core::LeaseRevokeResponse;
use etcd_core::LeaseTimeToLive;
use etcd_core::LeaseTimeToLiveResponse;
use etcd_core::Put;
use etcd_core::PutResponse;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::Stats;
use etcd_core::StatusRequest;
use etcd_core::StatusResponse;
use etcd_core::Txn;
use etcd_core::TxnResponse;
use etcd_core::VersionRequest;
use etcd_core::VersionResponse;
use etcd_core::Watch;
use smol::Executor;

use crate::answer::Answer;
use crate::driver::Driver;
use crate::shared::Handle;
use crate::shared::Shared;
use crate::watcher::Watcher;

/// An etcd client. Cloning it is cheap; all clones share their connections.
///
/// Each method begins when its future is first polled; dropping the future cancels the call. Once
/// the last `Client` and the last [`Watcher`] are gone, sockets are closed and the driver ends.
///
/// ```no_run
/// use etcd_smol::{Client, Compare, Put, Range, Txn};
///
/// # smol::block_on(async {
/// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
/// client.put("foo", "bar").await?;
/// let answer = client.get(Range::prefix("/services/").with_limit(10)).await?;
/// let txn = Txn::new().when([Compare::version("k").eq(0)]).and_then([Put::new("k", "v")]);
/// let won = client.txn(txn).await?.succeeded();
/// # Ok::<(), Box<dyn std::error::Error>>(()) });
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

impl Client {
    /// A client of these servers, its driver spawned on smol's global executor. Does no IO yet: the
    /// first call opens the first connection.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the endpoint that cannot be used, and why.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://10.0.0.1:2379", "http://10.0.0.2:2379"]).await?;
    /// # Ok::<(), etcd_smol::ConfigError>(()) });
    /// ```
    pub async fn connect<I>(endpoints: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Config::new(endpoints).map(Self::with_config)
    }

    /// A client with this configuration, its driver spawned on smol's global executor.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use etcd_smol::{Client, Config};
    ///
    /// let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// config.connect_timeout = Duration::from_secs(2);
    /// let client = Client::with_config(config);
    /// # Ok::<(), etcd_smol::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_config(config: Config) -> Self {
        Self::with_seed(config, random_seed())
    }

    /// The same with a seed of one's own, from which everything random in the client comes.
    ///
    /// ```no_run
    /// use etcd_smol::{Client, Config};
    ///
    /// let client = Client::with_seed(Config::new(["http://127.0.0.1:2379"])?, 7);
    /// # Ok::<(), etcd_smol::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_seed(config: Config, seed: u64) -> Self {
        let (client, driver) = Self::unspawned(config, seed);
        smol::spawn(driver).detach();
        client
    }

    /// A client with this configuration, its driver spawned on an executor of one's own.
    ///
    /// The client moves on only while somebody runs that executor.
    ///
    /// ```no_run
    /// use etcd_smol::{Client, Config};
    ///
    /// let executor = smol::Executor::new();
    /// let client = Client::with_executor(Config::new(["http://127.0.0.1:2379"])?, &executor);
    /// smol::block_on(executor.run(async {
    ///     client.put("foo", "bar").await
    /// }))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_executor(config: Config, executor: &Executor<'_>) -> Self {
        let (client, driver) = Self::unspawned(config, random_seed());
        executor.spawn(driver).detach();
        client
    }

    /// A client and its driver, for any executor or for none: a `LocalExecutor`, another runtime's
    /// `spawn`, or a future joined with one's own.
    ///
    /// ```no_run
    /// use etcd_smol::{Client, Config};
    /// use smol::future;
    ///
    /// let (client, driver) = Client::unspawned(Config::new(["http://127.0.0.1:2379"])?, 7);
    /// let work = async move { client.put("foo", "bar").await };
    /// // The driver ends with the work, which owns the only handle.
    /// let (_, answer) = smol::block_on(future::zip(driver, work));
    /// answer?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unspawned(config: Config, seed: u64) -> (Self, Driver) {
        let shared = Shared::new(config, seed);
        let driver = Driver::new(Arc::clone(&shared));
        (
            Self {
                handle: Arc::new(Handle { shared }),
            },
            driver,
        )
    }

    /// Makes any call and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`Error`] says what went wrong, and [`Error::applied`] whether a write may have happened all
    /// the same. This holds for every method below.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::Put;
    ///
    /// client.call(Put::new("foo", "bar").with_lease(7)).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn call<C: Call>(&self, call: C) -> Result<C::Response, Error> {
        self.call_with(call, CallOptions::default()).await
    }

    /// Makes any call with a deadline or an endpoint of its own.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use std::time::Duration;
    /// use etcd_smol::{CallOptions, Range};
    ///
    /// let options = CallOptions::default().with_timeout(Duration::from_millis(500));
    /// let answer = client.call_with(Range::key("foo"), options).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn call_with<C: Call>(
        &self,
        call: C,
        options: CallOptions,
    ) -> Result<C::Response, Error> {
        let response = Answer::submit(&self.handle.shared, call, options).await?;
        Ok(C::from_response(response).expect("the core answers each call with its own response"))
    }

    /// Reads a key, or a range of keys.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::Range;
    ///
    /// let one = client.get("foo").await?;
    /// let some = client.get(Range::prefix("/services/").with_limit(10)).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn get(&self, range: impl Into<Range>) -> Result<RangeResponse, Error> {
        self.call(range.into()).await
    }

    /// Writes a key. For options, make a [`Put`] and use [`Client::call`].
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.put("foo", "bar").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn put(
        &self,
        key: impl IntoBytes,
        value: impl IntoBytes,
    ) -> Result<PutResponse, Error> {
        self.call(Put::new(key, value)).await
    }

    /// Deletes a key, or a range of keys.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::DeleteRange;
    ///
    /// client.delete("foo").await?;
    /// client.delete(DeleteRange::prefix("/services/")).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn delete(
        &self,
        range: impl Into<DeleteRange>,
    ) -> Result<DeleteRangeResponse, Error> {
        self.call(range.into()).await
    }

    /// Compares, then does one list of operations or the other, as one revision.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn txn(&self, txn: Txn) -> Result<TxnResponse, Error> {
        self.call(txn).await
    }

    /// Forgets everything older than `revision`.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn compact(&self, revision: i64) -> Result<CompactResponse, Error> {
        self.call(Compact::new(revision)).await
    }

    /// Grants a lease that lives for `ttl_seconds` unless it is kept alive.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn lease_grant(&self, ttl_seconds: i64) -> Result<LeaseGrantResponse, Error> {
        self.call(LeaseGrant::new(ttl_seconds)).await
    }

    /// Revokes a lease, which deletes the keys attached to it.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn lease_revoke(&self, id: i64) -> Result<LeaseRevokeResponse, Error> {
        self.call(LeaseRevoke::new(id)).await
    }

    /// Renews a lease once.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn lease_keep_alive_once(&self, id: i64) -> Result<LeaseKeepAliveResponse, Error> {
        self.call(LeaseKeepAlive::new(id)).await
    }

    /// How long a lease has to live.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn lease_time_to_live(&self, id: i64) -> Result<LeaseTimeToLiveResponse, Error> {
        self.call(LeaseTimeToLive::new(id)).await
    }

    /// All leases there are.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn leases(&self) -> Result<LeaseLeasesResponse, Error> {
        self.call(LeaseLeases::new()).await
    }

    /// What one member says of itself: version, leader, size of its store.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.call(StatusRequest::new()).await
    }

    /// The versions of a server and its cluster.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn version(&self) -> Result<VersionResponse, Error> {
        self.call(VersionRequest::new()).await
    }

    /// Whether a server can serve.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn health(&self) -> Result<HealthResponse, Error> {
        self.call(HealthRequest::new()).await
    }

    /// Opens a watch. Returns once the server has confirmed it.
    ///
    /// # Errors
    ///
    /// Why it could not be opened; the reasons are those of [`WatchEnd`](crate::WatchEnd).
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::Watch;
    /// use smol::stream::StreamExt;
    ///
    /// let mut watcher = client.watch(Watch::prefix("/services/")).await?;
    /// while let Some(batch) = watcher.next().await {
    ///     println!("revision {}", batch?.revision);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn watch(&self, watch: impl Into<Watch>) -> Result<Watcher, Error> {
        Watcher::open(Arc::clone(&self.handle), watch.into()).await
    }

    /// What this client has done since its start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.shared.lock().core.stats()
    }

    /// Ends everything now, on all clones: calls under way and later ones end with `Unavailable`,
    /// watches with [`WatchEnd::Shutdown`](crate::WatchEnd::Shutdown), sockets are closed, the driver
    /// completes.
    pub fn shutdown(&self) {
        self.handle.shared.shutdown();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// A number that differs between clients, from the standard library's own source of them.
fn random_seed() -> u64 {
    RandomState::new().hash_one(0_u8)
}
