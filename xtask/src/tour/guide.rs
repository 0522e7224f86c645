//! The steps of the tour, over either driver.
//!
//! Each step says what it asks for, asks, and says what came back; what came back is checked, and
//! the first thing that is not as it should be ends the tour.

use std::sync::mpsc;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Compare;
use etcd_core::Config;
use etcd_core::DeleteRange;
use etcd_core::Error;
use etcd_core::HealthRequest;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAlive;
use etcd_core::LeaseRevoke;
use etcd_core::LeaseTimeToLive;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::Txn;
use etcd_core::TxnOpResponse;
use etcd_core::TxnResponse;
use etcd_core::VersionRequest;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_tests::Server;
use etcd_tests::driver::Driver;
use etcd_tests::driver::Watching;

use super::pen::Pen;

/// Leads through the tour.
pub(super) struct Guide<'a, D> {
    pen: &'a Pen,
    client: D,
    /// For the writer beside the watch.
    config: Config,
    /// Every key of the tour is below this.
    prefix: String,
    /// The server, if it is ours to kill.
    server: Option<&'a mut Server>,
}

impl<'a, D: Driver> Guide<'a, D> {
    pub(super) fn new(
        pen: &'a Pen,
        config: Config,
        prefix: String,
        server: Option<&'a mut Server>,
    ) -> Self {
        let client = D::with_config(config.clone());
        Self {
            pen,
            client,
            config,
            prefix,
            server,
        }
    }

    /// The whole tour; an error says what was not as it should be.
    pub(super) fn walk(mut self) -> Result<(), String> {
        let walked = self.steps();
        if walked.is_err() {
            // The last step, which deletes everything, was not reached.
            let _ = self.client.delete(DeleteRange::prefix(&self.prefix));
        }
        walked
    }

    fn steps(&mut self) -> Result<(), String> {
        self.server_itself()?;
        self.keys()?;
        self.transactions()?;
        self.lease()?;
        self.watch()?;
        self.clean_up()
    }

    fn server_itself(&self) -> Result<(), String> {
        self.ask(
            "client.version()",
            |client| client.call(VersionRequest::new()),
            |it| {
                Ok(format!(
                    "etcd {}, cluster {}",
                    it.etcdserver, it.etcdcluster
                ))
            },
        )?;
        self.ask(
            "client.health()",
            |client| client.call(HealthRequest::new()),
            |it| match it.health {
                true => Ok("healthy".to_owned()),
                false => Err(format!("unhealthy: {}", it.reason)),
            },
        )
    }

    fn keys(&self) -> Result<(), String> {
        let apple = self.key("fruit/apple");
        self.ask(
            &format!("client.put({apple:?}, \"green\")"),
            |client| client.put(&apple, "green"),
            |it| Ok(format!("stored at revision {}", it.header.revision)),
        )?;
        self.ask(
            &format!("client.call(Put::new({apple:?}, \"red\").with_prev_kv())"),
            |client| client.call(Put::new(&apple, "red").with_prev_kv()),
            |it| match it.prev_kv {
                Some(kv) if kv.value == "green" => Ok(format!(
                    "stored at revision {}; it was green",
                    it.header.revision
                )),
                other => Err(format!("green was stored, but it was {other:?}")),
            },
        )?;
        self.ask(
            &format!("client.get({apple:?})"),
            |client| client.get(&apple),
            |it| match it.first() {
                Some(kv) if kv.value == "red" && kv.version == 2 => Ok(format!(
                    "red, version 2, changed at revision {}",
                    kv.mod_revision
                )),
                other => Err(format!("red was stored, read was {other:?}")),
            },
        )?;
        let pear = self.key("fruit/pear");
        let plum = self.key("fruit/plum");
        let both = [Put::new(&pear, "yellow"), Put::new(&plum, "blue")];
        self.ask(
            "client.txn(Txn::new().and_then([Put pear, Put plum]))",
            |client| client.call(Txn::new().and_then(both)),
            |it| Ok(format!("both stored at revision {}", it.header.revision)),
        )?;
        let fruit = self.key("fruit/");
        self.ask(
            &format!("client.get(Range::prefix({fruit:?}).with_limit(2))"),
            |client| client.get(Range::prefix(&fruit).with_limit(2)),
            |it| match (it.kvs.len(), it.count, it.more) {
                (2, 3, true) => Ok(format!("{} (2 of 3, more to come)", listed(&it))),
                _ => Err(format!(
                    "wanted 2 of 3, got {} of {}",
                    it.kvs.len(),
                    it.count
                )),
            },
        )
    }

    fn transactions(&self) -> Result<(), String> {
        let leader = self.key("leader");
        let take = |name: &str| {
            Txn::new()
                .when([Compare::missing(&leader)])
                .and_then([Put::new(&leader, name)])
                .or_else([Range::key(&leader)])
        };
        let holder = |it: &TxnResponse| match &it.responses[..] {
            [TxnOpResponse::Range(range)] => range.first().map(|kv| kv.value.clone()),
            _ => None,
        };
        self.ask(
            &format!("if {leader:?} is missing, put \"ann\", else read it"),
            |client| client.call(take("ann")),
            |it| match it.succeeded() {
                true => Ok(format!(
                    "won: ann leads since revision {}",
                    it.header.revision
                )),
                false => Err(format!("it was there already: {:?}", holder(&it))),
            },
        )?;
        self.ask(
            &format!("if {leader:?} is missing, put \"bob\", else read it"),
            |client| client.call(take("bob")),
            |it| match holder(&it) {
                Some(name) if name == "ann" => Ok("lost: ann leads".to_owned()),
                other => Err(format!("wanted ann, got {other:?}")),
            },
        )
    }

    fn lease(&self) -> Result<(), String> {
        let session = self.key("session");
        let mut id = 0;
        self.ask(
            "client.lease_grant(60)",
            |client| client.call(LeaseGrant::new(60)),
            |it| {
                id = it.id;
                Ok(format!("lease {:x} for {} s", it.id, it.ttl))
            },
        )?;
        self.ask(
            &format!("client.call(Put::new({session:?}, \"here\").with_lease({id:x}))"),
            |client| client.call(Put::new(&session, "here").with_lease(id)),
            |it| Ok(format!("stored at revision {}", it.header.revision)),
        )?;
        self.ask(
            &format!("client.lease_keep_alive_once({id:x})"),
            |client| client.call(LeaseKeepAlive::new(id)),
            |it| Ok(format!("another {} s", it.ttl)),
        )?;
        self.ask(
            &format!("client.call(LeaseTimeToLive::new({id:x}).with_keys())"),
            |client| client.call(LeaseTimeToLive::new(id).with_keys()),
            |it| match &it.keys[..] {
                [key] if *key == session => Ok(format!("{} s left, one key: {session}", it.ttl)),
                other => Err(format!("wanted the one key, got {other:?}")),
            },
        )?;
        self.ask(
            &format!("client.lease_revoke({id:x}), then client.get({session:?})"),
            |client| {
                client.call(LeaseRevoke::new(id))?;
                client.get(&session)
            },
            |it| match it.count {
                0 => Ok("the key is gone with its lease".to_owned()),
                _ => Err("the key outlived its lease".to_owned()),
            },
        )
    }

    fn watch(&mut self) -> Result<(), String> {
        let live = self.key("live/");
        let mut watching = None;
        self.ask(
            &format!("client.watch(Watch::prefix({live:?})), while another client writes"),
            |client| client.watch(Watch::prefix(&live)),
            |it| {
                let at = it.created_revision();
                watching = Some(it);
                Ok(format!("watching from revision {at} on"))
            },
        )?;
        let watch = watching.as_mut().ok_or("there is no watch")?;
        let writer = D::with_config(self.config.clone());
        let (written, acknowledged) = mpsc::channel();
        let keys = live.clone();
        let pace = thread::spawn(move || write(&writer, &keys, &written));
        let seen = self.follow(watch, &acknowledged);
        // A writer that is still at it, because the watch went wrong, ends with its channel.
        drop(acknowledged);
        let written = pace.join().map_err(|_| "the writer panicked")?;
        let seen = seen?;
        let written = written?;

        self.ask(
            &format!("client.get(Range::prefix({live:?})), to compare"),
            |client| client.get(Range::prefix(&live)),
            |it| compare(&it, &seen, written),
        )
    }

    /// Shows changes as they come, kills the server under way, and gives them all once the last one
    /// that was acknowledged has come.
    fn follow(
        &mut self,
        watch: &mut D::Watching,
        acknowledged: &mpsc::Receiver<i64>,
    ) -> Result<Vec<Change>, String> {
        let mut seen: Vec<Change> = Vec::new();
        let (mut last, mut writing) = (0, true);
        let mut quiet_since = Instant::now();
        let mut to_show = SHOWN;
        while writing || seen.last().is_none_or(|change| change.revision < last) {
            while writing {
                match acknowledged.try_recv() {
                    Ok(revision) => last = revision,
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => writing = false,
                }
            }
            match watch.next_within(Duration::from_millis(50)) {
                Ok(Some(WatchEvent::Batch(batch))) => {
                    quiet_since = Instant::now();
                    for event in batch.events {
                        let change = Change {
                            revision: batch.revision,
                            key: event.kv.key.to_vec(),
                        };
                        if to_show > 0 {
                            to_show -= 1;
                            let more = if to_show == 0 { " …" } else { "" };
                            self.pen.change(&format!("{change}{more}"));
                        }
                        seen.push(change);
                    }
                }
                Ok(Some(WatchEvent::Resumed { from, endpoint })) => {
                    let told = seen.last().map_or(0, |change| change.revision);
                    self.pen.happens(&format!(
                        "told up to revision {told}, it goes on from {from} at {endpoint}"
                    ));
                    to_show = SHOWN;
                }
                Ok(Some(WatchEvent::End(end))) => return Err(format!("the watch ended: {end}")),
                Ok(None) => return Err("the watch ended twice".to_owned()),
                // Progress, or nothing.
                _ if quiet_since.elapsed() > PATIENCE => {
                    let told = seen.len();
                    return Err(format!(
                        "nothing came for {PATIENCE:?} after {told} changes"
                    ));
                }
                _ => {}
            }
            if seen.len() >= WRITES / 2 {
                if let Some(server) = self.server.take() {
                    let at = seen.len();
                    self.pen.change(&format!("… {at} changes so far"));
                    kill(self.pen, server).map_err(|error| error.to_string())?;
                    quiet_since = Instant::now();
                }
            }
        }
        self.pen.change(&format!("… {} changes in all", seen.len()));
        Ok(seen)
    }

    fn clean_up(&self) -> Result<(), String> {
        let apple = self.key("fruit/apple");
        self.ask(
            &format!("client.delete({apple:?})"),
            |client| client.delete(&apple),
            |it| match it.deleted {
                1 => Ok(format!("deleted at revision {}", it.header.revision)),
                other => Err(format!("wanted 1 key deleted, got {other}")),
            },
        )?;
        self.ask(
            &format!("client.delete(DeleteRange::prefix({:?}))", self.prefix),
            |client| {
                let all = client.delete(DeleteRange::prefix(&self.prefix))?.deleted;
                Ok((
                    all,
                    client
                        .get(Range::prefix(&self.prefix).with_count_only())?
                        .count,
                ))
            },
            |(all, left)| match left {
                0 => Ok(format!("{all} keys deleted, none left")),
                _ => Err(format!("{left} keys are left")),
            },
        )
    }

    /// One step: says what it asks for, does it, and says what came back.
    fn ask<T>(
        &self,
        what: &str,
        ask: impl FnOnce(&D) -> Result<T, Error>,
        tell: impl FnOnce(T) -> Result<String, String>,
    ) -> Result<(), String> {
        self.pen.ask(what);
        let since = Instant::now();
        let answer = ask(&self.client).map_err(|error| error.to_string())?;
        let took = since.elapsed();
        self.pen.answer(&tell(answer)?, took);
        Ok(())
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// One change that the watch told.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    revision: i64,
    key: Vec<u8>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = String::from_utf8_lossy(&self.key);
        write!(f, "revision {}: {key}", self.revision)
    }
}

/// Writes all, each until it is acknowledged, under a key of each attempt's own; gives how many
/// attempts failed.
fn write<D: Driver>(
    client: &D,
    keys: &str,
    acknowledged: &mpsc::Sender<i64>,
) -> Result<usize, String> {
    let mut failed = 0;
    for number in 0..WRITES {
        let since = Instant::now();
        for attempt in 0.. {
            match client.put(format!("{keys}{number:03}.{attempt}"), "v") {
                Ok(put) if acknowledged.send(put.header.revision).is_err() => return Ok(failed),
                Ok(_) => break,
                Err(error) if since.elapsed() > PATIENCE => return Err(error.to_string()),
                Err(_) => failed += 1,
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(failed)
}

fn kill(pen: &Pen, server: &mut Server) -> std::io::Result<()> {
    let process = |server: &Server| server.pid().map_or_else(String::new, |pid| pid.to_string());
    pen.happens(&format!("kill -9 {}: the server is gone", process(server)));
    server.kill()?;
    thread::sleep(Duration::from_millis(200));
    let since = Instant::now();
    server.restart()?;
    let took = since.elapsed().as_millis();
    pen.happens(&format!(
        "started again as process {}, healthy after {took} ms",
        process(server)
    ));
    Ok(())
}

/// Whether what was told is what the store holds: every change once and in order.
fn compare(held: &RangeResponse, seen: &[Change], failed: usize) -> Result<String, String> {
    let mut truth: Vec<_> = held
        .kvs
        .iter()
        .map(|kv| Change {
            revision: kv.mod_revision,
            key: kv.key.to_vec(),
        })
        .collect();
    truth.sort();
    if let Some(at) = (0..truth.len().max(seen.len())).find(|at| truth.get(*at) != seen.get(*at)) {
        return Err(format!(
            "change {at} is {:?} in the store, and told was {:?}",
            truth.get(at),
            seen.get(at)
        ));
    }
    if truth.len() < WRITES {
        return Err(format!(
            "{WRITES} writes were acknowledged, the store has {}",
            truth.len()
        ));
    }
    let attempts = match failed {
        0 => String::new(),
        1 => "; one write was tried again".to_owned(),
        more => format!("; {more} times a write was tried again"),
    };
    Ok(format!(
        "the same {} changes: none lost, none twice{attempts}",
        seen.len()
    ))
}

fn listed(answer: &RangeResponse) -> String {
    let each = answer.kvs.iter().map(|kv| {
        let (key, value) = (
            String::from_utf8_lossy(&kv.key),
            String::from_utf8_lossy(&kv.value),
        );
        format!("{} = {value}", key.rsplit('/').next().unwrap_or(&key))
    });
    each.collect::<Vec<_>>().join(", ")
}

/// How many writes go on beside the watch.
const WRITES: usize = 200;
/// How many changes are shown before the rest is only counted.
const SHOWN: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);
