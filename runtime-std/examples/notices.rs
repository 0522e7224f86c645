//! What a client does by itself, line by line: one of its endpoints is dead, and it says how it finds out.
//!
//! ```text
//! cargo run -p etcd-std --example notices -- [ENDPOINT…]
//! ```
//!
//! Endpoints come from the arguments, else from `ETCD_ENDPOINTS` (separated by commas), else it is
//! `http://127.0.0.1:2379`. The dead one is added before them.

use std::env;
use std::error::Error;
use std::net::TcpListener;

use etcd_std::Balance;
use etcd_std::Client;
use etcd_std::Config;
use etcd_std::Watch;

fn main() -> Result<(), Box<dyn Error>> {
    let mut all = endpoints();
    all.insert(0, nobody()?);
    let mut config = Config::new(all)?;
    config.balance = Balance::Priority;
    let client = Client::with_notices(config, |notice| {
        let millis = notice.at.as_nanos() / 1_000_000;
        println!("{millis:>6} ms {:<5} {notice}", notice.level());
    });

    client.put("/example/notices", "hello")?;
    let watcher = client.watch(Watch::key("/example/notices"))?;
    drop(watcher);

    let stats = client.stats();
    println!(
        "{} requests over {} connections; {} could not be opened, {} endpoint suspect",
        stats.requests,
        stats.connections_opened,
        stats.connections_failed,
        stats.endpoints_unhealthy
    );
    Ok(())
}

/// An endpoint at which nobody listens.
fn nobody() -> Result<String, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}", listener.local_addr()?))
}

fn endpoints() -> Vec<String> {
    let given: Vec<String> = env::args().skip(1).collect();
    if !given.is_empty() {
        return given;
    }
    let named = env::var("ETCD_ENDPOINTS").unwrap_or_else(|_| "http://127.0.0.1:2379".to_owned());
    named.split(',').map(str::to_owned).collect()
}
