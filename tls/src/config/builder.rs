//! Putting a configuration together.

use std::fmt;
use std::path::Path;

use super::TlsConfig;
use super::TlsConfigError;
use super::material::Plan;
use super::material::Source;

/// A [`TlsConfig`] in the making. What is given more than once adds up, but for the client's
/// certificate and the server name, of which the last one counts.
///
/// ```
/// use etcd_tls::TlsConfig;
///
/// # let authority = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
/// # let client = rcgen::generate_simple_self_signed(["client".to_owned()])?;
/// # let (ca, cert, key) = (authority.cert.pem(), client.cert.pem(), client.signing_key.serialize_pem());
/// let tls = TlsConfig::builder()
///     .with_root_pem(ca)
///     .with_client_pem(cert, key)
///     .with_server_name("etcd.internal")
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use = "it is no configuration before it is built"]
pub struct TlsConfigBuilder {
    plan: Plan,
    server_name: Option<String>,
}

impl TlsConfigBuilder {
    /// Trusts the authorities in this PEM text, of which there has to be at least one.
    ///
    /// ```
    /// # let authority = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
    /// let pem: String = authority.cert.pem();
    /// let tls = etcd_tls::TlsConfig::builder().with_root_pem(pem).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.plan.roots.push(Source::Text(pem.into().into()));
        self
    }

    /// Trusts the authorities in this PEM file, such as etcd's `--trusted-ca-file`.
    ///
    /// ```
    /// use etcd_tls::{TlsConfig, TlsConfigError};
    ///
    /// let error = TlsConfig::builder().with_root_file("/no/such/ca.pem").build().unwrap_err();
    /// assert!(matches!(error, TlsConfigError::File { .. }));
    /// ```
    pub fn with_root_file(mut self, path: impl AsRef<Path>) -> Self {
        self.plan.roots.push(Source::file(path));
        self
    }

    /// Trusts one authority, by its certificate in DER.
    ///
    /// ```
    /// # let authority = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
    /// let der: Vec<u8> = authority.cert.der().to_vec();
    /// let tls = etcd_tls::TlsConfig::builder().with_root_der(der).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_root_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.plan.der_roots.push(der.into());
        self
    }

    /// Trusts whom the operating system trusts, besides those given. Its roots are read once, by
    /// [`TlsConfigBuilder::build`]; those it has in a form that is not understood are left out.
    ///
    /// ```
    /// # let authority = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
    /// let mine = etcd_tls::TlsConfig::builder().with_root_pem(authority.cert.pem());
    /// let both = mine.with_system_roots().build();
    /// # drop(both);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "system-roots")]
    pub const fn with_system_roots(mut self) -> Self {
        self.plan.trusts_system = true;
        self
    }

    /// Shows servers this certificate, and what it was issued by if that is behind it, and proves it with
    /// this key; both in PEM.
    ///
    /// ```
    /// use etcd_tls::{TlsConfig, TlsConfigError};
    ///
    /// # let new = || rcgen::generate_simple_self_signed(["a".to_owned()]);
    /// # let (ca, one, other) = (new()?, new()?, new()?);
    /// let (cert, key) = (one.cert.pem(), other.signing_key.serialize_pem());
    /// let mixed_up = TlsConfig::builder().with_root_pem(ca.cert.pem()).with_client_pem(cert, key);
    /// assert_eq!(mixed_up.build().unwrap_err(), TlsConfigError::KeyMismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_client_pem(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        let certificate = Source::Text(certificate.into().into());
        self.plan.client = Some((certificate, Source::Text(key.into().into())));
        self
    }

    /// As [`TlsConfigBuilder::with_client_pem`], from two files, which may be the same.
    ///
    /// ```
    /// # let ca = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
    /// # let client = rcgen::generate_simple_self_signed(["client".to_owned()])?;
    /// # let path = std::env::temp_dir().join(format!("etcd-tls-client-{}", std::process::id()));
    /// std::fs::write(&path, client.cert.pem() + &client.signing_key.serialize_pem())?;
    /// let tls = etcd_tls::TlsConfig::builder()
    ///     .with_root_pem(ca.cert.pem())
    ///     .with_client_files(&path, &path)
    ///     .build()?;
    /// assert!(tls.reads_files());
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_client_files(
        mut self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Self {
        self.plan.client = Some((Source::file(certificate), Source::file(key)));
        self
    }

    /// The name that servers' certificates have to be for, and that is told to them (SNI, unless it is an
    /// address), whatever host is connected to.
    ///
    /// ```
    /// # let ca = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
    /// let tls = etcd_tls::TlsConfig::builder()
    ///     .with_root_pem(ca.cert.pem())
    ///     .with_server_name("etcd.internal")
    ///     .build()?;
    /// // The name goes out in plain text.
    /// let session = tls.session("10.0.0.1")?;
    /// assert!(session.transmit().windows(13).any(|bytes| bytes == b"etcd.internal"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// **Dangerous: anybody can pretend to be the server**, read what is sent to it and change it.
    ///
    /// Takes any certificate of any server, expired and for other names too. What remains is secrecy from
    /// those who only listen.
    ///
    /// ```
    /// let tls = etcd_tls::TlsConfig::builder().danger_accept_any_certificate().build()?;
    /// # Ok::<(), etcd_tls::TlsConfigError>(())
    /// ```
    #[cfg(feature = "dangerous")]
    pub const fn danger_accept_any_certificate(mut self) -> Self {
        self.plan.accepts_anybody = true;
        self
    }

    /// Reads the files and checks it all.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError`] says what cannot be read, or does not fit together.
    ///
    /// ```
    /// # let ca = rcgen::generate_simple_self_signed(["ca".to_owned()])?;
    /// let tls = etcd_tls::TlsConfig::builder().with_root_pem(ca.cert.pem()).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn build(self) -> Result<TlsConfig, TlsConfigError> {
        let mut plan = self.plan;
        if let Some(name) = &self.server_name {
            plan.server_name = Some(super::server_name(name)?);
        }
        plan.read_system()?;
        TlsConfig::new(plan)
    }
}

impl fmt::Debug for TlsConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt_as("TlsConfigBuilder", f)
    }
}
