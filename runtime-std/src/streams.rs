//! What snapshots and observations have in common: one stream of the core, taken by one owner.

use std::io;
use std::sync::Arc;

use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::SnapshotFault;
use etcd_core::StreamEvent;
use etcd_core::StreamId;
use etcd_core::trace::Recorded;

use crate::client::Handle;
use crate::shared::Key;
use crate::shared::Shared;
use crate::shared::State;
use crate::stream_handle::StreamHandle;

/// A stream of the core. Dropping it cancels the stream.
pub(crate) struct Source {
    pub(crate) handle: Arc<Handle>,
    pub(crate) id: StreamId,
    /// Whether its end was seen; nothing comes after it.
    pub(crate) ended: bool,
}

impl Source {
    /// Gives the core a command that begins a stream.
    pub(crate) fn begin(
        handle: &Arc<Handle>,
        start: impl FnOnce(&mut Recorded, Instant) -> StreamId,
    ) -> Self {
        let id = handle.shared().start_stream(start);
        let handle = Arc::clone(handle);
        Self {
            handle,
            id,
            ended: false,
        }
    }

    /// The next event, or `None` if there is none by `until` or none will ever be.
    pub(crate) fn take(&mut self, until: Option<Instant>) -> Option<StreamEvent> {
        if self.ended {
            return None;
        }
        let event = self.handle.shared().next_stream_event(self.id, until)?;
        self.ended = matches!(event, StreamEvent::End(_));
        Some(event)
    }

    pub(crate) fn grip(&self) -> StreamHandle {
        StreamHandle::new(&self.handle, self.id)
    }

    pub(crate) fn cancel(&self) {
        self.handle
            .shared()
            .command(|state, now| state.core.cancel_stream(now, self.id));
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if !self.ended {
            self.handle
                .shared()
                .command(|state, now| state.drop_stream(now, self.id));
        }
    }
}

impl Shared {
    /// Begins a stream. Whoever waits for it first looks after it, and until then the helper.
    fn start_stream(&self, start: impl FnOnce(&mut Recorded, Instant) -> StreamId) -> StreamId {
        let (mut locked, now) = self.begin();
        let id = start(&mut locked.core, now);
        locked.streams += 1;
        locked.drain(now);
        locked.hand_on();
        id
    }

    /// Waits for the next event of a stream, until `until` at the latest.
    fn next_stream_event(&self, stream: StreamId, until: Option<Instant>) -> Option<StreamEvent> {
        let locked = self.lock();
        let now = self.clock.now();
        self.wait(locked, now, Key::Stream(stream), until, |state, now| {
            state.next_of_stream(now, stream)
        })
    }
}

impl State {
    /// Ends a stream whose owner wants nothing more of it.
    fn drop_stream(&mut self, now: Instant, stream: StreamId) {
        self.core.cancel_stream(now, stream);
        // What it still had to deliver goes with it.
        while let Some(event) = self.next_of_stream(now, stream) {
            drop(event);
        }
    }

    /// The next event of a stream, if there is one.
    fn next_of_stream(&mut self, now: Instant, stream: StreamId) -> Option<StreamEvent> {
        let event = self.core.poll_stream(stream)?;
        if matches!(event, StreamEvent::End(_)) {
            self.streams -= 1;
        }
        // There may be room again for what the server holds back.
        self.drain(now);
        Some(event)
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
