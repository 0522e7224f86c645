//! One `async` method for each thing etcd can be asked.

mod auth;
mod cluster;
mod lock;
mod maintenance;

use etcd_core::Compact;
use etcd_core::CompactResponse;
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
use etcd_core::StatusRequest;
use etcd_core::StatusResponse;
use etcd_core::Txn;
use etcd_core::TxnResponse;
use etcd_core::VersionRequest;
use etcd_core::VersionResponse;

use crate::client::Client;

impl Client {
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
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::{Compare, Put, Txn};
    ///
    /// let txn = Txn::new().when([Compare::version("k").eq(0)]).and_then([Put::new("k", "v")]);
    /// if client.txn(txn).await?.succeeded() {
    ///     println!("nobody had put it before");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn txn(&self, txn: Txn) -> Result<TxnResponse, Error> {
        self.call(txn).await
    }

    /// Forgets everything older than `revision`.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let now = client.get("foo").await?.header.revision;
    /// client.compact(now).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn compact(&self, revision: i64) -> Result<CompactResponse, Error> {
        self.call(Compact::new(revision)).await
    }

    /// Grants a lease that lives for `ttl_seconds` unless it is renewed. [`Client::lease`] renews it, too.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::Put;
    ///
    /// let lease = client.lease_grant(30).await?.id;
    /// client.call(Put::new("alive", "yes").with_lease(lease)).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn lease_grant(&self, ttl_seconds: i64) -> Result<LeaseGrantResponse, Error> {
        self.call(LeaseGrant::new(ttl_seconds)).await
    }

    /// Revokes a lease, which deletes the keys attached to it.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let lease = client.lease_grant(30).await?.id;
    /// client.lease_revoke(lease).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn lease_revoke(&self, id: i64) -> Result<LeaseRevokeResponse, Error> {
        self.call(LeaseRevoke::new(id)).await
    }

    /// Renews a lease once.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let lease = client.lease_grant(30).await?.id;
    /// let ttl = client.lease_keep_alive_once(lease).await?.ttl;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn lease_keep_alive_once(&self, id: i64) -> Result<LeaseKeepAliveResponse, Error> {
        self.call(LeaseKeepAlive::new(id)).await
    }

    /// How long a lease has to live.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let lease = client.lease_grant(30).await?.id;
    /// let ttl = client.lease_time_to_live(lease).await?.ttl;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn lease_time_to_live(&self, id: i64) -> Result<LeaseTimeToLiveResponse, Error> {
        self.call(LeaseTimeToLive::new(id)).await
    }

    /// All leases there are.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let leases = client.leases().await?.leases;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn leases(&self) -> Result<LeaseLeasesResponse, Error> {
        self.call(LeaseLeases::new()).await
    }

    /// What one member says of itself: version, leader, size of its store.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// println!("{} bytes", client.status().await?.db_size);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.call(StatusRequest::new()).await
    }

    /// The versions of a server and its cluster.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// println!("{}", client.version().await?.etcdserver);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn version(&self) -> Result<VersionResponse, Error> {
        self.call(VersionRequest::new()).await
    }

    /// Whether a server can serve.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// assert!(client.health().await?.health);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn health(&self) -> Result<HealthResponse, Error> {
        self.call(HealthRequest::new()).await
    }
}
