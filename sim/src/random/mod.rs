//! Random worlds: a whole run out of one number, judged by all checkers, and made short where it
//! fails.
//!
//! [`Script::draw`] makes a script out of a seed: how the cluster and the clients are, what their users
//! command and what goes wrong, each at its time. [`play`] plays it: a part with faults for safety, then
//! one without, in which everything has to end or go on (guarantee G60). [`shrink`] takes lines out of
//! a script for as long as it still fails. A script is data, so a run is known by its seed and the
//! lines that were kept.
//!
//! ```
//! use etcd_sim::random::{Script, play};
//!
//! let played = play(&Script::draw(1));
//! let evidence = played.verdict.unwrap();
//! assert!(evidence.calls > 0);
//! ```

mod commands;
mod draw;
mod leases;
mod play;
mod script;
mod seen;
mod services;
mod shrink;
mod trouble;
mod users;

pub use play::{Played, play, record};
pub use script::{ClientKnobs, Line, Order, Script, Since, User};
pub use shrink::{Short, shrink};
