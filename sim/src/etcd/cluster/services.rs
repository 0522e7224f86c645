//! The servers' own locks and elections: clients of the store that live in a member.
//!
//! They do what etcd's own client does (semantics.md 2.9, 2.10): a key of each candidate, the oldest
//! one wins, each waits for the one before it. All they do goes through the same requests as
//! everybody's. What fails comes out with code 2 and its text, but for deadlines (gateway.md 5.2).

use etcd_core::bytes::Bytes;
use etcd_core::{
    Campaign, CampaignResponse, Code, Compare, DeleteRange, EventKind, KeyValue, Known, LeaderKey,
    LeaderResponse, LeaseGrant, LockResponse, Observe, ObserveResponse, ProclaimResponse, Put,
    Range, ResignResponse, Response, ResponseHeader, Txn, TxnOp, TxnOpResponse, TxnResponse,
    UnlockResponse, Version,
};

use super::{Cluster, Waiter};
use crate::etcd::{AskId, Fault, Meta, Reply, Request};

/// Somebody who asked a member's lock or election service.
#[derive(Debug)]
pub(super) struct Service {
    ask: AskId,
    member: usize,
    meta: Meta,
    job: Job,
    step: Step,
}

/// What is to be done.
#[derive(Clone, Debug)]
enum Job {
    Lock { name: Bytes, lease: i64 },
    Campaign(Campaign),
    Unlock,
    Proclaim,
    Leader,
    Resign,
    Observe(Observe),
}

/// What is awaited.
#[derive(Clone, Debug)]
enum Step {
    /// A lease.
    Grant,
    /// The key of one's own.
    Enter,
    /// Saying something else, having been a candidate before.
    Restate(Place),
    /// Who is before.
    Look(Place),
    /// The end of who is before.
    Wait(Place, Bytes),
    /// Whether the own key is still there.
    Confirm(Place),
    /// The one answer to a job of one step.
    Answer,
    /// Who leads an election.
    Leader,
    /// What the leader says next, or who is next: none where nobody leads.
    Listen(Option<Bytes>),
}

/// A candidate's place in the line.
#[derive(Clone, Debug)]
struct Place {
    key: Bytes,
    revision: i64,
    lease: i64,
    header: ResponseHeader,
}

impl Cluster {
    /// A request to the lock or election service. False if it is none.
    pub(super) fn serve(
        &mut self,
        member: usize,
        ask: AskId,
        meta: &Meta,
        request: &Request,
    ) -> bool {
        let (job, step, first) = match request {
            Request::Lock(lock) => {
                let job = Job::Lock {
                    name: lock.name.clone(),
                    lease: lock.lease,
                };
                self.enlist(member, ask, meta, job, lock.lease);
                return true;
            }
            Request::Campaign(campaign) => {
                let job = Job::Campaign(campaign.clone());
                self.enlist(member, ask, meta, job, campaign.lease);
                return true;
            }
            Request::Unlock(unlock) => {
                let delete = DeleteRange::key(unlock.key.clone());
                (Job::Unlock, Step::Answer, delete.into())
            }
            Request::Leader(leader) => {
                let first = Range::first_by_create(line(&leader.name));
                (Job::Leader, Step::Answer, first.into())
            }
            Request::Proclaim(proclaim) if has_key(&proclaim.leader) => {
                let leader = &proclaim.leader;
                let put = Put::new(leader.key.clone(), proclaim.value.clone());
                let txn = own(&leader.key, leader.rev).and_then([put.with_lease(leader.lease)]);
                (Job::Proclaim, Step::Answer, txn.into())
            }
            Request::Resign(resign) if has_key(&resign.leader) => {
                let leader = &resign.leader;
                let delete = DeleteRange::key(leader.key.clone());
                let txn = own(&leader.key, leader.rev).and_then([delete]);
                (Job::Resign, Step::Answer, txn.into())
            }
            Request::Proclaim(_) | Request::Resign(_) => {
                let missing = Known::MissingLeaderKey;
                let fault = Fault::new(missing.code(), missing.message());
                self.finish(member, Waiter::Ask(ask), Err(fault));
                return true;
            }
            _ => return false,
        };
        let service = self.employ(member, ask, meta, job, step);
        self.ask_for(service, first);
        true
    }

    /// A stream of who leads an election.
    pub(super) fn observe(&mut self, member: usize, ask: AskId, meta: &Meta, request: Observe) {
        let machine = &mut self.nodes[member].machine;
        let tokens = &mut machine.tokens;
        let who = machine
            .auth
            .identify_stream(self.now, tokens, meta.token.as_deref());
        let allowed = who.and_then(|who| machine.auth.permit_observe(&who, &request.name));
        if let Err(fault) = allowed {
            self.replies.push_back((ask, Reply::Fault(fault)));
            return;
        }
        let first = Range::first_by_create(line(&request.name));
        let service = self.employ(member, ask, meta, Job::Observe(request), Step::Leader);
        self.ask_for(service, first.into());
    }

    /// Who asked is gone: it leaves the line.
    pub(super) fn dismiss(&mut self, ask: AskId) {
        let mut services = self.services.iter();
        let service = services.find(|(_, service)| service.ask == ask);
        if let Some(id) = service.map(|(&id, _)| id) {
            self.leave(id);
        }
    }

    /// The asker's own time is over.
    pub(super) fn lose_patience(&mut self, id: u64) {
        if let Some(service) = self.services.get(&id) {
            let ask = service.ask;
            self.leave(id);
            let fault = Fault::new(Code::DEADLINE_EXCEEDED, "context deadline exceeded");
            self.answer(ask, Err(fault));
        }
    }

    /// A member is gone, and what it did for others.
    pub(super) fn drop_services(&mut self, member: usize) {
        self.services.retain(|_, service| service.member != member);
    }

    fn leave(&mut self, id: u64) {
        self.drop_pending(Waiter::Service(id));
        let Some(service) = self.services.remove(&id) else {
            return;
        };
        if let Step::Look(place) | Step::Wait(place, _) | Step::Confirm(place) = service.step {
            let delete = own(&place.key, place.revision).and_then([DeleteRange::key(place.key)]);
            self.propose(service.member, None, None, delete.into());
        }
    }

    fn employ(&mut self, member: usize, ask: AskId, meta: &Meta, job: Job, step: Step) -> u64 {
        self.service_count += 1;
        let id = self.service_count;
        if let Some(timeout) = meta.timeout {
            self.deadlines
                .insert((self.now + timeout, Waiter::Patience(id)));
        }
        let meta = Meta {
            timeout: None,
            ..meta.clone()
        };
        let service = Service {
            ask,
            member,
            meta,
            job,
            step,
        };
        self.services.insert(id, service);
        id
    }

    /// Begins what needs a lease; without one, 60 s are granted that nobody renews.
    fn enlist(&mut self, member: usize, ask: AskId, meta: &Meta, job: Job, lease: i64) {
        let service = self.employ(member, ask, meta, job, Step::Grant);
        if lease == 0 {
            self.ask_for(service, LeaseGrant::new(60).into());
        } else {
            self.enter(service, lease);
        }
    }

    fn ask_for(&mut self, id: u64, request: Request) {
        if let Some(service) = self.services.get(&id) {
            let (member, meta) = (service.member, service.meta.clone());
            self.begin(member, Waiter::Service(id), meta, request);
        }
    }

    fn go_on(&mut self, id: u64, step: Step, request: Request) {
        if let Some(service) = self.services.get_mut(&id) {
            service.step = step;
            self.ask_for(id, request);
        }
    }

    /// Puts the key of one's own, if it is not there yet.
    fn enter(&mut self, id: u64, lease: i64) {
        let Some(service) = self.services.get_mut(&id) else {
            return;
        };
        let (name, value) = match &mut service.job {
            Job::Lock { name, lease: held } => {
                *held = lease;
                (name.clone(), Bytes::new())
            }
            Job::Campaign(campaign) => {
                campaign.lease = lease;
                (campaign.name.clone(), campaign.value.clone())
            }
            _ => return,
        };
        let key = own_key(&name, lease);
        let first = || TxnOp::from(Range::first_by_create(line(&name)));
        let put = Put::new(key.clone(), value).with_lease(lease);
        let txn = Txn::new()
            .when([Compare::create_revision(key.clone()).eq(0)])
            .and_then([put.into(), first()])
            .or_else([Range::key(key).into(), first()]);
        self.go_on(id, Step::Enter, txn.into());
    }

    /// Something that a service asked for has its outcome.
    pub(super) fn advance(&mut self, id: u64, result: Result<Response, Fault>) {
        let Some(service) = self.services.get(&id) else {
            return;
        };
        let response = match result {
            Ok(response) => response,
            Err(fault) => {
                self.give_up(id, fault);
                return;
            }
        };
        match (service.step.clone(), response) {
            (Step::Grant, Response::LeaseGrant(granted)) => self.enter(id, granted.id),
            (Step::Enter, Response::Txn(entered)) => self.entered(id, entered),
            (Step::Restate(place), Response::Txn(_)) => self.look_ahead(id, place),
            (Step::Look(mut place), Response::Range(before)) => match before.kvs.first() {
                Some(kv) => {
                    let step = Step::Wait(place, kv.key.clone());
                    if let Some(service) = self.services.get_mut(&id) {
                        service.step = step;
                    }
                }
                None => {
                    let old = self.setup.version < Version::new(3, 5, 0);
                    let is_lock = self.is_lock(id);
                    if is_lock && old {
                        place.header = before.header;
                    }
                    if !is_lock || old {
                        self.win(id, &place);
                        return;
                    }
                    let look = Range::key(place.key.clone());
                    self.go_on(id, Step::Confirm(place), look.into());
                }
            },
            (Step::Confirm(mut place), Response::Range(found)) => {
                if found.kvs.is_empty() {
                    self.give_up(id, plain(Known::SessionExpired));
                } else {
                    place.header = found.header;
                    self.win(id, &place);
                }
            }
            (Step::Answer, response) => self.conclude(id, response),
            (Step::Leader, Response::Range(found)) => {
                let kv = found.kvs.into_iter().next();
                self.tell_leader(id, kv, found.header);
            }
            _ => {}
        }
    }

    fn is_lock(&self, id: u64) -> bool {
        let service = self.services.get(&id);
        service.is_some_and(|service| matches!(service.job, Job::Lock { .. }))
    }

    /// The own key is there: who is first?
    fn entered(&mut self, id: u64, entered: TxnResponse) {
        let Some(service) = self.services.get(&id) else {
            return;
        };
        let (name, lease, value) = match &service.job {
            Job::Lock { name, lease } => (name, *lease, None),
            Job::Campaign(campaign) => (&campaign.name, campaign.lease, Some(&campaign.value)),
            _ => return,
        };
        let found = |place: usize| match entered.responses.get(place) {
            Some(TxnOpResponse::Range(range)) => range.kvs.first(),
            _ => None,
        };
        let (mine, first) = (found(0), found(1));
        let revision = match mine {
            Some(kv) => kv.create_revision,
            None => entered.header.revision,
        };
        let place = Place {
            key: own_key(name, lease),
            revision,
            lease,
            header: entered.header,
        };
        let restated = value.filter(|&value| mine.is_some_and(|kv| kv.value != *value));
        if let Some(value) = restated {
            let put = Put::new(place.key.clone(), value.clone()).with_lease(lease);
            let txn = own(&place.key, revision).and_then([put]);
            self.go_on(id, Step::Restate(place), txn.into());
        } else if first.is_none_or(|first| first.create_revision == revision) {
            self.win(id, &place);
        } else {
            self.look_ahead(id, place);
        }
    }

    /// Looks for the youngest of those before.
    fn look_ahead(&mut self, id: u64, place: Place) {
        let Some(service) = self.services.get(&id) else {
            return;
        };
        let (Job::Lock { name, .. } | Job::Campaign(Campaign { name, .. })) = &service.job else {
            return;
        };
        let before = Range::last_by_create(line(name));
        let before = before.with_max_create_revision(place.revision - 1);
        self.go_on(id, Step::Look(place), before.into());
    }

    fn win(&mut self, id: u64, place: &Place) {
        let Some(service) = self.services.remove(&id) else {
            return;
        };
        let response = match service.job {
            Job::Campaign(campaign) => {
                let mut response = CampaignResponse::default();
                response.header = place.header;
                response.leader.name = campaign.name;
                response.leader.key = place.key.clone();
                response.leader.rev = place.revision;
                response.leader.lease = place.lease;
                response.into()
            }
            _ => {
                let mut response = LockResponse::default();
                response.header = place.header;
                response.key = place.key.clone();
                response.into()
            }
        };
        self.answer(service.ask, Ok(response));
    }

    fn give_up(&mut self, id: u64, mut fault: Fault) {
        let Some(service) = self.services.get(&id) else {
            return;
        };
        let ask = service.ask;
        if fault.code != Code::DEADLINE_EXCEEDED {
            fault.code = Code::UNKNOWN;
        }
        self.leave(id);
        self.answer(ask, Err(fault));
    }

    /// The answer to a job of one step.
    fn conclude(&mut self, id: u64, response: Response) {
        let Some(service) = self.services.get(&id) else {
            return;
        };
        let answer = match (&service.job, response) {
            (Job::Unlock, Response::DeleteRange(deleted)) => {
                let mut answer = UnlockResponse::default();
                answer.header = deleted.header;
                answer.into()
            }
            (Job::Leader, Response::Range(found)) => {
                let mut answer = LeaderResponse::default();
                answer.header = found.header;
                let Some(kv) = found.kvs.into_iter().next() else {
                    self.give_up(id, plain(Known::ElectionNoLeader));
                    return;
                };
                answer.kv = kv;
                answer.into()
            }
            (Job::Proclaim, Response::Txn(txn)) => {
                if !txn.succeeded {
                    self.give_up(id, plain(Known::ElectionNotLeader));
                    return;
                }
                let mut answer = ProclaimResponse::default();
                answer.header = txn.header;
                answer.into()
            }
            (Job::Resign, Response::Txn(txn)) => {
                let mut answer = ResignResponse::default();
                answer.header = txn.header;
                answer.into()
            }
            _ => return,
        };
        if let Some(service) = self.services.remove(&id) {
            self.answer(service.ask, Ok(answer));
        }
    }

    /// Tells an observer who leads; then it listens to that one.
    fn tell_leader(&mut self, id: u64, kv: Option<KeyValue>, header: ResponseHeader) {
        let Some(service) = self.services.get_mut(&id) else {
            return;
        };
        service.step = Step::Listen(kv.as_ref().map(|kv| kv.key.clone()));
        if let Some(kv) = kv {
            let mut response = ObserveResponse::default();
            (response.header, response.kv) = (header, kv);
            self.replies
                .push_back((service.ask, Reply::Observe(response)));
        }
    }

    /// A member applied a revision: some wait for what it may have brought.
    pub(super) fn heed_revision(&mut self, member: usize, revision: i64) {
        let of = self.services.iter().filter(|(_, service)| {
            let waits = matches!(service.step, Step::Wait(..) | Step::Listen(_));
            waits && service.member == member
        });
        let of: Vec<_> = of.map(|(&id, _)| id).collect();
        for id in of {
            // Leaders may change more than once in one revision.
            for event in self.nodes[member].machine.store.events(revision).to_vec() {
                self.heed_event(member, id, event.kind, event.kv);
            }
        }
    }

    fn heed_event(&mut self, member: usize, id: u64, kind: EventKind, kv: KeyValue) {
        let Some(service) = self.services.get(&id) else {
            return;
        };
        let is_put = kind == EventKind::Put;
        match (&service.step, &service.job) {
            (Step::Wait(place, before), _) if !is_put && kv.key == *before => {
                let place = place.clone();
                self.look_ahead(id, place);
            }
            (Step::Listen(None), Job::Observe(observe))
                if is_put && kv.key.starts_with(&line(&observe.name)) =>
            {
                let header = self.header(member);
                self.tell_leader(id, Some(kv), header);
            }
            (Step::Listen(Some(leader)), Job::Observe(observe)) if kv.key == *leader => {
                if is_put {
                    let header = self.header(member);
                    self.tell_leader(id, Some(kv), header);
                } else {
                    let first = Range::first_by_create(line(&observe.name));
                    self.go_on(id, Step::Leader, first.into());
                }
            }
            _ => {}
        }
    }
}

fn has_key(leader: &LeaderKey) -> bool {
    *leader != LeaderKey::default()
}

/// The prefix of all candidates' keys.
fn line(name: &Bytes) -> Vec<u8> {
    [name, &b"/"[..]].concat()
}

/// The key of one candidate.
fn own_key(name: &Bytes, lease: i64) -> Bytes {
    let sign = if lease < 0 { "-" } else { "" };
    let lease = format!("{sign}{:x}", lease.unsigned_abs());
    [&line(name)[..], lease.as_bytes()].concat().into()
}

/// A transaction that does something only while the key is the one that was made.
fn own(key: &Bytes, revision: i64) -> Txn {
    Txn::new().when([Compare::create_revision(key.clone()).eq(revision)])
}

fn plain(known: Known) -> Fault {
    Fault::new(Code::UNKNOWN, known.message())
}
