//! Watches as streams, against a server that sends what each test tells it to.

mod fake;

use std::iter;
use std::pin::Pin;

use etcd_smol::Client;
use etcd_smol::Watch;
use etcd_smol::WatchEnd;
use etcd_smol::WatchEvent;
use etcd_smol::Watcher;
use fake::Fake;
use fake::Reply;
use fake::Seen;
use futures_core::FusedStream;
use smol::stream::StreamExt;

/// The answer to the creation of a watch at revision 6.
fn created(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let id = body
        .split(r#""watch_id":""#)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let id = id.map_or_else(String::new, |id| format!(r#""watch_id":"{id}","#));
    format!(r#"{{"result":{{"header":{{"revision":"6"}},{id}"created":true}}}}"#)
}

/// One put at each of these revisions, as the watch named in `created`.
fn puts(created: String, revisions: impl Iterator<Item = i64>) -> impl Iterator<Item = String> {
    revisions.map(move |revision| {
        let kv = format!(
            r#"{{"key":"a2V5","value":"{}","mod_revision":"{revision}","create_revision":"1","version":"2"}}"#,
            "QUFB".repeat(100)
        );
        created
            .replace(r#""revision":"6""#, &format!(r#""revision":"{revision}""#))
            .replace(r#""created":true"#, &format!(r#""events":[{{"kv":{kv}}}]"#))
    })
}

/// A server that confirms a watch and then tells of a put at each revision from 7 up to `last`.
fn putting(last: i64) -> Fake {
    Fake::start(move |_, body| {
        let created = created(body);
        let puts = puts(created.clone(), 7..=last);
        Reply::Frames(Box::new(iter::once(created).chain(puts)))
    })
}

fn assert_unpin_send_stream<S: futures_core::Stream + FusedStream + Unpin + Send>(_: &S) {}

#[test]
fn a_watch_that_is_awaited_is_canceled_from_elsewhere() {
    let server = putting(6);
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let mut watcher = client.watch(Watch::key("key")).await.unwrap();
        let handle = watcher.handle();
        let waiting = smol::spawn(async move { watcher.next_event().await });
        handle.cancel();
        assert_eq!(waiting.await, Some(WatchEvent::End(WatchEnd::Canceled)));
        // The watch is gone, and then the client: nothing is left to cancel.
        handle.cancel();
        drop(client);
        handle.cancel();
    });
}

#[test]
fn a_watch_is_a_stream_of_batches() {
    let server = putting(9);
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let mut watcher = client.watch(Watch::key("key")).await.unwrap();
        assert_unpin_send_stream(&watcher);
        assert_eq!(watcher.created_revision(), 6);
        for revision in 7..=9 {
            let batch = watcher.next().await.unwrap().unwrap();
            assert_eq!(batch.revision, revision);
            assert_eq!(batch.events[0].kv.key_str(), Ok("key"));
        }
        assert!(!watcher.is_terminated());
        watcher.cancel();
        assert_eq!(watcher.next().await, None);
        assert!(watcher.is_terminated());
        assert_eq!(watcher.next().await, None);
    });
}

#[test]
fn next_event_tells_the_end_once() {
    let server = putting(7);
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let mut watcher = client.watch(Watch::key("key")).await.unwrap();
        assert!(matches!(
            watcher.next_event().await,
            Some(WatchEvent::Batch(_))
        ));
        client.shutdown();
        assert_eq!(
            watcher.next_event().await,
            Some(WatchEvent::End(WatchEnd::Shutdown))
        );
        assert_eq!(watcher.next_event().await, None);
    });
}

#[test]
fn a_watch_that_is_not_read_holds_the_server_back_and_loses_nothing() {
    // Some 10 MB of frames through a buffer of 4 KiB.
    let last = 20_000;
    let server = putting(last);
    smol::block_on(async {
        let mut config = server.config();
        config.limits.watch_buffer_bytes = 4096;
        let client = Client::with_config(config);
        let watcher = client.watch(Watch::key("key")).await.unwrap();
        let revisions = watcher
            .map(|batch| batch.unwrap().revision)
            .take(last as usize - 6);
        let revisions: Vec<i64> = revisions.collect().await;
        assert!(revisions.into_iter().eq(7..=last));
    });
}

#[test]
fn a_watcher_keeps_the_client_alive_and_ends_it_when_it_is_the_last() {
    let server = putting(7);
    smol::block_on(async {
        let (client, driver) = Client::unspawned(server.config(), 1);
        let driver = smol::spawn(driver);
        let mut watcher = client.watch(Watch::key("key")).await.unwrap();
        drop(client);
        assert_eq!(watcher.next().await.unwrap().unwrap().revision, 7);
        drop(watcher);
        driver.await;
        server.wait_for(&Seen::Closed);
    });
}

#[test]
fn a_waiting_watcher_is_woken_by_what_comes() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = Fake::start(move |_, body| {
        let created = created(body);
        let put = puts(created.clone(), 7..=7).next().unwrap();
        let wait = wait.lock().unwrap().recv();
        wait.unwrap();
        Reply::Frames(Box::new([created, put].into_iter()))
    });
    smol::block_on(async {
        let client = Client::with_config(server.config());
        let mut opening = Box::pin(client.watch(Watch::key("key")));
        assert!(smol::future::poll_once(&mut opening).await.is_none());
        server.wait_for(&Seen::Request("/v3/watch".to_owned()));
        go.send(()).unwrap();
        let mut watcher: Watcher = opening.await.unwrap();
        let batch = Pin::new(&mut watcher).next().await.unwrap().unwrap();
        assert_eq!(batch.revision, 7);
    });
}
