//! `etcd-shim`: drives the client from a test suite in any language, over JSON Lines.
//!
//! It is as thin as can be: each line in is one call of the public API, and each line out is what
//! that call gave. `../shared/shim.md` is the protocol.

mod options;
mod orders;
mod runtime;
mod serve;

use std::io::{self, Write};
use std::process::ExitCode;

use etcd_tests::shim::replay;
use options::{Command, Runtime};

fn main() -> ExitCode {
    match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Serve {
            runtime,
            config,
            tls,
            seed,
            record,
        }) => {
            let record = record.as_deref();
            let served = match runtime {
                Runtime::Std => runtime::Std::new(*config, tls, seed, record)
                    .map(|runtime| serve::serve(&runtime)),
                Runtime::Smol => runtime::Smol::new(*config, tls, seed, record)
                    .map(|runtime| serve::serve(&runtime)),
            };
            match served {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&format!("--record: {error}")),
            }
        }
        Ok(Command::Replay(recording)) => {
            let said = replay::replay(&recording);
            let written = writeln!(io::stdout(), "{}", said.line);
            ExitCode::from(u8::from(!said.is_same || written.is_err()))
        }
        Ok(Command::Decode { decode, bytes }) => {
            let mut out = io::stdout().lock();
            let mut failed = false;
            decode.run(&bytes, &mut |line| {
                failed |= writeln!(out, "{line}").and_then(|()| out.flush()).is_err();
            });
            ExitCode::from(u8::from(failed))
        }
        Err(error) => failed(&error),
    }
}

/// Says what is wrong, on one line.
fn failed(error: &str) -> ExitCode {
    eprintln!("etcd-shim: {}", error.replace('\n', " "));
    ExitCode::from(2)
}
