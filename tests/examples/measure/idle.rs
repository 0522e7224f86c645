//! A client with nothing to do: a hundred watches on which nothing comes, ten leases that are kept alive.
//!
//! Processor time is that of this process, all its threads, in user and in kernel, once everything is open.

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use etcd_core::Stats;
use etcd_core::Watch;

use crate::common::cpu_time;

const WATCHES: usize = 100;
const LEASES: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn measure(endpoint: &str) -> Result<(), Box<dyn Error>> {
    println!("{WATCHES} watches and {LEASES} leases of 60 s, and nothing to do for a minute");
    let client = etcd_std::Client::connect([endpoint])?;
    let watches: Result<Vec<_>, _> = (0..WATCHES).map(|it| client.watch(key(it))).collect();
    let leases: Result<Vec<_>, _> = (0..LEASES).map(|_| client.lease(60)).collect();
    idle("etcd-std", || client.stats());
    drop((watches?, leases?));
    drop(client);

    smol::block_on(async {
        let client = etcd_smol::Client::connect([endpoint]).await?;
        let (mut watches, mut leases) = (Vec::new(), Vec::new());
        for place in 0..WATCHES {
            watches.push(client.watch(key(place)).await?);
        }
        for _ in 0..LEASES {
            leases.push(client.lease(60).await?);
        }
        // Its driver runs on a thread of smol's.
        idle("etcd-smol", || client.stats());
        Ok(())
    })
}

fn key(place: usize) -> Watch {
    Watch::key(format!("idle/{place}"))
}

fn idle(name: &str, stats: impl Fn() -> Stats) {
    // What opening them set going is over.
    sleep(Duration::from_secs(2));
    let (before, spent) = (stats(), cpu_time());
    sleep(MINUTE);
    let after = stats();
    let used = cpu_time() - spent;
    println!(
        "{name:>10}  {used:?} of processor time, {:.3} %; {} bytes came, {} went",
        used.as_secs_f64() * 100.0 / MINUTE.as_secs_f64(),
        after.bytes_in - before.bytes_in,
        after.bytes_out - before.bytes_out,
    );
}
