//! A client that is recorded: what it did replays the same, and nobody notices a file that cannot be
//! written.

mod fake;

use std::fs;
use std::path::PathBuf;

use etcd_smol::Client;
use etcd_smol::Config;
use etcd_smol::Credentials;
use etcd_smol::etcd_core::trace;
use etcd_smol::etcd_core::trace::Recording;
use fake::Fake;
use fake::ONE_KEY;
use fake::Reply;
use smol::future;

/// A file of this test's own, which is not there yet.
fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("smol-{name}-{}.rec", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn what_was_recorded_replays_and_hides_its_secrets() {
    let server = Fake::start(|path, _| match path {
        "/v3/auth/authenticate" => Reply::json(r#"{"token":"the-t0ken.1"}"#),
        _ => Reply::json(ONE_KEY),
    });
    let path = file("life");
    let mut config: Config = server.config();
    let credentials = Credentials::password("root", "the-passw0rd").unwrap();
    config.set_credentials(credentials).unwrap();
    smol::block_on(async {
        let (client, driver) = Client::unspawned(config, 7);
        let recording = Recording::new().with_secret_prefix("fo");
        client.record_with(&path, recording).unwrap();
        let work = async move {
            for _ in 0..20 {
                let (read, written) =
                    future::zip(client.get("foo"), client.put("foo", "the-s3cret")).await;
                assert_eq!(read.unwrap().kvs[0].value, "bar");
                written.unwrap();
            }
            assert!(client.record_to("other").is_err(), "too late for another");
            let stats = client.recorded().unwrap().unwrap();
            assert!(stats.bytes > 10_000 && !stats.is_full);
        };
        future::zip(driver, work).await;
    });
    let text = fs::read_to_string(&path).unwrap();
    let replayed = trace::replay(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        replayed.is_complete && replayed.inputs > 100,
        "{replayed:?}"
    );
    // "bar" is the value of a key that is marked.
    for secret in ["the-t0ken", "the-passw0rd", "dGhlLXMzY3JldA==", "YmFy"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let server = Fake::answering(ONE_KEY);
    smol::block_on(async {
        let client = Client::with_config(server.config());
        client.record_to("/dev/full").unwrap();
        assert_eq!(client.get("foo").await.unwrap().count, 1);
        let error = client.recorded().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");

        let client = Client::with_config(server.config());
        assert!(client.record_to("/no/such/folder/x.rec").is_err());
        assert!(client.recorded().unwrap().is_none());
        client.get("foo").await.unwrap();
    });
}
