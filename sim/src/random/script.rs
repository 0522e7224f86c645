//! A run as data: how the world is, and what is commanded and done to it at which time.

use core::fmt;
use core::time::Duration;

use etcd_core::bytes::Bytes;
use etcd_core::{Observe, Range, Watch, WatchOptions};

use crate::check::{Asked, Kept};
use crate::etcd::Setup;
use crate::net::Shape;
use crate::world::{Act, Pace};

/// A run as data.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Script {
    /// Where it is from, and the seed of its world.
    pub seed: u64,
    /// How the cluster is.
    pub setup: Setup,
    /// How the clients are.
    pub clients: Vec<ClientKnobs>,
    /// Whether users have to log in. One more client comes after the others then, that of root: it adds
    /// the users before anything else happens.
    pub has_users: bool,
    /// How long commands and faults go on.
    pub busy: Duration,
    /// What happens, by time.
    pub lines: Vec<Line>,
    /// A bug on purpose in every client.
    #[cfg(feature = "planted")]
    pub planted: Option<etcd_core::Planted>,
}

/// What differs between clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientKnobs {
    /// The members it knows, in its order.
    pub members: Vec<usize>,
    /// `Config::max_connections`.
    pub connections: usize,
    /// `Config::pipeline_depth`.
    pub pipeline_depth: usize,
    /// `Config::max_watches_per_connection`.
    pub watches_per_connection: usize,
    /// `Limits::watch_buffer_bytes`.
    pub watch_buffer_bytes: usize,
    /// `Config::idle_limit`.
    pub idle_limit: Duration,
    /// Who it is, in a world with users; none has no credentials.
    pub user: Option<User>,
}

/// A user of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum User {
    /// May do everything.
    Root,
    /// May read and write all keys.
    Full,
    /// May read and write what begins with `k`.
    Part,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// When.
    pub at: Duration,
    /// What.
    pub order: Order,
}

/// What happens. Clients are counted from 0; their calls and watches in the order of the orders, so
/// that leaving out others does not change what is meant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Order {
    /// A call.
    Call {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
        /// What it asks for.
        asked: Asked,
        /// Its deadline, if not the usual.
        timeout: Option<Duration>,
    },
    /// A read at a revision of the past.
    ReadBack {
        /// By whom.
        client: usize,
        /// What.
        range: Range,
        /// Of when.
        since: Since,
    },
    /// A compaction.
    Compact {
        /// By whom.
        client: usize,
        /// Up to when.
        since: Since,
    },
    /// A call is called off.
    CancelCall {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
    },
    /// A watch.
    Watch {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
        /// What is watched.
        watch: Watch,
        /// What else it is told.
        options: WatchOptions,
        /// Since when.
        since: Since,
        /// How fast it is read.
        pace: Pace,
    },
    /// A watch is canceled.
    CancelWatch {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
    },
    /// Progress of a watch is asked for.
    AskProgress {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
    },
    /// A watch is read at another pace.
    SetPace {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
        /// How fast.
        pace: Pace,
    },
    /// What a lock or a campaign got is given back, if it got something.
    Release {
        /// By whom.
        client: usize,
        /// The call's number in the script.
        number: usize,
    },
    /// Who won a campaign says something, if it did.
    Proclaim {
        /// By whom.
        client: usize,
        /// The campaign's number in the script.
        number: usize,
        /// What.
        value: Bytes,
    },
    /// A snapshot.
    Snapshot {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
    },
    /// An observation of an election.
    Observe {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
        /// Of which.
        observe: Observe,
    },
    /// A snapshot or an observation is canceled.
    CancelStream {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
    },
    /// A lease is kept alive.
    Keep {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
        /// Which, and since when.
        asked: Kept,
    },
    /// A lease is not kept alive any more.
    ReleaseLease {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
    },
    /// A kept lease is revoked.
    RevokeLease {
        /// By whom.
        client: usize,
        /// Its number in the script.
        number: usize,
    },
    /// Something is done to the world.
    Act(Act),
}

/// A revision, seen from what is known when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Since {
    /// From now on.
    Now,
    /// The first there ever was.
    First,
    /// So many before the newest that any client was told.
    Back(i64),
    /// So many after it.
    Ahead(i64),
}

impl Since {
    /// The revision, where `known` is the newest one known. 0 is from now on.
    pub(super) fn revision(self, known: i64) -> i64 {
        match self {
            Self::Now => 0,
            Self::First => 1,
            Self::Back(by) => (known - by).max(1),
            Self::Ahead(by) => known + by,
        }
    }
}

impl Script {
    /// How many bytes can be under way on one connection.
    pub(super) fn window(&self) -> usize {
        let set = self.lines.iter().find_map(|line| match &line.order {
            Order::Act(Act::Shape(_, shape)) => Some(shape.window),
            _ => None,
        });
        set.unwrap_or_else(|| Shape::default().window)
    }

    /// The script with these of its lines only, counted from 0.
    #[must_use]
    pub fn only(mut self, lines: &[usize]) -> Self {
        let kept = lines.iter().filter_map(|place| self.lines.get(*place));
        self.lines = kept.cloned().collect();
        self
    }
}

/// The script as text, for people.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setup = &self.setup;
        writeln!(
            f,
            "seed {}: {} members of {}, {} clients, {} lines in {:?}",
            self.seed,
            setup.members,
            setup.version,
            self.clients.len(),
            self.lines.len(),
            self.busy
        )?;
        writeln!(f, "  defects: {:?}", setup.defects)?;
        if self.has_users {
            let ttl = setup.token_ttl;
            let root = self.clients.len();
            writeln!(
                f,
                "  users log in, tokens last {ttl:?}; client {root} is root's"
            )?;
        }
        for (place, client) in self.clients.iter().enumerate() {
            writeln!(f, "  client {place}: {client:?}")?;
        }
        for line in &self.lines {
            let order = short(&format!("{:?}", line.order));
            writeln!(f, "  {:>12?}  {order}", line.at)?;
        }
        Ok(())
    }
}

/// The text without what fills up values, and without what is as usual.
fn short(text: &str) -> String {
    const USUAL: [&str; 14] = [
        ", lease: 0",
        ", prev_kv: false",
        ", ignore_value: false",
        ", ignore_lease: false",
        ", limit: 0",
        ", revision: 0",
        ", sort_order: None, sort_target: Key",
        ", serializable: false",
        ", keys_only: false",
        ", count_only: false",
        ", min_mod_revision: 0, max_mod_revision: 0",
        ", min_create_revision: 0, max_create_revision: 0",
        ", start_revision: 0",
        ", watch_id: 0",
    ];
    let mut short = String::new();
    let mut dots = 0;
    for letter in text.chars() {
        dots = if letter == '.' { dots + 1 } else { 0 };
        match dots {
            0..=3 => short.push(letter),
            4 => short.push('…'),
            _ => {}
        }
    }
    for usual in USUAL {
        short = short.replace(usual, "");
    }
    short
}
