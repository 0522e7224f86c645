//! The inputs a transcript can name.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_core::Authenticate;
use etcd_core::Balance;
use etcd_core::CallOptions;
use etcd_core::Campaign;
use etcd_core::Client;
use etcd_core::Compaction;
use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::Defragment;
use etcd_core::Endpoint;
use etcd_core::HashKv;
use etcd_core::Instant;
use etcd_core::KeepAlive;
use etcd_core::KnownKeys;
use etcd_core::Lag;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAlive;
use etcd_core::LeaseRevoke;
use etcd_core::Lock;
use etcd_core::MemberList;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::NoLeader;
use etcd_core::Observe;
use etcd_core::Output;
use etcd_core::Overflow;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Readyz;
use etcd_core::StatusRequest;
use etcd_core::Txn;
use etcd_core::VersionRequest;
use etcd_core::Watch;
use etcd_core::WatchCarrier;
use etcd_core::WatchFilter;
use etcd_core::WatchOptions;
use etcd_core::notice::Level;
use etcd_core::trace::Recorded;
use etcd_core::trace::Recording;

use sha2::Digest as _;
use sha2::Sha256;

use super::World;
use super::show;

/// The words of an input: plain ones, and `name=value`.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        let mut words = Self {
            plain: Vec::new(),
            named: Vec::new(),
        };
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(pair) => words.named.push(pair),
                None => words.plain.push(word),
            }
        }
        words
    }

    #[track_caller]
    fn at(&self, place: usize) -> &'a str {
        self.plain
            .get(place)
            .unwrap_or_else(|| panic!("too few words"))
    }

    #[track_caller]
    fn number(&self, place: usize) -> u64 {
        self.at(place).parse().expect("a number")
    }

    fn find(&self, name: &str) -> Option<&'a str> {
        let found = self.named.iter().find(|(word, _)| *word == name);
        found.map(|(_, value)| *value)
    }

    fn signed(&self, name: &str) -> Option<i64> {
        self.find(name)
            .map(|value| value.parse().expect("a number"))
    }
}

impl World {
    /// Does what a line says. Whatever happens to be unknown in a line panics: a transcript means
    /// what it says.
    #[track_caller]
    pub(super) fn obey(&mut self, command: &str) {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let words = Words::new(rest);
        let now = self.now;
        match verb {
            "client" => self.start(&words),
            // Calls.
            "put" => self.call(Put::new(words.at(0), words.at(1)), &words),
            "get" => self.call(Range::key(words.at(0)), &words),
            "serializable" => {
                self.call(Range::key(words.at(0)).with_serializable(), &words);
            }
            "grant" => {
                let mut grant = LeaseGrant::new(10);
                grant.id = words.signed("id").unwrap_or(0);
                grant.server_id = words.find("by") == Some("server");
                self.call(grant, &words);
            }
            "end" => self.call(
                LeaseRevoke::new(i64::try_from(words.number(0)).unwrap()),
                &words,
            ),
            "renew" => self.call(
                LeaseKeepAlive::new(i64::try_from(words.number(0)).unwrap()),
                &words,
            ),
            "txn" => {
                let put = Put::new(words.at(0), words.at(1));
                self.call(Txn::new().and_then([put]), &words);
            }
            "lock" => self.call(Lock::new(words.at(0)).with_lease(7), &words),
            "campaign" => self.call(
                Campaign::new(words.at(0), words.at(1)).with_lease(7),
                &words,
            ),
            "defragment" => self.call(Defragment::new(), &words),
            "hashkv" => self.call(HashKv::new(0), &words),
            "members" => self.call(MemberList::new(), &words),
            "status" => self.call(StatusRequest::new(), &words),
            "readyz" => self.call(Readyz::new(), &words),
            "version" => self.call(VersionRequest::new(), &words),
            "login" => self.call(Authenticate::new(words.at(0), words.at(1)), &words),
            "cancel" => {
                let call = self.calls[&words.number(0)];
                self.client().cancel_call(now, call);
            }
            "credentials" => {
                let credentials = credentials(&words);
                self.client().set_credentials(now, credentials);
            }
            "endpoints" => {
                let endpoints = words.plain.iter().map(|text| text.parse().unwrap());
                let endpoints: Vec<Endpoint> = endpoints.collect();
                let set = self.client().set_endpoints(now, endpoints);
                if let Err(error) = set {
                    self.say(&format!("refused: {error}"));
                }
            }
            "sync" => {
                let call = self.client().sync(now);
                self.calls.insert(call.get(), call);
            }
            "shutdown" => self.client().shutdown(now),
            // Watches.
            "watch" => {
                let mut watch = match words.find("prefix") {
                    Some(_) => Watch::prefix(words.at(0)),
                    None => Watch::key(words.at(0)),
                };
                match words.find("no") {
                    Some("put") => watch = watch.with_filter(WatchFilter::NoPut),
                    Some("delete") => watch = watch.with_filter(WatchFilter::NoDelete),
                    _ => {}
                }
                watch.start_revision = words.signed("from").unwrap_or(0);
                watch.fragment = words.find("fragment").is_some();
                let mut options = WatchOptions::default();
                options.overflow = match words.find("overflow") {
                    Some("cancel") => Overflow::Cancel,
                    Some("coalesce") => Overflow::CoalesceByKey,
                    _ => Overflow::Pause,
                };
                if words.find("no_leader") == Some("fail") {
                    options.no_leader = NoLeader::Fail;
                }
                options.compaction = match (words.find("compaction"), words.find("known")) {
                    (Some("snapshot"), _) => Compaction::Snapshot,
                    (_, Some(known)) => Compaction::Difference(known_keys(known)),
                    _ => Compaction::Fail,
                };
                // `lag=100/1s`.
                options.lag = words.find("lag").map(|lag| {
                    let (revisions, time) = lag.split_once('/').expect("revisions/time");
                    Lag::new(revisions.parse().expect("a number"), duration(time))
                });
                options.resume_within = words.find("within").map(duration);
                let losses = words.find("losses");
                options.max_losses = losses.map(|losses| losses.parse().expect("a number"));
                let id = self.client().watch_with(now, watch, options);
                self.watches.insert(id.get(), id);
            }
            "unwatch" => {
                let watch = self.watches[&words.number(0)];
                self.client().cancel_watch(now, watch);
            }
            "ask" => {
                let watch = self.watches[&words.number(0)];
                self.client().request_progress(now, watch);
            }
            "hold" => {
                self.held.insert(words.number(0));
            }
            "read" => {
                let most = words
                    .plain
                    .get(1)
                    .map_or(usize::MAX, |most| most.parse().unwrap());
                if most == usize::MAX {
                    self.held.remove(&words.number(0));
                }
                self.read_watch(self.watches[&words.number(0)], most);
            }
            // Snapshots and observations.
            "snapshot" => {
                let id = self.client().snapshot(now, options(&words));
                self.streams.insert(id.get(), id);
            }
            "observe" => {
                let id = self.client().observe(now, Observe::new(words.at(0)));
                self.streams.insert(id.get(), id);
            }
            "drop" => {
                let stream = self.streams[&words.number(0)];
                self.client().cancel_stream(now, stream);
            }
            "keep" => {
                self.held_streams.insert(words.number(0));
            }
            "take" => {
                let most = words
                    .plain
                    .get(1)
                    .map_or(usize::MAX, |most| most.parse().unwrap());
                if most == usize::MAX {
                    self.held_streams.remove(&words.number(0));
                }
                self.read_stream(self.streams[&words.number(0)], most);
            }
            // Leases that are kept alive.
            "lease" => {
                let mut grant = LeaseGrant::new(i64::try_from(words.number(0)).unwrap());
                grant.id = words.signed("id").unwrap_or(0);
                grant.server_id = words.find("by") == Some("server");
                let id = self.client().lease(now, grant);
                self.leases.insert(id.get(), id);
            }
            "alive" => {
                let mut lease = KeepAlive::new(i64::try_from(words.number(0)).unwrap());
                if let Some(ttl) = words.signed("ttl") {
                    let sent = words.find("sent").map_or(Duration::ZERO, duration);
                    lease = lease.with_ttl(ttl, Instant::ZERO + sent);
                }
                let id = self.client().keep_alive(now, lease);
                self.leases.insert(id.get(), id);
            }
            "release" => {
                let lease = self.leases[&words.number(0)];
                self.client().release_lease(now, lease);
            }
            "revoke" => {
                let lease = self.leases[&words.number(0)];
                self.client().revoke_lease(now, lease);
            }
            "ignore" => {
                self.held_leases.insert(words.number(0));
            }
            "look" => {
                self.held_leases.remove(&words.number(0));
                self.read_lease(self.leases[&words.number(0)]);
            }
            "state" => {
                let lease = self.leases[&words.number(0)];
                let line = match self.client().lease_state(now, lease) {
                    None => "none".to_owned(),
                    Some(state) => show::state(&state),
                };
                self.say(&format!("state {}: {line}", lease.get()));
            }
            // The network.
            "open" => {
                let conn = self.socket(words.number(0)).id;
                self.client().handle_connected(now, conn);
            }
            "refuse" => {
                let conn = self.socket(words.number(0)).id;
                let error = NetError::new(NetErrorKind::Refused, "connection refused");
                self.client().handle_connect_failed(now, conn, error);
            }
            "reset" => {
                let conn = self.socket(words.number(0)).id;
                let error = NetError::new(NetErrorKind::Reset, "connection reset");
                self.client().handle_closed(now, conn, error);
            }
            // With TLS, the server does not take the client's certificate.
            "disown" => {
                let conn = self.socket(words.number(0)).id;
                let kind = NetErrorKind::CertificateRefused;
                self.client()
                    .handle_closed(now, conn, NetError::new(kind, "certificate refused"));
            }
            "eof" => {
                let conn = self.socket(words.number(0)).id;
                self.client().handle_eof(now, conn);
            }
            "slow" => self.slow = true,
            "quick" => self.slow = false,
            "write" => {
                let conn = self.socket(words.number(0)).id;
                let most = words
                    .plain
                    .get(1)
                    .map_or(usize::MAX, |most| most.parse().unwrap());
                self.write(conn, most);
            }
            // Answers.
            "answer" => {
                let (conn, rest) = rest.split_once(' ').expect("connection, status, body");
                let (status, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let bytes = answer(status.parse().unwrap(), body);
                self.receive(conn.parse().unwrap(), bytes.as_bytes());
            }
            // Keys of a range: `page 1 rev=20 more=1 a@5 b@7`.
            "page" => {
                let revision = words.signed("rev").unwrap_or(0);
                let more = words.find("more").is_some();
                let keys: Vec<_> = words.plain[1..].iter().map(|word| kv(word)).collect();
                let body = format!(
                    "{{\"header\":{{\"revision\":\"{revision}\"}},\"kvs\":[{}],\"more\":{more}}}",
                    keys.join(",")
                );
                self.receive(words.number(0), answer(200, &body).as_bytes());
            }
            // What a server says who does not like the token, or the password.
            "deny" => {
                let (conn, message) = rest.split_once(' ').expect("connection, message");
                let (status, code) = match message {
                    "invalid auth token" => (401, 16),
                    "permission denied" => (403, 7),
                    "authentication is not enabled" => (400, 9),
                    _ => (400, 3),
                };
                let message = format!("etcdserver: {message}");
                let body =
                    format!(r#"{{"error":"{message}","code":{code},"message":"{message}"}}"#);
                self.receive(conn.parse().unwrap(), answer(status, &body).as_bytes());
            }
            "raw" => {
                let (conn, text) = rest.split_once(' ').expect("connection, text");
                let text = text.replace("\\r", "\r").replace("\\n", "\n");
                self.receive(conn.parse().unwrap(), text.as_bytes());
            }
            "frame" => {
                let (conn, json) = rest.split_once(' ').expect("connection, JSON");
                self.frame(conn.parse().unwrap(), &format!("{{\"result\":{json}}}\n"));
            }
            "error" => {
                let (conn, json) = rest.split_once(' ').expect("connection, JSON");
                self.frame(conn.parse().unwrap(), &format!("{{\"error\":{json}}}"));
            }
            "created" | "refused" | "canceled" | "events" | "progress" => {
                let json = frame(verb, &words);
                self.frame(words.number(0), &format!("{{\"result\":{json}}}\n"));
            }
            // So many zeros, or their checksum.
            "blob" | "sum" => {
                let rest = words.find("rest").map_or(0, |rest| rest.parse().unwrap());
                let len = usize::try_from(words.number(1)).unwrap();
                let frame = snapshot_frame(len, rest, verb == "sum");
                self.frame(words.number(0), &frame);
            }
            "leader" => {
                let json = leader(words.at(1));
                self.frame(words.number(0), &format!("{{\"result\":{json}}}\n"));
            }
            "last" => self.receive(words.number(0), b"0\r\n\r\n"),
            // Time.
            "wait" => self.wait(now + duration(words.at(0))),
            // It passes, and the client does not run.
            "sleep" => self.now = now + duration(words.at(0)),
            "until" => self.wait(Instant::ZERO + duration(words.at(0))),
            other => panic!("no such input: {other}"),
        }
    }

    fn start(&mut self, words: &Words<'_>) {
        let mut config = Config::new(words.plain.iter()).expect("endpoints");
        // Most transcripts are about something else than the order of endpoints.
        config.balance = Balance::Sticky;
        // Transcripts of silences name it; the others are about something else.
        config.watch_idle_timeout = Duration::ZERO;
        for (name, value) in &words.named {
            let number = || value.parse().expect("a number");
            match *name {
                "connect_timeout" => config.connect_timeout = duration(value),
                "read_timeout" => config.read_timeout = duration(value),
                "write_timeout" => config.write_timeout = duration(value),
                "created_timeout" => config.watch_created_timeout = duration(value),
                "attempt_timeout" => config.attempt_timeout = duration(value),
                "sync" => config.sync_interval = Some(duration(value)),
                "namespace" => config.namespace = etcd_core::Namespace::new(*value),
                "balance" => {
                    config.balance = match *value {
                        "round_robin" => Balance::RoundRobin,
                        "sticky" => Balance::Sticky,
                        "priority" => Balance::Priority,
                        "leader_first" => Balance::LeaderFirst,
                        other => panic!("no such balance: {other}"),
                    }
                }
                "idle_limit" => config.idle_limit = duration(value),
                "connections" => config.max_connections = number(),
                "find" => config.find_api_prefix = value.parse().expect("a boolean"),
                "pipeline" => config.pipeline_depth = number(),
                "carrier" => {
                    config.watch_carrier = match *value {
                        "single" => WatchCarrier::Single,
                        other => panic!("no such carrier: {other}"),
                    }
                }
                "per_connection" => config.max_watches_per_connection = number(),
                "attempts" => config.max_attempts = value.parse().expect("a number"),
                "burst" => config.retry_budget.burst = value.parse().expect("a number"),
                "per_second" => config.retry_budget.per_second = value.parse().expect("a number"),
                "leader" => config.require_leader = value.parse().expect("a boolean"),
                "body" => config.limits.body_bytes = value.parse().expect("a number"),
                "frame" => config.limits.frame_bytes = number(),
                "revision" => config.limits.revision_bytes = number(),
                "depth" => config.limits.json_depth = number(),
                "buffer" => config.limits.watch_buffer_bytes = number(),
                "all_buffers" => config.limits.all_watch_buffers_bytes = number(),
                "all_connections" => config.limits.connections = number(),
                "calls" => config.limits.calls = number(),
                "waits" => config.limits.waits = number(),
                "watches" => config.limits.watches = number(),
                "streams" => config.limits.streams = number(),
                "known_bytes" => config.limits.known_keys_bytes = number(),
                "leases" => config.limits.leases = number(),
                "stream_buffer" => config.limits.stream_buffer_bytes = number(),
                "watch_idle" => config.watch_idle_timeout = duration(value),
                "slow_after" => config.slow_watch_after = duration(value),
                "silence" => config.snapshot_idle_timeout = duration(value),
                "ttl" => config.token_ttl = duration(value),
                "user" | "password" | "token" | "clear" => {}
                "request" => config.limits.request_bytes = number(),
                "notices" => {
                    config.notices = true;
                    self.notices = Some(match *value {
                        "warn" => Level::Warn,
                        "info" => Level::Info,
                        "debug" => Level::Debug,
                        "trace" => Level::Trace,
                        other => panic!("no such level: {other}"),
                    });
                }
                "notice_room" => config.limits.notices = number(),
                other => panic!("no such setting: {other}"),
            }
        }
        if let Some(credentials) = credentials(words) {
            config.set_credentials(credentials).expect("no such header");
        }
        // The seed picks the endpoint to begin with; transcripts begin with the first.
        let begins_there = |seed: &u64| {
            let mut client = Client::new(config.clone(), *seed, self.now);
            client.call(self.now, Range::key("k"));
            let first = client.poll_output();
            matches!(first, Some(Output::Connect { endpoint, .. }) if endpoint == config.endpoints[0])
        };
        let seed = (1..).find(begins_there).expect("some seed begins there");
        let mut client = Recorded::new(config.clone(), seed, self.now);
        if self.records {
            let recording = Recording::new().with_secret_prefix("secret");
            client.record(recording).expect("it was told nothing");
        }
        self.client = Some(client);
        self.config = Some(config);
    }

    fn call<C: etcd_core::Call>(&mut self, call: C, words: &Words<'_>) {
        let now = self.now;
        let id = self.client().call_with(now, call, options(words));
        self.calls.insert(id.get(), id);
    }

    /// Bytes come in on a connection, closed or not.
    #[track_caller]
    pub fn receive(&mut self, conn: u64, bytes: &[u8]) {
        let (now, id) = (self.now, self.socket(conn).id);
        self.client().handle_received(now, id, bytes);
    }

    /// A frame comes in on a stream, in a chunk of its own, after the head if it is the first.
    fn frame(&mut self, conn: u64, json: &str) {
        let mut bytes = String::new();
        let socket = self.socket(conn);
        if !std::mem::replace(&mut socket.answering, true) {
            bytes += STREAM_HEAD;
        }
        bytes += &chunk(json);
        self.receive(conn, bytes.as_bytes());
    }
}

fn options(words: &Words<'_>) -> CallOptions {
    let mut options = CallOptions::default();
    if let Some(timeout) = words.find("timeout") {
        options = options.with_timeout(duration(timeout));
    }
    if let Some(endpoint) = words.find("at") {
        options = options.with_endpoint(endpoint.parse::<Endpoint>().unwrap());
    }
    options
}

/// A frame of a snapshot: so many zeros, or the checksum of them.
pub fn snapshot_frame(len: usize, rest: usize, is_sum: bool) -> String {
    let zeros = vec![0_u8; len];
    let blob = match is_sum {
        true => STANDARD.encode(Sha256::digest(zeros)),
        false => STANDARD.encode(zeros),
    };
    format!("{{\"result\":{{\"remaining_bytes\":\"{rest}\",\"blob\":\"{blob}\"}}}}\n")
}

/// `a@5/7` is the leader of the key `a`, made at revision 5 and changed at 7.
pub fn leader(word: &str) -> String {
    let (key, revisions) = word.split_once('@').expect("key@created/changed");
    let (created, changed) = revisions.split_once('/').expect("created/changed");
    let key = STANDARD.encode(key);
    format!(
        "{{\"kv\":{{\"key\":\"{key}\",\"create_revision\":\"{created}\",\"mod_revision\":\"{changed}\"}}}}"
    )
}

/// `user=u password=p`, or `token=t`, or neither.
fn credentials(words: &Words<'_>) -> Option<Credentials> {
    let credentials = if let Some(token) = words.find("token") {
        Credentials::token(token).expect("a token")
    } else {
        let (user, password) = (words.find("user")?, words.find("password")?);
        Credentials::password(user, password).expect("user and password")
    };
    Some(match words.find("clear") {
        Some("no") => credentials,
        _ => credentials.over_plain_http(),
    })
}

/// The head of a stream's answer.
pub const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

pub fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// A whole unary answer.
pub fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Reason\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The JSON of a frame of a watch: `created 1 id=1 rev=10`, `events 1 id=1 rev=12 k@11 -k@12`.
fn frame(verb: &str, words: &Words<'_>) -> String {
    let mut fields = Vec::new();
    if let Some(revision) = words.signed("rev") {
        fields.push(format!("\"header\":{{\"revision\":\"{revision}\"}}"));
    }
    if let Some(id) = words.signed("id").filter(|id| *id != 0) {
        fields.push(format!("\"watch_id\":\"{id}\""));
    }
    if ["created", "refused"].contains(&verb) {
        fields.push("\"created\":true".to_owned());
    }
    if ["canceled", "refused"].contains(&verb) {
        fields.push("\"canceled\":true".to_owned());
    }
    if let Some(revision) = words.signed("compact") {
        fields.push(format!("\"compact_revision\":\"{revision}\""));
    }
    if let Some(reason) = words.find("reason") {
        let reason = reason.replace('_', " ");
        fields.push(format!("\"cancel_reason\":\"{reason}\""));
    }
    if words.find("more").is_some() {
        fields.push("\"fragment\":true".to_owned());
    }
    let events: Vec<_> = words.plain[1..].iter().map(|word| event(word)).collect();
    if !events.is_empty() {
        fields.push(format!("\"events\":[{}]", events.join(",")));
    }
    format!("{{{}}}", fields.join(","))
}

/// `k@5` is a put of `k` at revision 5, `-k@5` its removal.
pub fn event(word: &str) -> String {
    let (key, revision) = word.split_once('@').expect("key@revision");
    let (kind, key) = match key.strip_prefix('-') {
        Some(key) => ("\"type\":\"DELETE\",", key),
        None => ("", key),
    };
    let key = STANDARD.encode(key);
    format!("{{{kind}\"kv\":{{\"key\":\"{key}\",\"mod_revision\":\"{revision}\"}}}}")
}

/// `k@5` is the key `k`, last changed at revision 5.
pub fn kv(word: &str) -> String {
    let (key, revision) = word.split_once('@').expect("key@revision");
    let key = STANDARD.encode(key);
    format!("{{\"key\":\"{key}\",\"mod_revision\":\"{revision}\"}}")
}

/// `a@5,b@7`, or `none`.
fn known_keys(text: &str) -> KnownKeys {
    let keys = text.split(',').filter(|key| *key != "none");
    let pair = |key: &str| {
        let (key, revision) = key.split_once('@').expect("key@revision");
        (key.to_owned(), revision.parse().expect("a number"))
    };
    keys.map(pair).collect()
}

pub fn duration(text: &str) -> Duration {
    if let Some(millis) = text.strip_suffix("ms") {
        return Duration::from_millis(millis.parse().expect("milliseconds"));
    }
    let seconds = text.strip_suffix('s').expect("a time in s or ms");
    Duration::from_secs(seconds.parse().expect("seconds"))
}
