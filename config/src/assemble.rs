//! From settings to a [`Config`].
//!
//! Whether certificates and keys fit is for `tls`.

use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::Proxy;

use crate::error::SettingsError;
use crate::names;
use crate::names::Kind;
use crate::settings::Settings;
use crate::tree::Tree;

impl Settings {
    /// The configuration that these settings make.
    ///
    /// It has no TLS in it: that is `Settings::tls`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] says what is missing or does not go together. Credentials go to `https://` endpoints
    /// and loopback alone, unless `credentials.over_plain_http` allows more (guarantee G42).
    ///
    /// ```
    /// use etcd_config::Settings;
    /// use etcd_config::SettingsError;
    /// use etcd_core::ConfigError;
    ///
    /// let none = Settings::default().config().unwrap_err();
    /// assert_eq!(none, SettingsError::Config(ConfigError::NoEndpoints));
    ///
    /// let json = r#"{"endpoints": "10.0.0.1", "credentials": {"token": "OobIPvTa.52"}}"#;
    /// assert!(Settings::from_json(json)?.config().is_err());
    /// let json = json.replace("10.0.0.1", "https://10.0.0.1");
    /// assert!(Settings::from_json(&json)?.config().is_ok());
    /// # Ok::<(), SettingsError>(())
    /// ```
    pub fn config(&self) -> Result<Config, SettingsError> {
        #[cfg(not(feature = "tls"))]
        self.refuse_tls()?;
        let mut config = Config::new(self.endpoints())?;
        for setting in names::all() {
            let (Kind::Plain(set), Some(value)) = (setting.kind, self.value(setting.name)) else {
                continue;
            };
            // It did the same when it came in.
            set(&mut config, value)
                .map_err(|_| ())
                .expect("a value was read before it was taken");
        }
        if let Some(credentials) = self.credentials()? {
            config.set_credentials(credentials)?;
        }
        config.proxy = self.proxy()?;
        if let Some(host) = self.text(names::HOST) {
            config.set_host(host)?;
        }
        for (name, value) in self.headers() {
            config.add_header(name, value)?;
        }
        Ok(config)
    }

    /// The endpoints, those without a scheme with the one that is assumed.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let Some(Tree::List(endpoints)) = self.value(names::ENDPOINTS) else {
            return Vec::new();
        };
        let assumed = if self.is_tls_assumed() {
            "https"
        } else {
            "http"
        };
        let endpoints = endpoints.iter().filter_map(Tree::text);
        let has_scheme = |endpoint: &str| {
            let is_socket = ["unix:", "unixs:"]
                .iter()
                .any(|it| endpoint.starts_with(it));
            is_socket || endpoint.contains("://")
        };
        let whole = endpoints.map(|endpoint| match has_scheme(endpoint) {
            true => endpoint.to_owned(),
            false => format!("{assumed}://{endpoint}"),
        });
        whole.collect()
    }

    /// Whether anything was said about TLS that is no default.
    pub(crate) fn has_tls(&self) -> bool {
        let given = [names::CACERT, names::CERT, names::KEY, names::SERVER_NAME];
        let asked = [names::TLS_ASSUMED, names::SKIP_VERIFY];
        given.iter().any(|name| self.is_set(name))
            || asked.iter().any(|name| self.flag(name) == Some(true))
    }

    /// Whether endpoints without a scheme are with TLS: as etcdctl has it, if anything else was said about TLS.
    fn is_tls_assumed(&self) -> bool {
        self.flag(names::TLS_ASSUMED)
            .unwrap_or_else(|| self.has_tls())
    }

    fn proxy(&self) -> Result<Option<Proxy>, SettingsError> {
        let Some(address) = self.text(names::PROXY) else {
            let others = [
                names::PROXY_ABSOLUTE,
                names::PROXY_USER,
                names::PROXY_PASSWORD,
            ];
            return match others.into_iter().find(|name| self.is_set(name)) {
                Some(beside) => Err(missing(names::PROXY, beside)),
                None => Ok(None),
            };
        };
        let mut proxy: Proxy = address.parse()?;
        if self.flag(names::PROXY_ABSOLUTE) == Some(true) {
            proxy = proxy.with_absolute_form();
        }
        match (
            self.text(names::PROXY_USER),
            self.text(names::PROXY_PASSWORD),
        ) {
            (None, None) => Ok(Some(proxy)),
            (Some(user), Some(password)) => Ok(Some(proxy.with_credentials(user, password)?)),
            (Some(_), None) => Err(missing(names::PROXY_PASSWORD, names::PROXY_USER)),
            (None, Some(_)) => Err(missing(names::PROXY_USER, names::PROXY_PASSWORD)),
        }
    }

    fn credentials(&self) -> Result<Option<Credentials>, SettingsError> {
        let user = self.text(names::USER);
        let password = self.text(names::PASSWORD);
        let credentials = match (user, password, self.text(names::TOKEN)) {
            (None, None, None) => return Ok(None),
            (Some(user), Some(password), None) => Credentials::password(user, password)?,
            (None, None, Some(token)) => Credentials::token(token)?,
            (Some(_), _, Some(_)) => return Err(conflict(names::USER)),
            (None, Some(_), Some(_)) => return Err(conflict(names::PASSWORD)),
            (Some(_), None, None) => return Err(missing(names::PASSWORD, names::USER)),
            (None, Some(_), None) => return Err(missing(names::USER, names::PASSWORD)),
        };
        Ok(Some(match self.flag(names::OVER_PLAIN_HTTP) {
            Some(true) => credentials.over_plain_http(),
            _ => credentials,
        }))
    }

    /// Settings that would be forgotten in silence are refused.
    #[cfg(not(feature = "tls"))]
    fn refuse_tls(&self) -> Result<(), SettingsError> {
        if self.has_tls() {
            return Err(SettingsError::Unsupported {
                name: "tls".to_owned(),
                reason: "etcd-config was built without its feature `tls`",
            });
        }
        Ok(())
    }
}

const fn conflict(one: &'static str) -> SettingsError {
    SettingsError::Conflict {
        one,
        other: names::TOKEN,
    }
}

pub(crate) const fn missing(name: &'static str, beside: &'static str) -> SettingsError {
    SettingsError::Missing { name, beside }
}
