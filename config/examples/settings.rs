//! A client of what a file and the environment say.

use std::env;
use std::error::Error;
use std::fs;

use etcd_config::Settings;
use etcd_std::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let file = match env::args().nth(1) {
        Some(path) => Settings::from_toml(&fs::read_to_string(path)?)?,
        None => Settings::from_json(r#"{"endpoints": "http://127.0.0.1:2379"}"#)?,
    };
    // What comes first is stronger.
    let settings = Settings::from_vars(env::vars_os())?.or(file);
    let client = match settings.tls()? {
        Some(tls) => Client::with_tls(settings.config()?, tls),
        None => Client::with_config(settings.config()?),
    };
    println!("{settings:#?}");
    println!("{:?}", client.version()?);
    Ok(())
}
