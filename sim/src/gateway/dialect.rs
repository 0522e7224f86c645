//! How a version's gateway writes.

use etcd_core::{Code, Version};

/// Which generation of the gateway's library a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are two, and both are needed by name"
)]
pub enum Dialect {
    /// As in 3.4 and 3.5.1.
    V1,
    /// As in 3.5.16 and 3.5.30, and upstream from 3.6 on.
    V2,
}

/// All that differs between versions.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) version: Version,
    pub(super) dialect: Dialect,
    /// 3.4: errors are chunked and have a trailer, texts before codes.
    pub(super) is_3_4: bool,
    /// The library of 3.5.16 says the length of each answer, first of all.
    pub(super) says_length_first: bool,
}

impl Style {
    pub(super) fn of(version: &Version) -> Self {
        let number = (version.major(), version.minor(), version.patch());
        let dialect = match number {
            (3, 5, 16..) | (3, 6.., _) | (4.., _, _) => Dialect::V2,
            _ => Dialect::V1,
        };
        Self {
            version: version.clone(),
            dialect,
            is_3_4: number < (3, 5, 0),
            says_length_first: number == (3, 5, 16),
        }
    }

    /// The HTTP status of a gRPC code (gateway.md 5.1).
    pub(super) fn status(&self, code: Code) -> u16 {
        match code {
            Code::CANCELED => match self.dialect {
                Dialect::V1 => 408,
                Dialect::V2 => 499,
            },
            Code::INVALID_ARGUMENT | Code::OUT_OF_RANGE => 400,
            Code::DEADLINE_EXCEEDED => 504,
            Code::NOT_FOUND => 404,
            Code::ALREADY_EXISTS | Code::ABORTED => 409,
            Code::PERMISSION_DENIED => 403,
            Code::RESOURCE_EXHAUSTED => 429,
            Code::FAILED_PRECONDITION if self.is_3_4 => 412,
            Code::FAILED_PRECONDITION => 400,
            Code::UNIMPLEMENTED => 501,
            Code::UNAVAILABLE => 503,
            Code::UNAUTHENTICATED => 401,
            _ => 500,
        }
    }
}

/// The reason phrase of a status.
pub(super) const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        499 => "status code 499",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}
