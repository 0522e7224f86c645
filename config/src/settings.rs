//! Settings as a program holds them: from wherever they come, put over each other.
//!
//! How values are checked when they come in is in `read`, what becomes of them in `assemble` and `tls`, and
//! what there is to set in `names`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;

use crate::error::SettingsError;
use crate::error::shown;
use crate::format;
use crate::names;
use crate::names::Kind;
use crate::tree::Tree;
use crate::vars;

/// What is set of a client's configuration, by name. What is not set has the default of
/// [`Config`](etcd_core::Config).
///
/// Several of them are put over each other with [`Settings::or`]. Then [`Settings::config`] and
/// `Settings::tls` are what a client is made with.
///
/// It is [`Deserialize`], so it can be a field of a program's own configuration. A format's own errors may
/// quote the line they are about, a password included; [`Settings::from_json`] and `Settings::from_toml`
/// do not.
///
/// ```
/// use std::time::Duration;
/// use etcd_config::Settings;
///
/// let file = Settings::from_json(r#"{
///     "endpoints": ["http://127.0.0.1:2379", "http://127.0.0.1:22379"],
///     "read_timeout": "1.5s",
///     "limits": {"calls": 500},
///     "credentials": {"user": "root", "password": "swordfish"}
/// }"#)?;
/// let environment = Settings::from_vars([("ETCD_CLIENT_READ_TIMEOUT", "3s")])?;
/// let settings = environment.or(file);
///
/// let config = settings.config()?;
/// assert_eq!(config.read_timeout, Duration::from_secs(3));
/// assert_eq!(config.limits.calls, 500);
/// assert!(!format!("{settings:?} {config:?}").contains("swordfish"));
/// # Ok::<(), etcd_config::SettingsError>(())
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    /// By name, each of the kind that its setting has. Endpoints are a list of texts.
    values: BTreeMap<&'static str, Tree>,
    /// Names as they were written, of which no two differ in capitals only.
    headers: BTreeMap<String, String>,
}

impl Settings {
    /// Reads a JSON object.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names what is not known, not of the right form, or there twice.
    ///
    /// ```
    /// use etcd_config::Settings;
    ///
    /// let settings = Settings::from_json(r#"{"endpoints": "10.0.0.1,10.0.0.2"}"#)?;
    /// assert_eq!(settings.config()?.endpoints.len(), 2);
    ///
    /// let error = Settings::from_json(r#"{"read_timout": "5s"}"#).unwrap_err();
    /// assert_eq!(error.to_string(), "no setting \"read_timout\", did you mean \"read_timeout\"?");
    /// # Ok::<(), etcd_config::SettingsError>(())
    /// ```
    pub fn from_json(json: &str) -> Result<Self, SettingsError> {
        Self::from_tree(format::parse_json(json)?)
    }

    /// Reads a TOML document.
    ///
    /// # Errors
    ///
    /// As [`Settings::from_json`].
    ///
    /// ```
    /// use etcd_config::Settings;
    ///
    /// let settings = Settings::from_toml(r#"
    ///     endpoints = ["https://10.0.0.1:2379"]
    ///     namespace = "app/"
    ///
    ///     [limits]
    ///     watches = 200
    /// "#)?;
    /// assert_eq!(settings.config()?.limits.watches, 200);
    ///
    /// let error = Settings::from_toml("endpoints = [").unwrap_err();
    /// assert!(error.to_string().starts_with("not TOML at line 1, column "));
    /// # Ok::<(), etcd_config::SettingsError>(())
    /// ```
    #[cfg(feature = "toml")]
    pub fn from_toml(toml: &str) -> Result<Self, SettingsError> {
        Self::from_tree(format::parse_toml(toml)?)
    }

    /// Reads what is ours of these variables: give it `std::env::vars_os()`. The names are in the
    /// [crate's documentation](crate#environment).
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the variable.
    ///
    /// ```
    /// use etcd_config::Settings;
    ///
    /// let settings = Settings::from_vars([
    ///     ("HOME", "/root"),
    ///     ("ETCDCTL_ENDPOINTS", "http://127.0.0.1:2379"),
    ///     ("ETCDCTL_USER", "root:swordfish"),
    /// ])?;
    /// assert_eq!(settings.config()?.endpoints[0].port(), 2379);
    ///
    /// let error = Settings::from_vars([("ETCDCTL_ENDPOINT", "10.0.0.1")]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "no setting \"ETCDCTL_ENDPOINT\", did you mean \"ETCDCTL_ENDPOINTS\"?"
    /// );
    /// # Ok::<(), etcd_config::SettingsError>(())
    /// ```
    pub fn from_vars<I, K, V>(vars: I) -> Result<Self, SettingsError>
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        vars::read(vars)
    }

    /// Sets one setting by its name, from a text, as in the value of a flag of a program. What was set before under
    /// this name is replaced.
    ///
    /// # Errors
    ///
    /// As [`Settings::from_json`].
    ///
    /// ```
    /// use etcd_config::Settings;
    ///
    /// let mut settings = Settings::default();
    /// settings.set("endpoints", "127.0.0.1:2379")?;
    /// settings.set("limits.calls", "7")?;
    /// settings.set("headers.X-Request-Source", "backup")?;
    /// assert_eq!(settings.config()?.limits.calls, 7);
    /// # Ok::<(), etcd_config::SettingsError>(())
    /// ```
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingsError> {
        let mut given = Self::default();
        given.read_tree(name, Tree::Word(value.to_owned()))?;
        *self = given.or(std::mem::take(self));
        Ok(())
    }

    /// These settings, and those of `weaker` that are not among them. Lists of endpoints are taken whole;
    /// headers one by one.
    ///
    /// Credentials stay together: a token here takes the place of user and password there, and the other way
    /// round, and so does another user. With them goes `credentials.over_plain_http`, which allowed it for them.
    ///
    /// With several layers the strongest comes first: `flags.or(environment).or(file)`.
    ///
    /// ```
    /// use etcd_config::Settings;
    ///
    /// let strong = Settings::from_json(r#"{"max_attempts": 3}"#)?;
    /// let weak = Settings::from_json(r#"{"max_attempts": 9, "endpoints": ["127.0.0.1"]}"#)?;
    /// assert_eq!(strong.or(weak).config()?.max_attempts, 3);
    /// # Ok::<(), etcd_config::SettingsError>(())
    /// ```
    #[must_use]
    pub fn or(mut self, mut weaker: Self) -> Self {
        if self.replaces_credentials_of(&weaker) {
            for name in [
                names::USER,
                names::PASSWORD,
                names::TOKEN,
                names::OVER_PLAIN_HTTP,
            ] {
                weaker.values.remove(name);
            }
        }
        for (name, value) in weaker.values {
            self.values.entry(name).or_insert(value);
        }
        for (name, value) in weaker.headers {
            if !self.has_header(&name) {
                self.headers.insert(name, value);
            }
        }
        self
    }

    /// The names of all settings, with the tables they are in.
    ///
    /// ```
    /// use etcd_config::Settings;
    ///
    /// assert!(Settings::names().any(|name| name == "limits.http.head_bytes"));
    /// ```
    pub fn names() -> impl Iterator<Item = &'static str> {
        names::all().map(|setting| setting.name)
    }

    /// Whether these say another way of who the client is, or somebody else.
    fn replaces_credentials_of(&self, weaker: &Self) -> bool {
        let is_login = |it: &Self| it.is_set(names::USER) || it.is_set(names::PASSWORD);
        let has_token = |it: &Self| it.is_set(names::TOKEN);
        if has_token(self) {
            return has_token(weaker) || is_login(weaker);
        }
        let users = (self.text(names::USER), weaker.text(names::USER));
        is_login(self) && has_token(weaker)
            || matches!(users, (Some(ours), Some(theirs)) if ours != theirs)
    }

    /// Takes in a value of the kind that the setting has.
    pub(crate) fn put(&mut self, name: &'static str, value: Tree) {
        self.values.insert(name, value);
    }

    pub(crate) fn put_header(&mut self, name: &str, value: &str) {
        self.headers.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn has_header(&self, header: &str) -> bool {
        let mut known = self.headers.keys();
        known.any(|known| known.eq_ignore_ascii_case(header))
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Tree> {
        self.values.get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.text()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)?.flag()
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_tree(Tree::deserialize(deserializer)?).map_err(Error::custom)
    }
}

impl fmt::Debug for Settings {
    /// What is set; of passwords, tokens and headers' values, only that they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for setting in names::all() {
            let Some(value) = self.value(setting.name) else {
                continue;
            };
            let is_secret = matches!(setting.kind, Kind::Secret);
            let value = if is_secret {
                HIDDEN.to_owned()
            } else {
                plain(value)
            };
            map.entry(&format_args!("{}", setting.name), &format_args!("{value}"));
        }
        for header in self.headers.keys() {
            let name = format!("{}.{header}", names::HEADERS);
            map.entry(&format_args!("{name}"), &format_args!("{HIDDEN}"));
        }
        map.finish()
    }
}

const HIDDEN: &str = "(hidden)";

/// A value that is no secret.
pub(crate) fn plain(value: &Tree) -> String {
    match value {
        Tree::Flag(flag) => flag.to_string(),
        Tree::Whole(number) => number.to_string(),
        Tree::Number(digits) => digits.clone(),
        Tree::Text(text) | Tree::Word(text) => shown(text),
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.kind().to_owned(),
    }
}
