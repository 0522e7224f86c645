//! A call under way, as a future. Dropping it cancels the call.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use etcd_core::trace::Recorded;
use etcd_core::{Call, CallId, CallOptions, Error, Instant, Response};

use super::Handle;
use crate::world::CallSlot;

/// Waits for the one answer of one call.
pub(super) struct Answer<'a> {
    handle: &'a Handle,
    /// The call; it has a slot at the client until its answer was taken.
    call: CallId,
    /// Whether its answer was taken.
    taken: bool,
}

impl<'a> Answer<'a> {
    /// Hands the call to the core.
    pub(super) fn submit<C: Call>(handle: &'a Handle, call: C, options: CallOptions) -> Self {
        Self::begin(handle, |core, now| core.call_with(now, call, options))
    }

    /// The same, of whatever begins a call.
    pub(super) fn begin(
        handle: &'a Handle,
        begin: impl FnOnce(&mut Recorded, Instant) -> CallId,
    ) -> Self {
        let call = handle.link.visit(|core, slots, now| {
            let call = begin(core, now);
            slots.calls.insert(call, CallSlot::Waiting(None));
            call
        });
        Self {
            handle,
            call,
            taken: false,
        }
    }
}

impl Future for Answer<'_> {
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.get_mut();
        let call = answer.call;
        let polled = answer.handle.link.visit(|_, slots, _| {
            match slots.calls.get_mut(&call) {
                Some(CallSlot::Waiting(waker)) => {
                    return Err(waker.replace(cx.waker().clone()));
                }
                Some(CallSlot::Answered(_)) => {}
                // Only a future polled again after its end finds no slot.
                None => return Err(None),
            }
            match slots.calls.remove(&call) {
                Some(CallSlot::Answered(result)) => Ok(*result),
                Some(CallSlot::Waiting(_)) | None => Err(None),
            }
        });
        match polled {
            Ok(result) => {
                answer.taken = true;
                Poll::Ready(result)
            }
            // A waker that was there before is dropped here, where nobody looks at the world.
            Err(_) => Poll::Pending,
        }
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.handle.link.forget_call(self.call);
        }
    }
}
