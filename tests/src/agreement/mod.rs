//! Whether the simulated etcd means what a real one means.
//!
//! One random script of requests is given to both, one after the other, and what they answer is
//! compared field by field: answers, errors with their codes, events of watches. Left out is only
//! what cannot be the same: ids of cluster and member, the term, tokens, seconds that are left, and
//! the order where etcd has none, and what a change replaced where a compaction overtook its being told. What differs between versions is a switch in the model, not left
//! out here.

mod model;
mod real;
mod script;

use std::fmt;
use std::io;
use std::ops::AddAssign;
use std::time::Duration;

use etcd_core::{Call, Version};
use etcd_sim::etcd::{Defects, Setup};
use serde::Serialize;
use serde_json::Value;

use crate::Server;
use model::Model;
use real::Real;
use script::{Script, Step};

/// What a server said, without what cannot be the same.
#[derive(Clone, PartialEq, Eq)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much of it the two agreed about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// Requests, each answered by both.
    pub calls: u64,
    /// Watches, each begun on both.
    pub watches: u64,
    /// What the watches were told: events, creations and ends.
    pub events: u64,
}

impl AddAssign for Agreed {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.watches += other.watches;
        self.events += other.events;
    }
}

/// Where the two said something else.
#[derive(Debug)]
#[non_exhaustive]
pub struct Difference {
    /// Which step it was, counted from 1.
    pub step: usize,
    /// What was asked, and what led there.
    pub asked: Vec<String>,
    /// What the real server said.
    pub real: String,
    /// What the model said.
    pub model: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "step {}:", self.step)?;
        for asked in &self.asked {
            writeln!(f, "  {asked}")?;
        }
        writeln!(f, "real:  {}", self.real)?;
        write!(f, "model: {}", self.model)
    }
}

/// How many steps before a difference are told, beside those that began watches.
const CONTEXT: usize = 12;

/// How long nothing has to come from a watch until it is taken to have told all.
const SOON: Duration = Duration::from_millis(250);

/// The same, before something is called a difference.
const PATIENT: Duration = Duration::from_secs(3);

/// Gives `steps` steps to a fresh server, which must have nothing in it yet, and to the model. Tells
/// how much they agreed about, or else the first difference.
///
/// # Errors
///
/// If the server cannot be talked to.
pub fn run(server: &Server, seed: u64, steps: usize) -> io::Result<Result<Agreed, Difference>> {
    let version: Version = server
        .version()?
        .parse()
        .map_err(|error| io::Error::other(format!("{error}")))?;
    let defects = Defects::steady(&version);
    let setup = Setup::new(version.clone()).with_defects(defects);
    let mut model = Model::new(setup, seed);
    let mut real = Real::connect(server.client_port())?;
    let mut script = Script::new(seed);
    let mut asked = Vec::new();
    let mut agreed = Agreed::default();
    for number in 1..=steps {
        let step = script.next();
        let revision = model.revision();
        asked.push(format!("at revision {revision}: {step:?}"));
        let mut is_of_watches = matches!(step, Step::Watch(_));
        let mut said = match step {
            Step::Call { user, request } => {
                agreed.calls += 1;
                let by_real = real.call(user, &request);
                // Some requests are the end of some servers.
                let by_real = by_real.map_err(|error| {
                    io::Error::other(format!("seed {seed}, step {number}, {request:?}: {error}"))
                })?;
                (by_real, model.call(user, &request))
            }
            Step::Watch(watch) => {
                agreed.watches += 1;
                real.watch(&watch)?;
                (real.events(SOON)?, model.watch(watch))
            }
        };
        if said.0 == said.1 && (number % 500 == 0 || number == steps) {
            is_of_watches = true;
            said = (real.events(SOON)?, model.events());
        }
        if said.0 != said.1 && is_of_watches {
            // A busy machine may need longer.
            said = (real.events(PATIENT)?, model.events());
        }
        let (by_real, by_model) = said;
        let compacted = model.compact_revision();
        if by_real != by_model && !(is_of_watches && agree_late(&by_real, &by_model, compacted)) {
            let (real, model) = first_difference(&by_real, &by_model);
            let late = asked.len().saturating_sub(CONTEXT);
            let asked = asked.into_iter().enumerate();
            let told = asked.filter(|(index, asked)| *index >= late || asked.contains(": Watch("));
            return Ok(Err(Difference {
                step: number,
                asked: told.map(|(_, asked)| asked).collect(),
                real,
                model,
            }));
        }
        script.learn(model.revision(), model.compact_revision());
    }
    agreed.events = model.told();
    Ok(Ok(agreed))
}

/// Whether the two differ only in what a server that was busy can no longer tell: it reads what a change
/// replaced when it sends the change, and a compaction that came in between leaves that out.
fn agree_late(real: &Said, model: &Said, compacted: i64) -> bool {
    let same = |(real, model): (&str, &str)| real == model || is_late(real, model, compacted);
    let (real, model) = (real.0.lines(), model.0.lines());
    real.clone().count() == model.clone().count() && real.zip(model).all(same)
}

fn is_late(real: &str, model: &str, compacted: i64) -> bool {
    let without = |line: &str| {
        let (rest, replaced) = line.split_once(", prev_kv: ")?;
        let (_, revision) = rest.split_once("mod_revision: ")?;
        let (revision, _) = revision.split_once(',')?;
        Some((
            rest.to_owned(),
            replaced == "None }",
            revision.parse().ok()?,
        ))
    };
    let (Some((told, is_none, revision)), Some((meant, _, _))) = (without(real), without(model))
    else {
        return false;
    };
    let revision: i64 = revision;
    told == meant && is_none && revision <= compacted
}

/// The first line that is not the same.
fn first_difference(real: &Said, model: &Said) -> (String, String) {
    let mut lines = real.0.lines().zip(model.0.lines());
    match lines.find(|(real, model)| real != model) {
        Some((real, model)) => (real.to_owned(), model.to_owned()),
        None => (
            format!("{} lines", real.0.lines().count()),
            format!("{} lines", model.0.lines().count()),
        ),
    }
}

/// An answer as text, without what cannot be the same.
fn said<C: Call>(response: &C::Response) -> Said
where
    C::Response: Serialize,
{
    let mut value = serde_json::to_value(response).unwrap_or_default();
    tidy(&mut value);
    Said(value.to_string())
}

fn said_error(code: i32, message: &str) -> Said {
    Said(format!("{code} {message}"))
}

fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for own in [
                "cluster_id",
                "member_id",
                "raft_term",
                "memberID",
                "token",
                "peerURLs",
                "clientURLs",
                "name",
                "members",
            ] {
                fields.remove(own);
            }
            if fields.contains_key("grantedTTL") {
                fields.remove("TTL");
            }
            for unordered in ["leases", "keys"] {
                if let Some(Value::Array(items)) = fields.get_mut(unordered) {
                    items.sort_by_key(Value::to_string);
                }
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Does the same for a request whatever its type is.
macro_rules! each {
    ($request:expr, $typed:ident => $do:expr) => {{
        use etcd_sim::etcd::Request;
        match $request {
            Request::Range($typed) => $do,
            Request::Put($typed) => $do,
            Request::DeleteRange($typed) => $do,
            Request::Txn($typed) => $do,
            Request::Compact($typed) => $do,
            Request::LeaseGrant($typed) => $do,
            Request::LeaseRevoke($typed) => $do,
            Request::LeaseTimeToLive($typed) => $do,
            Request::LeaseLeases($typed) => $do,
            Request::Alarm($typed) => $do,
            Request::MemberList($typed) => $do,
            Request::MemberAdd($typed) => $do,
            Request::MemberRemove($typed) => $do,
            Request::MemberPromote($typed) => $do,
            Request::MoveLeader($typed) => $do,
            Request::AuthEnable($typed) => $do,
            Request::AuthDisable($typed) => $do,
            Request::Authenticate($typed) => $do,
            Request::UserAdd($typed) => $do,
            Request::UserGet($typed) => $do,
            Request::UserList($typed) => $do,
            Request::UserDelete($typed) => $do,
            Request::UserChangePassword($typed) => $do,
            Request::UserGrantRole($typed) => $do,
            Request::UserRevokeRole($typed) => $do,
            Request::RoleAdd($typed) => $do,
            Request::RoleGet($typed) => $do,
            Request::RoleList($typed) => $do,
            Request::RoleDelete($typed) => $do,
            Request::RoleGrantPermission($typed) => $do,
            Request::RoleRevokePermission($typed) => $do,
            Request::Lock($typed) => $do,
            Request::Unlock($typed) => $do,
            Request::Campaign($typed) => $do,
            Request::Proclaim($typed) => $do,
            Request::Leader($typed) => $do,
            Request::Resign($typed) => $do,
            other => unreachable!("no script has {other:?}"),
        }
    }};
}

use each;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_compacted_may_be_missing() {
        let line = |prev: &str| {
            let kv = r#"KeyValue { key: b"k", mod_revision: 345, version: 3, lease: 0 }"#;
            format!("2: KvEvent {{ kind: Put, kv: {kv}, prev_kv: {prev} }}")
        };
        let said = |text: String| Said(text);
        let some = || {
            said(line(
                "Some(KeyValue { key: b\"k\", mod_revision: 333, version: 2 })",
            ))
        };
        let none = || said(line("None"));
        assert!(agree_late(&none(), &some(), 345));
        assert!(!agree_late(&none(), &some(), 344));
        assert!(!agree_late(&some(), &none(), 345));
        let other = said(line("None").replace("345", "346"));
        assert!(!agree_late(&other, &some(), 400));
        let more = said(format!("{}\n{}", line("None"), line("None")));
        assert!(!agree_late(&more, &some(), 400));
    }
}
