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
