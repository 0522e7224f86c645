//! Authentication as a whole: on, off, and a name and a password for a token. Users and roles have
//! files of their own.

use core::fmt;

use super::ResponseHeader;
use super::call::{bare_answer, bare_request, call, check_name};
use super::json::message;
use crate::error::{Feature, Misuse};

/// What stands in place of a secret where a person could read it (guarantee G40).
pub(super) const HIDDEN: fmt::Arguments<'static> = format_args!("[hidden]");

bare_request! {
    /// Turns authentication on. There has to be a user `root` with the role `root`.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::AuthEnable::new())?, "{}");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    AuthEnable
}

call!(AuthEnable => AuthEnable(AuthEnableResponse) {
    fn is_read(&self) -> bool {
        false
    }
});

bare_request! {
    /// Turns authentication off: everybody may do everything.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::AuthDisable::new())?, "{}");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    AuthDisable
}

call!(AuthDisable => AuthDisable(AuthDisableResponse) {
    fn is_read(&self) -> bool {
        false
    }
});

bare_answer! {
    AuthEnableResponse to AuthEnable,
    AuthDisableResponse to AuthDisable,
}

bare_request! {
    /// Asks whether authentication is on. From etcd 3.5.
    ///
    /// ```
    /// assert_eq!(serde_json::to_string(&etcd_core::AuthStatus::new())?, "{}");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    AuthStatus
}

call!(AuthStatus => AuthStatus(AuthStatusResponse) {
    fn is_read(&self) -> bool {
        true
    }

    fn needs(&self) -> Option<Feature> {
        Some(Feature::AUTH_STATUS)
    }
});

/// The answer to [`AuthStatus`].
///
/// ```
/// let json = r#"{"enabled":true,"authRevision":"7"}"#;
/// let answer: etcd_core::AuthStatusResponse = serde_json::from_str(json)?;
/// assert!(answer.enabled);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthStatusResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// Whether it is on.
    pub enabled: bool,
    /// How often users, roles and permissions were changed.
    pub auth_revision: u64,
}

message!(AuthStatusResponse {
    "header" => header,
    "enabled" => enabled,
    "authRevision" => auth_revision,
});

/// Gets a token for a name and a password, which is then sent as the header `Authorization`. It
/// changes nothing, and works only while authentication is on.
///
/// ```
/// use etcd_core::Authenticate;
///
/// let request = Authenticate::new("root", "swordfish");
/// let json = serde_json::to_string(&request)?;
/// assert_eq!(json, r#"{"name":"root","password":"swordfish"}"#);
/// assert!(!format!("{request:?}").contains("swordfish"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticate {
    /// The user.
    pub name: String,
    /// The user's password. It is never shown.
    pub password: String,
}

message!(Authenticate {
    "name" => name,
    "password" => password,
});

call!(Authenticate => Authenticate(AuthenticateResponse) {
    fn is_read(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), Misuse> {
        check_name(&self.name)
    }
});

impl Authenticate {
    /// Asks for a token.
    ///
    /// ```
    /// assert_eq!(etcd_core::Authenticate::new("root", "swordfish").name, "root");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
        }
    }
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate")
            .field("name", &self.name)
            .field("password", &HIDDEN)
            .finish()
    }
}

/// The answer to [`Authenticate`].
///
/// ```
/// let json = r#"{"token":"OobIPvTaOfTzRZNW.52"}"#;
/// let answer: etcd_core::AuthenticateResponse = serde_json::from_str(json)?;
/// assert_eq!(answer.token, "OobIPvTaOfTzRZNW.52");
/// assert!(!format!("{answer:?}").contains("OobIPvTaOfTzRZNW"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthenticateResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The token. It is never shown. A simple one ends 300 s after its last use by default, and
    /// with a restart of the member that gave it (gateway.md 13).
    pub token: String,
}

message!(AuthenticateResponse {
    "header" => header,
    "token" => token,
});

impl fmt::Debug for AuthenticateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateResponse")
            .field("header", &self.header)
            .field("token", &HIDDEN)
            .finish()
    }
}
