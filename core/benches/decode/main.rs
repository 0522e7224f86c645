//! How fast answers are read and requests written, without sockets: `cargo bench -p etcd-core`.
//!
//! The same data goes through this crate, through serde_json's `Value` with base64 (what other clients
//! of the gateway do) and, as protobuf, through prost. All take turns, so that a busy machine is
//! busy for all. Data is made from a seed, in exactly the form of the servers in `testdata`.
//!
//! ```text
//! --quick       a few rounds of little data: that it works, not how fast it is
//! --only WORD   only rows whose name has this word
//! --count N     each way N times and nothing measured: for callgrind
//! ```
#![expect(
    clippy::disallowed_types,
    reason = "a bench reads the clock; nothing of it is in the core"
)]

mod data;
mod harness;
mod machine;
mod peers;

use std::process::ExitCode;

use etcd_core::Put;
use etcd_core::Range;
use etcd_core::gateway;

use harness::Options;
use harness::Table;
use harness::Way;

fn main() -> ExitCode {
    let Some(options) = Options::from_args() else {
        eprintln!("usage: cargo bench -p etcd-core -- [--quick] [--only WORD] [--count N]");
        return ExitCode::from(2);
    };
    let part = if options.quick { 100 } else { 1 };
    let table = Table::new(options);

    range(&table, "range 10,000 x 100 B", 10_000 / part, 100);
    range(&table, "range 1,000 x 4 KiB", 1_000 / part, 4096);
    watch(&table, 20_000 / part);
    for (name, len) in [("100 B", 100), ("4 KiB", 4096), ("1 MiB", 1 << 20)] {
        put(&table, &format!("put {name}: write"), len);
    }
    rounds(&table);
    ExitCode::SUCCESS
}

/// Reading the answer to a range.
fn range(table: &Table, name: &str, count: usize, len: usize) {
    let kvs = data::kvs(count, len);
    let json = data::range_json(&kvs);
    let proto = data::range_proto(&kvs);
    let ours = || gateway::decode_answer::<Range>(200, &json).expect("an answer");
    let parsed = ours();
    let same = parsed.kvs.iter().map(|kv| &kv.value[..]);
    assert!(
        same.eq(kvs.iter().map(|kv| &kv.value[..])),
        "both have the same values"
    );
    table.row(
        name,
        "kv",
        count,
        json.len(),
        &mut [
            Way::new("etcd-core", || ours().kvs.len()),
            Way::new("Value + base64", || peers::range_value(&json)),
            Way::new("prost", || peers::range_proto(&proto)),
        ],
    );
}

/// Reading a stream of small changes, one to a frame.
fn watch(table: &Table, count: usize) {
    let kvs = data::kvs(count, 16);
    let json = data::watch_json(&kvs);
    let proto = data::watch_proto(&kvs);
    let mut watching = machine::Watching::new();
    let body = data::chunked(&json);
    assert_eq!(
        watching.read(&body),
        count,
        "the machine delivers every event"
    );
    let stream = json.concat();
    assert_eq!(peers::frames(&stream), count, "and so do frames");
    table.row(
        "watch, small events",
        "event",
        count,
        stream.len(),
        &mut [
            Way::new("etcd-core, frames", || peers::frames(&stream)),
            Way::new("etcd-core, machine", || {
                machine::Watching::new().read(&body)
            }),
            Way::new("Value + base64", || peers::watch_value(&stream)),
            Way::new("prost", || peers::watch_proto(&proto)),
        ],
    );
}

/// Writing the request of a put.
fn put(table: &Table, name: &str, len: usize) {
    let kvs = data::kvs(1, len);
    let kv = kvs.first().expect("one was asked for");
    let put = Put::new(kv.key.clone(), kv.value.clone());
    let gateway = gateway::Gateway::new();
    let ours = || gateway.request(&put).into_body();
    assert_eq!(
        ours(),
        peers::put_value(&kv.key, &kv.value),
        "both write the same"
    );
    table.row(
        name,
        "put",
        1,
        ours().len(),
        &mut [
            Way::new("etcd-core", || ours().len()),
            Way::new("Value + base64", || {
                peers::put_value(&kv.key, &kv.value).len()
            }),
            Way::new("prost", || peers::put_proto(&kv.key, &kv.value).len()),
        ],
    );
}

/// One call through the whole machine: command, request out, answer in, outcome.
fn rounds(table: &Table) {
    let kvs = data::kvs(1, 100);
    let kv = kvs.first().expect("one was asked for");
    let put = data::answer(&data::put_json());
    let get = data::answer(&data::range_json(&kvs));
    let (mut putting, mut getting) = (machine::Calling::new(), machine::Calling::new());
    let mut recordable = machine::Calling::recorded(false);
    let mut recorded = machine::Calling::recorded(true);
    let put_call = || Put::new(kv.key.clone(), kv.value.clone());
    table.row(
        "put round, 100 B",
        "call",
        1,
        put.len(),
        &mut [
            Way::new("etcd-core, machine", || putting.call(put_call(), &put)),
            Way::new("could be recorded", || recordable.call(put_call(), &put)),
            Way::new("recorded", || {
                recorded.call(put_call(), &put) + recorded.take_log()
            }),
        ],
    );
    table.row(
        "get round, 100 B",
        "call",
        1,
        get.len(),
        &mut [Way::new("etcd-core, machine", || {
            getting.call(Range::key(kv.key.clone()), &get)
        })],
    );
}
