//! The steps of the tour, over either driver.
//!
//! Each step says what it asks for, asks, and says what came back; what came back is checked, and
//! the first thing that is not as it should be ends the tour. The watch, which takes more, is in
//! `live`.

mod live;

use std::time::Instant;

use etcd_core::Compare;
use etcd_core::Config;
use etcd_core::DeleteRange;
use etcd_core::Error;
use etcd_core::HealthRequest;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAlive;
use etcd_core::LeaseRevoke;
use etcd_core::LeaseTimeToLive;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::Txn;
use etcd_core::TxnOpResponse;
use etcd_core::TxnResponse;
use etcd_core::VersionRequest;
use etcd_tests::Server;
use etcd_tests::driver::Driver;

use super::pen::Pen;

/// Leads through the tour.
pub(super) struct Guide<'a, D> {
    pen: &'a Pen,
    client: D,
    /// For the writer beside the watch.
    config: Config,
    /// Every key of the tour is below this.
    prefix: String,
    /// The server, if it is ours to kill.
    server: Option<&'a mut Server>,
}

impl<'a, D: Driver> Guide<'a, D> {
    pub(super) fn new(
        pen: &'a Pen,
        config: Config,
        prefix: String,
        server: Option<&'a mut Server>,
    ) -> Self {
        let client = D::with_config(config.clone());
        Self {
            pen,
            client,
            config,
            prefix,
            server,
        }
    }

    /// The whole tour; an error says what was not as it should be.
    pub(super) fn walk(mut self) -> Result<(), String> {
        let walked = self.steps();
        if walked.is_err() {
            // The last step, which deletes everything, was not reached.
            let _ = self.client.delete(DeleteRange::prefix(&self.prefix));
        }
        walked
    }

    fn steps(&mut self) -> Result<(), String> {
        self.server_itself()?;
        self.keys()?;
        self.transactions()?;
        self.lease()?;
        self.watch()?;
        self.clean_up()
    }

    fn server_itself(&self) -> Result<(), String> {
        self.ask(
            "client.version()",
            |client| client.call(VersionRequest::new()),
            |it| {
                Ok(format!(
                    "etcd {}, cluster {}",
                    it.etcdserver, it.etcdcluster
                ))
            },
        )?;
        self.ask(
            "client.health()",
            |client| client.call(HealthRequest::new()),
            |it| match it.health {
                true => Ok("healthy".to_owned()),
                false => Err(format!("unhealthy: {}", it.reason)),
            },
        )
    }

    fn keys(&self) -> Result<(), String> {
        let apple = self.key("fruit/apple");
        self.ask(
            &format!("client.put({apple:?}, \"green\")"),
            |client| client.put(&apple, "green"),
            |it| Ok(format!("stored at revision {}", it.header.revision)),
        )?;
        self.ask(
            &format!("client.call(Put::new({apple:?}, \"red\").with_prev_kv())"),
            |client| client.call(Put::new(&apple, "red").with_prev_kv()),
            |it| match it.prev_kv {
                Some(kv) if kv.value == "green" => Ok(format!(
                    "stored at revision {}; it was green",
                    it.header.revision
                )),
                other => Err(format!("green was stored, but it was {other:?}")),
            },
        )?;
        self.ask(
            &format!("client.get({apple:?})"),
            |client| client.get(&apple),
            |it| match it.first() {
                Some(kv) if kv.value == "red" && kv.version == 2 => Ok(format!(
                    "red, version 2, changed at revision {}",
                    kv.mod_revision
                )),
                other => Err(format!("red was stored, read was {other:?}")),
            },
        )?;
        let pear = self.key("fruit/pear");
        let plum = self.key("fruit/plum");
        let both = [Put::new(&pear, "yellow"), Put::new(&plum, "blue")];
        self.ask(
            "client.txn(Txn::new().and_then([Put pear, Put plum]))",
            |client| client.call(Txn::new().and_then(both)),
            |it| Ok(format!("both stored at revision {}", it.header.revision)),
        )?;
        let fruit = self.key("fruit/");
        self.ask(
            &format!("client.get(Range::prefix({fruit:?}).with_limit(2))"),
            |client| client.get(Range::prefix(&fruit).with_limit(2)),
            |it| match (it.kvs.len(), it.count, it.more) {
                (2, 3, true) => Ok(format!("{} (2 of 3, more to come)", listed(&it))),
                _ => Err(format!(
                    "wanted 2 of 3, got {} of {}",
                    it.kvs.len(),
                    it.count
                )),
            },
        )
    }

    fn transactions(&self) -> Result<(), String> {
        let leader = self.key("leader");
        let take = |name: &str| {
            Txn::new()
                .when([Compare::missing(&leader)])
                .and_then([Put::new(&leader, name)])
                .or_else([Range::key(&leader)])
        };
        let holder = |it: &TxnResponse| match &it.responses[..] {
            [TxnOpResponse::Range(range)] => range.first().map(|kv| kv.value.clone()),
            _ => None,
        };
        self.ask(
            &format!("if {leader:?} is missing, put \"ann\", else read it"),
            |client| client.call(take("ann")),
            |it| match it.succeeded() {
                true => Ok(format!(
                    "won: ann leads since revision {}",
                    it.header.revision
                )),
                false => Err(format!("it was there already: {:?}", holder(&it))),
            },
        )?;
        self.ask(
            &format!("if {leader:?} is missing, put \"bob\", else read it"),
            |client| client.call(take("bob")),
            |it| match holder(&it) {
                Some(name) if name == "ann" => Ok("lost: ann leads".to_owned()),
                other => Err(format!("wanted ann, got {other:?}")),
            },
        )
    }

    fn lease(&self) -> Result<(), String> {
        let session = self.key("session");
        let mut id = 0;
        self.ask(
            "client.lease_grant(60)",
            |client| client.call(LeaseGrant::new(60)),
            |it| {
                id = it.id;
                Ok(format!("lease {:x} for {} s", it.id, it.ttl))
            },
        )?;
        self.ask(
            &format!("client.call(Put::new({session:?}, \"here\").with_lease({id:x}))"),
            |client| client.call(Put::new(&session, "here").with_lease(id)),
            |it| Ok(format!("stored at revision {}", it.header.revision)),
        )?;
        self.ask(
            &format!("client.lease_keep_alive_once({id:x})"),
            |client| client.call(LeaseKeepAlive::new(id)),
            |it| Ok(format!("another {} s", it.ttl)),
        )?;
        self.ask(
            &format!("client.call(LeaseTimeToLive::new({id:x}).with_keys())"),
            |client| client.call(LeaseTimeToLive::new(id).with_keys()),
            |it| match &it.keys[..] {
                [key] if *key == session => Ok(format!("{} s left, one key: {session}", it.ttl)),
                other => Err(format!("wanted the one key, got {other:?}")),
            },
        )?;
        self.ask(
            &format!("client.lease_revoke({id:x}), then client.get({session:?})"),
            |client| {
                client.call(LeaseRevoke::new(id))?;
                client.get(&session)
            },
            |it| match it.count {
                0 => Ok("the key is gone with its lease".to_owned()),
                _ => Err("the key outlived its lease".to_owned()),
            },
        )
    }

    fn clean_up(&self) -> Result<(), String> {
        let apple = self.key("fruit/apple");
        self.ask(
            &format!("client.delete({apple:?})"),
            |client| client.delete(&apple),
            |it| match it.deleted {
                1 => Ok(format!("deleted at revision {}", it.header.revision)),
                other => Err(format!("wanted 1 key deleted, got {other}")),
            },
        )?;
        self.ask(
            &format!("client.delete(DeleteRange::prefix({:?}))", self.prefix),
            |client| {
                let all = client.delete(DeleteRange::prefix(&self.prefix))?.deleted;
                Ok((
                    all,
                    client
                        .get(Range::prefix(&self.prefix).with_count_only())?
                        .count,
                ))
            },
            |(all, left)| match left {
                0 => Ok(format!("{all} keys deleted, none left")),
                _ => Err(format!("{left} keys are left")),
            },
        )
    }

    /// One step: says what it asks for, does it, and says what came back.
    fn ask<T>(
        &self,
        what: &str,
        ask: impl FnOnce(&D) -> Result<T, Error>,
        tell: impl FnOnce(T) -> Result<String, String>,
    ) -> Result<(), String> {
        self.pen.ask(what);
        let since = Instant::now();
        let answer = ask(&self.client).map_err(|error| error.to_string())?;
        let took = since.elapsed();
        self.pen.answer(&tell(answer)?, took);
        Ok(())
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

fn listed(answer: &RangeResponse) -> String {
    let each = answer.kvs.iter().map(|kv| {
        let (key, value) = (
            String::from_utf8_lossy(&kv.key),
            String::from_utf8_lossy(&kv.value),
        );
        format!("{} = {value}", key.rsplit('/').next().unwrap_or(&key))
    });
    each.collect::<Vec<_>>().join(", ")
}
