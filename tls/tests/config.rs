//! What configurations are refused, what is shown of them, and files that change while they are used.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use common::Authority;
use common::Flaw;
use common::Issued;
use common::Pair;
use common::server;
use etcd_tls::CertificateFault;
use etcd_tls::TlsConfig;
use etcd_tls::TlsConfigError;
use etcd_tls::TlsError;
use rustls::ServerConfig;
use rustls::version::TLS13;

/// A folder of the test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("etcd-tls-{}-{test}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the server sees of a client's certificate, and whether the session was resumed.
fn shown_to(config: &Arc<ServerConfig>, tls: &TlsConfig) -> (Vec<u8>, bool) {
    let pair = Pair::connected(tls.session("etcd").unwrap(), config);
    let shown = pair.server.peer_certificates().unwrap_or_default();
    let resumed = pair.client.is_resumed().unwrap();
    (
        shown.first().map(|der| der.to_vec()).unwrap_or_default(),
        resumed,
    )
}

/// An authority, a server that asks for its certificates, and two of them.
fn scene() -> (Authority, Arc<ServerConfig>, [Issued; 2]) {
    let authority = Authority::new("authority");
    let shown = authority.issue(&["etcd"], Flaw::None);
    let config = server(&shown, &[&TLS13], Some(&authority));
    let clients = ["one", "two"].map(|name| authority.issue(&[name], Flaw::None));
    (authority, Arc::new(config), clients)
}

#[test]
fn a_renewed_certificate_is_shown_by_the_next_session() {
    let folder = Folder::new("renewed");
    let (authority, config, [one, two]) = scene();
    let root = folder.write("ca.pem", &authority.pem());
    let cert = folder.write("client.pem", &one.pem);
    let key = folder.write("client.key", &one.key_pem);
    let tls = TlsConfig::builder()
        .with_root_file(root)
        .with_client_files(&cert, &key)
        .build()
        .unwrap();
    assert!(tls.reads_files());
    let first = shown_to(&config, &tls);
    assert_eq!(first, (one.der().to_vec(), false));
    // Unchanged files let sessions be resumed.
    assert_eq!(shown_to(&config, &tls), (one.der().to_vec(), true));

    // Renewed in two steps. Between them certificate and key do not fit, and the old ones are used on.
    folder.write("client.pem", &two.pem);
    assert_eq!(shown_to(&config, &tls).0, one.der().to_vec());
    assert_eq!(tls.reload_error(), Some(TlsConfigError::KeyMismatch));
    folder.write("client.key", &two.key_pem);
    // Not resumed, or it would go on as the one it was.
    assert_eq!(shown_to(&config, &tls), (two.der().to_vec(), false));
    assert_eq!(tls.reload_error(), None);
}

#[test]
fn a_renewed_root_is_trusted_and_the_old_one_is_not() {
    let folder = Folder::new("root");
    let [one, two] = ["one", "two"].map(Authority::new);
    let [by_one, by_two] = [&one, &two].map(|authority| {
        let shown = authority.issue(&["etcd"], Flaw::None);
        Arc::new(server(&shown, &[&TLS13], None))
    });
    let path = folder.write("ca.pem", &one.pem());
    let tls = TlsConfig::builder().with_root_file(path).build().unwrap();
    let attempt = |config| Pair::new(tls.session("etcd").unwrap(), config).settle();
    let unknown = Err(TlsError::Certificate(CertificateFault::UnknownIssuer));
    assert_eq!(
        (attempt(&by_one), attempt(&by_two)),
        (Ok(()), unknown.clone())
    );
    folder.write("ca.pem", &two.pem());
    assert_eq!((attempt(&by_one), attempt(&by_two)), (unknown, Ok(())));
    // Both, while authorities change.
    folder.write("ca.pem", &(one.pem() + &two.pem()));
    assert_eq!((attempt(&by_one), attempt(&by_two)), (Ok(()), Ok(())));
}

#[test]
fn what_was_read_is_used_on_while_files_are_of_no_use() {
    let folder = Folder::new("gone");
    let (authority, config, [one, _]) = scene();
    let root = folder.write("ca.pem", &authority.pem());
    let client = folder.write("client.pem", &(one.pem.clone() + &one.key_pem));
    let tls = TlsConfig::builder()
        .with_root_file(&root)
        .with_client_files(&client, &client)
        .build()
        .unwrap();
    let place = format!("{} (client certificate)", client.display());
    for (text, error) in [
        (
            "",
            TlsConfigError::NoCertificate {
                place: place.clone(),
            },
        ),
        (
            "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n",
            TlsConfigError::BadCertificate {
                place,
                reason: "it is not PEM".to_owned(),
            },
        ),
    ] {
        folder.write("client.pem", text);
        assert_eq!(shown_to(&config, &tls).0, one.der().to_vec());
        assert_eq!(tls.reload_error(), Some(error));
    }
    fs::remove_file(&client).unwrap();
    assert_eq!(shown_to(&config, &tls).0, one.der().to_vec());
    let error = tls.reload_error().unwrap();
    assert!(matches!(&error, TlsConfigError::File { path, .. } if *path == client));
    assert!(
        error.to_string().contains("client.pem: No such file"),
        "{error}"
    );
    // As it was: nothing is wrong any more, and the sessions of before are resumed.
    folder.write("client.pem", &(one.pem.clone() + &one.key_pem));
    assert_eq!(shown_to(&config, &tls), (one.der().to_vec(), true));
    assert_eq!(tls.reload_error(), None);
}

#[test]
fn what_cannot_be_used_is_refused_at_once_and_named() {
    let folder = Folder::new("refused");
    let authority = Authority::new("authority");
    let [one, two] = ["one", "two"].map(|name| authority.issue(&[name], Flaw::None));
    let text = |what: &str| format!("the {what} given as text");
    let client = |cert: &str, key: &str| authority.trusting().with_client_pem(cert, key);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let endless = folder.write("endless.pem", &"x".repeat((4 << 20) + 1));
    for (builder, expected) in [
        (TlsConfig::builder(), TlsConfigError::NoRoots),
        (
            TlsConfig::builder().with_root_pem(one.key_pem.clone()),
            TlsConfigError::NoCertificate {
                place: text("roots"),
            },
        ),
        (
            client("", &one.key_pem),
            TlsConfigError::NoCertificate {
                place: text("client certificate"),
            },
        ),
        (
            client(&one.pem, &one.pem),
            TlsConfigError::NoKey {
                place: text("client key"),
            },
        ),
        (
            client(&one.pem, encrypted),
            TlsConfigError::NoKey {
                place: text("client key"),
            },
        ),
        (client(&one.pem, &two.key_pem), TlsConfigError::KeyMismatch),
        (
            authority.trusting().with_server_name("not a name"),
            TlsConfigError::BadServerName("not a name".to_owned()),
        ),
        (
            TlsConfig::builder().with_root_file(&endless),
            TlsConfigError::TooLong {
                path: endless.clone(),
                limit: 4 << 20,
            },
        ),
    ] {
        assert_eq!(builder.build().unwrap_err(), expected);
    }
    let error = TlsConfig::builder()
        .with_root_der(b"no DER")
        .build()
        .unwrap_err();
    assert!(matches!(error, TlsConfigError::BadCertificate { .. }));
}

#[test]
fn nothing_of_a_key_is_shown() {
    let authority = Authority::new("authority");
    let one = authority.issue(&["one"], Flaw::None);
    let builder = authority
        .trusting()
        .with_client_pem(one.pem.clone(), one.key_pem.clone());
    let mut shown = format!("{builder:?}");
    let tls = builder.build().unwrap();
    let session = tls.session("etcd").unwrap();
    shown += &format!("{tls:?}{session:?}");
    // A key in the place of other things, and one that is broken in the middle.
    let broken = one.key_pem.replace('M', "!");
    for wrong in [
        TlsConfig::builder().with_root_pem(one.key_pem.clone()),
        TlsConfig::builder().with_root_pem(broken.clone()),
        authority
            .trusting()
            .with_client_pem(broken.clone(), one.key_pem.clone()),
        authority
            .trusting()
            .with_client_pem(one.pem.clone(), broken),
    ] {
        shown += &format!("{:?}", wrong.build().unwrap_err());
    }
    for line in one.key_pem.lines().filter(|line| !line.starts_with('-')) {
        let line = line.replace('M', "!");
        for piece in line.as_bytes().chunks(8).filter(|piece| piece.len() == 8) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert!(!shown.replace('M', "!").contains(piece), "{shown}");
        }
    }
}
