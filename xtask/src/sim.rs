//! `cargo xtask sim`: random worlds by the thousand, on all cores.
//!
//! It builds the player of etcd-sim with optimization and hands on what it is given.

use std::env;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;

use crate::args::Args;
use crate::failure::Failure;

pub(crate) const HELP: &str = "\
Usage: cargo xtask sim [--seeds N] [--from S] [--threads N]
       cargo xtask sim --seed N [--only LINES]

Plays N random worlds, else 1000, from seed S on, else 0, and judges what their
users saw by all checkers of etcd-sim. At the first that breaks a guarantee it
ends, makes that world short, prints the command that plays it again and writes
what each of its clients saw into target/worlds (docs/replay.md).

  --seed N       play this one and show its script
  --only LINES   with these of its lines only, as 0,4,10-12
  --threads N    at the same time, else as many as there are cores
  --planted BUG  with a bug on purpose in every client (core/src/planted.rs)
";

/// What is handed on as it is.
pub(crate) const OPTIONS: &[&str] = &[
    "--seeds",
    "--from",
    "--seed",
    "--only",
    "--threads",
    "--planted",
];

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if let Some(word) = args.words().first() {
        return Err(Failure::usage(format!(
            "sim takes options only, not {word}"
        )));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["run", "--quiet", "--locked", "--profile", "worlds"])
        .args(["--package", "etcd-sim", "--bin", "etcd-worlds"]);
    if !args.all("--planted").is_empty() {
        command.args(["--features", "planted"]);
    }
    command.arg("--");
    for option in OPTIONS {
        if let Some(value) = args.one(option)? {
            command.args([option, value]);
        }
    }
    command.args(args.rest());
    let status = command.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
