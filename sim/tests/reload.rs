//! A program that keeps a configuration up to date, tested in a hundred faulty worlds.
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use etcd_core::{EventKind, Range, Watch, bytes::Bytes};
use etcd_sim::net::Faults;
use etcd_sim::world::Between;
use etcd_sim::{Client, World};

type Copy = Rc<RefCell<BTreeMap<Bytes, Bytes>>>;

/// The program: keeps a copy of everything under `/config/`, for ever.
async fn follow(client: Client, copy: Copy) {
    loop {
        let Ok(all) = client.get(Range::prefix("/config/")).await else {
            continue;
        };
        let pairs = all.kvs.into_iter().map(|kv| (kv.key, kv.value));
        *copy.borrow_mut() = pairs.collect();
        let next = Watch::prefix("/config/").with_start_revision(all.header.revision + 1);
        let Ok(mut changes) = client.watch(next).await else {
            continue;
        };
        while let Some(Ok(batch)) = changes.next().await {
            let mut copy = copy.borrow_mut();
            for event in batch.events {
                match event.kind {
                    EventKind::Delete => copy.remove(&event.kv.key),
                    _ => copy.insert(event.kv.key, event.kv.value),
                };
            }
        }
    }
}

#[test]
fn the_copy_follows_in_a_hundred_faulty_worlds() {
    for seed in 0..100 {
        let world = World::new(seed);
        world.set_faults(Between::all(), Faults::all(50));
        let (copy, writer) = (Copy::default(), world.client());
        world.spawn(follow(world.client(), copy.clone())).detach();
        world.block_on(async {
            for number in 0..15 {
                world.stop(number % 3);
                let key = format!("/config/{}", number % 4);
                let _ = writer.put(key, number.to_string()).await;
                world.start(number % 3);
                world.sleep(Duration::from_millis(300)).await;
            }
            world.calm();
            world.sleep(Duration::from_secs(15)).await;
            let truth = writer.get(Range::prefix("/config/")).await.unwrap().kvs;
            let truth = truth.into_iter().map(|kv| (kv.key, kv.value)).collect();
            assert_eq!(*copy.borrow(), truth, "seed {seed}");
        });
    }
}
