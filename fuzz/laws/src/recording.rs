//! Recordings: any bytes are replayed or refused where they are wrong, and whatever a server sends,
//! what was recorded of it replays the same (guarantee G58).

use etcd_core::CallOptions;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::Output;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::trace;
use etcd_core::trace::Recorded;
use etcd_core::trace::Recording;
use etcd_core::trace::ReplayError;

use crate::input::Input;

/// The first byte says which of both.
pub(crate) fn recording(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 2 {
        0 => any(input.rest()),
        _ => session(input),
    }
}

/// Bytes that may be a recording.
fn any(bytes: &[u8]) {
    let (line, offset) = match trace::replay(bytes) {
        Ok(replayed) => {
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            // Those of the beginning, and one at the end if there is one.
            let counted = replayed.inputs + replayed.outputs + u64::from(replayed.is_complete) + 2;
            assert!(
                counted == lines || counted + 1 == lines,
                "{counted} of {lines}"
            );
            return;
        }
        Err(ReplayError::Damaged { line, offset, .. }) => (line, offset),
        Err(ReplayError::Different(difference)) => {
            assert_ne!(difference.expected, difference.got);
            assert!(difference.to_string().len() < 8 << 10);
            (difference.line, difference.offset)
        }
        Err(other) => panic!("{other}"),
    };
    let before = &bytes[..offset];
    assert!(before.is_empty() || before.ends_with(b"\n"));
    let lines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(line, lines + 1);
}

/// What there is to do, and whatever a server says to it.
fn session(mut input: Input<'_>) {
    let config = Config::new(["a", "b"]).expect("endpoints");
    let mut client = Recorded::new(config, u64::from(input.byte()), Instant::ZERO);
    let recorded = client.record(Recording::new());
    recorded.expect("it was told nothing yet");
    let mut now = Instant::ZERO;
    client.call(now, Range::key("k"));
    client.watch(now, "k");
    let mut conns = Vec::new();
    drain(&mut client, &mut conns);
    while !input.is_empty() {
        let (what, conn) = (input.byte(), input.choose(&conns).unwrap_or(conns[0]));
        match what % 8 {
            0 => drop(client.call(now, Put::new("k", "v"))),
            1 => client.handle_connected(now, conn),
            2 => client.handle_eof(now, conn),
            3 => {
                let error = NetError::new(NetErrorKind::Reset, "reset \\ \n");
                client.handle_closed(now, conn, error);
            }
            4 => {
                now = now + core::time::Duration::from_millis(input.number().into());
                client.handle_timeout(now);
            }
            5 => {
                let len = usize::from(input.byte());
                client.handle_written(now, conn, len);
            }
            6 => drop(client.snapshot(now, CallOptions::default())),
            _ => client.handle_received(now, conn, input.piece()),
        }
        if what & 64 == 0 {
            drain(&mut client, &mut conns);
        }
    }
    drain(&mut client, &mut conns);
    client.finish_log();
    let log = client.take_log();
    let replayed = trace::replay(&log).unwrap_or_else(|error| panic!("{error}"));
    assert!(replayed.is_complete);
}

/// Takes everything there is, and writes all of it but on every fourth connection.
fn drain(client: &mut Recorded, conns: &mut Vec<ConnId>) {
    while let Some(output) = client.poll_output() {
        match output {
            Output::Connect { conn, .. } => conns.push(conn),
            Output::Transmit(conn) if conn.get() % 4 != 0 => {
                let len = client.transmit(conn).len();
                client.handle_written(Instant::ZERO, conn, len);
            }
            Output::Event(Event::Watch(watch)) => while client.poll_watch(watch).is_some() {},
            Output::Event(Event::Stream(stream)) => while client.poll_stream(stream).is_some() {},
            _ => {}
        }
    }
}

/// Inputs to begin with: the recording of a short life, and a program for such a life.
pub(crate) fn made() -> Vec<(&'static str, Vec<u8>)> {
    let mut client = Recorded::new(Config::new(["a"]).expect("an endpoint"), 7, Instant::ZERO);
    let recorded = client.record(Recording::new().with_secret_prefix("s/"));
    recorded.expect("it was told nothing yet");
    client.call(Instant::ZERO, Put::new("s/k", "v"));
    let mut conns = Vec::new();
    drain(&mut client, &mut conns);
    client.handle_connected(Instant::ZERO, conns[0]);
    drain(&mut client, &mut conns);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    client.handle_received(Instant::ZERO, conns[0], answer);
    drain(&mut client, &mut conns);
    client.finish_log();
    let life = [&[0][..], &client.take_log()].concat();

    let mut program = vec![1, 0, 1, 0, 1, 1, 7, 0];
    program.push(u8::try_from(answer.len()).unwrap_or(0));
    program.extend_from_slice(answer);
    program.extend_from_slice(&[4, 0, 1, 0, 6, 0, 2, 1, 3, 2]);
    vec![("life", life), ("program", program)]
}
