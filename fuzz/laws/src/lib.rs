//! What must hold for any bytes, as functions of bytes: each panics where it does not.
//!
//! Fuzzers call them through the targets of `fuzz/`, and the tests of this package call them with
//! what proptest makes and with the seeds in `fuzz/seeds`. A further target is a function and a row
//! of [`TARGETS`]; a further type of the api is a row in `decode`.

mod client;
mod decode;
mod http1;
mod input;
mod json;
mod recording;
mod request;
mod seeds;
mod texts;
mod watch_stream;

pub use seeds::seeds;

/// One law.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Its name, which is that of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/seeds`.
    pub name: &'static str,
    /// Panics if it does not hold for these bytes.
    pub run: fn(&[u8]),
}

/// All laws.
pub const TARGETS: &[Target] = &[
    Target {
        name: "head",
        run: http1::head,
    },
    Target {
        name: "chunked",
        run: http1::chunked,
    },
    Target {
        name: "json",
        run: json::split,
    },
    Target {
        name: "base64",
        run: json::base64,
    },
    Target {
        name: "decode",
        run: decode::decode,
    },
    Target {
        name: "watch_stream",
        run: watch_stream::watch_stream,
    },
    Target {
        name: "client",
        run: client::client,
    },
    Target {
        name: "request",
        run: request::request,
    },
    Target {
        name: "classifier",
        run: texts::classifier,
    },
    Target {
        name: "config",
        run: texts::config,
    },
    Target {
        name: "recording",
        run: recording::recording,
    },
];

/// Runs the law with this name.
///
/// # Panics
///
/// If there is none, or if it does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target's name").run)(bytes);
}
