//! The test server itself: what the scenarios on it may rely on.

use std::collections::BTreeSet;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use etcd_tests::Cluster;
use etcd_tests::Server;
use etcd_tests::find;
use etcd_tests::http;

#[test]
fn tells_its_version_and_is_gone_after_drop() {
    let server = Server::start().unwrap();
    let (port, pid, folder) = (
        server.client_port(),
        server.pid().unwrap(),
        server.folder().to_owned(),
    );
    assert_eq!(server.endpoint(), format!("http://127.0.0.1:{port}"));
    assert_eq!(
        server.version().unwrap(),
        find::version_of(&find::find().unwrap()).unwrap()
    );
    assert!(folder.join("etcd.log").is_file());

    drop(server);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn data_and_endpoint_survive_kill_stop_and_restart() {
    let mut server = Server::start().unwrap();
    let (endpoint, first) = (server.endpoint(), server.pid());
    put(&server, "Zm9v", "YmFy");

    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert!(TcpStream::connect(("127.0.0.1", server.client_port())).is_err());
    server.restart().unwrap();
    assert_ne!(server.pid(), first);
    assert_eq!(server.endpoint(), endpoint);
    assert!(range(&server, "Zm9v").contains(r#""value":"YmFy""#));

    put(&server, "Zm9v", "YmF6");
    server.stop().unwrap();
    assert_eq!(server.pid(), None);
    server.restart().unwrap();
    assert!(range(&server, "Zm9v").contains(r#""value":"YmF6""#));
}

#[test]
fn a_paused_server_accepts_and_does_not_answer() {
    let mut server = Server::start().unwrap();
    for _ in 0..5 {
        server.pause().unwrap();
        server.pause().unwrap();
        let paused = http::get(server.client_port(), "/version", Duration::from_millis(50));
        assert_eq!(paused.unwrap_err().kind(), io::ErrorKind::TimedOut);
        server.resume().unwrap();
        server.version().unwrap();
    }

    server.pause().unwrap();
    server.stop().unwrap();
    assert!(server.resume().is_err());
}

#[test]
fn connections_are_counted_by_the_process_that_dialled() {
    let server = Server::start().unwrap();
    // The gateway's connection to its own server is there from the first request on.
    put(&server, "Zm9v", "YmFy");
    let me = std::process::id();
    let before = server.connections_from(me);
    let open: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(("127.0.0.1", server.client_port())).unwrap())
        .collect();
    assert_eq!(server.connections_from(me) - before, 5);
    drop(open);
    assert_eq!(server.connections_from(me), before);

    let mut other = Command::new("true").spawn().unwrap();
    other.wait().unwrap();
    assert_eq!(server.connections_from(other.id()), 0);
}

#[test]
fn a_cluster_elects_another_leader_and_is_gone_after_drop() {
    let mut cluster = Cluster::start(3).unwrap();
    let ids: BTreeSet<_> = (0..3).map(|at| cluster.member_id(at).unwrap()).collect();
    assert_eq!((ids.len(), cluster.endpoints().len()), (3, 3));
    let leader = cluster.leader().unwrap();
    let (next, last) = ((leader + 1) % 3, (leader + 2) % 3);
    put(cluster.server(next), "Zm9v", "YmFy");
    assert!(range(cluster.server(last), "Zm9v").contains(r#""value":"YmFy""#));

    cluster.server_mut(leader).kill().unwrap();
    assert_ne!(cluster.leader().unwrap(), leader);
    cluster.start_again(leader).unwrap();
    cluster.settle().unwrap();
    assert!(range(cluster.server(leader), "Zm9v").contains(r#""value":"YmFy""#));

    cluster.server(next).pause().unwrap();
    let servers = (0..3).map(|at| cluster.server(at));
    let folders: Vec<_> = servers
        .map(|server| (server.pid().unwrap(), server.folder().to_owned()))
        .collect();
    drop(cluster);
    for (pid, folder) in folders {
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(!folder.exists());
    }
}

#[test]
fn a_start_that_goes_wrong_tells_the_end_of_the_log() {
    let etcd = find::find().unwrap();
    let error = Server::start_with(&etcd, &["--data-dir=/dev/null/data"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("ended with"), "{error}");
    assert!(error.contains("/dev/null"), "{error}");
    let log = error
        .split("the end of ")
        .nth(1)
        .and_then(|rest| rest.split(":\n").next())
        .unwrap();
    assert!(Path::new(log).is_file(), "{log}");
    std::fs::remove_dir_all(Path::new(log).parent().unwrap()).unwrap();
}

fn put(server: &Server, key: &str, value: &str) {
    let json = format!(r#"{{"key":"{key}","value":"{value}"}}"#);
    let answer = http::post(server.client_port(), "/v3/kv/put", &json, PATIENCE)
        .expect("a healthy server answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn range(server: &Server, key: &str) -> String {
    let json = format!(r#"{{"key":"{key}"}}"#);
    let answer = http::post(server.client_port(), "/v3/kv/range", &json, PATIENCE)
        .expect("a healthy server answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

const PATIENCE: Duration = Duration::from_secs(10);
