//! What a cluster is like: its size, its version, its limits, its defects.

use core::time::Duration;

use etcd_core::Version;

use super::Defects;

/// What a cluster is made with. The defaults are etcd's own, but for the latency.
///
/// ```
/// use etcd_core::Version;
/// use etcd_sim::etcd::Setup;
///
/// let setup = Setup::new(Version::new(3, 5, 16)).with_members(3);
/// assert_eq!(setup.members, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setup {
    /// How many members it begins with, at least one; all of them vote.
    pub members: usize,
    /// What the first members are called and where they are; those that are not named here have a
    /// name by their number and addresses where nobody listens.
    pub places: Vec<Place>,
    /// Which etcd all of them are.
    pub version: Version,
    /// How large the database of a member may be, in bytes (`--quota-backend-bytes`).
    pub quota_bytes: u64,
    /// How long a token lives that nobody uses (`--auth-token-ttl`).
    pub token_ttl: Duration,
    /// Whether tokens are signed (`--auth-token=jwt`), which then live for `token_ttl` whether they are
    /// used or not.
    pub signs_tokens: bool,
    /// How often a watch that asked for it is told the revision
    /// (`--experimental-watch-progress-notify-interval`); up to a tenth is added.
    pub watch_progress_interval: Duration,
    /// After how much silence a member gives its leader up (`--election-timeout`).
    pub election_timeout: Duration,
    /// How long it takes from a write's coming to its being agreed on.
    pub commit_latency: Duration,
    /// How long a watch that begins in the past waits for the next pass over the history, at most.
    pub watch_sync_interval: Duration,
    /// How many revisions of history one answer of a watch has at most.
    pub watch_batch_revisions: usize,
    /// From which size on an answer is cut for a watch that takes fragments, in bytes; 0 is etcd's
    /// own, which is `max_request_bytes` and 512 KiB.
    pub fragment_bytes: usize,
    /// How large a write may be, in bytes (`--max-request-bytes`).
    pub max_request_bytes: usize,
    /// How many operations a list of a transaction may have (`--max-txn-ops`).
    pub max_txn_ops: usize,
    /// By how many writes a member may be behind before it is brought up by a snapshot.
    pub snapshot_after: usize,
    /// Whether [`Cluster::log`](super::Cluster::log) is kept, which grows with every write.
    pub keep_log: bool,
    /// What is wrong with it.
    pub defects: Defects,
}

/// What a member is called and where it is, as the list of members tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its name (`--name`).
    pub name: String,
    /// Where other members find it (`--initial-advertise-peer-urls`).
    pub peer_url: String,
    /// Where clients find it (`--advertise-client-urls`).
    pub client_url: String,
}

impl Place {
    /// A member's place.
    ///
    /// ```
    /// use etcd_core::Version;
    /// use etcd_sim::etcd::{Place, Setup};
    ///
    /// let place = Place::new("one", "http://10.0.0.1:2380", "http://10.0.0.1:2379");
    /// let setup = Setup::new(Version::new(3, 5, 16)).with_places([place]);
    /// assert_eq!(setup.places[0].name, "one");
    /// ```
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        peer_url: impl Into<String>,
        client_url: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            peer_url: peer_url.into(),
            client_url: client_url.into(),
        }
    }
}

impl Setup {
    /// A single member of that version, with the defects that all of that version have and that
    /// need no luck to be seen ([`Defects::steady`]).
    ///
    /// ```
    /// use etcd_core::Version;
    /// use etcd_sim::etcd::Setup;
    ///
    /// let setup = Setup::new(Version::new(3, 4, 23));
    /// assert_eq!(setup.max_txn_ops, 128);
    /// assert!(setup.defects.progress_ahead);
    /// ```
    #[must_use]
    pub fn new(version: Version) -> Self {
        let defects = Defects::steady(&version);
        Self {
            members: 1,
            places: Vec::new(),
            version,
            quota_bytes: 2 * 1024 * 1024 * 1024,
            token_ttl: Duration::from_secs(300),
            signs_tokens: false,
            watch_progress_interval: Duration::from_secs(600),
            election_timeout: Duration::from_secs(1),
            commit_latency: Duration::from_millis(2),
            watch_sync_interval: Duration::from_millis(100),
            watch_batch_revisions: 1_000,
            fragment_bytes: 0,
            max_request_bytes: 1_572_864,
            max_txn_ops: 128,
            snapshot_after: 5_000,
            keep_log: true,
            defects,
        }
    }

    /// Sets [`Setup::members`].
    #[must_use]
    pub const fn with_members(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// Sets [`Setup::places`].
    #[must_use]
    pub fn with_places(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        self.places = places.into_iter().collect();
        self
    }

    /// Sets [`Setup::quota_bytes`].
    #[must_use]
    pub const fn with_quota_bytes(mut self, bytes: u64) -> Self {
        self.quota_bytes = bytes;
        self
    }

    /// Sets [`Setup::token_ttl`].
    #[must_use]
    pub const fn with_token_ttl(mut self, ttl: Duration) -> Self {
        self.token_ttl = ttl;
        self
    }

    /// Sets [`Setup::signs_tokens`] to true.
    #[must_use]
    pub const fn with_signed_tokens(mut self) -> Self {
        self.signs_tokens = true;
        self
    }

    /// Sets [`Setup::watch_progress_interval`].
    #[must_use]
    pub const fn with_watch_progress_interval(mut self, interval: Duration) -> Self {
        self.watch_progress_interval = interval;
        self
    }

    /// Sets [`Setup::election_timeout`].
    #[must_use]
    pub const fn with_election_timeout(mut self, timeout: Duration) -> Self {
        self.election_timeout = timeout;
        self
    }

    /// Sets [`Setup::commit_latency`].
    #[must_use]
    pub const fn with_commit_latency(mut self, latency: Duration) -> Self {
        self.commit_latency = latency;
        self
    }

    /// Sets [`Setup::watch_sync_interval`].
    #[must_use]
    pub const fn with_watch_sync_interval(mut self, interval: Duration) -> Self {
        self.watch_sync_interval = interval;
        self
    }

    /// Sets [`Setup::watch_batch_revisions`].
    #[must_use]
    pub const fn with_watch_batch_revisions(mut self, revisions: usize) -> Self {
        self.watch_batch_revisions = revisions;
        self
    }

    /// Sets [`Setup::fragment_bytes`].
    #[must_use]
    pub const fn with_fragment_bytes(mut self, bytes: usize) -> Self {
        self.fragment_bytes = bytes;
        self
    }

    /// Sets [`Setup::max_request_bytes`].
    #[must_use]
    pub const fn with_max_request_bytes(mut self, bytes: usize) -> Self {
        self.max_request_bytes = bytes;
        self
    }

    /// Sets [`Setup::max_txn_ops`].
    #[must_use]
    pub const fn with_max_txn_ops(mut self, ops: usize) -> Self {
        self.max_txn_ops = ops;
        self
    }

    /// Sets [`Setup::snapshot_after`].
    #[must_use]
    pub const fn with_snapshot_after(mut self, writes: usize) -> Self {
        self.snapshot_after = writes;
        self
    }

    /// Sets [`Setup::keep_log`].
    #[must_use]
    pub const fn with_keep_log(mut self, keep: bool) -> Self {
        self.keep_log = keep;
        self
    }

    /// Sets [`Setup::defects`].
    #[must_use]
    pub const fn with_defects(mut self, defects: Defects) -> Self {
        self.defects = defects;
        self
    }

    /// What a member is called, and where it is.
    pub(crate) fn place(&self, member: usize) -> Place {
        let place = self.places.get(member);
        place.cloned().unwrap_or_else(|| Place {
            name: format!("m{member}"),
            peer_url: format!("http://127.0.0.1:{}", 12_380 + 10 * member),
            client_url: format!("http://127.0.0.1:{}", 12_379 + 10 * member),
        })
    }

    /// The limit of an answer that a watch takes in parts.
    pub(super) const fn fragment_limit(&self) -> usize {
        match self.fragment_bytes {
            0 => self.max_request_bytes + GRPC_OVERHEAD,
            bytes => bytes,
        }
    }

    /// The largest message the server reads at all (gateway.md 15).
    pub(super) const fn message_limit(&self) -> usize {
        self.max_request_bytes + GRPC_OVERHEAD
    }

    /// The shortest time a lease is granted for, in seconds: one and a half election timeouts,
    /// rounded up (gateway.md 9).
    pub(super) fn min_lease_ttl(&self) -> i64 {
        let millis = self.election_timeout.as_millis() * 3 / 2;
        i64::try_from(millis.div_ceil(1_000)).unwrap_or(i64::MAX)
    }

    /// How long a request waits for agreement (gateway.md 16).
    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.election_timeout
    }
}

/// What the server adds to its own limit for what is around a message.
const GRPC_OVERHEAD: usize = 512 * 1024;

/// Whether a server of this version speaks through the second gateway library, which also changes
/// how some failures are told (gateway.md 5).
pub(super) fn is_second_gateway(version: &Version) -> bool {
    *version >= Version::new(3, 5, 16)
}

/// Whether the server was built by a Go before 1.19, whose sort has an order of its own for equals;
/// seen on 3.5.1.
pub(super) fn has_old_sort(version: &Version) -> bool {
    *version >= Version::new(3, 5, 0) && *version < Version::new(3, 5, 7)
}
