//! The order in which servers are to be tried (RFC 2782, "Usage rules").
//!
//! By priority; within one, each next server is drawn by its weight. It depends on the records and the
//! chance that is handed in, and not on the order the records came in, which name servers rotate.

use crate::rng::Rng;
use crate::srv::Srv;

/// The records in the order to try them, each once.
pub(crate) fn ordered<'a>(records: &'a [Srv], rng: &mut Rng) -> Vec<&'a Srv> {
    let mut sorted: Vec<&Srv> = records.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut ordered = Vec::with_capacity(sorted.len());
    for group in sorted.chunk_by(|a, b| a.priority == b.priority) {
        draw(group.to_vec(), rng, &mut ordered);
    }
    ordered
}

/// Moves records of one priority over, in an order drawn by their weights.
fn draw<'a>(mut group: Vec<&'a Srv>, rng: &mut Rng, ordered: &mut Vec<&'a Srv>) {
    // Those without weight stand first, so that they have a small chance of being drawn; among
    // themselves they have the same.
    rng.shuffle(&mut group);
    group.sort_by_key(|record| record.weight != 0);
    while !group.is_empty() {
        let sum = group.iter().map(|record| u64::from(record.weight)).sum();
        let drawn = rng.up_to(sum);
        let mut running = 0;
        let at = group
            .iter()
            .position(|record| {
                running += u64::from(record.weight);
                running >= drawn
            })
            .expect("the last running sum is the sum, which is not below what was drawn");
        ordered.push(group.remove(at));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// How often each target comes first, over many seeds.
    fn firsts(records: &[Srv]) -> BTreeMap<&str, u32> {
        let mut firsts = BTreeMap::new();
        for seed in 0..RUNS {
            let first = ordered(records, &mut Rng::new(seed))[0];
            *firsts.entry(first.target.as_str()).or_default() += 1;
        }
        firsts
    }

    const RUNS: u64 = 10_000;

    #[test]
    fn lower_priorities_come_first_whatever_the_weights() {
        let records = [
            Srv::new(2, 65_535, 1, "c"),
            Srv::new(1, 0, 1, "b"),
            Srv::new(0, 0, 1, "a"),
        ];
        for seed in 0..100 {
            let ordered = ordered(&records, &mut Rng::new(seed));
            let targets: Vec<&str> = ordered.iter().map(|srv| srv.target.as_str()).collect();
            assert_eq!(targets, ["a", "b", "c"]);
        }
    }

    #[test]
    fn servers_come_first_in_proportion_to_their_weights() {
        let records = [
            Srv::new(0, 10, 1, "a"),
            Srv::new(0, 30, 1, "b"),
            Srv::new(0, 60, 1, "c"),
            Srv::new(1, 1000, 1, "d"),
        ];
        let firsts = firsts(&records);
        assert!((850..1150).contains(&firsts["a"]), "{firsts:?}");
        assert!((2750..3250).contains(&firsts["b"]), "{firsts:?}");
        assert!((5700..6300).contains(&firsts["c"]), "{firsts:?}");
        assert!(!firsts.contains_key("d"), "{firsts:?}");
    }

    #[test]
    fn a_server_without_weight_has_a_small_chance() {
        let records = [Srv::new(0, 0, 1, "a"), Srv::new(0, 99, 1, "b")];
        let firsts = firsts(&records);
        assert!((75..130).contains(&firsts["a"]), "{firsts:?}");
    }

    #[test]
    fn servers_without_any_weight_share_evenly() {
        let records = ["a", "b", "c", "d"].map(|target| Srv::new(0, 0, 1, target));
        let firsts = firsts(&records);
        assert!(
            firsts.values().all(|count| (2300..2700).contains(count)),
            "{firsts:?}"
        );
    }

    #[test]
    fn the_order_does_not_depend_on_that_of_the_answer() {
        let mut records: Vec<Srv> = (0..20)
            .map(|at| Srv::new(at % 3, at % 5, 1, format!("host-{at}")))
            .collect();
        let mut reversed = records.clone();
        reversed.reverse();
        let rest = records.split_off(7);
        let rotated = [rest, records].concat();
        for seed in 0..100 {
            let (mut a, mut b) = (Rng::new(seed), Rng::new(seed));
            assert_eq!(ordered(&reversed, &mut a), ordered(&rotated, &mut b));
        }
    }

    #[test]
    fn each_record_comes_once_and_the_largest_weights_do_not_overflow() {
        let mut records: Vec<Srv> = (0..500)
            .map(|at| Srv::new(0, u16::MAX, 1, format!("host-{at}")))
            .collect();
        records.push(records[0].clone());
        let ordered = ordered(&records, &mut Rng::new(u64::MAX));
        let targets: std::collections::BTreeSet<&str> =
            ordered.iter().map(|srv| srv.target.as_str()).collect();
        assert_eq!((ordered.len(), targets.len()), (500, 500));
    }
}
