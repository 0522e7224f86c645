//! The pure machine: which names to ask for, and what their answers mean together.
//!
//! It knows no sockets and no DNS messages. `poll_query` gives each name once, `handle_answer` takes each
//! answer once, in any order; `outcome` can be had at any time, and a name without an answer counts as one
//! whose lookup failed. An outcome is never an empty list (rule B-9).

#[cfg(feature = "resolver")]
use std::time::Duration;

use etcd_core::Endpoint;

use crate::error::DiscoveryError;
use crate::error::LookupError;
use crate::name;
use crate::order;
use crate::rng::Rng;
use crate::skipped;
use crate::skipped::Skipped;
use crate::srv::Srv;

/// A search for the endpoints of a cluster, by the name of its domain.
///
/// ```
/// use etcd_discovery::{Discovery, LookupError, Srv};
///
/// let mut discovery = Discovery::new("example.com")?.with_service_name("blue")?;
/// let query = discovery.poll_query().expect("the first name");
/// assert_eq!(query.name(), "_etcd-client-ssl-blue._tcp.example.com");
/// discovery.handle_answer(query, Ok(vec![Srv::new(0, 0, 2379, "etcd.example.com.")]));
///
/// // One of the two is enough, so there is no need to wait.
/// let endpoints = discovery.outcome()?;
/// assert_eq!(endpoints[0].to_string(), "https://etcd.example.com:2379");
/// # Ok::<(), etcd_discovery::DiscoveryError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Discovery {
    /// Without a dot at its end.
    domain: String,
    service_name: Option<String>,
    allows_insecure: bool,
    /// The caller's, if there is one.
    seed: Option<u64>,
    /// What stands for a seed where the caller has none: 0 until the resolver draws one.
    pub(crate) chance: u64,
    tls: Lookup,
    plain: Lookup,
    #[cfg(feature = "resolver")]
    pub(crate) timeout: Duration,
}

impl Discovery {
    /// A search in this domain, as etcdctl's `--discovery-srv` has it. A dot at its end makes no
    /// difference: it is never looked for below another domain.
    ///
    /// ```
    /// use etcd_discovery::Discovery;
    ///
    /// assert!(Discovery::new("example.com").is_ok());
    /// assert!(Discovery::new("not a domain").is_err());
    /// ```
    pub fn new(domain: &str) -> Result<Self, DiscoveryError> {
        Ok(Self {
            domain: name::parse_domain(domain)?,
            service_name: None,
            allows_insecure: false,
            seed: None,
            chance: 0,
            tls: Lookup::Due,
            plain: Lookup::Due,
            #[cfg(feature = "resolver")]
            timeout: crate::resolve::TIMEOUT,
        })
    }

    /// Puts a suffix to the service, as etcdctl's `--discovery-srv-name` does, where a domain has several
    /// clusters. An empty name is none.
    ///
    /// ```
    /// use etcd_discovery::Discovery;
    ///
    /// let mut discovery = Discovery::new("example.com")?.with_service_name("blue")?;
    /// let names: Vec<String> = std::iter::from_fn(|| discovery.poll_query())
    ///     .map(|query| query.name().to_owned())
    ///     .collect();
    /// assert_eq!(
    ///     names,
    ///     ["_etcd-client-ssl-blue._tcp.example.com", "_etcd-client-blue._tcp.example.com"]
    /// );
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    pub fn with_service_name(mut self, name: &str) -> Result<Self, DiscoveryError> {
        self.service_name = name::parse_service_name(name, &self.domain)?;
        self.restart();
        Ok(self)
    }

    /// Also takes servers that do not speak TLS, as etcdctl's `--insecure-discovery` does.
    ///
    /// Whoever can forge or hold back a DNS answer can then have the client talk to any server, in the
    /// clear. Only for networks where that is nobody.
    ///
    /// ```
    /// use etcd_discovery::{Discovery, Srv};
    ///
    /// let mut discovery = Discovery::new("example.com")?.allow_insecure();
    /// while let Some(query) = discovery.poll_query() {
    ///     let records = vec![Srv::new(0, 0, 2379, "etcd.example.com.")];
    ///     discovery.handle_answer(query, Ok(records));
    /// }
    /// let endpoints = discovery.outcome()?;
    /// assert_eq!(endpoints[0].to_string(), "https://etcd.example.com:2379");
    /// assert_eq!(endpoints[1].to_string(), "http://etcd.example.com:2379");
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    #[must_use]
    pub const fn allow_insecure(mut self) -> Self {
        self.allows_insecure = true;
        self
    }

    /// The seed by which servers of the same priority are drawn: the same seed and the same records, in
    /// any order, give the same endpoints in the same order. Clients should have different ones, so that
    /// they spread over the servers. Without it the seed is 0, and `resolve` takes one by chance.
    ///
    /// ```
    /// use etcd_discovery::{Discovery, Srv};
    ///
    /// let first = |seed| {
    ///     let mut discovery = Discovery::new("example.com")?.with_seed(seed);
    ///     let query = discovery.poll_query().expect("the first name");
    ///     let records = ["a", "b", "c"].map(|host| Srv::new(0, 10, 2379, host));
    ///     discovery.handle_answer(query, Ok(records.to_vec()));
    ///     discovery.outcome().map(|endpoints| endpoints[0].host().to_owned())
    /// };
    /// assert_eq!(first(1)?, first(1)?);
    /// assert!((1..20).any(|seed| first(seed) != first(0)));
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The next name to ask for, each once: first that of servers with TLS, then that of those without. The
    /// second is asked for even if they are not allowed, so that an error can say that there are any.
    ///
    /// ```
    /// let mut discovery = etcd_discovery::Discovery::new("example.com")?;
    /// let query = discovery.poll_query().expect("the first name");
    /// assert_eq!(query.name(), "_etcd-client-ssl._tcp.example.com");
    /// assert!(discovery.poll_query().is_some());
    /// assert!(discovery.poll_query().is_none());
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    #[must_use]
    pub fn poll_query(&mut self) -> Option<Query> {
        let is_https = if matches!(self.tls, Lookup::Due) {
            true
        } else if matches!(self.plain, Lookup::Due) {
            false
        } else {
            return None;
        };
        *self.lookup_mut(is_https) = Lookup::Asked;
        Some(Query {
            name: self.name_of(is_https),
            is_https,
        })
    }

    /// What became of a query. An answer without records is the same as [`LookupError::NotFound`]. One to a
    /// query of another search, or of one that was begun anew since, changes nothing.
    ///
    /// ```
    /// use etcd_discovery::{Discovery, DiscoveryError, LookupError};
    ///
    /// let mut discovery = Discovery::new("example.com")?;
    /// while let Some(query) = discovery.poll_query() {
    ///     discovery.handle_answer(query, Ok(Vec::new()));
    /// }
    /// let error = discovery.outcome().unwrap_err();
    /// let none = || LookupError::NotFound;
    /// assert_eq!(error, DiscoveryError::LookupsFailed { tls: none(), plain: none() });
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    pub fn handle_answer(&mut self, query: Query, answer: Result<Vec<Srv>, LookupError>) {
        let Query { name, is_https } = query;
        let is_ours = name == self.name_of(is_https);
        let lookup = self.lookup_mut(is_https);
        if is_ours && matches!(lookup, Lookup::Asked) {
            *lookup = match answer {
                Ok(records) if records.is_empty() => Lookup::Failed(LookupError::NotFound),
                Ok(records) => Lookup::Found(records),
                Err(error) => Lookup::Failed(error),
            };
        }
    }

    /// Begins anew, for when servers may have changed: both names are due again, and the answers
    /// forgotten. What was asked is not; a late answer changes nothing until the name was asked for again.
    ///
    /// ```
    /// let mut discovery = etcd_discovery::Discovery::new("example.com")?;
    /// let query = discovery.poll_query();
    /// discovery.restart();
    /// assert_eq!(discovery.poll_query(), query);
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    pub fn restart(&mut self) {
        self.tls = Lookup::Due;
        self.plain = Lookup::Due;
    }

    /// The endpoints by what is known now, in the order to try them: those with TLS before those without,
    /// then by priority, then as the weights and the seed have it. There is at least one, and each is there
    /// once.
    ///
    /// A name that was not answered yet counts as one whose lookup failed; that is an error only if both
    /// did.
    ///
    /// ```
    /// use etcd_discovery::{Discovery, LookupError, Srv};
    ///
    /// let mut discovery = Discovery::new("example.com")?;
    /// assert!(discovery.outcome().is_err());
    ///
    /// let query = discovery.poll_query().expect("the first name");
    /// discovery.handle_answer(query, Ok(vec![Srv::new(0, 0, 2379, "etcd.example.com.")]));
    /// let query = discovery.poll_query().expect("the second name");
    /// discovery.handle_answer(query, Err(LookupError::TimedOut));
    /// assert_eq!(discovery.outcome()?.len(), 1);
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    pub fn outcome(&self) -> Result<Vec<Endpoint>, DiscoveryError> {
        let (tls, plain) = (self.tls.failure(), self.plain.failure());
        let failed = match (tls, plain) {
            (Some(tls), Some(plain)) => return Err(DiscoveryError::LookupsFailed { tls, plain }),
            (tls, plain) => tls.or(plain),
        };
        let (endpoints, skipped) = self.sorted_out();
        if endpoints.is_empty() {
            return Err(DiscoveryError::NoneUsable { skipped, failed });
        }
        Ok(endpoints)
    }

    /// The servers that the answers name and [`Discovery::outcome`] leaves out.
    ///
    /// ```
    /// use etcd_discovery::{Discovery, Srv};
    ///
    /// let mut discovery = Discovery::new("example.com")?;
    /// let query = discovery.poll_query().expect("the first name");
    /// let records = vec![Srv::new(0, 0, 2379, "etcd.example.com."), Srv::new(0, 0, 0, "b.")];
    /// discovery.handle_answer(query, Ok(records));
    /// assert_eq!(discovery.outcome()?.len(), 1);
    /// assert_eq!(discovery.skipped()[0].to_string(), "\"https://b:0\": its port is 0");
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    #[must_use]
    pub fn skipped(&self) -> Vec<Skipped> {
        self.sorted_out().1
    }

    /// The name that the servers' certificates have to be for, as etcdctl has it: the domain, since the
    /// names in the answer are whatever the answer says. None once servers without TLS are allowed, as
    /// nothing is gained then.
    ///
    /// ```
    /// use etcd_discovery::Discovery;
    ///
    /// let discovery = Discovery::new("example.com.")?;
    /// assert_eq!(discovery.server_name(), Some("example.com"));
    /// assert_eq!(discovery.allow_insecure().server_name(), None);
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        (!self.allows_insecure).then_some(&self.domain)
    }

    /// What the answers name: the endpoints in their order, and what is left out.
    fn sorted_out(&self) -> (Vec<Endpoint>, Vec<Skipped>) {
        let mut rng = Rng::new(self.seed.unwrap_or(self.chance));
        let (mut endpoints, mut left_out) = (Vec::new(), Vec::new());
        for (lookup, is_https) in [(&self.tls, true), (&self.plain, false)] {
            for record in order::ordered(lookup.records(), &mut rng) {
                match skipped::endpoint(record, is_https, self.allows_insecure) {
                    // Two records may name one server, with other weights or in capitals.
                    Ok(endpoint) if endpoints.contains(&endpoint) => {}
                    Ok(endpoint) => endpoints.push(endpoint),
                    Err(skipped) => left_out.push(skipped),
                }
            }
        }
        (endpoints, left_out)
    }

    fn name_of(&self, is_https: bool) -> String {
        let service = if is_https { name::TLS } else { name::PLAIN };
        name::query_name(service, self.service_name.as_deref(), &self.domain)
    }

    const fn lookup_mut(&mut self, is_https: bool) -> &mut Lookup {
        if is_https {
            &mut self.tls
        } else {
            &mut self.plain
        }
    }
}

/// A name whose SRV records are to be asked for.
///
/// It is handed back with its answer, so each is answered once at the most.
///
/// ```
/// let mut discovery = etcd_discovery::Discovery::new("example.com")?;
/// let query = discovery.poll_query().expect("the first name");
/// assert_eq!(query.name(), "_etcd-client-ssl._tcp.example.com");
/// # Ok::<(), etcd_discovery::DiscoveryError>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    name: String,
    is_https: bool,
}

impl Query {
    /// The name, absolute though without a dot at its end: no search list belongs behind it.
    ///
    /// ```
    /// let mut discovery = etcd_discovery::Discovery::new("example.com.")?;
    /// let names = [discovery.poll_query(), discovery.poll_query()].map(|query| {
    ///     query.expect("there are two").name().to_owned()
    /// });
    /// assert_eq!(names[1], "_etcd-client._tcp.example.com");
    /// # Ok::<(), etcd_discovery::DiscoveryError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What is known of one of the two names.
#[derive(Clone, Debug)]
enum Lookup {
    /// It is to be asked for.
    Due,
    /// It was, and the answer is not there yet.
    Asked,
    /// There are records, at least one.
    Found(Vec<Srv>),
    /// There are none.
    Failed(LookupError),
}

impl Lookup {
    fn records(&self) -> &[Srv] {
        match self {
            Self::Found(records) => records,
            Self::Due | Self::Asked | Self::Failed(_) => &[],
        }
    }

    fn failure(&self) -> Option<LookupError> {
        match self {
            Self::Due | Self::Asked => Some(LookupError::Unanswered),
            Self::Failed(error) => Some(error.clone()),
            Self::Found(_) => None,
        }
    }
}
