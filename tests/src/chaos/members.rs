//! What happens to members: killed, suspended, told to hand over.

use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::MoveLeader;

use super::Figures;
use super::Setting;
use super::ground::Ground;
use super::ground::MEMBERS;
use crate::driver::Driver;
use crate::scenario::Must;

/// Each member in turn is killed (-9), and comes back once everybody has gone on without it.
pub(super) fn kills<D: Driver>(setting: &Setting) -> Figures {
    let mut ground = Ground::<D>::start(setting, |_| {});
    for place in 0..MEMBERS {
        ground.breaks(|cluster| cluster.server_mut(place).kill().must());
        ground.cluster.start_again(place).must();
        ground.mended();
    }
    ground.finish_with_watches_moved()
}

/// The leader, and each other member in turn, stands still (SIGSTOP) for longer than it takes a watch to leave it.
pub(super) fn pauses<D: Driver>(setting: &Setting) -> Figures {
    let shorten = |config: &mut Config| {
        if setting.is_short {
            config.watch_idle_timeout = Duration::from_millis(500);
            config.watch_probe_timeout = Duration::from_millis(250);
        }
    };
    let mut patience = Config::new(["127.0.0.1:1"]).must();
    shorten(&mut patience);
    let limit = patience.watch_idle_timeout + patience.watch_probe_timeout;
    let mut ground = Ground::<D>::start(setting, shorten);
    let leader = ground.cluster.leader().must();
    for further in setting.share(MEMBERS) {
        let place = (leader + further) % MEMBERS;
        let since = Instant::now();
        // Everybody goes on while it stands still.
        ground.breaks(|cluster| cluster.server(place).pause().must());
        thread::sleep((since + limit).saturating_duration_since(Instant::now()));
        ground.cluster.server(place).resume().must();
        ground.mended();
    }
    ground.finish_with_watches_moved()
}

/// The leader hands over to each other member in turn.
pub(super) fn leaders<D: Driver>(setting: &Setting) -> Figures {
    let mut ground = Ground::<D>::start(setting, |_| {});
    let client = D::with_config(Config::new(ground.cluster.endpoints()).must());
    let moves = if setting.is_short { 2 } else { 2 * MEMBERS };
    for _ in 0..moves {
        ground.breaks(|cluster| {
            let leader = cluster.leader().must();
            let next = cluster.member_id((leader + 1) % MEMBERS).must();
            let endpoint = cluster.server(leader).endpoint().parse().must();
            let options = CallOptions::default().with_endpoint(endpoint);
            client.call_with(MoveLeader::new(next), options).must();
        });
        ground.mended();
    }
    ground.finish()
}
