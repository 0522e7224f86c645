//! Snapshots and observations on a real server.

use std::fs;
use std::thread;
use std::time::Duration;

use etcd_core::CallOptions;
use etcd_core::Error;
use etcd_core::LeaseGrant;
use etcd_core::LeaseRevoke;
use etcd_core::ObserveResponse;
use etcd_core::Put;
use sha2::Digest;
use sha2::Sha256;

use super::A_WHILE;
use super::Must;
use super::PATIENCE;
use super::Stage;
use super::wait_until;
use crate::driver::Driver;
use crate::driver::Elapsed;
use crate::driver::Observing;
use crate::driver::Snapshotting;
use crate::http;

/// A snapshot is what its checksum says, chunk by chunk and as a file.
pub fn a_snapshot_is_whole_and_right<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    // Several frames, and more than one buffer of the client.
    let marker = "a value that must be in the store";
    for place in 0..300 {
        let value = format!("{marker} {}", "x".repeat(6000));
        client.put(format!("s/{place}"), value).must();
    }

    let mut snapshot = client.snapshot_with(CallOptions::default());
    assert!(snapshot.summary().is_none());
    let mut store = Vec::new();
    let mut chunks = 0;
    while let Some(chunk) = snapshot.next_chunk() {
        let chunk = chunk.must();
        store.extend_from_slice(&chunk.blob);
        chunks += 1;
        if chunks == 1 {
            assert!(chunk.remaining_bytes > 1 << 20, "{}", chunk.remaining_bytes);
            // Nobody reads for a while; nothing is lost of it.
            thread::sleep(A_WHILE);
        }
    }
    let summary = snapshot.summary().expect("it came whole");
    assert!(chunks > 32, "{chunks} chunks");
    assert_eq!(
        (summary.bytes, summary.bytes % 512),
        (store.len() as u64, 0)
    );
    assert_eq!(summary.sha256, <[u8; 32]>::from(Sha256::digest(&store)));
    let found = store.windows(marker.len());
    assert!(found.filter(|window| *window == marker.as_bytes()).count() >= 300);
    assert!(snapshot.next_chunk().is_none());

    let path = stage.server.folder().join("snapshot.db");
    let part = stage.server.folder().join("snapshot.db.part");
    fs::write(&path, "an older one").must();
    fs::write(&part, "left behind").must();
    let options = CallOptions::default().with_endpoint(stage.server.endpoint().parse().must());
    let saved = client.snapshot_with(options).save_to(&path).must();
    let file = fs::read(&path).must();
    assert_eq!(file.len() as u64, saved.bytes + 32);
    let (store, sum) = file.split_at(file.len() - 32);
    assert_eq!(saved.sha256, <[u8; 32]>::from(Sha256::digest(store)));
    assert_eq!(saved.sha256, sum);
    assert!(!part.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&path).must().permissions().mode() & 0o777,
            0o600
        );
    }
}

/// A snapshot that fails leaves the file that was there, and nothing of its own.
pub fn a_failed_snapshot_leaves_no_file<D: Driver>(stage: &mut Stage) {
    let mut config = stage.config();
    config.read_timeout = Duration::from_millis(300);
    let client = D::with_config(config);
    let path = stage.server.folder().join("snapshot.db");
    let part = stage.server.folder().join("snapshot.db.part");
    fs::write(&path, "an older one").must();
    stage.server.kill().must();

    let error = client
        .snapshot_with(CallOptions::default())
        .save_to(&path)
        .must_fail();
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    assert!(
        matches!(inside, Some(Error::Unavailable { .. })),
        "{error:?}"
    );
    assert_eq!(fs::read_to_string(&path).must(), "an older one");
    assert!(!part.exists());

    stage.server.restart().must();
    client
        .snapshot_with(CallOptions::default())
        .save_to(&path)
        .must();
}

/// A dropped snapshot and a dropped observation give their connections back.
pub fn what_is_dropped_is_closed<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let before = stage.connections();
    let snapshot = client.snapshot_with(CallOptions::default());
    let observer = client.observe("el");
    wait_until("both have a connection", || {
        client.stats().connections_open >= 1
    });
    drop((snapshot, observer));
    wait_until("they are closed", || stage.connections() == before);
}

/// An observation tells each leader once, over a restart of the server, and nothing while there is
/// none.
pub fn leaders_are_told_once<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut observer = client.observe("el");
    assert_eq!(observer.next_within(A_WHILE), Err(Elapsed), "nobody leads");

    let first = client.call(LeaseGrant::new(60)).must().id;
    let second = client.call(LeaseGrant::new(60)).must().id;
    campaign(stage, first, "djE=");
    let leader = next(&mut observer);
    assert_eq!(leader.kv.value, "v1");
    assert_eq!(leader.kv.key, format!("el/{first:x}"));
    assert_eq!(leader.kv.lease, first);

    // A second candidate waits; the first one proclaims something, and leaves.
    client
        .call(Put::new(format!("el/{second:x}"), "v2").with_lease(second))
        .must();
    assert_eq!(observer.next_within(A_WHILE), Err(Elapsed), "it only waits");
    client
        .call(Put::new(leader.kv.key.clone(), "v1, still").with_lease(first))
        .must();
    assert_eq!(next(&mut observer).kv.value, "v1, still");
    client.call(LeaseRevoke::new(first)).must();
    let leader = next(&mut observer);
    assert_eq!(
        (&leader.kv.value[..], leader.kv.lease),
        (&b"v2"[..], second)
    );

    // The same leader after a restart is not told again; what it proclaims then is.
    stage.server.kill().must();
    stage.server.restart().must();
    wait_until("it observes again", || client.stats().resumes == 1);
    client
        .call(Put::new(leader.kv.key.clone(), "v3").with_lease(second))
        .must();
    assert_eq!(next(&mut observer).kv.value, "v3");

    observer.cancel();
    assert_eq!(observer.next_within(PATIENCE), Ok(None));
}

/// Becomes the leader, by the server's election service.
fn campaign(stage: &Stage, lease: i64, value: &str) {
    let json = format!(r#"{{"name":"ZWw=","lease":"{lease}","value":"{value}"}}"#);
    let port = stage.server.client_port();
    let answer = http::post(port, "/v3/election/campaign", &json, PATIENCE).must();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[track_caller]
fn next(observer: &mut impl Observing) -> ObserveResponse {
    match observer.next_within(PATIENCE) {
        Ok(Some(Ok(leader))) => leader,
        other => panic!("wanted a leader, got {other:?}"),
    }
}
