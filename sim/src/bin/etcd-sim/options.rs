//! The command line: `serve` with its own options, or etcd's flags, so that the program can stand in
//! for an etcd where a test starts one.

use core::time::Duration;
use std::net::SocketAddr;

use etcd_core::Version;
use etcd_sim::etcd::Setup;
use etcd_sim::serve::Options;

/// The variable that says which etcd to be where no option does. It does not begin with `ETCD_`,
/// since those are etcd's own.
pub(crate) const VERSION: &str = "SIM_ETCD_VERSION";

const DEFAULT_VERSION: Version = Version::new(3, 5, 16);

const HELP: &str = "\
Usage: etcd-sim serve [OPTION…]
       etcd-sim --data-dir=DIR --listen-client-urls=http://IP:PORT [ETCD'S FLAGS…]

Serves a simulated etcd, or a cluster of them, until it is killed.

  --listen IP:PORT     where the first member listens, then the second, and so on;
                       without it on a free port of 127.0.0.1, which is printed
  --members N          how many members the cluster has; 1 by default
  --version X.Y.Z      which etcd to be; SIM_ETCD_VERSION, or else 3.5.16
  --data-dir DIR       where all that happens is written down, so that the data outlive
                       the process; without it they do not
  --seed N             what ids and tokens follow from

All options may be written --name value or --name=value. Of etcd's flags those about clients,
data, tokens, limits and election timeouts count, and those about names, peers and files are
accepted.";

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Serve(Box<Options>),
    /// Print this and end.
    Say(String),
}

/// etcd's flags that change nothing here. Those without a value end with nothing, others with `=`.
const IGNORED: &[&str] = &[
    "--name=",
    "--advertise-client-urls=",
    "--listen-peer-urls=",
    "--initial-advertise-peer-urls=",
    "--initial-cluster=",
    "--initial-cluster-token=",
    "--initial-cluster-state=",
    "--snapshot-count=",
    "--heartbeat-interval=",
    "--logger=",
    "--log-level=",
    "--log-outputs=",
    "--unsafe-no-fsync",
];

/// What the arguments ask for; `version` is what the environment says.
pub(crate) fn parse(arguments: Vec<String>, version: Option<&str>) -> Result<Command, String> {
    let version = version.map_or(Ok(DEFAULT_VERSION), parse_version)?;
    let mut arguments = arguments.into_iter().peekable();
    let is_etcd = arguments
        .peek()
        .is_some_and(|first| first.starts_with("--"));
    match arguments.peek().map(String::as_str) {
        None | Some("--help" | "-h" | "help") => return Ok(Command::Say(HELP.to_owned())),
        Some("serve") => drop(arguments.next()),
        Some(_) if is_etcd => {}
        Some(other) => return Err(format!("there is no command {other}; try --help")),
    }
    let mut options = Options::new(Setup::new(version.clone()));
    let mut chosen = version;
    let mut members = 1;
    let mut changes: Vec<Box<dyn Fn(&mut Setup)>> = Vec::new();
    while let Some(argument) = arguments.next() {
        if is_ignored(&argument) {
            if !argument.contains('=') && argument != "--unsafe-no-fsync" {
                arguments.next();
            }
            continue;
        }
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        if name == "--version" && is_etcd && value.is_none() {
            return Ok(Command::Say(format!(
                "etcd Version: {chosen}\nGit SHA: etcd-sim"
            )));
        }
        let value = value.or_else(|| arguments.next());
        let value = value.ok_or_else(|| format!("{name} needs a value"))?;
        let bad = || format!("{name} cannot be {value}");
        match &*name {
            "--listen" => options.listen.push(value.parse().map_err(|_| bad())?),
            "--listen-client-urls" => {
                for url in value.split(',') {
                    let address = url.strip_prefix("http://").unwrap_or(url);
                    let address: SocketAddr = address.parse().map_err(|_| bad())?;
                    options.listen.push(address);
                }
            }
            "--members" => {
                members = value.parse().map_err(|_| bad())?;
                if !(1..=9).contains(&members) {
                    return Err(format!("--members is from 1 to 9, not {members}"));
                }
            }
            "--version" => chosen = parse_version(&value)?,
            "--data-dir" => options.data_dir = Some(value.into()),
            "--seed" => options.seed = Some(value.parse().map_err(|_| bad())?),
            "--auth-token-ttl" => {
                let seconds = value.parse().map_err(|_| bad())?;
                changes.push(Box::new(move |setup| {
                    setup.token_ttl = Duration::from_secs(seconds);
                }));
            }
            "--quota-backend-bytes" => {
                let bytes = value.parse().map_err(|_| bad())?;
                changes.push(Box::new(move |setup| setup.quota_bytes = bytes));
            }
            "--max-request-bytes" => {
                let bytes = value.parse().map_err(|_| bad())?;
                changes.push(Box::new(move |setup| setup.max_request_bytes = bytes));
            }
            "--max-txn-ops" => {
                let operations = value.parse().map_err(|_| bad())?;
                changes.push(Box::new(move |setup| setup.max_txn_ops = operations));
            }
            "--election-timeout" => {
                let millis = value.parse().map_err(|_| bad())?;
                changes.push(Box::new(move |setup| {
                    setup.election_timeout = Duration::from_millis(millis);
                }));
            }
            _ => return Err(format!("there is no option {name}; try --help")),
        }
    }
    let mut setup = Setup::new(chosen).with_members(members);
    // Nobody looks for what a write waits for here.
    setup.commit_latency = Duration::from_micros(200);
    setup.keep_log = false;
    for change in changes {
        change(&mut setup);
    }
    options.setup = setup;
    Ok(Command::Serve(Box::new(options)))
}

fn is_ignored(argument: &str) -> bool {
    IGNORED.iter().any(|flag| match flag.strip_suffix('=') {
        Some(name) => argument == name || argument.starts_with(flag),
        None => argument == *flag,
    })
}

fn parse_version(text: &str) -> Result<Version, String> {
    let version = text.parse();
    version.map_err(|_| format!("{text} is no version of etcd, such as 3.5.16"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let arguments = line.split_whitespace().map(str::to_owned).collect();
        parse(arguments, Some("3.4.23"))
    }

    fn served(line: &str) -> Options {
        match parsed(line) {
            Ok(Command::Serve(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_say_what_is_served_and_where() {
        let options = served("serve --listen 127.0.0.1:1 --listen=127.0.0.1:2 --members 3");
        assert_eq!(options.setup.members, 3);
        assert_eq!(options.setup.version, Version::new(3, 4, 23));
        assert_eq!(options.listen.len(), 2);
        let options = served("serve --version 3.6.1 --seed=7 --data-dir d");
        assert_eq!(options.setup.version, Version::new(3, 6, 1));
        assert_eq!(
            (options.seed, options.data_dir),
            (Some(7), Some("d".into()))
        );
    }

    #[test]
    fn it_stands_in_for_an_etcd() {
        let options = served(
            "--name=n --data-dir=/tmp/d --listen-client-urls=http://127.0.0.1:5 \
             --listen-peer-urls=http://127.0.0.1:6 --auth-token-ttl=2 --snapshot-count 5 \
             --unsafe-no-fsync --max-txn-ops=4",
        );
        assert_eq!(options.listen, ["127.0.0.1:5".parse().unwrap()]);
        assert_eq!(options.setup.token_ttl, Duration::from_secs(2));
        assert_eq!(options.setup.max_txn_ops, 4);
        let Ok(Command::Say(text)) = parsed("--unsafe-no-fsync --version") else {
            panic!("a version")
        };
        assert!(text.starts_with("etcd Version: 3.4.23\n"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, said) in [
            ("serve --lisen x", "there is no option --lisen"),
            ("serve --listen x", "--listen cannot be x"),
            ("serve --members 0", "--members is from 1 to 9"),
            ("serve --seed", "--seed needs a value"),
            ("serve --version three", "three is no version"),
            ("server", "there is no command server"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.starts_with(said), "{line}: {error}");
        }
    }
}
