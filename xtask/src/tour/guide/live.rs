//! The step with the watch: a writer beside it, the server killed under it, and what was told
//! compared with what the store holds.
//!
//! Each attempt of a write has a key of its own, so that the store at the end shows all that ever
//! happened.

use std::fmt;
use std::io;
use std::sync::mpsc;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_tests::Server;
use etcd_tests::driver::Driver;
use etcd_tests::driver::Watching;

use super::Guide;
use crate::tour::pen::Pen;

impl<D: Driver> Guide<'_, D> {
    pub(super) fn watch(&mut self) -> Result<(), String> {
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
}

/// One change that the watch told.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    revision: i64,
    key: Vec<u8>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

fn kill(pen: &Pen, server: &mut Server) -> io::Result<()> {
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

/// How many writes go on beside the watch.
const WRITES: usize = 200;
/// How many changes are shown before the rest is only counted.
const SHOWN: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);
