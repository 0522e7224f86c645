//! The command line.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use etcd_core::{Config, Credentials, Namespace};
use etcd_tests::shim::decode::{Asked, Decode};
use etcd_tls::TlsConfig;

/// What the program was started for.
pub(crate) enum Command {
    /// Answer lines.
    Serve {
        /// With which driver.
        runtime: Runtime,
        /// Of which servers, and how.
        config: Box<Config>,
        /// With which TLS, if anything was said of it.
        tls: Option<TlsConfig>,
        /// With which seed, if not by chance.
        seed: Option<u64>,
        /// Where to write a recording.
        record: Option<PathBuf>,
    },
    /// Replay a recording.
    Replay(Vec<u8>),
    /// Read the bytes of a file.
    Decode {
        /// How.
        decode: Decode,
        /// The file.
        bytes: Vec<u8>,
    },
}

/// A driver.
#[derive(Clone, Copy)]
pub(crate) enum Runtime {
    /// The blocking one.
    Std,
    /// The one on smol.
    Smol,
}

/// What was said of TLS.
#[derive(Default)]
struct Tls {
    roots: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    takes_any: bool,
}

impl Tls {
    /// Reads the files.
    fn config(self) -> Result<Option<TlsConfig>, String> {
        let mut tls = TlsConfig::builder();
        match self.roots {
            Some(roots) => tls = tls.with_root_file(roots),
            None if self.takes_any => {}
            None if self.certificate.is_none()
                && self.key.is_none()
                && self.server_name.is_none() =>
            {
                return Ok(None);
            }
            None => tls = tls.with_system_roots(),
        }
        match (self.certificate, self.key) {
            (None, None) => {}
            (Some(certificate), Some(key)) => tls = tls.with_client_files(certificate, key),
            (Some(_), None) => return Err("--cert needs --key".to_owned()),
            (None, Some(_)) => return Err("--key needs --cert".to_owned()),
        }
        if let Some(name) = self.server_name {
            tls = tls.with_server_name(name);
        }
        if self.takes_any {
            tls = tls.danger_accept_any_certificate();
        }
        tls.build()
            .map(Some)
            .map_err(|error| format!("--cacert, --cert, --key, --server-name: {error}"))
    }
}

impl Command {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with which of them.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Args(args.collect::<Vec<_>>().into_iter());
        match args.0.as_slice().first().map(String::as_str) {
            Some("decode") => {
                args.0.next();
                parse_decode(args)
            }
            Some("replay") => {
                args.0.next();
                parse_replay(args)
            }
            _ => parse_serve(args),
        }
    }
}

impl FromStr for Runtime {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "std" => Ok(Self::Std),
            "smol" => Ok(Self::Smol),
            _ => Err("there are std and smol"),
        }
    }
}

/// The arguments left.
struct Args(std::vec::IntoIter<String>);

impl Args {
    /// The value of `option`, which comes next.
    fn text(&mut self, option: &str) -> Result<String, String> {
        self.0
            .next()
            .ok_or_else(|| format!("{option} needs a value"))
    }

    /// The same, read as what it should be.
    fn value<T: FromStr<Err: Display>>(&mut self, option: &str) -> Result<T, String> {
        let text = self.text(option)?;
        text.parse()
            .map_err(|error| format!("{option} {text:?}: {error}"))
    }

    fn millis(&mut self, option: &str) -> Result<Duration, String> {
        self.value(option).map(Duration::from_millis)
    }
}

fn parse_serve(mut args: Args) -> Result<Command, String> {
    // Endpoints first, wherever they stand: the configuration begins with them.
    let mut endpoints = None;
    let mut before = args.0.as_slice().iter();
    while let Some(arg) = before.next() {
        if arg == "--endpoints" {
            endpoints = before.next();
        }
    }
    let mut runtime = None;
    let mut seed = None;
    let mut record = None;
    let mut tls = Tls::default();
    let (mut user, mut password) = (None, None);
    let endpoints = endpoints.cloned();
    let urls = endpoints.iter().flat_map(|list| list.split(','));
    let mut config = Config::new(urls).map_err(|error| format!("--endpoints: {error}"));
    while let Some(arg) = args.0.next() {
        let mut configure = |set: &mut dyn FnMut(&mut Config)| {
            if let Ok(config) = &mut config {
                set(config);
            }
        };
        match arg.as_str() {
            "--runtime" => runtime = Some(args.value(&arg)?),
            "--endpoints" => drop(args.text(&arg)?),
            "--seed" => seed = Some(args.value(&arg)?),
            "--record" => record = Some(args.text(&arg)?.into()),
            "--user" => user = Some(args.text(&arg)?),
            "--password" => password = Some(args.text(&arg)?),
            "--cacert" => tls.roots = Some(args.text(&arg)?.into()),
            "--cert" => tls.certificate = Some(args.text(&arg)?.into()),
            "--key" => tls.key = Some(args.text(&arg)?.into()),
            "--server-name" => tls.server_name = Some(args.text(&arg)?),
            "--insecure-skip-verify" => tls.takes_any = true,
            "--namespace" => {
                let namespace = Namespace::new(args.text(&arg)?);
                configure(&mut |config| config.namespace = namespace.clone());
            }
            "--api-prefix" => {
                let prefix = args.value::<etcd_core::gateway::ApiPrefix>(&arg)?;
                configure(&mut |config| config.api_prefix = prefix.clone());
            }
            "--header" => {
                let text = args.text(&arg)?;
                let (name, value) = text
                    .split_once(':')
                    .ok_or_else(|| format!("--header {text:?}: not of the form 'Name: value'"))?;
                if let Ok(config) = &mut config {
                    config
                        .add_header(name.trim(), value.trim())
                        .map_err(|error| format!("--header: {error}"))?;
                }
            }
            "--timeout-ms" => {
                let timeout = args.millis(&arg)?;
                configure(&mut |config| {
                    config.read_timeout = timeout;
                    config.write_timeout = timeout;
                });
            }
            "--connect-timeout-ms" => {
                let timeout = args.millis(&arg)?;
                configure(&mut |config| config.connect_timeout = timeout);
            }
            "--max-connections" => {
                let count = args.value::<std::num::NonZeroUsize>(&arg)?.get();
                configure(&mut |config| config.max_connections = count);
            }
            "--watch-buffer-bytes" => {
                let bytes = args.value(&arg)?;
                configure(&mut |config| config.limits.watch_buffer_bytes = bytes);
            }
            _ => return Err(format!("no option {arg:?}")),
        }
    }
    match (user, password) {
        (None, None) => {}
        (Some(user), Some(password)) => {
            if let Ok(config) = &mut config {
                Credentials::password(user, password)
                    .map(Credentials::over_plain_http)
                    .and_then(|credentials| config.set_credentials(credentials))
                    .map_err(|error| format!("--user, --password: {error}"))?;
            }
        }
        (Some(_), None) => return Err("--user needs --password".to_owned()),
        (None, Some(_)) => return Err("--password needs --user".to_owned()),
    }
    Ok(Command::Serve {
        runtime: runtime.ok_or("--runtime std or --runtime smol is needed")?,
        config: Box::new(config?),
        tls: tls.config()?,
        seed,
        record,
    })
}

fn parse_replay(mut args: Args) -> Result<Command, String> {
    let file = args.text("replay")?;
    if let Some(more) = args.0.next() {
        return Err(format!("replay takes one FILE, not {more:?} too"));
    }
    let recording = std::fs::read(&file).map_err(|error| format!("{file:?}: {error}"))?;
    Ok(Command::Replay(recording))
}

fn parse_decode(mut args: Args) -> Result<Command, String> {
    let (mut call, mut split, mut file) = (None, None, None);
    let (mut limit_body, mut count) = (None, None);
    while let Some(arg) = args.0.next() {
        match arg.as_str() {
            "--call" => call = Some(args.value::<Asked>(&arg)?),
            "--split" => split = Some(args.value(&arg)?),
            "--limit-body" => limit_body = Some(args.value(&arg)?),
            "--count" => count = Some(args.value(&arg)?),
            option if option.starts_with("--") => return Err(format!("no option {option:?}")),
            _ if file.is_none() => file = Some(arg),
            _ => return Err(format!("one file only, not {arg:?} too")),
        }
    }
    let mut decode = Decode::new(call.ok_or("decode needs --call NAME")?);
    if let Some(split) = split {
        decode = decode.with_split(split);
    }
    decode.limit_body = limit_body;
    decode.count = count;
    let file = file.ok_or("decode needs a FILE")?;
    let bytes = std::fs::read(&file).map_err(|error| format!("{file:?}: {error}"))?;
    Ok(Command::Decode { decode, bytes })
}
