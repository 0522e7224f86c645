//! How connections are, and what goes wrong on new ones: the last rule that is about one counts.

use super::between::Between;
use crate::net::{Fault, Faults, Shape};
use crate::rng::Rng;

/// The rules of a world.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    shapes: Vec<(Between, Shape)>,
    faults: Vec<(Between, Faults)>,
}

impl Rules {
    /// From now on it is like this between these.
    pub(super) fn set_shape(&mut self, between: Between, shape: Shape) {
        self.shapes.retain(|(other, _)| *other != between);
        self.shapes.push((between, shape));
    }

    /// From now on this goes wrong between these.
    pub(super) fn set_faults(&mut self, between: Between, faults: Faults) {
        if between == Between::all() {
            self.faults.clear();
        }
        self.faults.retain(|(other, _)| *other != between);
        if !(faults.is_none() && self.faults.is_empty()) {
            self.faults.push((between, faults));
        }
    }

    /// Nothing goes wrong from now on.
    pub(super) fn calm(&mut self) {
        self.faults.clear();
    }

    /// What a new connection is like.
    pub(super) fn plan(&self, client: usize, member: usize, rng: &mut Rng) -> (Shape, Vec<Fault>) {
        let shape = self
            .shapes
            .iter()
            .rev()
            .find(|(between, _)| between.holds(client, member));
        let faults = self
            .faults
            .iter()
            .rev()
            .find(|(between, _)| between.holds(client, member));
        (
            shape.map(|(_, shape)| *shape).unwrap_or_default(),
            faults
                .map(|(_, faults)| faults.plan(rng))
                .unwrap_or_default(),
        )
    }
}
