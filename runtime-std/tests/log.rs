//! The feature `log`: notices come to the logger of the program.

mod common;

use std::net::TcpListener;
use std::sync::Mutex;

use common::Server;
use etcd_std::Balance;
use etcd_std::Client;
use etcd_std::Config;

/// What was logged.
static LINES: Mutex<Vec<(log::Level, String)>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "etcd" {
            let line = (record.level(), record.args().to_string());
            LINES.lock().expect("nobody panics").push(line);
        }
    }

    fn flush(&self) {}
}

#[test]
fn notices_are_logged_with_their_levels() {
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let server = Server::start(common::echo);
    let mut config = Config::new([dead.clone(), server.endpoint()]).unwrap();
    config.balance = Balance::Priority;
    let client = Client::with_notices(config, etcd_std::to_log);
    client.get("foo").unwrap();
    drop(client);

    let lines = LINES.lock().unwrap();
    let has = |level, begin: &str| {
        let found = lines.iter().find(|(_, line)| line.starts_with(begin));
        assert_eq!(found.map(|(level, _)| *level), Some(level), "{lines:?}");
    };
    has(
        log::Level::Warn,
        &format!("{dead}: healthy before, suspect"),
    );
    has(log::Level::Info, &format!("conn 1: not opened to {dead}"));
    has(log::Level::Debug, "call 1: attempt 1 of Range at");
}
