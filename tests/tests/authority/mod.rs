//! Certificates made by the tests, and servers that show them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses what it needs"
)]

use std::fs;
use std::path::PathBuf;

use etcd_tests::Server;
use etcd_tests::find;
use etcd_tls::TlsConfig;
use etcd_tls::TlsConfigBuilder;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;

/// Who issues the certificates of a test, and a folder for the server's.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A certificate and its key, in PEM.
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str, test: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named(name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = std::env::temp_dir().join(format!("etcd-tests-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self { issuer, folder }
    }

    /// A certificate for both sides, as etcd's gateway shows the server's own to the server.
    pub(crate) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Issued {
            pem: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A server that shows this certificate, and wants one of its clients if `mutual`. `None` on a
    /// simulated etcd, which has no TLS.
    pub(crate) fn serve(&self, shown: &Issued, mutual: bool) -> Option<Server> {
        let binary = find::find().unwrap();
        if find::is_simulated(&binary) {
            eprintln!("skipped: a simulated etcd has no TLS");
            return None;
        }
        let flag = |flag: &str, path: PathBuf| format!("--{flag}={}", path.display());
        let mut flags = vec![
            flag("cert-file", self.write("server.pem", &shown.pem)),
            flag("key-file", self.write("server.key", &shown.key)),
        ];
        if mutual {
            let ca = self.write("ca.pem", &self.pem());
            flags.extend([flag("trusted-ca-file", ca), "--client-cert-auth".to_owned()]);
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Some(Server::start_with_tls(&binary, &flags).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn trusting(&self) -> TlsConfigBuilder {
        TlsConfig::builder().with_root_pem(self.pem())
    }

    pub(crate) fn with_client(&self, client: &Issued) -> TlsConfigBuilder {
        self.trusting()
            .with_client_pem(client.pem.clone(), client.key.clone())
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
