//! How long a server may work on a request.

use core::fmt;
use core::time::Duration;

/// The time within which an answer is of use, as the header [`Timeout::NAME`] says it to the gateway: the
/// server gives up then, too (gateway.md 4.2, rule R-8).
///
/// A number of at most eight digits and a unit, rounded up: milliseconds, and for more than a day
/// seconds or hours.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::Put;
/// use etcd_core::gateway::{Gateway, Timeout};
///
/// let mut request = Gateway::new().request(&Put::new("k", "v"));
/// let timeout = Timeout(Duration::from_secs(8));
/// request.headers_mut().insert(Timeout::NAME, timeout.to_string().parse()?);
/// assert_eq!(request.headers()[Timeout::NAME], "8000m");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is a time and no more")]
pub struct Timeout(pub Duration);

impl Timeout {
    /// The name of the header.
    ///
    /// ```
    /// assert_eq!(etcd_core::gateway::Timeout::NAME, "Grpc-Timeout");
    /// ```
    pub const NAME: &'static str = "Grpc-Timeout";
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: u128 = 99_999_999;
        let millis = self.0.as_nanos().div_ceil(1_000_000);
        let (seconds, hours) = (millis.div_ceil(1_000), millis.div_ceil(3_600_000));
        match (millis, seconds) {
            (..=MOST, _) => write!(f, "{}m", millis.max(1)),
            (_, ..=MOST) => write!(f, "{seconds}S"),
            _ => write!(f, "{}H", hours.min(MOST)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_a_time_has_eight_digits_and_is_never_too_short() {
        let text = |time| Timeout(time).to_string();
        assert_eq!(text(Duration::ZERO), "1m");
        assert_eq!(text(Duration::from_nanos(1)), "1m");
        assert_eq!(text(Duration::from_micros(1_001)), "2m");
        assert_eq!(text(Duration::from_secs(8)), "8000m");
        assert_eq!(text(Duration::from_millis(99_999_999)), "99999999m");
        assert_eq!(text(Duration::from_millis(100_000_000)), "100000S");
        assert_eq!(text(Duration::from_secs(100_000_000)), "27778H");
        assert_eq!(text(Duration::MAX), "99999999H");
    }
}
