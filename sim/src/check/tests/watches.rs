use core::time::Duration;

use etcd_core::{Applied, Error, Phase, Watch, WatchBatch, WatchEnd, WatchEvent, WatchFilter};

use super::Script;
use crate::check::{Changed, What};

/// A watch of everything from the first revision on, with two revisions in the store.
fn begun() -> (Script, [Vec<etcd_core::KvEvent>; 2]) {
    let mut script = Script::new();
    script.watch(Watch::all().with_start_revision(1));
    script.created();
    let one = script.write(None, &[("a", Some("1")), ("b", Some("2"))]);
    let two = script.put("a", "3");
    (script, [one, two])
}

#[test]
fn all_in_order_is_fine() {
    let (mut script, [one, two]) = begun();
    script.batch(&one);
    script.told(WatchEvent::Progress { revision: 2 });
    let endpoint = "http://a:1".parse().unwrap();
    script.told(WatchEvent::Resumed { from: 3, endpoint });
    script.batch(&two);
    script.add(What::WatchCanceled { watch: 1 });
    script.told(WatchEvent::End(WatchEnd::Canceled));
    script.history.is_complete = true;
    let evidence = script.is_fine();
    assert_eq!((evidence.batches, evidence.events), (2, 3));
    assert_eq!((evidence.resumes, evidence.progresses), (1, 1));
}

#[test]
fn a_revision_twice_is_refused() {
    let (mut script, [one, _]) = begun();
    script.batch(&one);
    script.batch(&one);
    script.breaks("G9");
}

#[test]
fn an_older_revision_is_refused() {
    let (mut script, [one, two]) = begun();
    script.put("c", "4");
    script.batch(&one);
    script.batch(&two);
    script.batch(&one);
    script.breaks("G9");
}

#[test]
fn a_lost_revision_is_refused() {
    let (mut script, [_, two]) = begun();
    script.batch(&two);
    script.breaks("G10");
}

#[test]
fn an_invented_event_is_refused() {
    let (mut script, [mut one, _]) = begun();
    one[1].kv.value = "other".into();
    script.batch(&one);
    script.breaks("G10");
}

#[test]
fn an_event_that_does_not_match_is_refused() {
    let mut script = Script::new();
    script.watch(Watch::key("a").with_filter(WatchFilter::NoPut));
    script.created();
    script.put("a", "1");
    let gone = script.delete("a");
    script.batch(&gone);
    script.is_fine();
    let put = script.put("a", "1");
    script.batch(&put);
    script.breaks("G10");
}

#[test]
fn an_event_before_it_was_written_is_refused() {
    let (mut script, [one, _]) = begun();
    for event in &mut script.history.truth.changes {
        event.at = event.at + Duration::from_secs(1);
    }
    script.batch(&one);
    script.breaks("G10");
}

#[test]
fn half_a_revision_is_refused() {
    let (mut script, [one, _]) = begun();
    script.batch(&one[..1]);
    script.breaks("G11");
}

#[test]
fn two_revisions_in_one_batch_are_refused() {
    let (mut script, [one, two]) = begun();
    script.batch(&[one, two].concat());
    script.breaks("G11");
}

#[test]
fn what_was_before_the_start_is_refused() {
    let mut script = Script::new();
    let old = script.put("a", "1");
    script.watch(Watch::key("a"));
    script.created();
    script.batch(&old);
    script.breaks("G12");
}

#[test]
fn a_resume_before_what_was_delivered_is_refused() {
    let (mut script, [one, _]) = begun();
    script.batch(&one);
    let endpoint = "http://a:1".parse().unwrap();
    script.told(WatchEvent::Resumed { from: 2, endpoint });
    script.breaks("G12");
}

#[test]
fn a_resume_past_what_is_due_is_refused() {
    let (mut script, [one, _]) = begun();
    script.batch(&one);
    let endpoint = "http://a:1".parse().unwrap();
    script.told(WatchEvent::Resumed { from: 4, endpoint });
    script.breaks("G12");
}

#[test]
fn a_second_confirmation_is_refused() {
    let (mut script, _) = begun();
    script.created();
    script.breaks("G12");
}

#[test]
fn an_end_that_could_have_been_survived_is_refused() {
    let (mut script, _) = begun();
    script.told(WatchEvent::End(WatchEnd::Failed(Error::Timeout {
        phase: Phase::Connect,
        applied: Applied::No,
    })));
    script.breaks("G13");
}

#[test]
fn a_cancel_that_nobody_asked_for_is_refused() {
    let (mut script, _) = begun();
    script.told(WatchEvent::End(WatchEnd::Canceled));
    script.breaks("G13");
}

fn compacted(script: &mut Script, next: i64) {
    script.change(None, Changed::Compacted(3));
    script.told(WatchEvent::End(WatchEnd::Compacted {
        compact_revision: 3,
        next,
    }));
}

#[test]
fn a_told_compaction_is_fine() {
    let (mut script, _) = begun();
    compacted(&mut script, 1);
    assert_eq!(script.is_fine().compactions_told, 1);
}

#[test]
fn a_compaction_that_never_was_is_refused() {
    let (mut script, _) = begun();
    script.told(WatchEvent::End(WatchEnd::Compacted {
        compact_revision: 3,
        next: 1,
    }));
    script.breaks("G14");
}

#[test]
fn a_compaction_of_what_was_delivered_is_refused() {
    let (mut script, [one, two]) = begun();
    script.batch(&one);
    script.batch(&two);
    compacted(&mut script, 2);
    script.breaks("G14");
}

#[test]
fn a_jump_over_a_compaction_is_refused() {
    let (mut script, [_, two]) = begun();
    script.change(None, Changed::Compacted(3));
    script.batch(&two);
    script.breaks("G10");
}

#[test]
fn progress_that_falls_is_refused() {
    let mut script = Script::new();
    script.watch(Watch::key("k"));
    script.put("a", "1");
    script.created();
    script.told(WatchEvent::Progress { revision: 2 });
    script.told(WatchEvent::Progress { revision: 1 });
    script.breaks("G16");
}

#[test]
fn progress_past_what_is_due_is_refused() {
    let (mut script, _) = begun();
    script.told(WatchEvent::Progress { revision: 2 });
    script.breaks("G16");
}

#[test]
fn an_event_at_or_below_progress_is_refused() {
    let (mut script, [one, _]) = begun();
    script.batch(&one);
    script.told(WatchEvent::Progress { revision: 2 });
    script.batch(&one);
    script.breaks("G9");
}

#[test]
fn an_event_after_the_cancel_is_refused() {
    let (mut script, [one, _]) = begun();
    script.add(What::WatchCanceled { watch: 1 });
    script.batch(&one);
    script.breaks("G19");
}

#[test]
fn something_after_the_end_is_refused() {
    let (mut script, _) = begun();
    script.add(What::WatchCanceled { watch: 1 });
    script.told(WatchEvent::End(WatchEnd::Canceled));
    script.told(WatchEvent::End(WatchEnd::Canceled));
    script.breaks("G19");
}

/// Two versions of a key, watched with what was there before.
fn with_prev(prev: Option<&str>) -> Script {
    let mut script = Script::new();
    script.watch(Watch::key("a").with_start_revision(3).with_prev_kv());
    script.created();
    script.put("a", "1");
    let mut events = script.put("a", "2");
    match prev {
        Some(value) => {
            let kv = events[0].prev_kv.as_mut().unwrap();
            kv.value = value.to_owned().into();
        }
        None => events[0].prev_kv = None,
    }
    let mut batch = WatchBatch::default();
    batch.header = script.header();
    batch.revision = 3;
    batch.events = events;
    script.told(WatchEvent::Batch(batch));
    script
}

#[test]
fn what_was_before_is_told_as_it_was() {
    with_prev(Some("1")).is_fine();
    with_prev(Some("other")).breaks("G22");
    with_prev(None).breaks("G22");
}

#[test]
fn what_was_before_may_be_missing_once_it_is_compacted() {
    let mut script = with_prev(None);
    let told = script.history.events.pop().unwrap();
    script.change(None, Changed::Compacted(3));
    script.history.events.push(told);
    script.history.events.last_mut().unwrap().at = script.now;
    script.is_fine();
}

#[test]
fn what_was_before_is_not_told_unasked() {
    let mut script = with_prev(Some("1"));
    for event in &mut script.history.events {
        if let What::WatchOpened { request, .. } = &mut event.what {
            request.prev_kv = false;
        }
    }
    script.breaks("G22");
}

#[test]
fn a_watch_that_never_gets_there_is_refused() {
    let (mut script, [one, _]) = begun();
    script.batch(&one);
    script.is_fine();
    script.history.is_complete = true;
    script.breaks("G60");
}
