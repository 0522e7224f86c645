//! What drivers do until a connection is there: which address is tried when, and the tunnel through a proxy.
//!
//! In which order, and when, the addresses of one name are tried is "happy eyeballs" (RFC 8305).
//! A name may have addresses of both families, some of which lead nowhere. They are tried in turn, the two
//! families one after the other, each a little later than the one before, or at once where that one has failed;
//! whichever connects first is taken. So an address that is silent costs a fraction of a second, not the whole time
//! a connection may take to open.
//!
//! It opens nothing and knows no clock: a driver begins the attempts it is given, and tells what became of them.

mod tunnel;

pub use self::tunnel::Tunnel;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;

use crate::time::Instant;

/// How long after the last attempt the next one begins (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The attempts to connect to one of several addresses.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::Instant;
/// use etcd_core::dial::Dial;
///
/// let start = Instant::ZERO;
/// let addresses = ["[2001:db8::1]:2379", "[2001:db8::2]:2379", "192.0.2.1:2379"];
/// let mut dial = Dial::new(start, addresses.map(|address| address.parse().expect("an address")));
/// assert_eq!(dial.poll_attempt(start), Some("[2001:db8::1]:2379".parse()?));
/// assert_eq!(dial.poll_attempt(start), None);
/// // Nothing has come of it yet, and the other family has its turn.
/// let later = start + Duration::from_millis(250);
/// assert_eq!(dial.poll_timeout(), Some(later));
/// assert_eq!(dial.poll_attempt(later), Some("192.0.2.1:2379".parse()?));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dial {
    /// Those that were not tried, the next one first.
    rest: VecDeque<SocketAddr>,
    /// When the next one is.
    next: Instant,
    /// How many attempts are under way.
    under_way: usize,
}

impl Dial {
    /// Attempts for these addresses, from now on. The order among those of one family is kept, as the system that
    /// looked them up has sorted them; the family of the first comes first.
    ///
    /// ```
    /// use etcd_core::Instant;
    /// use etcd_core::dial::Dial;
    ///
    /// assert!(Dial::new(Instant::ZERO, []).has_failed());
    /// ```
    #[must_use]
    pub fn new(now: Instant, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let addresses: Vec<SocketAddr> = addresses.into_iter().collect();
        let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
        let family = |first: bool| {
            let all = addresses.iter().copied();
            all.filter(move |address| (address.is_ipv6() == is_v6) == first)
        };
        let (mut one, mut other) = (family(true), family(false));
        let mut rest = VecDeque::with_capacity(addresses.len());
        while rest.len() < addresses.len() {
            rest.extend(one.next());
            rest.extend(other.next());
        }
        Self {
            rest,
            next: now,
            under_way: 0,
        }
    }

    /// The next address to connect to, beside those that are being tried; `None` while none is due.
    ///
    /// ```
    /// use etcd_core::Instant;
    /// use etcd_core::dial::Dial;
    ///
    /// let mut dial = Dial::new(Instant::ZERO, ["127.0.0.1:2379".parse()?]);
    /// assert_eq!(dial.poll_attempt(Instant::ZERO), Some("127.0.0.1:2379".parse()?));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn poll_attempt(&mut self, now: Instant) -> Option<SocketAddr> {
        if now < self.next {
            return None;
        }
        let address = self.rest.pop_front()?;
        self.under_way += 1;
        self.next = now + ATTEMPT_DELAY;
        Some(address)
    }

    /// When [`Dial::poll_attempt`] has the next address; `None` if there is none left.
    ///
    /// ```
    /// use etcd_core::Instant;
    /// use etcd_core::dial::Dial;
    ///
    /// let dial = Dial::new(Instant::ZERO, ["127.0.0.1:2379".parse()?]);
    /// assert_eq!(dial.poll_timeout(), Some(Instant::ZERO));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.rest.is_empty()).then_some(self.next)
    }

    /// One of the attempts has failed: the next one need not wait.
    ///
    /// ```
    /// use etcd_core::Instant;
    /// use etcd_core::dial::Dial;
    ///
    /// let addresses = ["192.0.2.1:2379".parse()?, "192.0.2.2:2379".parse()?];
    /// let mut dial = Dial::new(Instant::ZERO, addresses);
    /// dial.poll_attempt(Instant::ZERO);
    /// dial.handle_failure(Instant::ZERO);
    /// assert_eq!(dial.poll_attempt(Instant::ZERO), Some(addresses[1]));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn handle_failure(&mut self, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.next = self.next.min(now);
    }

    /// Whether nothing is left: no attempt is under way, and none to come.
    ///
    /// ```
    /// use etcd_core::Instant;
    /// use etcd_core::dial::Dial;
    ///
    /// let mut dial = Dial::new(Instant::ZERO, ["127.0.0.1:2379".parse()?]);
    /// dial.poll_attempt(Instant::ZERO);
    /// assert!(!dial.has_failed());
    /// dial.handle_failure(Instant::ZERO);
    /// assert!(dial.has_failed());
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.under_way == 0 && self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        let mut dial = Dial::new(Instant::ZERO, addresses);
        let mut now = Instant::ZERO;
        let mut order = Vec::new();
        while let Some(due) = dial.poll_timeout() {
            now = now.max(due);
            order.extend(dial.poll_attempt(now).map(|address| address.to_string()));
            assert_eq!(dial.poll_attempt(now), None, "one at a time");
        }
        order
    }

    #[test]
    fn the_families_take_turns_and_each_keeps_its_order() {
        assert_eq!(order(&[]), Vec::<String>::new());
        assert_eq!(
            order(&["1.1.1.1:1", "2.2.2.2:1"]),
            ["1.1.1.1:1", "2.2.2.2:1"]
        );
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]
        );
        assert_eq!(
            order(&["1.1.1.1:1", "[::1]:1", "2.2.2.2:1", "[::2]:1"]),
            ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1", "[::2]:1"]
        );
    }

    #[test]
    fn a_failure_brings_the_next_one_at_once_and_only_one() {
        let addresses = ["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"].map(|text| text.parse().unwrap());
        let mut dial = Dial::new(Instant::ZERO, addresses);
        assert_eq!(dial.poll_attempt(Instant::ZERO), Some(addresses[0]));
        let now = Instant::ZERO + Duration::from_millis(10);
        dial.handle_failure(now);
        assert_eq!(dial.poll_timeout(), Some(now));
        assert_eq!(dial.poll_attempt(now), Some(addresses[1]));
        assert_eq!(dial.poll_attempt(now), None);
        assert_eq!(dial.poll_timeout(), Some(now + ATTEMPT_DELAY));
        dial.handle_failure(now + ATTEMPT_DELAY);
        assert!(!dial.has_failed());
        assert_eq!(dial.poll_attempt(now + ATTEMPT_DELAY), Some(addresses[2]));
        assert!(!dial.has_failed() && dial.poll_timeout().is_none());
        dial.handle_failure(now + ATTEMPT_DELAY);
        assert!(dial.has_failed());
    }
}
