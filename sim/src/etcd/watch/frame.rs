//! The size of a watch's answer, and cutting a large one.

use etcd_core::{EventKind, KeyValue, KvEvent, WatchResponse};

/// Sends an answer, in parts if it has `limit` bytes or more and more than one event, as etcd's
/// `sendFragments` does. A part always has at least one event.
pub(super) fn send(
    response: WatchResponse,
    limit: Option<usize>,
    mut to: impl FnMut(WatchResponse),
) {
    let Some(limit) = limit.filter(|_| response.events.len() > 1) else {
        to(response);
        return;
    };
    let sizes: Vec<_> = response.events.iter().map(event_field).collect();
    let around = around(&response);
    if around + sizes.iter().sum::<usize>() < limit {
        to(response);
        return;
    }
    let mut template = response;
    let events = core::mem::take(&mut template.events);
    let mut events = events.into_iter().zip(sizes).peekable();
    template.fragment = true;
    while events.peek().is_some() {
        let mut part = template.clone();
        // The mark of a fragment is a field of two bytes.
        let mut size = around + 2;
        while let Some((event, more)) =
            events.next_if(|(_, more)| part.events.is_empty() || size + more < limit)
        {
            size += more;
            part.events.push(event);
        }
        part.fragment = events.peek().is_some();
        to(part);
    }
}

/// What an answer takes without its events.
fn around(response: &WatchResponse) -> usize {
    let header = &response.header;
    let fields = unsigned(header.cluster_id)
        + unsigned(header.member_id)
        + number(header.revision)
        + unsigned(header.raft_term);
    block(fields) + number(response.watch_id)
}

fn event_field(event: &KvEvent) -> usize {
    let kind = if event.kind == EventKind::Put { 0 } else { 2 };
    let prev_kv = event.prev_kv.as_ref().map_or(0, |kv| block(kv_size(kv)));
    block(kind + block(kv_size(&event.kv)) + prev_kv)
}

fn kv_size(kv: &KeyValue) -> usize {
    bytes(kv.key.len())
        + number(kv.create_revision)
        + number(kv.mod_revision)
        + number(kv.version)
        + bytes(kv.value.len())
        + number(kv.lease)
}

/// A field of bytes; none if it is empty.
const fn bytes(len: usize) -> usize {
    if len == 0 { 0 } else { block(len) }
}

/// A field with its length before it.
const fn block(len: usize) -> usize {
    1 + varint(len as u64) + len
}

/// A field with a number; none for 0.
const fn number(number: i64) -> usize {
    unsigned(u64::from_ne_bytes(number.to_ne_bytes()))
}

const fn unsigned(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + varint(number) }
}

/// How many bytes protobuf writes a number in: seven bits each.
const fn varint(number: u64) -> usize {
    match number {
        0 => 1,
        _ => (70 - number.leading_zeros() as usize) / 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(values: &[usize], limit: Option<usize>) -> Vec<(usize, bool)> {
        let mut response = WatchResponse::default();
        for &len in values {
            let mut event = KvEvent::default();
            event.kv.key = "k".into();
            event.kv.value = vec![b'v'; len].into();
            response.events.push(event);
        }
        let mut parts = Vec::new();
        send(response, limit, |part| {
            parts.push((part.events.len(), part.fragment));
        });
        parts
    }

    #[test]
    fn only_what_reaches_the_limit_is_cut() {
        assert_eq!(parts(&[1, 1], None), [(2, false)]);
        // The header has 2 bytes; an event has 10: 2 of its field, 2 of the kv's, 3 of the key's and
        // 3 of the value's.
        assert_eq!(parts(&[1, 1], Some(23)), [(2, false)]);
        assert_eq!(parts(&[1, 1], Some(22)), [(1, true), (1, false)]);
    }

    #[test]
    fn a_part_has_at_least_one_event() {
        assert_eq!(parts(&[1000], Some(10)), [(1, false)]);
        assert_eq!(
            parts(&[1000, 1, 1, 1000], Some(100)),
            [(1, true), (2, true), (1, false)]
        );
    }

    #[test]
    fn a_varint_has_seven_bits_a_byte() {
        for (number, bytes) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3)] {
            assert_eq!(varint(number), bytes, "{number}");
        }
        assert_eq!(varint(u64::MAX), 10);
    }
}
