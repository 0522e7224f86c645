//! How much memory the lists of a message may take for the text they come in.
//!
//! A list's element takes what it takes, however short its text: `{}` is a key-value of 96 bytes. So
//! a peer could make its bytes weigh many times as much here as on the wire. What servers send does
//! not: their leanest lists weigh six times their text (DESIGN.md). So elements are counted as they
//! come, each with its own size; what they hold besides, keys and texts, is never more than the text.

use core::cell::Cell;

use crate::error::JsonError;

/// Bytes of elements for each byte of text.
pub(crate) const FOR_EACH: usize = 8;

/// Bytes of elements that any text may have, since the lists of a short one weigh nothing.
pub(crate) const FOR_ALL: usize = 64 * 1024;

/// What may still be taken.
#[derive(Debug)]
#[expect(
    unnameable_types,
    reason = "part of a trait nobody else is to implement"
)]
pub struct Budget {
    most: usize,
    left: Cell<usize>,
    /// It was not enough.
    passed: Cell<bool>,
}

impl Budget {
    /// For a text of this many bytes.
    pub(crate) const fn of_text(len: usize) -> Self {
        Self::of(len.saturating_mul(FOR_EACH).saturating_add(FOR_ALL))
    }

    /// For what no peer sent.
    pub(crate) const fn unbounded() -> Self {
        Self::of(usize::MAX)
    }

    const fn of(most: usize) -> Self {
        Self {
            most,
            left: Cell::new(most),
            passed: Cell::new(false),
        }
    }

    /// Adds an element, or says that it would be too much.
    pub(crate) fn push<T>(&self, list: &mut Vec<T>, element: T) -> bool {
        let fits = self.make_room(list);
        if fits {
            list.push(element);
        }
        fits
    }

    /// Makes room for one element, which is to be pushed then, or says that it would be too much. The
    /// list never has room for more than what may still come, nor for more than three times what has
    /// come.
    #[inline]
    pub(crate) fn make_room<T>(&self, list: &mut Vec<T>) -> bool {
        let Some(left) = self.left.get().checked_sub(size_of::<T>()) else {
            self.passed.set(true);
            return false;
        };
        self.left.set(left);
        if list.len() == list.capacity() {
            grow(list, left / size_of::<T>().max(1));
        }
        true
    }

    /// The error, once it was not enough.
    pub(crate) fn error(&self) -> Option<JsonError> {
        let passed = self.passed.get();
        passed.then_some(JsonError::TooManyElements(self.most))
    }
}

/// Makes room in a full list, after whose next element at most this many more can come.
#[cold]
fn grow<T>(list: &mut Vec<T>, most: usize) {
    // Where not much more can come, room for all of it, so that it is not moved once more.
    let twice = list.len().saturating_mul(2);
    list.reserve_exact(if most < twice {
        most.saturating_add(1)
    } else {
        list.len().max(1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_taken_up_to_the_limit_and_not_one_past_it() {
        let budget = Budget::of(10 * size_of::<u64>() + 7);
        let mut list = Vec::new();
        for number in 0..10_u64 {
            assert!(budget.push(&mut list, number));
            assert!(list.capacity() <= 3 * list.len(), "{}", list.capacity());
        }
        assert_eq!(list.capacity(), 10);
        assert!(!budget.push(&mut list, 10));
        assert_eq!(list.len(), 10);
    }

    #[test]
    fn all_lists_of_a_message_share_it() {
        let budget = Budget::of(3 * size_of::<u64>());
        let (mut one, mut other) = (Vec::new(), Vec::new());
        assert!(budget.push(&mut one, 1_u64));
        assert!(budget.push(&mut other, 1_u64));
        assert!(budget.push(&mut one, 1_u64));
        assert!(!budget.push(&mut other, 1_u64));
    }
}
