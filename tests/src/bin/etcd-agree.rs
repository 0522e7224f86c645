//! Compares the simulated etcd with a real one over random scripts.
//!
//! `etcd-agree [--steps N] [--seed N]`: scripts of 1,000 steps, each on a fresh server, until N steps
//! were taken or something differed. `$ETCD` names the server, as for the tests.

use std::io;
use std::process::ExitCode;

use etcd_tests::{Server, agreement};

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
    let mut taken = 0;
    while taken < steps {
        let server = Server::start()?;
        if taken == 0 {
            println!("etcd {}", server.version()?);
        }
        if let Some(difference) = agreement::run(&server, seed, SCRIPT)? {
            println!("seed {seed}, {difference}");
            return Ok(false);
        }
        taken += SCRIPT as u64;
        seed += 1;
    }
    println!("{taken} steps, no difference");
    Ok(true)
}
