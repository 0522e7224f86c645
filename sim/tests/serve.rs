//! `etcd-sim serve` as a process: three members, one store, and data that outlive a kill.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that is killed, and a folder that is removed, with the test.
struct Served {
    process: Child,
    members: Vec<SocketAddr>,
    folder: PathBuf,
}

impl Served {
    fn start(folder: PathBuf, members: &[SocketAddr]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etcd-sim"));
        command.args(["serve", "--members", "3", "--seed", "1", "--data-dir"]);
        command.arg(&folder).stdout(Stdio::piped());
        for member in members {
            command.args(["--listen", &member.to_string()]);
        }
        let mut process = command.spawn().expect("it can be run");
        let said = BufReader::new(process.stdout.take().expect("it was piped"));
        let members = said.lines().take(3).map(|line| {
            let line = line.expect("text");
            let (_, address) = line.split_once("http://").expect("an address");
            address.parse().expect("an address")
        });
        let members = members.collect();
        Self {
            process,
            members,
            folder,
        }
    }

    /// The body of the answer of a member, once it answers well.
    fn ask(&self, member: usize, path: &str, json: &str) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = exchange(self.members[member], path, json);
            match answer.split_once("\r\n\r\n") {
                Some((head, body)) if head.starts_with("HTTP/1.0 200 ") => return body.to_owned(),
                _ => assert!(Instant::now() < until, "{answer}"),
            }
            // It may still elect its leader.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn members_stop_stand_still_and_join_by_order() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etcd-sim"));
    command.args(["serve", "--members", "3", "--seed", "1", "--orders"]);
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be run");
    let mut orders = process.stdin.take().expect("it was piped");
    let said = BufReader::new(process.stdout.take().expect("it was piped"));
    let mut said = said.lines().map(|line| line.expect("text"));
    let address = |line: String| -> SocketAddr {
        let (_, address) = line.split_once("http://").expect("an address");
        address.parse().expect("an address")
    };
    let members = (0..3)
        .map(|_| address(said.next().expect("a line")))
        .collect();
    let folder = PathBuf::new();
    let mut served = Served {
        process,
        members,
        folder,
    };
    let mut order = |line: &str| {
        writeln!(orders, "{line}").expect("it reads");
        said.next().expect("an answer")
    };

    let list = served.ask(0, "/v3/cluster/member/list", "{}");
    for member in &served.members {
        assert!(list.contains(&format!("http://{member}")), "{list}");
    }
    assert_eq!(order("stop 2"), "member 2 is stopped");
    TcpStream::connect(served.members[2]).expect_err("nobody listens");
    served.ask(0, "/v3/kv/put", r#"{"key":"Zm9v","value":"YmFy"}"#);
    assert!(order("start 2").starts_with("member 2 is at "));
    assert_eq!(order("start 2"), "error: member 2 runs already");
    let range = served.ask(2, "/v3/kv/range", r#"{"key":"Zm9v"}"#);
    assert!(range.contains(r#""value":"YmFy""#), "{range}");

    assert_eq!(order("pause 1"), "member 1 stands still");
    let mut still = TcpStream::connect(served.members[1]).expect("the system accepts");
    still
        .write_all(b"GET /version HTTP/1.0\r\n\r\n")
        .expect("there is room");
    let short = Some(Duration::from_millis(100));
    still.set_read_timeout(short).expect("it can be set");
    still.read_exact(&mut [0]).expect_err("nobody answers");
    assert_eq!(order("resume 1"), "member 1 goes on");
    still.set_read_timeout(None).expect("it can be set");
    still.read_exact(&mut [0]).expect("an answer");

    let peer = "http://127.0.0.1:1";
    let join = format!("join {peer} 127.0.0.1:0 late");
    assert_eq!(
        order(&join),
        format!("error: nobody added a member at {peer}")
    );
    let add = format!(r#"{{"peerURLs":["{peer}"],"isLearner":true}}"#);
    served.ask(0, "/v3/cluster/member/add", &add);
    served.members.push(address(order(&join)));
    let status = served.ask(3, "/v3/maintenance/status", "{}");
    assert!(status.contains(r#""isLearner":true"#), "{status}");
    assert_eq!(order("stop 7"), "error: there is no member 7");
    assert!(order("stop me").starts_with("error: "));

    drop(orders);
    assert!(served.process.wait().expect("it ends").success());
}

fn exchange(to: SocketAddr, path: &str, json: &str) -> String {
    let len = json.len();
    let request = format!("POST {path} HTTP/1.0\r\nHost: h\r\nContent-Length: {len}\r\n\r\n{json}");
    let mut answer = String::new();
    let mut stream = TcpStream::connect(to).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn members_share_their_store_and_find_it_again_after_a_kill() {
    let folder = std::env::temp_dir().join(format!("etcd-sim-served-{}", std::process::id()));
    let mut served = Served::start(folder, &[]);
    assert_eq!(served.members.len(), 3);
    let put = served.ask(0, "/v3/kv/put", r#"{"key":"Zm9v","value":"YmFy"}"#);
    assert!(put.contains(r#""revision":"2""#), "{put}");
    for member in 0..3 {
        let range = served.ask(member, "/v3/kv/range", r#"{"key":"Zm9v"}"#);
        assert!(range.contains(r#""value":"YmFy""#), "{range}");
    }

    // Twice, since the second process finds what the first two wrote.
    for (revision, value) in [(3, "YmF6"), (4, "cXV4")] {
        served.kill();
        let members = served.members.clone();
        let folder = served.folder.clone();
        served = Served::start(folder, &members);
        assert_eq!(served.members, members);
        let put = format!(r#"{{"key":"Zm9v","value":"{value}","prev_kv":true}}"#);
        let put = served.ask(1, "/v3/kv/put", &put);
        assert!(
            put.contains(&format!(r#""revision":"{revision}""#)),
            "{put}"
        );
        let range = served.ask(2, "/v3/kv/range", r#"{"key":"Zm9v"}"#);
        assert!(range.contains(&format!(r#""value":"{value}""#)), "{range}");
    }
    served.kill();
    std::fs::remove_dir_all(&served.folder).expect("it is there");
}
