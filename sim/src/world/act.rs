//! What can be done to a world from outside, as data: to do now, to plan, to draw and to shorten.

use core::time::Duration;

use super::between::Between;
use crate::net::{Fault, Faults, Shape};

/// Something done to a world. Members are counted through all clusters of the world, clients in the
/// order in which they were made; one that does not exist is left alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Act {
    /// Kills a member's process (`kill -9`): its connections break, new ones are refused.
    Stop(usize),
    /// Cuts a member's power: its connections tell nobody, new ones are never answered.
    PowerOff(usize),
    /// Starts a member that was stopped or lost its power.
    Start(usize),
    /// Lets a member's process stand still (`SIGSTOP`): it accepts connections and does nothing.
    Pause(usize),
    /// Lets it go on, with whatever came in meanwhile.
    Resume(usize),
    /// Splits a cluster: each list is of members that still hear one another; those in no list are
    /// alone. Clients still reach them all.
    Partition(Vec<Vec<usize>>),
    /// All members of all clusters hear one another again.
    Heal,
    /// Lets a member be this late in applying what was agreed on.
    Lag(usize, Duration),
    /// Makes a member its cluster's leader.
    MoveLeader(usize),
    /// Lets a member forget the tokens it gave.
    ExpireTokens(usize),
    /// Nothing comes through between these until they are joined again; then everything does that was
    /// sent meanwhile, as with a cable that is pulled out and put back.
    Unplug(Between),
    /// Joins what was unplugged; exactly the connections meant.
    Plug(Between),
    /// Does something to the open connections meant.
    Strike(Between, Fault),
    /// Does something to the next connection meant that is begun.
    Await(Between, Fault),
    /// From now on connections meant are like this. What is said later counts where two hold.
    Shape(Between, Shape),
    /// From now on new connections meant have these faults. What is said later counts where two hold.
    Faults(Between, Faults),
    /// Lets a client's clock jump forward, as after its machine slept.
    Jump(usize, Duration),
    /// Lets a client's process stand still for so long; what comes for it waits.
    Freeze(usize, Duration),
    /// Ends everything that was done wrong: no more faults on new connections, nothing planned on open
    /// ones, members started, resumed, joined and without lag, cables back in. What a black hole
    /// swallowed is lost, and its connections are reset.
    Calm,
}
