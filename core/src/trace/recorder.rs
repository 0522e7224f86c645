//! The log itself: lines, their bound, and what is crossed out on the way.
//!
//! It knows what lines look like and nothing of when they come. Once the bound is reached it says so
//! in a last line and writes no more: what a client does follows from all it was told since its
//! start, so the beginning of a recording is worth something and its end alone is not.

use core::fmt;
use core::mem;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::secrets::Conversation;
use super::secrets::Secrets;
use super::settings::Start;
use super::text::escape;
use crate::api::IntoBytes;
use crate::codec::http1::HttpLimits;
use crate::id::ConnId;
use crate::time::Instant;

/// The first line; another form of what follows gets another number.
pub(super) const FIRST: &str = "etcd-core recording 1";

/// The last line of a recording that came to its bound.
pub(super) const FULL: &str = "full";

/// What a recording is to be like.
///
/// Passwords, tokens, values of headers and the blobs of snapshots are never in it. Values of keys
/// are, unless they are marked as secret here.
///
/// ```
/// use etcd_core::trace::Recording;
///
/// let recording = Recording::new()
///     .with_secret_prefix("/passwords/")
///     .with_max_bytes(8 << 20);
/// # let _ = recording;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Recording {
    pub(super) secret_prefixes: Vec<Bytes>,
    pub(super) max_bytes: u64,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            secret_prefixes: Vec::new(),
            max_bytes: 256 << 20,
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("secret_prefixes", &self.secret_prefixes.len())
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}

impl Recording {
    /// The defaults: no value is secret, 256 MiB at the most.
    ///
    /// ```
    /// use etcd_core::trace::Recording;
    ///
    /// let recording = Recording::new();
    /// # let _ = recording;
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks the values of all keys that begin with `prefix`: in requests, answers and events zeros
    /// of the same length stand for them. The keys themselves are written. A value whose key
    /// cannot be told, as in a proclamation, counts as marked once there is any prefix; an empty
    /// prefix marks all.
    ///
    /// ```
    /// use etcd_core::trace::Recording;
    ///
    /// let recording = Recording::new().with_secret_prefix("/tls/").with_secret_prefix("/db/");
    /// # let _ = recording;
    /// ```
    pub fn with_secret_prefix(mut self, prefix: impl IntoBytes) -> Self {
        self.secret_prefixes.push(prefix.into_bytes());
        self
    }

    /// Bounds the recording to so many bytes. What comes later is not written, and the last line says
    /// so; the lines before replay all the same.
    ///
    /// ```
    /// use etcd_core::trace::Recording;
    ///
    /// let recording = Recording::new().with_max_bytes(1 << 20);
    /// # let _ = recording;
    /// ```
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }
}

/// A log under way.
pub(super) struct Recorder {
    secrets: Secrets,
    http: HttpLimits,
    /// Both directions of every connection that was ordered and is not closed, once it is open.
    conns: BTreeMap<ConnId, Option<Conversation>>,
    /// Lines that nobody has taken yet.
    log: Vec<u8>,
    /// All bytes so far, and their bound.
    bytes: u64,
    max_bytes: u64,
    /// No further line is written.
    is_over: bool,
    is_full: bool,
    inputs: u64,
    outputs: u64,
    /// The last line, if it says that something had nothing: it is not said twice.
    nothing: Option<Vec<u8>>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("bytes", &self.bytes)
            .field("is_full", &self.is_full)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// A log that says how the client began.
    pub(super) fn new(start: &Start, max_bytes: u64) -> Self {
        let mut recorder = Self {
            secrets: start.secrets(),
            http: start.config.limits.http.clone(),
            conns: BTreeMap::new(),
            log: Vec::new(),
            bytes: 0,
            max_bytes,
            is_over: false,
            is_full: false,
            inputs: 0,
            outputs: 0,
            nothing: None,
        };
        recorder.line(|line, _| line.extend_from_slice(FIRST.as_bytes()));
        recorder.line(|line, _| {
            line.extend_from_slice(b"start ");
            escape(start.write().as_bytes(), line);
        });
        recorder
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.log)
    }

    pub(super) fn has_lines(&self) -> bool {
        !self.log.is_empty()
    }

    /// Writes one line, or says that the log is full.
    fn line(&mut self, write: impl FnOnce(&mut Vec<u8>, &Secrets)) -> bool {
        if self.is_over {
            return false;
        }
        self.nothing = None;
        let start = self.log.len();
        write(&mut self.log, &self.secrets);
        self.log.push(b'\n');
        let len = self.log.len().saturating_sub(start) as u64;
        let room = self.max_bytes.saturating_sub(self.bytes);
        // The line that says so has room, too.
        if len.saturating_add(FULL.len() as u64 + 1) > room {
            self.log.truncate(start);
            self.log.extend_from_slice(FULL.as_bytes());
            self.log.push(b'\n');
            self.bytes = self.bytes.saturating_add(FULL.len() as u64 + 1);
            self.is_full = true;
            self.end();
            return false;
        }
        self.bytes = self.bytes.saturating_add(len);
        true
    }

    fn end(&mut self) {
        self.is_over = true;
        self.conns.clear();
    }

    /// Writes the last line: this is all there was.
    pub(super) fn finish(&mut self) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        self.line(|line, _| {
            line.extend_from_slice(format!("end {inputs} {outputs}").as_bytes());
        });
        self.end();
    }

    /// Something the client is told.
    pub(super) fn input(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        self.input_with(now, what, |_, _| {});
    }

    /// The same with JSON at its end.
    pub(super) fn input_json(&mut self, now: Instant, what: fmt::Arguments<'_>, json: &[u8]) {
        self.input_with(now, what, |line, secrets| write_json(json, line, secrets));
    }

    /// Bytes that came.
    pub(super) fn received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        if self.is_over {
            return;
        }
        let mut masked = bytes.to_vec();
        match self.conns.get_mut(&conn) {
            Some(Some(talk)) => talk.mask_received(&mut masked, &self.secrets),
            // They come too early or too late, and nobody looks at them.
            Some(None) | None => masked.fill(b'x'),
        }
        self.input_with(now, format_args!("received {}", conn.get()), |line, _| {
            write_bytes(&masked, line);
        });
    }

    fn input_with(
        &mut self,
        now: Instant,
        what: fmt::Arguments<'_>,
        write: impl FnOnce(&mut Vec<u8>, &Secrets),
    ) {
        let told = self.line(|line, secrets| {
            push(line, format_args!("> {} {what}", now.as_nanos()));
            write(line, secrets);
        });
        self.inputs += u64::from(told);
    }

    /// Something that came out of the client.
    pub(super) fn output(&mut self, what: fmt::Arguments<'_>) {
        self.output_with(what, |_, _| {});
    }

    /// The same with a text at its end.
    pub(super) fn output_text(&mut self, what: fmt::Arguments<'_>, text: &str) {
        self.output_with(what, |line, _| write_bytes(text.as_bytes(), line));
    }

    /// The same with JSON at its end.
    pub(super) fn output_json(&mut self, what: fmt::Arguments<'_>, json: &[u8]) {
        self.output_with(what, |line, secrets| write_json(json, line, secrets));
    }

    /// Bytes that a socket took.
    pub(super) fn sent(&mut self, conn: ConnId, bytes: &[u8]) {
        if self.is_over {
            return;
        }
        let mut masked = bytes.to_vec();
        match self.conns.get_mut(&conn) {
            Some(Some(talk)) => talk.mask_sent(&mut masked, &self.secrets),
            Some(None) | None => masked.fill(b'x'),
        }
        self.output_with(format_args!("sent {}", conn.get()), |line, _| {
            write_bytes(&masked, line);
        });
    }

    /// That something was asked for and had nothing. Said once until something else happens.
    pub(super) fn nothing(&mut self, what: fmt::Arguments<'_>) {
        if self.is_over {
            return;
        }
        let mut text = Vec::new();
        push(&mut text, format_args!("< {what}"));
        if self.nothing.as_ref() == Some(&text) {
            return;
        }
        let told = self.line(|line, _| line.extend_from_slice(&text));
        self.outputs += u64::from(told);
        self.nothing = Some(text);
    }

    fn output_with(
        &mut self,
        what: fmt::Arguments<'_>,
        write: impl FnOnce(&mut Vec<u8>, &Secrets),
    ) {
        let told = self.line(|line, secrets| {
            push(line, format_args!("< {what}"));
            write(line, secrets);
        });
        self.outputs += u64::from(told);
    }

    /// A connection is to be opened.
    pub(super) fn order(&mut self, conn: ConnId) {
        if !self.is_over {
            self.conns.insert(conn, None);
        }
    }

    /// A connection is open: what is said on it begins.
    pub(super) fn open(&mut self, conn: ConnId) {
        if let Some(talk @ None) = self.conns.get_mut(&conn) {
            *talk = Some(Conversation::new(self.http.clone()));
        }
    }

    /// Nothing is said on it any more.
    pub(super) fn close(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
    }
}

fn push(line: &mut Vec<u8>, what: fmt::Arguments<'_>) {
    match what.as_str() {
        Some(text) => line.extend_from_slice(text.as_bytes()),
        None => line.extend_from_slice(what.to_string().as_bytes()),
    }
}

fn write_bytes(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(b' ');
    escape(bytes, line);
}

fn write_json(json: &[u8], line: &mut Vec<u8>, secrets: &Secrets) {
    let mut masked = json.to_vec();
    secrets.mask_json(&mut masked);
    write_bytes(&masked, line);
}
