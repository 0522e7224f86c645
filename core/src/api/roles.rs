//! Roles: what those who have one may read and write.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::call::{bare_answer, bare_request, call, check_name, named_request};
use super::json::{Field, Json, message, names, read_unbounded};
use super::{KeyRange, ResponseHeader};
use crate::error::Misuse;

named_request! {
    /// Adds a role, which has no permissions yet.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::RoleAdd::new("a"))?, r#"{"name":"a"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    RoleAdd {
        /// The role.
        name = "name"
    } => RoleAdd(RoleAddResponse), read: false
}

named_request! {
    /// Lists the permissions of a role.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::RoleGet::new("a"))?, r#"{"role":"a"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    RoleGet {
        /// The role.
        role = "role"
    } => RoleGet(RoleGetResponse), read: true
}

/// The answer to [`RoleGet`].
///
/// ```
/// use etcd_core::{Permission, RoleGetResponse};
///
/// let json = r#"{"perm":[{"permType":"WRITE","key":"YQ=="}]}"#;
/// let answer: RoleGetResponse = serde_json::from_str(json)?;
/// assert_eq!(answer.perm, [Permission::write("a")]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleGetResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The permissions. Those of the role `root` are not listed: it may do everything.
    pub perm: Vec<Permission>,
}

message!(RoleGetResponse {
    "header" => header,
    "perm" => perm,
});

bare_request! {
    /// Lists the roles.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::RoleList::new())?, "{}");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    RoleList
}

call!(RoleList => RoleList(RoleListResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

/// The answer to [`RoleList`].
///
/// ```
/// let answer: etcd_core::RoleListResponse = serde_json::from_str(r#"{"roles":["root"]}"#)?;
/// assert_eq!(answer.roles, ["root"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleListResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The names of the roles.
    pub roles: Vec<String>,
}

message!(RoleListResponse {
    "header" => header,
    "roles" => roles,
});

named_request! {
    /// Deletes a role, and takes it from all who had it.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::RoleDelete::new("a"))?, r#"{"role":"a"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    RoleDelete {
        /// The role.
        role = "role"
    } => RoleDelete(RoleDeleteResponse), read: false
}

/// What a role allows, and for which keys.
///
/// ```
/// use etcd_core::{KeyRange, Permission};
///
/// let json = serde_json::to_string(&Permission::read_write(KeyRange::prefix("a/")))?;
/// assert_eq!(json, r#"{"permType":"READWRITE","key":"YS8=","range_end":"YTA="}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// What it allows.
    pub perm_type: PermissionType,
    /// For which keys.
    pub range: KeyRange,
}

message!(Permission {
    "permType" => perm_type,
    "key" => range.key,
    "range_end" => range.range_end,
});

impl Permission {
    /// Allows to read these keys: one key, or any [`KeyRange`].
    ///
    /// ```
    /// use etcd_core::{KeyRange, Permission};
    ///
    /// assert_eq!(Permission::read("a").range, KeyRange::key("a"));
    /// assert_eq!(Permission::read(KeyRange::all()).range, KeyRange::all());
    /// ```
    #[must_use]
    pub fn read(range: impl Into<KeyRange>) -> Self {
        Self::new(PermissionType::Read, range.into())
    }

    /// Allows to write these keys, and not to read them.
    ///
    /// ```
    /// use etcd_core::{KeyRange, Permission};
    ///
    /// assert_eq!(Permission::write(KeyRange::from_key("a")).range, KeyRange::from_key("a"));
    /// ```
    #[must_use]
    pub fn write(range: impl Into<KeyRange>) -> Self {
        Self::new(PermissionType::Write, range.into())
    }

    /// Allows to read and to write these keys.
    ///
    /// ```
    /// use etcd_core::{KeyRange, Permission};
    ///
    /// assert_eq!(Permission::read_write(KeyRange::prefix("a")).range, KeyRange::prefix("a"));
    /// ```
    #[must_use]
    pub fn read_write(range: impl Into<KeyRange>) -> Self {
        Self::new(PermissionType::ReadWrite, range.into())
    }

    const fn new(perm_type: PermissionType, range: KeyRange) -> Self {
        Self { perm_type, range }
    }
}

/// What a permission allows.
///
/// ```
/// use etcd_core::PermissionType;
///
/// assert_eq!(PermissionType::default(), PermissionType::Read);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PermissionType {
    /// To read.
    #[default]
    Read,
    /// To write.
    Write,
    /// Both.
    ReadWrite,
}

names!(PermissionType {
    Read => "READ" = 0,
    Write => "WRITE" = 1,
    ReadWrite => "READWRITE" = 2,
});

/// Gives a role a permission. One for the same keys is replaced.
///
/// ```
/// use etcd_core::{Permission, RoleGrantPermission};
///
/// let grant = RoleGrantPermission::new("reader", Permission::read("a"));
/// let json = serde_json::to_string(&grant)?;
/// assert_eq!(json, r#"{"name":"reader","perm":{"key":"YQ=="}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleGrantPermission {
    /// The role.
    pub name: String,
    /// The permission. It is written even if it has nothing but zeros: a request without it ends a
    /// server of 3.4.23 for good (gateway.md 3.3).
    pub perm: Permission,
}

call!(RoleGrantPermission => RoleGrantPermission(RoleGrantPermissionResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_name(&self.name)?;
        self.perm.range.check()
    }
});

impl RoleGrantPermission {
    /// Gives the role `name` this permission.
    ///
    /// ```
    /// use etcd_core::{Permission, RoleGrantPermission};
    ///
    /// assert_eq!(RoleGrantPermission::new("reader", Permission::read("a")).name, "reader");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, perm: Permission) -> Self {
        Self {
            name: name.into(),
            perm,
        }
    }
}

/// [`RoleGrantPermission`] with a permission that is written whatever it is.
#[derive(Default, PartialEq)]
struct GrantJson {
    name: String,
    perm: Option<Permission>,
}

message!(GrantJson {
    "name" => name,
    "perm" => perm,
});

impl Serialize for RoleGrantPermission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = GrantJson {
            name: self.name.clone(),
            perm: Some(self.perm.clone()),
        };
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RoleGrantPermission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_unbounded("RoleGrantPermission", deserializer)
    }
}

impl Json for RoleGrantPermission {
    fn is_zero(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let json: GrantJson = Json::read(field, deserializer)?;
        Ok(Self {
            name: json.name,
            perm: json.perm.unwrap_or_default(),
        })
    }
}

/// Takes a permission from a role. It has to be for exactly the same keys as when it was given.
///
/// ```
/// use etcd_core::{KeyRange, RoleRevokePermission};
///
/// let revoke = RoleRevokePermission::new("reader", KeyRange::prefix("a/"));
/// let json = serde_json::to_string(&revoke)?;
/// assert_eq!(json, r#"{"role":"reader","key":"YS8=","range_end":"YTA="}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleRevokePermission {
    /// The role.
    pub role: String,
    /// The keys of the permission.
    pub range: KeyRange,
}

message!(RoleRevokePermission {
    "role" => role,
    "key" => range.key,
    "range_end" => range.range_end,
});

call!(RoleRevokePermission => RoleRevokePermission(RoleRevokePermissionResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_name(&self.role)
    }
});

impl RoleRevokePermission {
    /// Takes the permission for these keys from `role`: one key, or any [`KeyRange`].
    ///
    /// ```
    /// use etcd_core::{KeyRange, RoleRevokePermission};
    ///
    /// assert_eq!(RoleRevokePermission::new("reader", "a").range, KeyRange::key("a"));
    /// ```
    #[must_use]
    pub fn new(role: impl Into<String>, range: impl Into<KeyRange>) -> Self {
        Self {
            role: role.into(),
            range: range.into(),
        }
    }
}

bare_answer! {
    RoleAddResponse to RoleAdd,
    RoleDeleteResponse to RoleDelete,
    RoleGrantPermissionResponse to RoleGrantPermission,
    RoleRevokePermissionResponse to RoleRevokePermission,
}
