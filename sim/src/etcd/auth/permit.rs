//! Who may do what.

use etcd_core::bytes::Bytes;
use etcd_core::{
    AlarmAction, Code, Compare, KeyRange, Known, Permission, PermissionType, Put, Txn, TxnOp,
};

use super::ranges::Cover;
use super::{AuthInfo, AuthStore, User, known};
use crate::etcd::{Fault, Request};

/// The keys attached to a lease; none if there is no such lease.
pub type LeaseKeys<'a> = dyn Fn(i64) -> Vec<Bytes> + 'a;

impl AuthStore {
    /// Whether who asks may: for a read when it is answered, for anything else when its entry is
    /// applied. `lease_keys` are those of the member that asks itself this.
    ///
    /// # Errors
    ///
    /// Nobody asks where a user is needed, the user may not, or users and roles changed since the
    /// token was looked up.
    pub fn permit(
        &self,
        who: &AuthInfo,
        request: &Request,
        lease_keys: &LeaseKeys<'_>,
    ) -> Result<(), Fault> {
        if !self.enabled {
            return Ok(());
        }
        match request {
            Request::Range(range) => self.may_read(who, &range.range),
            Request::Put(put) => self.may_put(who, put, lease_keys),
            Request::DeleteRange(delete) => {
                self.may_write(who, &delete.range)?;
                self.may_read_if(delete.prev_kv, who, &delete.range)
            }
            Request::Txn(txn) => self.may_txn(who, txn, lease_keys),
            Request::LeaseRevoke(revoke) => self.may_write_all(who, &lease_keys(revoke.id)),
            Request::LeaseTimeToLive(ask) => {
                if self.rules.guards_all {
                    self.is_user(who)?;
                }
                if ask.keys && self.rules.guards_lease_keys {
                    for key in lease_keys(ask.id) {
                        self.may_read(who, &KeyRange::key(key))?;
                    }
                }
                Ok(())
            }
            Request::LeaseGrant(_) if self.rules.guards_all => self.is_user(who),
            Request::MemberList(_) if self.rules.guards_all => self.may_list(who),
            Request::Alarm(alarm) if self.rules.guards_all => match alarm.action {
                AlarmAction::Get => self.may_list(who),
                _ => self.is_admin(who),
            },
            Request::Compact(_)
            | Request::Status(_)
            | Request::LeaseLeases(_)
            | Request::MoveLeader(_)
                if self.rules.guards_all =>
            {
                self.is_admin(who)
            }
            Request::UserGet(user) if user.name == who.user => Ok(()),
            Request::RoleGet(role) if self.has_role(who, &role.role) => Ok(()),
            Request::AuthStatus(_) if self.rules.opens_status => Ok(()),
            Request::AuthEnable(_)
            | Request::AuthDisable(_)
            | Request::AuthStatus(_)
            | Request::UserAdd(_)
            | Request::UserGet(_)
            | Request::UserList(_)
            | Request::UserDelete(_)
            | Request::UserChangePassword(_)
            | Request::UserGrantRole(_)
            | Request::UserRevokeRole(_)
            | Request::RoleAdd(_)
            | Request::RoleGet(_)
            | Request::RoleList(_)
            | Request::RoleDelete(_)
            | Request::RoleGrantPermission(_)
            | Request::RoleRevokePermission(_)
            | Request::MemberAdd(_)
            | Request::MemberRemove(_)
            | Request::MemberUpdate(_)
            | Request::MemberPromote(_) => self.is_admin(who),
            Request::Hash(_) | Request::HashKv(_) | Request::Defragment(_) => {
                self.permit_maintenance(who)
            }
            Request::Lock(lock) => self.may_queue(who, &lock.name),
            Request::Campaign(campaign) => self.may_queue(who, &campaign.name),
            Request::Leader(leader) => self.permit_observe(who, &leader.name),
            Request::Unlock(unlock) => {
                unnamed(self.may_write(who, &KeyRange::key(unlock.key.clone())))
            }
            Request::Proclaim(proclaim) => self.may_change(who, &proclaim.leader.key),
            Request::Resign(resign) => self.may_change(who, &resign.leader.key),
            _ => Ok(()),
        }
    }

    /// Whether a watch of these keys may be created. The error is the text of its `cancel_reason`
    /// (gateway.md 7.5).
    ///
    /// # Errors
    ///
    /// As [`permit`](Self::permit) for a read; also the fault that
    /// [`identify_stream`](Self::identify_stream) gave, if that is what is handed in.
    pub fn permit_watch(
        &self,
        who: Result<&AuthInfo, &Fault>,
        range: &KeyRange,
    ) -> Result<(), String> {
        let refused = match who {
            Ok(who) => match self.may_read(who, range) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            },
            Err(fault) => fault.clone(),
        };
        let reason = match self.rules.names_watch_refusal {
            true => refused,
            false => known(Known::PermissionDenied),
        };
        let (code, message) = (reason.code, reason.message);
        Err(format!("rpc error: code = {code} desc = {message}"))
    }

    /// Whether who asks may renew this lease. Only newer servers mind.
    ///
    /// # Errors
    ///
    /// Nobody asks, or a key of the lease is not theirs to write.
    pub fn permit_renewal(
        &self,
        who: &AuthInfo,
        lease: i64,
        lease_keys: &LeaseKeys<'_>,
    ) -> Result<(), Fault> {
        if !self.enabled || !self.rules.guards_all {
            return Ok(());
        }
        self.is_user(who)?;
        self.may_write_all(who, &lease_keys(lease))
    }

    /// Whether who renews leases is looked at, when a stream of renewals begins and at each renewal.
    #[must_use]
    pub const fn guards_renewals(&self) -> bool {
        self.rules.guards_all
    }

    /// Whether who asks may have a snapshot, or hash or defragment the database.
    ///
    /// # Errors
    ///
    /// Nobody asks, or not root. The texts are those of the package inside, with code 2 (gateway.md
    /// 5.2).
    pub fn permit_maintenance(&self, who: &AuthInfo) -> Result<(), Fault> {
        if !self.enabled {
            return Ok(());
        }
        let text = match self.is_admin(who) {
            Ok(()) => return Ok(()),
            Err(_) if who.user.is_empty() => "auth: user name is empty",
            Err(_) => "auth: permission denied",
        };
        Err(Fault::new(Code::UNKNOWN, text))
    }

    /// Whether who asks may see who leads this election.
    ///
    /// # Errors
    ///
    /// As [`permit`](Self::permit) for a read, but with code 2, as all that comes out of the lock and
    /// election services (gateway.md 5.2).
    pub fn permit_observe(&self, who: &AuthInfo, name: &[u8]) -> Result<(), Fault> {
        unnamed(self.may_read(who, &below(name)))
    }

    fn may_read(&self, who: &AuthInfo, range: &KeyRange) -> Result<(), Fault> {
        self.may(who, range, PermissionType::Read)
    }

    fn may_read_if(&self, asked: bool, who: &AuthInfo, range: &KeyRange) -> Result<(), Fault> {
        if asked {
            return self.may_read(who, range);
        }
        Ok(())
    }

    fn may_write(&self, who: &AuthInfo, range: &KeyRange) -> Result<(), Fault> {
        self.may(who, range, PermissionType::Write)
    }

    fn may_write_all(&self, who: &AuthInfo, keys: &[Bytes]) -> Result<(), Fault> {
        keys.iter()
            .try_for_each(|key| self.may_write(who, &KeyRange::key(key.clone())))
    }

    /// The put, what it shows, and with its lease all the keys that will end together with this one.
    fn may_put(&self, who: &AuthInfo, put: &Put, lease_keys: &LeaseKeys<'_>) -> Result<(), Fault> {
        let key = KeyRange::key(put.key.clone());
        self.may_write(who, &key)?;
        if put.lease != 0 {
            self.may_write_all(who, &lease_keys(put.lease))?;
        }
        self.may_read_if(put.prev_kv, who, &key)
    }

    fn may_txn(&self, who: &AuthInfo, txn: &Txn, lease_keys: &LeaseKeys<'_>) -> Result<(), Fault> {
        for Compare { range, .. } in &txn.compare {
            self.may_read(who, range)?;
        }
        for op in txn.success.iter().chain(&txn.failure) {
            match op {
                TxnOp::Range(range) => self.may_read(who, &range.range)?,
                TxnOp::Put(put) if self.rules.guards_all => self.may_put(who, put, lease_keys)?,
                TxnOp::Put(put) => self.may_write(who, &KeyRange::key(put.key.clone()))?,
                TxnOp::DeleteRange(delete) => {
                    self.may_read_if(delete.prev_kv, who, &delete.range)?;
                    self.may_write(who, &delete.range)?;
                }
                TxnOp::Txn(txn) if self.rules.guards_all => self.may_txn(who, txn, lease_keys)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What a lock or a campaign does: writes its key, reads those before it.
    fn may_queue(&self, who: &AuthInfo, name: &[u8]) -> Result<(), Fault> {
        unnamed(self.may_read(who, &below(name)))?;
        unnamed(self.may_write(who, &below(name)))
    }

    /// What a leader does with its key: compares it, and writes or deletes it.
    fn may_change(&self, who: &AuthInfo, key: &Bytes) -> Result<(), Fault> {
        let key = KeyRange::key(key.clone());
        unnamed(self.may_read(who, &key))?;
        unnamed(self.may_write(who, &key))
    }

    fn may(&self, who: &AuthInfo, range: &KeyRange, wanted: PermissionType) -> Result<(), Fault> {
        if !self.enabled {
            return Ok(());
        }
        if who.revision == 0 {
            return Err(known(Known::UserEmpty));
        }
        if who.revision < self.revision {
            return Err(self.old_revision());
        }
        let denied = || known(Known::PermissionDenied);
        let user = self.users.get(&who.user).ok_or_else(denied)?;
        if user.is_root() || self.cover(user, wanted).contains(range) {
            return Ok(());
        }
        Err(denied())
    }

    /// What the roles of this user allow together.
    fn cover(&self, user: &User, wanted: PermissionType) -> Cover {
        let perms = user.roles.iter().filter_map(|role| self.roles.get(role));
        let fitting = |perm: &&Permission| {
            perm.perm_type == wanted || perm.perm_type == PermissionType::ReadWrite
        };
        Cover::new(perms.flatten().filter(fitting).map(|perm| &perm.range))
    }

    fn is_user(&self, who: &AuthInfo) -> Result<(), Fault> {
        if who.user.is_empty() {
            return Err(known(Known::UserEmpty));
        }
        Ok(())
    }

    fn is_admin(&self, who: &AuthInfo) -> Result<(), Fault> {
        self.is_user(who)?;
        match self.users.get(&who.user) {
            Some(user) if user.is_root() => Ok(()),
            _ => Err(known(Known::PermissionDenied)),
        }
    }

    /// Members and alarms: root alone could list them for one release.
    fn may_list(&self, who: &AuthInfo) -> Result<(), Fault> {
        match self.rules.opens_lists {
            true => self.is_user(who),
            false => self.is_admin(who),
        }
    }

    fn has_role(&self, who: &AuthInfo, role: &str) -> bool {
        let user = self.users.get(&who.user);
        user.is_some_and(|user| user.roles.iter().any(|own| own == role))
    }
}

/// The keys of a lock or an election.
fn below(name: &[u8]) -> KeyRange {
    KeyRange::prefix([name, b"/"].concat())
}

/// The fault as the lock and election services pass it on: the text, without the code.
fn unnamed(result: Result<(), Fault>) -> Result<(), Fault> {
    result.map_err(|fault| Fault::new(Code::UNKNOWN, fault.message))
}
