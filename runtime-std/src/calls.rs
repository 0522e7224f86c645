//! The calls of etcd, one method for each; their names and arguments are the same in `etcd-smol`.

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

/// Keys and values.
impl Client {
    /// Reads a key or a range of keys.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Range};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let one = client.get("k")?;
    /// let many = client.get(Range::prefix("/services/").with_limit(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn get(&self, range: impl Into<Range>) -> Result<RangeResponse, Error> {
        self.call(range.into())
    }

    /// Stores a value. For its options, give a [`Put`] to [`Client::call`].
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let revision = client.put("k", "v")?.header.revision;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn put(&self, key: impl IntoBytes, value: impl IntoBytes) -> Result<PutResponse, Error> {
        self.call(Put::new(key, value))
    }

    /// Deletes a key or a range of keys.
    ///
    /// ```no_run
    /// use etcd_std::{Client, DeleteRange};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let one = client.delete("k")?.deleted;
    /// let many = client.delete(DeleteRange::prefix("/old/"))?.deleted;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn delete(&self, range: impl Into<DeleteRange>) -> Result<DeleteRangeResponse, Error> {
        self.call(range.into())
    }

    /// Compares, and does one thing or another, all in one step.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Compare, Put, Txn};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let txn = Txn::new().when([Compare::version("k").eq(0)]).and_then([Put::new("k", "v")]);
    /// let won = client.txn(txn)?.succeeded();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn txn(&self, txn: Txn) -> Result<TxnResponse, Error> {
        self.call(txn)
    }

    /// Forgets every value that was overwritten or deleted before `revision`.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let now = client.get("k")?.header.revision;
    /// client.compact(now)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn compact(&self, revision: i64) -> Result<CompactResponse, Error> {
        self.call(Compact::new(revision))
    }
}

/// Leases.
impl Client {
    /// Grants a lease that ends `ttl_seconds` after its last renewal. [`Client::lease`] renews it, too.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Put};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease_grant(10)?.id;
    /// client.call(Put::new("k", "v").with_lease(lease))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn lease_grant(&self, ttl_seconds: i64) -> Result<LeaseGrantResponse, Error> {
        self.call(LeaseGrant::new(ttl_seconds))
    }

    /// Ends a lease and deletes the keys attached to it.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease_grant(10)?.id;
    /// client.lease_revoke(lease)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn lease_revoke(&self, id: i64) -> Result<LeaseRevokeResponse, Error> {
        self.call(LeaseRevoke::new(id))
    }

    /// Renews a lease once.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease_grant(10)?.id;
    /// client.lease_keep_alive_once(lease)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub fn lease_keep_alive_once(&self, id: i64) -> Result<LeaseKeepAliveResponse, Error> {
        self.call(LeaseKeepAlive::new(id))
    }

    /// How long a lease has to live.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease_grant(10)?.id;
    /// println!("{} s left", client.lease_time_to_live(lease)?.ttl);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn lease_time_to_live(&self, id: i64) -> Result<LeaseTimeToLiveResponse, Error> {
        self.call(LeaseTimeToLive::new(id))
    }

    /// All leases of the cluster.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// println!("{} leases", client.leases()?.leases.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn leases(&self) -> Result<LeaseLeasesResponse, Error> {
        self.call(LeaseLeases::new())
    }
}

/// The server itself.
impl Client {
    /// What one member of the cluster says of itself.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// println!("{}", client.status()?.version);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn status(&self) -> Result<StatusResponse, Error> {
        self.call(StatusRequest::new())
    }

    /// The versions of the server and of the cluster.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// println!("{:?}", client.version()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn version(&self) -> Result<VersionResponse, Error> {
        self.call(VersionRequest::new())
    }

    /// Whether a server is healthy by its own judgement.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// println!("{:?}", client.health()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn health(&self) -> Result<HealthResponse, Error> {
        self.call(HealthRequest::new())
    }
}
