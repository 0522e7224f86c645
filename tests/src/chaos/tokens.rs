//! Tokens that expire, and authentication that is turned on and off under load.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::AuthDisable;
use etcd_core::AuthEnable;
use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::KeyRange;
use etcd_core::Permission;
use etcd_core::RoleAdd;
use etcd_core::RoleGrantPermission;
use etcd_core::UserAdd;
use etcd_core::UserGrantRole;
use etcd_core::Watch;
use etcd_core::WatchEvent;

use super::Figures;
use super::PATIENCE;
use super::Setting;
use super::ground::Ground;
use super::ground::MEMBERS;
use crate::driver::Driver;
use crate::driver::Watching;
use crate::scenario::Must;

/// Everybody has a name and a password from the beginning. Authentication is turned on, off and on again while
/// they work; members die meanwhile, so that watches need their tokens; and who was idle for longer than tokens
/// live goes on with another one.
pub(super) fn expire_and_come_back<D: Driver>(setting: &Setting) -> Figures {
    let ttl = format!("--auth-token-ttl={}", TTL.as_secs());
    let mut ground = Ground::<D>::start_with(setting, &[&ttl], |config| enter(config, "app"));
    let client = |name| {
        let mut config = Config::new(ground.cluster.endpoints()).must();
        enter(&mut config, name);
        D::with_config(config)
    };
    let (admin, sleeper): (D, D) = (client("root"), client("app"));
    add_users(&admin);
    for place in setting.share(MEMBERS) {
        ground.breaks(|_| {
            admin.call(AuthEnable::new()).must();
        });
        let refreshes = sleeper.stats().refreshes;
        sleeper.put("sleeper", "awake").must();
        ground.breaks(|cluster| cluster.server_mut(place).kill().must());
        ground.cluster.start_again(place).must();
        ground.mended();
        thread::sleep(TTL + TTL / 2);
        ground.figures.recoveries.push(wake(&sleeper));
        ground.figures.faults += 1;
        // One for each time, and one more where a member had not heard of the last one yet.
        let logins = sleeper.stats().refreshes - refreshes;
        assert!((2..=3).contains(&logins), "{logins} logins");
        ground.breaks(|_| {
            admin.call(AuthDisable::new()).must();
        });
    }
    // The store is asked without a token.
    ground.finish()
}

/// Uses everything with a token that has expired; tells how long the first answer took.
fn wake<D: Driver>(sleeper: &D) -> Duration {
    let since = Instant::now();
    sleeper.get("sleeper").must();
    let took = since.elapsed();
    let mut watch = sleeper.watch(Watch::key("sleeper")).must();
    let revision = sleeper.put("sleeper", "awake again").must().header.revision;
    loop {
        match watch.next_within(PATIENCE) {
            Ok(Some(WatchEvent::Batch(batch))) => {
                assert_eq!(batch.revision, revision);
                return took;
            }
            Ok(Some(WatchEvent::Progress { .. } | WatchEvent::Resumed { .. })) => {}
            other => panic!("wanted the change, got {other:?}"),
        }
    }
}

fn enter(config: &mut Config, name: &str) {
    let credentials = Credentials::password(name, PASSWORD).must();
    config.set_credentials(credentials).must();
}

fn add_users<D: Driver>(admin: &D) {
    admin.call(UserAdd::new("root", PASSWORD)).must();
    admin.call(UserGrantRole::new("root", "root")).must();
    admin.call(RoleAdd::new("app")).must();
    for range in [KeyRange::prefix("load/"), KeyRange::key("sleeper")] {
        let may = Permission::read_write(range);
        admin.call(RoleGrantPermission::new("app", may)).must();
    }
    admin.call(UserAdd::new("app", PASSWORD)).must();
    admin.call(UserGrantRole::new("app", "app")).must();
}

const TTL: Duration = Duration::from_secs(2);
const PASSWORD: &str = "w0nderland";
