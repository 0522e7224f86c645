//! Users: who may ask, by which password, and with which roles.
//!
//! etcd's message has a field for a password that was hashed before. Servers do not heed it: over the
//! gateway of 3.5.1 a user added so had the empty password. So there is no way here to send it, and
//! no way to send an empty password by oversight.

use core::fmt;

use super::ResponseHeader;
use super::auth::HIDDEN;
use super::call::{bare_answer, bare_request, call, check_name, named_request};
use super::json::message;
use crate::error::Misuse;

/// Adds a user.
///
/// ```
/// use etcd_core::UserAdd;
///
/// let json = serde_json::to_string(&UserAdd::new("alice", "swordfish"))?;
/// assert_eq!(json, r#"{"name":"alice","password":"swordfish"}"#);
/// let json = serde_json::to_string(&UserAdd::no_password("bob"))?;
/// assert_eq!(json, r#"{"name":"bob","options":{"no_password":true}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserAdd {
    /// The user.
    pub name: String,
    /// The user's password. It is never shown.
    pub password: String,
    /// What else there is to say.
    pub options: UserAddOptions,
}

message!(UserAdd {
    "name" => name,
    "password" => password,
    "options" => options,
});

call!(UserAdd => UserAdd(UserAddResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_name(&self.name)?;
        if self.options.no_password != self.password.is_empty() {
            return Err(match self.options.no_password {
                true => Misuse::PasswordWithNoPassword,
                false => Misuse::EmptyPassword,
            });
        }
        Ok(())
    }
});

impl UserAdd {
    /// Adds a user with a password.
    ///
    /// ```
    /// let user = etcd_core::UserAdd::new("alice", "swordfish");
    /// assert!(!format!("{user:?}").contains("swordfish"));
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            options: UserAddOptions::default(),
        }
    }

    /// Adds a user who has no password and is known by a client certificate. Such a user cannot
    /// come over the gateway, and so not with this client (gateway.md 13 and 14).
    ///
    /// ```
    /// assert!(etcd_core::UserAdd::no_password("bob").options.no_password);
    /// ```
    #[must_use]
    pub fn no_password(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: String::new(),
            options: UserAddOptions { no_password: true },
        }
    }
}

impl fmt::Debug for UserAdd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserAdd")
            .field("name", &self.name)
            .field("password", &HIDDEN)
            .field("options", &self.options)
            .finish()
    }
}

/// Options of [`UserAdd`].
///
/// ```
/// assert!(!etcd_core::UserAddOptions::default().no_password);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserAddOptions {
    /// Whether the user has no password.
    pub no_password: bool,
}

message!(UserAddOptions {
    "no_password" => no_password,
});

named_request! {
    /// Lists the roles of a user.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::UserGet::new("a"))?, r#"{"name":"a"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    UserGet {
        /// The user.
        name = "name"
    } => UserGet(UserGetResponse), read: true
}

/// The answer to [`UserGet`].
///
/// ```
/// let answer: etcd_core::UserGetResponse = serde_json::from_str(r#"{"roles":["root"]}"#)?;
/// assert_eq!(answer.roles, ["root"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserGetResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The names of the user's roles.
    pub roles: Vec<String>,
}

message!(UserGetResponse {
    "header" => header,
    "roles" => roles,
});

bare_request! {
    /// Lists the users.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::UserList::new())?, "{}");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    UserList
}

call!(UserList => UserList(UserListResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

/// The answer to [`UserList`].
///
/// ```
/// let answer: etcd_core::UserListResponse = serde_json::from_str(r#"{"users":["root"]}"#)?;
/// assert_eq!(answer.users, ["root"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserListResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The names of the users.
    pub users: Vec<String>,
}

message!(UserListResponse {
    "header" => header,
    "users" => users,
});

named_request! {
    /// Deletes a user, whose tokens are worth nothing from then on.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::UserDelete::new("a"))?, r#"{"name":"a"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    UserDelete {
        /// The user.
        name = "name"
    } => UserDelete(UserDeleteResponse), read: false
}

/// Gives a user another password. The user's tokens are worth nothing from then on.
///
/// ```
/// let request = etcd_core::UserChangePassword::new("alice", "swordfish");
/// let json = serde_json::to_string(&request)?;
/// assert_eq!(json, r#"{"name":"alice","password":"swordfish"}"#);
/// assert!(!format!("{request:?}").contains("swordfish"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserChangePassword {
    /// The user.
    pub name: String,
    /// The new password. It is never shown.
    pub password: String,
}

message!(UserChangePassword {
    "name" => name,
    "password" => password,
});

call!(UserChangePassword => UserChangePassword(UserChangePasswordResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_name(&self.name)?;
        if self.password.is_empty() {
            return Err(Misuse::EmptyPassword);
        }
        Ok(())
    }
});

impl UserChangePassword {
    /// Gives `name` this password.
    ///
    /// ```
    /// assert_eq!(etcd_core::UserChangePassword::new("alice", "swordfish").name, "alice");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
        }
    }
}

impl fmt::Debug for UserChangePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChangePassword")
            .field("name", &self.name)
            .field("password", &HIDDEN)
            .finish()
    }
}

/// Gives a user a role.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::UserGrantRole::new("alice", "reader"))?;
/// assert_eq!(json, r#"{"user":"alice","role":"reader"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserGrantRole {
    /// The user.
    pub user: String,
    /// The role.
    pub role: String,
}

message!(UserGrantRole {
    "user" => user,
    "role" => role,
});

call!(UserGrantRole => UserGrantRole(UserGrantRoleResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_name(&self.user)?;
        check_name(&self.role)
    }
});

impl UserGrantRole {
    /// Gives `user` the role `role`.
    ///
    /// ```
    /// assert_eq!(etcd_core::UserGrantRole::new("alice", "reader").role, "reader");
    /// ```
    #[must_use]
    pub fn new(user: impl Into<String>, role: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            role: role.into(),
        }
    }
}

/// Takes a role from a user.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::UserRevokeRole::new("alice", "reader"))?;
/// assert_eq!(json, r#"{"name":"alice","role":"reader"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserRevokeRole {
    /// The user.
    pub name: String,
    /// The role.
    pub role: String,
}

message!(UserRevokeRole {
    "name" => name,
    "role" => role,
});

call!(UserRevokeRole => UserRevokeRole(UserRevokeRoleResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_name(&self.name)?;
        check_name(&self.role)
    }
});

impl UserRevokeRole {
    /// Takes the role `role` from the user `name`.
    ///
    /// ```
    /// assert_eq!(etcd_core::UserRevokeRole::new("alice", "reader").name, "alice");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, role: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            role: role.into(),
        }
    }
}

bare_answer! {
    UserAddResponse to UserAdd,
    UserDeleteResponse to UserDelete,
    UserChangePasswordResponse to UserChangePassword,
    UserGrantRoleResponse to UserGrantRole,
    UserRevokeRoleResponse to UserRevokeRole,
}
