//! From settings to a [`TlsConfig`].
//!
//! Files are read by `etcd-tls`, now and again for each connection.

use etcd_tls::TlsConfig;
use etcd_tls::TlsConfigBuilder;

use crate::assemble::missing;
use crate::error::SettingsError;
use crate::names;
use crate::settings::Settings;

impl Settings {
    /// The TLS that these settings make, for `Client::with_tls` of a driver; `None` where nothing is said of TLS
    /// and no endpoint is `https://`.
    ///
    /// Trusted is who is in `tls.cacert`; without it, whoever the operating system trusts.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] says what is missing, cannot be read, or does not fit together.
    ///
    /// ```
    /// use etcd_config::Settings;
    ///
    /// # let ca = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
    /// # let path = std::env::temp_dir().join(format!("etcd-config-doc-{}.pem", std::process::id()));
    /// std::fs::write(&path, ca.cert.pem())?;
    /// let path = path.to_str().ok_or("a path that is text")?;
    /// let settings = Settings::from_vars([
    ///     ("ETCDCTL_ENDPOINTS", "10.0.0.1:2379"),
    ///     ("ETCDCTL_CACERT", path),
    /// ])?;
    /// assert!(settings.tls()?.is_some());
    /// // As with etcdctl: what has no scheme is with TLS where TLS is set up.
    /// assert!(settings.config()?.endpoints[0].is_tls());
    ///
    /// let plain = Settings::from_json(r#"{"endpoints": ["http://10.0.0.1:2379"]}"#)?;
    /// assert!(plain.tls()?.is_none());
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls(&self) -> Result<Option<TlsConfig>, SettingsError> {
        let has_https = || {
            let endpoints = self.endpoints();
            endpoints.iter().any(|it| it.starts_with("https://"))
        };
        if !self.has_tls() && !has_https() {
            return Ok(None);
        }
        let mut builder = match self.flag(names::SKIP_VERIFY) {
            Some(true) => trust_anybody()?,
            _ => match self.text(names::CACERT) {
                Some(path) => TlsConfig::builder().with_root_file(path),
                None => TlsConfig::builder().with_system_roots(),
            },
        };
        builder = match (self.text(names::CERT), self.text(names::KEY)) {
            (None, None) => builder,
            (Some(cert), Some(key)) => builder.with_client_files(cert, key),
            (Some(_), None) => return Err(missing(names::KEY, names::CERT)),
            (None, Some(_)) => return Err(missing(names::CERT, names::KEY)),
        };
        if let Some(name) = self.text(names::SERVER_NAME) {
            builder = builder.with_server_name(name);
        }
        Ok(Some(builder.build()?))
    }
}

#[cfg(feature = "dangerous")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "without the feature it is refused"
)]
fn trust_anybody() -> Result<TlsConfigBuilder, SettingsError> {
    Ok(TlsConfig::builder().danger_accept_any_certificate())
}

#[cfg(not(feature = "dangerous"))]
fn trust_anybody() -> Result<TlsConfigBuilder, SettingsError> {
    Err(SettingsError::Unsupported {
        name: names::SKIP_VERIFY.to_owned(),
        reason: "etcd-config was built without its feature `dangerous`",
    })
}
