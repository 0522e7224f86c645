//! The locks and elections of the server's own. Nobody renews their leases, and nobody tells of a loss.
//! Names and arguments are the same in `etcd-std`.

use etcd_core::Campaign;
use etcd_core::CampaignResponse;
use etcd_core::Error;
use etcd_core::IntoBytes;
use etcd_core::Leader;
use etcd_core::LeaderKey;
use etcd_core::LeaderResponse;
use etcd_core::Lock;
use etcd_core::LockResponse;
use etcd_core::Proclaim;
use etcd_core::ProclaimResponse;
use etcd_core::Resign;
use etcd_core::ResignResponse;
use etcd_core::Unlock;
use etcd_core::UnlockResponse;

use crate::client::Client;

impl Client {
    /// Waits until the lock is held; it ends with the lease. There is no deadline.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.lock("jobs", 7).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn lock(&self, name: impl IntoBytes, lease: i64) -> Result<LockResponse, Error> {
        self.call(Lock::new(name).with_lease(lease)).await
    }

    /// Gives a lock back, by the key of its answer.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.unlock("jobs/7").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn unlock(&self, key: impl IntoBytes) -> Result<UnlockResponse, Error> {
        self.call(Unlock::new(key)).await
    }

    /// Waits until it is elected; the lead ends with the lease. There is no deadline.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.campaign("e", 7, "me").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn campaign(
        &self,
        name: impl IntoBytes,
        lease: i64,
        value: impl IntoBytes,
    ) -> Result<CampaignResponse, Error> {
        self.call(Campaign::new(name, value).with_lease(lease))
            .await
    }

    /// Says something else as the leader of an election.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let elected = client.campaign("e", 7, "me").await?.leader;
    /// client.proclaim(elected, "new").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn proclaim(
        &self,
        leader: LeaderKey,
        value: impl IntoBytes,
    ) -> Result<ProclaimResponse, Error> {
        self.call(Proclaim::new(leader, value)).await
    }

    /// Who leads an election, and what the leader says.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.leader("e").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn leader(&self, name: impl IntoBytes) -> Result<LeaderResponse, Error> {
        self.call(Leader::new(name)).await
    }

    /// Gives up the lead of an election.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let elected = client.campaign("e", 7, "me").await?.leader;
    /// client.resign(elected).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn resign(&self, leader: LeaderKey) -> Result<ResignResponse, Error> {
        self.call(Resign::new(leader)).await
    }
}
