//! Whom to trust and who one is: the configuration, and the sessions made of it.
//!
//! Files are read again for each session, so a renewed certificate is used by the next connection. What
//! was read and is unchanged is not parsed again, and sessions can be resumed as long as nothing
//! changed. How the material is put together is in `builder`, how it is read in `material`.

mod builder;
mod material;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

pub use self::builder::TlsConfigBuilder;
use self::material::Contents;
use self::material::Plan;
use crate::error::TlsError;
use crate::session::TlsSession;

/// Whom to trust, and who one is: what TLS connections are made with.
///
/// It is cheap to clone, and all clones are the same: sessions of one are resumed by another.
/// Certificates are valid or expired by the system's clock, at each handshake; TLS 1.2 and 1.3 are
/// spoken, and HTTP/1.1 is the one protocol that is offered (gateway.md section 14: an etcd that is
/// offered HTTP/2 takes it).
///
/// **Files are read again for each session**, so a certificate is renewed without a restart: replace
/// the file, and the next connection has the new one. While a file cannot be read, or what is in the
/// files does not fit together (a renewed certificate whose key is not there yet), the last contents
/// that did are used on, and [`TlsConfig::reload_error`] says why. Whoever needs an old certificate to
/// be out of use has to revoke it; taking a file away does not do that.
///
/// ```
/// use etcd_tls::TlsConfig;
///
/// # let authority = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
/// # let ca_pem = authority.cert.pem();
/// let tls = TlsConfig::builder().with_root_pem(ca_pem).build()?;
/// let session = tls.session("etcd-1.example.org")?;
/// // The first thing to send is a handshake record, of type 22.
/// assert_eq!(session.transmit()[0], 22);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TlsConfig {
    shared: Arc<Shared>,
}

struct Shared {
    plan: Plan,
    current: Mutex<Current>,
}

/// What the last reading that was of use came to.
struct Current {
    /// What the files held.
    contents: Contents,
    client: Arc<ClientConfig>,
    /// Why a later reading was of no use.
    error: Option<TlsConfigError>,
}

impl TlsConfig {
    /// Begins a configuration, with nobody trusted yet.
    ///
    /// ```
    /// use etcd_tls::{TlsConfig, TlsConfigError};
    ///
    /// let nobody = TlsConfig::builder().build();
    /// assert_eq!(nobody.unwrap_err(), TlsConfigError::NoRoots);
    /// ```
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::default()
    }

    /// Trusts whom the operating system trusts, without a client certificate. The system's roots are read
    /// now and not again.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::SystemRoots`] where the system has none that can be read.
    ///
    /// ```
    /// use etcd_tls::{TlsConfig, TlsConfigError};
    ///
    /// match TlsConfig::system() {
    ///     Ok(tls) => assert!(!tls.reads_files()),
    ///     // A machine without a list of authorities, such as a small container.
    ///     Err(error) => assert!(matches!(error, TlsConfigError::SystemRoots(_))),
    /// }
    /// ```
    #[cfg(feature = "system-roots")]
    pub fn system() -> Result<Self, TlsConfigError> {
        Self::builder().with_system_roots().build()
    }

    fn new(plan: Plan) -> Result<Self, TlsConfigError> {
        let contents = plan.read()?;
        let client = plan.assemble(&contents)?;
        let current = Current {
            contents,
            client,
            error: None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                plan,
                current: Mutex::new(current),
            }),
        })
    }

    /// Begins the client's side of a connection to this host, a name or an address as it is in an
    /// endpoint. The configuration's server name, if it has one, stands in for it.
    ///
    /// Reads the configuration's files, if it has any; so where waiting for a disk matters, it belongs on
    /// a thread that may wait ([`TlsConfig::reads_files`]).
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::BadServerName`] for a host that no certificate can be for. Files that cannot be
    /// read are no error here.
    ///
    /// ```
    /// # let authority = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(authority.cert.pem()).build()?;
    /// assert!(tls.session("127.0.0.1").is_ok() && tls.session("::1").is_ok());
    /// let error = tls.session("not a host").unwrap_err();
    /// assert_eq!(error.to_string(), "no certificate can be for the server name \"not a host\"");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn session(&self, host: &str) -> Result<TlsSession, TlsError> {
        let name = match &self.shared.plan.server_name {
            Some(name) => name.clone(),
            None => server_name(host)?,
        };
        TlsSession::new(self.client(), name)
    }

    /// Whether a session needs files to be read.
    ///
    /// ```
    /// # let authority = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(authority.cert.pem()).build()?;
    /// assert!(!tls.reads_files());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reads_files(&self) -> bool {
        self.shared.plan.has_files()
    }

    /// Why the last reading of the files was of no use, if it was not: what was read before is used on.
    ///
    /// ```
    /// # let authority = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let path = std::env::temp_dir().join(format!("etcd-tls-doc-{}", std::process::id()));
    /// std::fs::write(&path, authority.cert.pem())?;
    /// let tls = etcd_tls::TlsConfig::builder().with_root_file(&path).build()?;
    /// std::fs::remove_file(&path)?;
    ///
    /// assert!(tls.session("etcd").is_ok());
    /// let error = tls.reload_error().expect("the file is gone");
    /// assert!(error.to_string().starts_with("cannot read "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reload_error(&self) -> Option<TlsConfigError> {
        self.current().error.clone()
    }

    /// What connections are made with now.
    fn client(&self) -> Arc<ClientConfig> {
        let plan = &self.shared.plan;
        let mut current = self.current();
        if plan.has_files() {
            let read = plan.read().and_then(|contents| {
                // Unchanged, so what it was made into stays, with the sessions that can be resumed.
                if contents == current.contents {
                    return Ok(());
                }
                current.client = plan.assemble(&contents)?;
                current.contents = contents;
                Ok(())
            });
            current.error = read.err();
        }
        Arc::clone(&current.client)
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        let current = &self.shared.current;
        current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.plan.fmt_as("TlsConfig", f)
    }
}

/// The name a server's certificate has to be for.
fn server_name(text: &str) -> Result<ServerName<'static>, TlsConfigError> {
    ServerName::try_from(text.to_owned()).map_err(|_| {
        let shown = text.chars().take(255).collect();
        TlsConfigError::BadServerName(shown)
    })
}

/// What is wrong with a configuration.
///
/// ```
/// use etcd_tls::{TlsConfig, TlsConfigError};
///
/// let error = TlsConfig::builder().with_root_pem("not a certificate").build().unwrap_err();
/// assert_eq!(error, TlsConfigError::NoCertificate { place: "the roots given as text".to_owned() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// Nobody is trusted. Give the certificate of the authority that issued the servers', or trust the
    /// system's.
    NoRoots,
    /// The system's roots cannot be read, for this reason.
    SystemRoots(String),
    /// A file cannot be read.
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file is longer than this many bytes, which no list of certificates is.
    TooLong {
        /// Which one.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// There is no `BEGIN CERTIFICATE` in it.
    NoCertificate {
        /// In which file or text.
        place: String,
    },
    /// A certificate in it cannot be read, or not as what it is to be.
    BadCertificate {
        /// In which file or text.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no private key in it that can be read: PKCS#8, PKCS#1 or SEC1 in PEM, not encrypted.
    NoKey {
        /// In which file or text.
        place: String,
    },
    /// The private key is of a kind that is not supported. RSA, ECDSA (P-256, P-384) and Ed25519 are.
    BadKey {
        /// In which file or text.
        place: String,
    },
    /// The client's private key is not the one of its certificate.
    KeyMismatch,
    /// No certificate can be for this name.
    BadServerName(String),
    /// The cryptography that was built in lacks something. This is a defect of the build.
    Provider(String),
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoots => f.write_str(
                "nobody is trusted: give the certificate of the authority that issued the \
                 servers', or trust the system's roots",
            ),
            Self::SystemRoots(reason) => {
                write!(f, "the system's roots cannot be read: {reason}")
            }
            Self::File { path, reason } => write!(f, "cannot read {}: {reason}", path.display()),
            Self::TooLong { path, limit } => write!(
                f,
                "{} is longer than {limit} bytes, which is no file of certificates",
                path.display()
            ),
            Self::NoCertificate { place } => {
                write!(f, "no certificate in {place}; it has to be in PEM")
            }
            Self::BadCertificate { place, reason } => {
                write!(f, "a certificate in {place} cannot be used: {reason}")
            }
            Self::NoKey { place } => write!(
                f,
                "no private key in {place}; it has to be in PEM and not encrypted"
            ),
            Self::BadKey { place } => write!(
                f,
                "the private key in {place} cannot be used; RSA, ECDSA over P-256 or P-384 and \
                 Ed25519 can"
            ),
            Self::KeyMismatch => {
                f.write_str("the client's private key is not the one of its certificate")
            }
            Self::BadServerName(name) => {
                write!(f, "no certificate can be for the server name {name:?}")
            }
            Self::Provider(reason) => {
                write!(
                    f,
                    "the cryptography that was built in cannot do this: {reason}"
                )
            }
        }
    }
}

impl std::error::Error for TlsConfigError {}
