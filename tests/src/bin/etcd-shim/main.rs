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

use options::{Command, Runtime};

fn main() -> ExitCode {
    match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Serve {
            runtime,
            config,
            seed,
        }) => {
            match runtime {
                Runtime::Std => serve::serve(&runtime::Std::new(*config, seed)),
                Runtime::Smol => serve::serve(&runtime::Smol::new(*config, seed)),
            }
            ExitCode::SUCCESS
        }
        Ok(Command::Decode { decode, bytes }) => {
            let mut out = io::stdout().lock();
            let mut failed = false;
            decode.run(&bytes, &mut |line| {
                failed |= writeln!(out, "{line}").and_then(|()| out.flush()).is_err();
            });
            ExitCode::from(u8::from(failed))
        }
        Err(error) => {
            eprintln!("etcd-shim: {}", error.replace('\n', " "));
            ExitCode::from(2)
        }
    }
}
