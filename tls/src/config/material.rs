//! Certificates and keys: where they come from, how they are read, and what rustls makes of them.
//!
//! Private keys are wiped from the memory they were read into.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::TlsConfigError;
use crate::provider;

/// The longest file that is read. The list of all authorities of a system takes a quarter of a MiB.
const MOST_FILE_BYTES: usize = 4 << 20;

/// The protocol that is offered, and no other (gateway.md section 14).
const PROTOCOL: &[u8] = b"http/1.1";

/// PEM, and where it comes from.
pub(super) enum Source {
    Text(Zeroizing<Vec<u8>>),
    File(PathBuf),
}

/// What the files of a plan held when they were read, in the plan's order.
pub(super) type Contents = Vec<Zeroizing<Vec<u8>>>;

/// What a configuration is made of.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) roots: Vec<Source>,
    pub(super) der_roots: Vec<Vec<u8>>,
    pub(super) trusts_system: bool,
    /// The system's roots, once they were read.
    system_roots: Vec<CertificateDer<'static>>,
    /// The client's certificate and its key.
    pub(super) client: Option<(Source, Source)>,
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) accepts_anybody: bool,
}

impl Source {
    pub(super) fn file(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().to_owned())
    }

    /// What is in it: the text, or the next file's.
    fn pem<'a>(&'a self, files: &mut impl Iterator<Item = &'a Zeroizing<Vec<u8>>>) -> &'a [u8] {
        match self {
            Self::Text(text) => text,
            // As many were read as there are.
            Self::File(_) => files.next().map_or(&[], |file| file),
        }
    }

    /// What to call it.
    fn place(&self, what: &str) -> String {
        match self {
            Self::Text(_) => format!("the {what} given as text"),
            Self::File(path) => format!("{} ({what})", path.display()),
        }
    }
}

impl Plan {
    fn sources(&self) -> impl Iterator<Item = &Source> {
        let client = self.client.iter();
        self.roots
            .iter()
            .chain(client.flat_map(|(certificate, key)| [certificate, key]))
    }

    pub(super) fn has_files(&self) -> bool {
        self.sources()
            .any(|source| matches!(source, Source::File(_)))
    }

    /// Reads the roots of the system, if they are to be trusted.
    pub(super) fn read_system(&mut self) -> Result<(), TlsConfigError> {
        #[cfg(feature = "system-roots")]
        if self.trusts_system {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let reason = match found.errors.first() {
                    Some(error) => error.to_string(),
                    None => "there are none".to_owned(),
                };
                return Err(TlsConfigError::SystemRoots(reason));
            }
            self.system_roots = found.certs;
        }
        Ok(())
    }

    /// Reads the files.
    pub(super) fn read(&self) -> Result<Contents, TlsConfigError> {
        let read = |source: &Source| match source {
            Source::Text(_) => None,
            Source::File(path) => Some(read_file(path)),
        };
        self.sources().filter_map(read).collect()
    }

    /// What rustls connects with, made of what the files held.
    pub(super) fn assemble(&self, files: &Contents) -> Result<Arc<ClientConfig>, TlsConfigError> {
        let mut files = files.iter();
        let provider = Arc::new(provider::provider());
        let verifier = self.verifier(&mut files, &provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsConfigError::Provider(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate, "client certificate", &mut files)?;
                let key_place = key.place("client key");
                let key = PrivateKeyDer::from_pem_slice(key.pem(&mut files)).map_err(|_| {
                    TlsConfigError::NoKey {
                        place: key_place.clone(),
                    }
                })?;
                let place = certificate.place("client certificate");
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| client_error(&error, place, key_place))?
            }
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::new(config))
    }

    /// Who says whether a server is the one it says it is.
    fn verifier<'a>(
        &'a self,
        files: &mut impl Iterator<Item = &'a Zeroizing<Vec<u8>>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
        let mut roots = RootCertStore::empty();
        for source in &self.roots {
            for root in certificates(source, "roots", files)? {
                roots
                    .add(root)
                    .map_err(|error| TlsConfigError::BadCertificate {
                        place: source.place("roots"),
                        reason: error.to_string(),
                    })?;
            }
        }
        for root in &self.der_roots {
            roots
                .add(CertificateDer::from(root.clone()))
                .map_err(|error| TlsConfigError::BadCertificate {
                    place: "a root given in DER".to_owned(),
                    reason: error.to_string(),
                })?;
        }
        roots.add_parsable_certificates(self.system_roots.iter().cloned());
        #[cfg(feature = "dangerous")]
        if self.accepts_anybody {
            return Ok(Arc::new(crate::anybody::Anybody::new(provider)));
        }
        if roots.is_empty() {
            return Err(TlsConfigError::NoRoots);
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let verifier = verifier.build();
        let verifier = verifier.map_err(|error| TlsConfigError::Provider(error.to_string()))?;
        Ok(verifier)
    }

    /// What it is made of, without any of it.
    pub(super) fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.sources().filter_map(|source| match source {
            Source::Text(_) => None,
            Source::File(path) => Some(path),
        });
        f.debug_struct(name)
            .field("roots", &(self.roots.len() + self.der_roots.len()))
            .field("trusts_system", &self.trusts_system)
            .field("has_client_certificate", &self.client.is_some())
            .field("server_name", &self.server_name)
            .field("accepts_anybody", &self.accepts_anybody)
            .field("files", &files.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The certificates in it, at least one.
fn certificates<'a>(
    source: &'a Source,
    what: &str,
    files: &mut impl Iterator<Item = &'a Zeroizing<Vec<u8>>>,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let pem = source.pem(files);
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let place = source.place(what);
    match found {
        Ok(found) if found.is_empty() => Err(TlsConfigError::NoCertificate { place }),
        Ok(found) => Ok(found),
        // The text of the error might quote a line, and there may be a key beside the certificate.
        Err(_) => Err(TlsConfigError::BadCertificate {
            place,
            reason: "it is not PEM".to_owned(),
        }),
    }
}

/// What is wrong with the client's certificate and key.
fn client_error(error: &rustls::Error, place: String, key_place: String) -> TlsConfigError {
    match error {
        rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch) => {
            TlsConfigError::KeyMismatch
        }
        rustls::Error::InvalidCertificate(_) => TlsConfigError::BadCertificate {
            place,
            reason: error.to_string(),
        },
        _ => TlsConfigError::BadKey { place: key_place },
    }
}

/// Reads a file, and not without end.
fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsConfigError> {
    let failed = |error: std::io::Error| TlsConfigError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file = File::open(path).map_err(failed)?;
    // Room for all of it at once: what a growing buffer leaves behind is not wiped.
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    let room = usize::try_from(len)
        .unwrap_or(usize::MAX)
        .min(MOST_FILE_BYTES)
        + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MOST_FILE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > MOST_FILE_BYTES {
        return Err(TlsConfigError::TooLong {
            path: path.to_owned(),
            limit: MOST_FILE_BYTES,
        });
    }
    Ok(bytes)
}
