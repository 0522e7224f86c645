//! Plays random worlds by the thousand: `cargo xtask sim`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use etcd_sim::check::Evidence;
use etcd_sim::random::{Played, Script, play, record, shrink};

const HELP: &str = "\
Usage: etcd-worlds [--seeds N] [--from S] [--threads N]
       etcd-worlds --seed N [--only LINES]

Plays N random worlds, else 1000, from seed S on, else 0, and judges each by
all checkers. Ends at the first that breaks a guarantee, made short, and writes
what each of its clients saw into a recording (docs/replay.md).

  --seed N       play this one and show its script
  --only LINES   with these of its lines only, as 0,4,10-12
  --go-on        past those that break a guarantee, one line for each
  --planted BUG  with a bug on purpose in every client (feature `planted`)
";

/// Every so many seeds one is played twice, which has to give the same (guarantee G57).
const TWICE_EVERY: u64 = 50;
/// A failing script is played this often at the most to make it short.
const SHRINK_RUNS: usize = 3_000;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("etcd-worlds: {text}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    from: u64,
    seeds: u64,
    seed: Option<u64>,
    only: Option<Vec<usize>>,
    threads: usize,
    goes_on: bool,
    planted: Option<String>,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut options = Self {
            from: 0,
            seeds: 1_000,
            seed: None,
            only: None,
            threads: cores,
            goes_on: false,
            planted: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match &*word {
                "--help" | "-h" => return Ok(None),
                "--from" => options.from = number(&value()?)?,
                "--seeds" => options.seeds = number(&value()?)?,
                "--seed" => options.seed = Some(number(&value()?)?),
                "--only" => options.only = Some(places(&value()?)?),
                "--threads" => options.threads = number(&value()?)?,
                "--go-on" => options.goes_on = true,
                "--planted" => options.planted = Some(value()?),
                _ => return Err(format!("no option {word}; see --help")),
            }
        }
        Ok(Some(options))
    }

    fn script(&self, seed: u64) -> Script {
        let script = Script::draw(seed);
        #[cfg(feature = "planted")]
        let script = {
            let mut script = script;
            script.planted = self.planted.as_ref().and_then(|name| name.parse().ok());
            script
        };
        script
    }

    fn check(&self) -> Result<(), String> {
        let Some(name) = &self.planted else {
            return Ok(());
        };
        #[cfg(feature = "planted")]
        return name.parse::<etcd_core::Planted>().map(drop);
        #[cfg(not(feature = "planted"))]
        Err(format!("{name} is planted with the feature `planted` only"))
    }

    /// What plays this again.
    fn command(&self, seed: u64, kept: &[usize]) -> String {
        let mut command = format!("cargo xtask sim --seed {seed} --only {}", ranges(kept));
        if let Some(name) = &self.planted {
            command += &format!(" --planted {name}");
        }
        command
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}

/// Places as `0,4,10-12`.
fn places(list: &str) -> Result<Vec<usize>, String> {
    let mut places = Vec::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        places.extend(number::<usize>(first)?..=number::<usize>(last)?);
    }
    Ok(places)
}

fn ranges(places: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for place in places {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *place => *last = *place,
            _ => parts.push((*place, *place)),
        }
    }
    let part = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

fn run(options: &Options) -> ExitCode {
    if let Err(text) = options.check() {
        eprintln!("etcd-worlds: {text}");
        return ExitCode::from(2);
    }
    match options.seed {
        Some(seed) => show(options, seed),
        None => many(options),
    }
}

/// Plays one world, and shows it.
fn show(options: &Options, seed: u64) -> ExitCode {
    let mut script = options.script(seed);
    if let Some(only) = &options.only {
        script = script.only(only);
    }
    println!("{script}");
    let played = play(&script);
    println!(
        "digest {:016x}, {:?}, {}",
        played.digest, played.time, played.tally
    );
    match &played.verdict {
        Ok(evidence) => {
            print!("{evidence}");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            if options.only.is_none() {
                tell(options, seed);
            }
            ExitCode::FAILURE
        }
    }
}

/// What many worlds gave.
#[derive(Default)]
struct Sum {
    seeds: u64,
    voids: u64,
    faults: u64,
    time: Duration,
    evidence: Evidence,
}

impl Sum {
    fn add(&mut self, played: &Played) {
        self.seeds += 1;
        self.voids += u64::from(played.is_void());
        self.faults += played.faults();
        self.time += played.time;
        if let Ok(evidence) = &played.verdict {
            self.evidence += *evidence;
        }
    }
}

fn many(options: &Options) -> ExitCode {
    let next = AtomicU64::new(options.from);
    let end = options.from + options.seeds;
    let failed = AtomicBool::new(false);
    let first: Mutex<Option<u64>> = Mutex::new(None);
    let sum = Mutex::new(Sum::default());
    let begun = Instant::now();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || failed.load(Ordering::Relaxed) {
                return;
            }
            let script = options.script(seed);
            let played = play(&script);
            let is_same = seed % TWICE_EVERY != 0 || play(&script).digest == played.digest;
            if !is_same {
                println!("seed {seed}: G57 broken: two runs differ");
            }
            if let Err(violation) = &played.verdict {
                println!("seed {seed}: {violation}");
            }
            if played.verdict.is_err() || !is_same {
                failed.store(!options.goes_on, Ordering::Relaxed);
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                *first = Some(first.map_or(seed, |first| first.min(seed)));
            }
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(&played);
            if sum.seeds % 5_000 == 0 {
                println!("{} seeds in {:.0?}", sum.seeds, begun.elapsed());
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(work);
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(&sum, begun.elapsed());
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => ExitCode::SUCCESS,
        Some(seed) => {
            tell(options, seed);
            ExitCode::FAILURE
        }
    }
}

fn report(sum: &Sum, took: Duration) {
    let rate = sum.seeds as f64 / took.as_secs_f64();
    println!("{} seeds in {took:.1?}, {rate:.0} a second", sum.seeds);
    println!("{:>12}  void, as too little was judged", sum.voids);
    println!("{:>12}  faults", sum.faults);
    println!("{:>12}  hours of virtual time", sum.time.as_secs() / 3600);
    print!("{}", sum.evidence);
}

/// Makes a failing script short, and says how to play it again.
fn tell(options: &Options, seed: u64) {
    let Some(short) = shrink(&options.script(seed), SHRINK_RUNS) else {
        return;
    };
    println!("{}", short.script);
    if let Err(violation) = &short.played.verdict {
        println!("seed {seed}: {violation}");
    }
    println!("again: {}", options.command(seed, &short.kept));
    if let Err(error) = keep_recordings(seed, &short.script) {
        println!("the recordings cannot be written: {error}");
    }
}

/// Writes what each client of a failing script saw, where it can be replayed.
fn keep_recordings(seed: u64, script: &Script) -> std::io::Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = PathBuf::from(target).join("worlds");
    fs::create_dir_all(&folder)?;
    let (_, recordings) = record(script);
    for (client, recording) in recordings.iter().enumerate() {
        let path = folder.join(format!("seed-{seed}-client-{client}.rec"));
        fs::write(&path, recording)?;
        println!("recorded: {}", path.display());
        if let Err(error) = etcd_core::trace::replay(recording) {
            println!("which does not replay: {error}");
        }
    }
    Ok(())
}
