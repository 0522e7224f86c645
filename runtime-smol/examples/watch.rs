//! Prints every change below a prefix, until it is stopped.
//!
//! ```text
//! cargo run -p etcd-smol --example watch -- PREFIX [ENDPOINT…]
//! ```
//!
//! Without endpoints they are those of `ETCD_ENDPOINTS` (separated by commas), or
//! `http://127.0.0.1:2379`. Stop and start the server meanwhile: no change is lost.

use std::env;
use std::error::Error;

use etcd_smol::{Client, EventKind, KvEvent, Watch, WatchEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let prefix = args.next().ok_or("usage: watch PREFIX [ENDPOINT…]")?;
    smol::block_on(async {
        let client = Client::connect(endpoints(args)).await?;
        let mut watcher = client.watch(Watch::prefix(prefix)).await?;
        println!("watching from revision {}", watcher.created_revision());

        while let Some(event) = watcher.next_event().await {
            match event {
                WatchEvent::Batch(batch) => {
                    for event in &batch.events {
                        println!("{}: {}", batch.revision, line(event));
                    }
                }
                WatchEvent::Resumed { from, endpoint } => {
                    println!("resumed from revision {from} at {endpoint}");
                }
                WatchEvent::End(end) => return Err(end.into()),
                _ => {}
            }
        }
        Ok(())
    })
}

/// One change, for people.
fn line(event: &KvEvent) -> String {
    let key = String::from_utf8_lossy(&event.kv.key);
    match event.kind {
        EventKind::Delete => format!("{key} deleted"),
        _ => format!("{key} = {}", String::from_utf8_lossy(&event.kv.value)),
    }
}

/// The given endpoints, or those of the environment, or the one that etcd has by default.
fn endpoints(args: impl Iterator<Item = String>) -> Vec<String> {
    let args: Vec<String> = args.collect();
    if !args.is_empty() {
        return args;
    }
    match env::var("ETCD_ENDPOINTS") {
        Ok(list) => list.split(',').map(str::to_owned).collect(),
        Err(_) => vec!["http://127.0.0.1:2379".to_owned()],
    }
}
