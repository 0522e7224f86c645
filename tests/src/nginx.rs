//! A real reverse proxy before a server: nginx, with its own port and folder.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::find;
use crate::server::Place;

/// A running nginx; it ends, and its folder is removed, when this is dropped.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    port: u16,
    folder: PathBuf,
}

/// How answers come to the client as the server gives them.
const PASSES: &str = "proxy_http_version 1.1;\nproxy_buffering off;\nproxy_read_timeout 1h;\n";

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

impl Nginx {
    /// Passes what comes for paths below `/etcd/` on to this port of the loopback, without that part of the
    /// path. All else is nothing it has. Requests are held back until they are whole, as nginx does by default.
    ///
    /// # Errors
    ///
    /// If there is no nginx, or it does not start.
    pub fn start(server: u16) -> io::Result<Self> {
        Self::start_with(&format!(
            "location /etcd/ {{\nproxy_pass http://127.0.0.1:{server}/;\n{PASSES}}}\n\
             location / {{ return 404; }}\n"
        ))
    }

    /// Passes requests on to wherever they say they are for, in absolute form.
    ///
    /// # Errors
    ///
    /// As [`Nginx::start`].
    pub fn forwarding() -> io::Result<Self> {
        Self::start_with(&format!(
            "location / {{\nproxy_pass http://$http_host$request_uri;\n{PASSES}}}\n"
        ))
    }

    fn start_with(locations: &str) -> io::Result<Self> {
        let binary = find::nginx()?;
        let place = Place::find()?;
        let folder = place.folder().to_owned();
        fs::create_dir_all(&folder)?;
        let port = place.release();
        let at = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
            .concat();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log {at}/error.log;\n\
             events {{}}\n\
             http {{\naccess_log off;\n{temporary}\
             server {{\nlisten 127.0.0.1:{port};\n\
             {locations}}}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config)?;
        let child = find::quiet(&binary)
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(folder.join("error.log"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut nginx = Self {
            child,
            port,
            folder,
        };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > until || nginx.child.try_wait()?.is_some() {
                let log = fs::read_to_string(nginx.folder.join("error.log")).unwrap_or_default();
                return Err(io::Error::other(format!("nginx does not listen: {log}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }

    /// What leads to the server: `http://127.0.0.1:PORT/etcd`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}/etcd", self.address())
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // One that has ended already is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
