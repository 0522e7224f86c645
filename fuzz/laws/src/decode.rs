//! Every type of the api from any bytes: no panic, and what was read is the same when written and
//! read again (guarantees G49 and G56).

use core::fmt::Debug;

use etcd_core::api::Message;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::Frames;
use etcd_core::gateway::decode_answer;
use etcd_core::*;
use serde::Serialize;

use crate::input::Input;

/// A type, and the law for it.
type Row = (&'static str, fn(u16, &[u8]));

macro_rules! table {
    (calls { $($call:ident)* } messages { $($message:ident)* }) => {
        /// Each row a type; the first byte of an input picks one.
        const TABLE: &[Row] = &[
            $((stringify!($call), |status, body| {
                message::<$call>(body);
                answer::<$call>(status, body);
            }),)*
            $((stringify!($message), |_, body| message::<$message>(body)),)*
        ];
    };
}

table! {
    calls {
        Range Put DeleteRange Txn Compact
        LeaseGrant LeaseRevoke LeaseKeepAlive LeaseTimeToLive LeaseLeases
        StatusRequest VersionRequest HealthRequest
    }
    messages {
        WatchResponse KeyValue KvEvent ResponseHeader Watch
    }
}

/// The row of a type, for seeds.
pub(crate) fn row(name: &str) -> Option<u8> {
    let place = TABLE.iter().position(|(row, _)| *row == name)?;
    u8::try_from(place).ok()
}

const STATUSES: [u16; 8] = [200, 400, 401, 404, 408, 500, 503, 504];

/// Any bytes as an answer.
pub(crate) fn decode(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (row, status) = (input.choose(TABLE), input.choose(&STATUSES));
    let (_, law) = row.expect("the table is not empty");
    law(status.unwrap_or(200), input.rest());
}

/// What was read reads the same when written.
fn same_again<T: Message + Serialize + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_vec(value).expect("types of the api can be written");
    let again = serde_json::from_slice::<T>(&text).expect("what was written can be read");
    assert_eq!(*value, again);
}

fn message<T: Message + Serialize + PartialEq + Debug>(body: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(body) {
        same_again(&value);
    }
    let mut frames = Frames::<T>::new(200, Default::default());
    frames.handle_data(&[b"{\"result\":", body, b"}"].concat());
    frames.handle_end();
    while let Some(frame) = frames.poll_frame() {
        if let Ok(value) = frame {
            same_again(&value);
        }
    }
}

/// The elements of lists take at most 8 times their text, and 64 KiB.
fn bounded(rpc: Rpc, body: &[u8]) {
    let taken = match rpc {
        Rpc::Range => decode_answer::<Range>(200, body)
            .map_or(0, |answer| size_of::<KeyValue>() * answer.kvs.len()),
        Rpc::LeaseTimeToLive => decode_answer::<LeaseTimeToLive>(200, body)
            .map_or(0, |answer| size_of_val(answer.keys.as_slice())),
        _ => 0,
    };
    assert!(taken <= 8 * body.len() + 64 * 1024, "{taken} bytes");
}

fn answer<C: Call>(status: u16, body: &[u8])
where
    C::Response: Message + Serialize + PartialEq + Debug,
{
    match decode_answer::<C>(status, body) {
        Ok(answer) => {
            bounded(C::RPC, body);
            assert!(
                status == 200 || C::RPC == Rpc::Health,
                "{status} is an error"
            );
            same_again(&answer);
            if C::RPC != Rpc::LeaseKeepAlive {
                // The short way in, if it was taken, accepts nothing that serde does not.
                let slowly = serde_json::from_slice::<C::Response>(body);
                assert_eq!(slowly.ok().as_ref(), Some(&answer));
            }
        }
        Err(AnswerError::Status(status)) => assert!(status.message.len() <= 3 * 16 * 1024),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
