//! `etcd-shim` over its pipes, on both drivers, against a real etcd.

#![expect(clippy::unwrap_used, reason = "a test file from end to end")]

mod authority;
#[macro_use]
mod lines;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_tests::Server;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use authority::Authority;
use lines::{PATIENCE, Shim};

on_both! {
    every_call_is_answered,
    a_watch_tells_everything_and_ends_once,
    ends_of_watches_have_reasons,
    a_lease_is_kept_alive_until_it_is_gone,
    errors_say_what_happened,
    a_call_can_be_canceled,
    a_canceled_lock_leaves_the_queue,
    snapshots_and_leaders_are_told,
    impossible_lines_are_misuse,
    the_end_of_the_input_ends_everything,
    a_session_with_kills_is_recorded_and_replays_elsewhere,
    tls_is_a_matter_of_options,
    keys_are_in_the_namespace,
}

fn keys_are_in_the_namespace(runtime: &str) {
    let server = Server::start().unwrap();
    let endpoint = server.endpoint();
    let mut inside = Shim::start(runtime, &[&endpoint, "--namespace", "p/"]);
    let mut outside = Shim::start(runtime, &[&endpoint]);
    inside.ok(
        "kv/put",
        json!({"key": STANDARD.encode("k"), "value": "dg=="}),
    );
    outside.ok(
        "kv/put",
        json!({"key": STANDARD.encode("q"), "value": "dg=="}),
    );
    let all = json!({"key": "AA==", "range_end": "AA=="});
    let keys = |answer: Value| -> Vec<String> {
        let kvs = answer["kvs"].as_array().unwrap().iter();
        kvs.map(|kv| kv["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let found = keys(inside.ok("kv/range", all.clone()));
    assert_eq!(found, [STANDARD.encode("k")]);
    let found = keys(outside.ok("kv/range", all));
    assert_eq!(found, [STANDARD.encode("p/k"), STANDARD.encode("q")]);
}

fn tls_is_a_matter_of_options(runtime: &str) {
    let authority = Authority::new("authority", &format!("shim-{runtime}"));
    let Some(server) = authority.serve(&authority.issue(|_| {}), true) else {
        return;
    };
    let mine = authority.issue(|_| {});
    let file = |name: &str, text: &str| authority.write(name, text).display().to_string();
    let roots = file("roots.pem", &authority.pem());
    let (cert, key) = (file("mine.pem", &mine.pem), file("mine.key", &mine.key));
    let endpoint = format!("https://127.0.0.1:{}", server.tls_port().unwrap());
    let soon = ["--timeout-ms", "1500"];
    let put = |options: &[&str]| {
        let mut args = vec![endpoint.as_str(), "--cert", &cert, "--key", &key];
        args.extend(soon);
        args.extend(options);
        let mut shim = Shim::start(runtime, &args);
        let put = json!({"call": "kv/put", "request": {"key": "Zm9v", "value": "YmFy"}});
        let id = shim.send(put);
        shim.next(&id)
    };
    assert_eq!(put(&["--cacert", &roots])["ok"]["header"]["revision"], "2");
    // Its name is verified, unless nothing is.
    let wrong = ["--cacert", &roots, "--server-name", "etcd-1"];
    let error = put(&wrong)["error"].clone();
    assert_eq!(
        (&error["kind"], &error["applied"]),
        (&json!("unavailable"), &json!("no"))
    );
    assert!(
        error["message"].as_str().unwrap().contains("etcd-1"),
        "{error}"
    );
    assert!(put(&["--insecure-skip-verify", "--server-name", "etcd-1"])["ok"].is_object());
    let by_its_name = ["--cacert", &roots, "--server-name", "localhost"];
    assert!(put(&by_its_name)["ok"].is_object());
}

fn every_call_is_answered(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(
        runtime,
        &[&server.endpoint(), "--seed", "7", "--max-connections", "2"],
    );

    let put = json!({"key": "Zm9v", "value": "YmFy"});
    let header = shim.ok("kv/put", put)["header"].clone();
    assert_eq!(header["revision"], "2");
    assert!(header["cluster_id"].is_string() && header["raft_term"].is_string());

    let got = shim.ok("kv/range", json!({"key": "Zm9v"}));
    let kv = json!({"key": "Zm9v", "value": "YmFy", "create_revision": "2", "mod_revision": "2", "version": "1"});
    assert_eq!((&got["kvs"], &got["count"]), (&json!([kv]), &json!("1")));
    assert!(got.get("more").is_none());

    let txn = json!({
        "compare": [{"key": "Zm9v", "target": "VERSION", "result": "EQUAL", "version": "1"}],
        "success": [{"request_put": {"key": "Zm9v", "value": "MQ==", "prev_kv": true}}],
    });
    let answer = shim.ok("kv/txn", txn);
    assert_eq!(answer["succeeded"], true);
    assert_eq!(
        answer["responses"][0]["response_put"]["prev_kv"]["value"],
        "YmFy"
    );
    assert_eq!(
        shim.ok("kv/deleterange", json!({"key": "Zm9v"}))["deleted"],
        "1"
    );
    assert_eq!(
        shim.ok("kv/compaction", json!({"revision": "3"}))["header"]["revision"],
        "4"
    );

    let granted = shim.ok("lease/grant", json!({"TTL": "60", "ID": "77"}));
    assert_eq!(
        (&granted["ID"], &granted["TTL"]),
        (&json!("77"), &json!("60"))
    );
    assert_eq!(shim.ok("lease/keepalive", json!({"ID": 77}))["TTL"], "60");
    assert_eq!(
        shim.ok("lease/timetolive", json!({"ID": "77"}))["grantedTTL"],
        "60"
    );
    assert_eq!(
        shim.ok("lease/leases", json!({}))["leases"],
        json!([{"ID": "77"}])
    );
    assert!(shim.ok("lease/revoke", json!({"ID": "77"}))["header"].is_object());

    let version = shim.ok("version", json!({}))["etcdserver"].clone();
    assert_eq!(version, server.version().unwrap());
    assert_eq!(shim.ok("health", json!({}))["health"], "true");
    let line = json!({"call": "maintenance/status", "endpoint": server.endpoint()});
    assert_eq!(shim.ask(line)["ok"]["version"], version);

    let stats = shim.ask(json!({"stats": {}}))["ok"].clone();
    let count = |name: &str| stats[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!((1..=4).contains(&count("connections_opened")), "{stats}");
    assert!(count("connections_open") >= 1, "{stats}");
    assert_eq!(
        (count("requests"), count("retries"), count("resumes")),
        (13, 0, 0)
    );
    assert!(
        count("bytes_in") > 1000 && count("bytes_out") > 1000,
        "{stats}"
    );
    shim.end();
}

fn a_watch_tells_everything_and_ends_once(runtime: &str) {
    let mut server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    let watch =
        json!({"key": "YQ==", "range_end": "Yg==", "prev_kv": true, "progress_notify": true});
    let watch = shim.send(json!({"watch": watch}));
    assert_eq!(shim.next(&watch), json!({"created": {"revision": "1"}}));

    shim.ok("kv/put", json!({"key": "YQ==", "value": "MQ=="}));
    let events = shim.next(&watch)["events"].clone();
    let kv = json!({"key": "YQ==", "value": "MQ==", "create_revision": "2", "mod_revision": "2", "version": "1"});
    assert_eq!(
        events,
        json!({"revision": "2", "events": [{"type": "PUT", "kv": kv}]})
    );

    // Two keys at one revision are one line.
    let put = |key: &str| json!({"request_put": {"key": key, "value": "Mg=="}});
    shim.ok("kv/txn", json!({"success": [put("YQ=="), put("YWE=")]}));
    let events = shim.next(&watch)["events"].clone();
    assert_eq!(events["revision"], "3");
    assert_eq!(events["events"].as_array().unwrap().len(), 2);
    assert_eq!(events["events"][0]["prev_kv"], kv);

    let asked = shim.send(json!({"request_progress": watch}));
    assert_eq!(shim.next(&asked), json!({"ok": {}}));
    assert_eq!(shim.next(&watch), json!({"progress": {"revision": "3"}}));

    server.kill().unwrap();
    server.restart().unwrap();
    let resumed = json!({"resumed": {"from": "4", "endpoint": server.endpoint()}});
    assert_eq!(shim.next(&watch), resumed);
    shim.ok("kv/deleterange", json!({"key": "YQ=="}));
    let events = shim.next(&watch)["events"].clone();
    assert_eq!(events["events"][0]["type"], "DELETE");

    let cancel = shim.send(json!({"cancel": watch}));
    assert_eq!(shim.next(&watch), json!({"end": {"reason": "canceled"}}));
    assert_eq!(shim.next(&cancel), json!({"ok": {}}));
    shim.ok("kv/put", json!({"key": "YQ=="}));
    shim.end();
}

fn ends_of_watches_have_reasons(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    for _ in 0..5 {
        shim.ok("kv/put", json!({"key": "aw=="}));
    }
    shim.ok("kv/compaction", json!({"revision": "4"}));
    let watch = shim.send(json!({"watch": {"key": "aw==", "start_revision": "2"}}));
    assert_eq!(shim.next(&watch), json!({"created": {"revision": "6"}}));
    assert_eq!(
        shim.next(&watch),
        json!({"end": {"reason": "compacted", "compact_revision": "4"}})
    );

    let watch = shim.send(json!({"watch": {}}));
    let end = shim.next(&watch)["end"].clone();
    assert_eq!(
        (&end["reason"], &end["error"]["kind"]),
        (&json!("error"), &json!("misuse"))
    );
    shim.end();
}

fn a_lease_is_kept_alive_until_it_is_gone(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    let ttl = shim.ok("lease/grant", json!({"TTL": "3", "ID": "9"}))["TTL"].clone();
    shim.ok("lease/grant", json!({"TTL": "3", "ID": "10"}));
    let kept = shim.send(json!({"keep_alive": {"ID": "9"}}));
    let other = shim.send(json!({"keep_alive": {"ID": "10"}}));
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(shim.next(&kept), json!({"kept_alive": {"TTL": ttl}}));
    }
    let took = start.elapsed();
    assert!((1800..3000).contains(&took.as_millis()), "{took:?}");

    assert_eq!(shim.next(&other), json!({"kept_alive": {"TTL": ttl}}));
    let cancel = shim.send(json!({"cancel": other}));
    loop {
        let line = shim.next(&other);
        if line.get("kept_alive").is_none() {
            assert_eq!(line, json!({"end": {"reason": "canceled"}}));
            break;
        }
    }
    assert_eq!(shim.next(&cancel), json!({"ok": {}}));

    shim.ok("lease/revoke", json!({"ID": "9"}));
    assert_eq!(shim.next(&kept), json!({"end": {"reason": "expired"}}));
    shim.end();
}

fn errors_say_what_happened(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    let error = shim.error(json!({"call": "kv/put", "request": {}}));
    assert_eq!(
        (&error["kind"], &error["applied"]),
        (&json!("misuse"), &json!("no"))
    );
    assert!(error.get("code").is_none());

    let error = shim.error(json!({"call": "lease/revoke", "request": {"ID": "5"}}));
    let message = "etcdserver: requested lease not found";
    let expected = json!({"kind": "etcd", "code": 5, "message": message, "name": "LeaseNotFound", "applied": "no"});
    assert_eq!(error, expected);

    let nowhere =
        json!({"call": "maintenance/status", "endpoint": "http://127.0.0.1:1", "timeout_ms": 300});
    assert_eq!(shim.error(nowhere)["kind"], "unavailable");

    server.pause().unwrap();
    let start = Instant::now();
    let error =
        shim.error(json!({"call": "kv/put", "request": {"key": "aw=="}, "timeout_ms": 300}));
    assert_eq!(
        (&error["kind"], &error["applied"]),
        (&json!("timeout"), &json!("maybe"))
    );
    let error =
        shim.error(json!({"call": "kv/range", "request": {"key": "aw=="}, "timeout_ms": "300"}));
    assert_eq!(
        (&error["kind"], &error["applied"]),
        (&json!("timeout"), &json!("no"))
    );
    assert!(start.elapsed() < Duration::from_secs(3));
    server.resume().unwrap();
    shim.ok("kv/put", json!({"key": "aw=="}));
    shim.end();

    let mut shim = Shim::start(runtime, &["http://127.0.0.1:1", "--timeout-ms", "300"]);
    let error = shim.error(json!({"call": "kv/range", "request": {"key": "aw=="}}));
    assert_eq!(
        (&error["kind"], &error["applied"]),
        (&json!("unavailable"), &json!("no"))
    );
    shim.end();
}

fn a_call_can_be_canceled(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    shim.ok("kv/put", json!({"key": "aw=="}));
    server.pause().unwrap();
    let bytes_out = |shim: &mut Shim| shim.ask(json!({"stats": {}}))["ok"]["bytes_out"].clone();
    let before = bytes_out(&mut shim);
    let put = shim.send(json!({"call": "kv/put", "request": {"key": "aw=="}}));
    // A put that was not yet sent would certainly not happen.
    let start = Instant::now();
    while bytes_out(&mut shim) == before {
        assert!(start.elapsed() < PATIENCE, "the put is never sent");
    }
    let range = shim.send(json!({"call": "kv/range", "request": {"key": "aw=="}}));
    for (call, applied) in [(put, "maybe"), (range, "no")] {
        let cancel = shim.send(json!({"cancel": call}));
        let error = shim.next(&call)["error"].clone();
        assert_eq!(
            (&error["kind"], &error["applied"]),
            (&json!("canceled"), &json!(applied))
        );
        assert_eq!(shim.next(&cancel), json!({"ok": {}}));
    }
    server.resume().unwrap();
    shim.ok("kv/range", json!({"key": "aw=="}));
    shim.end();
}

fn a_canceled_lock_leaves_the_queue(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    shim.ok("lease/grant", json!({"TTL": "60", "ID": "1"}));
    shim.ok("lease/grant", json!({"TTL": "60", "ID": "2"}));
    let keys = json!({"key": "am9icy8=", "range_end": "am9iczA="});
    let count = |shim: &mut Shim| shim.ok("kv/range", keys.clone())["count"].clone();
    let until = |shim: &mut Shim, wanted: &str| {
        let start = Instant::now();
        while count(shim) != wanted {
            assert!(start.elapsed() < PATIENCE, "there are never {wanted} keys");
        }
    };

    let held = shim.ok("lock/lock", json!({"name": "am9icw==", "lease": "1"}))["key"].clone();
    let waiting =
        shim.send(json!({"call": "lock/lock", "request": {"name": "am9icw==", "lease": "2"}}));
    until(&mut shim, "2");

    let cancel = shim.send(json!({"cancel": waiting}));
    let error = shim.next(&waiting)["error"].clone();
    assert_eq!(
        (&error["kind"], &error["applied"]),
        (&json!("canceled"), &json!("maybe"))
    );
    assert_eq!(shim.next(&cancel), json!({"ok": {}}));
    until(&mut shim, "1");
    shim.ok("lock/unlock", json!({"key": held}));
    assert_eq!(count(&mut shim), Value::Null);
    shim.end();
}

fn snapshots_and_leaders_are_told(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    let leader = shim.send(json!({"observe": {"name": "ZWw="}}));
    shim.ok("kv/put", json!({"key": "ZWwvMQ==", "value": "djE="}));
    let told = shim.next(&leader)["leader"].clone();
    assert_eq!(
        (&told["kv"]["key"], &told["kv"]["value"]),
        (&json!("ZWwvMQ=="), &json!("djE="))
    );
    assert!(told["header"].is_object(), "{told}");
    let cancel = shim.send(json!({"cancel": leader}));
    assert_eq!(shim.next(&leader), json!({"end": {"reason": "canceled"}}));
    assert_eq!(shim.next(&cancel), json!({"ok": {}}));

    let snapshot = shim.send(json!({"snapshot": {}, "endpoint": server.endpoint()}));
    let mut file = Vec::new();
    let end = loop {
        let line = shim.next(&snapshot);
        match line["blob"].as_str() {
            Some(blob) => file.extend(STANDARD.decode(blob).unwrap()),
            None => break line,
        }
    };
    assert_eq!(end, json!({"end": {"reason": "done"}}));
    let (store, sum) = file.split_at(file.len() - 32);
    assert_eq!((store.len() % 512, sum), (0, &*Sha256::digest(store)));

    let snapshot =
        shim.send(json!({"snapshot": {}, "endpoint": "http://127.0.0.1:1", "timeout_ms": 300}));
    let end = shim.next(&snapshot)["end"].clone();
    assert_eq!(
        (&end["reason"], &end["error"]["kind"]),
        (&json!("error"), &json!("unavailable"))
    );
    // What is open at the end of the input is ended.
    let leader = shim.send(json!({"observe": {"name": "ZWw="}}));
    assert!(shim.next(&leader)["leader"].is_object());
    drop(shim.input.take());
    assert_eq!(shim.next(&leader), json!({"end": {"reason": "shutdown"}}));
    shim.end();
}

fn impossible_lines_are_misuse(runtime: &str) {
    let mut shim = Shim::start(runtime, &["http://127.0.0.1:1"]);
    for (line, says) in [
        (json!({}), "exactly one of"),
        (json!({"stats": {}, "watch": {}}), "exactly one of"),
        (json!({"cancel": "gone"}), "\"gone\""),
        (json!({"request_progress": 5}), "5"),
        (json!({"call": "kv/take"}), "kv/take"),
        (
            json!({"call": "auth/user/add", "request": {"name": "u"}}),
            "password",
        ),
        (
            json!({"lock": {"name": "bA=="}}),
            "lock is not supported yet",
        ),
        (json!({"call": "kv/put", "request": {"key": "*"}}), "key"),
        (
            json!({"call": "kv/put", "request": {"key": "aw=="}, "timeout_ms": "soon"}),
            "timeout_ms",
        ),
        (
            json!({"call": "version", "endpoint": "nowhere at all"}),
            "endpoint",
        ),
    ] {
        let error = shim.error(line.clone());
        assert_eq!(
            (&error["kind"], &error["applied"]),
            (&json!("misuse"), &json!("no")),
            "{line}"
        );
        assert!(
            error["message"].as_str().unwrap().contains(says),
            "{line}: {error}"
        );
    }
    for line in ["rubbish", "[1]", "{\"stats\":{}}", "\u{fffd}{"] {
        shim.write(line);
        assert_eq!(shim.next(&Value::Null)["error"]["kind"], "misuse", "{line}");
    }
    // An id is any JSON.
    shim.write(r#"{"id":{"a":[1]},"stats":{}}"#);
    assert!(shim.next(&json!({"a": [1]}))["ok"].is_object());
    shim.end();
}

fn the_end_of_the_input_ends_everything(runtime: &str) {
    let server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    shim.ok("lease/grant", json!({"TTL": "60", "ID": "9"}));
    let watch = shim.send(json!({"watch": {"key": "aw=="}}));
    let lease = shim.send(json!({"keep_alive": {"ID": "9"}}));
    shim.next(&watch);
    shim.next(&lease);
    // A call that is still under way is answered.
    let put = shim.send(json!({"call": "kv/put", "request": {"key": "Yg=="}}));
    drop(shim.input.take());
    assert!(shim.next(&put)["ok"].is_object());
    assert_eq!(shim.next(&watch), json!({"end": {"reason": "shutdown"}}));
    assert_eq!(shim.next(&lease), json!({"end": {"reason": "shutdown"}}));
    shim.end();
}

#[test]
fn bad_options_end_it_at_once() {
    let there = ["--endpoints", "http://127.0.0.1:1"];
    for bad in [
        &["--runtime", "std"][..],
        &["--runtime", "std", "--endpoints", ""],
        &["--runtime", "std", "--endpoints", "ftp://x"],
        &there,
        &["--runtime", "tokio", there[0], there[1]],
        &["--runtime", "smol", there[0], there[1], "--namespace"],
        &[
            "--runtime",
            "smol",
            there[0],
            there[1],
            "--cacert",
            "no file",
        ],
        &["--runtime", "smol", there[0], there[1], "--cert", "no key"],
        &["--runtime", "std", there[0], there[1], "--key", "no cert"],
        &[
            "--runtime",
            "smol",
            there[0],
            there[1],
            "--header",
            "no colon",
        ],
        &[
            "--runtime",
            "smol",
            there[0],
            there[1],
            "--header",
            "Host: x",
        ],
        &[
            "--runtime",
            "smol",
            there[0],
            there[1],
            "--api-prefix",
            "v3",
        ],
        &["--runtime", "smol", there[0], there[1], "--timeout-ms"],
        &["--runtime", "smol", there[0], there[1], "--colour"],
        &["replay", "x"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_etcd-shim"))
            .args(bad)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), said.lines().count()),
            (Some(2), 1),
            "{bad:?}: {said}"
        );
        assert!(output.stdout.is_empty());
        if bad.contains(&"--cacert") {
            assert!(
                said.contains("--cacert") && said.contains("no file"),
                "{said}"
            );
        }
    }
}

fn a_session_with_kills_is_recorded_and_replays_elsewhere(runtime: &str) {
    const PASSWORD: &str = "a-passw0rd-of-root";
    let mut server = Server::start().unwrap();
    let mut shim = Shim::start(runtime, &[&server.endpoint()]);
    shim.ok(
        "auth/user/add",
        json!({"name": "root", "password": PASSWORD}),
    );
    shim.ok("auth/role/add", json!({"name": "root"}));
    shim.ok("auth/user/grant", json!({"user": "root", "role": "root"}));
    shim.ok("auth/enable", json!({}));
    shim.end();

    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{runtime}-{}.rec", std::process::id()));
    let file = path.to_str().unwrap();
    let mut shim = Shim::start(
        runtime,
        &[
            &server.endpoint(),
            "--user",
            "root",
            "--password",
            PASSWORD,
            "--record",
            file,
            "--seed",
            "7",
        ],
    );
    let watch = shim.send(json!({"watch": {"key": "YQ=="}}));
    assert!(shim.next(&watch)["created"].is_object());
    for _ in 0..3 {
        shim.ok("kv/put", json!({"key": "YQ==", "value": "MQ=="}));
        assert!(shim.next(&watch)["events"].is_object());
        server.kill().unwrap();
        server.restart().unwrap();
        assert!(shim.next(&watch)["resumed"].is_object());
    }
    shim.ok("kv/range", json!({"key": "YQ=="}));
    let login = json!({"name": "root", "password": PASSWORD});
    let token = shim.ok("auth/authenticate", login)["token"].clone();
    shim.ask(json!({"cancel": watch}));
    assert_eq!(shim.next(&watch)["end"]["reason"], "canceled");
    shim.end();

    let recording = std::fs::read_to_string(&path).unwrap();
    assert!(!recording.contains(PASSWORD));
    assert!(!recording.contains(token.as_str().unwrap()));
    assert!(!recording.contains(&STANDARD.encode(PASSWORD)));
    let replay = |file: &str| {
        let replay = Command::new(env!("CARGO_BIN_EXE_etcd-shim"))
            .args(["replay", file])
            .output();
        let output = replay.unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            said,
        )
    };
    let (code, text, said) = replay(file);
    assert_eq!((code, &said["replay"]), (Some(0), &json!("same")), "{text}");
    assert!(text.starts_with(r#"{"replay":"same","inputs":"#), "{text}");
    let count = |what: &str, begins: &str| {
        let lines = recording
            .lines()
            .filter(|line| line.starts_with(begins))
            .count();
        assert_eq!(said[what], lines);
    };
    count("inputs", "> ");
    count("outputs", "< ");

    // Another answer of the server than the one it gave.
    let altered = recording.replacen(" created ", " created 9", 1);
    std::fs::write(&path, altered).unwrap();
    let (code, text, said) = replay(file);
    assert_eq!(
        (code, &said["replay"]),
        (Some(1), &json!("different")),
        "{text}"
    );
    assert!(said["replayed"].as_str().unwrap().contains(" created "));

    std::fs::write(&path, &recording[..recording.len() - 2]).unwrap();
    let (code, text, said) = replay(file);
    assert_eq!(
        (code, &said["replay"]),
        (Some(1), &json!("damaged")),
        "{text}"
    );
    std::fs::remove_file(&path).unwrap();
}
