//! Users, roles, their permissions, and authentication.

use etcd_core::AuthDisable;
use etcd_core::AuthEnable;
use etcd_core::AuthStatus;
use etcd_core::Authenticate;
use etcd_core::KeyRange;
use etcd_core::Known;
use etcd_core::Permission;
use etcd_core::RoleAdd;
use etcd_core::RoleDelete;
use etcd_core::RoleGet;
use etcd_core::RoleGrantPermission;
use etcd_core::RoleList;
use etcd_core::RoleRevokePermission;
use etcd_core::UserAdd;
use etcd_core::UserChangePassword;
use etcd_core::UserDelete;
use etcd_core::UserGet;
use etcd_core::UserGrantRole;
use etcd_core::UserList;
use etcd_core::UserRevokeRole;

use super::PASSWORD;
use super::Walk;
use crate::driver::Driver;

/// Makes the role that the user root has to have, unless the server has it of itself.
pub(super) fn give_root_its_role<D: Driver>(walk: &mut Walk<D>) {
    if !walk
        .ok(RoleList::new())
        .roles
        .iter()
        .any(|role| role == "root")
    {
        walk.ok(RoleAdd::new("root"));
    }
}

pub(super) fn users_and_roles<D: Driver>(walk: &mut Walk<D>) {
    walk.ok(RoleAdd::new("reader"));
    walk.refused(RoleAdd::new("reader"), Known::RoleAlreadyExist);
    assert!(walk.ok(RoleGet::new("reader")).perm.is_empty());
    let ranges = [
        KeyRange::key("k"),
        KeyRange::prefix("p/"),
        KeyRange::from_key("x"),
        KeyRange::all(),
    ];
    let wanted = [
        Permission::read("k"),
        Permission::write(KeyRange::prefix("p/")),
        Permission::read_write(KeyRange::from_key("x")),
        Permission::read(KeyRange::all()),
    ];
    for perm in &wanted {
        walk.ok(RoleGrantPermission::new("reader", perm.clone()));
    }
    let told = walk.ok(RoleGet::new("reader")).perm;
    assert_eq!(told.len(), wanted.len());
    assert!(wanted.iter().all(|perm| told.contains(perm)), "{told:?}");
    for (left, range) in (0..ranges.len()).rev().zip(ranges) {
        walk.ok(RoleRevokePermission::new("reader", range.clone()));
        assert_eq!(walk.ok(RoleGet::new("reader")).perm.len(), left);
        let again = RoleRevokePermission::new("reader", range);
        walk.refused(again, Known::PermissionNotGranted);
    }

    walk.ok(UserAdd::new("ann", "a"));
    walk.ok(UserAdd::no_password("bob"));
    walk.refused(UserAdd::new("ann", "a"), Known::UserAlreadyExist);
    walk.ok(UserChangePassword::new("ann", "b"));
    walk.ok(UserGrantRole::new("ann", "reader"));
    assert_eq!(walk.ok(UserGet::new("ann")).roles, ["reader"]);
    let users = walk.ok(UserList::new()).users;
    assert!(
        ["ann", "bob"]
            .iter()
            .all(|user| users.contains(&(*user).to_owned()))
    );
    assert!(
        walk.ok(RoleList::new())
            .roles
            .contains(&"reader".to_owned())
    );
    walk.ok(UserRevokeRole::new("ann", "reader"));
    walk.refused(UserRevokeRole::new("ann", "reader"), Known::RoleNotGranted);
    assert!(walk.ok(UserGet::new("ann")).roles.is_empty());
    for user in ["ann", "bob"] {
        walk.ok(UserDelete::new(user));
    }
    walk.refused(UserGet::new("ann"), Known::UserNotFound);
    walk.ok(RoleDelete::new("reader"));
    walk.refused(RoleGet::new("reader"), Known::RoleNotFound);
}

pub(super) fn authentication<D: Driver>(walk: &mut Walk<D>, on: bool) {
    if let Some(status) = walk.if_there(AuthStatus::new()) {
        assert_eq!(status.enabled, on);
        assert!(status.auth_revision > 0);
    }
    if !on {
        walk.refused(AuthEnable::new(), Known::RootUserNotExist);
        let call = Authenticate::new("root", PASSWORD);
        walk.refused(call, Known::AuthNotEnabled);
        walk.ok(AuthDisable::new());
        return;
    }
    walk.ok(AuthEnable::new());
    let token = walk.ok(Authenticate::new("root", PASSWORD)).token;
    assert!(token.contains('.'), "a simple token ends in its number");
    walk.refused(Authenticate::new("root", "wrong"), Known::AuthFailed);
    walk.refused(UserDelete::new("root"), Known::InvalidAuthMgmt);
    // Off and on again, under way.
    walk.ok(AuthDisable::new());
    walk.ok(AuthEnable::new());
    assert_eq!(walk.ok(UserGet::new("root")).roles, ["root"]);
}
