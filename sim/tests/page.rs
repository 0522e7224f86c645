//! The page for users (README.md): that its program is the tested one, and that such a test finds the
//! mistake the page tells of.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use etcd_core::bytes::Bytes;
use etcd_core::{Range, Watch};
use etcd_sim::net::Faults;
use etcd_sim::world::Between;
use etcd_sim::{Client, World};

#[test]
fn the_page_shows_the_program_that_is_tested() {
    let page = include_str!("../README.md");
    let (_, rest) = page.split_once("```rust,ignore\n//!").expect("a program");
    let (program, _) = rest.split_once("```\n").expect("its end");
    assert_eq!(format!("//!{program}"), include_str!("reload.rs"));
    assert!(include_str!("reload.rs").lines().count() < 60);
}

/// As the page's program, but it watches from wherever the store is by then: what changes between the
/// read and the watch is missed.
async fn follow_with_a_gap(client: Client, copy: Rc<RefCell<BTreeMap<Bytes, Bytes>>>) {
    loop {
        let Ok(all) = client.get(Range::prefix("/config/")).await else {
            continue;
        };
        let pairs = all.kvs.into_iter().map(|kv| (kv.key, kv.value));
        *copy.borrow_mut() = pairs.collect();
        let Ok(mut changes) = client.watch(Watch::prefix("/config/")).await else {
            continue;
        };
        while let Some(Ok(batch)) = changes.next().await {
            let mut copy = copy.borrow_mut();
            for event in batch.events {
                copy.insert(event.kv.key, event.kv.value);
            }
        }
    }
}

#[test]
fn a_gap_between_the_read_and_the_watch_is_found() {
    let lost = (0..100).filter(|seed| {
        let world = World::new(*seed);
        world.set_faults(Between::all(), Faults::all(50));
        let (copy, writer) = (Rc::default(), world.client());
        world
            .spawn(follow_with_a_gap(world.client(), Rc::clone(&copy)))
            .detach();
        world.block_on(async {
            for number in 0..4 {
                let key = format!("/config/{number}");
                let _ = writer.put(key, number.to_string()).await;
                world.sleep(Duration::from_millis(10)).await;
            }
            world.calm();
            world.sleep(Duration::from_secs(15)).await;
            let truth = writer.get(Range::prefix("/config/")).await.unwrap();
            copy.borrow().len() as i64 != truth.count
        })
    });
    let lost = lost.count();
    assert!(lost > 5, "{lost} of 100 worlds found it");
}
