//! Much at once: large values, large frames, fragments, and a consumer that is slow.

use std::thread;
use std::time::Duration;

use etcd_core::DeleteRange;
use etcd_core::EventKind;
use etcd_core::Range;
use etcd_core::Watch;

use super::Must;
use super::Stage;
use super::batch;
use super::nothing;
use super::wait_until;
use crate::driver::Driver;
use crate::driver::Watching;

/// Values of 1 MB go there and back, ten of them in one answer, and in one change: with fragments
/// and without.
pub fn large_values_and_frames<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let whole = Watch::prefix("b/").with_prev_kv();
    let mut whole = client.watch(whole.with_fragment(false)).must();
    // Of another client, so on another connection: a watch that is not read holds up its neighbours
    // there once it holds `watch_buffer_bytes`, which these two would.
    let other: D = stage.client();
    let parts = Watch::prefix("b/").with_prev_kv();
    let mut in_parts = other.watch(parts.with_fragment(true)).must();
    let value = |number: u8| -> Vec<u8> {
        let bytes = (0..1 << 20).map(|at: u32| at.to_le_bytes()[0].wrapping_mul(number));
        bytes.collect()
    };
    for number in 0..10 {
        client.put(format!("b/{number}"), value(number)).must();
    }
    let read = client.get(Range::prefix("b/")).must();
    assert_eq!(read.kvs.len(), 10);
    for (number, kv) in (0..).zip(&read.kvs) {
        assert!(kv.value == value(number), "value {number} differs");
    }
    let deleted = client.call(DeleteRange::prefix("b/").with_prev_kv()).must();
    assert_eq!(deleted.prev_kvs.len(), 10);

    for number in 0..10 {
        for watch in [&mut whole, &mut in_parts] {
            let put = batch(watch);
            assert_eq!(put.events.len(), 1);
            assert!(
                put.events[0].kv.value == value(number),
                "value {number} differs"
            );
        }
    }
    for watch in [&mut whole, &mut in_parts] {
        let gone = batch(watch);
        assert_eq!(
            (gone.revision, gone.events.len()),
            (deleted.header.revision, 10)
        );
        for (number, event) in (0..).zip(&gone.events) {
            assert_eq!(event.kind, EventKind::Delete);
            let before = event.prev_kv.as_ref().expect("asked for");
            assert!(before.value == value(number), "value {number} differs");
        }
        nothing(watch);
    }

    // The same as history, in one piece as far as the server likes.
    for fragment in [false, true] {
        let history = Watch::prefix("b/").with_start_revision(1).with_prev_kv();
        let mut history = client.watch(history.with_fragment(fragment)).must();
        for _ in 0..10 {
            assert_eq!(batch(&mut history).events.len(), 1);
        }
        assert_eq!(batch(&mut history).events.len(), 10);
    }
}

/// A watch that is not read holds the server up and not the memory, and then loses nothing.
pub fn a_slow_consumer_loses_nothing<D: Driver>(stage: &mut Stage) {
    let mut config = stage.config();
    config.limits.watch_buffer_bytes = 64 << 10;
    let slow = D::with_config(config);
    let mut watch = slow.watch(Watch::prefix("v/")).must();
    let writer: D = stage.client();
    let mut written = Vec::new();
    for number in 0..SLOW_PUTS {
        let value = vec![b'a' + u8::try_from(number % 26).must(); SLOW_BYTES];
        written.push(
            writer
                .put(format!("v/{number:04}"), value)
                .must()
                .header
                .revision,
        );
    }
    // It has stopped reading long before all there is has come.
    let mut read = 0;
    wait_until("the client has stopped reading", || {
        thread::sleep(Duration::from_millis(100));
        slow.stats().bytes_in == std::mem::replace(&mut read, slow.stats().bytes_in)
    });
    let all = u64::try_from(SLOW_PUTS * SLOW_BYTES).must();
    assert!(read < all / 4, "it has read {read} bytes of {all}");
    // Calls of the same client go on.
    assert_eq!(slow.get("v/0000").must().count, 1);

    for (number, revision) in written.iter().enumerate() {
        let told = batch(&mut watch);
        assert_eq!((told.revision, told.events.len()), (*revision, 1));
        let kv = &told.events[0].kv;
        assert_eq!(kv.key, format!("v/{number:04}"));
        assert_eq!(kv.value.len(), SLOW_BYTES);
        if number % 200 == 0 {
            thread::sleep(Duration::from_millis(10));
        }
    }
    nothing(&mut watch);
    assert!(watch.created_revision() < written[0]);
    assert_eq!(slow.stats().resumes, 0);
}

const SLOW_PUTS: usize = 2000;
const SLOW_BYTES: usize = 16 << 10;
