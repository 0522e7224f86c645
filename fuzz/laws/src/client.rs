//! The whole client in any life: commands, bytes, losses and time in any order (the laws of
//! ARCHITECTURE.md; guarantees G1, G19, G38, G49, G57, G59).
//!
//! The input is a program: a byte picks a step, the ones after it its arguments. Steps that mean well
//! (answers, frames) let short programs reach deep states; others send any bytes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use etcd_core::CallId;
use etcd_core::CallOptions;
use etcd_core::Client;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::LeaseKeepAlive;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::Output;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchId;

use crate::input::Input;
use crate::watch_stream::goes_forward;

/// Longer programs find nothing that shorter ones do not.
const MOST_STEPS: usize = 300;

/// What comes out upon one input at the most: a few for each call, watch and connection there is.
const MOST_OUTPUTS: usize = 200;

/// One input of the client's.
#[derive(Clone, Debug)]
enum Cause {
    Put,
    Get(Duration),
    Renew,
    Watch { from: i64, fragment: bool },
    CancelCall(CallId),
    CancelWatch(WatchId),
    Ask(WatchId),
    Read(WatchId, usize),
    Open(ConnId),
    Refuse(ConnId),
    Reset(ConnId),
    Eof(ConnId),
    Written(ConnId, usize),
    Received(ConnId, Vec<u8>),
    Timeout,
    Shutdown,
}

/// A client, and what came out of it.
struct Run {
    client: Client,
    outputs: Vec<Output>,
    calls: Vec<CallId>,
    watches: BTreeMap<WatchId, Vec<WatchEvent>>,
}

impl Run {
    fn new(seed: u8) -> Self {
        let mut config = Config::new(["a", "b"]).expect("endpoints");
        config.max_connections = 2;
        config.find_api_prefix = seed % 7 == 3;
        config.pipeline_depth = 1 + usize::from(seed % 4);
        config.max_watches_per_connection = 3;
        config.limits.calls = 12;
        config.limits.watches = 8;
        config.limits.connections = 6;
        config.limits.watch_buffer_bytes = 1500;
        config.limits.all_watch_buffers_bytes = 3000;
        config.limits.body_bytes = 4096;
        config.limits.frame_bytes = 4096;
        Self {
            client: Client::new(config, seed.into(), Instant::ZERO),
            outputs: Vec::new(),
            calls: Vec::new(),
            watches: BTreeMap::new(),
        }
    }

    fn put_in(&mut self, now: Instant, cause: &Cause) {
        let client = &mut self.client;
        match cause {
            Cause::Put => self.calls.push(client.call(now, Put::new("k", "v"))),
            Cause::Get(timeout) => {
                let options = CallOptions::default().with_timeout(*timeout);
                self.calls
                    .push(client.call_with(now, Range::key("k"), options));
            }
            Cause::Renew => self.calls.push(client.call(now, LeaseKeepAlive::new(7))),
            Cause::Watch { from, fragment } => {
                let watch = Watch::key("k").with_start_revision(*from);
                let watch = client.watch(now, watch.with_fragment(*fragment));
                self.watches.insert(watch, Vec::new());
            }
            Cause::CancelCall(call) => client.cancel_call(now, *call),
            Cause::CancelWatch(watch) => client.cancel_watch(now, *watch),
            Cause::Ask(watch) => client.request_progress(now, *watch),
            Cause::Read(watch, most) => {
                let events = self.watches.entry(*watch).or_default();
                events.extend(core::iter::from_fn(|| client.poll_watch(*watch)).take(*most));
            }
            Cause::Open(conn) => client.handle_connected(now, *conn),
            Cause::Refuse(conn) => {
                let error = NetError::new(NetErrorKind::Refused, "refused");
                client.handle_connect_failed(now, *conn, error);
            }
            Cause::Reset(conn) => {
                client.handle_closed(now, *conn, NetError::new(NetErrorKind::Reset, "reset"));
            }
            Cause::Eof(conn) => client.handle_eof(now, *conn),
            Cause::Written(conn, len) => client.handle_written(now, *conn, *len),
            Cause::Received(conn, bytes) => client.handle_received(now, *conn, bytes),
            Cause::Timeout => client.handle_timeout(now),
            Cause::Shutdown => client.shutdown(now),
        }
    }

    /// Takes the outputs; how many there were before.
    fn drain(&mut self, most: usize) -> usize {
        let before = self.outputs.len();
        while let Some(output) = self.client.poll_output() {
            self.outputs.push(output);
            assert!(
                self.outputs.len() - before <= most,
                "law 4: outputs without end"
            );
        }
        before
    }
}

/// A program being run.
struct Play {
    run: Run,
    now: Instant,
    recording: Vec<(Instant, Cause)>,
    conns: Vec<ConnId>,
    dead: BTreeSet<ConnId>,
    ended: BTreeMap<CallId, u32>,
}

/// Any program.
pub(crate) fn client(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let seed = input.byte();
    let mut play = Play {
        run: Run::new(seed),
        now: Instant::ZERO,
        recording: Vec::new(),
        conns: Vec::new(),
        dead: BTreeSet::new(),
        ended: BTreeMap::new(),
    };
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        play.step(&mut input);
    }
    play.end();

    // Laws 2 and 5: the same inputs give the same outputs, however late these are taken.
    let mut again = Run::new(seed);
    for (now, cause) in &play.recording {
        again.put_in(*now, cause);
    }
    again.drain(usize::MAX);
    assert_eq!(play.run.outputs, again.outputs);
    assert_eq!(play.run.watches, again.watches);
    assert_eq!(play.run.client.stats(), again.client.stats());
}

impl Play {
    fn give(&mut self, cause: Cause) {
        self.run.put_in(self.now, &cause);
        self.recording.push((self.now, cause));
        let before = self.run.drain(MOST_OUTPUTS);
        for output in &self.run.outputs[before..] {
            match output {
                Output::Connect { conn, .. } => self.conns.push(*conn),
                Output::Close(conn) => assert!(self.dead.insert(*conn), "closed twice"),
                Output::Event(Event::Answered { call, .. }) => {
                    *self.ended.entry(*call).or_default() += 1;
                }
                _ => {}
            }
        }
    }

    /// Mostly a connection that lives.
    fn conn(&self, input: &mut Input<'_>) -> Option<ConnId> {
        let choice = input.byte();
        let all = self.conns.iter().rev().copied();
        let live: Vec<ConnId> = all
            .clone()
            .filter(|conn| !self.dead.contains(conn))
            .collect();
        let from = if choice < 240 && !live.is_empty() {
            live
        } else {
            all.collect()
        };
        from.get(usize::from(choice) % from.len().max(1)).copied()
    }

    fn watch(&self, input: &mut Input<'_>) -> Option<WatchId> {
        let watches: Vec<WatchId> = self.run.watches.keys().copied().collect();
        input.choose(&watches)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let step = input.byte() % 24;
        let cause = match step {
            0 => Some(Cause::Put),
            1 => Some(Cause::Get(Duration::from_millis(input.number().into()))),
            2 => Some(Cause::Renew),
            3 => {
                let flags = input.byte();
                let (from, fragment) = (i64::from(flags / 2), flags & 1 != 0);
                Some(Cause::Watch { from, fragment })
            }
            4 => input.choose(&self.run.calls).map(Cause::CancelCall),
            5 => self.watch(input).map(Cause::CancelWatch),
            6 => self.watch(input).map(Cause::Ask),
            7 => self
                .watch(input)
                .map(|watch| Cause::Read(watch, input.byte().into())),
            8 => self.conn(input).map(Cause::Open),
            9 => self.conn(input).map(Cause::Refuse),
            10 => self.conn(input).map(Cause::Reset),
            11 => self.conn(input).map(Cause::Eof),
            12 => self.conn(input).map(|conn| {
                let most = usize::from(input.number());
                Cause::Written(conn, self.run.client.transmit(conn).len().min(most))
            }),
            13 => {
                self.wait(Duration::from_millis(u64::from(input.byte()) * 50));
                None
            }
            14 => {
                let due = self.run.client.poll_timeout();
                due.inspect(|due| self.wait(*due - self.now));
                None
            }
            // All connections open and take what there is, so that answers are in order.
            15 => {
                for conn in self.conns.clone() {
                    self.give(Cause::Open(conn));
                    let len = self.run.client.transmit(conn).len();
                    self.give(Cause::Written(conn, len));
                }
                None
            }
            16 => self
                .conn(input)
                .map(|conn| Cause::Received(conn, input.piece().to_vec())),
            17 => self
                .conn(input)
                .map(|conn| Cause::Received(conn, chunk(input.piece()))),
            18 => self
                .conn(input)
                .map(|conn| Cause::Received(conn, answer(input))),
            19 => self
                .conn(input)
                .map(|conn| Cause::Received(conn, STREAM_HEAD.to_vec())),
            20..=22 => self
                .conn(input)
                .map(|conn| Cause::Received(conn, chunk(frame(input).as_bytes()))),
            _ => (input.byte() == 0).then_some(Cause::Shutdown),
        };
        if let Some(cause) = cause {
            self.give(cause);
        }
    }

    /// Time passes. Law 3: what was due is not due any more.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let mut times = 0;
        while let Some(due) = self.run.client.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.give(Cause::Timeout);
            let next = self.run.client.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "law 3: {next:?}");
            times += 1;
            assert!(times < 1000, "law 3: no end of timeouts");
        }
        self.now = until;
    }

    /// Everything ends once; what comes late changes nothing.
    fn end(&mut self) {
        self.give(Cause::Shutdown);
        let watches: Vec<WatchId> = self.run.watches.keys().copied().collect();
        for watch in watches {
            self.give(Cause::Read(watch, usize::MAX));
            let events = &self.run.watches[&watch];
            goes_forward(events);
            let is_end = |event: &&WatchEvent| matches!(event, WatchEvent::End(_));
            assert_eq!(events.iter().filter(is_end).count(), 1, "law 6: {events:?}");
        }
        let once: BTreeMap<CallId, u32> = self.run.calls.iter().map(|call| (*call, 1)).collect();
        assert_eq!(self.ended, once, "law 6");
        assert_eq!(
            self.run.client.poll_timeout(),
            None,
            "nothing is left to do"
        );
        assert_eq!(self.run.client.stats().connections_open, 0);

        let (before, stats) = (self.run.outputs.len(), self.run.client.stats());
        for conn in self.conns.clone() {
            for cause in [
                Cause::Open(conn),
                Cause::Received(
                    conn,
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
                ),
                Cause::Written(conn, 10),
                Cause::Refuse(conn),
                Cause::Reset(conn),
                Cause::Eof(conn),
            ] {
                self.give(cause);
            }
        }
        for call in self.run.calls.clone() {
            self.give(Cause::CancelCall(call));
        }
        assert_eq!(self.run.outputs.len(), before, "law 7");
        assert_eq!(self.run.client.stats(), stats, "law 7");
    }
}

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// A unary answer as servers give them.
fn answer(input: &mut Input<'_>) -> Vec<u8> {
    let (status, body) = match input.byte() % 8 {
        0 => (
            503,
            r#"{"code":14,"message":"etcdserver: request timed out"}"#,
        ),
        1 => (
            400,
            r#"{"error":"etcdserver: key is not provided","code":3}"#,
        ),
        2 => (404, "404 page not found\n"),
        3 => (
            200,
            r#"{"result":{"header":{"revision":"9"},"ID":"7","TTL":"10"}}"#,
        ),
        4 => (200, r#"{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}"#),
        5 => (200, r#"{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}"#),
        _ => (200, r#"{"header":{"revision":"9"}}"#),
    };
    let framing = match input.byte() % 4 {
        0 => "Transfer-Encoding: chunked\r\n".to_owned(),
        1 => format!("Connection: close\r\nContent-Length: {}\r\n", body.len()),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    let head = format!("HTTP/1.1 {status} x\r\n{framing}\r\n");
    if framing.starts_with('T') {
        let end: &[u8] = b"0\r\n\r\n";
        return [head.as_bytes(), &chunk(body.as_bytes()), end].concat();
    }
    (head + body).into_bytes()
}

/// A frame as servers send them: of ids and revisions that may fit.
fn frame(input: &mut Input<'_>) -> String {
    let (kind, id, revision) = (input.byte(), input.byte() % 8, input.byte() % 64);
    let (id, header) = (
        i64::from(id) - 1,
        format!(r#""header":{{"revision":"{revision}"}}"#),
    );
    let events = |count: u8| {
        let event = |place| {
            let at = revision.saturating_add(place / 2);
            format!(r#"{{"kv":{{"key":"aw==","mod_revision":"{at}"}}}}"#)
        };
        (0..count).map(event).collect::<Vec<_>>().join(",")
    };
    let fields = match kind % 9 {
        0 | 1 => format!(r#""watch_id":"{id}","created":true"#),
        2 | 3 => format!(r#""watch_id":"{id}","events":[{}]"#, events(1 + kind / 32)),
        4 => format!(
            r#""watch_id":"{id}","fragment":true,"events":[{}]"#,
            events(1 + kind / 32)
        ),
        5 => format!(r#""watch_id":"{id}""#),
        6 => format!(
            r#""watch_id":"{id}","canceled":true,"compact_revision":"{}""#,
            kind / 32
        ),
        7 => r#""ID":"7","TTL":"10""#.to_owned(),
        _ => return r#"{"error":{"code":14,"message":"etcdserver: no leader"}}"#.to_owned(),
    };
    format!("{{\"result\":{{{header},{fields}}}}}\n")
}
