//! Authorities, certificates and rustls's own server, all in memory.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use etcd_tls::TlsConfig;
use etcd_tls::TlsConfigBuilder;
use etcd_tls::TlsError;
use etcd_tls::TlsSession;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;

/// Both versions, for tests that hold for each.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

/// Somebody who issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) key_pem: String,
    der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

/// What a certificate is to be like, other than usual.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Expired,
    NotYetValid,
    /// Only for clients.
    ForClients,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn issue(&self, names: &[&str], flaw: Flaw) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if flaw != Flaw::ForClients {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        match flaw {
            Flaw::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Flaw::NotYetValid => params.not_before = date_time_ymd(4000, 1, 1),
            Flaw::None | Flaw::ForClients => {}
        }
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Issued {
            pem: cert.pem(),
            key_pem: key.serialize_pem(),
            der: cert.der().clone(),
            key_der: key.serialize_der(),
        }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// Who trusts this authority.
    pub(crate) fn trusting(&self) -> TlsConfigBuilder {
        TlsConfig::builder().with_root_pem(self.pem())
    }
}

impl Issued {
    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key_der.clone()).into()
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server that shows this certificate, and asks for one of `clients` if they are given.
pub(crate) fn server(
    shown: &Issued,
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<&Authority>,
) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = Arc::new(authority.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![shown.der.clone()];
    builder.with_single_cert(chain, shown.key()).unwrap()
}

/// A client and a server with nothing between them.
pub(crate) struct Pair {
    pub(crate) client: TlsSession,
    pub(crate) server: ServerConnection,
    /// What the client was given in plaintext.
    pub(crate) received: Vec<u8>,
    /// What the server was given in plaintext.
    pub(crate) served: Vec<u8>,
    /// How much plaintext counts as written.
    pub(crate) written: usize,
}

impl Pair {
    pub(crate) fn new(client: TlsSession, config: &Arc<ServerConfig>) -> Self {
        Self {
            client,
            server: ServerConnection::new(Arc::clone(config)).unwrap(),
            received: Vec::new(),
            served: Vec::new(),
            written: 0,
        }
    }

    /// A pair that has shaken hands, with nothing left on the way.
    pub(crate) fn connected(client: TlsSession, config: &Arc<ServerConfig>) -> Self {
        let mut pair = Self::new(client, config);
        pair.settle().unwrap();
        assert!(pair.client.is_connected());
        assert!(!pair.server.is_handshaking());
        pair
    }

    /// Carries what there is to and fro until there is nothing more, in pieces of any size.
    pub(crate) fn settle(&mut self) -> Result<(), TlsError> {
        loop {
            let to_server = self.client.transmit().to_vec();
            self.written += self.client.handle_written(to_server.len());
            self.serve(&to_server);
            let to_client = self.said();
            self.client
                .handle_received(&to_client, &mut self.received)?;
            if to_server.is_empty() && to_client.is_empty() {
                return Ok(());
            }
        }
    }

    /// Gives the server ciphertext; what it holds of it does not end the test.
    pub(crate) fn serve(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.server.read_tls(&mut bytes).is_ok_and(|len| len > 0) {
            if self.server.process_new_packets().is_err() {
                return;
            }
            let _ = self.server.reader().read_to_end(&mut self.served);
        }
    }

    /// What the server has to send.
    pub(crate) fn said(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut said).unwrap();
        }
        said
    }

    /// What the server sends for this plaintext.
    pub(crate) fn sealed_by_server(&mut self, mut plaintext: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        while !plaintext.is_empty() {
            let len = self.server.writer().write(plaintext).unwrap();
            plaintext = &plaintext[len..];
            said.extend(self.said());
        }
        said
    }
}

/// Bytes that differ from place to place.
pub(crate) fn some_bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}
