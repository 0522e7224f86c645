//! The pages `livez` and `readyz`: whether a server is alive, and whether it is ready, check by check.
//!
//! Their answers are text, one line for each check. What that means on the wire is not known here.

use super::call::call;
use super::json::{Budget, message};
use crate::error::{Feature, JsonError, Misuse};

/// The request and the answer of one of the two pages.
macro_rules! checks_page {
    ($(#[$doc:meta])* $request:ident, $(#[$answer_doc:meta])* $response:ident, $rpc:ident,
        needs $feature:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $request {
            /// The one check to do, empty for all.
            pub check: String,
            /// Checks to leave out.
            pub exclude: Vec<String>,
            /// Whether to list the checks that passed, too.
            pub verbose: bool,
        }

        // Over the gateway the fields travel in path and query.
        message!($request {
            "check" => check,
            "exclude" => exclude,
            "verbose" => verbose,
        });

        call!($request => $rpc($response) {
            fn is_read(&self) -> bool {
                true
            }

            fn check(&self) -> Result<(), Misuse> {
                check_names(&self.check, &self.exclude)
            }

            fn needs(&self) -> Option<Feature> {
                Some(Feature::$feature)
            }
        });

        impl $request {
            #[doc = concat!("Asks for all checks.\n\n```\nuse etcd_core::", stringify!($request),
                ";\n\nassert_eq!(", stringify!($request), "::new(), ", stringify!($request),
                "::default());\n```")]
            #[must_use]
            pub const fn new() -> Self {
                Self {
                    check: String::new(),
                    exclude: Vec::new(),
                    verbose: false,
                }
            }

            #[doc = concat!("Does this one check and no other. A server that does not know it ",
                "answers with status 404.\n\n```\nlet request = etcd_core::", stringify!($request),
                "::new().with_check(\"serializable_read\");\n",
                "assert_eq!(request.check, \"serializable_read\");\n```")]
            #[must_use]
            pub fn with_check(mut self, check: impl Into<String>) -> Self {
                self.check = check.into();
                self
            }

            #[doc = concat!("Leaves a check out.\n\n```\nlet request = etcd_core::",
                stringify!($request), "::new().with_exclude(\"serializable_read\");\n",
                "assert_eq!(request.exclude, [\"serializable_read\"]);\n```")]
            #[must_use]
            pub fn with_exclude(mut self, check: impl Into<String>) -> Self {
                self.exclude.push(check.into());
                self
            }

            #[doc = concat!("Lists the checks that passed, too.\n\n```\nassert!(etcd_core::",
                stringify!($request), "::new().with_verbose().verbose);\n```")]
            #[must_use]
            pub const fn with_verbose(mut self) -> Self {
                self.verbose = true;
                self
            }
        }

        $(#[$answer_doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $response {
            /// Whether every check passed.
            pub ok: bool,
            /// The checks that failed; with `verbose` also those that passed.
            pub checks: Vec<HealthCheck>,
        }

        message!($response {
            "ok" => ok,
            "checks" => checks,
        });

        impl $response {
            /// The checks that failed.
            #[doc = concat!("\n```\nlet answer = etcd_core::", stringify!($response),
                "::default();\nassert_eq!(answer.failed().count(), 0);\n```")]
            pub fn failed(&self) -> impl Iterator<Item = &HealthCheck> {
                self.checks.iter().filter(|check| !check.ok)
            }

            /// Reads the text of a page. Nothing if it is none: a page that is not well names a check
            /// that failed.
            pub(crate) fn from_text(ok: bool, text: &str) -> Result<Option<Self>, JsonError> {
                let budget = Budget::of_text(text.len());
                let mut checks = Vec::new();
                for check in text.lines().filter_map(HealthCheck::from_line) {
                    if !budget.push(&mut checks, check) {
                        break;
                    }
                }
                let told = ok || checks.iter().any(|check| !check.ok);
                match budget.error() {
                    Some(error) => Err(error),
                    None => Ok(told.then_some(Self { ok, checks })),
                }
            }
        }
    };
}

checks_page! {
    /// Asks one server whether it is alive; if it is not, it should be started again. From etcd
    /// 3.4.29 and 3.5.11.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    /// use etcd_core::Livez;
    ///
    /// assert_eq!(Gateway::new().request(&Livez::new().with_verbose()).uri(), "/livez?verbose=true");
    /// ```
    Livez,
    /// The answer to [`Livez`]: that the server is not alive is an answer and no error.
    ///
    /// ```
    /// use etcd_core::gateway::decode_answer;
    /// use etcd_core::Livez;
    ///
    /// assert!(decode_answer::<Livez>(200, b"ok\n")?.ok);
    /// # Ok::<(), etcd_core::gateway::AnswerError>(())
    /// ```
    LivezResponse, Livez, needs LIVEZ
}

checks_page! {
    /// Asks one server whether it is ready to serve; if it is not, others should be asked. Without
    /// a quorum the answer takes as long as a request may, 7 s, which is more than the deadline of a
    /// read: give it more with [`CallOptions::with_timeout`](crate::CallOptions::with_timeout). From
    /// etcd 3.4.29 and 3.5.11.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    /// use etcd_core::Readyz;
    ///
    /// let request = Readyz::new().with_exclude("data_corruption");
    /// assert_eq!(Gateway::new().request(&request).uri(), "/readyz?exclude=data_corruption");
    /// let request = Readyz::new().with_check("linearizable_read");
    /// assert_eq!(Gateway::new().request(&request).uri(), "/readyz/linearizable_read");
    /// ```
    Readyz,
    /// The answer to [`Readyz`]: that the server is not ready is an answer and no error.
    ///
    /// ```
    /// use etcd_core::gateway::decode_answer;
    /// use etcd_core::Readyz;
    ///
    /// let text = b"[-]linearizable_read failed: etcdserver: request timed out\nreadyz check failed\n";
    /// let answer = decode_answer::<Readyz>(503, text)?;
    /// let failed = answer.failed().next().unwrap();
    /// assert_eq!(failed.name, "linearizable_read");
    /// assert_eq!(failed.reason, "etcdserver: request timed out");
    /// # Ok::<(), etcd_core::gateway::AnswerError>(())
    /// ```
    ReadyzResponse, Readyz, needs READYZ
}

/// One check of a server.
///
/// ```
/// assert!(!etcd_core::HealthCheck::default().ok);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthCheck {
    /// What was checked, such as `linearizable_read`.
    pub name: String,
    /// Whether it passed, or was left out.
    pub ok: bool,
    /// Why it failed.
    pub reason: String,
}

message!(HealthCheck {
    "name" => name,
    "ok" => ok,
    "reason" => reason,
});

impl HealthCheck {
    /// Reads `[+]name ok` or `[-]name failed: reason`; other lines are not about one check.
    fn from_line(line: &str) -> Option<Self> {
        let (ok, rest) = match (line.strip_prefix("[+]"), line.strip_prefix("[-]")) {
            (Some(rest), _) => (true, rest),
            (None, rest) => (false, rest?),
        };
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let reason = rest.strip_prefix("failed: ").unwrap_or(rest);
        Some(Self {
            name: name.to_owned(),
            ok,
            reason: if ok { String::new() } else { reason.to_owned() },
        })
    }
}

/// Names of checks are part of a path or a query, and are plain words.
fn check_names(check: &str, exclude: &[String]) -> Result<(), Misuse> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let words = |name: &str| name.bytes().all(plain);
    let named = exclude.iter().all(|name| !name.is_empty() && words(name));
    if words(check) && named {
        return Ok(());
    }
    Err(Misuse::BadCheckName)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_about_a_check_is_read_and_no_other() {
        let text = concat!(
            "[+]data_corruption ok\n[+]serializable_read excluded: ok\n",
            "[-]linearizable_read failed: a: b\nwarn: some checks cannot be excluded\n",
            "[-]odd\nreadyz check failed\n",
        );
        let answer = ReadyzResponse::from_text(false, text).unwrap().unwrap();
        let told: Vec<_> = answer
            .checks
            .iter()
            .map(|check| (check.name.as_str(), check.ok, check.reason.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("data_corruption", true, ""),
                ("serializable_read", true, ""),
                ("linearizable_read", false, "a: b"),
                ("odd", false, ""),
            ]
        );
        assert_eq!(answer.failed().count(), 2);
        assert!(LivezResponse::from_text(true, "ok\n").unwrap().unwrap().ok);
        assert!(
            LivezResponse::from_text(false, "upstream is gone\n")
                .unwrap()
                .is_none()
        );
    }
}
