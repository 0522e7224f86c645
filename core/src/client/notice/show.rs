//! Notices as text: one plain line each, the id first. What is a time is told as how long it is until then.

use core::fmt;
use core::time::Duration;

use super::Choice;
use super::EndpointReason;
use super::EndpointState;
use super::Level;
use super::Notice;
use super::Owner;
use super::Use;
use super::WaitsFor;
use super::Wake;
use super::What;
use crate::time::Instant;

/// A time from now on, rounded up to milliseconds, for people.
struct In(Duration);

impl fmt::Display for In {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_nanos().div_ceil(1_000_000);
        match millis {
            0 => f.write_str("at once"),
            1..10_000 => write!(f, "in {millis} ms"),
            _ => write!(f, "in {} s", millis.div_ceil(1000)),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = |until: Instant| In(until - self.at);
        match &self.what {
            What::AttemptBegun { .. }
            | What::AttemptAnswered { .. }
            | What::AttemptFailed { .. }
            | What::CallWaits { .. } => self.show_call(f),
            What::HeldBack { used_for, until } => write!(
                f,
                "every endpoint failed for {used_for}: the next connection {}",
                after(*until)
            ),
            What::EndpointsSet { endpoints } => {
                f.write_str("the endpoints are")?;
                for endpoint in endpoints {
                    write!(f, " {endpoint}")?;
                }
                Ok(())
            }
            What::EndpointChanged {
                endpoint,
                from,
                to,
                why,
            } => {
                write!(f, "{endpoint}: {from} before, {to} now, as {why}")?;
                match to {
                    EndpointState::Suspect { until }
                    | EndpointState::Learner { until }
                    | EndpointState::Foreign { until } => {
                        write!(f, "; asked again {}", after(*until))
                    }
                    _ => Ok(()),
                }
            }
            What::ConnOrdered { .. }
            | What::ConnOpened { .. }
            | What::ConnFailed { .. }
            | What::ConnClosed { .. } => self.show_conn(f),
            What::LoginBegun { call, endpoint } => {
                write!(f, "{call:?}: asks for a token for {endpoint}")
            }
            What::LoginDone => f.write_str("a token came"),
            What::LoginFailed { why } => write!(f, "no token came: {why}"),
            What::LoginWaits { until } => write!(f, "the next login is made {}", after(*until)),
            What::StreamAsked { .. }
            | What::StreamResumed { .. }
            | What::StreamLost { .. }
            | What::StreamPaused { .. }
            | What::StreamFlows { .. }
            | What::StreamEnded { .. } => self.show_stream(f),
            What::LeaseRenewed { lease, valid_until } => {
                write!(f, "{lease:?}: renewed, ends {}", after(*valid_until))
            }
            What::LeaseAtRisk { lease, valid_until } => {
                write!(f, "{lease:?}: at risk, ends {}", after(*valid_until))
            }
            What::LeaseExpired { lease, .. } => write!(f, "{lease:?}: expired, it may be gone"),
            What::LeaseEnded { lease, why } => write!(f, "{lease:?}: ended: {why}"),
            What::Woke(wake) => write!(f, "woke up: {wake}"),
            _ => self.show_watch(f),
        }
    }
}

impl Notice {
    fn show_call(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::AttemptBegun {
                call,
                rpc,
                owner,
                attempt,
                endpoint,
                choice,
                again,
                ..
            } => {
                write!(f, "{call:?}: attempt {attempt} of {rpc:?}")?;
                if *owner != Owner::User {
                    write!(f, ", for {owner},")?;
                }
                write!(f, " at {endpoint}, {choice}")?;
                match again {
                    None => Ok(()),
                    Some(again) => write!(f, "; again, as the last one failed: {again}"),
                }
            }
            What::AttemptAnswered {
                call,
                attempt,
                endpoint,
                took,
            } => write!(
                f,
                "{call:?}: attempt {attempt} at {endpoint} answered after {took:?}"
            ),
            What::AttemptFailed {
                call,
                attempt,
                endpoint,
                why,
                next,
            } => {
                write!(
                    f,
                    "{call:?}: attempt {attempt} at {endpoint} failed: {why}; "
                )?;
                match next {
                    None => f.write_str("no further one"),
                    Some(next) => write!(f, "next {}", In(*next - self.at)),
                }
            }
            What::CallWaits { call, waits_for } => {
                write!(f, "{call:?}: waits for {waits_for}")?;
                match waits_for {
                    WaitsFor::Endpoint { until }
                    | WaitsFor::Backoff { until }
                    | WaitsFor::Budget { until } => {
                        write!(f, " {}", In(*until - self.at))
                    }
                    WaitsFor::Connection | WaitsFor::Token => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn show_conn(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::ConnOrdered {
                conn,
                endpoint,
                used_for,
            } => write!(f, "{conn:?}: opening to {endpoint} for {used_for}"),
            What::ConnOpened {
                conn,
                endpoint,
                took,
            } => write!(f, "{conn:?}: open to {endpoint} after {took:?}"),
            What::ConnFailed {
                conn,
                endpoint,
                why,
            } => write!(f, "{conn:?}: not opened to {endpoint}: {why}"),
            What::ConnClosed {
                conn,
                endpoint,
                why,
            } => write!(f, "{conn:?}: closed to {endpoint}: {why}"),
            _ => Ok(()),
        }
    }

    fn show_watch(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::WatchAsked {
                watch,
                endpoint,
                from: 0,
                ..
            } => write!(f, "{watch:?}: asked for at {endpoint} from now on"),
            What::WatchAsked {
                watch,
                endpoint,
                from,
                ..
            } => write!(
                f,
                "{watch:?}: asked for at {endpoint} from revision {from} on"
            ),
            What::WatchCreated {
                watch,
                endpoint,
                revision,
            } => write!(f, "{watch:?}: created at {endpoint}, revision {revision}"),
            What::WatchResumed {
                watch,
                endpoint,
                from,
            } => write!(
                f,
                "{watch:?}: resumed at {endpoint} from revision {from} on"
            ),
            What::WatchLost {
                watch,
                endpoint,
                next,
                why,
            } => write!(
                f,
                "{watch:?}: lost at {endpoint}, {next} is its next revision: {why}"
            ),
            What::WatchReads {
                watch,
                next,
                compact_revision,
            } => write!(
                f,
                "{watch:?}: reads its range, as revision {next} was compacted (oldest kept {compact_revision})"
            ),
            What::WatchRests { watch, until } => {
                write!(
                    f,
                    "{watch:?}: asks for its next page {}",
                    In(*until - self.at)
                )
            }
            What::WatchLagging {
                watch,
                certified,
                server,
            } => write!(
                f,
                "{watch:?}: lags, its server is at revision {server} and it at {certified}"
            ),
            What::WatchPaused {
                watch,
                held,
                allowed,
            } => write!(f, "{watch:?}: not read, holds {held} of {allowed} bytes"),
            What::WatchFlows {
                watch,
                held,
                allowed,
            } => write!(f, "{watch:?}: read again, holds {held} of {allowed} bytes"),
            What::WatchSetAside { watch } => {
                write!(f, "{watch:?}: makes way for others until it is read")
            }
            What::WatchEnded { watch, why } => write!(f, "{watch:?}: ended: {why}"),
            _ => Ok(()),
        }
    }

    fn show_stream(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::StreamAsked {
                stream,
                endpoint,
                attempt,
                ..
            } => write!(f, "{stream:?}: attempt {attempt} at {endpoint}"),
            What::StreamResumed { stream, endpoint } => {
                write!(f, "{stream:?}: resumed at {endpoint}")
            }
            What::StreamLost { stream, why } => write!(f, "{stream:?}: lost: {why}"),
            What::StreamPaused {
                stream,
                held,
                allowed,
            } => write!(f, "{stream:?}: not read, holds {held} of {allowed} bytes"),
            What::StreamFlows {
                stream,
                held,
                allowed,
            } => write!(f, "{stream:?}: read again, holds {held} of {allowed} bytes"),
            What::StreamEnded { stream, why: None } => write!(f, "{stream:?}: ended: it is whole"),
            What::StreamEnded {
                stream,
                why: Some(why),
            } => write!(f, "{stream:?}: ended: {why}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("the user"),
            Self::Version => f.write_str("the version"),
            Self::Login => f.write_str("a token"),
            Self::Members => f.write_str("the members"),
            Self::Probe => f.write_str("a probe"),
            Self::Lease(lease) => write!(f, "{lease:?}"),
            Self::Watch(watch) => write!(f, "{watch:?}"),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turn => "its turn",
            Self::Free => "free before the one whose turn it is",
            Self::Suspect => "though none is known to serve",
            Self::Named => "as the call names it",
            Self::Renewals => "where all renewals go",
        })
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "a free connection",
            Self::Endpoint { .. } => "an endpoint to try again",
            Self::Token => "a token",
            Self::Backoff { .. } => "its next attempt",
            Self::Budget { .. } => "its turn, or another call's success",
        })
    }
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Suspect { .. } => "suspect",
            Self::Learner { .. } => "a learner",
            Self::Foreign { .. } => "of another cluster",
            Self::Probing => "being asked",
        })
    }
}

impl fmt::Display for EndpointReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("it answered"),
            Self::Failed(reason) => write!(f, "it failed: {reason}"),
            Self::Due => f.write_str("its time is over"),
            Self::NotAsked => f.write_str("it could not be asked"),
        }
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calls => "calls",
            Self::Waits => "a call that waits",
            Self::Watches => "watches",
            Self::Renewals => "renewals",
            Self::Snapshot => "a snapshot",
            Self::Observation => "an observation",
        })
    }
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallDeadline(call) => write!(f, "the deadline of {call:?}"),
            Self::CallAgain(call) => write!(f, "the next attempt of {call:?}"),
            Self::CallPatience(call) => write!(f, "the patience of {call:?} with its server"),
            Self::Lease => f.write_str("a lease is to be renewed or looked at"),
            Self::ConnDeadline(conn) => write!(f, "{conn:?} has to be open"),
            Self::WatchConfirmed(conn) => write!(f, "a watch on {conn:?} has to be confirmed"),
            Self::Login => f.write_str("the next login"),
            Self::Sync => f.write_str("the next question for the members"),
            Self::WatchSilence(conn) => write!(f, "the silence on {conn:?}"),
            Self::WatchProgress(conn) => write!(f, "the progress asked for on {conn:?}"),
            Self::SlowWatches(conn) => write!(f, "watches that are not read hold up {conn:?}"),
            Self::WatchesBack => f.write_str("watches that made way go on"),
            Self::WatchLag => f.write_str("watches that may lag"),
            Self::WatchPage(watch) => write!(f, "the next page of {watch:?}"),
            Self::WatchDeadline(watch) => write!(f, "the deadline of {watch:?}"),
            Self::StreamDeadline(stream) => write!(f, "the next step of {stream:?}"),
            Self::Reconnect(used_for) => write!(f, "the next connection for {used_for}"),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}
