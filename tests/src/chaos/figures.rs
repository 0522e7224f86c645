//! What a scenario did, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a scenario did, and what came of it; those of several passes add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// How often something was broken.
    pub faults: u64,
    /// Changes that watches delivered, each counted once for each watch.
    pub events: u64,
    /// How long it took after each fault until all that it hit had gone on.
    pub recoveries: Vec<Duration>,
    /// What else there is to tell, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// The most there was of something, by name; of several passes the highest.
    pub peaks: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// Counts something.
    pub fn count(&mut self, what: &'static str, number: u64) {
        *self.counts.entry(what).or_default() += number;
    }

    /// Notes how much there was of something, if it was never more.
    pub fn peak(&mut self, what: &'static str, number: u64) {
        let most = self.peaks.entry(what).or_default();
        *most = number.max(*most);
    }

    /// Adds those of another pass.
    pub fn add(&mut self, other: Self) {
        self.faults += other.faults;
        self.events += other.events;
        self.recoveries.extend(other.recoveries);
        for (what, number) in other.counts {
            self.count(what, number);
        }
        for (what, number) in other.peaks {
            self.peak(what, number);
        }
    }

    /// Counts that are not 0, and peaks, in words.
    pub fn told(&self) -> impl Iterator<Item = String> {
        let counts = self.counts.iter().filter(|(_, number)| **number > 0);
        let counts = counts.map(|(what, number)| format!("{what} {number}"));
        let peaks = self.peaks.iter();
        counts.chain(peaks.map(|(what, number)| format!("{what} at most {number}")))
    }

    /// The recovery that half of them were quicker than; none where there was none.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        let mut sorted = self.recoveries.clone();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied()
    }

    /// The longest recovery; none where there was none.
    #[must_use]
    pub fn worst(&self) -> Option<Duration> {
        self.recoveries.iter().max().copied()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults, {} events", self.faults, self.events)?;
        if let (Some(median), Some(worst)) = (self.median(), self.worst()) {
            let [median, worst] = [median, worst].map(|time| time.as_secs_f64());
            write!(f, ", recovered in {median:.3} s, at worst {worst:.3} s")?;
        }
        self.told().try_for_each(|what| write!(f, ", {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_add_up() {
        let mut all = Figures::default();
        assert_eq!((all.median(), all.worst()), (None, None));
        for pass in 1..=3 {
            let mut one = Figures {
                faults: 2,
                events: pass,
                recoveries: vec![Duration::from_secs(pass)],
                ..Figures::default()
            };
            one.count("ok", pass);
            one.peak("at once", 4 - pass);
            all.add(one);
        }
        assert_eq!(
            all.to_string(),
            "6 faults, 6 events, recovered in 2.000 s, at worst 3.000 s, ok 6, at once at most 3"
        );
    }
}
