//! What users command: writes that can be told apart, reads, leases, watches, and second thoughts.
//!
//! There are three kinds of keys. On `r…` are puts, deletes and reads of the one key only, so that their
//! histories can be judged by themselves. On `k…` is everything, and on `l…` what hangs on leases.

use core::time::Duration;

use bytes::Bytes;
use etcd_core::{
    Compare, DeleteRange, KeyRange, LeaseGrant, LeaseKeepAlive, LeaseRevoke, LeaseTimeToLive, Put,
    Range, SortOrder, SortTarget, Txn, TxnOp, Watch, WatchFilter, WatchOptions,
};

use super::script::{Order, Since};
use crate::check::Asked;
use crate::rng::Rng;
use crate::world::Pace;

/// The users of a world's clients.
pub(super) struct Users {
    clients: usize,
    /// How often there is each kind of command, out of the sum.
    weights: [u64; KINDS],
    /// How many bytes are added to values, at the most.
    padding: usize,
    /// Numbers of all that has to be told apart.
    next: usize,
    /// By whom, and its number.
    calls: Vec<(usize, usize)>,
    watches: Vec<(usize, usize)>,
    leases: Vec<i64>,
}

const KINDS: usize = 14;

impl Users {
    pub(super) fn new(clients: usize, rng: &mut Rng) -> Self {
        // Writes, reads, and watches are in every world; of the rest some are left out.
        const LEAST: [u64; KINDS] = [6, 4, 2, 3, 1, 0, 0, 0, 0, 4, 0, 0, 0, 0];
        const MORE: [u64; KINDS] = [12, 8, 6, 8, 6, 3, 6, 2, 2, 5, 4, 5, 3, 3];
        let mut weights = LEAST;
        for (weight, more) in weights.iter_mut().zip(MORE) {
            if rng.one_in(2) {
                *weight += rng.below(more + 1);
            }
        }
        Self {
            clients,
            weights,
            padding: if rng.one_in(3) { 8 << rng.below(11) } else { 8 },
            next: 0,
            calls: Vec::new(),
            watches: Vec::new(),
            leases: Vec::new(),
        }
    }

    /// The next command.
    pub(super) fn next(&mut self, rng: &mut Rng) -> Order {
        let mut at = rng.below(self.weights.iter().sum());
        let mut kind = 0;
        while at >= self.weights[kind] {
            at -= self.weights[kind];
            kind += 1;
        }
        self.next += 1;
        let client = rng.index(self.clients);
        match kind {
            0 => self.put(client, rng),
            1 => self.on_register(client, rng),
            2 => self.delete(client, rng),
            3 => self.txn(client, rng),
            4 => self.read(client, rng),
            5 => Order::ReadBack {
                client,
                range: Range::prefix("k"),
                since: Since::Back(small(30, rng)),
            },
            6 => self.lease(client, rng),
            7 => Order::Compact {
                client,
                since: Since::Back(small(20, rng)),
            },
            8 => self.poison(client),
            9 => self.watch(client, rng),
            10 => match pick(&self.calls, rng) {
                Some((client, number)) => Order::CancelCall { client, number },
                None => self.put(client, rng),
            },
            11 => match pick(&self.watches, rng) {
                Some((client, number)) => Order::AskProgress { client, number },
                None => self.watch(client, rng),
            },
            12 => match pick(&self.watches, rng) {
                Some((client, number)) => Order::CancelWatch { client, number },
                None => self.watch(client, rng),
            },
            _ => match pick(&self.watches, rng) {
                Some((client, number)) => Order::SetPace {
                    client,
                    number,
                    pace: pace(rng),
                },
                None => self.watch(client, rng),
            },
        }
    }

    fn call(&mut self, client: usize, asked: impl Into<Asked>, rng: &mut Rng) -> Order {
        let number = self.next;
        self.calls.push((client, number));
        let timeout = rng
            .one_in(6)
            .then(|| rng.between(Duration::from_millis(1), Duration::from_secs(3)));
        Order::Call {
            client,
            number,
            asked: asked.into(),
            timeout,
        }
    }

    /// A value that no other write has.
    fn value(&self, rng: &mut Rng) -> Bytes {
        let mut value = format!("{}.", self.next).into_bytes();
        value.resize(value.len() + rng.index(self.padding), b'.');
        value.into()
    }

    fn put(&mut self, client: usize, rng: &mut Rng) -> Order {
        let mut put = Put::new(general(rng), self.value(rng));
        put.prev_kv = rng.one_in(3);
        self.call(client, put, rng)
    }

    fn on_register(&mut self, client: usize, rng: &mut Rng) -> Order {
        let key = format!("r{}", rng.below(3));
        match rng.below(5) {
            0 | 1 => {
                let put = Put::new(key, self.value(rng));
                self.call(client, put, rng)
            }
            2 => {
                let delete = DeleteRange::new(self.only(key));
                self.call(client, delete, rng)
            }
            _ => self.call(client, Range::key(key), rng),
        }
    }

    /// A range of one key that no other request has: no key has a zero byte in it.
    fn only(&self, key: String) -> KeyRange {
        let end = format!("{key}\0{}", self.next);
        KeyRange::range(key, end)
    }

    fn delete(&mut self, client: usize, rng: &mut Rng) -> Order {
        let range = if rng.one_in(3) {
            // All of them, by an end that no other request has.
            KeyRange::range("k".to_owned(), format!("k~{}", self.next))
        } else {
            self.only(general(rng))
        };
        let mut delete = DeleteRange::new(range);
        delete.prev_kv = rng.one_in(3);
        self.call(client, delete, rng)
    }

    /// Several changes at one revision, mostly.
    fn txn(&mut self, client: usize, rng: &mut Rng) -> Order {
        let mut ops: Vec<TxnOp> = Vec::new();
        let first = rng.below(8);
        for step in 0..=rng.below(5) {
            ops.push(Put::new(format!("k{}", (first + step) % 8), self.value(rng)).into());
        }
        if rng.one_in(3) {
            let key = format!("k{}", (first + 6) % 8);
            ops.push(DeleteRange::new(self.only(key)).into());
        }
        if rng.one_in(4) {
            ops = vec![Txn::new().and_then(ops).into()];
        }
        let key = general(rng);
        let mut txn = Txn::new().and_then(ops).or_else([Range::prefix("k")]);
        match rng.below(4) {
            0 => txn = txn.when([Compare::create_revision(key).eq(0)]),
            1 => txn = txn.when([Compare::version(key).gt(2)]),
            _ => {}
        }
        self.call(client, txn, rng)
    }

    /// What can split a cluster: never sent, whoever asks for it.
    fn poison(&self, client: usize) -> Order {
        let put = Put::new(format!("k{}", self.next % 8), format!("{}.", self.next));
        let nested = Txn::new().and_then([put]);
        let read = Range::key("k1").with_revision(2);
        let ops: [TxnOp; 2] = [nested.into(), read.into()];
        Order::Call {
            client,
            number: self.next,
            asked: Txn::new().and_then(ops).into(),
            timeout: None,
        }
    }

    fn read(&mut self, client: usize, rng: &mut Rng) -> Order {
        let mut range = match rng.below(3) {
            0 => Range::key(general(rng)),
            1 => Range::all(),
            _ => Range::prefix("k"),
        };
        range.serializable = rng.one_in(3);
        match rng.below(8) {
            0 => range = range.with_keys_only(),
            1 => range = range.with_count_only(),
            2 => range = range.with_limit(1 + small(4, rng)),
            3 => range = range.with_sort(SortTarget::Mod, SortOrder::Descend),
            4 => range = range.with_sort(SortTarget::Create, SortOrder::Ascend),
            _ => {}
        }
        self.call(client, range, rng)
    }

    fn lease(&mut self, client: usize, rng: &mut Rng) -> Order {
        let Some(lease) = pick(&self.leases, rng).filter(|_| !rng.one_in(4)) else {
            let id = i64::try_from(self.next).unwrap_or(0) + 7_000;
            self.leases.push(id);
            let grant = LeaseGrant::new(1 + small(5, rng)).with_id(id);
            return self.call(client, grant, rng);
        };
        match rng.below(8) {
            0 => {
                let revoke = LeaseRevoke::new(lease);
                self.call(client, revoke, rng)
            }
            1 => {
                let ask = LeaseTimeToLive::new(lease).with_keys();
                self.call(client, ask, rng)
            }
            2 | 3 => {
                let key = format!("l{}", rng.below(4));
                let put = Put::new(key, self.value(rng)).with_lease(lease);
                self.call(client, put, rng)
            }
            _ => {
                let renewal = Asked::Renewal(LeaseKeepAlive::new(lease));
                self.call(client, renewal, rng)
            }
        }
    }

    fn watch(&mut self, client: usize, rng: &mut Rng) -> Order {
        let number = self.next;
        self.watches.push((client, number));
        let mut watch = match rng.below(5) {
            0 => Watch::key(general(rng)),
            1 => Watch::prefix("r"),
            2 | 3 => Watch::prefix("k"),
            _ => Watch::all(),
        };
        watch.prev_kv = rng.one_in(3);
        watch.fragment = rng.one_in(2);
        watch.progress_notify = !rng.one_in(4);
        match rng.below(6) {
            0 => watch = watch.with_filter(WatchFilter::NoPut),
            1 => watch = watch.with_filter(WatchFilter::NoDelete),
            _ => {}
        }
        let since = match rng.below(8) {
            0..=3 => Since::Now,
            4 => Since::First,
            5 => Since::Ahead(small(10, rng)),
            _ => Since::Back(small(30, rng)),
        };
        Order::Watch {
            client,
            number,
            watch,
            options: WatchOptions::default(),
            since,
            pace: pace(rng),
        }
    }
}

/// A number below `bound`.
fn small(bound: u64, rng: &mut Rng) -> i64 {
    i64::try_from(rng.below(bound)).unwrap_or(0)
}

fn general(rng: &mut Rng) -> String {
    format!("k{}", rng.below(8))
}

fn pace(rng: &mut Rng) -> Pace {
    match rng.below(6) {
        0 => Pace::Never,
        1 => Pace::Every(rng.between(Duration::from_millis(1), Duration::from_millis(500))),
        _ => Pace::AtOnce,
    }
}

/// One of the last few, as what is long over is of no interest.
fn pick<T: Copy>(list: &[T], rng: &mut Rng) -> Option<T> {
    let back = 1 + rng.index(list.len().min(12));
    list.len().checked_sub(back).map(|place| list[place])
}
