//! A script out of a seed.
//!
//! How dense everything is, is drawn first, so that some worlds are calm and some wild, and some have
//! much of one kind only.

use core::time::Duration;

use etcd_core::{
    Compaction, DeleteRange, KnownKeys, Lag, NoLeader, Overflow, Version, WatchOptions,
};

use super::commands::Users;
use super::script::{ClientKnobs, Line, Order, Script, Since};
use super::{leases, services, trouble, users};
use crate::etcd::{Defects, Setup};
use crate::rng::Rng;
use crate::world::Act;

impl Script {
    /// The script of a seed.
    ///
    /// ```
    /// use etcd_sim::random::Script;
    ///
    /// assert_eq!(Script::draw(7).lines, Script::draw(7).lines);
    /// ```
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed).fork(1);
        let mut setup = setup(&mut rng);
        let mut clients: Vec<_> = (0..=rng.index(4))
            .map(|_| knobs(&setup, &mut rng))
            .collect();
        let busy = rng.between(Duration::from_secs(2), Duration::from_secs(12));
        let mut lines = Vec::new();
        for act in trouble::at_first(&mut rng) {
            lines.push(line(Duration::ZERO, Order::Act(act)));
        }
        let mut add = |at: Duration, act: Act| lines.push(line(at, Order::Act(act)));
        trouble::later(&setup, clients.len(), busy, &mut rng, &mut add);
        let commands = 30 + rng.index(220);
        let mut users = Users::new(clients.len(), &mut rng);
        let mut times: Vec<_> = (0..commands)
            .map(|_| rng.between(Duration::ZERO, busy))
            .collect();
        times.sort_unstable();
        for at in times {
            lines.push(line(at, users.next(&mut rng)));
        }
        // With luck of their own, so that a world without them is what it was before there were any.
        let mut add = |at: Duration, order: Order| lines.push(line(at, order));
        services::draw(clients.len(), busy, &mut Rng::new(seed).fork(2), &mut add);
        leases::draw(clients.len(), busy, &mut Rng::new(seed).fork(4), &mut add);
        let mut rng = Rng::new(seed).fork(3);
        let has_users = users::draw(&mut setup, &mut clients, busy, &mut rng, &mut add);
        let mut rng = Rng::new(seed).fork(5);
        for line in &mut lines {
            if let Order::Watch { options, .. } = &mut line.order {
                *options = watch_options(&mut rng);
            }
        }
        // And so do watches that go on after compactions.
        let mut rng = Rng::new(seed).fork(6);
        if rng.one_in(2) {
            goes_on(clients.len(), busy, &mut rng, &mut lines);
        }
        // Some clients send requests ahead of answers.
        let mut rng = Rng::new(seed).fork(7);
        if rng.one_in(3) {
            for knobs in &mut clients {
                knobs.pipeline_depth = 1 + rng.index(6);
            }
        }
        lines.sort_by_key(|line| line.at);
        Self {
            seed,
            setup,
            clients,
            has_users,
            busy,
            lines,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}

const fn line(at: Duration, order: Order) -> Line {
    Line { at, order }
}

/// The cluster: its size, its version, what is wrong with it.
fn setup(rng: &mut Rng) -> Setup {
    const VERSIONS: [(u32, u32, u32); 5] =
        [(3, 4, 23), (3, 4, 34), (3, 5, 1), (3, 5, 16), (3, 6, 4)];
    let (major, minor, patch) = VERSIONS[rng.index(VERSIONS.len())];
    let version = Version::new(major, minor, patch);
    let all = Defects::of(&version);
    // Those against which a client can do something, and one against which it need not.
    let mut defects = Defects::none();
    defects.split_cluster = all.split_cluster;
    defects.progress_ahead = all.progress_ahead;
    defects.silent_idle_progress = all.silent_idle_progress && rng.one_in(2);
    defects.duplicate_events = all.duplicate_events && rng.one_in(2);
    defects.watch_back_in_time = all.watch_back_in_time && rng.one_in(2);
    defects.future_watch_early = all.future_watch_early && rng.one_in(2);
    let members = if rng.one_in(3) { 1 } else { 3 };
    let mut setup = Setup::new(version)
        .with_members(members)
        .with_defects(defects);
    if rng.one_in(2) {
        setup = setup.with_fragment_bytes(64 << rng.below(8));
    }
    if rng.one_in(2) {
        setup = setup.with_watch_batch_revisions(1 + rng.index(40));
    }
    let ms = |rng: &mut Rng, least, most| {
        rng.between(Duration::from_millis(least), Duration::from_millis(most))
    };
    if rng.one_in(2) {
        let interval = ms(rng, 50, 3_000);
        setup = setup.with_watch_progress_interval(interval);
    }
    if rng.one_in(3) {
        setup = setup.with_snapshot_after(1 + rng.index(50));
    }
    if rng.one_in(16) {
        setup = setup.with_quota_bytes(1_000 << rng.below(6));
    }
    let latency = ms(rng, 0, 30);
    let sync = ms(rng, 1, 200);
    setup
        .with_commit_latency(latency)
        .with_watch_sync_interval(sync)
}

/// What a watch is told apart from its request: mostly nothing.
fn watch_options(rng: &mut Rng) -> WatchOptions {
    let options = WatchOptions::default();
    match rng.below(24) {
        0 | 1 => options.with_overflow(Overflow::Cancel),
        2..=4 => options.with_overflow(Overflow::CoalesceByKey),
        5 => options.with_no_leader(NoLeader::Fail),
        6 => options.with_max_losses(u32::try_from(rng.below(4)).unwrap_or(0)),
        7 => {
            let time = rng.between(Duration::from_millis(1), Duration::from_secs(5));
            options.with_resume_within(time)
        }
        _ => options,
    }
}

/// The first number of a command; those of others never come so far.
const FIRST: usize = 40_000;

/// Watches that read their range where it was compacted, or want to know that they are behind; and
/// compactions and deletes between them.
fn goes_on(clients: usize, busy: Duration, rng: &mut Rng, lines: &mut Vec<Line>) {
    for line in lines.iter_mut() {
        let Order::Watch { options, .. } = &mut line.order else {
            continue;
        };
        match rng.below(6) {
            0 | 1 => options.compaction = Compaction::Snapshot,
            2..=4 => options.compaction = Compaction::Difference(KnownKeys::new()),
            _ => {}
        }
        if rng.one_in(3) {
            let revisions = i64::try_from(rng.below(4)).unwrap_or(0);
            let time = Duration::from_millis(1 << rng.below(12));
            options.lag = Some(Lag::new(revisions, time));
        }
    }
    if !rng.one_in(2) {
        return;
    }
    for place in 0..rng.index(30) {
        let at = rng.between(Duration::ZERO, busy);
        let since = Since::Back(i64::try_from(rng.below(4)).unwrap_or(0));
        let client = rng.index(clients);
        lines.push(line(at, Order::Compact { client, since }));
        let number = FIRST + place;
        let key = format!("k{}", rng.below(8));
        // A range that no other request has: no key has a zero byte in it.
        let end = format!("{key}\0{number}");
        let order = Order::Call {
            client,
            number,
            asked: DeleteRange::range(key, end).into(),
            timeout: None,
        };
        if rng.one_in(2) {
            lines.push(line(at, order));
        }
    }
}

fn knobs(setup: &Setup, rng: &mut Rng) -> ClientKnobs {
    let mut members: Vec<usize> = (0..setup.members).collect();
    for place in (1..members.len()).rev() {
        members.swap(place, rng.index(place + 1));
    }
    if rng.one_in(4) {
        members.truncate(1);
    }
    ClientKnobs {
        members,
        connections: 1 + rng.index(4),
        pipeline_depth: 1,
        watches_per_connection: [1, 2, 100][rng.index(3)],
        watch_buffer_bytes: if rng.one_in(3) {
            256 << rng.below(8)
        } else {
            16 << 20
        },
        idle_limit: rng.between(Duration::from_millis(100), Duration::from_secs(30)),
        user: None,
    }
}
