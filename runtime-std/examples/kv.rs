//! Puts, reads, compares and deletes, in a blocking program.
//!
//! ```text
//! cargo run -p etcd-std --example kv -- [ENDPOINT…]
//! ```
//!
//! Endpoints come from the arguments, else from `ETCD_ENDPOINTS` (separated by commas), else it is
//! `http://127.0.0.1:2379`.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use etcd_std::Applied;
use etcd_std::Client;
use etcd_std::Compare;
use etcd_std::DeleteRange;
use etcd_std::Put;
use etcd_std::Range;
use etcd_std::Txn;

fn main() -> ExitCode {
    match run(&endpoints()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kv: {error}");
            // After a failed write there is one question that matters.
            if let Some(error) = error.downcast_ref::<etcd_std::Error>() {
                if error.applied() == Applied::Maybe {
                    eprintln!("kv: it may have happened all the same");
                }
            }
            ExitCode::FAILURE
        }
    }
}

fn run(endpoints: &[String]) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(endpoints)?;
    println!(
        "etcd {} at {}",
        client.status()?.version,
        endpoints.join(", ")
    );

    // A put answers with the revision it made.
    let revision = client.put("/example/kv/greeting", "hello")?.header.revision;
    println!("put at revision {revision}");

    // One key, and then all keys with a prefix.
    let one = client.get("/example/kv/greeting")?;
    for kv in &one.kvs {
        println!(
            "got {} = {}",
            kv.key.escape_ascii(),
            kv.value.escape_ascii()
        );
    }
    client.put("/example/kv/name", "world")?;
    let all = client.get(Range::prefix("/example/kv/").with_limit(10))?;
    println!("{} keys", all.kvs.len());

    // Only one program of many can win this.
    let txn = Txn::new()
        .when([Compare::version("/example/kv/leader").eq(0)])
        .and_then([Put::new("/example/kv/leader", "this program")]);
    match client.txn(txn)?.succeeded() {
        true => println!("leader"),
        false => println!("somebody else is leader"),
    }

    let deleted = client.delete(DeleteRange::prefix("/example/kv/"))?.deleted;
    println!("deleted {deleted} keys");
    Ok(())
}

fn endpoints() -> Vec<String> {
    let given: Vec<String> = env::args().skip(1).collect();
    if !given.is_empty() {
        return given;
    }
    let listed = env::var("ETCD_ENDPOINTS").unwrap_or_else(|_| "http://127.0.0.1:2379".to_owned());
    listed.split(',').map(str::to_owned).collect()
}
