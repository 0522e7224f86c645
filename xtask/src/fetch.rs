//! `cargo xtask fetch`: only the path of an etcd binary.

use std::process::ExitCode;

use crate::args::Args;
use crate::choice::Choice;
use crate::choice::etcd_help;
use crate::failure::Failure;

pub(crate) const HELP: &str = concat!(
    "\
Usage: cargo xtask fetch [--etcd PATH|3.4|3.5|sim]…

Finds an etcd binary, fetching one where there is none, and prints its path.

",
    etcd_help!()
);

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if let Some(word) = args.words().first() {
        return Err(Failure::usage(format!("fetch takes no `{word}`")));
    }
    for choice in Choice::all(&args) {
        let found = choice.find()?;
        eprintln!("xtask: etcd {}", found.version);
        println!("{}", found.binary.display());
    }
    Ok(ExitCode::SUCCESS)
}
