//! Random requests, such that most of them mean something.

use etcd_core::bytes::Bytes;
use etcd_core::{
    AlarmRequest, AlarmType, AuthDisable, AuthEnable, Authenticate, Campaign, Compact, Compare,
    DeleteRange, KeyRange, Leader, LeaderKey, LeaseGrant, LeaseLeases, LeaseRevoke,
    LeaseTimeToLive, Lock, MemberList, MemberPromote, MemberRemove, MoveLeader, Permission,
    Proclaim, Put, Range, Resign, RoleAdd, RoleDelete, RoleGet, RoleGrantPermission, RoleList,
    RoleRevokePermission, SortOrder, SortTarget, Txn, TxnOp, Unlock, UserAdd, UserChangePassword,
    UserDelete, UserGet, UserGrantRole, UserList, UserRevokeRole, Watch, WatchFilter,
};
use etcd_sim::Rng;
use etcd_sim::etcd::Request;

/// Who may have a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum User {
    Root,
    Other,
}

impl User {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "root" => Some(Self::Root),
            "u1" => Some(Self::Other),
            _ => None,
        }
    }
}

/// One thing to ask.
#[derive(Debug)]
pub(super) enum Step {
    Call {
        /// Whose token goes with it, if that one ever got one.
        user: Option<User>,
        request: Request,
    },
    Watch(Watch),
}

/// A script without end.
pub(super) struct Script {
    rng: Rng,
    revision: i64,
    compacted: i64,
    watches: usize,
    /// Whether users and roles are asked about, and how often it comes to that.
    auth: bool,
    /// Whether the transaction in the making may delete ranges without end. The server's check for
    /// keys that are both put and deleted does not see those, and a put that keeps the value of a key
    /// which is gone by then ends the process, again at each start.
    opens: bool,
    /// What is left of a sequence that has to come whole.
    queue: Vec<(Option<User>, Request)>,
}

/// How many watches a script begins.
const MAX_WATCHES: usize = 40;

/// So few that a range never has more than 12 keys, with those of the lock and the election: up to
/// there etcd's sort has an order for equals that does not depend on how it was built.
const KEYS: [&[u8]; 10] = [
    b"a", b"a/1", b"a/2", b"b", b"b/1", b"c", b"c\0", b"\xff", b"\xffx", b"\0x",
];

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed).fork(0xa97ee),
            revision: 1,
            compacted: 0,
            watches: 0,
            auth: seed % 3 != 0,
            opens: false,
            queue: Vec::new(),
        }
    }

    /// What became of the store.
    pub(super) const fn learn(&mut self, revision: i64, compacted: i64) {
        self.revision = revision;
        self.compacted = compacted;
    }

    pub(super) fn next(&mut self) -> Step {
        if let Some((user, request)) = self.queue.pop() {
            return Step::Call { user, request };
        }
        let user = match self.rng.below(8) {
            0 => None,
            1..=3 => Some(User::Other),
            _ => Some(User::Root),
        };
        let request = match self.rng.below(200) {
            0..=1 if self.watches < MAX_WATCHES => {
                self.watches += 1;
                return Step::Watch(self.watch());
            }
            0..=59 => self.put().into(),
            60..=109 => self.range().into(),
            110..=129 => self.delete().into(),
            130..=159 => self.txn(0).into(),
            160..=161 => self.compact().into(),
            162..=175 => self.lease(),
            176..=183 => self.election(),
            184..=185 => self.upkeep(),
            _ if self.auth => self.auth(),
            _ => self.put().into(),
        };
        Step::Call { user, request }
    }

    fn key(&mut self) -> Bytes {
        let key = KEYS[self.rng.index(KEYS.len())];
        if self.rng.one_in(100) {
            return Bytes::new();
        }
        Bytes::from_static(key)
    }

    fn value(&mut self) -> Bytes {
        match self.rng.below(5) {
            0 => Bytes::new(),
            number => Bytes::from(format!("v{number}")),
        }
    }

    fn lease_id(&mut self) -> i64 {
        [7, 8, -9, 1_000_000][self.rng.index(4)]
    }

    fn keys(&mut self) -> KeyRange {
        match self.rng.below(8) {
            0..=3 => KeyRange::key(self.key()),
            4 => KeyRange::prefix(self.key()),
            5 => KeyRange::from_key(self.key()),
            6 => KeyRange::all(),
            _ => {
                let (start, end) = (self.key(), self.key());
                // Whether one who may read some keys may read those of a range that ends before it
                // begins depends on the shape of a tree in the server.
                if self.auth && end <= start {
                    return KeyRange::range(end, start);
                }
                KeyRange::range(start, end)
            }
        }
    }

    /// A revision: mostly one that can be read.
    fn some_revision(&mut self) -> i64 {
        let back = |rng: &mut Rng, most: i64| {
            i64::try_from(rng.below(u64::try_from(most.max(1)).unwrap_or(1))).unwrap_or(0)
        };
        match self.rng.below(12) {
            0 => self.revision + 1 + back(&mut self.rng, 3),
            1 => self.compacted,
            2 => (self.compacted - 1).max(0),
            3 => self.revision,
            4 => -1,
            _ => self.revision - back(&mut self.rng, self.revision - self.compacted + 1),
        }
    }

    fn put(&mut self) -> Put {
        let mut put = Put::new(self.key(), self.value());
        if self.rng.one_in(6) {
            put = put.with_lease(self.lease_id());
        }
        put.prev_kv = self.rng.one_in(4);
        put.ignore_value = self.rng.one_in(10);
        put.ignore_lease = self.rng.one_in(10);
        put
    }

    fn range(&mut self) -> Range {
        let mut range = Range::new(self.keys());
        range.limit = match self.rng.below(6) {
            0 => 1,
            1 => 2,
            2 => 3,
            3 => -1,
            _ => 0,
        };
        if self.rng.one_in(3) {
            range.revision = self.some_revision();
        }
        let orders = [SortOrder::None, SortOrder::Ascend, SortOrder::Descend];
        let targets = [
            SortTarget::Key,
            SortTarget::Version,
            SortTarget::Create,
            SortTarget::Mod,
            SortTarget::Value,
        ];
        if self.rng.one_in(2) {
            range.sort_order = orders[self.rng.index(3)];
            range.sort_target = targets[self.rng.index(5)];
        }
        range.serializable = self.rng.one_in(3);
        range.keys_only = self.rng.one_in(6);
        range.count_only = self.rng.one_in(8);
        for filter in [
            &mut range.min_mod_revision,
            &mut range.max_mod_revision,
            &mut range.min_create_revision,
            &mut range.max_create_revision,
        ] {
            if self.rng.one_in(10) {
                *filter = self.revision - i64::try_from(self.rng.below(20)).unwrap_or(0);
            }
        }
        range
    }

    fn delete(&mut self) -> DeleteRange {
        // Now and then all goes; mostly little.
        let range = if self.rng.one_in(4) {
            self.keys()
        } else {
            KeyRange::key(self.key())
        };
        let mut delete = DeleteRange::new(range);
        delete.prev_kv = self.rng.one_in(3);
        delete
    }

    fn compare(&mut self) -> Compare {
        let range = self.keys();
        let number = match self.rng.below(4) {
            0 => 0,
            1 => 1,
            2 => self.lease_id(),
            _ => self.some_revision(),
        };
        macro_rules! with {
            ($compare:expr, $number:expr) => {
                match self.rng.below(4) {
                    0 => $compare.eq($number),
                    1 => $compare.ne($number),
                    2 => $compare.lt($number),
                    _ => $compare.gt($number),
                }
            };
        }
        match self.rng.below(5) {
            0 => with!(Compare::version(range), number),
            1 => with!(Compare::create_revision(range), number),
            2 => with!(Compare::mod_revision(range), number),
            3 => with!(Compare::lease(range), number),
            _ => {
                let value = self.value();
                with!(Compare::value(range), value)
            }
        }
    }

    fn txn(&mut self, depth: u32) -> Txn {
        if depth == 0 {
            self.opens = self.rng.one_in(2);
        }
        let compares: Vec<_> = (0..self.rng.below(3)).map(|_| self.compare()).collect();
        let success = self.ops(depth);
        let failure = self.ops(depth);
        Txn::new().when(compares).and_then(success).or_else(failure)
    }

    fn ops(&mut self, depth: u32) -> Vec<TxnOp> {
        let count = self.rng.below(4);
        let ops = (0..count).map(|_| match self.rng.below(10) {
            4..=6 => TxnOp::from(self.range()),
            7..=8 => {
                let mut delete = self.delete();
                if !self.opens && delete.range.range_end[..] == [0] {
                    delete.range = KeyRange::key(self.key());
                }
                TxnOp::from(delete)
            }
            9 if depth < 2 => TxnOp::from(self.txn(depth + 1)),
            _ => {
                let mut put = self.put();
                if self.opens {
                    (put.ignore_value, put.ignore_lease) = (false, false);
                }
                TxnOp::from(put)
            }
        });
        ops.collect()
    }

    fn compact(&mut self) -> Compact {
        let revision = self.some_revision();
        Compact::new(revision)
    }

    fn lease(&mut self) -> Request {
        let id = self.lease_id();
        match self.rng.below(8) {
            0..=3 => {
                let ttl = [600, 700, 9_000_000_001, 9_000_000_000][self.rng.index(4)];
                LeaseGrant::new(ttl).with_id(id).into()
            }
            4 => LeaseRevoke::new(id).into(),
            5 => LeaseTimeToLive::new(id).into(),
            6 => LeaseTimeToLive::new(id).with_keys().into(),
            _ => LeaseLeases::new().into(),
        }
    }

    /// What never has to wait: one and the same candidate.
    fn election(&mut self) -> Request {
        let mut leader = LeaderKey::default();
        leader.name = "el".into();
        leader.key = "el/7".into();
        leader.rev = self.some_revision();
        leader.lease = 7;
        match self.rng.below(8) {
            0 => Lock::new("lock").with_lease(7).into(),
            1 => Unlock::new("lock/7").into(),
            2..=3 => Campaign::new("el", self.value()).with_lease(7).into(),
            4 => Leader::new("el").into(),
            5 => Proclaim::new(leader, self.value()).into(),
            6 => Resign::new(leader).into(),
            _ => Unlock::new(self.key()).into(),
        }
    }

    fn upkeep(&mut self) -> Request {
        match self.rng.below(6) {
            0 => AlarmRequest::list().into(),
            1 => {
                // Ended at once, as there is no telling what all the others would do then.
                let corrupt = self.rng.one_in(2);
                let alarm = if corrupt {
                    AlarmType::Corrupt
                } else {
                    AlarmType::NoSpace
                };
                let root = Some(User::Root);
                self.queue
                    .push((root, AlarmRequest::deactivate(5, alarm).into()));
                for _ in 0..3 {
                    let request = match self.rng.below(5) {
                        0 => self.put().into(),
                        1 => self.delete().into(),
                        2 => self.lease(),
                        3 => self.compact().into(),
                        _ => self.txn(0).into(),
                    };
                    self.queue.push((root, request));
                }
                AlarmRequest::activate(5, alarm).into()
            }
            2 => MemberList::new().into(),
            3 => MemberRemove::new(5).into(),
            4 => MemberPromote::new(5).into(),
            _ => MoveLeader::new(5).into(),
        }
    }

    fn user(&mut self) -> &'static str {
        ["u1", "u1", "u1", "u2", "root", ""][self.rng.index(6)]
    }

    fn role(&mut self) -> &'static str {
        ["r1", "r1", "r2", "root", ""][self.rng.index(5)]
    }

    fn password(&mut self) -> &'static str {
        ["p", "p", "p", "q"][self.rng.index(4)]
    }

    fn permission(&mut self) -> Permission {
        // Older servers die of some ranges, and newer ones refuse them.
        let range = match self.rng.below(5) {
            0 => KeyRange::all(),
            1 => KeyRange::prefix("a"),
            2 => KeyRange::from_key("b"),
            3 => KeyRange::range("a/1", "b"),
            _ => KeyRange::key(Bytes::from_static(KEYS[self.rng.index(8)])),
        };
        match self.rng.below(3) {
            0 => Permission::read(range),
            1 => Permission::write(range),
            _ => Permission::read_write(range),
        }
    }

    fn auth(&mut self) -> Request {
        match self.rng.below(24) {
            0 => {
                // Everything that turning it on takes.
                let root = Some(User::Root);
                let sequence: [Request; 9] = [
                    UserAdd::new("root", "p").into(),
                    UserGrantRole::new("root", "root").into(),
                    UserAdd::new("u1", "p").into(),
                    RoleAdd::new("r1").into(),
                    UserGrantRole::new("u1", "r1").into(),
                    RoleGrantPermission::new("r1", self.permission()).into(),
                    AuthEnable::new().into(),
                    Authenticate::new("root", "p").into(),
                    Authenticate::new("u1", "p").into(),
                ];
                let [first, rest @ ..] = sequence;
                self.queue
                    .extend(rest.into_iter().rev().map(|request| (root, request)));
                first
            }
            1 => AuthDisable::new().into(),
            2..=6 => Authenticate::new(self.user(), self.password()).into(),
            7 => UserAdd::new(self.user(), "p").into(),
            8 => UserGet::new(self.user()).into(),
            9 => UserList::new().into(),
            10 if self.rng.one_in(3) => UserDelete::new(self.user()).into(),
            11 => UserChangePassword::new(self.user(), "p").into(),
            12 => UserGrantRole::new(self.user(), self.role()).into(),
            13 => UserRevokeRole::new(self.user(), self.role()).into(),
            14 => RoleAdd::new(self.role()).into(),
            15 => RoleGet::new(self.role()).into(),
            16 => RoleList::new().into(),
            17 if self.rng.one_in(3) => RoleDelete::new(self.role()).into(),
            18..=20 => RoleGrantPermission::new(self.role(), self.permission()).into(),
            21 => {
                let range = self.permission().range;
                RoleRevokePermission::new(self.role(), range).into()
            }
            _ => Authenticate::new("root", "p").into(),
        }
    }

    fn watch(&mut self) -> Watch {
        let mut watch = Watch::new(self.keys());
        watch.progress_notify = false;
        watch.fragment = self.rng.one_in(2);
        watch.prev_kv = self.rng.one_in(2);
        watch.start_revision = match self.rng.below(4) {
            0 => 0,
            1 => self.some_revision() - 5,
            _ => self.some_revision(),
        };
        if self.rng.one_in(4) {
            watch.filters.push(WatchFilter::NoPut);
        }
        if self.rng.one_in(6) {
            watch.filters.push(WatchFilter::NoDelete);
        }
        if self.rng.one_in(8) {
            watch.watch_id = i64::try_from(self.rng.below(6)).unwrap_or(0) - 2;
        }
        watch
    }
}
