//! A client for programs in a world: the methods of `etcd_smol::Client`, in virtual time.
//!
//! A program that takes its client as an argument is tested by a `use` under `cfg(test)`:
//!
//! ```ignore
//! #[cfg(not(test))]
//! use etcd_smol::Client;
//! #[cfg(test)]
//! use etcd_sim::Client;
//! ```
//!
//! What differs: a client comes from a [`World`](crate::World) instead of `connect`, and a snapshot
//! has no `save_to`, since a world has no files. As etcd-smol's, clients and what comes of them are
//! `Send`, so that a program's own bounds hold.

mod answer;
mod calls;
mod observer;
mod pages;
mod snapshot;
mod source;
mod watcher;

use core::fmt;
use std::sync::Arc;

use etcd_core::{
    Call, CallOptions, ConfigError, Credentials, Endpoint, Error, IntoBytes, MemberList,
    MemberListResponse, Observe, Range, Stats, Watch, WatchOptions,
};

use self::answer::Answer;
use self::source::Source;
use crate::world::ClientLink;

pub use self::observer::Observer;
pub use self::pages::{Items, Pages};
pub use self::snapshot::Snapshot;
pub use self::source::StreamHandle;
pub use self::watcher::{WatchHandle, Watcher};

/// A client of a world's etcd. Cloning it is cheap; all clones share their connections.
///
/// It comes from [`World::client`](crate::World::client). Each method begins when its future is first
/// polled; dropping the future cancels the call. Once the last `Client` and the last of what came of
/// it are gone, it is shut down.
///
/// ```
/// use etcd_sim::World;
/// use etcd_core::{Compare, Put, Txn};
///
/// let world = World::new(1);
/// let client = world.client();
/// world.block_on(async {
///     let txn = Txn::new().when([Compare::version("k").eq(0)]).and_then([Put::new("k", "v")]);
///     assert!(client.txn(txn).await?.succeeded());
///     Ok::<(), etcd_core::Error>(())
/// })?;
/// # Ok::<(), etcd_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What keeps a client alive.
pub(super) struct Handle {
    link: ClientLink,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.link.visit(|core, _, now| core.shutdown(now));
    }
}

impl Client {
    pub(crate) fn new(link: ClientLink) -> Self {
        let handle = Arc::new(Handle { link });
        Self { handle }
    }

    /// The client's number in its world, to say what is to go wrong with it.
    #[must_use]
    pub fn number(&self) -> usize {
        self.handle.link.number()
    }

    /// Makes any call and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`Error`] says what went wrong, and [`Error::applied`] whether a write may have happened all
    /// the same. This holds for every method below.
    pub async fn call<C: Call>(&self, call: C) -> Result<C::Response, Error> {
        self.call_with(call, CallOptions::default()).await
    }

    /// Makes any call with a deadline or an endpoint of its own.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub async fn call_with<C: Call>(
        &self,
        call: C,
        options: CallOptions,
    ) -> Result<C::Response, Error> {
        let response = Answer::submit(&self.handle, call, options).await?;
        Ok(C::from_response(response).expect("the core answers each call with its own response"))
    }

    /// Opens a watch. Returns once the server has confirmed it.
    ///
    /// # Errors
    ///
    /// Why it could not be opened; the reasons are those of [`WatchEnd`](etcd_core::WatchEnd).
    pub async fn watch(&self, watch: impl Into<Watch>) -> Result<Watcher, Error> {
        self.watch_with(watch, WatchOptions::default()).await
    }

    /// As [`Client::watch`], with options: what happens when the watch is not read in time.
    ///
    /// # Errors
    ///
    /// As [`Client::watch`].
    pub async fn watch_with(
        &self,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> Result<Watcher, Error> {
        Watcher::open(Arc::clone(&self.handle), watch.into(), options).await
    }

    /// Reads a range page by page, all of it at one revision, however large it is. Nothing is read
    /// before the first page is asked for.
    pub fn pages(&self, range: impl Into<Range>) -> Pages {
        Pages::new(self.clone(), range.into())
    }

    /// Observes the election of this name: who leads, and who leads next. Waits for nothing, and
    /// tells nothing while nobody leads.
    pub async fn observe(&self, name: impl IntoBytes) -> Observer {
        let observe = Observe::new(name);
        Observer::new(Source::begin(&self.handle, |core, now| {
            core.observe(now, observe)
        }))
    }

    /// Takes a snapshot of the store of any member.
    pub async fn snapshot(&self) -> Snapshot {
        self.snapshot_with(CallOptions::default()).await
    }

    /// Takes a snapshot of the store of this member.
    pub async fn snapshot_of(&self, endpoint: Endpoint) -> Snapshot {
        self.snapshot_with(CallOptions::default().with_endpoint(endpoint))
            .await
    }

    /// Takes a snapshot with a deadline or an endpoint of its own.
    pub async fn snapshot_with(&self, options: CallOptions) -> Snapshot {
        Snapshot::new(Source::begin(&self.handle, |core, now| {
            core.snapshot(now, options)
        }))
    }

    /// What this client has done since its start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.link.visit(|core, _, _| core.stats())
    }

    /// Brings other credentials for all clones, or takes them away. Open watches go on.
    pub fn set_credentials(&self, credentials: Option<Credentials>) {
        self.handle
            .link
            .visit(|core, _, now| core.set_credentials(now, credentials));
    }

    /// Takes these endpoints from now on, on all clones.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there are none, or the client's credentials may not go to one of them.
    pub fn set_endpoints(
        &self,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Result<(), ConfigError> {
        let endpoints: Vec<Endpoint> = endpoints.into_iter().collect();
        self.handle
            .link
            .visit(|core, _, now| core.set_endpoints(now, endpoints))
    }

    /// Asks for the cluster's members and takes their endpoints from now on, on all clones.
    ///
    /// # Errors
    ///
    /// Why they could not be asked for; the endpoints stay then.
    pub async fn sync(&self) -> Result<MemberListResponse, Error> {
        let answer = Answer::begin(&self.handle, |core, now| core.sync(now)).await?;
        let typed = MemberList::from_response(answer);
        Ok(typed.expect("the core answers each call with its own response"))
    }

    /// Ends everything now, on all clones: calls under way and later ones end with `Unavailable`,
    /// watches with [`WatchEnd::Shutdown`](etcd_core::WatchEnd::Shutdown).
    pub fn shutdown(&self) {
        self.handle.link.visit(|core, _, now| core.shutdown(now));
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.number()).finish()
    }
}
