//! One lease that is kept alive, as a stream of what happens to it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Weak;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::KeepAlive;
use etcd_core::KeepAliveId;
use etcd_core::LeaseEnd;
use etcd_core::LeaseEvent;
use etcd_core::LeaseGrant;
use etcd_core::LeasePhase;
use etcd_core::LeaseState;
use etcd_core::trace::Recorded;
use futures_core::FusedStream;
use futures_core::Stream;

use crate::client::Client;
use crate::shared::Handle;
use crate::signal::replace_waker;

/// Leases that are kept alive.
impl Client {
    /// Grants a lease that ends `ttl_seconds` after its last renewal, and keeps it alive from then on.
    /// Returns once it is granted.
    ///
    /// # Errors
    ///
    /// Why there is none, as for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::Put;
    ///
    /// let lease = client.lease(10).await?;
    /// client.call(Put::new("alive", "yes").with_lease(lease.id())).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn lease(&self, ttl_seconds: i64) -> Result<Lease, Error> {
        self.lease_with(LeaseGrant::new(ttl_seconds)).await
    }

    /// The same with an id of one's own.
    ///
    /// # Errors
    ///
    /// As for [`Client::lease`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::LeaseGrant;
    ///
    /// let lease = client.lease_with(LeaseGrant::new(10).with_id(7)).await?;
    /// assert_eq!(lease.id(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn lease_with(&self, grant: LeaseGrant) -> Result<Lease, Error> {
        Lease::open(&self.handle, |core, now| core.lease(now, grant)).await
    }

    /// Keeps a lease alive that exists already. Returns once its first renewal was confirmed.
    ///
    /// # Errors
    ///
    /// As for [`Client::lease`]; where there is no such lease, with
    /// [`Known::LeaseNotFound`](crate::Known::LeaseNotFound).
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut lease = client.keep_alive(7).await?;
    /// while let Some(event) = lease.changed().await {
    ///     println!("{event:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn keep_alive(&self, lease: i64) -> Result<Lease, Error> {
        let lease = KeepAlive::new(lease);
        Lease::open(&self.handle, |core, now| core.keep_alive(now, lease)).await
    }
}

/// A lease that is kept alive. Dropping it releases the lease, which then ends with its time;
/// [`Lease::revoke`] ends it at once.
///
/// It is renewed whether or not anybody looks. As a [`Stream`] it gives what happens, the newest only
/// where one looks seldom, and its [`LeaseEvent::End`] as the last; the moments in the events are those of
/// the client's own clock, [`Lease::remaining`] is the time that is left. A renewal can be confirmed after
/// [`LeaseEvent::Expired`]: what is only valid together with the lease must stop at `Expired` all the same.
///
/// On Linux the client's clock goes on while the machine is suspended: at the first look after it
/// [`Lease::remaining`] is right, and the event comes with whatever wakes the client next. On macOS it stands
/// still, and no clock knows that a virtual machine was paused: then a lease may be gone while its
/// time here is not over, until the next renewal tells.
///
/// ```no_run
/// # smol::block_on(async {
/// use etcd_smol::LeaseEvent;
///
/// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
/// let mut lease = client.lease(10).await?;
/// while let Some(event) = lease.changed().await {
///     match event {
///         LeaseEvent::Active { ttl, .. } => println!("renewed for {ttl} s"),
///         LeaseEvent::AtRisk { .. } => println!("{:?} left", lease.remaining()),
///         LeaseEvent::Expired { .. } => println!("perhaps gone"),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(()) });
/// ```
#[must_use = "dropping a lease releases it"]
pub struct Lease {
    handle: Arc<Handle>,
    kept: KeepAliveId,
    id: i64,
    /// Whether the end was taken; then the state knows it no more.
    ended: bool,
}

impl Lease {
    async fn open(
        handle: &Arc<Handle>,
        start: impl FnOnce(&mut Recorded, Instant) -> KeepAliveId,
    ) -> Result<Self, Error> {
        let kept = handle.shared.visit(|state, now| {
            let kept = start(&mut state.core, now);
            state.leases.insert(kept, None);
            kept
        });
        let mut lease = Self {
            handle: Arc::clone(handle),
            kept,
            id: 0,
            ended: false,
        };
        poll_fn(|cx| lease.poll_begun(cx)).await?;
        Ok(lease)
    }

    /// Whether it has begun. What there is to tell is left to be told.
    fn poll_begun(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let shared = &self.handle.shared;
        let mut state = shared.lock();
        let found = state.core.lease_state(shared.clock.now(), self.kept);
        let phase = found.map(|found| found.phase);
        let old = match phase {
            Some(LeasePhase::Starting) => {
                let waker = state.leases.entry(self.kept).or_default();
                replace_waker(waker, cx.waker())
            }
            _ => None,
        };
        drop(state);
        drop(old);
        self.id = found.map_or(0, |found| found.lease);
        match phase {
            Some(LeasePhase::Starting) => Poll::Pending,
            Some(LeasePhase::Ended) | None => self.poll_event(cx).map(|event| match event {
                Some(LeaseEvent::End(end)) => Err(end.into()),
                Some(_) | None => Err(LeaseEnd::Lost.into()),
            }),
            Some(_) => Poll::Ready(Ok(())),
        }
    }

    fn look(&self) -> Option<LeaseState> {
        let shared = &self.handle.shared;
        let state = shared.lock();
        state.core.lease_state(shared.clock.now(), self.kept)
    }

    fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<LeaseEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let kept = self.kept;
        let (event, old) = self.handle.shared.visit(|state, _| {
            let event = state.core.poll_lease(kept);
            let old = match event {
                Some(LeaseEvent::End(_)) => state.leases.remove(&kept).flatten(),
                Some(_) => None,
                None => {
                    let waker = state.leases.entry(kept).or_default();
                    replace_waker(waker, cx.waker())
                }
            };
            (event, old)
        });
        drop(old);
        let Some(event) = event else {
            return Poll::Pending;
        };
        self.ended = matches!(event, LeaseEvent::End(_));
        Poll::Ready(Some(event))
    }

    /// The lease's id, for the keys that are to go with it.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// How many seconds it lasts without a renewal, perhaps more than asked for; 0 after its end.
    #[must_use]
    pub fn ttl(&self) -> i64 {
        self.look().map_or(0, |state| state.ttl)
    }

    /// What it is in at this moment.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::LeasePhase;
    ///
    /// let lease = client.lease(10).await?;
    /// assert_eq!(lease.phase(), LeasePhase::Active);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    #[must_use]
    pub fn phase(&self) -> LeasePhase {
        self.look().map_or(LeasePhase::Ended, |state| state.phase)
    }

    /// For how long from now on it certainly lasts: counted from when the last confirmed renewal was
    /// sent, less a thousandth for clocks that run differently. Nothing once it may be gone.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let lease = client.lease(10).await?;
    /// println!("{:?} to go", lease.remaining());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let until = self.look().and_then(|state| state.valid_until);
        until.map_or(Duration::ZERO, |until| {
            until - self.handle.shared.clock.now()
        })
    }

    /// What happens next: a renewal that was confirmed, time that runs out, and once its end; `None` after
    /// that. The same as the [`Stream`] gives, without its traits.
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// println!("{:?}", client.lease(10).await?.changed().await);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn changed(&mut self) -> Option<LeaseEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Stops renewing it: it ends with its time. [`Lease::changed`] tells
    /// [`LeaseEnd::Released`](crate::LeaseEnd::Released).
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let lease = client.lease(10).await?;
    /// lease.release();
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub fn release(&self) {
        self.handle
            .shared
            .visit(|state, now| state.core.release_lease(now, self.kept));
    }

    /// Ends it now, with all its keys. Dropping the future leaves the revoke on its way.
    ///
    /// # Errors
    ///
    /// What became of it: [`Known::LeaseNotFound`](crate::Known::LeaseNotFound) where it was gone
    /// already; otherwise as for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let lease = client.lease(10).await?;
    /// lease.revoke().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn revoke(mut self) -> Result<(), Error> {
        self.handle
            .shared
            .visit(|state, now| state.core.revoke_lease(now, self.kept));
        loop {
            match self.changed().await {
                Some(LeaseEvent::End(LeaseEnd::Revoked)) => return Ok(()),
                Some(LeaseEvent::End(end)) => return Err(end.into()),
                Some(_) => {}
                None => return Err(LeaseEnd::Lost.into()),
            }
        }
    }

    /// A grip on this lease for another task, to release it while somebody waits here.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let mut lease = client.lease(10).await?;
    /// let handle = lease.handle();
    /// std::thread::spawn(move || handle.release());
    /// while lease.changed().await.is_some() {}
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    #[must_use]
    pub fn handle(&self) -> LeaseHandle {
        LeaseHandle {
            client: Arc::downgrade(&self.handle),
            kept: self.kept,
        }
    }
}

impl Stream for Lease {
    type Item = LeaseEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LeaseEvent>> {
        self.get_mut().poll_event(cx)
    }
}

impl FusedStream for Lease {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.ended {
            self.handle
                .shared
                .visit(|state, now| state.forget_lease(self.kept, now));
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("id", &self.id)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Releases a lease, from another task than the one that waits for it.
///
/// It keeps neither the lease nor the client alive; once the lease has ended it does nothing.
///
/// ```no_run
/// # smol::block_on(async {
/// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
/// let mut lease = client.lease(10).await?;
/// let handle = lease.handle();
/// std::thread::spawn(move || handle.release());
/// while lease.changed().await.is_some() {}
/// # Ok::<(), Box<dyn std::error::Error>>(()) });
/// ```
#[derive(Clone)]
pub struct LeaseHandle {
    client: Weak<Handle>,
    kept: KeepAliveId,
}

impl LeaseHandle {
    /// Stops renewing the lease: it ends with its time.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.lease(10).await?.handle().release();
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub fn release(&self) {
        if let Some(client) = self.client.upgrade() {
            client
                .shared
                .visit(|state, now| state.core.release_lease(now, self.kept));
        }
    }
}

impl fmt::Debug for LeaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseHandle").field(&self.kept).finish()
    }
}
