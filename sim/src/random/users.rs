//! Who the clients of a world are: users with their passwords and permissions, and how both change under
//! way.

use core::time::Duration;

use etcd_core::{
    AuthDisable, AuthEnable, Credentials, KeyRange, Permission, RoleAdd, RoleGrantPermission,
    UserAdd, UserChangePassword, UserGrantRole, Version,
};

use super::script::{ClientKnobs, Order, Script, User};
use crate::check::Asked;
use crate::etcd::{Defects, Setup};
use crate::rng::Rng;
use crate::world::Act;

/// The first number of a command; those of others never come so far.
const FIRST: usize = 20_000;

/// Draws the users of one world, or none, and says whether there are any.
pub(super) fn draw(
    setup: &mut Setup,
    clients: &mut [ClientKnobs],
    busy: Duration,
    rng: &mut Rng,
    add: &mut impl FnMut(Duration, Order),
) -> bool {
    // A full member takes no users either.
    if !rng.one_in(5) || setup.quota_bytes < 1 << 20 {
        return false;
    }
    setup.token_ttl = rng.between(Duration::from_secs(2), Duration::from_secs(20));
    if rng.one_in(4) {
        // Those that look at who asks with every call.
        const NEWER: [(u32, u32, u32); 4] = [(3, 4, 42), (3, 4, 45), (3, 5, 30), (3, 6, 12)];
        let (major, minor, patch) = NEWER[rng.index(NEWER.len())];
        setup.version = Version::new(major, minor, patch);
        let mut defects = Defects::none();
        defects.split_cluster = Defects::of(&setup.version).split_cluster;
        setup.defects = defects;
    }
    for client in clients.iter_mut() {
        client.user = match rng.below(10) {
            0 => None,
            1 | 2 => Some(User::Root),
            3..=5 => Some(User::Part),
            _ => Some(User::Full),
        };
    }
    let root = clients.len();
    for place in 0..rng.index(10) {
        let at = rng.between(Duration::ZERO, busy);
        let number = FIRST + 10 * place;
        let mut ask = |at: Duration, number: usize, asked: Asked| {
            let order = Order::Call {
                client: root,
                number,
                asked,
                timeout: None,
            };
            add(at, order);
        };
        match rng.below(12) {
            0..=4 => {
                let member = rng.index(setup.members);
                add(at, Order::Act(Act::ExpireTokens(member)));
            }
            5..=7 => {
                let more = Permission::read(format!("x{number}"));
                ask(at, number, RoleGrantPermission::new(FULL, more).into());
            }
            8 => ask(at, number, UserAdd::new(format!("u{number}"), "-").into()),
            9 => {
                let name = if rng.one_in(2) { PART } else { FULL };
                let other = format!("other-{number}");
                ask(at, number, UserChangePassword::new(name, other).into());
            }
            _ => {
                let off = rng.between(Duration::from_millis(1), Duration::from_secs(2));
                ask(at, number, AuthDisable::new().into());
                ask(at + off, number + 1, AuthEnable::new().into());
            }
        }
    }
    true
}

const ROOT: &str = "root";
const FULL: &str = "full";
const PART: &str = "part";

impl User {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Root => ROOT,
            Self::Full => FULL,
            Self::Part => PART,
        }
    }

    fn password(self) -> String {
        format!("first-{}", self.name())
    }

    /// What the user has at the beginning.
    pub(super) fn credentials(self) -> Option<Credentials> {
        let credentials = Credentials::password(self.name(), self.password()).ok()?;
        // Nobody else is in a world's network.
        Some(credentials.over_plain_http())
    }
}

/// What makes the users, in its order.
pub(super) fn setup() -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    for user in [User::Root, User::Full, User::Part] {
        let (name, range) = match user {
            User::Root => (ROOT, None),
            User::Full => (FULL, Some(KeyRange::all())),
            User::Part => (PART, Some(KeyRange::prefix("k"))),
        };
        asked.push(UserAdd::new(name, user.password()).into());
        if let Some(range) = range {
            asked.push(RoleAdd::new(name).into());
            let all = Permission::read_write(range);
            asked.push(RoleGrantPermission::new(name, all).into());
        }
        asked.push(UserGrantRole::new(name, name).into());
    }
    asked.push(AuthEnable::new().into());
    asked
}

impl Script {
    /// Whether the user of a client may have another password by now than its client knows.
    pub(super) fn is_locked_out(&self, client: usize) -> bool {
        let Some(user) = self.clients.get(client).map(|knobs| knobs.user) else {
            return false;
        };
        let is_its = |name: &str| user.is_none_or(|user| user.name() == name);
        user.is_none()
            || self.lines.iter().any(|line| match &line.order {
                Order::Call {
                    asked: Asked::Call(crate::etcd::Request::UserChangePassword(change)),
                    ..
                } => is_its(&change.name),
                _ => false,
            })
    }
}
