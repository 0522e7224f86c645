//! Whether the simulated etcd means what a real one means.
//!
//! One random script of requests is given to both, one after the other, and what they answer is
//! compared field by field: answers, errors with their codes, events of watches. Left out is only
//! what cannot be the same: ids of cluster and member, the term, tokens, seconds that are left, and
//! the order where etcd has none. What differs between versions is a switch in the model, not left
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
        if by_real != by_model {
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
