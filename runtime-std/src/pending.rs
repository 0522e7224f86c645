//! A call under way: started here, waited for there, and called off from anywhere.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use etcd_core::Call;
use etcd_core::CallId;
use etcd_core::CallOptions;
use etcd_core::Error;

use crate::client::Client;
use crate::client::Handle;
use crate::client::typed;

/// Calls that are not waited for at once.
impl Client {
    /// Starts any call and returns at once; its result is waited for with [`Pending::wait`].
    ///
    /// For calls that wait for somebody else, such as a [`Lock`](crate::Lock) or a
    /// [`Campaign`](crate::Campaign): [`Pending::handle`] gives another thread the means to call them
    /// off. And for several calls at once without a thread for each. `etcd-smol` has no such method, as
    /// its calls are futures: dropping one calls it off.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Lock};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease_grant(10)?.id;
    /// let pending = client.start(Lock::new("jobs").with_lease(lease));
    /// let handle = pending.handle();
    /// std::thread::spawn(move || handle.cancel());
    /// println!("{:?}", pending.wait());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start<C: Call>(&self, call: C) -> Pending<C> {
        self.start_with(call, CallOptions::default())
    }

    /// Starts any call, with options of its own, and returns at once.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use etcd_std::{CallOptions, Client, Range};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let quick = CallOptions::default().with_timeout(Duration::from_millis(200));
    /// let (a, b) = (client.start_with(Range::key("a"), quick.clone()), client.start(Range::key("b")));
    /// println!("{:?} {:?}", a.wait()?.kvs, b.wait()?.kvs);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_with<C: Call>(&self, call: C, options: CallOptions) -> Pending<C> {
        let id = self.handle.shared().start_call(call, options);
        self.pending(id)
    }

    /// Starts several calls with the same options and returns at once. Those that go on the same connection
    /// ([`Config::pipeline_depth`](crate::Config::pipeline_depth)) go out in one write.
    ///
    /// ```no_run
    /// use etcd_std::{CallOptions, Client, Config, Range};
    ///
    /// let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// config.pipeline_depth = 16;
    /// let client = Client::with_config(config);
    /// let reads = ["a", "b", "c"].map(Range::key);
    /// for read in client.start_all(reads, &CallOptions::default()) {
    ///     println!("{:?}", read.wait()?.kvs);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_all<C: Call>(
        &self,
        calls: impl IntoIterator<Item = C>,
        options: &CallOptions,
    ) -> Vec<Pending<C>> {
        // The iterator may come back here, so it is not run under the lock.
        let calls = calls.into_iter().collect();
        let ids = self.handle.shared().start_calls(calls, options);
        ids.into_iter().map(|id| self.pending(id)).collect()
    }

    fn pending<C: Call>(&self, id: CallId) -> Pending<C> {
        Pending {
            handle: Arc::clone(&self.handle),
            id,
            taken: false,
            call: PhantomData,
        }
    }
}

/// One call under way. Dropping it cancels the call.
///
/// It goes on whether it is waited for or not, with the same deadlines as every call.
///
/// ```no_run
/// use etcd_std::{Client, Range};
///
/// let client = Client::connect(["http://127.0.0.1:2379"])?;
/// let pending = client.start(Range::prefix("/services/"));
/// // Something else is done meanwhile.
/// println!("{} services", pending.wait()?.kvs.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it cancels the call"]
pub struct Pending<C: Call> {
    handle: Arc<Handle>,
    id: CallId,
    /// Whether its result was taken.
    taken: bool,
    call: PhantomData<fn() -> C>,
}

impl<C: Call> Pending<C> {
    /// Waits until the call has ended.
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same; [`Error::Canceled`] if it was
    /// called off.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Put};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// client.start(Put::new("k", "v")).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(mut self) -> Result<C::Response, Error> {
        let result = self.handle.shared().wait_for_call(self.id, None);
        let Some(result) = result else {
            unreachable!("a wait without a time limit ends with an answer");
        };
        self.taken = true;
        result.map(typed::<C>)
    }

    /// Waits until the call has ended, but no longer than `timeout`. The call does not end with that
    /// time: what it gives later is waited for once more.
    ///
    /// # Errors
    ///
    /// The call itself, if it has not ended.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use etcd_std::{Client, Lock};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut pending = client.start(Lock::new("jobs"));
    /// let lock = loop {
    ///     match pending.wait_timeout(Duration::from_secs(1)) {
    ///         Ok(lock) => break lock?,
    ///         Err(same) => pending = same,
    ///     }
    ///     println!("still waiting");
    /// };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<Result<C::Response, Error>, Self> {
        let until = self.handle.after(timeout);
        match self.handle.shared().wait_for_call(self.id, Some(until)) {
            None => Err(self),
            Some(result) => {
                self.taken = true;
                Ok(result.map(typed::<C>))
            }
        }
    }

    /// A grip on this call for another thread, to call it off while somebody waits here.
    ///
    /// ```no_run
    /// use etcd_std::{Campaign, Client};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let pending = client.start(Campaign::new("el", "me"));
    /// let handle = pending.handle();
    /// let waiting = std::thread::spawn(move || pending.wait());
    /// handle.cancel();
    /// println!("{:?}", waiting.join());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> CallHandle {
        CallHandle {
            client: Arc::downgrade(&self.handle),
            id: self.id,
        }
    }
}

impl<C: Call> Drop for Pending<C> {
    fn drop(&mut self) {
        if !self.taken {
            self.handle
                .shared()
                .command(|state, now| state.drop_call(now, self.id));
        }
    }
}

impl<C: Call> fmt::Debug for Pending<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pending").field(&self.id).finish()
    }
}

/// Calls off a call, from another thread than the one that waits for it.
///
/// It keeps neither the call nor the client alive; once the call has ended it does nothing.
///
/// ```no_run
/// use etcd_std::{Client, Lock};
///
/// let client = Client::connect(["http://127.0.0.1:2379"])?;
/// let pending = client.start(Lock::new("jobs"));
/// let handle = pending.handle();
/// std::thread::spawn(move || handle.cancel());
/// println!("{:?}", pending.wait());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CallHandle {
    client: Weak<Handle>,
    id: CallId,
}

impl CallHandle {
    /// Ends the call with [`Error::Canceled`], unless it has ended before. A server at which it waits
    /// for somebody else learns of it, and a lock that was waited for is left.
    ///
    /// ```
    /// use etcd_std::{Client, Error, Put};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let pending = client.start(Put::new("k", "v"));
    /// pending.handle().cancel();
    /// assert!(pending.wait().is_err());
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn cancel(&self) {
        if let Some(client) = self.client.upgrade() {
            client
                .shared()
                .command(|state, now| state.core.cancel_call(now, self.id));
        }
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallHandle").field(&self.id).finish()
    }
}
