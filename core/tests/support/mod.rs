//! A virtual world for the public [`Client`]: time that is told, sockets that are tables, a user who
//! reads what there is to read.
//!
//! Tests are transcripts. [`check`] takes a text; its lines that begin with `>` are inputs, the
//! others are what the client did upon them, in its order. The world runs the inputs, writes the
//! whole text anew, and the two must agree. So a test reads as what happened, and a changed signature
//! of the core is one edit here.
//!
//! ```text
//!   > client a b                       a client of the endpoints a and b, which begins at a
//!   > put k v                          a command; ids count from 1
//!   connect 1 to a                     connection 1 is ordered
//!   > open 1                           it is open; by default the socket takes everything at once
//!   send 1: POST /v3/kv/put {"key":"k","value":"v"}
//!   > answer 1 200 {}                  bytes of a whole answer come
//!   call 1: Put
//! ```

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary uses its own part of the world"
)]
#![allow(clippy::unwrap_used, reason = "a wrong transcript is the test's own")]

mod commands;
mod requests;
mod server;
mod show;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::KeepAliveId;
use etcd_core::Output;
use etcd_core::StreamId;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use etcd_core::trace;
use etcd_core::trace::Recorded;

pub use self::commands::STREAM_HEAD;
pub use self::commands::answer;
pub use self::commands::chunk;
pub use self::commands::event;
pub use self::commands::leader;
pub use self::commands::snapshot_frame;
pub use self::requests::Requests;
pub use self::requests::readable;
pub use self::server::Peer;
pub use self::server::changes;
pub use self::show::stream as show_stream;
pub use self::show::watch as show_watch;

/// Runs a transcript and compares. What the client was told and said is recorded, and has to come out
/// of a replay the same.
#[track_caller]
pub fn check(transcript: &str) {
    let mut world = World::default();
    world.records = true;
    compare(transcript, &mut world);
    world.replay();
}

/// The same for what a replay cannot know, since it is in a secret.
#[track_caller]
pub fn check_without_replay(transcript: &str) {
    compare(transcript, &mut World::default());
}

/// Rule W-28: how far a watch is certain before something is taken from it, what that is, and how far then.
/// Nothing comes of what was certain, and it never falls.
pub fn check_certified(before: Option<i64>, event: &WatchEvent, after: Option<i64>) {
    if let WatchEvent::Batch(batch) = event {
        assert!(before < Some(batch.revision), "{before:?}: {event:?}");
        assert!(after >= Some(batch.revision), "{after:?}: {event:?}");
    }
    if let WatchEvent::Progress { revision } = event {
        // Of 0 where an old server was asked before anything came: alive, and nothing certain.
        assert!(after.unwrap_or(0) >= *revision, "{after:?}: {event:?}");
    }
    let is_end = matches!(event, WatchEvent::End(_));
    assert!(
        is_end == after.is_none() || before <= after,
        "{before:?} {after:?}: {event:?}"
    );
}

#[track_caller]
fn compare(transcript: &str, world: &mut World) {
    let wanted: Vec<&str> = transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect();
    for line in &wanted {
        if let Some(command) = line.strip_prefix('>') {
            world.run(command.trim());
        }
    }
    let got = world.transcript();
    let got: Vec<&str> = got.lines().collect();
    if wanted != got {
        let same = wanted.iter().zip(&got).take_while(|(a, b)| a == b).count();
        panic!(
            "line {same} differs\n wanted: {}\n    got: {}\n\n{}\n",
            wanted.get(same).unwrap_or(&"(nothing)"),
            got.get(same).unwrap_or(&"(nothing)"),
            got.join("\n")
        );
    }
}

/// A client and everything around it.
#[derive(Debug, Default)]
pub struct World {
    pub client: Option<Recorded>,
    /// Keeps a log of the client, which is replayed at the end of the world.
    pub records: bool,
    pub config: Option<Config>,
    pub now: Instant,
    /// Ids by their numbers, since the driver may name only what it was given.
    conns: BTreeMap<u64, Socket>,
    calls: BTreeMap<u64, etcd_core::CallId>,
    watches: BTreeMap<u64, WatchId>,
    streams: BTreeMap<u64, StreamId>,
    leases: BTreeMap<u64, KeepAliveId>,
    /// Leases whose user does not look.
    held_leases: BTreeSet<u64>,
    /// Watches whose user does not read.
    held: BTreeSet<u64>,
    /// Streams whose user does not read.
    held_streams: BTreeSet<u64>,
    /// The socket takes only what `> write` says.
    slow: bool,
    /// Notices that matter less are not shown.
    notices: Option<etcd_core::notice::Level>,
    text: String,
}

/// A connection as the driver sees it.
#[derive(Debug)]
pub struct Socket {
    pub id: ConnId,
    pub endpoint: String,
    /// Everything the socket took.
    pub sent: Vec<u8>,
    requests: Requests,
    /// An answer's head was sent on a stream.
    answering: bool,
    pub closed: bool,
    pub paused: bool,
}

impl World {
    /// A world in which these inputs have happened.
    #[track_caller]
    pub fn after(commands: &str) -> Self {
        let mut world = Self::default();
        world.run_all(commands);
        world
    }

    /// Runs inputs, one a line.
    #[track_caller]
    pub fn run_all(&mut self, commands: &str) {
        for line in commands.lines().map(str::trim) {
            if !line.is_empty() {
                self.run(line.strip_prefix('>').unwrap_or(line).trim());
            }
        }
    }

    /// Everything so far.
    pub fn transcript(&self) -> String {
        self.text.clone()
    }

    /// What happened since `mark`, a length of an earlier transcript, without the inputs.
    pub fn outputs_since(&self, mark: usize) -> Vec<&str> {
        self.text[mark..]
            .lines()
            .filter(|line| !line.starts_with('>'))
            .collect()
    }

    /// Runs one input, and gives what came of it.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> Vec<&str> {
        let mark = self.text.len();
        let _ = writeln!(self.text, "> {command}");
        self.obey(command);
        self.drain();
        self.outputs_since(mark)
    }

    /// Ends the recording and replays it. Gives what was recorded.
    #[track_caller]
    pub fn replay(&mut self) -> String {
        self.client().finish_log();
        let log = String::from_utf8(self.client().take_log()).expect("a recording is text");
        match trace::replay(log.as_bytes()) {
            Ok(replayed) => assert!(replayed.is_complete && replayed.inputs > 0),
            Err(error) => panic!("{error}"),
        }
        log
    }

    pub fn client(&mut self) -> &mut Recorded {
        self.client
            .as_mut()
            .expect("a transcript begins with `> client`")
    }

    #[track_caller]
    pub fn socket(&mut self, conn: u64) -> &mut Socket {
        self.conns
            .get_mut(&conn)
            .unwrap_or_else(|| panic!("connection {conn} was never ordered"))
    }

    pub fn open_sockets(&self) -> usize {
        self.conns.values().filter(|socket| !socket.closed).count()
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// Takes every output, as a driver does.
    pub fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.client().poll_output() {
            outputs += 1;
            assert!(outputs < 100_000, "a drain has to end (law 4)");
            match output {
                Output::Connect { conn, endpoint } => {
                    self.say(&format!("connect {} to {}", conn.get(), endpoint.host()));
                    let socket = Socket {
                        id: conn,
                        endpoint: endpoint.host().to_owned(),
                        sent: Vec::new(),
                        requests: Requests::default(),
                        answering: false,
                        closed: false,
                        paused: false,
                    };
                    let before = self.conns.insert(conn.get(), socket);
                    assert!(before.is_none(), "ids are never used again");
                }
                Output::Transmit(conn) if self.slow => {
                    let len = self.client().transmit(conn).len();
                    self.say(&format!("transmit {}: {len} bytes", conn.get()));
                }
                Output::Transmit(conn) => self.write(conn, usize::MAX),
                Output::Close(conn) => {
                    self.say(&format!("close {}", conn.get()));
                    let socket = self.socket(conn.get());
                    assert!(!socket.closed, "closed twice");
                    socket.closed = true;
                }
                Output::Pause(conn) => {
                    self.say(&format!("pause {}", conn.get()));
                    let socket = self.socket(conn.get());
                    assert!(!socket.paused, "paused twice");
                    socket.paused = true;
                }
                Output::Resume(conn) => {
                    self.say(&format!("resume {}", conn.get()));
                    let socket = self.socket(conn.get());
                    assert!(socket.paused, "resumed without a pause");
                    socket.paused = false;
                }
                Output::Event(Event::Answered { call, result }) => {
                    assert!(
                        self.calls.get(&call.get()) != Some(&call) || !self.has_ended(call),
                        "a call ends once (law 6)"
                    );
                    let line = format!("call {}: {}", call.get(), show::result(&result));
                    self.say(&line);
                }
                Output::Event(Event::Watch(watch)) if self.held.contains(&watch.get()) => {
                    self.say(&format!("watch {} has something", watch.get()));
                }
                Output::Event(Event::Watch(watch)) => self.read_watch(watch, usize::MAX),
                Output::Event(Event::Stream(stream))
                    if self.held_streams.contains(&stream.get()) =>
                {
                    self.say(&format!("stream {} has something", stream.get()));
                }
                Output::Event(Event::Stream(stream)) => self.read_stream(stream, usize::MAX),
                Output::Event(Event::Lease(lease)) if self.held_leases.contains(&lease.get()) => {
                    self.say(&format!("lease {} has something", lease.get()));
                }
                Output::Event(Event::Lease(lease)) => self.read_lease(lease),
                Output::Event(other) => panic!("unknown event {other:?}"),
            }
        }
        let least = self.notices;
        while let Some(notice) = self.client().poll_notice() {
            assert_eq!(notice.at, self.now, "{notice}");
            if least.is_some_and(|least| notice.level() <= least) {
                self.say(&format!("{}: {notice}", notice.level()));
            }
        }
    }

    fn has_ended(&self, call: etcd_core::CallId) -> bool {
        let start = format!("call {}: ", call.get());
        self.text.lines().any(|line| line.starts_with(&start))
    }

    /// The user reads a watch.
    fn read_watch(&mut self, watch: WatchId, most: usize) {
        for _ in 0..most {
            let certified = self.client().certified(watch);
            let Some(event) = self.client().poll_watch(watch) else {
                return;
            };
            check_certified(certified, &event, self.client().certified(watch));
            let line = format!("watch {}: {}", watch.get(), show::watch(&event));
            self.say(&line);
        }
    }

    /// The user reads a snapshot or an observation.
    fn read_stream(&mut self, stream: StreamId, most: usize) {
        for _ in 0..most {
            let Some(event) = self.client().poll_stream(stream) else {
                return;
            };
            let line = format!("stream {}: {}", stream.get(), show::stream(&event));
            self.say(&line);
        }
    }

    /// The user looks at a lease.
    fn read_lease(&mut self, lease: KeepAliveId) {
        while let Some(event) = self.client().poll_lease(lease) {
            let line = format!("lease {}: {}", lease.get(), show::lease(&event));
            self.say(&line);
        }
    }

    /// The socket takes up to `most` bytes.
    fn write(&mut self, conn: ConnId, most: usize) {
        let now = self.now;
        let bytes = self.client().transmit(conn).to_vec();
        let taken = &bytes[..bytes.len().min(most)];
        self.client().handle_written(now, conn, taken.len());
        let socket = self.socket(conn.get());
        socket.sent.extend_from_slice(taken);
        let requests = socket.requests.read(taken);
        for request in requests {
            self.say(&format!("send {}: {request}", conn.get()));
        }
    }

    /// Lets time pass, coming back whenever the client wants it.
    fn wait(&mut self, until: Instant) {
        let mut times = 0;
        while let Some(due) = self.client().poll_timeout().filter(|due| *due <= until) {
            times += 1;
            assert!(times < 10_000, "time has to go on (law 3)");
            self.now = self.now.max(due);
            let now = self.now;
            self.client().handle_timeout(now);
            let mark = self.text.len();
            self.drain();
            if self.text.len() > mark {
                let at = Duration::from_nanos(self.now.as_nanos());
                self.text.insert_str(mark, &format!("at {at:?}\n"));
            }
            let next = self.client().poll_timeout();
            assert!(next.is_none_or(|next| next > now), "law 3: {next:?}");
        }
        self.now = self.now.max(until);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.text.is_empty() {
            eprintln!("{}", self.text);
        }
    }
}
