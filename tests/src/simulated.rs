//! A simulated cluster: one process for all its members, which is ordered what to do to each.
//!
//! To who uses it a member is a [`Server`](crate::Server) like another: killing it orders the process to
//! stop that member, and so on. The process ends with the last of its members.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::find;
use crate::server::Place;

/// One member of a simulated cluster.
#[derive(Debug)]
pub(crate) struct Part {
    process: Arc<Mutex<Process>>,
    /// Its number there, once it is known there.
    number: Option<usize>,
    /// Its order to join, for one that is to be added later.
    join: String,
    pub(crate) runs: bool,
}

#[derive(Debug)]
struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// How many members it has.
    members: usize,
}

impl Process {
    fn start(binary: &Path, listen: &[String], further: &[String], log: File) -> io::Result<Self> {
        let mut command = find::quiet(binary);
        command.args(["serve", "--orders", "--members"]);
        command.arg(listen.len().to_string());
        command.args(listen.iter().map(|address| format!("--listen={address}")));
        let mut child = command
            .args(further)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let (orders, answers) = orders.zip(answers).expect("both were piped");
        let mut process = Self {
            child,
            orders,
            answers: BufReader::new(answers),
            members: listen.len(),
        };
        for _ in listen {
            process.answer()?;
        }
        Ok(process)
    }

    fn order(&mut self, order: &str) -> io::Result<()> {
        writeln!(self.orders, "{order}")?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<()> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.strip_prefix("error: ") {
            None if line.is_empty() => Err(io::Error::other("etcd-sim has ended")),
            None => Ok(()),
            Some(error) => Err(io::Error::other(error.trim_end().to_owned())),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("etcd-sim could not be killed: {error}");
        }
    }
}

impl Part {
    /// Starts a cluster whose members listen at these addresses. What goes wrong is written to `log`.
    pub(crate) fn start_all(
        binary: &Path,
        listen: &[String],
        further: &[String],
        log: File,
    ) -> io::Result<Vec<Self>> {
        let process = Process::start(binary, listen, further, log)?;
        let process = Arc::new(Mutex::new(process));
        let part = |number| Self {
            process: Arc::clone(&process),
            number: Some(number),
            join: String::new(),
            runs: true,
        };
        Ok((0..listen.len()).map(part).collect())
    }

    /// A further member, which joins when it is started.
    pub(crate) fn later(&self, place: &Place) -> Self {
        let (peer, client, name) = (place.peer_url(), place.client_address(), place.name());
        Self {
            process: Arc::clone(&self.process),
            number: None,
            join: format!("join {peer} {client} {name}"),
            runs: false,
        }
    }

    pub(crate) fn start(&mut self) -> io::Result<()> {
        match self.number {
            Some(_) => self.order("start")?,
            None => {
                let mut process = self.process();
                process.order(&self.join)?;
                let number = process.members;
                process.members += 1;
                drop(process);
                self.number = Some(number);
            }
        }
        self.runs = true;
        Ok(())
    }

    pub(crate) fn kill(&mut self) -> io::Result<()> {
        match core::mem::take(&mut self.runs) {
            true => self.order("stop"),
            false => Ok(()),
        }
    }

    /// One of `pause` and `resume`.
    pub(crate) fn order(&self, order: &str) -> io::Result<()> {
        let number = self.number;
        let number = number.ok_or_else(|| io::Error::other("this member was never started"))?;
        self.process().order(&format!("{order} {number}"))
    }

    /// The number of the process, while the member runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.runs.then(|| self.process().child.id())
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
