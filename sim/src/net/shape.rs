//! How a connection behaves while nothing is wrong with it.

use core::time::Duration;

/// How a healthy connection behaves.
///
/// ```
/// use core::time::Duration;
/// use etcd_sim::net::Shape;
///
/// let far = Shape::default().with_latency(Duration::from_millis(40), Duration::from_millis(60));
/// assert_eq!(far.most_latency, Duration::from_millis(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// How long a segment is under way at least, in each direction.
    pub least_latency: Duration,
    /// How long at most; drawn for each segment. None overtakes another.
    pub most_latency: Duration,
    /// How many bytes a second go through; none: as many as there are.
    pub bytes_per_second: Option<u64>,
    /// How many bytes may be under way or unread in one direction before the sender has to wait.
    pub window: usize,
}

impl Default for Shape {
    /// A network within one building: 100 to 300 µs, windows of 256 KiB.
    fn default() -> Self {
        Self {
            least_latency: Duration::from_micros(100),
            most_latency: Duration::from_micros(300),
            bytes_per_second: None,
            window: 256 << 10,
        }
    }
}

impl Shape {
    /// Sets how long a segment is under way.
    #[must_use]
    pub const fn with_latency(mut self, least: Duration, most: Duration) -> Self {
        self.least_latency = least;
        self.most_latency = most;
        self
    }

    /// Sets how many bytes a second go through.
    #[must_use]
    pub const fn with_bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = Some(bytes);
        self
    }

    /// Sets how many bytes may be under way in one direction.
    #[must_use]
    pub const fn with_window(mut self, bytes: usize) -> Self {
        self.window = bytes;
        self
    }
}
