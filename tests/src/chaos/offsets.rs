//! Puts that are broken off at every byte of the request and of the answer.
//!
//! Each put has a key of its own and a client of its own, whose first connection is broken; what the
//! client does then goes through. At the end the store is asked: what was `ok` is there once, what was
//! `No` is not, and nothing was done twice. The same put under a condition, made until it is settled, is there
//! once, whatever became of its first connection.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::thread;
use std::time::Duration;

use etcd_core::Applied;
use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::Put;
use etcd_core::PutIfAbsent;
use etcd_core::Range;
use etcd_core::recipes::Settled;

use super::Figures;
use super::Setting;
use super::straight;
use crate::Server;
use crate::driver::Driver;
use crate::fault_proxy::Fault;
use crate::fault_proxy::Plan;
use crate::fault_proxy::Proxy;
use crate::scenario::Must;

/// A put is reset and cut at each of its bytes and at each byte of its answer, stalled at some of them, and
/// dripped; a large one is reset in its midst.
pub(super) fn puts<D: Driver>(setting: &Setting) -> Figures {
    let server = Server::start_with(&setting.binary, &[LARGE_REQUESTS]).must();
    let port = server.client_port();
    let before = straight(port, &Range::key(KEYS)).header.revision;
    let trials = thread::scope(|scope| {
        let every = AT_EVERY_BYTE.iter().map(|row| (row, 1));
        let step = if setting.is_short { 150 } else { 25 };
        let some = AT_SOME_BYTES.iter().map(|row| (row, step));
        let mut trials: Vec<_> = every
            .chain(some)
            .map(|((name, plan), step)| {
                scope.spawn(move || {
                    let mut trial = Trial::<D>::new(port);
                    trial.all(name, *plan, step);
                    trial
                })
            })
            .collect();
        trials.push(scope.spawn(move || {
            let mut trial = Trial::<D>::new(port);
            trial.dripped();
            trial.large(&setting.share(8));
            trial
        }));
        let joined = trials.into_iter().map(|trial| trial.join());
        let joined = joined.map(|trial| trial.expect("it told what was wrong"));
        joined.collect::<Vec<_>>()
    });
    judge(port, before, &trials)
}

/// What was put: key, length of the value, and the revision or whether it may have been.
type Outcome = (String, usize, Result<i64, Applied>);

struct Trial<D> {
    proxy: Proxy,
    put: Vec<Outcome>,
    /// How many clients had read each byte that had passed when the rest of the answer did not.
    exact: u64,
    /// How many settled writes were found to be there by an attempt whose answer was lost.
    found: u64,
    driver: PhantomData<D>,
}

impl<D: Driver> Trial<D> {
    fn new(port: u16) -> Self {
        Self {
            proxy: Proxy::start(port).must(),
            put: Vec::new(),
            exact: 0,
            found: 0,
            driver: PhantomData,
        }
    }

    /// Puts a key for every so-manyth byte, until the last one has passed and nothing more goes wrong.
    fn all(&mut self, name: &str, plan: At, step: usize) {
        let mut places = (0..).step_by(step);
        let place = places.find(|place| {
            let key = format!("{name}/{place:05}");
            assert!(*place < 4096, "{name} has no end");
            let is_broken = self.put(key, plan(*place), *place, SMALL);
            let key = format!("settled {name}/{place:05}");
            let is_broken_too = self.settle(&key, plan(*place), *place);
            !is_broken && !is_broken_too
        });
        assert!(place > Some(200), "{name} ended at byte {place:?}");
    }

    fn dripped(&mut self) {
        let dripped = Plan {
            up: Fault::Drip,
            down: Fault::Drip,
        };
        assert!(!self.put("drip".to_owned(), dripped, 0, SMALL));
        assert!(self.last().is_ok());
    }

    /// Puts what no socket takes ahead, so that it has not left when the connection breaks.
    fn large(&mut self, parts: &[usize]) {
        for place in parts.iter().map(|part| 1 + (part * LARGE / 32) as u64) {
            let plan = Plan::up(Fault::Reset(place));
            // So it is sent again.
            self.put(format!("large/{place:09}"), plan, place, LARGE);
            assert!(self.last().is_ok());
            // And certainly not done where nobody ever takes it.
            self.proxy.further(plan);
            self.put(format!("{NEVER}/{place:09}"), plan, place, LARGE);
            assert_eq!(self.last(), Err(Applied::No));
            self.proxy.heal();
        }
    }

    fn last(&self) -> Result<i64, Applied> {
        self.put.last().expect("something was put").2
    }

    /// Puts a key over a connection with this plan, which breaks it behind `place` bytes; whether it did.
    fn put(&mut self, key: String, plan: Plan, place: u64, len: usize) -> bool {
        let before = self.proxy.struck();
        self.proxy.next(plan);
        let client = D::with_seed(Config::new([self.proxy.endpoint()]).must(), place);
        let key = format!("{KEYS}{key}");
        let options = match (plan.up, plan.down) {
            (Fault::Stall(_), _) | (_, Fault::Stall(_)) => soon(),
            _ if key.contains(NEVER) => soon(),
            _ => CallOptions::default(),
        };
        let result = client.call_with(Put::new(&key, value(&key, len)), options);
        if plan.down != Fault::None && result.is_err() {
            let read = client.stats().bytes_in;
            assert!(read <= place, "{key}: {read} bytes came");
            self.exact += u64::from(read == place);
        }
        let outcome = result
            .map(|put| put.header.revision)
            .map_err(|error| error.applied());
        self.put.push((key, len, outcome));
        client.shutdown();
        self.proxy.struck() > before
    }

    /// The same for a put under a condition, made until it is settled.
    fn settle(&mut self, key: &str, plan: Plan, place: u64) -> bool {
        let before = self.proxy.struck();
        self.proxy.next(plan);
        let client = D::with_seed(Config::new([self.proxy.endpoint()]).must(), place);
        let key = format!("{KEYS}{key}");
        let write = PutIfAbsent::new(&key, value(&key, SMALL));
        let options = match (plan.up, plan.down) {
            (Fault::Stall(_), _) | (_, Fault::Stall(_)) => soon(),
            _ => CallOptions::default(),
        };
        let settled = client.settle_with(write, options).must();
        let revision = match &settled {
            Settled::Done { revision, .. } => *revision,
            Settled::Found { current } => {
                self.found += 1;
                current.as_ref().expect("it is found").mod_revision
            }
            other => panic!("{key}: {other:?}"),
        };
        self.put.push((key, SMALL, Ok(revision)));
        client.shutdown();
        self.proxy.struck() > before
    }
}

/// Holds what was told to what the store holds, which was at revision `before` at the beginning.
fn judge<D>(port: u16, before: i64, trials: &[Trial<D>]) -> Figures {
    let truth = straight(port, &Range::prefix(KEYS));
    let kvs = truth.kvs.iter();
    let mut held: BTreeMap<_, _> = kvs.map(|kv| (kv.key_str().must(), kv)).collect();
    let mut figures = Figures::default();
    for (key, len, outcome) in trials.iter().flat_map(|trial| &trial.put) {
        let kv = held.remove(key.as_str());
        if let Some(kv) = kv {
            let once = (1, kv.mod_revision);
            assert_eq!((kv.version, kv.create_revision), once, "{key} twice");
            assert_eq!(kv.value, value(key, *len), "{key} is something else");
        }
        let stored = kv.map(|kv| kv.mod_revision);
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
    assert!(held.is_empty(), "nobody put {:?}", held.keys());
    // Every revision is one of these puts, so none was done and then done again.
    let revisions = truth.header.revision - before;
    assert_eq!(usize::try_from(revisions).must(), truth.kvs.len());
    for trial in trials {
        figures.faults += trial.proxy.struck();
        figures.count("read to the byte", trial.exact);
        figures.count("settled, and found", trial.found);
    }
    figures
}

fn soon() -> CallOptions {
    CallOptions::default().with_timeout(SOON)
}

/// A value that no other key has.
fn value(key: &str, len: usize) -> String {
    key.chars().cycle().take(len).collect()
}

type At = fn(u64) -> Plan;

const AT_EVERY_BYTE: [(&str, At); 4] = [
    ("reset up", |place| Plan::up(Fault::Reset(place))),
    ("reset down", |place| Plan::down(Fault::Reset(place))),
    ("cut up", |place| Plan::up(Fault::Cut(place))),
    ("cut down", |place| Plan::down(Fault::Cut(place))),
];
const AT_SOME_BYTES: [(&str, At); 2] = [
    ("stall up", |place| Plan::up(Fault::Stall(place))),
    ("stall down", |place| Plan::down(Fault::Stall(place))),
];
const KEYS: &str = "puts/";
/// What is in the keys of puts that no connection lets through.
const NEVER: &str = "never";
const SMALL: usize = 40;
/// Far more than sockets take ahead.
const LARGE: usize = 8 << 20;
const LARGE_REQUESTS: &str = "--max-request-bytes=20971520";
/// The deadline of what nobody is going to answer.
const SOON: Duration = Duration::from_millis(300);
