//! TLS around a connection: who makes its sessions, and what its errors are to the core.
//!
//! The protocol is `etcd_tls`'s. Without the feature `tls`, `no_tls.rs` stands for this.

use std::io;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use etcd_core::NetError;
use etcd_core::NetErrorKind;

use etcd_tls::TlsConfig;
pub(crate) use etcd_tls::TlsError;
pub(crate) use etcd_tls::TlsSession;

/// What the connections of a client are made with, from the next one on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    config: Arc<Mutex<Option<TlsConfig>>>,
}

impl Tls {
    /// Takes this from now on.
    pub(crate) fn set(&self, config: TlsConfig) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Some(config);
    }

    fn config(&self) -> Option<TlsConfig> {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        config.clone()
    }

    /// A session with this host. It may read files, and take as long as they do.
    pub(crate) fn session(&self, host: &str) -> Result<Box<TlsSession>, NetError> {
        let config = match self.config() {
            Some(config) => config,
            // Nothing was said of whom to trust, so whoever this machine trusts.
            None => {
                let config = TlsConfig::system().map_err(|error| self.error(&error.into()))?;
                self.set(config.clone());
                config
            }
        };
        let session = config.session(host).map_err(|error| self.error(&error))?;
        Ok(Box::new(session))
    }

    /// What the core is told where the socket failed.
    pub(crate) fn socket_error(&self, session: &mut TlsSession, error: &io::Error) -> NetError {
        let is_reset = matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        );
        match session.handle_reset() {
            Err(why) if is_reset => self.error(&why),
            _ => NetError::from(error),
        }
    }

    /// What the core is told of an error.
    pub(crate) fn error(&self, error: &TlsError) -> NetError {
        let kind = match error {
            TlsError::Certificate(_) => NetErrorKind::Certificate,
            TlsError::Refused(_) => NetErrorKind::CertificateRefused,
            error if error.is_before_any_request() => NetErrorKind::Tls,
            _ => NetErrorKind::TlsBroken,
        };
        let mut text = error.to_string();
        let is_about_files = matches!(error, TlsError::Certificate(_) | TlsError::Refused(_));
        let stale = self.config().and_then(|config| config.reload_error());
        if let Some(stale) = stale.filter(|_| is_about_files) {
            text = format!("{text} (what is used was read before: {stale})");
        }
        NetError::new(kind, text)
    }
}
