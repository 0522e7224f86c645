//! Versions of servers, and what a server must be to have something.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

/// The version of a server, such as `3.5.30`, `3.6.0-rc.1` or `3.4.23+git`.
///
/// Ordered as semantic versions are: a release comes after its pre-releases. What follows a `+` is
/// no part of it.
///
/// ```
/// use etcd_core::Version;
///
/// let version: Version = "3.5.30".parse()?;
/// assert!(version > Version::new(3, 5, 9));
/// assert!("3.6.0-rc.1".parse::<Version>()? < Version::new(3, 6, 0));
/// # Ok::<(), etcd_core::VersionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    /// What stands behind the `-`, empty for a release.
    pre_release: String,
}

/// More than any server's.
const LONGEST: usize = 64;

impl Version {
    /// A release.
    ///
    /// ```
    /// assert_eq!(etcd_core::Version::new(3, 5, 30).to_string(), "3.5.30");
    /// ```
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
            pre_release: String::new(),
        }
    }

    /// The first number.
    ///
    /// ```
    /// assert_eq!(etcd_core::Version::new(3, 5, 30).major(), 3);
    /// ```
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.major
    }

    /// The second number.
    ///
    /// ```
    /// assert_eq!(etcd_core::Version::new(3, 5, 30).minor(), 5);
    /// ```
    #[must_use]
    pub const fn minor(&self) -> u32 {
        self.minor
    }

    /// The third number.
    ///
    /// ```
    /// assert_eq!(etcd_core::Version::new(3, 5, 30).patch(), 30);
    /// ```
    #[must_use]
    pub const fn patch(&self) -> u32 {
        self.patch
    }

    /// What stands behind the `-`, empty for a release.
    ///
    /// ```
    /// let version: etcd_core::Version = "3.6.0-alpha.0".parse()?;
    /// assert_eq!(version.pre_release(), "alpha.0");
    /// # Ok::<(), etcd_core::VersionError>(())
    /// ```
    #[must_use]
    pub fn pre_release(&self) -> &str {
        &self.pre_release
    }

    const fn line(&self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        let parts = |version: &Self| -> Vec<Part> {
            let parts = version.pre_release.split('.');
            parts
                .filter(|part| !part.is_empty())
                .map(Part::of)
                .collect()
        };
        let is_release = |version: &Self| version.pre_release.is_empty();
        numbers(self)
            .cmp(&numbers(other))
            .then_with(|| is_release(self).cmp(&is_release(other)))
            .then_with(|| parts(self).cmp(&parts(other)))
            .then_with(|| self.pre_release.cmp(&other.pre_release))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A part of a pre-release; numbers come before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Part {
    fn of(text: &str) -> Self {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Self::Number(number),
            _ => Self::Word(text.to_owned()),
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads two or three numbers and what may follow them; etcd takes `3.5` for `3.5.0`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > LONGEST {
            return Err(VersionError);
        }
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (numbers, pre_release) = text.split_once('-').unwrap_or((text, ""));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if !pre_release.bytes().all(plain) || numbers.len() < text.len() && pre_release.is_empty() {
            return Err(VersionError);
        }
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| part.parse().ok()).flatten();
            number.ok_or(VersionError)
        });
        let mut next = || parts.next().transpose();
        let (major, minor, patch) = (next()?, next()?, next()?);
        if next()?.is_some() {
            return Err(VersionError);
        }
        Ok(Self {
            major: major.ok_or(VersionError)?,
            minor: minor.ok_or(VersionError)?,
            patch: patch.unwrap_or(0),
            pre_release: pre_release.to_owned(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre_release.is_empty() {
            write!(f, "-{}", self.pre_release)?;
        }
        Ok(())
    }
}

/// The text is not a version: two or three numbers with dots between them, and perhaps a suffix.
///
/// ```
/// assert!("not_decided".parse::<etcd_core::Version>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionError;

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a version; write it as 3.5.30, or 3.6.0-rc.1")
    }
}

impl core::error::Error for VersionError {}

/// Something that not every server has.
///
/// ```
/// use etcd_core::{Feature, Version};
///
/// assert!(Feature::LIVEZ.is_in(&Version::new(3, 4, 29)));
/// assert!(!Feature::LIVEZ.is_in(&Version::new(3, 5, 1)));
/// assert!(Feature::LIVEZ.is_in(&Version::new(3, 6, 0)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Feature {
    /// What it is, by its path.
    pub name: &'static str,
    /// The first version of each line of releases that has it, in their order. Later lines have it,
    /// earlier ones do not.
    pub since: &'static [Version],
}

impl Feature {
    /// The hash of the keys at a revision. Before, its path is unknown or answered by the hash of
    /// the whole database (gateway.md 2).
    pub const HASH_KV: Self = Self {
        name: "maintenance/hashkv",
        since: &[Version::new(3, 5, 10)],
    };
    /// Preparing a cluster for older servers (semantics.md 1.14).
    pub const DOWNGRADE: Self = Self {
        name: "maintenance/downgrade",
        since: &[Version::new(3, 5, 0)],
    };
    /// Asking whether authentication is on (gateway.md 2).
    pub const AUTH_STATUS: Self = Self {
        name: "auth/status",
        since: &[Version::new(3, 5, 0)],
    };
    /// The page that says whether a server is alive (gateway.md 2).
    pub const LIVEZ: Self = Self {
        name: "livez",
        since: &[Version::new(3, 4, 29), Version::new(3, 5, 11)],
    };
    /// The page that says whether a server is ready (gateway.md 2).
    pub const READYZ: Self = Self {
        name: "readyz",
        since: &[Version::new(3, 4, 29), Version::new(3, 5, 11)],
    };
    /// Progress of watches that is a proof (gateway.md 7.4, rule W-5).
    pub(crate) const PROGRESS_PROOF: Self = Self {
        name: "watch progress",
        since: &[Version::new(3, 4, 25), Version::new(3, 5, 8)],
    };

    /// Whether a server of this version has it. A pre-release counts as its release: what is to be
    /// in a release is nearly always in its candidates.
    ///
    /// ```
    /// use etcd_core::{Feature, Version};
    ///
    /// assert!(!Feature::HASH_KV.is_in(&Version::new(3, 4, 43)));
    /// ```
    #[must_use]
    pub fn is_in(&self, version: &Version) -> bool {
        let newer = self.since.iter().all(|since| since.line() < version.line());
        let same = |since: &&Version| since.line() == version.line();
        newer
            || self
                .since
                .iter()
                .find(same)
                .is_some_and(|since| version.patch >= since.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_ascend_as_semantic_versions_do() {
        let ascending = [
            "3.4",
            "3.4.23",
            "3.5.0-alpha",
            "3.5.0-alpha.2",
            "3.5.0-alpha.10",
            "3.5.0-alpha.b",
            "3.5.0-rc.1",
            "3.5.0",
            "3.5.9",
            "3.5.10",
            "3.10.0",
            "4.0.0",
        ];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("3.5.1+git"), version("3.5.1"));
        assert_eq!(version("3.5.1-rc.1+git").to_string(), "3.5.1-rc.1");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        let long = format!("3.5.1-{}", "x".repeat(64));
        for text in [
            "",
            "3",
            "3.",
            "3.5.",
            "3.5.1.2",
            "v3.5.1",
            "3.5.x",
            "-3.5.1",
            "+",
            "3.5.1-",
            "3.5.1-ü",
            "3.5.4294967296",
            "not_decided",
            &long,
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_feature_is_in_each_line_from_its_own_patch_on() {
        let feature = Feature::LIVEZ;
        for text in [
            "3.4.29",
            "3.4.43",
            "3.5.11",
            "3.5.11-rc.0",
            "3.6.0-alpha.0",
            "4.0.0",
        ] {
            assert!(feature.is_in(&version(text)), "{text}");
        }
        for text in ["3.3.27", "3.4.28", "3.5.0", "3.5.10"] {
            assert!(!feature.is_in(&version(text)), "{text}");
        }
        assert!(!Feature::HASH_KV.is_in(&version("3.4.99")));
        assert!(!Feature::AUTH_STATUS.is_in(&version("3.4.99")));
        assert!(Feature::AUTH_STATUS.is_in(&version("3.5.0")));
    }

    #[test]
    fn w5_old_servers_are_not_believed() {
        for text in [
            "3.4.25",
            "3.4.43",
            "3.5.8",
            "3.5.30",
            "3.6.0",
            "4.0.0",
            "3.5.8-rc.1",
        ] {
            assert!(Feature::PROGRESS_PROOF.is_in(&version(text)), "{text}");
        }
        for text in ["3.3.27", "3.4.23", "3.5.1", "3.5.7", "3.5"] {
            assert!(!Feature::PROGRESS_PROOF.is_in(&version(text)), "{text}");
        }
    }
}
