//! Bytes of real servers, decoded by codec and gateway level to their expected meaning.
//!
//! `testdata/captures` holds a choice of them; where the whole set is at hand (`ETCD_CAPTURES`, or
//! beside the repository), that is decoded, too. Each case is decoded whole, byte by byte where it
//! is small, and cut at random places, and must mean the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_core::AlarmRequest;
use etcd_core::AuthDisable;
use etcd_core::AuthEnable;
use etcd_core::AuthStatus;
use etcd_core::Authenticate;
use etcd_core::Call;
use etcd_core::Campaign;
use etcd_core::Code;
use etcd_core::Compact;
use etcd_core::Defragment;
use etcd_core::DeleteRange;
use etcd_core::Downgrade;
use etcd_core::HashKv;
use etcd_core::HashRequest;
use etcd_core::HealthRequest;
use etcd_core::Leader;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAliveResponse;
use etcd_core::LeaseLeases;
use etcd_core::LeaseRevoke;
use etcd_core::LeaseTimeToLive;
use etcd_core::Lock;
use etcd_core::MemberAdd;
use etcd_core::MemberList;
use etcd_core::MemberPromote;
use etcd_core::MemberRemove;
use etcd_core::MemberUpdate;
use etcd_core::MoveLeader;
use etcd_core::ObserveResponse;
use etcd_core::Proclaim;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Resign;
use etcd_core::RoleAdd;
use etcd_core::RoleDelete;
use etcd_core::RoleGet;
use etcd_core::RoleGrantPermission;
use etcd_core::RoleList;
use etcd_core::RoleRevokePermission;
use etcd_core::SnapshotResponse;
use etcd_core::Status;
use etcd_core::StatusRequest;
use etcd_core::Txn;
use etcd_core::Unlock;
use etcd_core::UserAdd;
use etcd_core::UserChangePassword;
use etcd_core::UserDelete;
use etcd_core::UserGet;
use etcd_core::UserGrantRole;
use etcd_core::UserList;
use etcd_core::UserRevokeRole;
use etcd_core::VersionRequest;
use etcd_core::WatchResponse;
use etcd_core::api::Message;
use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::FrameError;
use etcd_core::gateway::Frames;
use etcd_core::gateway::SnapshotPart;
use etcd_core::gateway::SnapshotReader;
use etcd_core::gateway::decode_answer;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

#[test]
fn the_captures_in_the_repository_mean_what_is_expected() {
    let chosen = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
    for version in ["3.4.23", "3.5.1", "3.5.16", "3.5.30"] {
        check_server(&chosen.join(version), 150);
    }
}

#[test]
fn all_captures_mean_what_is_expected_where_they_are_at_hand() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/gateway/captures");
    let all = std::env::var_os("ETCD_CAPTURES").map_or(beside, PathBuf::from);
    if !all.is_dir() {
        eprintln!("no captures at {}", all.display());
        return;
    }
    for version in ["3.4.23", "3.5.1", "3.5.16", "3.5.30"] {
        check_server(&all.join(version), 170);
    }
}

/// Checks every case of a server, of which there are at least `cases`.
fn check_server(folder: &Path, cases: usize) {
    let expected = fs::read(folder.join("expected.json")).expect("expected.json");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let expected = expected["cases"].as_object().expect("cases");
    assert!(expected.len() >= cases, "{} cases", expected.len());
    let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, expected) in expected {
        let bytes = fs::read(folder.join(format!("{name}.http"))).expect("the bytes");
        if name.starts_with("ws_") {
            skipped.entry("WebSocket").or_default().push(name);
            continue;
        }
        let wanted = expected["responses"].as_array().expect("answers");
        let wanted = wanted
            .iter()
            .filter(|answer| answer["status"].as_u64() >= Some(200));
        let wanted: Vec<&Value> = wanted.collect();
        let whole = decode(expected, &[&bytes]);
        assert_eq!(whole.len(), wanted.len(), "{name}: {whole:?}");
        for (place, (got, wanted)) in whole.iter().zip(&wanted).enumerate() {
            if let Some(rule) = got.skipped {
                skipped.entry(rule).or_default().push(name);
            } else {
                got.check(wanted, &format!("{} {name} {place}", folder.display()));
            }
        }
        if bytes.len() <= 20_000 {
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(whole, decode(expected, &bytewise), "{name} byte by byte");
        }
        for seed in 0..20 {
            let pieces = random_pieces(&bytes, seed);
            assert_eq!(whole, decode(expected, &pieces), "{name} cut by {seed}");
        }
    }
    let count: usize = skipped.values().map(Vec::len).sum();
    for (rule, cases) in skipped {
        eprintln!("not decoded, {rule}: {}", cases.join(" "));
    }
    assert!(
        count * 3 < expected.len(),
        "{count} answers are not decoded"
    );
}

fn random_pieces(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut cuts: Vec<usize> = (0..1 + seed % 8)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % (bytes.len() as u64 + 1)).expect("a place")
        })
        .collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let mut from = 0;
    ends.map(|end| &bytes[core::mem::replace(&mut from, end)..end])
        .collect()
}

/// One answer, decoded.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    status: u16,
    path: String,
    body: Vec<u8>,
    frames: Vec<Value>,
    /// The last chunk or byte came.
    complete: bool,
    /// Why its meaning was not decoded.
    skipped: Option<&'static str>,
    /// A unary answer, or the error in its place.
    meaning: Option<Value>,
}

/// Decodes all answers of a connection.
fn decode(expected: &Value, pieces: &[&[u8]]) -> Vec<Answer> {
    let paths = expected["paths"].as_array().expect("paths");
    let path = |place: usize| paths[place.min(paths.len() - 1)].as_str().expect("a path");
    let mut reader = Reader::new(HttpLimits::default());
    for _ in 0..expected["responses"].as_array().expect("answers").len() {
        reader.expect(RequestMethod::Other);
    }
    let mut answers: Vec<Answer> = Vec::new();
    let mut stream: Option<Stream> = None;
    let mut take = |item: Item<'_>, answers: &mut Vec<Answer>| match item {
        Item::Head(head) => {
            let path = path(answers.len());
            stream = Stream::of(path, head.status);
            answers.push(Answer {
                status: head.status,
                path: path.to_owned(),
                ..Answer::default()
            });
        }
        Item::Data(data) => {
            let answer = answers.last_mut().expect("data follow a head");
            answer.body.extend_from_slice(data);
            if let Some(stream) = &mut stream {
                stream.handle_data(data, &mut answer.frames);
            }
        }
        Item::End { .. } => {
            let answer = answers.last_mut().expect("an end follows a head");
            answer.complete = true;
            match &mut stream {
                Some(stream) => stream.handle_end(&mut answer.frames),
                None => answer.decode_unary(),
            }
        }
        other => panic!("{other:?}"),
    };
    for piece in pieces {
        let mut input = *piece;
        loop {
            let (used, item) = reader.read(input).expect("servers keep to HTTP");
            input = &input[used..];
            let Some(item) = item else { break };
            take(item, &mut answers);
        }
    }
    if expected["end"] == "eof" {
        if let Ok(Some(item)) = reader.handle_eof() {
            take(item, &mut answers);
        }
    }
    answers
}

/// The frames of a stream, whatever is in them.
enum Stream {
    Watch(Frames<WatchResponse>),
    Renewals(Frames<LeaseKeepAliveResponse>),
    /// As its frames and, beside that, checked.
    Snapshot(Frames<SnapshotResponse>, Box<SnapshotReader>),
    Leaders(Frames<ObserveResponse>),
}

impl Stream {
    fn of(path: &str, status: u16) -> Option<Self> {
        match path {
            "/v3/watch" => Some(Self::Watch(Frames::new(status, Default::default()))),
            "/v3/lease/keepalive" => Some(Self::Renewals(Frames::new(status, Default::default()))),
            "/v3/maintenance/snapshot" => {
                let reader = SnapshotReader::new(status, Default::default());
                let frames = Frames::new(status, Default::default());
                Some(Self::Snapshot(frames, Box::new(reader)))
            }
            "/v3/election/observe" => Some(Self::Leaders(Frames::new(status, Default::default()))),
            _ => None,
        }
    }

    fn handle_data(&mut self, data: &[u8], out: &mut Vec<Value>) {
        match self {
            Self::Watch(frames) => {
                frames.handle_data(data);
                drain(frames, out);
            }
            Self::Renewals(frames) => {
                frames.handle_data(data);
                drain(frames, out);
            }
            Self::Snapshot(frames, reader) => {
                frames.handle_data(data);
                drain(frames, out);
                reader.handle_data(data);
            }
            Self::Leaders(frames) => {
                frames.handle_data(data);
                drain(frames, out);
            }
        }
    }

    fn handle_end(&mut self, out: &mut Vec<Value>) {
        match self {
            Self::Watch(frames) => {
                frames.handle_end();
                drain(frames, out);
            }
            Self::Renewals(frames) => {
                frames.handle_end();
                drain(frames, out);
            }
            Self::Snapshot(frames, reader) => {
                frames.handle_end();
                drain(frames, out);
                reader.handle_end();
                check_snapshot(reader, out);
            }
            Self::Leaders(frames) => {
                frames.handle_end();
                drain(frames, out);
            }
        }
    }
}

/// A snapshot has the checksum its server gave it, and what is handed on is all but that.
fn check_snapshot(reader: &mut SnapshotReader, frames: &[Value]) {
    let mut store = Vec::new();
    let blob = |frame: &Value| bytes_of(&frame["result"]["blob"]);
    loop {
        match reader.poll_part().expect("an end") {
            Ok(SnapshotPart::Chunk(chunk)) => store.extend_from_slice(&chunk.blob),
            Ok(SnapshotPart::Done(summary)) => {
                let sent: Vec<u8> = frames.iter().flat_map(blob).collect();
                assert_eq!(sent, [&store[..], &summary.sha256].concat());
                assert_eq!(summary.sha256, *Sha256::digest(&store));
                assert_eq!(summary.bytes, store.len() as u64);
                return;
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                let refused = frames.iter().any(|frame| frame.get("error").is_some());
                assert!(refused && store.is_empty(), "{error}");
                return;
            }
        }
    }
}

fn drain<T: Message + Serialize>(frames: &mut Frames<T>, out: &mut Vec<Value>) {
    while let Some(frame) = frames.poll_frame() {
        out.push(match frame {
            Ok(frame) => json!({ "result": frame }),
            Err(FrameError::Status(status)) => error_of(&status),
            Err(other) => panic!("{other}"),
        });
    }
}

fn error_of(status: &Status) -> Value {
    json!({ "error": { "code": status.code.get(), "message": status.message } })
}

impl Answer {
    fn decode_unary(&mut self) {
        let meaning = match self.path.as_str() {
            "/v3/kv/range" | "/v3beta/kv/range" | "/v3//kv/range" => self.unary::<Range>(),
            "/v3/kv/put" => self.unary::<Put>(),
            "/v3/kv/deleterange" => self.unary::<DeleteRange>(),
            "/v3/kv/txn" => self.unary::<Txn>(),
            "/v3/kv/compaction" => self.unary::<Compact>(),
            "/v3/lease/grant" => self.unary::<LeaseGrant>(),
            "/v3/lease/revoke" | "/v3/kv/lease/revoke" => self.unary::<LeaseRevoke>(),
            "/v3/lease/timetolive" | "/v3/kv/lease/timetolive" => self.unary::<LeaseTimeToLive>(),
            "/v3/lease/leases" => self.unary::<LeaseLeases>(),
            "/v3/maintenance/status" => self.unary::<StatusRequest>(),
            "/v3/cluster/member/add" => self.unary::<MemberAdd>(),
            "/v3/cluster/member/remove" => self.unary::<MemberRemove>(),
            "/v3/cluster/member/update" => self.unary::<MemberUpdate>(),
            "/v3/cluster/member/list" => self.unary::<MemberList>(),
            "/v3/cluster/member/promote" => self.unary::<MemberPromote>(),
            "/v3/maintenance/alarm" => self.unary::<AlarmRequest>(),
            "/v3/maintenance/defragment" => self.unary::<Defragment>(),
            "/v3/maintenance/hash" => self.unary::<HashRequest>(),
            "/v3/maintenance/hashkv" => self.unary::<HashKv>(),
            "/v3/maintenance/transfer-leadership" => self.unary::<MoveLeader>(),
            "/v3/maintenance/downgrade" => self.unary::<Downgrade>(),
            "/v3/auth/enable" => self.unary::<AuthEnable>(),
            "/v3/auth/disable" => self.unary::<AuthDisable>(),
            "/v3/auth/status" => self.unary::<AuthStatus>(),
            "/v3/auth/authenticate" => self.unary::<Authenticate>(),
            "/v3/auth/user/add" => self.unary::<UserAdd>(),
            "/v3/auth/user/get" => self.unary::<UserGet>(),
            "/v3/auth/user/list" => self.unary::<UserList>(),
            "/v3/auth/user/delete" => self.unary::<UserDelete>(),
            "/v3/auth/user/changepw" => self.unary::<UserChangePassword>(),
            "/v3/auth/user/grant" => self.unary::<UserGrantRole>(),
            "/v3/auth/user/revoke" => self.unary::<UserRevokeRole>(),
            "/v3/auth/role/add" => self.unary::<RoleAdd>(),
            "/v3/auth/role/get" => self.unary::<RoleGet>(),
            "/v3/auth/role/list" => self.unary::<RoleList>(),
            "/v3/auth/role/delete" => self.unary::<RoleDelete>(),
            "/v3/auth/role/grant" => self.unary::<RoleGrantPermission>(),
            "/v3/auth/role/revoke" => self.unary::<RoleRevokePermission>(),
            "/v3/lock/lock" => self.unary::<Lock>(),
            "/v3/lock/unlock" => self.unary::<Unlock>(),
            "/v3/election/campaign" => self.unary::<Campaign>(),
            "/v3/election/proclaim" => self.unary::<Proclaim>(),
            "/v3/election/leader" => self.unary::<Leader>(),
            "/v3/election/resign" => self.unary::<Resign>(),
            "/version" => self.unary::<VersionRequest>(),
            "/health" => self.unary::<HealthRequest>(),
            _ if self.skipped.is_some() => return,
            path if self.status == 200 => panic!("{path} is neither decoded nor skipped by a rule"),
            // An error is read without regard to the call.
            _ => self.unary::<Put>(),
        };
        self.meaning = Some(meaning);
    }

    fn unary<C: Call>(&mut self) -> Value
    where
        C::Response: Serialize,
    {
        if self.status == 200 && self.body.is_empty() {
            self.skipped = Some("answer to OPTIONS, without a body");
            return Value::Null;
        }
        match decode_answer::<C>(self.status, &self.body) {
            Ok(answer) => json!({ "result": answer }),
            Err(AnswerError::Status(status)) => error_of(&status),
            Err(other) => panic!("{other}: {}", String::from_utf8_lossy(&self.body)),
        }
    }

    /// Compares with what is expected.
    #[track_caller]
    fn check(&self, wanted: &Value, at: &str) {
        assert_eq!(wanted["status"], self.status, "{at}");
        assert_eq!(wanted["complete"], self.complete, "{at}");
        assert_eq!(wanted["body_len"], self.body.len(), "{at}");
        if let Some(frames) = wanted.get("frames") {
            if Stream::of(&self.path, 200).is_none() {
                let meaning = self
                    .meaning
                    .as_ref()
                    .expect("an error in the shape of a stream's");
                return same_error(&meaning["error"], &wanted["error"], at);
            }
            assert_eq!(wanted["frame_count"], self.frames.len(), "{at}");
            match frames.as_array() {
                Some(frames) => {
                    for (got, wanted) in self.frames.iter().zip(frames) {
                        same_frame(got, wanted, at);
                    }
                }
                None => {
                    same_frame(&self.frames[0], &frames["first"], at);
                    same_frame(&self.frames[self.frames.len() - 1], &frames["last"], at);
                    let events = self
                        .frames
                        .iter()
                        .filter_map(|frame| frame["result"].get("events"));
                    let events = events
                        .filter_map(Value::as_array)
                        .flatten()
                        .cloned()
                        .collect();
                    same(&Value::Array(events), &wanted["all_events"], at);
                }
            }
            return;
        }
        let Some(meaning) = &self.meaning else {
            assert!(wanted.get("result").is_none(), "{at}: not decoded");
            return;
        };
        if let Some(result) = wanted.get("result") {
            same(&meaning["result"], result, at);
        } else if let Some(error) = wanted.get("error") {
            same_error(&meaning["error"], error, at);
        } else if let Some(text) = wanted.get("text").and_then(Value::as_str) {
            // Version and health are JSON outside `/v3/`; all else is the message of its status.
            match meaning.get("result") {
                Some(result) => same(result, &serde_json::from_str(text).expect("JSON"), at),
                None => assert_eq!(meaning["error"]["message"], text.trim(), "{at}"),
            }
        } else {
            let message = format!("answer with status {}", self.status);
            assert_eq!(meaning["error"]["message"], message, "{at}");
        }
    }
}

fn same_frame(got: &Value, wanted: &Value, at: &str) {
    match wanted.get("error") {
        Some(error) => same_error(&got["error"], error, at),
        None => same(&got["result"], &wanted["result"], at),
    }
}

/// Wrappers around a message are taken off by design.
#[track_caller]
fn same_error(got: &Value, wanted: &Value, at: &str) {
    let code = wanted["code"].as_i64().expect("a code");
    let message = wanted["message"].as_str().expect("a message");
    let wanted = Status::new(Code::new(i32::try_from(code).expect("a code")), message);
    assert_eq!(*got, error_of(&wanted)["error"], "{at}");
}

/// Compares our JSON, which leaves defaults out, with the expected one, which names them, and gives
/// what is long by its digest.
#[track_caller]
fn same(got: &Value, wanted: &Value, at: &str) {
    match wanted {
        Value::Object(fields) if fields.contains_key("sha256") && fields.contains_key("count") => {
            let items = got.as_array().unwrap_or_else(|| panic!("{at}: no list"));
            assert_eq!(wanted["count"], items.len(), "{at}");
            same(&items[0], &fields["first"], at);
            same(&items[items.len() - 1], &fields["last"], at);
            let mut digest = Sha256::new();
            for item in items {
                match item.get("kv") {
                    Some(_) => digest_event(&mut digest, item),
                    None => digest_kv(&mut digest, item),
                }
            }
            assert_eq!(wanted["sha256"], hex(digest), "{at}");
        }
        Value::Object(fields) if fields.contains_key("sha256") => {
            let bytes = bytes_of(got);
            assert_eq!(wanted["len"], bytes.len(), "{at}");
            assert_eq!(
                wanted["sha256"],
                hex(Sha256::new_with_prefix(bytes)),
                "{at}"
            );
        }
        Value::Object(fields) => {
            for (name, wanted) in fields {
                // The answers of a transaction's operations go by shorter names there.
                let long = format!("response_{name}");
                let got = got.get(name).or_else(|| got.get(long));
                same(got.unwrap_or(&Value::Null), wanted, &format!("{at} {name}"));
            }
            for name in got.as_object().into_iter().flat_map(|fields| fields.keys()) {
                let short = name.strip_prefix("response_").unwrap_or(name);
                assert!(fields.contains_key(short), "{at}: {name} is not expected");
            }
        }
        Value::Array(items) => {
            let got = got.as_array().map_or(&[][..], Vec::as_slice);
            assert_eq!(got.len(), items.len(), "{at}");
            for (got, wanted) in got.iter().zip(items) {
                // A list of leases is one of bare ids there.
                let id = got.get("ID").filter(|_| wanted.is_string());
                same(id.unwrap_or(got), wanted, at);
            }
        }
        wanted if got.is_null() => {
            let default = [
                json!("0"),
                json!(""),
                json!(false),
                json!("PUT"),
                json!("READ"),
                json!("NONE"),
                Value::Null,
            ];
            assert!(default.contains(wanted), "{at}: {wanted} is missing");
        }
        wanted => assert_eq!(got, wanted, "{at}"),
    }
}

fn bytes_of(value: &Value) -> Vec<u8> {
    STANDARD
        .decode(value.as_str().unwrap_or_default())
        .expect("base64")
}

fn digest_event(digest: &mut Sha256, event: &Value) {
    digest.update([u8::from(event["type"] == "DELETE")]);
    digest_kv(digest, &event["kv"]);
    digest.update([u8::from(event["prev_kv"].is_object())]);
    if event["prev_kv"].is_object() {
        digest_kv(digest, &event["prev_kv"]);
    }
}

fn digest_kv(digest: &mut Sha256, kv: &Value) {
    for bytes in ["key", "value"] {
        let bytes = bytes_of(&kv[bytes]);
        digest.update(u32::try_from(bytes.len()).expect("a length").to_be_bytes());
        digest.update(bytes);
    }
    for number in ["create_revision", "mod_revision", "version", "lease"] {
        let number = kv[number]
            .as_str()
            .map_or(0, |text| text.parse::<i64>().expect("a number"));
        digest.update(number.to_be_bytes());
    }
}

fn hex(digest: Sha256) -> String {
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
