//! What is measured, on the server at `$ETCD_ENDPOINTS`. `cargo xtask measure` builds this for
//! release, starts a server and runs it.
//!
//! One measurement a module. Each prints what was measured, what it is measured against in the same
//! run on the same server, and the target of the design next to it.

mod bare;
mod common;
mod idle;
mod pool;
mod unary;
mod wrk;

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut given = env::args().skip(1);
    let what = given.next().unwrap_or_default();
    let mut number = || -> Result<usize, Box<dyn Error>> {
        let text = given
            .next()
            .ok_or("measure WHAT ROUNDS CALLS, or SECONDS of a pool")?;
        Ok(text.parse::<usize>()?.max(1))
    };
    let (rounds, length) = (number()?, number()?);
    let endpoints = env::var("ETCD_ENDPOINTS").map_err(|_| "ETCD_ENDPOINTS is not set")?;
    let endpoint = endpoints.split(',').next().unwrap_or_default().trim();
    match what.as_str() {
        "idle" => idle::measure(endpoint),
        "pool" => pool::measure(endpoint, rounds, length),
        "unary" => unary::measure(endpoint, rounds, length),
        other => Err(format!("nothing called {other:?} is measured").into()),
    }
}
