//! `cargo xtask measure`: how fast the client is, next to the least a program could do.
//!
//! The measuring program is the example `measure` of etcd-tests, built for release; it and the
//! server are all that runs.

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
Usage: cargo xtask measure unary|idle [--rounds N] [--calls N] [--etcd PATH|3.4|3.5|sim]

  unary         one blocking caller, get and put: etcd-std against a bare loop
                over one TcpStream that sends the same bytes, in turn; calls per
                second and processor time, with the design's targets
  idle          a client with 100 watches and 10 leases and nothing to do, each
                driver for a minute: processor time

  --rounds N    how often each way has its turn; else 10
  --calls N     how many calls a turn has; else 2000
",
    etcd_help!()
);

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let [what] = args.words() else {
        return Err(Failure::usage("measure needs to know what: measure unary"));
    };
    if !["unary", "idle"].contains(&what.as_str()) {
        let text = format!("measure knows unary and idle, not {what}");
        return Err(Failure::usage(text));
    }
    let number = |option, default: u32| match args.one(option)?.map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(Failure::usage(format!("{option} needs a number above 0"))),
    };
    let (rounds, calls) = (number("--rounds", 10)?, number("--calls", 2000)?);
    let found = Choice::one(&args)?.find()?;

    // Built before the server starts, which would only be in the way.
    if !cargo("build").status()?.success() {
        return Err(io::Error::other("the measuring program could not be built").into());
    }
    let mut server = Server::start_with(&found.binary, &[])?;
    let status = cargo("run")
        .arg("--")
        .args([what, &rounds.to_string(), &calls.to_string()])
        .env("ETCD_ENDPOINTS", server.endpoint())
        .status()?;
    server.stop()?;
    match status.success() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
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
