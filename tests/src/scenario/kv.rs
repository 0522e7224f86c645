//! Keys and values: put, get in all its ways, delete, compact.

use etcd_core::Applied;
use etcd_core::Code;
use etcd_core::Compact;
use etcd_core::DeleteRange;
use etcd_core::Error;
use etcd_core::Known;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::SortOrder;
use etcd_core::SortTarget;

use super::Must;
use super::Stage;
use crate::driver::Driver;

/// What is put is what is read, with its revisions and its version.
pub fn what_is_put_is_read<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let missing = client.get("k").must();
    assert_eq!(
        (missing.count, missing.kvs.len(), missing.more),
        (0, 0, false)
    );

    let first = client.put("k", "one").must();
    assert_eq!(first.prev_kv, None);
    let second = client.call(Put::new("k", "two").with_prev_kv()).must();
    assert_eq!(second.header.revision, first.header.revision + 1);
    assert_eq!(second.prev_kv.expect("it was there").value, "one");

    let kv = client.get("k").must().into_first().expect("it is there");
    assert_eq!((kv.key_str().must(), kv.value_str().must()), ("k", "two"));
    assert_eq!(kv.create_revision, first.header.revision);
    assert_eq!(kv.mod_revision, second.header.revision);
    assert_eq!((kv.version, kv.lease), (2, 0));

    client.call(Put::new("k", "").with_ignore_value()).must();
    let kept = client.get("k").must();
    assert_eq!(
        (kept.kvs[0].value_str().must(), kept.kvs[0].version),
        ("two", 3)
    );
    assert_eq!(kept, stage.truth("k".into()));
}

/// A range is read in part, in any order, in any shape, and as it was before.
pub fn ranges_are_read_in_every_way<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    // Order by key, by revision and by value all differ.
    let mut revisions = Vec::new();
    for (key, value) in [
        ("r/c", "1"),
        ("r/a", "3"),
        ("r/d", "2"),
        ("r/b", "4"),
        ("s", "5"),
    ] {
        revisions.push(client.put(key, value).must().header.revision);
    }
    revisions.push(client.put("r/a", "0").must().header.revision);
    let read = |range: Range| client.get(range).must();
    let all = || Range::prefix("r/");

    assert_eq!(keys(&read(all())), ["r/a", "r/b", "r/c", "r/d"]);
    assert_eq!(read(all()), stage.truth(all()));
    let some = read(all().with_limit(2));
    assert_eq!(
        (keys(&some), some.count, some.more),
        (vec!["r/a", "r/b"], 4, true)
    );
    let enough = read(all().with_limit(4));
    assert_eq!((enough.kvs.len(), enough.more), (4, false));

    let (down, up) = (SortOrder::Descend, SortOrder::Ascend);
    let sorted = |target, order| read(all().with_sort(target, order));
    assert_eq!(
        keys(&sorted(SortTarget::Key, down)),
        ["r/d", "r/c", "r/b", "r/a"]
    );
    assert_eq!(
        keys(&sorted(SortTarget::Create, up)),
        ["r/c", "r/a", "r/d", "r/b"]
    );
    assert_eq!(
        keys(&sorted(SortTarget::Mod, up)),
        ["r/c", "r/d", "r/b", "r/a"]
    );
    assert_eq!(
        keys(&sorted(SortTarget::Value, down)),
        ["r/b", "r/d", "r/c", "r/a"]
    );
    assert_eq!(keys(&sorted(SortTarget::Version, down))[0], "r/a");
    let newest = read(all().with_sort(SortTarget::Mod, down).with_limit(1));
    assert_eq!(keys(&newest), ["r/a"]);

    let bare = read(all().with_keys_only());
    assert!(
        bare.kvs
            .iter()
            .all(|kv| kv.value.is_empty() && kv.mod_revision > 0)
    );
    let counted = read(all().with_count_only());
    assert_eq!((counted.kvs.len(), counted.count), (0, 4));
    assert_eq!(keys(&read(Range::from_key("r/c"))), ["r/c", "r/d", "s"]);
    assert_eq!(keys(&read(Range::range("r/b", "r/d"))), ["r/b", "r/c"]);
    assert_eq!(read(Range::all()).count, 5);
    assert_eq!(read(Range::prefix("")).count, 5);
    assert_eq!(keys(&read(all().with_serializable())).len(), 4);

    let before = read(all().with_revision(revisions[2]));
    assert_eq!(keys(&before), ["r/a", "r/c", "r/d"]);
    assert_eq!(before.kvs[0].value, "3");
    let later = read(all().with_min_mod_revision(revisions[3]));
    assert_eq!(keys(&later), ["r/a", "r/b"]);
    let earlier = read(all().with_max_mod_revision(revisions[2]));
    assert_eq!(keys(&earlier), ["r/c", "r/d"]);
    let younger = read(all().with_min_create_revision(revisions[2]));
    assert_eq!(keys(&younger), ["r/b", "r/d"]);
    let older = read(all().with_max_create_revision(revisions[1]));
    assert_eq!(keys(&older), ["r/a", "r/c"]);
}

/// A delete says how many keys it took, and what they were if it is asked to.
pub fn deletes_tell_what_was_there<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    for key in ["d/1", "d/2", "d/3", "e"] {
        client.put(key, format!("value of {key}")).must();
    }
    let none = client.delete("d/9").must();
    assert_eq!((none.deleted, none.prev_kvs.len()), (0, 0));
    assert_eq!(client.delete("d/1").must().deleted, 1);

    let both = client.call(DeleteRange::prefix("d/").with_prev_kv()).must();
    assert_eq!(both.deleted, 2);
    let values: Vec<_> = both
        .prev_kvs
        .iter()
        .map(|kv| kv.value_str().must())
        .collect();
    assert_eq!(values, ["value of d/2", "value of d/3"]);
    assert_eq!(stage.truth(Range::all()).count, 1);
    assert_eq!(client.delete(DeleteRange::all()).must().deleted, 1);
}

/// Keys and values are bytes: zeros, 0xff, every byte, and nothing at all.
pub fn keys_and_values_are_any_bytes<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let every_byte: Vec<u8> = (0..=255).collect();
    let keys: [&[u8]; 9] = [
        &[0],
        &[0, 0],
        &[0, 1],
        b"a",
        b"a\xff",
        b"a\xff\xff",
        b"b",
        &[0xff],
        &[0xff, 0xff, 1],
    ];
    for key in keys {
        let value = [key, &every_byte, key].concat();
        client.put(key, &value).must();
        assert_eq!(client.get(key).must().kvs[0].value, value);
    }
    client.put(&every_byte, "").must();
    assert_eq!(client.get(&every_byte).must().kvs[0].value, "");

    let below = |prefix: &[u8]| -> Vec<Vec<u8>> {
        let answer = client.get(Range::prefix(prefix)).must();
        answer.kvs.iter().map(|kv| kv.key.to_vec()).collect()
    };
    let starting = |prefix: &[u8]| -> Vec<Vec<u8>> {
        let mut all: Vec<_> = keys.iter().map(|key| key.to_vec()).collect();
        all.push(every_byte.clone());
        all.retain(|key| key.starts_with(prefix));
        all.sort();
        all
    };
    let prefixes: [&[u8]; 8] = [
        b"",
        &[0],
        &[0, 0],
        b"a",
        b"a\xff",
        b"a\xff\xff",
        &[0xff],
        &[0xff, 0xff],
    ];
    for prefix in prefixes {
        assert_eq!(below(prefix), starting(prefix), "prefix {prefix:?}");
    }
    assert_eq!(client.delete(DeleteRange::prefix([0xff])).must().deleted, 2);
    assert_eq!(client.delete(DeleteRange::prefix([0])).must().deleted, 4);
}

/// What was compacted is an error of its own, and so is what is still to come.
pub fn compacted_revisions_are_refused<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let first = client.put("k", "1").must().header.revision;
    client.put("k", "2").must();
    let last = client.put("k", "3").must().header.revision;
    client.call(Compact::new(last - 1).with_physical()).must();

    assert_eq!(
        client
            .get(Range::key("k").with_revision(last - 1))
            .must()
            .kvs[0]
            .value,
        "2"
    );
    let gone = client.get(Range::key("k").with_revision(first)).must_fail();
    assert_eq!(
        known(&gone),
        (Some(Known::Compacted), Some(Code::OUT_OF_RANGE))
    );
    let again = client.call(Compact::new(first)).must_fail();
    assert_eq!(known(&again).0, Some(Known::Compacted));
    assert_eq!(again.applied(), Applied::No);
    let future = client
        .get(Range::key("k").with_revision(last + 1))
        .must_fail();
    assert_eq!(known(&future).0, Some(Known::FutureRev));
    assert_eq!(client.get("k").must().kvs[0].value, "3");
}

/// What the server said, as a type.
fn known(error: &Error) -> (Option<Known>, Option<Code>) {
    let status = error.status();
    (
        status.and_then(|status| status.known()),
        status.map(|status| status.code),
    )
}

fn keys(answer: &RangeResponse) -> Vec<&str> {
    answer.kvs.iter().map(|kv| kv.key_str().must()).collect()
}
