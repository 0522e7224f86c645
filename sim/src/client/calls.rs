//! One `async` method for each thing etcd can be asked, as in etcd-smol: what it says of them holds here.

use etcd_core::{
    AlarmMember, AlarmRequest, AlarmResponse, AlarmType, AuthDisable, AuthDisableResponse,
    AuthEnable, AuthEnableResponse, AuthStatus, AuthStatusResponse, Authenticate,
    AuthenticateResponse, CallOptions, Campaign, CampaignResponse, Compact, CompactResponse,
    CompareAndSwap, Defragment, DefragmentResponse, DeleteRange, DeleteRangeResponse, Endpoint,
    Error, Guard, GuardedResponse, HashKv, HashKvResponse, HealthRequest, HealthResponse,
    IntoBytes, KeyRange, Leader, LeaderKey, LeaderResponse, LeaseGrant, LeaseGrantResponse,
    LeaseKeepAlive, LeaseKeepAliveResponse, LeaseLeases, LeaseLeasesResponse, LeaseRevoke,
    LeaseRevokeResponse, LeaseTimeToLive, LeaseTimeToLiveResponse, Livez, LivezResponse, Lock,
    LockResponse, MemberAdd, MemberAddResponse, MemberList, MemberListResponse, MemberPromote,
    MemberPromoteResponse, MemberRemove, MemberRemoveResponse, MemberUpdate, MemberUpdateResponse,
    MetricsRequest, MetricsResponse, MoveLeader, MoveLeaderResponse, Permission, Proclaim,
    ProclaimResponse, Put, PutIfAbsent, PutIfPresent, PutResponse, Range, RangeResponse, Readyz,
    ReadyzResponse, Resign, ResignResponse, RoleAdd, RoleAddResponse, RoleDelete,
    RoleDeleteResponse, RoleGet, RoleGetResponse, RoleGrantPermission, RoleGrantPermissionResponse,
    RoleList, RoleListResponse, RoleRevokePermission, RoleRevokePermissionResponse, StatusRequest,
    StatusResponse, Txn, TxnResponse, Unlock, UnlockResponse, UserAdd, UserAddResponse,
    UserChangePassword, UserChangePasswordResponse, UserDelete, UserDeleteResponse, UserGet,
    UserGetResponse, UserGrantRole, UserGrantRoleResponse, UserList, UserListResponse,
    UserRevokeRole, UserRevokeRoleResponse, VersionRequest, VersionResponse,
};

use etcd_core::recipes::{Settle, SettleStep, Settled};

use super::Client;

macro_rules! calls {
    ($title:literal; $($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $answer:ty = $request:expr;)*) => {
        #[doc = $title]
        impl Client {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// As for [`Client::call`].
            pub async fn $name(&self, $($arg: $ty),*) -> Result<$answer, Error> {
                self.call($request).await
            }
        )*}
    };
}

calls! {
    "Keys, transactions, leases, and who is asked.";

    /// Reads a key, or a range of keys.
    fn get(range: impl Into<Range>) -> RangeResponse = range.into();

    /// Writes a key. For options, make a [`Put`] and use [`Client::call`].
    fn put(key: impl IntoBytes, value: impl IntoBytes) -> PutResponse = Put::new(key, value);

    /// Deletes a key, or a range of keys.
    fn delete(range: impl Into<DeleteRange>) -> DeleteRangeResponse = range.into();

    /// Compares, then does one list of operations or the other, as one revision.
    fn txn(txn: Txn) -> TxnResponse = txn;

    /// Forgets everything older than `revision`.
    fn compact(revision: i64) -> CompactResponse = Compact::new(revision);

    /// Grants a lease that lives for `ttl_seconds` unless it is kept alive.
    fn lease_grant(ttl_seconds: i64) -> LeaseGrantResponse = LeaseGrant::new(ttl_seconds);

    /// Revokes a lease, which deletes the keys attached to it.
    fn lease_revoke(id: i64) -> LeaseRevokeResponse = LeaseRevoke::new(id);

    /// Renews a lease once.
    fn lease_keep_alive_once(id: i64) -> LeaseKeepAliveResponse = LeaseKeepAlive::new(id);

    /// How long a lease has to live.
    fn lease_time_to_live(id: i64) -> LeaseTimeToLiveResponse = LeaseTimeToLive::new(id);

    /// All leases there are.
    fn leases() -> LeaseLeasesResponse = LeaseLeases::new();

    /// What one member says of itself: version, leader, size of its store.
    fn status() -> StatusResponse = StatusRequest::new();

    /// The versions of a server and its cluster.
    fn version() -> VersionResponse = VersionRequest::new();

    /// Whether a server can serve.
    fn health() -> HealthResponse = HealthRequest::new();
}

calls! {
    "Writes with a condition, and many keys.";

    /// Stores a value if there is no such key.
    fn put_if_absent(key: impl IntoBytes, value: impl IntoBytes) -> GuardedResponse
        = PutIfAbsent::new(key, value);

    /// Stores a value if there is such a key.
    fn put_if_present(key: impl IntoBytes, value: impl IntoBytes) -> GuardedResponse
        = PutIfPresent::new(key, value);

    /// Stores a value if the stored one is `expected`. A lease the key was attached to is taken
    /// off; [`CompareAndSwap::with_ignore_lease`] keeps it.
    fn compare_and_swap(
        key: impl IntoBytes,
        expected: impl IntoBytes,
        new: impl IntoBytes
    ) -> GuardedResponse = CompareAndSwap::value(key, expected, new);

    /// Stores a value if the key was last changed at `mod_revision`; 0 is the revision of a key that
    /// does not exist.
    fn compare_and_swap_revision(
        key: impl IntoBytes,
        mod_revision: i64,
        new: impl IntoBytes
    ) -> GuardedResponse = CompareAndSwap::mod_revision(key, mod_revision, new);

    /// Deletes all keys that start with `prefix`. The empty prefix is all keys.
    fn delete_prefix(prefix: impl IntoBytes) -> DeleteRangeResponse = DeleteRange::prefix(prefix);
}

/// Writes that are made until it is known what became of them.
impl Client {
    /// Makes a write whose condition holds only once, and where its answer is lost, finds out what became of
    /// it (rule R-5).
    ///
    /// # Errors
    ///
    /// As for [`Client::call`]; no attempt was answered then.
    pub async fn settle<W: Guard>(&self, write: W) -> Result<Settled, Error> {
        self.settle_with(write, CallOptions::default()).await
    }

    /// The same, with these options for each of its calls.
    ///
    /// # Errors
    ///
    /// Those of [`Client::settle`].
    pub async fn settle_with<W: Guard>(
        &self,
        write: W,
        options: CallOptions,
    ) -> Result<Settled, Error> {
        let mut settle = Settle::new(write);
        loop {
            match settle.poll_step() {
                Some(SettleStep::Write(write)) => {
                    settle.handle_written(self.call_with(write, options.clone()).await);
                }
                Some(SettleStep::Read(range)) => {
                    settle.handle_read(self.call_with(range, options.clone()).await);
                }
                None => {}
            }
            if let Some(outcome) = settle.poll_settled() {
                return outcome;
            }
        }
    }
}

calls! {
    "Authentication, users and roles.";

    /// Turns authentication on. There has to be a user `root` with the role `root`.
    fn auth_enable() -> AuthEnableResponse = AuthEnable::new();

    /// Turns authentication off.
    fn auth_disable() -> AuthDisableResponse = AuthDisable::new();

    /// Whether authentication is on. From etcd 3.5.
    fn auth_status() -> AuthStatusResponse = AuthStatus::new();

    /// Gets a token for a name and a password.
    fn authenticate(name: impl Into<String>, password: impl Into<String>) -> AuthenticateResponse
        = Authenticate::new(name, password);

    /// Adds a user with a password.
    fn user_add(name: impl Into<String>, password: impl Into<String>) -> UserAddResponse
        = UserAdd::new(name, password);

    /// The roles of a user.
    fn user_get(name: impl Into<String>) -> UserGetResponse = UserGet::new(name);

    /// The users.
    fn user_list() -> UserListResponse = UserList::new();

    /// Deletes a user.
    fn user_delete(name: impl Into<String>) -> UserDeleteResponse = UserDelete::new(name);

    /// Gives a user another password.
    fn user_change_password(
        name: impl Into<String>,
        password: impl Into<String>
    ) -> UserChangePasswordResponse = UserChangePassword::new(name, password);

    /// Gives a user a role.
    fn user_grant_role(user: impl Into<String>, role: impl Into<String>) -> UserGrantRoleResponse
        = UserGrantRole::new(user, role);

    /// Takes a role from a user.
    fn user_revoke_role(name: impl Into<String>, role: impl Into<String>) -> UserRevokeRoleResponse
        = UserRevokeRole::new(name, role);

    /// Adds a role, which has no permissions yet.
    fn role_add(name: impl Into<String>) -> RoleAddResponse = RoleAdd::new(name);

    /// The permissions of a role.
    fn role_get(role: impl Into<String>) -> RoleGetResponse = RoleGet::new(role);

    /// The roles.
    fn role_list() -> RoleListResponse = RoleList::new();

    /// Deletes a role, and takes it from all who had it.
    fn role_delete(role: impl Into<String>) -> RoleDeleteResponse = RoleDelete::new(role);

    /// Gives a role a permission.
    fn role_grant_permission(
        name: impl Into<String>,
        perm: Permission
    ) -> RoleGrantPermissionResponse = RoleGrantPermission::new(name, perm);

    /// Takes a permission from a role; the keys have to be exactly those it was given for.
    fn role_revoke_permission(
        role: impl Into<String>,
        range: impl Into<KeyRange>
    ) -> RoleRevokePermissionResponse = RoleRevokePermission::new(role, range);
}

calls! {
    "The members of a cluster.";

    /// The members, with every change that was acknowledged before. Where there is no quorum, give
    /// [`MemberList::with_serializable`] to [`Client::call`].
    fn member_list() -> MemberListResponse = MemberList::new();

    /// Adds a voting member, which has to be started afterwards. For a learner, give a [`MemberAdd`] to
    /// [`Client::call`].
    fn member_add(peer_urls: impl IntoIterator<Item = impl Into<String>>) -> MemberAddResponse
        = MemberAdd::new(peer_urls);

    /// Removes a member; its server ends.
    fn member_remove(id: u64) -> MemberRemoveResponse = MemberRemove::new(id);

    /// Changes where the peers of a member find it.
    fn member_update(
        id: u64,
        peer_urls: impl IntoIterator<Item = impl Into<String>>
    ) -> MemberUpdateResponse = MemberUpdate::new(id, peer_urls);

    /// Makes a learner that has caught up a voting member.
    fn member_promote(id: u64) -> MemberPromoteResponse = MemberPromote::new(id);
}

calls! {
    "The locks and elections of the server's own. Nobody renews their leases, and nobody tells of a loss.";

    /// Waits until the lock is held; it ends with the lease. There is no deadline.
    fn lock(name: impl IntoBytes, lease: i64) -> LockResponse = Lock::new(name).with_lease(lease);

    /// Gives a lock back, by the key of its answer.
    fn unlock(key: impl IntoBytes) -> UnlockResponse = Unlock::new(key);

    /// Waits until it is elected; the lead ends with the lease. There is no deadline.
    fn campaign(name: impl IntoBytes, lease: i64, value: impl IntoBytes) -> CampaignResponse
        = Campaign::new(name, value).with_lease(lease);

    /// Says something else as the leader of an election.
    fn proclaim(leader: LeaderKey, value: impl IntoBytes) -> ProclaimResponse
        = Proclaim::new(leader, value);

    /// Who leads an election, and what the leader says.
    fn leader(name: impl IntoBytes) -> LeaderResponse = Leader::new(name);

    /// Gives up the lead of an election.
    fn resign(leader: LeaderKey) -> ResignResponse = Resign::new(leader);
}

calls! {
    "The upkeep of servers, and the pages beside the API.";

    /// The alarms of all members.
    fn alarm_list() -> AlarmResponse = AlarmRequest::list();

    /// Ends one alarm of the list, once its cause is gone.
    fn alarm_disarm(member_id: u64, alarm: AlarmType) -> AlarmResponse
        = AlarmRequest::deactivate(member_id, alarm);

    /// Whether a server is alive. From etcd 3.4.29 and 3.5.11.
    fn livez() -> LivezResponse = Livez::new();

    /// Whether a server is ready to serve. From etcd 3.4.29 and 3.5.11.
    fn readyz() -> ReadyzResponse = Readyz::new();

    /// The counters of a server, in the text format of Prometheus.
    fn metrics() -> MetricsResponse = MetricsRequest::new();
}

impl Client {
    /// Gives the free space of this server's database back to its disk. The server does nothing else
    /// meanwhile, and there is no deadline: take one after the other, and the leader last.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn defragment(&self, endpoint: Endpoint) -> Result<DefragmentResponse, Error> {
        let options = CallOptions::default().with_endpoint(endpoint);
        self.call_with(Defragment::new(), options).await
    }

    /// The hash of the keys and values this server has up to `revision`, 0 for the latest. From etcd
    /// 3.5.10.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn hash_kv(
        &self,
        endpoint: Endpoint,
        revision: i64,
    ) -> Result<HashKvResponse, Error> {
        let options = CallOptions::default().with_endpoint(endpoint);
        self.call_with(HashKv::new(revision), options).await
    }

    /// Has the member `target_id` lead in place of the present leader, which is at `endpoint`.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn move_leader(
        &self,
        endpoint: Endpoint,
        target_id: u64,
    ) -> Result<MoveLeaderResponse, Error> {
        let options = CallOptions::default().with_endpoint(endpoint);
        self.call_with(MoveLeader::new(target_id), options).await
    }

    /// Ends every alarm of the list that this client knows, and says which. An alarm whose cause is not
    /// gone comes back by itself.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn alarm_disarm_all(&self) -> Result<Vec<AlarmMember>, Error> {
        let mut ended = Vec::new();
        let listed = self.call(AlarmRequest::list()).await?.alarms;
        for alarm in listed {
            if let Some(request) = alarm.deactivate() {
                self.call(request).await?;
                ended.push(alarm);
            }
        }
        Ok(ended)
    }
}
