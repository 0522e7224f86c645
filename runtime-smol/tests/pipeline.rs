//! Several requests ahead of their answers: how many writes they take.

use std::cell::Cell;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::rc::Rc;
use std::thread;

use etcd_smol::Client;
use etcd_smol::Config;
use smol::LocalExecutor;

/// How many callers there are, and how far requests go ahead.
const CALLERS: usize = 8;

/// Answers the requests of one connection, as many at a time as one read gave, and tells how many that were.
fn server(rounds: usize) -> (String, thread::JoinHandle<Vec<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one").to_string();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client comes");
        let mut buf = vec![0; 64 << 10];
        let mut seen = Vec::new();
        while seen.iter().sum::<usize>() < CALLERS * rounds {
            let len = stream.read(&mut buf).expect("it reads");
            assert_ne!(len, 0, "the client is not done: {seen:?}");
            let text = String::from_utf8_lossy(&buf[..len]);
            let requests = text.matches("POST /v3/kv/range").count();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"count\":\"1\"}";
            let answers = answer.repeat(requests);
            stream.write_all(answers.as_bytes()).expect("it writes");
            seen.push(requests);
        }
        seen
    });
    (address, served)
}

#[test]
fn tasks_that_are_answered_together_ask_together() {
    let rounds = 50;
    let (address, served) = server(rounds);
    let mut config = Config::new([&address]).expect("an address");
    config.max_connections = 1;
    config.pipeline_depth = CALLERS;
    let executor = LocalExecutor::new();
    let (client, driver) = Client::unspawned(config, 7);
    executor.spawn(driver).detach();
    let answered = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (client, answered) = (client.clone(), Rc::clone(&answered));
            executor.spawn(async move {
                for _ in 0..rounds {
                    assert_eq!(client.get("k").await.expect("an answer").count, 1);
                    answered.set(answered.get() + 1);
                }
            })
        })
        .collect();
    smol::block_on(executor.run(async {
        for task in tasks {
            task.await;
        }
    }));
    assert_eq!(answered.get(), CALLERS * rounds);
    assert_eq!(client.stats().connections_opened, 1);
    let seen = served.join().expect("the server is done");
    // One write a round, and some more where a task was late.
    assert!(seen.len() <= rounds + 10, "{seen:?}");
}
