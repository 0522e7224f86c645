//! Feeds a recording into a fresh client, and finds the first difference.
//!
//! The client is recorded while it is told the inputs, and its log has to be the recording, line by
//! line: there is no other notion of what is the same. A line that came out of the client says what
//! to ask it for now.

use std::collections::VecDeque;

use super::calls::Again;
use super::difference::Difference;
use super::difference::ReplayError;
use super::difference::Replayed;
use super::difference::SHOWN;
use super::outputs;
use super::recorded::Recorded;
use super::recorder::FIRST;
use super::recorder::FULL;
use super::recorder::Recording;
use super::settings::Start;
use super::settings::read_credentials;
use super::settings::read_endpoints;
use super::text::unescape;
use crate::client::Client;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::KeepAliveId;
use crate::id::StreamId;
use crate::id::WatchId;
use crate::time::Instant;

/// How many lines before a difference are told.
const CONTEXT: usize = 12;

/// Times above this, 146 years, are nobody's; below it a client can count on.
const LAST_NANOS: u64 = 1 << 62;

/// Replays a recording to its end.
///
/// # Errors
///
/// [`ReplayError`]: it is damaged, or the client now does something else.
///
/// ```
/// use etcd_core::trace;
///
/// assert!(trace::replay(b"").is_err());
/// ```
pub fn replay(recording: &[u8]) -> Result<Replayed, ReplayError> {
    let mut replayer = Replayer::new(recording)?;
    while replayer.step()? {}
    Ok(replayer.replayed())
}

/// A replay that can be stopped at any line, to look at the client.
///
/// ```
/// use etcd_core::trace::{Recorded, Recording, Replayer};
/// use etcd_core::{Config, Instant, Put};
///
/// let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
/// client.record(Recording::new())?;
/// client.call(Instant::ZERO, Put::new("k", "v"));
/// let log = client.take_log();
///
/// let mut replayer = Replayer::new(&log)?;
/// assert_eq!(replayer.line(), 3);
/// while replayer.step()? {}
/// assert!(replayer.client().poll_timeout().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Replayer<'a> {
    lines: Lines<'a>,
    client: Recorded,
    /// The lines before the next one.
    before: VecDeque<String>,
    replayed: Replayed,
    is_over: bool,
}

/// The lines of a recording, each with its place.
#[derive(Clone, Debug)]
struct Lines<'a> {
    rest: &'a [u8],
    /// Of the next one.
    line: u64,
    offset: usize,
}

#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    text: &'a [u8],
    line: u64,
    offset: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Option<Line<'a>>, ReplayError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Some(len) = memchr::memchr(b'\n', self.rest) else {
            return Err(ReplayError::Damaged {
                line: self.line,
                offset: self.offset,
                reason: "it has no end; leave it out to replay what is before it".to_owned(),
            });
        };
        let line = Line {
            text: &self.rest[..len],
            line: self.line,
            offset: self.offset,
        };
        self.rest = &self.rest[len + 1..];
        self.line += 1;
        self.offset += len + 1;
        Ok(Some(line))
    }
}

impl Line<'_> {
    fn damaged(&self, reason: impl Into<String>) -> ReplayError {
        ReplayError::Damaged {
            line: self.line,
            offset: self.offset,
            reason: reason.into(),
        }
    }
}

impl<'a> Replayer<'a> {
    /// A client as the recording has it at its beginning.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Damaged`] if it does not begin as one.
    ///
    /// ```
    /// use etcd_core::trace::Replayer;
    ///
    /// assert!(Replayer::new(b"something else").is_err());
    /// ```
    pub fn new(recording: &'a [u8]) -> Result<Self, ReplayError> {
        let mut lines = Lines {
            rest: recording,
            line: 1,
            offset: 0,
        };
        let none = Line {
            text: b"",
            line: 1,
            offset: 0,
        };
        let first = lines.next()?.unwrap_or(none);
        if first.text != FIRST.as_bytes() {
            return Err(first.damaged(format!(
                "a recording that can be read begins with {FIRST:?}"
            )));
        }
        let second = lines.next()?.unwrap_or(none);
        if second.text == FULL.as_bytes() {
            return Err(second.damaged("it came to its bound before it began"));
        }
        let start = second.text.strip_prefix(b"start ").and_then(unescape);
        let start = start.ok_or_else(|| second.damaged("the configuration is missing"))?;
        let start = Start::read(&start).map_err(|reason| second.damaged(reason))?;
        check_time(start.now.as_nanos()).map_err(|reason| second.damaged(reason))?;

        let mut client = Recorded::new(start.config, start.seed, start.now);
        let recording = Recording {
            secret_prefixes: start.secret_prefixes,
            max_bytes: u64::MAX,
        };
        client
            .record(recording)
            .map_err(|error| second.damaged(error.to_string()))?;
        let log = client.take_log();
        if log.split(|byte| *byte == b'\n').nth(1) != Some(second.text) {
            return Err(second.damaged("the configuration is not in its own order"));
        }
        Ok(Self {
            lines,
            client,
            before: VecDeque::new(),
            replayed: Replayed::default(),
            is_over: false,
        })
    }

    /// Replays the next input, or asks for the next output, and compares; false at the end.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]; it is at its end then.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording, Replayer};
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
    /// # client.record(Recording::new())?;
    /// client.shutdown(Instant::ZERO);
    /// let log = client.take_log();
    /// let mut replayer = Replayer::new(&log)?;
    /// assert!(replayer.step()?);
    /// assert!(!replayer.step()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn step(&mut self) -> Result<bool, ReplayError> {
        if self.is_over {
            return Ok(false);
        }
        let stepped = self.try_step();
        self.is_over = !matches!(stepped, Ok(true));
        stepped
    }

    /// The number of the line that comes next, counted from 1.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording, Replayer};
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
    /// # client.record(Recording::new())?;
    /// let log = client.take_log();
    /// assert_eq!(Replayer::new(&log)?.line(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.lines.line
    }

    /// The client as it is before that line.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording, Replayer};
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
    /// # client.record(Recording::new())?;
    /// let log = client.take_log();
    /// assert_eq!(Replayer::new(&log)?.client().stats().requests, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn client(&self) -> &Client {
        self.client.client()
    }

    /// What was replayed so far.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording, Replayer};
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
    /// # client.record(Recording::new())?;
    /// let log = client.take_log();
    /// assert_eq!(Replayer::new(&log)?.replayed().inputs, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn replayed(&self) -> Replayed {
        self.replayed
    }

    fn try_step(&mut self) -> Result<bool, ReplayError> {
        let Some(line) = self.lines.next()? else {
            return Ok(false);
        };
        let text = core::str::from_utf8(line.text);
        let text = text.map_err(|_| line.damaged("it has bytes that are not ASCII"))?;
        if text == FULL {
            return self.end();
        }
        let is_input = text.starts_with("> ");
        if text.starts_with("end ") {
            self.client.finish_log();
        } else if let Some(input) = text.strip_prefix("> ") {
            self.tell(input).map_err(|reason| line.damaged(reason))?;
        } else if let Some(output) = text.strip_prefix("< ") {
            self.ask(output).map_err(|reason| line.damaged(reason))?;
        } else {
            return Err(line.damaged("it begins with neither > nor <"));
        }
        let log = self.client.take_log();
        let mut got = log.split(|byte| *byte == b'\n');
        let first = got.next().unwrap_or_default();
        if is_input && first != line.text {
            return Err(line.damaged("it is not written as a recorder writes it"));
        }
        self.compare(line, first)?;
        if text.starts_with("end ") {
            self.replayed.is_complete = true;
            return self.end();
        }
        for more in got.filter(|more| !more.is_empty()) {
            let Some(line) = self.lines.next()? else {
                return Ok(false);
            };
            if line.text == FULL.as_bytes() {
                return self.end();
            }
            self.compare(line, more)?;
        }
        Ok(true)
    }

    /// Nothing may come behind the last line.
    fn end(&mut self) -> Result<bool, ReplayError> {
        match self.lines.next()? {
            None => Ok(false),
            Some(line) => Err(line.damaged("it comes behind the last line")),
        }
    }

    fn compare(&mut self, line: Line<'_>, got: &[u8]) -> Result<(), ReplayError> {
        if line.text != got {
            return Err(ReplayError::Different(Box::new(Difference {
                line: line.line,
                offset: line.offset,
                expected: String::from_utf8_lossy(line.text).into_owned(),
                got: String::from_utf8_lossy(got).into_owned(),
                before: self.before.iter().cloned().collect(),
            })));
        }
        match got.first() {
            Some(b'>') => self.replayed.inputs += 1,
            Some(b'<') => self.replayed.outputs += 1,
            _ => {}
        }
        if self.before.len() >= CONTEXT {
            self.before.pop_front();
        }
        let shown = String::from_utf8_lossy(&got[..got.len().min(SHOWN)]);
        let after = if got.len() > SHOWN { "…" } else { "" };
        self.before.push_back(format!("{shown}{after}"));
        Ok(())
    }

    /// Asks for what the line says came out.
    fn ask(&mut self, output: &str) -> Result<(), String> {
        let mut words = output.split(' ');
        let kind = words.next().unwrap_or_default();
        match kind {
            "connect" | "transmit" | "close" | "pause" | "resume" | "answered" | "news"
            | "none" => drop(self.client.poll_output()),
            "watch" => {
                let id = WatchId::new(number(words.next())?);
                drop(self.client.poll_watch(id));
            }
            "stream" => {
                let id = StreamId::new(number(words.next())?);
                drop(self.client.poll_stream(id));
            }
            "lease" => {
                let id = KeepAliveId::new(number(words.next())?);
                drop(self.client.poll_lease(id));
            }
            _ => return Err("no such output comes here".to_owned()),
        }
        Ok(())
    }

    /// Tells the client what the line says.
    fn tell(&mut self, input: &str) -> Result<(), String> {
        let (now, input) = input.split_once(' ').ok_or("it says nothing")?;
        let now = number(Some(now))?;
        check_time(now)?;
        let now = Instant::from_nanos(now);
        let (verb, rest) = input.split_once(' ').unwrap_or((input, ""));
        let client = &mut self.client;
        match verb {
            "call" => {
                let mut parts = rest.splitn(3, ' ');
                let (Some(name), Some(manner), Some(json)) =
                    (parts.next(), parts.next(), parts.next())
                else {
                    return Err("a call has a name, options and a request".to_owned());
                };
                let (manner, options) =
                    outputs::read_manner(manner).ok_or("these are no options of a call")?;
                let json = bytes(json)?;
                let call = Again {
                    name,
                    json,
                    manner,
                    options,
                };
                call.call(now, client)
                    .ok_or("there is no such call, or it has no such request")?;
            }
            "watch" => {
                let watch: crate::api::Watch = read(rest)?;
                client.watch(now, watch);
            }
            "watch-with" => {
                let (options, json) = rest.split_once(' ').ok_or("a watch has a request")?;
                let options = outputs::read_watch_options(options)
                    .ok_or("these are no options of a watch")?;
                let watch: crate::api::Watch = read(json)?;
                client.watch_with(now, watch, options);
            }
            "observe" => {
                client.observe(now, read(rest)?);
            }
            "lease" => {
                let (manner, json) = rest.split_once(' ').ok_or("it has no request")?;
                let (manner, _) =
                    outputs::read_manner(manner).ok_or("these are no options of a lease")?;
                let grant: crate::api::LeaseGrant = read(json)?;
                let grant = match manner.wants_id {
                    true => grant,
                    false => grant.with_server_id(),
                };
                client.lease(now, grant);
            }
            "keep-alive" => {
                let lease = outputs::read_keep_alive(rest).ok_or("this is no lease")?;
                client.keep_alive(now, lease);
            }
            "release" => client.release_lease(now, KeepAliveId::new(number(Some(rest))?)),
            "revoke" => client.revoke_lease(now, KeepAliveId::new(number(Some(rest))?)),
            "snapshot" => {
                let (_, options) =
                    outputs::read_manner(rest).ok_or("these are no options of a snapshot")?;
                client.snapshot(now, options);
            }
            "cancel" => {
                let (what, id) = rest.split_once(' ').ok_or("it does not say what")?;
                let id = number(Some(id))?;
                match what {
                    "call" => client.cancel_call(now, CallId::new(id)),
                    "watch" => client.cancel_watch(now, WatchId::new(id)),
                    "stream" => client.cancel_stream(now, StreamId::new(id)),
                    _ => return Err("there is nothing of this kind to cancel".to_owned()),
                }
            }
            "progress" => client.request_progress(now, WatchId::new(number(Some(rest))?)),
            "credentials" => {
                let credentials = serde_json::from_slice(&bytes(rest)?).ok();
                let credentials = credentials.as_ref().and_then(read_credentials);
                client.set_credentials(now, credentials.ok_or("these are no credentials")?);
            }
            "endpoints" => {
                let endpoints = serde_json::from_slice(&bytes(rest)?).ok();
                let endpoints = endpoints.as_ref().and_then(read_endpoints);
                // One that was refused is refused again.
                let _ = client.set_endpoints(now, endpoints.ok_or("these are no endpoints")?);
            }
            "sync" => {
                client.sync(now);
            }
            "shutdown" => client.shutdown(now),
            "connected" => client.handle_connected(now, conn(rest)?),
            "eof" => client.handle_eof(now, conn(rest)?),
            "timeout" => client.handle_timeout(now),
            "received" => {
                let (id, text) = rest.split_once(' ').ok_or("it does not say what")?;
                client.handle_received(now, conn(id)?, &bytes(text)?);
            }
            "written" => {
                let (id, len) = rest.split_once(' ').ok_or("it does not say how much")?;
                let len = usize::try_from(number(Some(len))?).unwrap_or(usize::MAX);
                client.handle_written(now, conn(id)?, len);
            }
            "connect-failed" | "closed" => {
                let (id, text) = rest.split_once(' ').ok_or("it does not say why")?;
                let error = outputs::read_net_error(text).ok_or("there is no such error")?;
                match verb {
                    "closed" => client.handle_closed(now, conn(id)?, error),
                    _ => client.handle_connect_failed(now, conn(id)?, error),
                }
            }
            _ => return Err("there is no such input".to_owned()),
        }
        Ok(())
    }
}

fn check_time(nanos: u64) -> Result<(), String> {
    match nanos <= LAST_NANOS {
        true => Ok(()),
        false => Err("its time is more than 146 years from the start".to_owned()),
    }
}

fn number(text: Option<&str>) -> Result<u64, String> {
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| "a number is missing".to_owned())
}

fn conn(text: &str) -> Result<ConnId, String> {
    number(Some(text)).map(ConnId::new)
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    unescape(text.as_bytes())
        .ok_or_else(|| "its bytes are not written as they should be".to_owned())
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    // What serde would say quotes the text.
    serde_json::from_slice(&bytes(text)?).map_err(|_| "its request cannot be read".to_owned())
}
