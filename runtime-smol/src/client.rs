//! The client users hold: how it is made, how any call is made with it, how it ends.
//!
//! The methods for each single call are in `calls`.

use std::fmt;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;

use etcd_core::Call;
use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::ConfigError;
use etcd_core::Credentials;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::MemberList;
use etcd_core::MemberListResponse;
use etcd_core::Stats;
use etcd_core::Watch;
use etcd_core::WatchOptions;
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
    pub(crate) handle: Arc<Handle>,
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

    /// A client with this configuration, its driver spawned on smol's global executor, that connects to
    /// `https://` endpoints with this TLS.
    ///
    /// ```no_run
    /// use etcd_smol::etcd_tls::TlsConfig;
    /// use etcd_smol::{Client, Config};
    ///
    /// let tls = TlsConfig::builder()
    ///     .with_root_file("/etc/etcd/ca.pem")
    ///     .with_client_files("/etc/etcd/client.pem", "/etc/etcd/client.key")
    ///     .build()?;
    /// let client = Client::with_tls(Config::new(["https://10.0.0.1:2379"])?, tls);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(config: Config, tls: etcd_tls::TlsConfig) -> Self {
        let client = Self::with_config(config);
        client.set_tls(tls);
        client
    }

    /// Whom to trust, and who one is, on connections to `https://` endpoints that are opened from now on, by
    /// all clones. Until this is called, whoever the operating system trusts is trusted. Files that it
    /// names are read again for each connection by themselves.
    ///
    /// ```
    /// use etcd_smol::etcd_tls::TlsConfig;
    /// use etcd_smol::{Client, Config};
    ///
    /// let (client, driver) = Client::unspawned(Config::new(["https://127.0.0.1:2379"])?, 7);
    /// if let Ok(tls) = TlsConfig::system() {
    ///     client.set_tls(tls);
    /// }
    /// # drop(driver);
    /// # Ok::<(), etcd_smol::ConfigError>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn set_tls(&self, tls: etcd_tls::TlsConfig) {
        self.handle.shared.lock().tls.set(tls);
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
        self.watch_with(watch, WatchOptions::default()).await
    }

    /// As [`Client::watch`], with options: what happens when the watch is not read in time.
    ///
    /// ```no_run
    /// use etcd_smol::{Client, Overflow, Watch, WatchOptions};
    ///
    /// # smol::block_on(async {
    /// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let options = WatchOptions::default().with_overflow(Overflow::CoalesceByKey);
    /// let watcher = client.watch_with(Watch::prefix("/gauges/"), options).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::watch`].
    pub async fn watch_with(
        &self,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> Result<Watcher, Error> {
        Watcher::open(Arc::clone(&self.handle), watch.into(), options).await
    }

    /// What this client has done since its start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.shared.lock().core.stats()
    }

    /// Brings other credentials for all clones, or takes them away: a new password, or a token that was
    /// got elsewhere. Open watches go on.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// use etcd_smol::{Client, Credentials};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.set_credentials(Some(Credentials::password("root", "swordfish")?));
    /// # Ok::<(), etcd_smol::ConfigError>(()) });
    /// ```
    pub fn set_credentials(&self, credentials: Option<Credentials>) {
        self.handle
            .shared
            .visit(|state, now| state.core.set_credentials(now, credentials));
    }

    /// Takes these endpoints from now on, on all clones. Watches go on without a gap; see
    /// [`etcd_core::Client::set_endpoints`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there are none, or the client's credentials may not go to one of them; nothing changes
    /// then.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.set_endpoints(["http://127.0.0.1:22379".parse()?])?;
    /// # Ok::<(), etcd_smol::ConfigError>(()) });
    /// ```
    pub fn set_endpoints(
        &self,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Result<(), ConfigError> {
        // The iterator may come back here, so it is not run under the lock.
        let endpoints: Vec<_> = endpoints.into_iter().collect();
        self.handle
            .shared
            .visit(|state, now| state.core.set_endpoints(now, endpoints))
    }

    /// Asks for the cluster's members and takes their endpoints from now on, on all clones; see
    /// [`etcd_core::Client::sync`] for which, and [`Config::sync_interval`] for doing so again and again.
    ///
    /// # Errors
    ///
    /// Why they could not be asked for; the endpoints stay then.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let members = client.sync().await?.members;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn sync(&self) -> Result<MemberListResponse, Error> {
        let answer = Answer::begin(&self.handle.shared, |core, now| core.sync(now)).await?;
        let typed = MemberList::from_response(answer);
        Ok(typed.expect("the core answers each call with its own response"))
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
