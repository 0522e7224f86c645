//! Authentication, users and roles. Names and arguments are the same in
//! `etcd-std`.

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
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.auth_enable().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn auth_enable(&self) -> Result<AuthEnableResponse, Error> {
        self.call(AuthEnable::new()).await
    }

    /// Turns authentication off.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.auth_disable().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn auth_disable(&self) -> Result<AuthDisableResponse, Error> {
        self.call(AuthDisable::new()).await
    }

    /// Whether authentication is on. From etcd 3.5.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.auth_status().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn auth_status(&self) -> Result<AuthStatusResponse, Error> {
        self.call(AuthStatus::new()).await
    }

    /// Gets a token for a name and a password.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.authenticate("root", "swordfish").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn authenticate(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<AuthenticateResponse, Error> {
        self.call(Authenticate::new(name, password)).await
    }

    /// Adds a user with a password.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.user_add("alice", "swordfish").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn user_add(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<UserAddResponse, Error> {
        self.call(UserAdd::new(name, password)).await
    }

    /// The roles of a user.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.user_get("alice").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn user_get(&self, name: impl Into<String>) -> Result<UserGetResponse, Error> {
        self.call(UserGet::new(name)).await
    }

    /// The users.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.user_list().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn user_list(&self) -> Result<UserListResponse, Error> {
        self.call(UserList::new()).await
    }

    /// Deletes a user.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.user_delete("alice").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn user_delete(&self, name: impl Into<String>) -> Result<UserDeleteResponse, Error> {
        self.call(UserDelete::new(name)).await
    }

    /// Gives a user another password.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.user_change_password("alice", "swordfish").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn user_change_password(
        &self,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<UserChangePasswordResponse, Error> {
        self.call(UserChangePassword::new(name, password)).await
    }

    /// Gives a user a role.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.user_grant_role("alice", "reader").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn user_grant_role(
        &self,
        user: impl Into<String>,
        role: impl Into<String>,
    ) -> Result<UserGrantRoleResponse, Error> {
        self.call(UserGrantRole::new(user, role)).await
    }

    /// Takes a role from a user.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.user_revoke_role("alice", "reader").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn user_revoke_role(
        &self,
        name: impl Into<String>,
        role: impl Into<String>,
    ) -> Result<UserRevokeRoleResponse, Error> {
        self.call(UserRevokeRole::new(name, role)).await
    }

    /// Adds a role, which has no permissions yet.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.role_add("reader").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn role_add(&self, name: impl Into<String>) -> Result<RoleAddResponse, Error> {
        self.call(RoleAdd::new(name)).await
    }

    /// The permissions of a role.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.role_get("reader").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn role_get(&self, role: impl Into<String>) -> Result<RoleGetResponse, Error> {
        self.call(RoleGet::new(role)).await
    }

    /// The roles.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.role_list().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn role_list(&self) -> Result<RoleListResponse, Error> {
        self.call(RoleList::new()).await
    }

    /// Deletes a role, and takes it from all who had it.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.role_delete("reader").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn role_delete(&self, role: impl Into<String>) -> Result<RoleDeleteResponse, Error> {
        self.call(RoleDelete::new(role)).await
    }

    /// Gives a role a permission.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.role_grant_permission("reader", etcd_smol::Permission::read("k")).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn role_grant_permission(
        &self,
        name: impl Into<String>,
        perm: Permission,
    ) -> Result<RoleGrantPermissionResponse, Error> {
        self.call(RoleGrantPermission::new(name, perm)).await
    }

    /// Takes a permission from a role; the keys have to be exactly those it was given for.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.role_revoke_permission("reader", "k").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn role_revoke_permission(
        &self,
        role: impl Into<String>,
        range: impl Into<KeyRange>,
    ) -> Result<RoleRevokePermissionResponse, Error> {
        self.call(RoleRevokePermission::new(role, range)).await
    }
}
