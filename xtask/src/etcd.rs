//! `cargo xtask etcd`: any command, with a server at hand while it runs.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::process::ExitCode;

use etcd_tests::Server;

use crate::args::Args;
use crate::choice::Choice;
use crate::choice::etcd_help;
use crate::failure::Failure;

pub(crate) const HELP: &str = concat!(
    "\
Usage: cargo xtask etcd [--etcd PATH|3.4|3.5|sim] -- COMMAND [ARGUMENT…]

Starts an etcd server on a free loopback port, runs COMMAND with
ETCD_ENDPOINTS (the server's URL) and ETCD (the binary) set, stops the server
and ends with COMMAND's exit code.

",
    etcd_help!()
);

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let choice = Choice::one(&args)?;
    let (program, arguments) = match (args.words(), args.rest()) {
        ([], [program, arguments @ ..]) => (program, arguments),
        ([], []) => {
            return Err(Failure::usage(
                "etcd needs a command to run: etcd -- COMMAND…",
            ));
        }
        ([word, ..], _) => {
            return Err(Failure::usage(format!(
                "put `--` before the command: etcd -- {word} …"
            )));
        }
    };
    let found = choice.find()?;
    let mut server = Server::start_with(&found.binary, &[])?;
    eprintln!("xtask: etcd {} at {}", server.version()?, server.endpoint());

    let status = Command::new(program)
        .args(arguments)
        .env("ETCD_ENDPOINTS", server.endpoint())
        .env("ETCD", &found.binary)
        .status()
        .map_err(|error| {
            let program = program.to_string_lossy();
            io::Error::new(error.kind(), format!("cannot run {program}: {error}"))
        })?;
    server.stop()?;

    // A command ended by a signal is told the way a shell tells it.
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    Ok(code
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
