//! The members of a cluster. Names and arguments are the same in
//! `etcd-std`.

use etcd_core::Error;
use etcd_core::MemberAdd;
use etcd_core::MemberAddResponse;
use etcd_core::MemberList;
use etcd_core::MemberListResponse;
use etcd_core::MemberPromote;
use etcd_core::MemberPromoteResponse;
use etcd_core::MemberRemove;
use etcd_core::MemberRemoveResponse;
use etcd_core::MemberUpdate;
use etcd_core::MemberUpdateResponse;

use crate::client::Client;

impl Client {
    /// The members, with every change that was acknowledged before. Where there is no quorum, give
    /// [`MemberList::with_serializable`] to [`Client::call`].
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.member_list().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn member_list(&self) -> Result<MemberListResponse, Error> {
        self.call(MemberList::new()).await
    }

    /// Adds a voting member, which has to be started afterwards. For a learner, give a [`MemberAdd`] to
    /// [`Client::call`].
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.member_add(["http://10.0.0.7:2380"]).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn member_add(
        &self,
        peer_urls: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<MemberAddResponse, Error> {
        self.call(MemberAdd::new(peer_urls)).await
    }

    /// Removes a member; its server ends.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.member_remove(7).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn member_remove(&self, id: u64) -> Result<MemberRemoveResponse, Error> {
        self.call(MemberRemove::new(id)).await
    }

    /// Changes where the peers of a member find it.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.member_update(7, ["http://10.0.0.7:2380"]).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn member_update(
        &self,
        id: u64,
        peer_urls: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<MemberUpdateResponse, Error> {
        self.call(MemberUpdate::new(id, peer_urls)).await
    }

    /// Makes a learner that has caught up a voting member.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.member_promote(7).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn member_promote(&self, id: u64) -> Result<MemberPromoteResponse, Error> {
        self.call(MemberPromote::new(id)).await
    }
}
