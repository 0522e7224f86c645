//! The captured answers of real servers, decoded to what they mean however they are cut.
//!
//! What they mean is in `expected.json`, computed by a decoder that shares no code with this
//! client. Compared are the lines of `etcd-shim decode`.

#![expect(clippy::unwrap_used, reason = "a test file from end to end")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use etcd_tests::shim::decode::{Asked, Decode, Split};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Files up to here are cut in twenty random ways too.
const SMALL: usize = 200_000;

#[test]
fn every_capture_means_what_it_should_however_it_is_cut() {
    let mut cases = 0;
    for folder in servers() {
        for (name, case) in expected(&folder) {
            let bytes = fs::read(folder.join(format!("{name}.http"))).unwrap();
            let at = format!("{}/{name}", folder.display());
            let decode = Decode::new(asked(&case).parse::<Asked>().unwrap());
            let whole = lines(&decode, &bytes);
            check(&at, &case, &whole);

            let mut splits = vec![Split::Every(1)];
            if bytes.len() <= SMALL {
                splits.extend((0..20).map(Split::Random));
            }
            for split in splits {
                let cut = lines(&decode.with_split(split), &bytes);
                assert!(
                    cut == whole,
                    "{at}, {split:?}: {cut:?} instead of {whole:?}"
                );
            }
            cases += 1;
        }
    }
    assert!(cases > 0, "no captures");
}

#[test]
fn the_binary_decodes_files() {
    let folder = servers().remove(0);
    let run = |args: &[&str], name: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_etcd-shim"))
            .arg("decode")
            .args(args)
            .arg(folder.join(name))
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };

    let whole = run(&["--call", "watch"], "watch_basic.http");
    let (code, out, _) = &whole;
    assert_eq!(*code, Some(0));
    assert_eq!(out.lines().count(), 6, "{out}");
    assert!(
        out.starts_with(r#"{"id":0,"created":{"revision":""#),
        "{out}"
    );
    for split in ["1", "7", "random:3"] {
        assert_eq!(
            run(&["--call", "watch", "--split", split], "watch_basic.http"),
            whole
        );
    }

    let limit = ["--call", "kv/range", "--limit-body", "100"];
    let (_, out, _) = run(&limit, "range_one.http");
    assert!(
        out.contains(r#""kind":"limit""#) && out.contains(r#""connection":"closed""#),
        "{out}"
    );

    let (_, out, _) = run(
        &["--call", "kv/range", "--count", "1"],
        "pipelined_pair.http",
    );
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.contains("bytes that answer no request"), "{out}");

    for bad in [
        &["--call", "kv/take"][..],
        &["--call", "watch", "--split", "0"],
        &["--split", "1"],
        &["--call", "watch", "--colour", "red"],
    ] {
        let (code, out, err) = run(bad, "watch_basic.http");
        assert_eq!(
            (code, &*out, err.lines().count()),
            (Some(2), "", 1),
            "{bad:?}: {err}"
        );
    }
}

#[test]
fn what_does_not_end_is_said_so() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
    let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (call, bytes, expected) in [
        (
            "kv/put",
            "",
            [
                r#""error":{"kind":"unavailable""#,
                r#""applied":"maybe""#,
                "server closed",
            ],
        ),
        (
            "kv/put",
            head,
            [
                "unavailable",
                r#""applied":"maybe""#,
                "ended inside an answer",
            ],
        ),
        (
            "kv/range",
            "HTTP/1.1 2",
            ["unavailable", r#""applied":"no""#, "ended inside an answer"],
        ),
        (
            "kv/put",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}x",
            [r#""ok":{}"#, "", "closed"],
        ),
        (
            "kv/put",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
            ["unavailable", "maybe", "bad JSON"],
        ),
        (
            "lease/keepalive",
            &format!("{stream}16\r\n{{\"result\":{{\"TTL\":\"9\"}}}}\r\n"),
            [
                r#""kept_alive":{"ID":"0","TTL":"9"}"#,
                "",
                "server closed the connection",
            ],
        ),
        (
            "lease/keepalive",
            &format!("{stream}5\r\n{{\"res\r\n"),
            ["unavailable", "", "ended inside an answer"],
        ),
    ] {
        let lines = lines(&Decode::new(call.parse().unwrap()), bytes.as_bytes());
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].contains(expected[0]) && lines[0].contains(expected[1]),
            "{lines:?}"
        );
        assert!(lines[1].contains(expected[2]), "{lines:?}");
    }
}

#[test]
fn a_revision_in_two_fragments_is_one_line() {
    let event =
        |revision: i64| json!({"kv": {"key": "aw==", "mod_revision": revision.to_string()}});
    let frame =
        |fragment: bool, events: Value| json!({"result": {"fragment": fragment, "events": events}});
    let body = [
        frame(true, json!([event(5), event(6)])),
        frame(true, json!([event(6)])),
        frame(false, json!([event(6), event(7)])),
    ];
    let body = body.iter().map(Value::to_string).collect::<String>();
    let bytes = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let lines = lines(&Decode::new("watch".parse().unwrap()), bytes.as_bytes());
    let revisions = lines[..3].iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let events = &line["events"];
        (
            events["revision"].clone(),
            events["events"].as_array().unwrap().len(),
        )
    });
    assert_eq!(
        revisions.collect::<Vec<_>>(),
        [(json!("5"), 1), (json!("6"), 3), (json!("7"), 1)]
    );
}

/// The folders of captures, one for each server: all of them where they are at hand (or where
/// `$CAPTURES` says), else the chosen few of the core's own tests.
fn servers() -> Vec<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let all = [
        std::env::var_os("CAPTURES")
            .map(PathBuf::from)
            .unwrap_or_default(),
        workspace.join("../shared/gateway/captures"),
        workspace.join("core/testdata/captures"),
    ];
    let root = all.iter().find(|root| root.is_dir()).expect("captures");
    let folders = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut folders = folders
        .filter(|path| path.join("expected.json").is_file())
        .collect::<Vec<_>>();
    folders.sort();
    folders
}

/// The cases of a server of which there is a file.
fn expected(folder: &Path) -> Map<String, Value> {
    let text = fs::read_to_string(folder.join("expected.json")).unwrap();
    let Value::Object(mut expected) = serde_json::from_str(&text).unwrap() else {
        panic!("{}", folder.display());
    };
    let Value::Object(cases) = expected["cases"].take() else {
        panic!("{}", folder.display());
    };
    let there = |name: &String| folder.join(format!("{name}.http")).is_file();
    cases.into_iter().filter(|(name, _)| there(name)).collect()
}

/// The call that a case answers.
fn asked(case: &Value) -> &str {
    let paths = case["paths"].as_array().unwrap();
    if paths.windows(2).any(|pair| pair[0] != pair[1]) {
        // Answers to several calls.
        return "any";
    }
    match paths[0].as_str().unwrap().split_once('/').unwrap().1 {
        "v3/kv/lease/revoke" => "lease/revoke",
        "v3/kv/lease/timetolive" => "lease/timetolive",
        "v3/nosuch" | "nosuch" | "v3//kv/range" | "v3beta/kv/range" => "kv/range",
        "v3/maintenance/hashkv" => "maintenance/hash_kv",
        path => path.strip_prefix("v3/").unwrap_or(path),
    }
}

fn lines(decode: &Decode, bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    decode.run(bytes, &mut |line| lines.push(line));
    lines
}

/// Compares the lines of a file with its meaning.
fn check(at: &str, case: &Value, lines: &[String]) {
    let lines = lines.iter().map(|line| {
        let Value::Object(mut line) = serde_json::from_str(line).unwrap() else {
            panic!("{at}: {line}");
        };
        assert_eq!(line.remove("id"), Some(json!(0)));
        Value::Object(line)
    });
    let mut lines = lines.collect::<Vec<_>>().into_iter();
    let mut next = || {
        lines
            .next()
            .unwrap_or_else(|| panic!("{at}: lines are missing"))
    };
    let mut unfinished = case["bytes"] == 0;
    let mut closes = case["bytes"] == 0;
    for answer in case["responses"].as_array().unwrap() {
        let status = answer["status"].as_u64().unwrap();
        if status == 100 {
            continue;
        }
        if status == 101 {
            // This client speaks no WebSocket, and takes no other answer for HTTP.
            let refused = next();
            assert!(
                refused["error"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("status"),
                "{at}"
            );
            closes = true;
            break;
        }
        unfinished = answer["complete"] == false;
        closes =
            unfinished || answer["connection_close"] == true || answer["version"] == "HTTP/1.0";
        let streams = matches!(
            asked(case),
            "watch" | "lease/keepalive" | "maintenance/snapshot" | "election/observe"
        );
        if let (Some(frames), true) = (answer.get("frames"), streams) {
            check_frames(at, asked(case), frames, &answer["all_events"], &mut next);
            if asked(case) == "maintenance/snapshot" && answer.get("error").is_none() {
                assert_eq!(next(), json!({"end": {"reason": "done"}}), "{at}");
            }
        } else if let Some(result) = answer.get("result") {
            assert_same(at, &next()["ok"], result);
        } else if let Some(error) = answer.get("error") {
            assert_error(at, &next()["error"], error);
        } else if let Some(text) = answer.get("text") {
            let text = text.as_str().unwrap().trim();
            let line = next();
            if let Ok(json) = serde_json::from_str::<Value>(text) {
                assert_same(at, &line["ok"], &json);
            } else {
                assert_eq!(line["error"]["message"], text, "{at}");
                assert_eq!(line["error"]["kind"], "etcd", "{at}");
            }
        } else if status != 200 {
            assert_eq!(next()["error"]["kind"], "etcd", "{at}");
        } else if !streams {
            // A call cannot be answered with nothing.
            assert_eq!(next()["error"]["kind"], "unavailable", "{at}");
            closes = true;
        }
    }
    let connection = if closes { "closed" } else { "reusable" };
    let last = next();
    assert_eq!(last["connection"], connection, "{at}: {last}");
    assert_eq!(last.get("reason").is_some(), closes, "{at}: {last}");
    if unfinished {
        assert_eq!(last["reason"], "server closed the connection", "{at}");
    }
    assert_eq!(lines.next(), None, "{at}");
}

/// Compares the lines of a stream with its frames.
fn check_frames(
    at: &str,
    call: &str,
    frames: &Value,
    all_events: &Value,
    next: &mut dyn FnMut() -> Value,
) {
    if let Value::Object(ends) = frames {
        // Only the ends of a long stream are written out: `created`, and events in order.
        assert_eq!(
            next()["created"]["revision"],
            ends["first"]["result"]["header"]["revision"]
        );
        let count = all_events["count"].as_u64().unwrap();
        let mut events = Vec::new();
        while events.len() < usize::try_from(count).unwrap() {
            let line = next();
            events.extend(line["events"]["events"].as_array().unwrap().clone());
        }
        return assert_same(at, &Value::Array(events), all_events);
    }
    let mut parts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for frame in frames.as_array().unwrap() {
        if let Some(error) = frame.get("error") {
            assert_error(at, &next()["error"], error);
            continue;
        }
        let frame = &frame["result"];
        match call {
            "lease/keepalive" if frame["TTL"] == "0" => {
                assert_eq!(next(), json!({"end": {"reason": "expired"}}), "{at}");
            }
            "lease/keepalive" => {
                let renewed = json!({"ID": frame["ID"], "TTL": frame["TTL"]});
                assert_eq!(next(), json!({"kept_alive": renewed}), "{at}");
            }
            "maintenance/snapshot" => assert_same(at, &next(), frame),
            "election/observe" => assert_same(at, &next()["leader"], frame),
            _ if frame["canceled"] == true => assert_end(at, &next()["end"], frame),
            _ if frame["created"] == true => {
                let revision = json!({"revision": frame["header"]["revision"]});
                assert_eq!(next(), json!({"created": revision}), "{at}");
            }
            _ => {
                let part = parts.entry(frame["watch_id"].to_string()).or_default();
                let events = &frame["events"];
                let Some(list) = events.as_array() else {
                    // Too many to be written out.
                    let mut got = Vec::new();
                    while got.len() < usize::try_from(events["count"].as_u64().unwrap()).unwrap() {
                        got.extend(next()["events"]["events"].as_array().unwrap().clone());
                    }
                    assert_same(at, &Value::Array(got), events);
                    continue;
                };
                part.extend(list.iter().cloned());
                if frame["fragment"] == true {
                    continue;
                }
                if part.is_empty() {
                    let revision = json!({"revision": frame["header"]["revision"]});
                    assert_eq!(next(), json!({"progress": revision}), "{at}");
                }
                for revision in
                    part.chunk_by(|a, b| a["kv"]["mod_revision"] == b["kv"]["mod_revision"])
                {
                    let line = next();
                    assert_eq!(
                        line["events"]["revision"], revision[0]["kv"]["mod_revision"],
                        "{at}"
                    );
                    assert_same(
                        at,
                        &line["events"]["events"],
                        &Value::Array(revision.to_vec()),
                    );
                }
                part.clear();
            }
        }
    }
}

fn assert_end(at: &str, end: &Value, frame: &Value) {
    let why = frame["cancel_reason"].as_str().unwrap();
    let why = why.rsplit(" desc = ").next().unwrap();
    if frame["compact_revision"] != "0" {
        let compacted =
            json!({"reason": "compacted", "compact_revision": frame["compact_revision"]});
        assert_eq!(*end, compacted, "{at}");
    } else if why == "etcdserver: permission denied" {
        assert_eq!(*end, json!({"reason": "permission_denied"}), "{at}");
    } else if why.is_empty() {
        assert_eq!(*end, json!({"reason": "canceled"}), "{at}");
    } else {
        assert_eq!(end["reason"], "error", "{at}");
        assert_eq!(end["error"]["message"], why, "{at}");
    }
}

fn assert_error(at: &str, got: &Value, expected: &Value) {
    assert_eq!(got["message"], expected["message"], "{at}");
    assert_eq!(got["code"], expected["code"], "{at}");
    let kind = match expected["message"].as_str().unwrap() {
        "etcdserver: invalid auth token"
        | "etcdserver: authentication failed, invalid user ID or password"
        | "etcdserver: revision of auth store is old" => "auth",
        _ => "etcd",
    };
    assert_eq!(got["kind"], kind, "{at}");
}

/// Compares JSON of etcd's with what it should mean; absent and zero are the same.
fn assert_same(at: &str, got: &Value, expected: &Value) {
    if !is_same(got, expected) {
        panic!("{at}: {got} is not {expected}");
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        // Of an enum, the name of its zero.
        Value::String(text) => matches!(&**text, "" | "0" | "PUT" | "READ"),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.values().all(is_zero),
        Value::Bool(true) => false,
    }
}

fn is_same(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        // Bytes too long to be written out.
        (Value::String(base64), Value::Object(digest)) if digest.contains_key("sha256") => {
            let bytes = STANDARD.decode(base64).unwrap();
            digest["len"] == bytes.len()
                && digest["sha256"] == hex(Sha256::digest(&bytes).as_slice())
        }
        // A list too long to be written out.
        (Value::Array(list), Value::Object(digest)) if digest.contains_key("sha256") => {
            let mut hash = Sha256::new();
            for item in list {
                hash_item(&mut hash, item);
            }
            digest["count"] == list.len()
                && is_same(&list[0], &digest["first"])
                && is_same(&list[list.len() - 1], &digest["last"])
                && digest["sha256"] == hex(hash.finalize().as_slice())
        }
        // A lease in a list of them.
        (Value::Object(lease), Value::String(id)) => lease.len() == 1 && lease["ID"] == **id,
        (Value::Array(got), Value::Array(expected)) => {
            got.len() == expected.len()
                && got
                    .iter()
                    .zip(expected)
                    .all(|(got, expected)| is_same(got, expected))
        }
        (Value::Object(got), Value::Object(expected)) => {
            let named = |name: &str| match got.get(name) {
                // The results of a transaction are named `response_put` and so on.
                None => got.get(&format!("response_{name}")),
                some => some,
            };
            let names = got
                .keys()
                .map(|name| name.strip_prefix("response_").unwrap_or(name));
            // What is empty but there says which kind of result it is.
            let one_of = |name: &str| matches!(name, "put" | "range" | "txn" | "delete_range");
            names
                .chain(expected.keys().map(String::as_str))
                .all(|name| match (named(name), expected.get(name)) {
                    (Some(got), Some(expected)) => is_same(got, expected),
                    (Some(only), None) | (None, Some(only)) => is_zero(only) && !one_of(name),
                    (None, None) => true,
                })
        }
        _ => got == expected || (is_zero(got) && is_zero(expected)),
    }
}

fn hash_item(hash: &mut Sha256, item: &Value) {
    if item.get("kv").is_none() {
        return hash_kv(hash, item);
    }
    hash.update([u8::from(item["type"] == "DELETE")]);
    hash_kv(hash, &item["kv"]);
    match item.get("prev_kv") {
        None => hash.update([0]),
        Some(before) => {
            hash.update([1]);
            hash_kv(hash, before);
        }
    }
}

fn hash_kv(hash: &mut Sha256, kv: &Value) {
    for name in ["key", "value"] {
        let bytes = STANDARD
            .decode(kv[name].as_str().unwrap_or_default())
            .unwrap();
        hash.update(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        hash.update(bytes);
    }
    for name in ["create_revision", "mod_revision", "version", "lease"] {
        let number = kv[name].as_str().unwrap_or("0").parse::<i64>().unwrap();
        hash.update(number.to_be_bytes());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
