//! A write with a condition, until it is known whether it was done (rule R-5).
//!
//! A write whose answer is lost may have been done, or may still come. One that holds the key's last
//! revision as its condition can be sent again all the same: the first of all these to arrive changes the
//! revision, and so the others do nothing. What is left to find out is whose change a refusal speaks
//! of, and that is told from what is there.
//!
//! It knows no connections and no time, nor what other writers write.

use crate::api::Guard;
use crate::api::Guarded;
use crate::api::GuardedResponse;
use crate::api::KeyValue;
use crate::api::Range;
use crate::api::RangeResponse;
use crate::error::Applied;
use crate::error::Error;
use crate::error::Misuse;

/// How often a write is sent, unless told otherwise.
const ATTEMPTS: u32 = 4;

/// what became of it. There is no wait between its attempts but those of the calls.
///
/// Ask///
/// Ask [`poll_step`](Self::poll_step) which call to make, give its answer to
/// [`handle_written`](Self::handle_written) or [`handle_read`](Self::handle_read), and take the outcome from
/// [`poll_settled`](Self::poll_settled).
///
/// ```
/// use etcd_core::recipes::{Settle, SettleStep, Settled};
/// use etcd_core::{Applied, Call, CompareAndSwap, Error, Response, TxnResponse};
///
/// let mut settle = Settle::new(CompareAndSwap::mod_revision("k", 7, "mine"));
/// let Some(SettleStep::Write(_)) = settle.poll_step() else { panic!() };
/// // The connection is lost.
/// settle.handle_written(Err(Error::Canceled { applied: Applied::Maybe }));
///
/// let Some(SettleStep::Write(_)) = settle.poll_step() else { panic!() };
/// let json = r#"{"responses":[{"response_range":{"kvs":[{"key":"aw==","value":"bWluZQ=="}]}}]}"#;
/// let refusal: TxnResponse = serde_json::from_str(json)?;
/// settle.handle_written(Ok(CompareAndSwap::from_response(Response::Txn(refusal)).unwrap()));
///
/// // It was refused for its own first attempt.
/// let settled = settle.poll_settled().unwrap()?;
/// assert!(matches!(settled, Settled::Found { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Settle<W> {
    write: W,
    /// How often it may still be sent.
    left: u32,
    /// Why it is not known what became of an attempt.
    doubt: Option<Error>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// The write can be made.
    Ready,
    /// It was asked for.
    Writing,
    /// It was refused by this, and how the key stood at the revision that was known is to be read.
    Refused(KeyValue),
    /// That was asked for.
    Reading(KeyValue),
    /// This is to be taken.
    Settled(Box<Result<Settled, Error>>),
    Ended,
}

/// The call to make next.
///
/// ```
/// use etcd_core::PutIfAbsent;
/// use etcd_core::recipes::{Settle, SettleStep};
///
/// let write = PutIfAbsent::new("k", "v");
/// let step = Settle::new(write.clone()).poll_step();
/// assert_eq!(step, Some(SettleStep::Write(write)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to be able to make every step there is"
)]
#[allow(
    clippy::large_enum_variant,
    reason = "it lives as long as it takes to make the call"
)]
pub enum SettleStep<W> {
    /// Make this write; its answer is for [`Settle::handle_written`].
    Write(W),
    /// Make this read; its answer is for [`Settle::handle_read`].
    Read(Range),
}

/// What became of a write. That nothing of it comes any more is so unless its condition is that there is no
/// such key, and somebody deletes the key: then an attempt that comes late is done ([`Guard`]).
///
/// ```
/// use etcd_core::recipes::Settled;
///
/// assert!(Settled::Found { current: None }.is_there());
/// assert!(!Settled::Refused { current: None }.is_there());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "another answer would break every caller's logic"
)]
pub enum Settled {
    /// It is done; once, but for what [`Guard`] says of a key that is not there.
    Done {
        /// The revision it was done at.
        revision: i64,
        /// What was there before, if it was asked for and there was something.
        prev_kv: Option<KeyValue>,
    },
    /// An attempt whose answer was lost may have done it, and the key is as it would have left it: it was
    /// done, unless another writer wrote just the same, or a lease ended with the key that was to be deleted.
    /// Nothing of it comes any more.
    Found {
        /// What is there; none if it was to be deleted.
        current: Option<KeyValue>,
    },
    /// Its condition did not hold: it certainly was not done, and nothing of it comes any more.
    Refused {
        /// What is there instead; none if there is no such key.
        current: Option<KeyValue>,
    },
    /// Its condition does not hold any more, and something else is there: an attempt whose answer was lost
    /// either was not done, or was overwritten since. Nothing of it comes any more.
    Overtaken {
        /// What is there instead; none if there is no such key.
        current: Option<KeyValue>,
    },
}

impl Settled {
    /// Whether the key is, or was at last, as the write leaves it.
    ///
    /// ```
    /// use etcd_core::recipes::Settled;
    ///
    /// assert!(Settled::Done { revision: 7, prev_kv: None }.is_there());
    /// assert!(!Settled::Overtaken { current: None }.is_there());
    /// ```
    #[must_use]
    pub const fn is_there(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Found { .. })
    }

    /// What is there instead; none also where it is there.
    ///
    /// ```
    /// use etcd_core::recipes::Settled;
    /// use etcd_core::KeyValue;
    ///
    /// let refused = Settled::Refused { current: Some(KeyValue::default()) };
    /// assert_eq!(refused.current(), Some(&KeyValue::default()));
    /// ```
    #[must_use]
    pub const fn current(&self) -> Option<&KeyValue> {
        match self {
            Self::Done { .. } | Self::Found { .. } => None,
            Self::Refused { current } | Self::Overtaken { current } => current.as_ref(),
        }
    }
}

impl<W: Guard> Settle<W> {
    /// Settles this write. A condition that can hold twice, as one on a value, is refused with
    /// [`Misuse::GuardHoldsTwice`].
    ///
    /// ```
    /// use etcd_core::recipes::Settle;
    /// use etcd_core::{CompareAndSwap, Error, Misuse};
    ///
    /// let mut settle = Settle::new(CompareAndSwap::value("k", "old", "new"));
    /// let misuse = Err(Error::Misuse(Misuse::GuardHoldsTwice));
    /// assert_eq!((settle.poll_step(), settle.poll_settled()), (None, Some(misuse)));
    /// ```
    pub fn new(write: W) -> Self {
        let checked = match write.known_revision() {
            Some(_) => write.check(),
            None => Err(Misuse::GuardHoldsTwice),
        };
        let state = match checked {
            Ok(()) => State::Ready,
            Err(misuse) => State::Settled(Box::new(Err(Error::Misuse(misuse)))),
        };
        Self {
            write,
            left: ATTEMPTS,
            doubt: None,
            state,
        }
    }

    /// Sends it so often at the most. 4 times by default; less than 1 is 1. Each is a call of its own, with
    /// its own deadline.
    ///
    /// ```
    /// use etcd_core::recipes::Settle;
    /// use etcd_core::{Applied, Error, PutIfAbsent};
    ///
    /// let mut settle = Settle::new(PutIfAbsent::new("k", "v")).with_attempts(1);
    /// settle.poll_step();
    /// let lost = Error::Canceled { applied: Applied::Maybe };
    /// settle.handle_written(Err(lost.clone()));
    /// assert_eq!(settle.poll_settled(), Some(Err(lost)));
    /// ```
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.left = attempts.max(1);
        self
    }

    /// The call to make next. None while the last one is not answered, and once it is settled.
    ///
    /// ```
    /// use etcd_core::recipes::Settle;
    /// use etcd_core::PutIfAbsent;
    ///
    /// let mut settle = Settle::new(PutIfAbsent::new("k", "v"));
    /// assert!(settle.poll_step().is_some());
    /// assert!(settle.poll_step().is_none());
    /// ```
    pub fn poll_step(&mut self) -> Option<SettleStep<W>> {
        match core::mem::replace(&mut self.state, State::Ended) {
            State::Ready => {
                self.left -= 1;
                self.state = State::Writing;
                Some(SettleStep::Write(self.write.clone()))
            }
            State::Refused(current) => {
                self.state = State::Reading(current);
                let known = self.write.known_revision().unwrap_or(0);
                let range = Range::key(self.write.guarded_key()).with_revision(known);
                Some(SettleStep::Read(range))
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    /// Takes the answer to the write. One that was not asked for changes nothing.
    ///
    /// ```
    /// use etcd_core::recipes::{Settle, Settled};
    /// use etcd_core::{Call, PutIfAbsent, Response, TxnResponse};
    ///
    /// let mut settle = Settle::new(PutIfAbsent::new("k", "v"));
    /// settle.poll_step();
    /// let json = r#"{"header":{"revision":"8"},"succeeded":true,"responses":[{"response_put":{}}]}"#;
    /// let answer: TxnResponse = serde_json::from_str(json)?;
    /// settle.handle_written(Ok(PutIfAbsent::from_response(Response::Txn(answer)).unwrap()));
    /// let done = Settled::Done { revision: 8, prev_kv: None };
    /// assert_eq!(settle.poll_settled(), Some(Ok(done)));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn handle_written(&mut self, answer: Result<GuardedResponse, Error>) {
        if !matches!(self.state, State::Writing) {
            return;
        }
        self.state = match answer {
            Ok(GuardedResponse {
                outcome: Guarded::Done { prev_kv },
                header,
                ..
            }) => settled(Settled::Done {
                revision: header.revision,
                prev_kv,
            }),
            Ok(GuardedResponse {
                outcome: Guarded::Refused { current },
                ..
            }) => self.refused(current),
            Err(error) => self.failed(error),
        };
    }

    /// Takes the answer to the read. One that was not asked for changes nothing.
    ///
    /// ```
    /// use etcd_core::recipes::Settle;
    /// use etcd_core::{PutIfAbsent, RangeResponse};
    ///
    /// let mut settle = Settle::new(PutIfAbsent::new("k", "v"));
    /// settle.poll_step();
    /// settle.handle_read(Ok(RangeResponse::default()));
    /// assert_eq!(settle.poll_settled(), None);
    /// ```
    pub fn handle_read(&mut self, answer: Result<RangeResponse, Error>) {
        match core::mem::replace(&mut self.state, State::Ended) {
            State::Reading(current) => {
                let known = self.write.known_revision();
                let never_held = |then: &KeyValue| Some(then.mod_revision) != known;
                // What is there is the one change since, and it is not this write's.
                let is_next =
                    |then: &KeyValue| then.version.checked_add(1) == Some(current.version);
                let is_certain = answer.is_ok_and(|then| {
                    let then = then.into_first();
                    then.is_none_or(|then| never_held(&then) || is_next(&then))
                });
                let current = Some(current);
                self.state = settled(match is_certain {
                    true => Settled::Refused { current },
                    false => Settled::Overtaken { current },
                });
            }
            state => self.state = state,
        }
    }

    /// What became of the write, once. An error says whether it may have been done, or may still be, by any
    /// of its attempts.
    ///
    /// ```
    /// use etcd_core::recipes::Settle;
    /// use etcd_core::PutIfAbsent;
    ///
    /// let mut settle = Settle::new(PutIfAbsent::new("k", "v"));
    /// assert_eq!(settle.poll_settled(), None);
    /// ```
    pub fn poll_settled(&mut self) -> Option<Result<Settled, Error>> {
        match core::mem::replace(&mut self.state, State::Ended) {
            State::Settled(outcome) => Some(*outcome),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// An attempt failed. After one in doubt, no error is certain that speaks of another one only.
    fn failed(&mut self, error: Error) -> State {
        if self.doubt.is_none() && error.applied() == Applied::No {
            return State::Settled(Box::new(Err(error)));
        }
        if error.applied() == Applied::Maybe {
            self.doubt = Some(error);
        }
        if self.left > 0 {
            return State::Ready;
        }
        match self.doubt.take() {
            Some(doubt) => State::Settled(Box::new(Err(doubt))),
            None => State::Ended,
        }
    }

    /// The condition did not hold.
    fn refused(&self, current: Option<KeyValue>) -> State {
        if self.doubt.is_none() {
            return settled(Settled::Refused { current });
        }
        if self.write.would_leave(current.as_ref()) {
            return settled(Settled::Found { current });
        }
        let known = self.write.known_revision().unwrap_or(0);
        match current {
            // A key that was there and was not deleted since.
            Some(current) if current.create_revision <= known => match self.write.deletes() {
                true => settled(Settled::Refused {
                    current: Some(current),
                }),
                false => State::Refused(current),
            },
            // There was nothing to delete, whenever it came.
            current if self.write.deletes() && known == 0 => settled(Settled::Refused { current }),
            current => settled(Settled::Overtaken { current }),
        }
    }
}

fn settled(outcome: Settled) -> State {
    State::Settled(Box::new(Ok(outcome)))
}

#[cfg(test)]
mod tests;
