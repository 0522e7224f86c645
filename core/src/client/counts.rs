//! What a client counts: what it has done since its start, and what it holds now.

use super::Client;
use super::output::Stats;

impl Client {
    /// What was done since the start, and how much there is now. What there is now is counted when this is
    /// asked, so it takes as long as there are calls, watches and leases.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Put, Watch};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.watch(Instant::ZERO, Watch::key("k"));
    /// let stats = client.stats();
    /// assert_eq!((stats.watches, stats.watches_live, stats.requests), (1, 0, 1));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            endpoints_unhealthy: count(self.endpoints.unhealthy()),
            calls: count(self.calls.of_users()),
            calls_waiting: count(self.calls.unsent()),
            watches: count(self.watches.open()),
            watches_live: count(self.watches.live()),
            streams: count(self.streams.open()),
            leases: count(self.leases.kept()),
            leases_in_danger: count(self.leases.in_danger()),
            bytes_held: count(self.watches.held().saturating_add(self.streams.held())),
            notices_dropped: self.notices.dropped(),
            ..self.stats
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
