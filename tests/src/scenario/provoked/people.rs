//! Errors of users, roles, passwords and tokens.

use std::fs;

use etcd_core::AuthDisable;
use etcd_core::AuthEnable;
use etcd_core::Authenticate;
use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::Known;
use etcd_core::Permission;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::RoleAdd;
use etcd_core::RoleGet;
use etcd_core::RoleGrantPermission;
use etcd_core::RoleList;
use etcd_core::RoleRevokePermission;
use etcd_core::UserAdd;
use etcd_core::UserDelete;
use etcd_core::UserGet;
use etcd_core::UserGrantRole;
use etcd_core::UserRevokeRole;

use super::Must;
use super::Scene;
use super::Seen;
use crate::Server;
use crate::driver::Driver;
use crate::find;
use crate::http::Post;
use crate::scenario::Stage;
use crate::scenario::numbers;

/// Each error that users, roles, passwords and tokens can provoke is told by its type.
pub fn errors_of_users_and_tokens<D: Driver>(stage: &mut Stage) {
    let mut seen = Seen::new(Scene::People, numbers(&stage.server));
    let client: D = stage.client();
    let port = stage.server.client_port();
    while_off(&mut seen, &client, port);

    client.call(AuthEnable::new()).must();
    seen.fails(&client, Put::new("k", "v"), Known::UserEmpty);
    seen.fails(
        &client,
        Authenticate::new("root", "wrong"),
        Known::AuthFailed,
    );
    seen.fails(
        &client,
        Authenticate::new("bob", "b"),
        Known::NoPasswordUser,
    );
    let range = |token: &str| {
        let json = r#"{"key":"aw=="}"#;
        Post::with_header("/v3/kv/range", "Authorization", token, json)
    };
    let invalid = range("nonsense.1");
    seen.refuses::<Range>(port, &invalid, Known::InvalidAuthToken);
    let ann = with_password::<D>(&stage.server, "ann");
    seen.fails(&ann, Put::new("k", "v"), Known::PermissionDenied);
    seen.fails(&ann, UserAdd::new("eve", "e"), Known::PermissionDenied);
    let root = with_password::<D>(&stage.server, "root");
    seen.fails(&root, UserDelete::new("root"), Known::InvalidAuthMgmt);
    root.call(AuthDisable::new()).must();

    of_tokens_that_are_signed::<D>(&mut seen, stage);
    seen.done();
}

fn while_off(seen: &mut Seen, client: &impl Driver, port: u16) {
    seen.fails(client, AuthEnable::new(), Known::RootUserNotExist);
    client.call(UserAdd::new("root", PASSWORD)).must();
    seen.fails(client, AuthEnable::new(), Known::RootRoleNotExist);
    seen.fails(
        client,
        Authenticate::new("root", PASSWORD),
        Known::AuthNotEnabled,
    );
    seen.fails(client, UserAdd::new("root", "x"), Known::UserAlreadyExist);
    seen.fails(client, UserGet::new("nobody"), Known::UserNotFound);
    let add = Post::new("/v3/auth/user/add", r#"{"password":"x"}"#);
    seen.refuses::<UserAdd>(port, &add, Known::UserEmpty);

    client.call(RoleAdd::new("r")).must();
    seen.fails(client, RoleAdd::new("r"), Known::RoleAlreadyExist);
    seen.fails(client, RoleGet::new("none"), Known::RoleNotFound);
    let add = Post::new("/v3/auth/role/add", "{}");
    seen.refuses::<RoleAdd>(port, &add, Known::RoleEmpty);
    let revoke = RoleRevokePermission::new("r", "k");
    seen.fails(client, revoke, Known::PermissionNotGranted);
    if seen.has_35() {
        // 3.4 is not asked: it takes a permission to be there.
        let grant = Post::new("/v3/auth/role/grant", r#"{"name":"r"}"#);
        seen.refuses::<RoleGrantPermission>(port, &grant, Known::PermissionNotGiven);
    }
    let revoke = UserRevokeRole::new("root", "r");
    seen.fails(client, revoke, Known::RoleNotGranted);

    let roles = client.call(RoleList::new()).must().roles;
    if !roles.contains(&"root".to_owned()) {
        client.call(RoleAdd::new("root")).must();
    }
    client.call(UserGrantRole::new("root", "root")).must();
    client.call(UserAdd::new("ann", PASSWORD)).must();
    client.call(UserAdd::no_password("bob")).must();
    let other = RoleGrantPermission::new("r", Permission::read("other"));
    client.call(other).must();
    client.call(UserGrantRole::new("ann", "r")).must();
}

/// A signed token says at which revision of users and roles it was made, so it can be too old.
fn of_tokens_that_are_signed<D: Driver>(seen: &mut Seen, stage: &Stage) {
    let key = stage.server.folder().join("token.key");
    fs::write(&key, "the key of a test").must();
    let flag = format!(
        "--auth-token=jwt,priv-key={},sign-method=HS256,ttl=10m",
        key.display()
    );
    let server = Server::start_with(&find::find().must(), &[&flag]).must();
    let client = D::with_config(Config::new([server.endpoint()]).must());
    client.call(UserAdd::new("root", PASSWORD)).must();
    if !seen.has_35() {
        client.call(RoleAdd::new("root")).must();
    }
    client.call(UserGrantRole::new("root", "root")).must();
    client.call(AuthEnable::new()).must();
    let token = client
        .call(Authenticate::new("root", PASSWORD))
        .must()
        .token;
    let root = with_password::<D>(&server, "root");
    root.put("k", "v").must();
    root.call(UserAdd::new("ann", PASSWORD)).must();
    let json = r#"{"key":"aw==","value":"dg=="}"#;
    let put = Post::with_header("/v3/kv/put", "Authorization", &token, json);
    seen.refuses::<Put>(server.client_port(), &put, Known::AuthOldRevision);
    // The client's own token is as old. It gets another one, and nobody notices.
    root.put("k", "w").must();
}

fn with_password<D: Driver>(server: &Server, user: &str) -> D {
    let mut config = Config::new([server.endpoint()]).must();
    config
        .set_credentials(Credentials::password(user, PASSWORD).must())
        .must();
    D::with_config(config)
}

const PASSWORD: &str = "secret of a test";
