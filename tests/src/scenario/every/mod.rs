//! All of the API on one server: first with authentication off, then all of it once more as root.
//!
//! What was called is written down and compared with [`Rpc::ALL`], so that a call that comes to the
//! API without coming here is noticed. What only a cluster can answer well is in
//! [`provoked`](super::provoked).

mod people;
mod store;
mod upkeep;
mod waiting;
mod watching;

use std::collections::BTreeSet;

use etcd_core::Applied;
use etcd_core::AuthDisable;
use etcd_core::AuthEnable;
use etcd_core::Call;
use etcd_core::CallOptions;
use etcd_core::Credentials;
use etcd_core::Error;
use etcd_core::Known;
use etcd_core::Range;
use etcd_core::Rpc;
use etcd_core::UserAdd;
use etcd_core::UserGrantRole;
use etcd_core::Version;

use super::Must;
use super::PATIENCE;
use super::Stage;
use crate::driver::Driver;

/// Every call there is is answered as it should be, whether authentication is off or on.
pub fn every_call_is_answered<D: Driver>(stage: &mut Stage) {
    let mut open = Walk::new(stage.client::<D>(), stage);
    open.all(stage, false);
    open.ok(UserAdd::new("root", PASSWORD));
    people::give_root_its_role(&mut open);
    open.ok(UserGrantRole::new("root", "root"));
    open.ok(AuthEnable::new());
    let refused = open.client.get("k").must_fail();
    assert_eq!(refused.known(), Some(Known::UserEmpty));

    let mut config = stage.config();
    config
        .set_credentials(Credentials::password("root", PASSWORD).must())
        .must();
    let mut root = Walk::new(D::with_config(config), stage);
    root.all(stage, true);
    root.ok(AuthEnable::new());
    root.ok(AuthDisable::new());
    assert_eq!(open.client.get(Range::all()).must().count, 0);
    assert_eq!(root.client.get(Range::all()).must().count, 0);
    for walk in [open, root] {
        let missing: Vec<_> = Rpc::ALL
            .iter()
            .filter(|rpc| !walk.called.contains(rpc))
            .collect();
        assert!(missing.is_empty(), "nobody has called {missing:?}");
    }
}

/// A client on its way through the API.
struct Walk<D> {
    client: D,
    version: Version,
    called: BTreeSet<Rpc>,
}

impl<D: Driver> Walk<D> {
    fn new(client: D, stage: &Stage) -> Self {
        let version = stage.server.version().must().parse().must();
        Self {
            client,
            version,
            called: BTreeSet::new(),
        }
    }

    fn all(&mut self, stage: &Stage, auth: bool) {
        store::keys(self);
        store::transactions(self);
        store::leases(self);
        watching::watches(self);
        watching::pages(self);
        upkeep::pages(self);
        upkeep::alarms(self);
        upkeep::databases(self);
        upkeep::members(self, auth);
        people::users_and_roles(self);
        people::authentication(self, auth);
        waiting::locks(self, stage, auth);
        waiting::elections(self);
    }

    /// The answer to a call that has to be answered.
    #[track_caller]
    fn ok<C: Call>(&mut self, call: C) -> C::Response {
        self.called.insert(C::RPC);
        match self.client.call_with(call, patient()) {
            Ok(answer) => answer,
            Err(error) => panic!("{:?}: {error}", C::RPC),
        }
    }

    /// A call that has to be refused by the server with this error, certain not to have happened.
    #[track_caller]
    fn refused<C: Call>(&mut self, call: C, known: Known) {
        self.called.insert(C::RPC);
        match self.client.call_with(call, patient()) {
            Ok(_) => panic!("{:?} was not refused", C::RPC),
            Err(error) => assert_eq!(
                (error.known(), error.applied()),
                (Some(known), Applied::No),
                "{:?}: {error}",
                C::RPC
            ),
        }
    }

    /// The answer to a call that not every server has, if this one has it. If not, the client has to
    /// say so.
    #[track_caller]
    fn if_there<C: Call>(&mut self, call: C) -> Option<C::Response> {
        let feature = call.needs().expect("not every server has this call");
        if feature.is_in(&self.version) {
            return Some(self.ok(call));
        }
        self.called.insert(C::RPC);
        match self.client.call_with(call, patient()) {
            Err(Error::Unsupported {
                feature: name,
                server_version,
                ..
            }) => assert_eq!((name, server_version), (feature.name, self.version.clone())),
            Err(error) => panic!("{:?}: {error}", C::RPC),
            Ok(_) => panic!("{:?} is not known to this server", C::RPC),
        }
        None
    }
}

/// Time enough for a machine that is busy with other things.
fn patient() -> CallOptions {
    CallOptions::default().with_timeout(PATIENCE)
}

const PASSWORD: &str = "secret of a test";
