//! Watch streams at the gateway level: whatever the pieces, the same items; whole revisions only; the
//! memory of one of them.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_core::WatchResponse;
use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;
use etcd_core::gateway::Frames;
use etcd_core::gateway::WatchFrames;
use etcd_core::gateway::WatchItem;
use etcd_core::gateway::WatchLimits;
use proptest::collection::vec;
use proptest::prelude::*;

/// An event of `k` at a revision, with a value of `len` bytes.
fn event(revision: i64, len: usize) -> String {
    let value = STANDARD.encode("v".repeat(len));
    format!(
        r#"{{"kv":{{"key":"aw==","create_revision":"1","mod_revision":"{revision}","version":"3","value":"{value}"}}}}"#
    )
}

/// A frame of watch 7 with these events, in the order servers write it.
fn frame(more: &str, events: &[String]) -> String {
    let events = events.join(",");
    format!(
        "{{\"result\":{{\"header\":{{\"revision\":\"99\"}},\"watch_id\":\"7\"{more},\"events\":[{events}]}}}}\n"
    )
}

/// What a stream gave: each item, shown.
fn read(pieces: &[&[u8]], limits: &WatchLimits) -> Vec<String> {
    let mut frames = WatchFrames::new(200, limits.clone());
    let mut out = Vec::new();
    let mut drain = |frames: &mut WatchFrames| {
        while let Some(item) = frames.poll_item() {
            out.push(format!("{item:?}"));
        }
    };
    for piece in pieces {
        frames.handle_data(piece);
        drain(&mut frames);
    }
    frames.handle_end();
    drain(&mut frames);
    frames.handle_data(b"{}");
    assert_eq!(frames.poll_item(), None, "nothing comes after the end");
    out
}

/// The same, in short: `5+2` are two events of revision 5, `.` is the end of a frame.
fn short(bytes: &[u8], limits: &WatchLimits) -> String {
    let mut frames = WatchFrames::new(200, limits.clone());
    frames.handle_data(bytes);
    frames.handle_end();
    let items = std::iter::from_fn(|| frames.poll_item()).map(|item| match item {
        Ok(WatchItem::Revision { events, .. }) => {
            let revision = events[0].kv.mod_revision;
            assert!(events.iter().all(|event| event.kv.mod_revision == revision));
            format!("{revision}+{}", events.len())
        }
        Ok(WatchItem::Frame { frame, events }) => {
            assert!(frame.events.is_empty());
            format!("({events})")
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.to_string(),
    });
    items.collect::<Vec<_>>().join(" ")
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(bytes.len());
    let mut from = 0;
    let piece = |end| &bytes[core::mem::replace(&mut from, end)..end];
    ends.into_iter().map(piece).collect()
}

/// Reads whole, byte by byte, cut in two everywhere, and with more behind it.
#[track_caller]
fn read_all_ways(bytes: &[u8], limits: &WatchLimits) -> Vec<String> {
    let whole = read(&[bytes], limits);
    let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(whole, read(&bytewise, limits), "byte by byte");
    for at in 0..=bytes.len() {
        let (left, right) = bytes.split_at(at);
        assert_eq!(whole, read(&[left, right], limits), "cut at {at}");
    }
    let trailing = [bytes, b"\n{\"result\":{\"watch_id\":\"9\"}}"].concat();
    let more = read(&[&trailing], limits);
    let same = whole.iter().zip(&more).take_while(|(a, b)| a == b).count();
    assert!(same + 1 >= whole.len(), "{whole:?}\n{more:?}");
    whole
}

fn limits(frame_bytes: usize, revision_bytes: usize) -> WatchLimits {
    let mut limits = WatchLimits::default();
    limits.json.frame_bytes = frame_bytes;
    limits.revision_bytes = revision_bytes;
    limits
}

/// Rule W-9: units are whole revisions.
#[test]
fn whole_revisions_come_out_of_any_frame() {
    let e = |revision| event(revision, 3);
    let default = WatchLimits::default();
    for (bytes, wanted) in [
        (frame("", &[e(5)]), "5+1 (1)"),
        (
            frame("", &[e(5), e(5), e(6), e(8), e(8)]),
            "5+2 6+1 8+2 (5)",
        ),
        // A part ends without its last revision; that ends in the next one.
        (
            frame(r#","fragment":true"#, &[e(5), e(6)]) + &frame("", &[e(6), e(7)]),
            "5+1 (2) 6+2 7+1 (2)",
        ),
        (
            frame(r#","fragment":true"#, &[e(5)])
                + &frame(r#","fragment":true"#, &[e(5)])
                + &frame("", &[e(5)]),
            "(1) (1) 5+3 (1)",
        ),
        // Members in another order, and one nobody knows.
        (
            format!(
                r#"{{"result":{{"events":[{},{}],"x":[{{"events":[1]}}],"watch_id":"7","header":{{"revision":"9"}}}}}}"#,
                e(5),
                e(6)
            ),
            "5+1 6+1 (2)",
        ),
        (
            format!(
                r#"{{ "result" : {{ "watch_id":"7","header":{{"revision":"9"}}, "events" : [ {} , {} ] , "fragment":false }} }}"#,
                e(5),
                e(6)
            ),
            "5+1 6+1 (2)",
        ),
        // Names written with escapes mean the same.
        (
            format!(
                r#"{{"result":{{"watch_id":"7","header":{{"revision":"9"}},"event\u0073":[{},{}]}}}}"#,
                e(5),
                e(6)
            ),
            "5+1 6+1 (2)",
        ),
        // A list of that name elsewhere is not the events.
        (
            r#"{"other":{"events":[1,2]},"result":{"x":{"events":[{}]},"watch_id":"7"}}"#.into(),
            "(0)",
        ),
        (
            r#"{"result":{"watch_id":"7","events":[]}}{"result":{"events":null}}"#.into(),
            "(0) (0)",
        ),
        (
            r#"{"result":{"watch_id":"7","canceled":true,"cancel_reason":"\"events\":["}}"#.into(),
            "(0)",
        ),
        // What came before the watch ended counts.
        (frame(r#","canceled":true"#, &[e(5), e(6)]), "5+1 6+1 (2)"),
    ] {
        assert_eq!(short(bytes.as_bytes(), &default), wanted, "{bytes}");
        read_all_ways(bytes.as_bytes(), &default);
    }
}

#[test]
fn a_broken_frame_gives_what_was_whole_before_and_its_error() {
    let e = |revision| event(revision, 3);
    let default = WatchLimits::default();
    let begin = format!(
        "{{\"result\":{{\"header\":{{\"revision\":\"9\"}},\"watch_id\":\"7\",\"events\":[{}",
        e(5)
    );
    for (rest, wanted) in [
        // What follows the revision is not known to be of a later one.
        (
            String::new(),
            "frame cannot be read: body ends inside a value",
        ),
        (
            ",{\"kv\":{\"mod_revision\":\"5\",\"key\":\"".into(),
            "frame cannot be read: body ends inside a value",
        ),
        (
            ",{\"kv\":{\"mod_revision\":\"6\"".into(),
            "frame cannot be read: body ends inside a value",
        ),
        // It is.
        (
            ",{\"kv\":{\"mod_revision\":\"6\",".into(),
            "5+1 frame cannot be read: body ends inside a value",
        ),
        (
            ",{\"kv\":{\"mod_revision\":6,\"key\":{]".into(),
            "5+1 frame cannot be read: unexpected byte 0x5d at 32",
        ),
        (
            ",{\"kv\":{\"mod_revision\":\"6\",\"key\":\"*\"}}".into(),
            "5+1 frame cannot be read: invalid value: text, expected padded base64 in `key`, at 35",
        ),
        (
            ",{\"kv\":{\"mod_revision\":\"6\",\"lease\":{}}}".into(),
            "5+1 frame cannot be read: invalid type: map, expected an integer of 64 bits in `lease`, at 36",
        ),
        (
            ",{\"prev_kv\":{\"mod_revision\":\"6\"},\"kv\":7}".into(),
            "frame cannot be read: invalid type: integer, expected an object in `kv`, at 38",
        ),
        (
            ",null".into(),
            "frame cannot be read: unexpected byte 0x6e at 1",
        ),
        (
            ",]".into(),
            "frame cannot be read: unexpected byte 0x5d at 1",
        ),
        (
            format!(",{} {}", e(6), e(7)),
            "5+1 frame cannot be read: unexpected byte 0x7b at 93",
        ),
        (
            format!(",{},{}]}}}}", e(7), e(6)),
            "5+1 revision 6 came after revision 7",
        ),
        (
            ",{\"kv\":{\"key\":\"\u{1}\"}}".into(),
            "frame cannot be read: unexpected byte 0x01 at 15",
        ),
        (
            format!(",{}],\"events\":[", e(6)),
            "5+1 frame cannot be read: duplicate field `events`, at 101",
        ),
        (
            format!(",{}],\"watch_id\":\"8\"}}}}", e(6)),
            "5+1 frame cannot be read: duplicate field `watch_id`, at 103",
        ),
        (
            format!(",{}],\"fragment\":\"x\"}}}}", e(6)),
            "5+1 frame cannot be read: invalid type: text, expected true or false in `fragment`, at 107",
        ),
        (
            format!(
                ",{}]}},\"error\":{{\"code\":14,\"message\":\"no\"}}}}",
                e(6)
            ),
            "5+1 no (Unavailable)",
        ),
        (
            format!(",{}]}}}}x", e(6)),
            "5+1 6+1 (2) frame cannot be read: unexpected byte 0x78 at 95",
        ),
        (
            format!(",{{\"kv\":{}", "[".repeat(40)),
            "frame cannot be read: nested deeper than 32",
        ),
    ] {
        let bytes = format!("{begin}{rest}");
        let mut shown = short(bytes.as_bytes(), &default);
        if let Some((what, offset)) = shown.split_once(" at offset ") {
            let offset: usize = offset.parse().expect("a number");
            shown = format!("{what} at {}", offset - begin.len());
        }
        assert_eq!(shown, wanted, "{rest}");
        read_all_ways(bytes.as_bytes(), &default);
    }
    let not_text = [
        begin.as_bytes(),
        b",{\"kv\":{\"mod_revision\":\"6\",\"key\":\"\xff\"}}",
    ]
    .concat();
    let shown = short(&not_text, &default);
    assert!(shown.starts_with("5+1 frame cannot be read: "), "{shown}");
    read_all_ways(&not_text, &default);
}

#[test]
fn parts_of_a_message_follow_one_another_directly() {
    let part = frame(r#","fragment":true"#, &[event(5, 3), event(6, 3)]);
    let broken = "5+1 (2) parts of a fragmented message do not follow one another";
    for next in [
        r#"{"result":{"header":{"revision":"9"},"watch_id":"7"}}"#.to_owned(),
        r#"{"result":{"header":{"revision":"9"},"watch_id":"-1"}}"#.to_owned(),
        frame("", &[event(7, 3)]).replace("\"7\"", "\"8\""),
        frame(r#","created":true"#, &[event(6, 3)]),
        frame(r#","canceled":true"#, &[event(6, 3)]),
    ] {
        let bytes = format!("{part}{next}");
        let shown = short(bytes.as_bytes(), &WatchLimits::default());
        assert_eq!(shown, broken, "{next}");
        read_all_ways(bytes.as_bytes(), &WatchLimits::default());
    }
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let one = event(5, 500);
    let text = one.len();
    let bytes = frame("", &[event(4, 3), one.clone(), event(6, 3)]);
    let too_large = |limit| format!("4+1 revision of a watch is larger than {limit} bytes");
    // Of an event's text.
    let wanted = "4+1 5+1 6+1 (3)";
    assert_eq!(short(bytes.as_bytes(), &limits(9999, text)), wanted);
    assert_eq!(
        short(bytes.as_bytes(), &limits(9999, text - 1)),
        too_large(text - 1)
    );
    // Of all events of a revision in memory: their keys and values, and as much again.
    let twice = frame("", &[event(4, 3), one.clone(), one, event(6, 3)]);
    let fits = (1..3_000)
        .find(|limit| short(twice.as_bytes(), &limits(9999, *limit)).ends_with("(4)"))
        .expect("some limit is enough");
    assert!((1_001..2_000).contains(&fits), "{fits}");
    assert_eq!(
        short(twice.as_bytes(), &limits(9999, fits - 1)),
        too_large(fits - 1)
    );
    // Of what is kept besides: not the events, where it is known what they are for.
    let rest = frame("", &[]).len() - 1;
    let too_long = |limit| format!("frame of a stream is longer than {limit} bytes");
    assert_eq!(short(bytes.as_bytes(), &limits(rest, 9999)), wanted);
    let shown = short(bytes.as_bytes(), &limits(rest - 1, 9999));
    // The last byte was one too many.
    assert_eq!(shown, format!("4+1 5+1 {}", too_long(rest - 1)));
    // Everything, where it is not.
    let unknown = bytes.replace("\"watch_id\":\"7\",", "");
    assert_eq!(short(unknown.as_bytes(), &limits(9999, 9999)), wanted);
    assert_eq!(short(unknown.as_bytes(), &limits(900, 9999)), too_long(900));
    for frame_bytes in [60, rest - 1, rest, 600, 900, 1_200] {
        for revision_bytes in [100, text - 1, text, fits - 1, fits] {
            for bytes in [&bytes, &twice, &unknown] {
                read_all_ways(bytes.as_bytes(), &limits(frame_bytes, revision_bytes));
            }
        }
    }
}

#[test]
fn a_shallow_limit_of_depth_holds_on_both_ways() {
    for depth in 1..7 {
        let mut limits = WatchLimits::default();
        limits.json.depth = depth;
        let bytes = frame("", &[event(4, 3), event(5, 3)]);
        let out = read_all_ways(bytes.as_bytes(), &limits);
        assert_eq!(out.iter().any(|item| item.contains("TooDeep")), depth < 5);
    }
}

/// The bodies of the captured watch streams; of all there are where `ETCD_CAPTURES` says.
fn captured() -> Vec<(String, Vec<u8>)> {
    let chosen = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
    let chosen = std::env::var_os("ETCD_CAPTURES").map_or(chosen, PathBuf::from);
    let mut bodies = Vec::new();
    for version in ["3.4.23", "3.5.1", "3.5.16", "3.5.30"] {
        for file in fs::read_dir(chosen.join(version)).expect("captures") {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if !name.starts_with("watch_") || !name.ends_with(".http") {
                continue;
            }
            let bytes = fs::read(&path).expect("bytes");
            let mut reader = Reader::new(HttpLimits::default());
            reader.expect(RequestMethod::Other);
            let (mut rest, mut body, mut status) = (&bytes[..], Vec::new(), 0);
            while let Ok((used, Some(item))) = reader.read(rest) {
                rest = &rest[used..];
                match item {
                    Item::Head(head) => status = head.status,
                    Item::Data(data) => body.extend_from_slice(data),
                    _ => {}
                }
            }
            if status == 200 {
                bodies.push((format!("{version} {name}"), body));
            }
        }
    }
    assert!(bodies.len() > 60, "{} captures", bodies.len());
    bodies
}

#[test]
fn captured_streams_mean_what_whole_frames_mean() {
    for (name, body) in captured() {
        let mut whole = Frames::<WatchResponse>::new(200, Default::default());
        whole.handle_data(&body);
        whole.handle_end();
        let (mut wanted, mut wanted_events) = (Vec::new(), Vec::new());
        while let Some(frame) = whole.poll_frame() {
            wanted.push(frame.map(|mut frame| {
                let events = core::mem::take(&mut frame.events);
                let count = events.len();
                wanted_events.extend(events);
                (frame, count)
            }));
        }
        for len in [1_000, usize::MAX] {
            let mut frames = WatchFrames::new(200, WatchLimits::default());
            body.chunks(len).for_each(|piece| frames.handle_data(piece));
            frames.handle_end();
            let (mut got, mut got_events) = (Vec::new(), Vec::new());
            while let Some(item) = frames.poll_item() {
                match item {
                    Ok(WatchItem::Revision { events, .. }) => got_events.extend(events),
                    Ok(WatchItem::Frame { frame, events }) => got.push(Ok((frame, events))),
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => got.push(Err(error)),
                }
            }
            // Several watches share some streams, each with revisions of its own.
            assert_eq!(got, wanted, "{name}");
            assert_eq!(got_events, wanted_events, "{name}");
        }
    }
}

#[test]
fn captured_streams_do_not_care_where_they_are_cut() {
    for (name, body) in captured() {
        let default = WatchLimits::default();
        let whole = read(&[&body], &default);
        let bytewise: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(whole, read(&bytewise, &default), "{name} byte by byte");
        for len in [7, 1_000, 16_384, 65_536] {
            let chunks: Vec<&[u8]> = body.chunks(len).collect();
            assert_eq!(whole, read(&chunks, &default), "{name} by {len}");
        }
        if body.len() < 3_000 {
            read_all_ways(&body, &default);
        }
    }
}

/// A stream that is nearly right: frames of any events and members, some of them spoiled.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let one = (1..6_i64, 0..20_usize).prop_map(|(revision, len)| event(revision, len));
    let ascending = vec((0..2_i64, 0..30_usize), 0..6).prop_map(|steps| {
        let mut revision = 1;
        let step = |(step, len)| {
            revision += step;
            event(revision, len)
        };
        steps.into_iter().map(step).collect::<Vec<_>>()
    });
    let events = prop_oneof![4 => ascending, 1 => vec(one, 0..4)];
    let more = prop::sample::select(vec![
        "",
        "",
        "",
        r#","fragment":true"#,
        r#","canceled":true"#,
        r#","created":true"#,
        r#","x":{"events":[{}]}"#,
        r#","watch_id":"8""#,
        r#","cancel_reason":"\"events\":[""#,
    ]);
    let shape = 0..5_usize;
    let frame = (events, more, shape).prop_map(|(events, more, shape)| {
        let events = events.join(if shape == 1 { " , " } else { "," });
        let head = r#""header":{"revision":"99"},"watch_id":"7""#;
        match shape {
            0 => format!("{{\"result\":{{\"events\":[{events}],{head}{more}}}}}"),
            1 => format!("{{ \"result\" : {{ {head} , \"events\" : [ {events} ] {more} }} }}\n\n"),
            2 => format!("{{\"result\":{{{head},\"events\":[{events}]{more}}}}}"),
            _ => format!("{{\"result\":{{{head}{more},\"events\":[{events}]}}}}\n"),
        }
    });
    let stream = vec(frame, 1..5).prop_map(|frames| frames.concat().into_bytes());
    let spoil = prop_oneof![
        3 => Just(None),
        1 => (any::<usize>(), prop::sample::select(b"{}[]\",:\\x0\xff".to_vec())).prop_map(Some),
    ];
    (stream, spoil).prop_map(|(mut bytes, spoil)| {
        if let Some((at, byte)) = spoil {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_do_not_care_where_they_are_cut(
        bytes in stream(),
        cuts in vec(any::<usize>(), 0..8),
        small in any::<bool>(),
    ) {
        let limits = if small { limits(400, 700) } else { WatchLimits::default() };
        let whole = read(&[&bytes], &limits);
        prop_assert_eq!(&whole, &read(&pieces(&bytes, &cuts), &limits));
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &read(&bytewise, &limits));
    }

    /// A revision comes out whole or not at all, wherever the stream ends.
    #[test]
    fn a_cut_stream_gives_whole_revisions_only(
        counts in vec(1..4_usize, 1..6),
        part in 1..5_usize,
        end in any::<usize>(),
    ) {
        let mut revision = 0;
        let events: Vec<String> = counts.iter().flat_map(|count| {
            revision += 1;
            vec![event(revision, 3); *count]
        }).collect();
        let parts: Vec<&[String]> = events.chunks(part).collect();
        let last = parts.len() - 1;
        let more = |place| if place == last { "" } else { r#","fragment":true"# };
        let bytes: String = parts.iter().enumerate().map(|(place, events)| frame(more(place), events)).collect();
        let end = end % (bytes.len() + 1);
        let shown = short(&bytes.as_bytes()[..end], &WatchLimits::default());
        let got: Vec<&str> = shown.split(' ').filter(|item| item.contains('+')).collect();
        let wanted: Vec<String> = counts.iter().zip(1..).map(|(count, revision): (_, i64)| format!("{revision}+{count}")).collect();
        prop_assert!(got.len() <= wanted.len());
        prop_assert_eq!(&got[..], &wanted[..got.len()]);
        if end + 1 >= bytes.len() {
            prop_assert_eq!(got.len(), wanted.len());
        }
    }
}
