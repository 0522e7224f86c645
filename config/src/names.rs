//! The table of all settings: their names, and how a [`Config`] gets each.
//!
//! A field of `Config` is one line of `plain!`, under the name that recordings have for it;
//! `tests/fields.rs` fails where one is missing. Where settings come from is not known here.

use etcd_core::Config;

use crate::nearest::nearest;
use crate::tree::Tree;
use crate::value::Value;
use crate::value::Wanted;

/// One setting.
pub(crate) struct Setting {
    /// With the tables it is in, as in `limits.http.head_bytes`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What kind of a value a setting has.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A field of `Config`, which this sets.
    Plain(fn(&mut Config, &Tree) -> Result<(), Wanted>),
    Endpoints,
    Headers,
    Flag,
    /// A text that may be shown.
    Text,
    /// A text that is never shown.
    Secret,
    /// The path of a file.
    Path,
}

pub(crate) const ENDPOINTS: &str = "endpoints";
pub(crate) const PROXY: &str = "proxy.address";
pub(crate) const PROXY_ABSOLUTE: &str = "proxy.absolute_form";
pub(crate) const PROXY_USER: &str = "proxy.user";
pub(crate) const PROXY_PASSWORD: &str = "proxy.password";
pub(crate) const HOST: &str = "host";
pub(crate) const HEADERS: &str = "headers";
pub(crate) const USER: &str = "credentials.user";
pub(crate) const PASSWORD: &str = "credentials.password";
pub(crate) const TOKEN: &str = "credentials.token";
pub(crate) const OVER_PLAIN_HTTP: &str = "credentials.over_plain_http";
pub(crate) const TLS_ASSUMED: &str = "tls.assumed";
pub(crate) const CACERT: &str = "tls.cacert";
pub(crate) const CERT: &str = "tls.cert";
pub(crate) const KEY: &str = "tls.key";
pub(crate) const SERVER_NAME: &str = "tls.server_name";
pub(crate) const SKIP_VERIFY: &str = "tls.insecure_skip_verify";

/// The settings that are more than a field of `Config`.
static OTHERS: [Setting; 17] = [
    setting(ENDPOINTS, Kind::Endpoints),
    setting(HOST, Kind::Text),
    setting(HEADERS, Kind::Headers),
    setting(USER, Kind::Text),
    setting(PASSWORD, Kind::Secret),
    setting(TOKEN, Kind::Secret),
    setting(OVER_PLAIN_HTTP, Kind::Flag),
    setting(PROXY, Kind::Secret),
    setting(PROXY_ABSOLUTE, Kind::Flag),
    setting(PROXY_USER, Kind::Text),
    setting(PROXY_PASSWORD, Kind::Secret),
    setting(TLS_ASSUMED, Kind::Flag),
    setting(CACERT, Kind::Path),
    setting(CERT, Kind::Path),
    setting(KEY, Kind::Path),
    setting(SERVER_NAME, Kind::Text),
    setting(SKIP_VERIFY, Kind::Flag),
];

/// A line for each field, and how it is set.
macro_rules! plain {
    ($($($field:ident).+,)*) => {
        static PLAIN: &[Setting] = &[$(setting(
            stringify!($($field).+),
            Kind::Plain(|config, value| {
                config.$($field).+ = Value::read(value)?;
                Ok(())
            }),
        )),*];
    };
}

plain! {
    api_prefix,
    find_api_prefix,
    namespace,
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

const fn setting(name: &'static str, kind: Kind) -> Setting {
    Setting { name, kind }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    OTHERS.iter().chain(PLAIN)
}

/// The setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}

/// Whether this is the name of a table with settings in it.
pub(crate) fn is_table(name: &str) -> bool {
    all().any(|setting| {
        let rest = setting.name.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The setting that was probably meant by a name that none has.
pub(crate) fn meant(name: &str) -> Option<String> {
    let (table, leaf) = name.rsplit_once('.').unwrap_or(("", name));
    // A slip of the finger in the last part is likelier than in several.
    let siblings = all().filter_map(|setting| {
        let rest = match table {
            "" => setting.name,
            _ => setting.name.strip_prefix(table)?.strip_prefix('.')?,
        };
        rest.split('.').next()
    });
    if let Some(found) = nearest(leaf, siblings) {
        return Some(match table {
            "" => found.to_owned(),
            _ => format!("{table}.{found}"),
        });
    }
    // Then that it was put into the wrong table.
    let leaves = all().filter_map(|setting| setting.name.rsplit('.').next());
    if let Some(found) = nearest(leaf, leaves) {
        let is_of = |setting: &&Setting| setting.name.rsplit('.').next() == Some(found);
        return all().find(is_of).map(|setting| setting.name.to_owned());
    }
    nearest(name, all().map(|setting| setting.name)).map(str::to_owned)
}
