//! One lease that is kept alive, as a blocking iterator of what happens to it.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::sync::Weak;
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

use crate::client::Client;
use crate::client::Handle;
use crate::shared::Key;
use crate::shared::Shared;
use crate::shared::State;
use crate::watcher::Elapsed;

/// Leases that are kept alive.
impl Client {
    /// Grants a lease that ends `ttl_seconds` after its last renewal, and keeps it alive from then on.
    /// Returns once it is granted.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// use etcd_std::Put;
    ///
    /// let lease = client.lease(10)?;
    /// client.call(Put::new("alive", "yes").with_lease(lease.id()))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why there is none, as for [`Client::call`].
    pub fn lease(&self, ttl_seconds: i64) -> Result<Lease, Error> {
        self.lease_with(LeaseGrant::new(ttl_seconds))
    }

    /// The same with an id of one's own.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// use etcd_std::LeaseGrant;
    ///
    /// let lease = client.lease_with(LeaseGrant::new(10).with_id(7))?;
    /// assert_eq!(lease.id(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Client::lease`].
    pub fn lease_with(&self, grant: LeaseGrant) -> Result<Lease, Error> {
        Lease::open(&self.handle, |core, now| core.lease(now, grant))
    }

    /// Keeps a lease alive that exists already. Returns once its first renewal was confirmed.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// for event in client.keep_alive(7)? {
    ///     println!("{event:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Client::lease`]; where there is no such lease, with
    /// [`Known::LeaseNotFound`](crate::Known::LeaseNotFound).
    pub fn keep_alive(&self, lease: i64) -> Result<Lease, Error> {
        let lease = KeepAlive::new(lease);
        Lease::open(&self.handle, |core, now| core.keep_alive(now, lease))
    }
}

/// A lease that is kept alive. Dropping it releases the lease, which then ends with its time;
/// [`Lease::revoke`] ends it at once.
///
/// It is renewed whether or not anybody looks. As an iterator it gives what happens, the newest only
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
/// use etcd_std::LeaseEvent;
///
/// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
/// let mut lease = client.lease(10)?;
/// while let Some(event) = lease.changed() {
///     match event {
///         LeaseEvent::Active { ttl, .. } => println!("renewed for {ttl} s"),
///         LeaseEvent::AtRisk { .. } => println!("{:?} left", lease.remaining()),
///         LeaseEvent::Expired { .. } => println!("perhaps gone"),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a lease releases it"]
pub struct Lease {
    handle: Arc<Handle>,
    kept: KeepAliveId,
    id: i64,
    /// Whether its end was seen; nothing comes after it.
    ended: bool,
}

impl Lease {
    fn open(
        handle: &Arc<Handle>,
        start: impl FnOnce(&mut Recorded, Instant) -> KeepAliveId,
    ) -> Result<Self, Error> {
        let kept = handle.shared().start_lease(start);
        let mut lease = Self {
            handle: Arc::clone(handle),
            kept,
            id: 0,
            ended: false,
        };
        let begun = handle.shared().lease_begun(kept);
        lease.id = begun.map_or(0, |begun| begun.lease);
        if begun.is_none_or(|begun| begun.phase == LeasePhase::Ended) {
            return Err(match lease.changed() {
                Some(LeaseEvent::End(end)) => end.into(),
                Some(_) | None => LeaseEnd::Lost.into(),
            });
        }
        Ok(lease)
    }

    fn look(&self) -> Option<LeaseState> {
        let shared = self.handle.shared();
        let locked = shared.lock();
        locked.core.lease_state(shared.clock.now(), self.kept)
    }

    /// The next event, or `None` if there is none by `until` or none will ever be.
    fn take(&mut self, until: Option<Instant>) -> Option<LeaseEvent> {
        if self.ended {
            return None;
        }
        let event = self.handle.shared().next_lease_event(self.kept, until)?;
        self.ended = matches!(event, LeaseEvent::End(_));
        Some(event)
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
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// use etcd_std::LeasePhase;
    ///
    /// let lease = client.lease(10)?;
    /// assert_eq!(lease.phase(), LeasePhase::Active);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn phase(&self) -> LeasePhase {
        self.look().map_or(LeasePhase::Ended, |state| state.phase)
    }

    /// For how long from now on it certainly lasts: counted from when the last confirmed renewal was
    /// sent, less a thousandth for clocks that run differently. Nothing once it may be gone.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease(10)?;
    /// println!("{:?} to go", lease.remaining());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let until = self.look().and_then(|state| state.valid_until);
        until.map_or(Duration::ZERO, |until| {
            until - self.handle.shared().clock.now()
        })
    }

    /// Blocks until something happens: a renewal that was confirmed, time that runs out, or the end, after
    /// which there is only `None`. The same as the iterator gives.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// println!("{:?}", client.lease(10)?.changed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn changed(&mut self) -> Option<LeaseEvent> {
        self.take(None)
    }

    /// Like [`Lease::changed`], but blocks no longer than `timeout`. What comes later is not lost: the
    /// next call has it.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// use std::time::Duration;
    ///
    /// let mut lease = client.lease(10)?;
    /// match lease.changed_timeout(Duration::from_secs(1)) {
    ///     Ok(event) => println!("{event:?}"),
    ///     Err(_) => println!("all is as it was"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Elapsed`], if nothing happened.
    pub fn changed_timeout(&mut self, timeout: Duration) -> Result<Option<LeaseEvent>, Elapsed> {
        let until = self.handle.after(timeout);
        match self.take(Some(until)) {
            None if !self.ended => Err(Elapsed),
            event => Ok(event),
        }
    }

    /// Stops renewing it: it ends with its time. [`Lease::changed`] tells
    /// [`LeaseEnd::Released`](crate::LeaseEnd::Released).
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease(10)?;
    /// lease.release();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self) {
        self.handle
            .shared()
            .command(|state, now| state.core.release_lease(now, self.kept));
    }

    /// Ends it now, with all its keys, and waits for that.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let lease = client.lease(10)?;
    /// lease.revoke()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What became of it: [`Known::LeaseNotFound`](crate::Known::LeaseNotFound) where it was gone
    /// already; otherwise as for [`Client::call`].
    pub fn revoke(mut self) -> Result<(), Error> {
        self.handle
            .shared()
            .command(|state, now| state.core.revoke_lease(now, self.kept));
        loop {
            match self.changed() {
                Some(LeaseEvent::End(LeaseEnd::Revoked)) => return Ok(()),
                Some(LeaseEvent::End(end)) => return Err(end.into()),
                Some(_) => {}
                None => return Err(LeaseEnd::Lost.into()),
            }
        }
    }

    /// A grip on this lease for another thread, to release it while somebody waits here.
    ///
    /// ```no_run
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut lease = client.lease(10)?;
    /// let handle = lease.handle();
    /// std::thread::spawn(move || handle.release());
    /// while lease.changed().is_some() {}
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> LeaseHandle {
        LeaseHandle {
            client: Arc::downgrade(&self.handle),
            kept: self.kept,
        }
    }
}

impl Iterator for Lease {
    type Item = LeaseEvent;

    fn next(&mut self) -> Option<LeaseEvent> {
        self.changed()
    }
}

impl FusedIterator for Lease {}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.ended {
            self.handle
                .shared()
                .command(|state, now| state.drop_lease(now, self.kept));
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

/// Releases a lease, from another thread than the one that waits for it.
///
/// It keeps neither the lease nor the client alive; once the lease has ended it does nothing.
///
/// ```no_run
/// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
/// let mut lease = client.lease(10)?;
/// let handle = lease.handle();
/// std::thread::spawn(move || handle.release());
/// while lease.changed().is_some() {}
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    /// # let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.lease(10)?.handle().release();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self) {
        if let Some(client) = self.client.upgrade() {
            client
                .shared()
                .command(|state, now| state.core.release_lease(now, self.kept));
        }
    }
}

impl fmt::Debug for LeaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseHandle").field(&self.kept).finish()
    }
}

impl Shared {
    /// Begins to keep a lease alive. The helper looks after it while nobody waits.
    fn start_lease(
        &self,
        start: impl FnOnce(&mut Recorded, Instant) -> KeepAliveId,
    ) -> KeepAliveId {
        let (mut locked, now) = self.begin();
        let kept = start(&mut locked.core, now);
        locked.leases.insert(kept);
        locked.drain(now);
        locked.hand_on();
        kept
    }

    /// Waits until it has begun or ended. What there is to tell is left to be told.
    fn lease_begun(&self, kept: KeepAliveId) -> Option<LeaseState> {
        let locked = self.lock();
        let now = self.clock.now();
        let begun = |state: &mut State, now| {
            let found = state.core.lease_state(now, kept);
            let starts = found.is_some_and(|found| found.phase == LeasePhase::Starting);
            (!starts).then_some(found)
        };
        self.wait(locked, now, Key::Lease(kept), None, begun)
            .flatten()
    }

    /// Waits for the next event of a lease, until `until` at the latest.
    fn next_lease_event(&self, kept: KeepAliveId, until: Option<Instant>) -> Option<LeaseEvent> {
        let locked = self.lock();
        let now = self.clock.now();
        self.wait(locked, now, Key::Lease(kept), until, |state, _| {
            let event = state.core.poll_lease(kept)?;
            if matches!(event, LeaseEvent::End(_)) {
                state.leases.remove(&kept);
            }
            state.write_log();
            Some(event)
        })
    }
}

impl State {
    /// Leaves a lease to its time whose owner wants nothing more of it. One that is being revoked is
    /// forgotten once that has come to its end.
    fn drop_lease(&mut self, now: Instant, kept: KeepAliveId) {
        self.leases.remove(&kept);
        self.core.release_lease(now, kept);
        while self.core.poll_lease(kept).is_some() {}
    }
}
