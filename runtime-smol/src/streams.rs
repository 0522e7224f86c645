//! What snapshots and observations have in common: one stream of the core, taken by one owner.

use std::io;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::SnapshotFault;
use etcd_core::StreamEvent;
use etcd_core::StreamId;
use etcd_core::trace::Recorded;

use crate::shared::Handle;
use crate::signal::replace_waker;
use crate::stream_handle::StreamHandle;

/// A stream of the core. Dropping it cancels the stream.
pub(crate) struct Source {
    pub(crate) handle: Arc<Handle>,
    pub(crate) id: StreamId,
    /// Whether the end was taken; then the state knows the stream no more.
    pub(crate) ended: bool,
}

impl Source {
    /// Gives the core a command that begins a stream.
    pub(crate) fn begin(
        handle: &Arc<Handle>,
        start: impl FnOnce(&mut Recorded, Instant) -> StreamId,
    ) -> Self {
        let id = handle.shared.visit(|state, now| {
            let id = start(&mut state.core, now);
            state.streams.insert(id, None);
            id
        });
        let handle = Arc::clone(handle);
        Self {
            handle,
            id,
            ended: false,
        }
    }

    pub(crate) fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<StreamEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let id = self.id;
        let (event, old) = self.handle.shared.visit(|state, _| {
            let event = state.core.poll_stream(id);
            let old = match event {
                Some(StreamEvent::End(_)) => state.streams.remove(&id).flatten(),
                Some(_) => None,
                None => {
                    let waker = state.streams.entry(id).or_default();
                    replace_waker(waker, cx.waker())
                }
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

    pub(crate) fn grip(&self) -> StreamHandle {
        StreamHandle::new(&self.handle, self.id)
    }

    pub(crate) fn cancel(&self) {
        self.handle
            .shared
            .visit(|state, now| state.core.cancel_stream(now, self.id));
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if !self.ended {
            self.handle
                .shared
                .visit(|state, now| state.forget_stream(self.id, now));
        }
    }
}

/// The client's error as one of reading or writing; the former is inside.
pub(crate) fn io_error(error: Error) -> io::Error {
    let kind = match &error {
        Error::Timeout { .. } => io::ErrorKind::TimedOut,
        Error::Snapshot(SnapshotFault::Size { .. } | SnapshotFault::Checksum { .. }) => {
            io::ErrorKind::InvalidData
        }
        Error::Snapshot(_) => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
