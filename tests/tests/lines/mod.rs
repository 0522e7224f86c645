//! `etcd-shim` as a process: lines in, lines out.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Makes each of these functions a test on either driver.
macro_rules! on_both {
    ($($name:ident,)*) => {
        mod std_driver { $(#[test] fn $name() { super::$name("std"); })* }
        mod smol_driver { $(#[test] fn $name() { super::$name("smol"); })* }
    };
}

/// A shim under way.
pub(crate) struct Shim {
    child: Child,
    /// Its input, until that is ended.
    pub(crate) input: Option<ChildStdin>,
    output: Receiver<Value>,
    /// Lines of other ids that came before the one waited for.
    early: Vec<Value>,
    last_id: u64,
}

impl Shim {
    /// Starts one; the first argument is its endpoints.
    pub(crate) fn start(runtime: &str, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_etcd-shim"))
            .args(["--runtime", runtime, "--endpoints"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, output) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for text in stdout.lines() {
                let _ = line.send(serde_json::from_str(&text.unwrap()).unwrap());
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            output,
            early: Vec::new(),
            last_id: 0,
        }
    }

    /// Sends a line as it is.
    pub(crate) fn write(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Sends a line under an id of its own.
    pub(crate) fn send(&mut self, mut line: Value) -> Value {
        self.last_id += 1;
        line["id"] = self.last_id.into();
        self.write(&line.to_string());
        self.last_id.into()
    }

    /// The next line with this id, without the id.
    pub(crate) fn next(&mut self, id: &Value) -> Value {
        let mut line = match self.early.iter().position(|line| line["id"] == *id) {
            Some(at) => self.early.remove(at),
            None => loop {
                let line = self.output.recv_timeout(PATIENCE);
                let line = line.unwrap_or_else(|error| {
                    panic!("{error}: nothing for {id}, only {:?}", self.early)
                });
                if line["id"] == *id {
                    break line;
                }
                self.early.push(line);
            },
        };
        line.as_object_mut().unwrap().remove("id").unwrap();
        line
    }

    /// The answer to a line.
    pub(crate) fn ask(&mut self, line: Value) -> Value {
        let id = self.send(line);
        self.next(&id)
    }

    /// The answer to a call that has to be answered.
    pub(crate) fn ok(&mut self, call: &str, request: Value) -> Value {
        let mut answer = self.ask(json!({"call": call, "request": request}));
        assert!(answer.get("ok").is_some(), "{call}: {answer}");
        answer["ok"].take()
    }

    /// The error of a line that has to fail.
    pub(crate) fn error(&mut self, line: Value) -> Value {
        let mut answer = self.ask(line);
        assert!(answer.get("error").is_some(), "{answer}");
        answer["error"].take()
    }

    /// Ends the input, and sees that nothing is left to be said.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        let left = self.output.iter().collect::<Vec<_>>();
        assert!(
            left.is_empty() && self.early.is_empty(),
            "{left:?} {:?}",
            self.early
        );
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
