//! `cargo xtask measure`: how fast the client is, next to the least a program could do.
//!
//! The measuring program is the example `measure` of etcd-tests, built for release; it, what it
//! compares with and the server are all that runs.

use std::env;
use std::io;
use std::process::Command;
use std::process::ExitCode;

use etcd_tests::Server;

use crate::args::Args;
use crate::choice::Choice;
use crate::choice::etcd_help;
use crate::failure::Failure;

pub(crate) const HELP: &str = concat!(
    "\
Usage: cargo xtask measure unary [--rounds N] [--calls N] [--etcd PATH|3.4|3.5|sim]
       cargo xtask measure pool [--rounds N] [--seconds N] [--etcd PATH|3.4|3.5|sim]
       cargo xtask measure idle [--etcd PATH|3.4|3.5|sim]

  unary         one blocking caller, get and put: etcd-std against a bare loop
                over one TcpStream that sends the same bytes, in turn; calls per
                second and processor time, with the design's targets
  pool          64 callers, get: etcd-std on 64 threads and etcd-smol on one
                against wrk, in turn, each on 64 connections, and each on 8 with
                8 requests under way on each; the same figures. wrk has to be
                installed: Debian's package is `wrk`
  idle          a client with 100 watches and 10 leases and nothing to do, each
                driver for a minute: processor time

  --rounds N    how often each way has its turn; else 10, or 5 of a pool
  --calls N     how many calls a turn of unary has; else 2000
  --seconds N   how long a turn of pool is; else 3
",
    etcd_help!()
);

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let [what] = args.words() else {
        return Err(Failure::usage("measure needs to know what: measure unary"));
    };
    let (rounds, (length, default)) = match what.as_str() {
        "unary" | "idle" => (10, ("--calls", 2000)),
        "pool" => (5, ("--seconds", 3)),
        _ => {
            let text = format!("measure knows unary, pool and idle, not {what}");
            return Err(Failure::usage(text));
        }
    };
    for foreign in ["--calls", "--seconds"] {
        if foreign != length && args.one(foreign)?.is_some() {
            let text = format!("measure {what} takes {length}, not {foreign}");
            return Err(Failure::usage(text));
        }
    }
    let number = |option, default: u32| match args.one(option)?.map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(Failure::usage(format!("{option} needs a number above 0"))),
    };
    let (rounds, length) = (number("--rounds", rounds)?, number(length, default)?);
    if what == "pool" {
        needs_wrk()?;
    }
    let found = Choice::one(&args)?.find()?;

    // Built before the server starts, which would only be in the way.
    if !cargo("build").status()?.success() {
        return Err(io::Error::other("the measuring program could not be built").into());
    }
    let mut server = Server::start_with(&found.binary, &[])?;
    let status = cargo("run")
        .arg("--")
        .args([what, &rounds.to_string(), &length.to_string()])
        .env("ETCD_ENDPOINTS", server.endpoint())
        .status()?;
    server.stop()?;
    match status.success() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// Told before anything is built.
fn needs_wrk() -> io::Result<()> {
    match Command::new("wrk").arg("-v").output() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(io::Error::new(
            error.kind(),
            "wrk, which a pool is measured against, is not on PATH; install it, from Debian's \
             package `wrk` for example",
        )),
        Err(error) => {
            let told = format!("wrk cannot be run: {error}");
            Err(io::Error::new(error.kind(), told))
        }
    }
}

/// `cargo build` or `cargo run`, of the measuring program.
fn cargo(verb: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(verb).args([
        "--quiet",
        "--release",
        "--package",
        "etcd-tests",
        "--example",
        "measure",
    ]);
    cargo
}
