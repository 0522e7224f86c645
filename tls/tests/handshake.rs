//! Each way a handshake can go, against rustls's own server, and what is said of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::sync::Arc;

use common::Authority;
use common::Flaw;
use common::Pair;
use common::VERSIONS;
use common::server;
use etcd_tls::CertificateFault;
use etcd_tls::Refusal;
use etcd_tls::TlsConfigBuilder;
use etcd_tls::TlsError;
use etcd_tls::TlsVersion;
use rustls::ServerConfig;

/// How it goes with this client, server and host.
fn attempt(
    client: TlsConfigBuilder,
    config: ServerConfig,
    host: &str,
) -> (Result<(), TlsError>, Pair) {
    let session = client.build().unwrap().session(host).unwrap();
    let mut pair = Pair::new(session, &Arc::new(config));
    (pair.settle(), pair)
}

/// What is wrong with a server's certificate that is as usual but for this.
fn fault_of(flaw: Flaw, names: &[&str], host: &str) -> (CertificateFault, String) {
    let mut faults = VERSIONS.map(|version| {
        let authority = Authority::new("authority");
        let config = server(&authority.issue(names, flaw), &[version], None);
        let result = attempt(authority.trusting(), config, host);
        let (Err(error), mut pair) = result else {
            panic!("accepted");
        };
        assert!(error.is_before_any_request());
        // The server is told, and nothing else goes out any more.
        assert_eq!(pair.client.seal(b"secret"), Err(error.clone()));
        assert!(!pair.client.farewell().is_empty());
        let text = error.to_string();
        let TlsError::Certificate(fault) = error else {
            panic!("{error:?}");
        };
        (fault, text)
    });
    faults.sort_by_key(|(_, text)| text.clone());
    faults[0].clone()
}

#[test]
fn both_versions_are_spoken_and_http_1_1_is_offered() {
    for (version, agreed) in VERSIONS
        .into_iter()
        .zip([TlsVersion::V1_2, TlsVersion::V1_3])
    {
        let authority = Authority::new("authority");
        let shown = authority.issue(&["etcd", "10.1.2.3", "::1"], Flaw::None);
        for host in ["etcd", "ETCD", "10.1.2.3", "::1"] {
            let mut config = server(&shown, &[version], None);
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let (Ok(()), pair) = attempt(authority.trusting(), config, host) else {
                panic!("refused");
            };
            assert!(pair.client.is_connected());
            assert_eq!(pair.client.version(), Some(agreed));
            assert_eq!(pair.client.is_resumed(), Some(false));
            assert_eq!(pair.server.alpn_protocol(), Some(&b"http/1.1"[..]));
            let told = pair.server.server_name().map(str::to_lowercase);
            let is_name = host.eq_ignore_ascii_case("etcd");
            assert_eq!(told.as_deref(), is_name.then_some("etcd"));
        }
    }
}

#[test]
fn a_server_that_has_http_2_only_is_refused() {
    for version in VERSIONS {
        let authority = Authority::new("authority");
        let mut config = server(&authority.issue(&["etcd"], Flaw::None), &[version], None);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let result = attempt(authority.trusting(), config, "etcd");
        assert_eq!(result.0, Err(TlsError::NothingInCommon));
    }
}

#[test]
fn a_server_name_of_ones_own_stands_in_for_the_host() {
    let authority = Authority::new("authority");
    let shown = authority.issue(&["etcd.internal"], Flaw::None);
    let config = server(&shown, &VERSIONS, None);
    let client = authority.trusting().with_server_name("etcd.internal");
    let (Ok(()), pair) = attempt(client, config, "10.0.0.1") else {
        panic!("refused");
    };
    assert_eq!(pair.server.server_name(), Some("etcd.internal"));
}

#[test]
fn a_wrong_name_is_refused_with_the_right_ones() {
    let (fault, text) = fault_of(Flaw::None, &["etcd-1", "10.0.0.1"], "etcd-2");
    assert!(matches!(fault, CertificateFault::WrongName { .. }));
    assert_eq!(
        text,
        "the server's certificate is for etcd-1, 10.0.0.1 and not for etcd-2; ask by a name that \
         is in it, or set the server name"
    );
    let (_, text) = fault_of(Flaw::None, &[], "etcd-2");
    assert!(
        text.contains("is not for etcd-2: it has no alternative names"),
        "{text}"
    );
}

#[test]
fn an_expired_certificate_is_refused() {
    let (fault, text) = fault_of(Flaw::Expired, &["etcd"], "etcd");
    assert!(matches!(fault, CertificateFault::Expired(Some(_))));
    assert!(
        text.starts_with("the server's certificate expired "),
        "{text}"
    );
    assert!(
        text.ends_with(" days ago; renew it, or set this machine's clock"),
        "{text}"
    );
    let (fault, text) = fault_of(Flaw::NotYetValid, &["etcd"], "etcd");
    assert!(
        matches!(fault, CertificateFault::NotYetValid(Some(_))),
        "{text}"
    );
}

#[test]
fn a_certificate_that_is_not_for_servers_is_refused() {
    let (fault, _) = fault_of(Flaw::ForClients, &["etcd"], "etcd");
    assert_eq!(fault, CertificateFault::WrongUse);
}

#[test]
fn an_unknown_authority_is_refused() {
    for version in VERSIONS {
        let authority = Authority::new("authority");
        let config = server(&authority.issue(&["etcd"], Flaw::None), &[version], None);
        let other = Authority::new("another");
        let (result, pair) = attempt(other.trusting(), config, "etcd");
        let error = result.unwrap_err();
        assert_eq!(
            error,
            TlsError::Certificate(CertificateFault::UnknownIssuer)
        );
        assert_eq!(
            error.to_string(),
            "the server's certificate comes from an authority that is not trusted here; give that \
             authority's certificate as a root"
        );
        assert!(pair.served.is_empty());
    }
}

#[test]
fn a_client_certificate_is_shown_where_one_is_wanted() {
    for version in VERSIONS {
        let authority = Authority::new("authority");
        let shown = authority.issue(&["etcd"], Flaw::None);
        let config = server(&shown, &[version], Some(&authority));
        let mine = authority.issue(&["client"], Flaw::None);
        let client = authority
            .trusting()
            .with_client_pem(mine.pem.clone(), mine.key_pem.clone());
        let (Ok(()), pair) = attempt(client, config, "etcd") else {
            panic!("refused");
        };
        assert_eq!(pair.server.peer_certificates().map(<[_]>::len), Some(1));
    }
}

/// What a server says to this client that is to show a certificate.
fn refusal(client: impl Fn(&Authority) -> TlsConfigBuilder) -> [TlsError; 2] {
    VERSIONS.map(|version| {
        let authority = Authority::new("authority");
        let shown = authority.issue(&["etcd"], Flaw::None);
        let config = server(&shown, &[version], Some(&authority));
        let (result, pair) = attempt(client(&authority), config, "etcd");
        let error = result.unwrap_err();
        assert!(error.is_before_any_request());
        assert!(pair.served.is_empty());
        error
    })
}

#[test]
fn a_server_that_wants_a_client_certificate_says_so() {
    let required = TlsError::Refused(Refusal::Required);
    // Before 1.3 there is no alert for it, and rustls's server sends one that may mean other things.
    let told = refusal(Authority::trusting);
    assert_eq!(told[1], required);
    assert!(told[0] == required || told[0] == TlsError::NothingInCommon);
    assert!(told[0].to_string().contains("client certificate"));
}

#[test]
fn a_refused_client_certificate_is_told() {
    let other = Authority::new("another");
    let told = refusal(|authority| {
        let mine = other.issue(&["client"], Flaw::None);
        authority
            .trusting()
            .with_client_pem(mine.pem.clone(), mine.key_pem)
    });
    assert_eq!(
        told,
        [(); 2].map(|()| TlsError::Refused(Refusal::UnknownIssuer))
    );
    let told = refusal(|authority| {
        let mine = authority.issue(&["client"], Flaw::Expired);
        authority
            .trusting()
            .with_client_pem(mine.pem.clone(), mine.key_pem)
    });
    assert_eq!(told, [(); 2].map(|()| TlsError::Refused(Refusal::Expired)));
}

#[test]
fn with_tls_1_3_a_refusal_comes_behind_the_handshake_and_before_any_answer() {
    let authority = Authority::new("authority");
    let shown = authority.issue(&["etcd"], Flaw::None);
    let config = server(&shown, &[VERSIONS[1]], Some(&authority));
    let session = authority.trusting().build().unwrap().session("etcd");
    let mut pair = Pair::new(session.unwrap(), &Arc::new(config));
    let hello = pair.client.transmit().to_vec();
    pair.client.handle_written(hello.len());
    pair.serve(&hello);
    let said = pair.said();
    pair.client
        .handle_received(&said, &mut pair.received)
        .unwrap();
    // The client may send now, and does.
    assert!(pair.client.is_connected());
    pair.client.seal(b"a request").unwrap();
    let error = pair.settle().unwrap_err();
    assert_eq!(
        (error, pair.written),
        (TlsError::Refused(Refusal::Required), 9)
    );
    assert!(pair.served.is_empty());
}

#[test]
fn sessions_are_resumed_by_all_clones() {
    for version in VERSIONS {
        let authority = Authority::new("authority");
        let shown = authority.issue(&["etcd"], Flaw::None);
        let config = Arc::new(server(&shown, &[version], None));
        let tls = authority.trusting().build().unwrap();
        let resumed = [tls.clone(), tls.clone(), tls].map(|tls| {
            let pair = Pair::connected(tls.session("etcd").unwrap(), &config);
            pair.client.is_resumed()
        });
        assert_eq!(resumed, [Some(false), Some(true), Some(true)]);
    }
}

#[test]
fn a_server_without_tls_is_told_from_one_with() {
    let authority = Authority::new("authority");
    let tls = authority.trusting().build().unwrap();
    for (said, error) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            TlsError::PlainHttp,
        ),
        (b"HTTP/1.0 403 Forbidden\r\n", TlsError::PlainHttp),
        (b"SSH-2.0-OpenSSH_9.6\r\n", TlsError::NotTls),
        (b"\0\0\x06\x04\0\0\0\0\0", TlsError::NotTls),
    ] {
        let mut session = tls.session("etcd").unwrap();
        assert_eq!(
            session.handle_received(said, &mut Vec::new()),
            Err(error.clone())
        );
        let mut session = tls.session("etcd").unwrap();
        let told = said
            .chunks(1)
            .find_map(|byte| session.handle_received(byte, &mut Vec::new()).err());
        assert_eq!(told, Some(error));
    }
}

#[cfg(feature = "dangerous")]
#[test]
fn anybody_is_taken_only_by_the_call_that_says_so() {
    for version in VERSIONS {
        let authority = Authority::new("authority");
        let shown = authority.issue(&["other"], Flaw::Expired);
        let client = etcd_tls::TlsConfig::builder().danger_accept_any_certificate();
        let (Ok(()), pair) = attempt(client, server(&shown, &[version], None), "etcd") else {
            panic!("refused");
        };
        assert!(pair.client.is_connected());
    }
}
