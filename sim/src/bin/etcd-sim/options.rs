//! The command line: `serve` with its own options, or etcd's flags, so that the program can stand in
//! for an etcd where a test starts one.

use core::str::FromStr;
use core::time::Duration;

use etcd_core::Version;
use etcd_sim::etcd::{Place, Setup};
use etcd_sim::serve::Options;

/// The variable that says which etcd to be where no option does. It does not begin with `ETCD_`,
/// since those are etcd's own.
pub(crate) const VERSION: &str = "SIM_ETCD_VERSION";

const DEFAULT_VERSION: Version = Version::new(3, 5, 16);

const HELP: &str = "\
Usage: etcd-sim serve [OPTION…]
       etcd-sim --data-dir=DIR --listen-client-urls=http://IP:PORT [ETCD'S FLAGS…]

Serves a simulated etcd, or a cluster of them, until it is killed or told to end (SIGTERM).

  --listen IP:PORT     where the first member listens, then the second, and so on;
                       without it on a free port of 127.0.0.1, which is printed
  --members N          how many members the cluster has; 1 by default
  --version X.Y.Z      which etcd to be; SIM_ETCD_VERSION, or else 3.5.16
  --data-dir DIR       where all that happens is written down, so that the data outlive
                       the process; without it they do not
  --seed N             what ids and tokens follow from
  --orders             take orders from standard input, a line each, until its end:
                       stop N, start N, pause N, resume N: one member, counted from 0;
                       join PEER-URL IP:PORT NAME: a member that was added.
                       Each is answered by a line, which begins with error: if it failed

All options may be written --name value or --name=value. Of etcd's flags those about clients,
data, tokens, limits and election timeouts count, those about names and addresses are what the
list of members tells, and those about files are accepted. A cluster is one process: --members.";

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Serve(Box<Options>),
    /// Print this and end.
    Say(String),
}

/// etcd's flags that change nothing here.
const IGNORED: &[&str] = &[
    "--listen-peer-urls",
    "--initial-cluster",
    "--initial-cluster-token",
    "--initial-cluster-state",
    "--snapshot-count",
    "--heartbeat-interval",
    "--logger",
    "--log-level",
    "--log-outputs",
];

/// The one of them that has no value.
const NO_VALUE: &str = "--unsafe-no-fsync";

const ORDERS: &str = "--orders";

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
    let mut pairs = Vec::new();
    let (mut says_version, mut takes_orders) = (false, false);
    while let Some(argument) = arguments.next() {
        if is_etcd && argument == "--version" {
            says_version = true;
            continue;
        }
        if argument == NO_VALUE {
            continue;
        }
        if argument == ORDERS {
            takes_orders = true;
            continue;
        }
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => {
                let value = arguments.next();
                let value = value.ok_or_else(|| format!("{argument} needs a value"))?;
                (argument, value)
            }
        };
        pairs.push((name, value));
    }
    // What else is set is set on what this one comes with.
    let chosen = pairs.iter().rfind(|(name, _)| name == "--version");
    let version = chosen.map_or(Ok(version), |(_, value)| parse_version(value))?;
    if says_version {
        let text = format!("etcd Version: {version}\nGit SHA: etcd-sim");
        return Ok(Command::Say(text));
    }
    let mut setup = Setup::new(version);
    setup.commit_latency = Duration::ZERO;
    setup.keep_log = false;
    let mut options = Options::new(setup);
    options.takes_orders = takes_orders;
    for (name, value) in &pairs {
        set(&mut options, name, value)?;
    }
    Ok(Command::Serve(Box::new(options)))
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    fn read<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
        let read = value.parse();
        read.map_err(|_| format!("{name} cannot be {value}"))
    }
    let setup = &mut options.setup;
    match name {
        "--version" => {}
        "--listen" => options.listen.push(read(name, value)?),
        "--listen-client-urls" => {
            for url in value.split(',') {
                let address = url.strip_prefix("http://").unwrap_or(url);
                options.listen.push(read(name, address)?);
            }
        }
        "--members" => {
            setup.members = read(name, value)?;
            if !(1..=9).contains(&setup.members) {
                return Err(format!("--members is from 1 to 9, not {value}"));
            }
        }
        "--name" => place(setup).name = value.to_owned(),
        "--initial-advertise-peer-urls" => {
            place(setup).peer_url = value.to_owned();
        }
        "--advertise-client-urls" => place(setup).client_url = value.to_owned(),
        "--host-whitelist" => {
            options.front = options.front.clone().with_hosts(value.split(','));
        }
        "--enable-grpc-gateway" => options.front.has_gateway = read(name, value)?,
        "--data-dir" => options.data_dir = Some(value.into()),
        "--seed" => options.seed = Some(read(name, value)?),
        "--auth-token" => {
            let mut parts = value.split(',');
            setup.signs_tokens = match parts.next() {
                Some("jwt") => true,
                Some("simple") => false,
                _ => return Err(format!("{name} is simple or jwt, not {value}")),
            };
            // The key and the method are not needed: nobody checks a signature.
            if let Some(ttl) = parts.find_map(|part| part.strip_prefix("ttl=")) {
                let ttl = parse_duration(ttl).ok_or_else(|| format!("{name} cannot be {value}"))?;
                setup.token_ttl = ttl;
            }
        }
        "--auth-token-ttl" => setup.token_ttl = Duration::from_secs(read(name, value)?),
        "--quota-backend-bytes" => setup.quota_bytes = read(name, value)?,
        "--max-request-bytes" => setup.max_request_bytes = read(name, value)?,
        "--max-txn-ops" => setup.max_txn_ops = read(name, value)?,
        "--election-timeout" => {
            setup.election_timeout = Duration::from_millis(read(name, value)?);
        }
        _ if IGNORED.contains(&name) => {}
        _ => return Err(format!("there is no option {name}; try --help")),
    }
    Ok(())
}

/// A number of seconds, minutes or hours, such as `10m`.
fn parse_duration(text: &str) -> Option<Duration> {
    let number: u32 = text.get(..text.len().checked_sub(1)?)?.parse().ok()?;
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        _ => return None,
    };
    Some(Duration::from_secs(unit) * number)
}

/// The place of the one member that etcd's flags are about.
fn place(setup: &mut Setup) -> &mut Place {
    if setup.places.is_empty() {
        setup.places.push(Place::new("default", "", ""));
    }
    &mut setup.places[0]
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
        let place = &options.setup.places[0];
        assert_eq!((&*place.name, &*place.client_url), ("n", ""));
        let options = served(
            "--auth-token=jwt,sign-method=HS256,ttl=10m --enable-grpc-gateway=false \
             --host-whitelist=a,b --advertise-client-urls=http://a:1",
        );
        assert!(options.setup.signs_tokens && !options.front.has_gateway);
        assert_eq!(options.setup.token_ttl, Duration::from_secs(600));
        assert_eq!(options.front.hosts, ["a", "b"]);
        assert_eq!(options.setup.places[0].client_url, "http://a:1");
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
            ("serve --auth-token=jwt,ttl=soon", "--auth-token cannot be"),
            ("serve --auth-token=none", "--auth-token is simple or jwt"),
            ("serve --seed", "--seed needs a value"),
            ("serve --version three", "three is no version"),
            ("server", "there is no command server"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.starts_with(said), "{line}: {error}");
        }
    }
}
