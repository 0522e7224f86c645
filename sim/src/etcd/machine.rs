//! What a member makes of the agreed writes: the same on every member, whenever it gets to them.

use etcd_core::bytes::Bytes;
use etcd_core::{
    AlarmAction, AlarmMember, AlarmRequest, AlarmResponse, AlarmType, Compact, CompactResponse,
    DeleteRange, Downgrade, DowngradeAction, DowngradeResponse, Instant, KeyRange, Known,
    LeaseGrant, LeaseGrantResponse, LeaseRevokeResponse, MemberAddResponse, MemberPromoteResponse,
    MemberRemoveResponse, MemberUpdateResponse, Put, Response, Txn, TxnOp, Version,
};

use super::auth::{AuthInfo, AuthStore, Login, Tokens};
use super::lease::Leases;
use super::members::Members;
use super::setup::has_old_sort;
use super::store::{Path, Refusal, Store, check_single_put, check_txn, strip_ranges, writes};
use super::{AskId, Fault, Request, Setup};

/// A write that was agreed on.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) request: Request,
    /// Who asked for it, if somebody outside did.
    pub(super) ask: Option<AskId>,
    /// Who asked, as the member found out; none for what the cluster does by itself.
    pub(super) who: Option<AuthInfo>,
    /// What was drawn for it: the id of a lease or of a member.
    pub(super) drawn: u64,
    /// The first part of a token, for a login.
    pub(super) token: String,
    /// When it was agreed on.
    pub(super) at: Instant,
    /// Its place in the log.
    pub(super) index: u64,
}

/// The state of one member.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) store: Store,
    pub(super) leases: Leases,
    pub(super) auth: AuthStore,
    /// Unlike the rest it is not kept over a restart.
    pub(super) tokens: Tokens,
    pub(super) members: Members,
    /// In the order they were raised.
    alarms: Vec<(u64, AlarmType)>,
    /// Whose version the cluster is to be downgraded to.
    pub(super) downgrade: Option<String>,
    /// How large the database ever was since it was last defragmented, in bytes.
    size: u64,
}

/// What an empty database takes.
const EMPTY_SIZE: u64 = 20_480;

impl Machine {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            store: Store::new(has_old_sort(&setup.version)),
            leases: Leases::default(),
            auth: AuthStore::new(&setup.version),
            tokens: match setup.signs_tokens {
                true => Tokens::signed(setup.token_ttl),
                false => Tokens::new(setup.token_ttl),
            },
            members: Members::default(),
            alarms: Vec::new(),
            downgrade: None,
            size: EMPTY_SIZE,
        }
    }

    /// Does what an entry says. `asked`: whether somebody waits for the answer here, so that reads
    /// within a write have to be done.
    pub(super) fn apply(
        &mut self,
        setup: &Setup,
        entry: &Entry,
        asked: bool,
    ) -> Result<Response, Fault> {
        self.check_alarms(&entry.request)?;
        let skips = setup.defects.alarm_skips_auth && !self.alarms.is_empty();
        if let Some(who) = entry.who.as_ref().filter(|_| !skips) {
            let keys = |id| lease_keys(&self.leases, id);
            self.auth.permit(who, &entry.request, &keys)?;
        }
        let fits = self.fits(setup, &entry.request);
        let response = match &entry.request {
            Request::Put(put) => self.put(put).map_err(fault),
            Request::DeleteRange(delete) => Ok(self.delete(delete)),
            Request::Txn(txn) => self.txn(setup, txn, asked).map_err(fault),
            Request::Compact(compact) => self.compact(setup, compact).map_err(fault),
            Request::LeaseGrant(grant) => self.grant(setup, grant, entry.drawn).map_err(fault),
            Request::LeaseRevoke(revoke) => self.revoke(revoke.id).map_err(fault),
            Request::Alarm(alarm) => Ok(self.alarm(alarm)),
            Request::Downgrade(downgrade) => {
                self.downgrade(&setup.version, downgrade).map_err(fault)
            }
            Request::MemberAdd(_)
            | Request::MemberRemove(_)
            | Request::MemberUpdate(_)
            | Request::MemberPromote(_) => self.change_members(entry).map_err(fault),
            request => {
                let login = Login {
                    prefix: &entry.token,
                    index: entry.index,
                };
                let answer = self.auth.apply(entry.at, &mut self.tokens, &login, request);
                answer.unwrap_or_else(|| Err(fault(Known::NotCapable)))
            }
        };
        self.size = self.size.max(self.size_in_use());
        // The space is looked at before, but the write is done all the same (reliability.md 2.1).
        if response.is_ok() && !fits {
            return Err(fault(Known::NoSpace));
        }
        response
    }

    /// How large the database is, in bytes.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// The database was this large before its content came from elsewhere.
    pub(super) fn keep_size(&mut self, size: u64) {
        self.size = self.size_in_use().max(size);
    }

    /// How much of it is used, in bytes.
    pub(super) const fn size_in_use(&self) -> u64 {
        EMPTY_SIZE + self.store.in_use()
    }

    /// Gives the free space back.
    pub(super) const fn defragment(&mut self) {
        self.size = self.size_in_use();
    }

    /// Whether the database has room for a request (etcd's `Available`).
    pub(super) fn fits(&self, setup: &Setup, request: &Request) -> bool {
        let cost = cost(request);
        let is_free = cost == 0 && !(counts_free_txns(&setup.version) && is_txn(request));
        is_free || self.size + cost < setup.quota_bytes
    }

    pub(super) fn has_alarm(&self, alarm: AlarmType) -> bool {
        self.alarms().any(|(_, raised)| raised == alarm)
    }

    pub(super) fn alarms(&self) -> impl Iterator<Item = (u64, AlarmType)> {
        self.alarms.iter().copied()
    }

    fn check_alarms(&self, request: &Request) -> Result<(), Fault> {
        if self.alarms.is_empty() {
            return Ok(());
        }
        let changes_data = matches!(
            request,
            Request::Put(_)
                | Request::DeleteRange(_)
                | Request::Txn(_)
                | Request::Compact(_)
                | Request::LeaseGrant(_)
                | Request::LeaseRevoke(_)
        );
        if changes_data && self.has_alarm(AlarmType::Corrupt) {
            return Err(fault(Known::Corrupt));
        }
        if cost(request) > 0 && self.has_alarm(AlarmType::NoSpace) {
            return Err(fault(Known::NoSpace));
        }
        Ok(())
    }

    fn put(&mut self, put: &Put) -> Result<Response, Refusal> {
        check_single_put(put, &self.store, &self.leases)?;
        let mut writer = self.store.write();
        let response = writer.apply_put(put, &mut self.leases);
        writer.finish();
        Ok(response.into())
    }

    fn delete(&mut self, delete: &DeleteRange) -> Response {
        let mut writer = self.store.write();
        let response = writer.apply_delete(delete, &mut self.leases);
        writer.finish();
        response.into()
    }

    fn txn(&mut self, setup: &Setup, txn: &Txn, asked: bool) -> Result<Response, Refusal> {
        let splits = setup.defects.split_cluster && !asked;
        let stripped = if splits && writes(txn) {
            strip_ranges(txn)
        } else {
            None
        };
        let txn = stripped.as_ref().unwrap_or(txn);
        let path = Path::of(txn, &self.store);
        check_txn(txn, &path, &self.store, &self.leases)?;
        let mut writer = self.store.write();
        let response = writer.apply_txn(txn, &path, &mut self.leases);
        writer.finish();
        Ok(response.into())
    }

    /// A transaction that only reads.
    pub(super) fn read_txn(&mut self, txn: &Txn) -> Result<Response, Refusal> {
        let path = Path::of(txn, &self.store);
        check_txn(txn, &path, &self.store, &self.leases)?;
        let mut writer = self.store.write();
        Ok(writer.apply_txn(txn, &path, &mut self.leases).into())
    }

    fn compact(&mut self, setup: &Setup, compact: &Compact) -> Result<Response, Refusal> {
        let keep_deletes = !setup.defects.compacted_delete_missing;
        self.store.compact(compact.revision, keep_deletes)?;
        Ok(CompactResponse::default().into())
    }

    fn grant(
        &mut self,
        setup: &Setup,
        grant: &LeaseGrant,
        drawn: u64,
    ) -> Result<Response, Refusal> {
        let id = if grant.id == 0 {
            i64::try_from(drawn >> 1).unwrap_or(1).max(1)
        } else {
            grant.id
        };
        let ttl = self.leases.grant(id, grant.ttl, setup.min_lease_ttl())?;
        let mut response = LeaseGrantResponse::default();
        (response.id, response.ttl) = (id, ttl);
        Ok(response.into())
    }

    fn revoke(&mut self, id: i64) -> Result<Response, Refusal> {
        let keys = self.leases.revoke(id)?;
        let mut writer = self.store.write();
        for key in keys {
            writer.delete(&KeyRange::key(key));
        }
        writer.finish();
        Ok(LeaseRevokeResponse::default().into())
    }

    fn alarm(&mut self, request: &AlarmRequest) -> Response {
        let mut response = AlarmResponse::default();
        let mut tell = |(member, alarm): (u64, AlarmType)| {
            let mut told = AlarmMember::default();
            (told.member_id, told.alarm) = (member, alarm.into());
            response.alarms.push(told);
        };
        let alarm = (request.member_id, request.alarm);
        let known = self.alarms.iter().position(|&known| known == alarm);
        match (request.action, known) {
            (AlarmAction::Activate, known) if request.alarm != AlarmType::None => {
                if known.is_none() {
                    self.alarms.push(alarm);
                }
                tell(alarm);
            }
            (AlarmAction::Deactivate, Some(known)) => tell(self.alarms.remove(known)),
            (AlarmAction::Get, _) => {
                let all = request.alarm == AlarmType::None;
                let asked = |&(_, alarm): &(u64, AlarmType)| all || alarm == request.alarm;
                self.alarms.iter().copied().filter(asked).for_each(tell);
            }
            _ => {}
        }
        response.into()
    }

    fn downgrade(&mut self, version: &Version, request: &Downgrade) -> Result<Response, Refusal> {
        let cluster = format!("{}.{}.0", version.major(), version.minor());
        match request.action {
            DowngradeAction::Cancel => {
                self.downgrade.take().ok_or(Known::NoInflightDowngrade)?;
            }
            action => {
                let target: Version = request
                    .version
                    .parse()
                    .map_err(|_| Known::WrongDowngradeVersionFormat)?;
                let allowed = target.major() == version.major()
                    && target.minor().checked_add(1) == Some(version.minor());
                if !allowed {
                    return Err(Known::InvalidDowngradeTargetVersion);
                }
                if self.downgrade.is_some() {
                    return Err(Known::DowngradeInProcess);
                }
                if action == DowngradeAction::Enable {
                    self.downgrade = Some(format!("{}.{}.0", target.major(), target.minor()));
                }
            }
        }
        let mut response = DowngradeResponse::default();
        response.version = cluster;
        Ok(response.into())
    }

    fn change_members(&mut self, entry: &Entry) -> Result<Response, Refusal> {
        match &entry.request {
            Request::MemberAdd(request) => {
                let mut response = MemberAddResponse::default();
                response.member = self.members.add(entry.drawn, request)?;
                response.members = self.members.list();
                Ok(response.into())
            }
            Request::MemberRemove(request) => {
                self.members.remove(request.id)?;
                let mut response = MemberRemoveResponse::default();
                response.members = self.members.list();
                Ok(response.into())
            }
            Request::MemberUpdate(request) => {
                self.members.update(request)?;
                let mut response = MemberUpdateResponse::default();
                response.members = self.members.list();
                Ok(response.into())
            }
            Request::MemberPromote(request) => {
                self.members.promote(request.id)?;
                let mut response = MemberPromoteResponse::default();
                response.members = self.members.list();
                Ok(response.into())
            }
            _ => Err(Known::NotCapable),
        }
    }
}

/// The fault as etcd's own table has it.
pub(super) fn fault(known: Known) -> Fault {
    Fault::new(known.code(), known.message())
}

/// The keys that hang on a lease.
pub(super) fn lease_keys(leases: &Leases, id: i64) -> Vec<Bytes> {
    let lease = leases.get(id);
    lease.map_or_else(Vec::new, |lease| lease.keys.iter().cloned().collect())
}

/// What a request may add to the database, in bytes: 0 for what adds nothing.
fn cost(request: &Request) -> u64 {
    let bytes = match request {
        Request::Put(put) => put_cost(put),
        Request::Txn(txn) => txn_cost(txn),
        Request::LeaseGrant(_) => 64,
        _ => 0,
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn put_cost(put: &Put) -> usize {
    256 + put.key.len() + put.value.len()
}

/// What is nested is not counted.
fn txn_cost(txn: &Txn) -> usize {
    let branch = |ops: &[TxnOp]| -> usize {
        let costs = ops.iter().map(|op| match op {
            TxnOp::Put(put) => put_cost(put),
            _ => 0,
        });
        costs.sum()
    };
    branch(&txn.success).max(branch(&txn.failure))
}

const fn is_txn(request: &Request) -> bool {
    matches!(request, Request::Txn(_))
}

/// Whether transactions that add nothing are refused, too, once the database is full: so on 3.5.1,
/// but not on 3.4.23 and 3.5.16 (gateway.md 5.2).
fn counts_free_txns(version: &Version) -> bool {
    *version >= Version::new(3, 5, 0) && *version < Version::new(3, 5, 6)
}
