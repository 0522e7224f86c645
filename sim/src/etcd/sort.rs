//! Sorting as the servers do, of which clients see the order of equals.
//!
//! Go's sort is not stable, but is for up to 12 elements. Before Go 1.19 it first compared those that
//! are 6 apart, and was stable for up to 6. Beyond 12 this is a stable sort, and etcd's order of equals
//! is another one.

use core::cmp::Ordering;

/// Sorts; `old`: as a Go before 1.19.
pub(super) fn sort<T>(items: &mut [T], old: bool, mut by: impl FnMut(&T, &T) -> Ordering) {
    if old && items.len() <= 12 {
        for later in 6..items.len() {
            if by(&items[later], &items[later - 6]).is_lt() {
                items.swap(later, later - 6);
            }
        }
    }
    items.sort_by(by);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_keep_their_order_but_not_with_an_old_sort() {
        for (old, sorted) in [(false, "bcdefga"), (true, "gbcdefa")] {
            let mut letters: Vec<char> = "abcdefg".chars().collect();
            sort(&mut letters, old, |a, b| (*a == 'a').cmp(&(*b == 'a')));
            assert_eq!(letters.iter().collect::<String>(), sorted);
        }
    }
}
