use etcd_core::{Error, KeyValue, Range, RangeResponse, Response, SortOrder, SortTarget};

use super::{Script, asked};

fn answer(script: &Script, kvs: Vec<KeyValue>) -> Result<Response, Error> {
    let mut answer = RangeResponse::default();
    answer.header = script.header();
    answer.count = 2;
    answer.kvs = kvs;
    Ok(Response::Range(answer))
}

/// Two keys, and a read of all.
fn two(range: Range) -> (Script, u64, [KeyValue; 2]) {
    let mut script = Script::new();
    let one = script.put("a", "1").remove(0).kv;
    let two = script.put("b", "0").remove(0).kv;
    let call = script.start(&asked(range));
    (script, call, [one, two])
}

#[test]
fn what_is_there_is_fine() {
    let (mut script, call, kvs) = two(Range::all());
    script.end(call, answer(&script, kvs.to_vec()));
    assert_eq!(script.is_fine().reads, 1);
}

#[test]
fn options_are_heeded() {
    let by_value = Range::all().with_sort(SortTarget::Value, SortOrder::Descend);
    for (range, places) in [
        (Range::all().with_limit(1), &[0][..]),
        (by_value, &[0, 1]),
        (Range::all().with_count_only(), &[]),
        (Range::all().with_min_mod_revision(3), &[1]),
        (Range::all().with_max_create_revision(2), &[0]),
    ] {
        let (mut script, call, kvs) = two(range.clone());
        let kvs = places.iter().map(|place: &usize| kvs[*place].clone());
        script.end(call, answer(&script, kvs.collect()));
        script.is_fine();
    }
    let (mut script, call, mut kvs) = two(Range::all().with_keys_only());
    script.end(call, answer(&script, kvs.to_vec()));
    script.breaks("G6");
    script.history.events.pop();
    for kv in &mut kvs {
        kv.value = "".into();
    }
    script.end(call, answer(&script, kvs.to_vec()));
    script.is_fine();
}

#[test]
fn what_is_missing_or_invented_is_refused() {
    let (mut script, call, kvs) = two(Range::all());
    script.end(call, answer(&script, kvs[..1].to_vec()));
    script.breaks("G6");
    let (mut script, call, mut kvs) = two(Range::all());
    kvs[1].value = "other".into();
    script.end(call, answer(&script, kvs.to_vec()));
    script.breaks("G6");
}

#[test]
fn a_read_of_a_revision_to_come_is_refused() {
    let (mut script, call, kvs) = two(Range::all());
    script.revision += 1;
    script.end(call, answer(&script, kvs.to_vec()));
    script.breaks("G6");
}

#[test]
fn a_read_older_than_what_was_known_is_refused_unless_it_may_be() {
    for (serializable, fine) in [(true, true), (false, false)] {
        let (mut script, call, kvs) = two(Range::all());
        script.end(call, answer(&script, kvs.to_vec()));
        let range = match serializable {
            true => Range::all().with_serializable(),
            false => Range::all(),
        };
        let call = script.start(&asked(range));
        script.revision = 2;
        let Ok(Response::Range(mut old)) = answer(&script, kvs[..1].to_vec()) else {
            unreachable!()
        };
        old.count = 1;
        script.end(call, Ok(Response::Range(old)));
        match fine {
            true => drop(script.is_fine()),
            false => script.breaks("G8"),
        }
    }
}
