//! Recordings: they replay the same, a difference is named where it is, damage is refused where it
//! is, and nothing secret is in them, however the bytes came.

mod support;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_core::CompareAndSwap;
use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::DeleteIfUnchanged;
use etcd_core::HealthRequest;
use etcd_core::Instant;
use etcd_core::Livez;
use etcd_core::Output;
use etcd_core::Proclaim;
use etcd_core::Put;
use etcd_core::PutIfAbsent;
use etcd_core::UserAdd;
use etcd_core::UserChangePassword;
use etcd_core::Watch;
use etcd_core::trace;
use etcd_core::trace::Recorded;
use etcd_core::trace::Recording;
use etcd_core::trace::ReplayError;
use etcd_core::trace::Replayer;
use support::STREAM_HEAD;
use support::World;
use support::answer;
use support::chunk;

/// A life with something of everything: logins, calls, a watch across a lost connection, back-pressure,
/// a snapshot, an election, deadlines.
const LIFE: &str = r#"
    client a b user=root password=p4ssw0rd-of-root buffer=1 connect_timeout=1s
    put secret/a s3cret-value
    open 1
    answer 1 200 {"token":"simple-t0ken.7"}
    answer 1 200 {"header":{"revision":"5"}}
    get plain
    answer 1 200 {"kvs":[{"key":"cGxhaW4=","mod_revision":"5","value":"bm90IHNlY3JldA=="}]}
    watch k
    open 2
    created 2 id=1 rev=10
    hold 1
    events 2 id=1 rev=11 k@11
    read 1
    reset 2
    open 3
    created 3 id=1 rev=12
    events 3 id=1 rev=13 k@12 -k@13
    wait 1s
    ask 1
    unwatch 1
    snapshot
    open 5
    blob 5 1024
    sum 5 1024
    last 5
    observe el
    open 6
    leader 6 el/a@5/7
    drop 2
    renew 7
    open 7
    frame 7 {"ID":"7","TTL":"10"}
    slow
    put k v timeout=500ms
    write 1 10
    wait 1s
    credentials token=a-t0ken-of-mine
    hashkv at=c
    refuse 8
    wait 10s
    shutdown
"#;

/// The recording of a life.
fn life() -> String {
    let mut world = World::default();
    world.records = true;
    world.run_all(LIFE);
    world.replay()
}

/// A recorded client that is connected, and its connection.
fn connected(recording: Recording, config: Config) -> (Recorded, etcd_core::ConnId) {
    let mut client = Recorded::new(config, 1, Instant::ZERO);
    client.record(recording).expect("it is new");
    client.call(Instant::ZERO, Put::new("first", "1"));
    let Some(Output::Connect { conn, .. }) = client.poll_output() else {
        panic!("a connection")
    };
    client.handle_connected(Instant::ZERO, conn);
    flush(&mut client, conn);
    (client, conn)
}

/// The socket takes everything, one piece of `len` bytes after the other.
fn write_all(client: &mut Recorded, conn: etcd_core::ConnId, len: usize) {
    while !client.transmit(conn).is_empty() {
        client.handle_written(Instant::ZERO, conn, len);
    }
}

fn flush(client: &mut Recorded, conn: etcd_core::ConnId) {
    while client.poll_output().is_some() {}
    write_all(client, conn, usize::MAX);
}

/// The whole recording, which replays.
#[track_caller]
fn finished(client: &mut Recorded) -> String {
    while client.poll_output().is_some() {}
    client.finish_log();
    let log = String::from_utf8(client.take_log()).expect("a recording is text");
    match trace::replay(log.as_bytes()) {
        Ok(replayed) => assert!(replayed.is_complete),
        Err(error) => panic!("{error}"),
    }
    log
}

/// A secret in none of its forms: plain, base64 at any place, hex, percent.
#[track_caller]
fn hides(log: &str, secret: &str) {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let lower = log.to_ascii_lowercase();
    for form in [secret, &hex, &percent] {
        assert!(
            !lower.contains(&form.to_ascii_lowercase()),
            "{form} in\n{log}"
        );
    }
    for shift in 0..3 {
        let shifted = format!("{}{secret}", &"\0\0"[..shift]);
        let text = STANDARD.encode(shifted);
        // Without the letters that belong to its neighbours as well.
        let begin = shift.div_ceil(1) * 4 / 3 + usize::from(shift > 0);
        let middle = &text[begin..text.trim_end_matches('=').len() - 1];
        assert!(!log.contains(middle), "{secret} as {middle} in\n{log}");
    }
}

#[test]
fn a_life_with_everything_in_it_replays_and_says_no_secret() {
    let log = life();
    for kind in [
        "connect ",
        "transmit ",
        "close ",
        "pause ",
        "resume ",
        "answered ",
        "news of watch",
        "news of stream",
        "none",
        "sent ",
        "call ",
        "watch 1 created",
        "watch 1 events",
        "watch 1 resumed",
        "watch 1 end",
        "watch 1 nothing",
        "stream 1 chunk",
        "stream 1 end",
        "stream 2 leader",
        "stream 2 end",
        "stream 2 nothing",
    ] {
        assert!(
            log.contains(&format!("\n< {kind}")),
            "no {kind:?} in\n{log}"
        );
    }
    for secret in [
        "p4ssw0rd-of-root",
        "s3cret-value",
        "simple-t0ken.7",
        "simple-t0ken",
        "a-t0ken-of-mine",
    ] {
        hides(&log, secret);
    }
    assert!(log.contains("bm90IHNlY3JldA=="), "other values are there");
}

/// Guarantee G58.
#[test]
fn every_line_that_is_altered_is_the_first_difference() {
    let log = life();
    let lines: Vec<&str> = log.lines().collect();
    let mut kinds = 0;
    for (at, line) in lines.iter().enumerate().skip(2) {
        // Letters that are told by nothing but the text: the last digit or letter of an output.
        let Some(place) = line.rfind(|c: char| c.is_ascii_alphanumeric()) else {
            continue;
        };
        if !line.starts_with('<') && !line.starts_with("end") {
            continue;
        }
        kinds += 1;
        let other = if line[place..].starts_with('1') {
            "2"
        } else {
            "1"
        };
        let altered = format!("{}{other}{}", &line[..place], &line[place + 1..]);
        let mut all = lines.clone();
        all[at] = &altered;
        let text = all.join("\n") + "\n";
        match trace::replay(text.as_bytes()) {
            Err(ReplayError::Different(difference)) => {
                assert_eq!(difference.line, at as u64 + 1, "{altered}");
                assert_eq!(difference.expected, altered);
                assert_eq!(difference.got, *line);
                assert!(difference.before.last().is_some_and(|last| {
                    lines[at - 1].starts_with(last.trim_end_matches('…')) || at == 2
                }));
                let offset: usize = lines[..at].iter().map(|line| line.len() + 1).sum();
                assert_eq!(difference.offset, offset);
                assert!(difference.to_string().contains("replayed: "));
            }
            // A name that became another's.
            Err(ReplayError::Damaged { line: damaged, .. }) => {
                assert_eq!(damaged, at as u64 + 1, "{altered}");
            }
            other => panic!("{altered}: {other:?}"),
        }
    }
    assert!(kinds > 80, "{kinds}");
}

#[test]
fn a_line_left_out_or_said_twice_does_not_pass() {
    let log = life();
    let lines: Vec<&str> = log.lines().collect();
    for at in 2..lines.len() - 1 {
        let mut less = lines.clone();
        less.remove(at);
        let text = less.join("\n") + "\n";
        assert!(
            trace::replay(text.as_bytes()).is_err(),
            "without {}",
            lines[at]
        );
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        let text = more.join("\n") + "\n";
        assert!(
            trace::replay(text.as_bytes()).is_err(),
            "twice {}",
            lines[at]
        );
    }
}

#[test]
fn the_beginning_of_a_recording_replays_and_half_a_line_is_refused() {
    let log = life();
    let whole: Vec<usize> = log.match_indices('\n').map(|(at, _)| at + 1).collect();
    for end in &whole[1..] {
        let replayed = trace::replay(&log.as_bytes()[..*end]).unwrap();
        assert_eq!(replayed.is_complete, *end == log.len());
    }
    for (line, pair) in whole.windows(2).enumerate() {
        let cut = &log.as_bytes()[..pair[1] - 1];
        let Err(ReplayError::Damaged {
            line: at, offset, ..
        }) = trace::replay(cut)
        else {
            panic!("half a line passed")
        };
        assert_eq!((at, offset), (line as u64 + 2, pair[0]));
    }
}

#[test]
fn damage_is_refused_where_it_is() {
    let log = life();
    for (line, from, to, reason) in [
        (1, "recording 1", "recording 2", "begins with"),
        (2, "\"max_attempts\":100,", "", "max_attempts"),
        (2, "{\"now\":0,", "{\"now\":00,", "JSON"),
        (2, "{\"now\":0,", "{\"now\": 0,", "order"),
        (2, "http://a:2379", "file://a:2379", "scheme"),
        (3, "> 0 call", "> x call", "number"),
        (3, "> 0 call", "> 9223372036854775807 call", "146 years"),
        (3, " call Put", " call Pat", "no such call"),
        (3, " call Put", " rows Put", "no such input"),
        (3, "{}", "{\"x\":1}", "options"),
        (3, "\"key\"", "\"k\\ey\"", "bytes"),
        (3, "\"key\"", "\"\\x6bey\"", "bytes"),
    ] {
        let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
        let at = line - 1;
        // The first of its kind, for most are about a call.
        let place = match line {
            3 => lines
                .iter()
                .position(|line| line.contains(" call Put"))
                .unwrap(),
            _ => at,
        };
        assert!(lines[place].contains(from), "{from} in {}", lines[place]);
        lines[place] = lines[place].replacen(from, to, 1);
        let text = lines.join("\n") + "\n";
        match trace::replay(text.as_bytes()) {
            Err(ReplayError::Damaged {
                line, reason: why, ..
            }) => {
                assert_eq!(line, place as u64 + 1, "{why}");
                assert!(why.contains(reason), "{reason:?} is not in {why:?}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
    let behind = format!("{log}< none\n");
    let error = trace::replay(behind.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("behind the last line"), "{error}");
    for bytes in [&b""[..], b"\n", b"\xff", b"etcd-core recording 1\n"] {
        assert!(Replayer::new(bytes).is_err());
    }
}

/// Guarantee G40.
#[test]
fn secrets_are_hidden_wherever_answers_are_cut() {
    let value = "v4lue-to-hide";
    let bytes = answer(
        200,
        &format!(
            r#"{{"header":{{"revision":"5"}},"prev_kv":{{"key":"{}","value":"{}"}},"token":"t0ken-to-hide"}}"#,
            STANDARD.encode("/secret/a"),
            STANDARD.encode(value)
        ),
    );
    for at in 0..=bytes.len() {
        let recording = Recording::new().with_secret_prefix("/secret/");
        let (mut client, conn) = connected(recording, Config::new(["a"]).unwrap());
        client.handle_received(Instant::ZERO, conn, &bytes.as_bytes()[..at]);
        client.handle_received(Instant::ZERO, conn, &bytes.as_bytes()[at..]);
        let log = finished(&mut client);
        assert!(log.contains("answered 1 Put"), "{log}");
        // However they were cut, parts of it are together.
        hides(&log.replace("\n> 0 received 1 ", ""), value);
        hides(&log.replace("\n> 0 received 1 ", ""), "t0ken-to-hide");
    }
}

#[test]
fn secrets_are_hidden_wherever_streams_are_cut() {
    let value = "v4lue-to-hide";
    let kv = format!(
        r#"{{"key":"{}","mod_revision":"7","value":"{}"}}"#,
        STANDARD.encode("/secret/a"),
        STANDARD.encode(value)
    );
    // In chunks whose borders are inside of the value, too.
    let frame = format!(
        "{{\"result\":{{\"header\":{{\"revision\":\"7\"}},\"watch_id\":\"1\",\"events\":[{{\"kv\":{kv},\"prev_kv\":{kv}}}]}}}}\n"
    );
    let created = r#"{"result":{"header":{"revision":"5"},"watch_id":"1","created":true}}"#;
    let (front, back) = frame.split_at(frame.find("djRs").expect("base64") + 5);
    let bytes = [STREAM_HEAD, &chunk(created), &chunk(front), &chunk(back)].concat();
    for at in 0..=bytes.len() {
        let recording = Recording::new().with_secret_prefix("/secret/");
        let mut client = Recorded::new(Config::new(["a"]).unwrap(), 1, Instant::ZERO);
        client.record(recording).unwrap();
        let watch = client.watch(Instant::ZERO, Watch::prefix("/secret/"));
        let Some(Output::Connect { conn, .. }) = client.poll_output() else {
            panic!("a connection")
        };
        client.handle_connected(Instant::ZERO, conn);
        flush(&mut client, conn);
        client.handle_received(Instant::ZERO, conn, &bytes.as_bytes()[..at]);
        client.handle_received(Instant::ZERO, conn, &bytes.as_bytes()[at..]);
        while client.poll_watch(watch).is_some() {}
        let log = finished(&mut client);
        assert!(log.contains("< watch 1 events 7 {"), "{log}");
        hides(&log.replace("\n> 0 received 1 ", ""), value);
        // The borders of the chunks are gone as well.
        hides(
            &log.replace("\n> 0 received 1 ", "").replace("\\r\\n", ""),
            value,
        );
    }
}

#[test]
fn secrets_are_hidden_wherever_requests_are_cut() {
    for len in [1, 2, 3, 7, 50, 1 << 20] {
        let mut config = Config::new(["a"]).unwrap();
        config.add_header("X-Api-Key", "k3y-of-the-proxy").unwrap();
        config
            .set_credentials(Credentials::token("fixed-t0ken").unwrap().over_plain_http())
            .unwrap();
        let recording = Recording::new().with_secret_prefix("/secret/");
        let (mut client, conn) = connected(recording, config);
        client.handle_received(Instant::ZERO, conn, answer(200, "{}").as_bytes());
        macro_rules! say {
            ($($call:expr),* $(,)?) => {$(
                client.call(Instant::ZERO, $call);
                while client.poll_output().is_some() {}
                write_all(&mut client, conn, len);
                let body = if client.transmit(conn).is_empty() { "{}" } else { "" };
                client.handle_received(Instant::ZERO, conn, answer(200, body).as_bytes());
                while client.poll_output().is_some() {}
            )*};
        }
        say!(
            UserAdd::new("u", "p4ss\"word"),
            UserChangePassword::new("u", "ch4nged\\word"),
            Put::new("/secret/x", "v4lue-to-hide"),
            Proclaim::new(Default::default(), "pr0claimed"),
            HealthRequest::new(),
            Livez::new(),
        );
        client.set_credentials(
            Instant::ZERO,
            Some(
                Credentials::password("u", "an0ther-password")
                    .unwrap()
                    .over_plain_http(),
            ),
        );
        let log = finished(&mut client);
        if len > 1000 {
            for text in [
                "x-api-key: xxxxxxxxxxxxxxxx\\r\\n",
                "authorization: xxxxxxxxxxx\\r\\n",
                r#""password":"xxxxxxxxxx""#,
                r#""key":"L3NlY3JldC94","value":"AAAA"#,
                r#"{"user":"u","password":"xxxxxxxxxxxxxxxx","over_plain_http":true}"#,
            ] {
                assert!(log.contains(text), "no {text} in\n{log}");
            }
        }
        let joined = log.replace("\\\"", "\"").replace("\\\\", "\\");
        for secret in [
            "k3y-of-the-proxy",
            "fixed-t0ken",
            "p4ss\"word",
            "p4ss",
            "ch4nged",
            "v4lue-to-hide",
            "an0ther-password",
        ] {
            hides(&joined, secret);
        }
    }
}

#[test]
fn guarded_writes_are_replayed_with_the_answers_they_accept() {
    let (mut client, conn) = connected(Recording::new(), Config::new(["a"]).unwrap());
    client.handle_received(Instant::ZERO, conn, answer(200, "{}").as_bytes());
    // A transaction's answer that is none of theirs.
    let strange = answer(200, r#"{"succeeded":true}"#);
    client.call(Instant::ZERO, PutIfAbsent::new("k", "v"));
    flush(&mut client, conn);
    client.handle_received(Instant::ZERO, conn, strange.as_bytes());
    let log = finished(&mut client);
    assert!(log.contains(" call Txn/put "), "{log}");
    assert!(log.contains("< answered 2 error"), "{log}");

    let (mut client, conn) = connected(Recording::new(), Config::new(["a"]).unwrap());
    client.handle_received(Instant::ZERO, conn, answer(200, "{}").as_bytes());
    client.call(Instant::ZERO, DeleteIfUnchanged::new("k", 7));
    client.call(Instant::ZERO, CompareAndSwap::value("k", "old", "new"));
    flush(&mut client, conn);
    let right = answer(
        200,
        r#"{"succeeded":true,"responses":[{"response_delete_range":{"deleted":"1"}}]}"#,
    );
    client.handle_received(Instant::ZERO, conn, right.as_bytes());
    let log = finished(&mut client);
    assert!(log.contains(" call Txn/delete "), "{log}");
    assert!(log.contains("< answered 2 Txn {"), "{log}");
}

#[test]
fn a_recording_ends_at_its_bound_and_replays_to_there() {
    let whole = life();
    let mut config = Config::new(["a"]).unwrap();
    config.max_connections = 1;
    for most in (0..6000).step_by(97) {
        let (mut client, conn) = connected(Recording::new().with_max_bytes(most), config.clone());
        for _ in 0..10 {
            client.call(Instant::ZERO, Put::new("k", "v"));
        }
        client.handle_received(Instant::ZERO, conn, answer(200, "{}").as_bytes());
        client.watch(Instant::ZERO, Watch::key("k"));
        while client.poll_output().is_some() {}
        client.finish_log();
        let stats = client.log_stats().unwrap();
        let log = client.take_log();
        assert_eq!(stats.bytes, log.len() as u64);
        assert!(
            log.len() as u64 <= most.max(5),
            "{} above {most}",
            log.len()
        );
        if stats.is_full {
            assert!(log.ends_with(b"full\n"));
        }
        if log.len() > 1500 {
            let replayed = trace::replay(&log).unwrap();
            assert_eq!(replayed.is_complete, !stats.is_full);
        }
    }
    assert!(whole.ends_with('\n'));
}

#[test]
fn a_client_that_was_used_is_not_recorded() {
    let new = || Recorded::new(Config::new(["a"]).unwrap(), 1, Instant::ZERO);
    let mut client = new();
    client.set_credentials(Instant::ZERO, None);
    assert!(client.record(Recording::new()).is_err());
    let mut client = new();
    client.watch(Instant::ZERO, "k");
    assert!(client.record(Recording::new()).is_err());
    let mut client = new();
    client.shutdown(Instant::ZERO);
    assert!(client.record(Recording::new()).is_err());
    assert!(!format!("{client:?}").is_empty());
}

/// Drop a recording into the folder, and it is a test.
#[test]
fn recordings_in_the_folder_replay() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/transcripts");
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "rec") {
            continue;
        }
        count += 1;
        let recording = fs::read(&path).unwrap();
        if let Err(error) = trace::replay(&recording) {
            panic!("{}: {error}", path.display());
        }
    }
    assert!(count >= 2, "{count} recordings in {}", folder.display());
}
