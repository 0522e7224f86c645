//! The locks and elections of the server's own. Nobody renews their leases, and nobody tells of a loss.
//! Names and arguments are the same in `etcd-smol`.

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
    /// Waits until the lock is held; it ends with the lease. There is no deadline:
    /// for one, give a [`Lock`] and a timeout to [`Client::call_with`]. To be able to call it off, give the
    /// [`Lock`] to [`Client::start`].
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.lock("jobs", 7)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock(&self, name: impl IntoBytes, lease: i64) -> Result<LockResponse, Error> {
        self.call(Lock::new(name).with_lease(lease))
    }

    /// Gives a lock back, by the key of its answer.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.unlock("jobs/7")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unlock(&self, key: impl IntoBytes) -> Result<UnlockResponse, Error> {
        self.call(Unlock::new(key))
    }

    /// Waits until it is elected; the lead ends with the lease. There is no deadline:
    /// for one, give a [`Campaign`] and a timeout to [`Client::call_with`]. To be able to call it off, give the
    /// [`Campaign`] to [`Client::start`].
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.campaign("e", 7, "me")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn campaign(
        &self,
        name: impl IntoBytes,
        lease: i64,
        value: impl IntoBytes,
    ) -> Result<CampaignResponse, Error> {
        self.call(Campaign::new(name, value).with_lease(lease))
    }

    /// Says something else as the leader of an election.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let elected = client.campaign("e", 7, "me")?.leader;
    /// client.proclaim(elected, "new")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn proclaim(
        &self,
        leader: LeaderKey,
        value: impl IntoBytes,
    ) -> Result<ProclaimResponse, Error> {
        self.call(Proclaim::new(leader, value))
    }

    /// Who leads an election, and what the leader says.
    ///
    /// # Errors
    ///
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.leader("e")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn leader(&self, name: impl IntoBytes) -> Result<LeaderResponse, Error> {
        self.call(Leader::new(name))
    }

    /// Gives up the lead of an election.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let elected = client.campaign("e", 7, "me")?.leader;
    /// client.resign(elected)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resign(&self, leader: LeaderKey) -> Result<ResignResponse, Error> {
        self.call(Resign::new(leader))
    }
}
