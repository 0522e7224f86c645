//! Authentication, users and roles. Names and arguments are the same in
//! `etcd-smol`.

use etcd_core::AuthDisable;
use etcd_core::AuthDisableResponse;
use etcd_core::AuthEnable;
use etcd_core::AuthEnableResponse;
use etcd_core::AuthStatus;
use etcd_core::AuthStatusResponse;
use etcd_core::Authenticate;
use etcd_core::AuthenticateResponse;
use etcd_core::Error;
use etcd_core::KeyRange;
use etcd_core::Permission;
use etcd_core::RoleAdd;
use etcd_core::RoleAddResponse;
use etcd_core::RoleDelete;
use etcd_core::RoleDeleteResponse;
use etcd_core::RoleGet;
use etcd_core::RoleGetResponse;
use etcd_core::RoleGrantPermission;
use etcd_core::RoleGrantPermissionResponse;
use etcd_core::RoleList;
use etcd_core::RoleListResponse;
use etcd_core::RoleRevokePermission;
use etcd_core::RoleRevokePermissionResponse;
use etcd_core::UserAdd;
use etcd_core::UserAddResponse;
use etcd_core::UserChangePassword;
use etcd_core::UserChangePasswordResponse;
use etcd_core::UserDelete;
use etcd_core::UserDeleteResponse;
use etcd_core::UserGet;
use etcd_core::UserGetResponse;
use etcd_core::UserGrantRole;
use etcd_core::UserGrantRoleResponse;
use etcd_core::UserList;
use etcd_core::UserListResponse;
use etcd_core::UserRevokeRole;
use etcd_core::UserRevokeRoleResponse;

use crate::client::Client;

impl Client {
    /// Turns authentication on. There has to be a user `root` with the role `root`.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.auth_enable()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth_enable(&self) -> Result<AuthEnableResponse, Error> {
        self.call(AuthEnable::new())
    }

    /// Turns authentication off.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.auth_disable()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth_disable(&self) -> Result<AuthDisableResponse, Error> {
        self.call(AuthDisable::new())
    }

    /// Whether authentication is on. From etcd 3.5.
    ///
    /// # Errors
    ///
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.auth_status()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth_status(&self) -> Result<AuthStatusResponse, Error> {
        self.call(AuthStatus::new())
    }

    /// Gets a token for a name and a password.
    ///
    /// # Errors
    ///
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.authenticate("root", "swordfish")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn authenticate(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<AuthenticateResponse, Error> {
        self.call(Authenticate::new(name, password))
    }

    /// Adds a user with a password.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.user_add("alice", "swordfish")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_add(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<UserAddResponse, Error> {
        self.call(UserAdd::new(name, password))
    }

    /// The roles of a user.
    ///
    /// # Errors
    ///
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.user_get("alice")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_get(&self, name: impl Into<String>) -> Result<UserGetResponse, Error> {
        self.call(UserGet::new(name))
    }

    /// The users.
    ///
    /// # Errors
    ///
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.user_list()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_list(&self) -> Result<UserListResponse, Error> {
        self.call(UserList::new())
    }

    /// Deletes a user.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.user_delete("alice")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_delete(&self, name: impl Into<String>) -> Result<UserDeleteResponse, Error> {
        self.call(UserDelete::new(name))
    }

    /// Gives a user another password.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.user_change_password("alice", "swordfish")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_change_password(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<UserChangePasswordResponse, Error> {
        self.call(UserChangePassword::new(name, password))
    }

    /// Gives a user a role.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.user_grant_role("alice", "reader")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_grant_role(
        &self,
        user: impl Into<String>,
        role: impl Into<String>,
    ) -> Result<UserGrantRoleResponse, Error> {
        self.call(UserGrantRole::new(user, role))
    }

    /// Takes a role from a user.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.user_revoke_role("alice", "reader")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn user_revoke_role(
        &self,
        name: impl Into<String>,
        role: impl Into<String>,
    ) -> Result<UserRevokeRoleResponse, Error> {
        self.call(UserRevokeRole::new(name, role))
    }

    /// Adds a role, which has no permissions yet.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.role_add("reader")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn role_add(&self, name: impl Into<String>) -> Result<RoleAddResponse, Error> {
        self.call(RoleAdd::new(name))
    }

    /// The permissions of a role.
    ///
    /// # Errors
    ///
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.role_get("reader")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn role_get(&self, role: impl Into<String>) -> Result<RoleGetResponse, Error> {
        self.call(RoleGet::new(role))
    }

    /// The roles.
    ///
    /// # Errors
    ///
    /// Why it failed.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.role_list()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn role_list(&self) -> Result<RoleListResponse, Error> {
        self.call(RoleList::new())
    }

    /// Deletes a role, and takes it from all who had it.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.role_delete("reader")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn role_delete(&self, role: impl Into<String>) -> Result<RoleDeleteResponse, Error> {
        self.call(RoleDelete::new(role))
    }

    /// Gives a role a permission.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.role_grant_permission("reader", etcd_std::Permission::read("k"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn role_grant_permission(
        &self,
        name: impl Into<String>,
        perm: Permission,
    ) -> Result<RoleGrantPermissionResponse, Error> {
        self.call(RoleGrantPermission::new(name, perm))
    }

    /// Takes a permission from a role; the keys have to be exactly those it was given for.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.role_revoke_permission("reader", "k")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn role_revoke_permission(
        &self,
        role: impl Into<String>,
        range: impl Into<KeyRange>,
    ) -> Result<RoleRevokePermissionResponse, Error> {
        self.call(RoleRevokePermission::new(role, range))
    }
}
