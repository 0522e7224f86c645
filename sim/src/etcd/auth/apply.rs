//! The requests that read or change users and roles, as log entries are applied.

use etcd_core::{
    AuthDisableResponse, AuthEnableResponse, AuthStatusResponse, Authenticate,
    AuthenticateResponse, Instant, Known, Permission, Response, RoleAddResponse,
    RoleDeleteResponse, RoleGetResponse, RoleGrantPermission, RoleGrantPermissionResponse,
    RoleListResponse, RoleRevokePermission, RoleRevokePermissionResponse, UserAdd, UserAddResponse,
    UserChangePassword, UserChangePasswordResponse, UserDeleteResponse, UserGetResponse,
    UserGrantRole, UserGrantRoleResponse, UserListResponse, UserRevokeRole, UserRevokeRoleResponse,
};

use super::{AuthStore, ROOT, Tokens, User, known};
use crate::etcd::sort::sort;
use crate::etcd::{Fault, Request};

/// What makes the token of a login one of its kind.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "who applies entries gives both")]
pub struct Login<'a> {
    /// What the member that was asked drew ([`Tokens::prefix`]); it is part of the entry.
    pub prefix: &'a str,
    /// The entry's index in the log.
    pub index: u64,
}

impl AuthStore {
    /// Checks a login before it becomes a log entry, on the member that was asked.
    ///
    /// Says the revision of the store; if it is another one once the entry was applied, the password
    /// may have been changed meanwhile, and the member begins again.
    ///
    /// # Errors
    ///
    /// Authentication is off, or name and password are not those of a user.
    pub fn check_password(&self, login: &Authenticate) -> Result<u64, Fault> {
        if !self.enabled {
            return Err(known(Known::AuthNotEnabled));
        }
        let user = self.users.get(&login.name);
        match user.map(|user| &user.password) {
            Some(Some(password)) if *password == login.password => Ok(self.revision),
            Some(None) => Err(known(Known::NoPasswordUser)),
            _ => Err(known(Known::AuthFailed)),
        }
    }

    /// Applies a log entry, or answers a read of users and roles. None if the request is about
    /// something else. The answer's header is left to the caller, the permission too
    /// ([`permit`](Self::permit)).
    ///
    /// `login` is only used for [`Authenticate`], whose password was checked before.
    pub fn apply(
        &mut self,
        now: Instant,
        tokens: &mut Tokens,
        login: &Login<'_>,
        request: &Request,
    ) -> Option<Result<Response, Fault>> {
        Some(match request {
            Request::AuthEnable(_) => self.enable(),
            Request::AuthDisable(_) => Ok(self.disable(tokens)),
            Request::AuthStatus(_) => Ok(self.status()),
            Request::Authenticate(who) => self.authenticate(now, tokens, login, &who.name),
            Request::UserAdd(user) => self.user_add(user),
            Request::UserGet(user) => self.user_get(&user.name),
            Request::UserList(_) => {
                let mut response = UserListResponse::default();
                response.users = self.users.keys().cloned().collect();
                Ok(response.into())
            }
            Request::UserDelete(user) => self.user_delete(tokens, &user.name),
            Request::UserChangePassword(user) => self.change_password(tokens, user),
            Request::UserGrantRole(grant) => self.user_grant(grant),
            Request::UserRevokeRole(revoke) => self.user_revoke(revoke),
            Request::RoleAdd(role) => self.role_add(&role.name),
            Request::RoleGet(role) => self.role_get(&role.role),
            Request::RoleList(_) => {
                let mut response = RoleListResponse::default();
                response.roles = self.roles.keys().cloned().collect();
                Ok(response.into())
            }
            Request::RoleDelete(role) => self.role_delete(&role.role),
            Request::RoleGrantPermission(grant) => self.role_grant(grant),
            Request::RoleRevokePermission(revoke) => self.role_revoke(revoke),
            _ => return None,
        })
    }

    fn enable(&mut self) -> Result<Response, Fault> {
        if !self.enabled {
            let root = self.user(ROOT, Known::RootUserNotExist)?;
            if !root.is_root() {
                return Err(known(Known::RootRoleNotExist));
            }
            self.enabled = true;
        }
        Ok(AuthEnableResponse::default().into())
    }

    fn disable(&mut self, tokens: &mut Tokens) -> Response {
        if self.enabled {
            self.enabled = false;
            self.revision += 1;
            tokens.clear();
        }
        AuthDisableResponse::default().into()
    }

    fn status(&self) -> Response {
        let mut response = AuthStatusResponse::default();
        response.enabled = self.enabled;
        response.auth_revision = self.revision;
        response.into()
    }

    fn authenticate(
        &self,
        now: Instant,
        tokens: &mut Tokens,
        login: &Login<'_>,
        name: &str,
    ) -> Result<Response, Fault> {
        // Both may have changed since the password was checked.
        if !self.enabled {
            return Err(known(Known::AuthNotEnabled));
        }
        if self.user(name, Known::AuthFailed)?.password.is_none() {
            return Err(known(Known::AuthFailed));
        }
        let token = match tokens.are_signed() {
            true => {
                let drawn = format!("{}.{}", login.prefix, login.index);
                tokens.sign(now, &drawn, name, self.revision)
            }
            false => {
                let token = format!("{}.{}", login.prefix, login.index);
                tokens.assign(now, token.clone(), name);
                token
            }
        };
        let mut response = AuthenticateResponse::default();
        response.token = token;
        Ok(response.into())
    }

    fn user_add(&mut self, user: &UserAdd) -> Result<Response, Fault> {
        if user.name.is_empty() {
            return Err(known(Known::UserEmpty));
        }
        if self.users.contains_key(&user.name) {
            return Err(known(Known::UserAlreadyExist));
        }
        let password = (!user.options.no_password).then(|| user.password.clone());
        let roles = Vec::new();
        self.users
            .insert(user.name.clone(), User { password, roles });
        self.revision += 1;
        Ok(UserAddResponse::default().into())
    }

    fn user_get(&self, name: &str) -> Result<Response, Fault> {
        let mut response = UserGetResponse::default();
        response.roles = self.user(name, Known::UserNotFound)?.roles.clone();
        Ok(response.into())
    }

    fn user_delete(&mut self, tokens: &mut Tokens, name: &str) -> Result<Response, Fault> {
        if self.enabled && name == ROOT {
            return Err(known(Known::InvalidAuthMgmt));
        }
        self.users
            .remove(name)
            .ok_or_else(|| known(Known::UserNotFound))?;
        tokens.forget_user(name);
        self.revision += 1;
        Ok(UserDeleteResponse::default().into())
    }

    fn change_password(
        &mut self,
        tokens: &mut Tokens,
        change: &UserChangePassword,
    ) -> Result<Response, Fault> {
        let user = self.user_mut(&change.name)?;
        if let Some(password) = &mut user.password {
            password.clone_from(&change.password);
        }
        tokens.forget_user(&change.name);
        self.revision += 1;
        Ok(UserChangePasswordResponse::default().into())
    }

    fn user_grant(&mut self, grant: &UserGrantRole) -> Result<Response, Fault> {
        // The role root need not have been added.
        let exists = grant.role == ROOT || self.roles.contains_key(&grant.role);
        let user = self.user_mut(&grant.user)?;
        if !exists {
            return Err(known(Known::RoleNotFound));
        }
        if let Err(place) = user.roles.binary_search(&grant.role) {
            user.roles.insert(place, grant.role.clone());
            self.revision += 1;
        }
        Ok(UserGrantRoleResponse::default().into())
    }

    fn user_revoke(&mut self, revoke: &UserRevokeRole) -> Result<Response, Fault> {
        if self.enabled && revoke.name == ROOT && revoke.role == ROOT {
            return Err(known(Known::InvalidAuthMgmt));
        }
        let user = self.user_mut(&revoke.name)?;
        let place = user.roles.binary_search(&revoke.role);
        user.roles
            .remove(place.map_err(|_| known(Known::RoleNotGranted))?);
        self.revision += 1;
        Ok(UserRevokeRoleResponse::default().into())
    }

    fn role_add(&mut self, name: &str) -> Result<Response, Fault> {
        if name.is_empty() {
            return Err(known(Known::RoleEmpty));
        }
        if self.roles.contains_key(name) {
            return Err(known(Known::RoleAlreadyExist));
        }
        self.roles.insert(name.to_owned(), Vec::new());
        self.revision += 1;
        Ok(RoleAddResponse::default().into())
    }

    fn role_get(&self, name: &str) -> Result<Response, Fault> {
        let role = self.roles.get(name);
        let mut response = RoleGetResponse::default();
        response.perm = role.ok_or_else(|| known(Known::RoleNotFound))?.clone();
        Ok(response.into())
    }

    fn role_delete(&mut self, name: &str) -> Result<Response, Fault> {
        if self.enabled && name == ROOT {
            return Err(known(Known::InvalidAuthMgmt));
        }
        let role = self.roles.remove(name);
        role.ok_or_else(|| known(Known::RoleNotFound))?;
        for user in self.users.values_mut() {
            user.roles.retain(|role| role != name);
        }
        self.revision += 1;
        Ok(RoleDeleteResponse::default().into())
    }

    fn role_grant(&mut self, grant: &RoleGrantPermission) -> Result<Response, Fault> {
        let range = &grant.perm.range;
        let open = range.range_end.is_empty() || range.range_end[..] == [0];
        let good = !range.key.is_empty() && (open || range.key < range.range_end);
        if self.rules.grants_need_a_range && !good {
            return Err(known(Known::InvalidAuthMgmt));
        }
        let old_sort = self.rules.old_sort;
        let perms = self.role_mut(&grant.name)?;
        // Only the first permission of that key is looked at, so one may come to be there twice.
        let place = perms.partition_point(|perm| perm.range.key < range.key);
        match perms.get_mut(place).filter(|perm| perm.range == *range) {
            Some(perm) => perm.perm_type = grant.perm.perm_type,
            None => {
                perms.push(grant.perm.clone());
                sort(perms, old_sort, |a, b| a.range.key.cmp(&b.range.key));
            }
        }
        self.revision += 1;
        Ok(RoleGrantPermissionResponse::default().into())
    }

    fn role_revoke(&mut self, revoke: &RoleRevokePermission) -> Result<Response, Fault> {
        let perms = self.role_mut(&revoke.role)?;
        let before = perms.len();
        perms.retain(|perm| perm.range != revoke.range);
        if perms.len() == before {
            return Err(known(Known::PermissionNotGranted));
        }
        self.revision += 1;
        Ok(RoleRevokePermissionResponse::default().into())
    }

    fn user(&self, name: &str, missing: Known) -> Result<&User, Fault> {
        self.users.get(name).ok_or_else(|| known(missing))
    }

    fn user_mut(&mut self, name: &str) -> Result<&mut User, Fault> {
        let user = self.users.get_mut(name);
        user.ok_or_else(|| known(Known::UserNotFound))
    }

    fn role_mut(&mut self, name: &str) -> Result<&mut Vec<Permission>, Fault> {
        let role = self.roles.get_mut(name);
        role.ok_or_else(|| known(Known::RoleNotFound))
    }
}
