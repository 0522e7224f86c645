//! Which variables there are, and what they set.
//!
//! `ETCD_CLIENT_*` has each setting by its name, `ETCDCTL_*` the flags of etcdctl, which has each
//! global flag as a variable, too. The environment is not read here: whoever calls hands it over.

use std::ffi::OsStr;

use crate::error::SettingsError;
use crate::names;
use crate::names::Setting;
use crate::nearest::nearest;
use crate::read::bad_kind;
use crate::settings::Settings;
use crate::tree::Tree;

const CLIENT: &str = "ETCD_CLIENT_";
const CTL: &str = "ETCDCTL_";

/// What a flag of etcdctl means to us.
enum Meaning {
    /// It sets these.
    Sets(&'static [&'static str]),
    /// As `Sets`, but for 0, which etcdctl takes for its default.
    SetsUnlessZero(&'static str),
    User,
    Password,
    /// That it is off asks for TLS; that it is on is the default and asks for nothing.
    InsecureTransport,
    /// The version of the API.
    Api,
    /// It is about output, or about one command.
    Nothing,
    Refused(&'static str),
}

const NO_DISCOVERY: &str = "endpoints are not looked up in DNS; name them";

/// The global flags of etcdctl, and the variables it looks at besides.
const FLAGS: [(&str, Meaning); 24] = [
    ("ENDPOINTS", Meaning::Sets(&[names::ENDPOINTS])),
    ("USER", Meaning::User),
    ("PASSWORD", Meaning::Password),
    ("AUTH_JWT_TOKEN", Meaning::Sets(&[names::TOKEN])),
    ("CACERT", Meaning::Sets(&[names::CACERT])),
    ("CERT", Meaning::Sets(&[names::CERT])),
    ("KEY", Meaning::Sets(&[names::KEY])),
    (
        "INSECURE_SKIP_TLS_VERIFY",
        Meaning::Sets(&[names::SKIP_VERIFY]),
    ),
    ("INSECURE_TRANSPORT", Meaning::InsecureTransport),
    ("DIAL_TIMEOUT", Meaning::Sets(&["connect_timeout"])),
    (
        "COMMAND_TIMEOUT",
        Meaning::Sets(&["read_timeout", "write_timeout"]),
    ),
    ("KEEPALIVE_TIME", Meaning::Sets(&["watch_idle_timeout"])),
    ("KEEPALIVE_TIMEOUT", Meaning::Sets(&["watch_probe_timeout"])),
    (
        "MAX_REQUEST_BYTES",
        Meaning::SetsUnlessZero("limits.request_bytes"),
    ),
    (
        "MAX_RECV_BYTES",
        Meaning::SetsUnlessZero("limits.body_bytes"),
    ),
    ("API", Meaning::Api),
    ("DEBUG", Meaning::Nothing),
    ("HEX", Meaning::Nothing),
    ("WRITE_OUT", Meaning::Nothing),
    ("WATCH_KEY", Meaning::Nothing),
    ("WATCH_RANGE_END", Meaning::Nothing),
    // It says how a discovery is made, and that there is one is refused.
    ("INSECURE_DISCOVERY", Meaning::Nothing),
    ("DISCOVERY_SRV", Meaning::Refused(NO_DISCOVERY)),
    ("DISCOVERY_SRV_NAME", Meaning::Refused(NO_DISCOVERY)),
];

/// Flags of the server that begin with `client-`: a program beside a server may see its variables.
const OF_THE_SERVER: [&str; 5] = [
    "CERT_ALLOWED_HOSTNAME",
    "CERT_AUTH",
    "CERT_FILE",
    "CRL_FILE",
    "KEY_FILE",
];

/// Reads what is ours. What was said to this client is stronger than what was said to all programs, and that
/// than what was said to etcdctl.
pub(crate) fn read<I, K, V>(vars: I) -> Result<Settings, SettingsError>
where
    I: IntoIterator<Item = (K, V)>,
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let mut client = Settings::default();
    let mut common = Settings::default();
    let mut ctl = Ctl::default();
    for (name, value) in vars {
        // A name that is no text is not ours.
        let Some(name) = name.as_ref().to_str() else {
            continue;
        };
        let of_client = name.strip_prefix(CLIENT).filter(|rest| {
            let is_ours = !is_of_kubernetes(rest) && !OF_THE_SERVER.contains(rest);
            is_ours && !rest.is_empty()
        });
        let of_ctl = name
            .strip_prefix(CTL)
            .filter(|rest| !is_of_kubernetes(rest) && !rest.is_empty());
        let is_common = name == "ETCD_ENDPOINTS";
        // As etcdctl has it: an empty one is none.
        if value.as_ref().is_empty() || of_client.is_none() && of_ctl.is_none() && !is_common {
            continue;
        }
        let Some(value) = value.as_ref().to_str() else {
            return Err(bad_kind(name, &Tree::Odd("not UTF-8"), "a text"));
        };
        if let Some(rest) = of_client {
            let setting = names::all().find(|setting| variable(setting) == rest);
            let setting =
                setting.ok_or_else(|| unknown(name, CLIENT, names::all().map(variable)))?;
            client.insert(setting, Tree::Word(value.to_owned()), name)?;
        } else if let Some(rest) = of_ctl {
            ctl.read(name, rest, value)?;
        } else {
            insert(&mut common, names::ENDPOINTS, value, name)?;
        }
    }
    Ok(client.or(common).or(ctl.finish()?))
}

/// What etcdctl was told.
#[derive(Default)]
struct Ctl {
    settings: Settings,
    user: Option<String>,
    password: Option<String>,
}

impl Ctl {
    fn read(&mut self, name: &str, flag: &str, value: &str) -> Result<(), SettingsError> {
        let Some((_, meaning)) = FLAGS.iter().find(|(known, _)| *known == flag) else {
            let flags = FLAGS.iter().map(|(flag, _)| (*flag).to_owned());
            return Err(unknown(name, CTL, flags));
        };
        match meaning {
            Meaning::Sets(settings) => settings
                .iter()
                .try_for_each(|setting| insert(&mut self.settings, setting, value, name)),
            Meaning::SetsUnlessZero(_) if value == "0" => Ok(()),
            Meaning::SetsUnlessZero(setting) => insert(&mut self.settings, setting, value, name),
            Meaning::User => {
                self.user = Some(value.to_owned());
                Ok(())
            }
            Meaning::Password => {
                self.password = Some(value.to_owned());
                Ok(())
            }
            Meaning::InsecureTransport => {
                let mut read = Settings::default();
                insert(&mut read, names::TLS_ASSUMED, value, name)?;
                if read.flag(names::TLS_ASSUMED) == Some(false) {
                    insert(&mut self.settings, names::TLS_ASSUMED, "true", name)?;
                }
                Ok(())
            }
            Meaning::Api if value == "3" => Ok(()),
            Meaning::Api => Err(unsupported(name, "version 3 of etcd's API is spoken alone")),
            Meaning::Nothing => Ok(()),
            Meaning::Refused(reason) => Err(unsupported(name, reason)),
        }
    }

    /// The user with the password, which may be behind the user's name if it has no variable of its own.
    fn finish(self) -> Result<Settings, SettingsError> {
        let mut settings = self.settings;
        let user = self.user.as_deref();
        let (user, password) = match (user, self.password.as_deref()) {
            (Some(both), None) => match both.split_once(':') {
                Some((user, password)) => (Some(user), Some(password)),
                None => (Some(both), None),
            },
            other => other,
        };
        for (setting, value) in [(names::USER, user), (names::PASSWORD, password)] {
            if let Some(value) = value {
                insert(&mut settings, setting, value, "ETCDCTL_USER")?;
            }
        }
        Ok(settings)
    }
}

fn insert(
    settings: &mut Settings,
    setting: &str,
    value: &str,
    name: &str,
) -> Result<(), SettingsError> {
    let setting = names::find(setting).expect("the table names settings that there are");
    settings.insert(setting, Tree::Word(value.to_owned()), name)
}

/// What stands behind `ETCD_CLIENT_` for a setting.
fn variable(setting: &'static Setting) -> String {
    setting.name.replace('.', "_").to_ascii_uppercase()
}

/// Kubernetes tells a pod of each service: one named `etcd-client` is `ETCD_CLIENT_SERVICE_HOST` and
/// `ETCD_CLIENT_PORT_2379_TCP`.
fn is_of_kubernetes(rest: &str) -> bool {
    rest == "PORT"
        || ["PORT_", "SERVICE_HOST", "SERVICE_PORT"]
            .iter()
            .any(|begin| rest.starts_with(begin))
}

fn unknown(name: &str, prefix: &str, known: impl Iterator<Item = String>) -> SettingsError {
    let known: Vec<String> = known.collect();
    let rest = name.strip_prefix(prefix).unwrap_or(name);
    let found = nearest(rest, known.iter().map(String::as_str));
    SettingsError::Unknown {
        name: name.to_owned(),
        nearest: found.map(|found| format!("{prefix}{found}")),
    }
}

fn unsupported(name: &str, reason: &'static str) -> SettingsError {
    SettingsError::Unsupported {
        name: name.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_settings_have_one_variable() {
        let variables: BTreeSet<String> = names::all().map(variable).collect();
        assert_eq!(variables.len(), names::all().count());
        for name in &variables {
            assert!(!is_of_kubernetes(name) && !OF_THE_SERVER.contains(&name.as_str()));
        }
    }
}
