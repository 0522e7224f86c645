//! Many callers that get one key: `etcd-std` with a thread for each of them, and `etcd-smol` with all of
//! them and the driver on one thread, against wrk. As many requests are under way each time, on as many
//! connections: one on each, or several.
//!
//! Each way has its turn in each round. A turn of ours has a client of its own, so nothing else is awake
//! in this process; what it needs is open before anything is counted, and all its calls have ended
//! when counting ends. Each answer is looked at. Processor time is that of the client's process: here
//! all threads of this one, in user and in kernel, also the one that async-io keeps.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Config;
use etcd_core::ConfigError;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::Stats;
use smol::LocalExecutor;
use smol::Timer;

use crate::common::Spread;
use crate::common::Turn;
use crate::common::at_least;
use crate::common::at_most;
use crate::common::bytes_of;
use crate::common::cpu_time;
use crate::wrk::Wrk;

pub(crate) fn measure(endpoint: &str, rounds: usize, seconds: usize) -> Result<(), Box<dyn Error>> {
    let seconds = u64::try_from(seconds)?;
    let wrk = Wrk::version()?;
    let version = prepare(endpoint)?;
    let threads = thread::available_parallelism()?;
    println!(
        "{CALLERS} callers, get, etcd {version}, {rounds} rounds of {seconds} s each way in turn, \
         {threads} processors for client and server\n{wrk}"
    );

    let mut ways = Vec::new();
    for shape in SHAPES {
        for who in [Who::Wrk(shape.wrk(endpoint)?), Who::Std, Who::Smol] {
            ways.push(Way {
                who,
                shape,
                turns: Vec::new(),
            });
        }
    }
    // All get warm: caches, the server's store, its pace of collecting garbage.
    for way in &ways {
        way.turn(endpoint, 1)?;
    }
    for round in 0..rounds {
        // None is always the first, or always after the same, in case that makes a difference.
        let mut order: Vec<_> = (0..ways.len()).collect();
        order.rotate_left(round % ways.len());
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            let turn = ways[place].turn(endpoint, seconds)?;
            ways[place].turns.push(turn);
        }
    }

    let mut comparisons = Vec::new();
    for ways in ways.chunk_by(|one, next| one.shape == next.shape) {
        comparisons.extend(compare(ways));
    }
    println!(
        "\ntargets: at least {RATE:.2} of the rate of wrk, and at most {CPU:.2} of its CPU per call; \
         medians of what each round comes to"
    );
    for Comparison { name, rate, cpu } in comparisons {
        println!(
            "  {name}\n    rate {rate}, {}\n    CPU  {cpu}, {}",
            at_least(RATE, rate.median),
            at_most(CPU, cpu.median)
        );
    }
    Ok(())
}

/// Puts the key; gives the server's version.
fn prepare(endpoint: &str) -> Result<String, Box<dyn Error>> {
    let client = etcd_std::Client::connect([endpoint])?;
    client.put(KEY, VALUE)?;
    Ok(client.version()?.etcdserver)
}

/// How many connections there are, and how many requests are under way on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    connections: usize,
    deep: usize,
}

/// As many requests as there are callers, both times.
const SHAPES: [Shape; 2] = [
    Shape {
        connections: CALLERS,
        deep: 1,
    },
    Shape {
        connections: CALLERS / 8,
        deep: 8,
    },
];

impl Shape {
    fn wrk(self, endpoint: &str) -> Result<Wrk, Box<dyn Error>> {
        let (authority, request) = bytes_of(endpoint, Range::key(KEY))?;
        let Self { connections, deep } = self;
        Ok(Wrk::new(&authority, &request, connections, deep)?)
    }

    fn config(self, endpoint: &str) -> Result<Config, ConfigError> {
        let mut config = Config::new([endpoint])?;
        config.max_connections = self.connections;
        config.pipeline_depth = self.deep;
        Ok(config)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deep {
            1 => write!(f, "{} connections", self.connections),
            deep => write!(f, "{} connections, {deep} deep", self.connections),
        }
    }
}

/// Who does it.
#[derive(Debug)]
enum Who {
    Wrk(Wrk),
    Std,
    Smol,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wrk(_) => "wrk, one thread",
            Self::Std => "etcd-std, 64 threads",
            Self::Smol => "etcd-smol, one thread",
        })
    }
}

/// One way to do it, and how its turns went, one in each round.
#[derive(Debug)]
struct Way {
    who: Who,
    shape: Shape,
    turns: Vec<Turn>,
}

impl Way {
    fn turn(&self, endpoint: &str, seconds: u64) -> Result<Turn, Box<dyn Error>> {
        let length = Duration::from_secs(seconds);
        let turn = match &self.who {
            Who::Wrk(wrk) => wrk.turn(seconds),
            Who::Std => on_threads(self.shape, endpoint, length),
            Who::Smol => on_one_thread(self.shape, endpoint, length),
        };
        let Self { who, shape, .. } = self;
        match turn {
            Ok(turn) if turn.calls < 1.0 => Err(format!("{who}, {shape}: no answer came").into()),
            Ok(turn) => Ok(turn),
            Err(error) => Err(format!("{who}, {shape}: {error}").into()),
        }
    }

    /// A figure of this way by that of another, round by round.
    fn by(&self, other: &Self, figure: impl Fn(&Turn) -> f64) -> Spread {
        let rounds = self.turns.iter().zip(&other.turns);
        Spread::of(rounds.map(|(ours, theirs)| figure(ours) / figure(theirs)))
    }
}

/// One of ours by wrk.
struct Comparison {
    name: String,
    rate: Spread,
    cpu: Spread,
}

/// Prints the ways of one shape, wrk first, and compares the others with it.
fn compare(ways: &[Way]) -> Vec<Comparison> {
    let [wrk, ours @ ..] = ways else {
        return Vec::new();
    };
    println!(
        "\n{:24} {:>10} {:>8} {:>12} {:>8} {:>12}",
        wrk.shape.to_string(),
        "calls/s",
        "of wrk",
        "CPU µs/call",
        "of wrk",
        "connections"
    );
    for way in ways {
        let rate = Spread::of(way.turns.iter().map(Turn::rate)).median;
        let cpu = Spread::of(way.turns.iter().map(Turn::cpu_micros)).median;
        // Where a client gets by with fewer than it may have, this tells.
        let connections = way.turns.iter().map(|turn| turn.connections).min();
        println!(
            "  {:22} {rate:10.0} {:8.3} {cpu:12.2} {:8.3} {:12}",
            way.who,
            way.by(wrk, Turn::rate).median,
            way.by(wrk, Turn::cpu_micros).median,
            connections.unwrap_or_default(),
        );
    }
    let compare = |way: &Way| Comparison {
        name: format!("{}, {}", way.who, way.shape),
        rate: way.by(wrk, Turn::rate),
        cpu: way.by(wrk, Turn::cpu_micros),
    };
    ours.iter().map(compare).collect()
}

/// A turn of `etcd-std`: each caller is a thread.
fn on_threads(shape: Shape, endpoint: &str, length: Duration) -> Result<Turn, Box<dyn Error>> {
    let client = etcd_std::Client::with_seed(shape.config(endpoint)?, SEED);
    let over = AtomicBool::new(false);
    let gate = Barrier::new(CALLERS + 1);
    let caller = || -> Result<u32, String> {
        let ready = (0..FIRST).try_for_each(|_| check(client.get(KEY)));
        // Whether it could or not, the others wait here until all were there, and until they may.
        gate.wait();
        gate.wait();
        ready?;
        let mut calls = 0;
        while !over.load(Ordering::Relaxed) {
            check(client.get(KEY))?;
            calls += 1;
        }
        Ok(calls)
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(caller)).collect();
        gate.wait();
        let count = Count::begin();
        gate.wait();
        thread::sleep(length);
        over.store(true, Ordering::Relaxed);
        let mut calls = 0;
        for caller in callers {
            calls += caller.join().map_err(|_| "a caller panicked")??;
        }
        count.end(calls, shape, &client.stats())
    })
}

/// A turn of `etcd-smol`: each caller is a task, and the thread that is here runs them, the driver and
/// the reactor.
fn on_one_thread(shape: Shape, endpoint: &str, length: Duration) -> Result<Turn, Box<dyn Error>> {
    let (client, driver) = etcd_smol::Client::unspawned(shape.config(endpoint)?, SEED);
    let over = Cell::new(false);
    let local = LocalExecutor::new();
    let driver = local.spawn(driver);
    smol::block_on(local.run(async {
        let first: Vec<_> = (0..CALLERS)
            .map(|_| local.spawn(call_first(client.clone())))
            .collect();
        for caller in first {
            caller.await?;
        }
        let count = Count::begin();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| local.spawn(call_until(&over, client.clone())))
            .collect();
        Timer::after(length).await;
        over.set(true);
        let mut calls = 0;
        for caller in callers {
            calls += caller.await?;
        }
        let turn = count.end(calls, shape, &client.stats());
        // The driver ends when nobody has the client.
        drop(client);
        driver.await;
        turn
    }))
}

async fn call_first(client: etcd_smol::Client) -> Result<(), String> {
    for _ in 0..FIRST {
        check(client.get(KEY).await)?;
    }
    Ok(())
}

async fn call_until(over: &Cell<bool>, client: etcd_smol::Client) -> Result<u32, String> {
    let mut calls = 0;
    while !over.get() {
        check(client.get(KEY).await)?;
        calls += 1;
    }
    Ok(calls)
}

/// Whether a call got what was put.
fn check(answer: Result<RangeResponse, etcd_core::Error>) -> Result<(), String> {
    let answer = answer.map_err(|error| format!("a get failed: {error}"))?;
    match answer.kvs.first() {
        Some(kv) if kv.value == VALUE => Ok(()),
        _ => Err("a get was answered without the value that was put".to_owned()),
    }
}

/// A turn of ours that is under way.
struct Count {
    since: Instant,
    cpu: Duration,
}

impl Count {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            cpu: cpu_time(),
        }
    }

    fn end(self, calls: u32, shape: Shape, stats: &Stats) -> Result<Turn, Box<dyn Error>> {
        let (wall, cpu) = (self.since.elapsed(), cpu_time() - self.cpu);
        let connections = usize::try_from(stats.connections_opened)?;
        if connections > shape.connections || stats.retries != 0 {
            return Err(format!("the client did not stay on its connections: {stats:?}").into());
        }
        Ok(Turn {
            calls: f64::from(calls),
            wall,
            cpu,
            connections,
        })
    }
}

const CALLERS: usize = 64;
/// How many calls each caller makes before any is counted: enough to open all connections.
const FIRST: usize = 10;
const SEED: u64 = 1;
const KEY: &str = "measure/key";
const VALUE: &str = "a small value";
/// The targets of design.md, "Speed and size it is built for".
const RATE: f64 = 0.95;
const CPU: f64 = 1.0;
