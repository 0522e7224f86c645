//! `cargo xtask chaos`: faults on real servers, again and again, and the figures of them.
//!
//! The scenarios are in etcd-tests. One that fails does not keep the others from running.

use std::panic;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use etcd_tests::chaos::ALL;
use etcd_tests::chaos::Figures;
use etcd_tests::chaos::Runtime;
use etcd_tests::chaos::Scenario;
use etcd_tests::chaos::Setting;

use crate::args::Args;
use crate::choice::Choice;
use crate::choice::Found;
use crate::choice::etcd_help;
use crate::failure::Failure;

pub(crate) const HELP: &str = concat!(
    "\
Usage: cargo xtask chaos [--times N] [--driver std|smol] [--only NAME]…
                         [--etcd PATH|3.4|3.5|sim]…

Breaks connections and members of clusters while clients work, N times, else
once, with both drivers, and holds what their users were told to what the
servers hold. Without --etcd on 3.4 and on 3.5. Tells of each pass as it ends,
and at the end of each scenario how much was broken, how much watches delivered
and how long it took to go on. Ends with 1 if a client did not keep a promise.

  --times N     so many passes; what is long, such as a watch that is broken off
                at each of its bytes, is spread over them
  --driver D    with this driver only
  --only NAME   these scenarios only; `--only list` tells their names
",
    etcd_help!()
);

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if let Some(word) = args.words().first() {
        return Err(Failure::usage(format!(
            "chaos takes options only, not {word}"
        )));
    }
    if args.all("--only") == ["list"] {
        for scenario in ALL {
            println!("{:<11} {}", scenario.name, scenario.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let passes = match args.one("--times")?.map(str::parse) {
        None => 1,
        Some(Ok(number)) if number > 0 => number,
        Some(_) => return Err(Failure::usage("--times needs a number above 0")),
    };
    let runtimes = match args.one("--driver")? {
        None => Runtime::ALL.to_vec(),
        Some(name) => {
            let known = Runtime::ALL.into_iter().find(|known| known.name() == name);
            let unknown = || Failure::usage(format!("--driver is std or smol, not {name}"));
            vec![known.ok_or_else(unknown)?]
        }
    };
    let scenarios = scenarios(&args.all("--only"))?;
    let choices = match args.all("--etcd").is_empty() {
        true => vec![Choice::Series34, Choice::Series35],
        false => Choice::all(&args),
    };
    let mut all = Vec::new();
    for choice in choices {
        all.push(choice.find()?);
    }

    let mut rows = Vec::new();
    for found in &all {
        for scenario in &scenarios {
            for runtime in &runtimes {
                rows.push(Row::new(found, scenario, *runtime, passes));
            }
        }
    }
    print!("{}", Row::HEAD);
    for row in &rows {
        print!("{row}");
    }
    match rows.iter().all(|row| row.failed == 0) {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

fn scenarios(names: &[&str]) -> Result<Vec<&'static Scenario>, Failure> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &&str| {
        let known = ALL.iter().find(|scenario| scenario.name == *name);
        known.ok_or_else(|| {
            let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
            let names = names.join(", ");
            Failure::usage(format!("no scenario {name}; there are {names}"))
        })
    };
    names.iter().map(find).collect()
}

/// All passes of a scenario with one driver on one etcd.
struct Row<'a> {
    name: &'static str,
    runtime: Runtime,
    version: &'a str,
    passed: usize,
    failed: usize,
    figures: Figures,
    took: Duration,
}

impl<'a> Row<'a> {
    const HEAD: &'static str = "\
scenario   driver etcd     passed    faults    events  to go on: median   worst  time
";

    /// Runs them, and tells of each.
    fn new(found: &'a Found, scenario: &Scenario, runtime: Runtime, passes: usize) -> Self {
        let mut row = Self {
            name: scenario.name,
            runtime,
            version: &found.version,
            passed: 0,
            failed: 0,
            figures: Figures::default(),
            took: Duration::ZERO,
        };
        for pass in 0..passes {
            let setting = Setting {
                binary: found.binary.clone(),
                is_short: false,
                pass,
                passes,
            };
            let since = Instant::now();
            let result = panic::catch_unwind(|| scenario.run(runtime, &setting));
            let took = since.elapsed();
            row.took += took;
            let (name, driver, seconds) = (row.name, runtime.name(), took.as_secs());
            let of = format!("{name} on {driver} and {}", row.version);
            let pass = pass + 1;
            match result {
                Ok(figures) => {
                    eprintln!("{of}, pass {pass} of {passes}, {seconds} s: {figures}");
                    row.figures.add(figures);
                    row.passed += 1;
                }
                Err(_) => {
                    eprintln!("{of}, pass {pass} of {passes}, {seconds} s: FAILED");
                    row.failed += 1;
                }
            }
        }
        row
    }
}

impl std::fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let figures = &self.figures;
        let seconds = |time: Option<Duration>| {
            time.map_or_else(
                || "-".to_owned(),
                |time| format!("{:.3} s", time.as_secs_f64()),
            )
        };
        writeln!(
            f,
            "{:<10} {:<6} {:<8} {:>6} {:>9} {:>9} {:>18} {:>8} {:>4} s",
            self.name,
            self.runtime.name(),
            self.version,
            format!("{}/{}", self.passed, self.passed + self.failed),
            figures.faults,
            figures.events,
            seconds(figures.median()),
            seconds(figures.worst()),
            self.took.as_secs(),
        )?;
        let told: Vec<_> = figures.told().collect();
        match told.is_empty() {
            true => Ok(()),
            false => writeln!(f, "           {}", told.join("; ")),
        }
    }
}
