//! Which keys some permissions cover together.
//!
//! Permissions are merged first: two that touch cover a range that neither covers alone, as in etcd's
//! tree of intervals.

use etcd_core::KeyRange;
use etcd_core::bytes::Bytes;

/// A set of keys: ranges in ascending order that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cover {
    parts: Vec<Span>,
}

/// All keys from `start` on that are below `end`; no end means all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    start: Bytes,
    end: Option<Bytes>,
}

impl Span {
    /// The range as etcd means it: no end is one key, an end of one zero byte is none.
    fn of(range: &KeyRange) -> Self {
        let end = match &range.range_end[..] {
            [] => {
                let mut next = range.key.to_vec();
                next.push(0);
                Some(Bytes::from(next))
            }
            [0] => None,
            end => Some(Bytes::copy_from_slice(end)),
        };
        Self {
            start: range.key.clone(),
            end,
        }
    }

    fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// Whether nothing is left out between this and what starts there.
    fn reaches(&self, start: &Bytes) -> bool {
        self.end.as_ref().is_none_or(|end| end >= start)
    }
}

impl Cover {
    /// What these ranges cover together; those that end before they begin cover nothing.
    pub(super) fn new<'a>(ranges: impl Iterator<Item = &'a KeyRange>) -> Self {
        let mut spans: Vec<Span> = ranges
            .map(Span::of)
            .filter(|span| !span.is_empty())
            .collect();
        spans.sort_by(|a, b| a.start.cmp(&b.start));
        let mut parts: Vec<Span> = Vec::new();
        for span in spans {
            match parts.last_mut() {
                Some(last) if last.reaches(&span.start) => {
                    let further = match (&last.end, &span.end) {
                        (Some(old), Some(new)) => new > old,
                        (Some(_), None) => true,
                        (None, _) => false,
                    };
                    if further {
                        last.end = span.end;
                    }
                }
                _ => parts.push(span),
            }
        }
        Self { parts }
    }

    /// Whether each key of the range is covered. Of a range that ends before it begins, its begin.
    pub(super) fn contains(&self, range: &KeyRange) -> bool {
        let wanted = Span::of(range);
        self.parts.iter().any(|part| {
            let begins = part.end.as_ref().is_none_or(|end| wanted.start < *end);
            part.start <= wanted.start
                && begins
                && match (&part.end, &wanted.end) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(end), Some(wanted)) => end >= wanted,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(ranges: &[KeyRange]) -> Cover {
        Cover::new(ranges.iter())
    }

    #[test]
    fn ranges_that_touch_cover_what_neither_covers_alone() {
        let cover = cover(&[
            KeyRange::range("m", "t"),
            KeyRange::range("a", "m"),
            KeyRange::key("t"),
        ]);
        assert!(cover.contains(&KeyRange::range("b", "s")));
        assert!(cover.contains(&KeyRange::range("a", "t\0")));
        assert!(!cover.contains(&KeyRange::range("a", "t\0\0")));
        assert!(!cover.contains(&KeyRange::key("u")));
    }

    #[test]
    fn a_gap_is_not_covered() {
        let cover = cover(&[KeyRange::range("a", "c"), KeyRange::range("d", "f")]);
        assert!(!cover.contains(&KeyRange::range("a", "f")));
        assert!(!cover.contains(&KeyRange::key("c")));
        assert!(cover.contains(&KeyRange::key("d")));
    }

    #[test]
    fn what_has_no_end_needs_a_permission_without_end() {
        let prefix = cover(&[KeyRange::prefix("a")]);
        assert!(prefix.contains(&KeyRange::prefix("ab")));
        assert!(!prefix.contains(&KeyRange::from_key("a")));
        let open = cover(&[KeyRange::from_key("a")]);
        assert!(open.contains(&KeyRange::from_key("b")));
        assert!(open.contains(&KeyRange::prefix("zz")));
        assert!(!open.contains(&KeyRange::all()));
        assert!(cover(&[KeyRange::all()]).contains(&KeyRange::from_key("b")));
    }

    #[test]
    fn what_ends_before_it_begins_covers_nothing() {
        assert_eq!(cover(&[KeyRange::range("b", "a")]), Cover::default());
    }
}
