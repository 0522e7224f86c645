//! Real etcd servers with TLS, on both drivers: each success, and each refusal with its message.
#![allow(clippy::unwrap_used, reason = "it is a test")]

mod authority;

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use etcd_core::Applied;
use etcd_core::AuthEnable;
use etcd_core::Cause;
use etcd_core::CloseReason;
use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::Error;
use etcd_core::Fault;
use etcd_core::NetErrorKind;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::UserAdd;
use etcd_core::UserGrantRole;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_tests::Proxy;
use etcd_tests::Server;
use etcd_tests::driver::Driver;
use etcd_tests::driver::Watching;
use etcd_tls::TlsConfigBuilder;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::date_time_ymd;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use authority::Authority;
use authority::Issued;
use authority::named;

/// Each test on both drivers.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_std {
            $(#[test]
            fn $name() {
                super::$name::<etcd_std::Client>();
            })+
        }
        mod on_smol {
            $(#[test]
            fn $name() {
                super::$name::<etcd_smol::Client>();
            })+
        }
    };
}

on_both!(
    everything_works_over_tls,
    tls_goes_through_a_proxys_tunnel,
    a_client_certificate_is_shown_and_can_be_renewed,
    a_client_certificate_that_is_not_taken_is_told,
    a_server_that_is_not_to_be_trusted_is_told,
    an_expired_server_is_told,
    http_and_https_mixed_up_are_told,
    a_server_that_resets_the_handshake_is_told,
    a_common_name_is_refused_by_the_gateway_and_told,
    an_answer_that_was_cut_is_none,
);

#[test]
fn an_event_loop_of_ones_own_has_tls() {
    let authority = Authority::new("authority", "custom-loop");
    let Some(server) = authority.serve(&authority.issue(|_| {}), true) else {
        return;
    };
    let mine = authority.issue(|_| {});
    let (cert, key) = ("client.pem", "client.key");
    let cert = authority.write(cert, &mine.pem);
    let key = authority.write(key, &mine.key);
    let run = |with_certificate: bool| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args([
                "run",
                "--quiet",
                "--profile",
                "test",
                "--package",
                "etcd-core",
            ])
            .args(["--example", "custom_loop", "--"])
            .arg(format!("https://localhost:{}", server.tls_port().unwrap()))
            .env("ETCD_CACERT", authority.write("ca.pem", &authority.pem()));
        if with_certificate {
            command.env("ETCD_CERT", &cert).env("ETCD_KEY", &key);
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        (told, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (told, complaint) = run(true);
    let seen = ["one", "two", "three"].map(|name| told.contains(&format!("custom_loop/{name}")));
    assert_eq!(seen, [true; 3], "{told}{complaint}");
    let (_, complaint) = run(false);
    assert!(
        complaint.contains("the server wants a client certificate"),
        "{complaint}"
    );
}

/// A server without TLS that does not read what it does not understand: closing then resets.
fn a_server_that_resets_the_handshake_is_told<D: Driver>() {
    let authority = Authority::new("authority", &format!("reset-{}", D::NAME));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config("https", "127.0.0.1", listener.local_addr().unwrap().port());
    config.max_attempts = 1;
    let client = D::with_tls(config, authority.trusting().build().unwrap());
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            // Something is there, and is not read.
            let len = stream.peek(&mut [0; 1]).unwrap();
            assert_eq!(len, 1);
        });
        client.call(Put::new("k", "v")).unwrap_err()
    });
    assert_eq!(error.applied(), Applied::No);
    assert!(error.to_string().contains("use http://"), "{error}");
}

/// Answers the next request with a body that ends with the connection, with or without the word that it
/// does.
fn answer_one(listener: &TcpListener, config: &Arc<ServerConfig>, says_so: bool) {
    let (socket, _) = listener.accept().unwrap();
    let tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(tls, socket);
    let mut asked = Vec::new();
    while !asked.ends_with(b"}") {
        let mut buf = [0; 4096];
        let len = stream.read(&mut buf).unwrap();
        assert!(len > 0, "it ended within its request");
        asked.extend_from_slice(&buf[..len]);
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"count\":\"7\"}")
        .unwrap();
    if says_so {
        stream.conn.send_close_notify();
    }
    stream.flush().unwrap();
}

fn an_answer_that_was_cut_is_none<D: Driver>() {
    let authority = Authority::new("authority", &format!("cut-{}", D::NAME));
    let shown = authority.issue(|_| {});
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::from_pem_slice(shown.pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
    let served = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let served = Arc::new(served);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = config("https", "127.0.0.1", port);
    config.max_attempts = 1;
    let client = D::with_tls(config, authority.trusting().build().unwrap());

    let ask = |says_so| {
        thread::scope(|scope| {
            scope.spawn(|| answer_one(&listener, &served, says_so));
            client.get(Range::key("k"))
        })
    };
    let error = ask(false).unwrap_err();
    let Error::Unavailable {
        cause: Cause::ConnectionLost(CloseReason::Net(cut)),
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(cut.kind, NetErrorKind::TlsBroken, "{error}");
    assert_eq!(ask(true).unwrap().count, 7);
}

/// A configuration with this endpoint, and a deadline that a failure comes within.
fn config(scheme: &str, host: &str, port: u16) -> Config {
    let mut config = Config::new([format!("{scheme}://{host}:{port}")]).unwrap();
    config.read_timeout = Duration::from_secs(3);
    config.write_timeout = Duration::from_secs(3);
    config.connect_timeout = Duration::from_secs(1);
    config
}

fn client<D: Driver>(server: &Server, host: &str, tls: TlsConfigBuilder) -> D {
    let port = server.tls_port().unwrap();
    D::with_tls(config("https", host, port), tls.build().unwrap())
}

/// What a put and a watch by this client end with: a failure to connect, of this kind, and its text.
fn refused<D: Driver>(client: &D, kind: NetErrorKind) -> String {
    let error = client.call(Put::new("refused", "v")).unwrap_err();
    // Nothing of it can have happened, whatever was sent before the server said so.
    assert_eq!(error.applied(), Applied::No, "{error}");
    let Error::Unavailable {
        cause: Cause::ConnectFailed(found),
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(found.kind, kind, "{error}");
    found.message.clone()
}

fn everything_works_over_tls<D: Driver>() {
    let authority = Authority::new("authority", &format!("works-{}", D::NAME));
    let Some(server) = authority.serve(&authority.issue(|_| {}), false) else {
        return;
    };
    for host in ["127.0.0.1", "localhost"] {
        let client: D = client(&server, host, authority.trusting());
        let key = format!("tls/{host}");
        let mut watch = client.watch(Watch::prefix("tls/")).unwrap();
        client.call(Put::new(&*key, "v")).unwrap();
        let told = watch.next_within(Duration::from_secs(5));
        let Ok(Some(WatchEvent::Batch(batch))) = told else {
            panic!("{told:?}");
        };
        assert_eq!(batch.events[0].kv.key, key.as_bytes());

        // Many records each way, and back again.
        let large = vec![b'x'; 1 << 20];
        client.call(Put::new("large", large.clone())).unwrap();
        let read = client.get(Range::key("large")).unwrap();
        assert_eq!(read.kvs[0].value, large);
        let stats = client.stats();
        assert!(stats.connections_open >= 2);
        client.shutdown();
    }
}

fn tls_goes_through_a_proxys_tunnel<D: Driver>() {
    let authority = Authority::new("authority", &format!("tunnel-{}", D::NAME));
    let Some(server) = authority.serve(&authority.issue(|_| {}), false) else {
        return;
    };
    let proxy = Proxy::tunnelling("").unwrap();
    let port = server.tls_port().unwrap();
    // What has TLS has a tunnel whatever is asked for without.
    for is_absolute in [false, true] {
        let mut config = config("https", "127.0.0.1", port);
        let through: etcd_core::Proxy = proxy.endpoint().parse().unwrap();
        config.proxy = Some(match is_absolute {
            true => through.with_absolute_form(),
            false => through,
        });
        let client = D::with_tls(config, authority.trusting().build().unwrap());
        let mut watch = client.watch(Watch::key("tunnel")).unwrap();
        client.call(Put::new("tunnel", "v")).unwrap();
        let told = watch.next_within(Duration::from_secs(5));
        assert!(matches!(told, Ok(Some(WatchEvent::Batch(_)))), "{told:?}");
        client.shutdown();
    }
    assert!(proxy.accepted() >= 4, "{}", proxy.accepted());
}

fn a_client_certificate_is_shown_and_can_be_renewed<D: Driver>() {
    let authority = Authority::new("authority", &format!("mutual-{}", D::NAME));
    let Some(server) = authority.serve(&authority.issue(|_| {}), true) else {
        return;
    };
    let from_memory: D = client(
        &server,
        "127.0.0.1",
        authority.with_client(&authority.issue(|_| {})),
    );
    from_memory.call(Put::new("k", "v")).unwrap();

    // From files: one that is of no use any more, then a renewed one, with the same client.
    let expired = authority.issue(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let cert = authority.write("client.pem", &expired.pem);
    let key = authority.write("client.key", &expired.key);
    let tls = authority.trusting().with_client_files(&cert, &key);
    let client: D = client(&server, "127.0.0.1", tls);
    refused(&client, NetErrorKind::CertificateRefused);
    let renewed = authority.issue(|_| {});
    authority.write("client.pem", &renewed.pem);
    authority.write("client.key", &renewed.key);
    client.call(Put::new("k", "w")).unwrap();
    // Taking the files away ends nothing.
    fs::remove_file(cert).unwrap();
    fs::remove_file(key).unwrap();
    client.call(Put::new("k", "x")).unwrap();
}

fn a_client_certificate_that_is_not_taken_is_told<D: Driver>() {
    let authority = Authority::new("authority", &format!("refused-{}", D::NAME));
    let Some(server) = authority.serve(&authority.issue(|_| {}), true) else {
        return;
    };
    let without: D = client(&server, "127.0.0.1", authority.trusting());
    let text = refused(&without, NetErrorKind::CertificateRefused);
    assert_eq!(
        text,
        "the server wants a client certificate; give one and its key"
    );

    let stranger = Authority::new("stranger", &format!("stranger-{}", D::NAME)).issue(|_| {});
    let unknown: D = client(&server, "127.0.0.1", authority.with_client(&stranger));
    let text = refused(&unknown, NetErrorKind::CertificateRefused);
    assert!(
        text.starts_with("the server refused the client certificate: it "),
        "{text}"
    );
    assert!(text.contains("--trusted-ca-file"), "{text}");

    let mine = authority.issue(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let wrong_use: D = client(&server, "127.0.0.1", authority.with_client(&mine));
    let text = refused(&wrong_use, NetErrorKind::CertificateRefused);
    assert!(text.contains("clientAuth"), "{text}");
}

fn a_server_that_is_not_to_be_trusted_is_told<D: Driver>() {
    let authority = Authority::new("authority", &format!("wrong-{}", D::NAME));
    let shown = authority.issue(|params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("etcd-1".try_into().unwrap())];
    });
    let Some(server) = authority.serve(&shown, false) else {
        return;
    };
    let wrong_name: D = client(&server, "127.0.0.1", authority.trusting());
    assert_eq!(
        refused(&wrong_name, NetErrorKind::Certificate),
        "the server's certificate is for etcd-1 and not for 127.0.0.1; ask by a name that is in \
         it, or set the server name"
    );
    let by_its_name = authority.trusting().with_server_name("etcd-1");
    client::<D>(&server, "127.0.0.1", by_its_name)
        .call(Put::new("k", "v"))
        .unwrap();

    // Another authority of the same name, as when one is made anew.
    let renewed = Authority::new("authority", &format!("renewed-{}", D::NAME));
    let renewed: D = client(&server, "127.0.0.1", renewed.trusting());
    let text = refused(&renewed, NetErrorKind::Certificate);
    assert!(
        text.contains("if the authority was made anew, give its"),
        "{text}"
    );

    let other = Authority::new("other", &format!("other-{}", D::NAME));
    let unknown: D = client(&server, "127.0.0.1", other.trusting());
    assert_eq!(
        refused(&unknown, NetErrorKind::Certificate),
        "the server's certificate comes from an authority that is not trusted here; give that \
         authority's certificate as a root"
    );
}

fn an_expired_server_is_told<D: Driver>() {
    let authority = Authority::new("authority", &format!("expired-{}", D::NAME));
    let expired = authority.issue(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let Some(server) = authority.serve(&expired, false) else {
        return;
    };
    let client: D = client(&server, "127.0.0.1", authority.trusting());
    let text = refused(&client, NetErrorKind::Certificate);
    assert!(
        text.starts_with("the server's certificate expired "),
        "{text}"
    );
    assert!(
        text.ends_with(" days ago; renew it, or set this machine's clock"),
        "{text}"
    );
}

fn http_and_https_mixed_up_are_told<D: Driver>() {
    let authority = Authority::new("authority", &format!("mixed-{}", D::NAME));
    let Some(server) = authority.serve(&authority.issue(|_| {}), false) else {
        return;
    };
    let tls = authority.trusting().build().unwrap();
    let to_plain = config("https", "127.0.0.1", server.client_port());
    let error = D::with_tls(to_plain, tls)
        .call(Put::new("k", "v"))
        .unwrap_err();
    assert_eq!(error.applied(), Applied::No);
    assert!(error.to_string().contains("use http://"), "{error}");

    let to_tls = config("http", "127.0.0.1", server.tls_port().unwrap());
    let error = D::with_config(to_tls).call(Range::key("k")).unwrap_err();
    assert!(error.to_string().contains("use https://"), "{error}");
}

fn a_common_name_is_refused_by_the_gateway_and_told<D: Driver>() {
    let authority = Authority::new("authority", &format!("common-name-{}", D::NAME));
    let Some(server) = authority.serve(&authority.issue(|_| {}), true) else {
        return;
    };
    let nameless = authority.issue(|_| {});
    let root: D = client(&server, "127.0.0.1", authority.with_client(&nameless));
    root.call(UserAdd::new("root", "secret")).unwrap();
    root.call(UserGrantRole::new("root", "root")).unwrap();
    root.call(AuthEnable::new()).unwrap();

    let with_name = authority.issue(|params| params.distinguished_name = named("root"));
    let port = server.tls_port().unwrap();
    let with = |issued: &Issued| -> D {
        let mut config = config("https", "127.0.0.1", port);
        let credentials = Credentials::password("root", "secret").unwrap();
        config.set_credentials(credentials).unwrap();
        D::with_tls(config, authority.with_client(issued).build().unwrap())
    };
    with(&nameless).call(Put::new("k", "v")).unwrap();
    let error = with(&with_name).call(Put::new("k", "w")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("refuses client certificates with a CommonName"),
        "{text}"
    );
    let diagnosis = error.status().and_then(|status| status.diagnosis());
    assert_eq!(
        diagnosis.map(|diagnosis| diagnosis.fault),
        Some(Fault::CommonName)
    );
    assert_eq!(error.applied(), Applied::No);
}
