//! What a transaction asks before it decides.

use bytes::Bytes;
use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::json::{Field, Json, message, names, read_unbounded};
use super::{IntoBytes, KeyRange};
use crate::error::Misuse;

/// One condition of a transaction: something about a key, compared with what it should be.
///
/// A key that does not exist has version, revisions and lease 0; comparing its value fails. About a
/// range, the condition must hold for every key that is there.
///
/// ```
/// use etcd_core::Compare;
///
/// let compare = Compare::version("foo").eq(0);
/// assert_eq!(serde_json::to_string(&compare)?, r#"{"key":"Zm9v","version":"0"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compare {
    /// Which keys.
    pub range: KeyRange,
    /// How what is there must stand to `operand`.
    pub result: CompareResult,
    /// What is compared, and with what.
    pub operand: CompareOperand,
}

impl Compare {
    /// Compares how often the key was put since it was created.
    ///
    /// ```
    /// use etcd_core::{Compare, CompareOperand};
    ///
    /// let compare = Compare::version("k").gt(1);
    /// assert_eq!(compare.operand, CompareOperand::Version(1));
    /// ```
    pub fn version(range: impl Into<KeyRange>) -> CompareWith<i64> {
        CompareWith::new(range, CompareOperand::Version)
    }

    /// Compares the revision at which the key was created.
    ///
    /// ```
    /// use etcd_core::{Compare, CompareOperand};
    ///
    /// let compare = Compare::create_revision("k").eq(7);
    /// assert_eq!(compare.operand, CompareOperand::CreateRevision(7));
    /// ```
    pub fn create_revision(range: impl Into<KeyRange>) -> CompareWith<i64> {
        CompareWith::new(range, CompareOperand::CreateRevision)
    }

    /// Compares the revision of the key's last change.
    ///
    /// ```
    /// use etcd_core::{Compare, CompareOperand, KeyRange};
    ///
    /// let unchanged = Compare::mod_revision(KeyRange::prefix("a/")).lt(8);
    /// assert_eq!(unchanged.operand, CompareOperand::ModRevision(8));
    /// ```
    pub fn mod_revision(range: impl Into<KeyRange>) -> CompareWith<i64> {
        CompareWith::new(range, CompareOperand::ModRevision)
    }

    /// Compares the value.
    ///
    /// ```
    /// use etcd_core::Compare;
    ///
    /// let empty = Compare::value("foo").eq("");
    /// let json = serde_json::to_string(&empty)?;
    /// assert_eq!(json, r#"{"target":"VALUE","key":"Zm9v","value":""}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn value(range: impl Into<KeyRange>) -> CompareWith<Bytes> {
        CompareWith::new(range, CompareOperand::Value)
    }

    /// Compares the lease the key is attached to.
    ///
    /// ```
    /// use etcd_core::{Compare, CompareOperand};
    ///
    /// assert_eq!(Compare::lease("k").ne(0).operand, CompareOperand::Lease(0));
    /// ```
    pub fn lease(range: impl Into<KeyRange>) -> CompareWith<i64> {
        CompareWith::new(range, CompareOperand::Lease)
    }

    /// The key exists.
    ///
    /// ```
    /// use etcd_core::Compare;
    ///
    /// assert_eq!(Compare::exists("k"), Compare::version("k").gt(0));
    /// ```
    #[must_use]
    pub fn exists(key: impl IntoBytes) -> Self {
        Self::version(key).gt(0)
    }

    /// The key does not exist.
    ///
    /// ```
    /// use etcd_core::Compare;
    ///
    /// assert_eq!(Compare::missing("k"), Compare::version("k").eq(0));
    /// ```
    #[must_use]
    pub fn missing(key: impl IntoBytes) -> Self {
        Self::version(key).eq(0)
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        self.range.check()
    }
}

/// A [`Compare`] that lacks how, and with what.
///
/// ```
/// use etcd_core::{Compare, CompareResult};
///
/// assert_eq!(Compare::value("k").ne("v").result, CompareResult::NotEqual);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CompareWith<V> {
    range: KeyRange,
    operand: fn(V) -> CompareOperand,
}

impl<V> CompareWith<V> {
    fn new(range: impl Into<KeyRange>, operand: fn(V) -> CompareOperand) -> Self {
        Self {
            range: range.into(),
            operand,
        }
    }

    fn finish(self, result: CompareResult, value: V) -> Compare {
        Compare {
            range: self.range,
            result,
            operand: (self.operand)(value),
        }
    }
}

macro_rules! results {
    ($($method:ident, $result:ident, $words:literal;)*) => {
        impl CompareWith<i64> {$(
            #[doc = concat!("It is ", $words, " `number`.\n\n```\n",
                "use etcd_core::{Compare, CompareResult};\n\nassert_eq!(Compare::version(\"k\").",
                stringify!($method), "(7).result, CompareResult::", stringify!($result),
                ");\n```")]
            #[must_use]
            pub fn $method(self, number: i64) -> Compare {
                self.finish(CompareResult::$result, number)
            }
        )*}

        impl CompareWith<Bytes> {$(
            #[doc = concat!("It is ", $words, " `value`.\n\n```\n",
                "use etcd_core::{Compare, CompareResult};\n\nassert_eq!(Compare::value(\"k\").",
                stringify!($method), "(\"v\").result, CompareResult::", stringify!($result),
                ");\n```")]
            #[must_use]
            pub fn $method(self, value: impl IntoBytes) -> Compare {
                self.finish(CompareResult::$result, value.into_bytes())
            }
        )*}
    };
}

results! {
    eq, Equal, "equal to";
    ne, NotEqual, "not equal to";
    gt, Greater, "greater than";
    lt, Less, "less than";
}

/// How what is there must stand to what it is compared with.
///
/// ```
/// assert_eq!(serde_json::to_string(&etcd_core::CompareResult::NotEqual)?, r#""NOT_EQUAL""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompareResult {
    /// The same.
    #[default]
    Equal,
    /// Greater.
    Greater,
    /// Less.
    Less,
    /// Different.
    NotEqual,
}

names!(CompareResult {
    Equal => "EQUAL" = 0,
    Greater => "GREATER" = 1,
    Less => "LESS" = 2,
    NotEqual => "NOT_EQUAL" = 3,
});

/// What is compared, and with what.
///
/// ```
/// use etcd_core::{Compare, CompareOperand};
///
/// assert_eq!(Compare::missing("k").operand, CompareOperand::Version(0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompareOperand {
    /// How often the key was put since it was created.
    Version(i64),
    /// The revision at which the key was created.
    CreateRevision(i64),
    /// The revision of the last change.
    ModRevision(i64),
    /// The value.
    Value(Bytes),
    /// The lease it is attached to.
    Lease(i64),
}

impl Default for CompareOperand {
    fn default() -> Self {
        Self::Version(0)
    }
}

/// [`Compare`] as etcd lays it out: the target beside a oneof, which is written even for a zero.
#[derive(Default, PartialEq)]
struct CompareJson {
    range: KeyRange,
    result: CompareResult,
    target: Target,
    version: Option<i64>,
    create_revision: Option<i64>,
    mod_revision: Option<i64>,
    value: Option<Bytes>,
    lease: Option<i64>,
}

message!(CompareJson {
    "result" => result,
    "target" => target,
    "key" => range.key,
    "range_end" => range.range_end,
    "version" => version,
    "create_revision" => create_revision,
    "mod_revision" => mod_revision,
    "value" => value,
    "lease" => lease,
});

#[derive(Clone, Copy, Default, PartialEq)]
enum Target {
    #[default]
    Version,
    Create,
    Mod,
    Value,
    Lease,
}

names!(Target {
    Version => "VERSION" = 0,
    Create => "CREATE" = 1,
    Mod => "MOD" = 2,
    Value => "VALUE" = 3,
    Lease => "LEASE" = 4,
});

impl Serialize for Compare {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = CompareJson {
            range: self.range.clone(),
            result: self.result,
            ..CompareJson::default()
        };
        match &self.operand {
            CompareOperand::Version(number) => {
                json.target = Target::Version;
                json.version = Some(*number);
            }
            CompareOperand::CreateRevision(number) => {
                json.target = Target::Create;
                json.create_revision = Some(*number);
            }
            CompareOperand::ModRevision(number) => {
                json.target = Target::Mod;
                json.mod_revision = Some(*number);
            }
            CompareOperand::Value(value) => {
                json.target = Target::Value;
                json.value = Some(value.clone());
            }
            CompareOperand::Lease(number) => {
                json.target = Target::Lease;
                json.lease = Some(*number);
            }
        }
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Compare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_unbounded("Compare", deserializer)
    }
}

impl Json for Compare {
    fn is_zero(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    /// An operand that is not there is a zero, as it is for etcd. One that is not the target's,
    /// which etcd would take for a zero of the target's, is refused.
    fn read<'de, D: Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let mut json = CompareJson::read(field, deserializer)?;
        let operand = match json.target {
            Target::Version => CompareOperand::Version(json.version.take().unwrap_or_default()),
            Target::Create => {
                CompareOperand::CreateRevision(json.create_revision.take().unwrap_or_default())
            }
            Target::Mod => {
                CompareOperand::ModRevision(json.mod_revision.take().unwrap_or_default())
            }
            Target::Value => CompareOperand::Value(json.value.take().unwrap_or_default()),
            Target::Lease => CompareOperand::Lease(json.lease.take().unwrap_or_default()),
        };
        let others = [
            json.version,
            json.create_revision,
            json.mod_revision,
            json.lease,
        ];
        if others.iter().any(Option::is_some) || json.value.is_some() {
            return Err(de::Error::custom(format_args!(
                "more than the operand of its target in `{field}`"
            )));
        }
        Ok(Self {
            range: json.range,
            result: json.result,
            operand,
        })
    }
}
