//! A connection of the world: the link, and what is at its two ends.

use etcd_core::{ConnId, Instant};

use crate::etcd::AskId;
use crate::gateway::{ServerConn, Slot};
use crate::net::{Link, Way};

/// A connection and its ends.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) link: Link,
    /// Which member it leads to.
    pub(super) member: usize,
    /// The client's end, while it is open or opening. None also where something between client and
    /// member made the connection.
    pub(super) client: Option<ClientEnd>,
    /// The member's end, while it is open.
    pub(super) server: Option<ServerEnd>,
    /// Whether it came to be open.
    pub(super) is_open: bool,
    /// When something that arrives is looked at, each way.
    armed: [Option<Instant>; 2],
    /// Whether a sender that had to wait is going to look again, each way.
    writing: [bool; 2],
}

/// The client's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientEnd {
    pub(super) client: usize,
    pub(super) conn: ConnId,
    /// Whether the client does not read from it for now.
    pub(super) is_paused: bool,
}

/// The member's end.
#[derive(Debug)]
pub(super) struct ServerEnd {
    pub(super) conn: ServerConn,
    /// What its cluster was asked over it, as far as it may still answer.
    pub(super) asks: Vec<(Slot, AskId)>,
}

impl Wire {
    pub(super) const fn new(link: Link, member: usize, client: Option<ClientEnd>) -> Self {
        Self {
            link,
            member,
            client,
            server: None,
            is_open: false,
            armed: [None; 2],
            writing: [false; 2],
        }
    }

    /// When to look at what arrives, if not at that time anyway.
    pub(super) fn arm(&mut self, way: Way, now: Instant) -> Option<Instant> {
        let due = self.link.due(way)?.max(now);
        let armed = &mut self.armed[way as usize];
        if armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        *armed = Some(due);
        Some(due)
    }

    /// Whether this is the time it was to be looked at; no longer afterwards.
    pub(super) fn disarm(&mut self, way: Way, now: Instant) -> bool {
        let armed = &mut self.armed[way as usize];
        let is_time = *armed == Some(now);
        if is_time {
            *armed = None;
        }
        is_time
    }

    /// When a sender that had to wait looks again, if that is not arranged yet and makes sense now.
    pub(super) fn arrange_write(&mut self, way: Way, now: Instant) -> Option<Instant> {
        if self.writing[way as usize] {
            return None;
        }
        let at = self.link.next_write(way, now)?;
        self.writing[way as usize] = true;
        Some(at)
    }

    /// The sender looks now.
    pub(super) const fn begin_write(&mut self, way: Way) {
        self.writing[way as usize] = false;
    }

    /// Whether nobody is at either end.
    pub(super) const fn is_dead(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }
}
