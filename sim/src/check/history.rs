//! What happened in a world, in one list: what its users commanded and were told, and what the
//! cluster really did.
//!
//! Who runs a world writes it; the checkers only read it. Ids are plain numbers, as the core's own
//! cannot be made by hand. Nothing in it depends on how anything travelled.

use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;

use bytes::Bytes;
use etcd_core::{
    Error, Instant, KeepAlive, KvEvent, LeaseEvent, LeaseGrant, LeaseKeepAlive, Response,
    StreamEvent, Watch, WatchEvent, WatchOptions,
};

use crate::etcd::{AskId, Request};

/// What happened in a world.
///
/// ```
/// use etcd_core::{Instant, Put};
/// use etcd_sim::check::{Asked, History, What};
///
/// let mut history = History::default();
/// let put = Asked::from(Put::new("k", "v"));
/// history.add(Instant::ZERO, 0, What::CallStarted { call: 1, asked: put, deadline: None });
/// assert_eq!(history.events.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct History {
    /// What clients' users did and were told, in the order in which it happened. Of two events at the
    /// same time the order of the list counts.
    pub events: Vec<Event>,
    /// What the cluster really did.
    pub truth: Truth,
    /// Whether the run went on until nothing was under way: every call has to have its outcome then.
    pub is_complete: bool,
    /// Clients whose users may read and write all keys, all the time, and whose servers say why they
    /// refuse: nothing is denied to them.
    pub full: BTreeSet<usize>,
}

impl History {
    /// Notes what happened at a client.
    pub fn add(&mut self, at: Instant, client: usize, what: What) {
        self.events.push(Event { at, client, what });
    }
}

/// One thing that happened at a client.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "who runs a world makes them")]
pub struct Event {
    /// When, in virtual time.
    pub at: Instant,
    /// Which client, counted from 0.
    pub client: usize,
    /// What.
    pub what: What,
}

/// What a user did with a client, or was told by it. Calls, watches and streams are named by the
/// client's own ids as numbers.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a checker that does not know an event cannot judge"
)]
pub enum What {
    /// A call was started.
    CallStarted {
        /// Its id.
        call: u64,
        /// What it asks for.
        asked: Asked,
        /// When its outcome is due at the latest; none if it may wait for ever.
        deadline: Option<Instant>,
    },
    /// The caller called it off.
    CallCanceled {
        /// Its id.
        call: u64,
    },
    /// A call's outcome was told.
    CallEnded {
        /// Its id.
        call: u64,
        /// How it ended.
        result: Box<Result<Response, Error>>,
    },
    /// A watch was started.
    WatchOpened {
        /// Its id.
        watch: u64,
        /// What it watches.
        request: Watch,
        /// What else it was told.
        options: WatchOptions,
    },
    /// Progress was asked for.
    ProgressAsked {
        /// The watch's id.
        watch: u64,
    },
    /// The user canceled a watch.
    WatchCanceled {
        /// Its id.
        watch: u64,
    },
    /// A watch's user took this from it.
    WatchTold {
        /// Its id.
        watch: u64,
        /// What came.
        event: WatchEvent,
    },
    /// A snapshot or an observation was started.
    StreamOpened {
        /// Its id.
        stream: u64,
        /// What it is.
        asked: Streamed,
    },
    /// The user canceled it.
    StreamCanceled {
        /// Its id.
        stream: u64,
    },
    /// The user took this from it.
    StreamTold {
        /// Its id.
        stream: u64,
        /// What came.
        event: StreamEvent,
    },
    /// A lease is to be kept alive.
    LeaseKept {
        /// The id of the keeping.
        kept: u64,
        /// What was asked for.
        asked: Kept,
    },
    /// The user does not want a lease to be kept any more.
    LeaseReleased {
        /// The id of the keeping.
        kept: u64,
    },
    /// The user wants a kept lease to be revoked.
    LeaseRevoked {
        /// The id of the keeping.
        kept: u64,
    },
    /// The user took this from a lease that is kept alive.
    LeaseTold {
        /// The id of the keeping.
        kept: u64,
        /// Which lease it is, 0 if that is not known.
        lease: i64,
        /// What came.
        event: LeaseEvent,
    },
    /// The client sent the first byte of a login.
    LoginSent {
        /// Whether the one before was answered, or its connection had ended.
        is_alone: bool,
        /// How many connections of the client had ended by then.
        ended: u64,
    },
    /// The client was shut down.
    ShutDown,
    /// The client's clock jumps ahead by so much now, as when its machine wakes up: what would have
    /// been due meanwhile is due at once.
    Jumped {
        /// By how much.
        by: Duration,
    },
    /// The client's process stands still for so long from now on: what is due meanwhile comes late.
    Froze {
        /// For how long.
        time: Duration,
    },
}

/// What is delivered piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "who runs a world makes them")]
pub enum Streamed {
    /// A snapshot.
    Snapshot,
    /// An observation of the election of this name.
    Observation(Bytes),
}

/// What is asked for of a lease that is kept alive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "who runs a world makes them")]
pub enum Kept {
    /// A new one.
    Granted(LeaseGrant),
    /// One that exists already.
    TakenOver(KeepAlive),
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "who runs a world makes them")]
pub enum Asked {
    /// Anything with a path of its own.
    Call(Request),
    /// A renewal, which travels on a stream.
    Renewal(LeaseKeepAlive),
}

impl<T: Into<Request>> From<T> for Asked {
    fn from(request: T) -> Self {
        Self::Call(request.into())
    }
}

/// What a cluster really did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Truth {
    /// Every change, in the order in which the cluster agreed on them.
    pub changes: Vec<Change>,
    /// What was asked by each of the asks that `changes` names. Those without an entry are of nobody
    /// whose calls are judged.
    pub asks: BTreeMap<AskId, Request>,
    /// When members forgot tokens by themselves: as they were stopped, or told to.
    pub forgotten: Vec<Instant>,
    /// How many members the cluster began with.
    pub members: usize,
}

/// One thing a cluster agreed on.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "who runs a world makes them")]
pub struct Change {
    /// When it was agreed on: nobody can have known it before.
    pub at: Instant,
    /// The store's revision after it.
    pub revision: i64,
    /// Whose request it is; none if the cluster did it by itself, as when a lease ends.
    pub ask: Option<AskId>,
    /// What changed.
    pub what: Changed,
}

/// What changed in a cluster.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a checker that does not know a change cannot judge"
)]
pub enum Changed {
    /// Keys, all at the change's revision and in the order of its operations.
    Kv(Vec<KvEvent>),
    /// The history before this revision is gone.
    Compacted(i64),
    /// A lease began.
    LeaseGranted {
        /// Its id.
        id: i64,
        /// How many seconds it lasts.
        ttl: i64,
    },
    /// A lease was revoked; the deletes of its keys are a change of their own, at the same place.
    LeaseRevoked {
        /// Its id.
        id: i64,
    },
    /// A lease ended since its time was up; as for a revoked one.
    LeaseExpired {
        /// Its id.
        id: i64,
    },
    /// Users or roles, or whether they count; also reading them, and a login.
    Auth,
    /// Something that is not judged: members, alarms, what had no effect.
    Other,
}
