//! The lookups themselves, for programs that have no resolver of their own.
//!
//! Both names are asked for at the same time, each on a thread, with one deadline for all of it. `system`
//! knows which name servers there are, `lookup` which of them is asked when, `exchange` the sockets, `message`
//! the bytes. Nothing is remembered from one call to the next.

mod exchange;
mod lookup;
mod message;
mod system;

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::iter;
use std::net::SocketAddr;
use std::panic;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::Endpoint;
use etcd_core::NetError;

use crate::discovery::Discovery;
use crate::error::DiscoveryError;
use crate::error::LookupError;

impl Discovery {
    /// How long [`Discovery::resolve`] may take, 5 s unless this is said.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use etcd_discovery::Discovery;
    ///
    /// // Without any time nothing is sent.
    /// let mut discovery = Discovery::new("example.com")?.with_timeout(Duration::ZERO);
    /// assert!(discovery.resolve_with(&["127.0.0.1:53".parse()?]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Looks the servers up, now and anew with each call, at the name servers of `/etc/resolv.conf`, or of this
    /// machine where it names none.
    ///
    /// It blocks the calling thread until both answers are there or the time is up. From an async program
    /// it is called where that does no harm, with smol:
    /// `smol::unblock(move || discovery.resolve()).await`. On systems without that file it ends as
    /// [`DiscoveryError::NoNameserver`]; there [`Discovery::resolve_with`] is to be used. Search lists and
    /// options in the file are not heeded.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use etcd_discovery::Discovery;
    ///
    /// // This has no time to ask anybody; leave `with_timeout` out for 5 s.
    /// let mut discovery = Discovery::new("example.com")?.with_timeout(Duration::ZERO);
    /// match discovery.resolve() {
    ///     Ok(endpoints) => println!("{endpoints:?}, but not {:?}", discovery.skipped()),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    pub fn resolve(&mut self) -> Result<Vec<Endpoint>, DiscoveryError> {
        self.resolve_with(&system::nameservers()?)
    }

    /// The same at these name servers, in their order. They have to be ones that ask others themselves, as
    /// those of a system are.
    ///
    /// ```
    /// use etcd_discovery::{Discovery, DiscoveryError};
    ///
    /// let error = Discovery::new("example.com")?.resolve_with(&[]).unwrap_err();
    /// assert!(matches!(error, DiscoveryError::NoNameserver { .. }));
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    pub fn resolve_with(
        &mut self,
        nameservers: &[SocketAddr],
    ) -> Result<Vec<Endpoint>, DiscoveryError> {
        if nameservers.is_empty() {
            return Err(DiscoveryError::NoNameserver {
                reason: "none is given".to_owned(),
            });
        }
        let begin = Instant::now();
        // No clock goes as far as the longest duration; nobody waits for a year either.
        let deadline = begin + self.timeout.min(LONGEST);
        self.restart();
        self.chance = RandomState::new().hash_one(0_u8);
        let queries: Vec<_> = iter::from_fn(|| self.poll_query()).collect();
        let answers = thread::scope(|scope| {
            let mut lookups = Vec::new();
            for query in queries {
                let name = query.name().to_owned();
                let thread = thread::Builder::new()
                    .name("etcd-discovery".to_owned())
                    .spawn_scoped(scope, move || lookup::lookup(&name, nameservers, deadline));
                lookups.push((query, thread));
            }
            let mut answers = Vec::new();
            for (query, thread) in lookups {
                let answer = match thread.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(answer)) => answer,
                    // A bug of ours stays one, and does not pass for a name server's.
                    Ok(Err(panicked)) => panic::resume_unwind(panicked),
                    Err(error) => Err(LookupError::Net(NetError::from(error))),
                };
                answers.push((query, answer));
            }
            answers
        });
        for (query, answer) in answers {
            self.handle_answer(query, answer);
        }
        self.outcome()
    }
}

/// How long it may take, unless the caller says otherwise: as long as resolvers wait for one server
/// (resolv.conf(5)), since a program that starts should not stand still for longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// What counts as for ever.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
