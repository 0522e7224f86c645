//! What other lines want of a line, and how it reaches one whose thread is blocked.
//!
//! An order waits until its line takes it. A line of the blocking driver takes none while it waits for
//! its client: it says beforehand what whoever gives one is to do.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smol::channel::{Receiver, Sender};

/// What another line wants of a stream or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// End.
    Cancel,
    /// End, for it is the end of the input.
    Shutdown,
    /// Ask the server for progress.
    Progress,
}

/// What comes first: an order, or what was waited for.
pub(crate) enum First<T> {
    Order(Order),
    Came(T),
}

/// What the giver of an order does for a line that is blocked; false if the line has to take the
/// order all the same.
type Reach = Box<dyn Fn(Order) -> bool + Send>;

/// The orders for one line. All clones are the same.
#[derive(Clone)]
pub(crate) struct Orders(Arc<Inner>);

struct Inner {
    giving: Sender<Order>,
    taking: Receiver<Order>,
    /// Only while the line is blocked.
    reach: Mutex<Option<Reach>>,
}

impl Orders {
    pub(crate) fn new() -> Self {
        let (giving, taking) = smol::channel::unbounded();
        Self(Arc::new(Inner {
            giving,
            taking,
            reach: Mutex::default(),
        }))
    }

    /// Gives an order. Nothing comes of it where the line has ended.
    pub(crate) fn give(&self, order: Order) {
        let reach = self.reach();
        if !reach.as_ref().is_some_and(|reach| reach(order)) {
            self.keep(order);
        }
    }

    /// The next order, if one was given.
    pub(crate) fn take(&self) -> Option<Order> {
        self.0.taking.try_recv().ok()
    }

    /// Waits for what `came` gives, unless an order comes first.
    pub(crate) async fn or<T>(&self, came: impl Future<Output = T> + Send) -> First<T> {
        let came = async { First::Came(came.await) };
        let order = async {
            match self.0.taking.recv().await {
                Ok(order) => First::Order(order),
                // The channel is as old as this.
                Err(_) => std::future::pending().await,
            }
        };
        smol::future::or(came, order).await
    }

    /// Blocks in `wait`. Whoever gives an order meanwhile calls `reach`, which is to end the wait and
    /// says whether that was all; so do those that were given before.
    pub(crate) fn block<T>(
        &self,
        reach: impl Fn(Order) -> bool + Send + 'static,
        wait: impl FnOnce() -> T,
    ) -> T {
        let mut place = self.reach();
        let early: Vec<Order> = std::iter::from_fn(|| self.take()).collect();
        for order in early {
            if !reach(order) {
                self.keep(order);
            }
        }
        *place = Some(Box::new(reach));
        drop(place);
        let came = wait();
        // Who ended the wait has kept the order once this has the lock.
        *self.reach() = None;
        came
    }

    fn keep(&self, order: Order) {
        // It is never closed, and never full.
        let _ = self.0.giving.try_send(order);
    }

    fn reach(&self) -> MutexGuard<'_, Option<Reach>> {
        self.0.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
