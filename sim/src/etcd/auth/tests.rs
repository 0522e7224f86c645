use core::time::Duration;

use etcd_core::bytes::Bytes;
use etcd_core::{
    AlarmRequest, AuthDisable, AuthEnable, AuthStatus, Authenticate, Code, Compact, Compare,
    DeleteRange, HashRequest, Instant, KeyRange, LeaseGrant, LeaseRevoke, Lock, MemberList, Put,
    Range, Response, RoleAdd, RoleDelete, RoleGet, RoleGrantPermission, RoleRevokePermission,
    StatusRequest, Txn, UserAdd, UserChangePassword, UserDelete, UserGet, UserGrantRole, UserList,
    UserRevokeRole,
};

use super::*;
use crate::etcd::Request;

const TTL: Duration = Duration::from_secs(300);

/// A store and the tokens of the one member, at an index of the log that grows.
struct Server {
    store: AuthStore,
    tokens: Tokens,
    now: Instant,
    index: u64,
}

impl Server {
    fn new(version: (u32, u32, u32)) -> Self {
        let (major, minor, patch) = version;
        Self {
            store: AuthStore::new(&Version::new(major, minor, patch)),
            tokens: Tokens::new(TTL),
            now: Instant::ZERO,
            index: 0,
        }
    }

    fn apply(&mut self, request: impl Into<Request>) -> Result<Response, Fault> {
        self.index += 1;
        let login = Login {
            prefix: "OobIPvTaOfTzRZNW",
            index: self.index,
        };
        let request = request.into();
        self.store
            .apply(self.now, &mut self.tokens, &login, &request)
            .unwrap()
    }

    /// The message it is refused with, empty if it is not.
    fn refusal(&mut self, request: impl Into<Request>) -> String {
        message(self.apply(request))
    }

    /// root, and alice with the role reader (may read `r/`) and writer (may write `w/`).
    fn enabled(version: (u32, u32, u32)) -> Self {
        let mut server = Self::new(version);
        let reader = Permission::read(KeyRange::prefix("r/"));
        let writer = Permission::write(KeyRange::prefix("w/"));
        let steps: [Request; 11] = [
            UserAdd::new("root", "secret").into(),
            UserGrantRole::new("root", "root").into(),
            UserAdd::new("alice", "hers").into(),
            RoleAdd::new("reader").into(),
            RoleAdd::new("writer").into(),
            RoleGrantPermission::new("reader", reader).into(),
            RoleGrantPermission::new("writer", writer).into(),
            UserGrantRole::new("alice", "reader").into(),
            UserGrantRole::new("alice", "writer").into(),
            UserAdd::no_password("robot").into(),
            AuthEnable::new().into(),
        ];
        for step in steps {
            server.apply(step).unwrap();
        }
        server
    }

    fn login(&mut self, name: &str, password: &str) -> String {
        let login = Authenticate::new(name, password);
        self.store.check_password(&login).unwrap();
        match self.apply(login).unwrap() {
            Response::Authenticate(answer) => answer.token,
            other => panic!("{other:?}"),
        }
    }

    /// What the request with this token is refused with, lease 7 having the key `x` attached.
    fn ask(&mut self, token: &str, request: impl Into<Request>) -> String {
        let request = request.into();
        let token = (!token.is_empty()).then_some(token);
        let who = match self
            .store
            .identify(self.now, &mut self.tokens, token, &request)
        {
            Ok(who) => who,
            Err(fault) => return fault.to_string(),
        };
        let keys = |lease: i64| match lease {
            7 => vec![Bytes::from("x")],
            _ => Vec::new(),
        };
        match self.store.permit(&who, &request, &keys) {
            Ok(()) => String::new(),
            Err(fault) => fault.to_string(),
        }
    }
}

fn message<T>(result: Result<T, Fault>) -> String {
    result.err().map_or_else(String::new, |fault| fault.message)
}

const DENIED: &str = "etcdserver: permission denied (PermissionDenied)";
const NOBODY: &str = "etcdserver: user name is empty (InvalidArgument)";
const BAD_TOKEN: &str = "etcdserver: invalid auth token (Unauthenticated)";

#[test]
fn auth_is_enabled_only_with_a_root_that_has_the_root_role() {
    let mut server = Server::new((3, 5, 16));
    assert_eq!(
        server.refusal(AuthEnable::new()),
        "etcdserver: root user does not exist"
    );
    server.apply(UserAdd::new("root", "secret")).unwrap();
    assert_eq!(
        server.refusal(AuthEnable::new()),
        "etcdserver: root user does not have root role"
    );
    // The role need not have been added.
    server.apply(UserGrantRole::new("root", "root")).unwrap();
    server.apply(AuthEnable::new()).unwrap();
    assert!(server.store.is_enabled());
    for request in [
        Request::from(UserDelete::new("root")),
        UserRevokeRole::new("root", "root").into(),
        RoleDelete::new("root").into(),
    ] {
        assert_eq!(
            server.refusal(request),
            "etcdserver: invalid auth management"
        );
    }
}

#[test]
fn names_that_exist_or_do_not_are_refused() {
    let mut server = Server::enabled((3, 5, 16));
    let read = || Permission::read(KeyRange::key("k"));
    let cases: [(Request, &str); 17] = [
        (UserAdd::new("", "p").into(), "user name is empty"),
        (
            UserAdd::new("alice", "p").into(),
            "user name already exists",
        ),
        (UserGet::new("bob").into(), "user name not found"),
        (UserDelete::new("bob").into(), "user name not found"),
        (
            UserChangePassword::new("bob", "p").into(),
            "user name not found",
        ),
        (
            UserGrantRole::new("bob", "reader").into(),
            "user name not found",
        ),
        (
            UserGrantRole::new("alice", "none").into(),
            "role name not found",
        ),
        (
            UserRevokeRole::new("alice", "none").into(),
            "role is not granted to the user",
        ),
        (RoleAdd::new("").into(), "role name is empty"),
        (RoleAdd::new("reader").into(), "role name already exists"),
        (RoleGet::new("none").into(), "role name not found"),
        (RoleGet::new("root").into(), "role name not found"),
        (RoleDelete::new("none").into(), "role name not found"),
        (
            RoleGrantPermission::new("none", read()).into(),
            "role name not found",
        ),
        (
            RoleGrantPermission::new("reader", Permission::read(KeyRange::range("b", "a"))).into(),
            "invalid auth management",
        ),
        (
            RoleRevokePermission::new("none", KeyRange::key("k")).into(),
            "role name not found",
        ),
        (
            RoleRevokePermission::new("reader", KeyRange::key("k")).into(),
            "permission is not granted to the role",
        ),
    ];
    let before = server.store.revision();
    for (request, text) in cases {
        assert_eq!(server.refusal(request), format!("etcdserver: {text}"));
    }
    assert_eq!(server.store.revision(), before);
}

#[test]
fn only_what_changes_something_makes_a_revision() {
    let mut server = Server::enabled((3, 5, 16));
    // The first is of the empty store, ten changes, and enabling is none.
    assert_eq!(server.store.revision(), 11);
    server.apply(UserGrantRole::new("alice", "reader")).unwrap();
    assert_eq!(server.store.revision(), 11);
    server.apply(AuthDisable::new()).unwrap();
    server.apply(AuthDisable::new()).unwrap();
    let Response::AuthStatus(status) = server.apply(AuthStatus::new()).unwrap() else {
        panic!("a status")
    };
    assert_eq!((status.enabled, status.auth_revision), (false, 12));
}

#[test]
fn lists_are_in_order_and_a_deleted_role_is_taken_from_its_users() {
    let mut server = Server::enabled((3, 5, 16));
    let Response::UserList(users) = server.apply(UserList::new()).unwrap() else {
        panic!("users")
    };
    assert_eq!(users.users, ["alice", "robot", "root"]);
    server.apply(RoleDelete::new("reader")).unwrap();
    let Response::UserGet(user) = server.apply(UserGet::new("alice")).unwrap() else {
        panic!("a user")
    };
    assert_eq!(user.roles, ["writer"]);
    server.apply(RoleAdd::new("root")).unwrap();
    let Response::RoleGet(role) = server.apply(RoleGet::new("root")).unwrap() else {
        panic!("a role")
    };
    // That it may do everything is not said.
    assert!(role.perm.is_empty());
}

#[test]
fn a_grant_of_the_same_range_replaces_the_one_before() {
    let mut server = Server::enabled((3, 5, 16));
    let token = server.login("alice", "hers");
    assert_eq!(server.ask(&token, Put::new("r/1", "v")), DENIED);
    let both = Permission::read_write(KeyRange::prefix("r/"));
    server
        .apply(RoleGrantPermission::new("reader", both))
        .unwrap();
    assert_eq!(server.ask(&token, Put::new("r/1", "v")), "");
}

#[test]
fn a_login_needs_the_password_and_one_that_has_none_fails() {
    let mut server = Server::new((3, 5, 16));
    let check = |server: &Server, name: &str, password: &str| {
        message(
            server
                .store
                .check_password(&Authenticate::new(name, password)),
        )
    };
    assert_eq!(
        check(&server, "alice", "hers"),
        "etcdserver: authentication is not enabled"
    );
    server = Server::enabled((3, 5, 16));
    let failed = "etcdserver: authentication failed, invalid user ID or password";
    assert_eq!(check(&server, "alice", "his"), failed);
    assert_eq!(check(&server, "nobody", "hers"), failed);
    assert_eq!(
        check(&server, "robot", ""),
        "auth: authentication failed, password was given for no password user"
    );
    assert_eq!(check(&server, "alice", "hers"), "");
    assert_eq!(server.refusal(Authenticate::new("robot", "")), failed);
    assert_eq!(server.login("alice", "hers"), "OobIPvTaOfTzRZNW.13");
}

#[test]
fn keys_are_guarded() {
    let mut server = Server::enabled((3, 5, 16));
    let alice = server.login("alice", "hers");
    let root = server.login("root", "secret");
    let cases: [(Request, bool); 14] = [
        (Range::key("r/1").into(), true),
        (Range::prefix("r/").into(), true),
        (Range::prefix("r").into(), false),
        (Range::from_key("r/").into(), false),
        (Range::key("w/1").into(), false),
        (Put::new("w/1", "v").into(), true),
        (Put::new("w/1", "v").with_prev_kv().into(), false),
        (Put::new("w/1", "v").with_lease(7).into(), false),
        (Put::new("w/1", "v").with_lease(8).into(), true),
        (DeleteRange::prefix("w/").into(), true),
        (DeleteRange::prefix("w/").with_prev_kv().into(), false),
        (
            Txn::new()
                .when([Compare::exists("r/1")])
                .and_then([Put::new("w/1", "v")])
                .into(),
            true,
        ),
        (Txn::new().when([Compare::exists("w/1")]).into(), false),
        (LeaseRevoke::new(7).into(), false),
    ];
    for (request, allowed) in cases {
        assert_eq!(server.ask("", request.clone()), NOBODY);
        let refusal = server.ask(&alice, request.clone());
        assert_eq!(refusal, if allowed { "" } else { DENIED }, "{request:?}");
        assert_eq!(server.ask(&root, request), "");
    }
    // A lease without keys is anybody's to end.
    assert_eq!(server.ask("", LeaseRevoke::new(8)), "");
}

#[test]
fn a_user_sees_itself_and_its_roles_and_root_everything() {
    let mut server = Server::enabled((3, 5, 16));
    let alice = server.login("alice", "hers");
    assert_eq!(server.ask(&alice, UserGet::new("alice")), "");
    assert_eq!(server.ask(&alice, UserGet::new("root")), DENIED);
    assert_eq!(server.ask(&alice, RoleGet::new("reader")), "");
    assert_eq!(server.ask(&alice, RoleGet::new("other")), DENIED);
    assert_eq!(server.ask(&alice, UserList::new()), DENIED);
    assert_eq!(server.ask("", UserList::new()), NOBODY);
    let root = server.login("root", "secret");
    assert_eq!(server.ask(&root, UserList::new()), "");
}

#[test]
fn a_token_ends_with_its_user_its_password_and_by_itself() {
    let mut server = Server::enabled((3, 5, 16));
    let get = || Range::key("r/1");
    let mut token = server.login("alice", "hers");
    server.now = server.now + Duration::from_secs(299);
    assert_eq!(server.ask(&token, get()), "");
    server.now = server.now + TTL;
    assert_eq!(server.ask(&token, get()), BAD_TOKEN);
    token = server.login("alice", "hers");
    server.apply(RoleAdd::new("more")).unwrap();
    assert_eq!(server.ask(&token, get()), "");
    server
        .apply(UserChangePassword::new("alice", "new"))
        .unwrap();
    assert_eq!(server.ask(&token, get()), BAD_TOKEN);
    token = server.login("alice", "new");
    server.apply(UserDelete::new("alice")).unwrap();
    assert_eq!(server.ask(&token, get()), BAD_TOKEN);
    assert_eq!(server.ask("nonsense", get()), BAD_TOKEN);
}

#[test]
fn an_entry_made_before_users_changed_is_refused_in_the_words_of_its_version() {
    for (version, code, text) in [
        ((3, 4, 23), 3, "etcdserver: revision of auth store is old"),
        ((3, 5, 1), 2, "auth: revision in header is old"),
        ((3, 5, 16), 3, "etcdserver: revision of auth store is old"),
    ] {
        let mut server = Server::enabled(version);
        let token = server.login("alice", "hers");
        let put = Request::from(Put::new("w/1", "v"));
        let who = server
            .store
            .identify(server.now, &mut server.tokens, Some(&token), &put)
            .unwrap();
        server.apply(RoleAdd::new("more")).unwrap();
        let fault = server
            .store
            .permit(&who, &put, &|_| Vec::new())
            .unwrap_err();
        assert_eq!((fault.code.get(), &*fault.message), (code, text));
    }
}

#[test]
fn newer_servers_guard_what_older_ones_forgot() {
    for (version, old) in [((3, 5, 16), true), ((3, 5, 28), false), ((3, 5, 30), false)] {
        let mut server = Server::enabled(version);
        let alice = server.login("alice", "hers");
        let lists_are_open = version == (3, 5, 30);
        let denied_if = |denied: bool| if denied { DENIED } else { "" };
        for request in [
            Request::from(LeaseGrant::new(5)),
            MemberList::new().into(),
            Compact::new(1).into(),
            StatusRequest::new().into(),
        ] {
            assert_eq!(
                server.ask("", request.clone()),
                if old { "" } else { NOBODY },
                "{request:?}"
            );
        }
        assert_eq!(server.ask(&alice, LeaseGrant::new(5)), "");
        assert_eq!(server.ask(&alice, Compact::new(1)), denied_if(!old));
        assert_eq!(
            server.ask(&alice, MemberList::new()),
            denied_if(!old && !lists_are_open)
        );
        let nested = Txn::new().and_then([Txn::new().and_then([Put::new("x", "v")])]);
        assert_eq!(server.ask(&alice, nested), denied_if(!old));
        let renewal = server
            .store
            .permit_renewal(&AuthInfo::default(), 7, &|_| Vec::new());
        assert_eq!(renewal.is_ok(), old);
        // A token that is no good matters only where it is looked at.
        assert_eq!(
            server.ask("bad.1", MemberList::new()),
            if old { "" } else { BAD_TOKEN }
        );
    }
}

#[test]
fn with_auth_off_older_servers_mind_a_token_they_do_not_know() {
    for (version, minds) in [((3, 4, 23), true), ((3, 5, 1), true), ((3, 5, 16), false)] {
        let mut server = Server::new(version);
        let refusal = server.ask("gone.7", Range::key("k"));
        assert_eq!(refusal, if minds { BAD_TOKEN } else { "" });
        assert_eq!(server.ask("", Range::key("k")), "");
        // Turning it off forgets those that were good.
        server = Server::enabled(version);
        let token = server.login("alice", "hers");
        server.apply(AuthDisable::new()).unwrap();
        let refusal = server.ask(&token, Range::key("k"));
        assert_eq!(refusal, if minds { BAD_TOKEN } else { "" });
    }
}

#[test]
fn only_the_oldest_servers_look_at_a_token_sent_with_a_login() {
    for (version, looks) in [((3, 4, 23), true), ((3, 5, 1), false)] {
        let mut server = Server::enabled(version);
        let refusal = server.ask("gone.7", Authenticate::new("alice", "hers"));
        assert_eq!(refusal, if looks { BAD_TOKEN } else { "" });
    }
}

#[test]
fn a_refused_watch_says_why_in_the_words_of_its_version() {
    let range = KeyRange::key("x");
    for (version, texts) in [
        (
            (3, 5, 16),
            [
                "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
                "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
                "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
            ],
        ),
        (
            (3, 5, 1),
            ["rpc error: code = PermissionDenied desc = etcdserver: permission denied"; 3],
        ),
    ] {
        let mut server = Server::enabled(version);
        let alice = server.login("alice", "hers");
        for (token, text) in [None, Some("bad"), Some(&*alice)].into_iter().zip(texts) {
            let who = server
                .store
                .identify_stream(server.now, &mut server.tokens, token);
            let refused = server.store.permit_watch(who.as_ref(), &range);
            assert_eq!(refused.unwrap_err(), text);
        }
        let who = server
            .store
            .identify_stream(server.now, &mut server.tokens, Some(&alice));
        let own = KeyRange::prefix("r/");
        assert!(server.store.permit_watch(who.as_ref(), &own).is_ok());
    }
}

#[test]
fn the_alarms_of_3_4_lose_the_code_too() {
    for (version, text) in [
        ((3, 4, 23), "auth: invalid auth token (Unknown)"),
        ((3, 5, 1), BAD_TOKEN),
    ] {
        let mut server = Server::enabled(version);
        assert_eq!(server.ask("bad", AlarmRequest::list()), text);
    }
}

#[test]
fn maintenance_and_locks_lose_the_code() {
    let mut server = Server::enabled((3, 5, 16));
    let alice = server.login("alice", "hers");
    let said = |server: &mut Server, token: &str, request: Request| server.ask(token, request);
    for (token, text) in [
        ("", "auth: user name is empty (Unknown)"),
        ("bad", "auth: invalid auth token (Unknown)"),
        (&*alice, "auth: permission denied (Unknown)"),
    ] {
        assert_eq!(said(&mut server, token, HashRequest::new().into()), text);
    }
    let lock = || Request::from(Lock::new("x"));
    assert_eq!(
        said(&mut server, "", lock()),
        "etcdserver: user name is empty (Unknown)"
    );
    assert_eq!(
        said(&mut server, &alice, lock()),
        "etcdserver: permission denied (Unknown)"
    );
    let refused = server.store.permit_observe(&AuthInfo::default(), b"x");
    assert_eq!(refused.unwrap_err().code, Code::UNKNOWN);
}
