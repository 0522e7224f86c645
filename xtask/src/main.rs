//! `cargo xtask`: an etcd to run against, the tour, the tests, faults, the measurements.
//!
//! One command a module, each with its `HELP` and its `run`; this file only picks one. Words for
//! the reader go to stderr, so that stdout holds nothing but the answer.

mod args;
mod chaos;
mod choice;
mod etcd;
mod failure;
mod fetch;
mod fuzz;
mod measure;
mod sim;
mod test;
mod tour;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::Args;
use crate::failure::Failure;

fn main() -> ExitCode {
    let mut given = env::args_os().skip(1);
    let command = given.next().unwrap_or_default();
    match run(&command.to_string_lossy(), given.collect()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            failure.code()
        }
    }
}

fn run(command: &str, given: Vec<OsString>) -> Result<ExitCode, Failure> {
    if matches!(command, "" | "help" | "-h" | "--help") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let command = COMMANDS
        .iter()
        .find(|known| known.name == command)
        .ok_or_else(|| {
            let names: Vec<_> = COMMANDS.iter().map(|known| known.name).collect();
            Failure::usage(format!(
                "no command `{command}`; there are {}",
                names.join(", ")
            ))
        })?;
    let args = Args::parse(command.name, command.options, given)?;
    if args.asks_for_help() {
        print!("{}", command.help);
        return Ok(ExitCode::SUCCESS);
    }
    (command.run)(args)
}

/// One command as `run` picks it.
struct Command {
    name: &'static str,
    help: &'static str,
    /// The options it takes, each with a value.
    options: &'static [&'static str],
    run: fn(Args) -> Result<ExitCode, Failure>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "tour",
        help: tour::HELP,
        options: &["--runtime", "--endpoints", "--etcd", "--embedded"],
        run: tour::run,
    },
    Command {
        name: "test",
        help: test::HELP,
        options: &["--etcd"],
        run: test::run,
    },
    Command {
        name: "fuzz",
        help: fuzz::HELP,
        options: &["--seconds"],
        run: fuzz::run,
    },
    Command {
        name: "sim",
        help: sim::HELP,
        options: sim::OPTIONS,
        run: sim::run,
    },
    Command {
        name: "chaos",
        help: chaos::HELP,
        options: &["--times", "--driver", "--only", "--etcd"],
        run: chaos::run,
    },
    Command {
        name: "measure",
        help: measure::HELP,
        options: &["--rounds", "--calls", "--seconds", "--etcd"],
        run: measure::run,
    },
    Command {
        name: "etcd",
        help: etcd::HELP,
        options: &["--etcd"],
        run: etcd::run,
    },
    Command {
        name: "fetch",
        help: fetch::HELP,
        options: &["--etcd"],
        run: fetch::run,
    },
];

const HELP: &str = "\
Usage: cargo xtask COMMAND

  tour      see the client at work, on both runtimes
  test      run all tests against a real etcd
  fuzz      feed the laws with bytes that nobody thought of
  sim       play random worlds, and judge what happens in them
  chaos     break clusters and connections while clients work
  measure   see how fast it is, next to the least a program could do
  etcd      run any command with an etcd server at hand
  fetch     find or fetch an etcd binary and print its path

`cargo xtask COMMAND --help` tells more about one.

An etcd binary is taken from $ETCD, else from PATH, else from what was fetched
before, else Debian's package etcd-server is fetched and unpacked under
target/etcd; nothing is installed. Servers listen on free loopback ports only
and are gone, with their data, when the command ends.
";
