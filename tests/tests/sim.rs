//! The simulated etcd answers what a real one of its version answers.
//!
//! A script of requests is put to both, one after the other, and the answers have to mean the same:
//! status, code, message and every field but those that differ between two clusters (ids, terms,
//! tokens). What each says byte for byte, and how streams look, is held by the captures in `sim`.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_tests::Server;
use etcd_tests::find;
use etcd_tests::http;
use serde_json::Value;

/// One request a line: the path below `/v3/`, and the body. In a body `'text'` is base64 of the text.
/// `as NAME` gives the token of an earlier `login NAME` along, `as bad` one that nobody has.
const SCRIPT: &str = include_str!("sim.script");

#[test]
fn a_simulated_etcd_answers_like_a_real_one() {
    let real = Server::start().unwrap();
    let version = real.version().unwrap();
    let sim = find::sim().unwrap();
    let sim = Server::start_with(&sim, &[&format!("--version={version}")]).unwrap();
    let (mut told, mut simulated) = (Caller::new(&real), Caller::new(&sim));
    let mut differences = String::new();
    let mut asked = 0;
    for line in SCRIPT.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (told, simulated) = (told.ask(line), simulated.ask(line));
        asked += 1;
        if told != simulated {
            let _ = writeln!(differences, "{line}\n  real {told}\n  sim  {simulated}");
        }
    }
    assert!(asked > 150, "only {asked} requests");
    assert!(differences.is_empty(), "on {version}:\n{differences}");
}

struct Caller {
    port: u16,
    tokens: Vec<(String, String)>,
}

impl Caller {
    fn new(server: &Server) -> Self {
        Self {
            port: server.client_port(),
            tokens: vec![("bad".to_owned(), "OobIPvTaOfTzRZNW.52".to_owned())],
        }
    }

    /// What a line of the script is answered with, without what no two clusters have in common.
    fn ask(&mut self, line: &str) -> String {
        let (mut name, mut line) = ("", line);
        if let Some(rest) = line.strip_prefix("as ") {
            (name, line) = rest.split_once(' ').expect("a name and a request");
        }
        let mut login = None;
        if let Some(rest) = line.strip_prefix("login ") {
            let (user, password) = rest.split_once(' ').expect("a name and a password");
            login = Some((user, password));
        }
        let (path, body) = match login {
            Some((user, password)) => (
                "auth/authenticate",
                format!(r#"{{"name":"{user}","password":"{password}"}}"#),
            ),
            None => {
                let (path, body) = line.split_once(' ').unwrap_or((line, "{}"));
                (path, encoded(body))
            }
        };
        let token = self.tokens.iter().rev().find(|(user, _)| user == name);
        let headers = token.map(|(_, token)| format!("Authorization: {token}\r\n"));
        let path = format!("/v3/{path}");
        let answer = http::post_with(
            self.port,
            &path,
            &headers.unwrap_or_default(),
            &body,
            PATIENCE,
        )
        .expect("an answer");
        let mut meaning: Value = serde_json::from_str(&answer.body)
            .unwrap_or_else(|_| Value::from(answer.body.as_str()));
        if let (Some((user, _)), Some(token)) = (login, meaning["token"].as_str()) {
            self.tokens.push((user.to_owned(), token.to_owned()));
        }
        strip(&mut meaning);
        format!("{} {meaning}", answer.status)
    }
}

/// The body with base64 in place of what stands in single quotes.
fn encoded(body: &str) -> String {
    let mut parts = body.split('\'');
    let mut encoded = parts.next().unwrap_or_default().to_owned();
    while let Some(text) = parts.next() {
        let text = text.replace("\\0", "\0");
        let _ = write!(encoded, "\"{}\"", STANDARD.encode(text));
        encoded.push_str(parts.next().unwrap_or_default());
    }
    encoded
}

/// Takes out what differs between clusters, and in what order keys are listed.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["cluster_id", "member_id", "raft_term", "token"] {
                fields.remove(name);
            }
            if let Some(Value::Array(keys)) = fields.get_mut("keys") {
                keys.sort_by_key(ToString::to_string);
            }
            // v1 says the message twice.
            if fields.get("error").is_some_and(Value::is_string) {
                fields.remove("error");
            }
            for (_, value) in fields.iter_mut() {
                strip(value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
