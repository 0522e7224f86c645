//! What a client proves with who it is: a name and a password, or a token.

use core::fmt;

use http::HeaderValue;

use crate::api::Authenticate;
use crate::client::endpoint::Endpoint;
use crate::client::endpoint::Proxy;
use crate::error::ConfigError;

/// What a client proves with who it is: either a user's name and password, or a token that was got
/// elsewhere. A client without credentials has none of these (rule A-1).
///
/// Neither password nor token is ever shown, by `Debug` or in an error. They travel as they are: over
/// plain HTTP everybody on the way can read them. So they go to `https://` endpoints and to loopback alone,
/// unless [`over_plain_http`](Credentials::over_plain_http) allows more (guarantee G42).
///
/// ```
/// use etcd_core::{Config, Credentials};
///
/// let mut config = Config::new(["http://127.0.0.1:2379"])?;
/// config.set_credentials(Credentials::password("root", "swordfish")?)?;
/// assert!(!format!("{config:?}").contains("swordfish"));
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    kind: Kind,
    over_plain_http: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Password(Authenticate),
    Token(HeaderValue),
}

impl Credentials {
    /// The longest token there may be, in bytes. Tokens of etcd have some tens of bytes, signed ones
    /// some hundreds.
    pub(super) const TOKEN_BYTES: usize = 16 << 10;

    /// A user's name and password. The client gets its tokens with them, and new ones when a server
    /// no longer takes the old.
    ///
    /// A user without a password cannot be used: the gateway gives it no token (gateway.md 13).
    ///
    /// # Errors
    ///
    /// [`ConfigError::BadCredentials`] if either is empty.
    ///
    /// ```
    /// use etcd_core::Credentials;
    ///
    /// assert!(Credentials::password("root", "swordfish").is_ok());
    /// assert!(Credentials::password("", "swordfish").is_err());
    /// ```
    pub fn password(
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let login = Authenticate::new(user, password);
        let bad = |reason| Err(ConfigError::BadCredentials { reason });
        if login.name.is_empty() {
            return bad("the user's name is empty");
        }
        if login.password.is_empty() {
            return bad("the password is empty");
        }
        Ok(Self::of(Kind::Password(login)))
    }

    /// A token that was got elsewhere, such as a signed one (JWT). It is sent as it is, with no
    /// `Bearer` before it (rule A-2). The client cannot get another one: once servers refuse it, calls
    /// fail until [`Client::set_credentials`](crate::Client::set_credentials) brings a new one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::BadCredentials`] if it is empty, longer than 16 KiB, or has other bytes than
    /// visible ASCII.
    ///
    /// ```
    /// use etcd_core::Credentials;
    ///
    /// assert!(Credentials::token("OobIPvTaOfTzRZNW.52").is_ok());
    /// assert!(Credentials::token("Bearer OobIPvTaOfTzRZNW.52").is_err());
    /// ```
    pub fn token(token: &str) -> Result<Self, ConfigError> {
        header_of(token)
            .map(|value| Self::of(Kind::Token(value)))
            .map_err(|reason| ConfigError::BadCredentials { reason })
    }

    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            over_plain_http: false,
        }
    }

    /// Lets them go over plain HTTP to other machines, too, where everybody on the way can read and use them:
    /// for networks that are trusted, or are protected in another way. Without this a client with an `http://`
    /// endpoint beyond loopback sends nothing: its calls end with
    /// [`Misuse::CredentialsInClear`](crate::Misuse::CredentialsInClear).
    ///
    /// ```
    /// use etcd_core::{Config, Credentials};
    ///
    /// let mut config = Config::new(["http://10.0.0.1:2379"])?;
    /// let credentials = Credentials::password("root", "swordfish")?;
    /// assert!(config.set_credentials(credentials.clone()).is_err());
    /// config.set_credentials(credentials.over_plain_http())?;
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn over_plain_http(mut self) -> Self {
        self.over_plain_http = true;
        self
    }

    pub(crate) const fn is_over_plain_http(&self) -> bool {
        self.over_plain_http
    }

    /// Whether they may be shown to all of these, through this proxy.
    pub(crate) fn check(
        &self,
        endpoints: &[Endpoint],
        proxy: Option<&Proxy>,
    ) -> Result<(), ConfigError> {
        if endpoints.iter().all(|it| self.may_go_to(it, proxy)) {
            return Ok(());
        }
        Err(ConfigError::BadCredentials {
            reason: "they would go over plain HTTP to another machine; use https://, or allow it with \
                     Credentials::over_plain_http",
        })
    }

    /// Whether they may be shown to this endpoint, and to whoever is between. Through a proxy elsewhere even what
    /// is for this machine leaves it.
    pub(crate) fn may_go_to(&self, endpoint: &Endpoint, proxy: Option<&Proxy>) -> bool {
        let is_here = endpoint.is_loopback()
            && (endpoint.socket_path().is_some() || proxy.is_none_or(Proxy::is_loopback));
        self.over_plain_http || endpoint.is_tls() || is_here
    }

    /// The request for a token, where there is a password to get one with.
    pub(crate) const fn login(&self) -> Option<&Authenticate> {
        match &self.kind {
            Kind::Password(login) => Some(login),
            Kind::Token(_) => None,
        }
    }

    /// The token that was got elsewhere.
    pub(crate) const fn fixed(&self) -> Option<&HeaderValue> {
        match &self.kind {
            Kind::Password(_) => None,
            Kind::Token(value) => Some(value),
        }
    }
}

/// A token as the header's value, or why it cannot be one.
pub(super) fn header_of(token: &str) -> Result<HeaderValue, &'static str> {
    if token.is_empty() {
        return Err("the token is empty");
    }
    if token.len() > Credentials::TOKEN_BYTES {
        return Err("the token is longer than 16384 bytes");
    }
    let bad = "the token has bytes that are not visible ASCII";
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad);
    }
    let mut value = HeaderValue::from_str(token).map_err(|_| bad)?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Password(_) => "Credentials(name and password, hidden)",
            Kind::Token(_) => "Credentials(token, hidden)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_a_header_may_carry() {
        let longest = "t".repeat(Credentials::TOKEN_BYTES);
        assert!(Credentials::token(&longest).is_ok());
        for bad in ["", " ", "a b", "a\r\nX: y", "a\0", "ä", &(longest + "t")] {
            let error = Credentials::token(bad).unwrap_err().to_string();
            assert!(bad.len() < 2 || !error.contains(bad), "{error}");
        }
    }
}
