//! An error as the server said it: gRPC code, message, and the known error behind them.

use core::fmt;

use super::Applied;
use super::Known;

/// A gRPC status code, as in the server's `code` or `grpc_code` field.
///
/// ```
/// use etcd_core::Code;
///
/// assert_eq!(Code::NOT_FOUND.get(), 5);
/// assert_eq!(Code::NOT_FOUND.to_string(), "NotFound");
/// assert_eq!(Code::new(99).to_string(), "code 99");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(i32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }

            /// The code with this name, as written in `rpc error: code = <Name> desc = …`.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self($number)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The call was canceled.
    CANCELED = 1, "Canceled";
    /// No code was given, or none fits.
    UNKNOWN = 2, "Unknown";
    /// The request is wrong whatever the state of the store.
    INVALID_ARGUMENT = 3, "InvalidArgument";
    /// The server's own limit of time passed.
    DEADLINE_EXCEEDED = 4, "DeadlineExceeded";
    /// What was asked for does not exist.
    NOT_FOUND = 5, "NotFound";
    /// What should be made exists.
    ALREADY_EXISTS = 6, "AlreadyExists";
    /// The user may not do that.
    PERMISSION_DENIED = 7, "PermissionDenied";
    /// A quota or limit of the server is used up.
    RESOURCE_EXHAUSTED = 8, "ResourceExhausted";
    /// The store is not in the state the call needs.
    FAILED_PRECONDITION = 9, "FailedPrecondition";
    /// The call was given up for another one.
    ABORTED = 10, "Aborted";
    /// A revision outside what the server holds.
    OUT_OF_RANGE = 11, "OutOfRange";
    /// The server does not know the call.
    UNIMPLEMENTED = 12, "Unimplemented";
    /// The server found itself broken.
    INTERNAL = 13, "Internal";
    /// The server cannot serve now.
    UNAVAILABLE = 14, "Unavailable";
    /// Data are lost or corrupt.
    DATA_LOSS = 15, "DataLoss";
    /// The token is missing, wrong or too old.
    UNAUTHENTICATED = 16, "Unauthenticated";
}

impl Code {
    /// The code with this number.
    ///
    /// ```
    /// use etcd_core::Code;
    ///
    /// assert_eq!(Code::new(14), Code::UNAVAILABLE);
    /// ```
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number of the code.
    ///
    /// ```
    /// assert_eq!(etcd_core::Code::UNAVAILABLE.get(), 14);
    /// ```
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "code {}", self.0),
        }
    }
}

/// An error the server answered with.
///
/// The message is the server's; [`Status::known`] is what it means, found by the message first and
/// the code second, because some messages arrive with another code than their own (rule E-1).
///
/// ```
/// use etcd_core::{Applied, Code, Known, Status};
///
/// let status = Status::new(Code::INVALID_ARGUMENT, "etcdserver: key is not provided");
/// assert_eq!(status.known(), Some(Known::EmptyKey));
/// assert_eq!(status.applied(), Applied::No);
/// assert_eq!(status.to_string(), "etcdserver: key is not provided (InvalidArgument)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The gRPC code.
    pub code: Code,
    /// The server's text, without any `rpc error: code = … desc = ` before it. Of a body that is not
    /// JSON, its first 256 bytes (rule E-4).
    pub message: String,
    /// The HTTP status it came with, 100 to 599. None where it came inside a stream that had begun
    /// well, and no HTTP status with it.
    pub http: Option<u16>,
    /// The path that was asked, where that helps to find out what is wrong.
    pub path: Option<String>,
}

impl Status {
    /// A status from its parts. A leading chain of `rpc error: code = <Name> desc = ` is taken off
    /// the message; the innermost code so named wins over [`Code::UNKNOWN`].
    ///
    /// ```
    /// use etcd_core::{Code, Known, Status};
    ///
    /// let text = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    /// let status = Status::new(Code::UNKNOWN, text);
    /// assert_eq!(status.code, Code::PERMISSION_DENIED);
    /// assert_eq!(status.message, "etcdserver: permission denied");
    /// ```
    #[must_use]
    pub fn new(code: Code, message: &str) -> Self {
        let mut code = code;
        let mut text = message;
        while let Some((name, rest)) = text
            .strip_prefix("rpc error: code = ")
            .and_then(|rest| rest.split_once(" desc = "))
        {
            if code == Code::UNKNOWN {
                code = Code::from_name(name).unwrap_or(code);
            }
            text = rest;
        }
        Self {
            code,
            message: text.to_owned(),
            http: None,
            path: None,
        }
    }

    /// The same, as it came with this HTTP status.
    ///
    /// ```
    /// use etcd_core::{Code, Status};
    ///
    /// assert_eq!(Status::new(Code::UNAVAILABLE, "text").with_http(503).http, Some(503));
    /// ```
    #[must_use]
    pub const fn with_http(mut self, http: u16) -> Self {
        self.http = Some(http);
        self
    }

    /// The same, as the answer at this path, which is kept if it is part of the diagnosis.
    ///
    /// ```
    /// use etcd_core::{Code, Status};
    ///
    /// let nothing_there = Status::new(Code::NOT_FOUND, "404 page not found");
    /// let status = nothing_there.with_path("/v3/kv/range");
    /// assert_eq!(status.path.as_deref(), Some("/v3/kv/range"));
    /// let status = Status::new(Code::UNKNOWN, "anything").with_path("/v3/kv/range");
    /// assert_eq!(status.path, None);
    /// ```
    #[must_use]
    pub fn with_path(mut self, path: &str) -> Self {
        if self
            .diagnosis()
            .is_some_and(|found| found.is_about_the_path())
        {
            self.path = Some(path.to_owned());
        }
        self
    }

    /// The known error this is, if it is one.
    ///
    /// ```
    /// use etcd_core::{Code, Status};
    ///
    /// assert!(Status::new(Code::UNKNOWN, "something new").known().is_none());
    /// ```
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        Known::find(&self.message)
    }

    /// Whether a write answered with this error may have happened all the same.
    ///
    /// Only what is in the table of [`Known`], with a reason each, is certain; of the rest, an
    /// answer that blames the request (rule 2.1.4 of semantics.md) is certain too, and everything
    /// else may have happened: measured, a third of the writes answered with "context deadline
    /// exceeded" were stored (reliability.md 2.1).
    ///
    /// ```
    /// use etcd_core::{Applied, Code, Status};
    ///
    /// let status = Status::new(Code::UNAVAILABLE, "etcdserver: request timed out");
    /// assert_eq!(status.applied(), Applied::Maybe);
    /// ```
    #[must_use]
    pub fn applied(&self) -> Applied {
        if let Some(known) = self.known() {
            return known.applied();
        }
        match self.code {
            Code::INVALID_ARGUMENT
            | Code::NOT_FOUND
            | Code::ALREADY_EXISTS
            | Code::PERMISSION_DENIED
            | Code::FAILED_PRECONDITION
            | Code::OUT_OF_RANGE
            | Code::UNIMPLEMENTED
            | Code::UNAUTHENTICATED => Applied::No,
            _ => Applied::Maybe,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)?;
        match self.diagnosis() {
            Some(diagnosis) => write!(f, ": {diagnosis}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_wrappers_is_taken_off() {
        let status = Status::new(
            Code::UNKNOWN,
            "rpc error: code = Unknown desc = rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
        );
        assert_eq!(status.message, "etcdserver: invalid auth token");
        assert_eq!(status.code, Code::UNAUTHENTICATED);
        assert_eq!(status.known(), Some(Known::InvalidAuthToken));
    }

    #[test]
    fn a_message_wins_over_a_wrong_code() {
        let status = Status::new(Code::UNKNOWN, "etcdserver: too many requests");
        assert_eq!(status.known(), Some(Known::RequestTooManyRequests));
        assert_eq!(status.applied(), Applied::No);
    }

    #[test]
    fn what_is_not_in_the_table_may_have_happened() {
        for message in [
            "context deadline exceeded",
            "transport is closing",
            "anything",
        ] {
            for code in [Code::UNKNOWN, Code::UNAVAILABLE, Code::DEADLINE_EXCEEDED] {
                assert_eq!(Status::new(code, message).applied(), Applied::Maybe);
            }
        }
    }
}
