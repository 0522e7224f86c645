//! Writers, readers and watches that work while something is broken, and what has to be true of them.
//!
//! Every put has a key of its own, so what the store holds at the end is all that ever happened: a watch has
//! to have told exactly that, in its order. Readers read what was acknowledged last, and have to find it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Applied;
use etcd_core::CallOptions;
use etcd_core::Error;
use etcd_core::EventKind;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::Watch;
use etcd_core::WatchEnd;
use etcd_core::WatchEvent;

use super::Figures;
use super::PATIENCE;
use crate::driver::Driver;
use crate::driver::Watching;
use crate::scenario::Must;

/// The clients of a load, which may be one and the same. Watches take those for them in turn.
pub(super) struct Clients<D> {
    pub(super) writer: D,
    pub(super) reader: D,
    pub(super) watchers: Vec<D>,
}

/// Work under way.
pub(super) struct Load<D> {
    clients: Arc<Clients<D>>,
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Vec<Written>>>,
    readers: Vec<JoinHandle<u64>>,
    watches: Vec<JoinHandle<Told>>,
    _end: End,
}

/// Ends all threads when it is dropped, so that none is left where a scenario fails.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
        // Nobody asks any more what watches tell.
        self.0.last.store(1, Ordering::Relaxed);
    }
}

/// How far everybody is.
struct Shared {
    began: Instant,
    stop: AtomicBool,
    /// When the last thing that went well began, in nanoseconds since `began`; one for each writer and reader.
    well: Vec<AtomicU64>,
    /// The revision each watch has told.
    told: Vec<AtomicI64>,
    /// The newest put that was acknowledged.
    newest: Mutex<(i64, String)>,
    /// The revision at which watches have told everything; 0 while that is not known.
    last: AtomicI64,
}

/// A put: its key, and its revision or whether it may have been done.
type Written = (String, Result<i64, Applied>);

/// What one watch told.
#[derive(Default)]
struct Told {
    changes: Vec<(i64, String)>,
    resumed: u64,
    gaps: Vec<Gap>,
}

/// What was read instead of watched.
struct Gap {
    /// The last revision that was told before.
    behind: i64,
    /// The revision of the read.
    to: i64,
    /// What was there.
    read: Vec<(i64, String)>,
}

impl<D: Driver> Load<D> {
    /// Begins: the watches first, so that they have to tell all that is written.
    pub(super) fn start(clients: Clients<D>) -> Self {
        let clients = Arc::new(clients);
        let shared = Arc::new(Shared {
            began: Instant::now(),
            stop: AtomicBool::new(false),
            well: (0..WRITERS + READERS).map(|_| AtomicU64::new(0)).collect(),
            told: (0..WATCHES).map(|_| AtomicI64::new(0)).collect(),
            newest: Mutex::default(),
            last: AtomicI64::new(0),
        });
        let watches = (0..WATCHES).map(|number| {
            let client = clients.watchers[number % clients.watchers.len()].clone();
            let watch = client.watch(Watch::prefix(KEYS)).must();
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.watch(&client, watch, number))
        });
        let watches = watches.collect();
        let writers = (0..WRITERS).map(|number| {
            let (clients, shared) = (Arc::clone(&clients), Arc::clone(&shared));
            thread::spawn(move || shared.write(&clients.writer, number))
        });
        let writers = writers.collect();
        let readers = (0..READERS).map(|number| {
            let (clients, shared) = (Arc::clone(&clients), Arc::clone(&shared));
            thread::spawn(move || shared.read(&clients.reader, number))
        });
        let readers = readers.collect();
        let load = Self {
            _end: End(Arc::clone(&shared)),
            clients,
            shared,
            writers,
            readers,
            watches,
        };
        load.goes_on(Instant::now());
        load
    }

    /// Waits until each writer and reader has done something that it began after `since`, and each watch has
    /// told something of that time. Tells how long after `since` that is.
    pub(super) fn goes_on(&self, since: Instant) -> Duration {
        let newest = self.calls_go_on(since);
        self.watches_tell(newest);
        since.elapsed()
    }

    /// The first half of it; gives the newest revision that was acknowledged then.
    pub(super) fn calls_go_on(&self, since: Instant) -> i64 {
        let since = since.saturating_duration_since(self.shared.began);
        let since = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        self.wait_until("every writer and reader goes on", || {
            let well = |well: &AtomicU64| well.load(Ordering::Relaxed) > since;
            self.shared.well.iter().all(well)
        });
        self.shared.newest().0
    }

    /// The second half of it: every watch has told this revision.
    pub(super) fn watches_tell(&self, revision: i64) {
        self.wait_until("every watch goes on", || {
            let told = |told: &AtomicI64| told.load(Ordering::Relaxed) >= revision;
            self.shared.told.iter().all(told)
        });
    }

    /// Waits until somebody has put something at this revision or above.
    pub(super) fn writes_reach(&self, revision: i64) {
        self.wait_until("the writers have come so far", || {
            self.shared.newest().0 >= revision
        });
    }

    fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds() {
            let ended = self.writers.iter().any(JoinHandle::is_finished)
                || self.readers.iter().any(JoinHandle::is_finished)
                || self.watches.iter().any(JoinHandle::is_finished);
            assert!(!ended, "somebody failed before {what}");
            assert!(Instant::now() < until, "waited {PATIENCE:?} until {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it, and holds what everybody was told to what is true, which `truth` asks the store for. All that
    /// was broken has to be mended. `truth` asks each of the members: where they do not hold the same, nothing
    /// can be judged, and it is the servers' doing, which no client can bring about.
    pub(super) fn finish(self, truth: impl FnOnce(&Range) -> Vec<RangeResponse>) -> Figures {
        self.shared.stop.store(true, Ordering::Relaxed);
        let written: Vec<_> = self.writers.into_iter().flat_map(join).collect();
        let read: u64 = self.readers.into_iter().map(join).sum();
        // Each attempt has a key of its own here, too, so that none can be applied late unseen.
        let last = (0..).find_map(|attempt| {
            assert!(attempt < 100, "nothing can be written any more");
            let put = self
                .clients
                .writer
                .put(format!("{KEYS}last/{attempt}"), "v");
            put.ok().map(|put| put.header.revision)
        });
        let last = last.expect("it ends only by being done");
        self.shared.last.store(last, Ordering::Relaxed);
        let told: Vec<_> = self.watches.into_iter().map(join).collect();

        let mut figures = Figures::default();
        let mut held: Vec<_> = truth(&Range::prefix(KEYS)).iter().map(in_order).collect();
        for member in &mut held {
            member.retain(|(revision, _)| *revision <= last);
        }
        let truth = held.swap_remove(0);
        if let Some(other) = held.iter().find(|other| **other != truth) {
            let at = truth
                .iter()
                .zip(other)
                .position(|(one, other)| one != other);
            let at = at.unwrap_or_else(|| truth.len().min(other.len()));
            let (one, other) = (truth.get(at), other.get(at));
            eprintln!("the members do not hold the same: {one:?} and {other:?}");
            figures.count("members that differ", 1);
            return figures;
        }
        judge_writes(&written, &truth, &mut figures);
        figures.count("reads", read);
        let clients = &self.clients;
        let others = [&clients.writer, &clients.reader];
        for client in others.into_iter().chain(&clients.watchers) {
            figures.count("logins", client.stats().refreshes);
        }
        for told in &told {
            told.judge(&truth);
            figures.events += told.changes.len() as u64;
            figures.count("resumed", told.resumed);
            figures.count("compacted", told.gaps.len() as u64);
        }
        figures
    }
}

impl Shared {
    fn since(&self) -> u64 {
        // Above 0, which stands for never.
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn newest(&self) -> (i64, String) {
        let newest = self.newest.lock();
        newest.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn write<D: Driver>(&self, client: &D, writer: usize) -> Vec<Written> {
        let mut written = Vec::new();
        while !self.stops() {
            let key = format!("{KEYS}{writer}/{:06}", written.len());
            let began = self.since();
            let options = CallOptions::default().with_timeout(WRITE_TIMEOUT);
            let outcome = match client.call_with(Put::new(&key, &key), options) {
                Ok(put) => {
                    self.well[writer].store(began, Ordering::Relaxed);
                    let revision = put.header.revision;
                    let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
                    if newest.0 < revision {
                        *newest = (revision, key.clone());
                    }
                    Ok(revision)
                }
                Err(error) => Err(error.applied()),
            };
            written.push((key, outcome));
            thread::sleep(PACE);
        }
        written
    }

    /// Reads what was acknowledged last, again and again; tells how often.
    fn read<D: Driver>(&self, client: &D, reader: usize) -> u64 {
        let mut read = 0;
        while !self.stops() {
            let (revision, key) = self.newest();
            let began = self.since();
            if revision > 0 {
                let options = CallOptions::default().with_timeout(READ_TIMEOUT);
                let answer = client.call_with(Range::key(&key), options).must();
                assert!(answer.header.revision >= revision);
                let found = answer.kvs.first().map(|kv| kv.mod_revision);
                assert_eq!(found, Some(revision), "{key} was acknowledged");
                self.well[WRITERS + reader].store(began, Ordering::Relaxed);
                read += 1;
            }
            thread::sleep(PACE);
        }
        read
    }

    fn watch<D: Driver>(&self, client: &D, mut watch: D::Watching, number: usize) -> Told {
        let mut told = Told::default();
        let mut at = watch.created_revision();
        let mut quiet_since = Instant::now();
        loop {
            let last = self.last.load(Ordering::Relaxed);
            if last > 0 && at >= last {
                return told;
            }
            let event = watch.next_within(LOOK_EVERY);
            if event.is_ok() {
                quiet_since = Instant::now();
            }
            match event {
                Ok(Some(WatchEvent::Batch(batch))) => {
                    assert!(batch.revision > at && !batch.coalesced);
                    at = batch.revision;
                    for event in &batch.events {
                        assert_eq!((event.kind, event.kv.mod_revision), (EventKind::Put, at));
                        told.changes
                            .push((at, event.kv.key_str().must().to_owned()));
                    }
                }
                Ok(Some(WatchEvent::Resumed { .. })) => told.resumed += 1,
                Ok(Some(WatchEvent::Progress { revision })) => at = at.max(revision),
                Ok(Some(WatchEvent::NoLeader { .. })) => {}
                Ok(Some(WatchEvent::End(WatchEnd::Compacted {
                    compact_revision,
                    next,
                }))) => {
                    assert!(next == at + 1 && next <= compact_revision, "{next} of {at}");
                    let (read, again) = read_and_watch(client);
                    let revision = read.header.revision;
                    told.gaps.push(Gap {
                        behind: at,
                        to: revision,
                        read: in_order(&read),
                    });
                    (watch, at) = (again, revision);
                }
                Ok(other) => panic!("watch {number} at {at}: {other:?}"),
                Err(_) => assert!(
                    quiet_since.elapsed() < PATIENCE,
                    "watch {number} is silent at {at}"
                ),
            }
            self.told[number].store(at, Ordering::Relaxed);
        }
    }
}

/// What a watch cannot tell any more, and a watch from there on.
fn read_and_watch<D: Driver>(client: &D) -> (RangeResponse, D::Watching) {
    let until = Instant::now() + PATIENCE;
    loop {
        let tried: Result<_, Error> = client.get(Range::prefix(KEYS)).and_then(|read| {
            let from = Watch::prefix(KEYS).with_start_revision(read.header.revision + 1);
            Ok((read, client.watch(from)?))
        });
        match tried {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    }
}

impl Told {
    fn judge(&self, truth: &[(i64, String)]) {
        let is_read = |revision| {
            let mut gaps = self.gaps.iter();
            gaps.any(|gap| gap.behind < revision && revision <= gap.to)
        };
        let wanted: Vec<_> = truth.iter().filter(|(at, _)| !is_read(*at)).collect();
        let told: Vec<_> = self.changes.iter().collect();
        if let Some(at) =
            (0..wanted.len().max(told.len())).find(|at| wanted.get(*at) != told.get(*at))
        {
            let (wanted, told) = (wanted.get(at), told.get(at));
            panic!("at {at}: the store has {wanted:?}, told was {told:?}");
        }
        for Gap { to, read, .. } in &self.gaps {
            let wanted = truth.iter().take_while(|(at, _)| at <= to);
            assert!(
                read.iter().eq(wanted),
                "what was read at {to} is not the store"
            );
        }
    }
}

/// What was acknowledged is there, what was refused is not, and nothing was done twice.
fn judge_writes(written: &[Written], truth: &[(i64, String)], figures: &mut Figures) {
    let mut held: BTreeMap<_, _> = truth.iter().map(|(at, key)| (key, *at)).collect();
    assert_eq!(held.len(), truth.len());
    for (key, outcome) in written {
        let stored = held.remove(key);
        let what = match outcome {
            Ok(revision) => {
                assert_eq!(stored, Some(*revision), "{key} was ok");
                "ok"
            }
            Err(Applied::No) => {
                assert_eq!(stored, None, "{key} was said not to be done");
                "no"
            }
            Err(Applied::Maybe) if stored.is_some() => "maybe, done",
            Err(Applied::Maybe) => "maybe, not done",
        };
        figures.count(what, 1);
    }
    let last = format!("{KEYS}last/");
    let nobodys = held.keys().find(|key| !key.starts_with(&last));
    assert_eq!(nobodys, None, "nobody put it");
}

/// What was put, in the order in which it came.
fn in_order(read: &RangeResponse) -> Vec<(i64, String)> {
    let kvs = read.kvs.iter().map(|kv| {
        let once = (1, kv.mod_revision);
        assert_eq!((kv.version, kv.create_revision), once, "done twice");
        (kv.mod_revision, kv.key_str().must().to_owned())
    });
    let mut kvs: Vec<_> = kvs.collect();
    kvs.sort();
    kvs
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("it told what was wrong")
}

const KEYS: &str = "load/";
const WRITERS: usize = 3;
const READERS: usize = 2;
pub(super) const WATCHES: usize = 4;
/// Between two calls of one thread, so that the servers are busy and not drowned.
const PACE: Duration = Duration::from_millis(2);
/// How long a put may wait for a server that stands still.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a read may take that others would answer, elections included.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
