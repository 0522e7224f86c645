//! The renewal carrier: all lease renewals on one duplex POST, answered in their order.
//!
//! The server answers one renewal after the other (gateway.md 9), so the first one waiting is the
//! one answered; the lease's id in the answer must agree. A lease that is gone is answered too, with
//! a time to live of 0.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::CancelStep;
use super::StreamId;
use super::WireConfig;
use super::WireEvent;
use super::duplex::Duplex;
use super::gateway::Frames;
use crate::api::LeaseKeepAlive;
use crate::api::LeaseKeepAliveResponse;
use crate::api::Response;
use crate::buf::SendBuf;
use crate::buf::Sent;
use crate::error::CloseReason;
use crate::error::ProtocolError;

/// Renewals on one connection.
#[derive(Debug)]
pub(crate) struct Renew {
    duplex: Duplex<Frames<LeaseKeepAliveResponse>>,
    /// Renewals the server owes an answer for, in the order they were asked.
    waiting: VecDeque<Waiting>,
    /// Those that were not canceled, by their place in that order since the connection was opened: with
    /// thousands of them, looking at one does not cost a look at all.
    places: BTreeMap<StreamId, u64>,
    /// How many were answered.
    answered: u64,
    events: VecDeque<WireEvent>,
    #[cfg(feature = "planted")]
    planted: Option<crate::planted::Planted>,
}

#[derive(Debug)]
struct Waiting {
    /// None once it was canceled: the answer comes all the same, and is passed over.
    stream: Option<StreamId>,
    lease: i64,
    /// Where its request begins and ends, counted in bytes sent.
    start: u64,
    end: u64,
}

impl Renew {
    pub(super) fn new(config: &WireConfig, host: &str) -> Self {
        Self {
            duplex: Duplex::new(&config.gateway.open_keep_alive(), config, host),
            waiting: VecDeque::new(),
            places: BTreeMap::new(),
            answered: 0,
            events: VecDeque::new(),
            #[cfg(feature = "planted")]
            planted: config.planted,
        }
    }

    pub(super) fn start(&mut self, stream: StreamId, lease: i64) {
        let start = self.duplex.out().end();
        self.duplex.send(&LeaseKeepAlive::new(lease));
        let end = self.duplex.out().end();
        #[cfg(feature = "planted")]
        let stream = self.plant_start(stream);
        let place = self.answered + self.waiting.len() as u64;
        self.places.insert(stream, place);
        self.waiting.push_back(Waiting {
            stream: Some(stream),
            lease,
            start,
            end,
        });
    }

    #[cfg(feature = "planted")]
    fn plant_start(&mut self, stream: StreamId) -> StreamId {
        let swaps = self.planted == Some(crate::planted::Planted::RenewalsSwapped);
        match self.waiting.front_mut().filter(|_| swaps) {
            Some(first) => {
                self.places.insert(stream, self.answered);
                first.stream.replace(stream).unwrap_or(stream)
            }
            None => stream,
        }
    }

    pub(super) fn cancel(&mut self, stream: StreamId) -> CancelStep {
        let place = self.place(stream);
        self.places.remove(&stream);
        if let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) {
            waiting.stream = None;
        }
        CancelStep::Done
    }

    pub(super) fn handle_received(&mut self, bytes: &[u8]) {
        let Self {
            duplex,
            waiting,
            places,
            answered,
            events,
            ..
        } = self;
        duplex.handle_received(bytes, |_, frame| {
            let unexpected = CloseReason::Protocol(ProtocolError::UnexpectedRenewal(frame.id));
            let first = waiting.pop_front().ok_or_else(|| unexpected.clone())?;
            if first.lease != frame.id {
                waiting.push_front(first);
                return Err(unexpected);
            }
            *answered += 1;
            if let Some(stream) = first.stream {
                places.remove(&stream);
                let result = Ok(Response::LeaseKeepAlive(frame));
                events.push_back(WireEvent::Answered { stream, result });
            }
            Ok(())
        });
    }

    pub(super) fn handle_eof(&mut self) {
        self.duplex.handle_eof();
    }

    pub(super) fn poll_event(&mut self) -> Option<WireEvent> {
        self.events.pop_front()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.places.is_empty()
    }

    /// Where a stream is among those that wait.
    fn place(&self, stream: StreamId) -> Option<usize> {
        let place = self.places.get(&stream)?.checked_sub(self.answered)?;
        usize::try_from(place).ok()
    }

    pub(super) fn sent(&self, stream: StreamId) -> Sent {
        let taken = self.duplex.out().taken();
        let found = self.place(stream);
        let found = found.and_then(|place| self.waiting.get(place));
        found.map_or(Sent::All, |waiting| {
            Sent::of(waiting.start, waiting.end, taken)
        })
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.waiting
            .iter()
            .filter_map(|waiting| waiting.stream)
            .collect()
    }

    pub(super) const fn close_reason(&self) -> Option<&CloseReason> {
        self.duplex.close_reason()
    }

    pub(super) const fn send_buf(&self) -> &SendBuf {
        self.duplex.out()
    }

    pub(super) const fn send_buf_mut(&mut self) -> &mut SendBuf {
        self.duplex.out_mut()
    }
}
