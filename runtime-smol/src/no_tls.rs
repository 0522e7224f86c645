//! What stands for TLS in a build without it: sessions that cannot be.
//!
//! An `https://` endpoint is then one that cannot be connected to, and never one that is connected to
//! without TLS.
#![allow(
    clippy::needless_pass_by_ref_mut,
    reason = "the methods are those of what it stands for"
)]

use std::convert::Infallible;
use std::io;

use etcd_core::NetError;
use etcd_core::NetErrorKind;

/// It has nothing to make sessions with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls(());

impl Tls {
    /// There is none.
    pub(crate) fn session(&self, _host: &str) -> Result<Box<TlsSession>, NetError> {
        let text =
            "https:// needs the feature `tls` of etcd-smol, which this program was built without";
        Err(NetError::new(NetErrorKind::Tls, text))
    }

    pub(crate) const fn socket_error(&self, session: &TlsSession, _error: &io::Error) -> NetError {
        match session.0 {}
    }

    pub(crate) const fn error(&self, error: &TlsError) -> NetError {
        match error.0 {}
    }
}

/// A type without values, with the methods of the one it stands for.
#[derive(Debug)]
pub(crate) struct TlsSession(Infallible);

impl TlsSession {
    pub(crate) const fn is_connected(&self) -> bool {
        match self.0 {}
    }

    pub(crate) const fn is_ended(&self) -> bool {
        match self.0 {}
    }

    pub(crate) const fn seal(&mut self, _unsent: &[u8]) -> Result<(), TlsError> {
        match self.0 {}
    }

    pub(crate) const fn transmit(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) const fn handle_written(&mut self, _len: usize) -> usize {
        match self.0 {}
    }

    pub(crate) const fn handle_received(
        &mut self,
        _bytes: &[u8],
        _plaintext: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        match self.0 {}
    }

    pub(crate) const fn handle_eof(&mut self) -> Result<(), TlsError> {
        match self.0 {}
    }

    pub(crate) const fn farewell(&mut self) -> &[u8] {
        match self.0 {}
    }
}

/// A type without values.
#[derive(Debug)]
pub(crate) struct TlsError(Infallible);
