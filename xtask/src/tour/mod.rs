//! `cargo xtask tour`: the client at work, step by step, on both runtimes.
//!
//! Here is which server and which runtimes; `guide` has the steps, `pen` how they look. Its words
//! are the answer, so they go to stdout.

mod guide;
mod pen;

use std::process::ExitCode;
use std::time::SystemTime;

use etcd_core::Config;
use etcd_tests::Server;
use etcd_tests::driver::Driver;

use self::guide::Guide;
use self::pen::Pen;
use crate::args::Args;
use crate::choice::Choice;
use crate::choice::Found;
use crate::choice::etcd_help;
use crate::failure::Failure;

pub(crate) const HELP: &str = concat!(
    "\
Usage: cargo xtask tour [--runtime std|smol] [--endpoints URL,…]
                        [--etcd PATH|3.4|3.5|sim | --embedded]

Shows what the client does, one step after the other: what is asked, what comes
back, how long it takes. During the watch the server is killed (-9) and started
again, and the watch goes on without a gap. Ends with 1 if a step fails.

  --runtime R   only this runtime; else std, then smol
  --endpoints … use these servers (URLs with commas between them), not one
                started for the tour; nothing is killed, and all keys are under
                a prefix of the tour's own and deleted at the end
  --embedded    on the simulated etcd of this workspace: the same as --etcd sim,
                and what is done where no other etcd can be had
",
    etcd_help!()
);

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if let Some(word) = args.words().first() {
        return Err(Failure::usage(format!("tour takes no `{word}`")));
    }
    let (std, smol) = match args.one("--runtime")? {
        None => (true, true),
        Some("std") => (true, false),
        Some("smol") => (false, true),
        Some(other) => {
            return Err(Failure::usage(format!(
                "--runtime is std or smol, not {other}"
            )));
        }
    };
    let pen = Pen::new();
    let mut whole = true;
    if std {
        whole &= one::<etcd_std::Client>(&pen, &args, "etcd-std, the blocking client")?;
    }
    if smol {
        whole &= one::<etcd_smol::Client>(&pen, &args, "etcd-smol, the async client")?;
    }
    match whole {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// The server the user wants, or the simulated one where none was named and none can be had.
fn server(args: &Args) -> Result<Found, Failure> {
    let choice = match (args.has("--embedded"), Choice::one(args)?) {
        (false, choice) => choice,
        (true, Choice::Any | Choice::Sim) => Choice::Sim,
        (true, _) => return Err(Failure::usage("--embedded and --etcd say different things")),
    };
    match choice.find() {
        Err(error) if choice == Choice::Any => {
            eprintln!("xtask: no etcd can be had: {error}");
            eprintln!("xtask: so the tour is on the simulated etcd of this workspace");
            Ok(Choice::Sim.find()?)
        }
        found => Ok(found?),
    }
}

/// The tour on one runtime; whether every step of it succeeded.
fn one<D: Driver>(pen: &Pen, args: &Args, who: &str) -> Result<bool, Failure> {
    let config = |endpoints: &[&str]| {
        Config::new(endpoints).map_err(|error| Failure::usage(format!("--endpoints: {error}")))
    };
    let failed = match args.one("--endpoints")? {
        Some(urls) => {
            let endpoints: Vec<_> = urls.split(',').map(str::trim).collect();
            let config = config(&endpoints)?;
            pen.title(who, &format!("at {}", endpoints.join(", ")));
            let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            let prefix = format!("tour-{:x}/", since.as_millis());
            Guide::<D>::new(pen, config, prefix, None).walk()
        }
        None => {
            let found = server(args)?;
            let mut server = Server::start_with(&found.binary, &[])?;
            let endpoint = server.endpoint();
            let config = config(&[&endpoint])?;
            let version = &found.version;
            pen.title(
                who,
                &format!("on etcd {version}, started for this at {endpoint}"),
            );
            let failed = Guide::<D>::new(pen, config, "tour/".to_owned(), Some(&mut server)).walk();
            server.stop()?;
            failed
        }
    };
    match &failed {
        Ok(()) => pen.verdict(true, "every step went as it should"),
        Err(why) => pen.verdict(false, why),
    }
    Ok(failed.is_ok())
}
