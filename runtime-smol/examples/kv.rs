//! Puts a key, reads it, changes it in a transaction, deletes it.
//!
//! ```text
//! cargo run -p etcd-smol --example kv -- [ENDPOINT…]
//! ```
//!
//! Without arguments the endpoints are those of `ETCD_ENDPOINTS` (separated by commas), or
//! `http://127.0.0.1:2379`.

use std::env;
use std::error::Error;

use etcd_smol::{Client, Compare, Put, Txn};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let client = Client::connect(endpoints(env::args().skip(1))).await?;

        let put = client.put("greeting", "hello").await?;
        println!("put at revision {}", put.header.revision);

        let answer = client.get("greeting").await?;
        for kv in &answer.kvs {
            println!(
                "{} = {} (version {})",
                kv.key_str()?,
                kv.value_str()?,
                kv.version
            );
        }

        // Only if nobody has changed it since it was put.
        let txn = Txn::new()
            .when([Compare::mod_revision("greeting").eq(put.header.revision)])
            .and_then([Put::new("greeting", "hello again")]);
        if client.txn(txn).await?.succeeded() {
            println!("changed");
        } else {
            println!("somebody else was faster");
        }

        let deleted = client.delete("greeting").await?;
        println!("deleted {}", deleted.deleted);
        Ok(())
    })
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
