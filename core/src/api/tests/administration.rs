//! The JSON of everything about clusters, upkeep, users, locks and elections.

use proptest::prelude::*;

use super::forms::survives_json;
use super::strategies::{bytes, header, int, key_range, key_value, list, text, uint};
use crate::*;

pub(super) fn member() -> impl Strategy<Value = Member> {
    (uint(), text(), list(text()), list(text()), any::<bool>()).prop_map(
        |(id, name, peer_urls, client_urls, is_learner)| Member {
            id,
            name,
            peer_urls,
            client_urls,
            is_learner,
        },
    )
}

fn alarm_type() -> impl Strategy<Value = AlarmType> {
    prop::sample::select(vec![
        AlarmType::None,
        AlarmType::NoSpace,
        AlarmType::Corrupt,
    ])
}

fn raised_alarm() -> impl Strategy<Value = RaisedAlarm> {
    prop_oneof![
        alarm_type().prop_map(RaisedAlarm::Known),
        prop_oneof![3..i64::MAX, i64::MIN..0].prop_map(RaisedAlarm::Number),
        "[A-Z]{8,9}".prop_map(RaisedAlarm::Name),
    ]
}

pub(super) fn alarm_response() -> impl Strategy<Value = AlarmResponse> {
    let alarm =
        (uint(), raised_alarm()).prop_map(|(member_id, alarm)| AlarmMember { member_id, alarm });
    (header(), list(alarm)).prop_map(|(header, alarms)| AlarmResponse { header, alarms })
}

fn alarm_request() -> impl Strategy<Value = AlarmRequest> {
    let action = prop::sample::select(vec![
        AlarmAction::Get,
        AlarmAction::Activate,
        AlarmAction::Deactivate,
    ]);
    (action, uint(), alarm_type()).prop_map(|(action, member_id, alarm)| AlarmRequest {
        action,
        member_id,
        alarm,
    })
}

fn downgrade() -> impl Strategy<Value = Downgrade> {
    let action = prop::sample::select(vec![
        DowngradeAction::Validate,
        DowngradeAction::Enable,
        DowngradeAction::Cancel,
    ]);
    (action, text()).prop_map(|(action, version)| Downgrade { action, version })
}

pub(super) fn permission() -> impl Strategy<Value = Permission> {
    let perm_type = prop::sample::select(vec![
        PermissionType::Read,
        PermissionType::Write,
        PermissionType::ReadWrite,
    ]);
    (perm_type, key_range()).prop_map(|(perm_type, range)| Permission { perm_type, range })
}

fn leader_key() -> impl Strategy<Value = LeaderKey> {
    (bytes(), bytes(), int(), int()).prop_map(|(name, key, rev, lease)| LeaderKey {
        name,
        key,
        rev,
        lease,
    })
}

fn health_checks() -> impl Strategy<Value = Vec<HealthCheck>> {
    list(
        (text(), any::<bool>(), text()).prop_map(|(name, ok, reason)| HealthCheck {
            name,
            ok,
            reason,
        }),
    )
}

/// Answers with nothing but a header.
macro_rules! bare_answers_survive_json {
    ($($name:ident: $answer:ident,)*) => {
        survives_json! {
            $($name: header().prop_map(|header| $answer { header });)*
        }
    };
}

survives_json! {
    member_add: (list(text()), any::<bool>())
        .prop_map(|(peer_urls, is_learner)| MemberAdd { peer_urls, is_learner });
    member_add_response: (header(), member(), list(member()))
        .prop_map(|(header, member, members)| MemberAddResponse { header, member, members });
    member_remove: uint().prop_map(MemberRemove::new);
    member_remove_response: (header(), list(member()))
        .prop_map(|(header, members)| MemberRemoveResponse { header, members });
    member_update: (uint(), list(text())).prop_map(|(id, urls)| MemberUpdate::new(id, urls));
    member_update_response: (header(), list(member()))
        .prop_map(|(header, members)| MemberUpdateResponse { header, members });
    member_promote: uint().prop_map(MemberPromote::new);
    member_promote_response: (header(), list(member()))
        .prop_map(|(header, members)| MemberPromoteResponse { header, members });
    member_list: any::<bool>().prop_map(|linearizable| MemberList { linearizable });
    member_list_response: (header(), list(member()))
        .prop_map(|(header, members)| MemberListResponse { header, members });
    alarm_request_survives_json: alarm_request();
    alarm_response_survives_json: alarm_response();
    hash_response: (header(), any::<u32>()).prop_map(|(header, hash)| HashResponse { header, hash });
    hash_kv: int().prop_map(HashKv::new);
    hash_kv_response: (header(), any::<u32>(), int(), int()).prop_map(
        |(header, hash, compact_revision, hash_revision)| HashKvResponse {
            header,
            hash,
            compact_revision,
            hash_revision,
        },
    );
    move_leader: uint().prop_map(MoveLeader::new);
    downgrade_survives_json: downgrade();
    downgrade_response: (header(), text())
        .prop_map(|(header, version)| DowngradeResponse { header, version });
    bare_requests: Just((
        Defragment::new(),
        HashRequest::new(),
        AuthEnable::new(),
        AuthDisable::new(),
        AuthStatus::new(),
        UserList::new(),
        RoleList::new(),
        MetricsRequest::new(),
    ));
    auth_status_response: (header(), any::<bool>(), uint()).prop_map(
        |(header, enabled, auth_revision)| AuthStatusResponse { header, enabled, auth_revision },
    );
    authenticate: (text(), text()).prop_map(|(name, password)| Authenticate::new(name, password));
    authenticate_response: (header(), text())
        .prop_map(|(header, token)| AuthenticateResponse { header, token });
    user_add: (text(), text(), any::<bool>()).prop_map(|(name, password, no_password)| UserAdd {
        name,
        password,
        options: UserAddOptions { no_password },
    });
    user_get: text().prop_map(UserGet::new);
    user_get_response: (header(), list(text()))
        .prop_map(|(header, roles)| UserGetResponse { header, roles });
    user_list_response: (header(), list(text()))
        .prop_map(|(header, users)| UserListResponse { header, users });
    user_delete: text().prop_map(UserDelete::new);
    user_change_password: (text(), text())
        .prop_map(|(name, password)| UserChangePassword::new(name, password));
    user_grant_role: (text(), text()).prop_map(|(user, role)| UserGrantRole::new(user, role));
    user_revoke_role: (text(), text()).prop_map(|(name, role)| UserRevokeRole::new(name, role));
    role_add: text().prop_map(RoleAdd::new);
    role_get: text().prop_map(RoleGet::new);
    role_get_response: (header(), list(permission()))
        .prop_map(|(header, perm)| RoleGetResponse { header, perm });
    role_list_response: (header(), list(text()))
        .prop_map(|(header, roles)| RoleListResponse { header, roles });
    role_delete: text().prop_map(RoleDelete::new);
    role_grant_permission: (text(), permission())
        .prop_map(|(name, perm)| RoleGrantPermission::new(name, perm));
    role_revoke_permission: (text(), key_range())
        .prop_map(|(role, range)| RoleRevokePermission::new(role, range));
    lock: (bytes(), int()).prop_map(|(name, lease)| Lock { name, lease });
    lock_response: (header(), bytes()).prop_map(|(header, key)| LockResponse { header, key });
    unlock: bytes().prop_map(Unlock::new);
    campaign: (bytes(), int(), bytes())
        .prop_map(|(name, lease, value)| Campaign { name, lease, value });
    campaign_response: (header(), leader_key())
        .prop_map(|(header, leader)| CampaignResponse { header, leader });
    proclaim: (leader_key(), bytes()).prop_map(|(leader, value)| Proclaim { leader, value });
    leader: bytes().prop_map(Leader::new);
    leader_response: (header(), key_value())
        .prop_map(|(header, kv)| LeaderResponse { header, kv });
    resign: leader_key().prop_map(Resign::new);
    livez: (text(), list(text()), any::<bool>())
        .prop_map(|(check, exclude, verbose)| Livez { check, exclude, verbose });
    readyz: (text(), list(text()), any::<bool>())
        .prop_map(|(check, exclude, verbose)| Readyz { check, exclude, verbose });
    livez_response: (any::<bool>(), health_checks())
        .prop_map(|(ok, checks)| LivezResponse { ok, checks });
    readyz_response: (any::<bool>(), health_checks())
        .prop_map(|(ok, checks)| ReadyzResponse { ok, checks });
    metrics_response: text().prop_map(|text| MetricsResponse { text });
}

bare_answers_survive_json! {
    defragment_response: DefragmentResponse,
    move_leader_response: MoveLeaderResponse,
    auth_enable_response: AuthEnableResponse,
    auth_disable_response: AuthDisableResponse,
    user_add_response: UserAddResponse,
    user_delete_response: UserDeleteResponse,
    user_change_password_response: UserChangePasswordResponse,
    user_grant_role_response: UserGrantRoleResponse,
    user_revoke_role_response: UserRevokeRoleResponse,
    role_add_response: RoleAddResponse,
    role_delete_response: RoleDeleteResponse,
    role_grant_permission_response: RoleGrantPermissionResponse,
    role_revoke_permission_response: RoleRevokePermissionResponse,
    unlock_response: UnlockResponse,
    proclaim_response: ProclaimResponse,
    resign_response: ResignResponse,
}

#[test]
fn a_permission_is_written_whatever_it_is() {
    let json = serde_json::to_string(&RoleGrantPermission::default()).unwrap();
    assert_eq!(json, r#"{"perm":{}}"#);
}

#[test]
fn what_would_end_a_server_cannot_be_said() {
    for json in [
        r#"{"action":9}"#,
        r#"{"action":"ACTIVATE","alarm":9}"#,
        r#"{"action":"NEW"}"#,
    ] {
        assert!(
            serde_json::from_str::<AlarmRequest>(json).is_err(),
            "{json}"
        );
    }
    let range = r#"{"key":"aw==","sort_order":"ASCEND","sort_target":99}"#;
    assert!(serde_json::from_str::<Range>(range).is_err());
}

#[test]
fn alarms_that_nobody_knows_are_read() {
    let read = |alarm: &str| -> RaisedAlarm {
        let json = format!(r#"{{"alarms":[{{"alarm":{alarm}}}]}}"#);
        let mut answer: AlarmResponse = serde_json::from_str(&json).unwrap();
        answer.alarms.remove(0).alarm
    };
    assert_eq!(read("9"), RaisedAlarm::Number(9));
    assert_eq!(read("-1"), RaisedAlarm::Number(-1));
    assert_eq!(read("1"), AlarmType::NoSpace.into());
    assert_eq!(read("\"CORRUPT\""), AlarmType::Corrupt.into());
    assert_eq!(read("\"SLOW\""), RaisedAlarm::Name("SLOW".to_owned()));
}

#[test]
fn no_secret_is_in_a_debug_text() {
    let secret = "swordfish";
    let answer = AuthenticateResponse {
        token: secret.to_owned(),
        ..AuthenticateResponse::default()
    };
    for text in [
        format!("{:?}", Authenticate::new("u", secret)),
        format!("{:?}", UserAdd::new("u", secret)),
        format!("{:?}", UserChangePassword::new("u", secret)),
        format!("{answer:?}"),
        format!("{:?}", Response::from(answer.clone())),
    ] {
        assert!(
            !text.contains(secret) && text.contains("[hidden]"),
            "{text}"
        );
    }
}
