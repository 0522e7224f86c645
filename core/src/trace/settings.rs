//! What a recording says first: the configuration, the seed, the time. Secrets are crossed out.
//!
//! One line of JSON whose members come in the order of this file, whatever reads or writes it; all of
//! them have to be there, and no others. Times are nanoseconds.

use core::time::Duration;

use base64_simd::STANDARD;
use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;

use super::secrets::Secrets;
use super::secrets::crossed_out;
use crate::api::Namespace;
use crate::client::Balance;
use crate::client::Config;
use crate::client::Credentials;
use crate::client::Endpoint;
use crate::client::Proxy;
use crate::client::WatchCarrier;
use crate::time::Instant;

/// What a client begins with.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) seed: u64,
    pub(super) now: Instant,
    pub(super) secret_prefixes: Vec<Bytes>,
}

/// A number of some type, or a time, or yes or no, in JSON.
trait Setting: Sized {
    fn write(&self) -> String;

    fn read(value: &Value) -> Option<Self>;
}

macro_rules! number {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            fn write(&self) -> String {
                self.to_string()
            }

            fn read(value: &Value) -> Option<Self> {
                value.as_u64()?.try_into().ok()
            }
        }
    )*};
}

number!(u32, u64, usize);

impl Setting for bool {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Setting for Duration {
    fn write(&self) -> String {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).write()
    }

    fn read(value: &Value) -> Option<Self> {
        u64::read(value).map(Self::from_nanos)
    }
}

impl<T: Setting> Setting for Option<T> {
    fn write(&self) -> String {
        self.as_ref()
            .map_or_else(|| "null".to_owned(), Setting::write)
    }

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

impl Setting for Instant {
    fn write(&self) -> String {
        self.as_nanos().write()
    }

    fn read(value: &Value) -> Option<Self> {
        u64::read(value).map(Self::from_nanos)
    }
}

impl Setting for Namespace {
    fn write(&self) -> String {
        text(&STANDARD.encode_to_string(self.prefix()))
    }

    fn read(value: &Value) -> Option<Self> {
        let prefix = STANDARD.decode_to_vec(value.as_str()?).ok()?;
        Some(Self::new(prefix))
    }
}

/// The choices of [`Balance`] by name.
const BALANCES: [(&str, Balance); 4] = [
    ("round_robin", Balance::RoundRobin),
    ("sticky", Balance::Sticky),
    ("priority", Balance::Priority),
    ("leader_first", Balance::LeaderFirst),
];

impl Setting for Balance {
    fn write(&self) -> String {
        let found = BALANCES.iter().find(|(_, balance)| balance == self);
        text(found.map_or("round_robin", |(name, _)| name))
    }

    fn read(value: &Value) -> Option<Self> {
        let name = value.as_str()?;
        let found = BALANCES.iter().find(|(known, _)| *known == name);
        found.map(|(_, balance)| *balance)
    }
}

/// The choices of [`WatchCarrier`] by name.
const CARRIERS: [(&str, WatchCarrier); 2] = [
    ("shared", WatchCarrier::Shared),
    ("single", WatchCarrier::Single),
];

impl Setting for WatchCarrier {
    fn write(&self) -> String {
        let found = CARRIERS.iter().find(|(_, carrier)| carrier == self);
        text(found.map_or("shared", |(name, _)| name))
    }

    fn read(value: &Value) -> Option<Self> {
        let name = value.as_str()?;
        let found = CARRIERS.iter().find(|(known, _)| *known == name);
        found.map(|(_, carrier)| *carrier)
    }
}

/// Both ways over the plain settings, so that none is forgotten in one of them.
macro_rules! settings {
    ($($($field:ident).+,)*) => {
        fn write_plain(config: &Config, out: &mut Vec<String>) {
            $(out.push(member(stringify!($($field).+), &config.$($field).+.write()));)*
        }

        fn read_plain(members: &mut Map<String, Value>, config: &mut Config) -> Result<(), String> {
            $(
                let name = stringify!($($field).+);
                config.$($field).+ = take(members, name, Setting::read)?;
            )*
            Ok(())
        }
    };
}

settings! {
    find_api_prefix,
    sync_interval,
    token_ttl,
    connect_timeout,
    read_timeout,
    write_timeout,
    watch_created_timeout,
    watch_idle_timeout,
    watch_probe_timeout,
    slow_watch_after,
    snapshot_idle_timeout,
    attempt_timeout,
    balance,
    max_connections,
    pipeline_depth,
    watch_carrier,
    max_watches_per_connection,
    idle_limit,
    max_attempts,
    retry_budget.per_second,
    retry_budget.per_hundred_calls,
    retry_budget.burst,
    require_leader,
    notices,
    limits.http.head_bytes,
    limits.http.head_line_bytes,
    limits.http.header_count,
    limits.http.informational,
    limits.http.chunk_line_bytes,
    limits.http.chunk_overhead_bytes,
    limits.http.trailer_bytes,
    limits.http.trailer_count,
    limits.http.body_bytes,
    limits.body_bytes,
    limits.frame_bytes,
    limits.revision_bytes,
    limits.json_depth,
    limits.watch_buffer_bytes,
    limits.all_watch_buffers_bytes,
    limits.connections,
    limits.calls,
    limits.waits,
    limits.watches,
    limits.known_keys_bytes,
    limits.streams,
    limits.leases,
    limits.stream_buffer_bytes,
    limits.request_bytes,
    limits.notices,
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", text(name))
}

fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Takes a member out and reads it.
fn take<T>(
    members: &mut Map<String, Value>,
    name: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<T, String> {
    let value = members.remove(name);
    let value = value.ok_or_else(|| format!("the configuration has no {name}"))?;
    read(&value).ok_or_else(|| format!("{name} is none"))
}

impl Start {
    /// What must not be written of a client that begins so.
    pub(super) fn secrets(&self) -> Secrets {
        let headers = self.config.headers.iter();
        let headers = headers.map(|(name, _)| name.as_str().to_owned());
        Secrets::new(self.secret_prefixes.clone(), headers.collect())
    }

    pub(super) fn write(&self) -> String {
        let config = &self.config;
        let headers = config.headers.iter().map(|(name, value)| {
            let value = text(&crossed_out(value.len()));
            list([text(name.as_str()), value].into_iter())
        });
        let host = config.host.as_deref();
        let host = host.map_or_else(|| "null".to_owned(), text);
        let prefixes = self.secret_prefixes.iter();
        let prefixes = prefixes.map(|prefix| text(&STANDARD.encode_to_string(prefix)));
        let mut members = vec![
            member("now", &self.now.write()),
            member("seed", &self.seed.write()),
            member("secret_prefixes", &list(prefixes)),
            member("endpoints", &write_endpoints(&config.endpoints)),
            member("api_prefix", &text(&config.api_prefix.to_string())),
            member("namespace", &config.namespace.write()),
            member("proxy", &write_proxy(config.proxy.as_ref())),
            member("host", &host),
            member("headers", &list(headers)),
            member(
                "credentials",
                &write_credentials(config.credentials.as_ref()),
            ),
        ];
        write_plain(config, &mut members);
        // A bug on purpose is part of what was recorded.
        #[cfg(feature = "planted")]
        if let Some(planted) = config.planted {
            members.push(member("planted", &text(&planted.to_string())));
        }
        format!("{{{}}}", members.join(","))
    }

    /// Reads what `write` wrote.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let Ok(Value::Object(mut members)) = serde_json::from_slice(json) else {
            return Err("the configuration is no JSON object".to_owned());
        };
        let members = &mut members;
        let now = take(members, "now", Setting::read)?;
        let seed = take(members, "seed", Setting::read)?;
        let secret_prefixes = take(members, "secret_prefixes", |value| {
            texts(value)?
                .map(|prefix| STANDARD.decode_to_vec(prefix?).ok().map(Bytes::from))
                .collect()
        })?;
        let value = members.remove("endpoints").unwrap_or_default();
        let endpoints: Vec<&str> = texts(&value)
            .and_then(Iterator::collect::<Option<_>>)
            .ok_or("endpoints are none")?;
        let mut config = Config::new(endpoints).map_err(|error| error.to_string())?;
        config.api_prefix = take(members, "api_prefix", |value| value.as_str()?.parse().ok())?;
        config.namespace = take(members, "namespace", Setting::read)?;
        config.proxy = take(members, "proxy", read_proxy)?;
        let host = take(members, "host", |value| match value {
            Value::Null => Some(None),
            value => value.as_str().map(Some).map(|host| host.map(str::to_owned)),
        })?;
        if let Some(host) = host {
            config.set_host(&host).map_err(|error| error.to_string())?;
        }
        let credentials = take(members, "credentials", |value| {
            read_credentials(value).map(Some)
        })?;
        let headers = members.remove("headers").unwrap_or_default();
        for header in headers.as_array().ok_or("headers are none")? {
            let pair: Option<Vec<&str>> = texts(header).and_then(Iterator::collect);
            let Some([name, value]) = pair.as_deref() else {
                return Err("headers are none".to_owned());
            };
            config
                .add_header(name, value)
                .map_err(|error| error.to_string())?;
        }
        // Where they may not go was for the client that was recorded to find.
        config.credentials = credentials.flatten();
        read_plain(members, &mut config)?;
        #[cfg(feature = "planted")]
        if members.contains_key("planted") {
            let read = |value: &Value| value.as_str()?.parse().ok();
            config.planted = Some(take(members, "planted", read)?);
        }
        if let Some((name, _)) = members.iter().next() {
            return Err(format!("the configuration has {name}, which is not known"));
        }
        Ok(Self {
            config,
            seed,
            now,
            secret_prefixes,
        })
    }
}

/// The texts of a list.
fn texts(value: &Value) -> Option<impl Iterator<Item = Option<&str>>> {
    Some(value.as_array()?.iter().map(Value::as_str))
}

/// Credentials as a recording has them: all but the user's name is crossed out, as long as it is on
/// the wire.
pub(super) fn write_credentials(credentials: Option<&Credentials>) -> String {
    let Some(credentials) = credentials else {
        return "null".to_owned();
    };
    let mut members;
    match (credentials.login(), credentials.fixed()) {
        (Some(login), _) => {
            // Two quotes are not part of it.
            let password = crossed_out(text(&login.password).len().saturating_sub(2));
            let (user, password) = (text(&login.name), text(&password));
            members = vec![member("user", &user), member("password", &password)];
        }
        (None, Some(token)) => members = vec![member("token", &text(&crossed_out(token.len())))],
        (None, None) => return "null".to_owned(),
    }
    if credentials.is_over_plain_http() {
        members.push(member("over_plain_http", "true"));
    }
    format!("{{{}}}", members.join(","))
}

fn write_proxy(proxy: Option<&Proxy>) -> String {
    let Some(proxy) = proxy else {
        return "null".to_owned();
    };
    let mut members = vec![member("address", &text(&proxy.to_string()))];
    if proxy.is_absolute() {
        members.push(member("absolute_form", "true"));
    }
    if let Some(value) = proxy.authorization() {
        members.push(member("authorization", &text(&crossed_out(value.len()))));
    }
    format!("{{{}}}", members.join(","))
}

/// Reads what `write_proxy` wrote; `None` inside is for none.
fn read_proxy(value: &Value) -> Option<Option<Proxy>> {
    let Value::Object(members) = value else {
        return value.is_null().then_some(None);
    };
    let mut proxy: Proxy = members.get("address")?.as_str()?.parse().ok()?;
    if members.get("absolute_form").is_some() {
        proxy = proxy.with_absolute_form();
    }
    if let Some(value) = members.get("authorization") {
        proxy = proxy.with_authorization(value.as_str()?.parse().ok()?);
    }
    Some(Some(proxy))
}

pub(super) fn write_endpoints(endpoints: &[Endpoint]) -> String {
    list(endpoints.iter().map(|endpoint| text(&endpoint.to_string())))
}

/// Reads what `write_endpoints` wrote.
pub(super) fn read_endpoints(value: &Value) -> Option<Vec<Endpoint>> {
    texts(value)?.map(|text| text?.parse().ok()).collect()
}

/// Reads what `write_credentials` wrote; `None` inside is for none.
pub(super) fn read_credentials(value: &Value) -> Option<Option<Credentials>> {
    let Value::Object(members) = value else {
        return value.is_null().then_some(None);
    };
    let find = |name: &str| members.get(name).and_then(Value::as_str);
    let credentials = match (find("user"), find("password"), find("token")) {
        (Some(user), Some(password), None) => Credentials::password(user, password),
        (None, None, Some(token)) => Credentials::token(token),
        _ => return None,
    };
    let credentials = credentials.ok()?;
    Some(Some(match members.get("over_plain_http") {
        None => credentials,
        Some(Value::Bool(true)) => credentials.over_plain_http(),
        Some(_) => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Start {
        let mut config = Config::new(["http://a:1", "[::1]"]).unwrap();
        config.add_header("X-Mine", "hidden").unwrap();
        let credentials = Credentials::password("root", "tr\"out-1234").unwrap();
        config
            .set_credentials(credentials.over_plain_http())
            .unwrap();
        config.set_host("proxy:1").unwrap();
        let proxy: Proxy = "http://proxy:1".parse().unwrap();
        let proxy = proxy.with_absolute_form().with_credentials("a", "b");
        config.proxy = Some(proxy.unwrap());
        config.idle_limit = Duration::MAX;
        config.limits.http.head_bytes = 7;
        Start {
            config,
            seed: u64::MAX,
            now: Instant::from_nanos(7),
            secret_prefixes: vec!["/s/".into(), [0xff].as_slice().to_vec().into()],
        }
    }

    #[test]
    fn a_start_comes_back_without_its_secrets() {
        let text = start().write();
        assert!(
            !text.contains("out-1234") && !text.contains("hidden"),
            "{text}"
        );
        // The quote in it takes two bytes on the wire.
        assert!(text.contains(r#""password":"xxxxxxxxxxxx""#), "{text}");
        let again = Start::read(text.as_bytes()).unwrap();
        assert_eq!(again.write(), text);
        assert_eq!(again.config.limits.http.head_bytes, 7);
    }

    #[test]
    fn a_start_that_is_not_whole_is_refused() {
        let text = start().write();
        let missing = text.replace("\"max_attempts\":100,", "");
        let error = Start::read(missing.as_bytes()).err().unwrap();
        assert!(error.contains("max_attempts"), "{error}");
        let more = text.replacen('{', "{\"colour\":7,", 1);
        let error = Start::read(more.as_bytes()).err().unwrap();
        assert!(error.contains("colour"), "{error}");
        for (part, other) in [
            ("http://a:1", "file://a:1"),
            ("\"now\":7", "\"now\":-7"),
            ("\"xxxxxx\"", "\"\\r\\n\""),
            ("\"user\":\"root\",", ""),
            ("[\"L3Mv\"", "[\"?\""),
            ("\"/v3\"", "7"),
            ("\"shared\"", "\"pigeon\""),
        ] {
            assert!(text.contains(part));
            assert!(
                Start::read(text.replace(part, other).as_bytes()).is_err(),
                "{part}"
            );
        }
        assert!(Start::read(b"[]").is_err());
    }
}
