//! What a client holds of what it read.

mod support;

use etcd_core::KeyValue;
use support::World;

#[test]
fn an_answer_of_nearly_nothing_is_refused_by_its_weight() {
    let body = |count: usize| format!("{{\"kvs\":[{}]}}", vec!["{}"; count].join(","));
    // Each takes so much, and its text in the list allows 24; what is around the list allows 72.
    let fits = (64 * 1024 + 72) / (size_of::<KeyValue>() - 24);
    let mut world = World::after("client a\nget k\nopen 1");
    let told = world
        .run(&format!("answer 1 200 {}", body(fits)))
        .join("\n");
    assert!(told.contains("call 1: Range"), "{told}");

    let mut world = World::after("client a\nget k\nopen 1");
    world.run(&format!("answer 1 200 {}", body(fits + 1)));
    let told = world.run("wait 5s").join("\n");
    let limit = 8 * body(fits + 1).len() + 64 * 1024;
    let error = format!("elements of its lists take more than {limit} bytes of memory");
    assert!(told.contains("call 1: Unavailable"), "{told}");
    assert!(told.contains(&error), "{told}");
}
