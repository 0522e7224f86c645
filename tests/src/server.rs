//! One real etcd of a test's own, on free loopback ports, with its own data.
//!
//! The process is started as it is and watched from outside: it is healthy when `/health` says
//! so, and gone when it has been waited for. Its folder, `target/etcd/run/<our pid>-<number>`,
//! holds data, log and process number; dropping the server removes it. What a test process that
//! was itself killed left behind is removed, and its server ended, by the next process that
//! starts one. Signals go only to a process that has not been waited for yet, so its number
//! cannot have passed to another.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Once;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::WaitId;
use rustix::process::WaitIdOptions;
use rustix::process::kill_process;
use rustix::process::waitid;

use crate::find;
use crate::http;
use crate::ports::Ports;
use crate::simulated::Part;
use crate::sockets;

/// A running etcd, or one that was killed or stopped and can be restarted.
#[derive(Debug)]
pub struct Server {
    /// The program and what it is started with, the same at each restart.
    binary: PathBuf,
    args: Vec<String>,
    /// Data, log and process number; ours alone.
    folder: PathBuf,
    client_port: u16,
    /// The port for clients with TLS, if it has one.
    tls_port: Option<u16>,
    /// The process, until it has been waited for.
    child: Option<Child>,
    /// What it is instead of a process of its own, as a member of a simulated cluster.
    part: Option<Part>,
    /// Whether `folder` stays for somebody to read the log: only after a start that went wrong.
    keep_folder: bool,
}

impl Server {
    /// Starts the etcd that [`find::find`] finds and waits until it is healthy.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&find::find()?, &[])
    }

    /// Starts `binary` with further flags, such as `--max-request-bytes=4096`, and waits until it
    /// is healthy.
    pub fn start_with(binary: &Path, further: &[&str]) -> io::Result<Self> {
        let no_fsync = knows_no_fsync(binary);
        for _ in 1..ATTEMPTS {
            let mut server = Self::prepare(binary, no_fsync, further)?;
            match server.launch() {
                Ok(()) => return Ok(server),
                // Somebody took one of the ports between our letting go and etcd's taking it.
                Err(_) if server.lost_its_port() => {}
                Err(error) => return Err(error),
            }
        }
        let mut server = Self::prepare(binary, no_fsync, further)?;
        server.launch()?;
        Ok(server)
    }

    /// Starts `binary` with a second port for clients, where it speaks TLS, and further flags:
    /// `--cert-file` and `--key-file` at least. Without TLS it can still be asked what is true.
    pub fn start_with_tls(binary: &Path, further: &[&str]) -> io::Result<Self> {
        Self::start_listening(binary, further, || {
            // Held only until all ports are known, as another process may take any of them anyway.
            let tls = Ports::hold()?.release();
            Ok((format!("https://127.0.0.1:{tls}"), Some(tls)))
        })
    }

    /// Starts `binary` so that it also listens on a socket of the file system, [`Server::socket`].
    pub fn start_with_socket(binary: &Path) -> io::Result<Self> {
        Self::start_with_url(binary, &format!("unix://{SOCKET}"))
    }

    /// Starts `binary` so that it also listens there. Without that it can still be asked what is true.
    pub fn start_with_url(binary: &Path, url: &str) -> io::Result<Self> {
        Self::start_listening(binary, &[], || Ok((url.to_owned(), None)))
    }

    /// Starts `binary` so that it listens at a second URL, too, and at the port with TLS that is in it.
    fn start_listening(
        binary: &Path,
        further: &[&str],
        second: impl Fn() -> io::Result<(String, Option<u16>)>,
    ) -> io::Result<Self> {
        let no_fsync = knows_no_fsync(binary);
        let mut attempt = 1;
        loop {
            let (url, tls_port) = second()?;
            let mut server = Self::prepare(binary, no_fsync, further)?;
            let plain = server.endpoint();
            let listen = format!("--listen-client-urls={plain},{url}");
            server.args.push(listen);
            server.tls_port = tls_port;
            match server.launch() {
                Ok(()) => return Ok(server),
                Err(_) if attempt < ATTEMPTS && server.lost_its_port() => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Where its socket is, if it was started with one.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    /// Starts the server again on the same ports and data and waits until it is healthy; one that
    /// still runs is killed first.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.launch()
    }

    /// Kills the server (SIGKILL) and waits for its end; nothing if it does not run.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(part) = &mut self.part {
            return part.kill();
        }
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        child.kill()?;
        child.wait().map(drop)
    }

    /// Asks the server to end (SIGTERM) and waits until it has; one that takes longer than 20
    /// seconds is killed, which is an error. Nothing if it does not run.
    pub fn stop(&mut self) -> io::Result<()> {
        if let Some(part) = &mut self.part {
            return part.kill();
        }
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        let pid = Pid::from_child(child);
        kill_process(pid, Signal::TERM)?;
        // A paused server hears the first signal only after the second.
        kill_process(pid, Signal::CONT)?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if child.try_wait()?.is_some() {
                self.child = None;
                return Ok(());
            }
            thread::sleep(LOOK_EVERY);
        }
        self.kill()?;
        let waited = format!("waited {PATIENCE:?} for etcd to end by SIGTERM, then killed it");
        Err(io::Error::new(io::ErrorKind::TimedOut, waited))
    }

    /// Suspends the server (SIGSTOP) and waits until all its threads stand still: the system still
    /// accepts its connections, nobody answers.
    pub fn pause(&self) -> io::Result<()> {
        if let Some(part) = &self.part {
            return part.order("pause");
        }
        let pid = self.signal(Signal::STOP)?;
        // Only looked at, not taken: `Child` is to find a process that ended instead.
        let look = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(pid), look)? {
            Some(status) if status.stopped() => Ok(()),
            _ => Err(io::Error::other("etcd has ended")),
        }
    }

    /// Lets a paused server go on (SIGCONT).
    pub fn resume(&self) -> io::Result<()> {
        if let Some(part) = &self.part {
            return part.order("resume");
        }
        self.signal(Signal::CONT).map(drop)
    }

    /// The URL clients reach it by, `http://127.0.0.1:PORT`; the same after a restart.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port)
    }

    /// The port for clients with TLS, of a server that was started with one.
    #[must_use]
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// The port for clients; the same after a restart.
    #[must_use]
    pub fn client_port(&self) -> u16 {
        self.client_port
    }

    /// The process number, unless it was killed or stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        if let Some(part) = &self.part {
            return part.pid();
        }
        self.child.as_ref().map(Child::id)
    }

    /// The folder of its data and its log (`etcd.log`), removed when the server is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version the server tells at `/version`, for instance `3.4.23`.
    pub fn version(&self) -> io::Result<String> {
        let answer = http::get(self.client_port, "/version", PATIENCE)?;
        let version = answer
            .body
            .split_once(r#""etcdserver":""#)
            .and_then(|(_, behind)| behind.split_once('"'))
            .map(|(version, _)| version.to_owned());
        version.ok_or_else(|| io::Error::other(format!("/version answered {}", answer.body)))
    }

    /// How many established connections process `pid` has to the server's client port; none if
    /// that process is gone. The server's connections to itself do not count.
    ///
    /// # Panics
    ///
    /// If the system does not let us see that process's sockets.
    #[must_use]
    pub fn connections_from(&self, pid: u32) -> usize {
        sockets::connections(pid, self.client_port)
            .unwrap_or_else(|error| panic!("cannot see the sockets of process {pid}: {error}"))
    }

    /// A server on its own, not started yet.
    fn prepare(binary: &Path, no_fsync: bool, further: &[&str]) -> io::Result<Self> {
        let place = Place::find()?;
        let cluster = [place.in_cluster(), place.token()];
        let further = further.iter().map(|flag| (*flag).to_owned());
        let flags = cluster.into_iter().chain(further);
        Ok(Self::at(place, binary, no_fsync, flags))
    }

    /// A server at its place, not started yet: everything that is fixed before the first start.
    /// Which cluster it is in is for `further` to say.
    pub(crate) fn at(
        place: Place,
        binary: &Path,
        no_fsync: bool,
        further: impl IntoIterator<Item = String>,
    ) -> Self {
        let Place { name, folder, .. } = &place;
        let (client, peer) = (place.client_url(), place.peer_url());
        let mut args = vec![
            format!("--name={name}"),
            format!("--data-dir={}", folder.join("data").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
        ];
        if no_fsync {
            args.push(NO_FSYNC.to_owned());
        }
        args.extend(further);
        Self {
            binary: binary.to_owned(),
            args,
            folder: place.folder,
            client_port: place.ports.release(),
            tls_port: None,
            child: None,
            part: None,
            keep_folder: false,
        }
    }

    /// Starts the process and waits until it is healthy.
    pub(crate) fn launch(&mut self) -> io::Result<()> {
        self.spawn()?;
        self.settle()
    }

    /// Starts the process and does not wait: a member alone is not healthy before others are there.
    pub(crate) fn spawn(&mut self) -> io::Result<()> {
        if let Some(part) = &mut self.part {
            return if part.runs { Ok(()) } else { part.start() };
        }
        let log = self.log_file()?;
        let child = find::quiet(&self.binary)
            .args(&self.args)
            // Where it makes the sockets it is told to listen on.
            .current_dir(&self.folder)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| {
                let binary = self.binary.display();
                io::Error::new(error.kind(), format!("cannot run {binary}: {error}"))
            })?;
        let pid = self.child.insert(child).id();
        fs::write(self.folder.join(PID), pid.to_string())
    }

    /// Waits until the process that was started is healthy; it is killed if it does not become so.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.wait_until_healthy().or_else(|error| {
            self.kill()?;
            self.keep_folder = true;
            let (log, end) = (self.folder.join(LOG), self.end_of_log());
            let told = format!("{error}; the end of {}:\n{end}", log.display());
            Err(io::Error::new(error.kind(), told))
        })
    }

    fn wait_until_healthy(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut last = String::from("nothing asked yet");
        while Instant::now() < until {
            let health = http::get(self.client_port, "/health", Duration::from_secs(2));
            // Looked at after the answer: another server could have answered on our port.
            let ended = match &mut self.child {
                Some(child) => child.try_wait()?,
                // A member of a simulated cluster, which says itself if it does not start.
                None => None,
            };
            if let Some(status) = ended {
                return Err(io::Error::other(format!(
                    "etcd ended with {status} at its start"
                )));
            }
            last = match health {
                Ok(answer) if answer.body.contains(r#""health":"true""#) => return Ok(()),
                Ok(answer) => format!("{} {}", answer.status, answer.body.trim_end()),
                Err(error) => error.to_string(),
            };
            thread::sleep(LOOK_EVERY);
        }
        let asked = format!("{}/health", self.endpoint());
        let waited = format!("waited {PATIENCE:?} for {asked} to say true, at last: {last}");
        Err(io::Error::new(io::ErrorKind::TimedOut, waited))
    }

    /// Makes it a member of a simulated cluster.
    pub(crate) fn be(&mut self, part: Part) {
        self.part = Some(part);
    }

    /// What it is in a simulated cluster, if it is in one.
    pub(crate) fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }

    /// The file that its process is to write to.
    pub(crate) fn log_file(&self) -> io::Result<File> {
        let path = self.folder.join(LOG);
        File::options().create(true).append(true).open(path)
    }

    fn signal(&self, signal: Signal) -> io::Result<Pid> {
        let child = self
            .child
            .as_ref()
            .ok_or_else(|| io::Error::other("etcd does not run"))?;
        let pid = Pid::from_child(child);
        kill_process(pid, signal)?;
        Ok(pid)
    }

    /// Whether a start failed since somebody else took a port of it; then its folder goes after all.
    pub(crate) fn lost_its_port(&mut self) -> bool {
        let lost = self.log().contains("address already in use");
        self.keep_folder &= !lost;
        lost
    }

    fn log(&self) -> String {
        let bytes = fs::read(self.folder.join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Where a server is going to live: a folder, a name, and two ports that are held.
pub(crate) struct Place {
    name: String,
    folder: PathBuf,
    ports: Ports,
}

impl Place {
    /// Its folder, which is there.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets go of its ports and tells one of them.
    pub(crate) fn release(self) -> u16 {
        self.ports.release()
    }

    pub(crate) fn find() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        LEFTOVERS.call_once(remove_leftovers);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", std::process::id());
        let folder = runs().join(&name);
        fs::create_dir_all(&folder)?;
        let ports = Ports::hold()?;
        Ok(Self {
            name,
            folder,
            ports,
        })
    }

    fn client_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.client())
    }

    /// The URL its peers are going to reach it by.
    pub(crate) fn peer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.peer())
    }

    /// Where clients are going to reach it.
    pub(crate) fn client_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.client())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How it stands in the flag that lists a cluster's members.
    pub(crate) fn as_member(&self) -> String {
        format!("{}={}", self.name, self.peer_url())
    }

    /// The flag of a cluster that has this member only.
    fn in_cluster(&self) -> String {
        format!("--initial-cluster={}", self.as_member())
    }

    /// The flag that keeps clusters apart.
    pub(crate) fn token(&self) -> String {
        let (name, port) = (&self.name, self.ports.client());
        format!("--initial-cluster-token=etcd-tests-{name}-{port}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!(
                "etcd on port {} could not be killed: {error}",
                self.client_port
            );
        }
        if thread::panicking() {
            eprintln!("the end of the log of etcd on port {}:", self.client_port);
            eprintln!("{}", self.end_of_log());
        }
        if !self.keep_folder {
            // What could not be removed now is a leftover for the next process.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn runs() -> PathBuf {
    find::folder().join("run")
}

/// Whether `binary` takes the flag that saves its fsyncs. Killing a process loses no written
/// data with it, only a crash of the machine would. Not every version that takes it lists it.
pub(crate) fn knows_no_fsync(binary: &Path) -> bool {
    let tried = find::quiet(binary).args([NO_FSYNC, "--version"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// Ends and removes what test processes left behind that are no more. Nobody waits for it and
/// nothing depends on it, so whatever goes wrong here is left to the next one.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(runs()) else {
        return;
    };
    for folder in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let owner = folder
            .file_name()
            .and_then(|name| name.to_str()?.split_once('-')?.0.parse::<u32>().ok());
        // A folder under our own number is from an earlier process of that number: this runs
        // before we make our first.
        let gone = owner.is_some_and(|owner| {
            owner == std::process::id() || !Path::new(&format!("/proc/{owner}")).exists()
        });
        if gone {
            end_leftover(&folder);
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn end_leftover(folder: &Path) {
    let Ok(pid) = fs::read_to_string(folder.join(PID)) else {
        return;
    };
    let Ok(command) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return;
    };
    // The number may have passed to another process: only one that runs on this data is meant.
    let data = format!("--data-dir={}", folder.join("data").display());
    let ours = command
        .split(|byte| *byte == 0)
        .any(|arg| arg == data.as_bytes());
    if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw).filter(|_| ours) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Its socket of the file system. etcd wants a host and a port, and makes a file of that name.
const SOCKET: &str = "etcd.sock:1";

static LEFTOVERS: Once = Once::new();
pub(crate) const ATTEMPTS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const NO_FSYNC: &str = "--unsafe-no-fsync";
const LOG: &str = "etcd.log";
const PID: &str = "etcd.pid";
