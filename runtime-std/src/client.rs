//! The client as a program holds it: how it is made, cloned, asked for anything, and ended.
//!
//! Nothing is decided here: a method makes the request and hands it to the driver.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use etcd_core::Call;
use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::ConfigError;
use etcd_core::Credentials;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::MemberList;
use etcd_core::MemberListResponse;
use etcd_core::Response;
use etcd_core::Stats;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchOptions;

use crate::shared::Shared;
use crate::watcher::Watcher;

/// A blocking client of an etcd cluster.
///
/// It is cheap to clone, and all clones are the same client: they share its connections, from as
/// many threads as you like. Each method blocks until its call has ended, which it does exactly
/// once: with the answer, or with an [`Error`] that says whether a write may have happened
/// ([`Error::applied`]). How long that can take is in [`Config`], and for one call in
/// [`CallOptions`].
///
/// When the last clone and the last [`Watcher`], and whatever else is open, are dropped, the connections are closed and the
/// helper thread, if one was started, has ended.
///
/// ```no_run
/// use etcd_std::{Client, Compare, Put, Range, Txn};
///
/// let client = Client::connect(["http://127.0.0.1:2379"])?;
/// client.put("foo", "bar")?;
/// let answer = client.get(Range::prefix("f").with_limit(10))?;
/// assert_eq!(answer.kvs[0].value, "bar");
///
/// let first = Txn::new().when([Compare::version("k").eq(0)]).and_then([Put::new("k", "v")]);
/// if client.txn(first)?.succeeded() {
///     println!("k is new");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) handle: Arc<Handle>,
}

/// What clients and watchers hold; the last one to go ends it all.
pub(crate) struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The moment `timeout` from now.
    pub(crate) fn after(&self, timeout: Duration) -> Instant {
        self.shared.clock.now() + timeout
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Making one.
impl Client {
    /// A client of the servers at these endpoints, such as `http://10.0.0.1:2379`, all of one
    /// cluster, with the defaults of [`Config`] for everything else.
    ///
    /// It starts nothing: the first call opens the first connection.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the endpoint that cannot be used, and why.
    ///
    /// ```
    /// use etcd_std::Client;
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379", "http://127.0.0.1:22379"])?;
    /// assert_eq!(client.stats().connections_open, 0);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn connect<I>(endpoints: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Config::new(endpoints).map(Self::with_config)
    }

    /// A client with this configuration, seeded by chance.
    ///
    /// ```
    /// use std::time::Duration;
    /// use etcd_std::{Client, Config};
    ///
    /// let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// config.read_timeout = Duration::from_secs(2);
    /// let client = Client::with_config(config);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_config(config: Config) -> Self {
        // The standard library's one source of chance: the keys of its hash maps.
        Self::with_seed(config, RandomState::new().build_hasher().finish())
    }

    /// A client with this configuration whose every random choice, such as which endpoint comes
    /// first, follows from the seed.
    ///
    /// ```
    /// use etcd_std::{Client, Config};
    ///
    /// let client = Client::with_seed(Config::new(["http://127.0.0.1:2379"])?, 7);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_seed(config: Config, seed: u64) -> Self {
        let shared = Shared::new(config, seed);
        Self {
            handle: Arc::new(Handle { shared }),
        }
    }
}

/// Any call.
impl Client {
    /// Makes any call, with the default options.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Put};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let before = client.call(Put::new("k", "v").with_prev_kv())?.prev_kv;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn call<C: Call>(&self, call: C) -> Result<C::Response, Error> {
        self.call_with(call, CallOptions::default())
    }

    /// Makes any call, with options of its own: how long it may take, which endpoint it must use.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use etcd_std::{CallOptions, Client, Range};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let quick = CallOptions::default().with_timeout(Duration::from_millis(200));
    /// let answer = client.call_with(Range::key("k"), quick)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn call_with<C: Call>(&self, call: C, options: CallOptions) -> Result<C::Response, Error> {
        let response = self.handle.shared().call(call, options)?;
        Ok(typed::<C>(response))
    }
}

/// The answer of a call, in its own type.
pub(crate) fn typed<C: Call>(response: Response) -> C::Response {
    C::from_response(response).expect("the core answers a call with the call's own type")
}

/// TLS.
#[cfg(feature = "tls")]
impl Client {
    /// A client with this configuration, seeded by chance, that connects to `https://` endpoints with this
    /// TLS.
    ///
    /// ```no_run
    /// use etcd_std::etcd_tls::TlsConfig;
    /// use etcd_std::{Client, Config};
    ///
    /// let tls = TlsConfig::builder()
    ///     .with_root_file("/etc/etcd/ca.pem")
    ///     .with_client_files("/etc/etcd/client.pem", "/etc/etcd/client.key")
    ///     .build()?;
    /// let client = Client::with_tls(Config::new(["https://10.0.0.1:2379"])?, tls);
    /// client.put("foo", "bar")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// use etcd_std::Client;
    /// use etcd_std::etcd_tls::TlsConfig;
    ///
    /// let client = Client::connect(["https://127.0.0.1:2379"])?;
    /// if let Ok(tls) = TlsConfig::system() {
    ///     client.set_tls(tls);
    /// }
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn set_tls(&self, tls: etcd_tls::TlsConfig) {
        self.handle.shared().lock().tls.set(tls);
    }
}

/// Watching.
impl Client {
    /// Watches a key or a range of keys. Returns once the server has confirmed it.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Watch};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// for batch in client.watch(Watch::prefix("/services/"))? {
    ///     for event in batch?.events {
    ///         println!("{event:?}");
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why the server could not be asked, or would not.
    pub fn watch(&self, watch: impl Into<Watch>) -> Result<Watcher, Error> {
        self.watch_with(watch, WatchOptions::default())
    }

    /// As [`Client::watch`], with options: what happens when the watch is not read in time.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Overflow, Watch, WatchOptions};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let options = WatchOptions::default().with_overflow(Overflow::CoalesceByKey);
    /// let watcher = client.watch_with(Watch::prefix("/gauges/"), options)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::watch`].
    pub fn watch_with(
        &self,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> Result<Watcher, Error> {
        let (id, first) = self.handle.shared().watch(watch.into(), options);
        let watcher = Watcher::new(self.handle.clone(), id, &first);
        match first {
            WatchEvent::End(end) => Err(end.into()),
            _ => Ok(watcher),
        }
    }
}

/// The client itself.
impl Client {
    /// What the client has done since its start.
    ///
    /// ```
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// assert_eq!(client.stats().requests, 0);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.shared().lock().core.stats()
    }

    /// Brings other credentials for all clones, or takes them away: a new password, or a token that was
    /// got elsewhere. Open watches go on.
    ///
    /// ```
    /// use etcd_std::{Client, Credentials};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// client.set_credentials(Some(Credentials::password("root", "swordfish")?));
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn set_credentials(&self, credentials: Option<Credentials>) {
        self.handle
            .shared()
            .command(|state, now| state.core.set_credentials(now, credentials));
    }

    /// Takes these endpoints from now on, for all clones. Watches go on without a gap; see
    /// [`etcd_core::Client::set_endpoints`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there are none, or the client's credentials may not go to one of them; nothing changes
    /// then.
    ///
    /// ```
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.set_endpoints(["http://127.0.0.1:22379".parse()?])?;
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn set_endpoints(
        &self,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Result<(), ConfigError> {
        // The iterator may come back here, so it is not run under the lock.
        let endpoints: Vec<_> = endpoints.into_iter().collect();
        self.handle
            .shared()
            .command(|state, now| state.core.set_endpoints(now, endpoints))
    }

    /// Asks for the cluster's members and takes their endpoints from now on, for all clones; see
    /// [`etcd_core::Client::sync`] for which, and [`Config::sync_interval`] for doing so again and again.
    ///
    /// # Errors
    ///
    /// Why they could not be asked for; the endpoints stay then.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let members = client.sync()?.members;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sync(&self) -> Result<MemberListResponse, Error> {
        let answer = self.handle.shared().call_by(|core, now| core.sync(now))?;
        Ok(typed::<MemberList>(answer))
    }

    /// Ends everything now, for all clones: calls under way end as unavailable, watches with
    /// [`WatchEnd::Shutdown`](crate::WatchEnd::Shutdown), and so does all that is tried later.
    ///
    /// ```
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.shutdown();
    /// assert!(client.get("k").is_err());
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn shutdown(&self) {
        self.handle
            .shared()
            .command(|state, now| state.core.shutdown(now));
    }
}

impl fmt::Debug for Client {
    /// Names no endpoint and no key: only what [`Client::stats`] counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("stats", &self.stats())
            .finish()
    }
}
