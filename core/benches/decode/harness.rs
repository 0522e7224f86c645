//! Rounds in which all ways take turns, and the table of what they took.

use std::env;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

/// What was asked for on the command line.
pub(crate) struct Options {
    pub(crate) quick: bool,
    only: Option<String>,
    count: Option<usize>,
}

impl Options {
    /// Reads the arguments; none if there is one nobody knows.
    pub(crate) fn from_args() -> Option<Self> {
        let mut options = Self {
            quick: false,
            only: None,
            count: None,
        };
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                // cargo itself says so.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--only" => options.only = Some(args.next()?),
                "--count" => options.count = Some(args.next()?.parse().ok()?),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// One way of doing what a row is about. It gives a number so that it cannot be left out.
pub(crate) struct Way<'a> {
    name: &'static str,
    run: Box<dyn FnMut() -> usize + 'a>,
}

impl<'a> Way<'a> {
    pub(crate) fn new(name: &'static str, run: impl FnMut() -> usize + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }
}

/// The table, printed row by row.
pub(crate) struct Table {
    options: Options,
}

impl Table {
    pub(crate) fn new(options: Options) -> Self {
        if options.count.is_none() {
            println!(
                "{:<22} {:<20} {:>12} {:>12} {:>10} {:>8}",
                "", "", "median ns", "best ns", "MB/s", "ratio"
            );
        }
        Self { options }
    }

    /// Measures one row. `items` is how many of `unit` one run has, `bytes` how much JSON that is;
    /// the ratio is to the first way.
    pub(crate) fn row(
        &self,
        name: &str,
        unit: &str,
        items: usize,
        bytes: usize,
        ways: &mut [Way<'_>],
    ) {
        let only = self.options.only.as_deref();
        let selected =
            |way: &Way<'_>| only.is_none_or(|word| format!("{name} {}", way.name).contains(word));
        if let Some(count) = self.options.count {
            for way in ways.iter_mut().filter(|way| selected(way)) {
                for _ in 0..count {
                    black_box((way.run)());
                }
            }
            return;
        }
        if !ways.iter().any(selected) {
            return;
        }
        let (rounds, least) = match self.options.quick {
            true => (3, Duration::from_micros(100)),
            false => (31, Duration::from_millis(5)),
        };
        // How often a way is run in a round, so that the clock's own time does not count.
        let repeats = ways.iter_mut().map(|way| repeats(way, least));
        let repeats = repeats.collect::<Vec<_>>();
        let mut times = vec![Vec::with_capacity(rounds); ways.len()];
        for _ in 0..rounds {
            for ((way, times), repeats) in ways.iter_mut().zip(&mut times).zip(&repeats) {
                times.push(time(way, *repeats) / *repeats as f64 / items as f64);
            }
        }
        let mut first = None;
        for (place, (way, times)) in ways.iter().zip(&mut times).enumerate() {
            times.sort_by(f64::total_cmp);
            let (best, median) = (times[0], times[times.len() / 2]);
            let ratio = median / *first.get_or_insert(median);
            let rate = bytes as f64 / items as f64 / median * 1000.0;
            let label = match place {
                0 => name,
                1 => &format!("  per {unit}"),
                _ => "",
            };
            println!(
                "{label:<22} {:<20} {median:>12.1} {best:>12.1} {rate:>10.0} {ratio:>8.2}",
                way.name
            );
        }
    }
}

/// How often to run a way so that it takes at least this long.
fn repeats(way: &mut Way<'_>, least: Duration) -> usize {
    let mut repeats = 1_usize;
    while time(way, repeats) < least.as_nanos() as f64 {
        repeats *= 2;
    }
    repeats
}

/// What so many runs take, in nanoseconds.
fn time(way: &mut Way<'_>, repeats: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        black_box((way.run)());
    }
    start.elapsed().as_nanos() as f64
}
