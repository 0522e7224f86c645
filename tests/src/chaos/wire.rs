//! Watches that are broken off at every byte of what the server sends.
//!
//! Each watch has a history of five revisions before it and five more after it was confirmed, written
//! straight to the server, and has to deliver all of them once, whole and in order.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Config;
use etcd_core::DeleteRange;
use etcd_core::EventKind;
use etcd_core::Put;
use etcd_core::Txn;
use etcd_core::TxnOp;
use etcd_core::Watch;
use etcd_core::WatchEvent;

use super::Figures;
use super::PATIENCE;
use super::Setting;
use super::straight;
use crate::Server;
use crate::driver::Driver;
use crate::driver::Watching;
use crate::fault_proxy::Fault;
use crate::fault_proxy::Plan;
use crate::fault_proxy::Proxy;
use crate::scenario::Must;

/// A watch is reset at each byte of its first connection, and at a byte of every connection; it is cut and
/// stalled at some bytes, and dripped. Several go on at the same time, as servers look for history ten times a
/// second only.
pub(super) fn watches<D: Driver>(setting: &Setting) -> Figures {
    let server = Server::start_with(&setting.binary, &[]).must();
    let port = server.client_port();
    let revision = straight(port, &Put::new("first", "v")).header.revision;
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let trial = Trial {
                    port,
                    proxy: Proxy::start(port).must(),
                    prefix: format!("watches/{lane}/"),
                    revision,
                    figures: Figures::default(),
                };
                scope.spawn(move || trial.run::<D>(setting, lane))
            })
            .collect();
        let mut figures = Figures::default();
        for lane in lanes {
            figures.add(lane.join().expect("it told what was wrong"));
        }
        figures
    })
}

/// The changes of one revision: keys, and values of those that were put.
type Changes = (i64, Vec<(String, Option<String>)>);

struct Trial {
    port: u16,
    proxy: Proxy,
    /// Of its keys.
    prefix: String,
    /// Of its last change.
    revision: i64,
    figures: Figures,
}

impl Trial {
    /// Does what falls to one lane.
    fn run<D: Driver>(mut self, setting: &Setting, lane: u64) -> Figures {
        // Every byte once in all the passes together; in a short one a sample, which is prime to most lengths.
        let (first, step) = match setting.is_short {
            true => (0, 53),
            false => (setting.pass as u64, setting.passes as u64),
        };
        let mut place = first + lane * step;
        while self.watch::<D>(&[Plan::down(Fault::Reset(place))], place) {
            place += step * LANES;
            assert!(place < 16_384 + step * LANES, "there is no end of it");
        }
        assert!(place > 1500, "it ended at byte {place}");
        let some = if setting.is_short { 1 } else { 3 };
        for part in (0..some).map(|part| part * LANES + lane) {
            let place = 1500 * part / (some * LANES);
            assert!(self.watch::<D>(&[Plan::down(Fault::Cut(place))], place));
            assert!(self.watch::<D>(&[Plan::down(Fault::Stall(place))], place));
            assert!(self.watch::<D>(&[Plan::up(Fault::Reset(place % 100))], place));
        }
        let dripped = Plan {
            up: Fault::Drip,
            down: Fault::Drip,
        };
        assert!(!self.watch::<D>(&[dripped], lane));
        // Twice, the second time before it was confirmed again.
        let (late, early) = (1200 + lane, 100 * lane);
        let plans = [late, early].map(|place| Plan::down(Fault::Reset(place)));
        assert!(self.watch::<D>(&plans, late));
        // With the whole of one revision on each connection it gets on, however often it is broken off.
        let place = 1500 + 100 * lane;
        self.proxy.further(Plan::down(Fault::Reset(place)));
        assert!(self.watch::<D>(&[Plan::down(Fault::Reset(place))], place));
        self.proxy.heal();
        self.figures.faults = self.proxy.struck();
        self.figures
    }

    /// Watches over connections with these plans; whether one was broken.
    fn watch<D: Driver>(&mut self, plans: &[Plan], place: u64) -> bool {
        let struck = self.proxy.struck();
        plans.iter().for_each(|plan| self.proxy.next(*plan));
        let mut config = Config::new([self.proxy.endpoint()]).must();
        // What stands still is to be left soon.
        config.watch_created_timeout = SOON;
        config.watch_idle_timeout = SOON;
        config.watch_probe_timeout = SOON;
        let client = D::with_seed(config, place);
        let from = self.revision + 1;
        let mut written = self.write("history");
        let mut watch = client
            .watch(Watch::prefix(&self.prefix).with_start_revision(from))
            .must();
        let mut recovered = self.recovery(struck, Instant::now());
        written.extend(self.write("live"));
        let until = Instant::now() + PATIENCE;
        let mut told: Vec<Changes> = Vec::new();
        while told.len() < written.len() {
            let left = until.saturating_duration_since(Instant::now());
            match watch.next_within(left) {
                Ok(Some(WatchEvent::Batch(batch))) => {
                    assert!(!batch.coalesced);
                    let changes = batch.events.iter().map(|event| {
                        assert_eq!(event.kv.mod_revision, batch.revision);
                        let put = event.kind == EventKind::Put;
                        let value = put.then(|| event.kv.value_str().must().to_owned());
                        (event.kv.key_str().must().to_owned(), value)
                    });
                    told.push((batch.revision, changes.collect()));
                }
                Ok(Some(WatchEvent::Resumed { .. })) => {
                    recovered = recovered.or_else(|| self.recovery(struck, Instant::now()));
                }
                Ok(Some(WatchEvent::Progress { .. })) => {}
                other => panic!("{plans:?}: wanted changes, got {other:?}"),
            }
        }
        assert_eq!(told, written, "{plans:?}");
        self.figures.events += told.iter().map(|(_, keys)| keys.len() as u64).sum::<u64>();
        self.figures.recoveries.extend(recovered);
        client.shutdown();
        self.proxy.struck() > struck
    }

    /// How long ago it was broken, if it was.
    fn recovery(&self, struck: u64, now: Instant) -> Option<Duration> {
        let last = self.proxy.last_struck()?;
        (self.proxy.struck() > struck).then(|| now.saturating_duration_since(last))
    }

    /// Writes five revisions, one of them a transaction of several keys.
    fn write(&mut self, what: &str) -> Vec<Changes> {
        let prefix = &self.prefix;
        let key = |name: &str| format!("{prefix}{what}/{name}");
        let put = |name, value: &str| TxnOp::from(Put::new(key(name), value.to_owned()));
        let delete = |name| TxnOp::from(DeleteRange::key(key(name)));
        let value = |value: &str| Some(value.to_owned());
        let steps = [
            (vec![put("a", "1")], vec![("a", value("1"))]),
            (
                vec![put("b", "2"), put("a", "2"), put("c", "2")],
                vec![("b", value("2")), ("a", value("2")), ("c", value("2"))],
            ),
            (vec![delete("a")], vec![("a", None)]),
            (
                vec![delete("b"), put("d", "4")],
                vec![("b", None), ("d", value("4"))],
            ),
            (vec![put("a", "5")], vec![("a", value("5"))]),
        ];
        let written = steps.into_iter().map(|(operations, changes)| {
            let done = straight(self.port, &Txn::new().and_then(operations));
            let changes = changes.into_iter();
            let changes = changes.map(|(name, value)| (key(name), value)).collect();
            (done.header.revision, changes)
        });
        let written: Vec<Changes> = written.collect();
        self.revision = written.last().map_or(0, |(revision, _)| *revision);
        written
    }
}

const LANES: u64 = 8;
const SOON: Duration = Duration::from_millis(200);
