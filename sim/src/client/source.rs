//! What snapshots and observations have in common: one stream of the core, taken by one owner.

use core::fmt;
use core::task::{Context, Poll};
use std::sync::{Arc, Weak};

use etcd_core::trace::Recorded;
use etcd_core::{Instant, StreamEvent, StreamId};

use super::Handle;
use crate::world::Reader;

/// A stream of the core. Dropping it cancels the stream.
pub(super) struct Source {
    handle: Arc<Handle>,
    pub(super) id: StreamId,
    /// Whether the end was taken; then the client knows the stream no more.
    pub(super) ended: bool,
}

impl Source {
    /// Gives the core a command that begins a stream.
    pub(super) fn begin(
        handle: &Arc<Handle>,
        start: impl FnOnce(&mut Recorded, Instant) -> StreamId,
    ) -> Self {
        let id = handle.link.visit(|core, slots, now| {
            let id = start(core, now);
            slots.streams.insert(id, Reader::Task(None));
            id
        });
        Self {
            handle: Arc::clone(handle),
            id,
            ended: false,
        }
    }

    pub(super) fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<StreamEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let id = self.id;
        let (event, old) = self.handle.link.visit(|core, slots, _| {
            let event = core.poll_stream(id);
            let old = match event {
                Some(StreamEvent::End(_)) => slots.streams.remove(&id),
                Some(_) => None,
                None => slots
                    .streams
                    .insert(id, Reader::Task(Some(cx.waker().clone()))),
            };
            (event, old)
        });
        drop(old);
        let Some(event) = event else {
            return Poll::Pending;
        };
        self.ended = matches!(event, StreamEvent::End(_));
        Poll::Ready(Some(event))
    }

    pub(super) fn grip(&self) -> StreamHandle {
        StreamHandle {
            client: Arc::downgrade(&self.handle),
            id: self.id,
        }
    }

    pub(super) fn cancel(&self) {
        let id = self.id;
        self.handle
            .link
            .visit(|core, _, now| core.cancel_stream(now, id));
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if !self.ended {
            self.handle.link.forget_stream(self.id);
        }
    }
}

/// Cancels a snapshot or an observation, from another task than the one that waits for it.
///
/// It keeps neither the stream nor the client alive; once the stream has ended it does nothing.
#[derive(Clone)]
pub struct StreamHandle {
    client: Weak<Handle>,
    id: StreamId,
}

impl StreamHandle {
    /// Ends the stream: a snapshot with `Error::Canceled`, an observation with
    /// [`StreamEnd::Canceled`](etcd_core::StreamEnd::Canceled).
    pub fn cancel(&self) {
        if let Some(client) = self.client.upgrade() {
            let id = self.id;
            client
                .link
                .visit(|core, _, now| core.cancel_stream(now, id));
        }
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamHandle").field(&self.id).finish()
    }
}
