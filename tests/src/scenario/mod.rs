//! What the client does on a real etcd, written once for both drivers.
//!
//! Each scenario is a function over [`Driver`] that gets a [`Stage`]: a server of its own. It panics
//! where the client does not keep what it promises. `tests/scenarios.rs` runs each on both drivers.
//! Where the truth is the store's, it is asked for with [`http`], not with the client under test.

pub mod auth;
pub mod endpoints;
pub mod errors;
pub mod every;
pub mod flow;
pub mod helpers;
pub mod kept;
pub mod kv;
pub mod lag;
pub mod lease;
pub mod many;
pub mod namespace;
pub mod pool;
pub mod provoked;
pub mod recording;
pub mod restart;
pub mod resync;
pub mod streams;
pub mod txn;
pub mod watch;

use std::fmt::Debug;
use std::fmt::Display;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Config;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::WatchBatch;
use etcd_core::WatchEnd;
use etcd_core::WatchEvent;
use etcd_core::gateway;
use etcd_core::gateway::Gateway;

use crate::Cluster;
use crate::Server;
use crate::driver::Driver;
use crate::driver::Watching;
use crate::find;
use crate::http;

/// A server of a scenario's own, while it is the scenario's turn: few run at the same time, so that
/// what takes long does so by itself and not for want of a processor.
#[derive(Debug)]
pub struct Stage {
    /// The server; gone, with its data, when the stage is dropped.
    pub server: Server,
    /// Dropped after the server.
    _turn: Turn,
}

impl Stage {
    /// Waits for a turn and starts the server that `find::find` finds.
    #[must_use]
    pub fn start() -> Self {
        let turn = Turn::wait();
        Self {
            server: Server::start().must(),
            _turn: turn,
        }
    }

    /// Replaces the server by a new one that is started with further flags.
    fn start_anew(&mut self, further: &[&str]) {
        self.server = Server::start_with(&find::find().must(), further).must();
    }

    /// A configuration with the server as its only endpoint.
    fn config(&self) -> Config {
        Config::new([self.server.endpoint()]).must()
    }

    /// A client of the server, with the defaults of everything.
    fn client<D: Driver>(&self) -> D {
        D::with_config(self.config())
    }

    /// What the server says to a read, asked without the client under test.
    fn truth(&self, range: Range) -> RangeResponse {
        truth(self.server.client_port(), &range)
    }

    /// How many watches the server has, all clients together.
    fn watches(&self) -> u64 {
        let metrics = http::get(self.server.client_port(), "/metrics", PATIENCE).must();
        let line = metrics
            .body
            .lines()
            .find_map(|line| line.strip_prefix("etcd_debugging_mvcc_watcher_total "));
        line.expect("etcd counts its watches").trim().parse().must()
    }

    /// How many connections this process has to the server.
    fn connections(&self) -> usize {
        self.server.connections_from(std::process::id())
    }

    /// Whether the server's version is at least this one.
    fn is_at_least(&self, version: [u32; 3]) -> bool {
        numbers(&self.server) >= version
    }
}

/// What the server on this port says to a read, asked without the client under test.
#[track_caller]
pub(crate) fn truth(port: u16, range: &Range) -> RangeResponse {
    let request = Gateway::new().request(range);
    let json = String::from_utf8(request.into_body().to_vec()).must();
    let answer = http::post(port, "/v3/kv/range", &json, PATIENCE).must();
    gateway::decode_answer::<Range>(answer.status, answer.body.as_bytes()).must()
}

/// The three numbers of a server's version.
fn numbers(server: &Server) -> [u32; 3] {
    let text = server.version().must();
    let mut parts = text.split(['.', '-', '+']).map(|part| part.parse().must());
    let mut next = || parts.next().expect("a version has three numbers");
    [next(), next(), next()]
}

/// A cluster of a scenario's own, while it is the scenario's turn.
#[derive(Debug)]
pub struct Ensemble {
    /// The members; gone, with their data, when this is dropped.
    pub cluster: Cluster,
    /// Dropped after them.
    _turn: Turn,
}

impl Ensemble {
    /// Waits for a turn and starts so many members of the etcd that `find::find` finds.
    #[must_use]
    pub fn start(members: usize) -> Self {
        let turn = Turn::wait();
        Self {
            cluster: Cluster::start(members).must(),
            _turn: turn,
        }
    }
}

/// One of the turns there are; given back when dropped.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn wait() -> Self {
        let mut taken = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken == AT_ONCE {
            taken = FREE.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TURNS.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREE.notify_one();
    }
}

/// A result that has to be as the scenario says.
pub(crate) trait Must {
    type Good;
    type Bad;

    /// The good of it; a panic with the error at the place where this is called.
    fn must(self) -> Self::Good;

    /// The error of it; a panic if there is none.
    fn must_fail(self) -> Self::Bad;
}

impl<T: Debug, E: Display> Must for Result<T, E> {
    type Good = T;
    type Bad = E;

    #[track_caller]
    fn must(self) -> T {
        match self {
            Ok(good) => good,
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn must_fail(self) -> E {
        match self {
            Ok(good) => panic!("wanted an error, got {good:?}"),
            Err(error) => error,
        }
    }
}

/// The next changes of a watch.
#[track_caller]
fn batch(watch: &mut impl Watching) -> WatchBatch {
    loop {
        match watch.next_within(PATIENCE) {
            Ok(Some(WatchEvent::Batch(batch))) => return batch,
            Ok(Some(WatchEvent::Progress { .. } | WatchEvent::Resumed { .. })) => {}
            other => panic!("wanted changes, got {other:?}"),
        }
    }
}

/// The end of a watch, which must be the next thing it tells, and the last.
#[track_caller]
fn end(watch: &mut impl Watching) -> WatchEnd {
    match watch.next_within(PATIENCE) {
        Ok(Some(WatchEvent::End(end))) => {
            assert_eq!(watch.next_within(PATIENCE), Ok(None));
            end
        }
        other => panic!("wanted the end, got {other:?}"),
    }
}

/// Nothing comes from a watch for a while, but progress notices.
#[track_caller]
fn nothing(watch: &mut impl Watching) {
    let until = Instant::now() + A_WHILE;
    while let Ok(event) = watch.next_within(until.saturating_duration_since(Instant::now())) {
        let progress = matches!(event, Some(WatchEvent::Progress { .. }));
        assert!(progress, "wanted nothing, got {event:?}");
    }
}

/// Keys and values of the changes, a deletion's value being none.
fn changes(batch: &WatchBatch) -> Vec<(&str, Option<&str>)> {
    let changes = batch.events.iter().map(|event| {
        let value = match event.kind {
            etcd_core::EventKind::Put => Some(event.kv.value_str().must()),
            _ => None,
        };
        (event.kv.key_str().must(), value)
    });
    changes.collect()
}

/// Waits until raft is through with the last change of members. It drops one that comes earlier, and
/// the server then waits for that as long as its caller does. What is read at the present comes later.
#[track_caller]
fn let_members_settle(client: &impl Driver) {
    client.get("k").must();
}

/// Waits until `holds`; a panic that says `what` if it does not come to hold.
#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "waited {PATIENCE:?} until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

static TURNS: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();
const AT_ONCE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_millis(200);
