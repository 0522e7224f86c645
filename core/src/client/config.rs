//! What a client is told at its start. Every bound on what a peer or a caller can grow is a field.

use core::time::Duration;

use http::HeaderName;
use http::HeaderValue;
use http::uri::Authority;

use super::auth::Credentials;
use super::budget::RetryBudget;
use super::endpoint::Balance;
use super::endpoint::Endpoint;
use super::endpoint::Proxy;
use super::watch::WatchCarrier;
use crate::api::Namespace;
use crate::codec::http1::HttpLimits;
use crate::error::ConfigError;
use crate::wire::gateway::ApiPrefix;

/// The configuration of a [`Client`](crate::Client): endpoints, times, limits.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::Config;
///
/// let mut config = Config::new(["http://127.0.0.1:2379", "http://127.0.0.1:22379"])?;
/// config.connect_timeout = Duration::from_secs(1);
/// assert_eq!(config.max_connections, 8);
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The servers. At least one.
    pub endpoints: Vec<Endpoint>,
    /// How one of them is chosen. Round robin.
    pub balance: Balance,
    /// What stands before every path of the gateway: `/v3` for etcd 3.4 and later, `/v3beta` for 3.3.
    pub api_prefix: ApiPrefix,
    /// Finds out what stands there from each server's version, once and before anything else is asked of it:
    /// `/v3alpha` up to etcd 3.2, `/v3beta` for 3.3, `/v3` from then on. `api_prefix` is what counts for a server
    /// that does not say its version. Off: etcd 3.4 and all later ones have `/v3`.
    pub find_api_prefix: bool,
    /// Under which prefix all keys are: those of calls, transactions, watches, locks and elections, and in
    /// their answers (rules N-1 to N-7). Permissions of roles are given for the whole store. Empty by default:
    /// the whole store.
    pub namespace: Namespace,
    /// The HTTP proxy that connections go through. None by default; the environment is not asked. Credentials go
    /// through one on another machine only where TLS is within, unless they may go over plain HTTP.
    pub proxy: Option<Proxy>,
    /// What the Host header says in place of the endpoint's own. Set by [`Config::set_host`].
    pub(crate) host: Option<String>,
    /// How often the cluster's members are asked for, to be the endpoints from then on
    /// ([`Client::sync`](crate::Client::sync), rule B-9); at least 1 s. Never by default: the endpoints stay as
    /// they are configured.
    pub sync_interval: Option<Duration>,
    /// Headers sent with every request. Set by [`Config::add_header`], which checks them.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Who the client is. Set by [`Config::set_credentials`].
    pub(crate) credentials: Option<Credentials>,
    /// How long servers keep a token that is not used: their `--auth-token-ttl`, 300 s by default. One
    /// that was idle for three to four fifths of it is replaced when it is used next (rule A-7).
    pub token_ttl: Duration,
    /// How long opening one connection may take, name look-up included. 2 s: less than half of a
    /// read's deadline, so that a second endpoint is tried within it.
    pub connect_timeout: Duration,
    /// The deadline of a call that only reads, and of a watch's first confirmation. 5 s (rule R-8).
    pub read_timeout: Duration,
    /// The deadline of a call that writes. 8 s: above the server's own limit of 7 s, so that a slow
    /// write ends in the server's answer and not in doubt (rule R-8). A call that waits for somebody
    /// else or for long work has to be sent within it, and then has no deadline.
    pub write_timeout: Duration,
    /// How long a server may take to confirm a watch on an open connection before the client leaves
    /// that connection. 2 s, for the same reason; the gateway never answers a watch it could not read
    /// (gateway.md 7.3).
    pub watch_created_timeout: Duration,
    /// After how long a silence the server of a watch connection is asked whether it is there. 5 s (guarantee
    /// G20): one small request for each connection that is idle, however many watches it has. Zero means
    /// never: a server that is gone without a word is then noticed when the system notices.
    pub watch_idle_timeout: Duration,
    /// How long it may take to say anything then, before its endpoint is left. 2 s.
    pub watch_probe_timeout: Duration,
    /// How long a watch that holds [`Limits::watch_buffer_bytes`] may hold up the others on its connection.
    /// Then it is canceled there, and goes on over a connection of its own once its user has read half of
    /// what it holds. 50 ms: half of what guarantee G18 allows, and longer than a busy user pauses.
    pub slow_watch_after: Duration,
    /// How long a server may be silent in the middle of a snapshot. 30 s; a snapshot as a whole has no
    /// deadline unless its options give it one, since stores have any size.
    pub snapshot_idle_timeout: Duration,
    /// How long a server may be silent about a call that another endpoint could do, before it is asked
    /// there: one that only reads, or that may be repeated. 2 s (guarantee G43). Not used where there
    /// is one endpoint only.
    pub attempt_timeout: Duration,
    /// Connections for unary calls to one endpoint. 8; further calls wait for a free one.
    pub max_connections: usize,
    /// How many calls may be under way on one of them at the same time, each after the first ahead of the
    /// answers to those before it (RFC 9112 section 9.3.2). 1, which is one after the other; 0 counts as 1. Only
    /// calls that read or may be repeated share a connection, since a lost one takes all of them along; each is
    /// made again then like any that was lost. Others wait for one that is free.
    ///
    /// etcd carries out the requests of one connection one after the other: a call behind a long one waits.
    pub pipeline_depth: usize,
    /// How watches travel. `Shared`: many on one connection, and one by one where a proxy does not let that
    /// through.
    pub watch_carrier: WatchCarrier,
    /// Watches on one connection. 100 (rule W-25).
    pub max_watches_per_connection: usize,
    /// How long an unused connection is trusted. 30 s; an older one is replaced before a call is
    /// sent on it (rule R-9).
    pub idle_limit: Duration,
    /// How often one call is tried at the most. 100 (rule R-6).
    pub max_attempts: u32,
    /// How many of these attempts a client makes in all once every endpoint was asked. 10 a second, and 10
    /// for each 100 calls (guarantee G44).
    pub retry_budget: RetryBudget,
    /// Sends `Grpc-Metadata-Hasleader: true` with watches, observations and renewals, so that a member without a
    /// leader says so instead of keeping silent (rule W-18). On.
    pub require_leader: bool,
    /// Tells what the client does by itself, attempts, waits, lost connections and the like, as notices to be
    /// taken with [`Client::poll_notice`](crate::Client::poll_notice) (rule R-10). Off; what it does is the
    /// same either way.
    pub notices: bool,
    /// Bounds on what a peer or a caller can make the client hold.
    pub limits: Limits,
    /// A bug on purpose, for tests of tests.
    #[cfg(feature = "planted")]
    pub planted: Option<crate::planted::Planted>,
}

/// Bounds on what a peer or a caller can make the client hold.
///
/// ```
/// use etcd_core::Limits;
///
/// let limits = Limits::default();
/// assert_eq!(limits.body_bytes, 64 << 20);
/// assert_eq!(limits.watch_buffer_bytes, 1 << 20);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bounds of the HTTP reader: head, lines, fields, chunk framing, trailers. Its `body_bytes` is
    /// not used: the one below holds for calls, and a stream has none.
    pub http: HttpLimits,
    /// The body of one answer. 64 MiB; raise it to read larger ranges at once. Of an error, whatever
    /// this is, 16 KiB are kept.
    pub body_bytes: u64,
    /// One frame of a stream. 64 MiB. A watch's frame may be longer: its events are read while it
    /// comes, and this bounds what else has to be kept of it.
    pub frame_bytes: usize,
    /// One revision of one watch, as text and in memory. 64 MiB, far above what etcd takes in one
    /// transaction; a larger one ends the watch.
    pub revision_bytes: usize,
    /// How deep an answer may be nested, what is passed over in it included. 32; a nested
    /// transaction takes 3. More than 127 counts as 127.
    pub json_depth: usize,
    /// Undelivered bytes of one watch; above it the client stops reading the watch's connection and
    /// TCP holds the server back (rule W-12). Where that would hold up others for longer than
    /// [`Config::slow_watch_after`] it goes on over a connection of its own. 1 MiB, and one revision more.
    pub watch_buffer_bytes: usize,
    /// Undelivered bytes of all watches together; above it a watch's connection is not read once
    /// something came for it, until the watch is read to its end or all hold half of this. 64 MiB; the
    /// revisions that one read of each connection completes come on top.
    pub all_watch_buffers_bytes: usize,
    /// Connections open or being opened at the same time, whatever they are for. Above it calls wait in
    /// line until their deadline, and watches, snapshots and observations until there is room; a
    /// connection for calls that nobody uses gives way. 256, where one endpoint takes 189 at the most:
    /// 8 for calls, 64 for [`Limits::waits`], 100 for [`Limits::watches`], 16 for [`Limits::streams`],
    /// and 1 for renewals. 0 counts as 1.
    pub connections: usize,
    /// Calls under way, waiting ones included. 10,000.
    pub calls: usize,
    /// Of these, calls that wait for somebody else or for long work ([`Lock`](crate::Lock),
    /// [`Campaign`](crate::Campaign), [`Defragment`](crate::Defragment)): each has a connection of its
    /// own. 64.
    pub waits: usize,
    /// Watches open at the same time. 10,000.
    pub watches: usize,
    /// Keys that one watch keeps in memory for [`Compaction::Difference`](crate::Compaction), in bytes: each
    /// takes its own length and some 50 bytes more. 64 MiB; beyond that the watch ends.
    pub known_keys_bytes: usize,
    /// Snapshots and observations open at the same time, each on a connection of its own. 16.
    pub streams: usize,
    /// Leases kept alive at the same time. 10,000; all are renewed over one connection.
    pub leases: usize,
    /// Undelivered bytes of one snapshot or observation; above it the client stops reading its
    /// connection. 1 MiB, some 30 frames of a snapshot.
    pub stream_buffer_bytes: usize,
    /// The encoded body of one request. 16 MiB, well above the 1.5 MiB that etcd takes by default.
    pub request_bytes: usize,
    /// Notices that were not taken, each some 300 bytes; beyond it the oldest gives way. 1,024: what a lost
    /// connection with a hundred watches on it brings, several times over.
    pub notices: usize,
}

/// The deepest nesting that serde_json follows.
pub(super) const MOST_JSON_DEPTH: usize = 127;

impl Config {
    /// A configuration with these endpoints and the default of everything else.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the endpoint that cannot be used, and why.
    ///
    /// ```
    /// use etcd_core::Config;
    ///
    /// let error = Config::new(["http://user:secret@host"]).unwrap_err();
    /// assert!(error.to_string().contains("user and password"));
    /// ```
    pub fn new<I>(endpoints: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let endpoints = endpoints
            .into_iter()
            .map(|endpoint| endpoint.as_ref().parse())
            .collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(ConfigError::NoEndpoints);
        }
        Ok(Self {
            endpoints,
            balance: Balance::default(),
            api_prefix: ApiPrefix::default(),
            find_api_prefix: false,
            namespace: Namespace::default(),
            proxy: None,
            host: None,
            sync_interval: None,
            headers: Vec::new(),
            credentials: None,
            token_ttl: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(8),
            watch_created_timeout: Duration::from_secs(2),
            watch_idle_timeout: Duration::from_secs(5),
            watch_probe_timeout: Duration::from_secs(2),
            slow_watch_after: Duration::from_millis(50),
            snapshot_idle_timeout: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(2),
            max_connections: 8,
            pipeline_depth: 1,
            watch_carrier: WatchCarrier::default(),
            max_watches_per_connection: 100,
            idle_limit: Duration::from_secs(30),
            max_attempts: 100,
            retry_budget: RetryBudget::default(),
            require_leader: true,
            notices: false,
            limits: Limits::default(),
            #[cfg(feature = "planted")]
            planted: None,
        })
    }

    /// Says who the client is: a user with a password, or a token. At the same time there is only
    /// one of them; the last one counts.
    ///
    /// # Errors
    ///
    /// [`ConfigError::BadHeader`] where a header that carries a token was added: it cannot be told
    /// which one is meant. [`ConfigError::BadCredentials`] where an endpoint is without TLS and not on
    /// loopback, unless the credentials allow that ([`Credentials::over_plain_http`], guarantee G42).
    ///
    /// ```
    /// use etcd_core::{Config, Credentials};
    ///
    /// let mut config = Config::new(["127.0.0.1:2379"])?;
    /// config.set_credentials(Credentials::password("root", "swordfish")?)?;
    /// assert!(config.add_header("Authorization", "a-token").is_err());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn set_credentials(&mut self, credentials: Credentials) -> Result<(), ConfigError> {
        let carries_token = |(name, _): &&(HeaderName, _)| TOKENS.contains(&name.as_str());
        if let Some((name, _)) = self.headers.iter().find(carries_token) {
            return Err(ConfigError::BadHeader {
                name: name.as_str().to_owned(),
            });
        }
        credentials.check(&self.endpoints, self.proxy.as_ref())?;
        self.credentials = Some(credentials);
        Ok(())
    }

    /// Says what every request has in its Host header, in place of its endpoint's host and port: where a proxy
    /// or a balancer finds the cluster by it. It changes neither where connections go nor which name a
    /// certificate has to have.
    ///
    /// # Errors
    ///
    /// [`ConfigError::BadHeader`] if it is no host, with a port or without.
    ///
    /// ```
    /// use etcd_core::Config;
    ///
    /// let mut config = Config::new(["unix:///run/proxy.sock"])?;
    /// config.set_host("etcd.example:2379")?;
    /// assert!(config.set_host("root@etcd.example").is_err());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn set_host(&mut self, host: &str) -> Result<(), ConfigError> {
        let is_host = host
            .parse::<Authority>()
            .is_ok_and(|authority| !authority.host().is_empty() && !host.contains('@'));
        if !is_host {
            return Err(ConfigError::BadHeader {
                name: "host".to_owned(),
            });
        }
        self.host = Some(host.to_owned());
        Ok(())
    }

    /// Adds a header to every request. Its value is marked as one that is never shown.
    ///
    /// # Errors
    ///
    /// [`ConfigError::BadHeader`] where name or value has bytes that no header may have, or where
    /// the client sets that header itself, as it does `Authorization` once it has credentials.
    ///
    /// ```
    /// use etcd_core::Config;
    ///
    /// let mut config = Config::new(["127.0.0.1:2379"])?;
    /// config.add_header("Authorization", "a-token")?;
    /// assert!(config.add_header("Content-Length", "7").is_err());
    /// assert!(!format!("{config:?}").contains("a-token"));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        const OURS: [&str; 8] = [
            "host",
            "content-length",
            "content-type",
            "transfer-encoding",
            "connection",
            "te",
            "trailer",
            "upgrade",
        ];
        let bad = || ConfigError::BadHeader {
            name: name.to_owned(),
        };
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let is_token = self.credentials.is_some() && TOKENS.contains(&parsed.as_str());
        if is_token || OURS.contains(&parsed.as_str()) {
            return Err(bad());
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        self.headers.push((parsed, value));
        Ok(())
    }
}

/// Headers in which etcd looks for a token; the second wins (gateway.md 4.4).
const TOKENS: [&str; 2] = ["authorization", "grpc-metadata-token"];

impl Default for Limits {
    fn default() -> Self {
        Self {
            http: HttpLimits::default(),
            body_bytes: 64 << 20,
            frame_bytes: 64 << 20,
            revision_bytes: 64 << 20,
            json_depth: 32,
            watch_buffer_bytes: 1 << 20,
            all_watch_buffers_bytes: 64 << 20,
            connections: 256,
            calls: 10_000,
            waits: 64,
            watches: 10_000,
            known_keys_bytes: 64 << 20,
            streams: 16,
            leases: 10_000,
            stream_buffer_bytes: 1 << 20,
            request_bytes: 16 << 20,
            notices: 1024,
        }
    }
}
