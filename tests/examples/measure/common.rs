//! What the measurements share: the bytes of a call, processor time, what rounds come to, and how
//! far that is from a target.
//!
//! It knows nothing of what is measured.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use etcd_core::Call;
use etcd_core::Client as Core;
use etcd_core::Config;
use etcd_core::Instant;
use etcd_core::Output;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// Where to connect, and the bytes the core sends for a call.
pub(crate) fn bytes_of<C: Call>(
    endpoint: &str,
    call: C,
) -> Result<(String, Vec<u8>), Box<dyn Error>> {
    let now = Instant::ZERO;
    let mut core = Core::new(Config::new([endpoint])?, 1, now);
    core.call(now, call);
    let Some(Output::Connect { conn, endpoint }) = core.poll_output() else {
        return Err("the core does not connect".into());
    };
    core.handle_connected(now, conn);
    Ok((
        endpoint.authority().to_owned(),
        core.transmit(conn).to_vec(),
    ))
}

/// The processor time of this process so far: all its threads, in user and in kernel.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// What was done in a while, and what it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) calls: f64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// How many were used.
    pub(crate) connections: usize,
}

impl Turn {
    /// Calls in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls / self.wall.as_secs_f64()
    }

    /// Processor time of one call, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.calls
    }
}

/// One figure of all rounds.
#[derive(Debug)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one round.
    pub(crate) fn of(rounds: impl Iterator<Item = f64>) -> Self {
        let mut all: Vec<_> = rounds.collect();
        all.sort_by(f64::total_cmp);
        let half = all.len() / 2;
        let median = match all.len() % 2 {
            0 => f64::midpoint(all[half - 1], all[half]),
            _ => all[half],
        };
        Self {
            low: all[0],
            median,
            high: all[all.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { low, median, high } = self;
        write!(f, "{median:.3} (rounds from {low:.3} to {high:.3})")
    }
}

/// Whether a figure reaches its target, and what it lacks.
pub(crate) fn at_least(target: f64, figure: f64) -> String {
    verdict(target - figure)
}

/// Whether a figure stays within its target, and what it is above.
pub(crate) fn at_most(target: f64, figure: f64) -> String {
    verdict(figure - target)
}

fn verdict(distance: f64) -> String {
    match distance <= 0.0 {
        true => "met".to_owned(),
        false => format!("MISSED by {distance:.3}"),
    }
}
