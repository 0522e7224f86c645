//! Bugs on purpose, to see whether tests find them (reliability.md 4.5). Only with the feature
//! `planted`, which nothing but such tests turns on.
//!
//! Each is a few lines where the right thing is done otherwise. Numbers in brackets are those of the
//! list in reliability.md; the others are our own.

macro_rules! planted {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A bug on purpose.
        ///
        /// ```
        /// use etcd_core::{Config, Planted};
        ///
        /// let mut config = Config::new(["127.0.0.1:2379"])?;
        /// config.planted = Some(Planted::ResumeAtCreated);
        /// assert_eq!(Planted::ResumeAtCreated.to_string(), "ResumeAtCreated");
        /// assert_eq!("ResumeAtCreated".parse(), Ok(Planted::ResumeAtCreated));
        /// # Ok::<(), etcd_core::ConfigError>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Planted {
            $($(#[$doc])* $name,)*
        }

        impl Planted {
            /// All of them.
            ///
            /// ```
            /// assert!(etcd_core::Planted::ALL.len() > 20);
            /// ```
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

planted! {
    /// A watch from now on resumes at the revision it was confirmed at (1).
    ResumeAtCreated,
    /// A watch resumes at what it delivered last (2).
    ResumeAtLast,
    /// A watch resumes one revision too far (3).
    ResumeTooFar,
    /// What has come of a revision is delivered whenever the bytes stop for a moment (4).
    HalfRevision,
    /// A connection that ends ends its watches (5).
    CleanEndCompletes,
    /// The answer to a request for progress is believed whatever the server's version (7).
    BelieveOldProgress,
    /// A compacted watch goes on with the oldest revision there is (8).
    SkipCompacted,
    /// A watch that is not read holds all that comes (9).
    UnboundedBuffer,
    /// A write the server refused as unavailable is sent again (10).
    RepeatRefused,
    /// A write refused for want of space certainly did not happen (11).
    SpaceIsCertain,
    /// A write that was not handed over to its last byte may have happened (12).
    PartIsDoubt,
    /// A canceled call has a second outcome (14).
    SecondOutcome,
    /// The deadline of a call counts from when it is sent (15).
    DeadlineFromSend,
    /// A timer is due again as soon as it was served (16).
    TimerStaysDue,
    /// The time of a lease counts from the receipt of the answer (17).
    LeaseFromReceipt,
    /// A lease lasts as long as was asked for, whatever was granted (18).
    AskedTtl,
    /// A transaction that can split the cluster is sent (25).
    PoisonSent,
    /// The part of a fragmented message is delivered when it comes.
    FragmentEarly,
    /// Each event is delivered by itself.
    RevisionSplit,
    /// A notice of progress moves all watches.
    ProgressOfAnother,
    /// Two watches that are created at the same time are taken for each other.
    WrongCreate,
    /// What a watch holds is delivered after its cancel.
    LateEvents,
    /// The deadline of a call is never looked at.
    DeadlineNeverFires,
    /// The deadline of a call passes before its time.
    DeadlineTooEarly,
    /// A watch is confirmed to its user again when it resumes.
    CreatedAgain,
    /// A resumed watch has no filters.
    FiltersLost,
    /// A resumed watch does not ask for what was there before.
    PrevKvLost,
    /// A resumed watch begins anew.
    ResumeFromNow,
    /// A write whose answer was lost is sent again.
    RepeatLost,
    /// A write whose answer was lost did not happen.
    LostIsNo,
    /// A watch whose connection is lost before it was confirmed there is forgotten.
    CreateForgotten,
    /// A connection that was not read for a slow watch is never read again.
    NeverResumed,
    /// The connection of a canceled call is used for the next one.
    LateAnswer,
    /// The answers to renewals are taken from the wrong end.
    RenewalsSwapped,
    /// A renewal of a lease that is gone is taken for a success.
    GoneIsRenewed,
    /// A watch is moved by the header of a message, not by its events.
    HeaderMovesNext,
    /// A notice of progress overtakes the events before it.
    ProgressOvertakes,
    /// A revision that was delivered is delivered again if it comes again.
    OldAgain,
    /// The end of a compacted watch names another revision than the one it wanted.
    CompactedElsewhere,
    /// The cancel of a watch ends its neighbour, too.
    CancelsNeighbour,
    /// The wait before another connection never ends.
    GateNeverOpens,
    /// A call whose connection is lost has no outcome.
    OutcomeLost,
    /// Each call that is refused for its token has a login of its own.
    LoginPerCall,
    /// A login is begun though another one is under way.
    LoginTwice,
    /// A token that servers no longer take is not replaced.
    ExpiredStays,
    /// A login with a wrong password is made again at once.
    WrongPasswordAgain,
    /// The user of a lease is not told that its time is over.
    ExpiryUntold,
    /// A lease whose time is over is told lost, whatever the server says.
    ExpiredIsLost,
    /// A lease that the server does not have is renewed on and on.
    LostGoesOn,
    /// A lease is given up when a renewal finds no server.
    LeaseGivenUp,
    /// A lease is renewed when its time is over.
    RenewedLate,
    /// A lease is told revoked, and no revoke is sent.
    RevokeUnsent,
    /// A repeated grant is refused since the first attempt made the lease.
    GrantRefused,
    /// A watch connection is trusted however long nothing comes on it.
    SilenceTrusted,
    /// A slow watch holds up its neighbours as long as it is slow.
    SlowStalls,
    /// A leader that an observation told is told again when it resumes.
    LeaderAgain,
    /// What was deleted is not told of a range that is read in place of compacted history.
    ResyncSkipsDelete,
    /// A watch goes on at the revision its range was read at.
    ResyncAtRead,
    /// Each page of a range is read at the newest revision.
    ResyncUnpinned,
    /// A watch is told to lag as soon as it is behind.
    LagTooEarly,
    /// A member that takes an older token makes it the newest again.
    TokenGoesBack,
    /// A token that a member refused is sent there again.
    RefusedTokenAgain,
    /// The refusal of an older token counts for the newest.
    OldRefusalCounts,
    /// The answer to a canceled call that shares its connection is taken for that of the next.
    AnswersShift,
}

impl core::fmt::Display for Planted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self, f)
    }
}

impl core::str::FromStr for Planted {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let is_it = |planted: &&Self| planted.to_string() == name;
        let found = Self::ALL.iter().find(is_it).copied();
        found.ok_or_else(|| format!("no bug of the name {name} is planted"))
    }
}
