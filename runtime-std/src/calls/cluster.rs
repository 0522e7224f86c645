//! The members of a cluster. Names and arguments are the same in
//! `etcd-smol`.

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
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.member_list()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn member_list(&self) -> Result<MemberListResponse, Error> {
        self.call(MemberList::new())
    }

    /// Adds a voting member, which has to be started afterwards. For a learner, give a [`MemberAdd`] to
    /// [`Client::call`].
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.member_add(["http://10.0.0.7:2380"])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn member_add(
        &self,
        peer_urls: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<MemberAddResponse, Error> {
        self.call(MemberAdd::new(peer_urls))
    }

    /// Removes a member; its server ends.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.member_remove(7)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn member_remove(&self, id: u64) -> Result<MemberRemoveResponse, Error> {
        self.call(MemberRemove::new(id))
    }

    /// Changes where the peers of a member find it.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.member_update(7, ["http://10.0.0.7:2380"])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn member_update(
        &self,
        id: u64,
        peer_urls: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<MemberUpdateResponse, Error> {
        self.call(MemberUpdate::new(id, peer_urls))
    }

    /// Makes a learner that has caught up a voting member.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.member_promote(7)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn member_promote(&self, id: u64) -> Result<MemberPromoteResponse, Error> {
        self.call(MemberPromote::new(id))
    }
}
