//! The plain pages beside the API: their requests from path and query, their answers as text.

use core::fmt::Write;

use etcd_core::{
    HealthCheck, HealthRequest, HealthResponse, Livez, MetricsRequest, Readyz, Response,
    VersionRequest,
};

use super::answer::{Answer, Kind};
use super::dialect::Style;
use super::json;
use super::route::Page;
use crate::etcd::Request;

/// The request for a page.
pub(super) fn request(page: &Page, query: &str) -> Request {
    let parts = || {
        query
            .split('&')
            .map(|part| part.split_once('=').unwrap_or((part, "")))
    };
    let excluded = || {
        parts()
            .filter(|part| part.0 == "exclude")
            .map(|part| part.1)
    };
    match page {
        Page::Version => VersionRequest::new().into(),
        Page::Metrics => MetricsRequest::new().into(),
        Page::Health => {
            let mut request = HealthRequest::new();
            request.exclude_nospace = excluded().any(|alarm| alarm == "NOSPACE");
            request.serializable = parts().any(|part| part == ("serializable", "true"));
            request.into()
        }
        Page::Livez(check) => {
            let mut request = Livez::new().with_check(check);
            request.exclude = excluded().map(str::to_owned).collect();
            request.verbose = parts().any(|part| part.0 == "verbose");
            request.into()
        }
        Page::Readyz(check) => {
            let mut request = Readyz::new().with_check(check);
            request.exclude = excluded().map(str::to_owned).collect();
            request.verbose = parts().any(|part| part.0 == "verbose");
            request.into()
        }
    }
}

/// The answer to the request for a page; None if it is an answer of the API.
pub(super) fn answer(response: &Response, style: &Style) -> Option<Answer> {
    Some(match response {
        Response::Version(version) => Answer::new(200, Kind::Json, json::text(version)),
        Response::Metrics(metrics) => {
            Answer::new(200, Kind::Metrics, metrics.text.clone().into_bytes())
        }
        Response::Health(health) => self::health(health, style),
        Response::Livez(answer) => checks("livez", answer.ok, &answer.checks),
        Response::Readyz(answer) => checks("readyz", answer.ok, &answer.checks),
        _ => return None,
    })
}

fn health(health: &HealthResponse, style: &Style) -> Answer {
    let reason = match style.is_3_4 {
        true => String::new(),
        false => {
            let reason = serde_json::Value::from(health.reason.as_str());
            format!(",\"reason\":{reason}")
        }
    };
    let text = format!("{{\"health\":\"{}\"{reason}}}", health.health);
    match health.health {
        true => Answer::new(200, Kind::Guessed, text.into_bytes()),
        false => Answer::text(503, &text),
    }
}

fn checks(page: &str, ok: bool, checks: &[HealthCheck]) -> Answer {
    let mut text = String::new();
    for HealthCheck {
        name, ok, reason, ..
    } in checks
    {
        let _ = match ok {
            true => writeln!(text, "[+]{name} ok"),
            false => writeln!(text, "[-]{name} failed: {reason}"),
        };
    }
    match ok {
        true => Answer::text(200, &format!("{text}ok")),
        false => Answer::text(503, &format!("{text}{page} check failed")),
    }
}
