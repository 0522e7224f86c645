//! Judging what happened in a world: a recorded history against what the cluster really did.

mod history;

pub use history::{Asked, Change, Changed, Event, History, Truth, What};
