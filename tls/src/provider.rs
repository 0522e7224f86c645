//! Who does the cryptography: one of two libraries, chosen when the crate is built.

use rustls::crypto::CryptoProvider;

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
compile_error!(
    "etcd-tls needs a library for cryptography: turn on the feature `ring` or `aws-lc-rs`"
);

/// The one that was chosen. It is never installed for the process, where others may have another.
pub(crate) fn provider() -> CryptoProvider {
    // Who asks for it means it, while ring is there unless it was turned off.
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return rustls::crypto::ring::default_provider();
}
