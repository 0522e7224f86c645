//! A client in a namespace of a store that others write to sees what a client of its own store sees: the
//! same answers, errors and events, for any requests (rules N-1 to N-7).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use etcd_core::{
    Campaign, Compare, CompareAndSwap, Config, DeleteIfUnchanged, DeleteRange, Error, KeyRange,
    Leader, LeaseGrant, LeaseTimeToLive, Lock, Namespace, Proclaim, Put, PutIfAbsent, PutIfPresent,
    Range, Resign, SortOrder, SortTarget, Txn, TxnOp, Unlock, Version, Watch, WatchEvent,
};
use etcd_sim::etcd::Setup;
use etcd_sim::{Client, Rng, World};

/// Some with an end that has to be cut, and some without one.
const PREFIXES: [&[u8]; 6] = [b"p/", b"a", b"a\xff", b"\xff", b"\xff\xff", b"\0"];

/// Keys that are not in it, as near as can be: the prefix itself, what is before it and behind it.
fn foreign(prefix: &[u8]) -> Vec<Vec<u8>> {
    let end = KeyRange::prefix(prefix.to_vec()).range_end.to_vec();
    let mut before = prefix.to_vec();
    if let Some(last) = before.last_mut() {
        *last = last.wrapping_sub(1);
    }
    let carried = [&end[..], b"\0"].concat();
    let all: [&[u8]; 9] = [
        prefix, &end, &before, &carried, b"b", b"a", b"k", b"\x01", b"zz",
    ];
    let is_out = |key: &&&[u8]| **key == prefix || !key.starts_with(prefix);
    let mut keys: Vec<_> = all.iter().filter(is_out).map(|key| key.to_vec()).collect();
    keys.retain(|key| !key.is_empty());
    keys.sort();
    keys.dedup();
    keys
}

fn key(rng: &mut Rng) -> Vec<u8> {
    let parts: [&[u8]; 8] = [b"\0", b"\xff", b"a", b"k", b"k1", b"\x01", b"p/", b"z"];
    let count = 1 + rng.index(3);
    (0..count)
        .flat_map(|_| parts[rng.index(8)].to_vec())
        .collect()
}

fn range(rng: &mut Rng) -> KeyRange {
    match rng.below(6) {
        0 => KeyRange::all(),
        1 => KeyRange::from_key(key(rng)),
        2 => KeyRange::prefix(key(rng)),
        3 => KeyRange::range(key(rng), key(rng)),
        _ => KeyRange::key(key(rng)),
    }
}

fn read(rng: &mut Rng) -> Range {
    let mut read = Range::new(range(rng));
    if rng.one_in(3) {
        let targets = [SortTarget::Key, SortTarget::Value, SortTarget::Mod];
        read = read.with_sort(targets[rng.index(3)], SortOrder::Descend);
    }
    if rng.one_in(4) {
        read = read.with_limit(1 + i64::try_from(rng.below(3)).expect("small"));
    }
    if rng.one_in(6) {
        read = read.with_keys_only();
    }
    read
}

fn put(rng: &mut Rng) -> Put {
    let put = Put::new(key(rng), format!("{}", rng.below(9)));
    if rng.one_in(2) {
        put.with_prev_kv()
    } else {
        put
    }
}

fn delete(rng: &mut Rng) -> DeleteRange {
    let delete = DeleteRange::new(range(rng));
    if rng.one_in(2) {
        delete.with_prev_kv()
    } else {
        delete
    }
}

/// One that etcd looks at where it looks for keys that a transaction changes twice: one without an end it
/// does not see there, and so it refuses more in a namespace, where all ends are given (3.4.23, 3.5.1).
fn bounded(rng: &mut Rng) -> DeleteRange {
    loop {
        let delete = delete(rng);
        if delete.range.range_end != [0][..] {
            return delete;
        }
    }
}

fn compare(rng: &mut Rng) -> Compare {
    match rng.below(4) {
        0 => Compare::exists(key(rng)),
        1 => Compare::missing(key(rng)),
        2 => Compare::value(range(rng)).eq("1"),
        _ => Compare::version(range(rng)).lt(2),
    }
}

fn ops(rng: &mut Rng, depth: u64) -> Vec<TxnOp> {
    (0..rng.below(3))
        .map(|_| match rng.below(4 + u64::from(depth > 0)) {
            0 => read(rng).into(),
            1 | 2 => put(rng).into(),
            3 => bounded(rng).into(),
            _ => txn(rng, depth - 1).into(),
        })
        .collect()
}

fn txn(rng: &mut Rng, depth: u64) -> Txn {
    let when = (0..rng.below(3)).map(|_| compare(rng)).collect::<Vec<_>>();
    Txn::new()
        .when(when)
        .and_then(ops(rng, depth))
        .or_else(ops(rng, depth))
}

/// What a client is told, one line each.
async fn script(client: Client, mut rng: Rng) -> Vec<String> {
    let mut told = Vec::new();
    let mut lease = 0;
    let rng = &mut rng;
    for _ in 0..40 {
        let said = match rng.below(16) {
            0..=2 => show(client.call(read(rng)).await),
            3..=5 => {
                let leased = if rng.one_in(3) { lease } else { 0 };
                show(client.call(put(rng).with_lease(leased)).await)
            }
            6 => show(client.call(delete(rng)).await),
            7 | 8 => show(client.call(txn(rng, 2)).await),
            9 => {
                let granted = client.call(LeaseGrant::new(600)).await;
                lease = granted.as_ref().map_or(0, |granted| granted.id);
                show(granted)
            }
            10 => {
                let asked = LeaseTimeToLive::new(lease).with_keys();
                let answer = client.call(asked).await;
                show(answer.map(|answer| answer.keys))
            }
            11 => {
                let held = client.call(Lock::new(key(rng))).await;
                let free = match &held {
                    Ok(held) => show(client.call(Unlock::new(held.key.clone())).await),
                    Err(_) => String::new(),
                };
                show(held) + &free
            }
            12 => elect(&client, key(rng)).await,
            13 => show(client.call(PutIfAbsent::new(key(rng), "n")).await),
            14 => show(
                client
                    .call(PutIfPresent::new(key(rng), "n").with_prev_kv())
                    .await,
            ),
            _ => {
                let key = key(rng);
                let found = client.get(key.clone()).await.expect("a calm world");
                let revision = found.kvs.first().map_or(0, |kv| kv.mod_revision);
                let swap = CompareAndSwap::mod_revision(key.clone(), revision, "s");
                let by_value = CompareAndSwap::value(key.clone(), "s", "t");
                let swapped = show(client.call(swap).await) + &show(client.call(by_value).await);
                swapped + &show(client.call(DeleteIfUnchanged::new(key, revision + 2)).await)
            }
        };
        told.push(said);
    }
    told.push(show(client.get(KeyRange::all()).await));
    told
}

async fn elect(client: &Client, name: Vec<u8>) -> String {
    let lease = client.call(LeaseGrant::new(600)).await.expect("calm").id;
    let campaign = Campaign::new(name.clone(), "me").with_lease(lease);
    let elected = client.call(campaign).await.expect("nobody else leads");
    let proclaimed = client
        .call(Proclaim::new(elected.leader.clone(), "you"))
        .await;
    let leads = client.call(Leader::new(name.clone())).await;
    let mut observer = client.observe(name).await;
    let observed = observer.next().await;
    drop(observer);
    let resigned = client.call(Resign::new(elected.leader.clone())).await;
    format!("{elected:?} {proclaimed:?} {leads:?} {observed:?} {resigned:?}")
}

fn show<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    format!("{result:?}\n")
}

/// Everything that is told in a world, and what is in its store at the end that is not the client's.
fn play(seed: u64, prefix: Option<&[u8]>) -> (Vec<String>, Vec<String>) {
    let world = World::with_cluster(seed, Setup::new(Version::new(3, 5, 30)));
    let others = world.client();
    // The same revisions with and without keys of others.
    let keys = foreign(prefix.unwrap_or_else(|| PREFIXES[pick(seed)]));
    world.block_on(async {
        for key in &keys {
            others.put(key.clone(), "theirs").await.expect("calm");
        }
        if prefix.is_none() {
            others.call(DeleteRange::all()).await.expect("calm");
        } else {
            others.put(keys[0].clone(), "theirs").await.expect("calm");
        }
    });
    let mut config: Config = world.config();
    config.namespace = prefix.map_or_else(Namespace::default, |prefix| {
        // They nest.
        let (outer, inner) = prefix.split_at(prefix.len() / 2);
        Namespace::new(outer.to_vec()).nested(inner.to_vec())
    });
    let client = world.client_with(config);
    let mut rng = Rng::new(seed).fork(7);
    let events: Rc<RefCell<Vec<String>>> = Rc::default();
    for _ in 0..3 {
        let watch = Watch::new(range(&mut rng)).with_prev_kv();
        let (client, events) = (client.clone(), events.clone());
        let place = events.borrow().len();
        events.borrow_mut().push(String::new());
        let follow = async move {
            let mut watch = match client.watch(watch).await {
                Ok(watch) => watch,
                // One of no keys, say.
                Err(error) => return events.borrow_mut()[place].push_str(&error.to_string()),
            };
            while let Some(event) = watch.next_event().await {
                if let WatchEvent::Batch(batch) = event {
                    let line = format!("{:?}\n", batch.events);
                    events.borrow_mut()[place].push_str(&line);
                }
            }
        };
        world.spawn(follow).detach();
    }
    world.run_for(Duration::from_secs(1));
    let mut told = world.block_on(script(client, rng));
    world.run_for(Duration::from_secs(1));
    told.append(&mut events.borrow_mut());
    let all = world.block_on(async { others.get(KeyRange::all()).await.expect("calm") });
    let is_foreign = |key: &[u8]| keys.iter().any(|foreign| foreign == key);
    let left = all.kvs.iter().filter(|kv| is_foreign(&kv.key));
    let left = left.map(|kv| format!("{:?}", kv.value_str())).collect();
    (told, left)
}

fn pick(seed: u64) -> usize {
    usize::try_from(seed).expect("small") % PREFIXES.len()
}

#[test]
fn n1_n2_n3_n5_n6_n7_a_namespace_is_a_store_of_its_own() {
    let mut lines = 0;
    for seed in 0..120 {
        let prefix = PREFIXES[pick(seed)];
        let (here, theirs) = play(seed, Some(prefix));
        let (alone, _) = play(seed, None);
        for (here, alone) in here.iter().zip(&alone) {
            assert_eq!(here, alone, "seed {seed}, namespace {prefix:?}");
        }
        assert_eq!(here.len(), alone.len());
        // Nothing of anybody else's was changed.
        assert_eq!(theirs, vec![r#"Ok("theirs")"#; foreign(prefix).len()]);
        lines += here.len();
    }
    assert!(lines > 4000, "{lines}");
}
