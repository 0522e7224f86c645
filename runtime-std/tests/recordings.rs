//! A client that is recorded: what it did replays the same, and nobody notices a file that cannot be
//! written.

mod common;

use std::fs;
use std::path::PathBuf;
use std::thread;

use common::Server;
use etcd_std::Client;
use etcd_std::Config;
use etcd_std::Credentials;
use etcd_std::etcd_core::trace;
use etcd_std::etcd_core::trace::Recording;

/// A file of this test's own, which is not there yet.
fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("std-{name}-{}.rec", std::process::id()));
    for old in [path.clone(), older(&path)] {
        let _ = fs::remove_file(old);
    }
    path
}

fn older(path: &std::path::Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[test]
fn what_was_recorded_replays_and_hides_its_secrets() {
    let server = Server::start(|request, stream| match request.path.as_str() {
        "/v3/auth/authenticate" => {
            common::answer(stream, r#"{"token":"the-t0ken.1"}"#);
            true
        }
        "/v3/watch" if request.body.contains("create_request") => {
            common::created(request, stream);
            common::event(request, stream, 2);
            // The watch goes on elsewhere.
            false
        }
        _ => common::echo(request, stream),
    });
    let path = file("life");
    let mut config = Config::new([server.endpoint()]).unwrap();
    let credentials = Credentials::password("root", "the-passw0rd").unwrap();
    config.set_credentials(credentials).unwrap();
    let client = Client::with_seed(config, 7);
    let recording = Recording::new().with_secret_prefix("secret/");
    client.record_with(&path, recording).unwrap();
    assert!(client.record_to(&path).is_ok(), "it was told nothing yet");
    let recording = Recording::new().with_secret_prefix("secret/");
    client.record_with(&path, recording).unwrap();

    let mut watch = client.watch("k").unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                for call in 0..10 {
                    client.get(format!("k{thread}/{call}")).unwrap();
                    client.put("secret/k", "the-s3cret").unwrap();
                }
            });
        }
        assert!(watch.next_event().is_some());
    });
    assert!(client.record_to(&path).is_err(), "too late for another");
    let stats = client.recorded().unwrap().unwrap();
    assert!(stats.bytes > 10_000 && !stats.is_full);
    drop(client);
    drop(watch);

    let text = fs::read_to_string(&path).unwrap();
    let replayed = trace::replay(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        replayed.is_complete && replayed.inputs > 200,
        "{replayed:?}"
    );
    for secret in [
        "the-t0ken",
        "the-passw0rd",
        "dGhlLXMzY3JldA==",
        "the-s3cret",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(fs::metadata(older(&path)).is_ok(), "the one before is kept");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o77, 0);
    }
}

#[test]
fn a_program_that_ends_at_once_leaves_what_happened() {
    let server = Server::start(common::echo);
    let path = file("cut");
    let client = Client::connect([server.endpoint()]).unwrap();
    client.record_to(&path).unwrap();
    client.get("k").unwrap();
    // As a kill would leave it: nothing was dropped.
    let replayed = trace::replay(&fs::read(&path).unwrap()).unwrap();
    assert!(!replayed.is_complete && replayed.inputs >= 4);
    drop(client);
    assert!(
        trace::replay(&fs::read(&path).unwrap())
            .unwrap()
            .is_complete
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let server = Server::start(common::echo);
    let client = Client::connect([server.endpoint()]).unwrap();
    client.record_to("/dev/full").unwrap();
    assert_eq!(client.get("k").unwrap().kvs[0].value, "k");
    let error = client.recorded().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");

    let client = Client::connect([server.endpoint()]).unwrap();
    assert!(client.record_to("/no/such/folder/x.rec").is_err());
    assert!(client.recorded().unwrap().is_none());
    client.get("k").unwrap();
}
