//! Prints the changes below a prefix until it is stopped, in a blocking program.
//!
//! ```text
//! cargo run -p etcd-std --example watch -- [PREFIX] [ENDPOINT…]
//! ```
//!
//! Without a prefix it watches every key. Endpoints come from the arguments, else from
//! `ETCD_ENDPOINTS` (separated by commas), else it is `http://127.0.0.1:2379`.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use etcd_std::Client;
use etcd_std::EventKind;
use etcd_std::KvEvent;
use etcd_std::Range;
use etcd_std::Watch;
use etcd_std::WatchEnd;
use etcd_std::WatchEvent;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let prefix = arguments.next().unwrap_or_default();
    let client = Client::connect(endpoints(arguments.collect()))?;

    // What is there now, and everything after it: the read's revision joins the two without a gap.
    let before = client.get(Range::prefix(prefix.as_str()))?;
    println!(
        "{} keys at revision {}",
        before.kvs.len(),
        before.header.revision
    );
    let after = before.header.revision + 1;
    let mut watcher = client.watch(Watch::prefix(prefix.as_str()).with_start_revision(after))?;

    while let Some(event) = watcher.next_event() {
        match event {
            WatchEvent::Batch(batch) => {
                for event in &batch.events {
                    print(batch.revision, event);
                }
            }
            WatchEvent::Resumed { from, endpoint } => {
                println!("connection lost; goes on from revision {from} at {endpoint}");
            }
            WatchEvent::End(WatchEnd::Canceled | WatchEnd::Shutdown) => break,
            WatchEvent::End(end) => return Err(end.into()),
            _ => {}
        }
    }
    Ok(())
}

fn print(revision: i64, event: &KvEvent) {
    let key = event.kv.key.escape_ascii();
    match event.kind {
        EventKind::Put => println!("{revision} put {key} = {}", event.kv.value.escape_ascii()),
        EventKind::Delete => println!("{revision} delete {key}"),
        _ => println!("{revision} {:?} {key}", event.kind),
    }
}

fn endpoints(given: Vec<String>) -> Vec<String> {
    if !given.is_empty() {
        return given;
    }
    let listed = env::var("ETCD_ENDPOINTS").unwrap_or_else(|_| "http://127.0.0.1:2379".to_owned());
    listed.split(',').map(str::to_owned).collect()
}
