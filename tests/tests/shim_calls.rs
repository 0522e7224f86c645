//! Every call that `shim.md` names, over the shim on a real etcd, with authentication off and on.

#![expect(clippy::unwrap_used, reason = "a test file from end to end")]

#[macro_use]
mod lines;

use std::collections::BTreeSet;

use etcd_tests::Server;
use serde_json::{Value, json};

use lines::Shim;

/// The calls, as the protocol lists them.
const CALLS: &[&str] = &[
    "kv/range",
    "kv/put",
    "kv/deleterange",
    "kv/txn",
    "kv/compaction",
    "lease/grant",
    "lease/revoke",
    "lease/keepalive",
    "lease/timetolive",
    "lease/leases",
    "cluster/member/add",
    "cluster/member/remove",
    "cluster/member/update",
    "cluster/member/list",
    "cluster/member/promote",
    "maintenance/alarm",
    "maintenance/status",
    "maintenance/defragment",
    "maintenance/hash",
    "maintenance/hash_kv",
    "maintenance/transfer-leadership",
    "maintenance/downgrade",
    "auth/enable",
    "auth/disable",
    "auth/status",
    "auth/authenticate",
    "auth/user/add",
    "auth/user/get",
    "auth/user/list",
    "auth/user/delete",
    "auth/user/changepw",
    "auth/user/grant",
    "auth/user/revoke",
    "auth/role/add",
    "auth/role/get",
    "auth/role/list",
    "auth/role/delete",
    "auth/role/grant",
    "auth/role/revoke",
    "lock/lock",
    "lock/unlock",
    "election/campaign",
    "election/proclaim",
    "election/leader",
    "election/resign",
    "version",
    "health",
];

on_both! {
    every_call_of_the_protocol_works,
}

fn every_call_of_the_protocol_works(runtime: &str) {
    let server = Server::start().unwrap();
    let mut open = Asker::start(runtime, &server, &[]);
    open.all(false);
    let root = json!({"name": "root", "password": "pw"});
    open.ok("auth/user/add", root.clone());
    let roles = open.ok("auth/role/list", json!({}));
    if roles.get("roles").is_none() {
        open.ok("auth/role/add", json!({"name": "root"}));
    }
    open.ok("auth/user/grant", json!({"user": "root", "role": "root"}));
    open.ok("auth/enable", json!({}));
    open.fails("kv/range", json!({"key": "aw=="}), "UserEmpty");
    let token = open.ok("auth/authenticate", root);
    assert!(token["token"].as_str().unwrap().len() > 16, "{token}");

    let with_password = ["--user", "root", "--password", "pw"];
    let mut root = Asker::start(runtime, &server, &with_password);
    root.all(true);
    root.ok("auth/disable", json!({}));
    open.ok("kv/put", json!({"key": "aw=="}));
    let unknown: Vec<_> = open
        .asked
        .iter()
        .filter(|name| !CALLS.contains(name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let missing = |asked: &BTreeSet<_>| {
        let missing = CALLS.iter().filter(|name| !asked.contains(*name));
        missing.copied().collect::<Vec<_>>()
    };
    assert_eq!(missing(&open.asked), ["auth/disable"]);
    assert!(
        missing(&root.asked)
            .iter()
            .all(|name| name.starts_with("auth/"))
    );
    open.shim.end();
    root.shim.end();
}

/// A shim, and what it was asked.
struct Asker {
    shim: Shim,
    endpoint: String,
    /// Whether the server is 3.5 or later.
    has_35: bool,
    asked: BTreeSet<&'static str>,
}

impl Asker {
    fn start(runtime: &str, server: &Server, further: &[&str]) -> Self {
        let endpoint = server.endpoint();
        let args: Vec<_> = [endpoint.as_str(), "--timeout-ms", "20000"]
            .into_iter()
            .chain(further.iter().copied())
            .collect();
        Self {
            shim: Shim::start(runtime, &args),
            has_35: !server.version().unwrap().starts_with("3.4."),
            endpoint,
            asked: BTreeSet::new(),
        }
    }

    fn ok(&mut self, call: &'static str, request: Value) -> Value {
        self.asked.insert(call);
        self.shim.ok(call, request)
    }

    /// A call that the server refuses with the error of this name.
    fn fails(&mut self, call: &'static str, request: Value, name: &str) {
        self.asked.insert(call);
        let error = self.shim.error(json!({"call": call, "request": request}));
        assert_eq!(
            (&error["kind"], &error["name"]),
            (&json!("etcd"), &json!(name))
        );
        assert_eq!(error["applied"], "no", "{call}: {error}");
    }

    /// A call that this server may be too old for.
    fn ok_or_too_old(&mut self, call: &'static str, request: Value) -> Option<Value> {
        self.asked.insert(call);
        let mut answer = self.shim.ask(json!({"call": call, "request": request}));
        if answer.get("ok").is_some() {
            return Some(answer["ok"].take());
        }
        let error = &answer["error"];
        assert_eq!(error["kind"], "misuse", "{call}: {error}");
        let says = error["message"].as_str().unwrap();
        assert!(says.contains("it needs"), "{call}: {says}");
        None
    }

    fn at(&mut self, call: &'static str) -> Value {
        self.asked.insert(call);
        let line = json!({"call": call, "endpoint": self.endpoint});
        let mut answer = self.shim.ask(line);
        assert!(answer.get("ok").is_some(), "{call}: {answer}");
        answer["ok"].take()
    }

    fn all(&mut self, auth: bool) {
        self.keys();
        self.leases();
        self.members(auth);
        self.maintenance();
        self.people(auth);
        self.locks_and_elections();
        assert!(self.ok("version", json!({}))["etcdserver"].is_string());
        assert_eq!(self.ok("health", json!({}))["health"], "true");
    }

    fn keys(&mut self) {
        let put = self.ok("kv/put", json!({"key": "YQ==", "value": "MQ=="}));
        let revision = put["header"]["revision"].clone();
        let op = json!({"request_put": {"key": "Yg==", "value": "Mg=="}});
        let compare = json!({"key": "YQ==", "target": "VALUE", "value": "MQ=="});
        let txn = json!({"compare": [compare], "success": [op]});
        assert_eq!(self.ok("kv/txn", txn)["succeeded"], true);
        let all = json!({"key": "AA==", "range_end": "AA==", "sort_target": "KEY", "sort_order": "DESCEND"});
        let read = self.ok("kv/range", all);
        assert_eq!(
            (&read["count"], &read["kvs"][0]["key"]),
            (&json!("2"), &json!("Yg=="))
        );
        self.ok(
            "kv/compaction",
            json!({"revision": revision, "physical": true}),
        );
        self.fails("kv/compaction", json!({"revision": revision}), "Compacted");
        let all = json!({"key": "AA==", "range_end": "AA==", "prev_kv": true});
        let gone = self.ok("kv/deleterange", all);
        assert_eq!(
            (&gone["deleted"], gone["prev_kvs"].as_array().unwrap().len()),
            (&json!("2"), 2)
        );
    }

    fn leases(&mut self) {
        self.ok("lease/grant", json!({"TTL": "60", "ID": "77"}));
        self.ok("kv/put", json!({"key": "bA==", "lease": "77"}));
        assert_eq!(self.ok("lease/keepalive", json!({"ID": "77"}))["TTL"], "60");
        let left = self.ok("lease/timetolive", json!({"ID": "77", "keys": true}));
        assert_eq!(
            (&left["grantedTTL"], &left["keys"]),
            (&json!("60"), &json!(["bA=="]))
        );
        assert_eq!(
            self.ok("lease/leases", json!({}))["leases"],
            json!([{"ID": "77"}])
        );
        self.ok("lease/revoke", json!({"ID": "77"}));
        self.fails("lease/revoke", json!({"ID": "77"}), "LeaseNotFound");
    }

    fn members(&mut self, auth: bool) {
        // A member's id is made of its URLs and the second: the one that was removed does not come back.
        let url = |port: u8| format!("http://127.0.0.1:{}", port + if auth { 2 } else { 0 });
        let listed = self.ok("cluster/member/list", json!({}));
        let own = listed["members"][0]["ID"].clone();
        let add = json!({"peerURLs": [url(1)], "isLearner": true});
        let added = self.ok("cluster/member/add", add);
        let learner = added["member"]["ID"].clone();
        assert_eq!(added["member"]["isLearner"], true);
        self.let_members_settle();
        self.fails(
            "cluster/member/promote",
            json!({"ID": learner}),
            "LearnerNotReady",
        );
        let update = json!({"ID": learner, "peerURLs": [url(2)]});
        self.let_members_settle();
        let updated = self.ok("cluster/member/update", update);
        assert_eq!(updated["members"].as_array().unwrap().len(), 2);
        self.let_members_settle();
        let left = self.ok("cluster/member/remove", json!({"ID": learner}));
        assert_eq!(left["members"][0]["ID"], own);
        let call = "maintenance/transfer-leadership";
        self.fails(call, json!({"targetID": "1"}), "BadLeaderTransferee");
        self.ok(call, json!({"targetID": own}));
    }

    /// Raft drops a change of members that comes before it is through with the last one.
    fn let_members_settle(&mut self) {
        self.ok("kv/range", json!({"key": "aw=="}));
    }

    fn maintenance(&mut self) {
        let status = self.at("maintenance/status");
        let member = status["header"]["member_id"].clone();
        assert_eq!(status["leader"], member);
        let alarm =
            |action: &str| json!({"action": action, "memberID": member, "alarm": "CORRUPT"});
        self.ok("maintenance/alarm", alarm("ACTIVATE"));
        let listed = self.ok("maintenance/alarm", json!({}));
        assert_eq!(
            listed["alarms"],
            json!([{"memberID": member, "alarm": "CORRUPT"}])
        );
        self.fails("kv/put", json!({"key": "aw=="}), "Corrupt");
        self.ok("maintenance/alarm", alarm("DEACTIVATE"));
        self.at("maintenance/defragment");
        assert!(self.at("maintenance/hash")["hash"].is_u64());
        if let Some(hash) = self.ok_or_too_old("maintenance/hash_kv", json!({})) {
            assert!(hash["hash"].is_u64(), "{hash}");
        }
        let downgrade = json!({"action": "VALIDATE", "version": "3.4"});
        let validated = self.ok_or_too_old("maintenance/downgrade", downgrade);
        assert_eq!(validated.is_some(), self.has_35);
    }

    fn people(&mut self, auth: bool) {
        let status = self.ok_or_too_old("auth/status", json!({}));
        assert_eq!(status.is_some(), self.has_35);
        if let Some(status) = status {
            assert_eq!(status.get("enabled"), auth.then_some(&json!(true)));
        }
        if !auth {
            self.fails("auth/enable", json!({}), "RootUserNotExist");
        }
        let user = json!({"name": "ann"});
        self.ok("auth/user/add", json!({"name": "ann", "password": "a"}));
        self.ok(
            "auth/user/changepw",
            json!({"name": "ann", "password": "b"}),
        );
        self.ok("auth/role/add", json!({"name": "r"}));
        let perm = json!({"permType": "READWRITE", "key": "aw=="});
        self.ok("auth/role/grant", json!({"name": "r", "perm": perm}));
        assert_eq!(
            self.ok("auth/role/get", json!({"role": "r"}))["perm"],
            json!([perm])
        );
        self.ok("auth/user/grant", json!({"user": "ann", "role": "r"}));
        assert_eq!(
            self.ok("auth/user/get", user.clone())["roles"],
            json!(["r"])
        );
        let users = self.ok("auth/user/list", json!({}))["users"].clone();
        assert!(users.as_array().unwrap().contains(&json!("ann")));
        let roles = self.ok("auth/role/list", json!({}))["roles"].clone();
        assert!(roles.as_array().unwrap().contains(&json!("r")));
        self.ok("auth/user/revoke", json!({"name": "ann", "role": "r"}));
        self.ok("auth/role/revoke", json!({"role": "r", "key": "aw=="}));
        self.ok("auth/role/delete", json!({"role": "r"}));
        self.ok("auth/user/delete", user.clone());
        self.fails("auth/user/get", user, "UserNotFound");
    }

    fn locks_and_elections(&mut self) {
        self.ok("lease/grant", json!({"TTL": "60", "ID": "9"}));
        let lock = json!({"name": "am9i", "lease": "9"});
        let key = self.ok("lock/lock", lock)["key"].clone();
        self.ok("lock/unlock", json!({"key": key}));

        self.fails(
            "election/leader",
            json!({"name": "ZWw="}),
            "ElectionNoLeader",
        );
        let campaign = json!({"name": "ZWw=", "lease": "9", "value": "MQ=="});
        let leader = self.ok("election/campaign", campaign)["leader"].clone();
        self.ok(
            "election/proclaim",
            json!({"leader": leader, "value": "Mg=="}),
        );
        let told = self.ok("election/leader", json!({"name": "ZWw="}));
        assert_eq!(told["kv"]["value"], "Mg==");
        self.ok("election/resign", json!({"leader": leader}));
        self.fails(
            "election/leader",
            json!({"name": "ZWw="}),
            "ElectionNoLeader",
        );
        self.ok("lease/revoke", json!({"ID": "9"}));
    }
}
