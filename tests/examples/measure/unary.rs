//! One blocking caller: `etcd-std` against a bare loop that sends the same bytes, in turn in one
//! program.
//!
//! The bytes are taken from the core itself. Processor time is that of this process, all its
//! threads, in user and in kernel; while one way is measured the other stands still.

use std::error::Error;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Call;
use etcd_core::Put;
use etcd_core::Range;
use etcd_std::Client;

use crate::bare::Bare;
use crate::common::Spread;
use crate::common::at_least;
use crate::common::at_most;
use crate::common::bytes_of;
use crate::common::cpu_time;

pub(crate) fn measure(endpoint: &str, rounds: usize, calls: usize) -> Result<(), Box<dyn Error>> {
    let client = Client::connect([endpoint])?;
    let version = client.version()?.etcdserver;
    let threads = std::thread::available_parallelism()?;
    println!(
        "one blocking caller, etcd {version}, {rounds} rounds of {calls} calls each way in turn, \
         {threads} processors for client and server"
    );
    client.put(KEY, VALUE)?;
    compare("get", &client, endpoint, (rounds, calls), || {
        Range::key(KEY)
    })?;
    compare("put", &client, endpoint, (rounds, calls), || {
        Put::new(KEY, VALUE)
    })?;
    let stats = client.stats();
    if stats.connections_opened != 1 || stats.retries != 0 {
        return Err(format!("the client did not stay on one connection: {stats:?}").into());
    }
    Ok(())
}

/// Measures one call both ways and prints the comparison.
fn compare<C: Call>(
    what: &str,
    client: &Client,
    endpoint: &str,
    (rounds, calls): (usize, usize),
    call: impl Fn() -> C,
) -> Result<(), Box<dyn Error>> {
    let (authority, request) = bytes_of(endpoint, call())?;
    let mut bare = Bare::connect(&authority, request)?;
    let mut with_bare = || bare.call().map(drop);
    let mut with_client = || Ok(client.call(call()).map(drop)?);
    // Both get warm: connections, caches, the server's store.
    Spent::on(calls / 4 + 1, &mut with_bare)?;
    Spent::on(calls / 4 + 1, &mut with_client)?;

    let mut pairs = Vec::new();
    for round in 0..rounds {
        // Neither is always the first, in case that makes a difference.
        pairs.push(match round % 2 {
            0 => {
                let bare = Spent::on(calls, &mut with_bare)?;
                (bare, Spent::on(calls, &mut with_client)?)
            }
            _ => {
                let client = Spent::on(calls, &mut with_client)?;
                (Spent::on(calls, &mut with_bare)?, client)
            }
        });
    }

    let bare = Spent::sum(pairs.iter().map(|pair| pair.0));
    let client = Spent::sum(pairs.iter().map(|pair| pair.1));
    let all = (rounds * calls) as f64;
    println!("\n{what:16} {:>12} {:>16}", "calls/s", "CPU µs/call");
    for (who, spent) in [("bare TcpStream", bare), ("etcd-std", client)] {
        let (wall, cpu) = (spent.wall.as_secs_f64(), spent.cpu.as_secs_f64());
        println!("  {who:14} {:12.0} {:16.2}", all / wall, cpu / all * 1e6);
    }
    let quotient = |above: Duration, below: Duration| above.as_secs_f64() / below.as_secs_f64();
    let rate = Spread::of(
        pairs
            .iter()
            .map(|(bare, client)| quotient(bare.wall, client.wall)),
    );
    let cpu = Spread::of(
        pairs
            .iter()
            .map(|(bare, client)| quotient(client.cpu, bare.cpu)),
    );
    println!(
        "  rate: of bare etcd-std has {rate}; target at least {RATE:.2}, {}",
        at_least(RATE, rate.median)
    );
    println!(
        "  CPU:  of bare etcd-std has {cpu}; target at most {CPU:.2}, {}",
        at_most(CPU, cpu.median)
    );
    Ok(())
}

/// What a number of calls took.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    wall: Duration,
    cpu: Duration,
}

impl Spent {
    fn on(
        calls: usize,
        call: &mut impl FnMut() -> Result<(), Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let (since, before) = (Instant::now(), cpu_time());
        for _ in 0..calls {
            call()?;
        }
        Ok(Self {
            wall: since.elapsed(),
            cpu: cpu_time() - before,
        })
    }

    fn sum(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            wall: sum.wall + one.wall,
            cpu: sum.cpu + one.cpu,
        })
    }
}

const KEY: &str = "measure/key";
const VALUE: &str = "a value of a hundred bytes, which is about what the configuration of one \
                     small service takes up.";
/// The targets of design.md, "Speed and size it is built for".
const RATE: f64 = 0.95;
const CPU: f64 = 1.3;
