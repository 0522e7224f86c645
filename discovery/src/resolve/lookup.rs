//! One name's records: which name server is asked when.
//!
//! Servers are asked one after the other, and those that kept silent once more with twice the patience, until
//! the time is up. One that answered what cannot be used is not asked again: it would say the same. That there is no
//! such name is an answer like any other, and ends the search. Nothing is known here of sockets and bytes.

use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use super::exchange;
use crate::error::LookupError;
use crate::srv::Srv;

/// The records of this name. It takes no longer than until the deadline.
pub(super) fn lookup(
    name: &str,
    nameservers: &[SocketAddr],
    deadline: Instant,
) -> Result<Vec<Srv>, LookupError> {
    let mut nameservers = nameservers.to_vec();
    let mut patience = patience(deadline, nameservers.len());
    let mut failure = LookupError::TimedOut;
    while !nameservers.is_empty() {
        let mut silent = Vec::new();
        for nameserver in nameservers {
            let now = Instant::now();
            if now >= deadline {
                return Err(failure);
            }
            let until = deadline.min(now + patience);
            match exchange::ask(name, nameserver, until) {
                Err(LookupError::TimedOut) => silent.push(nameserver),
                answer @ (Ok(_) | Err(LookupError::NotFound)) => return answer,
                Err(error) => failure = error,
            }
        }
        nameservers = silent;
        patience *= 2;
    }
    Err(failure)
}

/// How long each server is waited for at first: so that all of them can be asked twice, and no longer than
/// a lost packet is worth.
fn patience(deadline: Instant, nameservers: usize) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    let times = u32::try_from(nameservers.saturating_mul(2)).unwrap_or(u32::MAX);
    // Never nothing, or it could not be doubled.
    (left / times.max(1)).clamp(Duration::from_millis(1), FIRST_WAIT)
}

/// The longest first wait for a server.
const FIRST_WAIT: Duration = Duration::from_secs(1);
