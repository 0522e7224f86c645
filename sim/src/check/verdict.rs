//! What a checker says: what it judged, or what must not be.

use core::fmt;
use core::ops::AddAssign;

use etcd_core::Instant;

/// Something that must not be.
///
/// ```
/// use etcd_core::Instant;
/// use etcd_sim::check::Violation;
///
/// let violation = Violation::new("G9", Instant::ZERO, Some(2), "revision 7 came twice");
/// assert_eq!(violation.to_string(), "G9 broken at 0ns, client 2: revision 7 came twice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The guarantee that was broken, by its name in reliability.md; a rule of semantics.md; `truth` if the cluster's own log
    /// makes no sense, `linearizable` if nothing could explain what was seen.
    pub rule: &'static str,
    /// When it came to light.
    pub at: Instant,
    /// At which client.
    pub client: Option<usize>,
    /// What happened.
    pub text: String,
}

impl Violation {
    /// Something that must not be.
    #[must_use]
    pub fn new(
        rule: &'static str,
        at: Instant,
        client: Option<usize>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            at,
            client,
            text: text.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {:?}", self.rule, self.at)?;
        if let Some(client) = self.client {
            write!(f, ", client {client}")?;
        }
        write!(f, ": {}", self.text)
    }
}

impl core::error::Error for Violation {}

macro_rules! evidence {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How much was judged. A run in which these are near zero proves nothing.
        ///
        /// ```
        /// use etcd_sim::check::Evidence;
        ///
        /// let mut all = Evidence::default();
        /// let mut one = Evidence::default();
        /// one.calls = 3;
        /// all += one;
        /// all += one;
        /// assert_eq!(all.calls, 6);
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Evidence {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl AddAssign for Evidence {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Evidence {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(
                    if self.$name > 0 {
                        writeln!(f, "{:>12}  {}", self.$name, stringify!($name).replace('_', " "))?;
                    }
                )*
                Ok(())
            }
        }
    };
}

evidence! {
    /// Calls that ended.
    calls,
    /// Writes that were acknowledged.
    writes_acknowledged,
    /// Writes that certainly had no effect, as their users were told.
    writes_refused,
    /// Writes that may have had an effect.
    writes_in_doubt,
    /// Of these, the ones that had.
    writes_in_doubt_applied,
    /// Answers of reads compared with the store.
    reads,
    /// Watches.
    watches,
    /// Batches of watches compared with the store.
    batches,
    /// Events in them.
    events,
    /// Batches with the last change of each key only.
    batches_coalesced,
    /// Watches that ended as they were not read.
    watches_lagged,
    /// Promises of progress.
    progresses,
    /// Watches taken up again.
    resumes,
    /// Watches whose next revision was compacted.
    compactions_told,
    /// Ranges that were begun to be read in place of compacted history.
    resyncs,
    /// Those that were read to their end and compared with the store.
    resyncs_ended,
    /// Keys they told as found or gone.
    resynced_keys,
    /// Watches whose users were told that they are behind their members.
    lags_told,
    /// Watches canceled by their users.
    watches_canceled,
    /// Renewals answered.
    renewals,
    /// Leases that were kept alive.
    leases_kept,
    /// Confirmations of kept leases.
    leases_confirmed,
    /// Kept leases whose users were told that they may be gone.
    leases_doubted,
    /// Kept leases whose users were told that they are gone.
    leases_lost,
    /// Leases whose time was up.
    leases_expired,
    /// Logins sent.
    logins,
    /// Calls that failed since servers did not take who asked.
    calls_unauthorized,
    /// Calls that were denied to their user.
    calls_denied,
    /// Locks got.
    locks,
    /// Locks given back.
    unlocks,
    /// Elections won.
    campaigns,
    /// Proclamations, and what became of them.
    proclamations,
    /// Answers to who leads.
    leaders_asked,
    /// Leaders whose resigning was confirmed.
    resigned,
    /// Observations of elections.
    observations,
    /// Leaders they told.
    leaders_told,
    /// Snapshots that came whole.
    snapshots,
    /// Keys whose history was searched for an order.
    registers,
    /// What was done with them.
    register_operations,
    /// Keys whose search was given up, as there are too many orders.
    registers_undecided,
}
