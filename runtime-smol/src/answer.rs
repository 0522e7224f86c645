//! A call under way, as a future. Dropping it cancels the call.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use etcd_core::Call;
use etcd_core::CallId;
use etcd_core::CallOptions;
use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::Response;
use etcd_core::trace::Recorded;

use crate::shared::CallSlot;
use crate::shared::Shared;
use crate::signal::replace_waker;

/// Waits for the one answer of one call.
pub(crate) struct Answer<'a> {
    shared: &'a Shared,
    /// The call; it has a slot in the state until its answer was taken.
    call: CallId,
    /// Whether its answer was taken.
    taken: bool,
}

impl<'a> Answer<'a> {
    /// Hands the call to the core. Where a connection is free, this also writes the request.
    pub(crate) fn submit<C: Call>(shared: &'a Shared, call: C, options: CallOptions) -> Self {
        Self::begin(shared, |core, now| core.call_with(now, call, options))
    }

    /// The same, of whatever begins a call.
    pub(crate) fn begin(
        shared: &'a Shared,
        begin: impl FnOnce(&mut Recorded, Instant) -> CallId,
    ) -> Self {
        let call = shared.visit(|state, now| {
            let call = begin(&mut state.core, now);
            state.calls.insert(call, CallSlot::Waiting(None));
            call
        });
        Self {
            shared,
            call,
            taken: false,
        }
    }
}

impl Future for Answer<'_> {
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.get_mut();
        let mut state = answer.shared.lock();
        if let Some(CallSlot::Waiting(waker)) = state.calls.get_mut(&answer.call) {
            let old = replace_waker(waker, cx.waker());
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        match state.calls.remove(&answer.call) {
            Some(CallSlot::Answered(result)) => {
                answer.taken = true;
                Poll::Ready(*result)
            }
            // Only a future polled again after its end finds no slot.
            Some(CallSlot::Waiting(_)) | None => Poll::Pending,
        }
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.shared
                .visit(|state, now| state.forget_call(self.call, now));
        }
    }
}
