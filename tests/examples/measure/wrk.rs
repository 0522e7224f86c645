//! wrk, the program from elsewhere: what it is told to send, and what it says about it.
//!
//! A script gives it the bytes, once, so that nothing of Lua runs between requests. The same script tells
//! at the end what was done and what failed, in a line for programs. It also tells the processor time
//! from when the bytes were known to when the last thread was gone, by the clock that says ours. So
//! connecting counts, and so do requests that the end cuts off, without being counted as calls: two
//! moments of a turn.
//!
//! wrk reads heads and lengths of answers, and looks at the status. It decodes nothing.

use std::env::temp_dir;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;
use std::process::Command;
use std::process::Output;
use std::time::Duration;

use crate::common::Turn;

/// wrk on one thread, with a number of connections that send the same again and again.
#[derive(Debug)]
pub(crate) struct Wrk {
    url: String,
    connections: usize,
    /// A file of ours, gone with this.
    script: PathBuf,
}

impl Wrk {
    /// Each connection sends the request so many times at once, then waits for all the answers.
    pub(crate) fn new(
        authority: &str,
        request: &[u8],
        connections: usize,
        deep: usize,
    ) -> io::Result<Self> {
        let name = format!("measure-{}-{connections}-{deep}.lua", process::id());
        let script = temp_dir().join(name);
        fs::write(&script, text(request, deep))?;
        Ok(Self {
            url: format!("http://{authority}/"),
            connections,
            script,
        })
    }

    /// What it calls itself.
    pub(crate) fn version() -> Result<String, Box<dyn Error>> {
        // It misses an address then and ends with 1, but it has told by then.
        let output = run(Command::new("wrk").arg("-v"))?;
        let told = String::from_utf8_lossy(&output.stdout);
        let line = told.lines().next().unwrap_or_default().trim();
        match line.starts_with("wrk ") {
            true => Ok(line.to_owned()),
            false => Err(format!("wrk -v says {line:?}, which is not what wrk says").into()),
        }
    }

    pub(crate) fn turn(&self, seconds: u64) -> Result<Turn, Box<dyn Error>> {
        let mut command = Command::new("wrk");
        command
            .arg("--threads=1")
            .arg(format!("--connections={}", self.connections))
            .arg(format!("--duration={seconds}s"))
            .arg("--script")
            .arg(&self.script)
            .arg(&self.url);
        let output = run(&mut command)?;
        let told = String::from_utf8_lossy(&output.stdout);
        let Some(figures) = Figures::read(&told).filter(|_| output.status.success()) else {
            let errors = String::from_utf8_lossy(&output.stderr);
            let why = errors.trim();
            return Err(format!("no figures, {}: {why}", output.status).into());
        };
        let Figures {
            broken, late, bad, ..
        } = figures;
        if broken + late + bad > 0.0 {
            let text = format!(
                "{broken} failures of connections, {late} late answers, {bad} with an error's status"
            );
            return Err(text.into());
        }
        Ok(Turn {
            calls: figures.requests,
            wall: Duration::try_from_secs_f64(figures.wall_micros / 1e6)?,
            cpu: Duration::try_from_secs_f64(figures.cpu_after - figures.cpu_before)?,
            connections: self.connections,
        })
    }
}

impl Drop for Wrk {
    fn drop(&mut self) {
        // It is small, and in a folder that is swept.
        let _ = fs::remove_file(&self.script);
    }
}

/// What the script tells.
#[derive(Debug, Default)]
struct Figures {
    /// Processor seconds when the bytes were known.
    cpu_before: f64,
    requests: f64,
    wall_micros: f64,
    /// Processor seconds when it was all over.
    cpu_after: f64,
    /// How often a connection could not be opened, read or written.
    broken: f64,
    /// Answers that took longer than wrk waits.
    late: f64,
    /// Answers with a status from 400 on.
    bad: f64,
}

impl Figures {
    /// Finds the two lines of the script between those of wrk.
    fn read(told: &str) -> Option<Self> {
        let numbers = |name: &str| -> Option<Vec<f64>> {
            let line = told.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace()
                .map(|word| word.parse().ok())
                .collect()
        };
        let [cpu_before] = numbers("measure-start ")?[..] else {
            return None;
        };
        let [requests, wall_micros, cpu_after, broken, late, bad] = numbers("measure-end ")?[..]
        else {
            return None;
        };
        Some(Self {
            cpu_before,
            requests,
            wall_micros,
            cpu_after,
            broken,
            late,
            bad,
        })
    }
}

/// The script, which has no `request` of its own: wrk would ask that one before each request. What
/// `wrk.format` gives it asks for once, and counts the requests in it.
fn text(request: &[u8], deep: usize) -> String {
    let bytes: String = request.iter().map(|byte| format!("\\{byte:03}")).collect();
    format!(
        r#"local bytes = string.rep("{bytes}", {deep})

function wrk.format()
   return bytes
end

function init()
   print(string.format("measure-start %.6f", os.clock()))
end

function done(summary)
   local errors = summary.errors
   local broken = errors.connect + errors.read + errors.write
   print(string.format("measure-end %.0f %.0f %.6f %.0f %.0f %.0f",
      summary.requests, summary.duration, os.clock(), broken, errors.timeout, errors.status))
end
"#
    )
}

fn run(command: &mut Command) -> Result<Output, Box<dyn Error>> {
    let told = |error| format!("wrk cannot be run: {error}");
    Ok(command.output().map_err(told)?)
}
