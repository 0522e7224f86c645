//! Every call under way, and the connections that wait for one.
//!
//! Queues by lane, and who wants the answer. Why a call moves is not known here.

use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use super::ahead::Shared;
use crate::api::Rpc;
use crate::client::auth::Refreshes;
use crate::client::notice::Choice;
use crate::client::notice::Reason;
use crate::client::retry::Class;
use crate::conn::Lane;
use crate::error::Cause;
use crate::error::Status;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::KeepAliveId;
use crate::id::WatchId;
use crate::time::Instant;
use crate::wire::Purpose;
use crate::wire::gateway::Encoded;

/// Every call under way, and the connections that wait for one.
#[derive(Debug, Default)]
pub(in crate::client) struct Calls {
    pub(super) table: BTreeMap<CallId, Pending>,
    /// The waiting ones, in their order, by the connections they may go on.
    pub(super) queues: BTreeMap<Lane, VecDeque<CallId>>,
    /// Open connections for calls without a call on them, the last used at the end.
    pub(super) idle: Vec<ConnId>,
    /// The same for calls that wait for somebody else.
    pub(super) idle_waits: Vec<ConnId>,
    /// Those with calls on them that others may join.
    pub(super) shared: Shared,
    /// Those that wait for the budget.
    pub(super) held: BTreeSet<CallId>,
    /// How many of the table are on lanes of waits.
    pub(super) waits: usize,
    /// How many of the table are for leases that are kept alive, or for watches.
    pub(super) kept: usize,
}

/// One call.
#[derive(Debug)]
pub(in crate::client) struct Pending {
    pub(super) request: Encoded,
    /// The lease, if it is a renewal.
    pub(super) lease: Option<i64>,
    /// The id that was chosen here for the lease it grants.
    pub(super) drawn: Option<i64>,
    pub(super) class: Class,
    pub(super) lane: Lane,
    pub(super) owner: Owner,
    /// None once a call that waits was sent.
    pub(super) deadline: Option<Instant>,
    /// What is left of it while it is not sent, for a call whose answer may take as long as it takes.
    pub(super) sent_within: Option<Duration>,
    pub(super) state: State,
    /// How long the server may be silent before the call is made elsewhere, and until when that is now;
    /// set for leases that are kept alive (rule L-5), and where another endpoint could do it (G43).
    pub(super) patience: Option<Duration>,
    pub(super) patient_until: Option<Instant>,
    /// It goes on a connection of its own from now on, as one that it shared was lost.
    pub(super) is_apart: bool,
    /// How often it was started on a connection.
    pub(super) attempts: u32,
    /// The newest revision that was known when it was last started.
    pub(super) known: i64,
    /// No earlier than this the last attempt was sent.
    pub(super) sent_at: Instant,
    /// The same for the first one that may have had an effect without telling, if one may.
    pub(super) in_doubt_since: Option<Instant>,
    /// What ended the last attempt, if that had no answer.
    pub(super) last_cause: Option<Cause>,
    /// What ended it otherwise: a refusal for a reason that passes.
    pub(super) last_refusal: Option<Status>,
    /// How many new tokens were asked for because of it.
    pub(super) refreshes: Refreshes,
    /// Where it was last started, and what is told of that; nothing else asks for these.
    pub(super) asked: Option<EndpointIndex>,
    pub(super) choice: Choice,
    /// Why its last attempt came to nothing, while notices are on.
    pub(super) failed: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    /// It was refused, and is made again then.
    Resting(Instant),
    /// The server's version is asked for on the connection the call will be sent on.
    Asking(ConnId),
    Sent(ConnId),
}

/// Who wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Owner {
    User,
    /// The connection whose server's version is asked for.
    VersionOf(ConnId),
    /// The client itself, for what that endpoint has before its paths.
    Prefix(EndpointIndex),
    /// The client itself, for a token that this member knows.
    Login(EndpointIndex),
    /// The client itself, to see whether that endpoint serves again.
    Probe(EndpointIndex),
    /// The client itself, to learn who leads.
    Leader,
    /// The client itself, for the cluster's members.
    Sync,
    /// A lease that is kept alive.
    Lease(KeepAliveId),
    /// A watch that reads its range after a compaction.
    Resync(WatchId),
}

impl Owner {
    /// Whether its calls do not count against the limit of calls.
    pub(super) const fn is_kept(self) -> bool {
        matches!(
            self,
            Self::Lease(_) | Self::Resync(_) | Self::Leader | Self::Sync | Self::Prefix(_)
        )
    }

    /// Whether the client asks for itself, and once, what an endpoint has to say.
    pub(super) const fn is_question(self) -> bool {
        matches!(self, Self::Probe(_) | Self::Leader)
    }
}

impl Pending {
    /// Whether another attempt is left to it. What the client asks for itself has waits of its own
    /// (guarantee G39), or is asked once.
    pub(super) const fn may_try_again(&self, max_attempts: u32) -> bool {
        let is_own = self.owner.is_question() || matches!(self.owner, Owner::Login(_));
        !is_own && self.attempts < max_attempts
    }

    /// Whether an earlier attempt may have had an effect.
    pub(super) const fn is_in_doubt(&self) -> bool {
        self.in_doubt_since.is_some()
    }

    /// The last attempt may have had an effect, too.
    pub(super) fn doubt(&mut self) {
        self.in_doubt_since.get_or_insert(self.sent_at);
    }

    pub(super) fn new(request: Encoded, class: Class, lane: Lane, deadline: Instant) -> Self {
        Self {
            request,
            lease: None,
            drawn: None,
            class,
            lane,
            owner: Owner::User,
            deadline: Some(deadline),
            sent_within: None,
            state: State::Waiting,
            patience: None,
            patient_until: None,
            is_apart: false,
            attempts: 0,
            known: 0,
            sent_at: Instant::ZERO,
            in_doubt_since: None,
            last_cause: None,
            last_refusal: None,
            refreshes: Refreshes::default(),
            asked: None,
            choice: Choice::default(),
            failed: None,
        }
    }
}

impl Pending {
    /// The id that was chosen here for the lease it grants.
    pub(in crate::client) const fn drawn(&self) -> Option<i64> {
        self.drawn
    }
}

impl Calls {
    /// How many calls under way may wait for somebody else.
    pub(super) const fn waits(&self) -> usize {
        self.waits
    }

    pub(in crate::client) fn add_idle(&mut self, conn: ConnId, lane: Lane) {
        self.shared.forget(conn);
        self.idle_of(lane).push(conn);
    }

    pub(super) fn idle_of(&mut self, lane: Lane) -> &mut Vec<ConnId> {
        match lane.is_waits() {
            true => &mut self.idle_waits,
            false => &mut self.idle,
        }
    }

    pub(in crate::client) fn remove_conn(&mut self, conn: ConnId) {
        self.idle.retain(|idle| *idle != conn);
        self.idle_waits.retain(|idle| *idle != conn);
        self.shared.forget(conn);
    }

    /// The lanes of all calls; the lines in which none waits are forgotten.
    pub(in crate::client) fn lanes(&mut self) -> impl Iterator<Item = Lane> {
        self.queues.retain(|_, queue| !queue.is_empty());
        self.table.values().map(|call| call.lane)
    }

    /// The connection that was not used for longest.
    pub(in crate::client) fn first_idle(&self) -> Option<ConnId> {
        self.idle.first().copied()
    }

    /// The connections without a call on them.
    pub(in crate::client) fn idle_conns(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.idle.iter().chain(&self.idle_waits).copied()
    }

    pub(super) fn waiting(&self, lane: Lane) -> usize {
        self.queues.get(&lane).map_or(0, VecDeque::len)
    }

    /// The call of a line that asks for what a server has before its paths.
    pub(super) fn question_in(&self, lane: Lane) -> Option<CallId> {
        let asks = |id: &&CallId| {
            let call = self.table.get(id);
            call.is_some_and(|call| matches!(call.owner, Owner::Prefix(_)))
        };
        self.queues.get(&lane)?.iter().find(asks).copied()
    }

    /// Whether any endpoint will do for it.
    pub(super) fn is_free(&self, id: CallId) -> bool {
        let call = self.table.get(&id);
        call.is_some_and(|call| call.lane.endpoint().is_none())
    }

    /// The line in which all calls that wait do so.
    pub(super) fn only_line(&self) -> Option<Lane> {
        let mut firsts = self.firsts();
        let only = firsts.next()?;
        firsts.next().is_none().then_some(only.1)
    }

    /// The lines in which calls wait, that whose first came first at the front.
    pub(super) fn lines(&self) -> Vec<Lane> {
        let mut firsts: Vec<_> = self.firsts().collect();
        firsts.sort_unstable();
        firsts.into_iter().map(|(_, lane)| lane).collect()
    }

    fn firsts(&self) -> impl Iterator<Item = (CallId, Lane)> + '_ {
        let lines = self.queues.iter();
        let lines = lines.filter(|(lane, _)| lane.purpose() == Purpose::Calls);
        lines.filter_map(|(lane, line)| Some((*line.front()?, *lane)))
    }

    /// Takes a call out of its line.
    pub(super) fn leave_line(&mut self, lane: Lane, id: CallId) {
        if let Some(line) = self.queues.get_mut(&lane) {
            if let Some(position) = line.iter().position(|waiting| *waiting == id) {
                line.remove(position);
            }
        }
    }

    pub(super) fn pop_waiting(&mut self, lane: Lane) -> Option<CallId> {
        self.queues.get_mut(&lane)?.pop_front()
    }

    /// Where the client's own call for a token wants to go, if that is the first of a line.
    pub(super) fn first_login(&self, lane: Lane) -> Option<EndpointIndex> {
        let first = self.queues.get(&lane).and_then(VecDeque::front)?;
        match self.table.get(first)?.owner {
            Owner::Login(at) => Some(at),
            _ => None,
        }
    }

    /// Whether a call needs a token: all but the one for a token, and pages beside the gateway.
    pub(super) fn takes_token(&self, id: CallId) -> bool {
        self.table
            .get(&id)
            .is_some_and(|call| call.request.rpc != Rpc::Authenticate && call.request.is_post())
    }

    /// Whether a call that needs a token waits in a lane.
    pub(in crate::client) fn has_token_takers(&self, lane: Lane) -> bool {
        let queue = self.queues.get(&lane);
        queue.is_some_and(|queue| queue.iter().any(|id| self.takes_token(*id)))
    }

    /// Takes those out of their line.
    pub(in crate::client) fn take_token_takers(&mut self, lane: Lane) -> Vec<CallId> {
        let queue = self.queues.remove(&lane).unwrap_or_default();
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            queue.into_iter().partition(|id| self.takes_token(*id));
        self.queues.insert(lane, left);
        taken.into()
    }

    /// Puts a call at the front of its line.
    pub(in crate::client) fn put_first(&mut self, id: CallId) {
        if let Some(call) = self.table.get_mut(&id) {
            call.state = State::Waiting;
            self.queues.entry(call.lane).or_default().push_front(id);
        }
    }
}
