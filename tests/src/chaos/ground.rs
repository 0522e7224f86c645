//! Three members under load, and what is done to them.

use std::time::Duration;
use std::time::Instant;

use etcd_core::Balance;
use etcd_core::Config;

use super::Figures;
use super::Setting;
use super::load::Clients;
use super::load::Load;
use super::straight;
use crate::Cluster;
use crate::driver::Driver;
use crate::scenario::Must;

/// A cluster, and a load on it.
pub(super) struct Ground<D> {
    pub(super) cluster: Cluster,
    pub(super) load: Load<D>,
    pub(super) figures: Figures,
}

impl<D: Driver> Ground<D> {
    /// Starts both, all clients with what `change` makes of the default configuration.
    pub(super) fn start(setting: &Setting, change: impl Fn(&mut Config)) -> Self {
        Self::start_with(setting, &[], change)
    }

    /// The same, each member with further flags.
    pub(super) fn start_with(
        setting: &Setting,
        further: &[&str],
        change: impl Fn(&mut Config),
    ) -> Self {
        let cluster = Cluster::start_with(&setting.binary, MEMBERS, further).must();
        let client = || {
            let mut config = Config::new(cluster.endpoints()).must();
            change(&mut config);
            D::with_config(config)
        };
        // Whichever member is broken has a watch.
        let watcher = |place| {
            let mut endpoints = cluster.endpoints();
            endpoints.rotate_left(place);
            let mut config = Config::new(endpoints).must();
            config.balance = Balance::Priority;
            change(&mut config);
            D::with_config(config)
        };
        let load = Load::start(Clients {
            writer: client(),
            reader: client(),
            watchers: (0..MEMBERS).map(watcher).collect(),
        });
        Self {
            cluster,
            load,
            figures: Figures::default(),
        }
    }

    /// Breaks something, and waits until everybody has gone on in spite of it; tells how long that took.
    pub(super) fn breaks(&mut self, fault: impl FnOnce(&mut Cluster)) -> Duration {
        let since = Instant::now();
        fault(&mut self.cluster);
        let took = self.load.goes_on(since);
        self.figures.faults += 1;
        self.figures.recoveries.push(took);
        took
    }

    /// Waits until all members serve, and everybody goes on.
    pub(super) fn mended(&mut self) {
        self.cluster.settle().must();
        self.load.goes_on(Instant::now());
    }

    /// Ends the load, and judges what came of it.
    pub(super) fn finish(self) -> Figures {
        let mut figures = self.figures;
        let ports = (0..MEMBERS).map(|place| self.cluster.server(place).client_port());
        figures.add(
            self.load
                .finish(|range| ports.map(|port| straight(port, range)).collect()),
        );
        figures
    }

    /// The same, where each fault had to move a watch.
    pub(super) fn finish_with_watches_moved(self) -> Figures {
        let figures = self.finish();
        let resumed = figures.counts.get("resumed").copied();
        assert!(resumed >= Some(figures.faults), "{figures}");
        figures
    }
}

pub(super) const MEMBERS: usize = 3;
