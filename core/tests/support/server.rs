//! A small etcd for property tests: it answers what was sent to it, in pieces of the test's choosing.
//!
//! Its store has one key, changed at every revision; revision `r` is a transaction of `1 + r % 3`
//! changes. So what a watch has to deliver follows from where it began.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::commands::STREAM_HEAD;
use super::commands::answer;
use super::commands::chunk;
use super::commands::event;
use super::commands::kv;
use super::commands::leader;
use super::commands::snapshot_frame;
use super::requests::Requests;

/// How many changes a revision has.
pub fn changes(revision: i64) -> usize {
    1 + usize::try_from(revision % 3).expect("revisions are positive")
}

/// The server's side of one connection.
#[derive(Debug, Default)]
pub struct Peer {
    requests: Requests,
    is_stream: bool,
    head_sent: bool,
    waiting: VecDeque<String>,
    /// The next revision each watch gets.
    watches: BTreeMap<i64, i64>,
    single: Option<Single>,
}

/// What the one answer on a connection is about, if it is neither a call nor open in both
/// directions.
#[derive(Debug)]
enum Single {
    /// So many zeros were sent.
    Snapshot(usize),
    Observation,
    Over,
}

impl Peer {
    /// Takes what the client's socket took.
    pub fn read(&mut self, bytes: &[u8]) {
        for line in self.requests.read(bytes) {
            if line.contains("(open") {
                self.is_stream = true;
            } else if let Some(create) = line.strip_prefix("POST /v3/watch {") {
                // A complete request.
                let (create, _) = create.rsplit_once('}').expect("JSON");
                self.is_stream = true;
                self.waiting.push_back(format!("{{{create}}}"));
            } else {
                self.waiting.push_back(line);
            }
        }
    }

    /// Bytes to send now, by `choice`; none if there is nothing to say.
    pub fn say(&mut self, revision: i64, choice: u8) -> Vec<u8> {
        let asked = self.waiting.front().map_or("", String::as_str);
        if asked.starts_with("POST /v3/maintenance/snapshot") {
            self.waiting.pop_front();
            self.single = Some(Single::Snapshot(0));
        } else if asked.starts_with("POST /v3/election/observe") {
            self.waiting.pop_front();
            self.single = Some(Single::Observation);
        }
        if let Some(single) = &mut self.single {
            let said = single.say(revision, choice);
            if !said.is_empty() && !std::mem::replace(&mut self.head_sent, true) {
                return [STREAM_HEAD, &said].concat().into_bytes();
            }
            return said.into_bytes();
        }
        if !self.is_stream {
            let request = self.waiting.pop_front();
            return request.map_or_else(Vec::new, |request| unary(&request, revision, choice));
        }
        let frames = self.frames(revision, choice);
        if frames.is_empty() {
            return Vec::new();
        }
        let mut bytes = String::new();
        if !std::mem::replace(&mut self.head_sent, true) {
            bytes += STREAM_HEAD;
        }
        if choice % 2 == 0 {
            bytes.extend(frames.iter().map(|frame| chunk(frame)));
        } else {
            bytes += &chunk(&frames.concat());
        }
        bytes.into_bytes()
    }

    fn frames(&mut self, revision: i64, choice: u8) -> Vec<String> {
        let header = format!("\"header\":{{\"revision\":\"{revision}\"}}");
        match choice % 16 {
            0..=7 if !self.waiting.is_empty() => {
                let asked = self.waiting.pop_front().unwrap_or_default();
                self.obey(&asked, &header, revision)
            }
            // What a watch that is behind wants next is gone.
            10..=15 if choice >= 128 => {
                let behind = self.watches.iter().find(|(_, next)| **next < revision);
                let Some(id) = behind.map(|(id, _)| *id) else {
                    return Vec::new();
                };
                self.watches.remove(&id);
                vec![result(&format!(
                    "\"watch_id\":\"{id}\",\"canceled\":true,\"compact_revision\":\"{revision}\""
                ))]
            }
            0..=11 => {
                let lagging: Vec<i64> = self
                    .watches
                    .iter()
                    .filter(|(_, next)| **next <= revision)
                    .map(|(id, _)| *id)
                    .collect();
                let Some(&id) = lagging.get(usize::from(choice) % lagging.len().max(1)) else {
                    return Vec::new();
                };
                let from = self.watches[&id];
                let to = revision.min(from + i64::from(choice / 16));
                self.watches.insert(id, to + 1);
                let events: Vec<String> = (from..=to)
                    .flat_map(|revision| vec![event(&format!("k@{revision}")); changes(revision)])
                    .collect();
                let parts: Vec<&[String]> = events.chunks(1 + usize::from(choice / 32)).collect();
                let last = parts.len() - 1;
                let part = |(place, events): (usize, &&[String])| {
                    let more = if place == last {
                        ""
                    } else {
                        ",\"fragment\":true"
                    };
                    let events = events.join(",");
                    result(&format!(
                        "{header},\"watch_id\":\"{id}\"{more},\"events\":[{events}]"
                    ))
                };
                parts.iter().enumerate().map(part).collect()
            }
            12 | 13 => {
                let caught_up = self.watches.iter().find(|(_, next)| **next == revision + 1);
                caught_up.map_or_else(Vec::new, |(id, _)| {
                    vec![result(&format!("{header},\"watch_id\":\"{id}\""))]
                })
            }
            14 => self.watches.pop_last().map_or_else(Vec::new, |(id, _)| {
                vec![result(&format!("\"watch_id\":\"{id}\",\"canceled\":true"))]
            }),
            _ => vec![r#"{"error":{"code":14,"message":"etcdserver: no leader"}}"#.to_owned()],
        }
    }

    fn obey(&mut self, asked: &str, header: &str, revision: i64) -> Vec<String> {
        let asked: serde_json::Value = serde_json::from_str(asked).expect("JSON");
        let number = |value: &serde_json::Value| -> i64 {
            value
                .as_str()
                .map_or(0, |text| text.parse().expect("a number"))
        };
        let create = &asked["create_request"];
        let cancel = &asked["cancel_request"];
        if create.is_object() {
            let id = number(&create["watch_id"]);
            let start = number(&create["start_revision"]);
            let next = if start > 0 { start } else { revision + 1 };
            self.watches.insert(id, next);
            vec![result(&format!(
                "{header},\"watch_id\":\"{id}\",\"created\":true"
            ))]
        } else if cancel.is_object() {
            let id = number(&cancel["watch_id"]);
            let known = self.watches.remove(&id);
            known.map_or_else(Vec::new, |_| {
                vec![result(&format!(
                    "{header},\"watch_id\":\"{id}\",\"canceled\":true"
                ))]
            })
        } else if asked["progress_request"].is_object() {
            if self.watches.values().all(|next| *next == revision + 1) {
                return vec![result(&format!("{header},\"watch_id\":\"-1\""))];
            }
            Vec::new()
        } else {
            let id = &asked["ID"];
            vec![result(&format!("{header},\"ID\":{id},\"TTL\":\"10\""))]
        }
    }
}

fn result(fields: &str) -> String {
    format!("{{\"result\":{{{fields}}}}}\n")
}

fn unary(request: &str, revision: i64, choice: u8) -> Vec<u8> {
    let read = format!(
        "{{\"header\":{{\"revision\":\"{revision}\"}},\"kvs\":[{}],\"count\":\"1\"}}",
        kv(&format!("k@{revision}"))
    );
    let body = if request.starts_with("GET /version") {
        r#"{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}"#
    } else if request.contains("/auth/authenticate") {
        match choice % 16 {
            1 => {
                return answer(
                    400,
                    r#"{"error":"etcdserver: authentication failed, invalid user ID or password","code":3}"#,
                )
                .into_bytes();
            }
            2 => {
                return answer(
                    400,
                    r#"{"error":"etcdserver: authentication is not enabled","code":9}"#,
                )
                .into_bytes();
            }
            _ => r#"{"token":"T.1"}"#,
        }
    } else if choice % 16 == 9 {
        let refused = r#"{"error":"etcdserver: invalid auth token","code":16}"#;
        return answer(401, refused).into_bytes();
    } else if request.starts_with("POST /v3/cluster/member/list") {
        let name = ["a", "b", "c"][usize::from(choice) % 3];
        return answer(
            200,
            &format!(
                r#"{{"members":[{{"ID":"1","name":"a","clientURLs":["http://{name}:2379"]}},{{"ID":"2","name":"b","clientURLs":["http://b:2379"]}}]}}"#
            ),
        )
        .into_bytes();
    } else if request.starts_with("POST /v3/kv/range") {
        read.as_str()
    } else {
        r#"{"header":{"revision":"9"}}"#
    };
    match choice % 8 {
        0 => answer(
            503,
            r#"{"code":14,"message":"etcdserver: request timed out"}"#,
        ),
        1 => answer(
            400,
            r#"{"error":"etcdserver: key is not provided","code":3}"#,
        ),
        2 => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}{}0\r\nX: y\r\n\r\n",
            chunk(&body[..5]),
            chunk(&body[5..])
        ),
        3 => format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        4 => answer(404, "404 page not found\n"),
        5 => format!("HTTP/1.1 100 Continue\r\n\r\n{}", answer(200, body)),
        _ => answer(200, body),
    }
    .into_bytes()
}

impl Single {
    /// One frame, or the end, in chunks.
    fn say(&mut self, revision: i64, choice: u8) -> String {
        const ERROR: &str = r#"{"error":{"code":14,"message":"etcdserver: no leader"}}"#;
        const LAST: &str = "0\r\n\r\n";
        match (&mut *self, choice % 16) {
            (Self::Over, _) => String::new(),
            (_, 15) => {
                *self = Self::Over;
                chunk(ERROR) + LAST
            }
            (Self::Snapshot(sent), 12..=14) => {
                // Right, of something else, or missing.
                let sum = match choice % 16 {
                    12 => chunk(&snapshot_frame(*sent, 0, true)),
                    13 => chunk(&snapshot_frame(*sent + 1, 0, true)),
                    _ => String::new(),
                };
                *self = Self::Over;
                sum + LAST
            }
            (Self::Snapshot(_), 6..=11) => String::new(),
            (Self::Snapshot(sent), _) => {
                *sent += 512;
                chunk(&snapshot_frame(512, usize::from(choice % 16 / 4), false))
            }
            // A member that is behind, now and then.
            (Self::Observation, _) => {
                let revision = revision - i64::from(choice / 64);
                let created = revision - revision % 4;
                let leader = leader(&format!("el/{created}@{created}/{revision}"));
                chunk(&format!("{{\"result\":{leader}}}\n"))
            }
        }
    }
}
