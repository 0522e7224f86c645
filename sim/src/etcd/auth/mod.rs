//! Users, roles, permissions and tokens: the part of a store that says who may do what.
//!
//! [`AuthStore`] is replicated state: the same log entries make the same store on every member
//! (`apply`). Before an entry is made, and before a read is answered, the member asks who is asking
//! (`identify`), and whether that one may (`permit`); entries are asked about again when they are
//! applied. [`Tokens`] belong to one member. Passwords are compared as they are: nothing here is
//! secret. It knows no keys, no leases and no clock; what it needs of them is handed in.

mod apply;
mod identify;
mod permit;
mod ranges;
mod rules;
mod signed;
mod tokens;

use std::collections::BTreeMap;

use etcd_core::Known;
use etcd_core::Permission;
use etcd_core::Version;

use super::Fault;
use rules::Rules;

pub use apply::Login;
pub use permit::LeaseKeys;
pub use tokens::Tokens;

/// The name of the user and of the role that may do everything.
const ROOT: &str = "root";

/// Users, roles and whether they count.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::{AuthEnable, Instant, Known, Permission, Put, Response, UserAdd, Version};
/// use etcd_sim::etcd::auth::{AuthInfo, AuthStore, Login, Tokens};
///
/// let mut store = AuthStore::new(&Version::new(3, 5, 16));
/// let mut tokens = Tokens::new(Duration::from_secs(300));
/// let mut apply = |request| {
///     let login = Login { prefix: "AbcdefghijklmnOP", index: 7 };
///     store.apply(Instant::ZERO, &mut tokens, &login, &request).expect("a request of auth")
/// };
/// let refused = apply(AuthEnable::new().into()).unwrap_err();
/// assert_eq!(refused.message, Known::RootUserNotExist.message());
/// apply(UserAdd::new("root", "secret").into())?;
/// apply(etcd_core::UserGrantRole::new("root", "root").into())?;
/// apply(AuthEnable::new().into())?;
///
/// // Nobody may write any more.
/// let refused = store.permit(&AuthInfo::default(), &Put::new("k", "v").into(), &|_| Vec::new());
/// assert_eq!(refused.unwrap_err().message, Known::UserEmpty.message());
/// # Ok::<(), etcd_sim::etcd::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuthStore {
    rules: Rules,
    enabled: bool,
    revision: u64,
    users: BTreeMap<String, User>,
    roles: BTreeMap<String, Vec<Permission>>,
}

#[derive(Clone, Debug, Default)]
struct User {
    /// None for a user without a password.
    password: Option<String>,
    /// In ascending order.
    roles: Vec<String>,
}

impl User {
    fn is_root(&self) -> bool {
        self.roles.iter().any(|role| role == ROOT)
    }
}

/// Who asks, as a member found out when the request came; it goes with the log entry.
///
/// The default is nobody: no token, or authentication is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthInfo {
    /// The user's name, empty for nobody.
    pub user: String,
    /// The revision of the store when the token was looked up, or made if it is signed; 0 for nobody.
    pub revision: u64,
}

impl AuthStore {
    /// A store with no user and no role, off, as a server of this version keeps it.
    #[must_use]
    pub fn new(version: &Version) -> Self {
        Self {
            rules: Rules::of(version),
            enabled: false,
            revision: 1,
            users: BTreeMap::new(),
            roles: BTreeMap::new(),
        }
    }

    /// Whether authentication is on.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// How often users, roles and their like were changed, from 1 on.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The fault of a request whose token was looked up before users or roles changed.
    #[must_use]
    pub fn old_revision(&self) -> Fault {
        if self.rules.names_old_revision {
            return known(Known::AuthOldRevision);
        }
        Fault::new(etcd_core::Code::UNKNOWN, "auth: revision in header is old")
    }
}

/// The fault as etcd's own table has it.
fn known(known: Known) -> Fault {
    Fault::new(known.code(), known.message())
}

#[cfg(test)]
mod tests;
