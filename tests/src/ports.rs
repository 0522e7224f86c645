//! Two free loopback ports for one server, held until just before it starts.
//!
//! They are taken from below the range the system gives to outgoing connections: while a server
//! is down for a restart, a client that tries to reach it could otherwise be given that very
//! port as its own, connect to itself, and keep the server from coming back.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::net::Ipv4Addr;
use std::net::TcpListener;

/// The ports of one server, each held by a listener until `release`.
pub(crate) struct Ports {
    client: (TcpListener, u16),
    peer: (TcpListener, u16),
}

impl Ports {
    pub(crate) fn hold() -> io::Result<Self> {
        Ok(Self {
            client: free()?,
            peer: free()?,
        })
    }

    /// The port for clients.
    pub(crate) fn client(&self) -> u16 {
        self.client.1
    }

    /// The port for peers.
    pub(crate) fn peer(&self) -> u16 {
        self.peer.1
    }

    /// Lets go of both ports and tells the one for clients.
    pub(crate) fn release(self) -> u16 {
        self.client.1
    }
}

fn free() -> io::Result<(TcpListener, u16)> {
    let below = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(LOWEST);
    for attempt in 0..100_u64 {
        let Some(width) = u64::from(below)
            .checked_sub(u64::from(LOWEST))
            .filter(|w| *w >= 1000)
        else {
            break;
        };
        let offset = RandomState::new().hash_one(attempt) % width;
        let port = LOWEST + u16::try_from(offset).expect("less than a u16 less another");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok((listener, port));
        }
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Below this other services have their well-known ports.
const LOWEST: u16 = 10_000;
