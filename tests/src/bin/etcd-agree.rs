//! Compares the simulated etcd with a real one over random scripts.
//!
//! `etcd-agree [--steps N] [--seed N]`: scripts of 1,000 steps, each on a fresh server, until N steps
//! were taken or something differed. `$ETCD` names the server, as for the tests.

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use etcd_tests::Server;
use etcd_tests::agreement::{self, Agreed};

/// How long one script is.
const SCRIPT: usize = 1_000;

fn main() -> ExitCode {
    match compare() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> io::Result<bool> {
    let (mut steps, mut seed) = (100_000, 1);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().and_then(|value| value.parse().ok());
        match (&arg[..], value) {
            ("--steps", Some(value)) => steps = value,
            ("--seed", Some(value)) => seed = value,
            _ => return Err(io::Error::other("usage: etcd-agree [--steps N] [--seed N]")),
        }
    }
    let since = Instant::now();
    let (mut taken, mut all) = (0, Agreed::default());
    while taken < steps {
        let server = Server::start()?;
        if taken == 0 {
            println!("etcd {}", server.version()?);
        }
        match agreement::run(&server, seed, SCRIPT)? {
            Ok(agreed) => all += agreed,
            Err(difference) => {
                println!("seed {seed}, {difference}");
                return Ok(false);
            }
        }
        taken += SCRIPT as u64;
        seed += 1;
    }
    let took = since.elapsed().as_secs();
    println!(
        "{taken} steps in {took} s, no difference: {} calls, {} watches, {} lines of watches",
        all.calls, all.watches, all.events
    );
    Ok(true)
}
