//! Judging what happened in a world: a recorded history against what the cluster really did.
//!
//! Every checker is a pure function of a [`History`]. It gives what it judged, since a run that
//! judged nothing proves nothing, or the first thing that must not be. The words are those of the
//! guarantees: a [`Violation`] names the one that was broken.
//!
//! ```text
//!   History ─► timeline   the cluster's log, as a store that can be asked about any revision
//!           ─► calls      one outcome each, and that one true (G1 to G5, G7, G61)
//!           ─► reads      nothing read that was not so, nor older than known (G6, G8)
//!           ─► watches    order, once, nothing lost, nothing torn … (G9 to G16, G19, G22); ranges read after
//!                         compactions (W-16), lags (T-4)
//!           ─► leases     alive when told so, and as long as told (G25 to G28)
//!           ─► kept       leases that are kept alive: as long as told, and told when not (G25 to G28)
//!           ─► locks      held when told so, by one at a time; elections
//!           ─► streams    whole snapshots, leaders in their order (G1, G9, G19, G60)
//!           ─► logins     one at a time, no storm (G38, G39), nothing denied that is allowed
//!           ─► registers  single keys, linearizable by what their users saw alone
//! ```

mod asked;
mod calls;
mod history;
mod kept;
mod leases;
mod locks;
mod logins;
mod reads;
mod registers;
mod resyncs;
mod streams;
mod timeline;
mod verdict;
mod watches;

#[cfg(test)]
mod tests;

pub use history::{Asked, Change, Changed, Event, History, Kept, Streamed, Truth, What};
pub use registers::{Did, Linearized, Operation, linearize};
pub use verdict::{Evidence, Violation};

use timeline::Timeline;

/// Judges a history by everything there is.
///
/// # Errors
///
/// The first thing that must not be.
///
/// ```
/// use etcd_core::{Error, Instant, Misuse, Put};
/// use etcd_sim::check::{Asked, History, What, check};
///
/// let mut history = History::default();
/// let asked = Asked::from(Put::new("", "v"));
/// history.add(Instant::ZERO, 0, What::CallStarted { call: 1, asked, deadline: None });
/// let ended = || What::CallEnded { call: 1, result: Box::new(Err(Error::Misuse(Misuse::EmptyKey))) };
/// history.add(Instant::ZERO, 0, ended());
/// assert_eq!(check(&history).unwrap().writes_refused, 1);
///
/// history.add(Instant::ZERO, 0, ended());
/// assert_eq!(check(&history).unwrap_err().rule, "G1");
/// ```
pub fn check(history: &History) -> Result<Evidence, Violation> {
    let timeline = Timeline::new(&history.truth)?;
    let mut evidence = Evidence::default();
    let told = calls::collect(history)?;
    calls::check(history, &told, &timeline, &mut evidence)?;
    reads::check(&told, &timeline, &mut evidence)?;
    watches::check(history, &timeline, &mut evidence)?;
    streams::check(history, &timeline, &mut evidence)?;
    leases::check(&told, &timeline, &mut evidence)?;
    kept::check(history, &timeline, &mut evidence)?;
    locks::check(&told, &timeline, &mut evidence)?;
    logins::check(history, &told, &mut evidence)?;
    registers::check(&history.truth, &told, &mut evidence)?;
    Ok(evidence)
}
