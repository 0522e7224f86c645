//! Errors of members and learners, and how a member is added well.

use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::Known;
use etcd_core::MemberAdd;
use etcd_core::MemberList;
use etcd_core::MemberPromote;
use etcd_core::MemberRemove;
use etcd_core::MoveLeader;
use etcd_core::Put;
use etcd_core::StatusRequest;

use super::Must;
use super::Scene;
use super::Seen;
use crate::driver::Driver;
use crate::http::Post;
use crate::scenario::Ensemble;
use crate::scenario::let_members_settle;
use crate::scenario::numbers;
use crate::scenario::wait_until;

/// Each error that a change of members can provoke is told by its type; and a member that is added
/// as a learner, started and promoted can lead.
pub fn errors_of_members_and_learners<D: Driver>(ensemble: &mut Ensemble) {
    let cluster = &mut ensemble.cluster;
    let mut seen = Seen::new(Scene::Members, numbers(cluster.server(0)));
    let endpoint = cluster.server(0).endpoint();
    let client = D::with_config(Config::new([endpoint.as_str()]).must());
    let own = client.call(MemberList::new()).must().members.remove(0);

    let only = MemberRemove::new(own.id);
    seen.fails(&client, only, Known::MemberNotEnoughStarted);
    let taken = MemberAdd::new(own.peer_urls).with_learner();
    let_members_settle(&client);
    seen.fails(&client, taken, Known::PeerURLExist);
    let bad = Post::new("/v3/cluster/member/add", r#"{"peerURLs":["nowhere"]}"#);
    let port = cluster.server(0).client_port();
    seen.refuses::<MemberAdd>(port, &bad, Known::MemberBadURLs);
    let_members_settle(&client);
    seen.fails(&client, MemberRemove::new(1), Known::MemberNotFound);
    let_members_settle(&client);
    seen.fails(&client, MemberPromote::new(own.id), Known::MemberNotLearner);
    seen.fails(&client, MoveLeader::new(1), Known::BadLeaderTransferee);

    let peer = cluster.prepare_member().must();
    let_members_settle(&client);
    let added = client.call(MemberAdd::new([peer]).with_learner()).must();
    let learner = added.member.id;
    let second = MemberAdd::new(["http://127.0.0.1:1"]).with_learner();
    let_members_settle(&client);
    seen.fails(&client, second, Known::TooManyLearners);
    let_members_settle(&client);
    seen.fails(&client, MemberPromote::new(learner), Known::LearnerNotReady);
    let transfer = MoveLeader::new(learner);
    seen.fails(&client, transfer, Known::BadLeaderTransferee);
    client.put("k", "v").must();

    cluster.server_mut(1).restart().must();
    let at_learner = D::with_config(Config::new([cluster.server(1).endpoint()]).must());
    let status = at_learner.call(StatusRequest::new()).must();
    assert!(status.is_learner && status.header.member_id == learner);
    seen.fails(
        &at_learner,
        Put::new("k", "w"),
        Known::NotSupportedForLearner,
    );
    seen.fails(
        &at_learner,
        etcd_core::Range::key("k"),
        Known::NotSupportedForLearner,
    );

    let mut members = Vec::new();
    wait_until("the learner has caught up", || {
        let promoted = client.call(MemberPromote::new(learner));
        promoted.is_ok_and(|promoted| {
            members = promoted.members;
            true
        })
    });
    assert!(members.len() == 2 && members.iter().all(|member| !member.is_learner));
    wait_until("the new member knows of it", || {
        !at_learner.call(StatusRequest::new()).must().is_learner
    });
    assert_eq!(at_learner.get("k").must().kvs[0].value, "v");
    at_learner.put("k", "w").must();

    seen.fails(&at_learner, MoveLeader::new(own.id), Known::NotLeader);
    let here = CallOptions::default().with_endpoint(endpoint.parse().must());
    client.call_with(MoveLeader::new(learner), here).must();
    wait_until("the new member leads", || {
        at_learner.call(StatusRequest::new()).must().leader == learner
    });
    seen.fails(&client, MoveLeader::new(own.id), Known::NotLeader);
    client.put("k", "x").must();
    seen.done();
}
