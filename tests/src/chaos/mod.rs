//! Faults on real servers, and what the client makes of them: once for both drivers.
//!
//! Each of [`ALL`] is a function over [`Driver`]. It starts servers of its own, breaks them or the
//! connections to them, panics where the client does not keep what it promises, and gives the figures
//! of what happened. `tests/chaos.rs` runs the quick ones, `cargo xtask chaos` all of them. What is true
//! is asked for with [`http`], not with the client under test.

mod compaction;
mod doubt;
mod figures;
mod ground;
mod load;
mod members;
mod offsets;
mod storm;
mod tokens;
mod wire;

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use etcd_core::Call;
use etcd_core::gateway;
use etcd_core::gateway::Gateway;

pub use self::figures::Figures;
use crate::driver::Driver;
use crate::http;
use crate::scenario::Must;

/// What a scenario runs on, and how much of it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The etcd.
    pub binary: PathBuf,
    /// Whether only as much is done as a test has time for.
    pub is_short: bool,
    /// Which of the passes this is, from 0.
    pub pass: usize,
    /// How many passes there are. What is long is spread over them.
    pub passes: usize,
}

/// A driver to run a scenario with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Runtime {
    /// `etcd-std`.
    Std,
    /// `etcd-smol`.
    Smol,
}

impl Setting {
    /// Which of so many this pass is to take, the first of them in the first pass; all of them where there are
    /// fewer passes than that.
    fn share(&self, of: usize) -> Vec<usize> {
        match (self.is_short, self.passes < of) {
            (false, true) => (0..of).collect(),
            _ => vec![self.pass % of],
        }
    }
}

impl Runtime {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Std, Self::Smol];

    /// Its name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Std => etcd_std::Client::NAME,
            Self::Smol => etcd_smol::Client::NAME,
        }
    }
}

/// Something that is done to servers and connections while clients work.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name on a command line.
    pub name: &'static str,
    /// What is done, in a few words.
    pub about: &'static str,
    on_std: fn(&Setting) -> Figures,
    on_smol: fn(&Setting) -> Figures,
}

impl Scenario {
    /// Runs it once.
    ///
    /// # Panics
    ///
    /// If the client does not keep what it promises, or a server cannot be started.
    #[must_use]
    pub fn run(&self, runtime: Runtime, setting: &Setting) -> Figures {
        match runtime {
            Runtime::Std => (self.on_std)(setting),
            Runtime::Smol => (self.on_smol)(setting),
        }
    }
}

macro_rules! scenarios {
    ($($name:literal $about:literal $($run:ident)::+;)+) => {
        &[$(Scenario {
            name: $name,
            about: $about,
            on_std: $($run)::+::<etcd_std::Client>,
            on_smol: $($run)::+::<etcd_smol::Client>,
        }),+]
    };
}

/// All scenarios.
pub const ALL: &[Scenario] = scenarios! {
    "puts" "a put is broken off at every byte" offsets::puts;
    "watches" "a watch is broken off at every byte" wire::watches;
    "doubt" "writes time out at a suspended leader" doubt::late_writes;
    "kills" "each member is killed and comes back" members::kills;
    "pauses" "each member stands still for longer than a watch waits" members::pauses;
    "leaders" "leadership moves from member to member" members::leaders;
    "compaction" "what cut-off watches miss is compacted" compaction::while_away;
    "tokens" "tokens expire, and authentication is turned on and off" tokens::expire_and_come_back;
    "storm" "a member with a thousand watches is killed" storm::a_thousand_watches;
};

/// What the server on this port answers, asked without the client under test.
#[track_caller]
fn straight<C: Call<Response: Debug>>(port: u16, call: &C) -> C::Response {
    let request = Gateway::new().request(call);
    let path = request.uri().path().to_owned();
    let json = String::from_utf8(request.into_body().to_vec()).must();
    let answer = http::post(port, &path, &json, PATIENCE).must();
    gateway::decode_answer::<C>(answer.status, answer.body.as_bytes()).must()
}

/// How long anything may take, with all processors busy.
const PATIENCE: Duration = Duration::from_secs(40);
