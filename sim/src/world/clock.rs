//! A world's time for programs in it.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use etcd_core::Instant;

use super::lock;
use super::queue::Due;
use super::state::State;

/// A world's time, to be given to programs that wait or look at the clock.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::Instant;
/// use etcd_sim::World;
///
/// let world = World::new(1);
/// let clock = world.clock();
/// let before = clock.now();
/// world.block_on(async { clock.sleep(Duration::from_secs(3600)).await });
/// assert_eq!(world.now() - before, Duration::from_secs(3600));
/// ```
#[derive(Clone)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

impl Clock {
    pub(super) const fn new(state: Arc<Mutex<State>>) -> Self {
        Self { state }
    }

    /// The time in the world.
    #[must_use]
    pub fn now(&self) -> Instant {
        lock(&self.state).now
    }

    /// Waits for so long, counted from this call and not from the first poll.
    pub fn sleep(&self, time: Duration) -> Sleep {
        let mut state = lock(&self.state);
        let number = state.next_number;
        state.next_number += 1;
        state.sleeps.insert(number, None);
        let at = state.now + time;
        state.queue.push(at, Due::Wake(number));
        Sleep {
            state: Arc::clone(&self.state),
            number,
            at,
        }
    }

    /// What a future gives, or `None` where it takes longer than this.
    pub async fn timeout<F: Future>(&self, time: Duration, future: F) -> Option<F::Output> {
        let mut sleep = self.sleep(time);
        let mut future = core::pin::pin!(future);
        core::future::poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(value));
            }
            Pin::new(&mut sleep).poll(cx).map(|()| None)
        })
        .await
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Some time of a world, as a future. Dropping it ends the waiting.
#[must_use = "nobody waits unless it is awaited"]
pub struct Sleep {
    state: Arc<Mutex<State>>,
    number: u64,
    at: Instant,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.now >= self.at {
            return Poll::Ready(());
        }
        let old = state.sleeps.insert(self.number, Some(cx.waker().clone()));
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let old = lock(&self.state).sleeps.remove(&self.number);
        drop(old);
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
