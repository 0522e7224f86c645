//! What stands in the header of each answer.
//!
//! Most have all four fields. Answers about members have no revision, that of a defragmentation has
//! nothing, and neither has an alarm's on older servers (gateway.md 3.1, 11).

use etcd_core::{Response, ResponseHeader, Version};

use super::Cluster;

impl Cluster {
    /// A member's header as of now.
    pub(super) fn header(&self, member: usize) -> ResponseHeader {
        let node = &self.nodes[member];
        let stamp = node.stamp(self.id);
        stamp.header(node.machine.store.revision())
    }

    /// Fills an answer's header in. A revision that is there already stays.
    pub(super) fn fill(&self, member: usize, response: &mut Response) {
        let mut full = self.header(member);
        let without_revision = matches!(
            response,
            Response::MemberAdd(_)
                | Response::MemberRemove(_)
                | Response::MemberUpdate(_)
                | Response::MemberPromote(_)
                | Response::MemberList(_)
        );
        if without_revision {
            full.revision = 0;
        }
        let old = self.setup.version < Version::new(3, 5, 0);
        let Some(header) = header_of(response, old) else {
            return;
        };
        if header.revision != 0 {
            full.revision = header.revision;
        }
        *header = full;
    }
}

/// The header of an answer, if it is told at all.
fn header_of(response: &mut Response, old: bool) -> Option<&mut ResponseHeader> {
    Some(match response {
        Response::Alarm(_) if old => return None,
        Response::Range(response) => &mut response.header,
        Response::Put(response) => &mut response.header,
        Response::DeleteRange(response) => &mut response.header,
        Response::Txn(response) => &mut response.header,
        Response::Compact(response) => &mut response.header,
        Response::LeaseGrant(response) => &mut response.header,
        Response::LeaseRevoke(response) => &mut response.header,
        Response::LeaseKeepAlive(response) => &mut response.header,
        Response::LeaseTimeToLive(response) => &mut response.header,
        Response::LeaseLeases(response) => &mut response.header,
        Response::Status(response) => &mut response.header,
        Response::Alarm(response) => &mut response.header,
        Response::Hash(response) => &mut response.header,
        Response::HashKv(response) => &mut response.header,
        Response::MoveLeader(response) => &mut response.header,
        Response::Downgrade(response) => &mut response.header,
        Response::MemberAdd(response) => &mut response.header,
        Response::MemberRemove(response) => &mut response.header,
        Response::MemberUpdate(response) => &mut response.header,
        Response::MemberPromote(response) => &mut response.header,
        Response::MemberList(response) => &mut response.header,
        Response::AuthEnable(response) => &mut response.header,
        Response::AuthDisable(response) => &mut response.header,
        Response::AuthStatus(response) => &mut response.header,
        Response::Authenticate(response) => &mut response.header,
        Response::UserAdd(response) => &mut response.header,
        Response::UserGet(response) => &mut response.header,
        Response::UserList(response) => &mut response.header,
        Response::UserDelete(response) => &mut response.header,
        Response::UserChangePassword(response) => &mut response.header,
        Response::UserGrantRole(response) => &mut response.header,
        Response::UserRevokeRole(response) => &mut response.header,
        Response::RoleAdd(response) => &mut response.header,
        Response::RoleGet(response) => &mut response.header,
        Response::RoleList(response) => &mut response.header,
        Response::RoleDelete(response) => &mut response.header,
        Response::RoleGrantPermission(response) => &mut response.header,
        Response::RoleRevokePermission(response) => &mut response.header,
        Response::Lock(response) => &mut response.header,
        Response::Unlock(response) => &mut response.header,
        Response::Campaign(response) => &mut response.header,
        Response::Proclaim(response) => &mut response.header,
        Response::Leader(response) => &mut response.header,
        Response::Resign(response) => &mut response.header,
        _ => return None,
    })
}
