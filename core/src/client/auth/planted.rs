//! Bugs on purpose in logins.

use super::Auth;
use super::keeper::Keeper;
use super::keeper::Login;
use super::keeper::Refusal;
use crate::client::Client;
use crate::conn::Conn;
use crate::id::EndpointIndex;
use crate::planted::Planted;

impl Client {
    /// Whether one login at a time is enough.
    pub(super) fn plant_one_login(&self) -> bool {
        self.config.planted != Some(Planted::LoginTwice)
    }

    /// What a refused token means; none if that is all for the call.
    pub(super) fn plant_refusal(&mut self, at: EndpointIndex, refusal: Refusal) -> Option<Refusal> {
        match (self.config.planted, refusal) {
            (Some(Planted::RefusedTokenAgain), refusal) => {
                self.auth.keeper.plant_again(at);
                Some(refusal)
            }
            (Some(Planted::ExpiredStays), _) => None,
            (Some(Planted::LoginPerCall), refusal) => {
                self.auth.keeper.refused += 1;
                Some(refusal)
            }
            (_, refusal) => Some(refusal),
        }
    }
}

impl Client {
    /// With which token a request counts as refused.
    pub(super) fn plant_generation(&self, at: EndpointIndex, generation: u64) -> u64 {
        match self.config.planted {
            Some(Planted::OldRefusalCounts) => self.auth.generation(at).max(generation),
            _ => generation,
        }
    }
}

impl Auth {
    pub(in crate::client) const fn with_planted(mut self, bug: Option<Planted>) -> Self {
        self.planted = bug;
        self
    }

    /// A member took what came on a connection.
    pub(super) fn plant_taken(&mut self, conn: &Conn) {
        if self.planted == Some(Planted::TokenGoesBack) {
            self.keeper.plant_back(conn.endpoint, conn.token);
        }
    }
}

impl Keeper {
    /// What a login came to.
    pub(super) fn plant_login(&mut self, planted: Option<Planted>, login: Login) -> Login {
        if planted == Some(Planted::WrongPasswordAgain) && login == Login::Refused {
            self.plant_no_wait();
            return Login::Done;
        }
        if planted == Some(Planted::LoginPerCall) && login == Login::Done {
            self.plant_next();
        }
        login
    }
}
