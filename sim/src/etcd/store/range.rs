//! Reading a range with all its options, by the rules of etcd's own `executeRange`.

use etcd_core::{KeyRange, KeyValue, Range, RangeResponse, SortOrder, SortTarget};

use super::{Store, Unreadable};
use crate::etcd::sort::sort;

impl Store {
    /// Reads a range. `current` is what counts as the newest revision: within a transaction that
    /// already changed something it is the one in the making. The answer's header has only it.
    pub(in super::super) fn range(
        &self,
        request: &Range,
        current: i64,
    ) -> Result<RangeResponse, Unreadable> {
        let revision = self.readable(request.revision, current)?;
        let mut response = RangeResponse::default();
        response.header.revision = current;
        let found = self.iter(&request.range, revision);
        if request.count_only {
            response.count = to_i64(found.count());
            return Ok(response);
        }
        let limit = usize::try_from(request.limit).unwrap_or(0);
        // What etcd fetches: everything if an order or a filter was asked for. A target without an
        // order is not enough, though it sorts: then what was fetched is sorted.
        let filtered = Filter::of(request);
        let fetched = if limit == 0 || request.sort_order != SortOrder::None || filtered.is_any() {
            usize::MAX
        } else {
            limit.saturating_add(1)
        };
        let mut count = 0_usize;
        let mut kvs = Vec::new();
        for kv in found {
            count += 1;
            if kvs.len() < fetched && filtered.passes(kv) {
                kvs.push(kv);
            }
        }
        self.sort(&mut kvs, request);
        if limit > 0 && kvs.len() > limit {
            kvs.truncate(limit);
            response.more = true;
        }
        response.count = to_i64(count);
        response.kvs = kvs.into_iter().cloned().collect();
        if request.keys_only {
            for kv in &mut response.kvs {
                kv.value.clear();
            }
        }
        Ok(response)
    }

    /// The revision a range is read at: the one asked for, or the newest.
    pub(in super::super) const fn readable(
        &self,
        asked: i64,
        current: i64,
    ) -> Result<i64, Unreadable> {
        if asked > current {
            return Err(Unreadable::Future);
        }
        let revision = if asked <= 0 { current } else { asked };
        if revision < self.compacted {
            return Err(Unreadable::Compacted);
        }
        Ok(revision)
    }

    /// Brings key-values, which come in the order of their keys, into the order asked for. A target
    /// without an order ascends.
    fn sort(&self, kvs: &mut [&KeyValue], request: &Range) {
        let target = |a: &KeyValue, b: &KeyValue| match request.sort_target {
            SortTarget::Version => a.version.cmp(&b.version),
            SortTarget::Create => a.create_revision.cmp(&b.create_revision),
            SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
            SortTarget::Value => a.value.cmp(&b.value),
            _ => a.key.cmp(&b.key),
        };
        let descends = request.sort_order == SortOrder::Descend;
        if request.sort_target == SortTarget::Key && !descends {
            return;
        }
        let by = |a: &KeyValue, b: &KeyValue| {
            if descends { target(b, a) } else { target(a, b) }
        };
        sort(kvs, self.old_sort, |a, b| by(a, b));
    }

    /// The keys of a range now.
    pub(in super::super) fn now<'a>(
        &'a self,
        range: &'a KeyRange,
    ) -> impl Iterator<Item = &'a KeyValue> {
        self.iter(range, i64::MAX)
    }
}

/// The bounds of revisions; 0 for none.
struct Filter {
    min_mod: i64,
    max_mod: i64,
    min_create: i64,
    max_create: i64,
}

impl Filter {
    const fn of(request: &Range) -> Self {
        Self {
            min_mod: request.min_mod_revision,
            max_mod: request.max_mod_revision,
            min_create: request.min_create_revision,
            max_create: request.max_create_revision,
        }
    }

    const fn is_any(&self) -> bool {
        self.min_mod != 0 || self.max_mod != 0 || self.min_create != 0 || self.max_create != 0
    }

    const fn passes(&self, kv: &KeyValue) -> bool {
        (self.min_mod == 0 || kv.mod_revision >= self.min_mod)
            && (self.max_mod == 0 || kv.mod_revision <= self.max_mod)
            && (self.min_create == 0 || kv.create_revision >= self.min_create)
            && (self.max_create == 0 || kv.create_revision <= self.max_create)
    }
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use etcd_core::bytes::Bytes;

    use super::*;

    fn store() -> Store {
        let mut store = Store::new(false);
        for (key, value) in [("b", "2"), ("a", "3"), ("c", "1"), ("b", "4")] {
            let mut writer = store.write();
            writer.put(&Bytes::from(key), Bytes::from(value), 0);
            writer.finish();
        }
        store
    }

    fn keys(request: &Range) -> (String, bool, i64) {
        let store = store();
        let response = store.range(request, store.revision()).unwrap();
        let keys = response.kvs.iter().map(|kv| kv.key_str().unwrap());
        (keys.collect(), response.more, response.count)
    }

    fn of(keys: &str, more: bool, count: i64) -> (String, bool, i64) {
        (keys.to_owned(), more, count)
    }

    #[test]
    fn a_range_has_limits_and_orders() {
        let all = Range::all();
        assert_eq!(keys(&all), of("abc", false, 3));
        assert_eq!(keys(&all.clone().with_limit(2)), of("ab", true, 3));
        assert_eq!(keys(&all.clone().with_limit(3)), of("abc", false, 3));
        let sorted = |target, order| keys(&all.clone().with_sort(target, order).with_limit(2));
        assert_eq!(
            sorted(SortTarget::Key, SortOrder::Descend),
            of("cb", true, 3)
        );
        assert_eq!(
            sorted(SortTarget::Mod, SortOrder::Descend),
            of("bc", true, 3)
        );
        assert_eq!(
            sorted(SortTarget::Create, SortOrder::Ascend),
            of("ba", true, 3)
        );
        assert_eq!(
            sorted(SortTarget::Value, SortOrder::Ascend),
            of("ca", true, 3)
        );
        assert_eq!(
            sorted(SortTarget::Version, SortOrder::Descend),
            of("ba", true, 3)
        );
    }

    #[test]
    fn a_target_without_an_order_sorts_what_was_fetched() {
        let by_value = Range::all().with_sort(SortTarget::Value, SortOrder::None);
        assert_eq!(keys(&by_value), of("cab", false, 3));
        // One more than the limit is fetched in the order of keys, then sorted: `c`, the least, is
        // not among them.
        assert_eq!(keys(&by_value.with_limit(1)), of("a", true, 3));
    }

    #[test]
    fn filters_change_what_is_told_but_not_the_count() {
        let all = Range::all();
        assert_eq!(
            keys(&all.clone().with_min_mod_revision(4)),
            of("bc", false, 3)
        );
        assert_eq!(
            keys(&all.clone().with_max_mod_revision(3)),
            of("a", false, 3)
        );
        assert_eq!(
            keys(&all.clone().with_min_create_revision(3)),
            of("ac", false, 3)
        );
        assert_eq!(
            keys(&all.clone().with_max_create_revision(2)),
            of("b", false, 3)
        );
        assert_eq!(
            keys(&all.clone().with_min_mod_revision(4).with_limit(1)),
            of("b", true, 3)
        );
        assert_eq!(keys(&all.clone().with_count_only()), of("", false, 3));
        assert_eq!(keys(&Range::range("b", "a")), of("", false, 0));
        assert_eq!(keys(&Range::from_key("b")), of("bc", false, 2));
    }

    #[test]
    fn the_past_can_be_read_until_it_is_compacted() {
        let mut store = store();
        let at = |store: &Store, revision| {
            let request = Range::key("b").with_revision(revision);
            let response = store.range(&request, store.revision())?;
            Ok(response.into_first().map(|kv| kv.value))
        };
        assert_eq!(at(&store, 1), Ok(None));
        assert_eq!(at(&store, 3), Ok(Some("2".into())));
        assert_eq!(at(&store, 5), Ok(Some("4".into())));
        assert_eq!(at(&store, 6), Err(Unreadable::Future));
        assert_eq!(store.compact(4, true), Ok(()));
        assert_eq!(at(&store, 3), Err(Unreadable::Compacted));
        assert_eq!(at(&store, 4), Ok(Some("2".into())));
        assert_eq!(store.compact(4, true), Err(Unreadable::Compacted));
        assert_eq!(store.compact(6, true), Err(Unreadable::Future));
        assert_eq!(store.compact(5, true), Ok(()));
        assert_eq!(at(&store, 4), Err(Unreadable::Compacted));
    }
}
