//! Watches whose user wants to know when they are behind (rule T-4).

use std::thread;
use std::time::Duration;

use etcd_core::Lag;
use etcd_core::WatchOptions;

use super::Must;
use super::Stage;
use super::batch;
use super::changes;
use super::nothing;
use crate::driver::Driver;

/// That the store goes on elsewhere is no lag of a watch that has nothing to tell.
pub fn a_quiet_watch_is_not_lagging<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let lag = Lag::new(0, Duration::from_millis(100));
    let options = WatchOptions::default().with_lag(lag);
    let mut watch = client.watch_with("quiet", options).must();
    for _ in 0..10 {
        client.put("elsewhere", "v").must();
        thread::sleep(Duration::from_millis(40));
    }
    nothing(&mut watch);
    client.put("quiet", "v").must();
    assert_eq!(changes(&batch(&mut watch)), [("quiet", Some("v"))]);
}
