//! Several real etcds that are one cluster, each of which can be killed, paused and restarted.
//!
//! Each member is a [`Server`], with all it promises: free loopback ports, a folder of its own,
//! ended and removed when dropped. This file knows only what makes them one.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use etcd_core::StatusRequest;
use etcd_core::StatusResponse;
use etcd_core::gateway;

use crate::Server;
use crate::find;
use crate::http;
use crate::server::ATTEMPTS;
use crate::server::Place;
use crate::server::knows_no_fsync;
use crate::simulated::Part;

/// A running cluster of etcd servers.
#[derive(Debug)]
pub struct Cluster {
    binary: PathBuf,
    no_fsync: bool,
    /// The members, started or not, as the flag `--initial-cluster` lists them.
    listed: Vec<String>,
    token: String,
    /// Further flags for each member.
    further: Vec<String>,
    is_simulated: bool,
    servers: Vec<Server>,
}

impl Cluster {
    /// Starts so many members of the etcd that [`find::find`] finds and waits until all are healthy.
    pub fn start(members: usize) -> io::Result<Self> {
        Self::start_with(&find::find()?, members, &[])
    }

    /// Starts so many members of `binary`, each with these further flags, and waits until all are
    /// healthy.
    pub fn start_with(binary: &Path, members: usize, further: &[&str]) -> io::Result<Self> {
        for _ in 1..ATTEMPTS {
            let mut cluster = Self::prepare(binary, members, further)?;
            match cluster.launch() {
                Ok(()) => return Ok(cluster),
                Err(error) => {
                    // All are asked, as each that lost its port has a folder to let go of.
                    let lost = cluster.servers.iter_mut().map(Server::lost_its_port);
                    if !lost.fold(false, |any, lost| any | lost) {
                        return Err(error);
                    }
                }
            }
        }
        let mut cluster = Self::prepare(binary, members, further)?;
        cluster.launch().map(|()| cluster)
    }

    /// A member that is not started and not known to the others yet, and its peer URL. Once it was
    /// added, [`Server::restart`] starts it.
    ///
    /// Its number is the next one after the members there are.
    pub fn prepare_member(&mut self) -> io::Result<String> {
        let place = Place::find()?;
        let peer = place.peer_url();
        self.listed.push(place.as_member());
        let flags = [
            format!("--initial-cluster={}", self.listed.join(",")),
            "--initial-cluster-state=existing".to_owned(),
            self.token.clone(),
        ];
        let first = self.servers.first().and_then(Server::part);
        let part = first.map(|part| part.later(&place));
        let mut server = Server::at(place, &self.binary, self.no_fsync, flags);
        if let Some(part) = part {
            server.be(part);
        }
        self.servers.push(server);
        Ok(peer)
    }

    /// Member number `place`, counted from 0.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn server(&self, place: usize) -> &Server {
        &self.servers[place]
    }

    /// The same, to be killed or restarted.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn server_mut(&mut self, place: usize) -> &mut Server {
        &mut self.servers[place]
    }

    /// Starts member number `place` on its old data and does not wait until it is healthy, which
    /// without most of the others it does not become.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn start_again(&mut self, place: usize) -> io::Result<()> {
        let server = &mut self.servers[place];
        server.kill()?;
        server.spawn()
    }

    /// Waits until all members that were started are healthy.
    pub fn settle(&mut self) -> io::Result<()> {
        let running = |server: &&mut Server| server.pid().is_some();
        self.servers
            .iter_mut()
            .filter(running)
            .try_for_each(Server::settle)
    }

    /// The URLs clients reach the members by, those not started included.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.servers.iter().map(Server::endpoint).collect()
    }

    /// The number of the member that leads; waits until all that run agree on it.
    pub fn leader(&self) -> io::Result<usize> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let told: Vec<_> = self.servers.iter().map(status).collect();
            let leader = told.iter().flatten().map(|status| status.leader).max();
            let agreed = told.iter().flatten().all(|s| Some(s.leader) == leader);
            let place = told.iter().position(|status| {
                let own = status.as_ref().map(|status| status.header.member_id);
                own.is_some() && own == leader
            });
            if let Some(place) = place.filter(|_| agreed) {
                return Ok(place);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let waited = format!("waited {PATIENCE:?} for a leader");
        Err(io::Error::new(io::ErrorKind::TimedOut, waited))
    }

    /// The id of member number `place`, which has to run.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn member_id(&self, place: usize) -> io::Result<u64> {
        let status = status(&self.servers[place]);
        let id = status.map(|status| status.header.member_id);
        id.ok_or_else(|| io::Error::other(format!("member {place} does not tell its status")))
    }

    fn prepare(binary: &Path, members: usize, further: &[&str]) -> io::Result<Self> {
        let places = (0..members)
            .map(|_| Place::find())
            .collect::<io::Result<Vec<_>>>()?;
        let listed: Vec<_> = places.iter().map(Place::as_member).collect();
        let first = places.first();
        let token = first
            .ok_or_else(|| io::Error::other("a cluster has at least one member"))?
            .token();
        let flags: Vec<_> = [
            format!("--initial-cluster={}", listed.join(",")),
            token.clone(),
        ]
        .into_iter()
        .chain(further.iter().map(|flag| (*flag).to_owned()))
        .collect();
        let no_fsync = knows_no_fsync(binary);
        let at = |place| Server::at(place, binary, no_fsync, flags.iter().cloned());
        Ok(Self {
            binary: binary.to_owned(),
            no_fsync,
            token,
            further: further.iter().map(|flag| (*flag).to_owned()).collect(),
            is_simulated: find::is_simulated(binary),
            servers: places.into_iter().map(at).collect(),
            listed,
        })
    }

    fn launch(&mut self) -> io::Result<()> {
        if let (true, Some(first)) = (self.is_simulated, self.servers.first()) {
            let address = |server: &Server| format!("127.0.0.1:{}", server.client_port());
            let listen: Vec<_> = self.servers.iter().map(address).collect();
            let parts = Part::start_all(&self.binary, &listen, &self.further, first.log_file()?)?;
            for (server, part) in self.servers.iter_mut().zip(parts) {
                server.be(part);
            }
        }
        self.servers.iter_mut().try_for_each(Server::spawn)?;
        self.settle()
    }
}

/// What a member says of itself, if it runs and does so soon.
fn status(server: &Server) -> Option<StatusResponse> {
    server.pid()?;
    let path = "/v3/maintenance/status";
    let answer = http::post(server.client_port(), path, "{}", Duration::from_millis(500)).ok()?;
    gateway::decode_answer::<StatusRequest>(answer.status, answer.body.as_bytes()).ok()
}

const PATIENCE: Duration = Duration::from_secs(20);
