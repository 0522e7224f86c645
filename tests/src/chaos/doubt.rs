//! Writes that were given up, and what becomes of them once a suspended leader goes on.
//!
//! A put that timed out may be applied later, even after a newer one that succeeded (gateway.md section 16). A
//! write that is guarded by the key's last revision cannot: whatever came between has changed that. So one of
//! these can be sent until it is answered, and is then done once (rule R-5).

use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Applied;
use etcd_core::CallOptions;
use etcd_core::CompareAndSwap;
use etcd_core::Config;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::StatusRequest;
use etcd_core::recipes::Settled;

use super::Figures;
use super::PATIENCE;
use super::Setting;
use super::ground::MEMBERS;
use super::straight;
use crate::Cluster;
use crate::driver::Driver;
use crate::find;
use crate::scenario::Must;

/// Writes over a follower time out while the leader stands still, and newer ones succeed over another member.
/// Once the old leader goes on, plain puts may come up over the newer ones, and guarded writes never do.
pub(super) fn late_writes<D: Driver>(setting: &Setting) -> Figures {
    let mut cluster = Cluster::start_with(&setting.binary, MEMBERS, &[]).must();
    let mut figures = Figures::default();
    let rounds = if setting.is_short { 1 } else { 2 };
    // Without a late one it would not be seen that guarded ones are another matter. A simulated leader that
    // goes on hands nothing on.
    let may_be_late = !find::is_simulated(&setting.binary);
    for round in 0..5 {
        let is_shown = figures.counts.contains_key(LATE) || !may_be_late;
        if round >= rounds && is_shown {
            break;
        }
        suspend_the_leader::<D>(&mut cluster, round, &mut figures);
    }
    let is_late = figures.counts.contains_key(LATE);
    assert!(is_late || !may_be_late, "no put came late");
    figures
}

fn suspend_the_leader<D: Driver>(cluster: &mut Cluster, round: usize, figures: &mut Figures) {
    let leader = cluster.leader().must();
    let [here, there] = [1, 2].map(|further| (leader + further) % MEMBERS);
    let client = |place: usize| {
        let mut config = Config::new([cluster.server(place).endpoint()]).must();
        // What waits for a free connection is not in doubt.
        config.max_connections = AT_ONCE;
        D::with_config(config)
    };
    let (first, second): (D, D) = (client(here), client(there));
    let keys = |kind: &'static str| {
        let key = move |number| format!("doubt/{kind}/{round}/{number:02}");
        (0..KEYS).map(key)
    };
    let mut revisions = Vec::new();
    for key in keys("guarded") {
        revisions.push(first.put(&key, "before").must().header.revision);
    }
    let mut known = Vec::new();
    for key in keys("settled") {
        known.push(first.put(&key, "before").must().header.revision);
    }
    for key in keys("plain") {
        first.put(&key, "before").must();
    }

    let suspended = cluster.member_id(leader).must();
    cluster.server(leader).pause().must();
    let since = Instant::now();
    // All at the same time, as the leader is missed after a second.
    let settled = thread::scope(|scope| {
        for key in keys("plain") {
            let first = &first;
            scope.spawn(move || in_doubt(first.call_with(Put::new(&key, "old"), soon())));
        }
        for (key, revision) in keys("guarded").zip(&revisions) {
            let first = &first;
            let guarded = CompareAndSwap::mod_revision(&key, *revision, "old");
            scope.spawn(move || in_doubt(first.call_with(guarded, soon())));
        }
        // These are not given up, until there is another leader.
        let settling: Vec<_> = keys("settled")
            .zip(&known)
            .map(|(key, revision)| {
                let first = &first;
                let write = CompareAndSwap::mod_revision(&key, *revision, "settled");
                let options = CallOptions::default().with_timeout(SETTLE_EACH);
                scope.spawn(move || (key, first.settle_with(write, options).must()))
            })
            .collect();
        let settled = settling.into_iter().map(|one| one.join());
        let settled = settled.map(|one| one.expect("it told what was wrong"));
        settled.collect::<Vec<_>>()
    });
    figures.faults += 1;
    figures.count("in doubt", 2 * KEYS);

    // What its user does next, once there is a leader again; before that it would be in doubt, too.
    let ports = [here, there].map(|place| cluster.server(place).client_port());
    another_leads(ports, suspended);
    let newer: Vec<_> = keys("plain")
        .chain(keys("guarded"))
        .map(|key| {
            let put = second.put(&key, "new").must();
            (key, put.header.revision)
        })
        .collect();
    figures.recoveries.push(since.elapsed());
    cluster.server(leader).resume().must();
    cluster.settle().must();
    cluster.leader().must();
    // What the old leader had before its eyes is through once it has answered this, and then some.
    straight(cluster.server(leader).client_port(), &Range::key("doubt"));
    thread::sleep(A_WHILE);

    for (key, settled) in settled {
        let now = straight(cluster.server(here).client_port(), &Range::key(&key));
        let kv = now.kvs.first().expect("it was put");
        let once = (kv.value_str().must(), kv.version);
        assert_eq!(once, ("settled", 2), "{key}: {settled:?}");
        let what = match settled {
            Settled::Done { .. } => "settled, done",
            Settled::Found { .. } => "settled, found",
            other => panic!("{key}: {other:?}"),
        };
        figures.count(what, 1);
    }
    for (key, revision) in newer {
        let now = straight(cluster.server(here).client_port(), &Range::key(&key));
        let kv = now.kvs.first().expect("it was put");
        let is_newer = (kv.value_str().must(), kv.mod_revision) == ("new", revision);
        match (key.contains("guarded"), is_newer) {
            (true, is_newer) => {
                assert!(is_newer, "{key}: a guarded write came late: {kv:?}");
                figures.count("guarded and never late", 1);
            }
            (false, true) => figures.count("plain and lost or before", 1),
            (false, false) => {
                assert_eq!(
                    (kv.value_str().must(), kv.mod_revision > revision),
                    ("old", true)
                );
                figures.count(LATE, 1);
            }
        }
    }
}

/// A call that was given up, and may have been done.
#[track_caller]
fn in_doubt<T: std::fmt::Debug>(result: Result<T, etcd_core::Error>) {
    assert_eq!(result.must_fail().applied(), Applied::Maybe);
}

/// Waits until both of these know a leader that is not this one.
fn another_leads(ports: [u16; 2], old: u64) {
    let until = Instant::now() + PATIENCE;
    let knows = |port| {
        let leader = straight(port, &StatusRequest::new()).leader;
        leader != 0 && leader != old
    };
    while !ports.iter().all(|port| knows(*port)) {
        assert!(Instant::now() < until, "nobody is elected");
        thread::sleep(Duration::from_millis(5));
    }
}

fn soon() -> CallOptions {
    CallOptions::default().with_timeout(Duration::from_millis(500))
}

/// How long each attempt may take of a write that is settled: some are lost before there is another leader.
const SETTLE_EACH: Duration = Duration::from_secs(2);
/// Of each kind in each round.
const KEYS: u64 = 20;
const AT_ONCE: usize = 3 * KEYS as usize;
/// How often an old value came to stand over a newer one.
const LATE: &str = "plain and late";
const A_WHILE: Duration = Duration::from_secs(1);
