//! The tasks of a world: futures that are polled when they are woken, one after the other, on the
//! thread that runs the world.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

/// The tasks of a world.
#[derive(Default)]
pub(super) struct Tasks {
    /// None while it is being polled.
    tasks: RefCell<BTreeMap<u64, Option<Work>>>,
    next: Cell<u64>,
    ready: Arc<Ready>,
    /// Whether somebody runs them.
    pub(super) is_running: Cell<bool>,
}

/// What a task does.
type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Which tasks were woken, in the order of their waking.
#[derive(Debug, Default)]
struct Ready(Mutex<VecDeque<u64>>);

impl Ready {
    fn add(&self, task: u64) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Waking twice is waking once.
        if !ready.contains(&task) {
            ready.push_back(task);
        }
    }

    fn take(&self) -> Option<u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

/// Wakes one task.
struct Bell {
    task: u64,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.add(self.task);
    }
}

impl Tasks {
    /// Takes a future in; it is polled as soon as the world runs.
    pub(super) fn add(&self, future: Work) -> u64 {
        let task = self.next.get();
        self.next.set(task + 1);
        self.tasks.borrow_mut().insert(task, Some(future));
        self.ready.add(task);
        task
    }

    /// Polls the task that was woken first. Says whether there was one.
    pub(super) fn poll_one(&self) -> bool {
        let Some(task) = self.ready.take() else {
            return false;
        };
        // A task may take in and drop others while it is polled, so it is taken out.
        let taken = self
            .tasks
            .borrow_mut()
            .get_mut(&task)
            .and_then(Option::take);
        let Some(mut future) = taken else {
            return true;
        };
        let waker = Waker::from(Arc::new(Bell {
            task,
            ready: Arc::clone(&self.ready),
        }));
        let is_done = future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        let mut tasks = self.tasks.borrow_mut();
        match tasks.get_mut(&task) {
            Some(slot) if !is_done => *slot = Some(future),
            _ => {
                let old = tasks.remove(&task);
                drop(tasks);
                drop((old, future));
            }
        }
        true
    }

    /// Drops a task.
    fn drop_task(&self, task: u64) {
        let old = self.tasks.borrow_mut().remove(&task);
        drop(old);
    }

    /// How many tasks have not ended.
    pub(super) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }
}

/// A task under way, as a future that gives what it ends with. Dropping it drops the task, as that of
/// smol does; [`Task::detach`] lets it go on.
#[must_use = "dropping a task ends it"]
pub struct Task<T> {
    tasks: Rc<Tasks>,
    /// None once it was detached.
    task: Option<u64>,
    end: Rc<RefCell<End<T>>>,
}

struct End<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T: 'static> Task<T> {
    pub(super) fn new(tasks: Rc<Tasks>, future: impl Future<Output = T> + 'static) -> Self {
        let end = Rc::new(RefCell::new(End {
            value: None,
            waker: None,
        }));
        let ours = Rc::clone(&end);
        let task = tasks.add(Box::pin(async move {
            let value = future.await;
            let waker = {
                let mut end = ours.borrow_mut();
                end.value = Some(value);
                end.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }));
        Self {
            tasks,
            task: Some(task),
            end,
        }
    }

    /// Lets the task go on by itself.
    pub fn detach(mut self) {
        self.task = None;
    }

    /// What it ended with, if it has ended and that was not taken yet.
    pub fn take(&mut self) -> Option<T> {
        self.end.borrow_mut().value.take()
    }

    /// Whether it has ended, and what it ended with was not taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.end.borrow().value.is_some()
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut end = self.end.borrow_mut();
        match end.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                end.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.tasks.drop_task(task);
        }
    }
}

impl<T> core::fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

/// Whether the future that is blocked on was woken; at the beginning it was.
#[derive(Debug)]
pub(super) struct Flag(core::sync::atomic::AtomicBool);

impl Default for Flag {
    fn default() -> Self {
        Self(true.into())
    }
}

impl Flag {
    /// Whether it was woken since this was last asked.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, core::sync::atomic::Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, core::sync::atomic::Ordering::Relaxed);
    }
}
