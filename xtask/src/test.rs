//! `cargo xtask test`: every test of the workspace, once for each etcd asked for.
//!
//! All binaries are found before the first run, so that a missing one is told at once; a run that
//! goes wrong does not keep the others from running.

use std::env;
use std::io;
use std::process::Command;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use crate::args::Args;
use crate::choice::Choice;
use crate::choice::Found;
use crate::choice::etcd_help;
use crate::failure::Failure;

/// All features but `planted`, which nothing but its own tests may have. `.ci/run` has the same.
const DRIVERS: &str = "etcd-std/log,etcd-std/tracing,etcd-smol/log,etcd-smol/tracing";

pub(crate) const HELP: &str = concat!(
    "\
Usage: cargo xtask test [--etcd PATH|3.4|3.5|sim]… [-- ARGUMENT…]

Runs `cargo test --workspace ARGUMENT…`, with the features of the drivers and
with ETCD set to an etcd binary; with several --etcd, once for each.

",
    etcd_help!(),
    "
For instance: cargo xtask test --etcd 3.4 --etcd 3.5 -- --test server -- --nocapture
"
);

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if let Some(word) = args.words().first() {
        return Err(Failure::usage(format!(
            "put `--` before what cargo test is to get: -- {word}"
        )));
    }
    let mut all = Vec::new();
    for choice in Choice::all(&args) {
        all.push(choice.find()?);
    }

    let mut results = Vec::new();
    for found in &all {
        eprintln!(
            "xtask: testing on etcd {} ({})",
            found.version,
            found.binary.display()
        );
        let since = Instant::now();
        let passed = passes(found, &args)?;
        results.push((found, passed, since.elapsed()));
    }
    for (found, passed, took) in &results {
        let took = Duration::from_secs(took.as_secs());
        let word = if *passed { "passed" } else { "FAILED" };
        eprintln!("xtask: {word} on etcd {} in {took:?}", found.version);
    }
    match results.iter().all(|(_, passed, _)| *passed) {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

fn passes(found: &Found, args: &Args) -> io::Result<bool> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "--workspace", "--features", DRIVERS])
        .args(args.rest())
        .env("ETCD", &found.binary)
        .status()?;
    Ok(status.success())
}
