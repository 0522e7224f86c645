//! `cargo xtask fuzz`: the laws of etcd-laws under a fuzzer, or, where none can be built, under
//! proptest.
//!
//! The targets are built with coverage by flags of the code generator, which a stable compiler takes
//! as well; libFuzzer comes with the crate `libfuzzer-sys` and needs a C++ compiler.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;

use etcd_laws::TARGETS;

use crate::args::Args;
use crate::failure::Failure;

pub(crate) const HELP: &str = "\
Usage: cargo xtask fuzz [--seconds N] [TARGET…]
       cargo xtask fuzz seeds

Runs each target of fuzz/ (or the named ones) for N seconds, else 60, from the
seeds in fuzz/seeds and from what earlier runs found (fuzz/corpus). Where
libFuzzer cannot be built, proptest feeds the same laws instead.

  seeds         make fuzz/seeds anew from the captures of real servers

What breaks a law is kept in fuzz/artifacts/TARGET; to see it again, run
  cargo xtask fuzz TARGET -- fuzz/artifacts/TARGET/FILE
What stands behind -- goes to libFuzzer.
";

/// Coverage of edges, with counters and compared values that libFuzzer reads. What cargo-fuzz gives
/// to a nightly compiler is the same.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing";

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if args.words() == ["seeds"] {
        write_seeds(&root)?;
        return Ok(ExitCode::SUCCESS);
    }
    let seconds = match args.one("--seconds")?.map(str::parse::<u32>) {
        None => 60,
        Some(Ok(seconds)) if seconds > 0 => seconds,
        Some(_) => return Err(Failure::usage("--seconds needs a number above 0")),
    };
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    if !args.words().is_empty() {
        if let Some(word) = args.words().iter().find(|word| !names.contains(&&***word)) {
            let names = names.join(", ");
            return Err(Failure::usage(format!(
                "no target `{word}`; there are {names}"
            )));
        }
        names.retain(|name| args.words().iter().any(|word| word == name));
    }

    let fuzz = root.join("fuzz");
    let target_dir = root.join("target/fuzz");
    let host = host()?;
    let build = |what: &[&str]| {
        let mut command = cargo();
        command
            .args(["build", "--quiet", "--release", "--locked"])
            .args(what)
            .arg("--manifest-path")
            .arg(fuzz.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target_dir)
            // Given a target, the flags are not used for build scripts.
            .args(["--target", &host])
            .env("RUSTFLAGS", COVERAGE);
        command.status()
    };
    // Only what is not ours may be missing: a lock file that is behind, or targets that do not build,
    // are errors.
    let resolved = cargo()
        .args(["metadata", "--quiet", "--locked", "--format-version", "1"])
        .arg("--manifest-path")
        .arg(fuzz.join("Cargo.toml"))
        .stdout(Stdio::null())
        .status()?;
    if !resolved.success() {
        return Err(io::Error::other(
            "fuzz/Cargo.lock is behind: run cargo update --workspace --manifest-path fuzz/Cargo.toml",
        )
        .into());
    }
    if !build(&["--package", "libfuzzer-sys"])?.success() {
        eprintln!("xtask: libFuzzer cannot be built here, so proptest feeds the laws instead");
        return with_proptest(&names, seconds);
    }
    if !build(&["--bins"])?.success() {
        return Err(io::Error::other("the targets of fuzz/ do not build").into());
    }
    let bin = target_dir.join(&host).join("release");
    let mut failed = Vec::new();
    for name in names {
        eprintln!("xtask: fuzzing {name} for {seconds} s");
        let (corpus, artifacts) = (
            fuzz.join("corpus").join(name),
            fuzz.join("artifacts").join(name),
        );
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&artifacts)?;
        let mut command = Command::new(bin.join(name));
        command.current_dir(&root);
        command.arg(with("-artifact_prefix=", &artifacts.join("")));
        if args.rest().is_empty() {
            command.arg(with("-dict=", &fuzz.join("dictionary.txt")));
            command.arg(format!("-max_total_time={seconds}"));
            command.args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"]);
            command.args(["-verbosity=1", "-print_final_stats=1"]);
            command.args([&corpus, &fuzz.join("seeds").join(name)]);
            let found = fuzz.join("found").join(name);
            command.args(found.is_dir().then_some(found));
        } else {
            command.args(args.rest());
        }
        if !command.status()?.success() {
            failed.push(name);
        }
    }
    match failed.as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        failed => {
            eprintln!("xtask: a law was broken: {}", failed.join(", "));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn with_proptest(names: &[&str], seconds: u32) -> Result<ExitCode, Failure> {
    let mut passed = true;
    for name in names {
        let cases = seconds.saturating_mul(1000).to_string();
        eprintln!("xtask: {cases} cases of {name}");
        let status = cargo()
            .args([
                "test",
                "--quiet",
                "--release",
                "--package",
                "etcd-laws",
                "--test",
                "laws",
            ])
            .arg("laws_hold")
            .env("LAW", name)
            .env("PROPTEST_CASES", cases)
            .status()?;
        passed &= status.success();
    }
    match passed {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

fn write_seeds(root: &Path) -> io::Result<()> {
    let folder = root.join("fuzz/seeds");
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    let seeds = etcd_laws::seeds(&root.join("core/testdata/captures"))?;
    for ((target, name), seed) in &seeds {
        fs::create_dir_all(folder.join(target))?;
        fs::write(folder.join(target).join(name), seed)?;
    }
    let bytes: usize = seeds.values().map(Vec::len).sum();
    eprintln!("xtask: {} seeds, {bytes} bytes", seeds.len());
    Ok(())
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn with(option: &str, path: &PathBuf) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// The name of the machine's own target, as `rustc -vV` tells it.
fn host() -> io::Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("-vV").output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| io::Error::other("rustc does not say what it builds for"))
}
