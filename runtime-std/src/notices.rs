//! Notices: what the client does by itself, told to whoever was named for that.
//!
//! The core keeps them, as many as `Limits::notices` allows, until they are handed over. That is done by
//! whichever thread has just let go of the client's lock, never under it, one notice after the other and in
//! their order; another thread that has some meanwhile leaves them to the one that is at it.

use std::fmt;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::TryLockError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use etcd_core::Config;
use etcd_core::Notice;

use crate::client::Client;

/// Who is told.
type Tell = Box<dyn FnMut(Notice) + Send>;

/// Who is told of notices, if anybody is.
#[derive(Default)]
pub(crate) struct Listener {
    /// Somebody is.
    is_set: AtomicBool,
    /// There may be some that were not handed over.
    is_due: AtomicBool,
    /// Taken by the thread that hands over.
    tell: Mutex<Option<Tell>>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("is_set", &self.is_set)
            .finish_non_exhaustive()
    }
}

impl Listener {
    /// Whether anybody is told.
    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    fn set(&self, tell: Tell) {
        let before = {
            let mut place = self.tell.lock().unwrap_or_else(PoisonError::into_inner);
            self.is_set.store(true, Ordering::SeqCst);
            place.replace(tell)
        };
        // It may do anything when it is dropped.
        drop(before);
    }

    /// Hands over what there is; `take` gives one after the other, under the client's lock for that moment
    /// only.
    pub(crate) fn hand_over(&self, mut take: impl FnMut() -> Option<Notice>) {
        self.is_due.store(true, Ordering::SeqCst);
        // Whoever is at it looks once more before it is done.
        while self.is_due.load(Ordering::SeqCst) {
            let mut place = match self.tell.try_lock() {
                Ok(place) => place,
                Err(TryLockError::Poisoned(place)) => place.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            while self.is_due.swap(false, Ordering::SeqCst) {
                while let Some(notice) = take() {
                    let Some(tell) = place.as_mut() else {
                        return;
                    };
                    // It is not to take down the thread that came by, a user's or the driver's. The panic
                    // has said why by then.
                    if panic::catch_unwind(AssertUnwindSafe(|| tell(notice))).is_err() {
                        self.is_set.store(false, Ordering::SeqCst);
                        *place = None;
                        return;
                    }
                }
            }
        }
    }
}

/// Being told what it does.
impl Client {
    /// A client with this configuration that tells what it does by itself, and why: attempts, waits, changes
    /// of endpoints, connections, logins, what becomes of watches and leases ([`etcd_core::notice`]). It sets
    /// [`Config::notices`].
    ///
    /// `tell` is called without any lock of the client's, with one notice at a time and in their order, by
    /// whichever thread has just worked for the client: one that makes a call, or the helper. So it should be
    /// quick, and may not wait for this client or hold a clone of it, which would keep it alive. What it
    /// cannot keep up with is dropped beyond `Limits::notices`, and counted
    /// ([`Stats::notices_dropped`](crate::Stats)). One that panics is not called again.
    ///
    /// ```
    /// use etcd_std::{Client, Config};
    ///
    /// let config = Config::new(["http://127.0.0.1:2379"])?;
    /// let client = Client::with_notices(config, |notice| {
    ///     eprintln!("{} {notice}", notice.level());
    /// });
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_notices(mut config: Config, tell: impl FnMut(Notice) + Send + 'static) -> Self {
        config.notices = true;
        let client = Self::with_config(config);
        client.on_notice(tell);
        client
    }

    /// The same for a client that was made otherwise, with [`Config::notices`]. What it has told by now is
    /// handed over first. There is one to be told: a second one takes the place of the first. Not to be called
    /// by the one who is told, which would wait for itself.
    ///
    /// ```
    /// use etcd_std::{Client, Config};
    ///
    /// let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// config.notices = true;
    /// let client = Client::with_seed(config, 7);
    /// client.on_notice(|notice| eprintln!("{notice}"));
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn on_notice(&self, tell: impl FnMut(Notice) + Send + 'static) {
        let shared = self.handle.shared();
        shared.listener.set(Box::new(tell));
        shared.hand_over();
    }
}

/// Writes a notice to the `log` crate, with the target `etcd` and the level of the notice: to be given to
/// [`Client::with_notices`]. With the feature `log`.
///
/// ```
/// use etcd_std::{Client, Config};
///
/// let config = Config::new(["http://127.0.0.1:2379"])?;
/// let client = Client::with_notices(config, etcd_std::to_log);
/// # Ok::<(), etcd_std::ConfigError>(())
/// ```
#[cfg(feature = "log")]
#[expect(clippy::needless_pass_by_value, reason = "it is what a client calls")]
pub fn to_log(notice: Notice) {
    use etcd_core::notice::Level;
    let level = match notice.level() {
        Level::Warn => log::Level::Warn,
        Level::Info => log::Level::Info,
        Level::Debug => log::Level::Debug,
        _ => log::Level::Trace,
    };
    log::log!(target: "etcd", level, "{notice}");
}

/// Writes a notice to `tracing`, as an event with the target `etcd`, the level of the notice, its line as the
/// message, and what it is about as fields: `endpoint`, `call`, `conn`, `watch`, `stream` and `lease`, each
/// where there is one. To be given to [`Client::with_notices`]. With the feature `tracing`.
///
/// ```
/// use etcd_std::{Client, Config};
///
/// let config = Config::new(["http://127.0.0.1:2379"])?;
/// let client = Client::with_notices(config, etcd_std::to_tracing);
/// # Ok::<(), etcd_std::ConfigError>(())
/// ```
#[cfg(feature = "tracing")]
#[expect(clippy::needless_pass_by_value, reason = "it is what a client calls")]
pub fn to_tracing(notice: Notice) {
    use etcd_core::notice::Level;
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "etcd",
                tracing::Level::$level,
                endpoint = notice.endpoint().map(tracing::field::display),
                call = notice.call().map(|call| call.get()),
                conn = notice.conn().map(|conn| conn.get()),
                watch = notice.watch().map(|watch| watch.get()),
                stream = notice.stream().map(|stream| stream.get()),
                lease = notice.lease().map(|lease| lease.get()),
                "{notice}"
            )
        };
    }
    match notice.level() {
        Level::Warn => event!(WARN),
        Level::Info => event!(INFO),
        Level::Debug => event!(DEBUG),
        _ => event!(TRACE),
    }
}
