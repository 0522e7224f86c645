//! What the simulated gateway writes is, byte for byte, what real servers wrote.
//!
//! For each captured answer a request is put to a `ServerConn`, the typed meaning of the captured
//! bytes is given to it as the reply, and what it sends has to be the captured bytes again, but for
//! dates. The captures in core's test data come without their requests, so those are made up; where
//! the whole set is at hand (`ETCD_CAPTURES`, or beside the repository) the requests are the real
//! ones, with all their oddities.

use std::fs;
use std::path::{Path, PathBuf};

use etcd_core::bytes::Bytes;
use etcd_core::codec::http1::{HttpLimits, Item, Reader, RequestMethod};
use etcd_core::gateway::{AnswerError, FrameError, Frames, decode_answer};
use etcd_core::{
    Call, LeaseKeepAliveResponse, Message, ObserveResponse, Response, SnapshotResponse, Version,
    WatchResponse,
};
use etcd_sim::etcd::{Fault, Reply, Request, StreamRequest};
use etcd_sim::gateway::{ServerConn, ServerEvent};
use serde_json::Value;

const VERSIONS: [&str; 4] = ["3.4.23", "3.5.1", "3.5.16", "3.5.30"];

#[test]
fn answers_are_those_of_real_servers() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/testdata/captures");
    for version in VERSIONS {
        check_all(&core.join(version), version, 120);
    }
}

#[test]
fn answers_to_real_requests_are_those_of_real_servers_where_they_are_at_hand() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/gateway/captures");
    let all = std::env::var_os("ETCD_CAPTURES").map_or(beside, PathBuf::from);
    if !all.is_dir() {
        eprintln!("no captures at {}", all.display());
        return;
    }
    for version in VERSIONS {
        check_all(&all.join(version), version, 140);
    }
}

/// Cases that are not about what a server makes of bytes, or where it is known to be made less of.
const SKIPPED: &[(&str, &str)] = &[
    ("ws_", "WebSockets are left out"),
    ("watch_half_close", "needs the half-close at its time"),
    ("err_bad_int", "another text about bad JSON"),
    ("err_bad_base64", "another text about bad JSON"),
    ("watch_bad_json", "another text about bad JSON"),
    ("lease_keepalive_bad", "another text about bad JSON"),
    ("range_camel_case", "camelCase is not read"),
    ("watch_server_shutdown", "the server's own end"),
];

/// Cases whose request is special, so that none can be made up.
const SPECIAL: &[&str] = &[
    "te_trailers",
    "err_te_trailers",
    "http10",
    "expect_100",
    "err_bad_expect",
    "err_no_host",
    "err_bad_json",
    "err_not_json",
    "err_unknown_",
    "err_method_get",
    "options",
    "redirect",
    "pipelined",
    "request_conn_close",
    "lease_keepalive_empty",
    "watch_empty_body",
];

fn check_all(folder: &Path, version: &str, at_least: usize) {
    let expected = fs::read(folder.join("expected.json")).expect("expected.json");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (name, case) in expected["cases"].as_object().expect("cases") {
        if SKIPPED.iter().any(|(skipped, _)| name.starts_with(skipped)) {
            continue;
        }
        let answers = fs::read(folder.join(format!("{name}.http"))).expect("bytes");
        let request = match fs::read(folder.join(format!("{name}.req"))) {
            Ok(request) => request,
            Err(_) if SPECIAL.iter().any(|special| name.starts_with(special)) => continue,
            Err(_) => made_up(case, &answers),
        };
        checked += 1;
        let is_open = case["end"] == "open";
        for step in [request.len().max(1), 7] {
            let got = replay(version, &request, &answers, is_open, step);
            if got != undated(&answers) {
                wrong.push(format!("{name}:\n{}", difference(&got, &undated(&answers))));
                break;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{version}: {} of {checked} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(checked >= at_least, "{version}: only {checked}");
}

/// A request to the path of the case, for what the path takes.
fn made_up(case: &Value, answers: &[u8]) -> Vec<u8> {
    let path = case["paths"][0].as_str().expect("a text");
    let method = case["methods"][0].as_str().expect("a text");
    let body = match path {
        "/v3/watch" => r#"{"create_request":{"key":"YQ=="}}"#,
        _ => "{}",
    };
    let closes = answers
        .windows(19)
        .any(|bytes| bytes == b"Connection: close\r\n");
    let close = if closes { "Connection: close\r\n" } else { "" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: h\r\n{close}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What a connection sends if it is asked so, and if what it asks is answered as captured.
fn replay(version: &str, request: &[u8], answers: &[u8], is_open: bool, step: usize) -> Vec<u8> {
    let version: Version = version.parse().expect("a version");
    let captured = parse(answers);
    let mut conn = ServerConn::new(&version);
    let mut sent = Vec::new();
    let mut last = None;
    for piece in request.chunks(step) {
        conn.handle_received(piece);
        loop {
            sent.extend_from_slice(conn.transmit());
            conn.handle_written(conn.transmit().len());
            let Some(event) = conn.poll() else { break };
            let place = count(&sent);
            match event {
                ServerEvent::Request { slot, request, .. } => {
                    if let Some(answer) = captured.get(place) {
                        conn.handle_reply(slot, reply_to(&request, answer));
                    }
                }
                ServerEvent::StreamOpened { slot, request, .. } => {
                    last = Some((slot, request, place))
                }
                ServerEvent::StreamMessage { .. }
                | ServerEvent::StreamEnd { .. }
                | ServerEvent::Gone { .. } => {}
            }
        }
    }
    if let Some((slot, request, place)) = last
        && let Some(answer) = captured.get(place)
    {
        for reply in replies_on(&request, answer) {
            conn.handle_reply(slot, reply);
        }
        if !answer.is_whole && !is_open && !conn.wants_close() {
            conn.handle_reply(slot, Reply::End);
        }
    }
    sent.extend_from_slice(conn.transmit());
    undated(&sent)
}

struct Captured {
    status: u16,
    body: Vec<u8>,
    is_whole: bool,
}

fn parse(mut bytes: &[u8]) -> Vec<Captured> {
    let mut reader = Reader::new(HttpLimits::default());
    for _ in 0..count(bytes) {
        reader.expect(RequestMethod::Other);
    }
    let mut answers: Vec<Captured> = Vec::new();
    loop {
        let (used, item) = reader.read(bytes).expect("HTTP");
        bytes = &bytes[used..];
        match item {
            None => return answers,
            Some(Item::Head(head)) => answers.push(Captured {
                status: head.status,
                body: Vec::new(),
                is_whole: false,
            }),
            Some(Item::Data(data)) => answers
                .last_mut()
                .expect("a head")
                .body
                .extend_from_slice(data),
            Some(Item::End { .. }) => answers.last_mut().expect("a head").is_whole = true,
            Some(other) => panic!("{other:?}"),
        }
    }
}

/// How many answers begin in these bytes, informational ones aside.
fn count(bytes: &[u8]) -> usize {
    let begins = |at: &[u8]| at.starts_with(b"HTTP/1.") && at[8] == b' ' && at[9] != b'1';
    bytes.windows(12).filter(|at| begins(at)).count()
}

fn reply_to(request: &Request, answer: &Captured) -> Reply {
    macro_rules! decode {
        ($($name:ident($request:ident))*) => {
            match request {
                $(Request::$name(_) => decoded::<etcd_core::$request>(answer),)*
            }
        };
    }
    decode!(
        Range(Range) Put(Put) DeleteRange(DeleteRange) Txn(Txn) Compact(Compact)
        LeaseGrant(LeaseGrant) LeaseRevoke(LeaseRevoke) LeaseTimeToLive(LeaseTimeToLive)
        LeaseLeases(LeaseLeases) Status(StatusRequest) Version(VersionRequest)
        Health(HealthRequest) Livez(Livez) Readyz(Readyz) Metrics(MetricsRequest)
        Alarm(AlarmRequest) Defragment(Defragment) Hash(HashRequest) HashKv(HashKv)
        MoveLeader(MoveLeader) Downgrade(Downgrade) MemberAdd(MemberAdd)
        MemberRemove(MemberRemove) MemberUpdate(MemberUpdate) MemberPromote(MemberPromote)
        MemberList(MemberList) AuthEnable(AuthEnable) AuthDisable(AuthDisable)
        AuthStatus(AuthStatus) Authenticate(Authenticate) UserAdd(UserAdd) UserGet(UserGet)
        UserList(UserList) UserDelete(UserDelete) UserChangePassword(UserChangePassword)
        UserGrantRole(UserGrantRole) UserRevokeRole(UserRevokeRole) RoleAdd(RoleAdd)
        RoleGet(RoleGet) RoleList(RoleList) RoleDelete(RoleDelete)
        RoleGrantPermission(RoleGrantPermission) RoleRevokePermission(RoleRevokePermission)
        Lock(Lock) Unlock(Unlock) Campaign(Campaign) Proclaim(Proclaim) Leader(Leader)
        Resign(Resign)
    )
}

fn decoded<C: Call<Response: Into<Response>>>(answer: &Captured) -> Reply {
    match decode_answer::<C>(answer.status, &answer.body) {
        Ok(message) => Reply::Answer(Box::new(message.into())),
        Err(AnswerError::Status(status)) => Reply::Fault(Fault::new(status.code, status.message)),
        Err(error) => panic!("{error}"),
    }
}

fn replies_on(request: &StreamRequest, answer: &Captured) -> Vec<Reply> {
    match request {
        StreamRequest::Watch(_) => {
            frames(answer, |frame: WatchResponse| Reply::Watch(Box::new(frame)))
        }
        StreamRequest::LeaseKeepAlive(_) => {
            frames::<LeaseKeepAliveResponse>(answer, Reply::LeaseKeepAlive)
        }
        StreamRequest::Snapshot(_) => frames::<SnapshotResponse>(answer, Reply::Snapshot),
        StreamRequest::Observe(_) => frames::<ObserveResponse>(answer, Reply::Observe),
    }
}

fn frames<T: Message>(answer: &Captured, reply: impl Fn(T) -> Reply) -> Vec<Reply> {
    let mut frames = Frames::new(answer.status, Default::default());
    frames.handle_data(&answer.body);
    if answer.is_whole {
        frames.handle_end();
    }
    let mut replies = Vec::new();
    while let Some(frame) = frames.poll_frame() {
        replies.push(match frame {
            Ok(frame) => reply(frame),
            Err(FrameError::Status(status)) => {
                replies.push(Reply::Fault(Fault::new(status.code, status.message)));
                return replies;
            }
            Err(error) => panic!("{error}"),
        });
    }
    if answer.is_whole {
        replies.push(Reply::End);
    }
    replies
}

/// The bytes without the lines that tell a date.
fn undated(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.starts_with(b"Date: "))
        .flatten()
        .copied()
        .collect()
}

fn difference(got: &[u8], wanted: &[u8]) -> String {
    let show = |bytes: &[u8]| {
        let text = Bytes::copy_from_slice(bytes);
        format!("{text:?}")
    };
    let at = got.iter().zip(wanted).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| got.len().min(wanted.len()));
    let from = at.saturating_sub(60);
    format!(
        "  got    {}\n  wanted {}",
        show(&got[from..got.len().min(at + 150)]),
        show(&wanted[from..wanted.len().min(at + 150)])
    )
}
