//! Bugs on purpose in logins.

use super::keeper::Keeper;
use super::keeper::Login;
use super::keeper::Refusal;
use crate::client::Client;
use crate::planted::Planted;

impl Client {
    /// Whether one login at a time is enough.
    pub(super) fn plant_one_login(&self) -> bool {
        self.config.planted != Some(Planted::LoginTwice)
    }

    /// What a refused token means; none if that is all for the call.
    pub(super) fn plant_refusal(&mut self, refusal: Refusal) -> Option<Refusal> {
        match (self.config.planted, refusal) {
            (Some(Planted::ExpiredStays), _) => None,
            (Some(Planted::LoginPerCall), refusal) => {
                self.auth.keeper.refused += 1;
                Some(refusal)
            }
            (_, refusal) => Some(refusal),
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
